//! The forward pass: the layers in order, each a few passes over the batch, and what they save for the backward pass.
//!
//! Every dense block has one array for its channels, each layer writing its 32 in place. Normalized activations are never stored: each
//! pass computes them as it reads.

use super::Normalization;
use super::head;
use super::memory::Memory;
use super::network::{BatchStatistics, Network, packed};
use super::norm::Statistics;
use super::plan::Norm;
use crate::architecture::{BOTTLENECK, FEATURES, GROWTH, STEM};
use crate::kernels::Affine;
use crate::kernels::pad_images;
use crate::kernels::planes::pointwise::{Chunks, PointwiseForward};
use crate::kernels::planes::spatial::{SpatialForward, forward_tiles};
use crate::kernels::planes::stem::{PoolForward, RowBands, StemForward};
use crate::kernels::planes::{PLANE, Planes};
use crate::threads::SharedMut;

/// A forward pass and all that it saved. It borrows the network and its memory, so that neither changes while a backward pass may
/// follow, and the backward pass takes it away.
pub(crate) struct Activations<'n> {
    pub(super) network: &'n mut Network,
    pub(super) memory: &'n Memory,
    pub(super) statistics: BatchStatistics,
    /// What the pass normalizes with.
    pub(super) normalization: Normalization,
    /// The last feature maps' means, `[image][channel]`.
    pub(super) features: Vec<f32>,
    /// The logits, `[image][class]`.
    pub logits: Vec<f32>,
}

impl Network {
    /// Runs `count` images of `size` × `size` pixels through the network. `memory` is used again where it fits, and made anew where it
    /// does not.
    pub(crate) fn forward<'n>(
        &'n mut self,
        memory: &'n mut Option<Memory>,
        images: &[f32],
        count: usize,
        size: usize,
        normalization: Normalization,
    ) -> Activations<'n> {
        self.pack();
        // The old memory goes first, so that the two never stand side by side.
        memory.take_if(|memory| memory.images != count || memory.size != size);
        let memory = memory.get_or_insert_with(|| Memory::new(&self.plan, count, size));
        pad_images(images, size, &mut memory.padded);
        let mut pass = Activations {
            statistics: BatchStatistics::new(&self.plan, count, size),
            network: self,
            memory,
            normalization,
            features: vec![0.0; count * FEATURES],
            logits: Vec::new(),
        };
        pass.stem_forward();
        for block in 0..pass.network.plan.blocks.len() {
            for layer in 0..pass.network.plan.blocks[block].layers.len() {
                pass.layer_forward(block, layer);
            }
            pass.transition_forward(block);
        }
        pass.head_forward();
        pass
    }
}

