//! The stem: 7×7 convolution of stride 2 (one channel to 64, padding 3), normalization, ReLU, 3×3 max-pooling of stride 2
//! (padding 1). Images are padded once, so that a row of taps is contiguous.

use super::PLANE;
use super::machine::Pass;
use super::memory::Planes;
use super::norm::{Affine, Correction};
use super::ops;
use super::product::Product;
use super::simd::Simd;
use crate::architecture::STEM;
use crate::threads::SharedMut;

/// Planes of the stem.
pub(crate) const STEM_PLANES: usize = STEM / PLANE;
/// The kernel's side, and the padding on each side of the image.
const TAPS: usize = 7;
const PADDING: usize = 3;
/// Values of one weight gradient, `[plane][tap][channel]`.
pub(crate) const STEM_WEIGHTS: usize = STEM_PLANES * TAPS * TAPS * PLANE;

/// The side of a padded image.
pub(crate) fn padded_side(size: usize) -> usize {
    size + 2 * PADDING
}

/// Copies `images` of `size` × `size` pixels into a zeroed buffer of padded images.
pub(crate) fn pad_images(images: &[f32], size: usize, to: &mut [f32]) {
    let side = padded_side(size);
    for (image, to) in images.chunks_exact(size * size).zip(to.chunks_exact_mut(side * side)) {
        for (row, to) in image.chunks_exact(size).zip(to.chunks_exact_mut(side).skip(PADDING)) {
            to[PADDING..PADDING + size].copy_from_slice(row);
        }
    }
}

/// Images cut into bands of rows, a band a task: by the shape alone.
#[derive(Clone, Copy)]
pub(crate) struct RowBands {
    side: usize,
    rows: usize,
    per_image: usize,
    /// The number of tasks.
    pub tasks: usize,
}

impl RowBands {
    /// At most about 64 bands of an even number of rows.
    pub(crate) fn new(images: usize, side: usize) -> Self {
        let rows = (images * side).div_ceil(64).clamp(2, side).next_multiple_of(2);
        let per_image = side.div_ceil(rows);
        RowBands { side, rows, per_image, tasks: images * per_image }
    }

    /// A task's (image, first row, end row).
    #[inline(always)]
    fn of_task(self, task: usize) -> (usize, usize, usize) {
        let first = task % self.per_image * self.rows;
        (task / self.per_image, first, (first + self.rows).min(self.side))
    }
}

/// The convolution, with the sums of its channels.
pub(crate) struct StemForward<'a> {
    /// Padded images.
    pub images: &'a [f32],
    pub size: usize,
    /// Packed by [`super::pack::stem_forward`].
    pub weights: &'a [f32],
    pub output: Planes,
    /// Of the output.
    pub bands: RowBands,
    /// `[task][channel][Σx, Σx²]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl Pass for StemForward<'_> {
    fn tasks(&self) -> usize {
        self.bands.tasks
    }

    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let (image, first, end) = self.bands.of_task(task);
        let (side, padded) = (self.bands.side, padded_side(self.size));
        let halves = PLANE / S::COLUMNS;
        for row in first..end {
            let pixel = (image * side + row) * side;
            // SAFETY: the taps are within the padded image; this task alone writes these pixels and its sums.
            unsafe {
                for panel in 0..STEM_PLANES * halves {
                    S::product::<2, 1>(&Product {
                        rows: side,
                        segments: TAPS,
                        steps: TAPS,
                        a: self.images.as_ptr().add((image * padded + 2 * row) * padded),
                        segment: padded,
                        b: self.weights.as_ptr().add(panel * TAPS * TAPS * S::COLUMNS),
                        c: self.output.at(panel / halves, pixel).add(panel % halves * S::COLUMNS),
                        accumulate: false,
                    });
                }
                for plane in 0..STEM_PLANES {
                    let sums = self.sums.ptr().add(2 * (task * STEM_PLANES + plane) * PLANE);
                    ops::add_moments::<S>(self.output.at(plane, pixel), side, sums);
                }
            }
        }
    }
}

