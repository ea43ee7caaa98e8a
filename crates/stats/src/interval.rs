//! Confidence intervals of one proportion: exact, score, Bayesian and adjusted Wald.
//!
//! ```
//! use coxa_stats::{Interval, Level, interval};
//!
//! let exact = interval::proportion(49, 50, Level::P95, Interval::ClopperPearson)?;
//! let limits = exact.limits.expect("fifty observations have an interval");
//! assert!((limits.low - 0.8935).abs() < 1e-4 && (limits.high - 0.9995).abs() < 1e-4);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::distribution::beta_quantile;
use crate::estimate::{Estimate, Level, Reason, Undefined};

/// How a proportion's interval is made.
///
/// R's names: `binom.test` and epiR's `exact` are [`ClopperPearson`](Self::ClopperPearson); `prop.test(correct = FALSE)` and
/// epiR's `wilson` are [`Wilson`](Self::Wilson); `prop.test` is [`WilsonCorrected`](Self::WilsonCorrected); epiR's `jeffreys`
/// and `agresti` are the last two, but for the ends (see [`Interval::bounds`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Interval {
    /// Exact (Clopper & Pearson 1934): the beta quantiles B(α/2; k, n−k+1) and B(1−α/2; k+1, n−k).
    #[default]
    ClopperPearson,
    /// Score (Wilson 1927): (p̂ + z²/2n ± z√(p̂q̂/n + z²/4n²)) / (1 + z²/n).
    Wilson,
    /// Score with continuity correction (Newcombe 1998, method 4).
    WilsonCorrected,
    /// Equal-tailed posterior under Jeffreys' prior: quantiles of Beta(k+½, n−k+½) (Brown, Cai & DasGupta 2001).
    Jeffreys,
    /// Wald's interval after adding z²/2 successes and failures (Agresti & Coull 1998).
    AgrestiCoull,
}

impl Interval {
    /// The name used in [`Limits::method`](crate::Limits).
    pub fn name(self) -> &'static str {
        match self {
            Self::ClopperPearson => "exact (Clopper-Pearson)",
            Self::Wilson => "Wilson",
            Self::WilsonCorrected => "Wilson with continuity correction",
            Self::Jeffreys => "Jeffreys",
            Self::AgrestiCoull => "Agresti-Coull",
        }
    }

    /// Lower and upper limits for `k` successes in `n` ≥ 1 trials; `k` ≤ `n`.
    ///
    /// Always within [0, 1] and always around k/n: Agresti–Coull is clipped to the unit interval, and Jeffreys ends at 0 for
    /// k = 0 and at 1 for k = n, as Brown, Cai & DasGupta advise; epiR does neither.
    pub fn bounds(self, k: u64, n: u64, level: Level) -> (f64, f64) {
        let (successes, trials) = (k as f64, n as f64);
        let failures = trials - successes;
        let tail = level.tail();
        let (low, high) = match self {
            Self::ClopperPearson => (
                if k == 0 { 0.0 } else { beta_quantile(tail, successes, failures + 1.0) },
                if k == n { 1.0 } else { beta_quantile(1.0 - tail, successes + 1.0, failures) },
            ),
            Self::Wilson => wilson(successes / trials, trials, level),
            Self::WilsonCorrected => wilson_corrected(successes, trials, level),
            Self::Jeffreys => (
                beta_quantile(tail, successes + 0.5, failures + 0.5),
                beta_quantile(1.0 - tail, successes + 0.5, failures + 0.5),
            ),
            Self::AgrestiCoull => {
                let z = level.z();
                let adjusted = trials + z * z;
                let center = (successes + 0.5 * z * z) / adjusted;
                let half = z * (center * (1.0 - center) / adjusted).sqrt();
                (center - half, center + half)
            }
        };
        let value = successes / trials;
        // At the ends every method's own limit is the end itself, which rounding could otherwise miss.
        let low = if k == 0 { 0.0 } else { low.clamp(0.0, value) };
        let high = if k == n { 1.0 } else { high.clamp(value, 1.0) };
        (low, high)
    }
}

/// Wilson's limits for a proportion `p` of `n`, where `n` need not be whole.
pub(crate) fn wilson(p: f64, n: f64, level: Level) -> (f64, f64) {
    let z = level.z();
    let zz = z * z;
    let center = (p + zz / (2.0 * n)) / (1.0 + zz / n);
    let half = z * ((p * (1.0 - p) + zz / (4.0 * n)) / n).sqrt() / (1.0 + zz / n);
    (center - half, center + half)
}

fn wilson_corrected(k: f64, n: f64, level: Level) -> (f64, f64) {
    let z = level.z();
    let zz = z * z;
    // The correction is ½ always, as Newcombe has it; R's prop.test shrinks it when k is within ½ of n/2.
    let p = k / n;
    let limit = |shifted: f64, sign: f64| {
        (shifted + zz / (2.0 * n) + sign * z * (shifted * (1.0 - shifted) / n + zz / (4.0 * n * n)).sqrt())
            / (1.0 + zz / n)
    };
    (limit(p - 0.5 / n, -1.0), limit(p + 0.5 / n, 1.0))
}

/// A proportion k/n with its interval.
///
/// # Errors
/// Undefined when `n` is zero or `k` exceeds `n`.
pub fn proportion(k: u64, n: u64, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
    Counted { statistic: "proportion", empty: "no observation", k, n }.estimate(level, interval)
}

/// A count k of n under a statistic's own name.
pub(crate) struct Counted {
    pub statistic: &'static str,
    /// What is missing when n is zero.
    pub empty: &'static str,
    pub k: u64,
    pub n: u64,
}

impl Counted {
    pub fn estimate(&self, level: Level, interval: Interval) -> Result<Estimate, Undefined> {
        let &Self { statistic, empty, k, n } = self;
        if n == 0 {
            return Err(Undefined::new(statistic, Reason::ZeroDenominator(empty)));
        }
        if k > n {
            let expected = "a number of successes, at most that of trials";
            return Err(Undefined::new(statistic, Reason::OutOfRange { value: k as f64, expected }));
        }
        Ok(Estimate::new(k as f64 / n as f64, interval.bounds(k, n, level), interval.name(), n as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_exact_intervals() {
        let cases = [(49, 50, 0.893530, 0.999494), (42, 50, 0.708874, 0.928299), (91, 100, 0.836018, 0.958016)];
        for (k, n, low, high) in cases {
            let estimate = proportion(k, n, Level::P95, Interval::ClopperPearson).unwrap();
            assert!((estimate.low().unwrap() - low).abs() < 5e-7, "{estimate:?}");
            assert!((estimate.high().unwrap() - high).abs() < 5e-7, "{estimate:?}");
        }
    }

    #[test]
    fn no_trial_is_undefined() {
        assert_eq!(
            proportion(0, 0, Level::P95, Interval::Wilson).unwrap_err().reason,
            Reason::ZeroDenominator("no observation")
        );
        assert!(proportion(2, 1, Level::P95, Interval::Wilson).is_err());
    }
}
