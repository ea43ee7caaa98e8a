//! Sample size and power for an area, for the difference of two areas, and for the precision of a proportion.
//!
//! ```
//! use coxa_stats::power::{Significance, auc_sample_size};
//!
//! let size = auc_sample_size(0.8, 0.9, 1.0, Significance::default())?;
//! assert_eq!(size.rounded_up(), (17, 17));
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::auc::{Placements, clustered_variances, component_covariance, placements};
use crate::distribution::{normal_cdf, normal_quantile, root};
use crate::estimate::{Level, Reason, Undefined};
use crate::scored::{Clusters, Scored};

const PILOT: &str = "sample size for a difference of AUCs";

/// The sides of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Sides {
    /// Half of the significance level in each tail.
    #[default]
    Two,
    /// All of it in one tail.
    One,
}

/// A test's size: significance level and sides.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Significance {
    /// Probability of a false alarm, strictly between 0 and 1.
    pub alpha: f64,
    /// One- or two-sided.
    pub sides: Sides,
}

impl Default for Significance {
    /// Two-sided at 0.05.
    fn default() -> Self {
        Self { alpha: 0.05, sides: Sides::Two }
    }
}

impl Significance {
    fn z(self) -> Result<f64, Undefined> {
        probability("significance level", self.alpha)?;
        let tail = match self.sides {
            Sides::Two => self.alpha / 2.0,
            Sides::One => self.alpha,
        };
        Ok(normal_quantile(1.0 - tail))
    }
}

/// Numbers of cases and controls, not rounded; [`SampleSize::rounded_up`] makes them whole.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SampleSize {
    /// Positive cases.
    pub cases: f64,
    /// Negative cases.
    pub controls: f64,
}

impl SampleSize {
    /// The next whole numbers: (cases, controls).
    pub fn rounded_up(&self) -> (u64, u64) {
        (self.cases.ceil() as u64, self.controls.ceil() as u64)
    }
}

/// The null variance 0.0792(1 + 1/κ) of Obuchowski, Lieber & Wians (2004), κ controls a case.
fn null_variance(kappa: f64) -> f64 {
    0.0792 * (1.0 + 1.0 / kappa)
}

/// The variance function of an area `auc` with κ = `kappa` controls a case (Obuchowski, Lieber & Wians 2004): with
/// A = 1.414 Φ⁻¹(θ), 0.0099 e^(−A²/2) ((5A² + 8) + (A² + 8)/κ). The constants are as published, and as in pROC.
fn area_variance(auc: f64, kappa: f64) -> f64 {
    let square = (normal_quantile(auc) * 1.414).powi(2);
    0.0099 * (-square / 2.0).exp() * ((5.0 * square + 8.0) + (square + 8.0) / kappa)
}

/// The power to show that an area of `auc` is above 0.5, as pROC's `power.roc.test`.
///
/// # Errors
/// When `auc` is not strictly between 0.5 and 1, a count is not positive, or α is not strictly between 0 and 1.
pub fn auc_power(auc: f64, cases: f64, controls: f64, significance: Significance) -> Result<f64, Undefined> {
    check_auc(auc)?;
    positive("cases", cases)?;
    positive("controls", controls)?;
    let kappa = controls / cases;
    let z = (cases.sqrt() * (auc - 0.5) - significance.z()? * null_variance(kappa).sqrt())
        / area_variance(auc, kappa).sqrt();
    Ok(normal_cdf(z))
}

/// The sample that shows with probability `power` that an area of `auc` is above 0.5, with `controls_per_case` controls a case,
/// as pROC's `power.roc.test`.
///
/// # Errors
/// As [`auc_power`], and when `power` is not strictly between 0 and 1.
pub fn auc_sample_size(
    auc: f64,
    power: f64,
    controls_per_case: f64,
    significance: Significance,
) -> Result<SampleSize, Undefined> {
    check_auc(auc)?;
    probability("power", power)?;
    positive("controls per case", controls_per_case)?;
    let root = significance.z()? * null_variance(controls_per_case).sqrt()
        + normal_quantile(power) * area_variance(auc, controls_per_case).sqrt();
    let cases = (root / (auc - 0.5)).powi(2);
    Ok(SampleSize { cases, controls: cases * controls_per_case })
}

