//! The bundle: a folder with a network's weights (`model.safetensors`) and its card (`model.json`), which says what it was made
//! from, how a film must be prepared for it and what its numbers mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use coxa_engine::{Architecture, LARGEST_SIZE, Parameters, Ranges};
use coxa_files::whole::Partial;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::files;
use crate::weights::tensors::{from_safetensors, to_safetensors};
use crate::{ModelError, Recipe, WeightsFormat};

/// The version of the folder's format that this crate writes and reads.
pub const FORMAT: u32 = 1;
/// What every bundle may be used for.
pub const INTENDED_USE: &str = "Research use only. Not a medical device; not for diagnosis or treatment.";
/// The network's weights in a bundle's folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// The films that a bundle was trained on, one a line; bundles may lack it.
const FILMS_FILE: &str = "films.txt";
/// The ranges of 8-bit arithmetic; bundles may lack it.
const INT8_FILE: &str = "int8.json";
/// Digits of a film's SHA-256 that a bundle keeps: enough to know a film again.
pub const FILM_DIGITS: usize = 16;
/// The card in a bundle's folder.
pub const CARD_FILE: &str = "model.json";
/// What errors call the bundle that comes with the program.
const SHIPPED: &str = "the bundle that comes with the program";
const SHIPPED_CARD: &str = include_str!("../shipped/model.json");
const SHIPPED_WEIGHTS: &[u8] = include_bytes!("../shipped/model.safetensors");
const SHIPPED_INT8: &str = include_str!("../shipped/int8.json");
/// Digits of a hash that name a bundle in predictions.
const SHORT_HASH: usize = 16;

/// What `model.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The version of the format, [`FORMAT`].
    pub format: u32,
    /// A name for people.
    pub name: String,
    /// Always `densenet121`: torchvision's, with one input channel.
    pub architecture: String,
    /// The classes. Two of them share one logit, which is that of the second (the positive class); more have a logit each.
    pub classes: Vec<String>,
    /// How a film becomes the network's input.
    pub input: InputSpec,
    /// Where a probability becomes a finding.
    pub threshold: Threshold,
    /// The probability is sigmoid(logit / temperature); 1 leaves the network's own.
    pub temperature: f64,
    /// What a Grad-CAM value means.
    pub cam: CamSpec,
    /// Research use only.
    pub intended_use: String,
    /// The films it was trained on; none for imported weights.
    pub data: Option<DataSummary>,
    /// Measured on validation films; the keys say what.
    pub metrics: BTreeMap<String, f64>,
    /// The whole recipe of the training run; none for imported weights.
    pub recipe: Option<Recipe>,
    /// The stage of the recipe that made these weights.
    pub stage: Option<String>,
    /// Where the weights came from, in words.
    pub origin: String,
    /// The file of weights.
    pub weights: WeightsSummary,
}

/// How a film becomes the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Pixels on each side, a multiple of 32.
    pub size: usize,
    /// Always 1.
    pub channels: usize,
    /// How the film fills the square.
    pub fit: Fit,
    /// Which gray levels count: `file`, the film's own VOI window or, without one, all of them.
    pub window: String,
    /// How gray levels become numbers: `value/255`, of 8 bits, bone bright.
    pub scale: String,
}

impl InputSpec {
    /// The project's preprocessing at a size: the file's window, 8 bits, bone bright, value/255.
    pub fn new(size: usize, fit: Fit) -> Self {
        InputSpec { size, channels: 1, fit, window: "file".into(), scale: "value/255".into() }
    }
}

/// How a film fills the network's square input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The whole film at its own aspect ratio, the rest black.
    #[default]
    Letterbox,
    /// The film stretched to the square.
    Stretch,
}

impl Fit {
    /// The same in the imaging crate's terms.
    pub fn imaging(self) -> coxa_imaging::Fit {
        match self {
            Fit::Letterbox => coxa_imaging::Fit::Letterbox,
            Fit::Stretch => coxa_imaging::Fit::Stretch,
        }
    }
}

/// Where a probability becomes a finding: at or above `value`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Between 0 and 1.
    pub value: f64,
    /// The rule that chose it, in words.
    pub rule: String,
    /// The films that it was chosen on, in words.
    pub chosen_on: String,
}

