//! 3×3 convolutions by Winograd's minimal filtering F(4×4, 3×3): 36 products of small matrices make a square of 16 output
//! pixels that would take 144 the direct way (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).

use super::buffer::Buffer;
use super::gemm::{Ahead, Epilogue, MatrixA, MatrixC, PackedB, Segments, gemm};
use super::simd::{Op, Simd};
use crate::cpu::Isa;

/// Output pixels of a tile in each direction.
pub const TILE: usize = 4;
/// Input pixels of a tile in each direction.
const PATCH: usize = TILE + 2;
/// Points at which the product is taken.
const POINTS: usize = PATCH * PATCH;
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

/// G g Gᵀ in f64.
fn transform_kernel(kernel: &[f32]) -> [f32; POINTS] {
    const G: [[f64; 3]; PATCH] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    let mut half = [[0.0f64; 3]; PATCH];
    for (row, g) in half.iter_mut().zip(&G) {
        for (x, value) in row.iter_mut().enumerate() {
            *value = (0..3).map(|y| g[y] * f64::from(kernel[y * 3 + x])).sum();
        }
    }
    std::array::from_fn(|point| {
        let (y, x) = (point / PATCH, point % PATCH);
        (0..3).map(|k| half[y][k] * G[x][k]).sum::<f64>() as f32
    })
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
    /// Image, and first row and column of a tile's output.
    #[inline(always)]
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let per_side = tiles_per_side(self.side);
        let (image, tile) = ((self.first + tile) / (per_side * per_side), (self.first + tile) % (per_side * per_side));
        (image, tile / per_side * TILE, tile % per_side * TILE)
    }

    /// Bᵀ d B for all channels of one tile.
    #[inline(always)]
    unsafe fn transform_input<S: Simd>(&self, tile: usize, to: *mut f32) {
        let inputs = self.weights.inputs;
        let (image, top, left) = self.place(tile);
        let mut sources = [self.weights.zeros.as_ptr(); POINTS];
        for (point, source) in sources.iter_mut().enumerate() {
            // One before the tile in both directions; what lies before the image wraps to a large number.
            let (y, x) = ((top + point / PATCH).wrapping_sub(1), (left + point % PATCH).wrapping_sub(1));
            if y < self.side && x < self.side {
                let row = match self.rows {
                    Rows::All => image * self.side + y,
                    Rows::Ring => y.wrapping_sub(1) % RING,
                };
                // SAFETY: inside the image.
                *source = unsafe { self.input.add((row * self.side + x) * inputs) };
            }
        }
        let stride = TILES * inputs + PAD;
        for channel in (0..inputs).step_by(S::LANES) {
            // SAFETY: channels are a multiple of LANES; `to` has room for every point.
            unsafe {
                let mut half = [[S::zero(); PATCH]; PATCH];
                for x in 0..PATCH {
                    let column = std::array::from_fn(|y| S::load(sources[y * PATCH + x].add(channel)));
                    let column = input_transform::<S>(column);
                    for y in 0..PATCH {
                        half[y][x] = column[y];
                    }
                }
                for (y, row) in half.into_iter().enumerate() {
                    for (x, v) in input_transform::<S>(row).into_iter().enumerate() {
                        S::store(to.add((y * PATCH + x) * stride + channel), v);
                    }
                }
            }
        }
    }

    /// Aᵀ m A for all channels of one tile, written where it lies inside the image.
    #[inline(always)]
    unsafe fn transform_output<S: Simd>(&self, tile: usize, from: *const f32) {
        let outputs = self.weights.outputs;
        let (image, top, left) = self.place(tile);
        let (rows, columns) = (TILE.min(self.side - top), TILE.min(self.side - left));
        let stride = TILES * outputs + PAD;
        for channel in (0..outputs).step_by(S::LANES) {
            // SAFETY: channels are a multiple of LANES, and only pixels inside the image are written.
            unsafe {
                let mut half = [[S::zero(); PATCH]; TILE];
                for x in 0..PATCH {
                    let column = std::array::from_fn(|y| S::load(from.add((y * PATCH + x) * stride + channel)));
                    let column = output_transform::<S>(column);
                    for y in 0..TILE {
                        half[y][x] = column[y];
                    }
                }
                for (y, row) in half.into_iter().enumerate().take(rows) {
                    let start = ((image * self.side + top + y) * self.side + left) * self.output_stride + channel;
                    for (x, v) in output_transform::<S>(row).into_iter().enumerate().take(columns) {
                        S::store(self.output.add(start + x * self.output_stride), v);
                    }
                }
            }
        }
    }
}

/// Bᵀ d for the points 0, ±1, ±2, ∞.
#[inline(always)]
unsafe fn input_transform<S: Simd>(d: [S::V; PATCH]) -> [S::V; PATCH] {
    // SAFETY: called by kernels only.
    unsafe {
        let (four, minus_four, minus_five) = (S::splat(4.0), S::splat(-4.0), S::splat(-5.0));
        let (even, odd) = (S::fma(d[2], minus_four, d[4]), S::fma(d[1], minus_four, d[3]));
        let (difference, other) = (S::sub(d[4], d[2]), S::sub(d[3], d[1]));
        [
            S::fma(d[0], four, S::fma(d[2], minus_five, d[4])),
            S::add(even, odd),
            S::sub(even, odd),
            S::fma(other, S::splat(2.0), difference),
            S::fma(other, S::splat(-2.0), difference),
            S::fma(d[1], four, S::fma(d[3], minus_five, d[5])),
        ]
    }
}

/// Aᵀ m for the same points.
#[inline(always)]
unsafe fn output_transform<S: Simd>(m: [S::V; PATCH]) -> [S::V; TILE] {
    // SAFETY: called by kernels only.
    unsafe {
        let (sum1, difference1) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (sum2, difference2) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(m[0], S::add(sum1, sum2)),
            S::fma(difference2, S::splat(2.0), difference1),
            S::fma(sum2, S::splat(4.0), sum1),
            S::add(m[5], S::fma(difference2, S::splat(8.0), difference1)),
        ]
    }
}
