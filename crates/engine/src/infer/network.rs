//! The inference network's weights: normalizations folded, convolutions packed for one instruction set and one arithmetic.

use super::calibration::Ranges;
use super::convolution::{Convolution, folded, running_affine};
use crate::architecture::{Architecture, BLOCKS, BOTTLENECK, FEATURES, GROWTH, STEM};
use crate::cpu::Isa;
use crate::error::EngineError;
use crate::kernels::{Buffer, Format, PackedB, WinogradWeights};
use crate::parameters::Parameters;

/// How the 1×1 convolutions compute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arithmetic<'a> {
    F32,
    Bf16,
    Int8(&'a Ranges),
}

impl Arithmetic<'_> {
    /// The format of the 1×1 convolutions' operands.
    pub fn format(self, isa: Isa) -> Format {
        match self {
            Arithmetic::F32 => Format::F32,
            Arithmetic::Bf16 if isa == Isa::Avx512Bf16 => Format::Bf16,
            Arithmetic::Bf16 => Format::RoundedF32,
            Arithmetic::Int8(_) => Format::Int8,
        }
    }
}

/// All weights of the inference network.
#[derive(Debug)]
pub(super) struct Network {
    pub stem: PackedB,
    pub stem_bias: Buffer,
    pub blocks: Vec<Vec<DenseLayer>>,
    /// Norm, ReLU, 1×1 convolution; the average pooling comes before the product.
    pub transitions: Vec<Convolution>,
    pub head: Head,
}

/// norm1, ReLU, 1×1 convolution, norm2 (folded into the convolution), ReLU, 3×3 convolution.
#[derive(Debug)]
pub(super) struct DenseLayer {
    pub conv1: Convolution,
    pub conv2: WinogradWeights,
}

/// norm5, ReLU and the classifier without its bias, its outputs filled up to a whole panel.
#[derive(Debug)]
pub(super) struct Head {
    pub classifier: Convolution,
    pub bias: Vec<f32>,
    pub classes: usize,
}

impl Network {
    /// # Errors
    /// Weights that are not finite once their normalization is folded in, or ranges that are not once it is applied.
    pub fn new(parameters: &Parameters, isa: Isa, arithmetic: Arithmetic<'_>) -> Result<Self, EngineError> {
        let norm0 = running_affine(parameters, "features.norm0")?;
        let stem = folded(parameters, "features.conv0", STEM, &norm0)?;
        let blocks = (0..BLOCKS.len()).map(|block| {
            (0..BLOCKS[block]).map(|layer| DenseLayer::new(parameters, isa, arithmetic, block, layer)).collect()
        });
        let transitions = (0..BLOCKS.len() - 1).map(|block| transition(parameters, isa, arithmetic, block));
        Ok(Network {
            stem: PackedB::pack(isa, 49, STEM, &stem, 1, 49),
            stem_bias: norm0.shift,
            blocks: blocks.collect::<Result<_, _>>()?,
            transitions: transitions.collect::<Result<_, _>>()?,
            head: Head::new(parameters, isa)?,
        })
    }
}

impl DenseLayer {
    fn new(
        parameters: &Parameters,
        isa: Isa,
        arithmetic: Arithmetic<'_>,
        block: usize,
        layer: usize,
    ) -> Result<Self, EngineError> {
        let prefix = format!("features.denseblock{}.denselayer{}", block + 1, layer + 1);
        let norm1 = running_affine(parameters, &format!("{prefix}.norm1"))?;
        let norm2 = running_affine(parameters, &format!("{prefix}.norm2"))?;
        let conv1 = folded(parameters, &format!("{prefix}.conv1"), BOTTLENECK, &norm2)?;
        let conv2 = parameters.values(&format!("{prefix}.conv2.weight"));
        let conv1 = Convolution::new(isa, arithmetic, block, norm1, &conv1, BOTTLENECK)?;
        Ok(DenseLayer {
            conv1: conv1.with_bias_and_relu(norm2.shift),
            conv2: WinogradWeights::new(isa, conv2, GROWTH, BOTTLENECK),
        })
    }
}

fn transition(
    parameters: &Parameters,
    isa: Isa,
    arithmetic: Arithmetic<'_>,
    block: usize,
) -> Result<Convolution, EngineError> {
    let prefix = format!("features.transition{}", block + 1);
    let norm = running_affine(parameters, &format!("{prefix}.norm"))?;
    let conv = parameters.values(&format!("{prefix}.conv.weight"));
    Convolution::new(isa, arithmetic, block, norm, conv, Architecture::block_output(block) / 2)
}

impl Head {
    fn new(parameters: &Parameters, isa: Isa) -> Result<Self, EngineError> {
        let classes = parameters.architecture().classes;
        let width = classes.next_multiple_of(2 * isa.lanes());
        let mut weights = parameters.values("classifier.weight").to_vec();
        weights.resize(width * FEATURES, 0.0);
        let norm5 = running_affine(parameters, "features.norm5")?;
        Ok(Head {
            // The last layer is a thousandth of the work: it stays in f32 whatever the arithmetic.
            classifier: Convolution::new(isa, Arithmetic::F32, BLOCKS.len() - 1, norm5, &weights, width)?,
            bias: parameters.values("classifier.bias").to_vec(),
            classes,
        })
    }
}
