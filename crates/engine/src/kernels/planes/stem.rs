//! The stem on planes: 7×7 convolution of stride 2 (one channel to 64, padding 3), normalization, ReLU, 3×3 max-pooling of stride 2
//! (padding 1).

use super::{PLANE, Pass, Planes, ops};
use crate::architecture::STEM;
use crate::kernels::Affine;
use crate::kernels::padding::{STEM_TAPS as TAPS, padded_side};
use crate::kernels::panel::PanelProduct;
use crate::kernels::product::F32;
use crate::kernels::simd::Simd;
use crate::threads::SharedMut;

/// Planes of the stem.
pub(crate) const STEM_PLANES: usize = STEM / PLANE;
/// Images cut into bands of rows, a band a task: by the shape alone.
#[derive(Clone, Copy)]
pub(crate) struct RowBands {
    /// Rows of an image.
    pub side: usize,
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
    pub(crate) fn of_task(self, task: usize) -> (usize, usize, usize) {
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
                    PanelProduct {
                        rows: side,
                        segments: TAPS,
                        steps: TAPS,
                        a: self.images.as_ptr().add((image * padded + 2 * row) * padded),
                        segment: padded,
                        b: self.weights.as_ptr().add(panel * TAPS * TAPS * S::COLUMNS),
                        c: self.output.at(panel / halves, pixel).add(panel % halves * S::COLUMNS),
                        accumulate: false,
                    }
                    .compute::<S, F32, 2, 1>();
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
                let mut taken = S::zero();
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
