//! The network, forward and backward: the layers in order, each a few passes over the batch.
//!
//! Every dense block has one array for its channels, each layer writing its 32 in place, and one for their gradients, each
//! reader adding to it in place. Normalized activations are never stored: each pass computes them as it reads.

use super::head;
use super::machine::Machine;
use super::memory::{Buffer, Planes};
use super::norm::{Affine, Correction, Statistics, norm_gradients};
use super::pack::{GradientSum, PackAll, Packing};
use super::plan::{Layer, Memory, Norm, Plan};
use super::pointwise::{Chunks, PointwiseBackward, PointwiseForward};
use super::spatial::{SpatialBackward, SpatialForward, backward_tiles, forward_tiles, point_weights};
use super::stem::{PoolForward, RowBands, STEM_WEIGHTS, StemBackward, StemForward, StemStage, pad_images};
use super::{Above, Normalization, PLANE};
use crate::architecture::{BN_MOMENTUM, BOTTLENECK, FEATURES, GROWTH, STEM};
use crate::threads::SharedMut;

/// The network's tensors, gradients and working memory.
pub(crate) struct Network {
    pub machine: Machine,
    pub plan: Plan,
    /// Every tensor, and the gradient of every trained one.
    pub values: Buffer,
    pub gradient: Buffer,
    forward_weights: Buffer,
    backward_weights: Buffer,
    /// Whether the packed weights are those of `values`.
    pub packed: bool,
    memory: Option<Memory>,
    statistics: BatchStatistics,
    /// What the latest forward pass normalized with.
    normalization: Normalization,
    sums: Vec<f64>,
    features: Vec<f32>,
}

/// How running statistics take in a batch's.
#[derive(Clone, Copy)]
pub(crate) enum Blend {
    /// As torch does in training: momentum 0.1, unbiased variance.
    Momentum,
    /// This share of a whole of which the batch is a part: the mean and variance become those of all batches so far if the k-th has
    /// the share 1/k (Chan, Golub and LeVeque 1979).
    Share(f32),
}

impl Blend {
    fn update(self, values: &mut [f32], norm: Norm, batch: &Statistics, count: usize) {
        let unbiased = count as f32 / (count as f32 - 1.0);
        for channel in 0..norm.channels {
            let (new_mean, new_variance) = (batch.mean[channel], batch.variance[channel]);
            let mean = &mut values[norm.running_mean + channel];
            let apart = new_mean - *mean;
            let (share, target) = match self {
                Blend::Momentum => (BN_MOMENTUM, new_variance * unbiased),
                Blend::Share(share) => (share, new_variance + (1.0 - share) * apart * apart),
            };
            *mean += share * apart;
            let variance = &mut values[norm.running_var + channel];
            *variance += share * (target - *variance);
        }
    }
}

/// The statistics of every normalized channel over the latest batch.
#[derive(Default)]
struct BatchStatistics {
    stem: Statistics,
    blocks: Vec<Statistics>,
    /// Of each block's layers' 128 channels.
    bottlenecks: Vec<Vec<Statistics>>,
}

impl Network {
    pub(crate) fn new(machine: Machine, plan: Plan) -> Self {
        let statistics = BatchStatistics {
            stem: Statistics::new(STEM),
            blocks: plan.blocks.iter().map(|b| Statistics::new(b.channels)).collect(),
            bottlenecks: plan
                .blocks
                .iter()
                .map(|b| b.layers.iter().map(|_| Statistics::new(BOTTLENECK)).collect())
                .collect(),
        };
        Network {
            values: Buffer::new(plan.len),
            gradient: Buffer::new(plan.len),
            forward_weights: Buffer::new(plan.packed_len),
            backward_weights: Buffer::new(plan.packed_len),
            packed: false,
            memory: None,
            statistics,
            normalization: Normalization::Batch,
            sums: Vec::new(),
            features: Vec::new(),
            machine,
            plan,
        }
    }

