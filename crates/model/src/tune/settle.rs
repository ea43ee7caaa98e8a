//! Threshold and heat map's scale, chosen again on labeled films.

use coxa_imaging::Radiograph;

use super::outputs::Outputs;
use crate::bundle::ValidationScores;
use crate::numbers::probability;
use crate::recipe::ThresholdRule;
use crate::{Bundle, ModelError, Reading, settle};

/// A film with its truth.
#[derive(Debug)]
pub struct LabeledFilm {
    /// The film; its header counts for nothing here.
    pub film: Radiograph,
    /// Whether it shows the finding.
    pub is_positive: bool,
    /// Whose it is.
    pub patient: String,
}

/// What is settled, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settling {
    /// How the threshold is chosen.
    pub rule: ThresholdRule,
    /// How films are read from then on.
    pub reading: Reading,
    /// Whether the classifier is scaled and shifted so that the probabilities are right on these films (Platt 1999). A network that was
    /// trained on patches needs it: the greatest of many windows is more than any one.
    pub calibrate: bool,
}

/// The bundle with its threshold, its heat map's scale and its validation scores taken from these films, read so. Other weights, the ranges
/// of 8-bit arithmetic and the gate stay. `chosen_on` says in words what the films are.
///
/// # Errors
/// When one of the classes is missing, a film cannot be read, the reading does not fit the bundle, or the engine refuses.
pub fn settle(
    bundle: &Bundle,
    films: impl Iterator<Item = Result<LabeledFilm, ModelError>>,
    settling: Settling,
    chosen_on: &str,
    mut each: impl FnMut(),
) -> Result<Bundle, ModelError> {
    let Settling { rule, reading, calibrate } = settling;
    let mut card = bundle.card().clone();
    (card.input.size, card.window, card.mirror) = (reading.size, reading.window, reading.mirror);
    // Before the films are read, which takes minutes.
    let asked = |reason: String| format!("the rule: {reason}");
    rule.check().map_err(asked).and_then(|()| card.check()).map_err(ModelError::Setting)?;
    let (mut positive, mut patients) = (Vec::new(), Vec::new());
    let (mut logits, mut peaks) = (Vec::new(), Vec::new());
    let mut outputs = Outputs::new(bundle.parameters(), reading, card.input.fit, None)?;
    let mut take = |output: coxa_engine::Output| {
        let cells = output.map_side * output.map_side;
        peaks.extend(output.maps.chunks_exact(cells).map(|map| map.iter().copied().fold(0.0, f32::max)));
        logits.extend(output.logits);
    };
    for film in films {
        let LabeledFilm { film, is_positive, patient } = film?;
        positive.push(is_positive);
        patients.push(patient);
        outputs.take(&film)?.map(&mut take);
        each();
    }
    outputs.rest()?.map(&mut take);
    let mut parameters = bundle.parameters().clone();
    if calibrate {
        // The temperature goes into the line too.
        card.temperature = 1.0;
        let [slope, intercept] = settle::line(&logits, &positive)
            .map_err(|reason| ModelError::Setting(format!("{chosen_on} give no calibration: {reason}")))?;
        logits.iter_mut().for_each(|logit| *logit = slope * *logit + intercept);
        peaks.iter_mut().for_each(|peak| *peak *= slope);
        for (name, values) in parameters.iter_mut() {
            match name {
                "classifier.weight" => values.iter_mut().for_each(|value| *value *= slope),
                "classifier.bias" => values.iter_mut().for_each(|value| *value = slope * *value + intercept),
                _ => {}
            }
        }
        card.origin = format!("{}; output calibrated on {chosen_on}", card.origin);
    }
    let temperature = card.temperature;
    let probabilities: Vec<f64> = logits.iter().map(|logit| probability(*logit, temperature)).collect();
    card.threshold = settle::threshold(rule, &probabilities, &positive, chosen_on.to_owned())?;
    let levels = [temperature, card.threshold.threshold];
    card.cam = settle::cam(&logits, &positive, &peaks, levels, card.input.size, &format!("of {chosen_on}"));
    card.validation_scores = Some(ValidationScores::new(patients.iter().map(String::as_str).zip(logits)));
    bundle.with_parts(card, parameters)
}
