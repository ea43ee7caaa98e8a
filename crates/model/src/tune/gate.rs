//! The gate by pixels, fitted on films of known contents.

use coxa_engine::architecture::FEATURES;
use coxa_engine::{Output, QUARTERS};
use coxa_imaging::Radiograph;

use super::outputs::Outputs;
use crate::content::{ContentGate, Example, INPUTS, fit, inputs};
use crate::{Bundle, ModelError, Reading};

/// Films of known contents on their way to a [`ContentGate`]: what the network makes of them, in the order in which they are taken.
pub struct FilmFeatures {
    outputs: Outputs,
    /// [films × inputs].
    inputs: Vec<f32>,
}

impl FilmFeatures {
    /// By the network of a bundle, at its input size.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn new(bundle: &Bundle, threads: Option<usize>) -> Result<Self, ModelError> {
        // The features are those of the film as it is: a mirror image would be read for nothing.
        let reading = Reading { mirror: false, ..Reading::of(bundle.card()) };
        let outputs = Outputs::new(bundle.parameters(), reading, bundle.card().input.fit, threads)?;
        Ok(FilmFeatures { outputs, inputs: Vec::new() })
    }

    /// Takes in a film; header and size count for nothing here.
    ///
    /// # Errors
    /// When the network fails.
    pub fn take(&mut self, film: &Radiograph) -> Result<(), ModelError> {
        let output = self.outputs.take(film)?;
        self.keep(output);
        Ok(())
    }

    fn keep(&mut self, output: Option<Output>) {
        let features = output.map(|output| output.features).unwrap_or_default();
        self.inputs.extend(features.chunks_exact(QUARTERS * FEATURES).flat_map(inputs));
    }

    /// Fits a gate on the films, of which `examples` says in the same order what they show and what they are used for; `fitted_on` says
    /// in words what they are. Gives the gate and whether it refuses each of the films.
    ///
    /// # Errors
    /// When there are not as many examples as films, or the films to fit or to validate on are not of accepted classes and others.
    pub fn fit(mut self, examples: &[Example], fitted_on: &str) -> Result<(ContentGate, Vec<bool>), ModelError> {
        let rest = self.outputs.rest()?;
        self.keep(rest);
        if self.inputs.len() != examples.len() * INPUTS {
            let n = self.inputs.len() / INPUTS;
            return Err(ModelError::Internal(format!("{} examples of {n} films", examples.len())));
        }
        let gate = fit(&self.inputs, examples, fitted_on)?;
        let refused = self.inputs.chunks_exact(INPUTS).map(|inputs| gate.refuses(inputs)).collect();
        Ok((gate, refused))
    }
}
