//! The network's shape: DenseNet-121 as in torchvision, with one input channel.

/// Channels that each dense layer adds.
pub const GROWTH: usize = 32;
/// Dense layers in each of the four blocks.
pub const BLOCKS: [usize; 4] = [6, 12, 24, 16];
/// Channels after the stem's 7×7 convolution.
pub const STEM: usize = 64;
/// Channels between a dense layer's 1×1 and 3×3 convolutions (4 × growth).
pub const BOTTLENECK: usize = 4 * GROWTH;
/// Channels of the last feature map, before the classifier.
pub const FEATURES: usize = 1024;
/// Epsilon of every batch normalization.
pub const BN_EPS: f32 = 1e-5;
/// Momentum of every batch normalization's running statistics.
pub const BN_MOMENTUM: f32 = 0.1;
/// Image size over the last feature map's size.
pub const STRIDE: usize = 32;
/// The largest image size: buffers for it are some gigabytes, and no count of bytes overflows.
pub const LARGEST_SIZE: usize = 4096;

/// DenseNet-121 with one input channel; only the number of outputs is free.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Architecture {
    /// The number of outputs (logits): 1 for a finding, or the number of classes.
    pub classes: usize,
}

impl Architecture {
    /// The network with `classes` outputs (at least 1).
    pub fn new(classes: usize) -> Self {
        Architecture { classes }
    }

    /// Channels that enter block `block` (0..4): 64, 128, 256, 512.
    pub fn block_input(block: usize) -> usize {
        STEM << block
    }

    /// Channels that leave block `block` (0..4): 256, 512, 1024, 1024.
    pub fn block_output(block: usize) -> usize {
        Self::block_input(block) + BLOCKS[block] * GROWTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_follow_densenet_121() {
        assert_eq!((0..4).map(Architecture::block_input).collect::<Vec<_>>(), [64, 128, 256, 512]);
        assert_eq!((0..4).map(Architecture::block_output).collect::<Vec<_>>(), [256, 512, 1024, FEATURES]);
    }
}
