//! The vector operations that the training passes are written in, once for each instruction set.
//!
//! A pass is generic over [`Simd`] and inlined into a function compiled for the instruction set (`machine.rs`); the products
//! are functions of their own (`product.rs`).

use super::product::{Product, product};

/// One instruction set: vectors of `LANES` f32.
///
/// # Safety
/// Every method may be called only on a processor that has the instruction set, and pointers must be valid for `LANES` values.
pub(crate) trait Simd: Copy + 'static {
    /// Values in a vector.
    const LANES: usize;
    /// Columns that a product computes at once: two vectors.
    const COLUMNS: usize = 2 * Self::LANES;
    /// A vector.
    type V: Copy;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// a · b + c.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// max(a, 0); not a number where `a` is not.
    unsafe fn relu(a: Self::V) -> Self::V;
    /// `x` where a > b, else `y`.
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// See [`product`]; compiled for the instruction set.
    unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product);

    /// Whether the 1×1 convolutions multiply in bfloat16; what follows is used only then.
    const BF16: bool = false;

    /// Writes LANES bfloat16 values, rounded to nearest (ties to even).
    unsafe fn store_bf16(_to: *mut u16, _value: Self::V) {
        unreachable!("an instruction set without bfloat16")
    }
    /// Words of two bfloat16 values, rounded to nearest: `low` in the lower half.
    unsafe fn pair_bf16(_low: Self::V, _high: Self::V) -> Self::V {
        unreachable!("an instruction set without bfloat16")
    }
    /// Adds to each lane the products of the lane's two bfloat16 values of `a` and `b`.
    unsafe fn dot_bf16(_a: Self::V, _b: Self::V, _sum: Self::V) -> Self::V {
        unreachable!("an instruction set without bfloat16")
    }
    /// See [`product`], on words of two bfloat16 values.
    unsafe fn product_bf16<const ROW: usize, const STEP: usize>(_p: &Product) {
        unreachable!("an instruction set without bfloat16")
    }
}

/// Plain Rust in groups of four lanes, for any processor.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[derive(Clone, Copy)]
#[repr(align(16))]
pub(crate) struct Four([f32; 4]);

#[inline(always)]
fn map2(a: Four, b: Four, f: impl Fn(f32, f32) -> f32) -> Four {
    Four([f(a.0[0], b.0[0]), f(a.0[1], b.0[1]), f(a.0[2], b.0[2]), f(a.0[3], b.0[3])])
}

impl Simd for Portable {
    const LANES: usize = 4;
    type V = Four;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Four {
        Four([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Four {
        // SAFETY: the caller gives four valid values.
        Four(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Four) {
        // SAFETY: the caller gives room for four values.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(value.0) }
    }
    #[inline(always)]
    unsafe fn add(a: Four, b: Four) -> Four {
        map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Four, b: Four) -> Four {
        map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Four, b: Four) -> Four {
        map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn fma(a: Four, b: Four, c: Four) -> Four {
        // Not `mul_add`: without a fused instruction that is a library call.
        map2(map2(a, b, |a, b| a * b), c, |p, c| p + c)
    }
    #[inline(always)]
    unsafe fn relu(a: Four) -> Four {
        map2(a, a, |a, _| if 0.0 > a { 0.0 } else { a })
    }
    #[inline(always)]
    unsafe fn select_gt(a: Four, b: Four, x: Four, y: Four) -> Four {
        let pick = |i: usize| if a.0[i] > b.0[i] { x.0[i] } else { y.0[i] };
        Four([pick(0), pick(1), pick(2), pick(3)])
    }
    unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's pointers cover the product's operands.
        unsafe { product::<Self, ROW, STEP, 4, false>(p) }
    }
}

/// Sixteen lanes in plain Rust: the shape of AVX-512 (panels of 32 columns, groups of 12 rows) for tests on any processor.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(crate) struct Wide;

/// The same with AVX-512 BF16's products.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(crate) struct WideBf16;

#[cfg(test)]
macro_rules! wide {
    ($name:ident { $($bf16:tt)* }) => {
        #[expect(clippy::undocumented_unsafe_blocks, reason = "as for the other instruction sets")]
        impl Simd for $name {
            const LANES: usize = 16;
            type V = [f32; 16];

            unsafe fn splat(value: f32) -> Self::V {
                [value; 16]
            }
            unsafe fn load(from: *const f32) -> Self::V {
                unsafe { from.cast::<Self::V>().read_unaligned() }
            }
            unsafe fn store(to: *mut f32, value: Self::V) {
                unsafe { to.cast::<Self::V>().write_unaligned(value) }
            }
            unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] + b[i])
            }
            unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] - b[i])
            }
            unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i])
            }
            unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i] + c[i])
            }
            unsafe fn relu(a: Self::V) -> Self::V {
                a.map(|a| if 0.0 > a { 0.0 } else { a })
            }
            unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
                std::array::from_fn(|i| if a[i] > b[i] { x[i] } else { y[i] })
            }
            unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
                unsafe { product::<Self, ROW, STEP, 12, false>(p) }
            }
            $($bf16)*
        }
    };
}

#[cfg(test)]
wide!(Wide {});