impl Threshold {
    /// The value that is taken without looking at any film: 0.5, as in the paper.
    pub fn fixed() -> Self {
        Threshold { value: 0.5, rule: "fixed".into(), chosen_on: "no films".into() }
    }
}

/// What a Grad-CAM value means for this network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CamSpec {
    /// The value that is drawn at full intensity, for maps of `input.size`.
    pub reference: f32,
    /// A region is where the map reaches this fraction of the reference.
    pub region_fraction: f32,
    /// How the reference was found, in words.
    pub reference_from: String,
}

impl CamSpec {
    /// The fraction of the reference at which regions begin, unless it was chosen on films.
    pub const REGION_FRACTION: f32 = 0.4;

    /// A reference for weights that come without films: the map's sum is the logit less the bias, so a logit of +4 (a
    /// probability of 0.98) that stems from a twentieth of the map has this value there.
    pub fn nominal(size: usize) -> Self {
        let cells = (size / 32).pow(2) as f32;
        CamSpec {
            reference: 4.0 / (cells / 20.0).max(1.0),
            region_fraction: Self::REGION_FRACTION,
            reference_from: "nominal: a logit of 4 from a twentieth of the map".into(),
        }
    }
}

/// The films that a network was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// SHA-256 over every film's id, content hash and target, sorted.
    pub fingerprint: String,
    /// Films trained on.
    pub train_films: usize,
    /// Films validated on.
    pub validation_films: usize,
    /// Patients among both.
    pub patients: usize,
    /// Whether any of the films is simulated; every figure from such films is called simulated.
    pub simulated: bool,
}

/// The file of weights in a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightsSummary {
    /// Its name in the folder.
    pub file: String,
    /// Its element type.
    pub format: WeightsFormat,
    /// Its SHA-256.
    pub sha256: String,
}

impl Card {
    /// A card with the project's defaults for weights that were brought from elsewhere.
    pub fn imported(name: &str, classes: Vec<String>, size: usize, origin: &str) -> Self {
        Card {
            format: FORMAT,
            name: name.into(),
            architecture: "densenet121".into(),
            classes,
            input: InputSpec::new(size, Fit::Letterbox),
            threshold: Threshold::fixed(),
            temperature: 1.0,
            cam: CamSpec::nominal(size),
            intended_use: INTENDED_USE.into(),
            data: None,
            metrics: BTreeMap::new(),
            recipe: None,
            stage: None,
            origin: origin.into(),
            weights: WeightsSummary { file: WEIGHTS_FILE.into(), format: WeightsFormat::F32, sha256: String::new() },
        }
    }

    /// The network's number of outputs: one for two classes, else one a class.
    pub fn logits(&self) -> usize {
        logits_of(self.classes.len())
    }

    /// Whether any film it was trained on is simulated; false where nothing is known.
    pub fn simulated(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.simulated)
    }

    fn check(&self) -> Result<(), String> {
        let range = |holds: bool, message: String| if holds { Ok(()) } else { Err(message) };
        range(self.format == FORMAT, format!("format is {}, this program reads {FORMAT}", self.format))?;
        range(self.architecture == "densenet121", format!("architecture {} is not densenet121", self.architecture))?;
        range(self.classes.len() >= 2, format!("classes has {} names, but needs two or more", self.classes.len()))?;
        range(
            (32..=LARGEST_SIZE).contains(&self.input.size) && self.input.size.is_multiple_of(32),
            format!("input.size is {}, but must be a multiple of 32 up to {LARGEST_SIZE}", self.input.size),
        )?;
        range(self.input.channels == 1, format!("input.channels is {}, but must be 1", self.input.channels))?;
        range(self.input.window == "file", format!("input.window is {}, but must be \"file\"", self.input.window))?;
        range(
            self.input.scale == "value/255",
            format!("input.scale is {}, but must be \"value/255\"", self.input.scale),
        )?;
        range(
            (0.0..=1.0).contains(&self.threshold.value),
            format!("threshold.value is {}, but must lie between 0 and 1", self.threshold.value),
        )?;
        range(
            self.temperature.is_finite() && self.temperature > 0.0,
            format!("temperature is {}, but must be positive", self.temperature),
        )?;
        range(
            self.cam.reference.is_finite() && self.cam.reference > 0.0,
            format!("cam.reference is {}, but must be positive", self.cam.reference),
        )?;
        range(
            self.cam.region_fraction > 0.0 && self.cam.region_fraction <= 1.0,
            format!("cam.region_fraction is {}, but must lie in (0, 1]", self.cam.region_fraction),
        )?;
        range(
            self.weights.file == WEIGHTS_FILE,
            format!("weights.file is {}, but must be {WEIGHTS_FILE}", self.weights.file),
        )
    }
}

