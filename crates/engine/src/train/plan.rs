//! The network as the trainer walks it: where each tensor lies in one flat array, and the order of the layers.

use std::collections::HashMap;

use super::pack::{Packing, Shape};
use crate::architecture::{Architecture, BLOCKS, BOTTLENECK, FEATURES, GROWTH, STEM};
use crate::kernels::winograd::Filtering;
use crate::parameters::Parameters;

/// A tensor in the flat array.
pub(crate) struct Entry {
    pub name: String,
    pub offset: usize,
    pub len: usize,
    /// Changed by the optimizer: no running statistic, and not frozen.
    pub trained: bool,
}

impl Entry {
    /// Whether it is a running statistic.
    pub(crate) fn is_running(&self) -> bool {
        self.name.ends_with(".running_mean") || self.name.ends_with(".running_var")
    }
}

/// A normalization's tensors, as offsets.
#[derive(Clone, Copy)]
pub(crate) struct Norm {
    pub channels: usize,
    pub weight: usize,
    pub bias: usize,
    pub running_mean: usize,
    pub running_var: usize,
}

/// A dense layer.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    /// Channels that it reads; its own come after them.
    pub input: usize,
    pub norm1: Norm,
    pub conv1: Packing,
    pub norm2: Norm,
    pub conv2: Packing,
}

/// A dense block and what comes after it.
pub(crate) struct Block {
    pub channels: usize,
    pub layers: Vec<Layer>,
    /// The transition's normalization, or the network's last.
    pub norm: Norm,
    /// The transition's convolution.
    pub conv: Option<Packing>,
}

/// The whole network.
pub(crate) struct Plan {
    pub entries: Vec<Entry>,
    /// Values in the flat array.
    pub len: usize,
    /// Values in a packed buffer.
    pub packed_len: usize,
    /// How the 3×3 convolutions are computed.
    pub filtering: Filtering,
    pub conv0: Packing,
    pub norm0: Norm,
    pub blocks: Vec<Block>,
    pub classifier_weight: usize,
    pub classifier_bias: usize,
    pub classes: usize,
    /// The first stage with a trained tensor: 0 the stem, then each dense layer and transition in order, then the head.
    pub first_trained: usize,
}

impl Plan {
    pub(crate) fn new(architecture: &Architecture, frozen: &[String], filtering: Filtering) -> Self {
        let mut entries = Vec::new();
        let mut len = 0;
        for (name, shape) in Parameters::names_and_shapes(architecture) {
            let values: usize = shape.iter().product();
            let frozen = frozen.iter().any(|prefix| name.starts_with(prefix.as_str()));
            let mut entry = Entry { name, offset: len, len: values, trained: false };
            entry.trained = !frozen && !entry.is_running();
            entries.push(entry);
            len += values.next_multiple_of(16);
        }
        let offsets = entries.iter().map(|e| (e.name.clone(), e.offset)).collect();
        let mut builder = Builder { offsets, packed: 0 };
        let conv0 = builder.conv("features.conv0", Shape::Stem, STEM * 49);
        let norm0 = builder.norm("features.norm0", STEM);
        let mut stages = vec![vec!["features.conv0.".to_string(), "features.norm0.".to_string()]];
        let mut blocks = Vec::new();
        for (block, &count) in BLOCKS.iter().enumerate() {
            let mut layers = Vec::new();
            for layer in 0..count {
                let prefix = format!("features.denseblock{}.denselayer{}", block + 1, layer + 1);
                let input = Architecture::block_input(block) + layer * GROWTH;
                layers.push(Layer {
                    input,
                    norm1: builder.norm(&format!("{prefix}.norm1"), input),
                    conv1: builder.conv(&format!("{prefix}.conv1"), Shape::Pointwise(BOTTLENECK), input * BOTTLENECK),
                    norm2: builder.norm(&format!("{prefix}.norm2"), BOTTLENECK),
                    conv2: builder.conv(&format!("{prefix}.conv2"), Shape::Spatial(filtering), GROWTH * BOTTLENECK * 9),
                });
                stages.push(vec![format!("{prefix}.")]);
            }
            let channels = Architecture::block_output(block);
            let (norm, conv) = if block + 1 < BLOCKS.len() {
                let prefix = format!("features.transition{}", block + 1);
                let shape = Shape::Pointwise(channels / 2);
                stages.push(vec![format!("{prefix}.")]);
                let norm = builder.norm(&format!("{prefix}.norm"), channels);
                (norm, Some(builder.conv(&format!("{prefix}.conv"), shape, channels * channels / 2)))
            } else {
                (builder.norm("features.norm5", FEATURES), None)
            };
            blocks.push(Block { channels, layers, norm, conv });
        }
        let first_trained = stages
            .iter()
            .position(|prefixes| {
                entries.iter().any(|e| e.trained && prefixes.iter().any(|p| e.name.starts_with(p.as_str())))
            })
            .unwrap_or(stages.len());
        Plan {
            len,
            packed_len: builder.packed,
            filtering,
            conv0,
            norm0,
            blocks,
            classifier_weight: builder.offsets["classifier.weight"],
            classifier_bias: builder.offsets["classifier.bias"],
            classes: architecture.classes,
            first_trained,
            entries,
        }
    }

    /// Every convolution.
    pub(crate) fn packings(&self) -> Vec<Packing> {
        let mut list = vec![self.conv0];
        for block in &self.blocks {
            list.extend(block.layers.iter().flat_map(|layer| [layer.conv1, layer.conv2]));
            list.extend(block.conv);
        }
        list
    }

    /// The architecture that it is the plan of.
    pub(crate) fn architecture(&self) -> Architecture {
        Architecture::new(self.classes)
    }

    /// Copies parameters into a flat array.
    pub(crate) fn flatten(&self, parameters: &Parameters, to: &mut [f32]) {
        for (entry, (_, _, data)) in self.entries.iter().zip(parameters.iter()) {
            to[entry.offset..entry.offset + entry.len].copy_from_slice(data);
        }
    }

    /// Copies a flat array into parameters.
    pub(crate) fn unflatten(&self, from: &[f32], parameters: &mut Parameters) {
        for (entry, (_, data)) in self.entries.iter().zip(parameters.iter_mut()) {
            data.copy_from_slice(&from[entry.offset..entry.offset + entry.len]);
        }
    }
}

struct Builder {
    offsets: HashMap<String, usize>,
    packed: usize,
}

impl Builder {
    fn conv(&mut self, prefix: &str, shape: Shape, len: usize) -> Packing {
        let packing = Packing { shape, weights: self.offsets[&format!("{prefix}.weight")], len, packed: self.packed };
        self.packed += packing.packed_len().next_multiple_of(16);
        packing
    }

    fn norm(&self, prefix: &str, channels: usize) -> Norm {
        let at = |part: &str| self.offsets[&format!("{prefix}.{part}")];
        Norm {
            channels,
            weight: at("weight"),
            bias: at("bias"),
            running_mean: at("running_mean"),
            running_var: at("running_var"),
        }
    }
}
