//! The executor on the processor: `coxa-engine`.

use coxa_engine::{
    CellTargets, OptimizerState, Output, Parameters, Precision, Predictor, PredictorOptions, StepOutput, Trainer,
    TrainerOptions,
};

use super::executor::{InferExecutor, TrainExecutor};
use crate::ModelError;

pub(super) struct CpuInfer(pub(super) Predictor);

impl InferExecutor for CpuInfer {
    fn run(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError> {
        Ok(self.0.run(images, n, size)?)
    }
}

pub(super) struct CpuTrain {
    trainer: Trainer,
    precision: Precision,
    prediction: PredictorOptions,
    /// The inference network of the present weights; any step makes it stale.
    predictor: Option<Predictor>,
}

impl CpuTrain {
    pub(super) fn new(parameters: Parameters, options: TrainerOptions) -> Result<Self, ModelError> {
        let precision = options.precision;
        let prediction = PredictorOptions { threads: options.threads, isa: options.isa };
        Ok(CpuTrain { trainer: Trainer::new(parameters, options)?, precision, prediction, predictor: None })
    }
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
