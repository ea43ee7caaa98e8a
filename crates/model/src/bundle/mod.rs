//! The bundle: a folder with a network's weights (`model.safetensors`) and its card (`model.json`), which says what it was made
//! from, how a film must be prepared for it and what its numbers mean.

mod card;
mod hash;
mod operating_point;
mod patients;
mod scores;
mod seen;

use std::path::Path;

use coxa_engine::{Architecture, Parameters, Ranges};
use coxa_files::whole::Partial;
use serde::{Deserialize, Serialize};

pub(crate) use card::logits_of;
pub use card::{CamSpec, Card, DataSummary, FORMAT, INTENDED_USE, InputSpec, WEIGHTS_FILE, WeightsSummary};
use hash::{hash_of, with_part};
pub(crate) use operating_point::fixed;
pub use operating_point::rule_words;
pub use patients::PatientKey;
pub use scores::ValidationScores;
pub(crate) use seen::Seen;

use crate::content::ContentGate;
use crate::weights::tensors::{from_safetensors, to_safetensors};
use crate::{ModelError, WeightsFormat, files};

/// The card in a bundle's folder.
pub const CARD_FILE: &str = "model.json";
/// The ranges of 8-bit arithmetic; bundles may lack it.
const INT8_FILE: &str = "int8.json";
/// The gate by pixels; bundles may lack it.
const GATE_FILE: &str = "gate.json";
/// What errors call the bundle that comes with the program.
const SHIPPED: &str = "the bundle that comes with the program";
const SHIPPED_CARD: &str = include_str!("../../shipped/model.json");
const SHIPPED_WEIGHTS: &[u8] = include_bytes!("../../shipped/model.safetensors");
const SHIPPED_INT8: &str = include_str!("../../shipped/int8.json");
const SHIPPED_GATE: &str = include_str!("../../shipped/gate.json");
/// Digits of a hash that name a bundle in predictions.
const SHORT_HASH: usize = 16;

/// What `int8.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Int8File {
    /// SHA-256 of the weights that the ranges were measured with.
    weights: String,
    /// What they were measured on, in words.
    measured_on: String,
    /// Each channel's smallest and largest value ([`Ranges::values`]).
    ranges: Vec<(f32, f32)>,
}

/// What `gate.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct GateFile {
    /// SHA-256 of the weights whose features it was fitted on.
    weights: String,
    /// The gate.
    gate: ContentGate,
}

/// Ranges of 8-bit arithmetic with what they were measured on.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8 {
    /// What they were measured on, in words.
    pub measured_on: String,
    /// The ranges.
    pub ranges: Ranges,
}

/// A network with its card.
#[derive(Debug, Clone)]
pub struct Bundle {
    card: Card,
    parameters: Parameters,
    hash: String,
    /// The hash without the gate.
    own_hash: String,
    seen: Seen,
    int8: Option<Int8>,
    gate: Option<ContentGate>,
}

/// Patients are left out: their hashes differ from run to run, as each has a key of its own, and change nothing that the network does.
impl PartialEq for Bundle {
    fn eq(&self, other: &Self) -> bool {
        (&self.hash, &self.card, &self.int8) == (&other.hash, &other.card, &other.int8)
            && self.parameters == other.parameters
            && self.seen.films() == other.seen.films()
    }
}

impl Bundle {
    /// Puts weights and card together. The card's summary of the weights is filled in.
    ///
    /// # Errors
    /// When the card has a value outside its range, or its classes do not fit the network's outputs.
    pub fn new(card: Card, parameters: Parameters) -> Result<Self, ModelError> {
        Ok(Self::with_files(card, parameters, WeightsFormat::F32)?.0)
    }

    /// The bundle, its weights' bytes and its card's text.
    fn with_files(
        mut card: Card,
        parameters: Parameters,
        format: WeightsFormat,
    ) -> Result<(Self, Vec<u8>, String), ModelError> {
        let tensors = parameters.iter().map(|(name, shape, values)| (name.to_string(), shape, values));
        let bytes = to_safetensors(tensors, format, None).map_err(ModelError::Internal)?;
        card.weights = WeightsSummary { file: WEIGHTS_FILE.into(), format, sha256: coxa_files::sha256(&bytes) };
        card.check().map_err(|reason| ModelError::Setting(format!("card: {reason}")))?;
        let outputs = parameters.architecture().classes;
        if outputs != card.logits() {
            return Err(ModelError::Setting(format!(
                "the network has {outputs} outputs, but {} classes need {}",
                card.classes.len(),
                card.logits()
            )));
        }
        let mut text = serde_json::to_string_pretty(&card).map_err(|error| ModelError::Internal(error.to_string()))?;
        text.push('\n');
        let hash = hash_of(&card.weights.sha256, &text).map_err(ModelError::Internal)?;
        Ok((
            Bundle { card, parameters, own_hash: hash.clone(), hash, seen: Seen::default(), int8: None, gate: None },
            bytes,
            text,
        ))
    }

