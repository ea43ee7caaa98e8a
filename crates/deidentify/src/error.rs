//! What stops a run as a whole. A single film that cannot be de-identified is [`crate::Withheld`] instead, and the run goes on.

use std::io;
use std::path::PathBuf;

use coxa_schema::{ErrorKind, Hint};

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeidentifyError {
    /// The key's file cannot be used.
    #[error("{}: the key cannot be used: {reason}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The output folder was made with another key.
    #[error("{}: its films were de-identified with another key", path.display())]
    OtherKey {
        /// The output folder.
        path: PathBuf,
    },
    /// The output folder was made with other options.
    #[error("{}: its films were de-identified with other options ({options})", path.display())]
    OtherOptions {
        /// The output folder.
        path: PathBuf,
        /// The options of the earlier run.
        options: String,
    },
    /// The output folder holds something that this command did not make.
    #[error("{}: not a folder that this command made, and not empty", path.display())]
    ForeignFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder for identified films is no place for them.
    #[error("{}: identified films may not lie in the output folder, nor it in theirs", path.display())]
    KeepInside {
        /// The folder.
        path: PathBuf,
    },
    /// A file that would be replaced exists.
    #[error("{}: exists, and is not replaced", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A recipient or passphrase of the linking table cannot be used.
    #[error("the linking table cannot be encrypted or decrypted: {0}")]
    Encryption(String),
    /// A table that cannot be read or written. Its values are not quoted.
    #[error("{}, line {line}: {reason}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A script of rectangles that cannot be read.
    #[error("{}, line {line}, column {column}: {reason}", path.display())]
    Script {
        /// The script.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Hint for DeidentifyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Table { .. } | Self::Script { .. } | Self::Io { .. } => ErrorKind::Input,
            _ => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Key { .. } => "a key is made once by `coxa deidentify --create-key --key FILE` and then kept apart",
            Self::OtherKey { .. } => "use the key of the earlier run, or another --out",
            Self::OtherOptions { .. } => "use the options of the earlier run, or another --out",
            Self::ForeignFolder { .. } | Self::KeepInside { .. } | Self::Exists { .. } => "name another place",
            Self::Encryption(_) => "a recipient is `age1…`; a passphrase is the first line of its file",
            Self::Script { .. } => {
                "a section is { SIGNATURE } (LEFT,TOP,WIDTH,HEIGHT) …, as in CTP's DicomPixelAnonymizer.script"
            }
            Self::Table { .. } | Self::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
