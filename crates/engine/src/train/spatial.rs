//! The 3×3 convolutions of the dense layers (128 to 32 channels, padding 1) with the normalization before them, as products
//! over padded rows: with 32 channels in a plane, the three taps of a row are 96 contiguous values.

use super::PLANE;
use super::machine::Pass;
use super::memory::Planes;
use super::norm::{Affine, Correction};
use super::ops;
use super::product::Product;
use super::simd::Simd;
use crate::architecture::BOTTLENECK;
use crate::threads::SharedMut;

/// Planes of the 3×3 convolution's input.
pub(crate) const INPUT_PLANES: usize = BOTTLENECK / PLANE;
/// Channels of one plane at the three taps of a row.
const ROW_STEPS: usize = 3 * PLANE;
/// Steps of one input plane's nine taps.
pub(crate) const PLANE_STEPS: usize = 3 * ROW_STEPS;
/// Values of one weight gradient, `[input plane][tap][input channel][output channel]`.
pub(crate) const WEIGHTS: usize = INPUT_PLANES * PLANE_STEPS * PLANE;
/// Pixels that are worked on together, at least (a row if that has more).
const STRIP: usize = 128;

/// Images cut into bands of rows, and bands into tasks: by the shape alone.
#[derive(Clone, Copy)]
pub(crate) struct Bands {
    images: usize,
    side: usize,
    rows: usize,
    /// The number of tasks.
    pub tasks: usize,
}

impl Bands {
    /// Bands of up to 16 rows, shared out over at most `most` tasks.
    pub(crate) fn new(images: usize, side: usize, most: usize) -> Self {
        let rows = (images * side / 32).clamp(4, 16).min(side);
        Bands { images, side, rows, tasks: (images * side.div_ceil(rows)).min(most) }
    }

    /// A task's bands as (image, first row, end row).
    #[inline(always)]
    fn of_task(self, task: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let bands = self.side.div_ceil(self.rows);
        let total = self.images * bands;
        (task * total / self.tasks..(task + 1) * total / self.tasks).map(move |band| {
            let first = band % bands * self.rows;
            (band / bands, first, (first + self.rows).min(self.side))
        })
    }

    /// Rows that are worked on together.
    fn strip(self) -> usize {
        STRIP.div_ceil(self.side).min(self.rows)
    }

    /// Values of a strip of one plane, with a row above and below and a pixel on each side.
    fn padded(self) -> usize {
        (self.strip() + 2) * (self.side + 2) * PLANE
    }
}

/// output = W ∗ relu(norm(input)), with the sums of the output's channels.
pub(crate) struct SpatialForward<'a> {
    pub input: Planes,
    pub affine: &'a Affine,
    /// Packed by [`super::pack::spatial_forward`].
    pub weights: &'a [f32],
    /// One plane.
    pub output: Planes,
    pub bands: Bands,
    /// `[task][output channel][Σx, Σx²]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl Pass for SpatialForward<'_> {
    fn tasks(&self) -> usize {
        self.bands.tasks
    }

    fn scratch(&self, _columns: usize) -> usize {
        INPUT_PLANES * self.bands.padded()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        let side = self.bands.side;
        let (strip, padded) = (self.bands.strip(), self.bands.padded());
        let row_values = (side + 2) * PLANE;
        let halves = PLANE / S::COLUMNS;
        for (image, first, end) in self.bands.of_task(task) {
            let mut row = first;
            while row < end {
                let rows = strip.min(end - row);
                // SAFETY: rows are within the image; this task alone writes these pixels and its sums.
                unsafe {
                    for plane in 0..INPUT_PLANES {
                        let to = scratch.add(plane * padded);
                        let from = Normalized { input: self.input.at(plane, image * side * side), affine: self.affine, plane };
                        fill_rows::<S>(to, row, rows, row == first, strip, side, &from);
                        for half in 0..halves {
                            let panel = (plane * halves + half) * PLANE_STEPS * S::COLUMNS;
                            for at in 0..rows {
                                S::product::<PLANE, 1>(&Product {
                                    rows: side,
                                    segments: 3,
                                    steps: ROW_STEPS,
                                    a: to.add(at * row_values),
                                    segment: row_values,
                                    b: self.weights.as_ptr().add(panel),
                                    c: self.output.at(0, (image * side + row + at) * side).add(half * S::COLUMNS),
                                    accumulate: plane > 0,
                                });
                            }
                        }
                    }
                    let from = self.output.at(0, (image * side + row) * side);
                    ops::add_moments::<S>(from, rows * side, self.sums.ptr().add(2 * task * PLANE));
                }
                row += rows;
            }
        }
    }
}

