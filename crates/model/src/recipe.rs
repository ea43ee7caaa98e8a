//! The recipe: what is trained on what and how, as TOML. A [`Recipe`] that exists has passed every check; unknown keys are errors.

use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Sample};
use coxa_engine::LARGEST_SIZE;
use serde::{Deserialize, Serialize};

use crate::augment::Augment;
use crate::{Fit, ModelError, files};

/// The recipes that come with the program: name and TOML text.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("paper", include_str!("recipes/paper.toml")),
    ("small", include_str!("recipes/small.toml")),
    ("simulated", include_str!("recipes/simulated.toml")),
];

/// Most epochs of a stage.
const MOST_EPOCHS: usize = 100_000;
/// Most films in a batch.
const MOST_FILMS: usize = 1024;
/// Most films that an epoch draws: their order is kept in memory.
const MOST_DRAWN: usize = 1 << 26;

/// A whole training run: one stage after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Names the run's folder: letters, digits, `-` and `_`.
    pub name: String,
    /// Every random choice of the run follows from this number (below 2^63).
    pub seed: u64,
    /// The stages, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

/// One training of the network on one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Names the stage's folder: letters, digits, `-` and `_`; no two alike.
    pub name: String,
    /// The data set's folder; may be left out and given when the run starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<PathBuf>,
    /// What is to be told of a film.
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
    #[serde(default)]
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
    pub precision: Precision,
    /// How often films of each class are seen.
    #[serde(default)]
    pub class_balance: ClassBalance,
    /// In which order films are seen.
    #[serde(default)]
    pub order: Order,
    /// Which mean and variance normalize in training.
    #[serde(default)]
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
    pub calibration: Calibration,
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
    /// Whether the class activation map is taught where the data set's boxes are; for the target `fracture` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub localization: Option<Localization>,
}

/// Patches of `input_size` pixels, cut from films that are prepared at `film_size`, about a box of the film (or of another film of the
/// same patient; anywhere, where there is none): many times as many findings are seen in the same time. For a stage that others follow:
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
pub struct Localization {
    /// Factor on the cells' loss; the film's has factor 1. Above 0.
    pub weight: f32,
    /// Cells of 32×32 input pixels that a finding covers, about; above 0.
    pub extent: f32,
}

impl Default for Localization {
    fn default() -> Self {
        Localization { weight: 1.0, extent: 4.0 }
    }
}

/// What is to be told of a film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Whether there is a fracture.
    Fracture,
    /// Which body part is in view.
    BodyPart,
    /// Which kind of hip fracture there is, or none.
    FractureType,
    /// A column of the manifest.
    Column(String),
}

impl Target {
    /// The same in the cohort crate's terms.
    pub fn cohort(&self) -> coxa_cohort::Target {
        match self {
            Target::Fracture => coxa_cohort::Target::Fracture,
            Target::BodyPart => coxa_cohort::Target::BodyPart,
            Target::FractureType => coxa_cohort::Target::FractureType,
            Target::Column(column) => coxa_cohort::Target::Column(column.clone()),
        }
    }
}

/// Where a stage's weights come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Random weights.
    Scratch,
    /// The stage before; its classifier too, if it tells the same classes.
    Previous,
    /// A file of a DenseNet-121's weights (safetensors or PyTorch); the classifier is new.
    Weights(PathBuf),
    /// A bundle's folder; its classifier too, if it tells the same classes.
    Bundle(PathBuf),
}

/// The numbers that training computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// bfloat16 products, 32-bit sums and weights.
    Bf16,
}

impl Precision {
    /// The same in the engine's terms.
    pub fn engine(self) -> coxa_engine::Precision {
        match self {
            Precision::F32 => coxa_engine::Precision::F32,
            Precision::Bf16 => coxa_engine::Precision::Bf16,
        }
    }
}

/// Which mean and variance normalize in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// Each batch's own.
    #[default]
    Batch,
    /// The running ones, as in the finished network, and they stay as they are: what is learned is what will be read, where a batch's
    /// few films are no sample of all. For weights that have been trained.
    Running,
}

