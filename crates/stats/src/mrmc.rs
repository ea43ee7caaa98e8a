//! Multi-reader multi-case studies: Obuchowski & Rockette's analysis of areas, sensitivities and specificities in the form of Hillis
//! (2007, 2014), Dorfman, Berbaum & Metz's analysis of pseudovalues, and what belongs to it.
//!
//! With θ_ij the endpoint of treatment i and reader j, t treatments and r readers, θ varies by readers (mean squares) and by cases
//! (covariances between the endpoints, by one of four [`CovarianceMethod`]s). A study may be fully crossed, or its cases may be nested
//! in readers or treatments, its readers in treatments (split-plot), or its cases spread otherwise ([`Design`]).
//!
//! ```
//! use coxa_stats::Level;
//! use coxa_stats::mrmc::{AnalysisOptions, CaseRating, ReaderStudy};
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
//! let study = ReaderStudy::from_rows(&ratings).expect("every reader rated each case once under each treatment");
//! let analysis = study.analyze(&AnalysisOptions::default(), Level::P95)?;
//! assert_eq!(analysis.differences[0].first, "aided");
//! assert!(analysis.differences[0].difference.value > 0.0);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod analysis;
mod bounded;
mod components;
mod covariance;
mod dbm;
mod design;
mod draws;
mod inference;
mod matrix;
mod merit;
mod options;
mod readers;
mod resampling;
mod roe_metz;
mod sizing;
mod standalone;
mod study;
mod unbiased;

pub use self::analysis::{Analysis, TreatmentDifference, TreatmentMean};
pub use self::components::Components;
pub use self::covariance::CovarianceMethod;
pub use self::dbm::{Dbm, MeanSquares, PseudovalueComponents};
pub use self::design::Design;
pub use self::merit::Endpoint;
pub use self::options::{AnalysisOptions, Random};
pub use self::readers::{ReaderDifference, ReaderEstimate};
pub use self::roe_metz::RoeMetz;
pub use self::sizing::{NextStudy, StudySize};
pub use self::standalone::Standalone;
pub use self::study::{CaseRating, DesignError, ReaderStudy};
