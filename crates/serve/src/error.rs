//! Why a node does not start or go on.

use std::path::PathBuf;

use coxa_dimse::tls::TlsError;
use coxa_schema::{ErrorKind, Hint};

use crate::audit::AuditError;
use crate::config::ConfigError;
use crate::db::DbError;
use crate::people::VaultError;
use crate::store::StoreError;

/// Why a node does not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address that it cannot have.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Its folder.
    #[error("{}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has its folder.
    #[error("{}: another coxa serve works here", .0.display())]
    Taken(PathBuf),
    /// Its database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Its audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Its key for second factors.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Its films.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its network.
    #[error(transparent)]
    Work(#[from] coxa_workflow::WorkflowError),
    /// A destination that cannot be called.
    #[error("destination {name}: {reason}")]
    Destination {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A part of it ended although nobody stopped it.
    #[error("a part of the node ended: {0}")]
    Ended(String),
}

impl Hint for NodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Usage,
            Self::Ended(_) => ErrorKind::Internal,
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint().map(str::to_owned),
            Self::Listen { .. } => Some("another program may have this port: --http and --dicom choose others".into()),
            Self::Taken(_) => Some("stop it first, or give this one a folder of its own with --data".into()),
            Self::Work(error) => error.hint(),
            Self::Vault(VaultError::AnotherKey(_)) => Some(
                "give every node that shares the database the same [people] key_file; where the key is lost, coxa people reset removes \
                 an account's second factor"
                    .into(),
            ),
            _ => None,
        }
    }
}
