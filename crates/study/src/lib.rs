//! Evaluation, localization, subgroups, reader studies, randomized trials, tables, figures and the report.

pub mod baseline;
pub mod calibrate;
pub mod checklist;
pub mod compare;
pub mod curve;
pub mod demographics;
pub mod error;
pub mod evaluate;
pub mod figures;
pub mod froc;
pub mod judged;
pub mod localize;
pub mod page;
pub mod predictions;
pub mod proportion;
pub mod readers;
pub mod readings;
pub mod report;
mod site;
pub mod statistic;
pub mod subgroups;
mod texts;
pub mod trial;

pub use compare::{Comparison, compare, compare_unpaired};
pub use error::StudyError;
pub use evaluate::{Clustering, Dependence, Evaluation, EvaluationOptions, Measures, evaluate};
pub use localize::{LocalizationMeasures, LocalizationOptions, Localizer, localize};
pub use predictions::{Prediction, Predictions};
pub use readings::{Reading, Readings};
pub use statistic::Statistic;
pub use subgroups::Subgroups;