impl Normalization {
    /// The same in the engine's terms.
    pub fn engine(self) -> coxa_engine::Normalization {
        match self {
            Normalization::Batch => coxa_engine::Normalization::Batch,
            Normalization::Running => coxa_engine::Normalization::Running,
        }
    }
}

/// How often films of each class are seen in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassBalance {
    /// Each film once an epoch.
    #[default]
    AsIs,
    /// Each class equally often: the films of rarer classes are repeated.
    Even,
}

/// In which order films are seen in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All at random.
    #[default]
    Films,
    /// Patients at random, the films of each one after the other: films of one patient with and without the finding, where there are
    /// such, are then seen in one batch, whose gradient is left with what differs between them.
    Patients,
}

/// Which epoch's weights are the stage's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Those with the least validation loss.
    #[default]
    Best,
    /// Those of the last epoch.
    Last,
}

/// How the threshold is chosen, on validation films only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ThresholdRule {
    /// A value taken without looking at films.
    Fixed {
        /// Between 0 and 1.
        value: f64,
    },
    /// The greatest sensitivity + specificity − 1 (Youden 1950).
    Youden {},
    /// The greatest specificity among the thresholds whose sensitivity is at least this.
    Sensitivity {
        /// Above 0, at most 1.
        at_least: f64,
    },
}

impl Default for ThresholdRule {
    fn default() -> Self {
        ThresholdRule::Fixed { value: 0.5 }
    }
}

/// Whether probabilities are calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// They are the network's own.
    #[default]
    None,
    /// Logits are divided by one number that minimizes the validation loss (Guo et al. 2017).
    Temperature,
}

/// Adam (Kingma and Ba 2015), as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// The greatest learning rate, above 0.
    pub learning_rate: f64,
    /// Decay of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1).
    pub beta2: f64,
    /// Added to the second moment's root, above 0.
    pub epsilon: f64,
    /// L2 penalty added to the gradient, 0 or more.
    pub weight_decay: f64,
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// How the learning rate changes over a stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// What it follows.
    pub kind: ScheduleKind,
    /// Steps over which it rises from near 0 to its full value; 0 for none.
    pub warm_up_steps: usize,
    /// On a plateau it is multiplied by this; above 0, below 1.
    pub factor: f64,
    /// Epochs without a better value that make a plateau.
    pub patience: usize,
    /// A value must fall by more than this to be better.
    pub min_delta: f64,
    /// It never falls below this.
    pub min_lr: f64,
    /// The value that is watched for a plateau.
    pub monitor: Monitor,
}

impl Default for Schedule {
    /// Keras 2.1.4's `ReduceLROnPlateau`: factor 0.1, patience 10, min_delta 1e-4.
    fn default() -> Self {
        Schedule {
            kind: ScheduleKind::Plateau,
            warm_up_steps: 0,
            factor: 0.1,
            patience: 10,
            min_delta: 1e-4,
            min_lr: 0.0,
            monitor: Monitor::ValLoss,
        }
    }
}

/// What the learning rate follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// It stays as it is.
    Constant,
    /// It falls when the monitored value no longer does.
    #[default]
    Plateau,
    /// It falls along half a cosine to `min_lr` at the stage's end.
    Cosine,
}

/// The value that is watched for a plateau.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// The validation films' loss.
    #[default]
    ValLoss,
    /// The training films' loss.
    TrainLoss,
}

/// Changes to a recipe that are given when a run starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overrides {
    /// Data sets by the stage's name.
    pub datasets: Vec<(String, PathBuf)>,
    /// Keep only the stages of these names; all, if empty.
    pub stages: Vec<String>,
    /// The start of the first stage that is kept.
    pub start: Option<Start>,
    /// The seed.
    pub seed: Option<u64>,
    /// Every stage's input size.
    pub input_size: Option<usize>,
    /// Every stage's epochs.
    pub epochs: Option<usize>,
    /// Every stage's batches in an epoch.
    pub steps_per_epoch: Option<usize>,
    /// Every stage's batch.
    pub batch: Option<usize>,
    /// Every stage's learning rate.
    pub learning_rate: Option<f64>,
    /// Every stage's precision.
    pub precision: Option<Precision>,
}

