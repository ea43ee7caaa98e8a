//! Labelings: reviewers label films one after the other, or judge whether heat maps lie where the fracture is.
//!
//! Reviewers decide without each other's decisions, in an [`order`] of their own; where they differ, an adjudicator decides. A decision is
//! added and never changed: the last one of a person on a film counts. What follows of all decisions on a film is its [`Standing`], and a
//! labeling with its decisions is a dataset again, as `coxa-cohort` reads and writes it ([`labeled`]).

mod agreement;
mod board;
mod copies;
mod dataset;
mod decision;
mod heat;
mod import;
mod order;
mod standing;

pub use agreement::{Agreement, Compared, agreement};
pub use board::{Board, BoardError, OnFilm};
pub(crate) use board::{number, on_films, parsed};
pub use copies::{Fingerprint, contradicting};
pub use dataset::{History, REVIEW, history, labeled};
pub use decision::{CLASSIFICATIONS, Decision, EXCLUSIONS, Fault, Kind, Labels, Opinion, QUALITIES};
pub use heat::{judgments, right_site, sampled};
pub use import::{Import, ImportError, folder, import};
pub(crate) use import::{differs, has_heat_map, rule_of_sample};
pub use order::order;
pub use standing::{Standing, standing};

/// What reviewers do in a labeling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// They label the films.
    Labels,
    /// They judge the films' heat maps, without a label.
    HeatMaps,
}

impl Task {
    /// All.
    pub const ALL: [Self; 2] = [Self::Labels, Self::HeatMaps];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::HeatMaps => "heat_maps",
        }
    }

    /// Parses `labels` or `heat_maps`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.as_str() == text)
    }
}
