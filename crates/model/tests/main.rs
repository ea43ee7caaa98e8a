//! The model crate's integration tests.
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod bundle;
mod cache;
mod content;
mod films;
mod gradients;
mod outside;
mod prediction;
mod pytorch;
mod training;