impl Recipe {
    /// A recipe that comes with the program: one of [`BUILT_IN`].
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn built_in(name: &str) -> Result<Recipe, ModelError> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Recipe::parse(text, name),
            None => Err(ModelError::Recipe {
                origin: name.into(),
                reason: format!("not a built-in recipe; there are {}", BUILT_IN.map(|(known, _)| known).join(", ")),
            }),
        }
    }

    /// A recipe from a file.
    ///
    /// # Errors
    /// When the file cannot be read, or as [`Recipe::parse`].
    pub fn load(path: &Path) -> Result<Recipe, ModelError> {
        Recipe::parse(&files::read_text(path)?, &path.display().to_string())
    }

    /// A recipe from TOML; `origin` names it in errors.
    ///
    /// # Errors
    /// When the text is not TOML, has an unknown key, lacks one, or has a value outside its range; each is named.
    pub fn parse(text: &str, origin: &str) -> Result<Recipe, ModelError> {
        let fail = |reason: String| ModelError::Recipe { origin: origin.into(), reason };
        let recipe: Recipe = toml::from_str(text).map_err(|error| fail(error.to_string().trim_end().to_string()))?;
        recipe.check().map_err(fail)?;
        Ok(recipe)
    }

    /// The recipe as TOML, every key written out.
    ///
    /// # Errors
    /// When a path in it is not UTF-8.
    pub fn to_toml(&self) -> Result<String, ModelError> {
        toml::to_string(self)
            .map_err(|error| ModelError::Recipe { origin: self.name.clone(), reason: error.to_string() })
    }

    /// The recipe with changes, checked again.
    ///
    /// # Errors
    /// When a stage that a change names does not exist, or a value is outside its range.
    pub fn with(mut self, overrides: &Overrides) -> Result<Recipe, ModelError> {
        let origin = self.name.clone();
        let fail = |reason: String| ModelError::Recipe { origin: origin.clone(), reason };
        let named = overrides.datasets.iter().map(|(name, _)| name).chain(&overrides.stages);
        for name in named {
            if !self.stages.iter().any(|stage| stage.name == *name) {
                let known: Vec<_> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
                return Err(fail(format!("there is no stage {name}; the stages are {}", known.join(", "))));
            }
        }
        if !overrides.stages.is_empty() {
            self.stages.retain(|stage| overrides.stages.contains(&stage.name));
        }
        self.seed = overrides.seed.unwrap_or(self.seed);
        if let (Some(start), Some(first)) = (&overrides.start, self.stages.first_mut()) {
            first.start = start.clone();
        }
        for stage in &mut self.stages {
            if let Some((_, folder)) = overrides.datasets.iter().find(|(name, _)| *name == stage.name) {
                stage.dataset = Some(folder.clone());
            }
            stage.input_size = overrides.input_size.unwrap_or(stage.input_size);
            stage.epochs = overrides.epochs.unwrap_or(stage.epochs);
            stage.steps_per_epoch = overrides.steps_per_epoch.or(stage.steps_per_epoch);
            stage.batch = overrides.batch.unwrap_or(stage.batch);
            stage.optimizer.learning_rate = overrides.learning_rate.unwrap_or(stage.optimizer.learning_rate);
            stage.precision = overrides.precision.unwrap_or(stage.precision);
        }
        self.check().map_err(fail)?;
        Ok(self)
    }

    /// Every rule on values and names; the key at fault is named.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_name("name", &self.name)?;
        if self.seed > i64::MAX as u64 {
            return Err(format!("seed is {}, but must be below 2^63", self.seed));
        }
        if self.stages.is_empty() {
            return Err("there is no [[stage]]".into());
        }
        for (i, stage) in self.stages.iter().enumerate() {
            stage.check().map_err(|reason| format!("stage {}: {reason}", stage.name))?;
            if self.stages[..i].iter().any(|earlier| earlier.name == stage.name) {
                return Err(format!("two stages are named {}", stage.name));
            }
            // Else a film that one stage holds out would be trained on by another, and its figures be no test.
            let shares = |other: &&Stage| {
                stage.dataset.is_some() && (&other.dataset, &other.target) == (&stage.dataset, &stage.target)
            };
            let split = |stage: &Stage| (stage.validation.to_bits(), stage.until_year, stage.fold);
            if let Some(earlier) = self.stages[..i].iter().find(|other| shares(other) && split(other) != split(stage)) {
                return Err(format!(
                    "stages {} and {} share a dataset, so they must hold out the same films: give both the same validation and \
                     until_year",
                    earlier.name, stage.name
                ));
            }
            if i == 0 && stage.start == Start::Previous {
                return Err(format!("stage {}: start is \"previous\", but no stage comes before it", stage.name));
            }
        }
        Ok(())
    }
}

