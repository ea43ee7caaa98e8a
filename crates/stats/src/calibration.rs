//! Whether probabilities mean what they say: slope and intercept, reliability curve, ECE, Brier score, temperature.
//!
//! ```
//! use coxa_stats::calibration::{self, Bins};
//! use coxa_stats::Level;
//!
//! let probabilities = [0.1, 0.2, 0.2, 0.3, 0.6, 0.7, 0.7, 0.9, 0.4, 0.8];
//! let truth = [false, false, true, false, true, true, false, true, false, true];
//! let line = calibration::recalibration(&probabilities, &truth, Level::P95)?;
//! assert!(line.slope.value > 0.0);
//! let brier = calibration::brier(&probabilities, &truth, Level::P95)?;
//! assert!(brier.low() < Some(brier.value));
//! let curve = calibration::reliability(&probabilities, &truth, Bins::equal_width(2), Level::P95)?;
//! assert_eq!((curve[0].observed.value, curve[0].observed.n), (0.2, 5));
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod bins;
mod ece;

pub use self::bins::{Binning, Bins, BrierParts, ReliabilityBin, brier_parts, reliability};
pub use self::ece::expected_calibration_error;
use crate::estimate::{Estimate, Level, Reason, Undefined, check_finite, check_lengths, check_unit};
use crate::logistic;
use crate::scored::Inference;

const NO_BOUND: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// Logistic recalibration: logit P(y = 1) = intercept + slope · logit(p).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
/// `glm(y ~ qlogis(p), binomial)`; with clusters, the variances are cluster-robust (Liang & Zeger 1986).
///
/// # Errors
/// When a probability is not strictly between 0 and 1 (see [`clamp`]), lengths differ, one class is missing, the probabilities
/// are all equal, or they separate the classes perfectly. With one cluster the values have no limits.
pub fn recalibration<'c>(
    probabilities: &[f64],
    truth: &[bool],
    inference: impl Into<Inference<'c>>,
) -> Result<Recalibration, Undefined> {
    let (statistic, inference) = ("calibration slope", inference.into());
    let logits = checked_logits(statistic, probabilities, truth)?;
    inference.require_length(statistic, truth.len())?;
    let line = logistic::fit_line(statistic, &logits, truth)?;
    let (variances, method) = match inference.clusters {
        None => (Some(line.variances()), "logistic regression, Wald"),
        Some(_) => (
            line.clustered_variances(&logits, truth, &inference),
            "logistic regression, cluster-robust Wald (Liang & Zeger 1986)",
        ),
    };
    let wald = |value, variance| inference.wald((value, variance), NO_BOUND, method, truth.len());
    Ok(Recalibration {
        intercept: wald(line.intercept, variances.map(|v| v.0)),
        slope: wald(line.slope, variances.map(|v| v.1)),
    })
}

/// Calibration in the large: the intercept of a logistic model with the slope held at 1, R's
/// `glm(y ~ 1 + offset(qlogis(p)), binomial)`; 0 when the mean prediction is right, positive when it is too low.
///
/// # Errors
/// As [`recalibration`], but equal or separating probabilities are no trouble.
pub fn in_the_large<'c>(
    probabilities: &[f64],
    truth: &[bool],
    inference: impl Into<Inference<'c>>,
) -> Result<Estimate, Undefined> {
    let (statistic, inference) = ("calibration in the large", inference.into());
    let logits = checked_logits(statistic, probabilities, truth)?;
    inference.require_length(statistic, truth.len())?;
    let (value, variance) = logistic::fit_offset(statistic, &logits, truth)?;
    let (variance, method) = match inference.clusters {
        None => (Some(variance), "logistic regression with offset, Wald"),
        Some(_) => {
            let residual = |eta: f64, y: bool| if y { sigmoid(-eta) } else { -sigmoid(eta) };
            let contributions: Vec<f64> =
                logits.iter().zip(truth).map(|(&x, &y)| variance * residual(value + x, y)).collect();
            (
                inference.variance_of_sum(&contributions),
                "logistic regression with offset, cluster-robust Wald (Liang & Zeger 1986)",
            )
        }
    };
    Ok(inference.wald((value, variance), NO_BOUND, method, truth.len()))
}

