//! Points, meshes, grids and implicit functions: the geometry that every simulated film is made of, in millimeters.
//!
//! Bones and soft tissue are implicit functions ([`shape`]) that are sampled ([`grid`]) and meshed to closed surfaces ([`mesh`]).

pub mod grid;
pub mod mesh;
pub mod shape;
pub mod vector;

pub use vector::{Rigid, Vec3, smoothstep, v};
