//! 1×1 convolutions of a DenseNet: normalization and rectification of the input happen while it is copied into the cache, and
//! so does the average pooling of a transition, which commutes with its convolution.

use crate::kernels::gemm::{Ahead, gemm};
use crate::kernels::packed::PackedB;
use crate::kernels::product::{Bf16, F32, Format, Int8, Product, RoundedF32};
use crate::kernels::simd::{Op, Simd};
use crate::kernels::tile::{Epilogue, MatrixA, MatrixC, Segments};

/// Pixels that one call works on at most: their normalized values stay in the second-level cache.
pub const PIXELS: usize = 96;
/// Between the rows of the scratch memory: the deepest cache block, and a cache line so that rows do not collide.
const SCRATCH_STRIDE: usize = 256 + 16;
/// Channels that are fetched ahead of their use: about a cache block.
const CHANNELS_AHEAD: usize = 256;
/// f32 values of scratch memory that a call needs.
pub const SCRATCH: usize = PIXELS * SCRATCH_STRIDE;

/// Where the input pixels are.
#[derive(Debug, Clone, Copy)]
pub enum Gather {
    /// Pixel `first + i` of the input for row i.
    Pixels {
        /// The first pixel.
        first: usize,
    },
    /// The mean over a 2×2 square of input pixels for each row: output pixel `first + i` of an image `side` wide, made of an
    /// input twice as wide and high. Images one below the other count as one high image.
    Pooled {
        /// The first output pixel.
        first: usize,
        /// The output's width.
        side: usize,
    },
}

/// A 1×1 convolution of `rows` pixels: C ⟵ relu(x·scale + shift)·B with an epilogue. The normalized values are rounded to the
/// weights' format (8-bit: to whole numbers in 0..=255).
#[derive(Debug, Clone, Copy)]
pub struct Pointwise<'a> {
    /// Pixels, at most [`PIXELS`].
    pub rows: usize,
    /// The NHWC input.
    pub input: *const f32,
    /// Its channels, of which B's depth are read.
    pub input_stride: usize,
    /// Which pixels.
    pub gather: Gather,
    /// Pixels after them that are read next: they are fetched into the cache meanwhile.
    pub ahead: usize,
    /// The normalization's factor for each channel.
    pub scale: &'a [f32],
    /// The normalization's offset for each channel.
    pub shift: &'a [f32],
    /// The weights (input channels × output channels).
    pub weights: &'a PackedB,
    /// The output's first pixel.
    pub output: MatrixC,
    /// What happens to the product.
    pub epilogue: Epilogue<'a>,
    /// [`SCRATCH`] values of this thread's own.
    pub scratch: *mut f32,
}

/// Runs a 1×1 convolution on the calling thread. The input's channels must be a multiple of 32, at most 1024.
///
/// # Safety
/// The input's pixels can be read, the output's written, the scratch memory used, all without another thread writing there;
/// input, output and scratch do not overlap.
///
/// # Panics
/// When there are more rows than [`PIXELS`], or the channels are others, or a slice is too short.
pub unsafe fn pointwise(work: Pointwise<'_>) {
    let k = work.weights.k();
    assert!(work.rows <= PIXELS && k.is_multiple_of(32) && k <= 1024, "{} pixels of {k} channels", work.rows);
    assert!(work.scale.len() >= k && work.shift.len() >= k, "a factor and an offset for each channel");
    assert!(work.epilogue.covers(work.weights.n()), "a bias and a factor for each output channel");
    work.weights.isa().dispatch(work);
}

impl Op for Pointwise<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the contract of `pointwise`.
        unsafe {
            match self.weights.format() {
                Format::F32 => self.convolve::<S, F32>(),
                Format::RoundedF32 => self.convolve::<S, RoundedF32>(),
                Format::Bf16 if S::BF16 => self.convolve::<S, Bf16>(),
                Format::Bf16 => unreachable!("weights are packed in bfloat16 only where the processor multiplies it"),
                Format::Int8 => self.convolve::<S, Int8>(),
            }
        }
    }
}

