//! Decision curves: the net benefit of acting on a probability (Vickers & Elkin 2006).
//!
//! ```
//! use coxa_stats::{Level, Scored, decision};
//!
//! let (probabilities, truth) = ([0.1, 0.3, 0.3, 0.9], [false, true, false, true]);
//! let sample = Scored::new(&probabilities, &truth)?;
//! let at_half = decision::net_benefit(sample, 0.5, Level::P95)?;
//! assert_eq!(at_half.value, 0.25);
//! assert_eq!(decision::curve(sample, &[0.5])?[0].treat_all, 0.0);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::estimate::{Estimate, Reason, Undefined, check_unit};
use crate::scored::{Groups, Inference, Scored};

/// One point of a decision curve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DecisionPoint {
    /// Threshold probability at which one would act.
    pub threshold: f64,
    /// Net benefit of acting on those with probability ≥ threshold.
    pub model: f64,
    /// Net benefit of acting on everyone. Acting on no one has net benefit 0.
    pub treat_all: f64,
}

/// Net benefit TP/n − FP/n · t/(1 − t) at threshold probability t, with the normal interval of the mean of each observation's
/// contribution (1, −t/(1 − t) or 0) at a threshold fixed beforehand (Sande et al. 2020); with clusters, its variance is that of
/// the clusters' sums.
///
/// # Errors
/// When a score is no probability, the threshold is not from 0 to below 1, lengths differ, or there are fewer than two observations.
/// With one cluster the value has no limits.
pub fn net_benefit<'c>(
    sample: Scored<'_>,
    threshold: f64,
    inference: impl Into<Inference<'c>>,
) -> Result<Estimate, Undefined> {
    let (statistic, inference) = ("net benefit", inference.into());
    check_unit(statistic, sample.scores())?;
    check_threshold(threshold)?;
    inference.require_length(statistic, sample.n())?;
    let n = sample.n();
    if n < 2 {
        return Err(Undefined::new(statistic, Reason::TooFew { n, needed: 2 }));
    }
    let odds = threshold / (1.0 - threshold);
    let contribution = |(&score, &positive): (&f64, &bool)| match (score >= threshold, positive) {
        (false, _) => 0.0,
        (true, true) => 1.0,
        (true, false) => -odds,
    };
    let mut contributions: Vec<f64> = sample.scores().iter().zip(sample.truth()).map(contribution).collect();
    let value = contributions.iter().sum::<f64>() / n as f64;
    for contribution in &mut contributions {
        *contribution = (*contribution - value) / n as f64;
    }
    let variance = inference.variance_of_sum(&contributions);
    let method = match inference.clusters {
        None => "normal interval of the mean",
        Some(_) => "normal interval of the mean, clustered",
    };
    Ok(inference.wald((value, variance), (f64::NEG_INFINITY, f64::INFINITY), method, n))
}

/// The decision curve at the given threshold probabilities; O(n log n) for all of them together.
///
/// # Errors
/// When a score is no probability, a threshold is not from 0 to below 1, or there is no observation.
pub fn curve(sample: Scored<'_>, thresholds: &[f64]) -> Result<Vec<DecisionPoint>, Undefined> {
    let statistic = "decision curve";
    check_unit(statistic, sample.scores())?;
    if sample.n() == 0 {
        return Err(Undefined::new(statistic, Reason::TooFew { n: 0, needed: 1 }));
    }
    let groups = Groups::new(sample);
    // Cases and controls at or above each distinct score.
    let mut above = vec![(0u64, 0u64)];
    for (&cases, &controls) in groups.cases.iter().zip(&groups.controls).rev() {
        let &(tp, fp) = &above[above.len() - 1];
        above.push((tp + cases, fp + controls));
    }
    let n = sample.n() as f64;
    thresholds
        .iter()
        .map(|&threshold| {
            check_threshold(threshold)?;
            let below = groups.values.partition_point(|&value| value < threshold);
            let (tp, fp) = above[groups.values.len() - below];
            let odds = threshold / (1.0 - threshold);
            Ok(DecisionPoint {
                threshold,
                model: (tp as f64 - odds * fp as f64) / n,
                treat_all: (sample.cases() as f64 - odds * sample.controls() as f64) / n,
            })
        })
        .collect()
}

fn check_threshold(threshold: f64) -> Result<(), Undefined> {
    if (0.0..1.0).contains(&threshold) {
        Ok(())
    } else {
        Err(Undefined::new(
            "net benefit",
            Reason::OutOfRange { value: threshold, expected: "a threshold probability from 0 to below 1" },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Level;

    #[test]
    fn benefit_by_hand() {
        let (scores, truth) = ([0.1, 0.3, 0.3, 0.9], [false, true, false, true]);
        let sample = Scored::new(&scores, &truth).unwrap();
        let points = curve(sample, &[0.0, 0.25, 0.3, 0.5, 0.95]).unwrap();
        let models: Vec<f64> = points.iter().map(|p| p.model).collect();
        let expected = [0.5, (2.0 - 1.0 / 3.0) / 4.0, (2.0 - 0.3 / 0.7) / 4.0, 0.25, 0.0];
        for (model, expected) in models.iter().zip(expected) {
            assert!((model - expected).abs() < 1e-15, "{models:?}");
        }
        assert!((points[3].treat_all - 0.0).abs() < 1e-15);
        for point in &points {
            let one = net_benefit(sample, point.threshold, Level::P95).unwrap();
            assert!((one.value - point.model).abs() < 1e-15);
            assert!(one.low() <= Some(one.value) && Some(one.value) <= one.high());
        }
        assert!(curve(sample, &[1.0]).is_err());
        let logits = Scored::new(&[2.0, -1.0], &[true, false]).unwrap();
        assert!(curve(logits, &[0.5]).is_err());
    }
}
