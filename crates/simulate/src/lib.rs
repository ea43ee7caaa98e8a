//! Simulated radiographs of the pelvis and the limbs, with the truth.
//!
//! Bones are implicit functions meshed to closed surfaces ([`shape`], [`grid`], [`mesh`]), put together to a posed patient
//! ([`mod@pelvis`], [`femur`], [`body`], [`fracture`]), projected to path lengths ([`projection`], [`scene`]), exposed
//! ([`beam`]) and processed to a film ([`display`]). Everything about a film follows from a seed, an index and the options.
//!
//! World frame, in millimetres: `x` to the film's right (the patient's left), `y` cranial, `z` towards the tube (anterior).

pub mod accessories;
pub mod anatomy;
pub mod bank;
pub mod beam;
pub mod body;
pub mod cohort;
pub mod dataset;
pub mod display;
mod draw;
pub mod error;
pub mod femur;
pub mod film;
pub mod fracture;
pub mod geometry;
pub mod grid;
pub mod limbs;
pub mod mesh;
pub mod noise;
pub mod pelvis;
pub mod projection;
pub mod random;
pub mod randomise;
pub mod relief;
pub mod scene;
pub mod shape;
pub mod spine;

mod types;
pub use error::SimulateError;
pub use film::pelvis;
pub use limbs::limb;
pub use types::{
    Domain, FilmKind, FilmOptions, Hardware, HipLandmarks, Landmarks, PelvisTruth, SimulatedFilm, SimulatedFracture,
    display8,
};
