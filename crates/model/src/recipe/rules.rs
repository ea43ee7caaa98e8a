//! The choices of a stage that have a name: where its weights come from, what is kept, how its threshold is chosen.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a stage's weights come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Random weights.
    Scratch,
    /// The stage before; its classifier too, if its classes are the same.
    Previous,
    /// A file of a DenseNet-121's weights (safetensors or PyTorch); the classifier is new.
    Weights(PathBuf),
    /// A bundle's folder; its classifier too, if its classes are the same.
    Bundle(PathBuf),
}

/// The numbers that training computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainingPrecision {
    /// 32 bits.
    #[default]
    F32,
    /// bfloat16 products, 32-bit sums and weights.
    Bf16,
}

impl TrainingPrecision {
    /// The same in the engine's terms.
    pub fn engine(self) -> coxa_engine::Precision {
        match self {
            TrainingPrecision::F32 => coxa_engine::Precision::F32,
            TrainingPrecision::Bf16 => coxa_engine::Precision::Bf16,
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
    /// The greatest sensitivity among the thresholds whose specificity is at least this.
    Specificity {
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
pub enum CalibrationRule {
    /// They are the network's own.
    #[default]
    None,
    /// Logits are divided by one number that minimizes the validation loss (Guo et al. 2017).
    Temperature,
}
