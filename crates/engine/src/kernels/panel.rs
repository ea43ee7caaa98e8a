//! One panel's product over memory that lies in planes of 32 channels (`[plane][pixel][32]`), which is all that training multiplies.
//!
//! For the forward and the data products the rows are pixels (`ROW` = 32, `STEP` = 1: channels and the taps of a row are contiguous),
//! for the weight gradients the rows are channels and the sum runs over pixels (`ROW` = 1, `STEP` = 32). Both are known when a kernel
//! is compiled, as is the distance of C's rows, so that addresses cost nothing; [`super::gemm`] has them as values.

use std::marker::PhantomData;

use super::planes::PLANE;
use super::product::Product;
use super::simd::{Op, Simd};
use super::tile::{Epilogue, MatrixA, MatrixC, Segments, register_tile};

/// C[i][j] (+)= Σ over segments s and steps k of A[s · segment + i · ROW + k · STEP] · B[(s · steps + k) · COLUMNS + j]. A value of A or
/// B is a word of the product's format: with [`super::Bf16`] two steps of the sum, and `steps`, `segment`, `ROW` and `STEP` count words.
#[derive(Debug, Clone, Copy)]
pub struct PanelProduct {
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

impl PanelProduct {
    /// Computes the product in format `P`, in a function of its own.
    ///
    /// # Safety
    /// A processor with the instruction set `S`, and pointers that cover the operands.
    #[inline(always)]
    pub unsafe fn compute<S: Simd, P: Product, const ROW: usize, const STEP: usize>(self) {
        // SAFETY: the caller's.
        unsafe { S::call(InFormat::<P, ROW, STEP>(self, PhantomData)) }
    }
}

struct InFormat<P, const ROW: usize, const STEP: usize>(PanelProduct, PhantomData<P>);

impl<P: Product, const ROW: usize, const STEP: usize> Op for InFormat<P, ROW, STEP> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let work = self.0;
        let depth = Segments { count: work.segments, stride: work.segment, length: work.steps };
        let epilogue = Epilogue { accumulate: work.accumulate, scale: None, bias: None, relu: false };
        let tiles = work.rows.div_ceil(S::ROWS);
        let mut first = 0;
        for tile in 0..tiles {
            let height = (work.rows - first).div_ceil(tiles - tile);
            // SAFETY: rows first..first + height are within the operands, which the caller of `compute` vouches for.
            unsafe {
                let a = MatrixA { ptr: work.a.add(first * ROW), row_stride: ROW };
                let c = MatrixC { ptr: work.c.add(first * PLANE), row_stride: PLANE };
                register_tile::<S, P, STEP>(height, depth, a, work.b, c, epilogue);
            }
            first += height;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::planes::ops::{pack_pairs, round};
    use crate::kernels::{Bf16, Emulated512Bf16};

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
            // SAFETY: the caller's instruction set; the buffers hold the operands.
            unsafe {
                round::<S>(a.as_ptr(), words[0].as_mut_ptr(), pixels);
                pack_pairs::<S>(a.as_ptr(), words[1].as_mut_ptr(), 0, PLANE, pixels);
                pack_pairs::<S>(b.as_ptr(), panels.as_mut_ptr(), 0, PLANE, pixels);
                PanelProduct {
                    rows: PLANE,
                    segments: 1,
                    steps: pixels.div_ceil(2),
                    a: words[1].as_ptr(),
                    segment: 0,
                    b: panels.as_ptr(),
                    c: c.as_mut_ptr(),
                    accumulate: false,
                }
                .compute::<S, Bf16, 1, PLANE>();
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
                PanelProduct {
                    rows: pixels,
                    segments: 1,
                    steps: PLANE / 2,
                    a: words[0].as_ptr(),
                    segment: 0,
                    b: packed.as_ptr(),
                    c: product.as_mut_ptr(),
                    accumulate: true,
                }
                .compute::<S, Bf16, { PLANE / 2 }, 1>();
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
