//! The area under the empirical ROC curve, its DeLong variance in O(n log n), its intervals, and the tests that compare two areas.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Plan, Resampling, percentile};
use crate::distribution::{normal_cdf, root, t_quantile, t_two_sided};
use crate::estimate::{Estimate, Level, Reason, Undefined};
use crate::scored::{Clusters, Groups, Scored, area};

const AUC: &str = "AUC";
const DIFFERENCE: &str = "difference of AUCs";

/// The structural components of DeLong, DeLong & Clarke-Pearson (1988).
#[derive(Debug, Clone, PartialEq)]
pub struct Placements {
    /// The area under the curve: the mean of either list.
    pub auc: f64,
    /// V10: for each case, in input order, the share of controls that score below it, ties counting half.
    pub cases: Vec<f64>,
    /// V01: for each control, in input order, the share of cases that score above it, ties counting half.
    pub controls: Vec<f64>,
}

/// How the interval of an AUC is made from its DeLong variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AucInterval {
    /// θ ± z·SE, cut to [0, 1], as pROC's `ci.auc`. At an area of exactly 0 or 1 the variance is zero and so is the width.
    #[default]
    Wald,
    /// Wald on the logit scale, ln(θ/(1−θ)) ± z·SE/(θ(1−θ)), carried back (Pepe 2003, section 5.2): never leaves (0, 1),
    /// undefined at an area of exactly 0 or 1.
    Logit,
    /// Newcombe's score-like interval (2006, part 2, method 5): the θ with |θ − θ̂| = z √V(θ), where
    /// V(θ) = θ(1−θ)(1 + N(1−θ)/(2−θ) + Nθ/(1+θ))/(mn) and N = (m+n)/2 − 1. Needs no DeLong variance, and has a real width
    /// under perfect separation.
    Newcombe,
}

/// A comparison of two areas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

/// The area under the empirical ROC curve: P(case > control) + ½ P(case = control), the Mann–Whitney statistic.
///
/// # Errors
/// Undefined without a case or without a control. One of each is enough for the value, not for an interval.
pub fn auc(sample: Scored<'_>) -> Result<f64, Undefined> {
    sample.require(AUC, 1)?;
    let groups = Groups::new(sample);
    area(&groups.cases, &groups.controls).ok_or(Undefined::new(AUC, Reason::NoCases))
}

/// DeLong's structural components by one sort (Sun & Xu 2014), in O(n log n) time and linear memory.
///
/// # Errors
/// Undefined without a case or without a control.
pub fn placements(sample: Scored<'_>) -> Result<Placements, Undefined> {
    sample.require(AUC, 1)?;
    let groups = Groups::new(sample);
    let (m, n) = (sample.cases() as f64, sample.controls() as f64);
    let auc = area(&groups.cases, &groups.controls).ok_or(Undefined::new(AUC, Reason::NoCases))?;
    let mut case_share = Vec::with_capacity(groups.values.len());
    let mut control_share = Vec::with_capacity(groups.values.len());
    let (mut controls_below, mut cases_above) = (0u64, sample.cases() as u64);
    for (&cases, &controls) in groups.cases.iter().zip(&groups.controls) {
        cases_above -= cases;
        case_share.push((2 * controls_below + controls) as f64 / (2.0 * n));
        control_share.push((2 * cases_above + cases) as f64 / (2.0 * m));
        controls_below += controls;
    }
    let mut result = Placements {
        auc,
        cases: Vec::with_capacity(sample.cases()),
        controls: Vec::with_capacity(sample.controls()),
    };
    for (&group, &positive) in groups.of.iter().zip(sample.truth()) {
        if positive {
            result.cases.push(case_share[group]);
        } else {
            result.controls.push(control_share[group]);
        }
    }
    Ok(result)
}

/// DeLong's variance of the area: Σ(V10 − θ)²/(m(m−1)) + Σ(V01 − θ)²/(n(n−1)), for m cases and n controls.
///
/// # Errors
/// Undefined with fewer than two cases or two controls.
pub fn variance(sample: Scored<'_>) -> Result<f64, Undefined> {
    sample.require("DeLong variance", 2)?;
    let placements = placements(sample)?;
    Ok(component_covariance(&placements, &placements))
}

