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

/// Computes a product, in groups of up to `S::ROWS` rows. With `BF16`, every value of A and B is a word of two bfloat16 values, two
/// steps of the sum, and `steps`, `segment`, `ROW` and `STEP` count words.
///
/// # Safety
/// A processor with the instruction set `S`, and pointers that cover the operands.
#[inline(always)]
pub(crate) unsafe fn product<S: Simd, const ROW: usize, const STEP: usize, const BF16: bool>(p: &Product) {
    let mut row = 0;
    while row < p.rows {
        let left = p.rows - row;
        // Even groups: nothing much smaller than S::ROWS at the end.
        let take = if left <= S::ROWS {
            left
        } else if left < 2 * S::ROWS {
            left.div_ceil(2)
        } else {
            S::ROWS
        };
        // SAFETY: rows row..row + take are within the operands.
        unsafe {
            match take {
                1 => group::<S, ROW, STEP, 1, BF16>(p, row),
                2 => group::<S, ROW, STEP, 2, BF16>(p, row),
                3 => group::<S, ROW, STEP, 3, BF16>(p, row),
                4 => group::<S, ROW, STEP, 4, BF16>(p, row),
                5 if S::ROWS >= 5 => group::<S, ROW, STEP, 5, BF16>(p, row),
                6 if S::ROWS >= 6 => group::<S, ROW, STEP, 6, BF16>(p, row),
                7 if S::ROWS >= 7 => group::<S, ROW, STEP, 7, BF16>(p, row),
                8 if S::ROWS >= 8 => group::<S, ROW, STEP, 8, BF16>(p, row),
                9 if S::ROWS >= 9 => group::<S, ROW, STEP, 9, BF16>(p, row),
                10 if S::ROWS >= 10 => group::<S, ROW, STEP, 10, BF16>(p, row),
                11 if S::ROWS >= 11 => group::<S, ROW, STEP, 11, BF16>(p, row),
                12 if S::ROWS >= 12 => group::<S, ROW, STEP, 12, BF16>(p, row),
                _ => unreachable!("groups have 1 to S::ROWS rows"),
            }
        }
        row += take;
    }
}

#[inline(always)]
unsafe fn group<S: Simd, const ROW: usize, const STEP: usize, const M: usize, const BF16: bool>(
    p: &Product,
    row: usize,
) {
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
                step::<S, ROW, M, BF16>(&mut sum, a, b);
                step::<S, ROW, M, BF16>(&mut sum, a.add(STEP), b.add(S::COLUMNS));
                step::<S, ROW, M, BF16>(&mut sum, a.add(2 * STEP), b.add(2 * S::COLUMNS));
                step::<S, ROW, M, BF16>(&mut sum, a.add(3 * STEP), b.add(3 * S::COLUMNS));
                a = a.add(4 * STEP);
                b = b.add(4 * S::COLUMNS);
                left -= 4;
            }
            while left > 0 {
                step::<S, ROW, M, BF16>(&mut sum, a, b);
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
unsafe fn step<S: Simd, const ROW: usize, const M: usize, const BF16: bool>(
    sum: &mut [[S::V; 2]; M],
    a: *const f32,
    b: *const f32,
) {
    // SAFETY: as `product`.
    unsafe {
        let b0 = S::load(b);
        let b1 = S::load(b.add(S::LANES));
        for (i, s) in sum.iter_mut().enumerate() {
            let x = S::splat(*a.add(i * ROW));
            if BF16 {
                s[0] = S::dot_bf16(x, b0, s[0]);
                s[1] = S::dot_bf16(x, b1, s[1]);
            } else {
                s[0] = S::fma(x, b0, s[0]);
                s[1] = S::fma(x, b1, s[1]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Emulated512Bf16;
    use crate::train::ops::{pack_pairs, round};

    /// Whole numbers up to 127 are exact in bfloat16, and their sums in f32: the products must be exact too.
    fn whole(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 41) as f32 - 20.0).collect()
    }

    unsafe fn check<S: Simd>() {
        for pixels in [1, 2, 7, 13, 24] {
            let (a, b) = (whole(pixels * PLANE, 1), whole(pixels * PLANE, 2));
            let mut words = [vec![0f32; pixels * PLANE / 2], vec![0f32; pixels.div_ceil(2) * PLANE]];
            let mut panels = vec![0f32; pixels.div_ceil(2) * PLANE];
            let mut c = vec![0f32; PLANE * PLANE];
            // SAFETY: the caller's instruction set; the buffers are as large as said.
            unsafe {
                round::<S>(a.as_ptr(), words[0].as_mut_ptr(), pixels);
                pack_pairs::<S>(a.as_ptr(), words[1].as_mut_ptr(), 0, PLANE, pixels);
                pack_pairs::<S>(b.as_ptr(), panels.as_mut_ptr(), 0, PLANE, pixels);
                S::product_bf16::<1, PLANE>(&Product {
                    rows: PLANE,
                    segments: 1,
                    steps: pixels.div_ceil(2),
                    a: words[1].as_ptr(),
                    segment: 0,
                    b: panels.as_ptr(),
                    c: c.as_mut_ptr(),
                    accumulate: false,
                });
            }
            for (i, found) in c.iter().enumerate() {
                let wanted: f32 = (0..pixels).map(|p| a[p * PLANE + i / PLANE] * b[p * PLANE + i % PLANE]).sum();
                assert_eq!(*found, wanted, "{pixels} pixels, {i}");
            }
            // Over channels: A by rows of 16 words, B two channels a word.
            let weights = whole(PLANE * PLANE, 3);
            let mut packed = vec![0f32; PLANE / 2 * PLANE];
            let mut product = vec![1f32; pixels * PLANE];
            // SAFETY: as above.
            unsafe {
                pack_pairs::<S>(weights.as_ptr(), packed.as_mut_ptr(), 0, PLANE, PLANE);
                S::product_bf16::<{ PLANE / 2 }, 1>(&Product {
                    rows: pixels,
                    segments: 1,
                    steps: PLANE / 2,
                    a: words[0].as_ptr(),
                    segment: 0,
                    b: packed.as_ptr(),
                    c: product.as_mut_ptr(),
                    accumulate: true,
                });
            }
            for (i, found) in product.iter().enumerate() {
                let row = &a[i / PLANE * PLANE..][..PLANE];
                let wanted: f32 =
                    1.0 + row.iter().enumerate().map(|(k, x)| x * weights[k * PLANE + i % PLANE]).sum::<f32>();
                assert_eq!(*found, wanted, "{pixels} pixels, {i}");
            }
        }
    }

    #[test]
    fn bfloat16_products_of_whole_numbers_are_exact() {
        // SAFETY: plain Rust.
        unsafe { check::<Emulated512Bf16>() };
        #[cfg(target_arch = "x86_64")]
        if crate::cpu::Isa::Avx512Bf16.is_available() {
            // SAFETY: the instruction set was asked for.
            unsafe { check::<crate::kernels::Avx512Bf16>() };
        }
    }
}