/// Normalization, ReLU and max-pooling into the first block's first planes, with which of the nine pixels was taken (the
/// first of the largest, as in torch) and the sums of the pooled channels.
pub(crate) struct PoolForward<'a> {
    pub input: Planes,
    pub affine: &'a Affine,
    pub output: Planes,
    /// The taken pixel, 0..9, as f32.
    pub taken: Planes,
    /// Of the output.
    pub bands: RowBands,
    /// `[task][channel][Σx, Σx²]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl Pass for PoolForward<'_> {
    fn tasks(&self) -> usize {
        self.bands.tasks
    }

    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let (image, first, end) = self.bands.of_task(task);
        let side = self.bands.side;
        for row in first..end {
            for plane in 0..STEM_PLANES {
                // SAFETY: window pixels are within the image; this task alone writes these pixels and its sums.
                unsafe {
                    for column in 0..side {
                        self.pool::<S>(image, plane, row, column);
                    }
                    let from = self.output.at(plane, (image * side + row) * side);
                    ops::add_moments::<S>(from, side, self.sums.ptr().add(2 * (task * STEM_PLANES + plane) * PLANE));
                }
            }
        }
    }
}

impl PoolForward<'_> {
    #[inline(always)]
    unsafe fn pool<S: Simd>(&self, image: usize, plane: usize, row: usize, column: usize) {
        let side = self.bands.side;
        let pixel = (image * side + row) * side + column;
        // SAFETY: as `run`.
        unsafe {
            let mut lane = 0;
            while lane < PLANE {
                let scale = S::load(self.affine.scale.as_ptr().add(plane * PLANE + lane));
                let shift = S::load(self.affine.shift.as_ptr().add(plane * PLANE + lane));
                let mut best = S::splat(f32::NEG_INFINITY);
                let mut taken = S::splat(0.0);
                for y in usize::from(row == 0)..3 {
                    for x in usize::from(column == 0)..3 {
                        let at = (image * 2 * side + 2 * row + y - 1) * 2 * side + 2 * column + x - 1;
                        let value = S::load(self.input.at(plane, at).add(lane));
                        let unit = S::relu(S::fma(value, scale, shift));
                        taken = S::select_gt(unit, best, S::splat((3 * y + x) as f32), taken);
                        best = S::select_gt(unit, best, unit, best);
                    }
                }
                S::store(self.output.at(plane, pixel).add(lane), best);
                S::store(self.taken.at(plane, pixel).add(lane), taken);
                lane += S::LANES;
            }
        }
    }
}

/// What a [`StemBackward`] pass computes; the second needs the first's sums.
#[derive(Clone, Copy)]
pub(crate) enum StemStage<'a> {
    /// The sums of the normalization's backward pass.
    Sums,
    /// The convolution's weight gradient, the gradient at its output being corrected so.
    Weights(&'a Correction),
}

/// The backward pass of the stem.
pub(crate) struct StemBackward<'a> {
    pub stage: StemStage<'a>,
    pub images: &'a [f32],
    pub size: usize,
    /// The convolution's output.
    pub values: Planes,
    pub mean: &'a [f32],
    /// The pooled channels, their gradient (with `correction`) and the taken pixels.
    pub pooled: Planes,
    pub gradient: Planes,
    pub correction: &'a Correction,
    pub taken: Planes,
    /// Of the convolution's output.
    pub bands: RowBands,
    /// `[task][channel][Σv, Σv·(x − mean)]`, zeroed, for [`StemStage::Sums`].
    pub sums: SharedMut<f64>,
    /// `[task][STEM_WEIGHTS]`, for [`StemStage::Weights`].
    pub weight_gradient: SharedMut<f32>,
}

impl Pass for StemBackward<'_> {
    fn tasks(&self) -> usize {
        self.bands.tasks
    }

    fn scratch(&self) -> usize {
        3 * self.bands.side * PLANE
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        let (image, first, end) = self.bands.of_task(task);
        let side = self.bands.side;
        let panels = scratch.wrapping_add(2 * side * PLANE);
        for plane in 0..STEM_PLANES {
            let sums = self.sums.ptr().wrapping_add(2 * (task * STEM_PLANES + plane) * PLANE);
            for row in first..end {
                let pixel = (image * side + row) * side;
                let values = self.values.at(plane, pixel);
                // SAFETY: rows are within the image; this task alone writes its sums and its weight gradient.
                unsafe {
                    self.unpool::<S>(image, plane, row, scratch);
                    match self.stage {
                        StemStage::Sums => self.add_sums::<S>(plane, scratch, values, sums),
                        StemStage::Weights(correction) => {
                            let to = scratch.add(side * PLANE);
                            ops::correct::<S>(scratch, values, to, side, correction, plane * PLANE);
                            ops::pack_panels::<S>(to, panels, side * S::COLUMNS, side);
                            self.add_weights::<S>(task, image, plane, row, panels, row > first);
                        }
                    }
                }
            }
        }
    }
}

