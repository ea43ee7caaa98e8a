//! Times to an event, some of them censored: Kaplan and Meier's median and the log-rank test of two groups.
//!
//! ```
//! use coxa_stats::survival::{Times, log_rank, median};
//!
//! // Weeks of remission with and without maintenance (Miller 1981; R's `survival::aml`); `false` is censored.
//! let kept = Times::new(
//!     &[9.0, 13.0, 13.0, 18.0, 23.0, 28.0, 31.0, 34.0, 45.0, 48.0, 161.0],
//!     &[true, true, false, true, true, false, true, true, false, true, false],
//! )?;
//! let not_kept = Times::new(
//!     &[5.0, 5.0, 8.0, 8.0, 12.0, 16.0, 23.0, 27.0, 30.0, 33.0, 43.0, 45.0],
//!     &[true, true, true, true, true, false, true, true, true, true, true, true],
//! )?;
//! assert_eq!((median(&kept)?, median(&not_kept)?), (31.0, 23.0));
//! assert!((log_rank(&kept, &not_kept)?.statistic - 3.396).abs() < 1e-3);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::bootstrap::{Bootstrap, percentile};
use crate::distribution::chi_square_sf;
use crate::estimate::{Estimate, Level, Reason, Test, Undefined, check_finite, check_lengths};
use crate::{Plan, Resampling};

/// Times, each with whether the event came then (`true`) or had not come by then (censored).
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// Ascending; at equal times events come before what is censored.
    sorted: Vec<(f64, bool)>,
}

impl Times {
    /// Checks times.
    ///
    /// # Errors
    /// When lengths differ, or a time is not finite or below 0.
    pub fn new(times: &[f64], events: &[bool]) -> Result<Self, Undefined> {
        check_lengths("time to event", times.len(), events.len())?;
        check_finite("time to event", times)?;
        if let Some(index) = times.iter().position(|&time| time < 0.0) {
            let expected = "a time of at least 0";
            return Err(Undefined::new(
                "time to event",
                Reason::ObservationOutOfRange { index, value: times[index], expected },
            ));
        }
        let mut sorted: Vec<(f64, bool)> = times.iter().copied().zip(events.iter().copied()).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        Ok(Self { sorted })
    }

    /// How many times there are.
    pub fn n(&self) -> usize {
        self.sorted.len()
    }

    /// How many of them are events.
    pub fn events(&self) -> usize {
        self.sorted.iter().filter(|(_, event)| *event).count()
    }
}

/// The product-limit median (Kaplan & Meier 1958): the first time at which survival is at most ½; where it is just ½ on a whole
/// stretch, the middle of the stretch, as R's `survfit`.
///
/// # Errors
/// Undefined where survival stays above ½, or nothing was observed.
pub fn median(times: &Times) -> Result<f64, Undefined> {
    weighted_median(times.sorted.iter().map(|&(time, event)| (time, event, 1)))
}

/// How far from ½ survival may be and still count as ½.
const ROUNDING: f64 = 1e-9;

/// The median of times in ascending order, each so many times over.
fn weighted_median(times: impl Iterator<Item = (f64, bool, u32)> + Clone) -> Result<f64, Undefined> {
    let undefined = |reason| Err(Undefined::new("median time", reason));
    let mut at_risk: u64 = times.clone().map(|(_, _, weight)| u64::from(weight)).sum();
    if at_risk == 0 {
        return undefined(Reason::ZeroDenominator("no observation"));
    }
    let (mut survival, mut half_from) = (1.0, None);
    for (time, event, weight) in times.filter(|(_, _, weight)| *weight > 0) {
        let weight = u64::from(weight);
        if event {
            // Events at one time, one after the other, multiply to the same factor.
            survival *= (at_risk - weight) as f64 / at_risk as f64;
            match half_from {
                // Survival leaves ½ here.
                Some(from) if survival < 0.5 - ROUNDING => {
                    return Ok(if from == time { time } else { (from + time) / 2.0 });
                }
                None if survival < 0.5 - ROUNDING => return Ok(time),
                None if survival <= 0.5 + ROUNDING => half_from = Some(time),
                _ => {}
            }
        }
        at_risk -= weight;
    }
    match half_from {
        Some(from) => Ok(from),
        None => undefined(Reason::Other("fewer than half have the event")),
    }
}

/// Median of `a` less median of `b`, with a percentile interval of a bootstrap within each group.
///
/// # Errors
/// Undefined where either median is.
pub fn median_difference(a: &Times, b: &Times, level: Level, plan: Plan) -> Result<Estimate, Undefined> {
    let value = median(a)? - median(b)?;
    let group: Vec<bool> = std::iter::repeat_n(true, a.n()).chain(std::iter::repeat_n(false, b.n())).collect();
    let how = Bootstrap::new(Resampling::Stratified).level(level).plan(plan);
    percentile(("difference of medians", value), &group, &how, |counts| {
        let (of_a, of_b) = counts.split_at(a.n());
        Some(resampled(a, of_a)? - resampled(b, of_b)?)
    })
}