impl Stage {
    /// Pixels on each side of the prepared films.
    pub(crate) fn film_size(&self) -> usize {
        self.patch.map_or(self.input_size, |patch| patch.film_size)
    }

    /// The classes that the stage tells apart on a data set.
    ///
    /// # Errors
    /// A film without a value of the target, or of a year that cannot be told where one is asked for.
    pub fn classes(&self, mut dataset: Dataset) -> Result<Vec<String>, ModelError> {
        Ok(self.samples(&mut dataset)?.1)
    }

    /// A data set's films of the stage's years, which alone are left in it, with their classes.
    pub(crate) fn samples(&self, dataset: &mut Dataset) -> Result<(Vec<Sample>, Vec<String>), ModelError> {
        if let Some(last) = self.until_year {
            dataset.keep_until_year(last)?;
        }
        Ok(coxa_cohort::samples(dataset, &self.target.cohort())?)
    }

    /// The stage as one fold of a cross-validation: nothing is chosen by looking at the films that are held out (the epoch, the
    /// threshold, the temperature, the learning rate on a plateau), as they are what it is tested on.
    #[must_use]
    pub fn for_fold(mut self, fold: Fold) -> Self {
        self.fold = Some(fold);
        self.keep = Keep::Last;
        self.threshold = ThresholdRule::default();
        self.calibration = Calibration::None;
        self.schedule.monitor = Monitor::TrainLoss;
        self
    }