/// DeLong's covariance matrix of the areas of k score lists of the same observations, as k rows of k.
///
/// # Errors
/// Undefined with fewer than two cases or two controls, or when the truths differ.
pub fn covariance(samples: &[Scored<'_>]) -> Result<Vec<Vec<f64>>, Undefined> {
    let statistic = "DeLong covariance";
    let mut all = Vec::with_capacity(samples.len());
    for sample in samples {
        sample.require(statistic, 2)?;
        samples[0].require_same_truth(sample, statistic)?;
        all.push(placements(*sample)?);
    }
    Ok(all
        .iter()
        .map(|a| all.iter().map(|b| component_covariance(a, b)).collect())
        .collect())
}

/// The area with an interval; see [`AucInterval`].
///
/// # Errors
/// Undefined without cases or controls. With one case or one control (for [`AucInterval::Newcombe`], never) the value exists,
/// but not the interval: [`Undefined::value`] gives it.
pub fn delong(
    sample: Scored<'_>,
    level: Level,
    interval: AucInterval,
) -> Result<Estimate, Undefined> {
    let value = auc(sample)?;
    if interval == AucInterval::Newcombe {
        return Ok(newcombe(value, sample, level));
    }
    if sample.cases().min(sample.controls()) < 2 {
        return Err(no_interval(
            value,
            "DeLong's variance needs two cases and two controls",
        ));
    }
    from_variance(value, variance(sample)?, sample.n(), level, interval)
}

/// DeLong's test of two areas on the same observations: z = (θa − θb)/SE, with p from the normal distribution, as pROC's
/// `roc.test(paired = TRUE)`. The variance is that of the differences of components, so that equal score lists give exactly 0.
///
/// # Errors
/// Undefined with fewer than two cases or controls, when the truths differ, or when the areas differ and the variance is
/// zero. Two curves that agree in every component give z = 0 and p = 1, as in pROC.
pub fn paired_delong(
    a: Scored<'_>,
    b: Scored<'_>,
    level: Level,
) -> Result<AucComparison, Undefined> {
    a.require(DIFFERENCE, 2)?;
    a.require_same_truth(&b, DIFFERENCE)?;
    let (va, vb) = (placements(a)?, placements(b)?);
    let variance = difference_variance(&va, &vb);
    normal_comparison(
        (va.auc, vb.auc),
        variance,
        a.n(),
        level,
        "DeLong's test for two correlated ROC curves",
    )
}

/// DeLong's test of two areas on different observations: t = (θa − θb)/√(Sa + Sb) with Welch–Satterthwaite degrees of freedom
/// (Sa + Sb)²/(Sa²/(Na−1) + Sb²/(Nb−1)), as pROC's `roc.test(paired = FALSE)`; the interval uses the same t.
///
/// # Errors
/// Undefined with fewer than two cases or controls in either sample, or when both variances are zero.
pub fn unpaired_delong(
    a: Scored<'_>,
    b: Scored<'_>,
    level: Level,
) -> Result<AucComparison, Undefined> {
    a.require(DIFFERENCE, 2)?;
    b.require(DIFFERENCE, 2)?;
    let (va, vb) = (placements(a)?, placements(b)?);
    let (sa, sb) = (
        component_covariance(&va, &va),
        component_covariance(&vb, &vb),
    );
    let total = sa + sb;
    if total == 0.0 {
        return Err(Undefined::new(DIFFERENCE, Reason::ZeroVariance));
    }
    let df = total * total / (sa * sa / (a.n() as f64 - 1.0) + sb * sb / (b.n() as f64 - 1.0));
    let value = va.auc - vb.auc;
    let statistic = value / total.sqrt();
    let half = t_quantile(1.0 - level.tail(), df) * total.sqrt();
    Ok(AucComparison {
        auc_a: va.auc,
        auc_b: vb.auc,
        difference: Estimate {
            value,
            low: value - half,
            high: value + half,
            method: "DeLong, Welch's t",
            n: a.n() + b.n(),
        },
        statistic,
        df: Some(df),
        p: t_two_sided(statistic, df),
        method: "DeLong's test for two ROC curves",
    })
}

/// The area with an interval that allows for clusters, such as several films of one patient (Obuchowski 1997).
///
/// With the components summed within cluster i (X_i over its m_i cases, Y_i over its n_i controls), the variance is
/// S10/m + S01/n + 2 S11/(mn): S10 = I10/((I10−1)m) Σ(X_i − m_i θ)², S01 likewise, S11 = I/(I−1) Σ(X_i − m_i θ)(Y_i − n_i θ),
/// where I10, I01 and I count the clusters with a case, with a control, and all. Clusters of one give DeLong's variance.
///
/// # Errors
/// Undefined with fewer than two clusters that hold a case, or a control; when the lengths differ; or when the variance comes
/// out negative, which few clusters can bring about.
pub fn clustered_delong(
    sample: Scored<'_>,
    clusters: &Clusters,
    level: Level,
    interval: AucInterval,
) -> Result<Estimate, Undefined> {
    let value = auc(sample)?;
    clusters.require_length(AUC, sample.n())?;
    if interval == AucInterval::Newcombe {
        return Err(no_interval(
            value,
            "Newcombe's interval does not allow for clusters",
        ));
    }
    let placements = placements(sample)?;
    let centered = placements.centered();
    let variance = clustered_variance(sample, clusters, &centered, AUC)?;
    let mut estimate = from_variance(value, variance, sample.n(), level, interval)?;
    estimate.method = match interval {
        AucInterval::Logit => "clustered DeLong (Obuchowski 1997), logit",
        _ => "clustered DeLong (Obuchowski 1997), Wald",
    };
    Ok(estimate)
}

/// The paired test of [`paired_delong`] with the clustered variance of [`clustered_delong`].
///
/// # Errors
/// As those two.
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
    let variance = clustered_variance(a, clusters, &centered, DIFFERENCE)?;
    normal_comparison(
        (va.auc, vb.auc),
        variance,
        a.n(),
        level,
        "clustered DeLong test for two correlated ROC curves (Obuchowski 1997)",
    )
}

