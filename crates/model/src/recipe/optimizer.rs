//! How a stage's weights are moved: the optimizer and the learning rate's schedule.

use serde::{Deserialize, Serialize};

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
