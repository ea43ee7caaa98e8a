//! Integration tests of the simulator.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod anatomy;
mod dataset;
mod hospital;
mod limbs;
mod pelvis;
