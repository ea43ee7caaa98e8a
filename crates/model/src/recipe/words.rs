//! How a recipe spells the values of other crates' types.

use coxa_cohort::Target;
use coxa_engine::Normalization;
use coxa_imaging::Fit;
use serde::{Deserialize, Serialize};

/// The spelling of [`Fit`] in recipes and cards.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Fit", rename_all = "lowercase")]
pub(crate) enum FitWord {
    /// `letterbox`
    Letterbox,
    /// `stretch`
    Stretch,
}

/// The spelling of [`Target`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Target", rename_all = "snake_case")]
pub(super) enum TargetWord {
    /// `fracture`
    Fracture,
    /// `body_part`
    BodyPart,
    /// `fracture_type`
    FractureType,
    /// `{ column = "name" }`
    Column(String),
}

/// The spelling of [`Normalization`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Normalization", rename_all = "lowercase")]
pub(super) enum NormalizationWord {
    /// `batch`
    Batch,
    /// `running`
    Running,
}
