//! DenseNet-121 on the CPU: forward, backward and optimizer.
//!
//! The network is torchvision's DenseNet-121 with one input channel, tensors named and laid out as in torchvision's state dict
//! ([`Parameters`]). [`Predictor`] is the inference network (batch normalization folded, weights packed, buffers reused);
//! [`Trainer`] is the training network (batch statistics, backward pass, Adam). Both choose their kernels for the processor at
//! run time ([`mod@cpu`]), and both give the same bits whatever the number of threads.

pub mod architecture;
pub mod bench;
pub mod cpu;
pub mod error;
pub mod infer;
mod kernels;
pub mod parameters;
mod threads;
pub mod train;

pub use architecture::{Architecture, LARGEST_SIZE};
pub use cpu::{CpuFeatures, Isa, cpu};
pub use error::EngineError;
pub use infer::{Output, Precision, Predictor, PredictorOptions, Ranges};
pub use parameters::Parameters;
pub use train::{CellTargets, ForwardPass, Loss, Normalization, OptimizerState, StepOutput, Trainer, TrainerOptions};
