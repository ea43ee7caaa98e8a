//! What a command says: JSON lines on standard output, errors with their causes and hints on standard error.

use std::fmt;
use std::io::Write;

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
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hint {}

/// An error with a hint.
pub fn hint(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hint { message: message.into(), hint: hint.into() })
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
    if let Some(hint) = error.chain().find_map(|cause| cause.downcast_ref::<Hint>()) {
        eprintln!("hint: {}", hint.hint);
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
