//! What is settled on validation films once the weights are: temperature, threshold, and the Grad-CAM's reference.

use coxa_stats::{Level, OperatingPoint, Rule, Scored, calibration, operating};

use crate::ModelError;
use crate::bundle::{CamSpec, fixed};
use crate::numbers::probability;
use crate::recipe::ThresholdRule;

/// The temperature that minimizes the loss of logit / T (Guo et al. 2017, section 4.2).
///
/// # Errors
/// Why there is none, in words: one class is missing, every film is on the right side of a logit of 0, so that the loss falls for ever as
/// T does, or the logits speak against the truth.
pub(crate) fn temperature(logits: &[f32], positive: &[bool]) -> Result<f64, String> {
    let logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    match calibration::temperature(&logits, positive, Level::P95) {
        Ok(estimate) => Ok(estimate.value),
        Err(undefined) => Err(format!("of the {} validation films none can be found ({undefined})", logits.len())),
    }
}

/// Slope and intercept that calibrate logits (Platt 1999; Cox 1958).
///
/// # Errors
/// Why there are none, in words; a slope that is not above 0 among them.
pub(crate) fn line(logits: &[f32], positive: &[bool]) -> Result<[f32; 2], String> {
    // Beyond a logit of 37 a probability is 1, and all films are alike: the line is fitted on logits within 8, and its slope taken back.
    let most = logits.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
    let divisor = f64::from(most / 8.0).max(1.0);
    let probabilities: Vec<f64> = logits.iter().map(|logit| probability(*logit, divisor)).collect();
    let found = calibration::recalibration(&probabilities, positive, Level::P95).map_err(|error| error.to_string())?;
    let (slope, intercept) = (found.slope.value / divisor, found.intercept.value);
    if slope > 0.0 { Ok([slope as f32, intercept as f32]) } else { Err(format!("the slope is {slope}")) }
}

/// Cross-entropy of sigmoid(logit) with the truth, without overflow.
pub(crate) fn binary_loss(logit: f64, positive: bool) -> f64 {
    let towards = if positive { logit } else { -logit };
    (-towards).max(0.0) + (-towards.abs()).exp().ln_1p()
}

/// Cross-entropy of softmax(logits) with the truth.
pub(crate) fn softmax_loss(logits: &[f32], target: usize) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
    sum.ln() - f64::from(logits[target] - most)
}

/// Chooses the threshold by the rule, on what `chosen_on` says in words.
///
/// # Errors
/// When one of both classes is missing, except for a fixed one.
pub(crate) fn threshold(
    rule: ThresholdRule,
    probabilities: &[f64],
    positive: &[bool],
    chosen_on: String,
) -> Result<OperatingPoint, ModelError> {
    let rule = match rule {
        ThresholdRule::Fixed { value } => return Ok(fixed(value)),
        ThresholdRule::Youden {} => Rule::Youden,
        ThresholdRule::Sensitivity { at_least } => Rule::SensitivityAtLeast(at_least),
        ThresholdRule::Specificity { at_least } => Rule::SpecificityAtLeast(at_least),
    };
    let undefined = |error| ModelError::Setting(format!("no threshold can be chosen on {chosen_on}: {error}"));
    let sample = Scored::new(probabilities, positive).map_err(undefined)?;
    operating::choose(sample, rule, chosen_on.clone()).map_err(undefined)
}