/// The smallest area that a sample can show to be above 0.5 with probability `power`.
///
/// # Errors
/// As [`auc_power`]; undefined when no area below 1 reaches that power.
pub fn detectable_auc(cases: f64, controls: f64, power: f64, significance: Significance) -> Result<f64, Undefined> {
    probability("power", power)?;
    positive("cases", cases)?;
    positive("controls", controls)?;
    let z = significance.z()?;
    let kappa = controls / cases;
    let zbeta = normal_quantile(power);
    let excess = |auc: f64| {
        cases.sqrt() * (auc - 0.5) - z * null_variance(kappa).sqrt() - zbeta * area_variance(auc, kappa).sqrt()
    };
    let highest = 1.0 - 1e-12;
    if excess(highest) < 0.0 {
        return Err(Undefined::new("detectable AUC", Reason::Other("the sample is too small for any area")));
    }
    Ok(root(excess, 0.5, highest))
}

/// What a pilot study says about the difference of two paired areas, by DeLong's covariances.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Pilot {
    /// θa − θb.
    pub difference: f64,
    /// Variance of one case's worth of difference when the areas are equal: m(2 Var θa − 2 Cov), as pROC.
    pub null_variance: f64,
    /// Variance of one case's worth of difference: m(Var θa + Var θb − 2 Cov).
    pub variance: f64,
    /// Controls a case in the pilot.
    pub controls_per_case: f64,
    /// Cases in the pilot.
    pub cases: f64,
}

impl Pilot {
    /// Takes the pilot's numbers from two score lists of the same observations.
    ///
    /// # Errors
    /// With fewer than two cases or controls, when the truths differ, or when the areas do not differ or do not vary.
    pub fn new(a: Scored<'_>, b: Scored<'_>) -> Result<Self, Undefined> {
        let (va, vb) = Self::placements(a, b)?;
        let (variance_a, variance_b) = (component_covariance(&va, &va), component_covariance(&vb, &vb));
        let covariance = component_covariance(&va, &vb);
        Self::of(a, va.auc - vb.auc, [variance_a, variance_a + variance_b - 2.0 * covariance, covariance])
    }

    /// [`Pilot::new`] where observations come in clusters, such as several films of one patient: the variances are Obuchowski's (1997).
    /// The sizes it gives are of observations that cluster as the pilot's do.
    ///
    /// # Errors
    /// As [`Pilot::new`], and where clusters are too few for a variance or their length differs.
    pub fn clustered(a: Scored<'_>, b: Scored<'_>, clusters: &Clusters) -> Result<Self, Undefined> {
        let (va, vb) = Self::placements(a, b)?;
        clusters.require_length(PILOT, a.n())?;
        let [variance_a, variance_b, variance] = clustered_variances(a, clusters, [&va, &vb])
            .map_err(|because| Undefined::new(PILOT, Reason::Other(because)))?;
        Self::of(a, va.auc - vb.auc, [variance_a, variance, (variance_a + variance_b - variance) / 2.0])
    }

    fn placements(a: Scored<'_>, b: Scored<'_>) -> Result<(Placements, Placements), Undefined> {
        a.require(PILOT, 2)?;
        a.require_same_truth(&b, PILOT)?;
        Ok((placements(a)?, placements(b)?))
    }

    /// From the variance of the first area, that of the difference, and the covariance of the areas.
    fn of(a: Scored<'_>, difference: f64, [variance_a, variance, covariance]: [f64; 3]) -> Result<Self, Undefined> {
        let cases = a.cases() as f64;
        let pilot = Self {
            difference,
            null_variance: cases * (2.0 * variance_a - 2.0 * covariance),
            variance: cases * variance,
            controls_per_case: a.controls() as f64 / cases,
            cases,
        };
        // A covariance above the first variance leaves pROC's null variance negative.
        let testable = pilot.variance > 0.0 && pilot.null_variance >= 0.0;
        if pilot.difference == 0.0 || !testable {
            return Err(Undefined::new(PILOT, Reason::ZeroVariance));
        }
        Ok(pilot)
    }

