//! What ends a run. A film or an injury that fails is in the report instead, and the run goes on.

use std::io;
use std::path::{Path, PathBuf};

use coxa_cohort::CohortError;
use coxa_deidentify::DeidentifyError;
use coxa_schema::{ErrorKind, Hint};

use crate::fault::Fault;

/// Why a run cannot begin or go on. What was done stays, and a run with the same key and rules goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] CohortError),
    /// The key, or a folder of de-identified films.
    #[error(transparent)]
    Deidentify(#[from] DeidentifyError),
    /// The rules cannot be used.
    #[error("{}: {reason}", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The output folder was made with other rules.
    #[error("{}: collected by other rules", path.display())]
    OtherRules {
        /// The folder.
        path: PathBuf,
    },
    /// The output folder holds something that this command did not make.
    #[error("{}: not a folder of an earlier collection, and not empty", path.display())]
    ForeignFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Another run writes into the folder.
    #[error("{}: another run is collecting into it", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The journal cannot be understood.
    #[error("{}, line {line}: {reason}", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The archive cannot be used, or fails again and again.
    #[error("the PACS: {text}")]
    Archive {
        /// What it does.
        text: String,
        /// The way out.
        hint: Option<String>,
    },
    /// This node's own port cannot be opened.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl CollectError {
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }
}

impl From<Fault> for CollectError {
    fn from(fault: Fault) -> Self {
        Self::Archive { text: fault.text, hint: fault.hint }
    }
}

impl Hint for CollectError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Registry(error) => error.kind(),
            Self::Deidentify(error) => error.kind(),
            Self::Archive { .. } | Self::Io { .. } | Self::Journal { .. } => ErrorKind::Input,
            _ => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Registry(error) => return error.hint(),
            Self::Deidentify(error) => return error.hint(),
            Self::Archive { hint, .. } => return hint.clone(),
            Self::OtherRules { .. } => "use the rules of the earlier run (rules.toml in the folder), or another --out",
            Self::ForeignFolder { .. } => "name another folder",
            Self::InUse { .. } => "wait for its end",
            Self::Listen { .. } => "name a free port by --listen; ports below 1024 need rights",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room and run the command again: it goes on where it stopped"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
