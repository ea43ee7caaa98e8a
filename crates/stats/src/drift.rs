//! Whether scores have drifted: the population stability index and Kolmogorov and Smirnov's test of two samples.
//!
//! Both compare a reference, such as the scores of a network's validation films, with scores of another time or place. They need no truth:
//! a difference says that the films differ, or the way from film to score, and nothing about how often the network is right.
//!
//! ```
//! use coxa_stats::{Level, drift};
//!
//! let reference: Vec<f64> = (0..200).map(|i| f64::from(i) / 200.0).collect();
//! let current: Vec<f64> = (0..100).map(|i| 0.2 + f64::from(i) / 100.0).collect();
//! let edges = drift::quantile_edges(&reference, 10);
//! let (expected, actual) = (drift::counts(&reference, &edges), drift::counts(&current, &edges));
//! let stability = drift::stability_index(&expected, &actual, Level::P95)?;
//! assert!(stability.index.value > 0.25 && stability.test.p < 0.001);
//! let distance = drift::kolmogorov_smirnov(&reference, &current, Level::P95)?;
//! assert!(distance.distance.value >= 0.2 && distance.test.p < 0.05);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::distribution::chi_square_sf;
use crate::estimate::{Estimate, Level, Reason, Test, Undefined, check_finite, check_lengths};

/// Fewer observations than this, for each bin, leave the index undefined: its distribution is that of large counts.
pub const LEAST_PER_BIN: usize = 5;
/// With fewer pairs than this the test is exact, as in R's `ks.test`.
const EXACT_PAIRS: usize = 10_000;

const INDEX: &str = "population stability index";
const DISTANCE: &str = "Kolmogorov-Smirnov distance";

/// The population stability index with its test.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stability {
    /// The index with its delta-method interval, cut at 0; `n` is the number of current observations.
    pub index: Estimate,
    /// The chi-square test that both samples are of one distribution.
    pub test: Test,
    /// What the index is on average where nothing has changed: (bins − 1)(1/n + 1/m).
    pub by_chance: f64,
}

/// The greatest distance between two empirical distribution functions, with its test.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Distance {
    /// The distance D, with the large-sample interval at the place where it is reached (Raghavachari 1973), cut to [0, 1].
    pub distance: Estimate,
    /// The test that both samples are of one distribution.
    pub test: Test,
    /// The least score at which the distance is reached.
    pub at: f64,
}

/// Inner edges of bins that hold equal shares of a reference: its distinct quantiles of R's type 7, ascending.
///
/// A reference with ties gives fewer bins; an empty one gives none.
pub fn quantile_edges(reference: &[f64], bins: usize) -> Vec<f64> {
    let sorted = ascending(reference);
    if sorted.is_empty() {
        return Vec::new();
    }
    let mut edges: Vec<f64> =
        (1..bins).map(|bin| crate::bootstrap::quantile(&sorted, bin as f64 / bins as f64)).collect();
    edges.dedup();
    edges
}

/// How many values lie in each bin between ascending inner edges; a value at an edge belongs to the bin above it.
pub fn counts(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; edges.len() + 1];
    for value in values {
        counts[edges.partition_point(|edge| edge <= value)] += 1;
    }
    counts
}

/// The population stability index Σ (aᵢ − eᵢ) ln(aᵢ/eᵢ) of the bins' shares, e of the reference and a of the current sample (Siddiqi,
/// Credit Risk Scorecards, 2006): Jeffreys' divergence of the two.
///
/// Half an observation is added to each bin of both samples, so that an empty bin has a share. The interval is the multinomial delta
/// method's. Where nothing has changed, the index over (1/n + 1/m) is a chi-square of one degree less than there are bins (Yurdakul &
/// Naranjo, Journal of Risk Model Validation 2020), which is the test; the interval then lies too high, as the index is never negative.
///
/// # Errors
/// Undefined where the lists differ in length, there are fewer than two bins, or a sample has fewer than [`LEAST_PER_BIN`] observations
/// for each bin.
pub fn stability_index(expected: &[u64], actual: &[u64], level: Level) -> Result<Stability, Undefined> {
    check_lengths(INDEX, expected.len(), actual.len())?;
    let bins = expected.len();
    if bins < 2 {
        return Err(Undefined::new(INDEX, Reason::TooFew { n: bins, needed: 2 }));
    }
    let (n, m) = (expected.iter().sum::<u64>(), actual.iter().sum::<u64>());
    let (fewest, needed) = (n.min(m) as usize, LEAST_PER_BIN * bins);
    if fewest < needed {
        return Err(Undefined::new(INDEX, Reason::TooFew { n: fewest, needed }));
    }
    let share = |count: u64, total: u64| (count as f64 + 0.5) / (total as f64 + bins as f64 / 2.0);
    let shares: Vec<(f64, f64)> = expected.iter().zip(actual).map(|(&e, &a)| (share(e, n), share(a, m))).collect();
    let value: f64 = shares.iter().map(|(e, a)| (a - e) * (a / e).ln()).sum();
    let (n, m) = (n as f64, m as f64);
    // d/da = ln(a/e) + 1 − e/a, d/de = ln(e/a) + 1 − a/e.
    let gradient = |own: f64, other: f64| (own / other).ln() + 1.0 - other / own;
    let variance = multinomial_variance(shares.iter().map(|&(e, a)| (e, gradient(e, a)))) / n
        + multinomial_variance(shares.iter().map(|&(e, a)| (a, gradient(a, e)))) / m;
    let half = level.z() * variance.max(0.0).sqrt();
    let limits = ((value - half).max(0.0), value + half);
    let pairs = 1.0 / n + 1.0 / m;
    Ok(Stability {
        index: Estimate::new(value, limits, "delta method", m as usize),
        test: Test {
            statistic: value / pairs,
            df: Some((bins - 1) as f64),
            p: chi_square_sf(value / pairs, (bins - 1) as u32),
            method: "chi-square of the stability index (Yurdakul & Naranjo 2020)",
        },
        by_chance: (bins - 1) as f64 * pairs,
    })
}