/// Two classes share one logit; more have one each.
pub(crate) fn logits_of(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

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

/// Ranges of 8-bit arithmetic with what they were measured on.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8 {
    /// What they were measured on, in words.
    pub measured_on: String,
    /// The ranges.
    pub ranges: Ranges,
}

/// A network with its card.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    card: Card,
    parameters: Parameters,
    hash: String,
    films: BTreeSet<String>,
    int8: Option<Int8>,
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
        let bytes = to_safetensors(tensors, format, None).map_err(ModelError::Setting)?;
        card.weights = WeightsSummary { file: WEIGHTS_FILE.into(), format, sha256: files::sha256(&bytes) };
        card.check().map_err(|reason| ModelError::Setting(format!("card: {reason}")))?;
        let outputs = parameters.architecture().classes;
        if outputs != card.logits() {
            return Err(ModelError::Setting(format!(
                "the network has {outputs} outputs, but {} classes need {}",
                card.classes.len(),
                card.logits()
            )));
        }
        let mut text = serde_json::to_string_pretty(&card).map_err(|error| ModelError::Setting(error.to_string()))?;
        text.push('\n');
        let hash = hash_of(&card.weights.sha256, &text).map_err(ModelError::Setting)?;
        Ok((Bundle { card, parameters, hash, films: BTreeSet::new(), int8: None }, bytes, text))
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
        let films = folder.join(FILMS_FILE);
        if !films.exists() {
            return Ok(bundle);
        }
        let films = files::read_text(&films)?.lines().map(str::to_owned).collect();
        Ok(bundle.with_films(films))
    }

    fn parse_int8(self, text: &str, path: &Path) -> Result<Self, ModelError> {
        let file: Int8File = serde_json::from_str(text).map_err(|error| ModelError::format(path, error))?;
        if file.weights != self.card.weights.sha256 {
            return Err(ModelError::format(path, "it was measured with other weights than those of the bundle"));
        }
        let ranges = Ranges::from_values(&file.ranges).map_err(|error| ModelError::format(path, error))?;
        Ok(self.with_int8(Int8 { measured_on: file.measured_on, ranges }))
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

    /// The bundle that comes with the program, trained on simulated films alone.
    ///
    /// # Errors
    /// When the program's own copy is damaged.
    pub fn shipped() -> Result<Self, ModelError> {
        let bundle = Self::parse(Path::new(SHIPPED), SHIPPED_CARD, || Ok(SHIPPED_WEIGHTS.to_vec()))?;
        bundle.parse_int8(SHIPPED_INT8, &Path::new(SHIPPED).join(INT8_FILE))
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
        let found = files::sha256(&bytes);
        if found != card.weights.sha256 {
            return Err(ModelError::weights(
                &weights_path,
                format!("its SHA-256 is {found}, but {CARD_FILE} names {}", card.weights.sha256),
            ));
        }
        let hash = hash_of(&found, text).map_err(|reason| ModelError::format(&card_path, reason))?;
        Ok(Bundle { card, parameters, hash, films: BTreeSet::new(), int8: None })
    }

    /// Writes the bundle to a new folder, which appears whole or not at all, and returns it as a reader will find it (bf16 rounds
    /// the weights).
    ///
    /// # Errors
    /// When the folder exists already or cannot be written.
    pub fn save(&self, folder: &Path, format: WeightsFormat) -> Result<Bundle, ModelError> {
        if folder.exists() {
            return Err(ModelError::Exists { path: folder.to_path_buf() });
        }
        let (whole, bytes, text) = Self::with_files(self.card.clone(), self.parameters.clone(), format)?;
        let int8 = self.int8.as_ref().map(|int8| Int8File {
            weights: whole.card.weights.sha256.clone(),
            measured_on: int8.measured_on.clone(),
            ranges: int8.ranges.values().collect(),
        });
        let partial = Partial::folder(folder).map_err(ModelError::io(folder))?;
        let write = |name, bytes: &[u8]| files::write_synced(&partial.path().join(name), bytes);
        write(WEIGHTS_FILE, &bytes)?;
        write(CARD_FILE, text.as_bytes())?;
        if !self.films.is_empty() {
            let lines: String = self.films.iter().map(|film| format!("{film}\n")).collect();
            write(FILMS_FILE, lines.as_bytes())?;
        }
        if let Some(int8) = &int8 {
            let text =
                serde_json::to_string(int8).map_err(|error| ModelError::format(folder.join(INT8_FILE), error))?;
            write(INT8_FILE, text.as_bytes())?;
        }
        partial.keep().map_err(ModelError::io(folder))?;
        Self::load(folder)
    }

    /// The same bundle, with the films that it was trained and validated on: the first [`FILM_DIGITS`] digits of the SHA-256 of each
    /// one's file.
    pub(crate) fn with_films(self, films: BTreeSet<String>) -> Self {
        Bundle { films, ..self }
    }

    /// Whether the network was trained or validated on the file of this SHA-256, as far as the bundle knows.
    pub fn has_seen(&self, sha256: &str) -> bool {
        sha256.get(..FILM_DIGITS).is_some_and(|digits| self.films.contains(digits))
    }

    /// The films that the network was trained or validated on, where the bundle knows them.
    pub(crate) fn films(&self) -> &BTreeSet<String> {
        &self.films
    }

    /// What the bundle says of itself.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The network's tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// SHA-256 over the weights' hash and the card, in hexadecimal digits: any change to either changes it, other white space or
    /// another order of keys in the card does not.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first 16 digits of [`Bundle::hash`], by which predictions name the bundle.
    pub fn short_hash(&self) -> &str {
        &self.hash[..SHORT_HASH]
    }
}

