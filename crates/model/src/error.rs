//! What can go wrong between a film and a finding, or between a recipe and a bundle: every error names its file, tensor or value.

use std::path::{Path, PathBuf};

use coxa_schema::{ErrorKind, Hint};

/// Everything that this crate can fail with. Each display is one line; [`Hint`] gives the way out.
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
    /// A run cannot be resumed.
    #[error("{}: {reason}", path.display())]
    Resume {
        /// The run's folder or checkpoint.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A setting that does not fit the bundle or the machine: the caller's to change.
    #[error("{0}")]
    Setting(String),
    /// Something that cannot happen happened: a fault of this program.
    #[error("{0}")]
    Internal(String),
    /// A film could not be read.
    #[error(transparent)]
    Film(#[from] coxa_imaging::ReadError),
    /// A data set or a table could not be read or written.
    #[error(transparent)]
    Cohort(#[from] coxa_cohort::CohortError),
    /// The network refused.
    #[error(transparent)]
    Engine(#[from] coxa_engine::EngineError),
}

impl Hint for ModelError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting(_) | Self::Recipe { .. } | Self::NoDataset { .. } => ErrorKind::Usage,
            Self::Internal(_) => ErrorKind::Internal,
            Self::Cohort(error) => error.kind(),
            Self::Film(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NonFiniteLoss { .. } => {
                "the last checkpoint is kept; lower optimizer.learning_rate (a tenth is a good first try), add warm_up_steps, or train \
                 in f32, and start a new run"
            }
            Self::Exists { .. } => "name another place, or move what lies there",
            Self::Recipe { .. } => "--print-recipe shows the recipe with every key and its value",
            Self::NoDataset { .. } => {
                "name it by --data STAGE=DIR, or keep other stages alone by --stage; coxa import and coxa simulate make one"
            }
            Self::Resume { .. } => "start a new run; runs never overwrite one another",
            Self::Cohort(error) => return error.hint(),
            Self::Film(error) => return Hint::hint(error),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl ModelError {
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

    /// An [`ModelError::Data`] of a stage.
    pub(crate) fn data(stage: &str, reason: impl Into<String>) -> ModelError {
        ModelError::Data { stage: stage.to_owned(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_usage_and_a_missing_prediction_the_programs_fault() {
        let setting = ModelError::Setting("the threshold is 7".into());
        let internal = ModelError::Internal("the network gave no prediction".into());
        assert_eq!((setting.kind(), internal.kind()), (ErrorKind::Usage, ErrorKind::Internal));
        let missing = ModelError::io("a.toml")(std::io::ErrorKind::NotFound.into());
        assert_eq!(missing.kind(), ErrorKind::Input);
    }
}
