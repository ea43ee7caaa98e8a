//! The register tile that every product is made of: a few rows of A times a panel of B, two vectors wide.
//!
//! Every value of C is one chain of multiply-adds over the depth in ascending order, whatever the tile that it falls into.

use super::product::Product;
use super::simd::Simd;

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
    pub(super) fn from_column(&self, first: usize) -> Self {
        let cut = |values: Option<&'a [f32]>| values.map(|values| &values[first..]);
        Epilogue { scale: cut(self.scale), bias: cut(self.bias), ..*self }
    }

    /// What is written to `to` for the sums `v`, whose first column is `column`.
    #[inline(always)]
    unsafe fn apply<S: Simd, P: Product>(&self, v: S::V, to: *const f32, column: usize) -> S::V {
        // SAFETY: the contract of `register_tile`; factors and bias are as long as C is wide.
        unsafe {
            let mut v = P::finish::<S>(v);
            if let Some(scale) = self.scale {
                v = S::mul(v, S::load(scale.as_ptr().add(column)));
            }
            if self.accumulate {
                v = S::add(v, S::load(to));
            }
            if let Some(bias) = self.bias {
                v = S::add(v, S::load(bias.as_ptr().add(column)));
            }
            if self.relu { S::relu(v) } else { v }
        }
    }
}

/// A tile of 1 to [`Simd::ROWS`] rows × two vectors. Values of A are `STEP` words apart along the depth.
///
/// # Safety
/// The instruction set; every word of A and B that the segments say can be read, every value of C read and written.
#[inline(always)]
pub unsafe fn register_tile<S: Simd, P: Product, const STEP: usize>(
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
                // SAFETY: the caller's; the tile is `height` rows.
                $($rows if $rows <= S::ROWS => unsafe { tile::<S, P, STEP, $rows>(depth, a, b, c, epilogue) },)*
                _ => unreachable!("a register tile has 1 to ROWS rows"),
            }
        };
    }
    by_height!(1 2 3 4 5 6 7 8 9 10 11 12)
}

/// `ROWS` × two vectors of accumulators over the whole depth.
#[inline(always)]
unsafe fn tile<S: Simd, P: Product, const STEP: usize, const ROWS: usize>(
    depth: Segments,
    a: MatrixA,
    b: *const f32,
    c: MatrixC,
    epilogue: Epilogue<'_>,
) {
    // SAFETY: all pointers stay inside the matrices by the contract of `register_tile`.
    unsafe {
        let mut sums = [[S::zero(); 2]; ROWS];
        let mut b = b;
        for segment in 0..depth.count {
            let mut at = a.ptr.wrapping_add(segment * depth.stride);
            let mut left = depth.length;
            while left >= 4 {
                for word in 0..4 {
                    step::<S, P, ROWS>(&mut sums, at.add(word * STEP), a.row_stride, b.add(word * S::COLUMNS));
                }
                at = at.wrapping_add(4 * STEP);
                b = b.add(4 * S::COLUMNS);
                left -= 4;
            }
            while left > 0 {
                step::<S, P, ROWS>(&mut sums, at, a.row_stride, b);
                at = at.wrapping_add(STEP);
                b = b.add(S::COLUMNS);
                left -= 1;
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            for (half, v) in sum.into_iter().enumerate() {
                let to = c.ptr.add(i * c.row_stride + half * S::LANES);
                S::store(to, epilogue.apply::<S, P>(v, to, half * S::LANES));
            }
        }
    }
}

/// One word of the depth: a value of each row of A times two vectors of B.
#[inline(always)]
unsafe fn step<S: Simd, P: Product, const ROWS: usize>(
    sums: &mut [[S::V; 2]; ROWS],
    a: *const f32,
    row_stride: usize,
    b: *const f32,
) {
    // SAFETY: as `tile`.
    unsafe {
        let (b0, b1) = (S::load(b), S::load(b.add(S::LANES)));
        for (i, sum) in sums.iter_mut().enumerate() {
            let value = S::splat(*a.add(i * row_stride));
            sum[0] = P::step::<S>(value, b0, sum[0]);
            sum[1] = P::step::<S>(value, b1, sum[1]);
        }
    }
}