/// The area with a bootstrap percentile interval; [`Resampling::Stratified`] is pROC's default.
///
/// # Errors
/// Undefined without cases or controls, when cluster lengths differ, or when too many replicates lack one class.
pub fn bootstrap(
    sample: Scored<'_>,
    resampling: Resampling<'_>,
    level: Level,
    plan: Plan,
) -> Result<Estimate, Undefined> {
    let value = auc(sample)?;
    let groups = Groups::new(sample);
    let mut weights = GroupWeights::new(&groups);
    percentile(
        AUC,
        value,
        sample.truth(),
        resampling,
        level,
        plan,
        |counts| {
            weights.fill(&groups, sample.truth(), counts);
            area(&weights.cases, &weights.controls)
        },
    )
}

/// The difference of two areas on the same observations with a bootstrap percentile interval: both lists are resampled
/// together.
///
/// # Errors
/// As [`bootstrap`], and when the truths differ.
pub fn paired_bootstrap(
    a: Scored<'_>,
    b: Scored<'_>,
    resampling: Resampling<'_>,
    level: Level,
    plan: Plan,
) -> Result<Estimate, Undefined> {
    a.require_same_truth(&b, DIFFERENCE)?;
    let value = auc(a)? - auc(b)?;
    let (groups_a, groups_b) = (Groups::new(a), Groups::new(b));
    let (mut weights_a, mut weights_b) =
        (GroupWeights::new(&groups_a), GroupWeights::new(&groups_b));
    percentile(
        DIFFERENCE,
        value,
        a.truth(),
        resampling,
        level,
        plan,
        |counts| {
            weights_a.fill(&groups_a, a.truth(), counts);
            weights_b.fill(&groups_b, a.truth(), counts);
            Some(
                area(&weights_a.cases, &weights_a.controls)?
                    - area(&weights_b.cases, &weights_b.controls)?,
            )
        },
    )
}

/// Bootstrap counts summed into groups of equal score; reused between replicates.
pub(crate) struct GroupWeights {
    pub cases: Vec<u64>,
    pub controls: Vec<u64>,
}

impl GroupWeights {
    pub fn new(groups: &Groups) -> Self {
        Self {
            cases: vec![0; groups.values.len()],
            controls: vec![0; groups.values.len()],
        }
    }

    pub fn fill(&mut self, groups: &Groups, truth: &[bool], counts: &[u32]) {
        self.cases.fill(0);
        self.controls.fill(0);
        for ((&group, &positive), &count) in groups.of.iter().zip(truth).zip(counts) {
            if positive {
                self.cases[group] += u64::from(count);
            } else {
                self.controls[group] += u64::from(count);
            }
        }
    }
}

