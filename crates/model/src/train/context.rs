//! What every part of a stage's training needs to know.

use super::layout::StageLayout;
use super::options::TrainOptions;
use crate::ModelError;
use crate::bundle::PatientKey;
use crate::recipe::{Recipe, Stage};

/// One stage of a run.
pub(super) struct Context<'a> {
    pub recipe: &'a Recipe,
    pub stage: &'a Stage,
    /// The stage's place in the recipe, from 0.
    pub index: usize,
    pub layout: &'a StageLayout,
    pub options: &'a TrainOptions,
    pub key: &'a PatientKey,
}

impl Context<'_> {
    /// The stage's seed: the recipe's, a different one for each name, so that a stage has the same order of films whatever stages come
    /// before it. (The split has the recipe's own, so that stages of one data set hold out the same patients.)
    pub(super) fn seed(&self) -> u64 {
        // FNV-1a.
        let name = self.stage.name.bytes();
        name.fold(self.recipe.seed ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }) & (i64::MAX as u64)
    }

    /// The error that the stage's films cannot be trained on as they are.
    pub(super) fn fault(&self, reason: impl Into<String>) -> ModelError {
        ModelError::data(&self.stage.name, reason)
    }
}
