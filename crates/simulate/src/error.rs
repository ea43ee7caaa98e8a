//! Errors of writing films and of reading bone surfaces.

use std::path::PathBuf;

use coxa_schema::{ErrorKind, Hint};

/// An error of the dataset writer or of the reader of bone surfaces. Each is one line; the way out is its hint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// A setting that makes no film.
    #[error("{setting} is {value}, where {expected} is needed")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The folder holds something else.
    #[error("{}: {reason}", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        reason: String,
    },
    /// A bone surface that cannot be read.
    #[error("{}, line {line}: {reason}", path.display())]
    Surface {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 0 for a binary file.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A folder without a known bone.
    #[error("{}: no bone surface found", folder.display())]
    NoSurfaces {
        /// The folder.
        folder: PathBuf,
    },
    /// A surface named after the femur that is not shaped like one.
    #[error("{}: the surface named femur has no head, neck and shaft of a femur", folder.display())]
    NoFemur {
        /// The folder.
        folder: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A film could not be encoded as PNG.
    #[error(transparent)]
    Png(#[from] coxa_imaging::encode::EncodeError),
    /// A film could not be encoded as DICOM.
    #[error(transparent)]
    Dicom(#[from] coxa_dicom::dx::DxError),
    /// The manifest could not be written.
    #[error(transparent)]
    Cohort(#[from] coxa_cohort::CohortError),
}

impl Hint for SimulateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::Usage,
            // Films are made here: one that cannot be encoded is this crate's own fault.
            Self::Png(_) | Self::Dicom(_) => ErrorKind::Internal,
            Self::Cohort(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Occupied { .. } => "name a new folder; nothing is ever overwritten",
            Self::NoSurfaces { .. } => "name files after bones, such as pelvis.vtp, femur_r.stl, talus.obj",
            Self::NoFemur { .. } => {
                "give the whole proximal femur as a closed surface, or remove the file to use the built-in one"
            }
            Self::Cohort(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl SimulateError {
    /// Wraps an operating system's error with the path that it concerns.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line_and_know_whose_fault_they_are() {
        let folder = PathBuf::from("films");
        let errors = [
            (
                SimulateError::Setting { setting: "clutter", value: "2".to_owned(), expected: "0 to 1" },
                ErrorKind::Usage,
                false,
            ),
            (
                SimulateError::Occupied { folder: folder.clone(), reason: "the folder is not empty".to_owned() },
                ErrorKind::Input,
                true,
            ),
            (SimulateError::NoSurfaces { folder: folder.clone() }, ErrorKind::Input, true),
            (SimulateError::NoFemur { folder }, ErrorKind::Input, true),
            (SimulateError::Dicom(coxa_dicom::dx::DxError::Encode("x".to_owned())), ErrorKind::Internal, false),
        ];
        for (error, kind, has_hint) in errors {
            assert_eq!((error.kind(), error.hint().is_some()), (kind, has_hint), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
