//! Steps over one plane's pixels that the passes share: normalization with ReLU, pooling, sums, panels.

use super::PLANE;
use crate::kernels::simd::Simd;

/// Writes a vector of a plane as f32, or, with `BF16`, as bfloat16 in half the memory; `at` counts values.
///
/// # Safety
/// The instruction set, and a pointer with room for the vector.
#[inline(always)]
unsafe fn put<S: Simd, const BF16: bool>(to: *mut f32, at: usize, value: S::V) {
    // SAFETY: the caller's.
    unsafe {
        if BF16 {
            S::store_bf16(to.cast::<u16>().add(at), value);
        } else {
            S::store(to.add(at), value);
        }
    }
}

/// to = max(scale · from + shift, 0) for `pixels` pixels of one plane; with `BF16`, rounded to bfloat16.
///
/// # Safety
/// The instruction set, and pointers to `pixels` pixels (32 values for `scale` and `shift`).
#[inline(always)]
pub(crate) unsafe fn normalize_relu<S: Simd, const BF16: bool>(
    from: *const f32,
    to: *mut f32,
    pixels: usize,
    scale: *const f32,
    shift: *const f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut lane = 0;
        while lane < PLANE {
            // Half a plane at a time keeps the constants in registers.
            let (s0, s1) = (S::load(scale.add(lane)), S::load(scale.add(lane + S::LANES)));
            let (h0, h1) = (S::load(shift.add(lane)), S::load(shift.add(lane + S::LANES)));
            for pixel in 0..pixels {
                let at = pixel * PLANE + lane;
                put::<S, BF16>(to, at, S::relu(S::fma(S::load(from.add(at)), s0, h0)));
                let at = at + S::LANES;
                put::<S, BF16>(to, at, S::relu(S::fma(S::load(from.add(at)), s1, h1)));
            }
            lane += 2 * S::LANES;
        }
    }
}

/// The four input pixels under pooled pixel `pixel` (of all images), for inputs of `side` × `side` pixels: the first of them.
#[inline(always)]
pub(crate) fn pooled_origin(pixel: usize, side: usize) -> usize {
    let half = side / 2;
    let (image, at) = (pixel / (half * half), pixel % (half * half));
    (image * side + 2 * (at / half)) * side + 2 * (at % half)
}

/// As [`normalize_relu`], then the mean of 2 × 2 pixels: pooled pixels `first..first + pixels` of a plane of `side` × `side`
/// images that starts at `from`.
///
/// # Safety
/// As [`normalize_relu`].
#[inline(always)]
pub(crate) unsafe fn normalize_relu_pool<S: Simd, const BF16: bool>(
    from: *const f32,
    to: *mut f32,
    first: usize,
    pixels: usize,
    side: usize,
    scale: *const f32,
    shift: *const f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let quarter = S::splat(0.25);
        for pixel in 0..pixels {
            let origin = from.add(pooled_origin(first + pixel, side) * PLANE);
            let mut lane = 0;
            while lane < PLANE {
                let (s, h) = (S::load(scale.add(lane)), S::load(shift.add(lane)));
                let mut sum = S::zero();
                for at in [0, 1, side, side + 1] {
                    sum = S::add(sum, S::relu(S::fma(S::load(origin.add(at * PLANE + lane)), s, h)));
                }
                put::<S, BF16>(to, pixel * PLANE + lane, S::mul(sum, quarter));
                lane += S::LANES;
            }
        }
    }
}

/// Adds Σx and Σx² of each of 32 channels over `pixels` pixels to `sums` (pairs).
///
/// # Safety
/// As [`normalize_relu`]; `sums` has 64 values.
#[inline(always)]
pub(crate) unsafe fn add_moments<S: Simd>(from: *const f32, pixels: usize, sums: *mut f64) {
    // SAFETY: the caller's.
    unsafe {
        let mut lane = 0;
        while lane < PLANE {
            let mut sum = S::zero();
            let mut squares = S::zero();
            for pixel in 0..pixels {
                let x = S::load(from.add(pixel * PLANE + lane));
                sum = S::add(sum, x);
                squares = S::fma(x, x, squares);
            }
            add_pairs::<S>(sum, squares, sums.add(2 * lane));
            lane += S::LANES;
        }
    }
}

/// Adds lanes of `first` and `second` to pairs of f64.
///
/// # Safety
/// The instruction set; `sums` has 2 · `LANES` values.
#[inline(always)]
pub(crate) unsafe fn add_pairs<S: Simd>(first: S::V, second: S::V, sums: *mut f64) {
    let mut lanes = [[0f32; 16]; 2];
    // SAFETY: vectors have at most 16 lanes; the caller's pointer.
    unsafe {
        S::store(lanes[0].as_mut_ptr(), first);
        S::store(lanes[1].as_mut_ptr(), second);
        for (lane, (first, second)) in lanes[0].iter().zip(&lanes[1]).enumerate().take(S::LANES) {
            *sums.add(2 * lane) += f64::from(*first);
            *sums.add(2 * lane + 1) += f64::from(*second);
        }
    }
}

/// Copies a plane's pixels to panels of `COLUMNS` channels, `panel` values apart, for products over pixels.
///
/// # Safety
/// As [`normalize_relu`].
#[inline(always)]
pub(crate) unsafe fn pack_panels<S: Simd>(from: *const f32, panels: *mut f32, panel: usize, pixels: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut lane = 0;
        while lane < PLANE {
            let to = panels.add(lane / S::COLUMNS * panel + lane % S::COLUMNS);
            for pixel in 0..pixels {
                S::store(to.add(pixel * S::COLUMNS), S::load(from.add(pixel * PLANE + lane)));
            }
            lane += S::LANES;
        }
    }
}

/// Rounds a plane's pixels to bfloat16.
///
/// # Safety
/// As [`normalize_relu`].
#[inline(always)]
pub(crate) unsafe fn round<S: Simd>(from: *const f32, to: *mut f32, pixels: usize) {
    // SAFETY: the caller's.
    unsafe {
        for at in (0..pixels * PLANE).step_by(S::LANES) {
            S::store_bf16(to.cast::<u16>().add(at), S::load(from.add(at)));
        }
    }
}

/// Copies a plane's pixels to panels of `columns` channels, `panel` words apart, each word the bfloat16 values of two pixels that
/// follow each other (of the last pixel and zero, if there is an odd one), for products over pixels.
///
/// # Safety
/// As [`normalize_relu`].
#[inline(always)]
pub(crate) unsafe fn pack_pairs<S: Simd>(
    from: *const f32,
    panels: *mut f32,
    panel: usize,
    columns: usize,
    pixels: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut lane = 0;
        while lane < PLANE {
            let to = panels.add(lane / columns * panel + lane % columns);
            for pair in 0..pixels.div_ceil(2) {
                let from = from.add(2 * pair * PLANE + lane);
                let high = if 2 * pair + 1 < pixels { S::load(from.add(PLANE)) } else { S::zero() };
                S::store(to.add(pair * columns), S::pair_bf16(S::load(from), high));
            }
            lane += S::LANES;
        }
    }
}
