//! The matrix product C ⟵ A·B (+ C) (+ bias), rectified if asked, that convolutions are made of.
//!
//! B is packed beforehand into panels as wide as two vectors ([`PackedB`]); A is read where it lies, one word broadcast at a
//! time, so that it needs no packing of its own; a register tile is [`Simd::ROWS`] × two vectors.
//! Every value of C is one chain of fused multiply-adds over k in ascending order, cut at the same places for the same k: it does
//! not depend on m, on the tile it falls into, or on the number of threads.

use std::marker::PhantomData;

use super::packed::PackedB;
use super::product::{Bf16, F32, Format, Int8, Product};
use super::simd::{Op, Simd};
use super::tile::{Epilogue, MatrixA, MatrixC, Segments, register_tile};

/// Rows of A that are worked on together, so that their part of A stays in the second-level cache.
const ROW_BLOCK: usize = 96;

/// Memory that will be read next: fetched into the cache a little at a time while a product is computed.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    /// The first value of the first row.
    pub ptr: *const f32,
    /// Values between rows.
    pub row_stride: usize,
    /// Rows.
    pub rows: usize,
    /// Cache lines (of 16 values) in each row.
    pub lines: usize,
}

impl Ahead {
    /// Nothing to fetch.
    pub const NOTHING: Ahead = Ahead { ptr: std::ptr::null(), row_stride: 0, rows: 0, lines: 0 };

    /// Fetches `count` lines, beginning at line `at` of the first row; returns the line to begin at next time.
    #[inline(always)]
    unsafe fn fetch<S: Simd>(&mut self, mut at: usize, count: usize) -> usize {
        for _ in 0..count {
            if self.rows == 0 {
                break;
            }
            // SAFETY: fetching is a hint, whatever the address.
            unsafe { S::prefetch(self.ptr.wrapping_add(16 * at)) };
            at += 1;
            if at == self.lines {
                at = 0;
                self.rows -= 1;
                self.ptr = self.ptr.wrapping_add(self.row_stride);
            }
        }
        at
    }
}

/// C ⟵ A·B with an epilogue: m rows, on the calling thread, with the kernels of the instruction set that B is packed for. The values
/// of a row of A lie in segments, which are B's depth from word `from` on; strides of A count words of B's format.
///
/// # Safety
/// Every word of A that the segments say can be read and every value of C (m × n) read and written through the pointers and
/// strides, no other thread writes to either or reads C meanwhile, and A and C do not overlap.
///
/// # Panics
/// When the bias or the factors are shorter than n, or the segments go beyond B's depth.
pub unsafe fn gemm(
    m: usize,
    a: MatrixA,
    from: usize,
    segments: Segments,
    b: &PackedB,
    c: MatrixC,
    epilogue: Epilogue<'_>,
    ahead: Ahead,
) {
    assert!(epilogue.covers(b.n()), "a bias value and a factor for each column");
    assert!(from + segments.count * segments.length <= b.words(), "{segments:?} from {from} in {} words", b.words());
    let work = Gemm { m, a, from, segments, b, c, epilogue, ahead, format: PhantomData };
    match b.format() {
        Format::F32 | Format::RoundedF32 => b.isa().dispatch(work),
        Format::Bf16 => b.isa().dispatch(work.with_format::<Bf16>()),
        Format::Int8 => b.isa().dispatch(work.with_format::<Int8>()),
    }
}

struct Gemm<'a, P> {
    m: usize,
    a: MatrixA,
    from: usize,
    segments: Segments,
    b: &'a PackedB,
    c: MatrixC,
    epilogue: Epilogue<'a>,
    ahead: Ahead,
    format: PhantomData<P>,
}

impl<'a> Gemm<'a, F32> {
    fn with_format<P>(self) -> Gemm<'a, P> {
        let Gemm { m, a, from, segments, b, c, epilogue, ahead, .. } = self;
        Gemm { m, a, from, segments, b, c, epilogue, ahead, format: PhantomData }
    }
}

