//! The forward kernels of inference: images lie pixel by pixel, each with all its channels (NHWC), so that the 1×1 convolutions, which are
//! two thirds of the work, read a pixel's channels in one run and need no packing of their left matrix.
//!
//! Normalizations are known beforehand, so what follows a convolution is folded into it or done while its result is in the cache:
//! the 7×7 convolution is rectified and pooled in one pass, and a layer's two convolutions alternate over a few rows. Training cannot
//! do either, as a batch's statistics are known only when all of it is computed; it has kernels of its own in [`super::planes`].

pub(super) mod pointwise;
pub(super) mod spatial;
pub(super) mod stem;
