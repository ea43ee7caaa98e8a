//! The vector operations in plain Rust: for processors without kernels of their own, and, in unit tests, for the shapes of AVX-512.

use super::simd::{Op, Simd};

/// Plain Rust, vectorized by the compiler for whatever the target guarantees.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

macro_rules! plain_simd {
    ($name:ident, $lanes:expr, $rows:expr, $bf16:expr) => {
        // SAFETY: plain Rust runs everywhere.
        unsafe impl Simd for $name {
            type V = [f32; $lanes];
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            const DEPTH: usize = 256;
            const BF16: bool = $bf16;

            #[inline(never)]
            unsafe fn call<O: Op>(op: O) -> O::Out {
                // SAFETY: plain Rust runs everywhere.
                unsafe { op.run::<Self>() }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self::V {
                // SAFETY: the caller promises LANES readable values.
                unsafe { from.cast::<Self::V>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, v: Self::V) {
                // SAFETY: the caller promises LANES writable values.
                unsafe { to.cast::<Self::V>().write_unaligned(v) }
            }
            #[inline(always)]
            unsafe fn splat(v: f32) -> Self::V {
                [v; $lanes]
            }
            #[inline(always)]
            unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] + b[i])
            }
            #[inline(always)]
            unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] - b[i])
            }
            #[inline(always)]
            unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i])
            }
            #[inline(always)]
            unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i] + c[i])
            }
            #[inline(always)]
            unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
            }
            #[inline(always)]
            unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
            }
            #[inline(always)]
            unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
                std::array::from_fn(|i| if a[i] > b[i] { x[i] } else { y[i] })
            }
        }
    };
}

plain_simd!(Portable, 4, 4, false);

/// The shape of the AVX-512 kernels in plain Rust: unit tests run it in their place where the processor does not have them, so that
/// their logic is tested everywhere.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Emulated512;

#[cfg(test)]
plain_simd!(Emulated512, 16, 12, false);

/// The shape of AVX-512 with BF16 in plain Rust.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Emulated512Bf16;

#[cfg(test)]
plain_simd!(Emulated512Bf16, 16, 12, true);
