//! Winograd's minimal filtering F(4×4, 3×3) (Lavin and Gray 2016, section 4.3) for images in planes of 32 channels.
//!
//! A 4×4 tile of a 3×3 convolution's output is Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, with d the 6×6 patch of the input around it: 36
//! products for each pair of channels instead of 144. Over many tiles, each of the 36 points is a matrix product. The weight
//! gradient of the same form is Gᵀ[(Bᵀ d B) ⊙ (A y Aᵀ)]G, summed over tiles.

#![expect(clippy::needless_range_loop, reason = "the transforms are written with the indices of their formulas")]

use super::PLANE;
use super::simd::Simd;

/// Points of the transformed patch.
pub(crate) const POINTS: usize = 36;
/// Side of a patch, and of a tile.
pub(crate) const PATCH: usize = 6;
pub(crate) const TILE: usize = 4;

/// The tiles of square images, in groups that are worked on together, shared out over chunks: by the shape alone.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    pub side: usize,
    per_side: usize,
    total: usize,
    /// Tiles of a group, at most.
    pub group: usize,
    /// The number of chunks.
    pub chunks: usize,
}

/// One tile: its image, the first row and column of its output, and how many of them are in the image.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    pub image: usize,
    pub row: usize,
    pub column: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Tiles {
    /// Groups of up to `group` tiles (fewer when there are few), in at most `most` chunks of at least `least` groups.
    pub(crate) fn new(images: usize, side: usize, group: usize, most: usize, least: usize) -> Self {
        let per_side = side.div_ceil(TILE);
        let total = images * per_side * per_side;
        let group = group.min(total.div_ceil(8).max(6));
        let chunks = (total.div_ceil(group) / least).clamp(1, most);
        Tiles { side, per_side, total, group, chunks }
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
        let (image, at) = (index / (self.per_side * self.per_side), index % (self.per_side * self.per_side));
        let (row, column) = (at / self.per_side * TILE, at % self.per_side * TILE);
        Tile { image, row, column, rows: TILE.min(self.side - row), columns: TILE.min(self.side - column) }
    }

    /// Values between points, for so many planes of a group: an odd number of cache lines, so that points spread over the cache.
    #[inline(always)]
    pub(crate) fn point(self, planes: usize) -> usize {
        planes * self.group * PLANE + 16
    }
}

/// The pixels of a tile's patch, which may lie outside of the image.
impl Tile {
    /// Whether the whole patch is in the image.
    #[inline(always)]
    pub(crate) fn is_inner(self, side: usize) -> bool {
        self.row > 0 && self.column > 0 && self.row + TILE < side && self.column + TILE < side
    }

    /// The pixel at `row`, `column` of the patch, counted over all images, if it is in its image.
    #[inline(always)]
    pub(crate) fn pixel(self, row: usize, column: usize, side: usize) -> Option<usize> {
        let (row, column) = ((self.row + row).wrapping_sub(1), (self.column + column).wrapping_sub(1));
        if row < side && column < side { Some((self.image * side + row) * side + column) } else { None }
    }
}

/// Bᵀ d along one dimension.
#[inline(always)]
unsafe fn patch_line<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller's instruction set.
    unsafe {
        let (four, five, two) = (S::splat(4.0), S::splat(-5.0), S::splat(2.0));
        let minus_four = S::splat(-4.0);
        let even = S::fma(minus_four, d[2], d[4]);
        let odd = S::fma(minus_four, d[1], d[3]);
        let even2 = S::sub(d[4], d[2]);
        let odd2 = S::mul(two, S::sub(d[3], d[1]));
        [
            S::fma(four, d[0], S::fma(five, d[2], d[4])),
            S::add(even, odd),
            S::sub(even, odd),
            S::add(even2, odd2),
            S::sub(even2, odd2),
            S::fma(four, d[1], S::fma(five, d[3], d[5])),
        ]
    }
}

/// Aᵀ m along one dimension.
#[inline(always)]
unsafe fn tile_line<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: the caller's instruction set.
    unsafe {
        let (sum1, difference1) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (sum2, difference2) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(m[0], S::add(sum1, sum2)),
            S::fma(S::splat(2.0), difference2, difference1),
            S::fma(S::splat(4.0), sum2, sum1),
            S::add(m[5], S::fma(S::splat(8.0), difference2, difference1)),
        ]
    }
}

