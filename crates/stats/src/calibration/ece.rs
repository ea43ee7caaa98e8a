//! The expected calibration error, with an interval that allows for its bias.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bins::{Bins, assign};
use crate::bootstrap::{Plan, quantile};
use crate::distribution::normal_quantile;
use crate::estimate::{Estimate, Undefined, check_lengths};
use crate::scored::{Inference, ONE_CLUSTER};

const METHOD: &str = "test inversion (Carpenter 1999)";

/// The expected calibration error Σ |Σ_b (p − y)|/n over bins b (Naeini, Cooper & Hauskrecht 2015).
///
/// The value is that of the sample. It is biased upward: with few observations a bin, even perfect probabilities show an error. A
/// percentile bootstrap counts that bias a second time. The interval here inverts a test instead (Carpenter 1999, "Test inversion
/// bootstrap confidence intervals"): true gaps μ are in it if the observed error lies between the tails of Σ |μ_b + e_b|, where the
/// errors e of the gaps are normal with the covariance of the sample's (between clusters, where there are any), drawn
/// `plan.replicates` times. Of the gaps μ with one error Σ |μ_b|, the lower limit takes multiples of the observed gaps; at 0 that is
/// the test of perfect calibration (Bröcker & Smith 2007), and the lower limit is 0 where it is not rejected. The upper limit takes
/// gaps in proportion to their standard errors, with the observed signs: E |μ + e| is convex, so that these show the least error.
///
/// # Errors
/// When a probability is outside [0, 1], lengths differ, or there are no observations or no bins. With fewer than two observations
/// or clusters, fewer than two replicates, or gaps that are or vary by exactly nothing, the value has no limits.
pub fn expected_calibration_error<'c>(
    probabilities: &[f64],
    truth: &[bool],
    bins: Bins,
    inference: impl Into<Inference<'c>>,
    plan: Plan,
) -> Result<Estimate, Undefined> {
    let (statistic, inference) = ("expected calibration error", inference.into());
    check_lengths(statistic, probabilities.len(), truth.len())?;
    inference.require_length(statistic, truth.len())?;
    let assigned = assign(statistic, probabilities, truth, bins)?;
    let n = truth.len();
    let mut gaps = vec![0.0; bins.count];
    let observed = |i: usize| (probabilities[i] - f64::from(u8::from(truth[i]))) / n as f64;
    for (i, &bin) in assigned.iter().enumerate() {
        gaps[bin] += observed(i);
    }
    let value: f64 = gaps.iter().map(|gap| gap.abs()).sum();
    let Some(covariance) = covariance(&assigned, observed, &gaps, &inference) else {
        return Ok(Estimate::without_limits(value, ONE_CLUSTER, n));
    };
    if value == 0.0 {
        return Ok(Estimate::without_limits(value, "no bin has a gap", n));
    }
    if plan.replicates < 2 || (0..gaps.len()).all(|bin| covariance[bin][bin] <= 0.0) {
        return Ok(Estimate::without_limits(value, "the bins' gaps do not vary", n));
    }
    let errors = normal_errors(&covariance, plan);
    let spread: Vec<f64> =
        gaps.iter().zip(0..).map(|(gap, bin)| covariance[bin][bin].max(0.0).sqrt().copysign(*gap)).collect();
    let tail = inference.level.tail();
    let low = true_error(&gaps, &errors, (value, 1.0 - tail));
    let high = true_error(&spread, &errors, (value, tail));
    Ok(Estimate::new(value, (low.clamp(0.0, value), high.clamp(value, 1.0)), METHOD, n))
}

