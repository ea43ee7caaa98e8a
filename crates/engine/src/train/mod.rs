//! Training: forward, backward, Adam.
//!
//! `network.rs` is the network, forward and backward, layer by layer; the layers' passes over the batch are in `stem.rs`,
//! `pointwise.rs`, `spatial.rs` and `head.rs`, all of them written with the one product of `product.rs`.

mod adam;
mod head;
mod machine;
mod memory;
mod network;
mod norm;
mod ops;
mod options;
mod pack;
mod plan;
mod pointwise;
mod product;
mod simd;
mod spatial;
mod stem;
mod winograd;

pub use options::{CellTargets, Loss, Moments, Normalization, OptimizerState, StepOutput, TrainerOptions};

use adam::{Adam, Factors};
use machine::Machine;
use memory::Buffer;
use network::{Blend, Network};
use plan::Plan;
use winograd::Filtering;

use crate::architecture::{Architecture, STRIDE};
use crate::cpu::Isa;
use crate::error::EngineError;
use crate::infer::{Precision, check_images};
use crate::parameters::Parameters;
use crate::threads::SharedMut;

/// Channels of a plane: activations lie as `[plane][pixel][32]`.
const PLANE: usize = 32;

/// The training network with its optimizer.
///
/// Results are the same bits whatever the number of threads. Memory is allocated at the first step and used again as long as
/// the number and size of the images stay the same (about 1.4 GiB for 8 images of 512 × 512).
pub struct Trainer {
    network: Network,
    architecture: Architecture,
    options: TrainerOptions,
    ranges: Vec<(usize, usize)>,
    first: Buffer,
    second: Buffer,
    step: u64,
}

