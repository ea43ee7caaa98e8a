//! Training: the recipe's stages one after the other, each a loop over epochs that can be interrupted at any moment and resumed to the
//! same weights, bit for bit.
//!
//! `epochs` is the loop; `data` loads, splits and prepares its films, `start` gives its first weights, and `card` puts the bundle
//! together.

mod anchors;
mod batches;
mod beside;
mod boxes;
pub mod cache;
mod card;
mod checkpoint;
mod context;
mod data;
mod epochs;
pub mod history;
pub mod layout;
mod options;
mod patches;
mod plan;
pub mod progress;
mod run;
mod schedule;
mod start;
mod tensorboard;
mod validation;
mod variation;

use std::path::Path;

use coxa_cohort::Dataset;
use coxa_files::whole;

use context::Context;
pub use layout::{RunLayout, StageLayout};
pub use options::{RunOutcome, StageOutcome, TrainOptions};
use progress::{Event, Observer};
use run::Run;

use crate::{Bundle, ModelError, Recipe, files};

/// Trains by a recipe in a new folder.
///
/// # Errors
/// When a data set or its films cannot be read, the recipe does not fit the data, the loss stops being a number, or something cannot
/// be written.
pub fn train(recipe: &Recipe, options: &TrainOptions, observer: &mut dyn Observer) -> Result<RunOutcome, ModelError> {
    recipe.check().map_err(|reason| ModelError::Recipe { origin: recipe.name.clone(), reason })?;
    // What is wrong with a data set's tables is reported before a run's folder is made.
    for stage in &recipe.stages {
        let folder = stage.dataset.as_ref().ok_or_else(|| ModelError::NoDataset { stage: stage.name.clone() })?;
        Dataset::load(folder)?;
    }
    let run = Run::create(recipe, options)?;
    run_stages(recipe, &run, options, observer)
}

/// Resumes a run at its last checkpoint.
///
/// # Errors
/// As [`train`], and when another process trains the run or its films have changed.
pub fn resume(folder: &Path, options: &TrainOptions, observer: &mut dyn Observer) -> Result<RunOutcome, ModelError> {
    let (run, recipe, weights_format) = Run::open(folder)?;
    run_stages(&recipe, &run, &TrainOptions { weights_format, ..options.clone() }, observer)
}

fn run_stages(
    recipe: &Recipe,
    run: &Run,
    options: &TrainOptions,
    observer: &mut dyn Observer,
) -> Result<RunOutcome, ModelError> {
    let folder = run.layout.folder();
    observer.on(&Event::Run { folder });
    let mut outcome = RunOutcome { run: folder.to_path_buf(), bundle: None, stages: Vec::new() };
    let mut previous: Option<Bundle> = None;
    for (index, stage) in recipe.stages.iter().enumerate() {
        let layout = run.layout.stage(index, &stage.name);
        let bundle_folder = layout.bundle();
        let bundle = if bundle_folder.exists() {
            Bundle::load(&bundle_folder)?
        } else {
            files::create_folder(layout.folder())?;
            whole::sweep(layout.folder());
            let context = Context { recipe, stage, index, layout: &layout, options, key: &run.key };
            match epochs::train_stage(&context, previous.as_ref(), observer)? {
                Some(bundle) => {
                    let seen = bundle.seen().union(&start::seen_by_start(&stage.start, previous.as_ref()));
                    bundle.with_seen(seen).save(&bundle_folder, options.weights_format)?
                }
                None => return Ok(outcome),
            }
        };
        observer.on(&Event::StageFinished { stage: &stage.name, bundle: &bundle_folder, card: bundle.card() });
        outcome.stages.push(StageOutcome {
            name: stage.name.clone(),
            history: history::read_csv(&layout.history())?,
            layout,
        });
        previous = Some(bundle);
    }
    whole::sweep(folder);
    let folder = run.layout.bundle();
    if let Some(bundle) = previous.filter(|_| !folder.exists()) {
        bundle.save(&folder, options.weights_format)?;
    }
    outcome.bundle = Some(folder);
    Ok(outcome)
}
