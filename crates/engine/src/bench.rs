//! The machine's own limit, measured, and how long a forward pass would take at it.

use std::time::{Duration, Instant};

use crate::architecture::{Architecture, BLOCKS, BOTTLENECK, FEATURES, GROWTH, STEM, STRIDE};
use crate::cpu::Isa;
use crate::infer::Precision;
use crate::kernels::{Op, Simd, TILE, tiles_per_side};
use crate::threads::Pool;

/// Multiply-add steps of one measurement on one thread.
const STEPS: usize = 2_000_000;
/// Independent chains: enough to hide the latency of two multiply-adds a cycle, few enough for 16 registers.
const CHAINS: usize = 12;

/// Multiply-adds a second, in billions (10⁹), of independent products in registers: in f32, bfloat16 or 8 bits, whichever instructions the
/// 1×1 convolutions of `precision` take here, on `threads` threads with the instruction set of
/// [`Isa::preferred`]. The best of several short
/// measurements, a tenth of a second in all.
pub fn peak(precision: Precision, threads: usize) -> f64 {
    peak_with(Isa::preferred(), precision, threads, STEPS)
}

/// [`peak`] with a given instruction set, which the processor has, and number of steps.
fn peak_with(isa: Isa, precision: Precision, threads: usize, steps: usize) -> f64 {
    let pool = Pool::new(threads);
    let per_lane = match precision {
        Precision::Bf16 if isa == Isa::Avx512Bf16 => 2,
        Precision::Int8 => 4,
        _ => 1,
    };
    let mut best = Duration::MAX;
    for _ in 0..8 {
        let start = Instant::now();
        pool.run(pool.threads(), &|_, _| {
            std::hint::black_box(match per_lane {
                1 => isa.dispatch(Chains::<1> { steps, seed: std::hint::black_box(0.5) }),
                2 => isa.dispatch(Chains::<2> { steps, seed: std::hint::black_box(0.5) }),
                // A word of four ones: the sums stay far from overflow.
                _ => isa.dispatch(Chains::<4> { steps, seed: std::hint::black_box(f32::from_bits(0x0101_0101)) }),
            });
        });
        best = best.min(start.elapsed());
    }
    let products = steps * CHAINS * isa.lanes() * per_lane * pool.threads();
    products as f64 / best.as_secs_f64() / 1e9
}

/// The multiply-adds of one film's forward pass as this engine makes it: 3×3 convolutions by Winograd's F(4×4, 3×3), and a transition's
/// product after its pooling. Transforms, normalizations and pooling are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardWork {
    /// In 1×1 convolutions, in bfloat16 or 8 bits where the precision is.
    pub pointwise: u64,
    /// In all others, always in f32.
    pub spatial: u64,
    /// What the convolutions' definition asks for: the number that the literature quotes.
    pub nominal: u64,
}

impl ForwardWork {
    /// Of a film of `size` × `size` pixels.
    ///
    /// # Panics
    /// When the size is no multiple of [`STRIDE`].
    pub fn new(size: usize) -> Self {
        assert!(size.is_multiple_of(STRIDE), "{size} is no multiple of {STRIDE}");
        let stem = (size / 2).pow(2) * 49 * STEM;
        let (mut pointwise, mut spatial, mut nominal) = (0, stem, stem);
        for (block, layers) in BLOCKS.iter().enumerate() {
            let side = (size / 4) >> block;
            let products = tiles_per_side(side).pow(2) * (TILE + 2).pow(2);
            for layer in 0..*layers {
                let reduce = side * side * (Architecture::block_input(block) + layer * GROWTH) * BOTTLENECK;
                pointwise += reduce;
                spatial += products * BOTTLENECK * GROWTH;
                nominal += reduce + side * side * 9 * BOTTLENECK * GROWTH;
            }
            if block + 1 < BLOCKS.len() {
                let inputs = Architecture::block_output(block);
                pointwise += (side / 2).pow(2) * inputs * (inputs / 2);
                nominal += side * side * inputs * (inputs / 2);
            }
        }
        nominal += FEATURES;
        Self { pointwise: pointwise as u64, spatial: spatial as u64, nominal: nominal as u64 }
    }

    /// How long it would take at the machine's [`peak`].
    pub fn floor(&self, precision: Precision, threads: usize) -> Duration {
        let seconds = |work: u64, precision| work as f64 / 1e9 / peak(precision, threads);
        Duration::from_secs_f64(seconds(self.pointwise, precision) + seconds(self.spatial, Precision::F32))
    }
}

/// Chains of products in registers, `PRODUCTS` to a 32-bit lane.
struct Chains<const PRODUCTS: usize> {
    steps: usize,
    seed: f32,
}

impl<const PRODUCTS: usize> Op for Chains<PRODUCTS> {
    type Out = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        // SAFETY: called by `dispatch`; `lanes` is as wide as the widest vector.
        unsafe {
            let factor = S::splat(self.seed);
            let mut sums = [S::splat(self.seed); CHAINS];
            for _ in 0..self.steps {
                for sum in &mut sums {
                    *sum = match PRODUCTS {
                        1 => S::fma(*sum, factor, factor),
                        2 => S::dot_bf16(factor, factor, *sum),
                        _ => S::dot_u8i8(factor, factor, *sum),
                    };
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
            for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
                let peak = peak_with(isa, precision, 1, 2000);
                assert!(peak > 1e-3 && peak < 1e5, "{} {peak}", isa.name());
            }
        }
    }

    #[test]
    fn work_is_that_of_densenet_121() {
        // torchvision counts 2.83 GFLOPS (multiply-adds) at 224 with three input channels; two fewer take 2·112²·49·64 away.
        let work = ForwardWork::new(224);
        let three_channels = work.nominal + 2 * 112 * 112 * 49 * 64;
        assert!((three_channels as f64 / 1e9 - 2.83).abs() < 0.01, "{three_channels}");
        assert!(work.pointwise + work.spatial < work.nominal / 2 + work.nominal / 4);
        assert_eq!(ForwardWork::new(448).pointwise, 4 * work.pointwise);
    }
}