/// A y along one dimension.
#[inline(always)]
unsafe fn spread_line<S: Simd>(y: [S::V; 4]) -> [S::V; 6] {
    // SAFETY: the caller's instruction set.
    unsafe {
        let (even, odd) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
        let even2 = S::fma(S::splat(4.0), y[2], y[0]);
        let odd2 = S::mul(S::splat(2.0), S::fma(S::splat(4.0), y[3], y[1]));
        [y[0], S::add(even, odd), S::sub(even, odd), S::add(even2, odd2), S::sub(even2, odd2), y[3]]
    }
}

/// Writes Bᵀ d B of one vector of channels, points `point` values apart; d is relu(scale · patch + shift) with `NORMALIZE`, else
/// the patch, whose rows are `row` values apart.
///
/// # Safety
/// The instruction set, and pointers that cover the patch and the points.
#[inline(always)]
pub(crate) unsafe fn transform_patch<S: Simd, const NORMALIZE: bool>(
    patch: *const f32,
    row: usize,
    scale: S::V,
    shift: S::V,
    to: *mut f32,
    point: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::splat(0.0);
        let mut half = [[zero; PATCH]; PATCH];
        for j in 0..PATCH {
            let mut d = [zero; PATCH];
            for i in 0..PATCH {
                let x = S::load(patch.add(i * row + j * PLANE));
                d[i] = if NORMALIZE { S::relu(S::fma(x, scale, shift)) } else { x };
            }
            let line = patch_line::<S>(d);
            for i in 0..PATCH {
                half[i][j] = line[i];
            }
        }
        for i in 0..PATCH {
            let line = patch_line::<S>(half[i]);
            for j in 0..PATCH {
                S::store(to.add((i * PATCH + j) * point), line[j]);
            }
        }
    }
}

/// Writes A y Aᵀ of one vector of channels of a tile, whose rows are `row` values apart, points `point` values apart.
///
/// # Safety
/// As [`transform_patch`].
#[inline(always)]
pub(crate) unsafe fn spread_tile<S: Simd>(tile: *const f32, row: usize, to: *mut f32, point: usize) {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::splat(0.0);
        let mut half = [[zero; TILE]; PATCH];
        for j in 0..TILE {
            let mut y = [zero; TILE];
            for i in 0..TILE {
                y[i] = S::load(tile.add(i * row + j * PLANE));
            }
            let line = spread_line::<S>(y);
            for i in 0..PATCH {
                half[i][j] = line[i];
            }
        }
        for i in 0..PATCH {
            let line = spread_line::<S>(half[i]);
            for j in 0..PATCH {
                S::store(to.add((i * PATCH + j) * point), line[j]);
            }
        }
    }
}

/// Aᵀ m A of one vector of channels, points `point` values apart.
///
/// # Safety
/// As [`transform_patch`].
#[inline(always)]
pub(crate) unsafe fn collect_tile<S: Simd>(from: *const f32, point: usize) -> [[S::V; TILE]; TILE] {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::splat(0.0);
        let mut half = [[zero; PATCH]; TILE];
        for j in 0..PATCH {
            let mut m = [zero; PATCH];
            for i in 0..PATCH {
                m[i] = S::load(from.add((i * PATCH + j) * point));
            }
            let line = tile_line::<S>(m);
            for i in 0..TILE {
                half[i][j] = line[i];
            }
        }
        let mut tile = [[zero; TILE]; TILE];
        for i in 0..TILE {
            tile[i] = tile_line::<S>(half[i]);
        }
        tile
    }
}

/// G g along one dimension.
#[inline(always)]
fn kernel_line(g: [f32; 3]) -> [f32; 6] {
    let (sixth, twelfth) = (1.0 / 6.0, 1.0 / 12.0);
    let even = sixth * (g[0] + g[2]);
    let even2 = 0.25 * sixth * g[0] + sixth * g[2];
    [0.25 * g[0], -even - sixth * g[1], sixth * g[1] - even, even2 + twelfth * g[1], even2 - twelfth * g[1], g[2]]
}

/// Gᵀ u along one dimension.
#[inline(always)]
fn kernel_gradient_line(u: [f32; 6]) -> [f32; 3] {
    let (sixth, twelfth) = (1.0 / 6.0, 1.0 / 12.0);
    let (sum1, sum2) = (sixth * (u[1] + u[2]), sixth * (u[3] + u[4]));
    [0.25 * (u[0] + sum2) - sum1, sixth * (u[2] - u[1]) + twelfth * (u[3] - u[4]), sum2 - sum1 + u[5]]
}

