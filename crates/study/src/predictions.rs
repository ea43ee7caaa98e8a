//! A table of predictions: `image_id,patient,label,probability`, perhaps `threshold`, and any further columns, which are subgroups.

use std::collections::HashMap;
use std::iter;
use std::path::{Path, PathBuf};

use coxa_cohort::CohortError;
use coxa_files::table::{Row, Table, TableError, to_csv};
use coxa_files::whole::write_whole;
use coxa_schema::Label;
use coxa_stats::{Clusters, Scored, Undefined};

use crate::error::StudyError;
use crate::evaluate::Clustering;
use crate::texts::{Coded, Texts};

/// Predictions with their truth, in the file's order.
///
/// Held by column, with repeated texts kept once: a million films take some forty megabytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    path: PathBuf,
    lines: Vec<u64>,
    image_ids: Texts,
    patients: Coded,
    columns: Vec<String>,
    /// One for each of `columns`.
    groups: Vec<Coded>,
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
        if let Some(row) = rows.iter().find(|row| !(0.0..=1.0).contains(&row.probability)) {
            return Err(StudyError::Table(TableError::Value {
                path: name.to_owned(),
                line: row.line,
                column: "probability".to_owned(),
                value: row.probability.to_string(),
                expected: PROBABILITY.to_owned(),
            }));
        }
        let table = Self {
            path: name.to_owned(),
            lines: rows.iter().map(|row| row.line).collect(),
            image_ids: rows.iter().map(|row| row.image_id.as_str()).collect(),
            patients: rows.iter().map(|row| row.patient.as_str()).collect(),
            groups: (0..columns.len())
                .map(|place| rows.iter().map(|row| row.groups[place].as_str()).collect())
                .collect(),
            columns,
            scores: rows.iter().map(|row| row.probability).collect(),
            truth: rows.iter().map(|row| row.truth).collect(),
            threshold: None,
        };
        table.check_unique()?;
        Ok(table)
    }

    fn of_table(table: &Table) -> Result<Self, StudyError> {
        for column in ["image_id", "label", "probability"] {
            table.require(column)?;
        }
        let own = ["image_id", "patient", "label", "probability", "threshold"];
        let columns: Vec<String> =
            table.columns().iter().filter(|column| !own.contains(&column.as_str())).cloned().collect();
        let checked = CohortError::gather(table.rows().map(|row| Ok(checked(row)?)))?;
        let text = |column: &str| match table.find(column) {
            Some(place) => table.rows().map(|row| row.at(place)).collect(),
            None => iter::repeat_n("", table.len()).collect(),
        };
        let predictions = Self {
            path: table.path().to_owned(),
            lines: table.rows().map(|row| row.line()).collect(),
            image_ids: table.rows().map(|row| row.text("image_id")).collect(),
            patients: text("patient"),
            groups: columns.iter().map(|column| text(column)).collect(),
            columns,
            scores: checked.iter().map(|&(_, probability)| probability).collect(),
            truth: checked.iter().map(|&(truth, _)| truth).collect(),
            threshold: threshold(table)?,
        };
        predictions.check_unique()?;
        Ok(predictions)
    }

    fn check_unique(&self) -> Result<(), StudyError> {
        let mut first: HashMap<&str, usize> = HashMap::with_capacity(self.len());
        for (row, image_id) in self.image_ids.iter().enumerate() {
            if let Some(before) = first.insert(image_id, row) {
                return Err(StudyError::Table(TableError::Duplicate {
                    path: self.path.clone(),
                    line: self.lines[row],
                    first_line: self.lines[before],
                    column: "image_id".to_owned(),
                    value: image_id.to_owned(),
                }));
            }
        }
        Ok(())
    }

    /// The same predictions, made to be called positive from this probability on.
    pub fn with_threshold(self, threshold: f64) -> Self {
        Self { threshold: Some(threshold), ..self }
    }

    /// The same predictions with these patients, one for each film.
    pub(crate) fn with_patients(self, patients: Vec<String>) -> Self {
        Self { patients: patients.iter().map(String::as_str).collect(), ..self }
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
        let rows = self.rows().map(|row| {
            let label = Label::from(row.truth).to_string();
            [row.image_id, row.patient, label, row.probability.to_string()]
                .into_iter()
                .chain(self.threshold.map(|threshold| threshold.to_string()))
                .chain(row.groups)
                .collect::<Vec<_>>()
        });
        write_whole(path, &to_csv(&header, rows)).map_err(StudyError::io(path))
    }

    /// The file that they were read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The predictions in the file's order, each made anew.
    pub fn rows(&self) -> impl Iterator<Item = Prediction> {
        (0..self.len()).map(|row| Prediction {
            line: self.line(row),
            image_id: self.image_id(row).to_owned(),
            patient: self.patient(row).to_owned(),
            truth: self.truth[row],
            probability: self.scores[row],
            groups: self.groups.iter().map(|column| column.at(row).to_owned()).collect(),
        })
    }

    /// The line of the file on which a film stands, by its place.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// A film's name, by its place.
    pub fn image_id(&self, row: usize) -> &str {
        self.image_ids.at(row)
    }

    /// The names of all films, in the rows' order.
    pub fn image_ids(&self) -> impl Iterator<Item = &str> {
        self.image_ids.iter()
    }

    /// A film's patient, by its place; empty if not known.
    pub fn patient(&self, row: usize) -> &str {
        self.patients.at(row)
    }

    /// A further column, by its place in [`Predictions::columns`].
    pub(crate) fn group(&self, place: usize) -> &Coded {
        &self.groups[place]
    }

    /// The further columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many films there are.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is no film.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
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
        match (0..self.len()).find(|&row| self.patient(row).is_empty()) {
            None => Ok(Clusters::new(&self.patients.of)),
            Some(row) => Err(StudyError::NoPatient {
                path: self.path.clone(),
                line: self.lines[row],
                image_id: self.image_id(row).to_owned(),
            }),
        }
    }

    /// Which films are drawn together, where they are not independent by `clustering`; `None` where they are.
    ///
    /// Under [`Clustering::WherePatientsRepeat`] a film without a patient is on its own.
    ///
    /// # Errors
    /// [`StudyError::NoPatient`] where patients are asked for and missing.
    pub fn dependent(&self, clustering: Clustering) -> Result<Option<Clusters>, StudyError> {
        let clusters = match clustering {
            Clustering::ByFilm => return Ok(None),
            Clustering::ByPatient => self.clusters()?,
            Clustering::WherePatientsRepeat => {
                let own = |row: usize| self.patient(row).is_empty().then_some(row);
                let ids: Vec<(u32, Option<usize>)> =
                    (0..self.len()).map(|row| (self.patients.of[row], own(row))).collect();
                Clusters::new(&ids)
            }
        };
        Ok(Some(clusters).filter(|clusters| clusters.count() < self.len()))
    }

    /// How many films have no patient.
    pub fn without_patient(&self) -> usize {
        (0..self.len()).filter(|&row| self.patient(row).is_empty()).count()
    }

    /// The films at these places, as a table of their own.
    pub fn subset(&self, rows: &[usize]) -> Self {
        Self {
            path: self.path.clone(),
            lines: rows.iter().map(|&row| self.lines[row]).collect(),
            image_ids: rows.iter().map(|&row| self.image_id(row)).collect(),
            patients: self.patients.keep(rows),
            columns: self.columns.clone(),
            groups: self.groups.iter().map(|column| column.keep(rows)).collect(),
            scores: rows.iter().map(|&row| self.scores[row]).collect(),
            truth: rows.iter().map(|&row| self.truth[row]).collect(),
            threshold: self.threshold,
        }
    }
}

/// The one threshold of the table's column of that name, where it has one.
fn threshold(table: &Table) -> Result<Option<f64>, TableError> {
    const EXPECTED: &str = "a number of 0 to 1, the same in every row";
    if table.find("threshold").is_none() {
        return Ok(None);
    }
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

/// A row's label and probability; its film has a name.
fn checked(row: Row<'_>) -> Result<(bool, f64), TableError> {
    let truth = match row.text("label") {
        "0" => false,
        "1" => true,
        other => Label::parse(other).and_then(Label::index).ok_or_else(|| row.value_error("label", "0 or 1"))? == 1,
    };
    let probability = row.number("probability", 0.0..=1.0, PROBABILITY)?;
    row.required("image_id", "the film's name")?;
    Ok((truth, probability.ok_or_else(|| row.value_error("probability", PROBABILITY))?))
}
