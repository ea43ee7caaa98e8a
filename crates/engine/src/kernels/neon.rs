//! The vector operations in NEON: pairs of 4-lane registers, so that a tile row is two vectors as everywhere else.

use std::arch::aarch64::*;

use super::simd::{Op, Simd};

/// NEON: 8 lanes in two registers, a 6×16 register tile.
#[derive(Debug, Clone, Copy)]
pub struct Neon;

// SAFETY: every function needs NEON, as the trait's contract says.
unsafe impl Simd for Neon {
    type V = float32x4x2_t;
    const LANES: usize = 8;
    const ROWS: usize = 6;
    const DEPTH: usize = 256;

    #[inline(always)]
    unsafe fn call<O: Op>(op: O) -> O::Out {
        // SAFETY: the trait's contract.
        unsafe { run_neon(op) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: float32x4x2_t) {
        // SAFETY: the trait's contract.
        unsafe {
            vst1q_f32(to, v.0);
            vst1q_f32(to.add(4), v.1);
        }
    }
    #[inline(always)]
    unsafe fn splat(v: f32) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe {
            let v = vdupq_n_f32(v);
            float32x4x2_t(v, v)
        }
    }
    #[inline(always)]
    unsafe fn add(a: float32x4x2_t, b: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(vaddq_f32(a.0, b.0), vaddq_f32(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn sub(a: float32x4x2_t, b: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(vsubq_f32(a.0, b.0), vsubq_f32(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn mul(a: float32x4x2_t, b: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(vmulq_f32(a.0, b.0), vmulq_f32(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4x2_t, b: float32x4x2_t, c: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(vfmaq_f32(c.0, a.0, b.0), vfmaq_f32(c.1, a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn max(a: float32x4x2_t, b: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(vmaxq_f32(a.0, b.0), vmaxq_f32(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn min(a: float32x4x2_t, b: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(vminq_f32(a.0, b.0), vminq_f32(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn select_gt(a: float32x4x2_t, b: float32x4x2_t, x: float32x4x2_t, y: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe {
            let half = |a, b, x, y| vbslq_f32(vcgtq_f32(a, b), x, y);
            float32x4x2_t(half(a.0, b.0, x.0, y.0), half(a.1, b.1, x.1, y.1))
        }
    }
    #[inline(always)]
    unsafe fn round_bf16(v: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(round_half(v.0), round_half(v.1)) }
    }
    #[inline(always)]
    unsafe fn store_u8(to: *mut u8, v: float32x4x2_t) {
        // SAFETY: the trait's contract; eight bytes are written.
        unsafe {
            let (low, high) = (vmovn_u32(vcvtnq_u32_f32(v.0)), vmovn_u32(vcvtnq_u32_f32(v.1)));
            vst1_u8(to, vmovn_u16(vcombine_u16(low, high)));
        }
    }
    #[inline(always)]
    unsafe fn dot_u8i8(a: float32x4x2_t, b: float32x4x2_t, sum: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe { float32x4x2_t(dot_half(a.0, b.0, sum.0), dot_half(a.1, b.1, sum.1)) }
    }
    #[inline(always)]
    unsafe fn to_f32(v: float32x4x2_t) -> float32x4x2_t {
        // SAFETY: the trait's contract.
        unsafe {
            let [low, high] = [v.0, v.1].map(|half| vcvtq_f32_s32(vreinterpretq_s32_f32(half)));
            float32x4x2_t(low, high)
        }
    }
}

/// Four values rounded to bfloat16.
#[inline(always)]
unsafe fn round_half(v: float32x4_t) -> float32x4_t {
    // SAFETY: called where NEON is there.
    unsafe {
        let bits = vreinterpretq_u32_f32(v);
        let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
        let rounded = vaddq_u32(vaddq_u32(bits, odd), vdupq_n_u32(0x7FFF));
        vreinterpretq_f32_u32(vandq_u32(rounded, vdupq_n_u32(0xFFFF_0000)))
    }
}

/// Four lanes of four products each.
#[inline(always)]
unsafe fn dot_half(a: float32x4_t, b: float32x4_t, sum: float32x4_t) -> float32x4_t {
    // SAFETY: called where NEON is there.
    unsafe {
        let (a, b) = (vreinterpretq_u8_f32(a), vreinterpretq_s8_f32(b));
        let a = [vmovl_u8(vget_low_u8(a)), vmovl_high_u8(a)].map(|v| vreinterpretq_s16_u16(v));
        let b = [vmovl_s8(vget_low_s8(b)), vmovl_high_s8(b)];
        let pairs = |i: usize| {
            let low = vmull_s16(vget_low_s16(a[i]), vget_low_s16(b[i]));
            vpaddq_s32(low, vmull_high_s16(a[i], b[i]))
        };
        let fours = vpaddq_s32(pairs(0), pairs(1));
        vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(sum), fours))
    }
}

/// Compiles an operation for NEON and runs it.
///
/// # Safety
/// The processor has NEON.
#[target_feature(enable = "neon")]
unsafe fn run_neon<O: Op>(op: O) -> O::Out {
    // SAFETY: the caller's promise.
    unsafe { op.run::<Neon>() }
}
