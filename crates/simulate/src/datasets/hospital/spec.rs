//! The settings of a hospital.

use crate::datasets::spec::FilmFormat;
use crate::film::options::Domain;

/// The hospital to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct HospitalSpec {
    /// Injuries in the registry, 1 to 1,000,000.
    pub n: usize,
    /// Everything follows from it.
    pub seed: u64,
    /// Longest side of the films in pixels, 64 to 4096.
    pub size: usize,
    /// The films' format.
    pub format: FilmFormat,
    /// How much the films vary.
    pub domain: Domain,
}

impl Default for HospitalSpec {
    fn default() -> Self {
        Self { n: 500, seed: 1, size: 512, format: FilmFormat::Dicom, domain: Domain::default() }
    }
}
