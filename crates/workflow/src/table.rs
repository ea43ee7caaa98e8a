//! The table of predictions of films that may be of a dataset or not.

use std::path::Path;

use coxa_cohort::Film;
use coxa_cohort::predictions::{PredictionWriter, SUBGROUPS, subgroup_of};
use coxa_schema::{Finding, Label, PredictionRow};

use crate::WorkflowError;

/// The table in the making; its subgroups are those of a manifest, and the film's size.
pub(crate) struct PredictionTable {
    writer: PredictionWriter,
}

impl PredictionTable {
    /// Begins the table that [`PredictionTable::finish`] puts at `path`.
    ///
    /// # Errors
    /// Another file lies there, or the disk refuses.
    pub fn create(path: &Path) -> Result<Self, WorkflowError> {
        let groups: Vec<&str> = SUBGROUPS.into_iter().chain(["film_width", "film_height"]).collect();
        Ok(Self { writer: PredictionWriter::create(path, &groups)? })
    }

    /// Adds the row of a film, which has a label where it is of a dataset.
    ///
    /// # Errors
    /// When the row cannot be written.
    pub fn row(&mut self, name: &str, film: Option<&Film>, finding: &Finding) -> Result<(), WorkflowError> {
        let subgroups = SUBGROUPS.iter().map(|column| film.map_or_else(String::new, |film| subgroup_of(film, column)));
        Ok(self.writer.write(&PredictionRow {
            image_id: name.to_owned(),
            patient: film.map_or_else(String::new, |film| film.patient.clone()),
            label: film.map_or(Label::Unknown, |film| film.label),
            probability: finding.probability,
            threshold: Some(finding.threshold),
            groups: subgroups.chain([finding.width.to_string(), finding.height.to_string()]).collect(),
        })?)
    }

    /// Puts the table in its place.
    ///
    /// # Errors
    /// When it cannot be written or renamed.
    pub fn finish(self) -> Result<(), WorkflowError> {
        Ok(self.writer.finish()?)
    }
}
