//! The integration tests of `coxa-cohort`, one module a subject.

mod collecting;
mod datasets;
mod fracatlas_films;
mod importing;
mod splits;
mod tables;
