//! Runs passes: the instruction set, the threads and each thread's scratch memory.
//!
//! A pass is cut into tasks by the shape of its data alone, never by the number of threads, and every sum over tasks is added
//! in the order of the tasks; so the results are the same bits whatever the number of threads.

use super::memory::Buffer;
use super::simd::{Portable, Simd};
use crate::cpu::Isa;
use crate::threads::Pool;

/// Work cut into tasks that may run at the same time.
pub(crate) trait Pass: Sync {
    /// The number of tasks.
    fn tasks(&self) -> usize;

    /// The f32 values of scratch memory that a task needs with `columns` columns to a product.
    fn scratch(&self, columns: usize) -> usize;

    /// Runs one task.
    ///
    /// # Safety
    /// A processor with the instruction set `S`; scratch memory as asked for; each task once.
    unsafe fn run<S: Simd>(&self, task: usize, scratch: *mut f32);
}

/// The threads, their scratch memory and the instruction set.
pub(crate) struct Machine {
    pool: Pool,
    isa: Isa,
    scratch: Vec<Buffer>,
}

impl Machine {
    pub(crate) fn new(threads: usize, isa: Isa) -> Self {
        let threads = threads.max(1);
        Machine {
            pool: Pool::new(threads),
            isa,
            scratch: (0..threads).map(|_| Buffer::new(0)).collect(),
        }
    }

    /// Columns that a product computes at once, on which the packing of weights depends.
    pub(crate) fn columns(&self) -> usize {
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::simd::Avx2::COLUMNS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 => super::simd::Avx512::COLUMNS,
            _ => Portable::COLUMNS,
        }
    }

    /// Runs all tasks of a pass and waits for them.
    pub(crate) fn launch<P: Pass>(&mut self, pass: &P) {
        let tasks = pass.tasks();
        let needed = pass.scratch(self.columns());
        if self.scratch.iter().any(|s| s.len() < needed) {
            self.scratch = self.scratch.iter().map(|_| Buffer::new(needed)).collect();
        }
        let isa = self.isa;
        let scratch = &self.scratch;
        self.pool.run(tasks, &|task, worker| {
            let memory = scratch[worker].ptr();
            // SAFETY: the instruction set was checked when the machine was made; the pool gives each task once, and no two
            // tasks the same worker at the same time.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => run_avx2(pass, task, memory),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 | Isa::Avx512Vnni | Isa::Avx512Bf16 => {
                        run_avx512(pass, task, memory)
                    }
                    _ => pass.run::<Portable>(task, memory),
                }
            }
        });
    }
}

/// # Safety
/// AVX2 and FMA; see [`Pass::run`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<P: Pass>(pass: &P, task: usize, scratch: *mut f32) {
    // SAFETY: the caller's.
    unsafe { pass.run::<super::simd::Avx2>(task, scratch) }
}

/// # Safety
/// AVX-512F; see [`Pass::run`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn run_avx512<P: Pass>(pass: &P, task: usize, scratch: *mut f32) {
    // SAFETY: the caller's.
    unsafe { pass.run::<super::simd::Avx512>(task, scratch) }
}
