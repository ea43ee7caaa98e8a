//! The transforms of whole tiles, in two passes along one dimension each.

use super::{Filter, PATCH, POINTS, TILE};
use crate::kernels::planes::PLANE;
use crate::kernels::simd::Simd;

/// One tile: its image, the first row and column of its output, and how many of them are in the image.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    pub image: usize,
    pub row: usize,
    pub column: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Tile {
    /// Tile `index` of images of `side` × `side` pixels, with tiles of `tile` × `tile`: numbered by row in an image, image after image.
    #[inline(always)]
    pub(crate) fn new(index: usize, side: usize, tile: usize) -> Self {
        let per_side = side.div_ceil(tile);
        let (image, at) = (index / (per_side * per_side), index % (per_side * per_side));
        let (row, column) = (at / per_side * tile, at % per_side * tile);
        Tile { image, row, column, rows: tile.min(side - row), columns: tile.min(side - column) }
    }

    /// Whether the whole patch is in the image.
    #[inline(always)]
    pub(crate) fn is_inner<F: Filter>(self, side: usize) -> bool {
        self.row > 0 && self.column > 0 && self.row + F::TILE < side && self.column + F::TILE < side
    }

    /// The image's row and column at `row`, `column` of the patch, which begins one before the tile in both directions; none where it
    /// lies outside of the image.
    #[inline(always)]
    pub(crate) fn in_image(self, row: usize, column: usize, side: usize) -> Option<(usize, usize)> {
        // What lies before the image wraps to a large number.
        let (row, column) = ((self.row + row).wrapping_sub(1), (self.column + column).wrapping_sub(1));
        if row < side && column < side { Some((row, column)) } else { None }
    }

    /// The pixel there, counted over all images.
    #[inline(always)]
    pub(crate) fn pixel(self, row: usize, column: usize, side: usize) -> Option<usize> {
        self.in_image(row, column, side).map(|(row, column)| (self.image * side + row) * side + column)
    }
}

/// A patch of the input, a vector of channels at a time.
pub(crate) trait Patch<S: Simd>: Copy {
    /// The values at a row and a column of the patch.
    ///
    /// # Safety
    /// The instruction set, and a row and a column below the filter's `PATCH`.
    unsafe fn load(self, row: usize, column: usize) -> S::V;
}

/// Writes Bᵀ d B of one vector of channels, points `point` values apart.
///
/// # Safety
/// The instruction set, a patch that can be loaded, and a pointer that covers the points.
#[inline(always)]
pub(crate) unsafe fn transform_patch<S: Simd, F: Filter>(patch: impl Patch<S>, to: *mut f32, point: usize) {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::zero();
        let mut half = [[zero; PATCH]; PATCH];
        for j in 0..F::PATCH {
            let mut d = [zero; PATCH];
            for i in 0..F::PATCH {
                d[i] = patch.load(i, j);
            }
            let line = F::patch_line::<S>(d);
            for i in 0..F::PATCH {
                half[i][j] = line[i];
            }
        }
        for i in 0..F::PATCH {
            let line = F::patch_line::<S>(half[i]);
            for j in 0..F::PATCH {
                S::store(to.add((i * F::PATCH + j) * point), line[j]);
            }
        }
    }
}

/// Writes A y Aᵀ of one vector of channels of a tile in a plane, whose rows are `row` values apart, points `point` values apart.
///
/// # Safety
/// As [`transform_patch`].
#[inline(always)]
pub(crate) unsafe fn spread_tile<S: Simd, F: Filter>(tile: *const f32, row: usize, to: *mut f32, point: usize) {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::zero();
        let mut half = [[zero; TILE]; PATCH];
        for j in 0..F::TILE {
            let mut y = [zero; TILE];
            for i in 0..F::TILE {
                y[i] = S::load(tile.add(i * row + j * PLANE));
            }
            let line = F::spread_line::<S>(y);
            for i in 0..F::PATCH {
                half[i][j] = line[i];
            }
        }
        for i in 0..F::PATCH {
            let line = F::spread_line::<S>(half[i]);
            for j in 0..F::PATCH {
                S::store(to.add((i * F::PATCH + j) * point), line[j]);
            }
        }
    }
}

