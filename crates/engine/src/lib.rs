//! DenseNet-121 on the CPU: inference, class activation maps and training, without any other library.
//!
//! The network is torchvision's DenseNet-121 with one input channel; its tensors have the names and the layout of torchvision's state
//! dict ([`Parameters`]). [`Predictor`] is the network for inference: normalizations are folded into the convolutions, weights are
//! packed once, and memory is used again from call to call. [`Trainer`] is the network for training: batch statistics, backward pass
//! and Adam.
//!
//! Images are square, their side a multiple of 32 pixels, with values in 0..=1, row by row, one image after the other.
//!
//! # Example
//!
//! ```
//! use coxa_engine::{Architecture, Parameters, Precision, Predictor, PredictorOptions, Trainer, TrainerOptions};
//!
//! // A network with one output, its weights drawn at random; `Parameters::from_tensors` takes trained ones.
//! let parameters = Parameters::initialize(&Architecture::new(1), 7);
//!
//! // Two images of 64 × 64 pixels, the second with a bright square, and a step of training on them.
//! let size = 64;
//! let mut images = vec![0.2; 2 * size * size];
//! for row in 20..40 {
//!     images[size * size + row * size + 20..][..20].fill(0.9);
//! }
//! let options = TrainerOptions { threads: 2, learning_rate: 1e-4, ..TrainerOptions::default() };
//! let mut trainer = Trainer::new(parameters, options)?;
//! let step = trainer.step(&images, &[0, 1], None, size)?;
//! assert!(step.loss.is_finite());
//!
//! // The same network for inference: a logit for each image, and where in the image it comes from.
//! let options = PredictorOptions { threads: 2, ..PredictorOptions::default() };
//! let mut predictor = Predictor::new(&trainer.parameters(), Precision::F32, options)?;
//! let output = predictor.run(&images, 2, size)?;
//! assert_eq!(output.logits.len(), 2);
//! assert_eq!(output.maps.len(), 2 * output.map_side * output.map_side);
//! # Ok::<(), coxa_engine::EngineError>(())
//! ```
//!
//! # Instruction sets and threads
//!
//! Kernels exist for the instruction sets of [`Isa`]. Both networks take the richest that the processor has, unless their options name
//! another one; the library reads no environment variable. Different instruction sets, and different precisions, differ in the last
//! digits; the number of threads changes no bit.

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
pub use infer::{Output, Precision, Predictor, PredictorOptions, QUARTERS, Ranges};
pub use parameters::Parameters;
pub use train::{
    CellTargets, ForwardPass, Loss, Moments, Normalization, OptimizerState, StepOutput, Trainer, TrainerOptions,
};

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
