//! Normalization statistics, measured batch by batch under weights that stay.

use crate::ModelError;
use crate::backends::TrainExecutor;

/// Measures a network's normalization statistics batch by batch.
pub(crate) struct Measure {
    seen: usize,
}

impl Measure {
    pub(crate) fn new() -> Self {
        Measure { seen: 0 }
    }

    /// Images taken in so far.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// Takes in `n` images; after the last the running statistics are the mean and variance over all of them.
    pub(crate) fn take(
        &mut self,
        network: &mut dyn TrainExecutor,
        images: &[f32],
        n: usize,
        size: usize,
    ) -> Result<(), ModelError> {
        self.seen += n;
        network.observe(images, n, size, n as f32 / self.seen as f32)
    }
}