/// The variance of Σ gᵢ over one multinomial draw of shares pᵢ: Σ pᵢgᵢ² − (Σ pᵢgᵢ)².
fn multinomial_variance(parts: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (first, second) = parts.fold((0.0, 0.0), |(first, second), (p, g)| (first + p * g, second + p * g * g));
    second - first * first
}

/// Kolmogorov and Smirnov's test that two samples are of one distribution, as R's `ks.test(x, y)`: exact, ties allowed for, where there
/// are fewer than 10,000 pairs (Schröer & Trenkler 1995), else by the limit of √(nm/(n+m))·D (Smirnov 1948).
///
/// The interval of the distance is that of the difference of two proportions at the place where it is reached; it holds for distributions
/// that differ, and where they do not it lies too high.
///
/// # Errors
/// Undefined where a sample is empty or a score is not finite. Where the samples do not overlap, the distance has no limits.
pub fn kolmogorov_smirnov(reference: &[f64], current: &[f64], level: Level) -> Result<Distance, Undefined> {
    check_finite(DISTANCE, reference)?;
    check_finite(DISTANCE, current)?;
    let (n, m) = (reference.len(), current.len());
    if n == 0 || m == 0 {
        return Err(Undefined::new(DISTANCE, Reason::ZeroDenominator("no observation")));
    }
    let walk = Walk::of(&ascending(reference), &ascending(current));
    let value = walk.greatest as f64 / (n as f64 * m as f64);
    let (f, g) = (walk.below.0 as f64 / n as f64, walk.below.1 as f64 / m as f64);
    let half = level.z() * (f * (1.0 - f) / n as f64 + g * (1.0 - g) / m as f64).sqrt();
    let distance = if half == 0.0 {
        Estimate::without_limits(value, "the samples do not overlap, or do not differ", m)
    } else {
        Estimate::new(value, ((value - half).max(0.0), (value + half).min(1.0)), "large samples (Raghavachari 1973)", m)
    };
    let test = if n * m < EXACT_PAIRS {
        let p = exact(&walk, n, m);
        Test { statistic: value, df: None, p, method: "Kolmogorov-Smirnov of two samples, exact" }
    } else {
        let root = (n as f64 * m as f64 / (n + m) as f64).sqrt();
        Test { statistic: value, df: None, p: limit(root * value), method: "Kolmogorov-Smirnov of two samples" }
    };
    Ok(Distance { distance, test, at: walk.at })
}

/// Both samples in one order.
struct Walk {
    /// max |i·m − j·n| over the places between different scores: n·m times the distance, a whole number.
    greatest: u64,
    /// How many of each sample lie at or below the least score where it is reached.
    below: (usize, usize),
    /// That score.
    at: f64,
    /// Whether the score after so many of the pool is another one.
    ends: Vec<bool>,
}

