//! The backward pass of the 1×1 convolutions, dense layers' and transitions', and of the normalization before them.

use super::norm::Correction;
use crate::kernels::planes::pointwise::{BACKWARD_TILE, Chunks, group_range, over_channels, over_pixels, plane_groups};
use crate::kernels::planes::{PLANE, Pass, Planes, ops, words};
use crate::kernels::{Affine, PanelProduct, Simd};
use crate::threads::SharedMut;

/// The backward pass of [`crate::kernels::planes::pointwise::PointwiseForward`]: weight gradient, and the gradient at the input before
/// the normalization's own subtraction (see `norm.rs`).
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
    /// Packed by [`crate::kernels::planes::pack::pointwise_backward`].
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
                    if S::BF16 {
                        let panel = self.chunks.tile / 2 * S::COLUMNS;
                        self.correction.apply::<S>(gradient, values, below, pixels, plane * PLANE);
                        ops::round::<S>(below, rows.add(plane * segment), pixels);
                        ops::pack_pairs::<S>(below, panels.add(plane * tile / 2), panel, S::COLUMNS, pixels);
                    } else {
                        let to = rows.add(plane * tile);
                        self.correction.apply::<S>(gradient, values, to, pixels, plane * PLANE);
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
                    if S::BF16 {
                        ops::pack_pairs::<S>(unit, pairs, 0, PLANE, pixels);
                    }
                    let to = self.weight_gradient.ptr().add((chunk * self.input_planes + plane) * gradient_plane);
                    for panel in 0..self.output_planes * halves {
                        over_pixels::<S>(PanelProduct {
                            rows: PLANE,
                            segments: 1,
                            steps: words::<S>(pixels),
                            a: if S::BF16 { pairs } else { unit },
                            segment: 0,
                            b: panels.add(panel * words::<S>(self.chunks.tile) * S::COLUMNS),
                            c: to.add(panel / halves * PLANE * PLANE + panel % halves * S::COLUMNS),
                            accumulate: index > 0,
                        });
                    }
                    for half in 0..halves {
                        let panel = (plane * halves + half) * self.output_planes * channels * S::COLUMNS;
                        over_channels::<S>(PanelProduct {
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
            let zero = S::zero();
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
            let zero = S::zero();
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