/// The temperature T > 0 that minimizes the log loss of σ(logit/T) (Guo et al. 2017), for one logit a film.
///
/// The loss is convex in 1/T, the coefficient of a logistic regression without intercept; the interval is that coefficient's Wald
/// interval turned over.
///
/// # Errors
/// When a logit is not finite, lengths differ, one class is missing, the sign of the logits is always right (T → 0), or the logits
/// speak against the truth (no positive T). Where the interval of 1/T reaches 0, the value has no limits.
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
        return Ok(Estimate::without_limits(value, "the interval of 1/T reaches zero", truth.len()));
    }
    let limits = (1.0 / (inverse + half), 1.0 / (inverse - half));
    Ok(Estimate::new(value, limits, "maximum likelihood, Wald on 1/T", truth.len()))
}

/// The Brier score, mean (p − y)², with the normal interval of that mean cut to [0, 1]; with clusters, its variance is that of the
/// clusters' sums.
///
/// # Errors
/// When a probability is outside [0, 1], lengths differ, or there are fewer than two observations. With one cluster the value has no
/// limits.
pub fn brier<'c>(
    probabilities: &[f64],
    truth: &[bool],
    inference: impl Into<Inference<'c>>,
) -> Result<Estimate, Undefined> {
    let loss = Loss { statistic: "Brier score", greatest: 1.0, of: |p, y| (p - y) * (p - y) };
    loss.mean(probabilities, truth, inference.into())
}

/// The log loss, mean −ln P(truth), with the normal interval of that mean cut at 0.
///
/// # Errors
/// As [`brier`], and when a probability rules out what happened (see [`clamp`]).
pub fn log_loss<'c>(
    probabilities: &[f64],
    truth: &[bool],
    inference: impl Into<Inference<'c>>,
) -> Result<Estimate, Undefined> {
    let statistic = "log loss";
    check_lengths(statistic, probabilities.len(), truth.len())?;
    let ruled_out = |(p, y): (&f64, &bool)| *p == f64::from(u8::from(!*y));
    if let Some(index) = probabilities.iter().zip(truth).position(ruled_out) {
        let expected = "a probability that does not rule out the truth";
        let reason = Reason::ObservationOutOfRange { index, value: probabilities[index], expected };
        return Err(Undefined::new(statistic, reason));
    }
    let of = |p: f64, y: f64| if y > 0.5 { -p.ln() } else { -(-p).ln_1p() };
    Loss { statistic, greatest: f64::INFINITY, of }.mean(probabilities, truth, inference.into())
}

/// A loss of a probability and a truth of 0 or 1, from 0 to `greatest`.
struct Loss<F> {
    statistic: &'static str,
    greatest: f64,
    of: F,
}

impl<F: Fn(f64, f64) -> f64> Loss<F> {
    fn mean(&self, probabilities: &[f64], truth: &[bool], inference: Inference<'_>) -> Result<Estimate, Undefined> {
        let statistic = self.statistic;
        check_lengths(statistic, probabilities.len(), truth.len())?;
        check_unit(statistic, probabilities)?;
        inference.require_length(statistic, truth.len())?;
        let mut losses: Vec<f64> =
            probabilities.iter().zip(truth).map(|(&p, &y)| (self.of)(p, f64::from(u8::from(y)))).collect();
        let summary = crate::means::Summary::of(&losses).map_err(|error| Undefined { statistic, ..error })?;
        for loss in &mut losses {
            *loss = (*loss - summary.mean) / summary.n as f64;
        }
        let method = match inference.clusters {
            None => "normal interval of the mean",
            Some(_) => "normal interval of the mean, clustered",
        };
        let variance = inference.variance_of_sum(&losses);
        Ok(inference.wald((summary.mean, variance), (0.0, self.greatest), method, summary.n))
    }
}

