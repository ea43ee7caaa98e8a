//! Bundles from bundles, without training: normalization statistics of other films, means of weights, ranges of 8-bit arithmetic, the gate
//! by pixels, the threshold.

mod adapt;
mod average;
mod gate;
mod int8;
mod outputs;
mod settle;

pub use adapt::adapt;
pub use average::average;
pub use gate::FilmFeatures;
pub use int8::measure_int8;
pub use settle::{LabeledFilm, Settling, settle};
