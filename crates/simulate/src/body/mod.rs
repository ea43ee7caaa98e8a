//! A posed patient and the frontal film of the pelvis or of one hip: soft tissue, pose, viewpoint, and their drawing.

mod draw;
pub mod envelope;
pub mod film;
mod muscles;
pub mod patient;
mod soft;
pub mod viewpoint;

pub use film::pelvis;