impl StemBackward<'_> {
    /// The gradient at one row of the convolution's normalized output, `to` having room for a row.
    #[inline(always)]
    unsafe fn unpool<S: Simd>(&self, image: usize, plane: usize, row: usize, to: *mut f32) {
        let side = self.bands.side;
        let half = side / 2;
        // SAFETY: as `run`.
        unsafe {
            to.write_bytes(0, side * PLANE);
            // An even row lies in one window as its middle row, an odd row in two, as the last and the first row.
            for pooled_row in row / 2..(row.div_ceil(2) + 1).min(half) {
                let y = row + 1 - 2 * pooled_row;
                for column in 0..half {
                    let pixel = (image * half + pooled_row) * half + column;
                    let mut lane = 0;
                    while lane < PLANE {
                        let gradient = self.corrected::<S>(plane, pixel, lane);
                        let taken = S::load(self.taken.at(plane, pixel).add(lane));
                        for x in usize::from(column == 0)..3 {
                            let to = to.add((2 * column + x - 1) * PLANE + lane);
                            let distance = S::sub(taken, S::splat((3 * y + x) as f32));
                            let here = S::mul(distance, distance);
                            let share = S::select_gt(S::splat(0.25), here, gradient, S::splat(0.0));
                            S::store(to, S::add(S::load(to), share));
                        }
                        lane += S::LANES;
                    }
                }
            }
        }
    }

    /// The pooled pixel's gradient where its value is positive.
    #[inline(always)]
    unsafe fn corrected<S: Simd>(&self, plane: usize, pixel: usize, lane: usize) -> S::V {
        let channel = plane * PLANE + lane;
        // SAFETY: as `run`.
        unsafe {
            let value = S::load(self.pooled.at(plane, pixel).add(lane));
            let gradient = S::load(self.gradient.at(plane, pixel).add(lane));
            let g = S::load(self.correction.gradient.as_ptr().add(channel));
            let x = S::load(self.correction.value.as_ptr().add(channel));
            let c = S::load(self.correction.constant.as_ptr().add(channel));
            let zero = S::splat(0.0);
            S::select_gt(value, zero, S::fma(gradient, g, S::fma(value, x, c)), zero)
        }
    }

    #[inline(always)]
    unsafe fn add_sums<S: Simd>(&self, plane: usize, gradient: *const f32, values: *const f32, sums: *mut f64) {
        // SAFETY: as `run`.
        unsafe {
            let mut lane = 0;
            while lane < PLANE {
                let mean = S::load(self.mean.as_ptr().add(plane * PLANE + lane));
                let (mut sum, mut product) = (S::splat(0.0), S::splat(0.0));
                for pixel in 0..self.bands.side {
                    let v = S::load(gradient.add(pixel * PLANE + lane));
                    sum = S::add(sum, v);
                    product = S::fma(v, S::sub(S::load(values.add(pixel * PLANE + lane)), mean), product);
                }
                ops::add_pairs::<S>(sum, product, sums.add(2 * lane));
                lane += S::LANES;
            }
        }
    }

    #[inline(always)]
    unsafe fn add_weights<S: Simd>(
        &self,
        task: usize,
        image: usize,
        plane: usize,
        row: usize,
        panels: *const f32,
        accumulate: bool,
    ) {
        let side = self.bands.side;
        let padded = padded_side(self.size);
        // SAFETY: as `run`; taps are within the padded image.
        unsafe {
            let to = self.weight_gradient.ptr().add(task * STEM_WEIGHTS + plane * TAPS * TAPS * PLANE);
            for half in 0..PLANE / S::COLUMNS {
                for tap_row in 0..TAPS {
                    S::product::<1, 2>(&Product {
                        rows: TAPS,
                        segments: 1,
                        steps: side,
                        a: self.images.as_ptr().add((image * padded + 2 * row + tap_row) * padded),
                        segment: 0,
                        b: panels.add(half * side * S::COLUMNS),
                        c: to.add(tap_row * TAPS * PLANE + half * S::COLUMNS),
                        accumulate,
                    });
                }
            }
        }
    }
}
