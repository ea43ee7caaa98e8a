//! The kernels of the inference network, and the vector operations that training shares.
//!
//! A kernel is written once, generic over the vector type ([`Simd`]), as an [`Op`]; `isa.dispatch(op)` runs it compiled for an
//! instruction set. An `Op`'s `run` and everything in its inner loops is `#[inline(always)]`.
//!
//! - [`gemm`]: C ⟵ A·B with an epilogue, where B is packed once ([`PackedB`]), in f32, bfloat16 or 8 bits ([`Format`]).
//! - [`pointwise()`]: 1×1 convolutions with the normalization before them.
//! - [`winograd()`]: 3×3 convolutions.
//! - [`stem()`]: the 7×7 convolution and the maximum pooling.
//! - [`Buffer`]: zeroed memory aligned to cache lines.
//!
//! All work on the calling thread. Threads come from [`crate::threads::Pool`]: the rows of the output are cut into tiles, never the
//! depth of a product.

mod buffer;
mod gemm;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pointwise;
mod product;
mod simd;
mod stem;
#[cfg(test)]
mod tests;
mod winograd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use buffer::Buffer;
pub(crate) use gemm::{Epilogue, MatrixC, PackedB};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use pointwise::{Gather, PIXELS, Pointwise, SCRATCH as POINTWISE_SCRATCH, pointwise};
pub(crate) use product::Format;
#[cfg(test)]
pub(crate) use simd::{Emulated512, Emulated512Bf16, bf16_bits};
pub(crate) use simd::{Op, Portable, Simd};
pub(crate) use stem::{STEM_PAD, Stem, stem, stem_scratch};
pub(crate) use winograd::{RING, Rows, TILE, TILES, Winograd, WinogradWeights, tiles_per_side, winograd};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Bf16};