    /// The power of a paired test of `cases` cases at the pilot's difference and ratio, as pROC's `power.roc.test(roc1, roc2)`
    /// at the pilot's own size.
    ///
    /// # Errors
    /// When a count is not positive or α is not strictly between 0 and 1.
    pub fn power(&self, cases: f64, significance: Significance) -> Result<f64, Undefined> {
        positive("cases", cases)?;
        let z = (cases.sqrt() * self.difference.abs() - significance.z()? * self.null_variance.sqrt())
            / self.variance.sqrt();
        Ok(normal_cdf(z))
    }

    /// The sample that finds the pilot's difference with probability `power`, as pROC's `power.roc.test(roc1, roc2, power = …)`.
    ///
    /// # Errors
    /// When `power` or α is not strictly between 0 and 1.
    pub fn sample_size(&self, power: f64, significance: Significance) -> Result<SampleSize, Undefined> {
        probability("power", power)?;
        let root = significance.z()? * self.null_variance.sqrt() + normal_quantile(power) * self.variance.sqrt();
        let cases = (root / self.difference).powi(2);
        Ok(SampleSize { cases, controls: cases * self.controls_per_case })
    }
}

/// The observations that give a proportion near `expected` a Wald interval of ± `half_width`: z²p(1−p)/d² (Buderer 1996). For a
/// sensitivity these are cases, for a specificity controls.
///
/// # Errors
/// When `expected` or `half_width` is not strictly between 0 and 1.
pub fn proportion_sample_size(expected: f64, half_width: f64, level: Level) -> Result<f64, Undefined> {
    probability("expected proportion", expected)?;
    probability("half width", half_width)?;
    Ok((level.z() / half_width).powi(2) * expected * (1.0 - expected))
}

fn out_of_range(statistic: &'static str, value: f64, expected: &'static str) -> Undefined {
    Undefined::new(statistic, Reason::OutOfRange { value, expected })
}

fn check_auc(auc: f64) -> Result<(), Undefined> {
    if auc > 0.5 && auc < 1.0 {
        Ok(())
    } else {
        Err(out_of_range("power for an AUC", auc, "an area strictly between 0.5 and 1"))
    }
}

fn probability(statistic: &'static str, value: f64) -> Result<(), Undefined> {
    if value > 0.0 && value < 1.0 {
        Ok(())
    } else {
        Err(out_of_range(statistic, value, "a number strictly between 0 and 1"))
    }
}

fn positive(statistic: &'static str, value: f64) -> Result<(), Undefined> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(out_of_range(statistic, value, "a positive number")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_power_and_area_invert_each_other() {
        let significance = Significance::default();
        let size = auc_sample_size(0.8, 0.9, 2.0, significance).unwrap();
        let power = auc_power(0.8, size.cases, size.controls, significance).unwrap();
        assert!((power - 0.9).abs() < 1e-12);
        let auc = detectable_auc(size.cases, size.controls, 0.9, significance).unwrap();
        assert!((auc - 0.8).abs() < 1e-12);
        assert!(detectable_auc(2.0, 2.0, 0.99, significance).is_err());
        assert!(auc_power(0.5, 10.0, 10.0, significance).is_err());
    }

    #[test]
    fn clusters_of_one_are_the_plain_pilot() {
        let truth: Vec<bool> = (0..40).map(|i| i % 2 == 1).collect();
        let scores = |step: u32| -> Vec<f64> {
            (1..=40).map(|i| f64::from(i * step % 41) / 41.0 + if i % 2 == 0 { 0.3 } else { 0.0 }).collect()
        };
        let (a, b) = (scores(7), scores(11));
        let (a, b) = (Scored::new(&a, &truth).unwrap(), Scored::new(&b, &truth).unwrap());
        let single = Clusters::new(&(0..40).collect::<Vec<_>>());
        let pairs = Clusters::new(&(0..40).map(|i| i / 2).collect::<Vec<_>>());
        let (plain, clustered) = (Pilot::new(a, b).unwrap(), Pilot::clustered(a, b, &single).unwrap());
        assert!((plain.variance - clustered.variance).abs() < 1e-12);
        assert!((plain.null_variance - clustered.null_variance).abs() < 1e-12);
        assert!(Pilot::clustered(a, b, &pairs).is_ok_and(|paired| (paired.variance - plain.variance).abs() > 1e-6));
    }

    #[test]
    fn precision_by_hand() {
        let n = proportion_sample_size(0.95, 0.05, Level::P95).unwrap();
        assert!((n - 72.9877).abs() < 1e-3, "{n}");
    }
}
