//! Weights from torch's OIHW into the panels that products read, and weight gradients back.

use super::PLANE;
use super::machine::Pass;
use super::pointwise::SUM_PLANES;
use super::simd::Simd;
use super::spatial::point_weights;
use super::winograd::{Filter, Filtering, Four, POINTS, Two, kernel_gradients, transform_kernels};
use crate::architecture::{BOTTLENECK, GROWTH};
use crate::threads::SharedMut;

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
unsafe fn pair_steps<S: Simd>(panels: &mut [f32]) {
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

/// How a convolution's weights are packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Stem,
    /// 1×1 with so many outputs.
    Pointwise(usize),
    /// 3×3.
    Spatial(Filtering),
}

/// A convolution's weights and where its packed forms go.
#[derive(Clone, Copy)]
pub(crate) struct Packing {
    pub shape: Shape,
    /// Its offset in the parameters.
    pub weights: usize,
    pub len: usize,
    /// Its offset in both packed buffers.
    pub packed: usize,
}

impl Packing {
    /// Values of a packed form, and of a part of the weight gradient.
    pub(crate) fn packed_len(&self) -> usize {
        if let Shape::Spatial(filtering) = self.shape { point_weights(filtering) } else { self.len }
    }
}

/// Packs every convolution's weights for both directions.
pub(crate) struct PackAll<'a> {
    pub list: &'a [Packing],
    pub values: &'a [f32],
    pub forward: SharedMut<f32>,
    pub backward: SharedMut<f32>,
}

impl Pass for PackAll<'_> {
    fn tasks(&self) -> usize {
        self.list.len()
    }

    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let packing = self.list[task];
        let weights = &self.values[packing.weights..packing.weights + packing.len];
        // SAFETY: each convolution has its own part of the packed buffers.
        let (forward, backward) = unsafe {
            (
                self.forward.part(packing.packed, packing.packed_len()),
                self.backward.part(packing.packed, packing.packed_len()),
            )
        };
        match packing.shape {
            Shape::Stem => stem_forward(weights, S::COLUMNS, forward),
            Shape::Pointwise(outputs) => {
                pointwise_forward(weights, outputs, S::COLUMNS, forward);
                pointwise_backward(weights, outputs, S::COLUMNS, backward);
                if S::PAIRS {
                    // SAFETY: the instruction set; panels are whole vectors of an even number of steps.
                    unsafe {
                        pair_steps::<S>(forward);
                        pair_steps::<S>(backward);
                    }
                }
            }
            Shape::Spatial(Filtering::Exact) => {
                spatial_forward::<Two>(weights, S::COLUMNS, forward);
                spatial_backward::<Two>(weights, S::COLUMNS, backward);
            }
            Shape::Spatial(Filtering::Fast) => {
                spatial_forward::<Four>(weights, S::COLUMNS, forward);
                spatial_backward::<Four>(weights, S::COLUMNS, backward);
            }
        }
    }
}

/// Adds up a weight gradient's parts in order, into torch's OIHW.
pub(crate) struct GradientSum<'a> {
    pub packing: Packing,
    pub parts: usize,
    /// `[part][…]` as the convolution's backward pass leaves them.
    pub partial: &'a [f32],
    pub gradient: SharedMut<f32>,
}

/// Input channels of a task of a 3×3 convolution.
const SPATIAL_CHANNELS: usize = 8;

impl Pass for GradientSum<'_> {
    fn tasks(&self) -> usize {
        match self.packing.shape {
            Shape::Stem => 1,
            Shape::Pointwise(outputs) => self.packing.len / outputs / PLANE,
            Shape::Spatial(_) => BOTTLENECK / SPATIAL_CHANNELS,
        }
    }

    fn scratch(&self) -> usize {
        self.packing.packed_len() / self.tasks()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        let values = self.packing.packed_len() / self.tasks();
        // SAFETY: scratch memory is as asked for.
        let sum = unsafe {
            scratch.write_bytes(0, values);
            std::slice::from_raw_parts_mut(scratch, values)
        };
        // SAFETY: each task writes its own input channels.
        unsafe {
            match self.packing.shape {
                Shape::Stem => {
                    self.add_parts(sum, 0);
                    for (at, &value) in sum.iter().enumerate() {
                        let (plane, tap, channel) = (at / (49 * PLANE), at / PLANE % 49, at % PLANE);
                        *self.gradient.ptr().add((plane * PLANE + channel) * 49 + tap) = value;
                    }
                }
                Shape::Pointwise(outputs) => {
                    self.add_parts(sum, task * values);
                    let inputs = self.packing.len / outputs;
                    for output in 0..outputs {
                        let row = self.gradient.part(output * inputs + task * PLANE, PLANE);
                        let from = &sum[output / PLANE * PLANE * PLANE + output % PLANE..];
                        for (channel, to) in row.iter_mut().enumerate() {
                            *to = from[channel * PLANE];
                        }
                    }
                }
                Shape::Spatial(Filtering::Exact) => self.spatial::<Two>(task, sum),
                Shape::Spatial(Filtering::Fast) => self.spatial::<Four>(task, sum),
            }
        }
    }
}

impl GradientSum<'_> {
    /// Adds all parts' values from `start` on.
    #[inline(always)]
    fn add_parts(&self, sum: &mut [f32], start: usize) {
        for part in self.partial.chunks_exact(self.packing.packed_len()).take(self.parts) {
            for (sum, value) in sum.iter_mut().zip(&part[start..]) {
                *sum += value;
            }
        }
    }

    /// Some input channels of a 3×3 convolution, from `[input plane][point][input channel][output channel]`.
    ///
    /// # Safety
    /// Each task once.
    #[inline(always)]
    unsafe fn spatial<F: Filter>(&self, task: usize, sum: &mut [f32]) {
        let per_plane = PLANE / SPATIAL_CHANNELS;
        let (plane, first) = (task / per_plane, task % per_plane * SPATIAL_CHANNELS);
        for (point, sum) in sum.chunks_exact_mut(SPATIAL_CHANNELS * GROWTH).enumerate() {
            self.add_parts(sum, ((plane * F::POINTS + point) * PLANE + first) * GROWTH);
        }
        for channel in 0..SPATIAL_CHANNELS {
            let mut points = [[0.0; GROWTH]; POINTS];
            for (to, from) in points.iter_mut().zip(sum.chunks_exact(SPATIAL_CHANNELS * GROWTH)) {
                to.copy_from_slice(&from[channel * GROWTH..(channel + 1) * GROWTH]);
            }
            let gradients = kernel_gradients::<F, _>(&points);
            for output in 0..GROWTH {
                let at = (output * BOTTLENECK + plane * PLANE + first + channel) * 9;
                // SAFETY: this task alone has this input channel.
                let to = unsafe { self.gradient.part(at, 9) };
                for (to, from) in to.iter_mut().zip(&gradients) {
                    *to = from[output];
                }
            }
        }
    }
}