    /// Reads a bundle's folder.
    ///
    /// # Errors
    /// When a file is missing, the card has a value outside its range, the weights are not those that the card names, or a tensor
    /// is missing, unexpected or misshapen; each is named.
    pub fn load(folder: &Path) -> Result<Self, ModelError> {
        let text = files::read_text(&folder.join(CARD_FILE))?;
        let bundle = Self::parse(folder, &text, || files::read(&folder.join(WEIGHTS_FILE)))?;
        let int8 = folder.join(INT8_FILE);
        let bundle = if int8.exists() { bundle.parse_int8(&files::read_text(&int8)?, &int8)? } else { bundle };
        let gate = folder.join(GATE_FILE);
        let bundle = if gate.exists() { bundle.parse_gate(&files::read_text(&gate)?, &gate)? } else { bundle };
        Ok(bundle.with_seen(Seen::load(folder)?))
    }

    fn parse_int8(self, text: &str, path: &Path) -> Result<Self, ModelError> {
        let file: Int8File = serde_json::from_str(text).map_err(|error| ModelError::format(path, error))?;
        if file.weights != self.card.weights.sha256 {
            return Err(ModelError::format(path, "it was measured with other weights than those of the bundle"));
        }
        let ranges = Ranges::from_values(&file.ranges).map_err(|error| ModelError::format(path, error))?;
        Ok(self.with_int8(Int8 { measured_on: file.measured_on, ranges }))
    }

    fn parse_gate(self, text: &str, path: &Path) -> Result<Self, ModelError> {
        let file: Option<GateFile> = serde_json::from_str(text).map_err(|error| ModelError::format(path, error))?;
        let Some(file) = file else { return Ok(self) };
        if file.weights != self.card.weights.sha256 {
            return Err(ModelError::format(path, "it was fitted with other weights than those of the bundle"));
        }
        self.with_gate(file.gate).map_err(|error| ModelError::format(path, error))
    }

    /// The same bundle, with a gate by pixels, which changes its hash.
    ///
    /// # Errors
    /// When the gate's parts do not fit together, or the bundle is one of several body parts, which has no use for it.
    pub fn with_gate(self, gate: ContentGate) -> Result<Self, ModelError> {
        gate.check().map_err(|reason| ModelError::Setting(format!("gate: {reason}")))?;
        if self.card.logits() > 1 {
            return Err(ModelError::Setting(format!(
                "gate: the bundle has {} classes, not two",
                self.card.classes.len()
            )));
        }
        let text = gate_text(&self.card, &gate)?;
        Ok(Bundle { hash: with_part(&self.own_hash, &text), gate: Some(gate), ..self })
    }

    /// Another card, and parameters with another classifier at most: the ranges of 8-bit arithmetic, the gate and what was seen stay.
    ///
    /// # Errors
    /// As [`Bundle::new`].
    pub(crate) fn with_parts(&self, card: Card, parameters: Parameters) -> Result<Self, ModelError> {
        let (bundle, ..) = Self::with_files(card, parameters, self.card.weights.format)?;
        let bundle = Bundle { int8: self.int8.clone(), seen: self.seen.clone(), ..bundle };
        match &self.gate {
            Some(gate) => bundle.with_gate(gate.clone()),
            None => Ok(bundle),
        }
    }

    /// The gate by pixels, where the bundle has one.
    pub fn gate(&self) -> Option<&ContentGate> {
        self.gate.as_ref()
    }

    /// The same bundle, with the ranges of 8-bit arithmetic.
    #[must_use]
    pub fn with_int8(self, int8: Int8) -> Self {
        Bundle { int8: Some(int8), ..self }
    }

    /// The ranges of 8-bit arithmetic, where the bundle has them.
    pub fn int8(&self) -> Option<&Int8> {
        self.int8.as_ref()
    }

    /// The bundle that comes with the program, trained on simulated hips and real limbs.
    ///
    /// # Errors
    /// When the program's own copy is damaged.
    pub fn shipped() -> Result<Self, ModelError> {
        let bundle = Self::parse(Path::new(SHIPPED), SHIPPED_CARD, || Ok(SHIPPED_WEIGHTS.to_vec()))?;
        let bundle = bundle.parse_int8(SHIPPED_INT8, &Path::new(SHIPPED).join(INT8_FILE))?;
        bundle.parse_gate(SHIPPED_GATE, &Path::new(SHIPPED).join(GATE_FILE))
    }

