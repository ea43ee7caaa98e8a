//! Why a piece of work could not be done.

use std::io;
use std::path::{Path, PathBuf};

use coxa_cohort::CohortError;
use coxa_files::TableError;
use coxa_imaging::ReadError;
use coxa_imaging::encode::EncodeError;
use coxa_model::ModelError;
use coxa_schema::{ErrorKind, Hint};
use coxa_simulate::SimulateError;
use coxa_study::StudyError;

/// An error of a workflow: one of a crate below, or its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowError {
    /// Of the network, its bundle, its recipe or its training.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Of a dataset.
    #[error(transparent)]
    Cohort(#[from] CohortError),
    /// Of an evaluation.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// Of a simulation.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// Of a film.
    #[error(transparent)]
    Film(#[from] ReadError),
    /// Of a picture that is written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Of a table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What takes the results does not take them any more, as a pipe that is closed.
    #[error("the results cannot be written: {0}")]
    Results(#[source] io::Error),
    /// The request cannot be meant so.
    #[error("{message}")]
    Request {
        /// What is wrong with it.
        message: String,
        /// What to ask for instead.
        hint: String,
    },
    /// The inputs cannot be used for this.
    #[error("{message}")]
    Refused {
        /// Which, and why.
        message: String,
        /// The way out.
        hint: String,
    },
    /// The observer stopped the work.
    #[error("{0} was stopped")]
    Stopped(String),
    /// The program contradicts itself.
    #[error("{0}")]
    Internal(String),
}

impl Hint for WorkflowError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Model(error) => error.kind(),
            Self::Cohort(error) => error.kind(),
            Self::Study(error) => error.kind(),
            Self::Simulate(error) => error.kind(),
            Self::Request { .. } => ErrorKind::Usage,
            Self::Internal(_) => ErrorKind::Internal,
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => Hint::hint(error),
            Self::Cohort(error) => error.hint(),
            Self::Study(error) => error.hint(),
            Self::Simulate(error) => error.hint(),
            Self::Request { hint, .. } | Self::Refused { hint, .. } => Some(hint.clone()),
            _ => None,
        }
    }
}

impl WorkflowError {
    /// Wraps the system's error with the path that it is about.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }

    /// An error of inputs that cannot be used, with the way out.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: hint.into() }
    }

    /// An error of the request, with the way out.
    pub(crate) fn request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Request { message: message.into(), hint: hint.into() }
    }
}
