//! Every convolution's weights packed after a step, all at once, and their gradients added up, back in torch's OIHW.

use crate::architecture::{BOTTLENECK, GROWTH};
use crate::kernels::Simd;
use crate::kernels::planes::pack::{
    pair_steps, pointwise_backward, pointwise_forward, spatial_backward, spatial_forward, stem_forward,
};
use crate::kernels::planes::spatial::point_weights;
use crate::kernels::planes::{PLANE, Pass};
use crate::kernels::winograd::{Filter, Filtering, Four, POINTS, Two, kernel_gradients};
use crate::threads::SharedMut;

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
                if S::BF16 {
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