impl Pointwise<'_> {
    #[inline(always)]
    unsafe fn convolve<S: Simd, P: Product>(&self) {
        let k = self.weights.k();
        // 8-bit sums are whole only when the depth is not cut: it never needs to be, for k ≤ 4 × the cache block.
        let deepest = if P::FORMAT == Format::Int8 { k } else { S::DEPTH * P::PER_WORD };
        let blocks = k.div_ceil(deepest);
        let mut from = 0;
        for block in 0..blocks {
            let depth = ((k - from) / 32).div_ceil(blocks - block) * 32;
            let last = block + 1 == blocks;
            let epilogue = Epilogue {
                accumulate: self.epilogue.accumulate || block > 0,
                bias: self.epilogue.bias.filter(|_| last),
                relu: self.epilogue.relu && last,
                ..self.epilogue
            };
            let packed = MatrixA { ptr: self.scratch, row_stride: SCRATCH_STRIDE };
            let (first, words) = (from / P::PER_WORD, depth / P::PER_WORD);
            let segments = Segments { count: 1, stride: 0, length: words };
            let ahead =
                if last { self.ahead(self.rows, self.ahead, 0) } else { self.ahead(0, self.rows, from + depth) };
            // SAFETY: the contract of `pointwise`; there are at most 256 words, less than SCRATCH_STRIDE.
            unsafe {
                self.normalize::<S, P>(from, depth);
                gemm(self.rows, packed, first, segments, self.weights, self.output, epilogue, ahead);
            }
            from += depth;
        }
    }

    /// What a later cache block reads: channels from `from` on of `rows` pixels after the first `skip`.
    #[inline(always)]
    fn ahead(&self, skip: usize, rows: usize, from: usize) -> Ahead {
        let lines = (self.weights.k() - from).min(CHANNELS_AHEAD).div_ceil(16);
        match self.gather {
            Gather::Pixels { first } => {
                let ptr = self.input.wrapping_add((first + skip) * self.input_stride + from);
                Ahead { ptr, row_stride: self.input_stride, rows, lines }
            }
            Gather::Pooled { .. } => Ahead::NOTHING,
        }
    }

    /// Copies channels from..from + depth of all rows into the scratch memory, normalized, rectified and pooled.
    #[inline(always)]
    unsafe fn normalize<S: Simd, P: Product>(&self, from: usize, depth: usize) {
        // SAFETY: the contract of `pointwise`.
        unsafe {
            for row in 0..self.rows {
                let to = self.scratch.add(row * SCRATCH_STRIDE);
                match self.gather {
                    Gather::Pixels { first } => {
                        let x = self.input.add((first + row) * self.input_stride + from);
                        self.normalize_row::<S, P, 1>(from, depth, [x], to);
                    }
                    Gather::Pooled { first, side } => {
                        let (y, x) = ((first + row) / side, (first + row) % side);
                        let width = 2 * side;
                        let corner = self.input.add((2 * y * width + 2 * x) * self.input_stride + from);
                        let below = corner.add(width * self.input_stride);
                        let square = [corner, corner.add(self.input_stride), below, below.add(self.input_stride)];
                        self.normalize_row::<S, P, 4>(from, depth, square, to);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn normalize_row<S: Simd, P: Product, const N: usize>(
        &self,
        from: usize,
        depth: usize,
        inputs: [*const f32; N],
        to: *mut f32,
    ) {
        // SAFETY: the contract of `pointwise`; depth is a multiple of 32, and so of LANES.
        unsafe {
            let (scale, shift) = (self.scale.as_ptr().add(from), self.shift.as_ptr().add(from));
            for k in (0..depth).step_by(S::LANES) {
                let (factor, offset) = (S::load(scale.add(k)), S::load(shift.add(k)));
                let mut sum = S::relu(S::fma(S::load(inputs[0].add(k)), factor, offset));
                for input in &inputs[1..] {
                    sum = S::add(sum, S::relu(S::fma(S::load(input.add(k)), factor, offset)));
                }
                if N > 1 {
                    sum = S::mul(sum, S::splat(1.0 / N as f32));
                }
                P::store::<S>(to, k, sum);
            }
        }
    }
}
