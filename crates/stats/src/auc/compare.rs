//! DeLong's tests of two areas, on the same observations and on different ones.

use super::clustered::clustered_variance;
use super::{DIFFERENCE, Placements, component_covariance, placements};
use crate::distribution::{normal_cdf, t_quantile, t_two_sided};
use crate::estimate::{Estimate, Level, Reason, Undefined};
use crate::scored::{Clusters, Scored};

/// A comparison of two areas.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AucComparison {
    /// Area of the first sample.
    pub auc_a: f64,
    /// Area of the second sample.
    pub auc_b: f64,
    /// `auc_a − auc_b` with its interval.
    pub difference: Estimate,
    /// The test statistic: z when paired, t when unpaired.
    pub statistic: f64,
    /// Degrees of freedom when the statistic is Student's.
    pub df: Option<f64>,
    /// Two-sided p-value.
    pub p: f64,
    /// The test's name.
    pub method: &'static str,
}

/// DeLong's test of two areas on the same observations: z = (θa − θb)/SE, with p from the normal distribution, as pROC's
/// `roc.test(paired = TRUE)`. The variance is that of the differences of components, so that equal score lists give exactly 0.
///
/// # Errors
/// Undefined with fewer than two cases or controls, when the truths differ, or when the areas differ and the variance is
/// zero. Two curves that agree in every component give z = 0 and p = 1, as in pROC.
pub fn paired_delong(a: Scored<'_>, b: Scored<'_>, level: Level) -> Result<AucComparison, Undefined> {
    a.require(DIFFERENCE, 2)?;
    a.require_same_truth(&b, DIFFERENCE)?;
    let (va, vb) = (placements(a)?, placements(b)?);
    let variance = difference_variance(&va, &vb);
    normal_comparison((va.auc, vb.auc), variance, a.n(), level, "DeLong's test for two correlated ROC curves")
}

/// DeLong's test of two areas on different observations: t = (θa − θb)/√(Sa + Sb) with Welch–Satterthwaite degrees of freedom
/// (Sa + Sb)²/(Sa²/(Na−1) + Sb²/(Nb−1)), as pROC's `roc.test(paired = FALSE)`; the interval uses the same t.
///
/// # Errors
/// Undefined with fewer than two cases or controls in either sample, or when both variances are zero.
pub fn unpaired_delong(a: Scored<'_>, b: Scored<'_>, level: Level) -> Result<AucComparison, Undefined> {
    a.require(DIFFERENCE, 2)?;
    b.require(DIFFERENCE, 2)?;
    let of = |sample: Scored<'_>| {
        let placements = placements(sample)?;
        let variance = component_covariance(&placements, &placements);
        Ok(Part { auc: placements.auc, variance, units: sample.n(), n: sample.n() })
    };
    welch([of(a)?, of(b)?], level, "DeLong's test for two ROC curves")
}

/// [`unpaired_delong`] where the observations of each sample come in clusters, such as several films of one patient: Obuchowski's
/// variances (1997), and clusters in place of observations in the degrees of freedom. No cluster may be in both samples.
///
/// # Errors
/// As [`unpaired_delong`], and where clusters are too few for a variance or their length differs.
pub fn unpaired_clustered_delong(
    (a, clusters_a): (Scored<'_>, &Clusters),
    (b, clusters_b): (Scored<'_>, &Clusters),
    level: Level,
) -> Result<AucComparison, Undefined> {
    let of = |sample: Scored<'_>, clusters: &Clusters| {
        sample.require(DIFFERENCE, 1)?;
        clusters.require_length(DIFFERENCE, sample.n())?;
        let placements = placements(sample)?;
        let variance = clustered_variance(sample, clusters, &placements.centered())
            .map_err(|because| Undefined::new(DIFFERENCE, Reason::Other(because)))?;
        Ok(Part { auc: placements.auc, variance, units: clusters.count(), n: sample.n() })
    };
    let parts = [of(a, clusters_a)?, of(b, clusters_b)?];
    welch(parts, level, "clustered DeLong test for two ROC curves (Obuchowski 1997)")
}

/// The paired test of [`paired_delong`] with the clustered variance of [`clustered_delong`](super::clustered_delong).
///
/// # Errors
/// As [`paired_delong`], and where clusters are too few for a variance.
pub fn paired_clustered_delong(
    a: Scored<'_>,
    b: Scored<'_>,
    clusters: &Clusters,
    level: Level,
) -> Result<AucComparison, Undefined> {
    a.require(DIFFERENCE, 1)?;
    a.require_same_truth(&b, DIFFERENCE)?;
    clusters.require_length(DIFFERENCE, a.n())?;
    let (va, vb) = (placements(a)?, placements(b)?);
    let centered = va.centered_difference(&vb);
    let variance = clustered_variance(a, clusters, &centered)
        .map_err(|because| Undefined::new(DIFFERENCE, Reason::Other(because)))?;
    normal_comparison(
        (va.auc, vb.auc),
        variance,
        a.n(),
        level,
        "clustered DeLong test for two correlated ROC curves (Obuchowski 1997)",
    )
}

/// One of two areas that are compared: its variance, from so many independent units.
struct Part {
    auc: f64,
    variance: f64,
    units: usize,
    n: usize,
}

fn welch([a, b]: [Part; 2], level: Level, method: &'static str) -> Result<AucComparison, Undefined> {
    let total = a.variance + b.variance;
    if total == 0.0 {
        return Err(Undefined::new(DIFFERENCE, Reason::ZeroVariance));
    }
    let share = |part: &Part| part.variance * part.variance / (part.units as f64 - 1.0);
    let df = total * total / (share(&a) + share(&b));
    let value = a.auc - b.auc;
    let statistic = value / total.sqrt();
    let half = t_quantile(1.0 - level.tail(), df) * total.sqrt();
    Ok(AucComparison {
        auc_a: a.auc,
        auc_b: b.auc,
        difference: Estimate::new(value, (value - half, value + half), "DeLong, Welch's t", a.n + b.n),
        statistic,
        df: Some(df),
        p: t_two_sided(statistic, df),
        method,
    })
}

fn difference_variance(a: &Placements, b: &Placements) -> f64 {
    let centered = a.centered_difference(b);
    let part = |values: &[f64]| {
        let n = values.len() as f64;
        values.iter().map(|v| v * v).sum::<f64>() / (n - 1.0) / n
    };
    part(&centered.cases) + part(&centered.controls)
}

fn normal_comparison(
    (auc_a, auc_b): (f64, f64),
    variance: f64,
    n: usize,
    level: Level,
    method: &'static str,
) -> Result<AucComparison, Undefined> {
    let value = auc_a - auc_b;
    let se = variance.sqrt();
    if se == 0.0 && value != 0.0 {
        return Err(Undefined::new(DIFFERENCE, Reason::ZeroVariance));
    }
    let statistic = if se == 0.0 { 0.0 } else { value / se };
    let half = level.z() * se;
    Ok(AucComparison {
        auc_a,
        auc_b,
        difference: Estimate::new(value, (value - half, value + half), "DeLong, Wald", n),
        statistic,
        df: None,
        p: 2.0 * normal_cdf(-statistic.abs()),
        method,
    })
}
