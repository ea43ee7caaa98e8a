//! The card of a bundle, `model.json`: what the network was made from, how a film must be prepared for it and what its numbers mean.

use std::collections::BTreeMap;

use coxa_engine::LARGEST_SIZE;
use coxa_imaging::Fit;
use coxa_stats::OperatingPoint;
use serde::{Deserialize, Serialize};

use super::operating_point;
use super::scores::ValidationScores;
use crate::WeightsFormat;
use crate::recipe::{FitWord, Recipe};

/// The version of the folder's format that this crate writes and reads.
pub const FORMAT: u32 = 1;
/// What every bundle may be used for.
pub const INTENDED_USE: &str = "Research use only. Not a medical device; not for diagnosis or treatment.";
/// The network's weights in a bundle's folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// What `model.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The version of the format, [`FORMAT`].
    pub format: u32,
    /// A name, for display.
    pub name: String,
    /// Always `densenet121`: torchvision's, with one input channel.
    pub architecture: String,
    /// The classes. Two of them share one logit, which is that of the second (the positive class); more have a logit each.
    pub classes: Vec<String>,
    /// How a film becomes the network's input.
    pub input: InputSpec,
    /// Where a probability becomes a finding: at or above the threshold, 0 to 1.
    #[serde(with = "operating_point")]
    pub threshold: OperatingPoint,
    /// The probability is sigmoid(logit / temperature); 1 leaves the network's own.
    pub temperature: f64,
    /// The film's logit is that of its most telling square of so many cells a side of the class activation map
    /// ([`coxa_engine::Output::read_by_window`]); the whole map's mean, if `None`. For two classes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Whether a film is read together with its mirror image ([`coxa_engine::Output::join_mirrored`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirror: bool,
    /// What a Grad-CAM value means.
    pub cam: CamSpec,
    /// Research use only.
    pub intended_use: String,
    /// The films it was trained on; none for imported weights.
    pub data: Option<DataSummary>,
    /// Measured on validation films; the keys say what.
    pub metrics: BTreeMap<String, f64>,
    /// The scores of the validation films; none for imported weights, more than two classes, and bundles from before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_scores: Option<ValidationScores>,
    /// The whole recipe of the training run; none for imported weights.
    pub recipe: Option<Recipe>,
    /// The stage of the recipe that made these weights.
    pub stage: Option<String>,
    /// Where the weights came from, in words.
    pub origin: String,
    /// The file of weights.
    pub weights: WeightsSummary,
    /// What a user of the network should know besides, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How a film becomes the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Pixels on each side, a multiple of 32.
    pub size: usize,
    /// Always 1.
    pub channels: usize,
    /// How the film fills the square.
    #[serde(with = "FitWord")]
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

impl DataSummary {
    /// What its films are, in words.
    pub fn kind(&self) -> &'static str {
        if self.simulated { "films, simulated ones among them" } else { "films" }
    }
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
            threshold: operating_point::fixed(0.5),
            temperature: 1.0,
            window: None,
            mirror: false,
            cam: CamSpec::nominal(size),
            intended_use: INTENDED_USE.into(),
            data: None,
            metrics: BTreeMap::new(),
            validation_scores: None,
            recipe: None,
            stage: None,
            origin: origin.into(),
            weights: WeightsSummary { file: WEIGHTS_FILE.into(), format: WeightsFormat::F32, sha256: String::new() },
            notes: Vec::new(),
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

    pub(crate) fn check(&self) -> Result<(), String> {
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
            (0.0..=1.0).contains(&self.threshold.threshold),
            format!("threshold.value is {}, but must lie between 0 and 1", self.threshold.threshold),
        )?;
        range(
            self.temperature.is_finite() && self.temperature > 0.0,
            format!("temperature is {}, but must be positive", self.temperature),
        )?;
        if let Some(window) = self.window {
            let fits = window >= 1 && self.logits() == 1;
            range(fits, format!("window is {window}, but must be 1 or more, and for two classes only"))?;
        }
        range(
            self.cam.reference.is_finite() && self.cam.reference > 0.0,
            format!("cam.reference is {}, but must be positive", self.cam.reference),
        )?;
        range(
            self.cam.region_fraction > 0.0 && self.cam.region_fraction <= 1.0,
            format!("cam.region_fraction is {}, but must lie in (0, 1]", self.cam.region_fraction),
        )?;
        self.validation_scores.as_ref().map_or(Ok(()), ValidationScores::check)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nominal_reference_follows_the_map() {
        assert_eq!(CamSpec::nominal(512).reference, 4.0 / 12.8);
        assert_eq!(CamSpec::nominal(32).reference, 4.0);
    }
}
