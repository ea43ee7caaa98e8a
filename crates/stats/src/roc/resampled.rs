//! Bootstrap intervals of the curve's coordinates and partial areas.

use super::partial::{Correction, Focus, Part, clipped_area};
use super::{Roc, interpolate};
use crate::auc::GroupWeights;
use crate::bootstrap::{Bootstrap, percentile};
use crate::estimate::{Estimate, Undefined};
use crate::scored::{Groups, Scored};

/// [`Roc::sensitivity_at`] with a bootstrap percentile interval, as pROC's `ci.se` (whose estimate is the replicates' median;
/// this is the curve's own value).
///
/// # Errors
/// Undefined without cases or controls or outside [0, 1], and as the bootstrap.
pub fn sensitivity_at_specificity(
    sample: Scored<'_>,
    specificity: f64,
    how: &Bootstrap<'_>,
) -> Result<Estimate, Undefined> {
    let value = Roc::new(sample)?.sensitivity_at(specificity)?;
    let statistic = "sensitivity at a specificity";
    curve_bootstrap(sample, (statistic, value), how, |vertices| {
        Some(interpolate(vertices.iter().map(|v| (v.specificity, v.sensitivity)), specificity))
    })
}

/// [`Roc::specificity_at`] with a bootstrap percentile interval, as pROC's `ci.sp`.
///
/// # Errors
/// As [`sensitivity_at_specificity`].
pub fn specificity_at_sensitivity(
    sample: Scored<'_>,
    sensitivity: f64,
    how: &Bootstrap<'_>,
) -> Result<Estimate, Undefined> {
    let value = Roc::new(sample)?.specificity_at(sensitivity)?;
    let statistic = "specificity at a sensitivity";
    curve_bootstrap(sample, (statistic, value), how, |vertices| {
        Some(interpolate(vertices.iter().rev().map(|v| (v.sensitivity, v.specificity)), sensitivity))
    })
}

/// [`Roc::partial_auc`] with a bootstrap percentile interval. As in pROC, a replicate's corrected area may fall below 0.5.
///
/// # Errors
/// As [`Roc::partial_auc`], and as the bootstrap.
pub fn partial_auc(sample: Scored<'_>, part: Part, how: &Bootstrap<'_>) -> Result<Estimate, Undefined> {
    let value = Roc::new(sample)?.partial_auc(part)?;
    curve_bootstrap(sample, ("partial AUC", value), how, |vertices| {
        let raw = match part.focus {
            Focus::Specificity => clipped_area(vertices.iter().map(|v| (v.specificity, v.sensitivity)), part),
            Focus::Sensitivity => clipped_area(vertices.iter().rev().map(|v| (v.sensitivity, v.specificity)), part),
        };
        Some(match part.correction {
            Correction::Raw => raw,
            Correction::McClish => part.corrected(raw),
        })
    })
}

/// A vertex of a resampled curve.
struct Vertex {
    sensitivity: f64,
    specificity: f64,
}

fn curve_bootstrap(
    sample: Scored<'_>,
    statistic: (&'static str, f64),
    how: &Bootstrap<'_>,
    statistic_of: impl Fn(&[Vertex]) -> Option<f64>,
) -> Result<Estimate, Undefined> {
    let groups = Groups::new(sample);
    let mut weights = GroupWeights::new(&groups);
    let mut vertices = Vec::with_capacity(groups.values.len() + 1);
    percentile(statistic, sample.truth(), how, |counts| {
        weights.fill(&groups, sample.truth(), counts);
        let cases: u64 = weights.cases.iter().sum();
        let controls: u64 = weights.controls.iter().sum();
        if cases == 0 || controls == 0 {
            return None;
        }
        vertices.clear();
        let (mut tp, mut tn) = (cases, 0);
        let mut push = |tp: u64, tn: u64| {
            vertices.push(Vertex { sensitivity: tp as f64 / cases as f64, specificity: tn as f64 / controls as f64 });
        };
        push(tp, tn);
        for (&case, &control) in weights.cases.iter().zip(&weights.controls) {
            tp -= case;
            tn += control;
            push(tp, tn);
        }
        statistic_of(&vertices)
    })
}
