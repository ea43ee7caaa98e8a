//! The network's tensors, their gradients and the statistics that go with them; `forward.rs` and `backward.rs` run it.

use super::machine::Machine;
use super::norm::Statistics;
use super::pack::{PackAll, Packing};
use super::plan::{Norm, Plan};
use crate::architecture::{BN_MOMENTUM, BOTTLENECK, STEM};
use crate::kernels::Buffer;
use crate::threads::SharedMut;

/// The network's tensors and gradients, and the machine that computes them.
pub(crate) struct Network {
    pub machine: Machine,
    pub plan: Plan,
    /// Every tensor, and the gradient of every trained one.
    pub values: Buffer,
    pub gradient: Buffer,
    pub(super) forward_weights: Buffer,
    pub(super) backward_weights: Buffer,
    /// Whether the packed weights are those of `values`.
    pub packed: bool,
    /// The latest pass's sums.
    pub(super) sums: Vec<f64>,
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

/// The statistics of every normalized channel over one batch.
pub(crate) struct BatchStatistics {
    images: usize,
    size: usize,
    pub stem: Statistics,
    pub blocks: Vec<Statistics>,
    /// Of each block's layers' 128 channels.
    pub bottlenecks: Vec<Vec<Statistics>>,
}

impl BatchStatistics {
    /// Room for the statistics of `images` images of `size` × `size` pixels.
    pub(crate) fn new(plan: &Plan, images: usize, size: usize) -> Self {
        let bottlenecks = |layers: usize| (0..layers).map(|_| Statistics::new(BOTTLENECK)).collect();
        BatchStatistics {
            images,
            size,
            stem: Statistics::new(STEM),
            blocks: plan.blocks.iter().map(|b| Statistics::new(b.channels)).collect(),
            bottlenecks: plan.blocks.iter().map(|b| bottlenecks(b.layers.len())).collect(),
        }
    }
}

impl Network {
    pub(crate) fn new(machine: Machine, plan: Plan) -> Self {
        Network {
            values: Buffer::zeroed(plan.len),
            gradient: Buffer::zeroed(plan.len),
            forward_weights: Buffer::zeroed(plan.packed_len),
            backward_weights: Buffer::zeroed(plan.packed_len),
            packed: false,
            sums: Vec::new(),
            machine,
            plan,
        }
    }

    /// Moves every normalization's running statistics towards those of a batch that was normalized with its own.
    pub(crate) fn update_running_statistics(&mut self, batch: &BatchStatistics, blend: Blend) {
        let values = &mut self.values;
        let pixels = |side: usize| batch.images * side * side;
        blend.update(values, self.plan.norm0, &batch.stem, pixels(batch.size / 2));
        for (index, block) in self.plan.blocks.iter().enumerate() {
            let pixels = pixels((batch.size / 4) >> index);
            for (layer, bottleneck) in block.layers.iter().zip(&batch.bottlenecks[index]) {
                blend.update(values, layer.norm1, &batch.blocks[index], pixels);
                blend.update(values, layer.norm2, bottleneck, pixels);
            }
            blend.update(values, block.norm, &batch.blocks[index], pixels);
        }
    }

    /// Packs the weights, if they have changed.
    pub(super) fn pack(&mut self) {
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

    /// `len` zeros for a pass's sums.
    pub(super) fn zeroed_sums(&mut self, len: usize) -> SharedMut<f64> {
        self.sums.clear();
        self.sums.resize(len, 0.0);
        SharedMut::new(&mut self.sums)
    }
}

/// A convolution's packed weights.
pub(super) fn packed(weights: &Buffer, conv: Packing) -> &[f32] {
    &weights[conv.packed..conv.packed + conv.packed_len()]
}

/// A buffer that a pass writes disjoint parts of.
pub(super) fn shared(buffer: &Buffer) -> SharedMut<f32> {
    // SAFETY: the buffer's own values; the passes that get it are the only ones to use it while they run.
    SharedMut::new(unsafe { std::slice::from_raw_parts_mut(buffer.shared_ptr(), buffer.len()) })
}
