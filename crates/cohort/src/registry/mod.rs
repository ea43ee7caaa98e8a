//! From a hospital's trauma registry to a dataset, as Cheng et al. (European Radiology 2019) made theirs.
//!
//! - [`tables`]: the registry (a row an injury) and the films (a row a film) as the hospital hands them over.
//! - [`diagnosis`]: what an ICD-9 or ICD-10 code says about a hip fracture.
//! - [`link()`]: injuries linked to their films by patient and day, exclusions, labels, and the dataset that comes of it.

pub mod diagnosis;
pub mod link;
pub mod tables;

pub use link::{LinkReport, Sources, Unused, link};
pub use tables::{Defect, FilmRecord, Injury, RecordedView, load_films, load_injuries};
