//! The seam between the network and the machine that runs it: two traits.

use coxa_engine::{CellTargets, OptimizerState, Output, Parameters, StepOutput};

use crate::ModelError;

/// A network that only predicts.
pub(crate) trait InferExecutor: Send {
    /// Runs `n` images of `size` × `size` (row-major, values 0..=1) and gives logits and class activation maps.
    ///
    /// # Errors
    /// When `images` does not hold `n · size²` values, or the size is not a multiple of 32.
    fn run(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError>;
}

/// A network that learns.
pub(crate) trait TrainExecutor: Send {
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
    /// [`coxa_engine::Trainer::observe`].
    ///
    /// # Errors
    /// When the images do not fit the network.
    fn observe(&mut self, images: &[f32], n: usize, size: usize, share: f32) -> Result<(), ModelError>;

    /// Predicts with the running statistics, as the finished network would.
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
