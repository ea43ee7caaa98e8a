//! The machine's own limit, measured: what a loop of nothing but fused multiply-adds reaches.

use std::time::{Duration, Instant};

use crate::cpu::Isa;
use crate::kernels::{Op, Simd};
use crate::threads::Pool;

/// Multiply-add steps of one measurement on one thread.
const STEPS: usize = 2_000_000;
/// Independent chains: enough to hide the latency of two multiply-adds a cycle, few enough for 16 registers.
const CHAINS: usize = 12;

/// GFLOP/s (a multiply-add counts as two) of independent f32 multiply-adds in registers, on `threads` threads with the best
/// instruction set: the best of several short measurements. It takes about a tenth of a second.
pub fn fma_peak(threads: usize) -> f64 {
    fma_peak_with(Isa::best(), threads)
}

/// [`fma_peak`] with a given instruction set.
///
/// # Panics
/// When the processor does not have it.
pub fn fma_peak_with(isa: Isa, threads: usize) -> f64 {
    let pool = Pool::new(threads);
    let flops = (2 * STEPS * CHAINS * isa.lanes() * pool.threads()) as f64;
    let mut best = Duration::MAX;
    for _ in 0..8 {
        let start = Instant::now();
        pool.run(pool.threads(), &|_, _| {
            std::hint::black_box(isa.dispatch(Chains { seed: std::hint::black_box(0.5) }));
        });
        best = best.min(start.elapsed());
    }
    flops / best.as_secs_f64() / 1e9
}

struct Chains {
    seed: f32,
}

impl Op for Chains {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        // SAFETY: called by `dispatch`; `lanes` is as wide as the widest vector.
        unsafe {
            let factor = S::splat(self.seed);
            let mut sums = [S::splat(self.seed); CHAINS];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = S::fma(*sum, factor, factor);
                }
            }
            let mut total = S::zero();
            for sum in sums {
                total = S::add(total, sum);
            }
            let mut lanes = [0.0f32; 16];
            S::store(lanes.as_mut_ptr(), total);
            lanes.iter().sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_reaches_a_plausible_speed() {
        for isa in Isa::available() {
            let peak = fma_peak_with(isa, 1);
            assert!(peak > 0.5 && peak < 1e5, "{} {peak}", isa.name());
        }
    }
}
