//! Multi-reader multi-case studies: Obuchowski & Rockette's analysis of empirical areas with DeLong covariances, in the form of
//! Hillis (2007, 2014).
//!
//! The design is fully crossed: every reader rates every case under every treatment. With θ_ij the area of treatment i and reader j,
//! t treatments and r readers, θ varies by readers (mean squares) and by cases (covariances between the areas).
//!
//! ```
//! use coxa_stats::Level;
//! use coxa_stats::mrmc::{CrossedDesign, Random, CaseRating};
//!
//! let mut ratings = Vec::new();
//! for (reader, skill) in [("A", 2.0), ("B", 1.0), ("C", 0.5)] {
//!     for (treatment, gain) in [("plain", 0.0), ("aided", 1.5)] {
//!         for case in 0..12_u32 {
//!             let truth = case % 2 == 0;
//!             let noise = f64::from((case * 5 + reader.len() as u32 * 3 + case * case % 7) % 11) / 2.0;
//!             let rating = noise + if truth { skill + gain } else { 0.0 };
//!             let [reader, treatment] = [reader, treatment].map(str::to_owned);
//!             ratings.push(CaseRating { reader, treatment, case: case.to_string(), truth, rating });
//!         }
//!     }
//! }
//! let design = CrossedDesign::from_rows(&ratings).expect("every reader rated every case under both treatments");
//! let analysis = design.analyze(Random::ReadersAndCases, Level::P95)?;
//! assert_eq!(analysis.differences[0].first, "aided");
//! assert!(analysis.differences[0].difference.value > 0.0);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod analysis;

use std::collections::BTreeMap;

pub use self::analysis::{Analysis, Components, Random, TreatmentDifference, TreatmentMean};

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

/// A fully crossed study.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossedDesign {
    readers: Vec<String>,
    treatments: Vec<String>,
    truth: Vec<bool>,
    /// `ratings[treatment][reader][case]`.
    ratings: Vec<Vec<Vec<f64>>>,
}

/// Why rows do not make a fully crossed study.
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

impl CrossedDesign {
    /// Arranges rows; readers, treatments and cases are ordered by name, numbers by value.
    ///
    /// # Errors
    /// See [`DesignError`].
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
        let mut ratings = vec![vec![vec![None; cases.len()]; readers.len()]; treatments.len()];
        for (row, rating) in rows.iter().enumerate() {
            if !rating.rating.is_finite() {
                return Err(DesignError::NotFinite { row, rating: rating.rating });
            }
            let case = case_of[&rating.case];
            if truth[case].is_some_and(|known| known != rating.truth) {
                return Err(DesignError::Truth { row, case: rating.case.clone() });
            }
            truth[case] = Some(rating.truth);
            let cell = &mut ratings[treatment_of[&rating.treatment]][reader_of[&rating.reader]][case];
            if cell.replace(rating.rating).is_some() {
                return Err(DesignError::Duplicate {
                    row,
                    reader: rating.reader.clone(),
                    treatment: rating.treatment.clone(),
                    case: rating.case.clone(),
                });
            }
        }
        let mut complete = Vec::with_capacity(treatments.len());
        for (treatment, by_reader) in treatments.iter().zip(ratings) {
            let mut readers_ratings = Vec::with_capacity(readers.len());
            for (reader, by_case) in readers.iter().zip(by_reader) {
                let filled: Result<Vec<f64>, DesignError> = by_case
                    .into_iter()
                    .zip(&cases)
                    .map(|(rating, case)| {
                        rating.ok_or_else(|| DesignError::Missing {
                            reader: reader.clone(),
                            treatment: treatment.clone(),
                            case: case.clone(),
                        })
                    })
                    .collect();
                readers_ratings.push(filled?);
            }
            complete.push(readers_ratings);
        }
        Ok(Self { readers, treatments, truth: truth.into_iter().flatten().collect(), ratings: complete })
    }

    /// The readers' names, in order.
    pub fn readers(&self) -> &[String] {
        &self.readers
    }

    /// The treatments' names, in order.
    pub fn treatments(&self) -> &[String] {
        &self.treatments
    }

    /// The cases' truth, in order.
    pub fn truth(&self) -> &[bool] {
        &self.truth
    }

    /// The ratings of one treatment and reader, in case order, by their places in [`CrossedDesign::treatments`] and
    /// [`CrossedDesign::readers`].
    pub fn ratings(&self, treatment: usize, reader: usize) -> &[f64] {
        &self.ratings[treatment][reader]
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
mod tests {
    use super::*;
    use crate::estimate::{Level, Reason};

    /// Two treatments, three readers, twelve cases, six of them positive; the second treatment reads a little better.
    fn rows() -> Vec<CaseRating> {
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
        let study = CrossedDesign::from_rows(&rows()).unwrap();
        assert_eq!(CrossedDesign::from_rows(&shuffled).unwrap(), study);
        assert_eq!(study.treatments(), ["aided", "unaided"]);
        assert_eq!(study.truth().len(), 12);
        assert!(study.truth()[10] && !study.truth()[11]);
        assert_eq!(study.ratings(1, 2)[0], rows()[24].rating);
    }

    #[test]
    fn incomplete_designs_are_refused() {
        let mut missing = rows();
        missing.remove(5);
        let error = CrossedDesign::from_rows(&missing).unwrap_err();
        assert_eq!(error.to_string(), "reader r0 did not rate case 5 under treatment unaided");
        let mut twice = rows();
        twice.push(twice[3].clone());
        assert!(matches!(CrossedDesign::from_rows(&twice), Err(DesignError::Duplicate { row: 72, .. })));
        let mut changed = rows();
        changed[40].truth = !changed[40].truth;
        assert!(matches!(CrossedDesign::from_rows(&changed), Err(DesignError::Truth { row: 40, .. })));
        let mut broken = rows();
        broken[1].rating = f64::NAN;
        assert!(matches!(CrossedDesign::from_rows(&broken), Err(DesignError::NotFinite { row: 1, .. })));
    }

    #[test]
    fn with_two_treatments_the_t_test_is_the_f_test() {
        let study = CrossedDesign::from_rows(&rows()).unwrap();
        for random in [Random::ReadersAndCases, Random::Readers, Random::Cases] {
            let analysis = study.analyze(random, Level::P95).unwrap();
            let difference = &analysis.differences[0];
            let square = difference.test.statistic.powi(2);
            assert!((square / analysis.overall.statistic - 1.0).abs() < 1e-12);
            assert!((difference.test.p / analysis.overall.p - 1.0).abs() < 1e-9);
            assert!(difference.difference.value > 0.0, "aided reads better");
            for mean in &analysis.treatments {
                assert!(mean.auc.low() <= Some(mean.auc.value) && Some(mean.auc.value) <= mean.auc.high());
            }
        }
    }

    #[test]
    fn one_treatment_is_no_comparison() {
        let alone: Vec<CaseRating> = rows().into_iter().take(36).collect();
        let study = CrossedDesign::from_rows(&alone).unwrap();
        let error = study.analyze(Random::Cases, Level::P95).unwrap_err();
        assert_eq!(error.reason, Reason::TooFew { n: 1, needed: 2 });
    }
}
