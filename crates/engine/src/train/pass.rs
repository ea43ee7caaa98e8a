//! A forward pass as a value: its backward pass takes it away, so that there is none without, and none twice.

use super::StepOutput;
use super::forward::Activations;
use super::network::BatchStatistics;
use crate::parameters::Parameters;

/// The loss's gradient where the network ends.
pub(crate) struct Above {
    /// At the logits.
    pub logits: Vec<f32>,
    /// At the cells of the class activation map, and what that adds at the bias.
    pub cells: Option<(Vec<f32>, f32)>,
}

/// A forward pass of a [`Trainer`](super::Trainer): its output, and the activations that its backward pass needs.
///
/// It borrows the trainer, whose weights and memory cannot change while a backward pass may follow.
///
/// ```
/// use coxa_engine::{Architecture, Parameters, Trainer, TrainerOptions};
///
/// let parameters = Parameters::initialize(&Architecture::new(1), 1);
/// let mut trainer = Trainer::new(parameters, TrainerOptions::default())?;
/// let images = vec![0.5; 2 * 32 * 32];
/// let pass = trainer.forward(&images, &[0, 1], None, 32)?;
/// println!("loss {}", pass.output().loss);
/// let gradient = pass.backward();
/// assert!(gradient.tensor("classifier.bias").is_some());
/// # Ok::<(), coxa_engine::EngineError>(())
/// ```
///
/// A backward pass takes the forward pass, so there cannot be a second one:
///
/// ```compile_fail,E0382
/// # use coxa_engine::{Architecture, Parameters, Trainer, TrainerOptions};
/// # let parameters = Parameters::initialize(&Architecture::new(1), 1);
/// # let mut trainer = Trainer::new(parameters, TrainerOptions::default())?;
/// # let images = vec![0.5; 2 * 32 * 32];
/// let pass = trainer.forward(&images, &[0, 1], None, 32)?;
/// let gradient = pass.backward();
/// let again = pass.backward(); // `pass` was moved
/// # Ok::<(), coxa_engine::EngineError>(())
/// ```
///
/// nor one after the weights have changed:
///
/// ```compile_fail,E0499
/// # use coxa_engine::{Architecture, Parameters, Trainer, TrainerOptions};
/// # let parameters = Parameters::initialize(&Architecture::new(1), 1);
/// # let mut trainer = Trainer::new(parameters, TrainerOptions::default())?;
/// # let images = vec![0.5; 2 * 32 * 32];
/// let pass = trainer.forward(&images, &[0, 1], None, 32)?;
/// trainer.step(&images, &[0, 1], None, 32)?; // `trainer` is borrowed
/// let gradient = pass.backward();
/// # Ok::<(), coxa_engine::EngineError>(())
/// ```
///
/// nor one without a forward pass:
///
/// ```compile_fail,E0599
/// # use coxa_engine::{Architecture, Parameters, Trainer, TrainerOptions};
/// # let parameters = Parameters::initialize(&Architecture::new(1), 1);
/// # let mut trainer = Trainer::new(parameters, TrainerOptions::default())?;
/// let gradient = trainer.backward(); // only a forward pass has it
/// # Ok::<(), coxa_engine::EngineError>(())
/// ```
#[must_use]
pub struct ForwardPass<'t> {
    activations: Activations<'t>,
    above: Above,
    output: StepOutput,
}

impl<'t> ForwardPass<'t> {
    pub(super) fn new(activations: Activations<'t>, above: Above, output: StepOutput) -> Self {
        ForwardPass { activations, above, output }
    }

    /// The losses and the logits.
    pub fn output(&self) -> &StepOutput {
        &self.output
    }

    /// The losses and the logits, without a backward pass.
    pub fn into_output(self) -> StepOutput {
        self.output
    }

    /// The gradient of every tensor; zero for frozen tensors and running statistics.
    pub fn backward(self) -> Parameters {
        self.activations.backward(&self.above).tensors()
    }

    /// The backward pass, its gradients left in the network; returns the output and the batch's statistics.
    pub(super) fn finish(self) -> (StepOutput, BatchStatistics) {
        let statistics = self.activations.backward(&self.above).statistics;
        (self.output, statistics)
    }
}

impl std::fmt::Debug for ForwardPass<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForwardPass").field("output", &self.output).finish_non_exhaustive()
    }
}
