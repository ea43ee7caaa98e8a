//! From a scene to a film: path lengths ([`projection`], [`scene`]), exposure ([`beam`]) and processing ([`display`]); the
//! request for a film ([`options`]), the film and its truth ([`truth`]).

pub mod beam;
pub mod display;
pub mod options;
pub mod projection;
pub mod scene;
pub mod truth;

pub use options::{Domain, FilmKind, FilmOptions};
pub use truth::{FilmTruth, Hardware, HipOnFilm, SimulatedFilm, SimulatedFracture, display8};