/// The loss's gradient where the network ends.
pub(crate) struct Above {
    /// At the logits.
    pub logits: Vec<f32>,
    /// At the cells of the class activation map, and what that adds at the bias.
    pub cells: Option<(Vec<f32>, f32)>,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("architecture", &self.architecture)
            .field("options", &self.options)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl Trainer {
    /// A trainer that starts from `parameters`, with the best kernels of this processor.
    ///
    /// # Errors
    /// An option out of range, a loss that does not fit the number of outputs, or a precision that training does not have.
    pub fn new(parameters: Parameters, options: TrainerOptions) -> Result<Self, EngineError> {
        Self::with_isa(parameters, options, Isa::best())
    }

    /// As [`Trainer::new`], with the kernels of a given instruction set.
    ///
    /// # Errors
    /// As [`Trainer::new`], and when the processor does not have the instructions.
    pub fn with_isa(parameters: Parameters, options: TrainerOptions, isa: Isa) -> Result<Self, EngineError> {
        if !isa.is_available() {
            return Err(EngineError::IsaUnavailable { isa });
        }
        let architecture = parameters.architecture().clone();
        options.check(architecture.classes)?;
        // bfloat16 products are coarser than either; f32 is asked for by those who want every digit.
        let filtering = if options.precision == Precision::Bf16 { Filtering::Fast } else { Filtering::Exact };
        let plan = Plan::new(&architecture, &options.frozen, filtering);
        let ranges = adam::ranges(&plan);
        let (first, second) = (Buffer::new(plan.len), Buffer::new(plan.len));
        let mut network = Network::new(Machine::new(options.threads, isa, options.precision), plan);
        network.plan.flatten(&parameters, &mut network.values);
        Ok(Trainer { network, architecture, options, ranges, first, second, step: 0 })
    }

    /// One training step: forward, backward, Adam, and with [`Normalization::Batch`] the running statistics (those of frozen
    /// normalizations too, as in torch).
    ///
    /// `images` holds `targets.len()` images of `size` × `size` values in 0..=1, one after the other; a target is a class index
    /// (0 or 1 for one logit). The loss is the mean over the batch. When it is not finite it is returned and nothing changes. `cells`
    /// teach the class activation map where the finding is.
    ///
    /// # Errors
    /// A size that is not a multiple of 32, lengths that do not fit, a target out of range, a single image of 32 × 32 (whose last
    /// feature map is one pixel, which has no variance), or `cells` that do not fit the images or a network with several outputs.
    pub fn step(
        &mut self,
        images: &[f32],
        targets: &[usize],
        cells: Option<&CellTargets<'_>>,
        size: usize,
    ) -> Result<StepOutput, EngineError> {
        let (output, gradient) = self.forward(images, targets, cells, size)?;
        if !output.loss.is_finite() || !output.cell_loss.is_finite() {
            return Ok(output);
        }
        self.network.backward(&gradient);
        self.step += 1;
        let network = &mut self.network;
        network.machine.launch(&Adam {
            factors: Factors {
                learning_rate: self.options.learning_rate,
                beta1: self.options.beta1,
                beta2: self.options.beta2,
                eps: self.options.eps,
                weight_decay: self.options.weight_decay,
                step: self.step,
            },
            ranges: &self.ranges,
            gradient: &network.gradient,
            values: SharedMut::new(&mut network.values),
            first: SharedMut::new(&mut self.first),
            second: SharedMut::new(&mut self.second),
        });
        network.packed = false;
        if self.options.normalization == Normalization::Batch {
            network.update_running_statistics(Blend::Momentum);
        }
        Ok(output)
    }

    /// Moves the running statistics of every normalization towards those of a batch by `share` (0..=1), and changes nothing else.
    ///
    /// A step leaves running statistics that are the mean of some ten batches, under weights that moved meanwhile. If the k-th of
    /// many batches is observed with the share 1/k, they become the mean and variance over all of them, under the weights as they are
    /// (Wu and Johnson 2021, "Rethinking “Batch” in BatchNorm", section 3).
    ///
    /// # Errors
    /// As [`Trainer::step`] where the images do not fit, a share that is not within 0..=1, and outputs that are not finite.
    pub fn observe(&mut self, images: &[f32], count: usize, size: usize, share: f32) -> Result<(), EngineError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(EngineError::Option { option: "share", value: share.to_string(), needed: "from 0 to 1" });
        }
        check_batch(images, count, size)?;
        let logits = self.network.forward(images, count, size, Normalization::Batch);
        if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(EngineError::NotFinite { image: index * count / logits.len() });
        }
        self.network.update_running_statistics(Blend::Share(share));
        Ok(())
    }

    /// The loss, the logits and the gradient of every tensor (zero for frozen tensors and running statistics); changes nothing.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn gradients(
        &mut self,
        images: &[f32],
        targets: &[usize],
        cells: Option<&CellTargets<'_>>,
        size: usize,
    ) -> Result<(StepOutput, Parameters), EngineError> {
        let (output, gradient) = self.forward(images, targets, cells, size)?;
        self.network.backward(&gradient);
        let mut tensors = Parameters::zeros(&self.architecture);
        for (entry, (_, to)) in self.network.plan.entries.iter().zip(tensors.iter_mut()) {
            if entry.trained {
                to.copy_from_slice(&self.network.gradient[entry.offset..entry.offset + entry.len]);
            }
        }
        Ok((output, tensors))
    }

    /// Sets the learning rate of the next steps.
    ///
    /// # Errors
    /// A rate that is not finite, or negative; the one before stays then.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), EngineError> {
        let before = std::mem::replace(&mut self.options.learning_rate, learning_rate);
        let checked = self.options.check(self.architecture.classes);
        checked.inspect_err(|_| self.options.learning_rate = before)
    }

    /// A copy of the parameters, with running statistics.
    pub fn parameters(&self) -> Parameters {
        let mut parameters = Parameters::zeros(&self.architecture);
        self.network.plan.unflatten(&self.network.values, &mut parameters);
        parameters
    }

    /// The optimizer's state: with [`Trainer::parameters`], all that the next step depends on.
    pub fn state(&self) -> OptimizerState {
        let part = |from: &Buffer, entry: &plan::Entry| from[entry.offset..entry.offset + entry.len].to_vec();
        let entries = self.network.plan.entries.iter().filter(|e| !e.is_running());
        let moments = entries.map(|e| Moments {
            name: e.name.clone(),
            first: part(&self.first, e),
            second: part(&self.second, e),
        });
        OptimizerState { step: self.step, moments: moments.collect() }
    }

    /// Continues from an optimizer's state.
    ///
    /// # Errors
    /// A missing, unexpected, repeated or misshapen tensor, a value that is not finite, or a number of steps that no training has;
    /// nothing changes then.
    pub fn load_state(&mut self, state: OptimizerState) -> Result<(), EngineError> {
        let entries: Vec<_> = self.network.plan.entries.iter().filter(|e| !e.is_running()).collect();
        let mut found: Vec<Option<&Moments>> = vec![None; entries.len()];
        for moments in &state.moments {
            let name = &moments.name;
            let refuse = |reason: String| Err(EngineError::OptimizerState { reason });
            let Some(at) = entries.iter().position(|e| &e.name == name) else {
                return refuse(format!("{name} is not a trained tensor of the network"));
            };
            if moments.first.len() != entries[at].len || moments.second.len() != entries[at].len {
                return refuse(format!(
                    "{name} has {} and {} values instead of {}",
                    moments.first.len(),
                    moments.second.len(),
                    entries[at].len
                ));
            }
            if moments.first.iter().any(|v| !v.is_finite()) || moments.second.iter().any(|v| !v.is_finite() || *v < 0.0)
            {
                return refuse(format!("{name} has a moment that is not finite, or a negative second one"));
            }
            if found[at].replace(moments).is_some() {
                return refuse(format!("{name} is given twice"));
            }
        }
        if state.step > MOST_STEPS {
            return Err(EngineError::OptimizerState { reason: format!("{} steps", state.step) });
        }
        if let Some(at) = found.iter().position(Option::is_none) {
            return Err(EngineError::OptimizerState { reason: format!("{} is missing", entries[at].name) });
        }
        for (entry, moments) in entries.into_iter().zip(found.into_iter().flatten()) {
            let range = entry.offset..entry.offset + entry.len;
            self.first[range.clone()].copy_from_slice(&moments.first);
            self.second[range].copy_from_slice(&moments.second);
        }
        self.step = state.step;
        Ok(())
    }

    /// Checks the input, runs the network forward, and gives the loss and its gradient at the logits.
    fn forward(
        &mut self,
        images: &[f32],
        targets: &[usize],
        cells: Option<&CellTargets<'_>>,
        size: usize,
    ) -> Result<(StepOutput, Above), EngineError> {
        let count = targets.len();
        check_batch(images, count, size)?;
        let classes = self.architecture.classes.max(2);
        if let Some(index) = targets.iter().position(|&target| target >= classes) {
            return Err(EngineError::TargetRange { index, target: targets[index], classes });
        }
        if let Some(cells) = cells {
            self.check_cells(cells, count, size)?;
        }
        let logits = self.network.forward(images, count, size, self.options.normalization);
        let (loss, logit_gradient) = head::loss(self.options.loss, &logits, targets);
        let mut above = Above { logits: logit_gradient, cells: None };
        let mut cell_loss = 0.0;
        if let Some(cells) = cells {
            let (maps, bias) = self.network.cell_maps();
            let (loss, gradient, bias) = head::cell_loss(cells, &maps, count, bias);
            cell_loss = loss;
            above.cells = Some((gradient, bias));
        }
        Ok((StepOutput { loss, cell_loss, logits }, above))
    }

    fn check_cells(&self, cells: &CellTargets<'_>, images: usize, size: usize) -> Result<(), EngineError> {
        let side = size / STRIDE;
        let refuse = |option, value: String, needed| Err(EngineError::Option { option, value, needed });
        if self.architecture.classes != 1 {
            return refuse("cells", format!("given with {} outputs", self.architecture.classes), "for one output only");
        }
        if cells.truth.len() != images * side * side {
            return refuse(
                "cells.truth",
                format!("of {} values", cells.truth.len()),
                "one for each cell of each image",
            );
        }
        if !(cells.weight.is_finite() && cells.weight >= 0.0) {
            return refuse("cells.weight", cells.weight.to_string(), "finite and not negative");
        }
        if !(cells.extent.is_finite() && cells.extent > 0.0) {
            return refuse("cells.extent", cells.extent.to_string(), "finite and above 0");
        }
        Ok(())
    }
}

