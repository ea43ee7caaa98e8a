//! The gate by pixels, fitted on films of known contents.

use coxa_engine::QUARTERS;
use coxa_engine::architecture::FEATURES;
use coxa_imaging::{Fit, Radiograph, preprocess};

use crate::backends::{Backend, InferExecutor, infer_executor, threads_or_all};
use crate::content::{ContentGate, Example, INPUTS, fit, inputs};
use crate::numbers::extend_scaled;
use crate::{Bundle, ModelError, Precision};

/// Films that go through the network at once.
const BATCH: usize = 4;

/// Films of known contents on their way to a [`ContentGate`]: what the network makes of them, in the order in which they are taken.
pub struct FilmFeatures {
    network: Box<dyn InferExecutor>,
    size: usize,
    fit: Fit,
    waiting: Vec<f32>,
    n_waiting: usize,
    /// [films × inputs].
    inputs: Vec<f32>,
}

impl FilmFeatures {
    /// By the network of a bundle, at its input size.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn new(bundle: &Bundle, threads: Option<usize>) -> Result<Self, ModelError> {
        let network = infer_executor(Backend::Cpu, bundle.parameters(), Precision::F32, threads_or_all(threads))?;
        let (size, fit) = (bundle.card().input.size, bundle.card().input.fit);
        Ok(FilmFeatures { network, size, fit, waiting: Vec::new(), n_waiting: 0, inputs: Vec::new() })
    }

    /// Takes in a film; header and size count for nothing here.
    ///
    /// # Errors
    /// When the network fails.
    pub fn take(&mut self, film: &Radiograph) -> Result<(), ModelError> {
        extend_scaled(&mut self.waiting, &preprocess(film, self.size, self.fit));
        self.n_waiting += 1;
        if self.n_waiting == BATCH { self.run() } else { Ok(()) }
    }

    fn run(&mut self) -> Result<(), ModelError> {
        if self.n_waiting > 0 {
            let output = self.network.run(&self.waiting, self.n_waiting, self.size)?;
            self.inputs.extend(output.features.chunks_exact(QUARTERS * FEATURES).flat_map(inputs));
            self.waiting.clear();
            self.n_waiting = 0;
        }
        Ok(())
    }

    /// Fits a gate on the films, of which `examples` says in the same order what they show and what they are used for; `fitted_on` says
    /// in words what they are. Gives the gate and whether it refuses each of the films.
    ///
    /// # Errors
    /// When there are not as many examples as films, or the films to fit or to validate on are not of accepted classes and others.
    pub fn fit(mut self, examples: &[Example], fitted_on: &str) -> Result<(ContentGate, Vec<bool>), ModelError> {
        self.run()?;
        if self.inputs.len() != examples.len() * INPUTS {
            let n = self.inputs.len() / INPUTS;
            return Err(ModelError::Internal(format!("{} examples of {n} films", examples.len())));
        }
        let gate = fit(&self.inputs, examples, fitted_on)?;
        let refused = self.inputs.chunks_exact(INPUTS).map(|inputs| gate.refuses(inputs)).collect();
        Ok((gate, refused))
    }
}
