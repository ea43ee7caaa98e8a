//! The statistics of diagnostic accuracy: ROC, AUC, DeLong, intervals, tests, calibration; numbers in, numbers out.
//!
//! Every statistic returns `Result<`[`Estimate`]`, `[`Undefined`]`>`: a value with its interval and the method that made it, or the
//! reason why this sample does not define it; a value whose interval alone is undefined says so in [`Estimate::limits`]. Nothing
//! undefined is ever replaced by a number. Scores are checked once, by [`Scored::new`]: a NaN or an infinity is an error that names
//! its index. The positive class is always explicit (`true`), and a higher score always speaks for it. Where observations come in
//! clusters, as several films of one patient, [`Clusters`] say which belong together.
//!
//! ```
//! use coxa_stats::{Confusion, Interval, Level, Scored, auc};
//!
//! let scores = [0.9, 0.8, 0.35, 0.6, 0.2, 0.1];
//! let truth = [true, true, true, false, false, false];
//! let sample = Scored::new(&scores, &truth)?;
//! let area = auc::delong(sample, Level::P95, auc::AucInterval::Wald)?;
//! assert!((area.value - 8.0 / 9.0).abs() < 1e-12 && area.high() == Some(1.0));
//!
//! let table = Confusion::at_threshold(&scores, &truth, 0.5)?;
//! let sensitivity = table.sensitivity(Level::P95, Interval::ClopperPearson)?;
//! assert_eq!((sensitivity.value, sensitivity.n), (2.0 / 3.0, 3));
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`confusion`] | the 2×2 table: rates, predictive values, F1, MCC, Youden, likelihood and odds ratios |
//! | [`interval`] | intervals of a proportion |
//! | [`roc`] | the curve, its coordinates, partial areas |
//! | [`mod@auc`] | the area, DeLong's variance and tests, clustered and bootstrap variants |
//! | [`operating`] | the choice of an operating point |
//! | [`contingency`] | McNemar's, chi-square and Fisher's exact tests |
//! | [`means`] | means and t tests |
//! | [`mixed`] | a linear mixed model with readers and cases as random, such as of reading times |
//! | [`agreement`] | Cohen's and Fleiss' kappa |
//! | [`ranks`] | Wilcoxon's signed-rank test |
//! | [`calibration`] | slope, intercept, reliability, ECE, Brier score, temperature |
//! | [`decision`] | net benefit |
//! | [`drift`] | population stability index, Kolmogorov and Smirnov's test |
//! | [`order`] | quantiles with the interval of order statistics |
//! | [`power`] | sample size and power |
//! | [`independent`] | proportions of two independent groups and their difference, by cluster |
//! | [`survival`] | times to an event: Kaplan and Meier's median, the log-rank test |
//! | [`mrmc`] | multi-reader multi-case studies |
//! | [`bootstrap`] | percentile intervals of any statistic |
//! | [`distribution`] | the distributions behind the p-values |
//!
//! Reference values come from R (pROC, epiR and base); `testdata` holds the scripts that made them.

pub mod agreement;
pub mod auc;
pub mod bootstrap;
pub mod calibration;
pub mod confusion;
pub mod contingency;
pub mod decision;
pub mod distribution;
pub mod drift;
mod estimate;
pub mod independent;
pub mod interval;
mod logistic;
pub mod means;
pub mod mixed;
pub mod mrmc;
pub mod operating;
pub mod order;
pub mod power;
pub mod ranks;
pub mod roc;
mod scored;
pub mod survival;

pub use bootstrap::{Bootstrap, Plan, Resampling};
pub use confusion::{Confusion, Metric};
pub use estimate::{Estimate, Level, Limits, NoLimits, Reason, Test, Undefined};
pub use interval::Interval;
pub use operating::{OperatingPoint, Rule};
pub use roc::Roc;
pub use scored::{Clusters, Inference, Scored};

/// The examples of the README run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
