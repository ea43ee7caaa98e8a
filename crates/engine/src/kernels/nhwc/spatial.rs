//! 3×3 convolutions by Winograd's minimal filtering F(4×4, 3×3): 36 products of small matrices make a square of 16 output
//! pixels that would take 144 the direct way.

use crate::cpu::Isa;
use crate::kernels::buffer::Buffer;
use crate::kernels::gemm::{Ahead, gemm};
use crate::kernels::packed::PackedB;
use crate::kernels::simd::{Op, Simd};
use crate::kernels::tile::{Epilogue, MatrixA, MatrixC, Segments};
use crate::kernels::winograd::{
    Filter, Four, PATCH, POINTS, Patch, TILE, Tile, collect_columns, transform_kernel, transform_patch,
};

/// Tiles that one call works on at most.
pub const TILES: usize = 16;
const PAD: usize = 16;

/// A 3×3 convolution's weights, transformed and packed, one matrix a point.
#[derive(Debug, Clone)]
pub struct WinogradWeights {
    inputs: usize,
    outputs: usize,
    points: Vec<PackedB>,
    /// What lies outside the image.
    zeros: Buffer,
}

impl WinogradWeights {
    /// Transforms OIHW weights [outputs, inputs, 3, 3]. Inputs and outputs must be multiples of 32.
    ///
    /// # Panics
    /// When they are not, or there are fewer weights.
    pub fn new(isa: Isa, weights: &[f32], outputs: usize, inputs: usize) -> Self {
        assert!(inputs.is_multiple_of(32) && outputs.is_multiple_of(32), "{inputs} → {outputs} channels");
        let mut transformed = vec![0.0f32; POINTS * inputs * outputs];
        for o in 0..outputs {
            for i in 0..inputs {
                let kernel: &[f32] = &weights[(o * inputs + i) * 9..][..9];
                for (point, value) in transform_kernel(kernel).into_iter().enumerate() {
                    transformed[(point * inputs + i) * outputs + o] = value;
                }
            }
        }
        let points = transformed
            .chunks_exact(inputs * outputs)
            .map(|matrix| PackedB::pack(isa, inputs, outputs, matrix, outputs, 1))
            .collect();
        WinogradWeights { inputs, outputs, points, zeros: Buffer::zeroed(inputs) }
    }

    /// f32 values of scratch memory that a call needs.
    pub fn scratch(&self) -> usize {
        POINTS * ((TILES * self.inputs + PAD) + (TILES * self.outputs + PAD))
    }
}

/// Where the rows of an input are.
#[derive(Debug, Clone, Copy)]
pub enum Rows {
    /// One after the other, image after image.
    All,
    /// Of one image, in a ring of [`RING`] rows: row y is at place (y − 1) mod [`RING`], so that the four rows that a row of tiles
    /// adds to those of the one before lie together.
    Ring,
}

/// Rows of a ring: what a row of tiles reads, and the rows that the next one adds.
pub const RING: usize = 8;

/// A 3×3 convolution (stride 1, padding 1) of some tiles.
#[derive(Debug, Clone, Copy)]
pub struct Winograd<'a> {
    /// The NHWC input, as many channels as the weights have inputs.
    pub input: *const f32,
    /// Where the input's rows are.
    pub rows: Rows,
    /// Width and height of each image.
    pub side: usize,
    /// The first tile: tiles are numbered by row in an image, image after image.
    pub first: usize,
    /// The number of tiles, at most [`TILES`].
    pub tiles: usize,
    /// The weights.
    pub weights: &'a WinogradWeights,
    /// The NHWC output, at its first channel.
    pub output: *mut f32,
    /// The output's channels.
    pub output_stride: usize,
    /// As much scratch memory of this thread's own as [`WinogradWeights::scratch`] says.
    pub scratch: *mut f32,
}

/// Tiles along a side.
pub fn tiles_per_side(side: usize) -> usize {
    side.div_ceil(TILE)
}