/// Aᵀ m of one vector of channels, points `point` values apart: [`Filter::tile_line`] makes a row of the tile of each of its rows.
///
/// # Safety
/// As [`transform_patch`].
#[inline(always)]
pub(crate) unsafe fn collect_columns<S: Simd, F: Filter>(from: *const f32, point: usize) -> [[S::V; PATCH]; TILE] {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::zero();
        let mut half = [[zero; PATCH]; TILE];
        for j in 0..F::PATCH {
            let mut m = [zero; PATCH];
            for i in 0..F::PATCH {
                m[i] = S::load(from.add((i * F::PATCH + j) * point));
            }
            let line = F::tile_line::<S>(m);
            for i in 0..F::TILE {
                half[i][j] = line[i];
            }
        }
        half
    }
}

/// G g Gᵀ of one 3×3 kernel for [`Four`], in f64: weights that are transformed once. Training transforms its weights at every step, with
/// [`transform_kernels`].
pub(crate) fn transform_kernel(kernel: &[f32]) -> [f32; POINTS] {
    const G: [[f64; 3]; PATCH] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    let mut half = [[0.0f64; 3]; PATCH];
    for (row, g) in half.iter_mut().zip(&G) {
        for (x, value) in row.iter_mut().enumerate() {
            *value = (0..3).map(|y| g[y] * f64::from(kernel[y * 3 + x])).sum();
        }
    }
    std::array::from_fn(|point| {
        let (y, x) = (point / PATCH, point % PATCH);
        (0..3).map(|k| half[y][k] * G[x][k]).sum::<f64>() as f32
    })
}

/// G g Gᵀ of `L` 3×3 kernels side by side, in f32.
#[inline(always)]
pub(crate) fn transform_kernels<F: Filter, const L: usize>(g: &[[f32; L]; 9]) -> [[f32; L]; POINTS] {
    let mut half = [[0.0; L]; 18];
    for j in 0..3 {
        for lane in 0..L {
            let line = F::kernel_line([g[j][lane], g[3 + j][lane], g[6 + j][lane]]);
            for i in 0..F::PATCH {
                half[i * 3 + j][lane] = line[i];
            }
        }
    }
    let mut points = [[0.0; L]; POINTS];
    for i in 0..F::PATCH {
        for lane in 0..L {
            let line = F::kernel_line([half[i * 3][lane], half[i * 3 + 1][lane], half[i * 3 + 2][lane]]);
            for j in 0..F::PATCH {
                points[i * F::PATCH + j][lane] = line[j];
            }
        }
    }
    points
}

/// Gᵀ u G of `L` transformed kernels side by side.
#[inline(always)]
pub(crate) fn kernel_gradients<F: Filter, const L: usize>(u: &[[f32; L]; POINTS]) -> [[f32; L]; 9] {
    let mut half = [[0.0; L]; 18];
    for j in 0..F::PATCH {
        for lane in 0..L {
            let line = F::kernel_gradient_line(std::array::from_fn(|i| u[i * F::PATCH + j][lane]));
            for i in 0..3 {
                half[i * F::PATCH + j][lane] = line[i];
            }
        }
    }
    let mut g = [[0.0; L]; 9];
    for i in 0..3 {
        for lane in 0..L {
            let line = F::kernel_gradient_line(std::array::from_fn(|j| half[i * F::PATCH + j][lane]));
            for j in 0..3 {
                g[i * 3 + j][lane] = line[j];
            }
        }
    }
    g
}

#[cfg(test)]
mod tests {
    use super::super::{Four, Two};
    use super::*;
    use crate::kernels::Portable;
    use crate::kernels::planes::Stored;

