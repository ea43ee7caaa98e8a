//! Training: forward, backward, Adam.
//!
//! `network.rs` has the network's tensors; `forward.rs` and `backward.rs` are the network, layer by layer. The forward passes over the
//! batch are kernels (`kernels/planes/`); the backward passes are here, in `stem.rs`, `pointwise.rs`, `spatial.rs` and
//! `head.rs`.

mod adam;
mod backward;
mod forward;
mod head;
mod machine;
mod memory;
mod network;
mod norm;
mod options;
mod pack;
mod pass;
mod plan;
mod pointwise;
mod spatial;
mod stem;

pub use options::{CellTargets, Loss, Moments, Normalization, OptimizerState, StepOutput, TrainerOptions};
pub use pass::ForwardPass;

use adam::{Adam, Factors};
use machine::Machine;
use memory::Memory;
use network::{Blend, Network};
use pass::Above;
use plan::Plan;

use crate::architecture::{Architecture, STRIDE};
use crate::error::EngineError;
use crate::infer::{Precision, Window, check_images};
use crate::kernels::Buffer;
use crate::kernels::winograd::Filtering;
use crate::parameters::Parameters;
use crate::threads::SharedMut;

/// The training network with its optimizer.
///
/// Results are the same bits whatever the number of threads. Memory is allocated at the first step and used again as long as
/// the number and size of the images stay the same (about 1.4 GiB for 8 images of 512 × 512).
pub struct Trainer {
    network: Network,
    /// The memory of batches of the latest shape.
    memory: Option<Memory>,
    architecture: Architecture,
    options: TrainerOptions,
    ranges: Vec<(usize, usize)>,
    first: Buffer,
    second: Buffer,
    step: u64,
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
    /// A trainer that starts from `parameters`.
    ///
    /// # Errors
    /// An option out of range, an instruction set that the processor does not have, a loss that does not fit the number of outputs, or
    /// a precision that training does not have.
    pub fn new(parameters: Parameters, options: TrainerOptions) -> Result<Self, EngineError> {
        let architecture = parameters.architecture().clone();
        options.check(architecture.classes)?;
        // bfloat16 products are coarser than either; f32 is asked for by those who want every digit.
        let filtering = if options.precision == Precision::Bf16 { Filtering::Fast } else { Filtering::Exact };
        let plan = Plan::new(&architecture, &options.frozen, filtering);
        let ranges = adam::ranges(&plan);
        let (first, second) = (Buffer::zeroed(plan.len), Buffer::zeroed(plan.len));
        let mut network = Network::new(Machine::new(options.threads, options.isa, options.precision), plan);
        network.plan.flatten(&parameters, &mut network.values);
        Ok(Trainer { network, memory: None, architecture, options, ranges, first, second, step: 0 })
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
        let pass = self.forward(images, targets, cells, size)?;
        if !pass.output().loss.is_finite() || !pass.output().cell_loss.is_finite() {
            return Ok(pass.into_output());
        }
        let (output, statistics) = pass.finish();
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
            network.update_running_statistics(&statistics, Blend::Momentum);
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
        let pass = self.network.forward(&mut self.memory, images, count, size, Normalization::Batch);
        let (logits, statistics) = (pass.logits, pass.statistics);
        if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(EngineError::NotFinite { image: index * count / logits.len() });
        }
        self.network.update_running_statistics(&statistics, Blend::Share(share));
        Ok(())
    }

    /// A forward pass, its loss and all that its backward pass needs; changes nothing. The arguments are those of [`Trainer::step`].
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn forward(
        &mut self,
        images: &[f32],
        targets: &[usize],
        cells: Option<&CellTargets<'_>>,
        size: usize,
    ) -> Result<ForwardPass<'_>, EngineError> {
        let count = targets.len();
        check_batch(images, count, size)?;
        let classes = self.architecture.classes.max(2);
        if let Some(index) = targets.iter().position(|&target| target >= classes) {
            return Err(EngineError::TargetRange { index, target: targets[index], classes });
        }
        if let Some(cells) = cells {
            cells.check(self.architecture.classes, count, size)?;
        }
        let normalization = self.options.normalization;
        let mut pass = self.network.forward(&mut self.memory, images, count, size, normalization);
        let side = size / STRIDE;
        let window = self.options.window;
        let maps = (window.is_some() || cells.is_some()).then(|| pass.cell_maps());
        let windows = window.zip(maps.as_ref()).map(|(window, (maps, bias))| {
            let windows: Vec<_> =
                maps.chunks_exact(side * side).map(|map| Window::greatest(map, side, window)).collect();
            pass.logits = windows.iter().map(|window| (window.mean + f64::from(*bias)) as f32).collect();
            windows
        });
        let (loss, logit_gradient) = head::loss(self.options.loss, &pass.logits, targets);
        let mut above = Above { logits: logit_gradient, cells: None };
        let mut cell_loss = 0.0;
        if let Some((maps, bias)) = maps {
            let (mut gradient, mut of_bias) = (vec![0.0; maps.len()], 0.0);
            if let Some(cells) = cells {
                let averaged = window.unwrap_or(side).min(side).pow(2);
                (cell_loss, gradient, of_bias) = head::cell_loss(cells, &maps, count, averaged, bias);
            }
            if let Some(windows) = windows {
                head::window_backward(&windows, &above.logits, side, &mut gradient);
                of_bias += above.logits.iter().sum::<f32>();
                above.logits.fill(0.0);
            }
            above.cells = Some((gradient, of_bias));
        }
        let output = StepOutput { loss, cell_loss, logits: std::mem::take(&mut pass.logits) };
        Ok(ForwardPass::new(pass, above, output))
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
        let pass = self.forward(images, targets, cells, size)?;
        Ok((pass.output().clone(), pass.backward()))
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
    use crate::cpu::Isa;

    /// AVX-512's panels, groups of rows and packing, in emulation where this processor has none, against the portable path; and its
    /// bfloat16 products. Random weights and few pixels amplify rounding: PyTorch's own bfloat16 gradients differ by 0.8 to 0.9 of
    /// their norm (median) from its f64 here; the products themselves are checked exactly in `panel.rs`.
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
            let isa = if wide { Isa::Avx512Bf16 } else { Isa::Portable };
            let options = TrainerOptions { threads: 2, isa, precision, ..TrainerOptions::default() };
            let parameters = Parameters::initialize(&architecture, 5);
            let mut trainer = Trainer::new(parameters, options).expect("valid options");
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
