//! The transforms along one dimension, as Lavin and Gray's matrices Aᵀ, Bᵀ and G say.

use crate::kernels::simd::Simd;

/// Points of the transformed patch, at most.
pub(crate) const POINTS: usize = 36;
/// The side of a patch, at most.
pub(crate) const PATCH: usize = 6;
/// The side of a tile, at most.
pub(crate) const TILE: usize = 4;

/// The side of a convolution's tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Filtering {
    /// F(2×2, 3×3).
    Exact,
    /// F(4×4, 3×3).
    Fast,
}

impl Filtering {
    /// Points of the transformed patch.
    pub(crate) const fn points(self) -> usize {
        match self {
            Filtering::Exact => Two::POINTS,
            Filtering::Fast => Four::POINTS,
        }
    }

    pub(crate) const fn tile(self) -> usize {
        match self {
            Filtering::Exact => Two::TILE,
            Filtering::Fast => Four::TILE,
        }
    }
}

/// The transforms along one dimension. Arrays are those of the largest tile; of smaller ones, the first values count.
pub(crate) trait Filter {
    const TILE: usize;
    const PATCH: usize = Self::TILE + 2;
    const POINTS: usize = Self::PATCH * Self::PATCH;

    /// Bᵀ d.
    ///
    /// # Safety
    /// The instruction set.
    unsafe fn patch_line<S: Simd>(d: [S::V; PATCH]) -> [S::V; PATCH];

    /// Aᵀ m.
    ///
    /// # Safety
    /// The instruction set.
    unsafe fn tile_line<S: Simd>(m: [S::V; PATCH]) -> [S::V; TILE];

    /// A y.
    ///
    /// # Safety
    /// The instruction set.
    unsafe fn spread_line<S: Simd>(y: [S::V; TILE]) -> [S::V; PATCH];

    /// G g.
    fn kernel_line(g: [f32; 3]) -> [f32; PATCH];

    /// Gᵀ u.
    fn kernel_gradient_line(u: [f32; PATCH]) -> [f32; 3];
}

/// F(2×2, 3×3).
pub(crate) struct Two;
/// F(4×4, 3×3).
pub(crate) struct Four;

impl Filter for Two {
    const TILE: usize = 2;

    #[inline(always)]
    unsafe fn patch_line<S: Simd>(d: [S::V; PATCH]) -> [S::V; PATCH] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let zero = S::zero();
            [S::sub(d[0], d[2]), S::add(d[1], d[2]), S::sub(d[2], d[1]), S::sub(d[1], d[3]), zero, zero]
        }
    }

    #[inline(always)]
    unsafe fn tile_line<S: Simd>(m: [S::V; PATCH]) -> [S::V; TILE] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let zero = S::zero();
            [S::add(m[0], S::add(m[1], m[2])), S::sub(S::sub(m[1], m[2]), m[3]), zero, zero]
        }
    }

    #[inline(always)]
    unsafe fn spread_line<S: Simd>(y: [S::V; TILE]) -> [S::V; PATCH] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let zero = S::zero();
            [y[0], S::add(y[0], y[1]), S::sub(y[0], y[1]), S::sub(zero, y[1]), zero, zero]
        }
    }

    #[inline(always)]
    fn kernel_line(g: [f32; 3]) -> [f32; PATCH] {
        let even = 0.5 * (g[0] + g[2]);
        [g[0], even + 0.5 * g[1], even - 0.5 * g[1], g[2], 0.0, 0.0]
    }

    #[inline(always)]
    fn kernel_gradient_line(u: [f32; PATCH]) -> [f32; 3] {
        let half = 0.5 * (u[1] + u[2]);
        [u[0] + half, 0.5 * (u[1] - u[2]), half + u[3]]
    }
}

impl Filter for Four {
    const TILE: usize = 4;

    #[inline(always)]
    unsafe fn patch_line<S: Simd>(d: [S::V; PATCH]) -> [S::V; PATCH] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (four, minus_four, five) = (S::splat(4.0), S::splat(-4.0), S::splat(-5.0));
            let (two, minus_two) = (S::splat(2.0), S::splat(-2.0));
            let even = S::fma(minus_four, d[2], d[4]);
            let odd = S::fma(minus_four, d[1], d[3]);
            let even2 = S::sub(d[4], d[2]);
            let odd2 = S::sub(d[3], d[1]);
            [
                S::fma(four, d[0], S::fma(five, d[2], d[4])),
                S::add(even, odd),
                S::sub(even, odd),
                S::fma(two, odd2, even2),
                S::fma(minus_two, odd2, even2),
                S::fma(four, d[1], S::fma(five, d[3], d[5])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn tile_line<S: Simd>(m: [S::V; PATCH]) -> [S::V; TILE] {
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

    #[inline(always)]
    unsafe fn spread_line<S: Simd>(y: [S::V; TILE]) -> [S::V; PATCH] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even, odd) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
            let even2 = S::fma(S::splat(4.0), y[2], y[0]);
            let odd2 = S::mul(S::splat(2.0), S::fma(S::splat(4.0), y[3], y[1]));
            [y[0], S::add(even, odd), S::sub(even, odd), S::add(even2, odd2), S::sub(even2, odd2), y[3]]
        }
    }

    #[inline(always)]
    fn kernel_line(g: [f32; 3]) -> [f32; PATCH] {
        let (sixth, twelfth) = (1.0 / 6.0, 1.0 / 12.0);
        let even = sixth * (g[0] + g[2]);
        let even2 = 0.25 * sixth * g[0] + sixth * g[2];
        [0.25 * g[0], -even - sixth * g[1], sixth * g[1] - even, even2 + twelfth * g[1], even2 - twelfth * g[1], g[2]]
    }

    #[inline(always)]
    fn kernel_gradient_line(u: [f32; PATCH]) -> [f32; 3] {
        let (sixth, twelfth) = (1.0 / 6.0, 1.0 / 12.0);
        let (sum1, sum2) = (sixth * (u[1] + u[2]), sixth * (u[3] + u[4]));
        [0.25 * (u[0] + sum2) - sum1, sixth * (u[2] - u[1]) + twelfth * (u[3] - u[4]), sum2 - sum1 + u[5]]
    }
}
