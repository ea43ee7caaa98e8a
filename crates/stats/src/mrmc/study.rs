//! Rows of ratings arranged by treatment, reader and case.

use std::collections::BTreeMap;

use crate::scored::Clusters;

/// One rating of a study, with the study's own names.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CaseRating {
    /// Who rated.
    pub reader: String,
    /// Under which treatment (modality), for example "aided".
    pub treatment: String,
    /// Which case.
    pub case: String,
    /// Whether the case is positive.
    pub truth: bool,
    /// The rating; higher speaks for positive.
    pub rating: f64,
}

/// A study's ratings. No case was rated twice by one reader under one treatment; not every reader needs to have rated every case.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderStudy {
    readers: Vec<String>,
    treatments: Vec<String>,
    cases: Vec<String>,
    truth: Vec<bool>,
    patients: Option<Clusters>,
    /// `cells[treatment][reader]`.
    cells: Vec<Vec<Cell>>,
}

/// What one reader rated under one treatment, in the order of the study's cases; empty where the reader rated nothing under it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cell {
    /// The cases, by their places in the study's list.
    pub cases: Vec<usize>,
    /// Their truth.
    pub truth: Vec<bool>,
    /// Their ratings.
    pub ratings: Vec<f64>,
}

/// Why rows do not make a study.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DesignError {
    /// A rating is NaN or infinite.
    #[error("the rating is {rating}, which is not finite")]
    NotFinite {
        /// Zero-based row.
        row: usize,
        /// The rating.
        rating: f64,
    },
    /// A case has both truths.
    #[error("case {case} has another truth in an earlier row")]
    Truth {
        /// Zero-based row.
        row: usize,
        /// The case.
        case: String,
    },
    /// A reader rated a case twice under one treatment.
    #[error("reader {reader} rated case {case} twice under treatment {treatment}")]
    Duplicate {
        /// Zero-based row.
        row: usize,
        /// The reader.
        reader: String,
        /// The treatment.
        treatment: String,
        /// The case.
        case: String,
    },
    /// A rating is missing.
    #[error("reader {reader} did not rate case {case} under treatment {treatment}")]
    Missing {
        /// The reader.
        reader: String,
        /// The treatment.
        treatment: String,
        /// The case.
        case: String,
    },
}

impl DesignError {
    /// The zero-based row that the error is about, where it is about one.
    pub fn row(&self) -> Option<usize> {
        match self {
            Self::NotFinite { row, .. } | Self::Truth { row, .. } | Self::Duplicate { row, .. } => Some(*row),
            Self::Missing { .. } => None,
        }
    }
}

impl ReaderStudy {
    /// Arranges rows; readers, treatments and cases are ordered by name, numbers by value.
    ///
    /// # Errors
    /// A rating that is not finite, a case with two truths, a case that one reader rated twice under one treatment.
    pub fn from_rows(rows: &[CaseRating]) -> Result<Self, DesignError> {
        let names = |name: fn(&CaseRating) -> &String| -> Vec<String> {
            let mut all: Vec<String> = rows.iter().map(|row| name(row).clone()).collect();
            all.sort_by(|a, b| natural(a).partial_cmp(&natural(b)).unwrap_or(a.cmp(b)));
            all.dedup();
            all
        };
        let readers = names(|row| &row.reader);
        let treatments = names(|row| &row.treatment);
        let cases = names(|row| &row.case);
        let index = |all: &[String]| -> BTreeMap<String, usize> { all.iter().cloned().zip(0..).collect() };
        let (reader_of, treatment_of, case_of) = (index(&readers), index(&treatments), index(&cases));
        let mut truth: Vec<Option<bool>> = vec![None; cases.len()];
        let mut cells = vec![vec![BTreeMap::new(); readers.len()]; treatments.len()];
        for (row, rating) in rows.iter().enumerate() {
            if !rating.rating.is_finite() {
                return Err(DesignError::NotFinite { row, rating: rating.rating });
            }
            let case = case_of[&rating.case];
            if truth[case].is_some_and(|known| known != rating.truth) {
                return Err(DesignError::Truth { row, case: rating.case.clone() });
            }
            truth[case] = Some(rating.truth);
            let cell = &mut cells[treatment_of[&rating.treatment]][reader_of[&rating.reader]];
            if cell.insert(case, rating.rating).is_some() {
                return Err(DesignError::Duplicate {
                    row,
                    reader: rating.reader.clone(),
                    treatment: rating.treatment.clone(),
                    case: rating.case.clone(),
                });
            }
        }
        let truth: Vec<bool> = truth.into_iter().flatten().collect();
        let cell = |by_case: BTreeMap<usize, f64>| Cell {
            cases: by_case.keys().copied().collect(),
            truth: by_case.keys().map(|&case| truth[case]).collect(),
            ratings: by_case.into_values().collect(),
        };
        let cells = cells.into_iter().map(|by_reader| by_reader.into_iter().map(cell).collect()).collect();
        Ok(Self { readers, treatments, cases, truth, patients: None, cells })
    }

