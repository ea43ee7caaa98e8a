//! Whether probabilities mean what they say: slope and intercept, reliability curve, ECE, Brier score, temperature.

mod bins;

use serde::Serialize;

pub use self::bins::{Binning, BrierParts, ReliabilityBin, brier_parts, expected_calibration_error, reliability};
use crate::estimate::{Estimate, Level, Reason, Undefined, check_finite, check_lengths, check_unit};
use crate::logistic;

/// Logistic recalibration: logit P(y = 1) = intercept + slope · logit(p).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recalibration {
    /// The intercept of that model, with Wald's interval; 0 when calibrated.
    pub intercept: Estimate,
    /// The slope, with Wald's interval: 1 when calibrated, below 1 when predictions are too extreme.
    pub slope: Estimate,
}

/// Moves probabilities into [`epsilon`, 1 − `epsilon`], so that saturated ones have a finite logit.
pub fn clamp(probabilities: &[f64], epsilon: f64) -> Vec<f64> {
    probabilities.iter().map(|p| p.max(epsilon).min(1.0 - epsilon)).collect()
}

/// ln(p/(1 − p)).
pub fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// 1/(1 + e^−x), without overflow.
pub fn sigmoid(x: f64) -> f64 {
    logistic::sigmoid(x)
}

/// Calibration slope and intercept (Cox 1958), by maximum likelihood, with Wald intervals: R's
/// `glm(y ~ qlogis(p), binomial)`.
///
/// # Errors
/// When a probability is not strictly between 0 and 1 (see [`clamp`]), lengths differ, one class is missing, the probabilities
/// are all equal, or they separate the classes perfectly.
pub fn recalibration(probabilities: &[f64], truth: &[bool], level: Level) -> Result<Recalibration, Undefined> {
    let logits = checked_logits("calibration slope", probabilities, truth)?;
    let fit = logistic::fit_line("calibration slope", &logits, truth)?;
    let wald = |value: f64, variance: f64| {
        let half = level.z() * variance.sqrt();
        Estimate { value, low: value - half, high: value + half, method: "logistic regression, Wald", n: truth.len() }
    };
    Ok(Recalibration {
        intercept: wald(fit.intercept, fit.intercept_variance),
        slope: wald(fit.slope, fit.slope_variance),
    })
}

/// Calibration in the large: the intercept of a logistic model with the slope held at 1, R's
/// `glm(y ~ 1 + offset(qlogis(p)), binomial)`; 0 when the mean prediction is right, positive when it is too low.
///
/// # Errors
/// As [`recalibration`], but equal or separating probabilities are no trouble.
pub fn in_the_large(probabilities: &[f64], truth: &[bool], level: Level) -> Result<Estimate, Undefined> {
    let statistic = "calibration in the large";
    let logits = checked_logits(statistic, probabilities, truth)?;
    let (value, variance) = logistic::fit_offset(statistic, &logits, truth)?;
    let half = level.z() * variance.sqrt();
    Ok(Estimate {
        value,
        low: value - half,
        high: value + half,
        method: "logistic regression with offset, Wald",
        n: truth.len(),
    })
}

/// The temperature T > 0 that minimizes the log loss of σ(logit/T) (Guo et al. 2017), for one logit a film.
///
/// The loss is convex in 1/T, the coefficient of a logistic regression without intercept; the interval is that coefficient's Wald
/// interval turned over.
///
/// # Errors
/// When a logit is not finite, lengths differ, one class is missing, the sign of the logits is always right (T → 0), or the logits
/// speak against the truth (no positive T). Where the interval of 1/T reaches 0, the value exists without an interval.
pub fn temperature(logits: &[f64], truth: &[bool], level: Level) -> Result<Estimate, Undefined> {
    let statistic = "temperature";
    check_lengths(statistic, logits.len(), truth.len())?;
    check_finite(statistic, logits)?;
    both_classes(statistic, truth)?;
    let (inverse, variance) = logistic::fit_scale(statistic, logits, truth)?;
    if inverse <= 0.0 {
        return Err(Undefined::new(statistic, Reason::Other("the logits speak against the truth")));
    }
    let value = 1.0 / inverse;
    let half = level.z() * variance.sqrt();
    if inverse - half <= 0.0 {
        return Err(Undefined::new(
            statistic,
            Reason::NoInterval { value, because: "the interval of 1/T reaches zero" },
        ));
    }
    Ok(Estimate {
        value,
        low: 1.0 / (inverse + half),
        high: 1.0 / (inverse - half),
        method: "maximum likelihood, Wald on 1/T",
        n: truth.len(),
    })
}

/// The Brier score, mean (p − y)², with the normal interval of that mean cut to [0, 1].
///
/// # Errors
/// When a probability is outside [0, 1], lengths differ, or there are fewer than two observations.
pub fn brier(probabilities: &[f64], truth: &[bool], level: Level) -> Result<Estimate, Undefined> {
    mean_loss("Brier score", probabilities, truth, level, 1.0, |p, y| (p - y) * (p - y))
}

