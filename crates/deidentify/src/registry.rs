//! The registry under the same pseudonyms and shifted dates as the films. Only columns that are known stay.

use std::path::Path;

use coxa_files::table::{Row, Table, TableError, to_csv};

use crate::dates::shift_iso;
use crate::deidentifier::Deidentifier;
use crate::error::DeidentifyError;

/// What became of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryReport {
    /// Rows.
    pub rows: usize,
    /// Columns that were left out, as nothing is known about what they hold.
    pub left_out: Vec<String>,
    /// Fields that were emptied: they did not hold what their column holds.
    pub emptied: usize,
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Column {
    Patient,
    Date,
    /// Years; above 89 they become 90.
    Age,
    /// A number or a flag.
    Number,
    Sex,
    /// ICD codes between semicolons.
    Codes,
    /// Words of the list.
    Words,
}

fn column(name: &str) -> Option<Column> {
    Some(match name {
        "patient" => Column::Patient,
        "injury_date" | "film_date" | "admission_date" | "discharge_date" | "operation_date" => Column::Date,
        "age" => Column::Age,
        "iss" | "admitted" | "label" => Column::Number,
        "sex" => Column::Sex,
        "diagnosis" => Column::Codes,
        "procedures" | "view" | "quality" | "fracture_type" | "side" | "body_part" => Column::Words,
        _ => return None,
    })
}

/// De-identifies a registry: patients become the pseudonyms that their films have, dates move by the same days.
///
/// # Errors
/// [`DeidentifyError::Table`]: it is no table, has no column `patient`, or a row names no patient; [`DeidentifyError::Exists`] where
/// another file lies at `out`; [`DeidentifyError::Io`].
pub fn deidentify_registry(
    deidentifier: &Deidentifier,
    registry: &Path,
    out: &Path,
) -> Result<RegistryReport, DeidentifyError> {
    let table = read(registry)?;
    let kept: Vec<(usize, &str, Column)> =
        table.columns().iter().enumerate().filter_map(|(at, name)| Some((at, name.as_str(), column(name)?))).collect();
    let is_left_out = |name: &&String| column(name).is_none();
    let left_out = table.columns().iter().filter(is_left_out).cloned().collect();
    let mut emptied = 0;
    let mut rows = Vec::with_capacity(table.len());
    for row in table.rows() {
        let patient = patient_of(&row, registry)?;
        let (pseudonym, days) = deidentifier.patient(patient);
        let mut fields = Vec::with_capacity(kept.len());
        for &(at, _, column) in &kept {
            let text = row.at(at);
            let field = match column {
                Column::Patient => Some(pseudonym.clone()),
                _ if text.is_empty() => Some(String::new()),
                column => value(deidentifier, column, text, days),
            };
            emptied += usize::from(field.is_none());
            fields.push(field.unwrap_or_default());
        }
        rows.push(fields);
    }
    let header: Vec<&str> = kept.iter().map(|(_, name, _)| *name).collect();
    let n = rows.len();
    write_new(out, &to_csv(&header, rows))?;
    Ok(RegistryReport { rows: n, left_out, emptied })
}

/// The patients that a registry names: what must be found nowhere.
///
/// # Errors
/// As [`deidentify_registry`] where it cannot be read.
pub fn patients_in(registry: &Path) -> Result<Vec<String>, DeidentifyError> {
    let table = read(registry)?;
    table.rows().map(|row| patient_of(&row, registry).map(str::to_owned)).collect()
}

fn read(path: &Path) -> Result<Table, DeidentifyError> {
    let fault = |line, reason: String| DeidentifyError::Table { path: path.to_owned(), line, reason };
    let table = Table::read(path).map_err(|error| match error {
        TableError::Io { path, source } => DeidentifyError::Io { path, source },
        TableError::Malformed { line, reason, .. } => fault(line, reason),
        // Others quote values.
        _ => fault(1, "it is not a table".into()),
    })?;
    match table.find("patient") {
        Some(_) => Ok(table),
        None => Err(fault(1, "column `patient` is missing".into())),
    }
}

fn patient_of<'a>(row: &Row<'a>, path: &Path) -> Result<&'a str, DeidentifyError> {
    match row.text("patient") {
        "" => Err(DeidentifyError::Table {
            path: path.to_owned(),
            line: row.line(),
            reason: "it names no patient".into(),
        }),
        patient => Ok(patient),
    }
}

