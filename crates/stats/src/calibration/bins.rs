//! Calibration by bins: the reliability curve, the expected calibration error, the Brier score's parts.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Plan, Resampling, percentile};
use crate::estimate::{Estimate, Level, Reason, Undefined, check_lengths, check_unit};
use crate::interval::{Interval, named_proportion};

/// How probabilities are put into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// Bins of equal width over [0, 1]; the last holds 1 itself.
    #[default]
    EqualWidth,
    /// Bins of as nearly equal count as ties allow: equal probabilities stay together.
    EqualCount,
}

/// One bin of a reliability curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Lower edge: of the bin, or the smallest probability in it when binned by count.
    pub from: f64,
    /// Upper edge: of the bin, or the largest probability in it when binned by count.
    pub to: f64,
    /// Mean predicted probability of its members.
    pub predicted: f64,
    /// Observed share of positives, with Wilson's interval.
    pub observed: Estimate,
}

/// The Brier score and its parts over bins (Stephenson, Coelho & Jolliffe 2008):
/// score = reliability − resolution + uncertainty + within-bin variance − 2 · within-bin covariance, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BrierParts {
    /// Mean squared error of the probabilities.
    pub score: f64,
    /// Σ n_b (p̄_b − ȳ_b)²/n: 0 when calibrated.
    pub reliability: f64,
    /// Σ n_b (ȳ_b − ȳ)²/n: how much the bins differ in truth.
    pub resolution: f64,
    /// ȳ(1 − ȳ).
    pub uncertainty: f64,
    /// ΣΣ (p − p̄_b)²/n: what binning hides.
    pub within_variance: f64,
    /// ΣΣ (p − p̄_b)(y − ȳ_b)/n: what binning hides.
    pub within_covariance: f64,
}

/// The Brier score's decomposition over `bins` bins.
///
/// # Errors
/// When a probability is outside [0, 1], lengths differ, or there are no observations or no bins.
pub fn brier_parts(
    probabilities: &[f64],
    truth: &[bool],
    bins: usize,
    binning: Binning,
) -> Result<BrierParts, Undefined> {
    let assigned = assign("Brier decomposition", probabilities, truth, bins, binning)?;
    let sums = bin_sums(&assigned, probabilities, truth, bins, |_| 1);
    let n = truth.len() as f64;
    let base = truth.iter().filter(|&&y| y).count() as f64 / n;
    let mut parts = BrierParts {
        score: 0.0,
        reliability: 0.0,
        resolution: 0.0,
        uncertainty: base * (1.0 - base),
        within_variance: 0.0,
        within_covariance: 0.0,
    };
    for sum in sums.iter().filter(|s| s.count > 0) {
        let weight = sum.count as f64 / n;
        parts.reliability += weight * (sum.predicted() - sum.observed()).powi(2);
        parts.resolution += weight * (sum.observed() - base).powi(2);
    }
    for ((&bin, &p), &y) in assigned.iter().zip(probabilities).zip(truth) {
        let y = f64::from(u8::from(y));
        let (dp, dy) = (p - sums[bin].predicted(), y - sums[bin].observed());
        parts.score += (p - y) * (p - y) / n;
        parts.within_variance += dp * dp / n;
        parts.within_covariance += dp * dy / n;
    }
    Ok(parts)
}