fn checked_logits(statistic: &'static str, probabilities: &[f64], truth: &[bool]) -> Result<Vec<f64>, Undefined> {
    check_lengths(statistic, probabilities.len(), truth.len())?;
    check_finite(statistic, probabilities)?;
    let inside = |p: &f64| *p > 0.0 && *p < 1.0;
    if let Some(index) = probabilities.iter().position(|p| !inside(p)) {
        let expected = "a probability strictly between 0 and 1";
        let reason = Reason::ObservationOutOfRange { index, value: probabilities[index], expected };
        return Err(Undefined::new(statistic, reason));
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
    use crate::bootstrap::Plan;
    use crate::scored::Clusters;

    const P: [f64; 6] = [0.1, 0.2, 0.4, 0.6, 0.8, 0.9];
    const Y: [bool; 6] = [false, true, false, true, false, true];

    #[test]
    fn saturated_probabilities_are_named() {
        let error = recalibration(&[0.2, 1.0, 0.5], &[false, true, true], Level::P95).unwrap_err();
        assert!(error.to_string().contains("index 1 is 1"), "{error}");
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
        let bins = assign("t", &[0.0, 0.5, 1.0], &[true; 3], Bins::equal_width(2));
        assert_eq!(bins, Ok(vec![0, 1, 1]));
        let bins = assign("t", &[0.3, 0.3, 0.3, 0.9], &[true; 4], Bins { count: 2, binning: Binning::EqualCount });
        assert_eq!(bins, Ok(vec![0, 0, 0, 1]));
        let curve = reliability(&P, &Y, Bins::equal_width(2), Level::P95).unwrap();
        assert_eq!(curve.len(), 2);
        assert_eq!((curve[0].observed.n, curve[0].to), (3, 0.5));
    }

    #[test]
    fn perfect_probabilities_have_no_error() {
        let (p, y) = ([0.0, 1.0, 0.0, 1.0], [false, true, false, true]);
        let brier = brier(&p, &y, Level::P95).unwrap();
        assert_eq!((brier.value, brier.high()), (0.0, Some(0.0)));
        let ece = expected_calibration_error(&p, &y, Bins::equal_width(10), Level::P95, Plan::default()).unwrap();
        assert!(ece.value == 0.0 && ece.limits.is_err(), "{ece:?}");
    }

    /// Each observation five times over: by cluster, it is worth one.
    #[test]
    fn clusters_of_copies_are_worth_one_observation() {
        let p: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 40) / 41.0 + 0.01).collect();
        let y: Vec<bool> = (0..40).map(|i| i * 17 % 40 > 10 + i * 7 % 20).collect();
        let copies = |i: usize| i / 5;
        let many: Vec<f64> = (0..200).map(|i| p[copies(i)]).collect();
        let truths: Vec<bool> = (0..200).map(|i| y[copies(i)]).collect();
        let clusters = Clusters::new(&(0..200).map(copies).collect::<Vec<_>>());
        let single = Clusters::new(&(0..40).collect::<Vec<_>>());
        let by = |clusters| Inference { level: Level::P95, clusters: Some(clusters) };
        let near = |a: Estimate, b: Estimate| {
            let (a, b) = (a.limits.unwrap(), b.limits.unwrap());
            assert!((a.low - b.low).abs() < 1e-9 && (a.high - b.high).abs() < 1e-9, "{a:?} {b:?}");
        };
        near(brier(&many, &truths, by(&clusters)).unwrap(), brier(&p, &y, Level::P95).unwrap());
        let (copied, plain) = (recalibration(&many, &truths, by(&clusters)), recalibration(&p, &y, by(&single)));
        let (copied, plain) = (copied.unwrap(), plain.unwrap());
        near(copied.slope, plain.slope);
        near(copied.intercept, plain.intercept);
        near(in_the_large(&many, &truths, by(&clusters)).unwrap(), in_the_large(&p, &y, by(&single)).unwrap());
        let bins = Bins::equal_width(4);
        let (copied, plain) =
            (reliability(&many, &truths, bins, by(&clusters)), reliability(&p, &y, bins, by(&single)));
        for (copied, plain) in copied.unwrap().into_iter().zip(plain.unwrap()) {
            near(copied.observed, plain.observed);
        }
        let plan = Plan::default();
        let copied = expected_calibration_error(&many, &truths, bins, by(&clusters), plan).unwrap();
        near(copied, expected_calibration_error(&p, &y, bins, Level::P95, plan).unwrap());
        let one = Clusters::new(&[0; 40]);
        assert!(brier(&p, &y, by(&one)).unwrap().limits.is_err());
        assert!(recalibration(&p, &y, by(&one)).unwrap().slope.limits.is_err());
        assert!(expected_calibration_error(&p, &y, bins, by(&one), plan).unwrap().limits.is_err());
        assert!(brier(&p, &y, by(&clusters)).is_err(), "another length");
    }
}
