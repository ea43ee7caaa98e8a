//! The memory of a batch: activations, their gradients, and the parts of one weight gradient.

use super::plan::Plan;
use super::spatial::backward_tiles;
use super::stem::STEM_WEIGHTS;
use crate::architecture::{BOTTLENECK, STEM};
use crate::kernels::planes::pointwise::Chunks;
use crate::kernels::planes::spatial::point_weights;
use crate::kernels::planes::stem::RowBands;
use crate::kernels::{Buffer, padded_side};

/// A dense block's activations and gradients for one shape of batch.
pub(crate) struct BlockMemory {
    pub side: usize,
    pub pixels: usize,
    pub values: Buffer,
    pub gradient: Buffer,
    /// Each layer's 128 channels between its convolutions.
    pub bottlenecks: Vec<Buffer>,
}

/// Everything whose size depends on the batch, allocated once for each shape of batch.
pub(crate) struct Memory {
    pub images: usize,
    pub size: usize,
    pub padded: Buffer,
    pub stem: Buffer,
    pub taken: Buffer,
    pub blocks: Vec<BlockMemory>,
    /// The gradient at a layer's 128 channels.
    pub bottleneck_gradient: Buffer,
    /// Weight gradients of one convolution, a part each task.
    pub partial: Buffer,
}

impl Memory {
    pub(crate) fn new(plan: &Plan, images: usize, size: usize) -> Self {
        let pixels = |side: usize| images * side * side;
        let blocks: Vec<BlockMemory> = plan
            .blocks
            .iter()
            .enumerate()
            .map(|(index, block)| {
                let side = (size / 4) >> index;
                let pixels = pixels(side);
                BlockMemory {
                    side,
                    pixels,
                    values: Buffer::zeroed(pixels * block.channels),
                    gradient: Buffer::zeroed(pixels * block.channels),
                    bottlenecks: block.layers.iter().map(|_| Buffer::zeroed(pixels * BOTTLENECK)).collect(),
                }
            })
            .collect();
        let padded = padded_side(size);
        Memory {
            images,
            size,
            padded: Buffer::zeroed(images * padded * padded),
            stem: Buffer::zeroed(pixels(size / 2) * STEM),
            taken: Buffer::zeroed(pixels(size / 4) * STEM),
            bottleneck_gradient: Buffer::zeroed(pixels(size / 4) * BOTTLENECK),
            partial: Buffer::zeroed(partial_len(plan, images, size)),
            blocks,
        }
    }
}

/// Values of the largest weight gradient with all its parts.
fn partial_len(plan: &Plan, images: usize, size: usize) -> usize {
    let mut len = RowBands::new(images, size / 2).tasks * STEM_WEIGHTS;
    for (index, block) in plan.blocks.iter().enumerate() {
        let side = (size / 4) >> index;
        let chunks = Chunks::backward(images * side * side).count;
        let widest = block.layers.iter().map(|layer| layer.conv1.len).max().unwrap_or(0);
        let spatial = backward_tiles(plan.filtering, images, side).chunks * point_weights(plan.filtering);
        len = len.max(chunks * widest).max(spatial);
        if let Some(conv) = block.conv {
            len = len.max(Chunks::backward(images * side * side / 4).count * conv.len);
        }
    }
    len
}
