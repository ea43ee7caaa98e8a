//! Logistic regression on one covariate by Newton's method (iteratively reweighted least squares), to machine precision.

use crate::estimate::{Reason, Undefined};
use crate::scored::Inference;

/// A fitted line logit P(y = 1) = intercept + slope·x.
pub(crate) struct Line {
    pub intercept: f64,
    pub slope: f64,
    /// The covariate's mean, about which `inverse` is.
    center: f64,
    /// The inverse information matrix of (value at the center, slope): its first row, and its last element.
    inverse: [f64; 3],
}

const MOST_ITERATIONS: usize = 200;

pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Gradient and information of the log-likelihood about the line, with x measured from `center`.
#[derive(Default)]
struct Sums {
    g0: f64,
    g1: f64,
    h00: f64,
    h01: f64,
    h11: f64,
    loss: f64,
}

fn sums(x: &[f64], truth: &[bool], predictor: impl Fn(f64) -> f64) -> Sums {
    let mut s = Sums::default();
    for (&x, &y) in x.iter().zip(truth) {
        let eta = predictor(x);
        // One exponential serves both tails and the loss.
        let e = (-eta.abs()).exp();
        let (near, far) = (1.0 / (1.0 + e), e / (1.0 + e));
        let (p, q) = if eta >= 0.0 { (near, far) } else { (far, near) };
        let residual = if y { q } else { -p };
        let weight = p * q;
        s.g0 += residual;
        s.g1 += residual * x;
        s.h00 += weight;
        s.h01 += weight * x;
        s.h11 += weight * x * x;
        s.loss += e.ln_1p() + (if y { -eta } else { eta }).max(0.0);
    }
    s
}

/// Fits intercept and slope. Both classes must be present.
///
/// Fails on a constant covariate and on complete or quasi-complete separation, both found before iterating.
pub(crate) fn fit_line(statistic: &'static str, x: &[f64], truth: &[bool]) -> Result<Line, Undefined> {
    let range = |class: bool| {
        x.iter()
            .zip(truth)
            .filter(|&(_, &y)| y == class)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (&x, _)| (low.min(x), high.max(x)))
    };
    let (controls, cases) = (range(false), range(true));
    let (low, high) = (controls.0.min(cases.0), controls.1.max(cases.1));
    if low == high {
        return Err(Undefined::new(statistic, Reason::ZeroVariance));
    }
    if controls.1 <= cases.0 || cases.1 <= controls.0 {
        return Err(Undefined::new(statistic, Reason::Separation));
    }
    // Centering makes the two coefficients nearly orthogonal and the iteration well conditioned.
    let center = x.iter().sum::<f64>() / x.len() as f64;
    let centered: Vec<f64> = x.iter().map(|v| v - center).collect();
    let (mut a, mut b) = (0.0, 0.0);
    let mut now = sums(&centered, truth, |_| 0.0);
    for _ in 0..MOST_ITERATIONS {
        let determinant = now.h00 * now.h11 - now.h01 * now.h01;
        if determinant <= 0.0 || !determinant.is_finite() {
            break;
        }
        let da = (now.h11 * now.g0 - now.h01 * now.g1) / determinant;
        let db = (now.h00 * now.g1 - now.h01 * now.g0) / determinant;
        let mut scale = 1.0;
        let next = loop {
            let next = sums(&centered, truth, |x| a + scale * da + (b + scale * db) * x);
            if next.loss <= now.loss * (1.0 + 1e-14) || scale < 1e-6 {
                break next;
            }
            scale *= 0.5;
        };
        a += scale * da;
        b += scale * db;
        now = next;
        if da.abs() <= 1e-13 * (1.0 + a.abs()) && db.abs() <= 1e-13 * (1.0 + b.abs()) {
            let determinant = now.h00 * now.h11 - now.h01 * now.h01;
            let inverse = [now.h11 / determinant, -now.h01 / determinant, now.h00 / determinant];
            return Ok(Line { intercept: a - b * center, slope: b, center, inverse });
        }
    }
    Err(Undefined::new(statistic, Reason::NoConvergence))
}