    fn check(&self) -> Result<(), String> {
        check_name("name", &self.name)?;
        within("validation", self.validation, self.validation > 0.0 && self.validation < 1.0, "above 0 and below 1")?;
        if let Some(Fold { of, index }) = self.fold {
            within("fold.of", of, of >= 2, "2 or more")?;
            within("fold.index", index, (1..=of).contains(&index), "between 1 and fold.of")?;
        }
        within(
            "input_size",
            self.input_size,
            (32..=LARGEST_SIZE).contains(&self.input_size) && self.input_size.is_multiple_of(32),
            &format!("a multiple of 32 up to {LARGEST_SIZE}"),
        )?;
        within("epochs", self.epochs, (1..=MOST_EPOCHS).contains(&self.epochs), &format!("from 1 to {MOST_EPOCHS}"))?;
        within("batch", self.batch, (1..=MOST_FILMS).contains(&self.batch), &format!("from 1 to {MOST_FILMS}"))?;
        if let Some(Patch { film_size, jitter, elsewhere }) = self.patch {
            let fits = film_size > self.input_size && film_size <= LARGEST_SIZE && film_size.is_multiple_of(32);
            let range = format!("a multiple of 32 above input_size and up to {LARGEST_SIZE}");
            within("patch.film_size", film_size, fits, &range)?;
            within("patch.jitter", jitter, (0.0..=0.5).contains(&jitter), "between 0 and 0.5")?;
            within("patch.elsewhere", elsewhere, (0.0..1.0).contains(&elsewhere), "0 or more and below 1")?;
            if self.target != Target::Fracture {
                return Err("patch is given, but only the target \"fracture\" has boxes".into());
            }
        }
        if let Some(Localization { weight, extent }) = self.localization {
            let positive = |value: f32| value.is_finite() && value > 0.0;
            within("localization.weight", weight, positive(weight), "above 0")?;
            within("localization.extent", extent, positive(extent), "above 0")?;
            if self.target != Target::Fracture {
                return Err("localization is given, but only the target \"fracture\" has boxes".into());
            }
        }
        within(
            "batch",
            self.batch,
            self.batch >= 2 || self.input_size >= 64,
            "2 or more at this input_size, as batch statistics of one value do not exist",
        )?;
        if self.normalization == Normalization::Running && self.start == Start::Scratch {
            return Err("normalization is \"running\", but weights from scratch have no running statistics".into());
        }
        if let Some(steps) = self.steps_per_epoch {
            let films = steps.checked_mul(self.batch).filter(|films| (1..=MOST_DRAWN).contains(films));
            within("steps_per_epoch", steps, films.is_some(), &format!("1 or more, and at most {MOST_DRAWN} films"))?;
        }
        let o = &self.optimizer;
        within(
            "optimizer.learning_rate",
            o.learning_rate,
            o.learning_rate > 0.0 && o.learning_rate <= 10.0,
            "above 0 and at most 10",
        )?;
        within("optimizer.beta1", o.beta1, (0.0..1.0).contains(&o.beta1), "in [0, 1)")?;
        within("optimizer.beta2", o.beta2, (0.0..1.0).contains(&o.beta2), "in [0, 1)")?;
        within("optimizer.epsilon", o.epsilon, o.epsilon > 0.0 && o.epsilon < 1.0, "above 0 and below 1")?;
        within("optimizer.weight_decay", o.weight_decay, (0.0..1.0).contains(&o.weight_decay), "in [0, 1)")?;
        let s = &self.schedule;
        within("schedule.factor", s.factor, s.factor > 0.0 && s.factor < 1.0, "above 0 and below 1")?;
        within("schedule.min_delta", s.min_delta, s.min_delta >= 0.0 && s.min_delta.is_finite(), "0 or more")?;
        within(
            "schedule.min_lr",
            s.min_lr,
            s.min_lr >= 0.0 && s.min_lr <= o.learning_rate,
            "between 0 and optimizer.learning_rate",
        )?;
        match self.threshold {
            ThresholdRule::Fixed { value } => {
                within("threshold.value", value, (0.0..=1.0).contains(&value), "between 0 and 1")?;
            }
            ThresholdRule::Sensitivity { at_least } => {
                within("threshold.at_least", at_least, at_least > 0.0 && at_least <= 1.0, "above 0 and at most 1")?;
            }
            ThresholdRule::Youden {} => {}
        }
        self.augment.check()
    }
}

pub(crate) fn within(key: &str, value: impl std::fmt::Display, holds: bool, range: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{key} is {value}, but must be {range}")) }
}

