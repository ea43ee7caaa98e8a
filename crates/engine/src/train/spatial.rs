//! The 3×3 convolutions of the dense layers (128 to 32 channels, padding 1) with the normalization before them, by Winograd's
//! F(4×4, 3×3) or F(2×2, 3×3): forward, data gradient and weight gradient all take a quarter, or four ninths, of the products.

use super::PLANE;
use super::machine::Pass;
use super::memory::Planes;
use super::norm::{Affine, Correction};
use super::ops;
use super::product::Product;
use super::simd::Simd;
use super::winograd::{Filter, Filtering, Four, PATCH, Tile, Tiles, Two, collect_tile, spread_tile, transform_patch};
use crate::architecture::{BOTTLENECK, GROWTH};
use crate::threads::SharedMut;

/// Planes of the 3×3 convolution's input.
pub(crate) const INPUT_PLANES: usize = BOTTLENECK / PLANE;
/// Values of the transformed weights, and of a weight gradient in transformed form,
/// `[input plane][point][input channel][output channel]`.
pub(crate) const fn point_weights(filtering: Filtering) -> usize {
    filtering.points() * BOTTLENECK * GROWTH
}

/// Values of a patch of one plane, at most.
const PATCH_VALUES: usize = PATCH * PATCH * PLANE;

/// Tiles for the forward pass: groups of which all planes fit in the second-level cache.
pub(crate) fn forward_tiles(filtering: Filtering, images: usize, side: usize) -> Tiles {
    Tiles::new(filtering, images, side, 18 * 36 / filtering.points(), 64, 1)
}

/// Tiles for the backward pass: each chunk holds a weight gradient of its own, so they are few.
pub(crate) fn backward_tiles(filtering: Filtering, images: usize, side: usize) -> Tiles {
    Tiles::new(filtering, images, side, 24 * 36 / filtering.points(), 16, 4)
}

/// output = W ∗ relu(norm(input)), with the sums of the output's channels.
pub(crate) struct SpatialForward<'a> {
    pub input: Planes,
    pub affine: &'a Affine,
    /// Packed by [`super::pack::spatial_forward`].
    pub weights: &'a [f32],
    /// One plane.
    pub output: Planes,
    pub tiles: Tiles,
    /// `[chunk][output channel][Σx, Σx²]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl Pass for SpatialForward<'_> {
    fn tasks(&self) -> usize {
        self.tiles.chunks
    }

    fn scratch(&self) -> usize {
        self.tiles.filtering.points() * (self.tiles.point(INPUT_PLANES) + self.tiles.point(1)) + PATCH_VALUES
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        // SAFETY: the caller's.
        unsafe {
            match self.tiles.filtering {
                Filtering::Exact => self.run_with::<S, Two>(task, scratch),
                Filtering::Fast => self.run_with::<S, Four>(task, scratch),
            }
        }
    }
}

impl SpatialForward<'_> {
    /// [`Pass::run`].
    #[inline(always)]
    unsafe fn run_with<S: Simd, F: Filter>(&self, task: usize, scratch: *mut f32) {
        let tiles = self.tiles;
        let halves = PLANE / S::COLUMNS;
        let (point, point_out) = (tiles.point(INPUT_PLANES), tiles.point(1));
        let segment = tiles.group * PLANE;
        let products = scratch.wrapping_add(F::POINTS * point);
        let patch = products.wrapping_add(F::POINTS * point_out);
        let source = Normalized { input: self.input, affine: self.affine, side: tiles.side };
        for (first, count) in tiles.groups(task) {
            // SAFETY: tiles are within the images; this task alone writes their pixels and its sums.
            unsafe {
                for plane in 0..INPUT_PLANES {
                    for index in 0..count {
                        let to = scratch.add(plane * segment + index * PLANE);
                        source.transform::<S, F>(plane, tiles.tile(first + index), patch, to, point);
                    }
                }
                for at in 0..F::POINTS {
                    for half in 0..halves {
                        S::product::<PLANE, 1>(&Product {
                            rows: count,
                            segments: INPUT_PLANES,
                            steps: PLANE,
                            a: scratch.add(at * point),
                            segment,
                            b: self.weights.as_ptr().add((at * halves + half) * BOTTLENECK * S::COLUMNS),
                            c: products.add(at * point_out + half * S::COLUMNS),
                            accumulate: false,
                        });
                    }
                }
                self.collect::<S, F>(task, first, count, products);
            }
        }
    }
}

