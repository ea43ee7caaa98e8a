//! Where a film comes from.

use std::path::{Path, PathBuf};

use coxa_imaging::Radiograph;

use crate::ModelError;

/// A film as it is handed to a [`super::Detector`].
#[derive(Debug, Clone)]
pub enum FilmSource<'a> {
    /// A file.
    Path(&'a Path),
    /// The bytes of a file.
    Bytes {
        /// The bytes.
        bytes: &'a [u8],
        /// What stands for the file in errors.
        name: &'a str,
    },
    /// A film that was decoded before.
    Film(Radiograph),
}

impl FilmSource<'_> {
    pub(super) fn decode(self) -> Result<Radiograph, ModelError> {
        Ok(match self {
            Self::Path(path) => coxa_imaging::read(path)?,
            Self::Bytes { bytes, name } => coxa_imaging::read_bytes(bytes, name)?,
            Self::Film(film) => film,
        })
    }
}

impl<'a> From<&'a Path> for FilmSource<'a> {
    fn from(path: &'a Path) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<&'a PathBuf> for FilmSource<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Radiograph> for FilmSource<'_> {
    fn from(film: Radiograph) -> Self {
        Self::Film(film)
    }
}
