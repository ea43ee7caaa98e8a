//! Why a file is withheld: what cannot be de-identified for certain is not written at all.

use crate::review::Review;

/// Why a file is withheld. No reason quotes a value of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Withheld {
    /// No Part 10 file: the prefix `DICM` is missing.
    #[error("it is not a DICOM file with file meta information")]
    NotDicom,
    /// The file cannot be opened or read.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// Larger than the largest file that is read.
    #[error("it is larger than {} MiB", coxa_imaging::MAX_FILE_BYTES >> 20)]
    TooLarge,
    /// The file ends before its data set or its pixels do.
    #[error("it is truncated")]
    Truncated,
    /// The file breaks the encoding's rules.
    #[error("it is malformed: {0}")]
    Malformed(&'static str),
    /// The transfer syntax is missing or not known.
    #[error("its transfer syntax is missing or not supported")]
    TransferSyntax,
    /// A directory of a medium.
    #[error("it is a DICOMDIR")]
    MediaDirectory,
    /// An encapsulated document, or a structured report: text of people about people.
    #[error("it is a document")]
    Document,
    /// No radiograph: another SOP class, or none.
    #[error("it is not a CR, DX or Secondary Capture image")]
    SopClass,
    /// The UIDs that it must have are missing or malformed, or its file meta information contradicts its data set.
    #[error("its SOP Class, SOP Instance, Study or Series Instance UID is missing, malformed or contradictory")]
    Identity,
    /// A scanned letter or form.
    #[error("it is a scanned document (Conversion Type)")]
    ScannedDocument,
    /// Burned In Annotation is YES, and the pixels are not cleaned.
    #[error("text is burned into its pixels (Burned In Annotation)")]
    BurnedIn,
    /// A Secondary Capture that does not state whether text is burned in.
    #[error("it is a Secondary Capture without Burned In Annotation NO")]
    MayBeBurnedIn,
    /// The pixels are of a kind that is not checked.
    #[error("its pixels are not supported: {0}")]
    Pixels(&'static str),
    /// Text may lie in parts of the pixels.
    #[error("text may be burned into its pixels: review it")]
    Review(Review),
    /// A person excluded it.
    #[error("a person excluded it")]
    Excluded,
    /// An identifier of the header is still in the output: the last check before it is written.
    #[error("an identifier of its header would be left in the output")]
    Residue,
    /// Another file has the same SOP Instance UID and other contents.
    #[error("another file has the same SOP Instance UID and other contents")]
    Collision,
    /// The system does not write it.
    #[error("the output cannot be written: {0}")]
    Unwritable(std::io::ErrorKind),
}
