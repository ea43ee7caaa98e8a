//! The backward pass: the layers in reverse, down to the first that is trained.
//!
//! Every dense block has one array for its channels' gradients, each reader adding to it in place.

use super::Above;
use super::Normalization;
use super::forward::Activations;
use super::head;
use super::network::{BatchStatistics, Network, packed, shared};
use super::norm::{Correction, Statistics, norm_gradients};
use super::pack::{GradientSum, Packing};
use super::plan::{Layer, Norm};
use super::pointwise::PointwiseBackward;
use super::spatial::{SpatialBackward, backward_tiles};
use super::stem::{StemBackward, StemStage};
use crate::architecture::{BOTTLENECK, FEATURES, GROWTH, STEM};
use crate::kernels::Affine;
use crate::kernels::planes::pointwise::Chunks;
use crate::kernels::planes::stem::RowBands;
use crate::kernels::planes::{PLANE, Planes};
use crate::parameters::Parameters;
use crate::threads::SharedMut;

/// What a backward pass leaves: the gradients, in the network, and the batch's statistics.
pub(crate) struct Gradients<'n> {
    network: &'n Network,
    pub statistics: BatchStatistics,
}

impl Gradients<'_> {
    /// Every trained tensor's gradient, and zero for all others.
    pub(crate) fn tensors(&self) -> Parameters {
        let mut tensors = Parameters::zeros(&self.network.plan.architecture());
        for (entry, (_, to)) in self.network.plan.entries.iter().zip(tensors.iter_mut()) {
            if entry.trained {
                to.copy_from_slice(&self.network.gradient[entry.offset..entry.offset + entry.len]);
            }
        }
        tensors
    }
}

