//! What is settled on validation films once the weights are: temperature, threshold, and the Grad-CAM's reference.

use crate::bundle::{CamSpec, Threshold};
use crate::predict::probability;
use crate::recipe::ThresholdRule;

/// Area under the ROC curve by ranks (Mann–Whitney, ties count half); `None` with one class alone.
pub(crate) fn auc(scores: &[f32], positive: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let n_positive = positive.iter().filter(|p| **p).count();
    let n_negative = positive.len() - n_positive;
    if n_positive == 0 || n_negative == 0 {
        return None;
    }
    let mut below = 0usize;
    let mut area = 0.0;
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positives = tied.iter().filter(|&&i| positive[i]).count();
        let negatives = tied.len() - positives;
        area += positives as f64 * (below as f64 + negatives as f64 / 2.0);
        below += negatives;
    }
    Some(area / (n_positive as f64 * n_negative as f64))
}

/// The temperature that minimizes the mean loss of logit / T (Guo et al. 2017, section 4.2), between 1/20 and 20.
pub(crate) fn temperature(logits: &[f32], positive: &[bool]) -> f64 {
    let loss = |log_t: f64| -> f64 {
        let scale = (-log_t).exp();
        logits.iter().zip(positive).map(|(logit, positive)| binary_loss(f64::from(*logit) * scale, *positive)).sum()
    };
    // The loss is convex in 1/T, so it has one minimum along log T too: golden section.
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-(20f64.ln()), 20f64.ln());
    for _ in 0..60 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if loss(a) <= loss(b) {
            high = b;
        } else {
            low = a;
        }
    }
    ((low + high) / 2.0).exp()
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

/// Chooses the threshold by the rule. Both classes must be there, except for a fixed one.
///
/// Candidates are the midpoints between neighboring probabilities, and the least probability itself; of equals, the one with the
/// greater sensitivity is taken.
pub(crate) fn threshold(rule: ThresholdRule, probabilities: &[f64], positive: &[bool]) -> Threshold {
    let (text, value) = match rule {
        ThresholdRule::Fixed { value } => {
            return Threshold { value, rule: "fixed".into(), chosen_on: "no films".into() };
        }
        ThresholdRule::Youden {} => {
            let better = |(sensitivity, specificity): (f64, f64)| sensitivity + specificity;
            ("greatest Youden index".to_string(), best_threshold(probabilities, positive, better))
        }
        ThresholdRule::Sensitivity { at_least } => {
            let better = |(sensitivity, specificity): (f64, f64)| {
                if sensitivity >= at_least { 1.0 + specificity } else { sensitivity }
            };
            (
                format!("greatest specificity at a sensitivity of at least {at_least}"),
                best_threshold(probabilities, positive, better),
            )
        }
    };
    Threshold { value, rule: text, chosen_on: format!("{} validation films", probabilities.len()) }
}

fn best_threshold(probabilities: &[f64], positive: &[bool], score: impl Fn((f64, f64)) -> f64) -> f64 {
    let mut distinct: Vec<f64> = probabilities.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let n_positive = positive.iter().filter(|p| **p).count() as f64;
    let n_negative = positive.len() as f64 - n_positive;
    let mut best = (f64::NEG_INFINITY, 0.5);
    for (i, &at) in distinct.iter().enumerate() {
        // Halfway down to the next lower probability: no film lies between.
        let value = if i == 0 { at } else { (at + distinct[i - 1]) / 2.0 };
        let (mut hits, mut alarms) = (0.0, 0.0);
        for (p, positive) in probabilities.iter().zip(positive) {
            if *p >= value {
                *(if *positive { &mut hits } else { &mut alarms }) += 1.0;
            }
        }
        let found = score((hits / n_positive, 1.0 - alarms / n_negative));
        // From low to high, so of equals the first has the greatest sensitivity.
        if found > best.0 {
            best = (found, value);
        }
    }
    best.1
}

/// The Grad-CAM's reference: the median peak over the validation films rightly called positive; the nominal one where there are none.
///
/// `peaks` holds the greatest value of each film's map.
pub(crate) fn cam(logits: &[f32], positive: &[bool], peaks: &[f32], t: f64, cut: f64, size: usize) -> CamSpec {
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
        reference_from: format!("median peak of {n} validation films rightly called positive"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs() {
        let scores = [0.1, 0.4, 0.35, 0.8];
        let positive = [false, false, true, true];
        // Three of four pairs are in order.
        assert_eq!(auc(&scores, &positive), Some(0.75));
        assert_eq!(auc(&[0.5; 4], &positive), Some(0.5));
        assert_eq!(auc(&scores, &[true; 4]), None);
    }

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
        assert!((temperature(&logits, &positive) - 3.0).abs() < 1e-5);
    }

    #[test]
    fn thresholds_follow_their_rules() {
        let probabilities = [0.1, 0.3, 0.3, 0.6, 0.7, 0.9];
        let positive = [false, false, true, false, true, true];
        let at = |rule| threshold(rule, &probabilities, &positive).value;
        assert_eq!(at(ThresholdRule::Fixed { value: 0.4 }), 0.4);
        // Youden: ≥ 0.65 gives 2/3 + 1; ≥ 0.2 gives 1 + 1/3; ≥ 0.45 gives 2/3 + 2/3.
        assert!((at(ThresholdRule::Youden {}) - 0.65).abs() < 1e-6);
        assert!((at(ThresholdRule::Sensitivity { at_least: 0.9 }) - 0.2).abs() < 1e-6);
        assert!((at(ThresholdRule::Sensitivity { at_least: 0.6 }) - 0.65).abs() < 1e-6);
    }

    #[test]
    fn the_reference_is_the_median_peak_of_true_positives() {
        let logits = [1.0, 2.0, 3.0, -1.0, 4.0];
        let positive = [true, true, true, true, false];
        let spec = cam(&logits, &positive, &[0.1, 0.5, 0.2, 9.0, 9.0], 1.0, 0.5, 512);
        assert_eq!(spec.reference, 0.2);
        assert_eq!(cam(&logits, &[false; 5], &[1.0; 5], 1.0, 0.5, 512), CamSpec::nominal(512));
    }
}
