//! From a scene to a film: path lengths ([`projection`], [`scene`]), exposure ([`beam`]) and processing ([`display`]); what can
//! be requested of a film ([`options`]) and what is true of it ([`truth`]).

pub mod beam;
pub mod display;
pub mod options;
pub mod projection;
pub mod scene;
pub mod truth;

pub use options::{Domain, FilmKind, FilmOptions};
pub use truth::{FilmTruth, Hardware, SimulatedFilm, SimulatedFracture, display8};
