//! A locked study's answers joined to the truth, as `coxa readers analyze` reads them.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_files::table::{Table, TableError, to_csv};

use crate::db::{StudyAnswer, StudyReader};

/// The truth of films, by SOP Instance UID: whether there is a fracture, and the patient where it is stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truths(BTreeMap<String, (bool, String)>);

impl Truths {
    /// Reads a CSV with the columns `sop_instance_uid`, `truth` (0 or 1) and, where several films are of one patient, `patient`.
    ///
    /// # Errors
    /// [`TableError`] with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let place = Path::new("the truth");
        let table = Table::parse(bytes, place)?;
        for column in ["sop_instance_uid", "truth"] {
            table.require(column)?;
        }
        let (mut all, mut seen) = (BTreeMap::new(), coxa_files::table::Unique::default());
        for row in table.rows() {
            let uid = row.required("sop_instance_uid", "a UID")?.trim().to_owned();
            seen.note(place, row.line(), "sop_instance_uid", &uid)?;
            let truth = row.flag("truth")?.ok_or_else(|| row.value_error("truth", "0 or 1"))?;
            all.insert(uid, (truth, row.text("patient").trim().to_owned()));
        }
        Ok(Self(all))
    }

    /// The films that have no truth here.
    pub fn missing<'a>(&self, films: &'a [String]) -> Vec<&'a str> {
        films.iter().filter(|film| !self.0.contains_key(*film)).map(String::as_str).collect()
    }
}

/// The ratings of a study: readers and films are called by their numbers, so that the file names nobody. Practice is left out.
pub fn ratings(films: &[String], readers: &[StudyReader], answers: &[StudyAnswer], truths: &Truths) -> Vec<u8> {
    let by_id: BTreeMap<i64, &StudyReader> = readers.iter().map(|reader| (reader.id, reader)).collect();
    // Patients are numbered as they come, in the order of the films.
    let mut patients: BTreeMap<&str, usize> = BTreeMap::new();
    let knows_patients = films.iter().all(|film| truths.0.get(film).is_some_and(|(_, patient)| !patient.is_empty()));
    for film in films {
        if let Some((_, patient)) = truths.0.get(film) {
            let next = patients.len() + 1;
            patients.entry(patient).or_insert(next);
        }
    }
    let rows = answers.iter().filter(|answer| !answer.is_practice).filter_map(|answer| {
        let reader = by_id.get(&answer.reader)?;
        let film = usize::try_from(answer.film).ok()?;
        let (truth, patient) = truths.0.get(films.get(film)?)?;
        let patient = if knows_patients { format!("P{:04}", patients.get(patient.as_str())?) } else { String::new() };
        Some([
            reader.number(),
            answer.arm.clone(),
            format!("F{:04}", film + 1),
            i64::from(*truth).to_string(),
            answer.rating.to_string(),
            patient,
            reader.specialty.clone(),
            format!("{:.3}", answer.milliseconds as f64 / 1000.0),
        ])
    });
    to_csv(&["reader", "treatment", "case", "truth", "rating", "patient", "group", "seconds"], rows)
}
