//! What training asks of an instruction set beyond the kernels' vector operations.
//!
//! A pass is generic over [`Simd`] and inlined into a function compiled for the instruction set (`machine.rs`); the products
//! are functions of their own (`product.rs`).

use super::product::{Product, product};
use crate::kernels::{self, Portable};

/// An instruction set that training runs on.
///
/// # Safety
/// That of [`kernels::Simd`]: every method may be called only on a processor that has the instruction set.
pub(crate) trait Simd: kernels::Simd {
    /// Columns that a product computes at once: two vectors.
    const COLUMNS: usize = 2 * Self::LANES;

    /// max(a, 0); not a number where `a` is not.
    #[inline(always)]
    unsafe fn relu(a: Self::V) -> Self::V {
        // SAFETY: the same contract. The second operand is the result where either is not a number.
        unsafe { Self::max(Self::zero(), a) }
    }

    /// `x` where a > b, else `y`.
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;

    /// See [`product`]; compiled for the instruction set.
    unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product);

    /// Whether the 1×1 convolutions multiply pairs of bfloat16; what follows is used only then.
    const PAIRS: bool = false;

    /// Words of two bfloat16 values, rounded to nearest: `low` in the lower half.
    unsafe fn pair_bf16(_low: Self::V, _high: Self::V) -> Self::V {
        unreachable!("an instruction set without bfloat16")
    }

    /// See [`product`], on words of two bfloat16 values.
    unsafe fn product_bf16<const ROW: usize, const STEP: usize>(_p: &Product) {
        unreachable!("an instruction set without bfloat16")
    }
}

impl Simd for Portable {
    #[inline(always)]
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] { x[i] } else { y[i] })
    }
    unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's pointers cover the product's operands.
        unsafe { product::<Self, ROW, STEP, false>(p) }
    }
}

/// AVX-512's shapes (panels of 32 columns, groups of 12 rows) in plain Rust, for tests on any processor.
#[cfg(test)]
mod emulated {
    use super::{Product, Simd, product};
    use crate::kernels::{Emulated512, Emulated512Bf16, bf16_bits};

    macro_rules! emulated {
        ($name:ident { $($pairs:tt)* }) => {
            impl Simd for $name {
                unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
                    std::array::from_fn(|i| if a[i] > b[i] { x[i] } else { y[i] })
                }
                unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
                    // SAFETY: the caller's pointers cover the product's operands.
                    unsafe { product::<Self, ROW, STEP, false>(p) }
                }
                $($pairs)*
            }
        };
    }

    emulated!(Emulated512 {});

    emulated!(Emulated512Bf16 {
        const PAIRS: bool = true;

        unsafe fn pair_bf16(low: Self::V, high: Self::V) -> Self::V {
            let bits = |v: f32| u32::from(bf16_bits(v));
            std::array::from_fn(|i| f32::from_bits(bits(low[i]) | bits(high[i]) << 16))
        }
        unsafe fn product_bf16<const ROW: usize, const STEP: usize>(p: &Product) {
            // SAFETY: the caller's pointers cover the product's operands.
            unsafe { product::<Self, ROW, STEP, true>(p) }
        }
    });
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Product, Simd, product};
    use crate::kernels::{Avx2, Avx512, Avx512Bf16};

    impl Simd for Avx2 {
        #[inline(always)]
        unsafe fn select_gt(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
            // SAFETY: the trait's contract gives the instruction set.
            unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
        }
        #[inline(always)]
        unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
            // SAFETY: the trait's contract gives the instruction set and the pointers.
            unsafe { product_avx2::<ROW, STEP>(p) }
        }
    }

    macro_rules! avx512 {
        ($name:ident { $($pairs:tt)* }) => {
            impl Simd for $name {
                #[inline(always)]
                unsafe fn select_gt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
                    // SAFETY: the trait's contract gives the instruction set.
                    unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x) }
                }
                #[inline(always)]
                unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
                    // SAFETY: the trait's contract gives the instruction set and the pointers.
                    unsafe { product_avx512::<ROW, STEP>(p) }
                }
                $($pairs)*
            }
        };
    }

    avx512!(Avx512 {});

    avx512!(Avx512Bf16 {
        const PAIRS: bool = true;

        #[inline(always)]
        unsafe fn pair_bf16(low: __m512, high: __m512) -> __m512 {
            // SAFETY: the trait's contract gives the instruction set; the transmuted types are both 32 bytes of plain bits.
            unsafe {
                let low = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(low));
                let high = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(high));
                let high = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high));
                _mm512_castsi512_ps(_mm512_or_si512(_mm512_cvtepu16_epi32(low), high))
            }
        }
        #[inline(always)]
        unsafe fn product_bf16<const ROW: usize, const STEP: usize>(p: &Product) {
            // SAFETY: the trait's contract gives the instruction set and the pointers.
            unsafe { product_avx512_bf16::<ROW, STEP>(p) }
        }
    });

    /// [`product`] for AVX2.
    ///
    /// # Safety
    /// AVX2 and FMA, and the operands' pointers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn product_avx2<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's.
        unsafe { product::<Avx2, ROW, STEP, false>(p) }
    }

    /// [`product`] for AVX-512.
    ///
    /// # Safety
    /// AVX-512 F, BW, DQ and VL, and the operands' pointers.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn product_avx512<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's.
        unsafe { product::<Avx512, ROW, STEP, false>(p) }
    }

    /// [`product`] for AVX-512 BF16.
    ///
    /// # Safety
    /// AVX-512 F, BW, DQ, VL and BF16, and the operands' pointers.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn product_avx512_bf16<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's.
        unsafe { product::<Avx512Bf16, ROW, STEP, true>(p) }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    use super::{Product, Simd, product};
    use crate::kernels::Neon;

    impl Simd for Neon {
        #[inline(always)]
        unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
            // SAFETY: the trait's contract gives the instruction set.
            unsafe {
                let half = |a, b, x, y| vbslq_f32(vcgtq_f32(a, b), x, y);
                float32x4x2_t(half(a.0, b.0, x.0, y.0), half(a.1, b.1, x.1, y.1))
            }
        }
        #[inline(always)]
        unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
            // SAFETY: the trait's contract gives the instruction set and the pointers.
            unsafe { product_neon::<ROW, STEP>(p) }
        }
    }

    /// [`product`] for NEON.
    ///
    /// # Safety
    /// NEON, and the operands' pointers.
    #[target_feature(enable = "neon")]
    unsafe fn product_neon<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's.
        unsafe { product::<Neon, ROW, STEP, false>(p) }
    }
}
