//! The integration tests of `coxa-cohort`, one module a subject.

mod datasets;
mod foreign;
mod fracatlas_films;
mod importing;
mod linking;
mod splits;
