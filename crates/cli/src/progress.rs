//! Progress of long work on standard error: a bar with the time left on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line is written where there is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// A progress bar of one piece of work of known length, on standard error.
pub struct Bar {
    label: String,
    total: u64,
    bar: Option<ProgressBar>,
    plain: Mutex<(Instant, Instant)>,
}

impl Bar {
    /// A bar named `label` over `total` steps.
    pub fn new(label: impl Into<String>, total: usize) -> Self {
        let label = label.into();
        let total = total as u64;
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix:<22} {wide_bar} {pos}/{len} {elapsed}<{eta} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style).with_prefix(label.clone())
        });
        let now = Instant::now();
        Self { label, total, bar, plain: Mutex::new((now, now)) }
    }

    /// Shows that `done` steps are over, with `message` beside the count.
    pub fn set(&self, done: usize, message: &str) {
        let done = done as u64;
        if let Some(bar) = &self.bar {
            bar.set_message(message.to_owned());
            bar.set_position(done);
            return;
        }
        let Ok(mut plain) = self.plain.lock() else { return };
        let (start, last) = *plain;
        if last.elapsed() < PLAIN_INTERVAL && done != self.total {
            return;
        }
        plain.1 = Instant::now();
        let elapsed = start.elapsed().as_secs_f64();
        let left = if done > 0 { elapsed / done as f64 * self.total.saturating_sub(done) as f64 } else { 0.0 };
        eprintln!("{}: {done}/{} {message} ({elapsed:.0} s, {left:.0} s left)", self.label, self.total);
    }

    /// Writes a line above the bar.
    pub fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Ends the bar, leaving its last state on the screen.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
