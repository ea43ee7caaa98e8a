//! The 1×1 convolutions, dense layers' and transitions', with the normalization before them.
//!
//! A transition averages 2 × 2 pixels after its convolution; both are linear, so here the average comes first and the
//! convolution has a quarter of the work.
//!
//! Where the instruction set multiplies bfloat16, activations, gradients and weights are rounded to it on their way into the
//! products: words of two channels for sums over channels, of two pixels for sums over pixels. Everything else stays f32.

use super::PLANE;
use super::machine::Pass;
use super::memory::Planes;
use super::norm::{Affine, Correction};
use super::ops;
use super::product::Product;
use super::simd::Simd;
use crate::threads::SharedMut;

/// Planes of the sum that are normalized and multiplied at a time in the forward pass.
pub(crate) const SUM_PLANES: usize = 8;
/// Pixels of a forward tile: a multiple of every kernel's rows.
const FORWARD_TILE: usize = 96;
/// Pixels of a backward tile, over which a weight gradient's product runs.
const BACKWARD_TILE: usize = 128;

/// Pixels cut into tiles, and tiles into chunks: by the number of pixels alone.
#[derive(Clone, Copy)]
pub(crate) struct Chunks {
    pixels: usize,
    tile: usize,
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
    fn tiles(self, chunk: usize) -> impl Iterator<Item = (usize, usize)> {
        let tiles = self.pixels.div_ceil(self.tile);
        (chunk * tiles / self.count..(chunk + 1) * tiles / self.count).map(move |tile| {
            let first = tile * self.tile;
            (first, self.tile.min(self.pixels - first))
        })
    }
}

/// How many parts to cut `planes` planes into, when there are `chunks` chunks of pixels.
fn plane_groups(chunks: usize, planes: usize) -> usize {
    16usize.div_ceil(chunks).min(planes)
}

#[inline(always)]
fn group_range(group: usize, groups: usize, planes: usize) -> std::ops::Range<usize> {
    group * planes / groups..(group + 1) * planes / groups
}

/// Words that so many values take as a product's operand.
#[inline(always)]
pub(crate) const fn words<S: Simd>(values: usize) -> usize {
    if S::PAIRS { values.div_ceil(2) } else { values }
}

/// A product whose sum runs over channels, in the instruction set's precision.
#[inline(always)]
unsafe fn over_channels<S: Simd>(p: &Product) {
    const HALF: usize = PLANE / 2;
    // SAFETY: the caller's.
    unsafe {
        if S::PAIRS {
            S::product_bf16::<HALF, 1>(p);
        } else {
            S::product::<PLANE, 1>(p);
        }
    }
}

