//! Bundles from bundles, without training: normalization statistics of other films, means of weights, ranges of 8-bit arithmetic.

mod adapt;
mod average;
mod int8;

pub use adapt::adapt;
pub use average::average;
pub use int8::measure_int8;
