//! How a bundle is run on films.

use coxa_engine::{LARGEST_SIZE, Precision};

use super::gate::GateRule;
use crate::bundle::Bundle;
use crate::{Backend, ModelError};

/// How a bundle is run on films.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorOptions {
    /// Where the network runs.
    pub backend: Backend,
    /// The numbers that it computes with.
    pub precision: Precision,
    /// Threads of the network and of decoding; all the processor's, unless given.
    pub threads: Option<usize>,
    /// Another input size than the bundle's, a multiple of 32.
    pub image_size: Option<usize>,
    /// Another threshold than the bundle's, 0..=1.
    pub threshold: Option<f64>,
    /// Films that go through the network at once, in a pipeline.
    pub batch: usize,
    /// Whether films pass the gate before the network.
    pub gate: GateRule,
}

impl Default for DetectorOptions {
    fn default() -> Self {
        DetectorOptions {
            backend: Backend::default(),
            precision: Precision::F32,
            threads: None,
            image_size: None,
            threshold: None,
            batch: 1,
            gate: GateRule::Enforced,
        }
    }
}

impl DetectorOptions {
    /// Pixels on each side of the input: those asked for, or the bundle's own.
    pub(super) fn input_size(&self, bundle: &Bundle) -> Result<usize, ModelError> {
        let size = self.image_size.unwrap_or(bundle.card().input.size);
        if !(32..=LARGEST_SIZE).contains(&size) || !size.is_multiple_of(32) {
            return Err(ModelError::Setting(format!(
                "the image size is {size}, but must be a multiple of 32 of at most {LARGEST_SIZE}"
            )));
        }
        Ok(size)
    }
}
