//! Validation, and the card of what was trained: everything on it is measured on validation films.

use std::collections::{BTreeMap, BTreeSet};

use coxa_cohort::{Sample, Split};
use coxa_engine::Output;
use sha2::{Digest, Sha256};

use crate::batches::{Batch, Films, Plan};
use crate::bundle::{
    CamSpec, Card, DataSummary, FORMAT, INTENDED_USE, InputSpec, Threshold, WEIGHTS_FILE, WeightsSummary,
};
use crate::cache::FilmCache;
use crate::calibrate::{self, auc, binary_loss, softmax_loss};
use crate::predict::probability;
use crate::progress::{Control, Event, Progress};
use crate::recipe::{Calibration, Recipe, Stage};
use crate::train::n_right;
use crate::{ModelError, WeightsFormat, files};

/// Runs a network on so many images.
pub(crate) type Run<'a> = dyn FnMut(&[f32], usize) -> Result<Output, ModelError> + 'a;

/// What a network says of the validation films, and how right that is.
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
    /// Runs the network on the films; `None` if `progress` stops it.
    pub(crate) fn measure(
        stage: &Stage,
        films: &Films<'_>,
        n_classes: usize,
        run: &mut Run<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Option<Validation>, ModelError> {
        let plan = Plan::in_order(films.films.len(), stage.batch);
        let mut logits = Vec::new();
        let mut targets = Vec::new();
        let mut peaks = Vec::new();
        let whole = films.with_batches(&plan, 0, |next| -> Result<bool, ModelError> {
            while let Some(batch) = next() {
                let Batch { images, targets: truth, .. } = batch?;
                let output = run(&images, truth.len())?;
                logits.extend(output.logits);
                if n_classes == 2 {
                    let cells = output.map_side * output.map_side;
                    peaks.extend(output.maps.chunks_exact(cells).map(|map| map.iter().copied().fold(0.0, f32::max)));
                }
                targets.extend(truth);
                let event = Event::Validating { stage: &stage.name, done: targets.len(), total: films.films.len() };
                if progress.on(&event) != Control::Continue {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(whole.then(|| Validation::of(logits, targets, peaks, n_classes)))
    }

    /// The films' predictions as CSV: image_id, patient, label, probability.
    pub(crate) fn predictions(&self, samples: &[Sample]) -> Result<Vec<u8>, ModelError> {
        let write = || -> Result<Vec<u8>, csv::Error> {
            let mut table = csv::Writer::from_writer(Vec::new());
            table.write_record(["image_id", "patient", "label", "probability"])?;
            for (sample, logit) in samples.iter().zip(&self.logits) {
                let (label, probability) = (sample.target.to_string(), probability(*logit, 1.0).to_string());
                table.write_record([&sample.image_id, &sample.patient, &label, &probability])?;
            }
            table.into_inner().map_err(|error| error.into_error().into())
        };
        write().map_err(|error| ModelError::Setting(format!("validation films' predictions: {error}")))
    }

    fn of(logits: Vec<f32>, targets: Vec<usize>, peaks: Vec<f32>, n_classes: usize) -> Validation {
        let n = targets.len() as f64;
        let accuracy = n_right(&logits, &targets) as f64 / n;
        let (loss, auc) = if n_classes == 2 {
            let positive: Vec<bool> = targets.iter().map(|target| *target == 1).collect();
            let sum: f64 = logits.iter().zip(&positive).map(|(logit, p)| binary_loss(f64::from(*logit), *p)).sum();
            (sum / n, auc(&logits, &positive))
        } else {
            let films = logits.chunks_exact(n_classes).zip(&targets);
            (films.map(|(logits, target)| softmax_loss(logits, *target)).sum::<f64>() / n, None)
        };
        Validation { logits, targets, peaks, loss, accuracy, auc }
    }
}

/// What the card is made of.
pub(crate) struct Finished<'a> {
    pub recipe: &'a Recipe,
    pub stage: &'a Stage,
    pub classes: &'a [String],
    pub split: &'a Split,
    pub fingerprint: &'a str,
    pub simulated: bool,
    /// The epoch whose weights are kept, from 1.
    pub epoch: usize,
    pub validation: &'a Validation,
}

/// The card of the kept weights.
pub(crate) fn card(finished: &Finished<'_>) -> Card {
    let Finished { recipe, stage, validation, .. } = finished;
    let positive: Vec<bool> = validation.targets.iter().map(|target| *target == 1).collect();
    let two_classes = finished.classes.len() == 2;
    let temperature = match stage.calibration {
        Calibration::Temperature if two_classes => calibrate::temperature(&validation.logits, &positive),
        _ => 1.0,
    };
    let threshold = if two_classes {
        let probabilities: Vec<f64> = validation.logits.iter().map(|logit| probability(*logit, temperature)).collect();
        calibrate::threshold(stage.threshold, &probabilities, &positive)
    } else {
        Threshold::fixed()
    };
    let cam = if two_classes {
        calibrate::cam(&validation.logits, &positive, &validation.peaks, temperature, threshold.value, stage.input_size)
    } else {
        CamSpec::nominal(stage.input_size)
    };
    let (train, held_out) = (finished.split.train(), finished.split.validation());
    let patients: BTreeSet<&str> = train.iter().chain(held_out).map(|sample| sample.patient.as_str()).collect();
    let mut metrics = BTreeMap::from([
        ("epoch".to_string(), finished.epoch as f64),
        ("validation_loss".to_string(), validation.loss),
        ("validation_accuracy".to_string(), validation.accuracy),
    ]);
    metrics.extend(validation.auc.map(|auc| ("validation_auc".to_string(), auc)));
    Card {
        format: FORMAT,
        name: format!("{} {}", recipe.name, stage.name),
        architecture: "densenet121".into(),
        classes: finished.classes.to_vec(),
        input: InputSpec::new(stage.input_size, stage.fit),
        threshold,
        temperature,
        cam,
        intended_use: INTENDED_USE.into(),
        data: Some(DataSummary {
            fingerprint: finished.fingerprint.into(),
            train_films: train.len(),
            validation_films: held_out.len(),
            patients: patients.len(),
            simulated: finished.simulated,
        }),
        metrics,
        recipe: Some((*recipe).clone()),
        stage: Some(stage.name.clone()),
        origin: format!("trained by recipe {}, stage {}", recipe.name, stage.name),
        weights: WeightsSummary { file: WEIGHTS_FILE.into(), format: WeightsFormat::F32, sha256: String::new() },
    }
}

/// SHA-256 over a fingerprint of films and, film by film, what else decides where each comes in an epoch and what is learned from it.
pub(crate) fn order(fingerprint: &str, samples: &[Sample], boxes: Option<&[Vec<[f32; 4]>]>) -> String {
    let mut hash = Sha256::new();
    hash.update(fingerprint);
    samples.iter().for_each(|sample| hash.update(format!("\n{}\t{}", sample.image_id, sample.patient)));
    boxes.into_iter().flatten().for_each(|film| hash.update(format!("\n{film:?}")));
    files::hex(&hash.finalize())
}

/// SHA-256 over every film's name, content and class, whatever their order.
pub(crate) fn fingerprint(cache: &FilmCache, samples: &[Sample], classes: &[String]) -> String {
    let mut lines: Vec<String> = samples
        .iter()
        .zip(cache.entries())
        .map(|(sample, entry)| format!("{}\t{}\t{}\n", sample.image_id, entry.sha256, classes[sample.target]))
        .collect();
    lines.sort();
    let mut hash = Sha256::new();
    lines.iter().for_each(|line| hash.update(line));
    files::hex(&hash.finalize())
}