impl SpatialForward<'_> {
    /// Writes a group's output pixels and adds them to the task's sums.
    #[inline(always)]
    unsafe fn collect<S: Simd, F: Filter>(&self, task: usize, first: usize, count: usize, products: *const f32) {
        let tiles = self.tiles;
        // SAFETY: as `run`.
        unsafe {
            let mut lane = 0;
            while lane < PLANE {
                let (mut sum, mut squares) = (S::splat(0.0), S::splat(0.0));
                for index in 0..count {
                    let tile = tiles.tile(first + index);
                    let values = collect_tile::<S, F>(products.add(index * PLANE + lane), tiles.point(1));
                    let origin = (tile.image * tiles.side + tile.row) * tiles.side + tile.column;
                    for (row, values) in values.iter().enumerate().take(tile.rows) {
                        let to = self.output.at(0, origin + row * tiles.side).add(lane);
                        for (column, &value) in values.iter().enumerate().take(tile.columns) {
                            sum = S::add(sum, value);
                            squares = S::fma(value, value, squares);
                            S::store(to.add(column * PLANE), value);
                        }
                    }
                }
                ops::add_pairs::<S>(sum, squares, self.sums.ptr().add(2 * (task * PLANE + lane)));
                lane += S::LANES;
            }
        }
    }
}

/// relu(norm(input)) as a source of transformed patches, zero outside of the image.
struct Normalized<'a> {
    input: Planes,
    affine: &'a Affine,
    side: usize,
}

impl Normalized<'_> {
    /// Transforms one tile's patch of one plane, points `point` values apart, by way of `patch` at the image's edges.
    #[inline(always)]
    unsafe fn transform<S: Simd, F: Filter>(
        &self,
        plane: usize,
        tile: Tile,
        patch: *mut f32,
        to: *mut f32,
        point: usize,
    ) {
        let side = self.side;
        // SAFETY: the patch's pixels are within the image where they are read.
        unsafe {
            let scale = self.affine.scale.as_ptr().add(plane * PLANE);
            let shift = self.affine.shift.as_ptr().add(plane * PLANE);
            if tile.is_inner::<F>(side) {
                let from = self.input.at(plane, (tile.image * side + tile.row - 1) * side + tile.column - 1);
                let mut lane = 0;
                while lane < PLANE {
                    let (scale, shift) = (S::load(scale.add(lane)), S::load(shift.add(lane)));
                    transform_patch::<S, F, true>(from.add(lane), side * PLANE, scale, shift, to.add(lane), point);
                    lane += S::LANES;
                }
                return;
            }
            for at in 0..F::PATCH * F::PATCH {
                let to = patch.add(at * PLANE);
                match tile.pixel(at / F::PATCH, at % F::PATCH, side) {
                    Some(pixel) => ops::normalize_relu::<S, false>(self.input.at(plane, pixel), to, 1, scale, shift),
                    None => to.write_bytes(0, PLANE),
                }
            }
            transform_lanes::<S, F>(patch, to, point);
        }
    }
}

/// Transforms a stored patch of one plane.
///
/// # Safety
/// The instruction set, and pointers that cover the patch and the points.
#[inline(always)]
unsafe fn transform_lanes<S: Simd, F: Filter>(patch: *const f32, to: *mut f32, point: usize) {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::splat(0.0);
        let mut lane = 0;
        while lane < PLANE {
            transform_patch::<S, F, false>(patch.add(lane), F::PATCH * PLANE, zero, zero, to.add(lane), point);
            lane += S::LANES;
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
    pub tiles: Tiles,
    /// `[chunk][point_weights(tiles.filtering)]`.
    pub weight_gradient: SharedMut<f32>,
    /// `[chunk][input channel][Σv, Σv·(x − mean)]`, zeroed.
    pub sums: SharedMut<f64>,
}

impl SpatialBackward<'_> {
    /// The input's planes are tasks of their own where there are few chunks.
    fn splits(&self) -> usize {
        if self.tiles.chunks >= 8 { 1 } else { INPUT_PLANES }
    }
}

impl Pass for SpatialBackward<'_> {
    fn tasks(&self) -> usize {
        self.tiles.chunks * self.splits()
    }

    fn scratch(&self) -> usize {
        4 * self.tiles.filtering.points() * self.tiles.point(1) + PATCH_VALUES
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        // SAFETY: the caller's.
        unsafe {
            match self.tiles.filtering {
                Filtering::Exact => self.run_with::<S, Two>(task, scratch),
                Filtering::Fast => self.run_with::<S, Four>(task, scratch),
            }
        }
    }
}