impl<'n> Activations<'n> {
    /// Every trained tensor's gradient, from the gradient at the end of the network.
    pub(crate) fn backward(mut self, above: &Above) -> Gradients<'n> {
        let mut correction = self.head_backward(above);
        let mut stage =
            1 + self.network.plan.blocks.iter().map(|b| b.layers.len() + usize::from(b.conv.is_some())).sum::<usize>();
        'blocks: for block in (0..self.network.plan.blocks.len()).rev() {
            if self.network.plan.blocks[block].conv.is_some() {
                stage -= 1;
                if stage < self.network.plan.first_trained {
                    break 'blocks;
                }
                correction = self.transition_backward(block, &correction);
            }
            for layer in (0..self.network.plan.blocks[block].layers.len()).rev() {
                stage -= 1;
                if stage < self.network.plan.first_trained {
                    break 'blocks;
                }
                self.layer_backward(block, layer, &mut correction);
            }
        }
        if self.network.plan.first_trained == 0 {
            self.stem_backward(&correction);
        }
        Gradients { network: self.network, statistics: self.statistics }
    }

    /// Returns what is still to be subtracted from the last block's gradient.
    fn head_backward(&mut self, above: &Above) -> Correction {
        let memory = self.memory;
        let (plan, classes) = (&self.network.plan, self.network.plan.classes);
        let (weight, bias) = (plan.classifier_weight, plan.classifier_bias);
        let mut d_weight = vec![0.0; classes * FEATURES];
        let mut d_bias = vec![0.0; classes];
        let classifier = &self.network.values[weight..weight + classes * FEATURES];
        let below = head::linear_backward(&self.features, classifier, &above.logits, &mut d_weight, &mut d_bias);
        let classifier = classifier.to_vec();
        let norm = plan.blocks[3].norm;
        let at = &memory.blocks[3];
        let (used, affine) = self.normalizer(norm, &self.statistics.blocks[3]);
        let cells = above.cells.as_ref().map(|(gradient, of_bias)| {
            d_bias[0] += of_bias;
            head::CellBackward { gradient, weight: &classifier, weight_gradient: SharedMut::new(&mut d_weight) }
        });
        let sums = self.network.zeroed_sums(2 * FEATURES);
        self.network.machine.launch(&head::HeadBackward {
            cells,
            input: Planes::new(&at.values, at.pixels),
            affine: &affine,
            mean: &used.mean,
            images: memory.images,
            feature_gradient: &below,
            input_gradient: Planes::new(&at.gradient, at.pixels),
            sums,
        });
        self.network.gradient[weight..weight + classes * FEATURES].copy_from_slice(&d_weight);
        self.network.gradient[bias..bias + classes].copy_from_slice(&d_bias);
        self.norm_backward(norm, 1, &used.rstd);
        let mut correction = Correction::identity(FEATURES);
        self.subtract(&mut correction, norm, &affine, &used, at.pixels);
        correction
    }

    fn transition_backward(&mut self, block: usize, above: &Correction) -> Correction {
        let conv = self.network.plan.blocks[block].conv.expect("only called for a block with a transition");
        let memory = self.memory;
        let (at, next) = (&memory.blocks[block], &memory.blocks[block + 1]);
        let norm = self.network.plan.blocks[block].norm;
        let channels = self.network.plan.blocks[block].channels;
        let (used, affine) = self.normalizer(norm, &self.statistics.blocks[block]);
        let chunks = Chunks::backward(next.pixels);
        let sums = self.network.zeroed_sums(2 * chunks.count * channels);
        self.network.machine.launch(&PointwiseBackward {
            gradient: Planes::new(&next.gradient, next.pixels),
            values: Planes::new(&next.values, next.pixels),
            correction: above,
            output_planes: channels / 2 / PLANE,
            input: Planes::new(&at.values, at.pixels),
            input_planes: channels / PLANE,
            affine: &affine,
            mean: &used.mean,
            pooled: Some(at.side),
            weights: packed(&self.network.backward_weights, conv),
            input_gradient: Planes::new(&at.gradient, at.pixels),
            chunks,
            weight_gradient: shared(&memory.partial),
            sums,
        });
        self.sum_weights(conv, chunks.count);
        self.norm_backward(norm, chunks.count, &used.rstd);
        let mut correction = Correction::identity(channels);
        self.subtract(&mut correction, norm, &affine, &used, at.pixels);
        correction
    }

    fn layer_backward(&mut self, block: usize, index: usize, correction: &mut Correction) {
        let memory = self.memory;
        let layer = self.network.plan.blocks[block].layers[index];
        let at = &memory.blocks[block];
        let values = Planes::new(&at.values, at.pixels);
        let gradient = Planes::new(&at.gradient, at.pixels);
        let bottleneck = Planes::new(&at.bottlenecks[index], at.pixels);
        let below = Planes::new(&memory.bottleneck_gradient, at.pixels);
        let within = self.spatial_backward(block, index, &layer, &correction.part(layer.input, GROWTH));
        let (used, affine) = self.normalizer(layer.norm1, &self.statistics.blocks[block]);
        let chunks = Chunks::backward(at.pixels);
        let sums = self.network.zeroed_sums(2 * chunks.count * layer.input);
        self.network.machine.launch(&PointwiseBackward {
            gradient: below,
            values: bottleneck,
            correction: &within,
            output_planes: BOTTLENECK / PLANE,
            input: values,
            input_planes: layer.input / PLANE,
            affine: &affine,
            mean: &used.mean,
            pooled: None,
            weights: packed(&self.network.backward_weights, layer.conv1),
            input_gradient: gradient,
            chunks,
            weight_gradient: shared(&memory.partial),
            sums,
        });
        self.sum_weights(layer.conv1, chunks.count);
        self.norm_backward(layer.norm1, chunks.count, &used.rstd);
        self.subtract(correction, layer.norm1, &affine, &used, at.pixels);
    }

    /// The 3×3 convolution's share of a layer's backward pass; returns the backward map of the second normalization.
    fn spatial_backward(&mut self, block: usize, index: usize, layer: &Layer, correction: &Correction) -> Correction {
        let memory = self.memory;
        let at = &memory.blocks[block];
        let (used, affine) = self.normalizer(layer.norm2, &self.statistics.bottlenecks[block][index]);
        let tiles = backward_tiles(self.network.plan.filtering, memory.images, at.side);
        let sums = self.network.zeroed_sums(2 * tiles.chunks * BOTTLENECK);
        self.network.machine.launch(&SpatialBackward {
            gradient: Planes::new(&at.gradient, at.pixels).from(layer.input / PLANE),
            values: Planes::new(&at.values, at.pixels).from(layer.input / PLANE),
            correction,
            input: Planes::new(&at.bottlenecks[index], at.pixels),
            affine: &affine,
            mean: &used.mean,
            weights: packed(&self.network.backward_weights, layer.conv2),
            input_gradient: Planes::new(&memory.bottleneck_gradient, at.pixels),
            tiles,
            weight_gradient: shared(&memory.partial),
            sums,
        });
        self.sum_weights(layer.conv2, tiles.chunks);
        self.norm_backward(layer.norm2, tiles.chunks, &used.rstd);
        let mut within = Correction::identity(BOTTLENECK);
        within.gradient.copy_from_slice(&affine.scale);
        self.subtract(&mut within, layer.norm2, &affine, &used, at.pixels);
        within
    }

    fn stem_backward(&mut self, correction: &Correction) {
        let memory = self.memory;
        let (used, affine) = self.normalizer(self.network.plan.norm0, &self.statistics.stem);
        let block = &memory.blocks[0];
        let bands = RowBands::new(memory.images, memory.size / 2);
        let stem = Planes::new(&memory.stem, memory.images * (memory.size / 2).pow(2));
        let sums = self.network.zeroed_sums(2 * bands.tasks * STEM);
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
        self.network.machine.launch(&pass);
        self.norm_backward(self.network.plan.norm0, bands.tasks, &used.rstd);
        let mut within = Correction::identity(STEM);
        within.gradient.copy_from_slice(&affine.scale);
        self.subtract(&mut within, self.network.plan.norm0, &affine, &used, stem.pixels);
        pass.stage = StemStage::Weights(&within);
        self.network.machine.launch(&pass);
        self.sum_weights(self.network.plan.conv0, bands.tasks);
    }

    /// Adds up the parts of a convolution's weight gradient.
    fn sum_weights(&mut self, conv: Packing, parts: usize) {
        let gradient = SharedMut::new(&mut self.network.gradient[conv.weights..conv.weights + conv.len]);
        let pass = GradientSum { packing: conv, parts, partial: &self.memory.partial, gradient };
        self.network.machine.launch(&pass);
    }

    /// The gradients of a normalization's weight and bias from the latest sums.
    fn norm_backward(&mut self, norm: Norm, parts: usize, rstd: &[f32]) {
        let mut d_weight = vec![0.0; norm.channels];
        let mut d_bias = vec![0.0; norm.channels];
        norm_gradients(&self.network.sums, parts, rstd, &mut d_weight, &mut d_bias);
        self.network.gradient[norm.weight..norm.weight + norm.channels].copy_from_slice(&d_weight);
        self.network.gradient[norm.bias..norm.bias + norm.channels].copy_from_slice(&d_bias);
    }

    /// Subtracts a normalization's own terms, whose gradients are known: what flows through the batch's mean and variance. Running
    /// statistics are constants.
    fn subtract(&self, correction: &mut Correction, norm: Norm, affine: &Affine, used: &Statistics, pixels: usize) {
        if self.normalization == Normalization::Running {
            return;
        }
        let d_weight = &self.network.gradient[norm.weight..norm.weight + norm.channels];
        let d_bias = &self.network.gradient[norm.bias..norm.bias + norm.channels];
        correction.subtract(&affine.scale, d_weight, d_bias, used, pixels);
    }
}
