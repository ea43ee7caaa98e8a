//! Scores with their truth, checked once, and the groups of equal scores that every ROC statistic is computed from.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;

use crate::estimate::{Estimate, Level, Reason, Undefined, check_finite, check_lengths};

/// A sample of scored observations: a higher score speaks for the positive class.
///
/// Holds only finite scores, one truth for each. It borrows both and is cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    scores: &'a [f64],
    truth: &'a [bool],
    cases: usize,
}

impl<'a> Scored<'a> {
    /// Checks scores and truth (`true` = positive case).
    ///
    /// # Errors
    /// When the lengths differ or a score is NaN or infinite; the error names the first such index. A sample without cases or
    /// without controls is accepted here, and refused by the statistics that it does not define.
    pub fn new(scores: &'a [f64], truth: &'a [bool]) -> Result<Self, Undefined> {
        check_lengths("scored sample", scores.len(), truth.len())?;
        check_finite("scored sample", scores)?;
        let cases = truth.iter().filter(|&&positive| positive).count();
        Ok(Self { scores, truth, cases })
    }

    /// The scores, in the order given.
    pub fn scores(&self) -> &'a [f64] {
        self.scores
    }

    /// The truth, in the order given.
    pub fn truth(&self) -> &'a [bool] {
        self.truth
    }

    /// Number of observations.
    pub fn n(&self) -> usize {
        self.scores.len()
    }

    /// Number of positive cases.
    pub fn cases(&self) -> usize {
        self.cases
    }

    /// Number of negative cases.
    pub fn controls(&self) -> usize {
        self.scores.len() - self.cases
    }

    /// Fails unless there are at least `needed` cases and as many controls.
    pub(crate) fn require(&self, statistic: &'static str, needed: usize) -> Result<(), Undefined> {
        if self.cases == 0 {
            return Err(Undefined::new(statistic, Reason::NoCases));
        }
        if self.controls() == 0 {
            return Err(Undefined::new(statistic, Reason::NoControls));
        }
        let fewest = self.cases.min(self.controls());
        if fewest < needed {
            return Err(Undefined::new(statistic, Reason::TooFew { n: fewest, needed }));
        }
        Ok(())
    }

    /// Fails unless both samples hold the same observations' truth in the same order.
    pub(crate) fn require_same_truth(&self, other: &Self, statistic: &'static str) -> Result<(), Undefined> {
        check_lengths(statistic, self.n(), other.n())?;
        match self.truth.iter().zip(other.truth).position(|(a, b)| a != b) {
            None => Ok(()),
            Some(index) => Err(Undefined::new(
                statistic,
                Reason::ObservationOutOfRange {
                    index,
                    value: f64::from(u8::from(other.truth[index])),
                    expected: "the same truth in both samples",
                },
            )),
        }
    }
}

/// Observations grouped by equal score, ascending. Linear memory; O(n log n) to build.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    /// The distinct scores, ascending.
    pub values: Vec<f64>,
    /// Each observation's group.
    pub of: Vec<usize>,
    /// Cases in each group.
    pub cases: Vec<u64>,
    /// Controls in each group.
    pub controls: Vec<u64>,
}

impl Groups {
    pub fn new(sample: Scored<'_>) -> Self {
        let scores = sample.scores();
        // Scores beside their places: a sort that follows no pointer.
        let mut order: Vec<(f64, usize)> = scores.iter().copied().zip(0..).collect();
        // Scores are finite, so that they are totally ordered, and −0 equals 0 here.
        order.sort_unstable_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
        let mut groups =
            Self { values: Vec::new(), of: vec![0; scores.len()], cases: Vec::new(), controls: Vec::new() };
        for (score, index) in order {
            if groups.values.last() != Some(&score) {
                groups.values.push(score);
                groups.cases.push(0);
                groups.controls.push(0);
            }
            let group = groups.values.len() - 1;
            groups.of[index] = group;
            if sample.truth()[index] {
                groups.cases[group] += 1;
            } else {
                groups.controls[group] += 1;
            }
        }
        groups
    }
}

/// The area under the empirical ROC curve from the counts in groups of ascending score: an exact ratio of whole numbers.
///
/// `None` without a case or without a control.
pub(crate) fn area(cases: &[u64], controls: &[u64]) -> Option<f64> {
    let mut below = 0u64;
    let mut total_cases = 0u64;
    let mut twice_wins = 0u128;
    for (&case, &control) in cases.iter().zip(controls) {
        twice_wins += u128::from(case) * u128::from(2 * below + control);
        below += control;
        total_cases += case;
    }
    let pairs = u128::from(total_cases) * u128::from(below);
    (pairs > 0).then(|| twice_wins as f64 / (2 * pairs) as f64)
}

