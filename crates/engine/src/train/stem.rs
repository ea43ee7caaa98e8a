//! The backward pass of the stem: maximum pooling, ReLU, normalization and the weight gradient of the 7×7 convolution.

use super::norm::Correction;
use crate::kernels::planes::stem::{RowBands, STEM_PLANES};
use crate::kernels::planes::{PLANE, Pass, Planes, ops};
use crate::kernels::{F32, PanelProduct, STEM_TAPS as TAPS, Simd, padded_side};
use crate::threads::SharedMut;

/// Values of one weight gradient, `[plane][tap][channel]`.
pub(crate) const STEM_WEIGHTS: usize = STEM_PLANES * TAPS * TAPS * PLANE;

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
                            correction.apply::<S>(scratch, values, to, side, plane * PLANE);
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
                            let share = S::select_gt(S::splat(0.25), here, gradient, S::zero());
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
            let zero = S::zero();
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
                let (mut sum, mut product) = (S::zero(), S::zero());
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
                    PanelProduct {
                        rows: TAPS,
                        segments: 1,
                        steps: side,
                        a: self.images.as_ptr().add((image * padded + 2 * row + tap_row) * padded),
                        segment: 0,
                        b: panels.add(half * side * S::COLUMNS),
                        c: to.add(tap_row * TAPS * PLANE + half * S::COLUMNS),
                        accumulate,
                    }
                    .compute::<S, F32, 1, 2>();
                }
            }
        }
    }
}
