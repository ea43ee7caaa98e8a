//! Weights from torch's OIHW into the panels that products over planes read, for both directions.

use super::PLANE;
use super::pointwise::SUM_PLANES;
use crate::architecture::{BOTTLENECK, GROWTH};
use crate::kernels::simd::Simd;
use crate::kernels::winograd::{Filter, transform_kernels};

/// `[sum block][output panel][input channel][COLUMNS]` of an (outputs × inputs) matrix.
pub(crate) fn pointwise_forward(weights: &[f32], outputs: usize, columns: usize, to: &mut [f32]) {
    let inputs = weights.len() / outputs;
    let mut at = 0;
    for start in (0..inputs).step_by(SUM_PLANES * PLANE) {
        let end = (start + SUM_PLANES * PLANE).min(inputs);
        for panel in weights.chunks_exact(columns * inputs) {
            for input in start..end {
                for (to, row) in to[at..at + columns].iter_mut().zip(panel.chunks_exact(inputs)) {
                    *to = row[input];
                }
                at += columns;
            }
        }
    }
}

/// `[input panel][output channel][COLUMNS]` of an (outputs × inputs) matrix.
pub(crate) fn pointwise_backward(weights: &[f32], outputs: usize, columns: usize, to: &mut [f32]) {
    let inputs = weights.len() / outputs;
    for (panel, to) in to.chunks_exact_mut(outputs * columns).enumerate() {
        for (to, row) in to.chunks_exact_mut(columns).zip(weights.chunks_exact(inputs)) {
            to.copy_from_slice(&row[panel * columns..(panel + 1) * columns]);
        }
    }
}

/// Two steps of a panel, `COLUMNS` values each, become one step of words of two bfloat16 values; the panels end in half the memory.
///
/// # Safety
/// The instruction set; the values are an even number of steps.
#[inline(always)]
pub(crate) unsafe fn pair_steps<S: Simd>(panels: &mut [f32]) {
    let values = panels.as_mut_ptr();
    for pair in 0..panels.len() / (2 * S::COLUMNS) {
        for lane in (0..S::COLUMNS).step_by(S::LANES) {
            // SAFETY: what is written lies before, or is, what was read.
            unsafe {
                let from = values.add(2 * pair * S::COLUMNS + lane);
                let words = S::pair_bf16(S::load(from), S::load(from.add(S::COLUMNS)));
                S::store(values.add(pair * S::COLUMNS + lane), words);
            }
        }
    }
}

/// `[point][output panel][input channel][COLUMNS]` of a 3×3 convolution, transformed.
#[inline(always)]
pub(crate) fn spatial_forward<F: Filter>(weights: &[f32], columns: usize, to: &mut [f32]) {
    let panels = GROWTH / columns;
    for channel in 0..BOTTLENECK {
        let mut kernels = [[0.0; GROWTH]; 9];
        for output in 0..GROWTH {
            let from = &weights[(output * BOTTLENECK + channel) * 9..][..9];
            for (kernel, value) in kernels.iter_mut().zip(from) {
                kernel[output] = *value;
            }
        }
        for (point, values) in transform_kernels::<F, _>(&kernels)[..F::POINTS].iter().enumerate() {
            for (panel, values) in values.chunks_exact(columns).enumerate() {
                let at = ((point * panels + panel) * BOTTLENECK + channel) * columns;
                to[at..at + columns].copy_from_slice(values);
            }
        }
    }
}

/// `[point][input panel][output channel][COLUMNS]` of a 3×3 convolution turned by 180°, transformed.
#[inline(always)]
pub(crate) fn spatial_backward<F: Filter>(weights: &[f32], columns: usize, to: &mut [f32]) {
    let panels = BOTTLENECK / columns;
    for (output, weights) in weights.chunks_exact(BOTTLENECK * 9).enumerate() {
        for (plane, weights) in weights.chunks_exact(PLANE * 9).enumerate() {
            let mut kernels = [[0.0; PLANE]; 9];
            for (channel, from) in weights.chunks_exact(9).enumerate() {
                for (kernel, value) in kernels.iter_mut().rev().zip(from) {
                    kernel[channel] = *value;
                }
            }
            for (point, values) in transform_kernels::<F, _>(&kernels)[..F::POINTS].iter().enumerate() {
                for (half, values) in values.chunks_exact(columns).enumerate() {
                    let panel = plane * (PLANE / columns) + half;
                    let at = ((point * panels + panel) * GROWTH + output) * columns;
                    to[at..at + columns].copy_from_slice(values);
                }
            }
        }
    }
}

/// `[output panel][tap][COLUMNS]` of the stem's convolution.
pub(crate) fn stem_forward(weights: &[f32], columns: usize, to: &mut [f32]) {
    let taps = 49;
    for (panel, to) in to.chunks_exact_mut(taps * columns).enumerate() {
        for (tap, to) in to.chunks_exact_mut(columns).enumerate() {
            for (column, to) in to.iter_mut().enumerate() {
                *to = weights[(panel * columns + column) * taps + tap];
            }
        }
    }
}
