//! The events of a piece of work on standard error: notes, failures, bars, and a training's epochs.

use std::time::{Duration, Instant};

use coxa_model::{Control, Event};
use coxa_workflow::{WorkEvent, WorkObserver};

use crate::progress::Bar;

/// Work that takes no longer than this shows no bar.
const SHORT: Duration = Duration::from_secs(1);

/// Shows events as they come; never stops the work.
#[derive(Default)]
pub struct Screen {
    bar: Option<(String, Bar)>,
    /// The work that may get a bar, and when it began.
    waiting: Option<(String, Instant)>,
}

impl WorkObserver for Screen {
    fn on(&mut self, event: &WorkEvent<'_>) -> Control {
        match event {
            WorkEvent::Begun(part) => self.line(part),
            WorkEvent::Steps { what, done, total } => self.steps(what, *done, *total),
            WorkEvent::Note(note) => self.line(&format!("note: {note}")),
            WorkEvent::Failed(failure) => {
                self.line(&format!("error: {}", failure.error));
                if let Some(hint) = &failure.hint {
                    self.line(&format!("hint: {hint}"));
                }
            }
            WorkEvent::Training(event) => self.training(event),
            _ => {}
        }
        Control::Continue
    }
}

impl Screen {
    /// Ends the bar, if there is one.
    pub fn finish(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish();
        }
        self.waiting = None;
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some((_, bar)) => bar.line(line),
            None => eprintln!("{line}"),
        }
    }

    /// A bar for work that is not over soon.
    fn steps(&mut self, what: &str, done: usize, total: usize) {
        if self.bar.as_ref().is_some_and(|(name, _)| name == what) {
            self.bar(what, total).set(done, "");
            return;
        }
        match &self.waiting {
            Some((name, start)) if name == what => {
                if start.elapsed() > SHORT {
                    self.bar(what, total).set(done, "");
                }
            }
            _ => {
                self.finish();
                self.waiting = Some((what.to_owned(), Instant::now()));
            }
        }
    }

    fn training(&mut self, event: &Event<'_>) {
        match event {
            Event::Run { folder } => eprintln!("run {}", folder.display()),
            Event::Preparing { stage, done, total } => self.bar(&format!("{stage}: preparing"), *total).set(*done, ""),
            Event::StageStarted {
                stage,
                index,
                n_stages,
                classes,
                n_train,
                n_validation,
                epochs,
                batches,
                epochs_done,
            } => {
                self.finish();
                eprintln!(
                    "stage {} of {n_stages}, {stage}: {n_train} films to train on, {n_validation} to validate on, {}; {epochs} epochs of {batches} batches",
                    index + 1,
                    classes.join(" / "),
                );
                if *epochs_done > 0 {
                    eprintln!("resumed after epoch {epochs_done}");
                }
            }
            Event::ValidationSeen { stage, seen, of } => {
                self.finish();
                eprintln!(
                    "note: {stage} starts from a bundle that was trained or validated on {seen} of the {of} films to validate on: its \
                     figures and threshold are no test"
                );
            }
            Event::Note { stage, text } => {
                self.finish();
                eprintln!("note: {stage}: {text}");
            }
            Event::Batch { stage, epoch, epochs, batch, batches, loss, accuracy, seconds_left, .. } => {
                let message = format!(
                    "loss {loss:.4} accuracy {:.1}%, stage done in {}",
                    accuracy * 100.0,
                    duration(*seconds_left)
                );
                self.bar(&format!("{stage} {epoch}/{epochs}"), *batches).set(*batch, &message);
            }
            Event::Measuring { stage, done, total } => self.bar(&format!("{stage}: statistics"), *total).set(*done, ""),
            Event::Validating { stage, done, total } => {
                self.bar(&format!("{stage}: validating"), *total).set(*done, "")
            }
            Event::Epoch { stage, record, improved, waited } => {
                self.finish();
                let auc = record.val_auc.map_or(String::new(), |auc| format!(", AUC {auc:.4}"));
                eprintln!(
                    "{stage} epoch {}: loss {:.4}, accuracy {:.1}%; validation loss {:.4}, accuracy {:.1}%{auc}{} ({:.0} s, of which {waited:.1} s waiting for films)",
                    record.epoch,
                    record.train_loss,
                    record.train_accuracy * 100.0,
                    record.val_loss,
                    record.val_accuracy * 100.0,
                    if *improved { ", best so far" } else { "" },
                    record.seconds,
                );
            }
            Event::StageFinished { stage, bundle, .. } => {
                self.finish();
                eprintln!("{stage}: {}", bundle.display());
            }
            _ => {}
        }
    }

    fn bar(&mut self, label: &str, total: usize) -> &Bar {
        if let Some((_, old)) = self.bar.take_if(|(name, _)| name != label) {
            old.finish();
        }
        let (_, bar) = self.bar.get_or_insert_with(|| (label.to_owned(), Bar::new(label, total)));
        bar
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.finish();
    }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}
