//! Bootstrap intervals of an area and of a difference of areas: a replicate costs no sort.

use super::{AUC, DIFFERENCE, auc};
use crate::bootstrap::{Bootstrap, percentile};
use crate::estimate::{Estimate, Undefined};
use crate::scored::{Groups, Scored, area};

/// The area with a bootstrap percentile interval; [`Resampling::Stratified`](crate::Resampling::Stratified) is pROC's default.
///
/// # Errors
/// Undefined without cases or controls, or when cluster lengths differ; as [`percentile`].
pub fn bootstrap(sample: Scored<'_>, how: &Bootstrap<'_>) -> Result<Estimate, Undefined> {
    let value = auc(sample)?;
    let groups = Groups::new(sample);
    let mut weights = GroupWeights::new(&groups);
    percentile((AUC, value), sample.truth(), how, |counts| {
        weights.fill(&groups, sample.truth(), counts);
        area(&weights.cases, &weights.controls)
    })
}

/// The difference of two areas on the same observations with a bootstrap percentile interval: both lists are resampled
/// together.
///
/// # Errors
/// As [`bootstrap`], and when the truths differ.
pub fn paired_bootstrap(a: Scored<'_>, b: Scored<'_>, how: &Bootstrap<'_>) -> Result<Estimate, Undefined> {
    a.require_same_truth(&b, DIFFERENCE)?;
    let value = auc(a)? - auc(b)?;
    let (groups_a, groups_b) = (Groups::new(a), Groups::new(b));
    let (mut weights_a, mut weights_b) = (GroupWeights::new(&groups_a), GroupWeights::new(&groups_b));
    percentile((DIFFERENCE, value), a.truth(), how, |counts| {
        weights_a.fill(&groups_a, a.truth(), counts);
        weights_b.fill(&groups_b, a.truth(), counts);
        Some(area(&weights_a.cases, &weights_a.controls)? - area(&weights_b.cases, &weights_b.controls)?)
    })
}

/// Bootstrap counts summed into groups of equal score; reused between replicates.
pub(crate) struct GroupWeights {
    pub cases: Vec<u64>,
    pub controls: Vec<u64>,
}

impl GroupWeights {
    pub fn new(groups: &Groups) -> Self {
        Self { cases: vec![0; groups.values.len()], controls: vec![0; groups.values.len()] }
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