/// Components less their mean, of one curve or of a difference of two.
struct Centered {
    cases: Vec<f64>,
    controls: Vec<f64>,
}

impl Placements {
    fn centered(&self) -> Centered {
        Centered {
            cases: self.cases.iter().map(|v| v - self.auc).collect(),
            controls: self.controls.iter().map(|v| v - self.auc).collect(),
        }
    }

    fn centered_difference(&self, other: &Self) -> Centered {
        let differences = |ours: &[f64], theirs: &[f64]| {
            ours.iter()
                .zip(theirs)
                .map(|(a, b)| (a - self.auc) - (b - other.auc))
                .collect()
        };
        Centered {
            cases: differences(&self.cases, &other.cases),
            controls: differences(&self.controls, &other.controls),
        }
    }
}

/// Cov(θa, θb) = S10/m + S01/n; needs two cases and two controls.
pub(crate) fn component_covariance(a: &Placements, b: &Placements) -> f64 {
    let part = |va: &[f64], vb: &[f64]| {
        let sum: f64 = va
            .iter()
            .zip(vb)
            .map(|(x, y)| (x - a.auc) * (y - b.auc))
            .sum();
        let n = va.len() as f64;
        sum / (n - 1.0) / n
    };
    part(&a.cases, &b.cases) + part(&a.controls, &b.controls)
}

fn difference_variance(a: &Placements, b: &Placements) -> f64 {
    let centered = a.centered_difference(b);
    let part = |values: &[f64]| {
        let n = values.len() as f64;
        values.iter().map(|v| v * v).sum::<f64>() / (n - 1.0) / n
    };
    part(&centered.cases) + part(&centered.controls)
}

fn clustered_variance(
    sample: Scored<'_>,
    clusters: &Clusters,
    centered: &Centered,
    statistic: &'static str,
) -> Result<f64, Undefined> {
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
        return Err(Undefined::new(
            statistic,
            Reason::TooFew {
                n: with_case.min(with_control),
                needed: 2,
            },
        ));
    }
    let (m, n) = (sample.cases() as f64, sample.controls() as f64);
    let inflate = |count: usize| count as f64 / (count as f64 - 1.0);
    let s10 = inflate(with_case) * sums.iter().map(|s| s.x * s.x).sum::<f64>() / m;
    let s01 = inflate(with_control) * sums.iter().map(|s| s.y * s.y).sum::<f64>() / n;
    let s11 = inflate(clusters.count()) * sums.iter().map(|s| s.x * s.y).sum::<f64>();
    let variance = s10 / m + s01 / n + 2.0 * s11 / (m * n);
    if variance < 0.0 {
        return Err(Undefined::new(
            statistic,
            Reason::Other("the clustered variance is negative: too few clusters"),
        ));
    }
    Ok(variance)
}

fn from_variance(
    value: f64,
    variance: f64,
    n: usize,
    level: Level,
    interval: AucInterval,
) -> Result<Estimate, Undefined> {
    let se = variance.sqrt();
    let (low, high, method) = match interval {
        AucInterval::Logit => {
            let slope = value * (1.0 - value);
            if slope == 0.0 {
                return Err(no_interval(value, "the logit of 0 or 1 is infinite"));
            }
            let half = level.z() * se / slope;
            let center = (value / (1.0 - value)).ln();
            let back = |x: f64| 1.0 / (1.0 + (-x).exp());
            (
                back(center - half).min(value),
                back(center + half).max(value),
                "DeLong, logit",
            )
        }
        _ if se == 0.0 => (value, value, "DeLong, Wald (zero variance)"),
        _ => {
            let half = level.z() * se;
            (
                (value - half).max(0.0),
                (value + half).min(1.0),
                "DeLong, Wald",
            )
        }
    };
    Ok(Estimate {
        value,
        low,
        high,
        method,
        n,
    })
}