impl Line {
    /// The variances of intercept and slope from the information matrix, for independent observations.
    pub fn variances(&self) -> (f64, f64) {
        let [v00, v01, v11] = self.inverse;
        (v00 - 2.0 * self.center * v01 + self.center * self.center * v11, v11)
    }

    /// The variances of intercept and slope that allow for clusters: the sandwich of the inverse information about the scores summed
    /// within clusters (Liang & Zeger 1986). `None` with fewer than two clusters.
    pub fn clustered_variances(&self, x: &[f64], truth: &[bool], inference: &Inference<'_>) -> Option<(f64, f64)> {
        let [v00, v01, v11] = self.inverse;
        let residual = |x: f64, y: bool| {
            let eta = self.intercept + self.slope * x;
            if y { sigmoid(-eta) } else { -sigmoid(eta) }
        };
        // What an observation contributes to each coefficient: the inverse information times its score, at the covariate's own zero.
        let contributions = |weights: &dyn Fn(f64) -> f64| -> Vec<f64> {
            x.iter().zip(truth).map(|(&x, &y)| weights(x - self.center) * residual(x, y)).collect()
        };
        let slope = contributions(&|d| v01 + v11 * d);
        let intercept = contributions(&|d| v00 + v01 * d - self.center * (v01 + v11 * d));
        Some((inference.variance_of_sum(&intercept)?, inference.variance_of_sum(&slope)?))
    }
}

/// Fits an intercept beside the offsets `x`; returns it and its variance. Both classes must be present.
pub(crate) fn fit_offset(statistic: &'static str, x: &[f64], truth: &[bool]) -> Result<(f64, f64), Undefined> {
    newton(statistic, |a| {
        let s = sums(x, truth, |x| a + x);
        (s.g0, s.h00, s.loss)
    })
}

/// Fits a slope without intercept; returns it and its variance.
///
/// Fails when no value of `x` is on the wrong side of 0 for one sign of the slope: the slope is then infinite.
pub(crate) fn fit_scale(statistic: &'static str, x: &[f64], truth: &[bool]) -> Result<(f64, f64), Undefined> {
    let agreeing = |sign: f64| x.iter().zip(truth).all(|(&x, &y)| sign * x * (if y { 1.0 } else { -1.0 }) >= 0.0);
    if x.iter().all(|&x| x == 0.0) {
        return Err(Undefined::new(statistic, Reason::ZeroVariance));
    }
    if agreeing(1.0) || agreeing(-1.0) {
        return Err(Undefined::new(statistic, Reason::Separation));
    }
    newton(statistic, |b| {
        let s = sums(x, truth, |x| b * x);
        (s.g1, s.h11, s.loss)
    })
}

/// Newton's method with step halving on a convex loss of one coefficient, from 0; `at` gives (−gradient, curvature, loss).
fn newton(statistic: &'static str, at: impl Fn(f64) -> (f64, f64, f64)) -> Result<(f64, f64), Undefined> {
    let mut value = 0.0;
    let (mut gradient, mut curvature, mut loss) = at(value);
    for _ in 0..MOST_ITERATIONS {
        if curvature <= 0.0 || !curvature.is_finite() {
            break;
        }
        let step = gradient / curvature;
        let mut scale = 1.0;
        let next = loop {
            let next = at(value + scale * step);
            if next.2 <= loss * (1.0 + 1e-14) || scale < 1e-6 {
                break next;
            }
            scale *= 0.5;
        };
        value += scale * step;
        (gradient, curvature, loss) = next;
        if step.abs() <= 1e-13 * (1.0 + value.abs()) {
            return Ok((value, 1.0 / curvature));
        }
    }
    Err(Undefined::new(statistic, Reason::NoConvergence))
}
