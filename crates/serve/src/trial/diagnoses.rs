//! Final diagnoses from a CSV: `accession` or `patient_id`, `date`, `fracture`, `kind`, `source`.

use std::path::Path;

use coxa_files::table::{Row, Table};
use jiff::civil::Date;

/// Whose diagnosis it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The patient of the study with this accession number.
    Accession(String),
    /// The patient with this ID.
    Patient(String),
}

/// A final diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDiagnosis {
    /// The line that it is from, for messages; 1 for a form.
    pub line: u64,
    /// Whose.
    pub whose: Whose,
    /// When it was made.
    pub day: Date,
    /// Whether there was a fracture.
    pub is_fracture: bool,
    /// What kind; may be empty.
    pub kind: String,
    /// Where it is from; may be empty.
    pub source: String,
}

/// The longest kind or source, characters.
const LONGEST: usize = 200;

/// Reads a CSV; no message repeats a value of it, as a value may name a patient.
///
/// # Errors
/// Every fault, each with line and column.
pub fn read_diagnoses(text: &str) -> Result<Vec<NewDiagnosis>, Vec<String>> {
    let file = Path::new("diagnoses");
    let table = Table::parse(text.as_bytes(), file).map_err(|error| vec![error.to_string()])?;
    let mut faults: Vec<String> = ["date", "fracture"]
        .into_iter()
        .filter(|column| table.find(column).is_none())
        .map(|column| format!("Line 1: column `{column}` is missing."))
        .collect();
    if table.find("accession").is_none() && table.find("patient_id").is_none() {
        faults.push("Line 1: column `accession` or `patient_id` is missing.".into());
    }
    let known = ["accession", "patient_id", "date", "fracture", "kind", "source"];
    let unknown = table.columns().iter().enumerate().filter(|(_, name)| !known.contains(&name.as_str()));
    faults.extend(unknown.map(|(place, _)| format!("Line 1: column {} is none of {}.", place + 1, known.join(", "))));
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut diagnoses = Vec::new();
    for row in table.rows() {
        match diagnosis(&row) {
            Ok(diagnosis) => diagnoses.push(diagnosis),
            Err(wrong) => faults.extend(wrong),
        }
    }
    if diagnoses.is_empty() && faults.is_empty() {
        faults.push("There is no row.".into());
    }
    if faults.is_empty() { Ok(diagnoses) } else { Err(faults) }
}

fn diagnosis(row: &Row<'_>) -> Result<NewDiagnosis, Vec<String>> {
    let mut faults = Vec::new();
    let mut fault = |column: &str, needed: &str| {
        faults.push(format!("Line {}, column `{column}`: {needed} is needed.", row.line()));
    };
    let whose = match (row.text("accession"), row.text("patient_id")) {
        ("", "") => {
            fault("accession", "an accession number or a patient ID");
            None
        }
        ("", patient) => Some(Whose::Patient(patient.to_owned())),
        (accession, _) => Some(Whose::Accession(accession.to_owned())),
    };
    let day = row.text("date").parse::<Date>().ok();
    if day.is_none() {
        fault("date", "a date, YYYY-MM-DD,");
    }
    let is_fracture = row.flag("fracture").ok().flatten();
    if is_fracture.is_none() {
        fault("fracture", "yes or no (also 1, 0)");
    }
    for column in ["kind", "source"] {
        if row.text(column).chars().count() > LONGEST {
            fault(column, "a text of at most 200 characters");
        }
    }
    let text = |column: &str| row.text(column).chars().filter(|c| !c.is_control()).collect::<String>();
    match (whose, day, is_fracture) {
        (Some(whose), Some(day), Some(is_fracture)) if faults.is_empty() => {
            let (kind, source) = (text("kind"), text("source"));
            Ok(NewDiagnosis { line: row.line(), whose, day, is_fracture, kind, source })
        }
        _ => Err(faults),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_by_line_and_column_and_no_value_is_repeated() {
        let text = "accession,patient_id,date,fracture,kind,source\nA1,,2026-02-03,yes,neck,CT\n,,03.02.2026,maybe,,\n,P-SECRET,2026-02-30,1,,\n";
        let faults = read_diagnoses(text).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults[0].starts_with("Line 3, column `accession`"), "{faults:?}");
        assert!(faults[1].starts_with("Line 3, column `date`") && faults[2].starts_with("Line 3, column `fracture`"));
        assert!(faults[3].starts_with("Line 4, column `date`"));
        assert!(!faults.concat().contains("SECRET") && !faults.concat().contains("maybe"));
    }

    #[test]
    fn good_rows_are_read() {
        let read = read_diagnoses("patient_id,date,fracture\nP1,2026-02-03,no\n").unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((&read[0].whose, read[0].is_fracture), (&Whose::Patient("P1".into()), false));
        assert!(read_diagnoses("patient_id,date,fracture\n").unwrap_err()[0].contains("no row"));
        assert!(read_diagnoses("patient,date,fracture\n").unwrap_err().len() == 2);
    }
}
