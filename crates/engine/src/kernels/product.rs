//! The number formats of matrix products: what a 32-bit word of the packed matrices holds, and what multiplying two words does.

use super::simd::{Simd, bf16_bits};

/// A number format of packed matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// f32 values.
    F32,
    /// bfloat16 values held as f32, for processors without bfloat16 products: the products and sums are those of f32.
    RoundedF32,
    /// Two bfloat16 values a word, summed in f32.
    Bf16,
    /// Four 8-bit values a word (the left matrix unsigned, the right signed), summed in i32 and scaled by column.
    Int8,
}

/// A format as a type, so that kernels are compiled for each.
pub trait Product: Copy + 'static {
    /// The format.
    const FORMAT: Format;
    /// Values in a word.
    const PER_WORD: usize;

    /// sum + a·b for each lane.
    ///
    /// # Safety
    /// That of [`Simd`].
    unsafe fn step<S: Simd>(a: S::V, b: S::V, sum: S::V) -> S::V;

    /// The sums as f32.
    ///
    /// # Safety
    /// That of [`Simd`].
    #[inline(always)]
    unsafe fn finish<S: Simd>(sum: S::V) -> S::V {
        sum
    }

    /// Writes LANES values of the left matrix, from f32 values ≥ 0, at value `index` of a row of words.
    ///
    /// # Safety
    /// That of [`Simd`]; the row has room.
    unsafe fn store<S: Simd>(row: *mut f32, index: usize, v: S::V);

    /// The word of some values of the right matrix, as many as there are in a word.
    fn word(values: &[f32]) -> f32;
}

/// [`Format::F32`].
#[derive(Debug, Clone, Copy)]
pub struct F32;

impl Product for F32 {
    const FORMAT: Format = Format::F32;
    const PER_WORD: usize = 1;

    #[inline(always)]
    unsafe fn step<S: Simd>(a: S::V, b: S::V, sum: S::V) -> S::V {
        // SAFETY: the same contract.
        unsafe { S::fma(a, b, sum) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(row: *mut f32, index: usize, v: S::V) {
        // SAFETY: the same contract.
        unsafe { S::store(row.add(index), v) }
    }

    fn word(values: &[f32]) -> f32 {
        values[0]
    }
}

/// [`Format::RoundedF32`].
#[derive(Debug, Clone, Copy)]
pub struct RoundedF32;

impl Product for RoundedF32 {
    const FORMAT: Format = Format::RoundedF32;
    const PER_WORD: usize = 1;

    #[inline(always)]
    unsafe fn step<S: Simd>(a: S::V, b: S::V, sum: S::V) -> S::V {
        // SAFETY: the same contract.
        unsafe { S::fma(a, b, sum) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(row: *mut f32, index: usize, v: S::V) {
        // SAFETY: the same contract.
        unsafe { S::store(row.add(index), S::round_bf16(v)) }
    }

    fn word(values: &[f32]) -> f32 {
        f32::from_bits(u32::from(bf16_bits(values[0])) << 16)
    }
}

/// [`Format::Bf16`].
#[derive(Debug, Clone, Copy)]
pub struct Bf16;

impl Product for Bf16 {
    const FORMAT: Format = Format::Bf16;
    const PER_WORD: usize = 2;

    #[inline(always)]
    unsafe fn step<S: Simd>(a: S::V, b: S::V, sum: S::V) -> S::V {
        // SAFETY: the same contract.
        unsafe { S::dot_bf16(a, b, sum) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(row: *mut f32, index: usize, v: S::V) {
        // SAFETY: the same contract.
        unsafe { S::store_bf16(row.cast::<u16>().add(index), v) }
    }

    fn word(values: &[f32]) -> f32 {
        f32::from_bits(u32::from(bf16_bits(values[0])) | u32::from(bf16_bits(values[1])) << 16)
    }
}

/// [`Format::Int8`].
#[derive(Debug, Clone, Copy)]
pub struct Int8;

impl Product for Int8 {
    const FORMAT: Format = Format::Int8;
    const PER_WORD: usize = 4;

    #[inline(always)]
    unsafe fn step<S: Simd>(a: S::V, b: S::V, sum: S::V) -> S::V {
        // SAFETY: the same contract.
        unsafe { S::dot_u8i8(a, b, sum) }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(sum: S::V) -> S::V {
        // SAFETY: the same contract.
        unsafe { S::to_f32(sum) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(row: *mut f32, index: usize, v: S::V) {
        // SAFETY: the same contract; the values are clamped to what a byte holds.
        unsafe { S::store_u8(row.cast::<u8>().add(index), S::min(v, S::splat(255.0))) }
    }

    /// The values are whole numbers in −127..=127 already.
    fn word(values: &[f32]) -> f32 {
        let bytes = [0, 1, 2, 3].map(|i| values[i].round_ties_even() as i8 as u8);
        f32::from_bits(u32::from_le_bytes(bytes))
    }
}