impl Walk {
    fn of(x: &[f64], y: &[f64]) -> Self {
        let (n, m) = (x.len(), y.len());
        let (mut i, mut j) = (0, 0);
        let mut walk = Self { greatest: 0, below: (0, 0), at: x[0].min(y[0]), ends: vec![false; n + m + 1] };
        while i < n || j < m {
            let score = x.get(i).copied().unwrap_or(f64::INFINITY).min(y.get(j).copied().unwrap_or(f64::INFINITY));
            while i < n && x[i] == score {
                i += 1;
            }
            while j < m && y[j] == score {
                j += 1;
            }
            walk.ends[i + j] = true;
            let distance = (i as u64 * m as u64).abs_diff(j as u64 * n as u64);
            if distance > walk.greatest {
                (walk.greatest, walk.below, walk.at) = (distance, (i, j), score);
            }
        }
        walk
    }
}

/// P(D ≥ d) over all orders of the pool: the share of lattice paths from (0, 0) to (n, m) that reach |i·m − j·n| ≥ the greatest one seen
/// at an end of a tie.
fn exact(walk: &Walk, n: usize, m: usize) -> f64 {
    let reaches = |i: usize, j: usize| {
        walk.greatest > 0 && walk.ends[i + j] && (i as u64 * m as u64).abs_diff(j as u64 * n as u64) >= walk.greatest
    };
    if walk.greatest == 0 {
        return 1.0;
    }
    let mut share = vec![0.0; m + 1];
    for j in 1..=m {
        share[j] = if reaches(0, j) { 1.0 } else { share[j - 1] };
    }
    for i in 1..=n {
        if reaches(i, 0) {
            share[0] = 1.0;
        }
        for j in 1..=m {
            share[j] = if reaches(i, j) {
                1.0
            } else {
                let all = (i + j) as f64;
                i as f64 / all * share[j] + j as f64 / all * share[j - 1]
            };
        }
    }
    share[m]
}

/// P(K > x) of Kolmogorov's distribution: 2 Σ (−1)^(k−1) exp(−2k²x²), and below 1 the series that converges there.
fn limit(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < 1.0 {
        let pi = std::f64::consts::PI;
        let sum: f64 = (0..40)
            .map(|k| {
                let odd = f64::from(2 * k + 1);
                (-(odd * pi / x).powi(2) / 8.0).exp()
            })
            .sum();
        return (1.0 - (2.0 * pi).sqrt() / x * sum).clamp(0.0, 1.0);
    }
    let term = |k: i32| (-2.0 * f64::from(k * k) * x * x).exp();
    let sum: f64 = (1..40).map(|k| if k % 2 == 1 { term(k) } else { -term(k) }).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

fn ascending(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_against_itself_has_not_drifted() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 100)).collect();
        let same = kolmogorov_smirnov(&values, &values, Level::P95).unwrap();
        assert_eq!((same.distance.value, same.test.p), (0.0, 1.0));
        let edges = quantile_edges(&values, 10);
        let bins = counts(&values, &edges);
        let index = stability_index(&bins, &bins, Level::P95).unwrap();
        assert_eq!((index.index.value, index.test.p), (0.0, 1.0));
        assert!((index.by_chance - 0.18).abs() < 1e-12);
    }

    #[test]
    fn too_few_are_undefined() {
        let error = stability_index(&[100, 100], &[3, 3], Level::P95).unwrap_err();
        assert_eq!(error.reason, Reason::TooFew { n: 6, needed: 10 });
        assert!(stability_index(&[100], &[100], Level::P95).is_err());
        assert!(stability_index(&[100, 1], &[100], Level::P95).is_err());
        assert!(kolmogorov_smirnov(&[], &[1.0], Level::P95).is_err());
        assert!(kolmogorov_smirnov(&[f64::NAN], &[1.0], Level::P95).is_err());
        assert!(quantile_edges(&[], 10).is_empty());
    }

    #[test]
    fn samples_that_do_not_overlap_have_no_interval() {
        let apart = kolmogorov_smirnov(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], Level::P95).unwrap();
        assert_eq!((apart.distance.value, apart.at), (1.0, 3.0));
        // Two of the twenty orders.
        assert!((apart.test.p - 0.1).abs() < 1e-15 && apart.distance.limits.is_err());
    }

    #[test]
    fn the_two_series_of_the_limit_meet() {
        let below = limit(1.0 - 1e-12);
        assert!((below - limit(1.0)).abs() < 1e-9 && (below - 0.269_999_671_677).abs() < 1e-9);
        assert_eq!((limit(0.0), limit(-1.0)), (1.0, 1.0));
        assert!(limit(20.0) == 0.0);
    }

    #[test]
    fn ties_make_fewer_bins() {
        let edges = quantile_edges(&[0.0, 0.0, 0.0, 0.0, 1.0, 2.0], 4);
        assert_eq!(edges, [0.0, 0.75]);
        assert_eq!(counts(&[-1.0, 0.0, 0.5, 0.75, 9.0], &edges), [1, 2, 2]);
    }
}
