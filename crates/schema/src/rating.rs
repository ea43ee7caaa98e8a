//! A reader's rating of a case: a row of a reader study's table.

use serde::{Deserialize, Serialize};

/// A row of `reader,treatment,case,truth,rating`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// The reader: a physician.
    pub reader: String,
    /// The treatment (arm, modality) under which the case was read.
    pub treatment: String,
    /// The case: a film or a patient.
    pub case: String,
    /// Whether the case has the finding: 1 or 0.
    pub truth: u8,
    /// The rating; higher speaks for the finding.
    pub rating: f64,
}
