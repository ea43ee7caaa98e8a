//! Simulated radiographs of the pelvis and the limbs, with the truth.
//!
//! Bones are implicit functions meshed to closed surfaces ([`geometry`], [`bones`]), assembled to a posed patient ([`body`]) or
//! limb ([`limbs`]), projected to path lengths together with everything else in the beam ([`accessories`]), exposed and processed
//! to a film ([`film`]). Films are written as datasets or as a hospital's registry ([`datasets`]). Everything about a film
//! follows from a seed, an index and the options.
//!
//! World frame, in millimeters: `x` to the film's right (the patient's left), `y` cranial, `z` towards the tube (anterior).
//!
//! Each folder uses only those before it: `geometry`, then `bones` and `film`, then `accessories`, then `body` and `limbs`, then
//! `datasets`.

pub mod accessories;
pub mod body;
pub mod bones;
pub mod datasets;
pub mod error;
pub mod film;
pub mod geometry;
pub mod limbs;
pub mod noise;
pub mod random;

pub use body::pelvis;
pub use error::SimulateError;
pub use film::{
    Domain, FilmKind, FilmOptions, FilmTruth, Hardware, HipOnFilm, SimulatedFilm, SimulatedFracture, display8,
};
pub use limbs::limb;
