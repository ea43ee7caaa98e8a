//! Why a result object cannot be made.

use dicom_core::Tag;

/// Why a result object cannot be made. No message holds a value of the film's data set: it could name a patient.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// The film lacks what a reference to it needs.
    #[error("the film has no usable {name} ({:04X},{:04X}): a result cannot refer to it", tag.group(), tag.element())]
    Film {
        /// The attribute.
        tag: Tag,
        /// Its name.
        name: &'static str,
    },
    /// The film's shades are not one gray channel.
    #[error(
        "a presentation state is for a grayscale film, and this one is in color: send the Secondary Capture instead"
    )]
    Color,
    /// The result and the film do not belong together.
    #[error(
        "the finding is of a film of {found} pixels and the data set of one of {expected}: pass the finding of this film"
    )]
    OtherFilm {
        /// Columns × rows of the finding.
        found: String,
        /// Columns × rows of the data set.
        expected: String,
    },
    /// An argument is out of range.
    #[error("cannot make a result object: {argument} is {value}, where {expected} is needed")]
    Argument {
        /// Which.
        argument: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The data set could not be encoded.
    #[error("cannot encode a result object: {0}")]
    Encode(String),
}

impl ResultError {
    /// An argument that is out of range.
    pub(super) fn argument(argument: &'static str, value: impl ToString, expected: &'static str) -> Self {
        Self::Argument { argument, value: value.to_string(), expected }
    }
}
