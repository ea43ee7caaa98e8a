//! The seam between the network for people and the machine that runs it: two traits, with the CPU engine behind them, and Burn for
//! GPUs where a feature asks for it.
//!
//! Everything else in this crate talks to [`InferExecutor`] and [`TrainExecutor`] alone. Another back end implements both, adds a
//! variant to [`Backend`] and an arm to [`infer_executor`] and [`train_executor`]; bundles and checkpoints stay the same, as every
//! back end takes and gives [`Parameters`] in torchvision's names and layout.

use std::fmt;
use std::str::FromStr;

use coxa_engine::{
    CellTargets, OptimizerState, Output, Parameters, Precision, Predictor, PredictorOptions, Ranges, StepOutput,
    Trainer, TrainerOptions,
};

use crate::ModelError;
#[cfg(any(feature = "cuda", feature = "rocm", feature = "wgpu", feature = "flex"))]
use crate::burn::{BurnInfer, BurnTrain};

/// Where the network runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Backend {
    /// The crate's own engine on the processor.
    #[default]
    Cpu,
    /// Burn on NVIDIA GPUs (feature `cuda`).
    #[cfg(feature = "cuda")]
    Cuda,
    /// Burn on AMD GPUs (feature `rocm`).
    #[cfg(feature = "rocm")]
    Rocm,
    /// Burn on whatever GPU the system's graphics interface offers (feature `wgpu`).
    #[cfg(feature = "wgpu")]
    Wgpu,
    /// Burn on the processor (feature `flex`): slower than [`Backend::Cpu`], and there to be compared with it.
    #[cfg(feature = "flex")]
    Flex,
}

impl Backend {
    /// Every back end of this build, with its name.
    pub const ALL: &'static [(Backend, &'static str)] = &[
        (Backend::Cpu, "cpu"),
        #[cfg(feature = "cuda")]
        (Backend::Cuda, "cuda"),
        #[cfg(feature = "rocm")]
        (Backend::Rocm, "rocm"),
        #[cfg(feature = "wgpu")]
        (Backend::Wgpu, "wgpu"),
        #[cfg(feature = "flex")]
        (Backend::Flex, "flex"),
    ];
}

