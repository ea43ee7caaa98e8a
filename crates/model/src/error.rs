//! What can go wrong between a film and a finding, or between a recipe and a bundle: every error names its file, tensor or value.

use std::path::{Path, PathBuf};

/// Everything that this crate can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file or folder could not be read, written or renamed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file exists but does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// Weights that are not those of the network, or of none that can be read.
    #[error("{}: {reason}", path.display())]
    Weights {
        /// The file of weights.
        path: PathBuf,
        /// The tensor or record at fault and what is wrong with it.
        reason: String,
    },
    /// Something would be written where something lies already.
    #[error("{} exists already; nothing is overwritten", path.display())]
    Exists {
        /// The file or folder that exists.
        path: PathBuf,
    },
    /// A recipe with an unknown key or a value outside its range.
    #[error("recipe {origin}: {reason}")]
    Recipe {
        /// The recipe's file, or the name of a built-in one.
        origin: String,
        /// The key and what is wrong with it.
        reason: String,
    },
    /// A stage of the recipe has no data set.
    #[error("stage {stage}: no data set is given")]
    NoDataset {
        /// The recipe's stage.
        stage: String,
    },
    /// The films of a data set cannot be trained on as they are.
    #[error("stage {stage}: {reason}")]
    Data {
        /// The recipe's stage.
        stage: String,
        /// What is wrong.
        reason: String,
    },
    /// The loss stopped being a number.
    #[error("stage {stage}: the loss became {loss} at epoch {epoch}, batch {batch} (learning rate {learning_rate:e})")]
    NonFiniteLoss {
        /// The recipe's stage.
        stage: String,
        /// Epoch, from 1.
        epoch: usize,
        /// Batch within the epoch, from 1.
        batch: usize,
        /// The loss: NaN or an infinity.
        loss: f32,
        /// The learning rate in force.
        learning_rate: f32,
    },
    /// A run cannot be taken up again.
    #[error("{}: {reason}", path.display())]
    Resume {
        /// The run's folder or checkpoint.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A setting that does not fit the bundle or the machine.
    #[error("{0}")]
    Setting(String),
    /// The file says of itself that it shows something else than pelvis or hip from the front.
    #[error("{}: not a frontal film of pelvis or hip, and not read: {reason}", path.display())]
    NotAPelvis {
        /// The film's file.
        path: PathBuf,
        /// The attribute that says so.
        reason: String,
    },
    /// A film could not be read.
    #[error(transparent)]
    Film(#[from] coxa_imaging::ReadError),
    /// A data set could not be read.
    #[error(transparent)]
    Cohort(#[from] coxa_cohort::CohortError),
    /// The network refused.
    #[error(transparent)]
    Engine(#[from] coxa_engine::EngineError),
}

impl ModelError {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ModelError::NonFiniteLoss { .. } => Some(
                "the last checkpoint is kept; lower optimizer.learning_rate (a tenth is a good first try), add warm_up_steps, or train in f32, and start a new run",
            ),
            ModelError::Exists { .. } => Some("name another place, or move what lies there"),
            ModelError::Recipe { .. } => Some("--print-recipe shows the recipe with every key and its value"),
            ModelError::NoDataset { .. } => Some(
                "name it by --data STAGE=DIR, or keep other stages alone by --stage; coxa import and coxa simulate make one",
            ),
            ModelError::NotAPelvis { .. } => {
                Some("where the attribute is wrong, --any-film reads the film all the same")
            }
            ModelError::Resume { .. } => Some("start a new run; runs never overwrite one another"),
            _ => None,
        }
    }

    /// An [`ModelError::Io`] at `path`, for `map_err`.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> ModelError {
        let path = path.as_ref().to_path_buf();
        move |source| ModelError::Io { path, source }
    }

    /// An [`ModelError::Format`] at `path`.
    pub(crate) fn format(path: impl AsRef<Path>, reason: impl ToString) -> ModelError {
        ModelError::Format { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }

    /// An [`ModelError::Weights`] at `path`.
    pub(crate) fn weights(path: impl AsRef<Path>, reason: impl ToString) -> ModelError {
        ModelError::Weights { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }
}
