//! Winograd's minimal filtering F(4×4, 3×3) and F(2×2, 3×3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016,
//! section 4): the transforms, which do not depend on how an image lies in memory.
//!
//! A tile of a 3×3 convolution's output is Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, with d the patch of the input around it: for a tile of 4×4,
//! 36 products for each pair of channels instead of 144; for one of 2×2, 16 instead of 36. Over many tiles, each point is a
//! matrix product. The weight gradient of the same form is Gᵀ[(Bᵀ d B) ⊙ (A y Aᵀ)]G, summed over tiles. The larger tile is the
//! faster, and loses about a digit to its constants; the smaller is as exact as the sum of nine products.

mod filter;
mod transform;

pub(crate) use filter::{Filter, Filtering, Four, PATCH, POINTS, TILE, Two};
pub(crate) use transform::{
    Patch, Tile, collect_columns, kernel_gradients, spread_tile, transform_kernel, transform_kernels, transform_patch,
};
