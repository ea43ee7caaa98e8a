//! PatientSource, labels, registry, exclusions, manifest, splits and importers of public sets.
//!
//! A dataset is a folder: `manifest.csv` (a row a film), `truth.csv` (a row a fracture box) and `images/`. [`Dataset`]
//! reads and writes it strictly, [`samples`] turns it into the rows that a network learns from, and [`Split`] divides
//! those rows so that no patient is ever on both sides. [`registry`] makes a dataset of a trauma registry and
//! a table of films as Cheng et al. (European Radiology 2019) did; [`importers`] makes one of a public set.
//!
//! What is not here: pixels. This crate never decodes an image and never reads a DICOM tag.

pub mod dataset;
mod deal;
pub mod error;
pub mod film;
pub mod flow;
pub mod importers;
pub mod predictions;
pub mod registry;
pub mod sample;
pub mod split;
mod truth;

pub use dataset::Dataset;
pub use error::CohortError;
pub use film::{Film, TruthBox};
pub use flow::Flow;
pub use predictions::PredictionWriter;
pub use sample::{Sample, Target, samples};
pub use split::Split;
