//! Bundles from bundles, without training: normalization statistics of other films, means of weights, ranges of 8-bit arithmetic, the gate
//! by pixels.

mod adapt;
mod average;
mod gate;
mod int8;

pub use adapt::adapt;
pub use average::average;
pub use gate::FilmFeatures;
pub use int8::measure_int8;
