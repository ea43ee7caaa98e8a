//! The few vector operations that all kernels are made of, and their plain-Rust forms.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once for each instruction set by [`Isa::dispatch`]: the logic
//! that tests run on one processor is the logic that runs on every other.

#[cfg(target_arch = "aarch64")]
use super::Neon;
use super::Portable;
#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512, Avx512Bf16, Avx512Vnni};
#[cfg(test)]
use super::{Emulated512, Emulated512Bf16};
use crate::cpu::Isa;

/// Vectors of 32-bit lanes. A vector holds f32 values, or, in the packed dot products, two bfloat16 or four 8-bit values a lane.
///
/// All functions are `#[inline(always)]`: they must be inlined into a function that [`Isa::dispatch`] compiled for the
/// instruction set.
///
/// # Safety
/// Implementations' functions may be called only on a processor that has the instruction set.
#[allow(clippy::missing_safety_doc)] // One contract for all: the processor has the instructions, pointers are good for LANES values.
pub unsafe trait Simd: Copy + Send + Sync + 'static {
    /// A vector.
    type V: Copy;
    /// f32 lanes of a vector: 4, 8 or 16.
    const LANES: usize;
    /// Columns of the register tile of matrix products: two vectors.
    const COLUMNS: usize = 2 * Self::LANES;
    /// Rows of the register tile of matrix products.
    const ROWS: usize;
    /// Depth of the cache blocks of matrix products.
    const DEPTH: usize;
    /// Whether the processor multiplies bfloat16: kernels for [`super::Format::Bf16`] are compiled only then.
    const BF16: bool = false;

    /// Runs `op` in a function of its own that is compiled for this instruction set. Whatever is called in a kernel's loop, and is too
    /// large to be a part of each kernel, is called this way.
    unsafe fn call<O: Op>(op: O) -> O::Out;

    /// LANES values.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Writes LANES values.
    unsafe fn store(to: *mut f32, v: Self::V);
    /// The same value in every lane.
    unsafe fn splat(v: f32) -> Self::V;
    /// a + b.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// a − b.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// a·b.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c, rounded once where the processor can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each pair; not a number where `b` is none.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each pair; not a number where `b` is none.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// `x` where a > b, else `y`.
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;

    /// max(a, 0); not a number where `a` is none.
    #[inline(always)]
    unsafe fn relu(a: Self::V) -> Self::V {
        // SAFETY: the same contract. The second operand is the result where either is not a number.
        unsafe { Self::max(Self::zero(), a) }
    }

    /// Zero in every lane.
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        // SAFETY: the same contract.
        unsafe { Self::splat(0.0) }
    }

    /// Fetches a cache line into the second-level cache, where the processor can; a hint that may be of any address.
    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {}

    /// Each value rounded to the nearest bfloat16 (ties to even), as f32. Values are finite.
    #[inline(always)]
    unsafe fn round_bf16(v: Self::V) -> Self::V {
        // SAFETY: the same contract; the arrays are as long as the widest vector.
        unsafe {
            let mut lanes = [0.0f32; 16];
            Self::store(lanes.as_mut_ptr(), v);
            Self::load(lanes.map(|x| f32::from_bits(u32::from(bf16_bits(x)) << 16)).as_ptr())
        }
    }

    /// Writes LANES bfloat16 values, rounded to nearest (ties to even). Values are finite.
    #[inline(always)]
    unsafe fn store_bf16(to: *mut u16, v: Self::V) {
        // SAFETY: the same contract; the array is as long as the widest vector.
        unsafe {
            let mut lanes = [0.0f32; 16];
            Self::store(lanes.as_mut_ptr(), v);
            for (i, x) in lanes[..Self::LANES].iter().enumerate() {
                *to.add(i) = bf16_bits(*x);
            }
        }
    }

    /// A word of two bfloat16 values in each lane, rounded to nearest (ties to even): `low` in the lower half. Values are finite.
    #[inline(always)]
    unsafe fn pair_bf16(low: Self::V, high: Self::V) -> Self::V {
        // SAFETY: the same contract; the arrays are as long as the widest vector.
        unsafe {
            let [low, high] = [low, high].map(|v| {
                let mut lanes = [0.0f32; 16];
                Self::store(lanes.as_mut_ptr(), v);
                lanes.map(|x| u32::from(bf16_bits(x)))
            });
            let words: [f32; 16] = std::array::from_fn(|i| f32::from_bits(low[i] | high[i] << 16));
            Self::load(words.as_ptr())
        }
    }

    /// Adds to each f32 lane of `sum` the products of the lane's two bfloat16 values of `a` and `b`.
    #[inline(always)]
    unsafe fn dot_bf16(a: Self::V, b: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the same contract; the arrays are as long as the widest vector.
        unsafe {
            let [a, b, mut sum] = [a, b, sum].map(|v| {
                let mut lanes = [0.0f32; 16];
                Self::store(lanes.as_mut_ptr(), v);
                lanes
            });
            for (i, sum) in sum.iter_mut().enumerate() {
                let (a, b) = (a[i].to_bits(), b[i].to_bits());
                *sum += f32::from_bits(a & 0xFFFF_0000) * f32::from_bits(b & 0xFFFF_0000);
                *sum += f32::from_bits(a << 16) * f32::from_bits(b << 16);
            }
            Self::load(sum.as_ptr())
        }
    }

    /// Writes LANES bytes: each value rounded to the nearest whole number (ties to even). Values are in 0..=255.
    #[inline(always)]
    unsafe fn store_u8(to: *mut u8, v: Self::V) {
        // SAFETY: the same contract; the array is as long as the widest vector.
        unsafe {
            let mut lanes = [0.0f32; 16];
            Self::store(lanes.as_mut_ptr(), v);
            for (i, x) in lanes[..Self::LANES].iter().enumerate() {
                *to.add(i) = x.round_ties_even() as u8;
            }
        }
    }

    /// Adds to each i32 lane of `sum` the products of the lane's four unsigned bytes of `a` and signed bytes of `b`. The signed
    /// bytes are within ±127, and small enough for [`crate::cpu::Isa::adds_int8_in_pairs`].
    #[inline(always)]
    unsafe fn dot_u8i8(a: Self::V, b: Self::V, sum: Self::V) -> Self::V {
        // SAFETY: the same contract; the arrays are as long as the widest vector.
        unsafe {
            let [a, b, mut sum] = [a, b, sum].map(|v| {
                let mut lanes = [0.0f32; 16];
                Self::store(lanes.as_mut_ptr(), v);
                lanes
            });
            for (i, sum) in sum.iter_mut().enumerate() {
                let (a, b) = (a[i].to_bits().to_le_bytes(), b[i].to_bits().to_le_bytes());
                let products = (0..4).map(|j| i32::from(a[j]) * i32::from(b[j] as i8));
                *sum = f32::from_bits((sum.to_bits() as i32 + products.sum::<i32>()) as u32);
            }
            Self::load(sum.as_ptr())
        }
    }

    /// i32 lanes as f32 values.
    #[inline(always)]
    unsafe fn to_f32(v: Self::V) -> Self::V {
        // SAFETY: the same contract; the array is as long as the widest vector.
        unsafe {
            let mut lanes = [0.0f32; 16];
            Self::store(lanes.as_mut_ptr(), v);
            Self::load(lanes.map(|x| x.to_bits() as i32 as f32).as_ptr())
        }
    }
}

