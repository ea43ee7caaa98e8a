//! The matrix product C ⟵ A·B (+ C) (+ bias), rectified if asked, that convolutions are made of.
//!
//! B is packed beforehand into panels as wide as two vectors ([`PackedB`]); A is read where it lies, one word broadcast at a
//! time, so that it needs no packing of its own; a register tile is [`Simd::ROWS`] × two vectors.
//! Every value of C is one chain of fused multiply-adds over k in ascending order, cut at the same places for the same k: it does
//! not depend on m, on the tile it falls into, or on the number of threads.

use std::marker::PhantomData;

use super::buffer::Buffer;
use super::product::{Bf16, F32, Format, Int8, Product, RoundedF32};
use super::simd::{Op, Simd};
use crate::cpu::Isa;

/// Rows of A that are worked on together, so that their part of A stays in the second-level cache.
const ROW_BLOCK: usize = 96;

/// The depth of a product as segments: `count` runs of `length` values of A, `stride` apart. A convolution's taps in a padded image
/// are such runs.
#[derive(Debug, Clone, Copy)]
pub struct Segments {
    /// The number of runs.
    pub count: usize,
    /// Values of A between the starts of two runs.
    pub stride: usize,
    /// Values in a run; count × length is B's depth.
    pub length: usize,
}

/// The right-hand matrix (k × n), packed for one instruction set and in one format: panels of two vectors' width, each k words ×
/// width, the last one filled up with zeros.
#[derive(Debug, Clone)]
pub struct PackedB {
    isa: Isa,
    format: Format,
    k: usize,
    n: usize,
    width: usize,
    /// The depth in words.
    words: usize,
    data: Buffer,
}

impl PackedB {
    /// Packs the matrix whose value (i, j) is `values[i * k_stride + j * n_stride]`.
    ///
    /// # Panics
    /// When `values` is too short.
    pub fn pack(isa: Isa, k: usize, n: usize, values: &[f32], k_stride: usize, n_stride: usize) -> Self {
        Self::pack_as(Format::F32, isa, k, n, values, k_stride, n_stride)
    }

    /// [`PackedB::pack`] in any format. [`Format::Int8`] takes whole numbers within ±127 that follow
    /// [`Isa::adds_int8_in_pairs`].
    ///
    /// # Panics
    /// When `values` is too short, or k is not a multiple of the values in a word.
    pub fn pack_as(
        format: Format,
        isa: Isa,
        k: usize,
        n: usize,
        values: &[f32],
        k_stride: usize,
        n_stride: usize,
    ) -> Self {
        match format {
            Format::F32 => Self::pack_words::<F32>(isa, k, n, values, k_stride, n_stride),
            Format::RoundedF32 => Self::pack_words::<RoundedF32>(isa, k, n, values, k_stride, n_stride),
            Format::Bf16 => Self::pack_words::<Bf16>(isa, k, n, values, k_stride, n_stride),
            Format::Int8 => Self::pack_words::<Int8>(isa, k, n, values, k_stride, n_stride),
        }
    }

    fn pack_words<P: Product>(isa: Isa, k: usize, n: usize, values: &[f32], k_stride: usize, n_stride: usize) -> Self {
        let mut packed = Self::room(isa, P::FORMAT, k, n, P::PER_WORD);
        let (words, width) = (packed.words, packed.width);
        let mut word = [0.0; 4];
        for j in 0..n {
            let panel = &mut packed.data[j / width * words * width..];
            for i in 0..words {
                for (part, value) in word[..P::PER_WORD].iter_mut().enumerate() {
                    *value = values[(i * P::PER_WORD + part) * k_stride + j * n_stride];
                }
                panel[i * width + j % width] = P::word(&word);
            }
        }
        packed
    }

    fn room(isa: Isa, format: Format, k: usize, n: usize, per_word: usize) -> Self {
        assert!(k.is_multiple_of(per_word), "a depth of {k} in words of {per_word}");
        let (width, words) = (2 * isa.lanes(), k / per_word);
        PackedB { isa, format, k, n, width, words, data: Buffer::zeroed(n.div_ceil(width) * words * width) }
    }

    /// The depth k.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The number of columns n.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The number of panels.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(self.width)
    }

    /// The instruction set that it is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The number format.
    pub fn format(&self) -> Format {
        self.format
    }
}

/// The left-hand matrix: row i begins at `ptr + i * row_stride` (in words of 32 bits).
#[derive(Debug, Clone, Copy)]
pub struct MatrixA {
    /// Value (0, 0).
    pub ptr: *const f32,
    /// Between rows.
    pub row_stride: usize,
}

/// The result: value (i, j) lies at `ptr + i * row_stride + j`.
#[derive(Debug, Clone, Copy)]
pub struct MatrixC {
    /// Value (0, 0).
    pub ptr: *mut f32,
    /// Between rows.
    pub row_stride: usize,
}