    /// The logits.
    pub(crate) fn forward(
        &mut self,
        images: &[f32],
        count: usize,
        size: usize,
        normalization: Normalization,
    ) -> Vec<f32> {
        self.normalization = normalization;
        self.pack();
        let mut memory = match self.memory.take() {
            Some(memory) if memory.images == count && memory.size == size => memory,
            other => {
                // The old memory goes first, so that the two never stand side by side.
                drop(other);
                Memory::new(&self.plan, count, size, partial_len(&self.plan, count, size))
            }
        };
        pad_images(images, size, &mut memory.padded);
        self.stem_forward(&memory);
        for block in 0..self.plan.blocks.len() {
            for layer in 0..self.plan.blocks[block].layers.len() {
                self.layer_forward(&memory, block, layer);
            }
            self.transition_forward(&memory, block);
        }
        let last = &memory.blocks[memory.blocks.len() - 1];
        let (_, affine) = self.normalizer(self.plan.blocks[3].norm, &self.statistics.blocks[3]);
        self.features.resize(count * FEATURES, 0.0);
        self.machine.launch(&head::HeadForward {
            input: Planes::new(&last.values, last.pixels),
            affine: &affine,
            images: count,
            features: SharedMut::new(&mut self.features),
        });
        self.memory = Some(memory);
        let (weight, bias) = (self.plan.classifier_weight, self.plan.classifier_bias);
        let classes = self.plan.classes;
        head::logits(
            &self.features,
            &self.values[weight..weight + classes * FEATURES],
            &self.values[bias..bias + classes],
        )
    }

    /// The unaveraged class activation map of the latest forward pass's images, `[image][cell]`, and the bias; for one output.
    pub(crate) fn cell_maps(&mut self) -> (Vec<f32>, f32) {
        let Some(memory) = self.memory.take() else {
            return (Vec::new(), 0.0);
        };
        let last = &memory.blocks[3];
        let (_, affine) = self.normalizer(self.plan.blocks[3].norm, &self.statistics.blocks[3]);
        let mut maps = vec![0.0; last.pixels];
        self.machine.launch(&head::HeadMaps {
            input: Planes::new(&last.values, last.pixels),
            affine: &affine,
            images: memory.images,
            weight: &self.values[self.plan.classifier_weight..self.plan.classifier_weight + FEATURES],
            maps: SharedMut::new(&mut maps),
        });
        self.memory = Some(memory);
        (maps, self.values[self.plan.classifier_bias])
    }