/// SHA-256 over the weights' SHA-256 and the card's JSON, compact and with sorted keys.
fn hash_of(weights_sha256: &str, card: &str) -> Result<String, String> {
    let card: Value = serde_json::from_str(card).map_err(|error| error.to_string())?;
    let mut text = String::new();
    write_canonical(&card, &mut text);
    let mut hash = Sha256::new();
    hash.update(weights_sha256.as_bytes());
    hash.update([0]);
    hash.update(text.as_bytes());
    Ok(files::hex(&hash.finalize()))
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_ignores_white_space_and_order_and_nothing_else() {
        let a = hash_of("00", r#"{"b": [1, 2.5], "a": {"d": null, "c": "x"}}"#).unwrap();
        let b = hash_of("00", r#"{"a":{"c":"x","d":null},"b":[1,2.5]}"#).unwrap();
        assert_eq!(a, b);
        assert_ne!(a, hash_of("00", r#"{"a":{"c":"x","d":null},"b":[2.5,1]}"#).unwrap());
        assert_ne!(a, hash_of("01", r#"{"a":{"c":"x","d":null},"b":[1,2.5]}"#).unwrap());
    }

    #[test]
    fn the_shipped_bundle_is_whole_and_says_what_it_is() {
        let bundle = Bundle::shipped().unwrap();
        let card = bundle.card();
        assert!(card.simulated() && card.intended_use == INTENDED_USE);
        assert_eq!((card.logits(), card.weights.format), (1, WeightsFormat::Bf16));
        assert!(card.recipe.is_some() && card.metrics.contains_key("validation_auc"));
        assert!(bundle.int8().is_some_and(|int8| !int8.measured_on.is_empty()));
        // Nobody's own paths.
        assert!(!SHIPPED_CARD.contains("\"/"), "an absolute path");
    }

    #[test]
    fn a_nominal_reference_follows_the_map() {
        assert_eq!(CamSpec::nominal(512).reference, 4.0 / 12.8);
        assert_eq!(CamSpec::nominal(32).reference, 4.0);
    }
}