/// G g Gᵀ of `L` 3×3 kernels side by side.
#[inline(always)]
pub(crate) fn transform_kernels<const L: usize>(g: &[[f32; L]; 9]) -> [[f32; L]; POINTS] {
    let mut half = [[0.0; L]; 18];
    for j in 0..3 {
        for lane in 0..L {
            let line = kernel_line([g[j][lane], g[3 + j][lane], g[6 + j][lane]]);
            for i in 0..PATCH {
                half[i * 3 + j][lane] = line[i];
            }
        }
    }
    let mut points = [[0.0; L]; POINTS];
    for i in 0..PATCH {
        for lane in 0..L {
            let line = kernel_line([half[i * 3][lane], half[i * 3 + 1][lane], half[i * 3 + 2][lane]]);
            for j in 0..PATCH {
                points[i * PATCH + j][lane] = line[j];
            }
        }
    }
    points
}

/// Gᵀ u G of `L` transformed kernels side by side.
#[inline(always)]
pub(crate) fn kernel_gradients<const L: usize>(u: &[[f32; L]; POINTS]) -> [[f32; L]; 9] {
    let mut half = [[0.0; L]; 18];
    for j in 0..PATCH {
        for lane in 0..L {
            let line = kernel_gradient_line(std::array::from_fn(|i| u[i * PATCH + j][lane]));
            for i in 0..3 {
                half[i * PATCH + j][lane] = line[i];
            }
        }
    }
    let mut g = [[0.0; L]; 9];
    for i in 0..3 {
        for lane in 0..L {
            let line = kernel_gradient_line(std::array::from_fn(|j| half[i * PATCH + j][lane]));
            for j in 0..3 {
                g[i * 3 + j][lane] = line[j];
            }
        }
    }
    g
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::simd::Portable;

    /// One channel in all 32 lanes: a patch of 36 values and a kernel of 9.
    fn example() -> ([f32; 36], [f32; 9], [f32; 16]) {
        let value = |i: usize| ((i * 37 + 11) % 29) as f32 / 7.0 - 2.0;
        (std::array::from_fn(value), std::array::from_fn(|i| value(i + 50)), std::array::from_fn(|i| value(i + 90)))
    }

    fn widen(values: &[f32]) -> Vec<f32> {
        values.iter().flat_map(|v| [*v; PLANE]).collect()
    }

    #[test]
    fn a_tile_is_the_convolution_of_its_patch() {
        let (d, g, _) = example();
        let mut points = vec![0.0; POINTS * PLANE];
        let kernel = transform_kernels(&g.map(|v| [v]));
        // SAFETY: portable, and buffers of 32 channels.
        let tile = unsafe {
            let zero = Portable::splat(0.0);
            transform_patch::<Portable, false>(widen(&d).as_ptr(), 6 * PLANE, zero, zero, points.as_mut_ptr(), PLANE);
            for (at, value) in points.iter_mut().enumerate() {
                *value *= kernel[at / PLANE][0];
            }
            let tile = collect_tile::<Portable>(points.as_ptr(), PLANE);
            let mut lanes = [0.0; 4];
            tile.map(|row| {
                row.map(|v| {
                    Portable::store(lanes.as_mut_ptr(), v);
                    lanes[1]
                })
            })
        };
        for (i, row) in tile.iter().enumerate() {
            for (j, found) in row.iter().enumerate() {
                let wanted: f32 = (0..9).map(|t| g[t] * d[(i + t / 3) * 6 + j + t % 3]).sum();
                assert!((found - wanted).abs() < 1e-4, "{found} {wanted}");
            }
        }
    }

    #[test]
    fn the_weight_gradient_is_the_correlation_with_the_tile() {
        let (d, _, y) = example();
        let (mut points, mut spread) = (vec![0.0; POINTS * PLANE], vec![0.0; POINTS * PLANE]);
        // SAFETY: portable, and buffers of 32 channels.
        unsafe {
            let zero = Portable::splat(0.0);
            transform_patch::<Portable, false>(widen(&d).as_ptr(), 6 * PLANE, zero, zero, points.as_mut_ptr(), PLANE);
            spread_tile::<Portable>(widen(&y).as_ptr(), 4 * PLANE, spread.as_mut_ptr(), PLANE);
        }
        let product: [[f32; 1]; POINTS] = std::array::from_fn(|i| [points[i * PLANE] * spread[i * PLANE]]);
        for (tap, found) in kernel_gradients(&product).iter().enumerate() {
            let wanted: f32 = (0..16).map(|p| y[p] * d[(p / 4 + tap / 3) * 6 + p % 4 + tap % 3]).sum();
            assert!((found[0] - wanted).abs() < 1e-3, "{found:?} {wanted}");
        }
    }
}
