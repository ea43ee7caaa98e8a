//! The model crate's integration tests.

mod bundle;
mod cache;
mod films;
mod prediction;
mod pytorch;
mod training;
