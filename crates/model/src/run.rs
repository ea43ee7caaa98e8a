//! A training run on disk: its folder, what it records of itself, and the lock that keeps two processes from training it at once.
//!
//! ```text
//! runs/<recipe>-<n>/
//!   recipe.toml  environment.json  lock
//!   1-<stage>/  split.csv  history.csv  events.out.tfevents.coxa  last.safetensors  best.safetensors  bundle/
//!   2-<stage>/  …
//!   bundle/     the last stage's
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use crate::train::TrainOptions;
use crate::{ModelError, Recipe, WeightsFormat, files};

/// The file that says what a run was made with.
const ENVIRONMENT: &str = "environment.json";

/// What a run that goes on needs of it.
#[derive(Deserialize)]
struct Recorded {
    /// Runs from before this was recorded could be resumed in either format.
    #[serde(default)]
    weights: WeightsFormat,
}

/// A run's folder, locked for this process until it is dropped (or the process ends, in whatever way).
pub(crate) struct Run {
    pub folder: PathBuf,
    _lock: File,
}

impl Run {
    /// Makes a new folder for the recipe's run.
    pub(crate) fn create(recipe: &Recipe, options: &TrainOptions) -> Result<Run, ModelError> {
        let folder = files::create_numbered(&options.runs, &recipe.name)?;
        let run = Run { _lock: lock(&folder)?, folder };
        run.record_environment(options)?;
        // The last: where there is a recipe, the run can go on.
        files::write_whole(&run.folder.join("recipe.toml"), recipe.to_toml()?.as_bytes())?;
        Ok(run)
    }

    /// Opens a run that exists, with its recipe and the format of its bundles.
    pub(crate) fn open(folder: &Path) -> Result<(Run, Recipe, WeightsFormat), ModelError> {
        let recipe = Recipe::load(&folder.join("recipe.toml"))?;
        let path = folder.join(ENVIRONMENT);
        let environment: Recorded =
            serde_json::from_str(&files::read_text(&path)?).map_err(|error| ModelError::format(&path, error))?;
        Ok((Run { _lock: lock(folder)?, folder: folder.to_path_buf() }, recipe, environment.weights))
    }

    fn record_environment(&self, options: &TrainOptions) -> Result<(), ModelError> {
        let environment = json!({
            "program": format!("coxa {}", env!("CARGO_PKG_VERSION")),
            "system": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "kernels": format!("{:?}", coxa_engine::cpu()),
            "backend": options.backend.to_string(),
            "threads": options.threads(),
            "weights": options.weights_format,
        });
        let path = self.folder.join(ENVIRONMENT);
        let text = serde_json::to_string_pretty(&environment).map_err(|error| ModelError::format(&path, error))?;
        files::write_whole(&path, format!("{text}\n").as_bytes())
    }
}

fn lock(folder: &Path) -> Result<File, ModelError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path).map_err(ModelError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(ModelError::Resume { path: folder.to_path_buf(), reason: "another process trains this run".into() })
        }
        Err(TryLockError::Error(source)) => Err(ModelError::Io { path, source }),
    }
}
