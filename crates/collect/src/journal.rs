//! The journal: a line of JSON for each serial number and each injury, appended and flushed to the disk before the run goes on.
//!
//! A kill leaves at most one line without its end, which the next run cuts off. Patients are named by their pseudonyms and instances by their
//! derived UIDs, both of which only the key makes.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use coxa_deidentify::Review;
use serde::{Deserialize, Serialize};

use crate::error::CollectError;
use crate::reason::Reason;

/// What became of an injury.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRecord {
    /// Its line in the registry, counted from 1.
    pub row: u64,
    /// The patient's pseudonym.
    pub patient: String,
    /// The shifted day of the injury, `YYYY-MM-DD`.
    pub day: String,
    /// Whether films were found.
    pub outcome: RowOutcome,
    /// Why.
    pub reason: Reason,
    /// More on it: what the PACS did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Its films that were retrieved, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub films: Vec<FilmRecord>,
    /// Images of its studies that were left by what the search returned, counted by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<Reason, usize>,
}

/// What became of an injury.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    /// It has a film, or several exposures.
    Found,
    /// It has films that a person must review.
    Ambiguous,
    /// It has no film.
    Missing,
    /// The PACS failed, or a film of it was not delivered: the next run tries again.
    Failed,
}

/// What became of a film that was retrieved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilmRecord {
    /// Its serial number.
    pub serial: u64,
    /// Why it was taken or left.
    pub reason: Reason,
    /// The film that was taken instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<u64>,
    /// More on the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What a person must review, where the film is withheld for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The decisions of persons that it was de-identified by: another decision has the injury collected anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<String>,
    /// Where it lies, below the output folder; `None` for one that was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The SHA-256 of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The shifted day of the study, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What is in view: `AP pelvis`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub view: String,
    /// Whether it was collected as a limb film.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_limb: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Collection { version: u32, key_check: String, rules: String },
    Film { serial: u64, key: String },
    Injury(RowRecord),
}

/// The journal, opened and locked.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    serials: HashMap<String, u64>,
    last: u64,
    rows: BTreeMap<(String, String), RowRecord>,
}

const VERSION: u32 = 1;

/// The injuries of a journal by their rows, as far as it is written: it may be another run's at this moment. A line that is not whole yet, or not
/// of this program, counts for nothing.
pub(crate) fn read_rows(path: &Path) -> std::io::Result<Vec<RowRecord>> {
    let text = std::fs::read(path)?;
    let mut rows = BTreeMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        if let Ok(Line::Injury(row)) = serde_json::from_slice(line) {
            rows.insert((row.patient.clone(), row.day.clone()), row);
        }
    }
    let mut rows: Vec<RowRecord> = rows.into_values().collect();
    rows.sort_by_key(|row| row.row);
    Ok(rows)
}

impl Journal {
    /// Opens a journal, or begins it.
    ///
    /// # Errors
    /// [`CollectError`]: another run has it, it is of another key or rules, or it cannot be read.
    pub(crate) fn open(path: &Path, key_check: &str, rules: &str) -> Result<Self, CollectError> {
        let io = || CollectError::io(path);
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CollectError::InUse { path: folder.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(io()(source)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io())?;
        let end = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(end as u64).map_err(io())?;
        file.seek(SeekFrom::End(0)).map_err(io())?;
        let mut journal = Self { path: path.to_owned(), file, serials: HashMap::new(), last: 0, rows: BTreeMap::new() };
        for (place, line) in text[..end].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let fault = |reason: &str| CollectError::Journal {
                path: path.to_owned(),
                line: place + 1,
                reason: reason.to_owned(),
            };
            let line = serde_json::from_slice(line).map_err(|_| fault("it is not a line of this program"))?;
            match line {
                Line::Collection { version, key_check: key, rules: made_by } if place == 0 => {
                    if version != VERSION {
                        return Err(fault("it is of another version of this program"));
                    }
                    if key != key_check {
                        let path = folder.to_owned();
                        return Err(coxa_deidentify::DeidentifyError::OtherKey { path }.into());
                    }
                    if made_by != rules {
                        return Err(CollectError::OtherRules { path: folder.to_owned() });
                    }
                }
                _ if place == 0 => return Err(fault("it does not begin as a journal")),
                Line::Collection { .. } => return Err(fault("it begins twice")),
                Line::Film { serial, key } => {
                    journal.last = journal.last.max(serial);
                    journal.serials.insert(key, serial);
                }
                Line::Injury(row) => journal.keep(row),
            }
        }
        if end == 0 {
            let (key_check, rules) = (key_check.to_owned(), rules.to_owned());
            journal.append(&Line::Collection { version: VERSION, key_check, rules })?;
        }
        Ok(journal)
    }

