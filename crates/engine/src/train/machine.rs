//! Runs passes: the instruction set, the threads and each thread's scratch memory.
//!
//! A pass is cut into tasks by the shape of its data alone, never by the number of threads, and every sum over tasks is added
//! in the order of the tasks; so the results are the same bits whatever the number of threads.

use crate::cpu::Isa;
use crate::infer::Precision;
use crate::kernels::planes::Pass;
use crate::kernels::{Buffer, Op, Simd};
use crate::threads::Pool;

/// The threads, their scratch memory and the instruction set.
pub(crate) struct Machine {
    pool: Pool,
    isa: Isa,
    scratch: Vec<Buffer>,
}

impl Machine {
    /// A machine of `threads` threads (0 counts as 1) for an instruction set that this processor has. Where that has no bfloat16
    /// products, [`Precision::Bf16`] is computed in f32.
    pub(crate) fn new(threads: usize, isa: Isa, precision: Precision) -> Self {
        let threads = threads.max(1);
        // Kernels multiply bfloat16 wherever their instruction set does.
        let isa = if isa == Isa::Avx512Bf16 && precision != Precision::Bf16 { Isa::Avx512 } else { isa };
        Machine { pool: Pool::new(threads), isa, scratch: (0..threads).map(|_| Buffer::zeroed(0)).collect() }
    }

    /// Runs all tasks of a pass and waits for them.
    pub(crate) fn launch<P: Pass>(&mut self, pass: &P) {
        let needed = pass.scratch();
        if self.scratch.iter().any(|s| s.len() < needed) {
            self.scratch = self.scratch.iter().map(|_| Buffer::zeroed(needed)).collect();
        }
        let (isa, scratch) = (self.isa, &self.scratch);
        self.pool.run(pass.tasks(), &|task, worker| {
            isa.dispatch_floats(Task { pass, task, scratch: scratch[worker].shared_ptr() });
        });
    }
}

/// One task of a pass. The pool gives each task once, and no two tasks the same worker's memory at the same time.
struct Task<'a, P> {
    pass: &'a P,
    task: usize,
    scratch: *mut f32,
}

impl<P: Pass> Op for Task<'_, P> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: called by `dispatch_floats`, which has checked the instruction set; the memory is as large as asked for.
        unsafe { self.pass.run::<S>(self.task, self.scratch) }
    }
}
