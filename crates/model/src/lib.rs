//! The network for people: bundle, recipe, training loop, checkpoints, prediction, Grad-CAM.
//!
//! - [`Bundle`]: a folder with a network's weights and a card that says what they are; [`weights`] brings them from and to other
//!   programs.
//! - [`Recipe`] and [`train()`]: from data sets to a bundle, in a run that can be broken off at any moment.
//! - [`Reader`]: from a film to a [`Prediction`] with its raw Grad-CAM and regions.
//!
//! What the network runs on is behind [`executor`]; the processor's engine is always there.

mod adapt;
pub mod augment;
mod average;
mod batches;
pub mod bundle;
#[cfg(any(feature = "cuda", feature = "rocm", feature = "wgpu", feature = "flex"))]
mod burn;
pub mod cache;
mod calibrate;
mod checkpoint;
mod error;
pub mod executor;
mod files;
mod finish;
pub mod history;
mod predict;
pub mod progress;
pub mod recipe;
pub mod regions;
mod run;
mod schedule;
mod tensorboard;
pub mod train;
pub mod weights;

pub use adapt::adapt;
pub use average::average;
pub use bundle::{Bundle, Card, Fit};
pub use coxa_engine::Precision;
pub use error::ModelError;
pub use executor::Backend;
pub use predict::{Others, Prediction, Reader, ReaderOptions, Reading, measure_int8};
pub use progress::{Control, Event, Progress, Quiet};
pub use recipe::{Overrides, Recipe};
pub use train::{Outcome, StageOutcome, TrainOptions, resume, train};
pub use weights::WeightsFormat;
