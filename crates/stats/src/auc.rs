//! The area under the empirical ROC curve, its DeLong variance in O(n log n), its intervals, and the tests that compare two areas.
//!
//! ```
//! use coxa_stats::auc::{self, AucInterval};
//! use coxa_stats::{Level, Scored};
//!
//! let truth = [true, true, true, true, false, false, false, false];
//! let (first, second) = ([0.9, 0.8, 0.7, 0.3, 0.4, 0.2, 0.2, 0.1], [0.6, 0.9, 0.4, 0.5, 0.5, 0.7, 0.1, 0.3]);
//! let (first, second) = (Scored::new(&first, &truth)?, Scored::new(&second, &truth)?);
//!
//! let area = auc::delong(first, Level::P95, AucInterval::Wald)?;
//! assert_eq!(area.value, 15.0 / 16.0);
//! assert_eq!(area.limits.map(|limits| limits.method), Ok("DeLong, Wald"));
//!
//! let test = auc::paired_delong(first, second, Level::P95)?;
//! assert!(test.difference.value > 0.0 && test.p > 0.05);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod clustered;
mod compare;
mod resampled;

pub use self::clustered::clustered_delong;
pub(crate) use self::clustered::clustered_variances;
pub use self::compare::{
    AucComparison, paired_clustered_delong, paired_delong, unpaired_clustered_delong, unpaired_delong,
};
pub(crate) use self::resampled::GroupWeights;
pub use self::resampled::{bootstrap, paired_bootstrap};
use crate::distribution::root;
use crate::estimate::{Estimate, Level, Reason, Undefined};
use crate::scored::{Groups, Scored, area};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AucInterval {
    /// θ ± z·SE, cut to [0, 1], as pROC's `ci.auc`. At an area of exactly 0 or 1 the variance is zero and so is the width, which
    /// the method's name says and which is no certainty; an area of clusters then has no interval.
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
    let mut result =
        Placements { auc, cases: Vec::with_capacity(sample.cases()), controls: Vec::with_capacity(sample.controls()) };
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
    Ok(all.iter().map(|a| all.iter().map(|b| component_covariance(a, b)).collect()).collect())
}

/// The area with an interval; see [`AucInterval`].
///
/// # Errors
/// Undefined without cases or controls. With one case or one control the value has no limits, but for [`AucInterval::Newcombe`].
pub fn delong(sample: Scored<'_>, level: Level, interval: AucInterval) -> Result<Estimate, Undefined> {
    if interval == AucInterval::Newcombe {
        return Ok(newcombe(auc(sample)?, sample, level));
    }
    let placements = placements(sample)?;
    if sample.cases().min(sample.controls()) < 2 {
        let because = "DeLong's variance needs two cases and two controls";
        return Ok(Estimate::without_limits(placements.auc, because, sample.n()));
    }
    let variance = component_covariance(&placements, &placements);
    Ok(from_variance((placements.auc, variance), sample.n(), level, interval))
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
            ours.iter().zip(theirs).map(|(a, b)| (a - self.auc) - (b - other.auc)).collect()
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
        let sum: f64 = va.iter().zip(vb).map(|(x, y)| (x - a.auc) * (y - b.auc)).sum();
        let n = va.len() as f64;
        sum / (n - 1.0) / n
    };
    part(&a.cases, &b.cases) + part(&a.controls, &b.controls)
}

fn from_variance((value, variance): (f64, f64), n: usize, level: Level, interval: AucInterval) -> Estimate {
    let se = variance.sqrt();
    let (limits, method) = match interval {
        AucInterval::Logit => {
            let slope = value * (1.0 - value);
            if slope == 0.0 {
                return Estimate::without_limits(value, "the logit of 0 or 1 is infinite", n);
            }
            let half = level.z() * se / slope;
            let center = (value / (1.0 - value)).ln();
            let back = |x: f64| 1.0 / (1.0 + (-x).exp());
            ((back(center - half).min(value), back(center + half).max(value)), "DeLong, logit")
        }
        _ if se == 0.0 => ((value, value), "DeLong, Wald (zero variance)"),
        _ => {
            let half = level.z() * se;
            (((value - half).max(0.0), (value + half).min(1.0)), "DeLong, Wald")
        }
    };
    Estimate::new(value, limits, method, n)
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
    Estimate::new(value, (low.min(value), high.max(value)), "Newcombe (method 5)", sample.n())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scored::Clusters;

    const PERFECT: ([f64; 5], [bool; 5]) = ([0.1, 0.2, 0.3, 0.8, 0.9], [false, false, false, true, true]);

    #[test]
    fn perfect_separation() {
        let sample = Scored::new(&PERFECT.0, &PERFECT.1).unwrap();
        let wald = delong(sample, Level::P95, AucInterval::Wald).unwrap();
        assert_eq!(wald, Estimate::new(1.0, (1.0, 1.0), "DeLong, Wald (zero variance)", 5));
        let logit = delong(sample, Level::P95, AucInterval::Logit).unwrap();
        assert!(logit.value == 1.0 && logit.limits.is_err());
        let newcombe = delong(sample, Level::P95, AucInterval::Newcombe).unwrap();
        let limits = newcombe.limits.unwrap();
        assert!(limits.low > 0.3 && limits.low < 0.9 && limits.high == 1.0);
    }

    #[test]
    fn clusters_without_a_variance_keep_the_value() {
        let sample = Scored::new(&PERFECT.0, &PERFECT.1).unwrap();
        for (ids, why) in [
            ([0, 1, 2, 3, 4], "the clustered variance is zero"),
            ([0, 1, 2, 3, 3], "fewer than two clusters hold a case, or a control"),
        ] {
            let estimate = clustered_delong(sample, &Clusters::new(&ids), Level::P95, AucInterval::Wald).unwrap();
            assert_eq!(estimate, Estimate::without_limits(1.0, why, 5));
        }
    }

    #[test]
    fn one_case_has_a_value_without_an_interval() {
        let sample = Scored::new(&[0.1, 0.5, 0.4], &[false, false, true]).unwrap();
        assert_eq!(auc(sample), Ok(0.5));
        let estimate = delong(sample, Level::P95, AucInterval::Wald).unwrap();
        assert!(estimate.value == 0.5 && estimate.limits.is_err());
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
        let estimate = delong(Scored::new(&scores, &truth).unwrap(), Level::P95, AucInterval::Wald).unwrap();
        assert_eq!((estimate.value, estimate.low()), (0.5, Some(0.5)));
    }

    #[test]
    fn equal_scores_do_not_differ() {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.3, 0.9];
        let truth = [false, false, true, true, false, true];
        let sample = Scored::new(&scores, &truth).unwrap();
        let test = paired_delong(sample, sample, Level::P95).unwrap();
        assert_eq!((test.statistic, test.p, test.difference.value), (0.0, 1.0, 0.0));
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
