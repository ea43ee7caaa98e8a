//! Importers of public sets: each reads a set in its own layout and writes a new dataset folder, whole or not at all.
//!
//! A file that cannot be taken (truncated, the content of another, a contradiction) is named in the report and the others
//! are imported. Pixels are never decoded here: only the marks at a file's ends are checked, and what the caller's [`Look`] inspects.

pub mod folders;
pub mod fracatlas;
pub mod mura;
mod staging;

pub use folders::{FolderOptions, Folders, PatientSource, folders};
pub use fracatlas::{Films, FracAtlasOptions, fracatlas};
pub use mura::mura;
pub use staging::{Files, Look, Refused, Seen, Staging, Stored, check_ends, no_look};

use std::fs;
use std::path::{Path, PathBuf};

use coxa_files::find;

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

/// All films below a folder, in the order of their names, and what a person should know of the search.
fn films_below(folder: &Path) -> Result<(Vec<PathBuf>, Vec<String>), CohortError> {
    let found = find::films_below(folder);
    if let Some((path, reason)) = found.unreadable.into_iter().next() {
        return Err(CohortError::Io { path, source: std::io::Error::other(reason) });
    }
    let mut notes = Vec::new();
    if !found.others.is_empty() {
        notes.push(format!("left out, being no film by name and first bytes: {}", listed(folder, &found.others)));
    }
    if !found.repeated.is_empty() {
        notes.push(format!("links to a folder that was searched already: {}", listed(folder, &found.repeated)));
    }
    Ok((found.films, notes))
}

/// How many paths there are, and the first of them.
fn listed(folder: &Path, paths: &[PathBuf]) -> String {
    const NAMED: usize = 5;
    let parent = folder.parent().unwrap_or(folder);
    let named: Vec<_> =
        paths.iter().take(NAMED).map(|path| path.strip_prefix(parent).unwrap_or(path).display().to_string()).collect();
    let more = if paths.len() > NAMED { ", …" } else { "" };
    format!("{} ({}{more})", paths.len(), named.join(", "))
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
