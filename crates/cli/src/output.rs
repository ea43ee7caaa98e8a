//! What a command prints: JSON lines on standard output; errors with their causes and hints, and notes, on standard error.

use std::error::Error;
use std::io::{self, Write};

use coxa_cohort::CohortError;
use coxa_collect::CollectError;
use coxa_deidentify::DeidentifyError;
use coxa_dimse::DimseError;
use coxa_model::ModelError;
use coxa_schema::{ErrorKind, Hint};
use coxa_serve::NodeError;
use coxa_serve::backup::BackupError;
use coxa_simulate::SimulateError;
use coxa_study::StudyError;
use coxa_workflow::WorkflowError;
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

/// An error of the command line itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct UsageError {
    message: String,
    hint: String,
}

impl Hint for UsageError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

/// An error of the command line itself, with a hint.
pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(UsageError { message: message.into(), hint: hint.into() })
}

/// What is known of an error besides its message.
struct Judgment {
    kind: ErrorKind,
    hint: Option<String>,
}

/// The judgment of the first cause that has one: every crate's error that knows whose fault it is.
fn judge(error: &anyhow::Error) -> Judgment {
    let judged = error.chain().find_map(|cause| {
        of::<UsageError>(cause)
            .or_else(|| of::<WorkflowError>(cause))
            .or_else(|| of::<CohortError>(cause))
            .or_else(|| of::<StudyError>(cause))
            .or_else(|| of::<SimulateError>(cause))
            .or_else(|| of::<ModelError>(cause))
            .or_else(|| of::<DeidentifyError>(cause))
            .or_else(|| of::<CollectError>(cause))
            .or_else(|| of::<NodeError>(cause))
            .or_else(|| of::<BackupError>(cause))
            .or_else(|| of::<DimseError>(cause))
    });
    let Judgment { kind, hint } = judged.unwrap_or(Judgment { kind: ErrorKind::Input, hint: None });
    let hint = if kind == ErrorKind::Internal { Some(OUR_FAULT.to_owned()) } else { hint };
    Judgment { kind, hint }
}

fn of<E: Hint + 'static>(cause: &(dyn Error + 'static)) -> Option<Judgment> {
    cause.downcast_ref::<E>().map(|error| Judgment { kind: error.kind(), hint: error.hint() })
}

/// The hint of an internal error.
const OUR_FAULT: &str = "this is a fault of the program: please report it";

/// Writes an error with its causes on one line and its hint on the next, and returns the exit status.
pub fn report_error(error: &anyhow::Error) -> u8 {
    let mut line = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Library errors often quote their source already.
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    let Judgment { kind, hint } = judge(error);
    eprintln!("error: {line}");
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
    kind.exit_status()
}

/// Whether an error is a closed standard output, as in `coxa predict … --json | head`: the end, and no fault.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_closed))
}

/// Writes that the program panicked, after the panic's own lines, and returns the exit status.
pub fn report_panic() -> u8 {
    eprintln!("hint: {OUR_FAULT}");
    ErrorKind::Internal.exit_status()
}

/// Prints one JSON object as a line and flushes, so that a program at the other end of a pipe gets it at once.
///
/// # Errors
/// When standard output is closed.
pub fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(write_json_line(value)?)
}

/// [`json_line`] with the system's error.
///
/// # Errors
/// When standard output is closed.
pub fn write_json_line(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Some names in one line, and how many more there are.
pub fn some_of<T>(all: &[T], name: impl Fn(&T) -> String) -> String {
    const MOST: usize = 8;
    let named: Vec<String> = all.iter().take(MOST).map(name).collect();
    match all.len().saturating_sub(MOST) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_s_kind_and_hint_are_found_below_its_context() {
        let status = |error: anyhow::Error| judge(&error.context("importing")).kind.exit_status();
        assert_eq!(status(usage("--size 33", "a multiple of 32")), 2);
        assert_eq!(status(WorkflowError::from(ModelError::Setting("the threshold is 7".into())).into()), 2);
        assert_eq!(status(ModelError::Setting("the threshold is 7".into()).into()), 2);
        assert_eq!(status(WorkflowError::Stopped("reading".into()).into()), 1);
        assert_eq!(status(anyhow::anyhow!("of no crate")), 1);
        let internal = anyhow::Error::new(WorkflowError::Internal("no prediction".into()));
        let Judgment { kind, hint } = judge(&internal);
        assert_eq!((kind.exit_status(), hint.as_deref()), (70, Some(OUR_FAULT)));
        let hint = judge(&usage("--size 33", "a multiple of 32")).hint;
        assert_eq!(hint.as_deref(), Some("a multiple of 32"));
    }

    #[test]
    fn a_closed_pipe_is_known_below_other_errors() {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&WorkflowError::Results(closed()).into()));
        assert!(is_closed_pipe(&Err::<(), _>(closed()).context("printing").unwrap_err()));
        assert!(!is_closed_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    }

    #[test]
    fn of_many_names_some_are_listed() {
        let name = |n: &usize| n.to_string();
        assert_eq!(some_of(&[1, 2], name), "1, 2");
        assert_eq!(some_of(&(0..10).collect::<Vec<_>>(), name), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
