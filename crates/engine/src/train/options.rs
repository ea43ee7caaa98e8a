//! A trainer's settings, its input beside images and labels, and what it returns.

use crate::architecture::STRIDE;
use crate::cpu::{Isa, cpu};
use crate::error::EngineError;
use crate::infer::Precision;

/// The loss, a mean over the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Binary cross-entropy with logits, for one output; targets are 0 and 1.
    Binary,
    /// Softmax cross-entropy, for two or more outputs; targets are class indices.
    Softmax,
}

/// Which mean and variance normalize in a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Normalization {
    /// The batch's own; the running ones follow it, those of frozen normalizations too (torch's `train()`).
    #[default]
    Batch,
    /// The running ones, which stay as they are (torch's `eval()`): the network that is trained is then the network that predicts,
    /// however few images a batch has. It needs weights that have been trained, and statistics that fit the images.
    Running,
}

/// A trainer's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainerOptions {
    /// The arithmetic of the 1×1 convolutions. With [`Precision::Bf16`] their operands are rounded to bfloat16 and summed in f32, where
    /// the processor multiplies bfloat16 (elsewhere they are computed in f32); weights, moments and all else stay f32.
    pub precision: Precision,
    /// Threads, the calling one included; 0 counts as 1.
    pub threads: usize,
    /// The instruction set of the kernels, which the processor must have.
    pub isa: Isa,
    /// The loss.
    pub loss: Loss,
    /// Adam's learning rate, not negative.
    pub learning_rate: f32,
    /// Decay of the first moment, in 0..1.
    pub beta1: f32,
    /// Decay of the second moment, in 0..1.
    pub beta2: f32,
    /// Added to the root of the second moment, not negative.
    pub eps: f32,
    /// L2 penalty added to the gradient, as torch's Adam (not AdamW), not negative.
    pub weight_decay: f32,
    /// Tensors whose names start with one of these are not trained.
    pub frozen: Vec<String>,
    /// The statistics of the normalizations.
    pub normalization: Normalization,
    /// Each image is read by its most telling window of so many cells a side ([`Output::read_by_window`](crate::Output::read_by_window)),
    /// and the gradient of its loss goes there alone; by the mean over the whole image, if `None`. 1 or more, for one output only.
    pub window: Option<usize>,
}

impl Default for TrainerOptions {
    /// f32, every processor and its richest instruction set ([`Isa::preferred`]), binary loss, batch statistics, and torch's defaults
    /// for Adam: 0.001, (0.9, 0.999), 1e-8, no weight decay.
    fn default() -> Self {
        TrainerOptions {
            precision: Precision::F32,
            threads: cpu().threads,
            isa: Isa::preferred(),
            loss: Loss::Binary,
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            frozen: Vec::new(),
            normalization: Normalization::Batch,
            window: None,
        }
    }
}

impl TrainerOptions {
    /// Checks the ranges, that the processor has the instruction set, and that the loss fits the number of outputs.
    pub(crate) fn check(&self, classes: usize) -> Result<(), EngineError> {
        self.isa.check()?;
        let not_negative = |v: f32| v.is_finite() && v >= 0.0;
        let decay = |v: f32| (0.0..1.0).contains(&v);
        let values = [
            ("learning_rate", self.learning_rate, not_negative(self.learning_rate), "finite and not negative"),
            ("beta1", self.beta1, decay(self.beta1), "at least 0 and below 1"),
            ("beta2", self.beta2, decay(self.beta2), "at least 0 and below 1"),
            ("eps", self.eps, self.eps.is_finite() && self.eps > 0.0, "finite and above 0"),
            ("weight_decay", self.weight_decay, not_negative(self.weight_decay), "finite and not negative"),
        ];
        if let Some((option, value, _, needed)) = values.into_iter().find(|v| !v.2) {
            return Err(EngineError::Option { option, value: value.to_string(), needed });
        }
        if let Some(window) = self.window.filter(|window| *window == 0 || classes != 1) {
            let needed = "1 or more, for one output only";
            return Err(EngineError::Option { option: "window", value: window.to_string(), needed });
        }
        match self.loss {
            Loss::Binary if classes != 1 => {
                Err(EngineError::LossMismatch { loss: "binary", needed: "one output", classes })
            }
            Loss::Softmax if classes < 2 => {
                Err(EngineError::LossMismatch { loss: "softmax", needed: "two outputs or more", classes })
            }
            _ if self.precision == Precision::Int8 => {
                Err(EngineError::PrecisionUnavailable { precision: "int8", reason: "training needs f32 or bf16" })
            }
            _ => Ok(()),
        }
    }
}

/// Where each image shows the finding: teaches the class activation map itself, beside the image's label. For one output only.
///
/// A cell's logit is u = b + extent · M / cells, where M = Σ w·A is the unaveraged map, and `cells` are those over which a logit is the
/// mean, a window's or the whole map's: the image's logit if `extent` of them were like this one and the others gave nothing. The loss is
/// focal (Lin et al. 2017, γ = 2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellTargets<'a> {
    /// `[image][row][column]` over the last feature map (size / 32 on each side): 1 where the finding is, 0 where it is not, not a
    /// number where nothing is to be taught.
    pub truth: &'a [f32],
    /// Factor on this loss; the label's has factor 1. Not negative.
    pub weight: f32,
    /// Cells that a finding covers, about; above 0.
    pub extent: f32,
}

impl CellTargets<'_> {
    /// Checks the ranges, and that they fit a network of `classes` outputs and so many images of `size` × `size` pixels.
    pub(crate) fn check(&self, classes: usize, images: usize, size: usize) -> Result<(), EngineError> {
        let side = size / STRIDE;
        let refuse = |option, value: String, needed| Err(EngineError::Option { option, value, needed });
        if classes != 1 {
            return refuse("cells", format!("given with {classes} outputs"), "for one output only");
        }
        if self.truth.len() != images * side * side {
            return refuse("cells.truth", format!("of {} values", self.truth.len()), "one for each cell of each image");
        }
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            return refuse("cells.weight", self.weight.to_string(), "finite and not negative");
        }
        if !(self.extent.is_finite() && self.extent > 0.0) {
            return refuse("cells.extent", self.extent.to_string(), "finite and above 0");
        }
        Ok(())
    }
}

/// The result of a step, before its update.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutput {
    /// The mean loss over the batch.
    pub loss: f32,
    /// The class activation map's own loss, times its weight; 0 without [`CellTargets`].
    pub cell_loss: f32,
    /// The logits, [images × classes].
    pub logits: Vec<f32>,
}

/// Adam's state.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState {
    /// Steps done.
    pub step: u64,
    /// The moments of every tensor but the running statistics, in torchvision's order.
    pub moments: Vec<Moments>,
}

/// Adam's moments of one tensor, flat in the tensor's layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// The tensor's name.
    pub name: String,
    /// The running mean of the gradient.
    pub first: Vec<f32>,
    /// The running mean of the squared gradient.
    pub second: Vec<f32>,
}
