//! A simulated hospital: a trauma registry and its films, on which linkage of a registry can be tested.
//!
//! Age, sex, injury severity and kinds of fracture of the injuries that linkage should include follow Table 1 of Cheng et al.
//! (European Radiology 2019): with hip fracture 1975, age 72.34 ± 16.73, 42.0 % male, ISS 9.96 ± 4.21, 47.1 % neck and 52.9 %
//! trochanteric; without 1630, 44.88 ± 20.46, 68.2 % male, 14.01 ± 9.29. Among them are rows that linkage must exclude: not
//! admitted, no film or a film of another day or view, defects, femoral shaft and pelvic fractures.
//!
//! The folder gets `registry.csv`, `films.csv` and `images/`, as [`coxa_cohort::registry`] reads them.

mod codes;
mod day;
mod films;
mod flaw;
mod injuries;
mod spec;
mod statistics;
mod write;

pub use day::Day;
pub use flaw::Flaw;
pub use injuries::{SimulatedInjury, injuries};
pub use spec::HospitalSpec;
pub use write::{FILM_COLUMNS, REGISTRY_COLUMNS, write};
