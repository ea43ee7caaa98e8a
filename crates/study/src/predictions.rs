//! A table of predictions: `image_id,patient,label,probability`, perhaps `threshold`, and any further columns, which are subgroups.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coxa_cohort::CohortError;
use coxa_files::table::{Row, Table, TableError, to_csv};
use coxa_files::whole::write_whole;
use coxa_schema::Label;
use coxa_stats::{Clusters, Scored, Undefined};

use crate::error::StudyError;

/// Predictions with their truth, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    path: PathBuf,
    rows: Vec<Prediction>,
    columns: Vec<String>,
    scores: Vec<f64>,
    truth: Vec<bool>,
    threshold: Option<f64>,
}

/// A film's prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The line of the file, counted from 1; for predictions that are not of a file, the line that they would have.
    pub line: u64,
    /// The film.
    pub image_id: String,
    /// The patient's pseudonym; empty if not known.
    pub patient: String,
    /// Whether there is a fracture.
    pub truth: bool,
    /// The predicted probability of a fracture, 0 to 1.
    pub probability: f64,
    /// The values of the further columns, in the order of [`Predictions::columns`].
    pub groups: Vec<String>,
}

impl Predictions {
    /// Reads a table with the columns `image_id`, `label` (0 or 1) and `probability` (0 to 1), perhaps `patient`, and further
    /// columns.
    ///
    /// # Errors
    /// [`StudyError`], naming the row: a missing column, a label that is neither 0 nor 1, a probability that is not a number of
    /// 0 to 1, a film twice.
    pub fn load(path: &Path) -> Result<Self, StudyError> {
        Self::of_table(&Table::read(path)?)
    }

    /// Reads the table from bytes; `name` stands for the file in error messages. As [`Predictions::load`].
    ///
    /// # Errors
    /// As [`Predictions::load`].
    pub fn parse(bytes: &[u8], name: &Path) -> Result<Self, StudyError> {
        Self::of_table(&Table::parse(bytes, name)?)
    }

    /// Makes a table of rows in memory; `name` stands for the file in error messages.
    ///
    /// # Errors
    /// As [`Predictions::load`].
    pub fn of_rows(name: &Path, columns: Vec<String>, rows: Vec<Prediction>) -> Result<Self, StudyError> {
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &rows {
            if let Some(first_line) = first.insert(&row.image_id, row.line) {
                return Err(StudyError::Table(TableError::Duplicate {
                    path: name.to_owned(),
                    line: row.line,
                    first_line,
                    column: "image_id".to_owned(),
                    value: row.image_id.clone(),
                }));
            }
            if !(0.0..=1.0).contains(&row.probability) {
                return Err(StudyError::Table(TableError::Value {
                    path: name.to_owned(),
                    line: row.line,
                    column: "probability".to_owned(),
                    value: row.probability.to_string(),
                    expected: PROBABILITY.to_owned(),
                }));
            }
        }
        let scores = rows.iter().map(|row| row.probability).collect();
        let truth = rows.iter().map(|row| row.truth).collect();
        Ok(Self { path: name.to_owned(), rows, columns, scores, truth, threshold: None })
    }

    fn of_table(table: &Table) -> Result<Self, StudyError> {
        for column in ["image_id", "label", "probability"] {
            table.require(column)?;
        }
        let own = ["image_id", "patient", "label", "probability", "threshold"];
        let columns: Vec<String> =
            table.columns().iter().filter(|column| !own.contains(&column.as_str())).cloned().collect();
        let rows = CohortError::gather(table.rows().map(|row| prediction(row, &columns)))?;
        let threshold = threshold(table)?;
        Ok(Self { threshold, ..Self::of_rows(table.path(), columns, rows)? })
    }

    /// The same predictions, made to be called positive from this probability on.
    pub fn with_threshold(self, threshold: f64) -> Self {
        Self { threshold: Some(threshold), ..self }
    }