impl FromStr for Backend {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        Backend::ALL.iter().find(|(_, known)| *known == name).map(|(backend, _)| *backend).ok_or_else(|| {
            let known: Vec<&str> = Backend::ALL.iter().map(|(_, name)| *name).collect();
            ModelError::Setting(format!("back end {name} is not one of this build's: {}", known.join(", ")))
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Backend::ALL.iter().find(|(backend, _)| backend == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// A network that only reads films.
pub trait InferExecutor: Send {
    /// Runs `n` images of `size` × `size` (row-major, values 0..=1) and gives logits and class activation maps.
    ///
    /// # Errors
    /// When `images` does not hold `n · size²` values, or the size is not a multiple of 32.
    fn run(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError>;
}

/// A network that learns.
pub trait TrainExecutor: Send {
    /// One step of gradient descent on a batch, its class activation map taught by `cells` where they are given. A loss that is not
    /// finite is returned and leaves the weights as they were.
    ///
    /// # Errors
    /// When the batch does not fit the network.
    fn step(
        &mut self,
        images: &[f32],
        targets: &[usize],
        cells: Option<&CellTargets<'_>>,
        size: usize,
    ) -> Result<StepOutput, ModelError>;

    /// Moves the running statistics towards those of `n` images by `share` (0..=1) and leaves the weights as they are; see
    /// [`Trainer::observe`].
    ///
    /// # Errors
    /// When the images do not fit the network.
    fn observe(&mut self, images: &[f32], n: usize, size: usize, share: f32) -> Result<(), ModelError>;

    /// Reads images with the running statistics, as the finished network would.
    ///
    /// # Errors
    /// As [`InferExecutor::run`].
    fn evaluate(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError>;

    /// A copy of the weights and running statistics.
    ///
    /// # Errors
    /// When they cannot be fetched from the device.
    fn parameters(&mut self) -> Result<Parameters, ModelError>;

    /// A copy of the optimizer's moments and step count.
    ///
    /// # Errors
    /// When they cannot be fetched from the device.
    fn state(&mut self) -> Result<OptimizerState, ModelError>;

    /// Puts the optimizer back to a state that [`TrainExecutor::state`] gave.
    ///
    /// # Errors
    /// When the state is another network's.
    fn load_state(&mut self, state: OptimizerState) -> Result<(), ModelError>;

    /// Sets the learning rate of the steps that follow.
    ///
    /// # Errors
    /// A rate that is not finite, or negative.
    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError>;
}

/// Builds the network that reads films with the given weights.
///
/// # Errors
/// When the back end cannot run at this precision.
pub fn infer_executor(
    backend: Backend,
    parameters: &Parameters,
    precision: Precision,
    threads: usize,
) -> Result<Box<dyn InferExecutor>, ModelError> {
    match backend {
        Backend::Cpu => Ok(Box::new(CpuInfer(Predictor::new(parameters, precision, on(threads))?))),
        #[cfg(feature = "cuda")]
        Backend::Cuda => Ok(Box::new(BurnInfer::<burn::backend::Cuda>::new(parameters, precision)?)),
        #[cfg(feature = "rocm")]
        Backend::Rocm => Ok(Box::new(BurnInfer::<burn::backend::Rocm>::new(parameters, precision)?)),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => Ok(Box::new(BurnInfer::<burn::backend::Wgpu>::new(parameters, precision)?)),
        #[cfg(feature = "flex")]
        Backend::Flex => Ok(Box::new(BurnInfer::<burn::backend::Flex>::new(parameters, precision)?)),
    }
}

/// Builds the network that learns, starting from the given weights.
///
/// # Errors
/// When the options do not fit the network or the back end.
pub fn train_executor(
    backend: Backend,
    parameters: Parameters,
    options: TrainerOptions,
) -> Result<Box<dyn TrainExecutor>, ModelError> {
    match backend {
        Backend::Cpu => {
            let (precision, prediction) =
                (options.precision, PredictorOptions { threads: options.threads, isa: options.isa });
            let trainer = Trainer::new(parameters, options)?;
            Ok(Box::new(CpuTrain { trainer, precision, prediction, predictor: None }))
        }
        #[cfg(feature = "cuda")]
        Backend::Cuda => Ok(Box::new(BurnTrain::<burn::backend::Cuda>::new(&parameters, options)?)),
        #[cfg(feature = "rocm")]
        Backend::Rocm => Ok(Box::new(BurnTrain::<burn::backend::Rocm>::new(&parameters, options)?)),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => Ok(Box::new(BurnTrain::<burn::backend::Wgpu>::new(&parameters, options)?)),
        #[cfg(feature = "flex")]
        Backend::Flex => Ok(Box::new(BurnTrain::<burn::backend::Flex>::new(&parameters, options)?)),
    }
}

/// An int8 network on the CPU engine, its activation ranges measured on `calibration` (films of `size` × `size`, values 0..=1).
///
/// # Errors
/// When there are no calibration images or they do not fill whole films.
pub fn calibrated_executor(
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
pub fn ranged_executor(
    parameters: &Parameters,
    threads: usize,
    ranges: &Ranges,
) -> Result<Box<dyn InferExecutor>, ModelError> {
    Ok(Box::new(CpuInfer(Predictor::with_ranges(parameters, ranges, on(threads))?)))
}

/// The engine's options for so many threads.
fn on(threads: usize) -> PredictorOptions {
    PredictorOptions { threads, ..PredictorOptions::default() }
}

struct CpuInfer(Predictor);

impl InferExecutor for CpuInfer {
    fn run(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError> {
        Ok(self.0.run(images, n, size)?)
    }
}

struct CpuTrain {
    trainer: Trainer,
    precision: Precision,
    prediction: PredictorOptions,
    /// The inference network of the present weights; any step makes it stale.
    predictor: Option<Predictor>,
}

impl TrainExecutor for CpuTrain {
    fn step(
        &mut self,
        images: &[f32],
        targets: &[usize],
        cells: Option<&CellTargets<'_>>,
        size: usize,
    ) -> Result<StepOutput, ModelError> {
        self.predictor = None;
        Ok(self.trainer.step(images, targets, cells, size)?)
    }

    fn observe(&mut self, images: &[f32], n: usize, size: usize, share: f32) -> Result<(), ModelError> {
        self.predictor = None;
        Ok(self.trainer.observe(images, n, size, share)?)
    }

    fn evaluate(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError> {
        let predictor = match &mut self.predictor {
            Some(predictor) => predictor,
            none => none.insert(Predictor::new(&self.trainer.parameters(), self.precision, self.prediction)?),
        };
        Ok(predictor.run(images, n, size)?)
    }

    fn parameters(&mut self) -> Result<Parameters, ModelError> {
        Ok(self.trainer.parameters())
    }

    fn state(&mut self) -> Result<OptimizerState, ModelError> {
        Ok(self.trainer.state())
    }

    fn load_state(&mut self, state: OptimizerState) -> Result<(), ModelError> {
        self.predictor = None;
        Ok(self.trainer.load_state(state)?)
    }

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        Ok(self.trainer.set_learning_rate(learning_rate)?)
    }
}
