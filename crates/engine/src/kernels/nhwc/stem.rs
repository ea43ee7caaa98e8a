//! The stem: a 7×7 convolution with stride 2 on one channel, rectified, and 3×3 maximum pooling with stride 2, in one pass.

use crate::architecture::STEM as CHANNELS;
use crate::kernels::gemm::{Ahead, gemm};
use crate::kernels::packed::PackedB;
use crate::kernels::padding::{STEM_TAPS, padded_side};
use crate::kernels::simd::{Op, Simd};
use crate::kernels::tile::{Epilogue, MatrixA, MatrixC, Segments};

/// The stem on some rows of its pooled output.
#[derive(Debug, Clone, Copy)]
pub struct Stem<'a> {
    /// One image with its padding ([`crate::kernels::pad_images`]), (size + 6)² values.
    pub image: *const f32,
    /// Width and height of the image without padding, a multiple of 4.
    pub size: usize,
    /// First row of the pooled output (size / 4 rows).
    pub first: usize,
    /// Rows of the pooled output.
    pub rows: usize,
    /// The weights (49 × 64), normalization folded in.
    pub weights: &'a PackedB,
    /// The bias of each channel.
    pub bias: &'a [f32],
    /// The NHWC output of this image.
    pub output: *mut f32,
    /// The output's channels.
    pub output_stride: usize,
    /// As much scratch memory of this thread's own as [`stem_scratch`] says.
    pub scratch: *mut f32,
}

/// f32 values of scratch memory for images of a size: three rows of the convolution's output.
pub fn stem_scratch(size: usize) -> usize {
    3 * (size / 2) * CHANNELS
}

/// Runs the stem on some rows, on the calling thread.
///
/// # Safety
/// The image can be read, the output's rows written and the scratch memory used, all without another thread writing there;
/// image, output and scratch do not overlap.
pub unsafe fn stem(work: Stem<'_>) {
    let half = work.size / 2;
    let row_values = half * CHANNELS;
    let convolve = |y: usize| {
        // SAFETY: row y < size / 2 of the convolution reads padded rows 2y..2y + 7, all inside the padded image.
        unsafe {
            let width = padded_side(work.size);
            let a = MatrixA { ptr: work.image.add(2 * y * width), row_stride: 2 };
            let segments = Segments { count: STEM_TAPS, stride: width, length: STEM_TAPS };
            let c = MatrixC { ptr: work.scratch.add(y % 3 * row_values), row_stride: CHANNELS };
            let epilogue = Epilogue { bias: Some(work.bias), relu: true, ..Epilogue::default() };
            gemm(half, a, 0, segments, work.weights, c, epilogue, Ahead::NOTHING);
        }
    };
    if work.first > 0 {
        convolve(2 * work.first - 1);
    }
    for y in work.first..work.first + work.rows {
        convolve(2 * y);
        convolve(2 * y + 1);
        // A row or column that is missing at the border is replaced by one inside the window: the maximum stays the same.
        let above = if y == 0 { 0 } else { 2 * y - 1 };
        let rows = [above, 2 * y, 2 * y + 1].map(|row| work.scratch.wrapping_add(row % 3 * row_values).cast_const());
        let output = work.output.wrapping_add(y * (half / 2) * work.output_stride);
        let pool = MaxPool { rows, width: half / 2, output, output_stride: work.output_stride };
        work.weights.isa().dispatch(pool);
    }
}

struct MaxPool {
    rows: [*const f32; 3],
    width: usize,
    output: *mut f32,
    output_stride: usize,
}

impl Op for MaxPool {
    type Out = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for x in 0..self.width {
            let columns = [(2 * x).saturating_sub(1), 2 * x, 2 * x + 1];
            for channel in (0..CHANNELS).step_by(S::LANES) {
                // SAFETY: the rows hold 2 × width pixels of 64 channels; the output pixel is the caller's to write.
                unsafe {
                    // Rectified values are not negative.
                    let mut largest = S::zero();
                    for row in self.rows {
                        for column in columns {
                            largest = S::max(largest, S::load(row.add(column * CHANNELS + channel)));
                        }
                    }
                    S::store(self.output.add(x * self.output_stride + channel), largest);
                }
            }
        }
    }
}