/// The Grad-CAM's reference: the median peak over the validation films that are true positives; the nominal one where there are none.
///
/// `peaks` holds the greatest value of each film's map, `films` what they are in words.
pub(crate) fn cam(
    logits: &[f32],
    positive: &[bool],
    peaks: &[f32],
    [t, cut]: [f64; 2],
    size: usize,
    films: &str,
) -> CamSpec {
    let mut hits: Vec<f32> = (0..logits.len())
        .filter(|&i| positive[i] && probability(logits[i], t) >= cut && peaks[i] > 0.0)
        .map(|i| peaks[i])
        .collect();
    hits.sort_by(f32::total_cmp);
    let n = hits.len();
    if n == 0 {
        return CamSpec::nominal(size);
    }
    let reference = if n % 2 == 1 { hits[n / 2] } else { (hits[n / 2 - 1] + hits[n / 2]) / 2.0 };
    CamSpec {
        reference,
        region_fraction: CamSpec::REGION_FRACTION,
        reference_from: format!("median peak of {n} {films} rightly called positive"), // words: allow (part of bundles' hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_the_textbooks_and_do_not_overflow() {
        assert!((binary_loss(2.0, true) - 0.126_928_011).abs() < 1e-9);
        assert_eq!(binary_loss(-1000.0, true), 1000.0);
        assert!((softmax_loss(&[1.0, 2.0, 3.0], 2) - 0.407_605_964).abs() < 1e-9);
        assert_eq!(softmax_loss(&[0.0, 500.0], 0), 500.0);
    }

    #[test]
    fn an_overconfident_network_gets_the_temperature_that_undoes_it() {
        // Of films with logit ±3·ln 3, three in four are right, which logit ±ln 3 would say: T = 3.
        let confident = 3.0 * 3f32.ln();
        let logits = [confident, confident, confident, confident, -confident, -confident, -confident, -confident];
        let positive = [true, true, true, false, false, false, false, true];
        assert!((temperature(&logits, &positive).unwrap() - 3.0).abs() < 1e-5);
    }

    #[test]
    fn logits_that_are_too_great_and_too_extreme_get_the_line_that_undoes_both() {
        // Of films with logit 4 + 3·ln 3 three in four are right, of those with 4 − 3·ln 3 too: slope 1/3, intercept −4/3.
        let (high, low) = (4.0 + 3.0 * 3f32.ln(), 4.0 - 3.0 * 3f32.ln());
        let logits = [high, high, high, high, low, low, low, low];
        let positive = [true, true, true, false, false, false, false, true];
        let [slope, intercept] = line(&logits, &positive).unwrap();
        assert!((slope - 1.0 / 3.0).abs() < 1e-5 && (intercept + 4.0 / 3.0).abs() < 1e-4, "{slope} {intercept}");
        // Of logits so far out that every probability is 1 it is the same line.
        let far = logits.map(|logit| 40.0 * logit + 100.0);
        let [steep, shifted] = line(&far, &positive).unwrap();
        assert!((40.0 * steep - slope).abs() < 1e-5 && (shifted + 100.0 * steep - intercept).abs() < 1e-4);
        assert!(line(&logits, &positive.map(|positive| !positive)).is_err());
        assert!(line(&logits[..3], &positive[..3]).is_err());
    }

    #[test]
    fn films_that_are_all_right_give_no_temperature() {
        // The better, the colder: there is no least loss above 0.
        let error = temperature(&[2.0, 1.0, -1.0, -2.0], &[true, true, false, false]).unwrap_err();
        assert!(error.contains("4 validation films"), "{error}");
        assert!(temperature(&[2.0, 1.0], &[true, true]).is_err());
    }

    #[test]
    fn thresholds_follow_their_rules() {
        let probabilities = [0.1, 0.3, 0.3, 0.6, 0.7, 0.9];
        let positive = [false, false, true, false, true, true];
        let at = |rule| threshold(rule, &probabilities, &positive, "6 films".into()).unwrap().threshold;
        assert_eq!(at(ThresholdRule::Fixed { value: 0.4 }), 0.4);
        // Youden: ≥ 0.65 gives 2/3 + 1; ≥ 0.2 gives 1 + 1/3; ≥ 0.45 gives 2/3 + 2/3.
        assert!((at(ThresholdRule::Youden {}) - 0.65).abs() < 1e-6);
        assert!((at(ThresholdRule::Sensitivity { at_least: 0.9 }) - 0.2).abs() < 1e-6);
        assert!((at(ThresholdRule::Sensitivity { at_least: 0.6 }) - 0.65).abs() < 1e-6);
        // The least positive is called too where that costs no specificity: ≥ 0.65 has the specificity of ≥ 0.8.
        assert!((at(ThresholdRule::Sensitivity { at_least: 0.3 }) - 0.65).abs() < 1e-6);
    }

    #[test]
    fn the_reference_is_the_median_peak_of_true_positives() {
        let logits = [1.0, 2.0, 3.0, -1.0, 4.0];
        let positive = [true, true, true, true, false];
        let spec = cam(&logits, &positive, &[0.1, 0.5, 0.2, 9.0, 9.0], [1.0, 0.5], 512, "films");
        assert_eq!(spec.reference, 0.2);
        assert_eq!(cam(&logits, &[false; 5], &[1.0; 5], [1.0, 0.5], 512, "films"), CamSpec::nominal(512));
    }
}
