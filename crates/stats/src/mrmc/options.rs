//! What is analyzed, and how.

use super::covariance::CovarianceMethod;
use super::merit::Endpoint;

/// Which effects are taken as a sample of a population; conclusions reach as far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Random {
    /// Readers and cases: results hold for other readers and other cases.
    #[default]
    ReadersAndCases,
    /// Readers only: for other readers on these very cases.
    Readers,
    /// Cases only: for these very readers on other cases.
    Cases,
}

/// What is analyzed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AnalysisOptions {
    /// What is compared.
    pub endpoint: Endpoint,
    /// How its covariances are estimated.
    pub covariance: CovarianceMethod,
    /// What is a sample of a population.
    pub random: Random,
}