    /// A patch, a kernel and a tile, of one channel.
    fn example() -> ([f32; 36], [f32; 9], [f32; 16]) {
        let value = |i: usize| ((i * 37 + 11) % 29) as f32 / 7.0 - 2.0;
        (std::array::from_fn(value), std::array::from_fn(|i| value(i + 50)), std::array::from_fn(|i| value(i + 90)))
    }

    /// The channel in all 32 lanes.
    fn widen(values: &[f32]) -> Vec<f32> {
        values.iter().flat_map(|v| [*v; PLANE]).collect()
    }

    fn transformed<F: Filter>(d: &[f32]) -> Vec<f32> {
        let mut points = vec![0.0; F::POINTS * PLANE];
        // SAFETY: portable, and buffers of 32 channels.
        unsafe {
            let values = widen(d);
            let patch = Stored { at: values.as_ptr(), row: F::PATCH * PLANE };
            transform_patch::<Portable, F>(patch, points.as_mut_ptr(), PLANE);
        }
        points
    }

    fn check_tile<F: Filter>() {
        let (d, g, _) = example();
        let mut points = transformed::<F>(&d);
        let kernel = transform_kernels::<F, 1>(&g.map(|v| [v]));
        for (at, value) in points.iter_mut().enumerate() {
            *value *= kernel[at / PLANE][0];
        }
        // SAFETY: portable, and a buffer of 32 channels.
        let half = unsafe { collect_columns::<Portable, F>(points.as_ptr(), PLANE) };
        for (i, half) in half.into_iter().enumerate().take(F::TILE) {
            // SAFETY: portable.
            let row = unsafe { F::tile_line::<Portable>(half) };
            for (j, found) in row.iter().enumerate().take(F::TILE) {
                let mut lanes = [0.0; 4];
                // SAFETY: portable, and room for a vector.
                unsafe { Portable::store(lanes.as_mut_ptr(), *found) };
                let wanted: f32 = (0..9).map(|t| g[t] * d[(i + t / 3) * F::PATCH + j + t % 3]).sum();
                assert!((lanes[1] - wanted).abs() < 1e-4, "{lanes:?} {wanted}");
            }
        }
    }

    #[test]
    fn both_kernel_transforms_are_the_same_map() {
        let (_, g, _) = example();
        let fast = transform_kernels::<Four, 1>(&g.map(|v| [v]));
        for (exact, [fast]) in transform_kernel(&g).into_iter().zip(fast) {
            assert!((exact - fast).abs() < 1e-6, "{exact} {fast}");
        }
    }

    #[test]
    fn a_tile_is_the_convolution_of_its_patch() {
        check_tile::<Two>();
        check_tile::<Four>();
    }

    fn check_weight_gradient<F: Filter>() {
        let (d, _, y) = example();
        let points = transformed::<F>(&d);
        let mut spread = vec![0.0; F::POINTS * PLANE];
        // SAFETY: portable, and buffers of 32 channels.
        unsafe { spread_tile::<Portable, F>(widen(&y).as_ptr(), F::TILE * PLANE, spread.as_mut_ptr(), PLANE) };
        let mut product = [[0.0; 1]; POINTS];
        for (i, to) in product.iter_mut().enumerate().take(F::POINTS) {
            *to = [points[i * PLANE] * spread[i * PLANE]];
        }
        for (tap, found) in kernel_gradients::<F, 1>(&product).iter().enumerate() {
            let at = |p: usize| d[(p / F::TILE + tap / 3) * F::PATCH + p % F::TILE + tap % 3];
            let wanted: f32 = (0..F::TILE * F::TILE).map(|p| y[p] * at(p)).sum();
            assert!((found[0] - wanted).abs() < 1e-3, "{found:?} {wanted}");
        }
    }

    #[test]
    fn the_weight_gradient_is_the_correlation_with_the_tile() {
        check_weight_gradient::<Two>();
        check_weight_gradient::<Four>();
    }
}
