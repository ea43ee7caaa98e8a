//! A training run that this process holds: what the run records of itself, and the lock that keeps two processes from training it at
//! once.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::layout::RunLayout;
use super::options::TrainOptions;
use crate::bundle::PatientKey;
use crate::{ModelError, Recipe, WeightsFormat, files};

/// What a run that is resumed needs of its record.
#[derive(Deserialize)]
struct Recorded {
    /// Runs from before this was recorded could be resumed in either format.
    #[serde(default)]
    weights: WeightsFormat,
}

/// A run, locked for this process until it is dropped (or the process ends, in whatever way).
pub(super) struct Run {
    pub layout: RunLayout,
    pub key: PatientKey,
    _lock: File,
}

impl Run {
    /// Makes a new folder for the recipe's run.
    pub(super) fn create(recipe: &Recipe, options: &TrainOptions) -> Result<Run, ModelError> {
        let layout = RunLayout::create(&options.runs, &recipe.name)?;
        let lock = lock(&layout)?;
        record_environment(&layout, options)?;
        let key = key(&layout)?;
        // The last: where there is a recipe, the run can be resumed.
        files::write_whole(&layout.recipe(), recipe.to_toml()?.as_bytes())?;
        Ok(Run { layout, key, _lock: lock })
    }

    /// Opens a run that exists, with its recipe and the format of its bundles.
    pub(super) fn open(folder: &Path) -> Result<(Run, Recipe, WeightsFormat), ModelError> {
        let layout = RunLayout::new(folder);
        let recipe = Recipe::load(&layout.recipe())?;
        let path = layout.environment();
        let environment: Recorded =
            serde_json::from_str(&files::read_text(&path)?).map_err(|error| ModelError::format(&path, error))?;
        let lock = lock(&layout)?;
        let key = key(&layout)?;
        Ok((Run { layout, key, _lock: lock }, recipe, environment.weights))
    }
}

fn record_environment(layout: &RunLayout, options: &TrainOptions) -> Result<(), ModelError> {
    let environment = json!({
        "program": format!("coxa {}", env!("CARGO_PKG_VERSION")),
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "kernels": format!("{:?}", coxa_engine::cpu()),
        "backend": options.backend.to_string(),
        "threads": options.threads(),
        "weights": options.weights_format,
    });
    let path = layout.environment();
    let text = serde_json::to_string_pretty(&environment).map_err(|error| ModelError::format(&path, error))?;
    files::write_whole(&path, format!("{text}\n").as_bytes())
}

/// The run's key; runs from before there were keys get one.
fn key(layout: &RunLayout) -> Result<PatientKey, ModelError> {
    let path = layout.patient_key();
    if path.exists() {
        return PatientKey::load(&path);
    }
    let key = PatientKey::random()?;
    key.save(&path)?;
    Ok(key)
}

fn lock(layout: &RunLayout) -> Result<File, ModelError> {
    let path = layout.lock();
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path).map_err(ModelError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let path = layout.folder().to_path_buf();
            Err(ModelError::Resume { path, reason: "another process trains this run".into() })
        }
        Err(TryLockError::Error(source)) => Err(ModelError::Io { path, source }),
    }
}