/// What happens to the product before it is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// Add what C holds already.
    pub accumulate: bool,
    /// Multiply by a value a column (n values, or a longer slice), before anything is added.
    pub scale: Option<&'a [f32]>,
    /// Add a value a column (n values, or a longer slice).
    pub bias: Option<&'a [f32]>,
    /// Replace what is below zero by zero, last of all.
    pub relu: bool,
}

impl<'a> Epilogue<'a> {
    /// Whether there is a bias and a factor for each of n columns, or none at all.
    pub(super) fn covers(&self, n: usize) -> bool {
        [self.bias, self.scale].into_iter().flatten().all(|values| values.len() >= n)
    }

    /// The epilogue of columns from `first` on.
    #[inline(always)]
    fn from_column(&self, first: usize) -> Self {
        let cut = |values: Option<&'a [f32]>| values.map(|values| &values[first..]);
        Epilogue { scale: cut(self.scale), bias: cut(self.bias), ..*self }
    }
}

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

    /// Fetches `count` lines, beginning at line `at` of the first row; gives back the line to begin at next time.
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
    assert!(epilogue.covers(b.n), "a bias value and a factor for each column");
    assert!(from + segments.count * segments.length <= b.words, "{segments:?} from {from} in {} words", b.words);
    let work = Gemm { m, a, from, segments, b, c, epilogue, ahead, format: PhantomData };
    match b.format {
        Format::F32 | Format::RoundedF32 => b.isa.dispatch(work),
        Format::Bf16 => b.isa.dispatch(work.with_format::<Bf16>()),
        Format::Int8 => b.isa.dispatch(work.with_format::<Int8>()),
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
    let width = 2 * S::LANES;
    let per_panel = (ahead.rows * ahead.lines).div_ceil(b.panels());
    debug_assert_eq!(width, b.width);
    for panel in 0..b.panels() {
        let columns = width.min(b.n - panel * width);
        // SAFETY: inside the packed matrix, and inside C and the bias by the contract of `gemm`.
        unsafe {
            let b = b.data.as_ptr().add((panel * b.words + from) * width);
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
            register_tile::<S, P>(height, depth, a, b, c, epilogue);
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
    let width = 2 * S::LANES;
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
            register_tile::<S, P>(1, depth, a, b, beside, widened);
            c.copy_from_slice(&row[..columns]);
        }
    }
}

#[inline(always)]
unsafe fn register_tile<S: Simd, P: Product>(
    height: usize,
    depth: Segments,
    a: MatrixA,
    b: *const f32,
    c: MatrixC,
    epilogue: Epilogue<'_>,
) {
    macro_rules! by_height {
        ($($rows:literal)*) => {
            match height {
                // SAFETY: the contract of `gemm`; the tile is `height` rows.
                $($rows if $rows <= S::ROWS => unsafe { tile::<S, P, $rows>(depth, a, b, c, epilogue) },)*
                _ => unreachable!("a register tile has 1 to ROWS rows"),
            }
        };
    }
    by_height!(1 2 3 4 5 6 7 8 9 10 11 12)
}

/// The register tile: `ROWS` × two vectors of accumulators over the whole depth.
#[inline(always)]
unsafe fn tile<S: Simd, P: Product, const ROWS: usize>(
    depth: Segments,
    a: MatrixA,
    b: *const f32,
    c: MatrixC,
    epilogue: Epilogue<'_>,
) {
    // SAFETY: all pointers stay inside the matrices by the contract of `gemm`.
    unsafe {
        let mut sums = [[S::zero(); 2]; ROWS];
        let mut b_at = b;
        for segment in 0..depth.count {
            let mut a_at = a.ptr.add(segment * depth.stride);
            for _ in 0..depth.length {
                let (b0, b1) = (S::load(b_at), S::load(b_at.add(S::LANES)));
                for (i, sum) in sums.iter_mut().enumerate() {
                    let value = S::splat(*a_at.add(i * a.row_stride));
                    sum[0] = P::step::<S>(value, b0, sum[0]);
                    sum[1] = P::step::<S>(value, b1, sum[1]);
                }
                a_at = a_at.add(1);
                b_at = b_at.add(2 * S::LANES);
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            for (half, mut v) in sum.into_iter().enumerate() {
                let to = c.ptr.add(i * c.row_stride + half * S::LANES);
                v = P::finish::<S>(v);
                if let Some(scale) = epilogue.scale {
                    v = S::mul(v, S::load(scale.as_ptr().add(half * S::LANES)));
                }
                if epilogue.accumulate {
                    v = S::add(v, S::load(to));
                }
                if let Some(bias) = epilogue.bias {
                    v = S::add(v, S::load(bias.as_ptr().add(half * S::LANES)));
                }
                if epilogue.relu {
                    // In this order what is not a number stays so.
                    v = S::max(S::zero(), v);
                }
                S::store(to, v);
            }
        }
    }
}
