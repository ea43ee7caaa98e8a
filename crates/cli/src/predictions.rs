//! The table of predictions, as `coxa evaluate` reads it.

use std::path::Path;

use anyhow::Context;
pub use coxa_cohort::predictions::{SUBGROUPS, subgroup_of};
use coxa_cohort::{Film, PredictionWriter};
use coxa_schema::{Finding, Label, PredictionRow};

/// The predictions as `coxa evaluate` reads them; written under another name until the last row.
pub struct PredictionTable(PredictionWriter);

impl PredictionTable {
    /// Begins the table that `finish` puts at `path`.
    ///
    /// # Errors
    /// When the file cannot be created, or one lies there that is no earlier table.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let groups: Vec<&str> = SUBGROUPS.into_iter().chain(["film_width", "film_height"]).collect();
        Ok(Self(PredictionWriter::create(path, &groups)?))
    }

    /// Adds a film's row; a film of no dataset is named by its file and has no label.
    ///
    /// # Errors
    /// When the row cannot be written.
    pub fn row(&mut self, film: Option<&Film>, path: &Path, finding: &Finding) -> anyhow::Result<()> {
        let file = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut groups: Vec<String> =
            SUBGROUPS.map(|name| film.map_or_else(String::new, |film| subgroup_of(film, name))).into();
        groups.extend([finding.width.to_string(), finding.height.to_string()]);
        Ok(self.0.write(&PredictionRow {
            image_id: film.map_or_else(file, |film| film.image_id.clone()),
            patient: film.map(|film| film.patient.clone()).unwrap_or_default(),
            label: film.map_or(Label::Unknown, |film| film.label),
            probability: finding.probability,
            threshold: Some(finding.threshold),
            groups,
        })?)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// When it cannot be written or renamed.
    pub fn finish(self) -> anyhow::Result<()> {
        self.0.finish().context("the table of predictions")
    }
}
