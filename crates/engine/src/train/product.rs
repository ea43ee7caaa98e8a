//! The one matrix product behind every convolution: a few rows times one panel of columns, added up over segments.
//!
//! Activations lie in planes of 32 channels (`[plane][pixel][32]`), so that one kernel serves them all:
//! for the forward and the data products the rows are pixels (`ROW` = 32, `STEP` = 1: channels and the taps of a row are
//! contiguous), for the weight gradients the rows are channels and the sum runs over pixels (`ROW` = 1, `STEP` = 32).

use super::PLANE;
use super::simd::Simd;

/// C[i][j] (+)= Σ over segments s and steps k of A[s · segment + i · ROW + k · STEP] · B[(s · steps + k) · COLUMNS + j].
#[derive(Clone, Copy)]
pub(crate) struct Product {
    /// Rows of C.
    pub rows: usize,
    /// Segments of the sum, `segment` values of A apart.
    pub segments: usize,
    /// Steps of the sum in a segment.
    pub steps: usize,
    /// The first value of A.
    pub a: *const f32,
    /// Values of A between segments.
    pub segment: usize,
    /// A panel: all steps of all segments, `COLUMNS` values each, contiguous.
    pub b: *const f32,
    /// The first value of C; rows are 32 values apart.
    pub c: *mut f32,
    /// Add to C, or overwrite it.
    pub accumulate: bool,
}

/// Computes a product, in groups of up to `MAX` rows.
///
/// # Safety
/// A processor with the instruction set `S`, and pointers that cover the operands.
#[inline(always)]
pub(crate) unsafe fn product<S: Simd, const ROW: usize, const STEP: usize, const MAX: usize>(p: &Product) {
    let mut row = 0;
    while row < p.rows {
        let left = p.rows - row;
        // Even groups: nothing much smaller than MAX at the end.
        let take = if left <= MAX {
            left
        } else if left < 2 * MAX {
            left.div_ceil(2)
        } else {
            MAX
        };
        // SAFETY: rows row..row + take are within the operands.
        unsafe {
            match take {
                1 => group::<S, ROW, STEP, 1>(p, row),
                2 => group::<S, ROW, STEP, 2>(p, row),
                3 => group::<S, ROW, STEP, 3>(p, row),
                4 => group::<S, ROW, STEP, 4>(p, row),
                5 if MAX >= 5 => group::<S, ROW, STEP, 5>(p, row),
                6 if MAX >= 6 => group::<S, ROW, STEP, 6>(p, row),
                7 if MAX >= 7 => group::<S, ROW, STEP, 7>(p, row),
                8 if MAX >= 8 => group::<S, ROW, STEP, 8>(p, row),
                9 if MAX >= 9 => group::<S, ROW, STEP, 9>(p, row),
                10 if MAX >= 10 => group::<S, ROW, STEP, 10>(p, row),
                11 if MAX >= 11 => group::<S, ROW, STEP, 11>(p, row),
                12 if MAX >= 12 => group::<S, ROW, STEP, 12>(p, row),
                _ => unreachable!("groups have 1 to MAX rows"),
            }
        }
        row += take;
    }
}

#[inline(always)]
unsafe fn group<S: Simd, const ROW: usize, const STEP: usize, const M: usize>(p: &Product, row: usize) {
    // SAFETY: as `product`.
    unsafe {
        let zero = S::splat(0.0);
        let mut sum = [[zero; 2]; M];
        let mut b = p.b;
        let mut a_segment = p.a.add(row * ROW);
        for _ in 0..p.segments {
            let mut a = a_segment;
            let mut left = p.steps;
            while left >= 4 {
                step::<S, ROW, M>(&mut sum, a, b);
                step::<S, ROW, M>(&mut sum, a.add(STEP), b.add(S::COLUMNS));
                step::<S, ROW, M>(&mut sum, a.add(2 * STEP), b.add(2 * S::COLUMNS));
                step::<S, ROW, M>(&mut sum, a.add(3 * STEP), b.add(3 * S::COLUMNS));
                a = a.add(4 * STEP);
                b = b.add(4 * S::COLUMNS);
                left -= 4;
            }
            while left > 0 {
                step::<S, ROW, M>(&mut sum, a, b);
                a = a.add(STEP);
                b = b.add(S::COLUMNS);
                left -= 1;
            }
            a_segment = a_segment.wrapping_add(p.segment);
        }
        let c = p.c.add(row * PLANE);
        if p.accumulate {
            for (i, s) in sum.iter().enumerate() {
                let to = c.add(i * PLANE);
                S::store(to, S::add(S::load(to), s[0]));
                let to = to.add(S::LANES);
                S::store(to, S::add(S::load(to), s[1]));
            }
        } else {
            for (i, s) in sum.iter().enumerate() {
                let to = c.add(i * PLANE);
                S::store(to, s[0]);
                S::store(to.add(S::LANES), s[1]);
            }
        }
    }
}

#[inline(always)]
unsafe fn step<S: Simd, const ROW: usize, const M: usize>(sum: &mut [[S::V; 2]; M], a: *const f32, b: *const f32) {
    // SAFETY: as `product`.
    unsafe {
        let b0 = S::load(b);
        let b1 = S::load(b.add(S::LANES));
        for (i, s) in sum.iter_mut().enumerate() {
            let x = S::splat(*a.add(i * ROW));
            s[0] = S::fma(x, b0, s[0]);
            s[1] = S::fma(x, b1, s[1]);
        }
    }
}
