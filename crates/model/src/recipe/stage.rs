//! One stage of a recipe.

use std::path::PathBuf;

use coxa_cohort::{Dataset, Sample, Target};
use coxa_engine::Normalization;
use coxa_imaging::Fit;
use serde::{Deserialize, Serialize};

use super::augment::Augment;
use super::optimizer::{Monitor, Optimizer, Schedule};
use super::rules::{CalibrationRule, ClassBalance, Keep, Order, Start, ThresholdRule, TrainingPrecision};
use super::words::{FitWord, NormalizationWord, TargetWord};
use crate::ModelError;

/// One training of the network on one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Names the stage's folder: letters, digits, `-` and `_`; no two alike.
    pub name: String,
    /// The data set's folder; may be left out and given when the run starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<PathBuf>,
    /// What is learned of a film.
    #[serde(with = "TargetWord")]
    pub target: Target,
    /// The fraction of the films kept for validation, split by patient; above 0, below 1.
    pub validation: f64,
    /// Films of later years (the manifest's column `year`) are left out: they are for the test, as the paper's of 2017 were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_year: Option<i32>,
    /// Which fold of a cross-validation is kept for validation, in place of that fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// Pixels on each side of the network's input; a multiple of 32.
    pub input_size: usize,
    /// How a film fills the input.
    #[serde(default, with = "FitWord")]
    pub fit: Fit,
    /// Times through the films, 1 or more.
    pub epochs: usize,
    /// Films in a batch, 1 or more.
    pub batch: usize,
    /// Batches in an epoch; all the films, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_per_epoch: Option<usize>,
    /// Where the weights come from.
    pub start: Start,
    /// Tensors whose names begin with one of these are not trained.
    #[serde(default)]
    pub frozen: Vec<String>,
    /// The numbers that the training computes with.
    #[serde(default)]
    pub precision: TrainingPrecision,
    /// How often films of each class are seen.
    #[serde(default)]
    pub class_balance: ClassBalance,
    /// In which order films are seen.
    #[serde(default)]
    pub order: Order,
    /// Which mean and variance normalize in training.
    #[serde(default, with = "NormalizationWord")]
    pub normalization: Normalization,
    /// Batches over which the normalizations' statistics are measured; at most an epoch's. With batch statistics this is done after
    /// each epoch, under the weights that it ended with (Wu and Johnson 2021), and 0 leaves the running ones, a mean of some ten batches
    /// under weights that moved meanwhile, as in PyTorch. With running statistics it is done once, before the first step, and 0 leaves
    /// those of the start.
    #[serde(default)]
    pub statistics_batches: usize,
    /// Which epoch's weights are the result.
    #[serde(default)]
    pub keep: Keep,
    /// How the finding's threshold is chosen, on validation films only.
    #[serde(default)]
    pub threshold: ThresholdRule,
    /// Whether probabilities are calibrated, on validation films only.
    #[serde(default)]
    pub calibration: CalibrationRule,
    /// The optimizer.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// How films are varied.
    #[serde(default)]
    pub augment: Augment,
    /// Whether patches around the findings are seen in place of whole films; for the target `fracture` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Patch>,
    /// Films are read by the most telling square of so many cells of 32 input pixels a side, in training and afterwards (see
    /// `coxa_engine::Output::read_by_window`), so that a finding in a corner of a film counts as much as one that fills it; by the mean over
    /// the whole film, unless given. 1 or more, for a target of two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Whether films are read together with their mirror images (see `coxa_engine::Output::join_mirrored`) in validation and afterwards;
    /// training sees each film as it is augmented.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirror: bool,
    /// Whether the class activation map is taught where the data set's boxes are; for the target `fracture` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub localization: Option<LocalizationLoss>,
    /// Other data sets that are learned from beside the stage's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
}

/// A data set that a stage learns from beside its own, for instance real limbs beside simulated hips: a fixed number of films in each
/// batch. All of its films are trained on; the stage is validated, and its threshold chosen, on its own data set alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// Names the data set within the stage: letters, digits, `-` and `_`; no two alike.
    pub name: String,
    /// The data set's folder; may be left out and given when the run starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<PathBuf>,
    /// Share of each batch, to the nearest film: at least one film of this data set, and one left for the stage's own.
    pub share: f64,
    /// How often films of each class are seen.
    #[serde(default)]
    pub class_balance: ClassBalance,
}

impl Beside {
    /// Films of this data set in a batch of `batch` films.
    pub(crate) fn in_batch(&self, batch: usize) -> usize {
        (self.share * batch as f64).round() as usize
    }
}

/// Patches of `input_size` pixels, cut from films that are prepared at `film_size`, about a box of the film (or of another film of the
/// same patient; where there is none, about a place that is drawn from the boxes of all films): many times as many findings are seen in
/// the same time. For a stage that others follow:
/// its bundle has seen no whole film, and is validated on patches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Pixels on each side of the prepared films; more than `input_size`.
    pub film_size: usize,
    /// How far, at most, the patch's middle is from the box's, as a fraction of the patch's side; in [0, 0.5].
    pub jitter: f64,
    /// Share of the patches to learn from that are cut anywhere in the film instead, and labeled by the boxes that they hold, so that
    /// the network keeps what the rest of a film looks like; 0 to below 1.
    #[serde(default)]
    pub elsewhere: f64,
}

/// One fold of a cross-validation: the patients are dealt into `of` folds of about equal sizes and shares of each class, and fold
/// `index`, 1 to `of`, is for validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// How many folds there are, 2 or more.
    pub of: usize,
    /// Which one this is, from 1.
    pub index: usize,
}

/// How the class activation map is taught: a loss on each of its cells beside the film's own (see `coxa_engine::CellTargets`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalizationLoss {
    /// Factor on the cells' loss; the film's has factor 1. Above 0.
    pub weight: f32,
    /// Cells of 32×32 input pixels that a finding covers, about; above 0.
    pub extent: f32,
}

impl Default for LocalizationLoss {
    fn default() -> Self {
        LocalizationLoss { weight: 1.0, extent: 4.0 }
    }
}

impl Stage {
    /// Films of the stage's own data set in a batch.
    pub(crate) fn own_in_batch(&self) -> usize {
        self.batch - self.beside.iter().map(|other| other.in_batch(self.batch)).sum::<usize>()
    }

    /// Pixels on each side of the prepared films.
    pub(crate) fn film_size(&self) -> usize {
        self.patch.map_or(self.input_size, |patch| patch.film_size)
    }

    /// The classes of the stage on a data set.
    ///
    /// # Errors
    /// A film without a value of the target, or whose year is not known where one is asked for.
    pub fn classes(&self, mut dataset: Dataset) -> Result<Vec<String>, ModelError> {
        Ok(self.samples(&mut dataset)?.1)
    }

    /// A data set's films of the stage's years, which alone are left in it, with their classes.
    pub(crate) fn samples(&self, dataset: &mut Dataset) -> Result<(Vec<Sample>, Vec<String>), ModelError> {
        if let Some(last) = self.until_year {
            dataset.keep_until_year(last)?;
        }
        Ok(coxa_cohort::samples(dataset, &self.target)?)
    }

    /// The stage as one fold of a cross-validation: nothing is chosen by looking at the films that are held out (the epoch, the
    /// threshold, the temperature, the learning rate on a plateau), as they are what it is tested on.
    #[must_use]
    pub fn for_fold(mut self, fold: Fold) -> Self {
        self.fold = Some(fold);
        self.keep = Keep::Last;
        self.threshold = ThresholdRule::default();
        self.calibration = CalibrationRule::None;
        self.schedule.monitor = Monitor::TrainLoss;
        self
    }
}
