//! Calibration by bins: the reliability curve and the Brier score's parts.

use crate::estimate::{Estimate, Reason, Undefined, check_lengths, check_unit};
use crate::interval::{Interval, wilson};
use crate::scored::Inference;

/// How probabilities are put into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Binning {
    /// Bins of equal width over [0, 1]; the last holds 1 itself.
    #[default]
    EqualWidth,
    /// Bins of as nearly equal count as ties allow: equal probabilities stay together.
    EqualCount,
}

/// How many bins, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bins {
    /// Their number, at least 1.
    pub count: usize,
    /// How probabilities are put into them.
    pub binning: Binning,
}

impl Bins {
    /// So many bins of equal width over [0, 1].
    pub fn equal_width(count: usize) -> Self {
        Self { count, binning: Binning::EqualWidth }
    }
}

/// One bin of a reliability curve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ReliabilityBin {
    /// Lower edge: of the bin, or the smallest probability in it when binned by count.
    pub from: f64,
    /// Upper edge: of the bin, or the largest probability in it when binned by count.
    pub to: f64,
    /// Mean predicted probability of its members.
    pub predicted: f64,
    /// Observed share of positives, with Wilson's interval; with clusters, at the effective size of Rao & Scott (1992).
    pub observed: Estimate,
}

/// The Brier score and its parts over bins (Stephenson, Coelho & Jolliffe 2008):
/// score = reliability − resolution + uncertainty + within-bin variance − 2 · within-bin covariance, exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
pub fn brier_parts(probabilities: &[f64], truth: &[bool], bins: Bins) -> Result<BrierParts, Undefined> {
    let assigned = assign("Brier decomposition", probabilities, truth, bins)?;
    let sums = bin_sums(&assigned, probabilities, truth, bins);
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
/// As [`brier_parts`], and where the clusters' length differs.
pub fn reliability<'c>(
    probabilities: &[f64],
    truth: &[bool],
    bins: Bins,
    inference: impl Into<Inference<'c>>,
) -> Result<Vec<ReliabilityBin>, Undefined> {
    let (statistic, inference) = ("reliability curve", inference.into());
    let assigned = assign(statistic, probabilities, truth, bins)?;
    inference.require_length(statistic, truth.len())?;
    let sums = bin_sums(&assigned, probabilities, truth, bins);
    let sizes = effective_sizes(&assigned, truth, &sums, &inference);
    let mut edges = vec![(f64::INFINITY, f64::NEG_INFINITY); bins.count];
    for (&bin, &p) in assigned.iter().zip(probabilities) {
        edges[bin] = (edges[bin].0.min(p), edges[bin].1.max(p));
    }
    let held = sums.iter().enumerate().filter(|(_, sum)| sum.count > 0);
    Ok(held
        .map(|(bin, sum)| {
            let (from, to) = match bins.binning {
                Binning::EqualWidth => (bin as f64 / bins.count as f64, (bin + 1) as f64 / bins.count as f64),
                Binning::EqualCount => edges[bin],
            };
            ReliabilityBin {
                from,
                to,
                predicted: sum.predicted(),
                observed: share(sum, sizes.as_deref(), bin, &inference),
            }
        })
        .collect())
}

/// The observed share of a bin with Wilson's interval at its effective size.
fn share(sum: &BinSum, sizes: Option<&[f64]>, bin: usize, inference: &Inference<'_>) -> Estimate {
    let (value, n) = (sum.observed(), sum.count as usize);
    let Some(sizes) = sizes else {
        let limits = Interval::Wilson.bounds(sum.positives, sum.count, inference.level);
        return Estimate::new(value, limits, Interval::Wilson.name(), n);
    };
    let (low, high) = wilson(value, sizes[bin], inference.level);
    let limits = (low.clamp(0.0, value), high.clamp(value, 1.0));
    Estimate::new(value, limits, "Wilson at the effective size (Rao & Scott 1992)", n)
}

/// The number of independent observations that each bin's share is worth: ȳ(1 − ȳ) over the clustered variance of ȳ, at most the
/// number of observations; the number of clusters where all are of one class. `None` without clusters.
fn effective_sizes(assigned: &[usize], truth: &[bool], sums: &[BinSum], inference: &Inference<'_>) -> Option<Vec<f64>> {
    let clusters = inference.clusters?;
    // By cluster and bin: the sum of y − ȳ, and whether the cluster has an observation there.
    let mut cells = vec![(0.0, false); clusters.count() * sums.len()];
    for ((&bin, &y), &cluster) in assigned.iter().zip(truth).zip(clusters.of()) {
        let cell = &mut cells[cluster * sums.len() + bin];
        cell.0 += f64::from(u8::from(y)) - sums[bin].observed();
        cell.1 = true;
    }
    let size = |(bin, sum): (usize, &BinSum)| {
        let held = || cells.iter().skip(bin).step_by(sums.len()).filter(|cell| cell.1);
        let (count, n, value) = (held().count() as f64, sum.count as f64, sum.observed());
        if count < 2.0 || value == 0.0 || value == 1.0 {
            return count;
        }
        let squares: f64 = held().map(|cell| cell.0 * cell.0).sum();
        let variance = count / (count - 1.0) * squares / (n * n);
        (value * (1.0 - value) / variance).min(n)
    };
    Some(sums.iter().enumerate().map(size).collect())
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

fn bin_sums(assigned: &[usize], probabilities: &[f64], truth: &[bool], bins: Bins) -> Vec<BinSum> {
    let mut sums = vec![BinSum::default(); bins.count];
    for ((&bin, &probability), &positive) in assigned.iter().zip(probabilities).zip(truth) {
        sums[bin].count += 1;
        sums[bin].probability += probability;
        sums[bin].positives += u64::from(positive);
    }
    sums
}

/// The bin of each probability.
pub(super) fn assign(
    statistic: &'static str,
    probabilities: &[f64],
    truth: &[bool],
    bins: Bins,
) -> Result<Vec<usize>, Undefined> {
    let Bins { count: bins, binning } = bins;
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
