//! Unchecked views of planes, for tasks on several threads.

use crate::kernels::Buffer;
use crate::kernels::simd::Simd;
use crate::kernels::winograd::Patch;

/// Channels of a plane.
pub(crate) const PLANE: usize = 32;

/// Channels in planes of 32: `[plane][pixel][32]`, pixels of all images in order.
#[derive(Clone, Copy)]
pub(crate) struct Planes {
    data: *mut f32,
    /// Pixels of all images together.
    pub pixels: usize,
}

// SAFETY: a view; the passes that use it write disjoint parts.
unsafe impl Send for Planes {}
// SAFETY: as above.
unsafe impl Sync for Planes {}

impl Planes {
    /// The planes in `buffer`, which must hold a whole number of planes of `pixels` pixels.
    pub(crate) fn new(buffer: &Buffer, pixels: usize) -> Self {
        debug_assert_eq!(buffer.len() % (pixels * PLANE), 0);
        Planes { data: buffer.shared_ptr(), pixels }
    }

    /// The same planes from plane `first` on.
    pub(crate) fn from(self, first: usize) -> Self {
        Planes { data: self.data.wrapping_add(first * self.pixels * PLANE), pixels: self.pixels }
    }

    /// The 32 channels of pixel `pixel` of plane `plane`.
    pub(crate) fn at(self, plane: usize, pixel: usize) -> *mut f32 {
        self.data.wrapping_add((plane * self.pixels + pixel) * PLANE)
    }
}

/// Words that so many values take as a product's operand: pairs of bfloat16 where the instruction set multiplies them.
#[inline(always)]
pub(crate) const fn words<S: Simd>(values: usize) -> usize {
    if S::BF16 { values.div_ceil(2) } else { values }
}

/// A patch of a plane as it lies in memory, at its first vector of channels; rows are `row` values apart.
#[derive(Clone, Copy)]
pub(crate) struct Stored {
    pub at: *const f32,
    pub row: usize,
}

impl<S: Simd> Patch<S> for Stored {
    #[inline(always)]
    unsafe fn load(self, row: usize, column: usize) -> S::V {
        // SAFETY: the caller's; the patch covers its rows and columns.
        unsafe { S::load(self.at.add(row * self.row + column * PLANE)) }
    }
}