impl Activations<'_> {
    fn stem_forward(&mut self) {
        let memory = self.memory;
        let stem = Planes::new(&memory.stem, memory.images * (memory.size / 2).pow(2));
        let bands = RowBands::new(memory.images, memory.size / 2);
        let sums = self.network.zeroed_sums(2 * bands.tasks * STEM);
        self.network.machine.launch(&StemForward {
            images: &memory.padded,
            size: memory.size,
            weights: packed(&self.network.forward_weights, self.network.plan.conv0),
            output: stem,
            bands,
            sums,
        });
        self.statistics.stem.finish(0, STEM, &self.network.sums, bands.tasks, stem.pixels);
        let (_, affine) = self.normalizer(self.network.plan.norm0, &self.statistics.stem);
        let block = &memory.blocks[0];
        let bands = RowBands::new(memory.images, block.side);
        let sums = self.network.zeroed_sums(2 * bands.tasks * STEM);
        self.network.machine.launch(&PoolForward {
            input: stem,
            affine: &affine,
            output: Planes::new(&block.values, block.pixels),
            taken: Planes::new(&memory.taken, block.pixels),
            bands,
            sums,
        });
        self.statistics.blocks[0].finish(0, STEM, &self.network.sums, bands.tasks, block.pixels);
    }

    fn layer_forward(&mut self, block: usize, index: usize) {
        let memory = self.memory;
        let layer = self.network.plan.blocks[block].layers[index];
        let at = &memory.blocks[block];
        let values = Planes::new(&at.values, at.pixels);
        let bottleneck = Planes::new(&at.bottlenecks[index], at.pixels);
        let chunks = Chunks::forward(at.pixels);
        let (_, affine) = self.normalizer(layer.norm1, &self.statistics.blocks[block]);
        let sums = self.network.zeroed_sums(2 * chunks.count * BOTTLENECK);
        self.network.machine.launch(&PointwiseForward {
            input: values,
            input_planes: layer.input / PLANE,
            affine: &affine,
            pooled: None,
            weights: packed(&self.network.forward_weights, layer.conv1),
            output: bottleneck,
            output_planes: BOTTLENECK / PLANE,
            chunks,
            sums,
        });
        self.statistics.bottlenecks[block][index].finish(0, BOTTLENECK, &self.network.sums, chunks.count, at.pixels);
        let (_, affine) = self.normalizer(layer.norm2, &self.statistics.bottlenecks[block][index]);
        let tiles = forward_tiles(self.network.plan.filtering, memory.images, at.side);
        let sums = self.network.zeroed_sums(2 * tiles.chunks * GROWTH);
        self.network.machine.launch(&SpatialForward {
            input: bottleneck,
            affine: &affine,
            weights: packed(&self.network.forward_weights, layer.conv2),
            output: values.from(layer.input / PLANE),
            tiles,
            sums,
        });
        self.statistics.blocks[block].finish(layer.input, GROWTH, &self.network.sums, tiles.chunks, at.pixels);
    }

    fn transition_forward(&mut self, block: usize) {
        let Some(conv) = self.network.plan.blocks[block].conv else {
            return;
        };
        let memory = self.memory;
        let (at, next) = (&memory.blocks[block], &memory.blocks[block + 1]);
        let (_, affine) = self.normalizer(self.network.plan.blocks[block].norm, &self.statistics.blocks[block]);
        let channels = self.network.plan.blocks[block].channels;
        let chunks = Chunks::forward(next.pixels);
        let sums = self.network.zeroed_sums(chunks.count * channels);
        self.network.machine.launch(&PointwiseForward {
            input: Planes::new(&at.values, at.pixels),
            input_planes: channels / PLANE,
            affine: &affine,
            pooled: Some(at.side),
            weights: packed(&self.network.forward_weights, conv),
            output: Planes::new(&next.values, next.pixels),
            output_planes: channels / 2 / PLANE,
            chunks,
            sums,
        });
        self.statistics.blocks[block + 1].finish(0, channels / 2, &self.network.sums, chunks.count, next.pixels);
    }

    fn head_forward(&mut self) {
        let last = &self.memory.blocks[3];
        let (_, affine) = self.normalizer(self.network.plan.blocks[3].norm, &self.statistics.blocks[3]);
        self.network.machine.launch(&head::HeadForward {
            input: Planes::new(&last.values, last.pixels),
            affine: &affine,
            images: self.memory.images,
            features: SharedMut::new(&mut self.features),
        });
        let (weight, bias) = (self.network.plan.classifier_weight, self.network.plan.classifier_bias);
        let classes = self.network.plan.classes;
        self.logits = head::logits(
            &self.features,
            &self.network.values[weight..weight + classes * FEATURES],
            &self.network.values[bias..bias + classes],
        );
    }

    /// The unaveraged class activation map of the images, `[image][cell]`, and the bias; for one output.
    pub(crate) fn cell_maps(&mut self) -> (Vec<f32>, f32) {
        let memory = self.memory;
        let last = &memory.blocks[3];
        let (_, affine) = self.normalizer(self.network.plan.blocks[3].norm, &self.statistics.blocks[3]);
        let mut maps = vec![0.0; last.pixels];
        self.network.machine.launch(&head::HeadMaps {
            input: Planes::new(&last.values, last.pixels),
            affine: &affine,
            images: memory.images,
            weight: &self.network.values
                [self.network.plan.classifier_weight..self.network.plan.classifier_weight + FEATURES],
            maps: SharedMut::new(&mut maps),
        });
        (maps, self.network.values[self.network.plan.classifier_bias])
    }

    /// What a normalization normalizes with, and as what map: running statistics of its own, or the batch's, which are all its readers'.
    pub(super) fn normalizer(&self, norm: Norm, batch: &Statistics) -> (Statistics, Affine) {
        let values = |at: usize| &self.network.values[at..at + norm.channels];
        let used = match self.normalization {
            Normalization::Running => Statistics::of(values(norm.running_mean), values(norm.running_var)),
            Normalization::Batch => batch.clone(),
        };
        let affine = used.affine(values(norm.weight), values(norm.bias));
        (used, affine)
    }
}
