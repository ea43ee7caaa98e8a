//! Bones of the hip: implicit shapes of pelvis, spine and femora, the templates made of them, their fractures and the lines on
//! them, and bone surfaces from files in their place.

pub mod bank;
pub mod femur;
pub mod fracture;
pub mod pelvis;
pub mod relief;
pub mod sacrum;
pub mod spine;
pub mod surfaces;

pub use surfaces::{BoneSurfaces, read_surface};
