//! What can go wrong when films are written or bones are read.

use std::path::PathBuf;

/// An error of the dataset writer or of the reader of bone surfaces.
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
    #[error("{}: {reason}\nhint: name a new folder; nothing is ever overwritten", folder.display())]
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
    /// A folder without a bone that is known.
    #[error(
        "{}: no bone surface found\nhint: files are named after bones, such as pelvis.vtp, femur_r.stl, talus.obj",
        folder.display()
    )]
    NoSurfaces {
        /// The folder.
        folder: PathBuf,
    },
    /// A surface that is named as a femur and is none.
    #[error(
        "{}: the surface named femur has no head, neck and shaft of a femur\nhint: give the whole proximal femur as a closed surface, or \
         leave the file out for the built-in one",
        folder.display()
    )]
    NoFemur {
        /// The folder.
        folder: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
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

impl SimulateError {
    /// Wraps an operating system's error with the path it is about.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
