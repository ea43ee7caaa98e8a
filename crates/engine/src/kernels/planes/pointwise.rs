//! The 1×1 convolutions on planes, dense layers' and transitions', with the normalization before them.
//!
//! A transition averages 2 × 2 pixels after its convolution; both are linear, so here the average comes first and the
//! convolution has a quarter of the work.
//!
//! Where the instruction set multiplies bfloat16, activations, gradients and weights are rounded to it on their way into the
//! products: words of two channels for sums over channels, of two pixels for sums over pixels. Everything else stays f32.

use super::{PLANE, Pass, Planes, ops, words};
use crate::kernels::Affine;
use crate::kernels::panel::PanelProduct;
use crate::kernels::product::{Bf16, F32};
use crate::kernels::simd::Simd;
use crate::threads::SharedMut;

/// Planes of the sum that are normalized and multiplied at a time in the forward pass.
pub(crate) const SUM_PLANES: usize = 8;
/// Pixels of a forward tile: a multiple of every kernel's rows.
const FORWARD_TILE: usize = 96;
/// Pixels of a backward tile, over which a weight gradient's product runs.
pub(crate) const BACKWARD_TILE: usize = 128;

/// Pixels cut into tiles, and tiles into chunks: by the number of pixels alone.
#[derive(Clone, Copy)]
pub(crate) struct Chunks {
    pixels: usize,
    /// Pixels of a tile.
    pub tile: usize,
    /// The number of chunks, each a task's share of the pixels.
    pub count: usize,
}

impl Chunks {
    /// For the forward pass of `pixels` pixels.
    pub(crate) fn forward(pixels: usize) -> Self {
        let tile = if pixels >= 16 * FORWARD_TILE { FORWARD_TILE } else { FORWARD_TILE / 2 };
        Chunks { pixels, tile, count: pixels.div_ceil(tile).min(64) }
    }

    /// For the backward pass: each chunk holds a weight gradient of its own, so they are few.
    pub(crate) fn backward(pixels: usize) -> Self {
        Chunks { pixels, tile: BACKWARD_TILE, count: (pixels / 2048).clamp(1, 16) }
    }

    /// The tiles of a chunk as (first pixel, pixels).
    #[inline(always)]
    pub(crate) fn tiles(self, chunk: usize) -> impl Iterator<Item = (usize, usize)> {
        let tiles = self.pixels.div_ceil(self.tile);
        (chunk * tiles / self.count..(chunk + 1) * tiles / self.count).map(move |tile| {
            let first = tile * self.tile;
            (first, self.tile.min(self.pixels - first))
        })
    }
}

/// How many parts to cut `planes` planes into, when there are `chunks` chunks of pixels.
pub(crate) fn plane_groups(chunks: usize, planes: usize) -> usize {
    16usize.div_ceil(chunks).min(planes)
}

#[inline(always)]
pub(crate) fn group_range(group: usize, groups: usize, planes: usize) -> std::ops::Range<usize> {
    group * planes / groups..(group + 1) * planes / groups
}

/// A product whose sum runs over channels, in the instruction set's precision.
///
/// # Safety
/// That of [`PanelProduct::compute`].
#[inline(always)]
pub(crate) unsafe fn over_channels<S: Simd>(product: PanelProduct) {
    const HALF: usize = PLANE / 2;
    // SAFETY: the caller's.
    unsafe { if S::BF16 { product.compute::<S, Bf16, HALF, 1>() } else { product.compute::<S, F32, PLANE, 1>() } }
}

/// A product whose sum runs over pixels, in the instruction set's precision.
///
/// # Safety
/// That of [`PanelProduct::compute`].
#[inline(always)]
pub(crate) unsafe fn over_pixels<S: Simd>(product: PanelProduct) {
    // SAFETY: the caller's.
    unsafe { if S::BF16 { product.compute::<S, Bf16, 1, PLANE>() } else { product.compute::<S, F32, 1, PLANE>() } }
}

