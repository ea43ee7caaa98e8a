//! The bootstrap: percentile intervals from resampled observations, strata or clusters, reproducible bit for bit.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::confusion::{Confusion, Metric};
use crate::estimate::{Estimate, Level, Reason, Undefined, check_lengths};
use crate::scored::Clusters;

/// A bootstrap's size and seed. Replicate r draws from stream r of ChaCha8 seeded with `seed`, so that its result depends on
/// nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Number of replicates.
    pub replicates: usize,
    /// Seed of the generator.
    pub seed: u64,
}

impl Default for Plan {
    /// 2,000 replicates, as pROC, and seed 0.
    fn default() -> Self {
        Self { replicates: 2000, seed: 0 }
    }
}

/// What is drawn with replacement.
#[derive(Debug, Clone, Copy)]
pub enum Resampling<'a> {
    /// Single observations from the whole sample; the prevalence varies.
    Simple,
    /// Cases from the cases and controls from the controls; the prevalence stays.
    Stratified,
    /// Whole clusters, such as patients with all their films.
    Clustered(&'a Clusters),
}

/// The share of replicates that must define the statistic; below it the interval is [`Undefined`].
const LEAST_DEFINED: f64 = 0.9;

/// Limits that differ by no more than this share of themselves differ by the order of a sum alone.
const ROUNDING: f64 = 1e-12;

/// A percentile interval (Efron 1979; quantiles of R's type 7, as pROC) around the sample's own `value`.
///
/// `statistic_of` gets how often each observation was drawn and returns the replicate's statistic, or `None` where it is
/// undefined. Such replicates are left out, as pROC does. Limits are widened to the value in the rare case that it lies outside.
/// Memory is linear in the observations and the replicates.
///
/// # Errors
/// When there are no replicates or observations, when cluster and truth lengths differ, or when fewer than nine in ten
/// replicates define the statistic. Where both limits come out the same, as with too few or too uniform observations, the value
/// exists, but not the interval, which would look like certainty: [`Undefined::value`] gives it.
pub fn percentile(
    statistic: &'static str,
    value: f64,
    truth: &[bool],
    resampling: Resampling<'_>,
    level: Level,
    plan: Plan,
    mut statistic_of: impl FnMut(&[u32]) -> Option<f64>,
) -> Result<Estimate, Undefined> {
    if plan.replicates < 2 || truth.is_empty() {
        return Err(Undefined::new(statistic, Reason::TooFew { n: plan.replicates.min(truth.len()), needed: 2 }));
    }
    let strata = Strata::new(truth, resampling, statistic)?;
    let base = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut counts = vec![0u32; truth.len()];
    let mut unit_counts = vec![0u32; strata.units];
    let mut replicates = Vec::with_capacity(plan.replicates);
    for replicate in 0..plan.replicates {
        let mut rng = base.clone();
        rng.set_stream(replicate as u64);
        strata.draw(&mut rng, &mut unit_counts, &mut counts);
        if let Some(drawn) = statistic_of(&counts).filter(|v| v.is_finite()) {
            replicates.push(drawn);
        }
    }
    if (replicates.len() as f64) < LEAST_DEFINED * plan.replicates as f64 {
        return Err(Undefined::new(
            statistic,
            Reason::Bootstrap { value, undefined: plan.replicates - replicates.len(), replicates: plan.replicates },
        ));
    }
    replicates.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile(&replicates, level.tail()), quantile(&replicates, 1.0 - level.tail()));
    if high - low <= ROUNDING * low.abs().max(high.abs()) {
        return Err(Undefined::new(
            statistic,
            Reason::NoInterval { value, because: "the bootstrap's limits coincide" },
        ));
    }
    Ok(Estimate {
        value,
        low: low.min(value),
        high: high.max(value),
        method: match resampling {
            Resampling::Simple => "bootstrap, percentile",
            Resampling::Stratified => "stratified bootstrap, percentile",
            Resampling::Clustered(_) => "clustered bootstrap, percentile",
        },
        n: truth.len(),
    })
}

/// A metric of the 2×2 table with a bootstrap percentile interval; `called[i]` is the reading of observation i.
///
/// # Errors
/// Undefined when the sample's own value is, when lengths differ, and as [`percentile`].
pub fn metric(
    called: &[bool],
    truth: &[bool],
    metric: Metric,
    resampling: Resampling<'_>,
    level: Level,
    plan: Plan,
) -> Result<Estimate, Undefined> {
    let value = Confusion::from_calls(called, truth)?.value(metric)?;
    percentile("bootstrap interval", value, truth, resampling, level, plan, |counts| {
        let mut table = Confusion::default();
        for ((&called, &truth), &count) in called.iter().zip(truth).zip(counts) {
            *match (called, truth) {
                (true, true) => &mut table.tp,
                (true, false) => &mut table.fp,
                (false, true) => &mut table.fn_,
                (false, false) => &mut table.tn,
            } += u64::from(count);
        }
        table.value(metric).ok()
    })
}

