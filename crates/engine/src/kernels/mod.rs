//! The one floor of kernels under inference and training.
//!
//! A kernel is written once, generic over the vector type ([`Simd`]), as an [`Op`]; `isa.dispatch(op)` runs it compiled for an
//! instruction set. An `Op`'s `run` and everything in its inner loops is `#[inline(always)]`.
//!
//! What both are made of:
//! - [`Buffer`]: zeroed memory aligned to cache lines. [`Affine`]: a normalization as a factor and an offset. [`pad_images`]: the
//!   stem's padding.
//! - `product.rs`: the formats of a product's operands, f32, bfloat16 or 8 bits ([`Format`]). `tile.rs`: the register tile of all
//!   products. `gemm.rs`: C ⟵ A·B with an epilogue, where B is packed once ([`PackedB`]). `panel.rs`: the same of one panel, with
//!   distances that are known when it is compiled ([`PanelProduct`]).
//! - [`winograd`]: the transforms of 3×3 convolutions.
//!
//! What differs, and why, is side by side: `nhwc`, the forward kernels of inference, which are fused, on pixels of all
//! channels, and [`planes`], those of training, which need the whole batch's statistics between convolutions.
//!
//! All work on the calling thread. Threads come from [`crate::threads::Pool`]: the rows of the output are cut into tiles, never the
//! depth of a product.

mod affine;
mod buffer;
mod gemm;
#[cfg(target_arch = "aarch64")]
mod neon;
mod nhwc;
mod packed;
mod padding;
mod panel;
pub(crate) mod planes;
mod portable;
mod product;
mod simd;
#[cfg(test)]
mod tests;
mod tile;
pub(crate) mod winograd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use affine::Affine;
pub(crate) use buffer::Buffer;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use nhwc::pointwise::{Gather, PIXELS, Pointwise, SCRATCH as POINTWISE_SCRATCH, pointwise};
pub(crate) use nhwc::spatial::{RING, Rows, TILES, Winograd, WinogradWeights, tiles_per_side, winograd};
pub(crate) use nhwc::stem::{Stem, stem, stem_scratch};
pub(crate) use packed::PackedB;
pub(crate) use padding::{STEM_TAPS, pad_images, padded_side};
pub(crate) use panel::PanelProduct;
pub(crate) use portable::Portable;
#[cfg(test)]
pub(crate) use portable::{Emulated512, Emulated512Bf16};
#[cfg(test)]
pub(crate) use product::Bf16;
pub(crate) use product::{F32, Format};
pub(crate) use simd::{Op, Simd};
pub(crate) use tile::{Epilogue, MatrixC};
pub(crate) use winograd::TILE;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Bf16, Avx512Vnni};
