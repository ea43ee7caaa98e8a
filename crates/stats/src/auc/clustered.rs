//! Areas and their differences where observations come in clusters, such as several films of one patient.

use super::{AUC, AucInterval, Centered, Placements, from_variance, placements};
use crate::estimate::{Estimate, Level, Limits, Undefined};
use crate::scored::{Clusters, Scored};

/// The area with an interval that allows for clusters, such as several films of one patient (Obuchowski 1997).
///
/// With the components summed within cluster i (X_i over its m_i cases, Y_i over its n_i controls), the variance is
/// S10/m + S01/n + 2 S11/(mn): S10 = I10/((I10−1)m) Σ(X_i − m_i θ)², S01 likewise, S11 = I/(I−1) Σ(X_i − m_i θ)(Y_i − n_i θ),
/// where I10, I01 and I count the clusters with a case, with a control, and all. Clusters of one give DeLong's variance.
///
/// # Errors
/// Undefined without cases or controls, or when the lengths differ. With fewer than two clusters that hold a case, or a control, or
/// a variance of zero or below it, which few clusters can bring about, the value has no limits; nor has it for
/// [`AucInterval::Newcombe`].
pub fn clustered_delong(
    sample: Scored<'_>,
    clusters: &Clusters,
    level: Level,
    interval: AucInterval,
) -> Result<Estimate, Undefined> {
    clusters.require_length(AUC, sample.n())?;
    let placements = placements(sample)?;
    let without = |because| Ok(Estimate::without_limits(placements.auc, because, sample.n()));
    if interval == AucInterval::Newcombe {
        return without("Newcombe's interval does not allow for clusters");
    }
    let variance = match clustered_variance(sample, clusters, &placements.centered()) {
        Ok(0.0) => return without("the clustered variance is zero"),
        Ok(variance) => variance,
        Err(because) => return without(because),
    };
    let estimate = from_variance((placements.auc, variance), sample.n(), level, interval);
    let method = match interval {
        AucInterval::Logit => "clustered DeLong (Obuchowski 1997), logit",
        _ => "clustered DeLong (Obuchowski 1997), Wald",
    };
    Ok(estimate.map_limits(|limits| Limits { method, ..limits }))
}

/// The clustered variances of two areas on the same observations and of their difference, or why there are none.
pub(crate) fn clustered_variances(
    sample: Scored<'_>,
    clusters: &Clusters,
    [a, b]: [&Placements; 2],
) -> Result<[f64; 3], &'static str> {
    Ok([
        clustered_variance(sample, clusters, &a.centered())?,
        clustered_variance(sample, clusters, &b.centered())?,
        clustered_variance(sample, clusters, &a.centered_difference(b))?,
    ])
}

/// The variance, or why there is none.
pub(super) fn clustered_variance(
    sample: Scored<'_>,
    clusters: &Clusters,
    centered: &Centered,
) -> Result<f64, &'static str> {
    #[derive(Clone, Copy, Default)]
    struct Sums {
        x: f64,
        y: f64,
        has_case: bool,
        has_control: bool,
    }
    let mut sums = vec![Sums::default(); clusters.count()];
    let (mut cases, mut controls) = (centered.cases.iter(), centered.controls.iter());
    for (&positive, &cluster) in sample.truth().iter().zip(clusters.of()) {
        let sum = &mut sums[cluster];
        if positive {
            sum.x += cases.next().copied().unwrap_or_default();
            sum.has_case = true;
        } else {
            sum.y += controls.next().copied().unwrap_or_default();
            sum.has_control = true;
        }
    }
    let with_case = sums.iter().filter(|s| s.has_case).count();
    let with_control = sums.iter().filter(|s| s.has_control).count();
    if with_case.min(with_control) < 2 {
        return Err("fewer than two clusters hold a case, or a control");
    }
    let (m, n) = (sample.cases() as f64, sample.controls() as f64);
    let inflate = |count: usize| count as f64 / (count as f64 - 1.0);
    let s10 = inflate(with_case) * sums.iter().map(|s| s.x * s.x).sum::<f64>() / m;
    let s01 = inflate(with_control) * sums.iter().map(|s| s.y * s.y).sum::<f64>() / n;
    let s11 = inflate(clusters.count()) * sums.iter().map(|s| s.x * s.y).sum::<f64>();
    let variance = s10 / m + s01 / n + 2.0 * s11 / (m * n);
    if variance < 0.0 {
        return Err("the clustered variance is negative: too few clusters");
    }
    Ok(variance)
}
