//! The ratings of a study with where each stood in its file, in any of three layouts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use coxa_files::table::Table;
use coxa_schema::Label;
use coxa_stats::mrmc::{CaseRating, DesignError, ReaderStudy};

use super::{imrmc, marks, rjafroc};
use crate::error::StudyError;

/// The ratings of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderTable {
    /// The file.
    pub path: PathBuf,
    /// The ratings of cases, in the file's order. Of a study with marks: each case's highest.
    pub rows: Vec<RatedRow>,
    /// Of a study with marks: ratings of lesions, and of cases without any, with the case as the patient.
    pub marks: Option<Vec<RatedRow>>,
}

/// A rating.
#[derive(Debug, Clone, PartialEq)]
pub struct RatedRow {
    /// Where it stands, for errors: a line, or a sheet and row.
    pub place: String,
    /// The rating.
    pub rating: CaseRating,
    /// The case's patient; empty where it is not known.
    pub patient: String,
    /// The reader's group, such as a specialty; empty where it is not known.
    pub group: String,
    /// The reading time, where it is known.
    pub seconds: Option<f64>,
}

impl RatedRow {
    pub(super) fn new(place: String, rating: CaseRating) -> Self {
        Self { place, rating, patient: String::new(), group: String::new(), seconds: None }
    }
}

impl ReaderTable {
    /// Reads a file: a workbook in RJafroc's layout, a text in iMRMC's (with a line `BEGIN DATA:`), or else a CSV with the columns
    /// `reader, treatment, case, truth, rating` and, where they are known, `patient`, `group`, `seconds` and `lesions`. `marked` is a CSV
    /// of marks, `reader, treatment, case, lesion, rating`, that belongs to such a CSV.
    ///
    /// # Errors
    /// A file that cannot be read, or a value in it, with line or sheet, row and column.
    pub fn load(path: &Path, marked: Option<&Path>) -> Result<Self, StudyError> {
        let bytes = fs::read(path).map_err(StudyError::io(path))?;
        let table = if bytes.starts_with(b"PK\x03\x04") {
            rjafroc::read(&bytes, path)?
        } else if let Some(text) = imrmc::text(&bytes) {
            Self { path: path.to_owned(), rows: imrmc::read(text, path)?, marks: None }
        } else {
            let table = Table::parse(&bytes, path)?;
            let rows = rows(&table)?;
            let marks = marked.map(|marked| marks::read(&table, &rows, marked)).transpose()?;
            return Ok(Self { path: path.to_owned(), rows, marks });
        };
        if let Some(marked) = marked {
            let reason = format!("the marks of {} belong to a CSV of ratings only", marked.display());
            return Err(StudyError::Rating { path: path.to_owned(), place: String::new(), reason });
        }
        Ok(table)
    }

    /// The study, without the reader `except`.
    ///
    /// # Errors
    /// [`StudyError::Rating`] for a rating given twice, a case with two truths or two patients, or with a patient where others have none.
    pub fn study(&self, except: Option<&str>) -> Result<ReaderStudy, StudyError> {
        let rows: Vec<&RatedRow> = self.rows.iter().filter(|row| Some(row.rating.reader.as_str()) != except).collect();
        self.study_of(&rows)
    }

    pub(super) fn study_of(&self, rows: &[&RatedRow]) -> Result<ReaderStudy, StudyError> {
        let ratings: Vec<CaseRating> = rows.iter().map(|row| row.rating.clone()).collect();
        let bad = |place: &str, reason: String| StudyError::Rating { path: self.path.clone(), place: place.into(), reason };
        let at = |error: DesignError| bad(error.row().map_or("", |row| rows[row].place.as_str()), error.to_string());
        let study = ReaderStudy::from_rows(&ratings).map_err(at)?;
        let Some(known) = rows.iter().find(|row| !row.patient.is_empty()) else { return Ok(study) };
        let mut patients: BTreeMap<&str, &str> = BTreeMap::new();
        for row in rows {
            let case = row.rating.case.as_str();
            if row.patient.is_empty() {
                let reason = format!("case {case} has no patient, but case {} has", known.rating.case);
                return Err(bad(&row.place, reason));
            }
            if *patients.entry(case).or_insert(&row.patient) != row.patient {
                return Err(bad(&row.place, format!("case {case} has another patient in an earlier row")));
            }
        }
        let mut distinct: Vec<&str> = patients.values().copied().collect();
        distinct.sort_unstable();
        distinct.dedup();
        // Where every case is a patient of its own, nothing depends on it.
        if distinct.len() == patients.len() {
            return Ok(study);
        }
        Ok(study.with_patients(|case| patients.get(case).copied().unwrap_or_default()))
    }
}

fn rows(table: &Table) -> Result<Vec<RatedRow>, StudyError> {
    for column in ["reader", "treatment", "case", "truth", "rating"] {
        table.require(column)?;
    }
    let mut rows = Vec::with_capacity(table.len());
    for row in table.rows() {
        let named = |column: &str| row.required(column, "a name").map(str::to_owned);
        let truth =
            Label::parse(row.text("truth")).and_then(Label::index).ok_or_else(|| row.value_error("truth", "0 or 1"))?;
        const RATING: &str = "a number";
        let rating =
            row.number("rating", f64::MIN..=f64::MAX, RATING)?.ok_or_else(|| row.value_error("rating", RATING))?;
        let rating = CaseRating {
            reader: named("reader")?,
            treatment: named("treatment")?,
            case: named("case")?,
            truth: truth == 1,
            rating,
        };
        rows.push(RatedRow {
            place: format!("line {}", row.line()),
            rating,
            patient: row.text("patient").to_owned(),
            group: row.text("group").to_owned(),
            seconds: row.number("seconds", 0.0..=f64::MAX, "a number of seconds")?,
        });
    }
    Ok(rows)
}
