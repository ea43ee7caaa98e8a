//! What happens in a training, and who observes it.

use std::path::Path;

use super::history::EpochRecord;
use crate::bundle::Card;

/// Something that happened in a training.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run's folder stands.
    Run {
        /// The folder.
        folder: &'a Path,
    },
    /// Films are decoded and prepared.
    Preparing {
        /// The stage.
        stage: &'a str,
        /// Films done.
        done: usize,
        /// Films in all.
        total: usize,
    },
    /// A stage begins, or is resumed.
    StageStarted {
        /// The stage.
        stage: &'a str,
        /// Its place, from 0.
        index: usize,
        /// The recipe's stages.
        n_stages: usize,
        /// The classes.
        classes: &'a [String],
        /// Films to train on.
        n_train: usize,
        /// Films to validate on.
        n_validation: usize,
        /// Epochs in all.
        epochs: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Epochs done before the run was interrupted.
        epochs_done: usize,
    },
    /// Some of the films to validate on are known to the bundle that the stage starts from: figures on them are no test.
    ValidationSeen {
        /// The stage.
        stage: &'a str,
        /// Films to validate on that the bundle was trained or validated on.
        seen: usize,
        /// Films to validate on.
        of: usize,
    },
    /// Something that a user should know of.
    Note {
        /// The stage.
        stage: &'a str,
        /// One sentence.
        text: &'a str,
    },
    /// A batch was learned from.
    Batch {
        /// The stage.
        stage: &'a str,
        /// The epoch, from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// The batch, from 1.
        batch: usize,
        /// Batches in an epoch.
        batches: usize,
        /// The batch's loss.
        loss: f32,
        /// Fraction of the epoch's films so far that were classified right.
        accuracy: f64,
        /// The learning rate.
        learning_rate: f64,
        /// An estimate of the time until the stage is done.
        seconds_left: f64,
    },
    /// The normalizations' statistics are measured.
    Measuring {
        /// The stage.
        stage: &'a str,
        /// Batches done.
        done: usize,
        /// Batches in all.
        total: usize,
    },
    /// Validation films were classified.
    Validating {
        /// The stage.
        stage: &'a str,
        /// Films done.
        done: usize,
        /// Films in all.
        total: usize,
    },
    /// An epoch is done and its checkpoint written.
    Epoch {
        /// The stage.
        stage: &'a str,
        /// Its figures.
        record: &'a EpochRecord,
        /// Whether its validation loss is the least so far.
        improved: bool,
        /// Seconds in which the network waited for films to be read and augmented, but for the epoch's first batch.
        waited: f64,
    },
    /// A stage is done and its bundle written.
    StageFinished {
        /// The stage.
        stage: &'a str,
        /// The bundle's folder.
        bundle: &'a Path,
        /// The bundle's card.
        card: &'a Card,
    },
}

/// How a training is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// On.
    Continue,
    /// Stop; a checkpoint is written first where a batch has just been learned from.
    Stop,
    /// Stop at once and write nothing, as if the process had been killed.
    Abandon,
}

/// Observes a training.
pub trait Observer {
    /// Takes an event and decides how the training goes on.
    fn on(&mut self, event: &Event<'_>) -> Control;
}

impl<F: FnMut(&Event<'_>) -> Control> Observer for F {
    fn on(&mut self, event: &Event<'_>) -> Control {
        self(event)
    }
}

/// Observes nothing and lets the training run to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn on(&mut self, _: &Event<'_>) -> Control {
        Control::Continue
    }
}