impl<P: Product> Op for Gemm<'_, P> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Gemm { m, a, from, segments, b, c, epilogue, mut ahead, .. } = self;
        assert!(S::BF16 || P::FORMAT != Format::Bf16, "bfloat16 products need the instructions");
        for first in (0..m).step_by(ROW_BLOCK) {
            let rows = ROW_BLOCK.min(m - first);
            // SAFETY: the offsets stay inside the matrices, which the caller vouches for.
            unsafe {
                let a = MatrixA { ptr: a.ptr.add(first * a.row_stride), ..a };
                let c = MatrixC { ptr: c.ptr.add(first * c.row_stride), ..c };
                row_block::<S, P>(rows, from, segments, a, b, c, epilogue, ahead);
            }
            ahead = Ahead::NOTHING;
        }
    }
}

/// One block of rows and depth (in words), over all panels.
#[expect(clippy::too_many_arguments)]
#[inline(always)]
unsafe fn row_block<S: Simd, P: Product>(
    rows: usize,
    from: usize,
    depth: Segments,
    a: MatrixA,
    b: &PackedB,
    c: MatrixC,
    epilogue: Epilogue<'_>,
    mut ahead: Ahead,
) {
    let width = S::COLUMNS;
    let per_panel = (ahead.rows * ahead.lines).div_ceil(b.panels());
    debug_assert_eq!(width, b.width());
    for panel in 0..b.panels() {
        let columns = width.min(b.n() - panel * width);
        // SAFETY: inside the packed matrix, and inside C and the bias by the contract of `gemm`.
        unsafe {
            let b = b.panel(panel).add(from * width);
            let c = MatrixC { ptr: c.ptr.add(panel * width), ..c };
            let epilogue = epilogue.from_column(panel * width);
            if columns == width {
                panel_tiles::<S, P>(rows, depth, a, b, c, epilogue, &mut ahead, per_panel);
            } else {
                narrow_panel::<S, P>(rows, depth, a, b, c, epilogue, columns);
            }
        }
    }
}

/// The rows of one panel, cut into register tiles as evenly as can be; between them, `lines` cache lines are fetched ahead.
#[expect(clippy::too_many_arguments)]
#[inline(always)]
unsafe fn panel_tiles<S: Simd, P: Product>(
    rows: usize,
    depth: Segments,
    a: MatrixA,
    b: *const f32,
    c: MatrixC,
    epilogue: Epilogue<'_>,
    ahead: &mut Ahead,
    lines: usize,
) {
    let tiles = rows.div_ceil(S::ROWS);
    let (mut first, mut line) = (0, 0);
    for tile in 0..tiles {
        let height = (rows - first).div_ceil(tiles - tile);
        // SAFETY: rows first..first + height are inside the matrices.
        unsafe {
            line = ahead.fetch::<S>(line, lines.div_ceil(tiles));
            let a = MatrixA { ptr: a.ptr.add(first * a.row_stride), ..a };
            let c = MatrixC { ptr: c.ptr.add(first * c.row_stride), ..c };
            register_tile::<S, P, 1>(height, depth, a, b, c, epilogue);
        }
        first += height;
    }
}

/// A panel of fewer columns than two vectors: computed whole beside C, then copied.
#[inline(always)]
unsafe fn narrow_panel<S: Simd, P: Product>(
    rows: usize,
    depth: Segments,
    a: MatrixA,
    b: *const f32,
    c: MatrixC,
    epilogue: Epilogue<'_>,
    columns: usize,
) {
    let width = S::COLUMNS;
    let (mut row, mut scale, mut bias) = ([0.0f32; 32], [0.0f32; 32], [0.0f32; 32]);
    let widened = Epilogue {
        scale: epilogue.scale.map(|values| {
            scale[..columns].copy_from_slice(&values[..columns]);
            &scale[..]
        }),
        bias: epilogue.bias.map(|values| {
            bias[..columns].copy_from_slice(&values[..columns]);
            &bias[..]
        }),
        ..epilogue
    };
    for i in 0..rows {
        // SAFETY: the row is inside the matrices; `row` is as wide as the widest panel.
        unsafe {
            let c = std::slice::from_raw_parts_mut(c.ptr.add(i * c.row_stride), columns);
            row[..columns].copy_from_slice(c);
            let beside = MatrixC { ptr: row.as_mut_ptr(), row_stride: width };
            let a = MatrixA { ptr: a.ptr.add(i * a.row_stride), ..a };
            register_tile::<S, P, 1>(1, depth, a, b, beside, widened);
            c.copy_from_slice(&row[..columns]);
        }
    }
}
