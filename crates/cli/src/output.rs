//! What a command says: JSON lines on standard output, errors with their causes and hints on standard error.

use std::fmt;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use coxa_files::whole;
use coxa_model::ModelError;
use coxa_schema::{ErrorKind, Hint as _};
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

/// The exit status of an error: 2 where the command was not understood, as a setting is out of range; 70 where the program is at fault;
/// else 1.
pub fn exit_status(error: &anyhow::Error) -> u8 {
    let kinds = error.chain().filter_map(kind_of);
    // Usage comes first: a setting out of range may show only deep within.
    kinds.min().unwrap_or(ErrorKind::Input).exit_status()
}

/// Whose fault an error is, where it knows.
fn kind_of(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    if let Some(error) = error.downcast_ref::<ModelError>() {
        return Some(error.kind());
    }
    if let Some(error) = error.downcast_ref::<StudyError>() {
        return Some(error.kind());
    }
    if let Some(error) = error.downcast_ref::<SimulateError>() {
        return Some(error.kind());
    }
    let is_usage = error.downcast_ref::<Hint>().is_some_and(|hint| hint.is_usage);
    is_usage.then_some(ErrorKind::Usage)
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
        own.or_else(|| cause.downcast_ref::<ModelError>()?.hint())
            .or_else(|| cause.downcast_ref::<SimulateError>()?.hint())
            .or_else(|| coxa_schema::Hint::hint(cause.downcast_ref::<StudyError>()?))
    };
    if let Some(hint) = error.chain().find_map(way_out) {
        eprintln!("hint: {hint}");
    }
    if exit_status(error) == ErrorKind::Internal.exit_status() {
        eprintln!("hint: this is a fault of the program; please report it");
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

/// Writes a file whole or not at all.
///
/// # Errors
/// When it cannot be written; nothing is left of it then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    whole::write_whole(path, bytes).with_context(|| format!("{}", path.display()))
}