/// The reliability curve: mean prediction and observed share in each bin that holds anything.
///
/// # Errors
/// As [`brier_parts`].
pub fn reliability(
    probabilities: &[f64],
    truth: &[bool],
    bins: usize,
    binning: Binning,
    level: Level,
) -> Result<Vec<ReliabilityBin>, Undefined> {
    let statistic = "reliability curve";
    let assigned = assign(statistic, probabilities, truth, bins, binning)?;
    let sums = bin_sums(&assigned, probabilities, truth, bins, |_| 1);
    let mut edges = vec![(f64::INFINITY, f64::NEG_INFINITY); bins];
    for (&bin, &p) in assigned.iter().zip(probabilities) {
        edges[bin] = (edges[bin].0.min(p), edges[bin].1.max(p));
    }
    sums.iter()
        .enumerate()
        .filter(|(_, sum)| sum.count > 0)
        .map(|(bin, sum)| {
            let (from, to) = match binning {
                Binning::EqualWidth => (bin as f64 / bins as f64, (bin + 1) as f64 / bins as f64),
                Binning::EqualCount => edges[bin],
            };
            Ok(ReliabilityBin {
                from,
                to,
                predicted: sum.predicted(),
                observed: named_proportion(
                    statistic,
                    "an empty bin",
                    sum.positives,
                    sum.count,
                    level,
                    Interval::Wilson,
                )?,
            })
        })
        .collect()
}

/// The expected calibration error Σ n_b |p̄_b − ȳ_b|/n (Naeini, Cooper & Hauskrecht 2015) with a bootstrap percentile interval;
/// bins stay those of the sample. ECE depends on its bins and is biased upward in small samples.
///
/// # Errors
/// As [`brier_parts`], and as the bootstrap.
pub fn expected_calibration_error(
    probabilities: &[f64],
    truth: &[bool],
    (bins, binning): (usize, Binning),
    resampling: Resampling<'_>,
    level: Level,
    plan: Plan,
) -> Result<Estimate, Undefined> {
    let statistic = "expected calibration error";
    let assigned = assign(statistic, probabilities, truth, bins, binning)?;
    let error = |weight: &dyn Fn(usize) -> u64| {
        let sums = bin_sums(&assigned, probabilities, truth, bins, weight);
        let n: u64 = sums.iter().map(|s| s.count).sum();
        let gap: f64 = sums.iter().map(|s| (s.probability - s.positives as f64).abs()).sum();
        gap / n as f64
    };
    let value = error(&|_| 1);
    percentile(statistic, value, truth, resampling, level, plan, |counts| {
        Some(error(&|index| u64::from(counts[index])))
    })
}

#[derive(Debug, Clone, Copy, Default)]
struct BinSum {
    count: u64,
    positives: u64,
    probability: f64,
}

impl BinSum {
    fn predicted(&self) -> f64 {
        self.probability / self.count as f64
    }

    fn observed(&self) -> f64 {
        self.positives as f64 / self.count as f64
    }
}

fn bin_sums(
    assigned: &[usize],
    probabilities: &[f64],
    truth: &[bool],
    bins: usize,
    weight: impl Fn(usize) -> u64,
) -> Vec<BinSum> {
    let mut sums = vec![BinSum::default(); bins];
    for (index, &bin) in assigned.iter().enumerate() {
        let times = weight(index);
        sums[bin].count += times;
        sums[bin].probability += times as f64 * probabilities[index];
        if truth[index] {
            sums[bin].positives += times;
        }
    }
    sums
}

/// The bin of each probability.
pub(super) fn assign(
    statistic: &'static str,
    probabilities: &[f64],
    truth: &[bool],
    bins: usize,
    binning: Binning,
) -> Result<Vec<usize>, Undefined> {
    check_lengths(statistic, probabilities.len(), truth.len())?;
    check_unit(statistic, probabilities)?;
    let n = probabilities.len();
    if n.min(bins) == 0 {
        return Err(Undefined::new(statistic, Reason::TooFew { n: n.min(bins), needed: 1 }));
    }
    Ok(match binning {
        Binning::EqualWidth => probabilities.iter().map(|p| ((p * bins as f64) as usize).min(bins - 1)).collect(),
        Binning::EqualCount => {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_unstable_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
            let mut assigned = vec![0; n];
            let mut bin = 0;
            for (rank, &index) in order.iter().enumerate() {
                let tied = rank > 0 && probabilities[order[rank - 1]] == probabilities[index];
                if !tied {
                    bin = (rank as u128 * bins as u128 / n as u128) as usize;
                }
                assigned[index] = bin;
            }
            assigned
        }
    })
}
