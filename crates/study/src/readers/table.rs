//! The ratings of a study, each with where it stood in its file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use coxa_stats::mrmc::{CaseRating, DesignError, ReaderStudy};

use crate::error::StudyError;

/// The ratings of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderTable {
    /// The file.
    pub path: PathBuf,
    /// The ratings of cases, in the file's order. Of a study with marks: each case's highest.
    pub rows: Vec<RatedRow>,
    /// The marks, of a study that has some.
    pub marks: Option<Marks>,
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

/// The marks of a study, and the ratings that they make.
#[derive(Debug, Clone, PartialEq)]
pub struct Marks {
    /// Ratings of lesions, and of cases without any, with the case as the patient.
    pub rows: Vec<RatedRow>,
    /// What was read, in the order of the table's ratings of cases.
    pub(super) reads: Vec<Read>,
    /// All marks.
    pub(super) marks: Vec<Mark>,
}

/// What a reader could have marked under a treatment: a case, with its lesions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub place: String,
    pub reader: String,
    pub treatment: String,
    pub case: String,
    /// The case's lesions; none of a case without the finding.
    pub lesions: Vec<Lesion>,
}

/// A lesion of a case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lesion {
    pub name: String,
    /// Its share in the case; zero of all lesions of a case stands for equal shares.
    pub weight: f64,
}

/// A mark.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub reader: String,
    pub treatment: String,
    pub case: String,
    /// The lesion that it hit; `None` of a mark beside any.
    pub lesion: Option<String>,
    pub rating: f64,
}

impl RatedRow {
    pub(super) fn new(place: String, rating: CaseRating) -> Self {
        Self { place, rating, patient: String::new(), group: String::new(), seconds: None }
    }
}

impl ReaderTable {
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
        let bad =
            |place: &str, reason: String| StudyError::Rating { path: self.path.clone(), place: place.into(), reason };
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
