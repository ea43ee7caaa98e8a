//! Inference: from images to logits and class activation maps.

mod calibration;
mod convolution;
mod mirror;
mod network;
mod pass;
mod predictor;
mod window;
mod workspace;

pub use calibration::Ranges;
pub(crate) use predictor::check_images;
pub use predictor::{Output, Precision, Predictor, PredictorOptions, QUARTERS};
pub(crate) use window::Window;
