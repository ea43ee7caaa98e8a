//! CSV tables, read strictly and written whole: the one place that knows about line numbers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::whole::{Partial, write_synced};

/// What can be wrong with a table: every error names the file, the line (the header being line 1) and the value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is no table: a row with too many or too few fields, or text that is not UTF-8.
    #[error("{path}, line {line}: {reason}", path = path.display())]
    Malformed {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A column that the table must have.
    #[error("{path}: column `{column}` is missing (found: {found})", path = path.display())]
    MissingColumn {
        /// The table.
        path: PathBuf,
        /// The missing column.
        column: String,
        /// The columns that are there.
        found: String,
    },
    /// A value that cannot be read.
    #[error("{path}, line {line}, column `{column}`: `{value}` is not {expected}", path = path.display())]
    Value {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The column.
        column: String,
        /// The value as it was found.
        value: String,
        /// What would have been understood.
        expected: String,
    },
    /// The same film, patient or registry row twice.
    #[error("{path}, line {line}: {column} `{value}` is already on line {first_line}", path = path.display())]
    Duplicate {
        /// The table.
        path: PathBuf,
        /// The line of the second, counted from 1.
        line: u64,
        /// The line of the first, counted from 1.
        first_line: u64,
        /// What is repeated: `image_id`, `sha256`, `path`, …
        column: String,
        /// The repeated value.
        value: String,
    },
}

/// Wraps an operating system's error with the path that it concerns.
fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TableError {
    let path = path.to_owned();
    move |source| TableError::Io { path, source }
}

/// A table in memory, every field trimmed of surrounding white space. Its fields share one text: a million rows are no more than
/// their characters and a number a field.
#[derive(Debug, Clone)]
pub struct Table {
    path: PathBuf,
    columns: Vec<String>,
    /// The line of each row.
    lines: Vec<u64>,
    /// All fields, row after row.
    text: String,
    /// Where each field ends in `text`.
    ends: Vec<usize>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// A file that cannot be read, text that is not UTF-8, a row with another number of fields than the header, an empty
    /// header, a column without a name or twice.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let bytes = fs::read(path).map_err(io_error(path))?;
        Self::parse(&bytes, path)
    }

    /// Reads a table from bytes; `path` is for error messages. The same errors as [`Table::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, TableError> {
        let malformed = |line: u64, reason: String| TableError::Malformed { path: path.to_owned(), line, reason };
        if let Some(reason) = other_encoding(bytes) {
            return Err(malformed(1, reason.to_owned()));
        }
        check_quotes(bytes).map_err(|(line, reason)| malformed(line, reason.to_owned()))?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|error| malformed(1, reason_of(&error)))?;
        let columns: Vec<String> = header.iter().map(str::to_owned).collect();
        if let Some(reason) = other_delimiter(&columns) {
            return Err(malformed(1, reason.to_owned()));
        }
        if columns.iter().all(String::is_empty) {
            return Err(malformed(1, "the table has no header".to_owned()));
        }
        for (i, column) in columns.iter().enumerate() {
            if column.is_empty() {
                let reason = format!("column {} has no name; name it in the first line, or remove the column", i + 1);
                return Err(malformed(1, reason));
            }
            if columns[..i].contains(column) {
                return Err(malformed(1, format!("column `{column}` is there twice")));
            }
        }
        let mut table = Self {
            path: path.to_owned(),
            columns,
            lines: Vec::new(),
            text: String::with_capacity(bytes.len()),
            ends: Vec::new(),
        };
        let mut lines = Lines::of(bytes);
        let mut record = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(true) => table.push(lines.of_record(record.position()), &record),
                Ok(false) => return Ok(table),
                Err(error) => return Err(malformed(lines.of_record(error.position()), reason_of(&error))),
            }
        }
    }

    fn push(&mut self, line: u64, record: &csv::StringRecord) {
        self.lines.push(line);
        for field in record {
            self.text.push_str(field);
            self.ends.push(self.text.len());
        }
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
        self.lines.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The place of a column that must be there.
    ///
    /// # Errors
    /// [`TableError::MissingColumn`], naming the columns found.
    pub fn require(&self, column: &str) -> Result<usize, TableError> {
        self.find(column).ok_or_else(|| TableError::MissingColumn {
            path: self.path.clone(),
            column: column.to_owned(),
            found: self.columns.join(", "),
        })
    }

    /// The place of a column, if it is there.
    pub fn find(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|index| self.row(index))
    }

    /// The row at a place below [`Table::len`].
    pub fn row(&self, index: usize) -> Row<'_> {
        Row { table: self, index }
    }
}

/// A row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
    index: usize,
}

impl<'a> Row<'a> {
    /// The line of the file, counted from 1 (the header is line 1).
    pub fn line(&self) -> u64 {
        self.table.lines[self.index]
    }

