//! What a piece of work reports while it runs.

use coxa_model::{Control, Event};
use coxa_schema::Hint;

/// Something that happened in a piece of work.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkEvent<'a> {
    /// A part of the work begins, named in a few words.
    Begun(&'a str),
    /// So many steps are done.
    Steps {
        /// What is being done.
        what: &'a str,
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
    },
    /// Something to know, in one line; the work goes on.
    Note(&'a str),
    /// An input cannot be used and is left out; the work goes on.
    Failed(&'a Failure),
    /// A training's own event.
    Training(&'a Event<'a>),
}

/// An input that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// What is wrong with it, in one line that names it.
    pub error: String,
    /// What to do about it, where there is something to do.
    pub hint: Option<String>,
}

impl Failure {
    /// An error of a file.
    pub fn new(file: impl Into<String>, error: &impl Hint) -> Self {
        Self { file: file.into(), error: error.to_string(), hint: error.hint() }
    }
}

/// Gets the events of a piece of work, on whatever thread they happen.
pub trait WorkObserver: Send {
    /// Gets an event and says whether to go on. What is stopped ends at the next film or batch.
    fn on(&mut self, event: &WorkEvent<'_>) -> Control;
}

impl<F: FnMut(&WorkEvent<'_>) -> Control + Send> WorkObserver for F {
    fn on(&mut self, event: &WorkEvent<'_>) -> Control {
        self(event)
    }
}

/// Gets no events and lets everything run to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl WorkObserver for Unobserved {
    fn on(&mut self, _: &WorkEvent<'_>) -> Control {
        Control::Continue
    }
}

/// The same events, with those of trainings as the model's crate wants them.
pub(crate) fn of_training(observer: &mut dyn WorkObserver) -> impl FnMut(&Event<'_>) -> Control {
    |event: &Event<'_>| observer.on(&WorkEvent::Training(event))
}
