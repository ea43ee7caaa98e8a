//! Weights from torch's OIHW into the panels that products read, and weight gradients back.

use super::PLANE;
use super::machine::Pass;
use super::pointwise::SUM_PLANES;
use super::simd::Simd;
use super::spatial::{INPUT_PLANES, PLANE_STEPS};
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

/// `[input plane][output panel][tap][input channel][COLUMNS]` of a 3×3 convolution.
pub(crate) fn spatial_forward(weights: &[f32], columns: usize, to: &mut [f32]) {
    let panels = GROWTH / columns;
    for (index, to) in to.chunks_exact_mut(PLANE_STEPS * columns).enumerate() {
        let (plane, panel) = (index / panels, index % panels);
        for (step, to) in to.chunks_exact_mut(columns).enumerate() {
            let (tap, channel) = (step / PLANE, plane * PLANE + step % PLANE);
            for (column, to) in to.iter_mut().enumerate() {
                *to = weights[((panel * columns + column) * BOTTLENECK + channel) * 9 + tap];
            }
        }
    }
}

/// `[input panel][tap, turned by 180°][output channel][COLUMNS]` of a 3×3 convolution.
pub(crate) fn spatial_backward(weights: &[f32], columns: usize, to: &mut [f32]) {
    for (panel, to) in to.chunks_exact_mut(PLANE_STEPS * columns).enumerate() {
        for (step, to) in to.chunks_exact_mut(columns).enumerate() {
            let (tap, output) = (8 - step / PLANE, step % PLANE);
            for (column, to) in to.iter_mut().enumerate() {
                *to = weights[(output * BOTTLENECK + panel * columns + column) * 9 + tap];
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
    Spatial,
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

    fn scratch(&self, _columns: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let packing = self.list[task];
        let weights = &self.values[packing.weights..packing.weights + packing.len];
        // SAFETY: each convolution has its own part of the packed buffers.
        let (forward, backward) = unsafe {
            (self.forward.part(packing.packed, packing.len), self.backward.part(packing.packed, packing.len))
        };
        match packing.shape {
            Shape::Stem => stem_forward(weights, S::COLUMNS, forward),
            Shape::Pointwise(outputs) => {
                pointwise_forward(weights, outputs, S::COLUMNS, forward);
                pointwise_backward(weights, outputs, S::COLUMNS, backward);
            }
            Shape::Spatial => {
                spatial_forward(weights, S::COLUMNS, forward);
                spatial_backward(weights, S::COLUMNS, backward);
            }
        }
    }
}

/// Adds up a weight gradient's parts in order, into torch's OIHW.
pub(crate) struct GradientSum<'a> {
    pub shape: Shape,
    pub parts: usize,
    /// `[part][…]` as the convolution's backward pass leaves them.
    pub partial: &'a [f32],
    pub len: usize,
    pub gradient: SharedMut<f32>,
}

impl Pass for GradientSum<'_> {
    fn tasks(&self) -> usize {
        match self.shape {
            Shape::Stem => 1,
            Shape::Pointwise(outputs) => self.len / outputs / PLANE,
            Shape::Spatial => INPUT_PLANES,
        }
    }

    fn scratch(&self, _columns: usize) -> usize {
        self.len.div_ceil(self.tasks())
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32) {
        let values = self.len / self.tasks();
        // SAFETY: scratch memory is as asked for.
        let sum = unsafe {
            scratch.write_bytes(0, values);
            std::slice::from_raw_parts_mut(scratch, values)
        };
        for part in self.partial.chunks_exact(self.len).take(self.parts) {
            for (sum, value) in sum.iter_mut().zip(&part[task * values..(task + 1) * values]) {
                *sum += value;
            }
        }
        // SAFETY: each task writes its own input channels.
        unsafe {
            match self.shape {
                Shape::Stem => {
                    for (at, &value) in sum.iter().enumerate() {
                        let (plane, tap, channel) = (at / (49 * PLANE), at / PLANE % 49, at % PLANE);
                        *self.gradient.ptr().add((plane * PLANE + channel) * 49 + tap) = value;
                    }
                }
                Shape::Pointwise(outputs) => {
                    let inputs = self.len / outputs;
                    for output in 0..outputs {
                        let row = self.gradient.part(output * inputs + task * PLANE, PLANE);
                        let from = &sum[output / PLANE * PLANE * PLANE + output % PLANE..];
                        for (channel, to) in row.iter_mut().enumerate() {
                            *to = from[channel * PLANE];
                        }
                    }
                }
                Shape::Spatial => {
                    for output in 0..GROWTH {
                        let row = self.gradient.part((output * BOTTLENECK + task * PLANE) * 9, PLANE * 9);
                        for (channel, to) in row.chunks_exact_mut(9).enumerate() {
                            for (tap, to) in to.iter_mut().enumerate() {
                                *to = sum[(tap * PLANE + channel) * PLANE + output];
                            }
                        }
                    }
                }
            }
        }
    }
}