/// Where a padded strip's rows come from: one plane of one image.
trait Rows {
    /// Writes the pixels of row `row`.
    ///
    /// # Safety
    /// The instruction set; a row within the image; room for a row.
    unsafe fn write<S: Simd>(&self, row: usize, side: usize, to: *mut f32);
}

/// relu(norm(input)).
struct Normalized<'a> {
    input: *const f32,
    affine: &'a Affine,
    plane: usize,
}

impl Rows for Normalized<'_> {
    #[inline(always)]
    unsafe fn write<S: Simd>(&self, row: usize, side: usize, to: *mut f32) {
        let channel = self.plane * PLANE;
        // SAFETY: the caller's.
        unsafe {
            let (scale, shift) = (self.affine.scale.as_ptr().add(channel), self.affine.shift.as_ptr().add(channel));
            ops::normalize_relu::<S>(self.input.add(row * side * PLANE), to, side, scale, shift);
        }
    }
}

/// A gradient with what normalizations subtract.
struct Corrected<'a> {
    gradient: *const f32,
    values: *const f32,
    correction: &'a Correction,
}

impl Rows for Corrected<'_> {
    #[inline(always)]
    unsafe fn write<S: Simd>(&self, row: usize, side: usize, to: *mut f32) {
        let at = row * side * PLANE;
        // SAFETY: the caller's.
        unsafe { ops::correct::<S>(self.gradient.add(at), self.values.add(at), to, side, self.correction, 0) }
    }
}

/// Fills a padded strip: rows `row - 1..=row + rows` at slots 0.., zero outside the image and on both sides. Unless `fresh`,
/// the strip holds the one before it (of `strip` rows), whose last two rows become the first two.
///
/// # Safety
/// The instruction set; `to` has room for `strip + 2` padded rows.
#[inline(always)]
unsafe fn fill_rows<S: Simd>(
    to: *mut f32,
    row: usize,
    rows: usize,
    fresh: bool,
    strip: usize,
    side: usize,
    from: &impl Rows,
) {
    let row_values = (side + 2) * PLANE;
    // SAFETY: slots 0..rows + 2 are within the strip.
    unsafe {
        let mut slot = 0;
        if !fresh {
            std::ptr::copy(to.add(strip * row_values), to, 2 * row_values);
            slot = 2;
        }
        while slot < rows + 2 {
            let start = to.add(slot * row_values);
            let at = (row + slot).wrapping_sub(1);
            if at < side {
                start.write_bytes(0, PLANE);
                from.write::<S>(at, side, start.add(PLANE));
                start.add((side + 1) * PLANE).write_bytes(0, PLANE);
            } else {
                start.write_bytes(0, row_values);
            }
            slot += 1;
        }
    }
}

