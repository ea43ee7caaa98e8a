//! Runs passes: the instruction set, the threads and each thread's scratch memory.
//!
//! A pass is cut into tasks by the shape of its data alone, never by the number of threads, and every sum over tasks is added
//! in the order of the tasks; so the results are the same bits whatever the number of threads.

use super::memory::Buffer;
use super::simd::Simd;
use crate::cpu::Isa;
use crate::infer::Precision;
use crate::kernels;
use crate::threads::Pool;

/// Work cut into tasks that may run at the same time.
pub(crate) trait Pass: Sync {
    /// The number of tasks.
    fn tasks(&self) -> usize;

    /// The f32 values of scratch memory that a task needs.
    fn scratch(&self) -> usize;

    /// Runs one task.
    ///
    /// # Safety
    /// A processor with the instruction set `S`; scratch memory as asked for; each task once.
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32);
}

/// The instruction sets that passes are compiled for.
#[derive(Clone, Copy)]
enum Kernels {
    Portable,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(test)]
    Wide,
    #[cfg(test)]
    WideBf16,
}

/// The threads, their scratch memory and the instruction set.
pub(crate) struct Machine {
    pool: Pool,
    kernels: Kernels,
    scratch: Vec<Buffer>,
}

impl Machine {
    /// A machine of `threads` threads (0 counts as 1) for an instruction set that this processor has. Where that has no bfloat16
    /// products, [`Precision::Bf16`] is computed in f32.
    pub(crate) fn new(threads: usize, isa: Isa, precision: Precision) -> Self {
        assert!(isa.is_available(), "the instruction set is checked where it is chosen");
        let threads = threads.max(1);
        let kernels = match isa {
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Kernels::Neon,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Kernels::Avx2,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 if precision == Precision::Bf16 => Kernels::Avx512Bf16,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 => Kernels::Avx512,
            _ => Kernels::Portable,
        };
        Machine { pool: Pool::new(threads), kernels, scratch: (0..threads).map(|_| Buffer::new(0)).collect() }
    }

    /// AVX-512's shapes, and those of its bfloat16 products, in plain Rust.
    #[cfg(test)]
    pub(crate) fn wide(threads: usize, precision: Precision) -> Self {
        let kernels = if precision == Precision::Bf16 { Kernels::WideBf16 } else { Kernels::Wide };
        Machine { kernels, ..Machine::new(threads, Isa::Portable, Precision::F32) }
    }

    /// Runs all tasks of a pass and waits for them.
    pub(crate) fn launch<P: Pass>(&mut self, pass: &P) {
        let needed = pass.scratch();
        if self.scratch.iter().any(|s| s.len() < needed) {
            self.scratch = self.scratch.iter().map(|_| Buffer::new(needed)).collect();
        }
        let kernels = self.kernels;
        let scratch = &self.scratch;
        self.pool.run(pass.tasks(), &|task, worker| {
            let memory = scratch[worker].ptr();
            // SAFETY: the instruction set was checked when the machine was made; the pool gives each task once, and no two
            // tasks the same worker at the same time.
            unsafe {
                match kernels {
                    Kernels::Portable => pass.run::<kernels::Portable>(task, memory),
                    #[cfg(target_arch = "aarch64")]
                    Kernels::Neon => run_neon(pass, task, memory),
                    #[cfg(target_arch = "x86_64")]
                    Kernels::Avx2 => run_avx2(pass, task, memory),
                    #[cfg(target_arch = "x86_64")]
                    Kernels::Avx512 => run_avx512(pass, task, memory),
                    #[cfg(target_arch = "x86_64")]
                    Kernels::Avx512Bf16 => run_avx512_bf16(pass, task, memory),
                    #[cfg(test)]
                    Kernels::WideBf16 => pass.run::<kernels::Emulated512Bf16>(task, memory),
                    #[cfg(test)]
                    Kernels::Wide => pass.run::<kernels::Emulated512>(task, memory),
                }
            }
        });
    }
}

/// # Safety
/// NEON; see [`Pass::run`].
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn run_neon<P: Pass>(pass: &P, task: usize, scratch: *mut f32) {
    // SAFETY: the caller's.
    unsafe { pass.run::<kernels::Neon>(task, scratch) }
}

/// # Safety
/// AVX2 and FMA; see [`Pass::run`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<P: Pass>(pass: &P, task: usize, scratch: *mut f32) {
    // SAFETY: the caller's.
    unsafe { pass.run::<kernels::Avx2>(task, scratch) }
}

/// # Safety
/// AVX-512 F, BW, DQ and VL; see [`Pass::run`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn run_avx512<P: Pass>(pass: &P, task: usize, scratch: *mut f32) {
    // SAFETY: the caller's.
    unsafe { pass.run::<kernels::Avx512>(task, scratch) }
}

/// # Safety
/// AVX-512 F, BW, DQ, VL and BF16; see [`Pass::run`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn run_avx512_bf16<P: Pass>(pass: &P, task: usize, scratch: *mut f32) {
    // SAFETY: the caller's.
    unsafe { pass.run::<kernels::Avx512Bf16>(task, scratch) }
}
