//! The memory of a forward pass, allocated once for an image size and used again.

use super::network::Network;
use crate::architecture::{Architecture, BLOCKS, BOTTLENECK};
use crate::kernels::{Buffer, POINTWISE_SCRATCH, RING, padded_side, stem_scratch, tiles_per_side};

/// Pixels of images that go through the network together: small images are grouped so that the last blocks have work for
/// every thread, large ones go alone so that memory stays small.
const GROUP_PIXELS: usize = 512 * 512;

/// The buffers for one image size.
#[derive(Debug)]
pub(super) struct Workspace {
    pub size: usize,
    /// Images that go through the network together.
    pub group: usize,
    /// The group's images, with zeros around each.
    pub padded: Buffer,
    /// The block buffers, [pixels × channels]: blocks 1 and 3 in the first, 2 and 4 in the second.
    pub blocks: [Buffer; 2],
    /// The output of a dense layer's first convolution, where feature maps are too small for bands.
    pub bottleneck: Buffer,
    /// The classifier at each pixel of the last feature map.
    pub scores: Buffer,
    /// Each thread's scratch memory, and a ring of rows of the bottleneck.
    pub scratch: Vec<(Buffer, Buffer)>,
}

impl Workspace {
    /// Buffers for up to `images` images of `size` pixels a side.
    pub fn new(images: usize, size: usize, threads: usize, network: &Network) -> Self {
        let group = images.min(GROUP_PIXELS / (size * size)).max(1);
        let block = |block: usize| group * side(size, block).pow(2) * Architecture::block_output(block);
        let scratch = network.blocks[0][0].conv2.scratch().max(POINTWISE_SCRATCH).max(stem_scratch(size));
        let whole = (0..BLOCKS.len()).map(|block| side(size, block)).find(|side| !in_bands(*side, threads));
        let ring = RING * side(size, 0) * BOTTLENECK;
        Workspace {
            size,
            group,
            padded: Buffer::zeroed(group * padded_side(size).pow(2)),
            blocks: [Buffer::zeroed(block(0).max(block(2))), Buffer::zeroed(block(1).max(block(3)))],
            bottleneck: Buffer::zeroed(group * whole.map_or(0, |side| side * side) * BOTTLENECK),
            scores: Buffer::zeroed(group * side(size, BLOCKS.len() - 1).pow(2) * network.head.classifier.weights.n()),
            scratch: (0..threads).map(|_| (Buffer::zeroed(scratch), Buffer::zeroed(ring))).collect(),
        }
    }

    /// Whether it serves `images` images of this size.
    pub fn fits(&self, images: usize, size: usize) -> bool {
        self.size == size && self.group >= images.min(GROUP_PIXELS / (size * size)).max(1)
    }
}

/// Width and height of a block's feature maps for images of `size`.
pub(super) fn side(size: usize, block: usize) -> usize {
    size >> (2 + block)
}

/// Whether a dense layer is computed in bands of rows, one a thread: where the bands are high enough that it does not matter that
/// the two rows between bands are computed twice.
pub(super) fn in_bands(side: usize, threads: usize) -> bool {
    const ROWS: usize = 4;
    tiles_per_side(side) >= threads * ROWS
}
