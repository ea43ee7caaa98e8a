//! Folders of simulated films: datasets with their truth ([`write()`]), and a [`hospital`] with its registry.

mod encode;
mod folder;
pub mod hospital;
mod jobs;
mod notes;
mod rows;
mod spec;
mod write;

pub use spec::{DatasetSpec, FilmFormat, FilmSet, FilmsPerPatient};
pub use write::write;

pub use crate::film::options::Proportions;
