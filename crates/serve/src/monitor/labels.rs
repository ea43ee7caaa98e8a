//! A hospital's table of labels: `sop_instance_uid,label` or `accession,label`. It is taken whole or not at all, and every fault is named
//! with its row and column, never with the value: an accession number leads to a patient.

use std::collections::HashMap;
use std::path::Path;

use coxa_dimse::Uid;
use coxa_files::{Table, TableError};

/// Rows of one table.
pub const MOST_ROWS: usize = 50_000;
/// Faults that are listed.
const MOST_FAULTS: usize = 20;

/// How a table names films.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// By SOP Instance UID: a film.
    SopInstanceUid,
    /// By accession number: each film of the study.
    Accession,
}

impl Key {
    /// The column.
    pub fn column(self) -> &'static str {
        match self {
            Self::SopInstanceUid => "sop_instance_uid",
            Self::Accession => "accession",
        }
    }
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRow {
    /// The line in the file, the header being 1.
    pub line: u64,
    /// The UID or accession number.
    pub name: String,
    /// Whether there is a fracture.
    pub is_present: bool,
}

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The row, the header being 1.
    pub line: u64,
    /// The column; empty where the row as a whole is meant.
    pub column: String,
    /// What is wrong, and the way out.
    pub what: String,
}

impl Fault {
    /// A fault of a row.
    pub fn new(line: u64, column: &str, what: impl Into<String>) -> Self {
        Self { line, column: column.to_owned(), what: what.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let column = if self.column.is_empty() { String::new() } else { format!(", column {}", self.column) };
        write!(f, "Row {}{column}: {}.", self.line, self.what)
    }
}

/// Reads a table.
///
/// # Errors
/// What is wrong with it, up to 20 faults.
pub fn parse(bytes: &[u8]) -> Result<(Key, Vec<LabelRow>), Vec<Fault>> {
    let table = Table::parse(bytes, Path::new("labels")).map_err(|error| vec![of_table(error)])?;
    let key = key_of(&table).map_err(|fault| vec![fault])?;
    if table.is_empty() {
        return Err(vec![Fault::new(1, "", "the table has a header and no row")]);
    }
    if table.len() > MOST_ROWS {
        return Err(vec![Fault::new(1, "", format!("the table has more than {MOST_ROWS} rows: split it"))]);
    }
    let (mut rows, mut faults, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
    for row in table.rows() {
        let (name, label) = (row.text(key.column()), row.text("label"));
        let is_present = match label {
            "1" | "present" => Some(true),
            "0" | "absent" => Some(false),
            _ => None,
        };
        let before: Option<(u64, Option<bool>)> = seen.get(name).copied();
        if let Some(what) = wrong_name(key, name) {
            faults.push(Fault::new(row.line(), key.column(), what));
        } else if let Some((line, label)) = before {
            let what = if label.zip(is_present).is_some_and(|(a, b)| a != b) {
                format!("row {line} has the same value with the other label: settle which is right")
            } else {
                format!("row {line} has the same value: keep one of them")
            };
            faults.push(Fault::new(row.line(), key.column(), what));
        } else {
            seen.insert(name, (row.line(), is_present));
        }
        match is_present {
            None => {
                faults.push(Fault::new(row.line(), "label", "neither 1 or present (a fracture) nor 0 or absent (none)"))
            }
            Some(is_present) => rows.push(LabelRow { line: row.line(), name: name.to_owned(), is_present }),
        }
        if faults.len() >= MOST_FAULTS {
            break;
        }
    }
    faults.truncate(MOST_FAULTS);
    if faults.is_empty() { Ok((key, rows)) } else { Err(faults) }
}

fn of_table(error: TableError) -> Fault {
    match error {
        TableError::Malformed { line, reason, .. } => Fault::new(line, "", reason),
        error => Fault::new(1, "", error.to_string()),
    }
}

fn key_of(table: &Table) -> Result<Key, Fault> {
    let columns: Vec<&str> = table.columns().iter().map(String::as_str).collect();
    for key in [Key::SopInstanceUid, Key::Accession] {
        if columns.len() == 2 && columns.contains(&key.column()) && columns.contains(&"label") {
            return Ok(key);
        }
    }
    let found = columns.join(", ");
    Err(Fault::new(
        1,
        "",
        format!(
            "the columns must be sop_instance_uid and label, or accession and label, and no others (found: {found})"
        ),
    ))
}

/// What is wrong with a film's name.
fn wrong_name(key: Key, name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("empty");
    }
    if name.starts_with(['=', '+', '-', '@']) {
        return Some("a formula of a spreadsheet: export the values");
    }
    match key {
        Key::SopInstanceUid => Uid::parse(name).is_none().then_some("no UID (digits and dots, 64 characters at most)"),
        // PS3.5, 6.2: SH has 16 characters and no backslash. Archives write longer ones.
        Key::Accession => (name.chars().count() > 64 || name.chars().any(|c| c.is_control() || c == '\\'))
            .then_some("no accession number (64 characters at most, none of them a control character or backslash)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        parse(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_names_films_by_uid_or_accession() {
        let (key, rows) = parse(b"sop_instance_uid,label\r\n2.25.1,1\r\n2.25.2,absent\r\n").unwrap();
        assert_eq!((key, rows.len(), rows[0].is_present, rows[1].is_present), (Key::SopInstanceUid, 2, true, false));
        let (key, rows) = parse("\u{feff}label,accession\npresent,A 1\n".as_bytes()).unwrap();
        assert_eq!((key, rows[0].name.as_str(), rows[0].line), (Key::Accession, "A 1", 2));
    }

    #[test]
    fn every_fault_has_its_row_and_column_and_never_the_value() {
        let found = faults(
            "sop_instance_uid,label\n=cmd|'/c calc'!A1,1\n2.25.1,1\n2.25.1,1\n2.25.1,0\nDOE,1\n2.25.2,=1+1\n,0\n2.25.3,yes\n",
        );
        assert_eq!(
            found,
            [
                "Row 2, column sop_instance_uid: a formula of a spreadsheet: export the values.",
                "Row 4, column sop_instance_uid: row 3 has the same value: keep one of them.",
                "Row 5, column sop_instance_uid: row 3 has the same value with the other label: settle which is right.",
                "Row 6, column sop_instance_uid: no UID (digits and dots, 64 characters at most).",
                "Row 7, column label: neither 1 or present (a fracture) nor 0 or absent (none).",
                "Row 8, column sop_instance_uid: empty.",
                "Row 9, column label: neither 1 or present (a fracture) nor 0 or absent (none).",
            ]
        );
    }

    #[test]
    fn wrong_tables_are_refused_as_a_whole() {
        for (text, what) in [
            ("", "header"),
            ("sop_instance_uid\n2.25.1\n", "the columns must be"),
            ("sop_instance_uid,accession,label\n2.25.1,A,1\n", "the columns must be"),
            ("name,label\nDOE,1\n", "the columns must be"),
            ("accession,label\n", "no row"),
            ("accession,label\nA\n", "Row 2"),
            ("accession;label\nA;1\n", "Row 1"),
            ("accession,label\n\"A,1\n", "Row 2"),
            ("accession,label\nA\\B,1\n", "no accession number"),
        ] {
            let found = faults(text);
            assert!(found.len() == 1 && found[0].contains(what), "{text:?}: {found:?}");
        }
        let many: String =
            std::iter::once("accession,label\n".to_owned()).chain((0..100).map(|i| format!("A{i},x\n"))).collect();
        assert_eq!(faults(&many).len(), MOST_FAULTS);
    }
}
