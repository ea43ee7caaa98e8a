//! DICOM data sets that have an identity: UIDs and the writers of objects.
//!
//! `coxa-imaging` reads pixels and never a patient; what names a patient, a study or an instance is here.
//!
//! - [`uid`]: UIDs that are derived from a text, and this program's own.
//! - [`dx`]: the Digital X-Ray Image of a simulated film.
//! - [`results`]: what a network predicts for a film, as objects of the film's own study.
//! - [`test_picture`]: a picture of no patient, to try a destination with.

pub mod dx;
mod element;
pub mod results;
pub mod test_picture;
pub mod uid;
