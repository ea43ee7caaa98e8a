//! How a run is carried out, and what came of it.

use std::path::PathBuf;

use super::history::EpochRecord;
use super::layout::StageLayout;
use crate::WeightsFormat;
use crate::backends::{Backend, threads_or_all};

/// Where and how a run is carried out; nothing here changes the resulting weights, except the back end.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// The folder that holds a folder for each run.
    pub runs: PathBuf,
    /// The folder of prepared films; `films` in `runs`, unless given.
    pub cache: Option<PathBuf>,
    /// Where the network runs.
    pub backend: Backend,
    /// Threads; all the processor's, unless given.
    pub threads: Option<usize>,
    /// Batches between checkpoints within an epoch; only at its end, unless given.
    pub checkpoint_every: Option<usize>,
    /// How the bundles' weights are stored.
    pub weights_format: WeightsFormat,
}

impl TrainOptions {
    /// Options for runs in a folder.
    pub fn new(runs: impl Into<PathBuf>) -> Self {
        TrainOptions {
            runs: runs.into(),
            cache: None,
            backend: Backend::default(),
            threads: None,
            checkpoint_every: None,
            weights_format: WeightsFormat::F32,
        }
    }

    pub(crate) fn threads(&self) -> usize {
        threads_or_all(self.threads)
    }

    pub(super) fn cache_folder(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(|| self.runs.join("films"))
    }
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOutcome {
    /// The run's folder.
    pub run: PathBuf,
    /// The bundle of the last stage; `None` if the run was stopped before.
    pub bundle: Option<PathBuf>,
    /// The stages that are done.
    pub stages: Vec<StageOutcome>,
}

/// The result of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StageOutcome {
    /// The stage's name.
    pub name: String,
    /// Its folder.
    pub layout: StageLayout,
    /// Its epochs.
    pub history: Vec<EpochRecord>,
}