    /// A bundle from its card's text and its weights' bytes, which are asked for only when the card is in order.
    fn parse(
        folder: &Path,
        text: &str,
        weights: impl FnOnce() -> Result<Vec<u8>, ModelError>,
    ) -> Result<Self, ModelError> {
        let (card_path, weights_path) = (folder.join(CARD_FILE), folder.join(WEIGHTS_FILE));
        let card: Card = serde_json::from_str(text).map_err(|error| ModelError::format(&card_path, error))?;
        card.check().map_err(|reason| ModelError::format(&card_path, reason))?;
        let bytes = weights()?;
        let (tensors, _) = from_safetensors(&bytes, &weights_path)?;
        let tensors = tensors
            .into_iter()
            .filter(|tensor| !tensor.name.ends_with(".num_batches_tracked"))
            .map(|tensor| (tensor.name, tensor.shape, tensor.values));
        let parameters = Parameters::from_tensors(&Architecture::new(card.logits()), tensors)
            .map_err(|error| ModelError::weights(&weights_path, error))?;
        let found = coxa_files::sha256(&bytes);
        if found != card.weights.sha256 {
            return Err(ModelError::weights(
                &weights_path,
                format!("its SHA-256 is {found}, but {CARD_FILE} names {}", card.weights.sha256),
            ));
        }
        let hash = hash_of(&found, text).map_err(|reason| ModelError::format(&card_path, reason))?;
        Ok(Bundle { card, parameters, own_hash: hash.clone(), hash, seen: Seen::default(), int8: None, gate: None })
    }

    /// Writes the bundle to a new folder, which appears whole or not at all, and returns it as it will be loaded (bf16 rounds
    /// the weights).
    ///
    /// # Errors
    /// When the folder exists already or cannot be written.
    pub fn save(&self, folder: &Path, format: WeightsFormat) -> Result<Bundle, ModelError> {
        if folder.exists() {
            return Err(ModelError::Exists { path: folder.to_path_buf() });
        }
        let (whole, bytes, text) = Self::with_files(self.card.clone(), self.parameters.clone(), format)?;
        let gate = self.gate.as_ref().map(|gate| gate_text(&whole.card, gate)).transpose()?;
        let int8 = self.int8.as_ref().map(|int8| Int8File {
            weights: whole.card.weights.sha256.clone(),
            measured_on: int8.measured_on.clone(),
            ranges: int8.ranges.values().collect(),
        });
        let partial = Partial::folder(folder).map_err(ModelError::io(folder))?;
        let write = |name, bytes: &[u8]| files::write_synced(&partial.path().join(name), bytes);
        write(WEIGHTS_FILE, &bytes)?;
        write(CARD_FILE, text.as_bytes())?;
        self.seen.save(partial.path())?;
        if let Some(int8) = &int8 {
            let text =
                serde_json::to_string(int8).map_err(|error| ModelError::format(folder.join(INT8_FILE), error))?;
            write(INT8_FILE, text.as_bytes())?;
        }
        if let Some(text) = &gate {
            write(GATE_FILE, text.as_bytes())?;
        }
        partial.keep().map_err(ModelError::io(folder))?;
        Self::load(folder)
    }

    /// The same bundle, with the films and patients that it was trained or validated on.
    pub(crate) fn with_seen(self, seen: Seen) -> Self {
        Bundle { seen, ..self }
    }

    /// The films and patients that the network was trained or validated on, as far as the bundle knows them.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether the network was trained or validated on the file of this SHA-256, as far as the bundle knows.
    pub fn has_seen(&self, sha256: &str) -> bool {
        self.seen.has_film(sha256)
    }

    /// Whether the network was trained or validated on films of the patient with this pseudonym, as far as `key`, its run's, tells.
    pub fn has_seen_patient(&self, patient: &str, key: &PatientKey) -> bool {
        self.seen.has_patient(patient, key)
    }

    /// Whether [`Bundle::has_seen_patient`] knows every patient of the network by this key: a network that was trained on from another
    /// run's bundle has patients under that run's key too, and older bundles know none.
    pub fn knows_patients_by(&self, key: &PatientKey) -> bool {
        self.seen.knows_patients_by(key)
    }

    /// The bundle's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The network's tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// SHA-256 over the weights' hash, the card and, where there is one, the gate, in hexadecimal digits: any change to one of them
    /// changes it, other white space or another order of keys does not.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first 16 digits of [`Bundle::hash`], by which predictions name the bundle.
    pub fn short_hash(&self) -> &str {
        &self.hash[..SHORT_HASH]
    }
}

/// The text of `gate.json` beside this card.
fn gate_text(card: &Card, gate: &ContentGate) -> Result<String, ModelError> {
    let file = GateFile { weights: card.weights.sha256.clone(), gate: gate.clone() };
    serde_json::to_string(&file).map_err(|error| ModelError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_bundle_is_whole_and_says_what_it_is() {
        let bundle = Bundle::shipped().unwrap();
        let card = bundle.card();
        assert!(card.simulated() && card.intended_use == INTENDED_USE);
        assert_eq!((card.logits(), card.weights.format), (1, WeightsFormat::Bf16));
        assert!(card.recipe.is_some() && card.metrics.contains_key("validation_auc"));
        assert!(bundle.int8().is_some_and(|int8| !int8.measured_on.is_empty()));
        assert!(bundle.gate().is_some(), "films of other parts would be read");
        // Nobody's own paths.
        assert!(!SHIPPED_CARD.contains("\"/"), "an absolute path");
    }
}
