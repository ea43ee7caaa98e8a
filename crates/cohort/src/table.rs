//! CSV tables, read strictly and written whole: the one place that knows about line numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::disk::{Partial, write_synced};
use crate::error::CohortError;

/// A table in memory, every field trimmed of surrounding white space.
#[derive(Debug, Clone)]
pub struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// A file that cannot be read, text that is not UTF-8, a row with another number of fields than the header, an empty
    /// header, a column without a name or twice.
    pub fn read(path: &Path) -> Result<Self, CohortError> {
        let bytes = fs::read(path).map_err(CohortError::io(path))?;
        Self::parse(&bytes, path)
    }

    /// Reads a table from bytes; `path` is for error messages. The same errors as [`Table::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, CohortError> {
        let malformed = |line: u64, reason: String| CohortError::Malformed { path: path.to_owned(), line, reason };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|error| malformed(1, reason_of(&error)))?;
        let columns: Vec<String> = header.iter().map(str::to_owned).collect();
        if columns.iter().all(String::is_empty) {
            return Err(malformed(1, "the table has no header".to_owned()));
        }
        for (i, column) in columns.iter().enumerate() {
            if column.is_empty() {
                return Err(malformed(1, format!("column {} has no name", i + 1)));
            }
            if columns[..i].contains(column) {
                return Err(malformed(1, format!("column `{column}` is there twice")));
            }
        }
        let mut rows = Vec::new();
        let mut lines = Lines::of(bytes);
        for record in reader.records() {
            match record {
                Ok(record) => {
                    let line = lines.of_record(record.position());
                    rows.push((line, record.iter().map(str::to_owned).collect()));
                }
                Err(error) => {
                    return Err(malformed(lines.of_record(error.position()), reason_of(&error)));
                }
            }
        }
        Ok(Self { path: path.to_owned(), columns, rows })
    }

    /// The file that the table was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns, in their order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows there are, the header not counted.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The place of a column that must be there.
    ///
    /// # Errors
    /// [`CohortError::MissingColumn`], naming the columns found.
    pub fn require(&self, column: &str) -> Result<usize, CohortError> {
        self.find(column).ok_or_else(|| CohortError::MissingColumn {
            path: self.path.clone(),
            column: column.to_owned(),
            found: match self.columns.as_slice() {
                [only] if only.contains([';', '\t']) => {
                    format!("{only}; its columns must be separated by commas")
                }
                columns => columns.join(", "),
            },
        })
    }

    /// The place of a column, if it is there.
    pub fn find(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, fields)| Row { table: self, line: *line, fields })
    }
}

/// A row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
    line: u64,
    fields: &'a [String],
}

impl<'a> Row<'a> {
    /// The line of the file, counted from 1 (the header is line 1).
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The field at a place that [`Table::require`] or [`Table::find`] gave.
    pub fn at(&self, place: usize) -> &'a str {
        &self.fields[place]
    }

    /// The field of a column; empty where the table has no such column.
    pub fn text(&self, column: &str) -> &'a str {
        self.table.find(column).map_or("", |place| self.at(place))
    }

    /// The error that this row's column holds a value other than `expected`.
    pub fn value_error(&self, column: &str, expected: impl Into<String>) -> CohortError {
        CohortError::Value {
            path: self.table.path.clone(),
            line: self.line,
            column: column.to_owned(),
            value: self.text(column).to_owned(),
            expected: expected.into(),
        }
    }

    /// The field of a column, which must not be empty.
    ///
    /// # Errors
    /// [`CohortError::Value`] for an empty field.
    pub fn required(&self, column: &str, expected: &str) -> Result<&'a str, CohortError> {
        match self.text(column) {
            "" => Err(self.value_error(column, expected)),
            text => Ok(text),
        }
    }

    /// A finite number within `range`, or `None` for an empty field.
    ///
    /// # Errors
    /// [`CohortError::Value`] for anything else.
    pub fn number(
        &self,
        column: &str,
        range: std::ops::RangeInclusive<f64>,
        expected: &str,
    ) -> Result<Option<f64>, CohortError> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(value) if range.contains(&value) => Ok(Some(value)),
            _ => Err(self.value_error(column, expected)),
        }
    }

    /// A value that `parse` understands, or `None` for an empty field.
    ///
    /// # Errors
    /// [`CohortError::Value`] for a field that `parse` does not understand.
    pub fn parsed<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, CohortError> {
        match self.text(column) {
            "" => Ok(None),
            text => parse(text).map(Some).ok_or_else(|| self.value_error(column, expected)),
        }
    }

    /// A yes or a no; `None` for an empty field.
    ///
    /// # Errors
    /// [`CohortError::Value`] for anything but 0/1, no/yes, false/true.
    pub fn flag(&self, column: &str) -> Result<Option<bool>, CohortError> {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "0" | "no" | "n" | "false" => Some(false),
            "1" | "yes" | "y" | "true" => Some(true),
            _ => None,
        };
        self.parsed(column, parse, "0 or 1 (also no/yes, false/true)")
    }
}

/// Counts the lines of a file up to each record. The CSV reader's own count is that of the empty lines before the record.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// The line on which the record at a position begins; positions must not fall.
    fn of_record(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(self.at, |position| position.byte() as usize);
        while let Some(&byte) = self.bytes.get(self.at) {
            if self.at >= start && byte != b'\n' && byte != b'\r' {
                break;
            }
            let is_end = byte == b'\n' || (byte == b'\r' && self.bytes.get(self.at + 1) != Some(&b'\n'));
            self.line += u64::from(is_end);
            self.at += 1;
        }
        self.line
    }
}

/// Remembers values that must be unique, with the line where each was first seen.
#[derive(Debug, Default)]
pub(crate) struct Unique(BTreeMap<String, u64>);

impl Unique {
    /// Notes a value of a row; an error if it was there before. Empty values are not compared.
    pub(crate) fn note(&mut self, path: &Path, line: u64, column: &str, value: &str) -> Result<(), CohortError> {
        if value.is_empty() {
            return Ok(());
        }
        if let Some(&first_line) = self.0.get(value) {
            return Err(CohortError::Duplicate {
                path: path.to_owned(),
                line,
                first_line,
                column: column.to_owned(),
                value: value.to_owned(),
            });
        }
        self.0.insert(value.to_owned(), line);
        Ok(())
    }
}

/// Writes rows of fields as CSV in memory; every row has as many fields as the header.
pub fn to_csv<R, F>(header: &[&str], rows: R) -> Vec<u8>
where
    R: IntoIterator<Item = F>,
    F: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to a Vec cannot fail, and every row has the header's length by construction of the callers.
    writer.write_record(header).expect("a header in memory");
    for row in rows {
        writer.write_record(row).expect("a row in memory");
    }
    writer.into_inner().expect("a buffer in memory")
}

/// Writes several files of one folder, each whole or not at all: all are first written beside their places and flushed to
/// the disk, and only then renamed, in the order given.
///
/// # Errors
/// [`CohortError::Io`]; the temporary files are then removed.
pub fn write_atomically(folder: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), CohortError> {
    let written = |path: &Path, bytes: &[u8]| {
        let partial = Partial::file(path)?;
        write_synced(partial.path(), bytes).map(|()| partial)
    };
    let mut made = Vec::with_capacity(files.len());
    for (name, bytes) in files {
        let path = folder.join(name);
        made.push((written(&path, bytes).map_err(CohortError::io(&path))?, path));
    }
    for (partial, path) in made {
        partial.keep().map_err(CohortError::io(&path))?;
    }
    Ok(())
}

fn reason_of(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8", err.field() + 1),
        _ => error.to_string(),
    }
}
