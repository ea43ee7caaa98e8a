//! Quantiles with the interval of order statistics, such as of times that are not normal.
//!
//! ```
//! use coxa_stats::{Level, order};
//!
//! let seconds = [3.0, 4.0, 4.5, 5.0, 6.0, 7.0, 9.0, 12.0, 20.0, 41.0];
//! let median = order::quantile(&seconds, 0.5, Level::P95)?;
//! assert_eq!((median.value, median.low(), median.high()), (6.5, Some(4.0), Some(20.0)));
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::distribution::binomial_cdf;
use crate::estimate::{Estimate, Level, Reason, Undefined, check_finite};

const STATISTIC: &str = "quantile";

/// The quantile of R's type 7 at `p`, 0 to 1, with the order statistics between which it lies at the level whatever the distribution
/// (Conover, Practical Nonparametric Statistics, 1999, section 3.2).
///
/// # Errors
/// Undefined without a value, where a value is not finite, or `p` is outside [0, 1]. Where an order statistic that is needed lies beyond
/// the sample, the value has no limits.
pub fn quantile(values: &[f64], p: f64, level: Level) -> Result<Estimate, Undefined> {
    check_finite(STATISTIC, values)?;
    if !(0.0..=1.0).contains(&p) {
        return Err(Undefined::new(STATISTIC, Reason::OutOfRange { value: p, expected: "a share from 0 to 1" }));
    }
    let n = values.len();
    if n == 0 {
        return Err(Undefined::new(STATISTIC, Reason::ZeroDenominator("no observation")));
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let value = crate::bootstrap::quantile(&sorted, p);
    let (low, high) = (binomial_quantile(level.tail(), n, p), binomial_quantile(1.0 - level.tail(), n, p) + 1);
    if low < 1 || high > n {
        return Ok(Estimate::without_limits(value, "too few observations for an interval of this level", n));
    }
    // The value lies between its neighbors in the order, which a narrow interval may not reach.
    let limits = (sorted[low - 1].min(value), sorted[high - 1].max(value));
    Ok(Estimate::new(value, limits, "order statistics", n))
}

/// The least k with P(B ≤ k) ≥ `tail`, of a binomial B of n trials at `p`.
fn binomial_quantile(tail: f64, n: usize, p: f64) -> usize {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = (low + high) / 2;
        // As R's qbinom: a share within rounding of the tail reaches it.
        if binomial_cdf(middle as u64, n as u64, p) >= tail * (1.0 - 64.0 * f64::EPSILON) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_quantile_without_an_interval() {
        let few = quantile(&[1.0, 3.0], 0.5, Level::P95).unwrap();
        assert!(few.value == 2.0 && few.limits.is_err());
        assert!(quantile(&[], 0.5, Level::P95).is_err());
        assert!(quantile(&[1.0], 1.5, Level::P95).is_err());
        assert!(quantile(&[f64::INFINITY], 0.5, Level::P95).is_err());
        assert!(quantile(&[1.0; 40], 1.0, Level::P95).unwrap().limits.is_err());
    }
}
