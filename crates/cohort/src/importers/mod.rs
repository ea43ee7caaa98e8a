//! Importers of public sets: each reads a set in its own layout and writes a new dataset folder, whole or not at all.
//!
//! A file that cannot be taken (truncated, the content of another, a contradiction) is named in the report and the others
//! are imported. Pixels are never decoded here: only the marks at a file's ends are looked at, and what the caller's [`Look`] sees.

pub mod folders;
pub mod fracatlas;
pub mod mura;
mod staging;

pub use folders::{FolderOptions, Folders, Patients, folders};
pub use fracatlas::{Films, FracAtlasOptions, fracatlas};
pub use mura::mura;
pub use staging::{Files, Look, Refused, Seen, Staging, Stored, check_ends, no_look};

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::CohortError;
use crate::flow::Flow;

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// How many films were imported.
    pub imported: usize,
    /// The files that were not, each with its reason.
    pub refused: Vec<Refused>,
    /// Anything else that a person should know.
    pub notes: Vec<String>,
    /// The flow of films.
    pub flow: Flow,
}

/// The files that are read as films, by their ending.
const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "tif", "tiff", "dcm", "dicom"];

/// All films below a folder, in the order of their names; hidden files and folders are passed over.
fn films_below(folder: &Path) -> Result<Vec<PathBuf>, CohortError> {
    let mut films = Vec::new();
    for path in sorted_entries(folder)? {
        if path.is_dir() {
            films.extend(films_below(&path)?);
        } else if has_film_ending(&path) {
            films.push(path);
        }
    }
    Ok(films)
}

fn has_film_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
}

/// The entries of a folder that are not hidden, by name.
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, CohortError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(CohortError::io(folder))? {
        let entry = entry.map_err(CohortError::io(folder))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn stem_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
