//! DICOM data sets that have an identity: UIDs and the writers of objects.
//!
//! `coxa-imaging` reads pixels and never a patient; what names a patient, a study or an instance is here.
//!
//! - [`uid`]: UIDs that are derived from a text, and this program's own.
//! - [`dx`]: the Digital X-Ray Image of a simulated film.
//! - [`results`]: what a network predicts for a film, as objects of the film's own study.

pub mod dx;
mod element;
pub mod results;
pub mod uid;
