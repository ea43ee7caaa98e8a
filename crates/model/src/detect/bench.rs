//! The network at work on images that show nothing, for timing: no prediction comes out.

use coxa_engine::{Loss, Parameters, Precision, TrainerOptions};
use coxa_imaging::{ModelInput, Radiograph, preprocess};

use super::{Admitted, Detector, DetectorOptions};
use crate::backends::{Backend, InferExecutor, TrainExecutor, calibrated_executor, infer_executor, train_executor};
use crate::{Bundle, ModelError};

/// Work to be timed, on reproducible noise.
pub struct Workload {
    batch: usize,
    size: usize,
    images: Vec<f32>,
    kind: Kind,
}

enum Kind {
    Detect(Box<dyn InferExecutor>),
    Localize { detector: Box<Detector>, film: Box<Radiograph>, input: ModelInput },
    Train(Box<dyn TrainExecutor>),
}

impl Workload {
    /// The probabilities of `batch` images of `size` × `size` pixels.
    ///
    /// # Errors
    /// When the back end cannot run at this precision.
    pub fn detect(
        parameters: &Parameters,
        options: &DetectorOptions,
        batch: usize,
        size: usize,
    ) -> Result<Self, ModelError> {
        let images = noise(batch * size * size);
        let threads = crate::backends::threads_or_all(options.threads);
        let network = match (options.precision, options.backend) {
            (Precision::Int8, Backend::Cpu) => calibrated_executor(parameters, threads, &images, size)?,
            _ => infer_executor(options.backend, parameters, options.precision, threads)?,
        };
        Ok(Workload { batch, size, images, kind: Kind::Detect(network) })
    }

    /// The whole way of `batch` films at once: 8-bit pixels in; probability, raw map and regions out.
    ///
    /// # Errors
    /// As [`Detector::new`].
    pub fn localize(bundle: &Bundle, options: &DetectorOptions, batch: usize) -> Result<Self, ModelError> {
        let size = options.input_size(bundle)?;
        let pixels = noise(size * size).into_iter().map(|value| value * 255.0).collect();
        let film = Radiograph::from_display(size, size, pixels)?;
        let detector = match options.precision {
            Precision::Int8 => Detector::calibrated(bundle, options, std::slice::from_ref(&film))?,
            _ => Detector::new(bundle, options)?,
        };
        let input = preprocess(&film, size, bundle.card().input.fit);
        let kind = Kind::Localize { detector: Box::new(detector), film: Box::new(film), input };
        Ok(Workload { batch, size, images: Vec::new(), kind })
    }

    /// A training step on `batch` images: forward, backward, Adam.
    ///
    /// # Errors
    /// When the back end cannot train at this precision.
    pub fn train(
        parameters: Parameters,
        options: &DetectorOptions,
        batch: usize,
        size: usize,
    ) -> Result<Self, ModelError> {
        let trainer = TrainerOptions {
            precision: options.precision,
            threads: crate::backends::threads_or_all(options.threads),
            loss: Loss::Binary,
            learning_rate: 1e-4,
            ..TrainerOptions::default()
        };
        let network = train_executor(options.backend, parameters, trainer)?;
        Ok(Workload { batch, size, images: noise(batch * size * size), kind: Kind::Train(network) })
    }

    /// Does the work once.
    ///
    /// # Errors
    /// When the network fails.
    pub fn run(&mut self) -> Result<(), ModelError> {
        let (batch, size) = (self.batch, self.size);
        match &mut self.kind {
            Kind::Detect(network) => drop(network.run(&self.images, batch, size)?),
            Kind::Localize { detector, film, input } => {
                let admitted = || Admitted { film: (**film).clone(), input: input.clone(), concerns: Vec::new() };
                drop(detector.predict((0..batch).map(|_| admitted()).collect())?);
            }
            Kind::Train(network) => {
                let targets: Vec<usize> = (0..batch).map(|i| i % 2).collect();
                drop(network.step(&self.images, &targets, None, size)?);
            }
        }
        Ok(())
    }
}

/// A reproducible image of noise, values 0 to 1.
fn noise(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        })
        .collect()
}
