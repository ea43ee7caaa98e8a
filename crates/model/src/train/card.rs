//! The card of what was trained: everything on it is measured on validation films.

use std::collections::{BTreeMap, BTreeSet};

use coxa_cohort::{Sample, Split};

use super::validation::Validation;
use crate::bundle::{
    CamSpec, Card, DataSummary, FORMAT, INTENDED_USE, InputSpec, ValidationScores, WEIGHTS_FILE, WeightsSummary, fixed,
};
use crate::numbers::probability;
use crate::recipe::{CalibrationRule, Recipe, Stage};
use crate::{ModelError, WeightsFormat, settle};

/// What the card is made of.
pub(super) struct Finished<'a> {
    pub recipe: &'a Recipe,
    pub stage: &'a Stage,
    pub classes: &'a [String],
    pub split: &'a Split,
    /// The films of the data sets beside the stage's own.
    pub beside: &'a [Sample],
    pub fingerprint: &'a str,
    pub simulated: bool,
    /// The epoch whose weights are kept, from 1.
    pub epoch: usize,
    pub validation: &'a Validation,
}

/// The card of the kept weights.
pub(super) fn card(finished: &Finished<'_>) -> Result<Card, ModelError> {
    let Finished { recipe, stage, validation, .. } = finished;
    let positive: Vec<bool> = validation.targets.iter().map(|target| *target == 1).collect();
    let two_classes = finished.classes.len() == 2;
    let mut notes = Vec::new();
    let temperature = match stage.calibration {
        CalibrationRule::Temperature if two_classes => match settle::temperature(&validation.logits, &positive) {
            Ok(temperature) => temperature,
            Err(reason) => {
                notes.push(format!("the temperature stays 1: {reason}"));
                1.0
            }
        },
        _ => 1.0,
    };
    let threshold = if two_classes {
        let probabilities: Vec<f64> = validation.logits.iter().map(|logit| probability(*logit, temperature)).collect();
        settle::threshold(stage.threshold, &probabilities, &positive, format!("{} validation films", positive.len()))?
    } else {
        fixed(0.5)
    };
    let cam = if two_classes {
        let levels = [temperature, threshold.threshold];
        settle::cam(&validation.logits, &positive, &validation.peaks, levels, stage.input_size, "validation films")
    } else {
        CamSpec::nominal(stage.input_size)
    };
    let (train, held_out, beside) = (finished.split.train(), finished.split.validation(), finished.beside);
    let films = train.iter().chain(held_out).chain(beside);
    let patients: BTreeSet<&str> = films.map(|sample| sample.patient.as_str()).collect();
    let mut metrics = BTreeMap::from([
        ("epoch".to_string(), finished.epoch as f64),
        ("validation_loss".to_string(), validation.loss),
        ("validation_accuracy".to_string(), validation.accuracy),
    ]);
    metrics.extend(validation.auc.map(|auc| ("validation_auc".to_string(), auc)));
    Ok(Card {
        format: FORMAT,
        name: format!("{} {}", recipe.name, stage.name),
        architecture: "densenet121".into(),
        classes: finished.classes.to_vec(),
        input: InputSpec::new(stage.input_size, stage.fit),
        threshold,
        temperature,
        window: stage.window,
        mirror: stage.mirror,
        cam,
        intended_use: INTENDED_USE.into(),
        data: Some(DataSummary {
            fingerprint: finished.fingerprint.into(),
            train_films: train.len() + beside.len(),
            validation_films: held_out.len(),
            patients: patients.len(),
            simulated: finished.simulated,
        }),
        metrics,
        validation_scores: (two_classes && !held_out.is_empty()).then(|| {
            let patients = held_out.iter().map(|sample| sample.patient.as_str());
            ValidationScores::new(patients.zip(validation.logits.iter().copied()))
        }),
        recipe: Some((*recipe).clone()),
        stage: Some(stage.name.clone()),
        origin: format!("trained by recipe {}, stage {}", recipe.name, stage.name),
        weights: WeightsSummary { file: WEIGHTS_FILE.into(), format: WeightsFormat::F32, sha256: String::new() },
        notes,
    })
}
