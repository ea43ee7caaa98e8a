//! Reads ratings from any of three layouts.

use std::fs;
use std::path::Path;

use coxa_files::table::Table;
use coxa_schema::Label;
use coxa_stats::mrmc::CaseRating;

use super::table::{RatedRow, ReaderTable};
use super::{imrmc, marks, rjafroc};
use crate::error::StudyError;

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