fn check_name(key: &str, name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    within(
        key,
        format!("\"{name}\""),
        !name.is_empty() && name.len() <= 64 && name.chars().all(allowed),
        "1 to 64 letters, digits, - and _",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(from: &str, to: &str) -> Result<Recipe, ModelError> {
        let text = BUILT_IN[0].1;
        assert!(text.contains(from), "the recipe has no `{from}`");
        Recipe::parse(&text.replacen(from, to, 1), "edited")
    }

    #[test]
    fn sizes_that_no_memory_holds_are_refused() {
        for (line, name) in [
            ("batch = 100000", "batch"),
            ("epochs = 10000000", "epochs"),
            ("input_size = 3200000", "input_size"),
            ("steps_per_epoch = 1000000000000000", "steps_per_epoch"),
        ] {
            let written = Recipe::built_in("paper").unwrap().to_toml().unwrap();
            let known = written.lines().filter(|old| !old.starts_with(&format!("{name} = ")));
            let stages = known.map(|old| if old == "[[stage]]" { format!("{old}\n{line}") } else { old.to_owned() });
            let text: Vec<String> = stages.collect();
            let error = Recipe::parse(&text.join("\n"), "edited").unwrap_err().to_string();
            assert!(error.contains(&format!("{name} is 1")) || error.contains(&format!("{name} is 3")), "{error}");
        }
    }

    #[test]
    fn the_papers_recipe_is_the_papers() {
        let recipe = Recipe::built_in("paper").unwrap();
        let [limbs, films] = &recipe.stages[..] else { panic!("two stages") };
        assert_eq!((limbs.target.clone(), limbs.validation), (Target::BodyPart, 0.1));
        assert_eq!((films.target.clone(), films.validation), (Target::Fracture, 0.2));
        assert_eq!((&limbs.start, &films.start), (&Start::Scratch, &Start::Previous));
        for stage in &recipe.stages {
            assert_eq!((stage.input_size, stage.epochs, stage.batch), (512, 60, 8));
            assert_eq!(stage.optimizer, Optimizer::default());
            assert_eq!(stage.schedule, Schedule::default());
            let augment = &stage.augment;
            assert_eq!((augment.zoom, augment.rotation_degrees), (0.1, 10.0));
            assert!(augment.horizontal_flip && augment.vertical_flip);
            assert_eq!(stage.threshold, ThresholdRule::Fixed { value: 0.5 });
        }
    }

    #[test]
    fn built_in_recipes_survive_being_written_out() {
        for (name, _) in BUILT_IN {
            let recipe = Recipe::built_in(name).unwrap();
            assert_eq!(Recipe::parse(&recipe.to_toml().unwrap(), name).unwrap(), recipe);
        }
    }

    #[test]
    fn faults_are_named() {
        for (from, to, named) in [
            ("seed =", "sead =", "sead"),
            ("epochs = 60", "epochs = 0", "epochs is 0"),
            ("epochs = 60", "epochs = 60\nepoch = 1", "epoch"),
            ("input_size = 512", "input_size = 500", "input_size is 500"),
            ("validation = 0.1", "validation = 1.0", "validation is 1"),
            ("zoom = 0.1", "zoom = 1.5", "augment.zoom is 1.5"),
            ("zoom = 0.1", "zooom = 0.1", "zooom"),
            ("learning_rate = 1e-3", "learning_rate = nan", "optimizer.learning_rate is NaN"),
            ("kind = \"plateau\"", "kind = \"plato\"", "plato"),
            ("start = \"scratch\"", "start = \"previous\"", "no stage comes before"),
            ("start = \"scratch\"", "start = \"scratch\"\nnormalization = \"running\"", "no running statistics"),
            ("start = \"scratch\"", "start = { wights = \"a.pth\" }", "wights"),
            (
                "threshold = { rule = \"fixed\", value = 0.5 }",
                "threshold = { rule = \"youden\", value = 0.5 }",
                "value",
            ),
            ("name = \"films\"", "name = \"limbs\"", "two stages are named limbs"),
            ("name = \"films\"", "name = \"../films\"", "../films"),
            ("target = \"fracture\"", "target = \"fractures\"", "fractures"),
        ] {
            let error = edited(from, to).unwrap_err().to_string();
            assert!(error.contains(named), "`{to}`: {error}");
        }
    }

    #[test]
    fn changes_are_checked_too() {
        let recipe = Recipe::built_in("paper").unwrap();
        let films = Overrides {
            stages: vec!["films".into()],
            start: Some(Start::Scratch),
            datasets: vec![("films".into(), "somewhere".into())],
            input_size: Some(64),
            ..Overrides::default()
        };
        let changed = recipe.clone().with(&films).unwrap();
        assert_eq!((changed.stages.len(), changed.stages[0].input_size), (1, 64));
        assert_eq!(changed.stages[0].dataset, Some("somewhere".into()));
        let bad = Overrides { input_size: Some(33), ..Overrides::default() };
        assert!(recipe.clone().with(&bad).unwrap_err().to_string().contains("input_size is 33"));
        let unknown = Overrides { stages: vec!["hips".into()], ..Overrides::default() };
        assert!(recipe.clone().with(&unknown).unwrap_err().to_string().contains("limbs, films"));
        let orphan = Overrides { stages: vec!["films".into()], ..Overrides::default() };
        assert!(recipe.with(&orphan).is_err());
    }
}
