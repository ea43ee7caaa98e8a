//! What a film's shape alone tells: a baseline that every result should be set beside, as in some sets films with a fracture
//! are framed differently from films without one.

use std::path::Path;

use coxa_cohort::{Dataset, Film};
use coxa_schema::Label;

use crate::error::StudyError;
use crate::predictions::{Prediction, Predictions};

/// Predictions from the aspect ratio alone: height / (width + height), so that portrait films score above ½. They rank films
/// and are no probabilities: of their evaluation only the area means anything, and an area far from ½ on either side is a
/// warning.
///
/// # Errors
/// What `size_of` gives ([`crate::localize::film_size`] opens the film's file).
pub fn aspect_ratio(
    dataset: &Dataset,
    size_of: impl Fn(&Film) -> Result<(usize, usize), StudyError>,
) -> Result<Predictions, StudyError> {
    let mut rows = Vec::new();
    for (i, film) in dataset.labeled().enumerate() {
        let (width, height) = size_of(film)?;
        rows.push(Prediction {
            line: i as u64 + 2,
            image_id: film.image_id.clone(),
            patient: film.patient.clone(),
            truth: film.label == Label::Present,
            probability: height as f64 / (width + height).max(1) as f64,
            groups: Vec::new(),
        });
    }
    Predictions::of_rows(Path::new("aspect ratio"), Vec::new(), rows)
}
