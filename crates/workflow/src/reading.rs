//! Films read one after the other by a network, each with what became of it, for whatever is made of them.

use std::path::PathBuf;

use coxa_model::{Control, Detection, Detector};

use crate::{Failure, WorkEvent, WorkObserver, WorkflowError};

/// Reads files in order; `each` gets every one with its place, read or not, or as a failure, and may end it by an error.
///
/// # Errors
/// When the network fails, what `each` returns, or that the observer stopped the work.
pub(crate) fn read_each(
    detector: &mut Detector,
    files: &[PathBuf],
    observer: &mut dyn WorkObserver,
    mut each: impl FnMut(usize, Result<Box<Detection>, Failure>, &mut dyn WorkObserver) -> Result<(), WorkflowError>,
) -> Result<(), WorkflowError> {
    let mut ended = Ok(());
    detector.read_files(files, |place, result| {
        let failure = |error| Failure::new(files[place].display().to_string(), &error);
        ended = each(place, result.map(Box::new).map_err(failure), observer);
        let steps = WorkEvent::Steps { what: "reading films", done: place + 1, total: files.len() };
        if ended.is_ok() && observer.on(&steps) != Control::Continue {
            ended = Err(WorkflowError::Stopped("reading films".to_owned()));
        }
        ended.is_ok()
    })?;
    ended
}