fn newcombe(value: f64, sample: Scored<'_>, level: Level) -> Estimate {
    let (m, n) = (sample.cases() as f64, sample.controls() as f64);
    let z = level.z();
    let excess = (m + n) / 2.0 - 1.0;
    let distance = |theta: f64| {
        let spread = 1.0 + excess * (1.0 - theta) / (2.0 - theta) + excess * theta / (1.0 + theta);
        z * (theta * (1.0 - theta) * spread / (m * n)).sqrt()
    };
    // At 0 and 1 the point itself solves the equation; the other root is the limit, a little away from it.
    const APART: f64 = 1e-12;
    let low = if value == 0.0 {
        0.0
    } else {
        let from = if value == 1.0 { 1.0 - APART } else { value };
        root(|theta| theta + distance(theta) - value, 0.0, from)
    };
    let high = if value == 1.0 {
        1.0
    } else {
        // The area of the reversed scores: its lower limit is one less this upper limit.
        let reversed = 1.0 - value;
        let from = if value == 0.0 { 1.0 - APART } else { reversed };
        1.0 - root(|theta| theta + distance(theta) - reversed, 0.0, from)
    };
    Estimate {
        value,
        low: low.min(value),
        high: high.max(value),
        method: "Newcombe (method 5)",
        n: sample.n(),
    }
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
        difference: Estimate {
            value,
            low: value - half,
            high: value + half,
            method: "DeLong, Wald",
            n,
        },
        statistic,
        df: None,
        p: 2.0 * normal_cdf(-statistic.abs()),
        method,
    })
}

fn no_interval(value: f64, because: &'static str) -> Undefined {
    Undefined::new(AUC, Reason::NoInterval { value, because })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERFECT: ([f64; 5], [bool; 5]) =
        ([0.1, 0.2, 0.3, 0.8, 0.9], [false, false, false, true, true]);

    #[test]
    fn perfect_separation() {
        let sample = Scored::new(&PERFECT.0, &PERFECT.1).unwrap();
        let wald = delong(sample, Level::P95, AucInterval::Wald).unwrap();
        assert_eq!((wald.value, wald.low, wald.high), (1.0, 1.0, 1.0));
        assert_eq!(wald.method, "DeLong, Wald (zero variance)");
        let logit = delong(sample, Level::P95, AucInterval::Logit).unwrap_err();
        assert_eq!(logit.value(), Some(1.0));
        let newcombe = delong(sample, Level::P95, AucInterval::Newcombe).unwrap();
        assert!(newcombe.low > 0.3 && newcombe.low < 0.9 && newcombe.high == 1.0);
    }

    #[test]
    fn one_case_has_a_value_without_an_interval() {
        let sample = Scored::new(&[0.1, 0.5, 0.4], &[false, false, true]).unwrap();
        assert_eq!(auc(sample), Ok(0.5));
        let error = delong(sample, Level::P95, AucInterval::Wald).unwrap_err();
        assert_eq!(error.value(), Some(0.5));
        assert!(variance(sample).is_err());
    }

    #[test]
    fn one_class_is_undefined() {
        let sample = Scored::new(&[0.1, 0.5], &[true, true]).unwrap();
        assert_eq!(auc(sample).unwrap_err().reason, Reason::NoControls);
        let sample = Scored::new(&[0.1, 0.5], &[false, false]).unwrap();
        assert_eq!(auc(sample).unwrap_err().reason, Reason::NoCases);
        let sample = Scored::new(&[], &[]).unwrap();
        assert!(auc(sample).is_err());
    }

    #[test]
    fn constant_scores_are_worth_a_coin() {
        let scores = [0.7; 6];
        let truth = [true, false, true, false, true, false];
        let estimate = delong(
            Scored::new(&scores, &truth).unwrap(),
            Level::P95,
            AucInterval::Wald,
        )
        .unwrap();
        assert_eq!((estimate.value, estimate.low), (0.5, 0.5));
    }

    #[test]
    fn equal_scores_do_not_differ() {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.3, 0.9];
        let truth = [false, false, true, true, false, true];
        let sample = Scored::new(&scores, &truth).unwrap();
        let test = paired_delong(sample, sample, Level::P95).unwrap();
        assert_eq!(
            (test.statistic, test.p, test.difference.value),
            (0.0, 1.0, 0.0)
        );
        let reversed: Vec<f64> = PERFECT.0.iter().map(|s| -s).collect();
        let error = paired_delong(
            Scored::new(&PERFECT.0, &PERFECT.1).unwrap(),
            Scored::new(&reversed, &PERFECT.1).unwrap(),
            Level::P95,
        )
        .unwrap_err();
        assert_eq!(error.reason, Reason::ZeroVariance);
    }
}
