//! Adam (Kingma and Ba 2015, algorithm 1) as torch computes it, over all tensors at once.

use super::plan::Plan;
use crate::kernels::Simd;
use crate::kernels::planes::Pass;
use crate::threads::SharedMut;

/// Values of a task.
const TASK: usize = 1 << 14;

/// The factors of one Adam step.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    pub learning_rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub weight_decay: f32,
    /// The step's number, from 1.
    pub step: u64,
}

/// One update of every trained tensor.
pub(crate) struct Adam<'a> {
    pub factors: Factors,
    /// Ranges of the flat arrays, from [`ranges`].
    pub ranges: &'a [(usize, usize)],
    pub gradient: &'a [f32],
    pub values: SharedMut<f32>,
    pub first: SharedMut<f32>,
    pub second: SharedMut<f32>,
}

/// The trained tensors cut into (offset, length) of tasks.
pub(crate) fn ranges(plan: &Plan) -> Vec<(usize, usize)> {
    let trained = plan.entries.iter().filter(|e| e.trained);
    trained.flat_map(|e| (0..e.len).step_by(TASK).map(|at| (e.offset + at, TASK.min(e.len - at)))).collect()
}

impl Pass for Adam<'_> {
    fn tasks(&self) -> usize {
        self.ranges.len()
    }

    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _scratch: *mut f32) {
        let (offset, len) = self.ranges[task];
        let f = self.factors;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(f.step as f64);
        let step = (f64::from(f.learning_rate) / correction(f.beta1)) as f32;
        let root = (1.0 / correction(f.beta2).sqrt()) as f32;
        // SAFETY: each task has a range of its own.
        let (values, first, second) =
            unsafe { (self.values.part(offset, len), self.first.part(offset, len), self.second.part(offset, len)) };
        let gradient = &self.gradient[offset..offset + len];
        for i in 0..len {
            let g = gradient[i] + f.weight_decay * values[i];
            let m = f.beta1 * first[i] + (1.0 - f.beta1) * g;
            let v = f.beta2 * second[i] + (1.0 - f.beta2) * g * g;
            first[i] = m;
            second[i] = v;
            values[i] -= step * m / (v.sqrt() * root + f.eps);
        }
    }
}