/// The backward pass of [`SpatialForward`]: weight gradient, and the gradient before the normalization's own subtraction.
pub(crate) struct SpatialBackward<'a> {
    /// With `correction`, the gradient at the output: from a gradient and the output's values, a plane each.
    pub gradient: Planes,
    pub values: Planes,
    pub correction: &'a Correction,
    pub input: Planes,
    pub affine: &'a Affine,
    pub mean: &'a [f32],
    /// Packed by [`super::pack::spatial_backward`].
    pub weights: &'a [f32],
    /// The gradient at the normalization's output where that is positive, zero elsewhere.
    pub input_gradient: Planes,
    pub bands: Bands,
    /// `[task][WEIGHTS]`.
    pub weight_gradient: SharedMut<f32>,
    /// `[task][input channel][Σv, Σv·(x − mean)]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl Pass for SpatialBackward<'_> {
    fn tasks(&self) -> usize {
        self.bands.tasks
    }

    fn scratch(&self, _columns: usize) -> usize {
        (INPUT_PLANES + 1) * self.bands.padded() + self.bands.strip() * self.bands.side * PLANE
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        let side = self.bands.side;
        let (strip, padded) = (self.bands.strip(), self.bands.padded());
        let row_values = (side + 2) * PLANE;
        let units = scratch;
        let above = scratch.wrapping_add(INPUT_PLANES * padded);
        let panels = above.wrapping_add(padded);
        let mut started = false;
        for (image, first, end) in self.bands.of_task(task) {
            let mut row = first;
            while row < end {
                let rows = strip.min(end - row);
                let panel = rows * side * S::COLUMNS;
                // SAFETY: rows are within the image; this task alone writes these pixels, its weight gradient and its sums.
                unsafe {
                    let pixel = image * side * side;
                    let (gradient, values) = (self.gradient.at(0, pixel), self.values.at(0, pixel));
                    let from = Corrected { gradient, values, correction: self.correction };
                    fill_rows::<S>(above, row, rows, row == first, strip, side, &from);
                    for at in 0..rows {
                        let from = above.add((at + 1) * row_values + PLANE);
                        ops::pack_panels::<S>(from, panels.add(at * side * S::COLUMNS), panel, side);
                    }
                    for plane in 0..INPUT_PLANES {
                        let unit = units.add(plane * padded);
                        let from = Normalized { input: self.input.at(plane, image * side * side), affine: self.affine, plane };
                        fill_rows::<S>(unit, row, rows, row == first, strip, side, &from);
                        self.data::<S>(task, plane, (image * side + row) * side, rows, above, unit);
                        let to = self.weight_gradient.ptr().add(task * WEIGHTS + plane * PLANE_STEPS * PLANE);
                        for tap in 0..9 {
                            for half in 0..PLANE / S::COLUMNS {
                                S::product::<1, PLANE>(&Product {
                                    rows: PLANE,
                                    segments: rows,
                                    steps: side,
                                    a: unit.add(tap / 3 * row_values + tap % 3 * PLANE),
                                    segment: row_values,
                                    b: panels.add(half * panel),
                                    c: to.add(tap * PLANE * PLANE + half * S::COLUMNS),
                                    accumulate: started,
                                });
                            }
                        }
                    }
                }
                started = true;
                row += rows;
            }
        }
    }
}

impl SpatialBackward<'_> {
    /// The gradient at one plane of the input, for `rows` rows from pixel `first` on.
    #[inline(always)]
    unsafe fn data<S: Simd>(
        &self,
        task: usize,
        plane: usize,
        first: usize,
        rows: usize,
        above: *const f32,
        unit: *const f32,
    ) {
        let side = self.bands.side;
        let row_values = (side + 2) * PLANE;
        let halves = PLANE / S::COLUMNS;
        // SAFETY: as `run`.
        unsafe {
            for half in 0..halves {
                for at in 0..rows {
                    S::product::<PLANE, 1>(&Product {
                        rows: side,
                        segments: 3,
                        steps: ROW_STEPS,
                        a: above.add(at * row_values),
                        segment: row_values,
                        b: self.weights.as_ptr().add((plane * halves + half) * PLANE_STEPS * S::COLUMNS),
                        c: self.input_gradient.at(plane, first + at * side).add(half * S::COLUMNS),
                        accumulate: false,
                    });
                }
            }
            let sums = self.sums.ptr().add(2 * (task * INPUT_PLANES + plane) * PLANE);
            let zero = S::splat(0.0);
            let mut lane = 0;
            while lane < PLANE {
                let mean = S::load(self.mean.as_ptr().add(plane * PLANE + lane));
                let (mut sum, mut product) = (zero, zero);
                for at in 0..rows {
                    let unit = unit.add((at + 1) * row_values + PLANE + lane);
                    let gradient = self.input_gradient.at(plane, first + at * side).add(lane);
                    let input = self.input.at(plane, first + at * side).add(lane);
                    for pixel in 0..side {
                        let to = gradient.add(pixel * PLANE);
                        let v = S::select_gt(S::load(unit.add(pixel * PLANE)), zero, S::load(to), zero);
                        sum = S::add(sum, v);
                        product = S::fma(v, S::sub(S::load(input.add(pixel * PLANE)), mean), product);
                        S::store(to, v);
                    }
                }
                ops::add_pairs::<S>(sum, product, sums.add(2 * lane));
                lane += S::LANES;
            }
        }
    }
}