fn value(deidentifier: &Deidentifier, column: Column, text: &str, days: i64) -> Option<String> {
    let number = || text.parse::<f64>().ok().filter(|n| n.is_finite() && (0.0..=1000.0).contains(n));
    match column {
        Column::Patient => None,
        Column::Date => shift_iso(text, days),
        Column::Age => number().map(|age| if age >= 90.0 { "90".to_owned() } else { text.to_owned() }),
        Column::Number => {
            let is_flag = ["yes", "no", "true", "false", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
            (is_flag || number().is_some()).then(|| text.to_owned())
        }
        Column::Sex => {
            let sex = text.to_ascii_lowercase();
            ["m", "f", "o", "male", "female", "other"].contains(&sex.as_str()).then(|| text.to_owned())
        }
        Column::Codes => text.split(';').all(|code| is_icd(code.trim())).then(|| text.to_owned()),
        Column::Words => {
            let cleaned = deidentifier.words().clean(text, |_| false);
            (!cleaned.is_empty()).then_some(cleaned)
        }
    }
}

/// The form of an ICD-9 or ICD-10 code: `820.21`, `E885.9`, `S72.001A`.
fn is_icd(code: &str) -> bool {
    let (category, rest) = code.split_once('.').unwrap_or((code, ""));
    let is_category = matches!(category.as_bytes(), [a, b, c] if a.is_ascii_alphanumeric() && b.is_ascii_digit() && c.is_ascii_alphanumeric())
        || matches!(category.as_bytes(), [b'E' | b'e', b @ ..] if b.len() == 3 && b.iter().all(u8::is_ascii_digit))
        || (rest.is_empty() && category.len() <= 7 && category.starts_with(|c: char| c.is_ascii_alphabetic()) && {
            category.bytes().skip(1).take(2).all(|b| b.is_ascii_digit())
                && category.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    is_category && rest.len() <= 4 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Writes a file that is not there yet, or that holds these bytes already.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), DeidentifyError> {
    let io = |source| DeidentifyError::Io { path: path.to_owned(), source };
    if path.exists() {
        let is_same = std::fs::read(path).map_err(io)? == bytes;
        return if is_same { Ok(()) } else { Err(DeidentifyError::Exists { path: path.to_owned() }) };
    }
    coxa_files::write_whole(path, bytes).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deidentifier::Settings;
    use crate::key::Key;

    #[test]
    fn a_registry_keeps_what_is_known_under_pseudonyms() {
        let folder = tempfile::tempdir().unwrap();
        let (input, out) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
        let text = "patient,name,injury_date,age,sex,iss,diagnosis,admitted,procedures\n\
                    ID 77,Jane Doe,2015-03-01,93,F,9,820.21; E885.9,1,\"ORIF left femur, Quincy\"\n\
                    id77,J. Doe,2015-03-11,,F,9,S72.001A,yes,\n\
                    ID78,X,yesterday,41,Jane,9,Doe Jane,1,\n";
        std::fs::write(&input, text).unwrap();
        let deidentifier = Deidentifier::new(Key::from_bytes([7; 32]), Settings::default());
        let report = deidentify_registry(&deidentifier, &input, &out).unwrap();
        assert_eq!(report, RegistryReport { rows: 3, left_out: vec!["name".into()], emptied: 3 });
        let written = std::fs::read_to_string(&out).unwrap();
        let (pseudonym, days) = deidentifier.patient("ID77");
        let day = shift_iso("2015-03-01", days).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines[0], "patient,injury_date,age,sex,iss,diagnosis,admitted,procedures");
        assert_eq!(lines[1], format!("{pseudonym},{day},90,F,9,820.21; E885.9,1,ORIF left femur"));
        assert!(lines[2].starts_with(&pseudonym) && lines[3].ends_with(",,41,,9,,1,"));
        assert!(deidentify_registry(&deidentifier, &input, &out).is_ok(), "the same bytes");
        std::fs::write(&out, "other").unwrap();
        assert!(matches!(deidentify_registry(&deidentifier, &input, &out), Err(DeidentifyError::Exists { .. })));
        std::fs::write(&input, "patient,age\n,1\n").unwrap();
        let error = patients_in(&input).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("names no patient"), "{error}");
    }

    #[test]
    fn codes_are_codes() {
        assert!(["820", "820.21", "E885.9", "S72.001A", "S72001A", "V43"].iter().all(|code| is_icd(code)));
        assert!(["", "Doe", "12345678", "ID-77", "S72.Doe Jane", "20150301"].iter().all(|code| !is_icd(code)));
    }
}