/// More steps than any training has; they stay exact as f64.
const MOST_STEPS: u64 = 1 << 52;

/// What a forward pass with batch statistics needs of its images: the last feature maps of all of them hold two pixels or more.
fn check_batch(images: &[f32], count: usize, size: usize) -> Result<(), EngineError> {
    check_images(images, count, size, if count == 1 { 2 * STRIDE } else { STRIDE })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AVX-512's panels, groups of rows and packing, which this processor may not have, against the portable path; and its
    /// bfloat16 products. Random weights and few pixels amplify rounding: PyTorch's own bfloat16 gradients differ by 0.8 to 0.9 of
    /// their norm (median) from its f64 here; the products themselves are checked exactly in `product.rs`.
    #[test]
    fn wide_vectors_compute_the_same_gradients() {
        for (precision, loss_limit, limit) in [(Precision::F32, 1e-5, 0.02), (Precision::Bf16, 5e-2, 0.8)] {
            check_wide(precision, loss_limit, limit);
        }
    }

    fn check_wide(precision: Precision, loss_limit: f32, limit: f64) {
        let architecture = Architecture::new(1);
        let (size, targets) = (96, [0, 1, 1]);
        let images: Vec<f32> = (0..3 * size * size).map(|i| ((i * 7919) % 1013) as f32 / 1013.0).collect();
        let gradients = |wide: bool| {
            let options = TrainerOptions { threads: 2, ..TrainerOptions::default() };
            let parameters = Parameters::initialize(&architecture, 5);
            let mut trainer = Trainer::with_isa(parameters, options, Isa::Portable).expect("valid options");
            if wide {
                trainer.network.machine = Machine::wide(2, precision);
            }
            trainer.gradients(&images, &targets, None, size).expect("a valid batch")
        };
        let (portable, wide) = (gradients(false), gradients(true));
        assert!((portable.0.loss - wide.0.loss).abs() < loss_limit, "{} {}", portable.0.loss, wide.0.loss);
        // Where a ReLU's input is within rounding of zero the two take different sides, and few pixels make much of that: the
        // tensors' median says whether the arithmetic is the same.
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let tensors = || {
            let both = portable.1.iter().zip(wide.1.iter()).filter(|((name, ..), _)| !name.contains("running"));
            both.map(|((_, _, a), (_, _, b))| (a, b))
        };
        let errors = sorted(tensors().map(|(a, b)| {
            let difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            (dot(&difference, &difference) / dot(a, a)).sqrt()
        }));
        // What is left of a gradient's length in its own direction: rounding turns it about, a wrong scale or sign does not.
        let lengths = sorted(tensors().map(|(a, b)| dot(a, b) / dot(a, a)));
        let (median, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
        let length = lengths[lengths.len() / 2];
        println!("{precision:?}: median {median:e}, worst {worst:e}, length {length}");
        assert!(median <= limit && worst <= 2.0 * limit, "{precision:?}: median {median:e}, worst {worst:e}");
        assert!((length - 1.0).abs() < 0.25, "{precision:?}: {length}");
    }

    fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values
    }
}
