//! A randomized trial of the network itself: patients whose physicians see its results against patients whose physicians do not.
//!
//! [`TrialTable`] is what a node exports when a trial is closed, a row for each decision of a physician on a patient, without identity;
//! [`analyze`] compares the arms; [`Flow`] counts who entered and who was analyzed, as CONSORT-AI asks.

mod analysis;
mod flow;
mod table;

pub use analysis::{ArmMeasures, Differences, Population, PopulationAnalysis, TrialAnalysis, TrialOptions, analyze};
pub use flow::{ArmFlow, Flow, draw};
pub use table::{COLUMNS, Decision, Status, TrialRow, TrialTable, guarded, unguarded};

use serde::Serialize;

/// What physicians see of a patient's films.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// The network's results.
    Shown,
    /// The film alone.
    Withheld,
}

impl Arm {
    /// Both, in the order of reports: differences are of the first less the second.
    pub const ALL: [Self; 2] = [Self::Shown, Self::Withheld];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Withheld => "withheld",
        }
    }

    /// Parses `shown` or `withheld`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arm| arm.as_str() == text)
    }
}
