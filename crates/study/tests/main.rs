//! The integration tests of `coxa-study`, one module a subject.

mod comparing;
mod converting;
mod evaluating;
mod localizing;
mod reading;
mod reporting;
