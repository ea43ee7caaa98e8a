//! The backward pass of the dense layers' 3×3 convolutions and of the normalization before them, by Winograd's filtering.

use super::norm::Correction;
use crate::architecture::{BOTTLENECK, GROWTH};
use crate::kernels::planes::spatial::{INPUT_PLANES, Normalized, PATCH_VALUES, Tiles, point_weights, transform_lanes};
use crate::kernels::planes::{PLANE, Pass, Planes, ops};
use crate::kernels::winograd::{Filter, Filtering, Four, Tile, Two, collect_columns, spread_tile};
use crate::kernels::{Affine, F32, PanelProduct, Simd};
use crate::threads::SharedMut;

/// Tiles for the backward pass: each chunk holds a weight gradient of its own, so they are few.
pub(crate) fn backward_tiles(filtering: Filtering, images: usize, side: usize) -> Tiles {
    Tiles::new(filtering, images, side, 24 * 36 / filtering.points(), 16, 4)
}

/// The backward pass of [`crate::kernels::planes::spatial::SpatialForward`]: weight gradient, and the gradient before the normalization's
/// own subtraction.
pub(crate) struct SpatialBackward<'a> {
    /// With `correction`, the gradient at the output: from a gradient and the output's values, a plane each.
    pub gradient: Planes,
    pub values: Planes,
    pub correction: &'a Correction,
    pub input: Planes,
    pub affine: &'a Affine,
    pub mean: &'a [f32],
    /// Packed by [`crate::kernels::planes::pack::spatial_backward`].
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
                            PanelProduct {
                                rows: PLANE,
                                segments: 1,
                                steps: count,
                                a: units.add(at * point),
                                segment: 0,
                                b: spread.add(at * point + half * tiles.group * S::COLUMNS),
                                c: to.add(at * PLANE * PLANE + half * S::COLUMNS),
                                accumulate: group > 0,
                            }
                            .compute::<S, F32, 1, PLANE>();
                            let panel = (at * INPUT_PLANES + plane) * halves + half;
                            PanelProduct {
                                rows: count,
                                segments: 1,
                                steps: PLANE,
                                a: above.add(at * point),
                                segment: 0,
                                b: self.weights.as_ptr().add(panel * GROWTH * S::COLUMNS),
                                c: products.add(at * point + half * S::COLUMNS),
                                accumulate: false,
                            }
                            .compute::<S, F32, PLANE, 1>();
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
            for at in 0..F::POINTS {
                let to = patch.add(at * PLANE);
                match tile.pixel(at / F::PATCH, at % F::PATCH, self.tiles.side) {
                    Some(pixel) => {
                        let (gradient, values) = (self.gradient.at(0, pixel), self.values.at(0, pixel));
                        self.correction.apply::<S>(gradient, values, to, 1, 0);
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
            let zero = S::zero();
            let mut lane = 0;
            while lane < PLANE {
                let channel = plane * PLANE + lane;
                let scale = S::load(self.affine.scale.as_ptr().add(channel));
                let shift = S::load(self.affine.shift.as_ptr().add(channel));
                let mean = S::load(self.mean.as_ptr().add(channel));
                let (mut sum, mut product) = (zero, zero);
                for index in 0..count {
                    let tile = tiles.tile(first + index);
                    let half = collect_columns::<S, F>(products.add(index * PLANE + lane), tiles.point(1));
                    let origin = (tile.image * tiles.side + tile.row) * tiles.side + tile.column;
                    for (row, half) in half.into_iter().enumerate().take(tile.rows) {
                        let values = F::tile_line::<S>(half);
                        let input = self.input.at(plane, origin + row * tiles.side).add(lane);
                        let to = self.input_gradient.at(plane, origin + row * tiles.side).add(lane);
                        for (column, value) in values.into_iter().enumerate().take(tile.columns) {
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