    /// The probability from which the model that made them calls a film positive, where that is known.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Writes the table, whole or not at all.
    ///
    /// # Errors
    /// [`StudyError`] from the disk, or for a path without a file name.
    pub fn save(&self, path: &Path) -> Result<(), StudyError> {
        let header: Vec<&str> = ["image_id", "patient", "label", "probability"]
            .into_iter()
            .chain(self.threshold.map(|_| "threshold"))
            .chain(self.columns.iter().map(String::as_str))
            .collect();
        let rows = self.rows.iter().map(|row| {
            let label = Label::from(row.truth).to_string();
            [row.image_id.clone(), row.patient.clone(), label, row.probability.to_string()]
                .into_iter()
                .chain(self.threshold.map(|threshold| threshold.to_string()))
                .chain(row.groups.iter().cloned())
                .collect::<Vec<_>>()
        });
        write_whole(path, &to_csv(&header, rows)).map_err(StudyError::io(path))
    }

    /// The file that they were read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The predictions in the file's order.
    pub fn rows(&self) -> &[Prediction] {
        &self.rows
    }

    /// The further columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many films there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no film.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The probabilities, in the rows' order.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The truth, in the rows' order.
    pub fn truth(&self) -> &[bool] {
        &self.truth
    }

    /// Probabilities and truth for `coxa_stats`.
    ///
    /// # Errors
    /// Never for predictions that were read: their probabilities are finite.
    pub fn scored(&self) -> Result<Scored<'_>, Undefined> {
        Scored::new(&self.scores, &self.truth)
    }

    /// Which films belong to one patient.
    ///
    /// # Errors
    /// [`StudyError::NoPatient`], naming the first film without one.
    pub fn clusters(&self) -> Result<Clusters, StudyError> {
        if let Some(row) = self.rows.iter().find(|row| row.patient.is_empty()) {
            return Err(StudyError::NoPatient {
                path: self.path.clone(),
                line: row.line,
                image_id: row.image_id.clone(),
            });
        }
        let patients: Vec<&str> = self.rows.iter().map(|row| row.patient.as_str()).collect();
        Ok(Clusters::new(&patients))
    }

    /// The rows that `keep` keeps, as a table of their own.
    pub fn subset(&self, keep: impl Fn(&Prediction) -> bool) -> Self {
        let rows: Vec<Prediction> = self.rows.iter().filter(|row| keep(row)).cloned().collect();
        let scores = rows.iter().map(|row| row.probability).collect();
        let truth = rows.iter().map(|row| row.truth).collect();
        Self { path: self.path.clone(), rows, columns: self.columns.clone(), scores, truth, threshold: self.threshold }
    }
}

/// The one threshold of the table's column of that name, where it has one.
fn threshold(table: &Table) -> Result<Option<f64>, TableError> {
    const EXPECTED: &str = "a number of 0 to 1, the same in every row";
    let mut found = None;
    for (i, row) in table.rows().enumerate() {
        let value = row.number("threshold", 0.0..=1.0, EXPECTED)?;
        if i > 0 && value != found {
            return Err(row.value_error("threshold", EXPECTED));
        }
        found = value;
    }
    Ok(found)
}

const PROBABILITY: &str = "a probability, a number of 0 to 1";

fn prediction(row: Row<'_>, columns: &[String]) -> Result<Prediction, CohortError> {
    let label = Label::parse(row.text("label")).and_then(Label::index);
    let truth = label.ok_or_else(|| row.value_error("label", "0 or 1"))? == 1;
    let probability = row.number("probability", 0.0..=1.0, PROBABILITY)?;
    Ok(Prediction {
        line: row.line(),
        image_id: row.required("image_id", "the film's name")?.to_owned(),
        patient: row.text("patient").to_owned(),
        truth,
        probability: probability.ok_or_else(|| row.value_error("probability", PROBABILITY))?,
        groups: columns.iter().map(|column| row.text(column).to_owned()).collect(),
    })
}
