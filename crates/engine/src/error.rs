//! What can go wrong in the engine; each error names the tensor, the size or the value.

use crate::architecture::LARGEST_SIZE;
use crate::cpu::Isa;

/// An error of the engine.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An instruction set's name that is none.
    #[error("`{name}` is not one of {}", Isa::ALL.map(Isa::name).join(", "))]
    UnknownIsa {
        /// The name given.
        name: String,
    },
    /// Ranges of 8-bit arithmetic that are not the network's.
    #[error("8-bit ranges: {reason}")]
    Ranges {
        /// What is wrong.
        reason: String,
    },
    /// A tensor of the architecture is not among the given ones.
    #[error("tensor {name} is missing")]
    MissingTensor {
        /// Its name in torchvision's state dict.
        name: String,
    },
    /// A given tensor is not part of the architecture.
    #[error("tensor {name} is not part of the network")]
    UnexpectedTensor {
        /// Its name as given.
        name: String,
    },
    /// A tensor was given twice.
    #[error("tensor {name} is given twice")]
    DuplicateTensor {
        /// Its name.
        name: String,
    },
    /// A tensor's shape is not the architecture's, or its data do not fill its shape.
    #[error("tensor {name} must have shape {expected:?}, but has shape {found:?} with {values} values")]
    MisshapenTensor {
        /// Its name.
        name: String,
        /// The architecture's shape.
        expected: Vec<usize>,
        /// The shape given.
        found: Vec<usize>,
        /// The number of values given.
        values: usize,
    },
    /// A tensor holds a value that is not finite, or a negative running variance.
    #[error("tensor {name} holds {value} at index {index}")]
    BadValue {
        /// The tensor's name.
        name: String,
        /// The flat index of the value.
        index: usize,
        /// The value.
        value: f32,
    },
    /// Weights whose product with their normalization is beyond 32-bit numbers.
    #[error("the weights at {name} are too large: with their normalization they are not finite")]
    TooLarge {
        /// The layer or normalization.
        name: String,
    },
    /// The network's output is not a number, or infinite: weights too large let it overflow.
    #[error("the output for image {image} is not finite: the network's weights are too large")]
    NotFinite {
        /// The image's index in the batch.
        image: usize,
    },
    /// The image size is not a positive multiple of 32, too small for what was asked, or too large for any memory.
    #[error(
        "image size {size} is not allowed: it must be a multiple of 32, at least {minimum} and at most {LARGEST_SIZE}"
    )]
    ImageSize {
        /// The size given, in pixels.
        size: usize,
        /// The smallest size allowed here.
        minimum: usize,
    },
    /// The number of pixels given is not images × size × size, or there is no image at all.
    #[error("{images} images of size {size} need {expected} pixel values, {found} given")]
    InputLength {
        /// The number of images.
        images: usize,
        /// Their size.
        size: usize,
        /// images × size × size.
        expected: usize,
        /// The number of values given.
        found: usize,
    },
    /// An image holds a value that is not finite.
    #[error("image {image} holds {value}")]
    BadPixel {
        /// The image's index in the batch.
        image: usize,
        /// The value.
        value: f32,
    },
    /// The number of targets is not the number of images.
    #[error("{images} images, but {targets} targets")]
    TargetCount {
        /// The number of images.
        images: usize,
        /// The number of targets given.
        targets: usize,
    },
    /// A target class index is out of range.
    #[error("target {target} of image {index} is out of range: there are {classes} classes")]
    TargetRange {
        /// The image's index in the batch.
        index: usize,
        /// The target given.
        target: usize,
        /// The number of classes (2 for one logit).
        classes: usize,
    },
    /// The loss does not fit the number of the network's outputs.
    #[error("the {loss} loss needs {needed}, the network has {classes} outputs")]
    LossMismatch {
        /// The loss's name.
        loss: &'static str,
        /// What it needs, in words.
        needed: &'static str,
        /// The network's number of outputs.
        classes: usize,
    },
    /// An option is out of range.
    #[error("{option} is {value}, but must be {needed}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: String,
        /// What it must be, in words.
        needed: &'static str,
    },
    /// An optimizer state does not fit the network.
    #[error("the optimizer state does not fit: {reason}")]
    OptimizerState {
        /// What does not fit, naming the tensor.
        reason: String,
    },
    /// This processor does not have the instruction set asked for.
    #[error("this processor has no {}: it has kernels for {}", .isa.name(), available())]
    IsaUnavailable {
        /// The instruction set.
        isa: Isa,
    },
    /// The precision asked for cannot be had in this way.
    #[error("{precision}: {reason}")]
    PrecisionUnavailable {
        /// The precision's name.
        precision: &'static str,
        /// Why not, in words.
        reason: &'static str,
    },
}

/// The instruction sets that this processor has kernels for, by name.
fn available() -> String {
    Isa::available().map(Isa::name).collect::<Vec<_>>().join(", ")
}
