//! Validation: a network's outputs for the films that are held out, and how right they are.

use std::path::Path;

use coxa_cohort::{CohortError, PredictionWriter, Sample};
use coxa_engine::Output;
use coxa_files::TableError;
use coxa_schema::{Label, PredictionRow};
use coxa_stats::{Scored, auc};

use super::batches::{Batch, Films};
use super::plan::Plan;
use super::progress::{Control, Event, Observer};
use crate::ModelError;
use crate::numbers::probability;
use crate::reading::Reading;
use crate::recipe::Stage;
use crate::settle::{binary_loss, softmax_loss};

/// Runs a network on `n` images.
pub(crate) type RunNetwork<'a> = dyn FnMut(&[f32], usize) -> Result<Output, ModelError> + 'a;

/// A network's outputs for the validation films, and how right they are.
pub(crate) struct Validation {
    /// Outputs of all films, one film after the other.
    pub logits: Vec<f32>,
    pub targets: Vec<usize>,
    /// The greatest value of each film's map; with one output only.
    pub peaks: Vec<f32>,
    pub loss: f64,
    pub accuracy: f64,
    pub auc: Option<f64>,
}

impl Validation {
    /// Runs the network on the films; `None` if `observer` stops it.
    pub(crate) fn measure(
        stage: &Stage,
        films: &Films<'_>,
        n_classes: usize,
        run: &mut RunNetwork<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Validation>, ModelError> {
        let plan = Plan::in_order(films.films.len(), stage.batch);
        let mut logits = Vec::new();
        let mut targets = Vec::new();
        let mut peaks = Vec::new();
        let whole = films.with_batches(&plan, 0, |next| -> Result<bool, ModelError> {
            while let Some(batch) = next() {
                let Batch { mut images, targets: truth, .. } = batch?;
                let output = Reading::of_stage(stage).read(&mut images, truth.len(), &mut *run)?;
                logits.extend(output.logits);
                if n_classes == 2 {
                    let cells = output.map_side * output.map_side;
                    peaks.extend(output.maps.chunks_exact(cells).map(|map| map.iter().copied().fold(0.0, f32::max)));
                }
                targets.extend(truth);
                let event = Event::Validating { stage: &stage.name, done: targets.len(), total: films.films.len() };
                if observer.on(&event) != Control::Continue {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(whole.then(|| Validation::of(logits, targets, peaks, n_classes)))
    }

    /// Writes the films' predictions as a table; of two classes only.
    pub(super) fn write(&self, path: &Path, samples: &[Sample]) -> Result<(), ModelError> {
        let write = || -> Result<(), TableError> {
            let mut table = PredictionWriter::create(path, &[])?;
            for (sample, logit) in samples.iter().zip(&self.logits) {
                table.write(&PredictionRow {
                    image_id: sample.image_id.clone(),
                    patient: sample.patient.clone(),
                    label: Label::from(sample.target == 1),
                    probability: probability(*logit, 1.0),
                    threshold: None,
                    groups: Vec::new(),
                })?;
            }
            table.finish()
        };
        Ok(write().map_err(CohortError::from)?)
    }

    fn of(logits: Vec<f32>, targets: Vec<usize>, peaks: Vec<f32>, n_classes: usize) -> Validation {
        let n = targets.len() as f64;
        let accuracy = n_right(&logits, &targets) as f64 / n;
        let (loss, auc) = if n_classes == 2 {
            let positive: Vec<bool> = targets.iter().map(|target| *target == 1).collect();
            let sum: f64 = logits.iter().zip(&positive).map(|(logit, p)| binary_loss(f64::from(*logit), *p)).sum();
            (sum / n, auc_of(&logits, &positive))
        } else {
            let films = logits.chunks_exact(n_classes).zip(&targets);
            (films.map(|(logits, target)| softmax_loss(logits, *target)).sum::<f64>() / n, None)
        };
        Validation { logits, targets, peaks, loss, accuracy, auc }
    }
}

/// The area under the ROC curve; `None` where it is not defined, as with one class alone.
fn auc_of(logits: &[f32], positive: &[bool]) -> Option<f64> {
    let scores: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    auc::auc(Scored::new(&scores, positive).ok()?).ok()
}

/// Films that are classified right: by the positive logit's sign, or the greatest logit.
pub(crate) fn n_right(logits: &[f32], targets: &[usize]) -> usize {
    let outputs = logits.len() / targets.len().max(1);
    let right = |(logits, target): (&[f32], &usize)| match logits {
        [logit] => usize::from(*logit >= 0.0) == *target,
        _ => logits.iter().enumerate().all(|(class, logit)| class == *target || *logit < logits[*target]),
    };
    logits.chunks_exact(outputs.max(1)).zip(targets).filter(|pair| right(*pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs() {
        let scores = [0.1, 0.4, 0.35, 0.8];
        let positive = [false, false, true, true];
        // Three of four pairs are in order.
        assert_eq!(auc_of(&scores, &positive), Some(0.75));
        assert_eq!(auc_of(&[0.5; 4], &positive), Some(0.5));
        assert_eq!(auc_of(&scores, &[true; 4]), None);
    }

    #[test]
    fn right_films_are_counted_by_sign_or_greatest_logit() {
        assert_eq!(n_right(&[0.5, -0.5, 0.0, -1.0], &[1, 1, 1, 0]), 3);
        assert_eq!(n_right(&[0.1, 0.9, 0.0, 2.0, 1.0, 3.0], &[1, 0]), 1);
        // A tie tells nothing apart.
        assert_eq!(n_right(&[1.0, 1.0], &[0]), 0);
    }
}
