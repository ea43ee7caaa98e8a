//! The table of predictions, as `coxa evaluate` reads it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use coxa_cohort::Film;
use coxa_files::whole::Partial;
use coxa_model::Prediction;

/// Columns of a manifest that become subgroups of the predictions.
pub const SUBGROUPS: [&str; 10] =
    ["fracture_type", "side", "age", "sex", "body_part", "quality", "hardware", "source", "view", "year"];

/// A film's value in one of the [`SUBGROUPS`]: the manifest's, but of hardware only whether there is any.
pub fn subgroup_of(film: &Film, column: &str) -> String {
    let value = film.column(column).unwrap_or_default();
    match (column, value.as_str()) {
        ("hardware", "") if film.extra.contains_key("hardware") => "no".to_owned(),
        ("hardware", "" | "no" | "0") => value,
        ("hardware", _) => "yes".to_owned(),
        _ => value,
    }
}

/// The predictions as `coxa evaluate` reads them; written under another name until the last row.
pub struct PredictionTable {
    path: PathBuf,
    partial: Partial,
    writer: csv::Writer<File>,
}

impl PredictionTable {
    /// Begins the table that `finish` puts at `path`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let at = || path.display().to_string();
        let partial = Partial::file(path).with_context(at)?;
        let file = File::create(partial.path()).with_context(at)?;
        let mut writer = csv::Writer::from_writer(file);
        let header = ["image_id", "patient", "label", "probability", "threshold"].into_iter().chain(SUBGROUPS);
        writer.write_record(header.chain(["film_width", "film_height"]))?;
        Ok(Self { path: path.to_owned(), partial, writer })
    }

    /// Adds a film's row; a film of no dataset is named by its file and has no label.
    ///
    /// # Errors
    /// When the row cannot be written.
    pub fn row(&mut self, film: Option<&Film>, path: &Path, prediction: &Prediction) -> anyhow::Result<()> {
        let column = |name| film.and_then(|film| film.column(name)).unwrap_or_default();
        let id = film.map_or_else(
            || path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            |f| f.image_id.clone(),
        );
        let numbers = [prediction.probability, prediction.threshold].map(|number| number.to_string());
        let mut row = vec![id, column("patient"), column("label")];
        row.extend(numbers);
        row.extend(SUBGROUPS.map(|name| film.map_or_else(String::new, |film| subgroup_of(film, name))));
        row.extend([prediction.geometry.film_width.to_string(), prediction.geometry.film_height.to_string()]);
        Ok(self.writer.write_record(row)?)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// When it cannot be written or renamed.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let at = || self.path.display().to_string();
        self.writer.flush().with_context(at)?;
        drop(self.writer);
        self.partial.keep().with_context(at)
    }
}