/// output = W · relu(norm(input)), with the sums of the output's channels.
pub(crate) struct PointwiseForward<'a> {
    pub input: Planes,
    pub input_planes: usize,
    pub affine: &'a Affine,
    /// The input's side if 2 × 2 pixels are averaged first.
    pub pooled: Option<usize>,
    /// Packed by [`super::pack::pointwise_forward`].
    pub weights: &'a [f32],
    pub output: Planes,
    pub output_planes: usize,
    pub chunks: Chunks,
    /// `[chunk][output channel][Σx, Σx²]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl PointwiseForward<'_> {
    fn groups(&self) -> usize {
        plane_groups(self.chunks.count, self.output_planes)
    }

    /// Writes some pixels of one plane, normalized, as the product reads them.
    ///
    /// # Safety
    /// As [`Pass::run`].
    #[inline(always)]
    unsafe fn normalize<S: Simd>(
        &self,
        plane: usize,
        first: usize,
        pixels: usize,
        to: *mut f32,
        scale: *const f32,
        shift: *const f32,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match (self.pooled, S::BF16) {
                (None, false) => {
                    ops::normalize_relu::<S, false>(self.input.at(plane, first), to, pixels, scale, shift);
                }
                (None, true) => {
                    ops::normalize_relu::<S, true>(self.input.at(plane, first), to, pixels, scale, shift);
                }
                (Some(side), false) => {
                    let from = self.input.at(plane, 0);
                    ops::normalize_relu_pool::<S, false>(from, to, first, pixels, side, scale, shift);
                }
                (Some(side), true) => {
                    let from = self.input.at(plane, 0);
                    ops::normalize_relu_pool::<S, true>(from, to, first, pixels, side, scale, shift);
                }
            }
        }
    }
}

impl Pass for PointwiseForward<'_> {
    fn tasks(&self) -> usize {
        self.chunks.count * self.groups()
    }

    fn scratch(&self) -> usize {
        SUM_PLANES * FORWARD_TILE * PLANE
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        let groups = self.groups();
        let (chunk, group) = (task / groups, task % groups);
        let outputs = group_range(group, groups, self.output_planes);
        let halves = PLANE / S::COLUMNS;
        let channels = words::<S>(PLANE);
        let segment = self.chunks.tile * channels;
        for (first, pixels) in self.chunks.tiles(chunk) {
            let mut start = 0;
            while start < self.input_planes {
                let planes = SUM_PLANES.min(self.input_planes - start);
                // SAFETY: planes and pixels are within the buffers; this task alone writes these pixels of its output planes.
                unsafe {
                    for plane in start..start + planes {
                        let to = scratch.add((plane - start) * segment);
                        let scale = self.affine.scale.as_ptr().add(plane * PLANE);
                        let shift = self.affine.shift.as_ptr().add(plane * PLANE);
                        self.normalize::<S>(plane, first, pixels, to, scale, shift);
                    }
                    // Packed as [sum block][panel][step][COLUMNS].
                    let block = self.weights.as_ptr().add(start * channels * self.output_planes * PLANE);
                    for panel in outputs.start * halves..outputs.end * halves {
                        over_channels::<S>(PanelProduct {
                            rows: pixels,
                            segments: planes,
                            steps: channels,
                            a: scratch,
                            segment,
                            b: block.add(panel * planes * channels * S::COLUMNS),
                            c: self.output.at(panel / halves, first).add(panel % halves * S::COLUMNS),
                            accumulate: start > 0,
                        });
                    }
                }
                start += planes;
            }
            for plane in outputs.clone() {
                // SAFETY: this task alone has this chunk and these planes.
                unsafe {
                    let sums = self.sums.ptr().add(2 * (chunk * self.output_planes + plane) * PLANE);
                    ops::add_moments::<S>(self.output.at(plane, first), pixels, sums);
                }
            }
        }
    }
}