    /// The serial number of an instance by its derived UID; a new one is the next.
    pub(crate) fn serial(&mut self, key: &str) -> Result<u64, CollectError> {
        if let Some(serial) = self.serials.get(key) {
            return Ok(*serial);
        }
        let serial = self.last + 1;
        self.append(&Line::Film { serial, key: key.to_owned() })?;
        self.serials.insert(key.to_owned(), serial);
        self.last = serial;
        Ok(serial)
    }

    /// Records what became of an injury.
    pub(crate) fn record(&mut self, row: RowRecord) -> Result<(), CollectError> {
        let line = Line::Injury(row);
        self.append(&line)?;
        if let Line::Injury(row) = line {
            self.keep(row);
        }
        Ok(())
    }

    /// What became of an injury in an earlier run.
    pub(crate) fn row(&self, patient: &str, day: &str) -> Option<&RowRecord> {
        self.rows.get(&(patient.to_owned(), day.to_owned()))
    }

    /// Every injury's last record.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &RowRecord> {
        self.rows.values()
    }

    fn keep(&mut self, row: RowRecord) {
        self.rows.insert((row.patient.clone(), row.day.clone()), row);
    }

    fn append(&mut self, line: &Line) -> Result<(), CollectError> {
        let write = |mut file: &File| -> std::io::Result<()> {
            let mut bytes = serde_json::to_vec(line)?;
            bytes.push(b'\n');
            file.write_all(&bytes)?;
            file.sync_data()
        };
        write(&self.file).map_err(CollectError::io(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(patient: &str, outcome: RowOutcome) -> RowRecord {
        RowRecord {
            row: 2,
            patient: patient.into(),
            day: "2010-01-01".into(),
            outcome,
            reason: Reason::NoStudyInWindow,
            detail: None,
            films: Vec::new(),
            left: BTreeMap::from([(Reason::View, 2)]),
        }
    }

    #[test]
    fn a_journal_outlives_a_kill_at_any_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let open = || Journal::open(&path, "key", "rules");
        let mut journal = open().unwrap();
        assert!(matches!(open(), Err(CollectError::InUse { .. })));
        assert_eq!(
            (journal.serial("a").unwrap(), journal.serial("b").unwrap(), journal.serial("a").unwrap()),
            (1, 2, 1)
        );
        journal.record(row("P1", RowOutcome::Failed)).unwrap();
        journal.record(row("P1", RowOutcome::Missing)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in (0..=whole.len()).rev() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = open().unwrap();
            let ends = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(journal.serials.len(), ends.saturating_sub(1).min(2), "{cut}");
            let outcome = journal.row("P1", "2010-01-01").map(|row| row.outcome);
            let expected = [None, None, None, None, Some(RowOutcome::Failed), Some(RowOutcome::Missing)];
            assert_eq!(outcome, expected[ends], "{cut}");
            journal.serial("c").unwrap();
            drop(journal);
            assert!(open().is_ok(), "{cut}");
        }
    }

    #[test]
    fn another_key_and_other_rules_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        drop(Journal::open(&path, "key", "rules").unwrap());
        let error = |key: &str, rules: &str| Journal::open(&path, key, rules).err().unwrap().to_string();
        assert!(error("other", "rules").contains("another key"));
        assert!(error("key", "other").contains("other rules"));
        std::fs::write(&path, "{}\n").unwrap();
        assert!(error("key", "rules").contains("line 1"));
    }
}