/// A finite f32 as bfloat16, rounded to nearest (ties to even).
#[inline(always)]
pub(crate) fn bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) as u16
}

/// Work that is to be compiled for each instruction set.
pub trait Op {
    /// Its result.
    type Out;

    /// The work. Mark implementations `#[inline(always)]`, and all that they call in their inner loops.
    ///
    /// # Safety
    /// Called by [`Isa::dispatch`] only, which makes sure that the processor has the instructions.
    unsafe fn run<S: Simd>(self) -> Self::Out;
}

impl Isa {
    /// Runs `op` compiled for this instruction set.
    ///
    /// # Panics
    /// When the processor does not have it.
    #[inline]
    pub(crate) fn dispatch<O: Op>(self, op: O) -> O::Out {
        #[cfg(target_arch = "x86_64")]
        if self == Isa::Avx512Vnni && self.is_available() {
            // SAFETY: the processor has the instructions.
            return unsafe { Avx512Vnni::call(op) };
        }
        self.dispatch_floats(op)
    }

    /// As [`Isa::dispatch`], for an `op` without 8-bit products: without those AVX-512 with VNNI is AVX-512, and the op is not compiled
    /// for it once more.
    ///
    /// # Panics
    /// When the processor does not have it.
    #[inline]
    pub(crate) fn dispatch_floats<O: Op>(self, op: O) -> O::Out {
        #[cfg(test)]
        if self.is_emulated() {
            // SAFETY: plain Rust runs everywhere.
            return unsafe { if self == Isa::Avx512Bf16 { Emulated512Bf16::call(op) } else { Emulated512::call(op) } };
        }
        assert!(self.is_available(), "this processor has no {}", self.name());
        // SAFETY: the processor has the instructions, as asserted above.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => Avx2::call(op),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 | Isa::Avx512Vnni => Avx512::call(op),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Bf16 => Avx512Bf16::call(op),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => Neon::call(op),
                _ => Portable::call(op),
            }
        }
    }

    /// Whether unit tests run plain Rust of the same shape in place of this instruction set.
    #[cfg(test)]
    pub(crate) fn is_emulated(self) -> bool {
        !self.is_available() && self.lanes() == Emulated512::LANES
    }

    /// The instruction sets that unit tests can run here: the processor's, and AVX-512 in emulation where it has none.
    #[cfg(test)]
    pub(crate) fn testable() -> impl Iterator<Item = Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available() || isa.is_emulated())
    }

    /// Whether the 8-bit kernel adds two products in 16 bits: then two neighbors among a column's weights may not sum to more than
    /// 128, or less than −128 (255 · 128 < 2¹⁵).
    pub(crate) fn adds_int8_in_pairs(self) -> bool {
        matches!(self, Isa::Avx2 | Isa::Avx512)
    }

    /// f32 lanes of this instruction set's vectors.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Portable => Portable::LANES,
            Isa::Neon | Isa::Avx2 => 8,
            Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 => 16,
        }
    }
}
