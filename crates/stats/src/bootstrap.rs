//! The bootstrap: percentile intervals from resampled observations, strata or clusters, reproducible bit for bit.
//!
//! ```
//! use coxa_stats::{Bootstrap, Clusters, Confusion, Metric, Resampling, bootstrap};
//!
//! // Eight patients with two films each.
//! let patients = Clusters::new(&[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]);
//! let truth = [true, true, true, true, true, true, true, true, false, false, false, false, false, false, false, false];
//! let called = [true, true, true, false, false, false, true, true, false, false, true, false, false, false, false, false];
//!
//! let how = Bootstrap::new(Resampling::Clustered(&patients));
//! let measures = bootstrap::metrics(&called, &truth, &[Metric::Accuracy, Metric::F1], &how);
//! let accuracy = measures[0].clone()?;
//! assert_eq!(accuracy.value, 0.75);
//! assert!(accuracy.low() < Some(0.75) && accuracy.high() > Some(0.75));
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::confusion::{Confusion, Metric};
use crate::estimate::{Estimate, Level, NoLimits, Reason, Undefined, check_lengths};
use crate::scored::Clusters;

/// A bootstrap's size and seed. Replicate r draws from stream r of ChaCha8 seeded with `seed`, so that its result depends on
/// nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// How a bootstrap interval is made.
#[derive(Clone, Copy)]
pub struct Bootstrap<'a> {
    /// What is drawn.
    pub resampling: Resampling<'a>,
    /// The interval's confidence level.
    pub level: Level,
    /// Size and seed.
    pub plan: Plan,
    progress: Option<&'a dyn Fn(usize)>,
}

impl fmt::Debug for Bootstrap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resampling, level, plan, .. } = self;
        write!(f, "Bootstrap {{ resampling: {resampling:?}, level: {level:?}, plan: {plan:?} }}")
    }
}

impl<'a> Bootstrap<'a> {
    /// A 95 % interval from the default [`Plan`].
    pub fn new(resampling: Resampling<'a>) -> Self {
        Self { resampling, level: Level::default(), plan: Plan::default(), progress: None }
    }

    /// The same at another confidence level.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The same with another size and seed.
    #[must_use]
    pub fn plan(self, plan: Plan) -> Self {
        Self { plan, ..self }
    }