#[cfg(test)]
wide!(WideBf16 {
    const BF16: bool = true;

    unsafe fn store_bf16(to: *mut u16, value: Self::V) {
        unsafe { to.cast::<[u16; 16]>().write_unaligned(value.map(|v| half::bf16::from_f32(v).to_bits())) }
    }
    unsafe fn pair_bf16(low: Self::V, high: Self::V) -> Self::V {
        let bits = |v: f32| u32::from(half::bf16::from_f32(v).to_bits());
        std::array::from_fn(|i| f32::from_bits(bits(low[i]) | bits(high[i]) << 16))
    }
    unsafe fn dot_bf16(a: Self::V, b: Self::V, sum: Self::V) -> Self::V {
        let high = |v: f32| f32::from_bits(v.to_bits() & 0xFFFF_0000);
        let low = |v: f32| f32::from_bits(v.to_bits() << 16);
        std::array::from_fn(|i| sum[i] + high(a[i]) * high(b[i]) + low(a[i]) * low(b[i]))
    }
    unsafe fn product_bf16<const ROW: usize, const STEP: usize>(p: &Product) {
        unsafe { product::<Self, ROW, STEP, 12, true>(p) }
    }
});

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Bf16};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Product, Simd, product};

    /// AVX2 with FMA: 8 lanes, 16 registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    /// AVX-512F: 16 lanes, 32 registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    /// AVX-512F with BF16.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512Bf16;

    // SAFETY (all methods): the trait's contract gives the instruction set and the pointers.
    #[expect(clippy::undocumented_unsafe_blocks, reason = "one contract for all, stated above")]
    impl Simd for Avx2 {
        const LANES: usize = 8;
        type V = __m256;

        #[inline(always)]
        unsafe fn splat(value: f32) -> __m256 {
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, value: __m256) {
            unsafe { _mm256_storeu_ps(to, value) }
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn relu(a: __m256) -> __m256 {
            // The second operand is the result where either is not a number.
            unsafe { _mm256_max_ps(_mm256_setzero_ps(), a) }
        }
        #[inline(always)]
        unsafe fn select_gt(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
            unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
        }
        #[inline(always)]
        unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
            unsafe { product_avx2::<ROW, STEP>(p) }
        }
    }

    /// [`product`] for AVX2.
    ///
    /// # Safety
    /// AVX2 and FMA, and the operands' pointers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn product_avx2<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's.
        unsafe { product::<Avx2, ROW, STEP, 6, false>(p) }
    }

    macro_rules! avx512 {
        ($name:ident { $($bf16:tt)* }) => {
            #[expect(clippy::undocumented_unsafe_blocks, reason = "one contract for all, stated above")]
            impl Simd for $name {
                const LANES: usize = 16;
                type V = __m512;

                #[inline(always)]
                unsafe fn splat(value: f32) -> __m512 {
                    unsafe { _mm512_set1_ps(value) }
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> __m512 {
                    unsafe { _mm512_loadu_ps(from) }
                }
                #[inline(always)]
                unsafe fn store(to: *mut f32, value: __m512) {
                    unsafe { _mm512_storeu_ps(to, value) }
                }
                #[inline(always)]
                unsafe fn add(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_add_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn sub(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_sub_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn mul(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_mul_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
                    unsafe { _mm512_fmadd_ps(a, b, c) }
                }
                #[inline(always)]
                unsafe fn relu(a: __m512) -> __m512 {
                    // The second operand is the result where either is not a number.
                    unsafe { _mm512_max_ps(_mm512_setzero_ps(), a) }
                }
                #[inline(always)]
                unsafe fn select_gt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
                    unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x) }
                }
                #[inline(always)]
                unsafe fn product<const ROW: usize, const STEP: usize>(p: &Product) {
                    unsafe { product_avx512::<ROW, STEP>(p) }
                }
                $($bf16)*
            }
        };
    }

    avx512!(Avx512 {});

    avx512!(Avx512Bf16 {
        const BF16: bool = true;

        #[inline(always)]
        unsafe fn store_bf16(to: *mut u16, value: __m512) {
            // Both types are 32 bytes of plain bits.
            unsafe {
                let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
                _mm256_storeu_si256(to.cast(), rounded);
            }
        }
        #[inline(always)]
        unsafe fn pair_bf16(low: __m512, high: __m512) -> __m512 {
            unsafe {
                let low = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(low));
                let high = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(high));
                let high = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high));
                _mm512_castsi512_ps(_mm512_or_si512(_mm512_cvtepu16_epi32(low), high))
            }
        }
        #[inline(always)]
        unsafe fn dot_bf16(a: __m512, b: __m512, sum: __m512) -> __m512 {
            // Both types are 64 bytes of plain bits.
            unsafe {
                let a = std::mem::transmute::<__m512, __m512bh>(a);
                let b = std::mem::transmute::<__m512, __m512bh>(b);
                _mm512_dpbf16_ps(sum, a, b)
            }
        }
        #[inline(always)]
        unsafe fn product_bf16<const ROW: usize, const STEP: usize>(p: &Product) {
            unsafe { product_avx512_bf16::<ROW, STEP>(p) }
        }
    });

    /// [`product`] for AVX-512.
    ///
    /// # Safety
    /// AVX-512F, and the operands' pointers.
    #[target_feature(enable = "avx512f")]
    unsafe fn product_avx512<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's.
        unsafe { product::<Avx512, ROW, STEP, 12, false>(p) }
    }

    /// [`product`] for AVX-512 BF16.
    ///
    /// # Safety
    /// AVX-512F and BF16, and the operands' pointers.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn product_avx512_bf16<const ROW: usize, const STEP: usize>(p: &Product) {
        // SAFETY: the caller's.
        unsafe { product::<Avx512Bf16, ROW, STEP, 12, true>(p) }
    }
}
