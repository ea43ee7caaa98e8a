//! Means: Student's intervals, and Student's and Welch's t tests, from values or from published means and deviations.
//!
//! ```
//! use coxa_stats::Level;
//! use coxa_stats::means::{Summary, Variances, mean, t_test_from_summaries};
//!
//! assert_eq!(mean(&[4.0, 6.0, 8.0], Level::P95)?.value, 6.0);
//! let (cases, controls) = (Summary { n: 40, mean: 74.0, sd: 14.0 }, Summary { n: 55, mean: 52.0, sd: 21.0 });
//! assert!(t_test_from_summaries(cases, controls, Variances::Unequal, Level::P95)?.test.p < 1e-6);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::distribution::{t_quantile, t_two_sided};
use crate::estimate::{Estimate, Level, Reason, Test, Undefined, check_finite, check_lengths};
use crate::scored::{Inference, ONE_CLUSTER};

/// A sample's size, mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Summary {
    /// Number of values, at least 2.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with divisor n − 1.
    pub sd: f64,
}

/// What a two-sample t test takes the variances to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Variances {
    /// Welch's test with Satterthwaite's degrees of freedom; R's default.
    #[default]
    Unequal,
    /// Student's test with the pooled variance.
    Equal,
}

/// A t test with the difference it tests.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TTest {
    /// Mean of the first less mean of the second sample.
    pub difference: Estimate,
    /// t, degrees of freedom and two-sided p-value.
    pub test: Test,
}

impl Summary {
    /// Summarizes values: two passes, so that a large mean costs no digits of the deviation.
    ///
    /// # Errors
    /// When there are fewer than two values or one is not finite.
    pub fn of(values: &[f64]) -> Result<Self, Undefined> {
        check_finite("mean", values)?;
        let n = values.len();
        if n < 2 {
            return Err(Undefined::new("mean", Reason::TooFew { n, needed: 2 }));
        }
        let count = n as f64;
        let rough = values.iter().sum::<f64>() / count;
        let mean = rough + values.iter().map(|v| v - rough).sum::<f64>() / count;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Ok(Self { n, mean, sd: (squares / (count - 1.0)).sqrt() })
    }

    /// The squared standard error of the mean.
    fn variance_of_mean(&self) -> f64 {
        self.sd * self.sd / self.n as f64
    }

    fn check(&self) -> Result<(), Undefined> {
        check_finite("mean", &[self.mean, self.sd])?;
        if self.n < 2 {
            return Err(Undefined::new("mean", Reason::TooFew { n: self.n, needed: 2 }));
        }
        Ok(())
    }
}

/// A mean with Student's interval, mean ± t·sd/√n; with clusters, the standard error is that of the clusters' sums, with I − 1 degrees
/// of freedom for I clusters.
///
/// # Errors
/// As [`Summary::of`], and where the clusters' length differs. With one cluster the value has no limits.
pub fn mean<'c>(values: &[f64], inference: impl Into<Inference<'c>>) -> Result<Estimate, Undefined> {
    let inference = inference.into();
    inference.require_length("mean", values.len())?;
    let summary = Summary::of(values)?;
    let (variance, df, method) = match inference.clusters {
        None => (summary.variance_of_mean(), summary.n as f64 - 1.0, "Student's t"),
        Some(clusters) => {
            let centered: Vec<f64> = values.iter().map(|v| (v - summary.mean) / summary.n as f64).collect();
            let Some(variance) = inference.variance_of_sum(&centered) else {
                return Ok(Estimate::without_limits(summary.mean, ONE_CLUSTER, summary.n));
            };
            (variance, clusters.count() as f64 - 1.0, "Student's t, clustered")
        }
    };
    let half = t_quantile(1.0 - inference.level.tail(), df) * variance.sqrt();
    Ok(Estimate::new(summary.mean, (summary.mean - half, summary.mean + half), method, summary.n))
}