    /// A fully crossed study with names counted from 1: `ratings[treatment][reader][case]`, all finite, one for each truth.
    pub(super) fn crossed(truth: Vec<bool>, ratings: Vec<Vec<Vec<f64>>>) -> Self {
        let names = |n: usize| (1..=n).map(|name| name.to_string()).collect();
        let cases: Vec<usize> = (0..truth.len()).collect();
        let cell = |ratings: Vec<f64>| Cell { cases: cases.clone(), truth: truth.clone(), ratings };
        Self {
            readers: names(ratings.first().map_or(0, Vec::len)),
            treatments: names(ratings.len()),
            cases: names(truth.len()),
            patients: None,
            cells: ratings.into_iter().map(|by_reader| by_reader.into_iter().map(cell).collect()).collect(),
            truth: truth.clone(),
        }
    }

    /// The same study with cases that come in clusters: `patient_of` names a case's patient. Patients, not cases, are then independent.
    #[must_use]
    pub fn with_patients<'n>(self, patient_of: impl Fn(&str) -> &'n str) -> Self {
        let ids: Vec<&str> = self.cases.iter().map(|case| patient_of(case)).collect();
        Self { patients: Some(Clusters::new(&ids)), ..self }
    }

    /// The readers' names, in order.
    pub fn readers(&self) -> &[String] {
        &self.readers
    }

    /// The treatments' names, in order.
    pub fn treatments(&self) -> &[String] {
        &self.treatments
    }

    /// The cases' names, in order.
    pub fn cases(&self) -> &[String] {
        &self.cases
    }

    /// The cases' truth, in order.
    pub fn truth(&self) -> &[bool] {
        &self.truth
    }

    /// Which cases are of one patient, where that is known.
    pub fn patients(&self) -> Option<&Clusters> {
        self.patients.as_ref()
    }

    /// The ratings of one treatment and reader, in case order, by their places in [`ReaderStudy::treatments`] and
    /// [`ReaderStudy::readers`]. In a crossed study they are as many as the cases.
    pub fn ratings(&self, treatment: usize, reader: usize) -> &[f64] {
        &self.cells[treatment][reader].ratings
    }

    pub(super) fn cell(&self, treatment: usize, reader: usize) -> &Cell {
        &self.cells[treatment][reader]
    }

    /// Fails unless every reader rated every case under every treatment.
    ///
    /// # Errors
    /// [`DesignError::Missing`], naming the first rating that is missing.
    pub fn require_crossed(&self) -> Result<(), DesignError> {
        self.first_missing().map_or(Ok(()), Err)
    }

    fn first_missing(&self) -> Option<DesignError> {
        for (treatment, by_reader) in self.treatments.iter().zip(&self.cells) {
            for (reader, cell) in self.readers.iter().zip(by_reader) {
                let missing = (0..self.cases.len()).find(|case| cell.cases.binary_search(case).is_err());
                if let Some(case) = missing {
                    let (reader, treatment) = (reader.clone(), treatment.clone());
                    return Some(DesignError::Missing { reader, treatment, case: self.cases[case].clone() });
                }
            }
        }
        None
    }
}

/// Sorts numbers before words, numbers by value.
fn natural(name: &str) -> (bool, f64, &str) {
    match name.parse::<f64>() {
        Ok(number) if number.is_finite() => (false, number, name),
        _ => (true, 0.0, name),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two treatments, three readers, twelve cases, six of them positive; the second treatment reads a little better.
    pub fn rows() -> Vec<CaseRating> {
        let mut rows = Vec::new();
        for treatment in 0..2u32 {
            for reader in 0..3u32 {
                for case in 0..12u32 {
                    let truth = case % 2 == 0;
                    let noise = (case * 7 + reader * 5 + treatment * 3 + case * case * reader) % 11;
                    let signal = if truth { 4 + 2 * treatment } else { 0 };
                    rows.push(CaseRating {
                        reader: format!("r{reader}"),
                        treatment: ["unaided", "aided"][treatment as usize].to_owned(),
                        case: case.to_string(),
                        truth,
                        rating: f64::from(noise + signal),
                    });
                }
            }
        }
        rows
    }

    #[test]
    fn rows_may_come_in_any_order() {
        let mut shuffled = rows();
        shuffled.reverse();
        let study = ReaderStudy::from_rows(&rows()).unwrap();
        assert_eq!(ReaderStudy::from_rows(&shuffled).unwrap(), study);
        assert_eq!(study.treatments(), ["aided", "unaided"]);
        assert_eq!(study.truth().len(), 12);
        assert!(study.truth()[10] && !study.truth()[11]);
        assert_eq!(study.ratings(1, 2)[0], rows()[24].rating);
    }

    #[test]
    fn faulty_rows_are_refused_and_gaps_are_named() {
        let mut missing = rows();
        missing.remove(5);
        let error = ReaderStudy::from_rows(&missing).unwrap().require_crossed().unwrap_err();
        assert_eq!(error.to_string(), "reader r0 did not rate case 5 under treatment unaided");
        assert_eq!(ReaderStudy::from_rows(&rows()).unwrap().require_crossed(), Ok(()));
        let mut twice = rows();
        twice.push(twice[3].clone());
        assert!(matches!(ReaderStudy::from_rows(&twice), Err(DesignError::Duplicate { row: 72, .. })));
        let mut changed = rows();
        changed[40].truth = !changed[40].truth;
        assert!(matches!(ReaderStudy::from_rows(&changed), Err(DesignError::Truth { row: 40, .. })));
        let mut broken = rows();
        broken[1].rating = f64::NAN;
        assert!(matches!(ReaderStudy::from_rows(&broken), Err(DesignError::NotFinite { row: 1, .. })));
    }
}
