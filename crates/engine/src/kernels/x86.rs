//! The vector operations in AVX2 and in AVX-512 with and without its dot products.

use std::arch::x86_64::*;

use super::simd::{Op, Simd};

/// AVX2 with FMA: 8 lanes, a 6×16 register tile.
#[derive(Debug, Clone, Copy)]
pub struct Avx2;

// SAFETY: every function needs AVX2 and FMA, as the trait's contract says.
unsafe impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 6;
    const DEPTH: usize = 256;

    #[inline(always)]
    unsafe fn call<O: Op>(op: O) -> O::Out {
        // SAFETY: the trait's contract.
        unsafe { run_avx2(op) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m256) {
        // SAFETY: the trait's contract.
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn splat(v: f32) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_set1_ps(v) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn select_gt(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        // SAFETY: the trait's contract; fetching touches no memory that the program can see.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn round_bf16(v: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe {
            let bits = _mm256_castps_si256(v);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let rounded = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7FFF));
            _mm256_castsi256_ps(_mm256_and_si256(rounded, _mm256_set1_epi32(0xFFFF_0000_u32 as i32)))
        }
    }
    #[inline(always)]
    unsafe fn store_u8(to: *mut u8, v: __m256) {
        // SAFETY: the trait's contract; eight bytes are written.
        unsafe {
            let whole = _mm256_cvtps_epi32(v);
            let words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }
    #[inline(always)]
    unsafe fn dot_u8i8(a: __m256, b: __m256, sum: __m256) -> __m256 {
        // SAFETY: the trait's contract; with weights as `adds_int8_in_pairs` asks no sum leaves 16 bits.
        unsafe {
            let pairs = _mm256_maddubs_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b));
            let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), fours))
        }
    }
    #[inline(always)]
    unsafe fn to_f32(v: __m256) -> __m256 {
        // SAFETY: the trait's contract.
        unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(v)) }
    }
}

macro_rules! avx512_simd {
    ($(#[$doc:meta])* $name:ident by $run:ident { $($dots:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        // SAFETY: every function needs AVX-512 F, BW, DQ and VL and what the name says, as the trait's contract says.
        unsafe impl Simd for $name {
            type V = __m512;
            const LANES: usize = 16;
            const ROWS: usize = 12;
            const DEPTH: usize = 192;

            #[inline(always)]
            unsafe fn call<O: Op>(op: O) -> O::Out {
                // SAFETY: the trait's contract.
                unsafe { $run(op) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_loadu_ps(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, v: __m512) {
                // SAFETY: the trait's contract.
                unsafe { _mm512_storeu_ps(to, v) }
            }
            #[inline(always)]
            unsafe fn splat(v: f32) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_set1_ps(v) }
            }
            #[inline(always)]
            unsafe fn add(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_add_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn sub(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_sub_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn mul(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_mul_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_fmadd_ps(a, b, c) }
            }
            #[inline(always)]
            unsafe fn max(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_max_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn min(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_min_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn select_gt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x) }
            }
            #[inline(always)]
            unsafe fn prefetch(at: *const f32) {
                // SAFETY: the trait's contract; fetching touches no memory that the program can see.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
            }
            #[inline(always)]
            unsafe fn round_bf16(v: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe {
                    let bits = _mm512_castps_si512(v);
                    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
                    let rounded = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7FFF));
                    _mm512_castsi512_ps(_mm512_and_si512(rounded, _mm512_set1_epi32(0xFFFF_0000_u32 as i32)))
                }
            }
            #[inline(always)]
            unsafe fn store_u8(to: *mut u8, v: __m512) {
                // SAFETY: the trait's contract; sixteen bytes are written.
                unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(v))) }
            }
            #[inline(always)]
            unsafe fn to_f32(v: __m512) -> __m512 {
                // SAFETY: the trait's contract.
                unsafe { _mm512_cvtepi32_ps(_mm512_castps_si512(v)) }
            }
            $($dots)*
        }
    };
}