    /// The same, with a function that gets the number of replicates done after each of them.
    #[must_use]
    pub fn progress(self, progress: &'a dyn Fn(usize)) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Draws the replicates one after the other; `each` gets how often each unit was drawn.
    fn draw(&self, strata: &Strata, mut each: impl FnMut(&[u32])) {
        let base = ChaCha8Rng::seed_from_u64(self.plan.seed);
        let mut counts = vec![0u32; strata.units];
        for replicate in 0..self.plan.replicates {
            let mut rng = base.clone();
            rng.set_stream(replicate as u64);
            strata.draw(&mut rng, &mut counts);
            each(&counts);
            if let Some(progress) = self.progress {
                progress(replicate + 1);
            }
        }
    }

    fn require_enough(&self, statistic: &'static str, n: usize) -> Result<(), Undefined> {
        if self.plan.replicates < 2 || n == 0 {
            return Err(Undefined::new(statistic, Reason::TooFew { n: self.plan.replicates.min(n), needed: 2 }));
        }
        Ok(())
    }

    /// The percentile interval of the replicates that define the statistic.
    fn percentile(&self, value: f64, mut replicates: Vec<f64>, n: usize) -> Estimate {
        if (replicates.len() as f64) < LEAST_DEFINED * self.plan.replicates as f64 {
            let undefined = self.plan.replicates - replicates.len();
            return Estimate {
                value,
                limits: Err(NoLimits::Bootstrap { undefined, replicates: self.plan.replicates }),
                n,
            };
        }
        replicates.sort_unstable_by(f64::total_cmp);
        let tail = self.level.tail();
        let (low, high) = (quantile(&replicates, tail), quantile(&replicates, 1.0 - tail));
        if high - low <= ROUNDING * low.abs().max(high.abs()) {
            return Estimate::without_limits(value, "the bootstrap's limits coincide", n);
        }
        let method = match self.resampling {
            Resampling::Simple => "bootstrap, percentile",
            Resampling::Stratified => "stratified bootstrap, percentile",
            Resampling::Clustered(_) => "clustered bootstrap, percentile",
        };
        Estimate::new(value, (low.min(value), high.max(value)), method, n)
    }
}

/// The share of replicates that must define the statistic; below it the interval is undefined.
pub(crate) const LEAST_DEFINED: f64 = 0.9;

/// Limits that differ by no more than this share of themselves differ by the order of a sum alone.
const ROUNDING: f64 = 1e-12;

/// A percentile interval (Efron 1979; quantiles of R's type 7, as pROC) around the sample's own value of a statistic.
///
/// `statistic` is its name with its value; `statistic_of` gets how often each observation was drawn and returns the replicate's
/// value, or `None` where it is undefined. Such replicates are left out, as pROC does. Limits are widened to the value in the rare
/// case that it lies outside. Memory is linear in the observations and the replicates.
///
/// # Errors
/// When there are fewer than two replicates or no observations, or when cluster and truth lengths differ. Where fewer than nine in
/// ten replicates define the statistic, or both limits come out the same, as with too few or too uniform observations, the value
/// has no limits: they would look like certainty.
pub fn percentile(
    (statistic, value): (&'static str, f64),
    truth: &[bool],
    how: &Bootstrap<'_>,
    mut statistic_of: impl FnMut(&[u32]) -> Option<f64>,
) -> Result<Estimate, Undefined> {
    how.require_enough(statistic, truth.len())?;
    let strata = Strata::new(truth, how.resampling, statistic)?;
    let mut counts = vec![0u32; truth.len()];
    let mut replicates = Vec::with_capacity(how.plan.replicates);
    how.draw(&strata, |unit_counts| {
        let counts = strata.of_observations(unit_counts, &mut counts);
        replicates.extend(statistic_of(counts).filter(|v| v.is_finite()));
    });
    Ok(how.percentile(value, replicates, truth.len()))
}

/// Metrics of the 2×2 table, all from one resampling, each with a bootstrap percentile interval; `called[i]` is the reading of
/// observation i. A replicate costs one pass over the units drawn (patients, where clustered), not over the observations.
///
/// # Errors
/// Each metric on its own: undefined when the sample's own value is, when lengths differ, and as [`percentile`].
pub fn metrics(
    called: &[bool],
    truth: &[bool],
    metrics: &[Metric],
    how: &Bootstrap<'_>,
) -> Vec<Result<Estimate, Undefined>> {
    let strata = check_lengths("bootstrap interval", called.len(), truth.len())
        .and_then(|()| how.require_enough("bootstrap interval", truth.len()))
        .and_then(|()| Strata::new(truth, how.resampling, "bootstrap interval"));
    let strata = match strata {
        Ok(strata) => strata,
        Err(undefined) => return metrics.iter().map(|_| Err(undefined.clone())).collect(),
    };
    let mut units = vec![Confusion::default(); strata.units];
    let mut sample = Confusion::default();
    for (i, (&called, &truth)) in called.iter().zip(truth).enumerate() {
        units[strata.unit(i)].add(called, truth);
        sample.add(called, truth);
    }
    let mut replicates: Vec<Vec<f64>> = metrics.iter().map(|_| Vec::with_capacity(how.plan.replicates)).collect();
    how.draw(&strata, |counts| {
        let mut table = Confusion::default();
        for (unit, &count) in units.iter().zip(counts) {
            table.add_times(unit, count);
        }
        for (drawn, &metric) in replicates.iter_mut().zip(metrics) {
            drawn.extend(table.value(metric).ok().filter(|v| v.is_finite()));
        }
    });
    let estimate =
        |(drawn, &metric): (Vec<f64>, &Metric)| Ok(how.percentile(sample.value(metric)?, drawn, truth.len()));
    replicates.into_iter().zip(metrics).map(estimate).collect()
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

/// Draws from each list of units as many as it holds, `plan.replicates` times; `each` gets how often each unit was drawn.
pub(crate) fn resample(lists: Vec<Vec<usize>>, units: usize, plan: Plan, each: impl FnMut(&[u32])) {
    Bootstrap::new(Resampling::Simple).plan(plan).draw(&Strata { lists, unit_of: None, units }, each);
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

    /// Counts how often each unit is drawn.
    fn draw(&self, rng: &mut ChaCha8Rng, counts: &mut [u32]) {
        counts.fill(0);
        for list in &self.lists {
            // A 64-bit range draws the same on every platform.
            let size = list.len() as u64;
            for _ in 0..list.len() {
                counts[list[rng.random_range(0..size) as usize]] += 1;
            }
        }
    }

    /// The unit of an observation.
    fn unit(&self, observation: usize) -> usize {
        self.unit_of.as_ref().map_or(observation, |units| units[observation])
    }

    /// The counts of observations from those of units; `space` holds one count an observation.
    fn of_observations<'c>(&self, unit_counts: &'c [u32], space: &'c mut [u32]) -> &'c [u32] {
        let Some(unit_of) = &self.unit_of else { return unit_counts };
        for (count, &unit) in space.iter_mut().zip(unit_of) {
            *count = unit_counts[unit];
        }
        space
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
        percentile(("test", 0.0), &truth, &Bootstrap::new(Resampling::Stratified).plan(plan), |counts| {
            let cases: u32 = counts.iter().step_by(4).sum();
            assert_eq!((cases, counts.iter().sum::<u32>()), (10, 40));
            Some(f64::from(counts[0]))
        })
        .unwrap();
        let ids: Vec<usize> = (0..40).map(|i| i / 4).collect();
        let clusters = Clusters::new(&ids);
        percentile(("test", 0.0), &truth, &Bootstrap::new(Resampling::Clustered(&clusters)).plan(plan), |counts| {
            assert!(counts.chunks(4).all(|c| c.iter().all(|&x| x == c[0])));
            assert_eq!(counts.iter().sum::<u32>(), 40);
            Some(f64::from(counts[0]))
        })
        .unwrap();
    }

    fn metric(called: &[bool], truth: &[bool], metric: Metric, how: Bootstrap<'_>) -> Estimate {
        metrics(called, truth, &[metric], &how).remove(0).unwrap()
    }

    #[test]
    fn the_seed_decides() {
        let truth: Vec<bool> = (0..60).map(|i| i % 3 == 0).collect();
        let called: Vec<bool> = (0..60).map(|i| i % 5 < 2).collect();
        let run = |seed| {
            let how = Bootstrap::new(Resampling::Simple).plan(Plan { replicates: 200, seed });
            metric(&called, &truth, Metric::F1, how)
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn metrics_of_one_resampling_are_those_of_each_alone() {
        let truth: Vec<bool> = (0..60).map(|i| i % 3 == 0).collect();
        let called: Vec<bool> = (0..60).map(|i| i % 5 < 2).collect();
        let clusters = Clusters::new(&(0..60).map(|i| i / 3).collect::<Vec<_>>());
        let how = Bootstrap::new(Resampling::Clustered(&clusters)).plan(Plan { replicates: 300, seed: 2 });
        let of_counts = |wanted: Metric| {
            let value = Confusion::from_calls(&called, &truth).unwrap().value(wanted).unwrap();
            percentile(("test", value), &truth, &how, |counts| {
                let mut table = Confusion::default();
                for i in 0..truth.len() {
                    (0..counts[i]).for_each(|_| table.add(called[i], truth[i]));
                }
                table.value(wanted).ok()
            })
        };
        let together = metrics(&called, &truth, &[Metric::Ppv, Metric::F1], &how);
        assert_eq!(together, [of_counts(Metric::Ppv), of_counts(Metric::F1)]);
        let short = metrics(&called[1..], &truth, &[Metric::Ppv], &how);
        assert!(matches!(short[0].as_ref().unwrap_err().reason, Reason::LengthMismatch { .. }));
    }

    #[test]
    fn replicates_without_spread_are_no_interval() {
        let (truth, right) = ([true, true, false, false], [true, true, false, false]);
        for resampling in [Resampling::Stratified, Resampling::Clustered(&Clusters::new(&[1, 2, 3, 4]))] {
            let estimate = metric(&right, &truth, Metric::F1, Bootstrap::new(resampling));
            assert!(estimate.value == 1.0 && estimate.limits.is_err(), "{estimate:?}");
        }
        // One patient with everything: 3 of 4 right, in every replicate.
        let (one, called) = (Clusters::new(&[1; 4]), [true, true, false, true]);
        let estimate = metric(&called, &truth, Metric::Accuracy, Bootstrap::new(Resampling::Clustered(&one)));
        assert!(estimate.value == 0.75 && estimate.limits.is_err());
    }

    #[test]
    fn undefined_replicates_are_counted() {
        let truth = [true, false, false, false];
        let done = std::cell::Cell::new(0);
        let count = |replicates| done.set(replicates);
        let how = Bootstrap::new(Resampling::Simple).progress(&count);
        let estimate = percentile(("test", 0.5), &truth, &how, |counts| (counts[0] > 0).then_some(1.0)).unwrap();
        assert!(matches!(estimate.limits, Err(NoLimits::Bootstrap { replicates: 2000, .. })));
        assert_eq!(done.get(), 2000);
    }
}
