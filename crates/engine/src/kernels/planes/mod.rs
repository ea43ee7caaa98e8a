//! The forward kernels of training, and what its backward passes share with them: images lie in planes of 32 channels
//! (`[plane][pixel][32]`), so that a layer's own channels, and their gradients, are one run of memory that is written once and read by
//! every later layer; a plane's pixels are also the rows of a weight gradient's product, whose sum runs over pixels. In pixels of
//! all channels, as inference has them ([`super::nhwc`]), those sums would read 128 bytes out of every few thousand.
//!
//! Every kernel is a [`Pass`] over the whole batch, as a normalization needs the statistics of all of it: each adds up the sums of the
//! channels that it writes, and none fuses what comes after the next normalization.

mod memory;
pub(crate) mod ops;
pub(crate) mod pack;
pub(crate) mod pointwise;
pub(crate) mod spatial;
pub(crate) mod stem;

pub(crate) use memory::{PLANE, Planes, Stored, words};

use super::simd::Simd;

/// Work cut into tasks that may run at the same time: by the shape of its data alone, never by the number of threads.
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
