//! What the network runs on: two traits, with the engine on the processor behind them, and Burn for GPUs where a feature asks for it.
//!
//! Everything else in this crate uses [`InferExecutor`] and [`TrainExecutor`] alone. Another back end implements both, adds a
//! variant to [`Backend`] and an arm to [`infer_executor`] and [`train_executor`]; bundles and checkpoints stay the same, as every
//! back end takes and gives [`Parameters`] in torchvision's names and layout.

mod backend;
#[cfg(any(feature = "cuda", feature = "rocm", feature = "wgpu", feature = "flex"))]
mod burn;
mod cpu;
mod executor;
#[cfg(all(test, feature = "flex"))]
mod second_opinion;

use coxa_engine::{Parameters, Precision, Predictor, PredictorOptions, Ranges, TrainerOptions};

pub use backend::Backend;
#[cfg(any(feature = "cuda", feature = "rocm", feature = "wgpu", feature = "flex"))]
use burn::{BurnInfer, BurnTrain};
use cpu::{CpuInfer, CpuTrain};
pub(crate) use executor::{InferExecutor, TrainExecutor};

use crate::ModelError;

/// Builds the network that predicts with the given weights.
///
/// # Errors
/// When the back end cannot run at this precision.
pub(crate) fn infer_executor(
    backend: Backend,
    parameters: &Parameters,
    precision: Precision,
    threads: usize,
) -> Result<Box<dyn InferExecutor>, ModelError> {
    match backend {
        Backend::Cpu => Ok(Box::new(CpuInfer(Predictor::new(parameters, precision, on(threads))?))),
        #[cfg(feature = "cuda")]
        Backend::Cuda => Ok(Box::new(BurnInfer::<::burn::backend::Cuda>::new(parameters, precision)?)),
        #[cfg(feature = "rocm")]
        Backend::Rocm => Ok(Box::new(BurnInfer::<::burn::backend::Rocm>::new(parameters, precision)?)),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => Ok(Box::new(BurnInfer::<::burn::backend::Wgpu>::new(parameters, precision)?)),
        #[cfg(feature = "flex")]
        Backend::Flex => Ok(Box::new(BurnInfer::<::burn::backend::Flex>::new(parameters, precision)?)),
    }
}

/// Builds the network that learns, starting from the given weights.
///
/// # Errors
/// When the options do not fit the network or the back end.
pub(crate) fn train_executor(
    backend: Backend,
    parameters: Parameters,
    options: TrainerOptions,
) -> Result<Box<dyn TrainExecutor>, ModelError> {
    match backend {
        Backend::Cpu => Ok(Box::new(CpuTrain::new(parameters, options)?)),
        #[cfg(feature = "cuda")]
        Backend::Cuda => Ok(Box::new(BurnTrain::<::burn::backend::Cuda>::new(&parameters, options)?)),
        #[cfg(feature = "rocm")]
        Backend::Rocm => Ok(Box::new(BurnTrain::<::burn::backend::Rocm>::new(&parameters, options)?)),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => Ok(Box::new(BurnTrain::<::burn::backend::Wgpu>::new(&parameters, options)?)),
        #[cfg(feature = "flex")]
        Backend::Flex => Ok(Box::new(BurnTrain::<::burn::backend::Flex>::new(&parameters, options)?)),
    }
}

/// An int8 network on the CPU engine, its activation ranges measured on `calibration` (films of `size` × `size`, values 0..=1).
///
/// # Errors
/// When there are no calibration images or they do not fill whole films.
pub(crate) fn calibrated_executor(
    parameters: &Parameters,
    threads: usize,
    calibration: &[f32],
    size: usize,
) -> Result<Box<dyn InferExecutor>, ModelError> {
    Ok(Box::new(CpuInfer(Predictor::calibrated(parameters, calibration, size, on(threads))?)))
}

/// An int8 network on the CPU engine, its activation ranges measured before.
///
/// # Errors
/// When the engine refuses.
pub(crate) fn ranged_executor(
    parameters: &Parameters,
    threads: usize,
    ranges: &Ranges,
) -> Result<Box<dyn InferExecutor>, ModelError> {
    Ok(Box::new(CpuInfer(Predictor::with_ranges(parameters, ranges, on(threads))?)))
}

/// The engine's options for so many threads.
pub(crate) fn on(threads: usize) -> PredictorOptions {
    PredictorOptions { threads, ..PredictorOptions::default() }
}

/// The threads asked for, or all the processor's.
pub(crate) fn threads_or_all(threads: Option<usize>) -> usize {
    threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}
