//! Why a file cannot be read: one line each, naming the file as the caller gave it, the tag or value, and the way out.
//!
//! No message holds a value that could identify a patient: names, identifiers, dates and instance UIDs are never read, and
//! text that foreign libraries put into their errors is not passed on.

use std::fmt;
use std::io;

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

/// Why a film could not be read or made. `Display` is one line and ends with the way out; [`ReadError::hint`] is that way out
/// alone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system refused the file.
    #[error("{file}: {source}; check the path and its permissions")]
    Io {
        /// The file as the caller named it.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("{file}: the file is empty; export or copy it again")]
    Empty {
        /// The file as the caller named it.
        file: String,
    },
    /// The first bytes are of none of the formats read here.
    #[error("{file}: not a DICOM, PNG, JPEG or TIFF file; {hint}")]
    UnknownFormat {
        /// The file as the caller named it.
        file: String,
        /// What to do.
        hint: &'static str,
    },
    /// The file stops before its image does.
    #[error("{file}: the {format} file is truncated ({detail}); export or copy it again")]
    Truncated {
        /// The file as the caller named it.
        file: String,
        /// The file's format.
        format: FileFormat,
        /// Where it stops.
        detail: String,
    },
    /// The bytes break the rules of the format.
    #[error("{file}: the {format} file is malformed ({detail}); export it again from its source")]
    Malformed {
        /// The file as the caller named it.
        file: String,
        /// The file's format.
        format: FileFormat,
        /// What is wrong, and where.
        detail: String,
    },
    /// A DICOM attribute that an image must have is not there.
    #[error("{file}: {name} {tag} is missing; {hint}")]
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
    #[error(
        "{file}: {name} {tag} is {value}, where {expected} is needed; correct the attribute or export the film again"
    )]
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
    #[error("{file}: {what}; {hint}")]
    NotAFilm {
        /// The file as the caller named it.
        file: String,
        /// What it is instead, naming the attribute that says so.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The film is stored in a way that this build cannot decode.
    #[error("{file}: {what} is not supported; {hint}")]
    Unsupported {
        /// The file as the caller named it.
        file: String,
        /// The encoding or layout.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The film is larger than [`crate::MAX_SIDE`] or [`crate::MAX_PIXELS`], or the file than [`crate::MAX_FILE_BYTES`].
    #[error("{file}: {what} is over the limit of {limit}; reduce or crop the film")]
    TooLarge {
        /// The file as the caller named it.
        file: String,
        /// What is too large.
        what: String,
        /// The limit passed.
        limit: String,
    },
    /// The film is smaller than [`crate::MIN_SIDE`] on a side.
    #[error(
        "{file}: {width}×{height} pixels is no film, a side needs at least {}; give the film itself, not an icon",
        crate::MIN_SIDE
    )]
    TooSmall {
        /// The file as the caller named it.
        file: String,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The decoder of the named encoding gave up or gave something else than the header promised.
    #[error(
        "{file}: the pixels cannot be decoded as {encoding} ({detail}); export the film again, uncompressed if possible"
    )]
    Decode {
        /// The file as the caller named it.
        file: String,
        /// The encoding, by name.
        encoding: String,
        /// What the decoder found.
        detail: String,
    },
    /// [`crate::Radiograph::from_display`] was given pixels that do not make a film.
    #[error("{width}×{height} display values cannot be made a film: {reason}; give width×height values from 0 to 255")]
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
    /// The way out, as it stands at the end of the message.
    pub fn hint(&self) -> String {
        let message = self.to_string();
        match message.rsplit_once("; ") {
            Some((_, hint)) => hint.to_owned(),
            None => message,
        }
    }
}
