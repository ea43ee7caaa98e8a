//! Films on their way through a bundle's network, a few at once.

use coxa_engine::{Output, Parameters};
use coxa_imaging::{Fit, Radiograph, preprocess};

use crate::backends::{Backend, InferExecutor, infer_executor, threads_or_all};
use crate::bundle::InputSpec;
use crate::numbers::extend_scaled;
use crate::{ModelError, Precision};

/// Films that go through the network at once.
const BATCH: usize = 4;

/// A network in f32, and the films that wait for it.
pub(super) struct Outputs {
    network: Box<dyn InferExecutor>,
    size: usize,
    fit: Fit,
    waiting: Vec<f32>,
    n_waiting: usize,
}

impl Outputs {
    /// By these parameters, on films prepared so.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn new(parameters: &Parameters, input: &InputSpec, threads: Option<usize>) -> Result<Self, ModelError> {
        let network = infer_executor(Backend::Cpu, parameters, Precision::F32, threads_or_all(threads))?;
        Ok(Outputs { network, size: input.size, fit: input.fit, waiting: Vec::new(), n_waiting: 0 })
    }

    /// Takes in a film; header and size count for nothing here. Gives the outputs of this one and those that waited, when they are enough.
    ///
    /// # Errors
    /// When the network fails.
    pub fn take(&mut self, film: &Radiograph) -> Result<Option<Output>, ModelError> {
        extend_scaled(&mut self.waiting, &preprocess(film, self.size, self.fit));
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
        let output = self.network.run(&self.waiting, self.n_waiting, self.size)?;
        self.waiting.clear();
        self.n_waiting = 0;
        Ok(Some(output))
    }
}