/// The covariance of the bins' gaps, between clusters or single observations; `None` with fewer than two of them.
fn covariance(
    assigned: &[usize],
    observed: impl Fn(usize) -> f64,
    gaps: &[f64],
    inference: &Inference<'_>,
) -> Option<Vec<Vec<f64>>> {
    let (n, bins) = (assigned.len(), gaps.len());
    let share = 1.0 / n as f64;
    let mut covariance = vec![vec![0.0; bins]; bins];
    let units = match inference.clusters {
        None => {
            // Of an observation, only its own bin's gap is not zero.
            for (i, &bin) in assigned.iter().enumerate() {
                covariance[bin][bin] += observed(i).powi(2);
            }
            for (i, row) in covariance.iter_mut().enumerate() {
                for (j, cell) in row.iter_mut().enumerate() {
                    *cell -= gaps[i] * gaps[j] * share;
                }
            }
            n
        }
        Some(clusters) => {
            let mut sums = vec![0.0; clusters.count() * bins];
            for (i, (&bin, &cluster)) in assigned.iter().zip(clusters.of()).enumerate() {
                sums[cluster * bins + bin] += observed(i);
                // What the cluster's observations would show, were they as all are.
                for (sum, gap) in sums[cluster * bins..(cluster + 1) * bins].iter_mut().zip(gaps) {
                    *sum -= gap * share;
                }
            }
            for cluster in sums.chunks_exact(bins) {
                for (i, row) in covariance.iter_mut().enumerate() {
                    for (j, cell) in row.iter_mut().enumerate() {
                        *cell += cluster[i] * cluster[j];
                    }
                }
            }
            clusters.count()
        }
    };
    if units < 2 {
        return None;
    }
    let small_sample = units as f64 / (units as f64 - 1.0);
    covariance.iter_mut().flatten().for_each(|cell| *cell *= small_sample);
    Some(covariance)
}

/// Draws of the gaps' errors, one after the other.
fn normal_errors(covariance: &[Vec<f64>], plan: Plan) -> Vec<Vec<f64>> {
    let factor = cholesky(covariance);
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut normals = vec![0.0; factor.len()];
    (0..plan.replicates)
        .map(|_| {
            for normal in &mut normals {
                // Strictly between 0 and 1.
                *normal = normal_quantile((rng.random_range(0..1_u64 << 52) as f64 + 0.5) / (1_u64 << 52) as f64);
            }
            factor.iter().map(|row| row.iter().zip(&normals).map(|(l, z)| l * z).sum()).collect()
        })
        .collect()
}

/// The lower triangle L of LLᵀ = `matrix`, which is positive semidefinite but for rounding; columns of nothing stay zero.
fn cholesky(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let size = matrix.len();
    let mut lower = vec![vec![0.0; size]; size];
    for j in 0..size {
        let left = matrix[j][j] - lower[j][..j].iter().map(|v: &f64| v * v).sum::<f64>();
        if left <= 1e-12 * matrix[j][j] {
            continue;
        }
        lower[j][j] = left.sqrt();
        for i in j + 1..size {
            let dot: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            lower[i][j] = (matrix[i][j] - dot) / lower[j][j];
        }
    }
    lower
}

/// The true error of gaps in the proportions of `shape` that show the observed value as their quantile p.
fn true_error(shape: &[f64], errors: &[Vec<f64>], (value, p): (f64, f64)) -> f64 {
    let whole: f64 = shape.iter().map(|part| part.abs()).sum();
    let shown = |error: f64| {
        let of =
            |errors: &Vec<f64>| -> f64 { errors.iter().zip(shape).map(|(e, s)| (error / whole * s + e).abs()).sum() };
        let mut shown: Vec<f64> = errors.iter().map(of).collect();
        shown.sort_unstable_by(f64::total_cmp);
        quantile(&shown, p)
    };
    crossing(|error| shown(error) - value)
}

/// Where an increasing function crosses 0 between 0 and 1; 0 if it is not below it at 0, 1 if it is at 1.
fn crossing(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    if f(low) >= 0.0 {
        return low;
    }
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        *(if f(middle) < 0.0 { &mut low } else { &mut high }) = middle;
    }
    high
}
