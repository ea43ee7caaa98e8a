//! The table of predictions, a row for each film: the one writer of `predictions.csv` and of a training's `validation.csv`.
//!
//! The columns are those of [`PredictionRow::COLUMNS`], then the further ones that the table begins with, which are subgroups for an
//! evaluation. [`SUBGROUPS`] are the columns of a manifest that serve as such, and [`subgroup_of`] gives a film's values.

use std::path::Path;

use coxa_files::{TableError, TableWriter};
use coxa_schema::PredictionRow;

use crate::Film;

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

/// A table of predictions in the making, written row by row under another name until [`PredictionWriter::finish`].
#[derive(Debug)]
pub struct PredictionWriter {
    table: TableWriter,
}

impl PredictionWriter {
    /// Begins the table that [`PredictionWriter::finish`] puts at `path`; `groups` are the names of the columns after
    /// [`PredictionRow::COLUMNS`]. An earlier table of predictions is replaced, any other file refused.
    ///
    /// # Errors
    /// [`TableError::Io`]: another file lies there, or the disk refuses.
    pub fn create(path: &Path, groups: &[&str]) -> Result<Self, TableError> {
        let header: Vec<&str> = PredictionRow::COLUMNS.into_iter().chain(groups.iter().copied()).collect();
        Ok(Self { table: TableWriter::replacing(path, &header, is_predictions)? })
    }

    /// Adds a film's row, which has a value for each of the table's further columns.
    ///
    /// # Errors
    /// [`TableError::Io`]: another number of values, or the disk refuses.
    pub fn write(&mut self, row: &PredictionRow) -> Result<(), TableError> {
        let threshold = row.threshold.map(|threshold| threshold.to_string()).unwrap_or_default();
        let probability = row.probability.to_string();
        let fields = [row.image_id.as_str(), &row.patient, row.label.as_str(), &probability, &threshold];
        self.table.row(fields.into_iter().chain(row.groups.iter().map(String::as_str)))
    }

    /// Puts the table in its place.
    ///
    /// # Errors
    /// [`TableError::Io`]: the disk refuses.
    pub fn finish(self) -> Result<(), TableError> {
        self.table.finish()
    }
}

/// Whether a file that begins like this is a table of predictions; those of earlier versions may lack `threshold`.
pub fn is_predictions(head: &[u8]) -> bool {
    let [required @ .., _threshold] = PredictionRow::COLUMNS;
    let first_line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let mut columns = first_line.split(|byte| *byte == b',');
    required.iter().all(|column| columns.next() == Some(column.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coxa_schema::{BodyPart, Label};

    fn row() -> PredictionRow {
        PredictionRow {
            image_id: "S1".into(),
            patient: "p, 1".into(),
            label: Label::Present,
            probability: 0.1 + 0.2,
            threshold: Some(0.5),
            groups: vec!["f".into()],
        }
    }

    #[test]
    fn rows_stand_in_their_columns_and_numbers_lose_no_digit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.csv");
        let mut table = PredictionWriter::create(&path, &["sex"]).unwrap();
        table.write(&row()).unwrap();
        table.write(&PredictionRow { label: Label::Unknown, threshold: None, ..row() }).unwrap();
        assert!(table.write(&PredictionRow { groups: Vec::new(), ..row() }).is_err());
        table.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "image_id,patient,label,probability,threshold,sex\nS1,\"p, 1\",1,0.30000000000000004,0.5,f\n\
             S1,\"p, 1\",,0.30000000000000004,,f\n"
        );
    }

    #[test]
    fn an_earlier_table_is_replaced_and_a_manifest_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.csv");
        for header in ["image_id,patient,label,probability\n", "image_id,patient,label,probability,threshold,sex\n", ""]
        {
            std::fs::write(&path, header).unwrap();
            PredictionWriter::create(&path, &[]).unwrap().finish().unwrap();
        }
        for other in ["image_id,path,patient,body_part,label\nS1,", "image_id,patient,label", "GIF89a"] {
            std::fs::write(&path, other).unwrap();
            let error = PredictionWriter::create(&path, &[]).unwrap_err().to_string();
            assert!(error.contains("not an earlier output"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
        }
    }

    #[test]
    fn of_hardware_a_subgroup_says_only_whether_there_is_any() {
        let mut film = Film::new("S1", "a.png", "p1", BodyPart::Pelvis, Label::Absent);
        assert_eq!(subgroup_of(&film, "hardware"), "");
        for (value, group) in [("", "no"), ("no", "no"), ("dhs", "yes")] {
            film.extra.insert("hardware".into(), value.into());
            assert_eq!(subgroup_of(&film, "hardware"), group, "{value}");
        }
        assert_eq!(subgroup_of(&film, "body_part"), "pelvis");
    }
}
