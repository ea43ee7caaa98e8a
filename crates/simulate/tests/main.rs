//! Integration tests of the simulator.

mod anatomy;
mod dataset;
mod hospital;
mod limbs;
mod pelvis;
