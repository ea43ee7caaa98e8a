//! Films become findings, heat maps and a table of predictions.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use coxa_model::detect::gate::Concern;
use coxa_model::detect::overlay;
use coxa_model::{Detection, Detector};
use coxa_schema::{LineOutcome, PredictionLine};

use crate::inputs::Input;
use crate::outputs::{check_heat_maps, check_table, create_folder, heat_map_places, write_picture};
use crate::reading::read_each;
use crate::table::PredictionTable;
use crate::{Failure, WorkEvent, WorkObserver, WorkflowError};

/// What is written beside the results.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// The folder of heat maps: each film that is read, with its finding drawn on it, as PNG.
    pub heat_maps: Option<PathBuf>,
    /// The table of predictions.
    pub predictions: Option<PathBuf>,
}

impl Outputs {
    /// Refuses outputs that would replace an input, or a file that is no earlier output. To be called before anything is read:
    /// [`predict()`] does so again where it writes.
    ///
    /// # Errors
    /// [`WorkflowError::Request`] for the place of an input, [`WorkflowError::Io`] for another file.
    pub fn check(&self, inputs: &[Input]) -> Result<(), WorkflowError> {
        if let Some(folder) = &self.heat_maps {
            check_heat_maps(&heat_map_places(folder, inputs), inputs)?;
        }
        self.predictions.as_deref().map_or(Ok(()), |place| check_table(place, inputs))
    }
}

/// What became of the inputs of [`predict()`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Predicted {
    /// Films that were read.
    pub read: usize,
    /// Films that the gate refused.
    pub not_read: usize,
    /// Files that could not be decoded, and heat maps that could not be written.
    pub failed: usize,
    /// Reasons for doubt about films that were read, each with the number of films that give it.
    pub concerns: BTreeMap<Concern, usize>,
}

/// Reads films. `each` gets a result for every input, in order, as soon as it is there, its map included; what failed goes to the
/// observer too.
///
/// # Errors
/// As [`Outputs::check`]; when the network fails or the table cannot be written; [`WorkflowError::Results`] with what `each` returns.
pub fn predict(
    inputs: &[Input],
    detector: &mut Detector,
    outputs: &Outputs,
    observer: &mut dyn WorkObserver,
    mut each: impl FnMut(PredictionLine) -> io::Result<()>,
) -> Result<Predicted, WorkflowError> {
    outputs.check(inputs)?;
    let places = match &outputs.heat_maps {
        Some(folder) => {
            create_folder(folder)?;
            heat_map_places(folder, inputs)
        }
        None => Vec::new(),
    };
    let mut table = outputs.predictions.as_deref().map(PredictionTable::create).transpose()?;
    let files: Vec<PathBuf> = inputs.iter().map(|input| input.path.clone()).collect();
    let mut predicted = Predicted::default();
    let unwritten = std::thread::scope(|scope| {
        // Heat maps are drawn and encoded beside the network, two at most waiting.
        let (sender, waiting) = sync_channel(2);
        let writer = scope.spawn(move || write_heat_maps(&waiting));
        let read = read_each(detector, &files, observer, |i, result, observer| {
            let file = files[i].display().to_string();
            let line = match result {
                Ok(detection) => {
                    let line = detection.line_with_map(file);
                    predicted.count(&detection);
                    if let Some((table, finding)) = table.as_mut().zip(detection.finding()) {
                        table.row(&inputs[i].name, inputs[i].film.as_ref(), finding)?;
                    }
                    if let Some(place) = places.get(i) {
                        send(&sender, (place.clone(), detection))?;
                    }
                    line
                }
                Err(failure) => {
                    predicted.failed += 1;
                    observer.on(&WorkEvent::Failed(&failure));
                    PredictionLine { file, outcome: LineOutcome::Failed { error: failure.error } }
                }
            };
            each(line).map_err(WorkflowError::Results)
        });
        drop(sender);
        let unwritten = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read.map(|()| unwritten)
    })?;
    for failure in &unwritten {
        observer.on(&WorkEvent::Failed(failure));
    }
    predicted.failed += unwritten.len();
    if let Some(table) = table {
        table.finish()?;
    }
    Ok(predicted)
}

impl Predicted {
    fn count(&mut self, detection: &Detection) {
        if detection.finding().is_some() {
            self.read += 1;
        } else {
            self.not_read += 1;
        }
        for concern in detection.concerns() {
            *self.concerns.entry(*concern).or_default() += 1;
        }
    }
}

fn send<T>(sender: &SyncSender<T>, value: T) -> Result<(), WorkflowError> {
    sender.send(value).map_err(|_| WorkflowError::Internal("the thread that writes pictures has ended".to_owned()))
}

/// Writes heat maps as they come; a film that was not read has none. One that cannot be written does not cost the others; it is returned.
fn write_heat_maps(waiting: &Receiver<(PathBuf, Box<Detection>)>) -> Vec<Failure> {
    let mut failed = Vec::new();
    for (place, detection) in waiting {
        let written = overlay::png(&detection).map_err(WorkflowError::from).and_then(|png| match png {
            Some(png) => write_picture(&place, &png).map_err(WorkflowError::io(&place)),
            None => Ok(()),
        });
        if let Err(error) = written {
            failed.push(Failure::new(place.display().to_string(), &error));
        }
    }
    failed
}
