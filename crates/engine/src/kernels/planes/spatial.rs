//! The 3×3 convolutions on planes (128 to 32 channels, padding 1) with the normalization before them, by Winograd's F(4×4, 3×3) or
//! F(2×2, 3×3): forward, data gradient and weight gradient all take a quarter, or four ninths, of the products.

use super::{PLANE, Pass, Planes, Stored, ops};
use crate::architecture::{BOTTLENECK, GROWTH};
use crate::kernels::Affine;
use crate::kernels::panel::PanelProduct;
use crate::kernels::product::F32;
use crate::kernels::simd::Simd;
use crate::kernels::winograd::{Filter, Filtering, Four, PATCH, Patch, Tile, Two, collect_columns, transform_patch};
use crate::threads::SharedMut;

/// Planes of the 3×3 convolution's input.
pub(crate) const INPUT_PLANES: usize = BOTTLENECK / PLANE;
/// Values of the transformed weights, and of a weight gradient in transformed form,
/// `[input plane][point][input channel][output channel]`.
pub(crate) const fn point_weights(filtering: Filtering) -> usize {
    filtering.points() * BOTTLENECK * GROWTH
}

/// Values of a patch of one plane, at most.
pub(crate) const PATCH_VALUES: usize = PATCH * PATCH * PLANE;

/// Tiles for the forward pass: groups of which all planes fit in the second-level cache.
pub(crate) fn forward_tiles(filtering: Filtering, images: usize, side: usize) -> Tiles {
    Tiles::new(filtering, images, side, 18 * 36 / filtering.points(), 64, 1)
}

/// The tiles of square images, in groups that are worked on together, shared out over chunks: by the shape alone.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    pub side: usize,
    total: usize,
    /// Tiles of a group, at most.
    pub group: usize,
    /// The number of chunks.
    pub chunks: usize,
    pub filtering: Filtering,
}

impl Tiles {
    /// Groups of up to `group` tiles (fewer when there are few), in at most `most` chunks of at least `least` groups.
    pub(crate) fn new(
        filtering: Filtering,
        images: usize,
        side: usize,
        group: usize,
        most: usize,
        least: usize,
    ) -> Self {
        let per_side = side.div_ceil(filtering.tile());
        let total = images * per_side * per_side;
        let group = group.min(total.div_ceil(8).max(6));
        let chunks = (total.div_ceil(group) / least).clamp(1, most);
        Tiles { side, total, group, chunks, filtering }
    }

    /// A chunk's groups as (first tile, tiles).
    #[inline(always)]
    pub(crate) fn groups(self, chunk: usize) -> impl Iterator<Item = (usize, usize)> {
        let groups = self.total.div_ceil(self.group);
        (chunk * groups / self.chunks..(chunk + 1) * groups / self.chunks).map(move |group| {
            let first = group * self.group;
            (first, self.group.min(self.total - first))
        })
    }

    #[inline(always)]
    pub(crate) fn tile(self, index: usize) -> Tile {
        Tile::new(index, self.side, self.filtering.tile())
    }

    /// Values between points, for so many planes of a group: an odd number of cache lines, so that points spread over the cache.
    #[inline(always)]
    pub(crate) fn point(self, planes: usize) -> usize {
        planes * self.group * PLANE + 16
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
                        PanelProduct {
                            rows: count,
                            segments: INPUT_PLANES,
                            steps: PLANE,
                            a: scratch.add(at * point),
                            segment,
                            b: self.weights.as_ptr().add((at * halves + half) * BOTTLENECK * S::COLUMNS),
                            c: products.add(at * point_out + half * S::COLUMNS),
                            accumulate: false,
                        }
                        .compute::<S, F32, PLANE, 1>();
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
                let (mut sum, mut squares) = (S::zero(), S::zero());
                for index in 0..count {
                    let tile = tiles.tile(first + index);
                    let half = collect_columns::<S, F>(products.add(index * PLANE + lane), tiles.point(1));
                    let origin = (tile.image * tiles.side + tile.row) * tiles.side + tile.column;
                    for (row, half) in half.into_iter().enumerate().take(tile.rows) {
                        let values = F::tile_line::<S>(half);
                        let to = self.output.at(0, origin + row * tiles.side).add(lane);
                        for (column, value) in values.into_iter().enumerate().take(tile.columns) {
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
pub(crate) struct Normalized<'a> {
    pub input: Planes,
    pub affine: &'a Affine,
    pub side: usize,
}

impl Normalized<'_> {
    /// Transforms one tile's patch of one plane, points `point` values apart, by way of `patch` at the image's edges.
    ///
    /// # Safety
    /// The instruction set, a tile of the input, and pointers that cover a patch and the points.
    #[inline(always)]
    pub(crate) unsafe fn transform<S: Simd, F: Filter>(
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
                    let patch = Stored { at: from.add(lane), row: side * PLANE };
                    transform_patch::<S, F>(Rectified::<S> { patch, scale, shift }, to.add(lane), point);
                    lane += S::LANES;
                }
                return;
            }
            for at in 0..F::POINTS {
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

/// relu(scale · patch + shift).
#[derive(Clone, Copy)]
struct Rectified<S: Simd> {
    patch: Stored,
    scale: S::V,
    shift: S::V,
}

impl<S: Simd> Patch<S> for Rectified<S> {
    #[inline(always)]
    unsafe fn load(self, row: usize, column: usize) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::relu(S::fma(Patch::<S>::load(self.patch, row, column), self.scale, self.shift)) }
    }
}

/// Transforms a stored patch of one plane.
///
/// # Safety
/// The instruction set, and pointers that cover the patch and the points.
#[inline(always)]
pub(crate) unsafe fn transform_lanes<S: Simd, F: Filter>(patch: *const f32, to: *mut f32, point: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut lane = 0;
        while lane < PLANE {
            transform_patch::<S, F>(Stored { at: patch.add(lane), row: F::PATCH * PLANE }, to.add(lane), point);
            lane += S::LANES;
        }
    }
}