    /// Every trained tensor's gradient, from the gradient at the end of the latest forward pass.
    pub(crate) fn backward(&mut self, above: &Above) {
        let Some(memory) = self.memory.take() else {
            return;
        };
        let mut correction = self.head_backward(&memory, above);
        let mut stage =
            1 + self.plan.blocks.iter().map(|b| b.layers.len() + usize::from(b.conv.is_some())).sum::<usize>();
        'blocks: for block in (0..self.plan.blocks.len()).rev() {
            if self.plan.blocks[block].conv.is_some() {
                stage -= 1;
                if stage < self.plan.first_trained {
                    break 'blocks;
                }
                correction = self.transition_backward(&memory, block, &correction);
            }
            for layer in (0..self.plan.blocks[block].layers.len()).rev() {
                stage -= 1;
                if stage < self.plan.first_trained {
                    break 'blocks;
                }
                self.layer_backward(&memory, block, layer, &mut correction);
            }
        }
        if self.plan.first_trained == 0 {
            self.stem_backward(&memory, &correction);
        }
        self.memory = Some(memory);
    }

    /// Moves every normalization's running statistics towards the latest batch's, after a forward pass with batch statistics.
    pub(crate) fn update_running_statistics(&mut self, blend: Blend) {
        let Some(memory) = &self.memory else {
            return;
        };
        let values = &mut self.values;
        blend.update(values, self.plan.norm0, &self.statistics.stem, memory.images * (memory.size / 2).pow(2));
        for (index, block) in self.plan.blocks.iter().enumerate() {
            let pixels = memory.blocks[index].pixels;
            for (layer, bottleneck) in block.layers.iter().zip(&self.statistics.bottlenecks[index]) {
                blend.update(values, layer.norm1, &self.statistics.blocks[index], pixels);
                blend.update(values, layer.norm2, bottleneck, pixels);
            }
            blend.update(values, block.norm, &self.statistics.blocks[index], pixels);
        }
    }

    fn pack(&mut self) {
        if !self.packed {
            self.machine.launch(&PackAll {
                list: &self.plan.packings(),
                values: &self.values,
                forward: SharedMut::new(&mut self.forward_weights),
                backward: SharedMut::new(&mut self.backward_weights),
            });
            self.packed = true;
        }
    }

    /// What a normalization normalizes with, and as what map: running statistics of its own, or the batch's, which are all its readers'.
    fn normalizer(&self, norm: Norm, batch: &Statistics) -> (Statistics, Affine) {
        let values = |at: usize| &self.values[at..at + norm.channels];
        let used = match self.normalization {
            Normalization::Running => Statistics::of(values(norm.running_mean), values(norm.running_var)),
            Normalization::Batch => batch.clone(),
        };
        let affine = Affine::new(values(norm.weight), values(norm.bias), &used);
        (used, affine)
    }

    /// `len` zeros for a pass's sums.
    fn sums(&mut self, len: usize) -> SharedMut<f64> {
        self.sums.clear();
        self.sums.resize(len, 0.0);
        SharedMut::new(&mut self.sums)
    }

    fn stem_forward(&mut self, memory: &Memory) {
        let stem = Planes::new(&memory.stem, memory.images * (memory.size / 2).pow(2));
        let bands = RowBands::new(memory.images, memory.size / 2);
        let sums = self.sums(2 * bands.tasks * STEM);
        self.machine.launch(&StemForward {
            images: &memory.padded,
            size: memory.size,
            weights: packed(&self.forward_weights, self.plan.conv0),
            output: stem,
            bands,
            sums,
        });
        self.statistics.stem.finish(0, STEM, &self.sums, bands.tasks, stem.pixels);
        let (_, affine) = self.normalizer(self.plan.norm0, &self.statistics.stem);
        let block = &memory.blocks[0];
        let bands = RowBands::new(memory.images, block.side);
        let sums = self.sums(2 * bands.tasks * STEM);
        self.machine.launch(&PoolForward {
            input: stem,
            affine: &affine,
            output: Planes::new(&block.values, block.pixels),
            taken: Planes::new(&memory.taken, block.pixels),
            bands,
            sums,
        });
        self.statistics.blocks[0].finish(0, STEM, &self.sums, bands.tasks, block.pixels);
    }

    fn layer_forward(&mut self, memory: &Memory, block: usize, index: usize) {
        let layer = self.plan.blocks[block].layers[index];
        let at = &memory.blocks[block];
        let values = Planes::new(&at.values, at.pixels);
        let bottleneck = Planes::new(&at.bottlenecks[index], at.pixels);
        let chunks = Chunks::forward(at.pixels);
        let (_, affine) = self.normalizer(layer.norm1, &self.statistics.blocks[block]);
        let sums = self.sums(2 * chunks.count * BOTTLENECK);
        self.machine.launch(&PointwiseForward {
            input: values,
            input_planes: layer.input / PLANE,
            affine: &affine,
            pooled: None,
            weights: packed(&self.forward_weights, layer.conv1),
            output: bottleneck,
            output_planes: BOTTLENECK / PLANE,
            chunks,
            sums,
        });
        self.statistics.bottlenecks[block][index].finish(0, BOTTLENECK, &self.sums, chunks.count, at.pixels);
        let (_, affine) = self.normalizer(layer.norm2, &self.statistics.bottlenecks[block][index]);
        let tiles = forward_tiles(self.plan.filtering, memory.images, at.side);
        let sums = self.sums(2 * tiles.chunks * GROWTH);
        self.machine.launch(&SpatialForward {
            input: bottleneck,
            affine: &affine,
            weights: packed(&self.forward_weights, layer.conv2),
            output: values.from(layer.input / PLANE),
            tiles,
            sums,
        });
        self.statistics.blocks[block].finish(layer.input, GROWTH, &self.sums, tiles.chunks, at.pixels);
    }

    fn transition_forward(&mut self, memory: &Memory, block: usize) {
        let Some(conv) = self.plan.blocks[block].conv else {
            return;
        };
        let (at, next) = (&memory.blocks[block], &memory.blocks[block + 1]);
        let (_, affine) = self.normalizer(self.plan.blocks[block].norm, &self.statistics.blocks[block]);
        let channels = self.plan.blocks[block].channels;
        let chunks = Chunks::forward(next.pixels);
        let sums = self.sums(chunks.count * channels);
        self.machine.launch(&PointwiseForward {
            input: Planes::new(&at.values, at.pixels),
            input_planes: channels / PLANE,
            affine: &affine,
            pooled: Some(at.side),
            weights: packed(&self.forward_weights, conv),
            output: Planes::new(&next.values, next.pixels),
            output_planes: channels / 2 / PLANE,
            chunks,
            sums,
        });
        self.statistics.blocks[block + 1].finish(0, channels / 2, &self.sums, chunks.count, next.pixels);
    }

    /// Returns what is still to be subtracted from the last block's gradient.
    fn head_backward(&mut self, memory: &Memory, above: &Above) -> Correction {
        let (plan, classes) = (&self.plan, self.plan.classes);
        let (weight, bias) = (plan.classifier_weight, plan.classifier_bias);
        let mut d_weight = vec![0.0; classes * FEATURES];
        let mut d_bias = vec![0.0; classes];
        let classifier = &self.values[weight..weight + classes * FEATURES];
        let below = head::linear_backward(&self.features, classifier, &above.logits, &mut d_weight, &mut d_bias);
        let classifier = classifier.to_vec();
        let norm = plan.blocks[3].norm;
        let at = &memory.blocks[3];
        let (used, affine) = self.normalizer(norm, &self.statistics.blocks[3]);
        let cells = above.cells.as_ref().map(|(gradient, of_bias)| {
            d_bias[0] += of_bias;
            head::CellBackward { gradient, weight: &classifier, weight_gradient: SharedMut::new(&mut d_weight) }
        });
        let sums = self.sums(2 * FEATURES);
        self.machine.launch(&head::HeadBackward {
            cells,
            input: Planes::new(&at.values, at.pixels),
            affine: &affine,
            mean: &used.mean,
            images: memory.images,
            feature_gradient: &below,
            input_gradient: Planes::new(&at.gradient, at.pixels),
            sums,
        });
        self.gradient[weight..weight + classes * FEATURES].copy_from_slice(&d_weight);
        self.gradient[bias..bias + classes].copy_from_slice(&d_bias);
        self.norm_backward(norm, 1, &used.rstd);
        let mut correction = Correction::identity(FEATURES);
        self.subtract(&mut correction, norm, &affine, &used, at.pixels);
        correction
    }

    fn transition_backward(&mut self, memory: &Memory, block: usize, above: &Correction) -> Correction {
        let conv = self.plan.blocks[block].conv.expect("only called for a block with a transition");
        let (at, next) = (&memory.blocks[block], &memory.blocks[block + 1]);
        let norm = self.plan.blocks[block].norm;
        let channels = self.plan.blocks[block].channels;
        let (used, affine) = self.normalizer(norm, &self.statistics.blocks[block]);
        let chunks = Chunks::backward(next.pixels);
        let sums = self.sums(2 * chunks.count * channels);
        self.machine.launch(&PointwiseBackward {
            gradient: Planes::new(&next.gradient, next.pixels),
            values: Planes::new(&next.values, next.pixels),
            correction: above,
            output_planes: channels / 2 / PLANE,
            input: Planes::new(&at.values, at.pixels),
            input_planes: channels / PLANE,
            affine: &affine,
            mean: &used.mean,
            pooled: Some(at.side),
            weights: packed(&self.backward_weights, conv),
            input_gradient: Planes::new(&at.gradient, at.pixels),
            chunks,
            weight_gradient: shared(&memory.partial),
            sums,
        });
        self.sum_weights(memory, conv, chunks.count);
        self.norm_backward(norm, chunks.count, &used.rstd);
        let mut correction = Correction::identity(channels);
        self.subtract(&mut correction, norm, &affine, &used, at.pixels);
        correction
    }

    fn layer_backward(&mut self, memory: &Memory, block: usize, index: usize, correction: &mut Correction) {
        let layer = self.plan.blocks[block].layers[index];
        let at = &memory.blocks[block];
        let values = Planes::new(&at.values, at.pixels);
        let gradient = Planes::new(&at.gradient, at.pixels);
        let bottleneck = Planes::new(&at.bottlenecks[index], at.pixels);
        let below = Planes::new(&memory.bottleneck_gradient, at.pixels);
        let within = self.spatial_backward(memory, block, index, &layer, &correction.part(layer.input, GROWTH));
        let (used, affine) = self.normalizer(layer.norm1, &self.statistics.blocks[block]);
        let chunks = Chunks::backward(at.pixels);
        let sums = self.sums(2 * chunks.count * layer.input);
        self.machine.launch(&PointwiseBackward {
            gradient: below,
            values: bottleneck,
            correction: &within,
            output_planes: BOTTLENECK / PLANE,
            input: values,
            input_planes: layer.input / PLANE,
            affine: &affine,
            mean: &used.mean,
            pooled: None,
            weights: packed(&self.backward_weights, layer.conv1),
            input_gradient: gradient,
            chunks,
            weight_gradient: shared(&memory.partial),
            sums,
        });
        self.sum_weights(memory, layer.conv1, chunks.count);
        self.norm_backward(layer.norm1, chunks.count, &used.rstd);
        self.subtract(correction, layer.norm1, &affine, &used, at.pixels);
    }

    /// The 3×3 convolution's share of a layer's backward pass; returns the backward map of the second normalization.
    fn spatial_backward(
        &mut self,
        memory: &Memory,
        block: usize,
        index: usize,
        layer: &Layer,
        correction: &Correction,
    ) -> Correction {
        let at = &memory.blocks[block];
        let (used, affine) = self.normalizer(layer.norm2, &self.statistics.bottlenecks[block][index]);
        let tiles = backward_tiles(self.plan.filtering, memory.images, at.side);
        let sums = self.sums(2 * tiles.chunks * BOTTLENECK);
        self.machine.launch(&SpatialBackward {
            gradient: Planes::new(&at.gradient, at.pixels).from(layer.input / PLANE),
            values: Planes::new(&at.values, at.pixels).from(layer.input / PLANE),
            correction,
            input: Planes::new(&at.bottlenecks[index], at.pixels),
            affine: &affine,
            mean: &used.mean,
            weights: packed(&self.backward_weights, layer.conv2),
            input_gradient: Planes::new(&memory.bottleneck_gradient, at.pixels),
            tiles,
            weight_gradient: shared(&memory.partial),
            sums,
        });
        self.sum_weights(memory, layer.conv2, tiles.chunks);
        self.norm_backward(layer.norm2, tiles.chunks, &used.rstd);
        let mut within = Correction::identity(BOTTLENECK);
        within.gradient.copy_from_slice(&affine.scale);
        self.subtract(&mut within, layer.norm2, &affine, &used, at.pixels);
        within
    }

    fn stem_backward(&mut self, memory: &Memory, correction: &Correction) {
        let (used, affine) = self.normalizer(self.plan.norm0, &self.statistics.stem);
        let block = &memory.blocks[0];
        let bands = RowBands::new(memory.images, memory.size / 2);
        let stem = Planes::new(&memory.stem, memory.images * (memory.size / 2).pow(2));
        let sums = self.sums(2 * bands.tasks * STEM);
        let mut pass = StemBackward {
            stage: StemStage::Sums,
            images: &memory.padded,
            size: memory.size,
            values: stem,
            mean: &used.mean,
            pooled: Planes::new(&block.values, block.pixels),
            gradient: Planes::new(&block.gradient, block.pixels),
            correction,
            taken: Planes::new(&memory.taken, block.pixels),
            bands,
            sums,
            weight_gradient: shared(&memory.partial),
        };
        self.machine.launch(&pass);
        self.norm_backward(self.plan.norm0, bands.tasks, &used.rstd);
        let mut within = Correction::identity(STEM);
        within.gradient.copy_from_slice(&affine.scale);
        self.subtract(&mut within, self.plan.norm0, &affine, &used, stem.pixels);
        pass.stage = StemStage::Weights(&within);
        self.machine.launch(&pass);
        self.sum_weights(memory, self.plan.conv0, bands.tasks);
    }

    /// Adds up the parts of a convolution's weight gradient.
    fn sum_weights(&mut self, memory: &Memory, conv: Packing, parts: usize) {
        let gradient = SharedMut::new(&mut self.gradient[conv.weights..conv.weights + conv.len]);
        let pass = GradientSum { packing: conv, parts, partial: &memory.partial, gradient };
        self.machine.launch(&pass);
    }

    /// The gradients of a normalization's weight and bias from the latest sums.
    fn norm_backward(&mut self, norm: Norm, parts: usize, rstd: &[f32]) {
        let mut d_weight = vec![0.0; norm.channels];
        let mut d_bias = vec![0.0; norm.channels];
        norm_gradients(&self.sums, parts, rstd, &mut d_weight, &mut d_bias);
        self.gradient[norm.weight..norm.weight + norm.channels].copy_from_slice(&d_weight);
        self.gradient[norm.bias..norm.bias + norm.channels].copy_from_slice(&d_bias);
    }

    /// Subtracts a normalization's own terms, whose gradients are known: what flows through the batch's mean and variance. Running
    /// statistics are constants.
    fn subtract(&self, correction: &mut Correction, norm: Norm, affine: &Affine, used: &Statistics, pixels: usize) {
        if self.normalization == Normalization::Running {
            return;
        }
        let d_weight = &self.gradient[norm.weight..norm.weight + norm.channels];
        let d_bias = &self.gradient[norm.bias..norm.bias + norm.channels];
        correction.subtract(&affine.scale, d_weight, d_bias, used, pixels);
    }
}

fn packed(weights: &Buffer, conv: Packing) -> &[f32] {
    &weights[conv.packed..conv.packed + conv.packed_len()]
}

/// A buffer that a pass writes disjoint parts of.
fn shared(buffer: &Buffer) -> SharedMut<f32> {
    // SAFETY: the buffer's own values; the passes that get it are the only ones to use it while they run.
    SharedMut::new(unsafe { std::slice::from_raw_parts_mut(buffer.ptr(), buffer.len()) })
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