/// The t test of two independent samples, as R's `t.test(x, y, var.equal = …)`.
///
/// Equal variances: s² pooled, n₁ + n₂ − 2 degrees of freedom. Unequal: (v₁ + v₂)²/(v₁²/(n₁−1) + v₂²/(n₂−1)) with v = s²/n.
///
/// # Errors
/// When a sample has fewer than two values or a value that is not finite, or when neither sample varies.
pub fn t_test(x: &[f64], y: &[f64], variances: Variances, level: Level) -> Result<TTest, Undefined> {
    t_test_from_summaries(Summary::of(x)?, Summary::of(y)?, variances, level)
}

/// [`t_test`] from published sizes, means and standard deviations.
///
/// # Errors
/// As [`t_test`].
pub fn t_test_from_summaries(x: Summary, y: Summary, variances: Variances, level: Level) -> Result<TTest, Undefined> {
    x.check()?;
    y.check()?;
    let (nx, ny) = (x.n as f64, y.n as f64);
    let (square, df, method) = match variances {
        Variances::Equal => {
            let df = nx + ny - 2.0;
            let pooled = ((nx - 1.0) * x.sd * x.sd + (ny - 1.0) * y.sd * y.sd) / df;
            (pooled * (1.0 / nx + 1.0 / ny), df, "Student's t test")
        }
        Variances::Unequal => {
            let (vx, vy) = (x.variance_of_mean(), y.variance_of_mean());
            let square = vx + vy;
            let df = square * square / (vx * vx / (nx - 1.0) + vy * vy / (ny - 1.0));
            (square, df, "Welch's t test")
        }
    };
    let scale = x.mean.abs().max(y.mean.abs());
    Difference { value: x.mean - y.mean, square, df, scale, n: x.n + y.n }.test(method, level)
}

/// The t test of paired values, as R's `t.test(x, y, paired = TRUE)`.
///
/// # Errors
/// When lengths differ, there are fewer than two pairs, a value is not finite, or the differences do not vary.
pub fn paired_t_test(x: &[f64], y: &[f64], level: Level) -> Result<TTest, Undefined> {
    check_lengths("paired t test", x.len(), y.len())?;
    let differences: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).collect();
    let summary = Summary::of(&differences)?;
    let (square, df) = (summary.variance_of_mean(), summary.n as f64 - 1.0);
    let difference = Difference { value: summary.mean, square, df, scale: summary.mean.abs(), n: summary.n };
    difference.test("paired t test", level)
}

/// A difference of means with its squared standard error and degrees of freedom.
struct Difference {
    value: f64,
    square: f64,
    df: f64,
    /// The size of the means, to which a standard error of nothing is compared.
    scale: f64,
    n: usize,
}

impl Difference {
    fn test(&self, method: &'static str, level: Level) -> Result<TTest, Undefined> {
        let &Self { value, square, df, scale, n } = self;
        let se = square.sqrt();
        // R's own bound for data that are "essentially constant".
        if se <= 10.0 * f64::EPSILON * scale {
            return Err(Undefined::new("t test", Reason::ZeroVariance));
        }
        let statistic = value / se;
        let half = t_quantile(1.0 - level.tail(), df) * se;
        Ok(TTest {
            difference: Estimate::new(value, (value - half, value + half), method, n),
            test: Test { statistic, df: Some(df), p: t_two_sided(statistic, df), method },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mean_keeps_the_deviation() {
        let values: Vec<f64> = [1.0, 2.0, 3.0].iter().map(|v| v + 1e9).collect();
        assert_eq!(Summary::of(&values).unwrap().sd, 1.0);
    }

    #[test]
    fn constant_samples_are_undefined() {
        let constant = [2.0; 4];
        for variances in [Variances::Equal, Variances::Unequal] {
            let error = t_test(&constant, &constant, variances, Level::P95).unwrap_err();
            assert_eq!(error.reason, Reason::ZeroVariance);
        }
        assert!(paired_t_test(&[1.0, 2.0], &[0.0, 1.0], Level::P95).is_err());
        assert!(mean(&[1.0], Level::P95).is_err());
        assert!(mean(&[1.0, f64::NAN], Level::P95).is_err());
    }
}
