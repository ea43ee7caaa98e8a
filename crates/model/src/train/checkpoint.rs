//! Checkpoints: everything that a training needs to go on exactly as if it had never stopped, in one file that is replaced whole.
//!
//! The file is safetensors: `parameters.<name>`, `first_moment.<name>` and `second_moment.<name>`, and the rest as JSON in the
//! metadata. There is no state of a random generator to keep: every random choice follows from the seed, the epoch and the place.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_engine::train::Moments;
use coxa_engine::{Architecture, OptimizerState, Parameters};
use serde::{Deserialize, Serialize};

use super::history::EpochRecord;
use super::schedule::ScheduleState;
use crate::weights::tensors::{Tensor, from_safetensors, to_safetensors};
use crate::{ModelError, WeightsFormat, files};

const METADATA: &str = "coxa.checkpoint";
const VERSION: u32 = 1;
const PARAMETERS: &str = "parameters.";
const FIRST: &str = "first_moment.";
const SECOND: &str = "second_moment.";

/// Where a training stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The version of the format.
    pub version: u32,
    /// The data that it learns from: a change of these is no resumption.
    pub fingerprint: String,
    /// Outputs of the network.
    pub outputs: usize,
    /// Whole epochs done.
    pub epoch: usize,
    /// Batches done of the next.
    pub batch: usize,
    /// Sums over these batches.
    pub sums: Sums,
    /// The learning rate's state.
    pub schedule: ScheduleState,
    /// The epoch with the least validation loss so far, from 1, and that loss.
    pub best: Option<(usize, f64)>,
    /// The epochs' records.
    pub history: Vec<EpochRecord>,
    /// Bytes of the event file that belong to this position.
    pub events_length: u64,
    /// The optimizer's steps.
    pub steps: u64,
    /// Whether a film that the starting weights were trained on is simulated.
    pub start_simulated: bool,
}

/// Running sums of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    /// Of the films' losses.
    pub loss: f64,
    /// Films classified right.
    pub right: usize,
    /// Films.
    pub films: usize,
}

impl Position {
    /// The beginning of a training.
    pub(crate) fn start(fingerprint: String, outputs: usize, start_simulated: bool) -> Self {
        Position {
            version: VERSION,
            fingerprint,
            outputs,
            epoch: 0,
            batch: 0,
            sums: Sums::default(),
            schedule: ScheduleState::default(),
            best: None,
            history: Vec::new(),
            events_length: 0,
            steps: 0,
            start_simulated,
        }
    }
}

/// A whole checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint {
    pub position: Position,
    pub parameters: Parameters,
    pub optimizer: OptimizerState,
}

impl Checkpoint {
    /// Replaces the file at `path`.
    pub(crate) fn save(&self, path: &Path) -> Result<(), ModelError> {
        let position = Position { steps: self.optimizer.step, ..self.position.clone() };
        let json = serde_json::to_string(&position).map_err(|error| ModelError::format(path, error))?;
        // Moments are flat: their shape is that of the parameter of the same name.
        let lengths: Vec<[usize; 1]> = self.optimizer.moments.iter().map(|moments| [moments.first.len()]).collect();
        let parameters =
            self.parameters.iter().map(|(name, shape, values)| (format!("{PARAMETERS}{name}"), shape, values));
        let moments = self.optimizer.moments.iter().zip(&lengths).flat_map(|(moments, length)| {
            [
                (format!("{FIRST}{}", moments.name), &length[..], &moments.first[..]),
                (format!("{SECOND}{}", moments.name), &length[..], &moments.second[..]),
            ]
        });
        let bytes = to_safetensors(parameters.chain(moments), WeightsFormat::F32, Some((METADATA, json)))
            .map_err(|reason| ModelError::format(path, reason))?;
        files::write_whole(path, &bytes)
    }

    /// Reads a checkpoint.
    pub(crate) fn load(path: &Path) -> Result<Checkpoint, ModelError> {
        let bytes = files::read(path)?;
        let (tensors, metadata) = from_safetensors(&bytes, path)?;
        let json = metadata.get(METADATA).ok_or_else(|| ModelError::format(path, "not a checkpoint"))?;
        let position: Position = serde_json::from_str(json).map_err(|error| ModelError::format(path, error))?;
        if position.version != VERSION {
            let reason = format!("its format is {}, this program reads {VERSION}", position.version);
            return Err(ModelError::Resume { path: path.to_path_buf(), reason });
        }
        let mut parameters = Vec::new();
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        for tensor in tensors {
            let Tensor { name, shape, values } = tensor;
            let empty = |name: &str| Moments { name: name.to_string(), first: Vec::new(), second: Vec::new() };
            if let Some(name) = name.strip_prefix(PARAMETERS) {
                parameters.push((name.to_string(), shape, values));
            } else if let Some(name) = name.strip_prefix(FIRST) {
                moments.entry(name.to_string()).or_insert_with(|| empty(name)).first = values;
            } else if let Some(name) = name.strip_prefix(SECOND) {
                moments.entry(name.to_string()).or_insert_with(|| empty(name)).second = values;
            } else {
                return Err(ModelError::weights(path, format!("tensor {name} is not part of a checkpoint")));
            }
        }
        let parameters = Parameters::from_tensors(&Architecture::new(position.outputs), parameters)
            .map_err(|error| ModelError::weights(path, error))?;
        let optimizer = OptimizerState { step: position.steps, moments: moments.into_values().collect() };
        Ok(Checkpoint { position, parameters, optimizer })
    }
}

/// Replaces a file of parameters alone.
pub(crate) fn save_parameters(path: &Path, parameters: &Parameters) -> Result<(), ModelError> {
    let tensors = parameters.iter().map(|(name, shape, values)| (name.to_string(), shape, values));
    let bytes = to_safetensors(tensors, WeightsFormat::F32, None).map_err(|reason| ModelError::format(path, reason))?;
    files::write_whole(path, &bytes)
}

/// Reads a file of parameters alone.
pub(crate) fn load_parameters(path: &Path, outputs: usize) -> Result<Parameters, ModelError> {
    let (tensors, _) = from_safetensors(&files::read(path)?, path)?;
    let tensors = tensors.into_iter().map(|tensor| (tensor.name, tensor.shape, tensor.values));
    Parameters::from_tensors(&Architecture::new(outputs), tensors).map_err(|error| ModelError::weights(path, error))
}