/// A median with a percentile interval of the bootstrap.
///
/// # Errors
/// Undefined as [`median`].
pub fn median_estimate(times: &Times, level: Level, plan: Plan) -> Result<Estimate, Undefined> {
    let how = Bootstrap::new(Resampling::Simple).level(level).plan(plan);
    percentile(("median time", median(times)?), &vec![true; times.n()], &how, |counts| resampled(times, counts))
}

fn resampled(times: &Times, counts: &[u32]) -> Option<f64> {
    weighted_median(times.sorted.iter().zip(counts).map(|(&(time, event), &count)| (time, event, count))).ok()
}

/// The log-rank test (Mantel 1966) that two groups have one survival: (O − E)²/V with the hypergeometric variance at each time of an
/// event, chi-square with one degree of freedom; as R's `survdiff`.
///
/// # Errors
/// Undefined where a group is empty or no event separates them.
pub fn log_rank(a: &Times, b: &Times) -> Result<Test, Undefined> {
    let statistic = "log-rank test";
    if a.n() == 0 || b.n() == 0 {
        return Err(Undefined::new(statistic, Reason::ZeroDenominator("a group has no observation")));
    }
    let mut times: Vec<f64> =
        a.sorted.iter().chain(&b.sorted).filter(|(_, event)| *event).map(|(time, _)| *time).collect();
    times.sort_unstable_by(f64::total_cmp);
    times.dedup();
    let (mut excess, mut variance) = (0.0, 0.0);
    for time in times {
        let at_risk = |group: &Times| group.sorted.iter().filter(|(t, _)| *t >= time).count() as f64;
        let events = |group: &Times| group.sorted.iter().filter(|(t, event)| *t == time && *event).count() as f64;
        let (n_a, n, d) = (at_risk(a), at_risk(a) + at_risk(b), events(a) + events(b));
        excess += events(a) - d * n_a / n;
        if n > 1.0 {
            variance += d * (n_a / n) * (1.0 - n_a / n) * (n - d) / (n - 1.0);
        }
    }
    if variance <= 0.0 {
        return Err(Undefined::new(statistic, Reason::ZeroVariance));
    }
    let chi_square = excess * excess / variance;
    Ok(Test { statistic: chi_square, df: Some(1.0), p: chi_square_sf(chi_square, 1), method: "log-rank test" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(times: &[f64]) -> Times {
        Times::new(times, &vec![true; times.len()]).unwrap()
    }

    #[test]
    fn without_censoring_the_median_is_the_samples() {
        assert_eq!(median(&whole(&[3.0, 1.0, 2.0])).unwrap(), 2.0);
        assert_eq!(median(&whole(&[4.0, 1.0, 2.0, 3.0])).unwrap(), 2.5);
        assert_eq!(median(&whole(&[1.0, 1.0, 1.0, 9.0])).unwrap(), 1.0);
    }

    #[test]
    fn a_median_that_is_not_reached_is_undefined() {
        let censored = Times::new(&[1.0, 2.0, 3.0], &[true, false, false]).unwrap();
        assert!(median(&censored).is_err());
        assert!(median(&whole(&[])).is_err());
        assert!(Times::new(&[-1.0], &[true]).is_err() && Times::new(&[f64::NAN], &[true]).is_err());
    }

    #[test]
    fn weights_are_repetitions() {
        let times = whole(&[1.0, 2.0, 5.0, 7.0]);
        assert_eq!(resampled(&times, &[0, 3, 0, 2]), median(&whole(&[2.0, 2.0, 2.0, 7.0, 7.0])).ok());
        assert_eq!(resampled(&times, &[2, 0, 2, 0]), Some(3.0));
    }

    #[test]
    fn equal_groups_do_not_differ_and_shifted_ones_do() {
        let a: Vec<f64> = (0..60).map(f64::from).collect();
        let later: Vec<f64> = a.iter().map(|time| time + 40.0).collect();
        assert!(log_rank(&whole(&a), &whole(&a)).unwrap().p > 0.999);
        assert!(log_rank(&whole(&a), &whole(&later)).unwrap().p < 1e-4);
        let plan = Plan { replicates: 500, seed: 1 };
        let difference = median_difference(&whole(&later), &whole(&a), Level::P95, plan).unwrap();
        assert!(difference.value == 40.0 && difference.low().unwrap() > 20.0 && difference.high().unwrap() < 60.0);
        assert!(log_rank(&whole(&[]), &whole(&a)).is_err());
    }
}