/// The quantile of R's type 7 of ascending values: linear between order statistics at (N − 1)p.
///
/// `sorted` is not empty and `p` is from 0 to 1.
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = (sorted.len() - 1) as f64 * p;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// The units to draw, by stratum.
struct Strata {
    /// Lists of units from which as many are drawn as they hold.
    lists: Vec<Vec<usize>>,
    /// The unit of each observation; `None` where each observation is its own.
    unit_of: Option<Vec<usize>>,
    units: usize,
}

impl Strata {
    fn new(truth: &[bool], resampling: Resampling<'_>, statistic: &'static str) -> Result<Self, Undefined> {
        let n = truth.len();
        Ok(match resampling {
            Resampling::Simple => Self { lists: vec![(0..n).collect()], unit_of: None, units: n },
            Resampling::Stratified => {
                let (cases, controls) = (0..n).partition(|&i| truth[i]);
                Self { lists: vec![controls, cases], unit_of: None, units: n }
            }
            Resampling::Clustered(clusters) => {
                check_lengths(statistic, n, clusters.of().len())?;
                Self {
                    lists: vec![(0..clusters.count()).collect()],
                    unit_of: Some(clusters.of().to_vec()),
                    units: clusters.count(),
                }
            }
        })
    }

    fn draw(&self, rng: &mut ChaCha8Rng, unit_counts: &mut [u32], counts: &mut [u32]) {
        let drawn: &mut [u32] = if self.unit_of.is_some() { &mut *unit_counts } else { &mut *counts };
        drawn.fill(0);
        for list in &self.lists {
            // A 64-bit range draws the same on every platform.
            let size = list.len() as u64;
            for _ in 0..list.len() {
                drawn[list[rng.random_range(0..size) as usize]] += 1;
            }
        }
        if let Some(unit_of) = &self.unit_of {
            for (count, &unit) in counts.iter_mut().zip(unit_of) {
                *count = unit_counts[unit];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_rs_type_7() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 0.5), 3.0);
        assert!((quantile(&values, 0.9) - 6.8).abs() < 1e-12);
        assert_eq!(quantile(&values, 1.0), 8.0);
    }

    #[test]
    fn strata_keep_their_sizes_and_clusters_stay_whole() {
        let truth: Vec<bool> = (0..40).map(|i| i % 4 == 0).collect();
        let plan = Plan { replicates: 50, seed: 3 };
        percentile("test", 0.0, &truth, Resampling::Stratified, Level::P95, plan, |counts| {
            let cases: u32 = counts.iter().step_by(4).sum();
            assert_eq!((cases, counts.iter().sum::<u32>()), (10, 40));
            Some(f64::from(counts[0]))
        })
        .unwrap();
        let ids: Vec<usize> = (0..40).map(|i| i / 4).collect();
        let clusters = Clusters::new(&ids);
        percentile("test", 0.0, &truth, Resampling::Clustered(&clusters), Level::P95, plan, |counts| {
            assert!(counts.chunks(4).all(|c| c.iter().all(|&x| x == c[0])));
            assert_eq!(counts.iter().sum::<u32>(), 40);
            Some(f64::from(counts[0]))
        })
        .unwrap();
    }

    #[test]
    fn the_seed_decides() {
        let truth: Vec<bool> = (0..60).map(|i| i % 3 == 0).collect();
        let called: Vec<bool> = (0..60).map(|i| i % 5 < 2).collect();
        let run = |seed| {
            let plan = Plan { replicates: 200, seed };
            metric(&called, &truth, Metric::F1, Resampling::Simple, Level::P95, plan).unwrap()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn replicates_without_spread_are_no_interval() {
        let (truth, right) = ([true, true, false, false], [true, true, false, false]);
        for resampling in [Resampling::Stratified, Resampling::Clustered(&Clusters::new(&[1, 2, 3, 4]))] {
            let error = metric(&right, &truth, Metric::F1, resampling, Level::P95, Plan::default()).unwrap_err();
            assert!(matches!(error.reason, Reason::NoInterval { value: 1.0, .. }), "{error}");
        }
        // One patient with everything: 3 of 4 right, in every replicate.
        let (one, called) = (Clusters::new(&[1; 4]), [true, true, false, true]);
        let resampling = Resampling::Clustered(&one);
        let error = metric(&called, &truth, Metric::Accuracy, resampling, Level::P95, Plan::default()).unwrap_err();
        assert_eq!(error.value(), Some(0.75));
    }

    #[test]
    fn undefined_replicates_are_counted() {
        let truth = [true, false, false, false];
        let error = percentile("test", 0.0, &truth, Resampling::Simple, Level::P95, Plan::default(), |counts| {
            (counts[0] > 0).then_some(1.0)
        })
        .unwrap_err();
        assert!(matches!(error.reason, Reason::Bootstrap { replicates: 2000, .. }));
    }
}