/// Which observations belong together, for example the films of one patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    of: Vec<usize>,
    count: usize,
}

impl Clusters {
    /// Numbers the clusters by first appearance; `ids[i]` names observation i's cluster.
    pub fn new<T: Eq + Hash>(ids: &[T]) -> Self {
        let mut numbers = HashMap::new();
        let of = ids
            .iter()
            .map(|id| {
                let next = numbers.len();
                *numbers.entry(id).or_insert(next)
            })
            .collect();
        Self { of, count: numbers.len() }
    }

    /// Each observation's cluster, from 0.
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    /// Number of clusters.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn require_length(&self, statistic: &'static str, n: usize) -> Result<(), Undefined> {
        check_lengths(statistic, n, self.of.len())
    }
}

/// What an interval allows for: its level, and which observations belong together.
///
/// A bare [`Level`] stands for independent observations.
#[derive(Debug, Clone, Copy)]
pub struct Inference<'a> {
    /// The confidence level.
    pub level: Level,
    /// Observations of one cluster, as the films of one patient, are not taken as independent; `None` takes all as independent.
    pub clusters: Option<&'a Clusters>,
}

impl From<Level> for Inference<'_> {
    fn from(level: Level) -> Self {
        Self { level, clusters: None }
    }
}

impl Inference<'_> {
    /// The variance of a sum of contributions that are centered on zero: I/(I − 1) Σ(sum within cluster)², for I clusters
    /// (Liang & Zeger 1986; single observations are clusters of one). `None` with fewer than two clusters.
    pub(crate) fn variance_of_sum(&self, contributions: &[f64]) -> Option<f64> {
        let (squares, count) = match self.clusters {
            None => (contributions.iter().map(|v| v * v).sum::<f64>(), contributions.len()),
            Some(clusters) => {
                let mut sums = vec![0.0; clusters.count()];
                for (value, &cluster) in contributions.iter().zip(clusters.of()) {
                    sums[cluster] += value;
                }
                (sums.iter().map(|v| v * v).sum(), clusters.count())
            }
        };
        (count > 1).then(|| squares * count as f64 / (count as f64 - 1.0))
    }

    pub(crate) fn require_length(&self, statistic: &'static str, n: usize) -> Result<(), Undefined> {
        self.clusters.map_or(Ok(()), |clusters| clusters.require_length(statistic, n))
    }

    /// Wald's interval of a value with its variance, kept within `range` and named `method`.
    pub(crate) fn wald(
        &self,
        (value, variance): (f64, Option<f64>),
        (least, greatest): (f64, f64),
        method: &'static str,
        n: usize,
    ) -> Estimate {
        let Some(variance) = variance else {
            return Estimate::without_limits(value, ONE_CLUSTER, n);
        };
        let half = self.level.z() * variance.sqrt();
        let limits = ((value - half).max(least).min(value), (value + half).min(greatest).max(value));
        Estimate::new(value, limits, method, n)
    }
}

pub(crate) const ONE_CLUSTER: &str = "fewer than two independent observations";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_join_ties_and_signed_zeros() {
        let (scores, truth) = ([0.5, -0.0, 0.0, 0.5, 2.0], [true, false, true, false, true]);
        let groups = Groups::new(Scored::new(&scores, &truth).unwrap());
        assert_eq!(groups.values, [0.0, 0.5, 2.0]);
        assert_eq!(groups.of, [1, 0, 0, 1, 2]);
        assert_eq!(groups.cases, [1, 1, 1]);
        assert_eq!(groups.controls, [1, 1, 0]);
        assert_eq!(area(&groups.cases, &groups.controls), Some(4.0 / 6.0));
    }

    #[test]
    fn a_bad_score_is_named() {
        let error = Scored::new(&[0.1, f64::INFINITY], &[true, false]).unwrap_err();
        assert_eq!(error.reason, Reason::NotFinite { index: 1, value: f64::INFINITY });
        assert!(Scored::new(&[0.1], &[]).is_err());
    }

    #[test]
    fn clusters_are_numbered_by_appearance() {
        let clusters = Clusters::new(&["b", "a", "b", "c"]);
        assert_eq!(clusters.of(), [0, 1, 0, 2]);
        assert_eq!(clusters.count(), 3);
    }
}