/// Runs a 3×3 convolution of some tiles on the calling thread.
///
/// # Safety
/// The input's images can be read, the output's pixels of these tiles written and the scratch memory used, all without another
/// thread writing there; input, output and scratch do not overlap.
///
/// # Panics
/// When there are more tiles than [`TILES`].
pub unsafe fn winograd(work: Winograd<'_>) {
    assert!(work.tiles <= TILES, "{} tiles", work.tiles);
    work.weights.points[0].isa().dispatch(work);
}

impl Op for Winograd<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let WinogradWeights { inputs, outputs, .. } = *self.weights;
        let (patches, products) = (self.scratch, POINTS * (TILES * inputs + PAD));
        // SAFETY: the contract of `winograd`.
        unsafe {
            let products = self.scratch.add(products);
            for tile in 0..self.tiles {
                self.transform_input::<S>(tile, patches.add(tile * inputs));
            }
            for (point, b) in self.weights.points.iter().enumerate() {
                let a = patches.add(point * (TILES * inputs + PAD));
                let a = MatrixA { ptr: a, row_stride: inputs };
                let c = MatrixC { ptr: products.add(point * (TILES * outputs + PAD)), row_stride: outputs };
                let depth = Segments { count: 1, stride: 0, length: inputs };
                gemm(self.tiles, a, 0, depth, b, c, Epilogue::default(), Ahead::NOTHING);
            }
            for tile in 0..self.tiles {
                self.transform_output::<S>(tile, products.add(tile * outputs));
            }
        }
    }
}

impl Winograd<'_> {
    #[inline(always)]
    fn tile(&self, index: usize) -> Tile {
        Tile::new(self.first + index, self.side, TILE)
    }

    /// Bᵀ d B for all channels of one tile.
    #[inline(always)]
    unsafe fn transform_input<S: Simd>(&self, index: usize, to: *mut f32) {
        let inputs = self.weights.inputs;
        let tile = self.tile(index);
        let mut sources = [self.weights.zeros.as_ptr(); POINTS];
        for (point, source) in sources.iter_mut().enumerate() {
            if let Some((y, x)) = tile.in_image(point / PATCH, point % PATCH, self.side) {
                let row = match self.rows {
                    Rows::All => tile.image * self.side + y,
                    Rows::Ring => y.wrapping_sub(1) % RING,
                };
                // SAFETY: inside the image.
                *source = unsafe { self.input.add((row * self.side + x) * inputs) };
            }
        }
        let stride = TILES * inputs + PAD;
        for channel in (0..inputs).step_by(S::LANES) {
            // SAFETY: channels are a multiple of LANES; `to` has room for every point.
            unsafe { transform_patch::<S, Four>(Sources { pixels: &sources, channel }, to.add(channel), stride) };
        }
    }

    /// Aᵀ m A for all channels of one tile, written where it lies inside the image.
    #[inline(always)]
    unsafe fn transform_output<S: Simd>(&self, index: usize, from: *const f32) {
        let outputs = self.weights.outputs;
        let Tile { image, row, column, rows, columns } = self.tile(index);
        let stride = TILES * outputs + PAD;
        for channel in (0..outputs).step_by(S::LANES) {
            // SAFETY: channels are a multiple of LANES, and only pixels inside the image are written.
            unsafe {
                let half = collect_columns::<S, Four>(from.add(channel), stride);
                for (y, half) in half.into_iter().enumerate().take(rows) {
                    let start = ((image * self.side + row + y) * self.side + column) * self.output_stride + channel;
                    for (x, v) in Four::tile_line::<S>(half).into_iter().enumerate().take(columns) {
                        S::store(self.output.add(start + x * self.output_stride), v);
                    }
                }
            }
        }
    }
}

/// The pixels of a patch, each wherever it lies, from a channel on.
#[derive(Clone, Copy)]
struct Sources<'a> {
    pixels: &'a [*const f32; POINTS],
    channel: usize,
}

impl<S: Simd> Patch<S> for Sources<'_> {
    #[inline(always)]
    unsafe fn load(self, row: usize, column: usize) -> S::V {
        // SAFETY: every pixel has a vector of channels from `channel` on.
        unsafe { S::load(self.pixels[row * PATCH + column].add(self.channel)) }
    }
}
