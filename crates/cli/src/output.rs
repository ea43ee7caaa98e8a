//! What a command says: JSON lines on standard output, errors with their causes and hints on standard error.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use coxa_model::ModelError;
use coxa_simulate::SimulateError;
use coxa_study::StudyError;
use serde::Serialize;

/// How a command ended that did not fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// So many inputs failed, each named on standard error; the others were done.
    SomeFailed(usize),
}

impl Outcome {
    /// The outcome when `n` inputs failed.
    pub fn of_failures(n: usize) -> Self {
        if n == 0 { Self::Done } else { Self::SomeFailed(n) }
    }
}

/// An error whose last line tells the way out.
#[derive(Debug)]
pub struct Hint {
    message: String,
    hint: String,
    is_usage: bool,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hint {}

/// An error with a hint.
pub fn hint(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hint { message: message.into(), hint: hint.into(), is_usage: false })
}

/// An error of the command line's own, with a hint.
pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hint { message: message.into(), hint: hint.into(), is_usage: true })
}

/// The exit status of an error: 2 where the command was not understood, as a setting is out of range; else 1.
pub fn exit_status(error: &anyhow::Error) -> u8 {
    let is_usage = error.chain().any(|cause| {
        let model = cause.downcast_ref::<ModelError>();
        let of_model =
            matches!(model, Some(ModelError::Setting(_) | ModelError::Recipe { .. } | ModelError::NoDataset { .. }));
        let of_simulator = matches!(cause.downcast_ref::<SimulateError>(), Some(SimulateError::Setting { .. }));
        let of_study = matches!(cause.downcast_ref::<StudyError>(), Some(StudyError::Setting { .. }));
        of_model || of_simulator || of_study || cause.downcast_ref::<Hint>().is_some_and(|hint| hint.is_usage)
    });
    if is_usage { 2 } else { 1 }
}

/// Writes an error, its causes on the same line, and its hint on the next.
pub fn report_error(error: &anyhow::Error) {
    let mut line = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Library errors often quote their source already.
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    eprintln!("error: {line}");
    let way_out = |cause: &(dyn std::error::Error + 'static)| {
        let own = cause.downcast_ref::<Hint>().map(|hint| hint.hint.clone());
        own.or_else(|| cause.downcast_ref::<ModelError>()?.hint().map(str::to_owned))
    };
    if let Some(hint) = error.chain().find_map(way_out) {
        eprintln!("hint: {hint}");
    }
}

/// Prints one JSON object as a line and flushes, so that a reader at the other end of a pipe sees it at once.
///
/// # Errors
/// When standard output is closed.
pub fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// Where a file is written until it is whole: hidden, beside its place, and of this process alone.
///
/// # Errors
/// When `path` is something else than a file: a folder, a device.
pub fn partial_path(path: &Path) -> anyhow::Result<PathBuf> {
    if path.exists() && !path.is_file() {
        anyhow::bail!("{}: not a file, so it cannot be written whole; name a file", path.display());
    }
    hidden_beside(path)
}

/// The hidden name, of this process alone, under which a file or folder is made beside its place.
fn hidden_beside(path: &Path) -> anyhow::Result<PathBuf> {
    let name = path.file_name().with_context(|| format!("{}: the path has no name", path.display()))?;
    Ok(path.with_file_name(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id())))
}

/// Writes a file whole or not at all.
///
/// # Errors
/// When it cannot be written; nothing is left of it then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let partial = partial_path(path)?;
    let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // What cannot be removed was never made.
        let _ = std::fs::remove_file(&partial);
    }
    written.with_context(|| format!("{}", path.display()))
}

/// A folder that is filled beside its place and then moved there; dropped before, it is removed.
pub struct PartialFolder(PathBuf);

impl PartialFolder {
    /// Makes it.
    ///
    /// # Errors
    /// When the folder it will become has no name, or the disk refuses.
    pub fn beside(folder: &Path) -> anyhow::Result<Self> {
        let partial = hidden_beside(folder)?;
        std::fs::create_dir_all(&partial).with_context(|| format!("{}", folder.display()))?;
        Ok(Self(partial))
    }

    /// Where it is while it is filled.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves it to its place.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(self, folder: &Path) -> anyhow::Result<()> {
        std::fs::rename(&self.0, folder).with_context(|| format!("{}", folder.display()))
    }
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        // After `keep` there is nothing to remove; before, there is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
