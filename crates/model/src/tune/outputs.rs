//! Films on their way through a bundle's network, a few at once.

use coxa_engine::{Output, Parameters};
use coxa_imaging::{Fit, Radiograph, preprocess};

use crate::backends::{Backend, InferExecutor, infer_executor, threads_or_all};
use crate::numbers::extend_scaled;
use crate::{ModelError, Precision, Reading};

/// Films that go through the network at once.
const BATCH: usize = 4;

/// A network in f32, and the films that wait for it.
pub(super) struct Outputs {
    network: Box<dyn InferExecutor>,
    reading: Reading,
    fit: Fit,
    waiting: Vec<f32>,
    n_waiting: usize,
}

impl Outputs {
    /// By these parameters, on films that fill the square so and are read so.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn new(
        parameters: &Parameters,
        reading: Reading,
        fit: Fit,
        threads: Option<usize>,
    ) -> Result<Self, ModelError> {
        let network = infer_executor(Backend::Cpu, parameters, Precision::F32, threads_or_all(threads))?;
        Ok(Outputs { network, reading, fit, waiting: Vec::new(), n_waiting: 0 })
    }

    /// Takes in a film; header and size count for nothing here. Gives the outputs of this one and those that waited, when they are enough.
    ///
    /// # Errors
    /// When the network fails.
    pub fn take(&mut self, film: &Radiograph) -> Result<Option<Output>, ModelError> {
        extend_scaled(&mut self.waiting, &preprocess(film, self.reading.size, self.fit));
        self.n_waiting += 1;
        if self.n_waiting == BATCH { self.rest() } else { Ok(None) }
    }

    /// The outputs of the films that wait, if any do.
    ///
    /// # Errors
    /// When the network fails.
    pub fn rest(&mut self) -> Result<Option<Output>, ModelError> {
        if self.n_waiting == 0 {
            return Ok(None);
        }
        let (reading, network) = (self.reading, &mut self.network);
        let output =
            reading.read(&mut self.waiting, self.n_waiting, |images, n| network.run(images, n, reading.size))?;
        self.waiting.clear();
        self.n_waiting = 0;
        Ok(Some(output))
    }
}