/// The log loss, mean −ln P(truth), with the normal interval of that mean cut at 0.
///
/// # Errors
/// As [`brier`], and when a probability rules out what happened (see [`clamp`]).
pub fn log_loss(probabilities: &[f64], truth: &[bool], level: Level) -> Result<Estimate, Undefined> {
    let statistic = "log loss";
    check_lengths(statistic, probabilities.len(), truth.len())?;
    let ruled_out = |(p, y): (&f64, &bool)| *p == f64::from(u8::from(!*y));
    if let Some(index) = probabilities.iter().zip(truth).position(ruled_out) {
        return Err(Undefined::new(
            statistic,
            Reason::OutOfRange {
                index,
                value: probabilities[index],
                expected: "a probability that does not rule out the truth",
            },
        ));
    }
    mean_loss(
        statistic,
        probabilities,
        truth,
        level,
        f64::INFINITY,
        |p, y| {
            if y > 0.5 { -p.ln() } else { -(-p).ln_1p() }
        },
    )
}

fn mean_loss(
    statistic: &'static str,
    probabilities: &[f64],
    truth: &[bool],
    level: Level,
    greatest: f64,
    loss: impl Fn(f64, f64) -> f64,
) -> Result<Estimate, Undefined> {
    check_lengths(statistic, probabilities.len(), truth.len())?;
    check_unit(statistic, probabilities)?;
    let losses: Vec<f64> = probabilities.iter().zip(truth).map(|(&p, &y)| loss(p, f64::from(u8::from(y)))).collect();
    let summary = crate::means::Summary::of(&losses).map_err(|error| Undefined { statistic, ..error })?;
    let half = level.z() * summary.sd / (summary.n as f64).sqrt();
    Ok(Estimate {
        value: summary.mean,
        low: (summary.mean - half).max(0.0).min(summary.mean),
        high: (summary.mean + half).min(greatest).max(summary.mean),
        method: "normal interval of the mean",
        n: summary.n,
    })
}

fn checked_logits(statistic: &'static str, probabilities: &[f64], truth: &[bool]) -> Result<Vec<f64>, Undefined> {
    check_lengths(statistic, probabilities.len(), truth.len())?;
    check_finite(statistic, probabilities)?;
    let inside = |p: &f64| *p > 0.0 && *p < 1.0;
    if let Some(index) = probabilities.iter().position(|p| !inside(p)) {
        return Err(Undefined::new(
            statistic,
            Reason::OutOfRange {
                index,
                value: probabilities[index],
                expected: "a probability strictly between 0 and 1",
            },
        ));
    }
    both_classes(statistic, truth)?;
    Ok(probabilities.iter().map(|&p| logit(p)).collect())
}

fn both_classes(statistic: &'static str, truth: &[bool]) -> Result<(), Undefined> {
    if !truth.contains(&true) {
        return Err(Undefined::new(statistic, Reason::NoCases));
    }
    if !truth.contains(&false) {
        return Err(Undefined::new(statistic, Reason::NoControls));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::bins::assign;
    use super::*;
    use crate::bootstrap::{Plan, Resampling};

    const P: [f64; 6] = [0.1, 0.2, 0.4, 0.6, 0.8, 0.9];
    const Y: [bool; 6] = [false, true, false, true, false, true];

    #[test]
    fn saturated_probabilities_are_named() {
        let error = recalibration(&[0.2, 1.0, 0.5], &[false, true, true], Level::P95).unwrap_err();
        assert!(error.to_string().contains("value 1 is 1"), "{error}");
        assert_eq!(clamp(&[0.0, 0.5, 1.0], 0.01), [0.01, 0.5, 0.99]);
        assert!(log_loss(&[0.0, 0.5], &[true, false], Level::P95).is_err());
        assert!(log_loss(&[0.0, 0.5], &[false, false], Level::P95).is_ok());
    }

    #[test]
    fn separation_is_undefined() {
        let truth = [false, false, false, true, true, true];
        let error = recalibration(&P, &truth, Level::P95).unwrap_err();
        assert_eq!(error.reason, Reason::Separation);
        let logits: Vec<f64> = P.iter().map(|&p| logit(p)).collect();
        let error = temperature(&logits, &truth, Level::P95).unwrap_err();
        assert_eq!(error.reason, Reason::Separation);
        assert!(in_the_large(&P, &truth, Level::P95).is_ok());
        assert!(recalibration(&[0.3; 6], &Y, Level::P95).is_err());
    }

    #[test]
    fn bins_hold_their_edges_and_ties() {
        let bins = assign("t", &[0.0, 0.5, 1.0], &[true; 3], 2, Binning::EqualWidth);
        assert_eq!(bins, Ok(vec![0, 1, 1]));
        let bins = assign("t", &[0.3, 0.3, 0.3, 0.9], &[true; 4], 2, Binning::EqualCount);
        assert_eq!(bins, Ok(vec![0, 0, 0, 1]));
        let curve = reliability(&P, &Y, 2, Binning::EqualWidth, Level::P95).unwrap();
        assert_eq!(curve.len(), 2);
        assert_eq!((curve[0].observed.n, curve[0].to), (3, 0.5));
    }

    #[test]
    fn perfect_probabilities_have_no_error() {
        let (p, y) = ([0.0, 1.0, 0.0, 1.0], [false, true, false, true]);
        let brier = brier(&p, &y, Level::P95).unwrap();
        assert_eq!((brier.value, brier.high), (0.0, 0.0));
        let ece = expected_calibration_error(
            &p,
            &y,
            (10, Binning::EqualWidth),
            Resampling::Simple,
            Level::P95,
            Plan::default(),
        )
        .unwrap_err();
        assert!(matches!(ece.reason, Reason::NoInterval { value: 0.0, .. }), "{ece}");
    }
}
