//! What a network was trained or validated on: the films by their files' hashes, the patients by hashes under their run's key.

use std::collections::BTreeSet;
use std::path::Path;

use super::patients::PatientKey;
use crate::{ModelError, files};

/// The films, one a line; bundles may lack it.
const FILMS_FILE: &str = "films.txt";
/// The patients, one a line; bundles may lack it.
const PATIENTS_FILE: &str = "patients.txt";
/// Digits of a film's SHA-256 that are kept: enough to know a film again.
const FILM_DIGITS: usize = 16;

/// Films and patients that a network was trained or validated on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    films: BTreeSet<String>,
    /// A key's name and a patient's hash under it ([`PatientKey::line_of`]).
    patients: BTreeSet<String>,
}

impl Seen {
    /// Of the films of these SHA-256, and of these patients under a key.
    pub(crate) fn new<'a>(
        films: impl Iterator<Item = &'a str>,
        patients: impl Iterator<Item = &'a str>,
        key: &PatientKey,
    ) -> Self {
        Seen {
            films: films.filter_map(|sha256| sha256.get(..FILM_DIGITS)).map(str::to_owned).collect(),
            patients: patients.map(|patient| key.line_of(patient)).collect(),
        }
    }

    /// What either was trained or validated on.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Seen { films: &self.films | &other.films, patients: &self.patients | &other.patients }
    }

    pub(super) fn load(folder: &Path) -> Result<Self, ModelError> {
        let lines = |name| -> Result<BTreeSet<String>, ModelError> {
            let path = folder.join(name);
            let text = if path.exists() { files::read_text(&path)? } else { String::new() };
            Ok(text.lines().map(str::to_owned).collect())
        };
        Ok(Seen { films: lines(FILMS_FILE)?, patients: lines(PATIENTS_FILE)? })
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), ModelError> {
        for (name, lines) in [(FILMS_FILE, &self.films), (PATIENTS_FILE, &self.patients)] {
            if !lines.is_empty() {
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                files::write_synced(&folder.join(name), text.as_bytes())?;
            }
        }
        Ok(())
    }

    pub(super) fn films(&self) -> &BTreeSet<String> {
        &self.films
    }

    pub(super) fn has_film(&self, sha256: &str) -> bool {
        sha256.get(..FILM_DIGITS).is_some_and(|digits| self.films.contains(digits))
    }

    pub(super) fn has_patient(&self, patient: &str, key: &PatientKey) -> bool {
        !patient.trim().is_empty() && self.patients.contains(&key.line_of(patient))
    }

    /// Whether every patient can be compared with one whose hash under this key is known.
    pub(super) fn knows_patients_by(&self, key: &PatientKey) -> bool {
        let name = key.name();
        !self.patients.is_empty() && self.patients.iter().all(|line| line.starts_with(&name))
    }
}