avx512_simd! {
    /// AVX-512: 16 lanes, a 12×32 register tile.
    Avx512 by run_avx512 {
        #[inline(always)]
        unsafe fn dot_u8i8(a: __m512, b: __m512, sum: __m512) -> __m512 {
            // SAFETY: the trait's contract; with weights as `adds_int8_in_pairs` asks no sum leaves 16 bits.
            unsafe {
                let pairs = _mm512_maddubs_epi16(_mm512_castps_si512(a), _mm512_castps_si512(b));
                let fours = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
                _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(sum), fours))
            }
        }
    }
}

avx512_simd! {
    /// AVX-512 with VNNI.
    Avx512Vnni by run_avx512_vnni {
        #[inline(always)]
        unsafe fn dot_u8i8(a: __m512, b: __m512, sum: __m512) -> __m512 {
            // SAFETY: the trait's contract.
            unsafe {
                let sum = _mm512_castps_si512(sum);
                let sum = _mm512_dpbusd_epi32(sum, _mm512_castps_si512(a), _mm512_castps_si512(b));
                _mm512_castsi512_ps(sum)
            }
        }
    }
}

avx512_simd! {
    /// AVX-512 with VNNI and BF16.
    Avx512Bf16 by run_avx512_bf16 {
        const BF16: bool = true;
        #[inline(always)]
        unsafe fn dot_u8i8(a: __m512, b: __m512, sum: __m512) -> __m512 {
            // SAFETY: the trait's contract.
            unsafe {
                let sum = _mm512_castps_si512(sum);
                let sum = _mm512_dpbusd_epi32(sum, _mm512_castps_si512(a), _mm512_castps_si512(b));
                _mm512_castsi512_ps(sum)
            }
        }
        #[inline(always)]
        unsafe fn store_bf16(to: *mut u16, v: __m512) {
            // SAFETY: the trait's contract; sixteen 16-bit values are written. Both types are 32 bytes of plain bits.
            unsafe {
                let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v));
                _mm256_storeu_si256(to.cast(), rounded);
            }
        }
        #[inline(always)]
        unsafe fn pair_bf16(low: __m512, high: __m512) -> __m512 {
            // SAFETY: the trait's contract. Both transmuted types are 32 bytes of plain bits.
            unsafe {
                let low = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(low));
                let high = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(high));
                let high = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high));
                _mm512_castsi512_ps(_mm512_or_si512(_mm512_cvtepu16_epi32(low), high))
            }
        }
        #[inline(always)]
        unsafe fn dot_bf16(a: __m512, b: __m512, sum: __m512) -> __m512 {
            // SAFETY: the trait's contract. Both types are 64 bytes of plain bits.
            unsafe {
                let a = std::mem::transmute::<__m512, __m512bh>(a);
                let b = std::mem::transmute::<__m512, __m512bh>(b);
                _mm512_dpbf16_ps(sum, a, b)
            }
        }
    }
}

/// Compiles an operation for AVX2 and runs it.
///
/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<O: Op>(op: O) -> O::Out {
    // SAFETY: the caller's promise.
    unsafe { op.run::<Avx2>() }
}

/// Compiles an operation for AVX-512 and runs it.
///
/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn run_avx512<O: Op>(op: O) -> O::Out {
    // SAFETY: the caller's promise.
    unsafe { op.run::<Avx512>() }
}

/// Compiles an operation for AVX-512 with VNNI and runs it.
///
/// # Safety
/// The processor has AVX-512 F, BW, DQ, VL and VNNI.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn run_avx512_vnni<O: Op>(op: O) -> O::Out {
    // SAFETY: the caller's promise.
    unsafe { op.run::<Avx512Vnni>() }
}

/// Compiles an operation for AVX-512 with VNNI and BF16 and runs it.
///
/// # Safety
/// The processor has AVX-512 F, BW, DQ, VL, VNNI and BF16.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")]
unsafe fn run_avx512_bf16<O: Op>(op: O) -> O::Out {
    // SAFETY: the caller's promise.
    unsafe { op.run::<Avx512Bf16>() }
}