    /// The field at a place that [`Table::require`] or [`Table::find`] gave.
    pub fn at(&self, place: usize) -> &'a str {
        let Table { columns, ends, text, .. } = self.table;
        let field = self.index * columns.len() + place;
        let start = if field == 0 { 0 } else { ends[field - 1] };
        &text[start..ends[field]]
    }

    /// The field of a column; empty where the table has no such column.
    pub fn text(&self, column: &str) -> &'a str {
        self.table.find(column).map_or("", |place| self.at(place))
    }

    /// The error that this row's column holds a value other than `expected`.
    pub fn value_error(&self, column: &str, expected: impl Into<String>) -> TableError {
        TableError::Value {
            path: self.table.path.clone(),
            line: self.line(),
            column: column.to_owned(),
            value: self.text(column).to_owned(),
            expected: expected.into(),
        }
    }

    /// The field of a column, which must not be empty.
    ///
    /// # Errors
    /// [`TableError::Value`] for an empty field.
    pub fn required(&self, column: &str, expected: &str) -> Result<&'a str, TableError> {
        match self.text(column) {
            "" => Err(self.value_error(column, expected)),
            text => Ok(text),
        }
    }

    /// A finite number within `range`, or `None` for an empty field.
    ///
    /// # Errors
    /// [`TableError::Value`] for anything else.
    pub fn number(
        &self,
        column: &str,
        range: std::ops::RangeInclusive<f64>,
        expected: &str,
    ) -> Result<Option<f64>, TableError> {
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
    /// [`TableError::Value`] for a field that `parse` does not understand.
    pub fn parsed<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, TableError> {
        match self.text(column) {
            "" => Ok(None),
            text => parse(text).map(Some).ok_or_else(|| self.value_error(column, expected)),
        }
    }

    /// A yes or a no; `None` for an empty field.
    ///
    /// # Errors
    /// [`TableError::Value`] for anything but 0/1, no/yes, false/true.
    pub fn flag(&self, column: &str) -> Result<Option<bool>, TableError> {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "0" | "0.0" | "no" | "n" | "false" => Some(false),
            "1" | "1.0" | "yes" | "y" | "true" => Some(true),
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
pub struct Unique(BTreeMap<String, u64>);

impl Unique {
    /// Notes a value of a row. Empty values are not compared.
    ///
    /// # Errors
    /// [`TableError::Duplicate`] if it was there before.
    pub fn note(&mut self, path: &Path, line: u64, column: &str, value: &str) -> Result<(), TableError> {
        if value.is_empty() {
            return Ok(());
        }
        if let Some(&first_line) = self.0.get(value) {
            return Err(TableError::Duplicate {
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
/// [`TableError::Io`]; the temporary files are then removed.
pub fn write_atomically(folder: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), TableError> {
    let written = |path: &Path, bytes: &[u8]| {
        let partial = Partial::file(path)?;
        write_synced(partial.path(), bytes).map(|()| partial)
    };
    let mut made = Vec::with_capacity(files.len());
    for (name, bytes) in files {
        let path = folder.join(name);
        made.push((written(&path, bytes).map_err(io_error(&path))?, path));
    }
    for (partial, path) in made {
        partial.keep().map_err(io_error(&path))?;
    }
    Ok(())
}

/// Text in an encoding that spreadsheets write beside UTF-8.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    is_utf16.then_some("the file is UTF-16, not UTF-8; save it as \"CSV UTF-8\"")
}

/// A header whose names are not separated by commas, or that a spreadsheet's `sep=` stands before.
fn other_delimiter(columns: &[String]) -> Option<&'static str> {
    let is_sep_line = columns.first().is_some_and(|first| first.to_ascii_lowercase().starts_with("sep="));
    if is_sep_line {
        return Some("`sep=` is no header; remove this line, and separate the columns by commas");
    }
    // A name of a column holds neither: where one does, the columns were separated by it.
    let is_other = columns.iter().any(|column| column.contains([';', '\t']));
    is_other.then_some(
        "the columns are separated by semicolons or tabs, but must be separated by commas, with a point in decimal numbers (in a \
         spreadsheet, save as \"CSV UTF-8\" under English regional settings)",
    )
}

/// Checks every quoted field (RFC 4180, section 2): a quote that opens a field is closed before the file ends, and after the closing
/// quote the field ends. A reader that lets either pass swallows the rows up to the next quote.
///
/// # Errors
/// The line on which the field begins, and what is wrong.
fn check_quotes(bytes: &[u8]) -> Result<(), (u64, &'static str)> {
    enum State {
        FieldStart,
        Plain,
        Quoted,
        /// After a quote within a quoted field: it was the end of the field, or the first of two.
        Quote,
        /// White space after a closing quote.
        Closed,
    }
    const OPEN: &str =
        "a quoted field begins here and is never closed; close the quote, or double it if it is part of the text";
    const AFTER: &str =
        "a quoted field that begins here has text after its closing quote; double the quotes that are part of the text";
    let (mut state, mut line, mut opened) = (State::FieldStart, 1, 1);
    for &byte in bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) {
        state = match (state, byte) {
            (State::FieldStart, b'"') => {
                opened = line;
                State::Quoted
            }
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => State::Quoted,
            (State::Quote, b'"') => State::Quoted,
            (_, b',' | b'\n' | b'\r') => State::FieldStart,
            (State::Quote | State::Closed, b' ' | b'\t') => State::Closed,
            (State::Quote | State::Closed, _) => return Err((opened, AFTER)),
            (State::FieldStart | State::Plain, _) => State::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    if matches!(state, State::Quoted) { Err((opened, OPEN)) } else { Ok(()) }
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

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
