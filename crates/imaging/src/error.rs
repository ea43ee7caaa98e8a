//! Why a file cannot be read: one line each, naming the file as the caller gave it and the tag or value; a hint goes with it.
//!
//! No message holds a value that could identify a patient: names, identifiers, dates and instance UIDs are never read, and
//! text that foreign libraries put into their errors is not passed on.

use std::fmt;
use std::io;

use coxa_schema::{ErrorKind, Hint};

/// The file formats that [`crate::read`] tells apart by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// DICOM Part 10 file, or a bare data set that is unmistakably one.
    Dicom,
    /// Portable Network Graphics.
    Png,
    /// JPEG interchange format.
    Jpeg,
    /// Tagged Image File Format.
    Tiff,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dicom => "DICOM",
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Tiff => "TIFF",
        })
    }
}

/// Why a film could not be read or made. `Display` is one line; [`ReadError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system refused the file.
    #[error("{file}: {source}")]
    Io {
        /// The file as the caller named it.
        file: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("{file}: the file is empty")]
    Empty {
        /// The file as the caller named it.
        file: String,
    },
    /// The first bytes are of none of the formats read here.
    #[error("{file}: not a DICOM, PNG, JPEG or TIFF file")]
    UnknownFormat {
        /// The file as the caller named it.
        file: String,
        /// What to do.
        hint: &'static str,
    },
    /// The file stops before its image does.
    #[error("{file}: the {format} file is truncated ({detail})")]
    Truncated {
        /// The file as the caller named it.
        file: String,
        /// The file's format.
        format: FileFormat,
        /// Where it stops.
        detail: String,
    },
    /// The bytes break the rules of the format.
    #[error("{file}: the {format} file is malformed ({detail})")]
    Malformed {
        /// The file as the caller named it.
        file: String,
        /// The file's format.
        format: FileFormat,
        /// What is wrong, and where.
        detail: String,
    },
    /// A DICOM attribute that an image must have is not there.
    #[error("{file}: {name} {tag} is missing")]
    MissingAttribute {
        /// The file as the caller named it.
        file: String,
        /// The attribute's keyword.
        name: &'static str,
        /// The attribute's tag, as `(gggg,eeee)`.
        tag: String,
        /// What to do.
        hint: &'static str,
    },
    /// A DICOM attribute has a value that cannot be right.
    #[error("{file}: {name} {tag} is {value}, where {expected} is needed")]
    Attribute {
        /// The file as the caller named it.
        file: String,
        /// The attribute's keyword.
        name: &'static str,
        /// The attribute's tag, as `(gggg,eeee)`.
        tag: String,
        /// The value found (numbers and defined terms only).
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The file is sound but is not one plain film.
    #[error("{file}: {what}")]
    NotAFilm {
        /// The file as the caller named it.
        file: String,
        /// What it is instead, naming the attribute that says so.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The film is stored in a way that this build cannot decode.
    #[error("{file}: {what} is not supported")]
    Unsupported {
        /// The file as the caller named it.
        file: String,
        /// The encoding or layout.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The film is larger than [`crate::MAX_SIDE`] or [`crate::MAX_PIXELS`], or the file than [`crate::MAX_FILE_BYTES`].
    #[error("{file}: {what} is over the limit of {limit}")]
    TooLarge {
        /// The file as the caller named it.
        file: String,
        /// What is too large.
        what: String,
        /// The limit passed.
        limit: String,
    },
    /// The film is smaller than [`crate::MIN_SIDE`] on a side.
    #[error("{file}: {width}×{height} pixels are too few for a film (a side has {} or more)", crate::MIN_SIDE)]
    TooSmall {
        /// The file as the caller named it.
        file: String,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The decoder of the named encoding gave up or gave something else than the header promised.
    #[error("{file}: the pixels cannot be decoded as {encoding} ({detail})")]
    Decode {
        /// The file as the caller named it.
        file: String,
        /// The encoding, by name.
        encoding: String,
        /// What the decoder found.
        detail: String,
    },
    /// [`crate::Radiograph::from_display`] was given pixels that do not make a film.
    #[error("{width}×{height} display values cannot be made a film: {reason}")]
    Display {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// What is wrong.
        reason: String,
    },
}

impl ReadError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check the path and its permissions",
            Self::Empty { .. } | Self::Truncated { .. } => "export or copy it again",
            Self::Malformed { .. } => "export it again from its source",
            Self::Attribute { .. } => "correct the attribute or export the film again",
            Self::TooLarge { .. } => "reduce or crop the film",
            Self::TooSmall { .. } => "give the film itself, not an icon",
            Self::Decode { .. } => "export the film again, uncompressed if possible",
            Self::Display { .. } => "give width×height values from 0 to 255",
            Self::UnknownFormat { hint, .. }
            | Self::MissingAttribute { hint, .. }
            | Self::NotAFilm { hint, .. }
            | Self::Unsupported { hint, .. } => hint,
        }
    }
}

impl Hint for ReadError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Display { .. } => ErrorKind::Internal,
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(Self::hint(self).to_owned())
    }
}