/// A product whose sum runs over pixels, in the instruction set's precision.
#[inline(always)]
unsafe fn over_pixels<S: Simd>(p: &Product) {
    // SAFETY: the caller's.
    unsafe {
        if S::PAIRS {
            S::product_bf16::<1, PLANE>(p);
        } else {
            S::product::<1, PLANE>(p);
        }
    }
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
            match (self.pooled, S::PAIRS) {
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
                        over_channels::<S>(&Product {
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

/// The backward pass of [`PointwiseForward`]: weight gradient, and the gradient at the input before the normalization's
/// own subtraction (see `norm.rs`).
pub(crate) struct PointwiseBackward<'a> {
    /// With `correction`, the gradient at the output: from a gradient and the output's values.
    pub gradient: Planes,
    pub values: Planes,
    pub correction: &'a Correction,
    pub output_planes: usize,
    pub input: Planes,
    pub input_planes: usize,
    pub affine: &'a Affine,
    pub mean: &'a [f32],
    pub pooled: Option<usize>,
    /// Packed by [`super::pack::pointwise_backward`].
    pub weights: &'a [f32],
    /// The gradient at the input's channels: overwritten when pooled (a transition is its block's last reader), else added to.
    pub input_gradient: Planes,
    pub chunks: Chunks,
    /// `[chunk][input plane][output plane][input channel][output channel]`.
    pub weight_gradient: SharedMut<f32>,
    /// `[chunk][input channel][Σv, Σv·(x − mean)]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl PointwiseBackward<'_> {
    fn groups(&self) -> usize {
        plane_groups(self.chunks.count, self.input_planes)
    }
}

impl Pass for PointwiseBackward<'_> {
    fn tasks(&self) -> usize {
        self.chunks.count * self.groups()
    }

    fn scratch(&self) -> usize {
        (2 * self.output_planes + 3) * BACKWARD_TILE * PLANE
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        let groups = self.groups();
        let (chunk, group) = (task / groups, task % groups);
        let halves = PLANE / S::COLUMNS;
        let tile = self.chunks.tile * PLANE;
        let (rows, panels) = (scratch, scratch.wrapping_add(self.output_planes * tile));
        let unit = panels.wrapping_add(self.output_planes * tile);
        let below = unit.wrapping_add(tile);
        // What the products read of the gradient and the unit: themselves, or bfloat16 copies.
        let pairs = below.wrapping_add(tile);
        let channels = words::<S>(PLANE);
        let segment = self.chunks.tile * channels;
        let gradient_plane = self.output_planes * PLANE * PLANE;
        for (index, (first, pixels)) in self.chunks.tiles(chunk).enumerate() {
            // SAFETY: planes and pixels are within the buffers; this task alone writes these pixels of its input planes, and
            // its planes of its chunk's weight gradient and sums.
            unsafe {
                for plane in 0..self.output_planes {
                    let (gradient, values) = (self.gradient.at(plane, first), self.values.at(plane, first));
                    if S::PAIRS {
                        let panel = self.chunks.tile / 2 * S::COLUMNS;
                        ops::correct::<S>(gradient, values, below, pixels, self.correction, plane * PLANE);
                        ops::round::<S>(below, rows.add(plane * segment), pixels);
                        ops::pack_pairs::<S>(below, panels.add(plane * tile / 2), panel, S::COLUMNS, pixels);
                    } else {
                        let to = rows.add(plane * tile);
                        ops::correct::<S>(gradient, values, to, pixels, self.correction, plane * PLANE);
                        ops::pack_panels::<S>(to, panels.add(plane * tile), self.chunks.tile * S::COLUMNS, pixels);
                    }
                }
                for plane in group_range(group, groups, self.input_planes) {
                    let scale = self.affine.scale.as_ptr().add(plane * PLANE);
                    let shift = self.affine.shift.as_ptr().add(plane * PLANE);
                    match self.pooled {
                        None => {
                            ops::normalize_relu::<S, false>(self.input.at(plane, first), unit, pixels, scale, shift)
                        }
                        Some(side) => {
                            let from = self.input.at(plane, 0);
                            ops::normalize_relu_pool::<S, false>(from, unit, first, pixels, side, scale, shift);
                        }
                    }
                    if S::PAIRS {
                        ops::pack_pairs::<S>(unit, pairs, 0, PLANE, pixels);
                    }
                    let to = self.weight_gradient.ptr().add((chunk * self.input_planes + plane) * gradient_plane);
                    for panel in 0..self.output_planes * halves {
                        over_pixels::<S>(&Product {
                            rows: PLANE,
                            segments: 1,
                            steps: words::<S>(pixels),
                            a: if S::PAIRS { pairs } else { unit },
                            segment: 0,
                            b: panels.add(panel * words::<S>(self.chunks.tile) * S::COLUMNS),
                            c: to.add(panel / halves * PLANE * PLANE + panel % halves * S::COLUMNS),
                            accumulate: index > 0,
                        });
                    }
                    for half in 0..halves {
                        let panel = (plane * halves + half) * self.output_planes * channels * S::COLUMNS;
                        over_channels::<S>(&Product {
                            rows: pixels,
                            segments: self.output_planes,
                            steps: channels,
                            a: rows,
                            segment,
                            b: self.weights.as_ptr().add(panel),
                            c: below.add(half * S::COLUMNS),
                            accumulate: false,
                        });
                    }
                    let sums = self.sums.ptr().add(2 * (chunk * self.input_planes + plane) * PLANE);
                    match self.pooled {
                        None => self.add_below::<S>(plane, first, pixels, unit, below, sums),
                        Some(side) => self.spread_below::<S>(plane, first, pixels, side, below, sums),
                    }
                }
            }
        }
    }
}

impl PointwiseBackward<'_> {
    /// Adds scale · v to the input's gradient, v being the product where the unit is positive, and v to the sums.
    #[inline(always)]
    unsafe fn add_below<S: Simd>(
        &self,
        plane: usize,
        first: usize,
        pixels: usize,
        unit: *const f32,
        below: *const f32,
        sums: *mut f64,
    ) {
        let input = self.input.at(plane, first).cast_const();
        let gradient = self.input_gradient.at(plane, first);
        // SAFETY: as `run`.
        unsafe {
            let zero = S::splat(0.0);
            let mut lane = 0;
            while lane < PLANE {
                let scale = S::load(self.affine.scale.as_ptr().add(plane * PLANE + lane));
                let mean = S::load(self.mean.as_ptr().add(plane * PLANE + lane));
                let (mut sum, mut product) = (zero, zero);
                for pixel in 0..pixels {
                    let at = pixel * PLANE + lane;
                    let v = S::select_gt(S::load(unit.add(at)), zero, S::load(below.add(at)), zero);
                    sum = S::add(sum, v);
                    product = S::fma(v, S::sub(S::load(input.add(at)), mean), product);
                    S::store(gradient.add(at), S::fma(v, scale, S::load(gradient.add(at))));
                }
                ops::add_pairs::<S>(sum, product, sums.add(2 * lane));
                lane += S::LANES;
            }
        }
    }

    /// The same through the average of 2 × 2 pixels, overwriting the input's gradient.
    #[inline(always)]
    unsafe fn spread_below<S: Simd>(
        &self,
        plane: usize,
        first: usize,
        pixels: usize,
        side: usize,
        below: *const f32,
        sums: *mut f64,
    ) {
        // SAFETY: as `run`; pooled pixels have their own input pixels.
        unsafe {
            let zero = S::splat(0.0);
            let quarter = S::splat(0.25);
            let mut lane = 0;
            while lane < PLANE {
                let scale = S::load(self.affine.scale.as_ptr().add(plane * PLANE + lane));
                let shift = S::load(self.affine.shift.as_ptr().add(plane * PLANE + lane));
                let mean = S::load(self.mean.as_ptr().add(plane * PLANE + lane));
                let (mut sum, mut product) = (zero, zero);
                for pixel in 0..pixels {
                    let origin = ops::pooled_origin(first + pixel, side);
                    let share = S::mul(S::load(below.add(pixel * PLANE + lane)), quarter);
                    for at in [origin, origin + 1, origin + side, origin + side + 1] {
                        let x = S::load(self.input.at(plane, at).add(lane));
                        let v = S::select_gt(S::fma(x, scale, shift), zero, share, zero);
                        sum = S::add(sum, v);
                        product = S::fma(v, S::sub(x, mean), product);
                        S::store(self.input_gradient.at(plane, at).add(lane), S::mul(v, scale));
                    }
                }
                ops::add_pairs::<S>(sum, product, sums.add(2 * lane));
                lane += S::LANES;
            }
        }
    }
}