impl SpatialBackward<'_> {
    /// [`Pass::run`].
    #[inline(always)]
    unsafe fn run_with<S: Simd, F: Filter>(&self, task: usize, scratch: *mut f32) {
        let tiles = self.tiles;
        let (chunk, split) = (task / self.splits(), task % self.splits());
        let planes = INPUT_PLANES / self.splits();
        let halves = PLANE / S::COLUMNS;
        let point = tiles.point(1);
        let (above, spread) = (scratch, scratch.wrapping_add(F::POINTS * point));
        let units = spread.wrapping_add(F::POINTS * point);
        let products = units.wrapping_add(F::POINTS * point);
        let patch = products.wrapping_add(F::POINTS * point);
        let source = Normalized { input: self.input, affine: self.affine, side: tiles.side };
        for (group, (first, count)) in tiles.groups(chunk).enumerate() {
            // SAFETY: tiles are within the images; this task alone writes their pixels of its planes, its weight gradient and
            // its sums.
            unsafe {
                for index in 0..count {
                    self.read_patch::<S, F>(tiles.tile(first + index), patch);
                    transform_lanes::<S, F>(patch, above.add(index * PLANE), point);
                    let inner = patch.add((F::PATCH + 1) * PLANE);
                    let mut lane = 0;
                    while lane < PLANE {
                        let panel = lane / S::COLUMNS * tiles.group * S::COLUMNS;
                        let to = spread.add(panel + index * S::COLUMNS + lane % S::COLUMNS);
                        spread_tile::<S, F>(inner.add(lane), F::PATCH * PLANE, to, point);
                        lane += S::LANES;
                    }
                }
                for plane in split * planes..(split + 1) * planes {
                    for index in 0..count {
                        let to = units.add(index * PLANE);
                        source.transform::<S, F>(plane, tiles.tile(first + index), patch, to, point);
                    }
                    let to = self
                        .weight_gradient
                        .ptr()
                        .add(chunk * point_weights(tiles.filtering) + plane * F::POINTS * PLANE * PLANE);
                    for at in 0..F::POINTS {
                        for half in 0..halves {
                            S::product::<1, PLANE>(&Product {
                                rows: PLANE,
                                segments: 1,
                                steps: count,
                                a: units.add(at * point),
                                segment: 0,
                                b: spread.add(at * point + half * tiles.group * S::COLUMNS),
                                c: to.add(at * PLANE * PLANE + half * S::COLUMNS),
                                accumulate: group > 0,
                            });
                            let panel = (at * INPUT_PLANES + plane) * halves + half;
                            S::product::<PLANE, 1>(&Product {
                                rows: count,
                                segments: 1,
                                steps: PLANE,
                                a: above.add(at * point),
                                segment: 0,
                                b: self.weights.as_ptr().add(panel * GROWTH * S::COLUMNS),
                                c: products.add(at * point + half * S::COLUMNS),
                                accumulate: false,
                            });
                        }
                    }
                    self.collect::<S, F>(chunk, plane, first, count, products);
                }
            }
        }
    }
}

impl SpatialBackward<'_> {
    /// The corrected gradient of a tile's patch, zero outside of the image.
    #[inline(always)]
    unsafe fn read_patch<S: Simd, F: Filter>(&self, tile: Tile, patch: *mut f32) {
        // SAFETY: as `run`.
        unsafe {
            for at in 0..F::PATCH * F::PATCH {
                let to = patch.add(at * PLANE);
                match tile.pixel(at / F::PATCH, at % F::PATCH, self.tiles.side) {
                    Some(pixel) => {
                        let (gradient, values) = (self.gradient.at(0, pixel), self.values.at(0, pixel));
                        ops::correct::<S>(gradient, values, to, 1, self.correction, 0);
                    }
                    None => to.write_bytes(0, PLANE),
                }
            }
        }
    }

    /// Writes a group's gradient at one plane of the input, and adds it to the chunk's sums.
    #[inline(always)]
    unsafe fn collect<S: Simd, F: Filter>(
        &self,
        chunk: usize,
        plane: usize,
        first: usize,
        count: usize,
        products: *const f32,
    ) {
        let tiles = self.tiles;
        // SAFETY: as `run`.
        unsafe {
            let zero = S::splat(0.0);
            let mut lane = 0;
            while lane < PLANE {
                let channel = plane * PLANE + lane;
                let scale = S::load(self.affine.scale.as_ptr().add(channel));
                let shift = S::load(self.affine.shift.as_ptr().add(channel));
                let mean = S::load(self.mean.as_ptr().add(channel));
                let (mut sum, mut product) = (zero, zero);
                for index in 0..count {
                    let tile = tiles.tile(first + index);
                    let values = collect_tile::<S, F>(products.add(index * PLANE + lane), tiles.point(1));
                    let origin = (tile.image * tiles.side + tile.row) * tiles.side + tile.column;
                    for (row, values) in values.iter().enumerate().take(tile.rows) {
                        let input = self.input.at(plane, origin + row * tiles.side).add(lane);
                        let to = self.input_gradient.at(plane, origin + row * tiles.side).add(lane);
                        for (column, &value) in values.iter().enumerate().take(tile.columns) {
                            let x = S::load(input.add(column * PLANE));
                            let v = S::select_gt(S::fma(x, scale, shift), zero, value, zero);
                            sum = S::add(sum, v);
                            product = S::fma(v, S::sub(x, mean), product);
                            S::store(to.add(column * PLANE), v);
                        }
                    }
                }
                ops::add_pairs::<S>(sum, product, self.sums.ptr().add(2 * (chunk * BOTTLENECK + channel)));
                lane += S::LANES;
            }
        }
    }
}
