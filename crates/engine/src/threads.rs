//! A small persistent pool of threads for loops over independent tiles.
//!
//! The pool decides only which thread computes which tile, never how a tile is computed: as long as tiles write to different
//! places and each is a pure function of its index, results are the same bits whatever the number of threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for news before it goes to sleep: some tens of microseconds, the time between two layers.
const SPINS: usize = 4000;

/// A fixed set of threads (the calling one included) that run loops together.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    caller: Mutex<()>,
}

struct Shared {
    /// The number of loops started so far; a change wakes the workers.
    epoch: AtomicUsize,
    /// Workers that have not yet finished the present loop.
    busy: AtomicUsize,
    stop: AtomicBool,
    job: Mutex<Option<Job>>,
    start: Condvar,
    done: Condvar,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The present loop: its body with the lifetime erased, and the next tile to hand out.
#[derive(Clone)]
struct Job {
    body: &'static (dyn Fn(usize, usize) + Sync),
    tiles: usize,
    next: Arc<AtomicUsize>,
}

impl Pool {
    /// A pool of `threads` threads, the calling one included; 0 counts as 1.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            job: Mutex::new(None),
            start: Condvar::new(),
            done: Condvar::new(),
            panic: Mutex::new(None),
        });
        let workers = (1..threads).map_while(|index| {
            let shared = Arc::clone(&shared);
            let name = format!("coxa-engine-{index}");
            // A thread that the system refuses is done without: the loop's result does not depend on it.
            std::thread::Builder::new().name(name).spawn(move || work(&shared, index)).ok()
        });
        Pool { workers: workers.collect(), shared, caller: Mutex::new(()) }
    }

    /// The number of threads, the calling one included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `body(tile, thread)` once for each tile in 0..`tiles`, on all threads, and returns when all are done. `thread`
    /// is below [`Pool::threads`], and no two calls with the same `thread` overlap: it may index scratch memory. Threads take
    /// tiles in ascending order as they become free. A body must not run a loop on the same pool: it would wait for itself.
    ///
    /// # Panics
    /// When a call of `body` panics, after the other threads have stopped.
    pub fn run(&self, tiles: usize, body: &(dyn Fn(usize, usize) + Sync)) {
        let _one_loop_at_a_time = lock(&self.caller);
        if self.workers.is_empty() || tiles <= 1 {
            for tile in 0..tiles {
                body(tile, 0);
            }
            return;
        }
        // SAFETY: only the lifetime changes. The reference is used by the workers between the start of this loop and the
        // moment `busy` falls to 0, and this function does not return (or unwind) before that moment.
        let erased = unsafe {
            std::mem::transmute::<&(dyn Fn(usize, usize) + Sync), &'static (dyn Fn(usize, usize) + Sync)>(body)
        };
        let job = Job { body: erased, tiles, next: Arc::new(AtomicUsize::new(0)) };
        {
            let mut slot = lock(&self.shared.job);
            *slot = Some(job.clone());
            self.shared.busy.store(self.workers.len(), Ordering::Relaxed);
            self.shared.epoch.fetch_add(1, Ordering::Release);
            self.shared.start.notify_all();
        }
        take_tiles(&self.shared, &job, 0);
        self.wait_for_workers();
        *lock(&self.shared.job) = None;
        let panic = lock(&self.shared.panic).take();
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    fn wait_for_workers(&self) {
        for _ in 0..SPINS {
            if self.shared.busy.load(Ordering::Acquire) == 0 {
                return;
            }
            std::hint::spin_loop();
        }
        let mut guard = lock(&self.shared.job);
        while self.shared.busy.load(Ordering::Acquire) != 0 {
            guard = self.shared.done.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let _guard = lock(&self.shared.job);
            self.shared.stop.store(true, Ordering::Relaxed);
            self.shared.epoch.fetch_add(1, Ordering::Release);
            self.shared.start.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker catches its panics, so there is nothing to report here.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish()
    }
}

fn work(shared: &Shared, thread: usize) {
    let mut seen = 0;
    loop {
        let job = wait_for_job(shared, &mut seen);
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        if let Some(job) = job {
            take_tiles(shared, &job, thread);
        }
        if shared.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _guard = lock(&shared.job);
            shared.done.notify_all();
        }
    }
}

fn wait_for_job(shared: &Shared, seen: &mut usize) -> Option<Job> {
    for _ in 0..SPINS {
        if shared.epoch.load(Ordering::Acquire) != *seen {
            break;
        }
        std::hint::spin_loop();
    }
    let mut guard = lock(&shared.job);
    while shared.epoch.load(Ordering::Acquire) == *seen {
        guard = shared.start.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    *seen = shared.epoch.load(Ordering::Acquire);
    guard.clone()
}

fn take_tiles(shared: &Shared, job: &Job, thread: usize) {
    let result = catch_unwind(AssertUnwindSafe(|| {
        loop {
            let tile = job.next.fetch_add(1, Ordering::Relaxed);
            if tile >= job.tiles {
                return;
            }
            (job.body)(tile, thread);
        }
    }));
    if let Err(payload) = result {
        job.next.store(job.tiles, Ordering::Relaxed);
        let mut first = lock(&shared.panic);
        match *first {
            // Dropping a payload may panic, which must not unwind a caller whose workers are still at the loop.
            Some(_) => std::mem::forget(payload),
            None => *first = Some(payload),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pointer that loops may share between threads: each tile writes its own part of what it points to.
#[derive(Debug)]
pub struct SharedMut<T>(*mut T);

impl<T> Clone for SharedMut<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SharedMut<T> {}

// SAFETY: the pointer itself may go to any thread; using it is unsafe, and whoever does keeps the parts apart.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    /// Shares a slice; the borrow ends here, so the caller keeps the slice alive and alone for the length of the loop.
    pub fn new(slice: &mut [T]) -> Self {
        SharedMut(slice.as_mut_ptr())
    }

    /// The pointer.
    pub fn ptr(self) -> *mut T {
        self.0
    }

    /// A part of the slice.
    ///
    /// # Safety
    /// `offset..offset + len` lies inside the slice, which is alive, and no other thread touches it meanwhile.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part<'a>(self, offset: usize, len: usize) -> &'a mut [T] {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(offset), len) }
    }
}

/// The `part`-th of `parts` ranges that cut 0..`total` as evenly as can be, in order.
pub fn even_range(total: usize, parts: usize, part: usize) -> std::ops::Range<usize> {
    let (base, extra) = (total / parts, total % parts);
    let start = part * base + part.min(extra);
    start..start + base + usize::from(part < extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_runs_once_on_a_thread_of_its_own_scratch() {
        for threads in [0, 1, 2, 5] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads.max(1));
            let in_use: Vec<AtomicBool> = (0..pool.threads()).map(|_| AtomicBool::new(false)).collect();
            for tiles in [0, 1, 2, 7, 1000] {
                let counts: Vec<AtomicUsize> = (0..tiles).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tiles, &|tile, thread| {
                    assert!(!in_use[thread].swap(true, Ordering::SeqCst));
                    counts[tile].fetch_add(1, Ordering::SeqCst);
                    in_use[thread].store(false, Ordering::SeqCst);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::SeqCst) == 1));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(3);
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(100, &|tile, _| assert!(tile != 50, "tile fifty"));
        }));
        assert!(result.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(10, &|tile, _| {
            sum.fetch_add(tile, Ordering::SeqCst);
        });
        assert_eq!(sum.load(Ordering::SeqCst), 45);
    }

    #[test]
    fn even_ranges_cover_everything_once() {
        for (total, parts) in [(10, 3), (2, 5), (0, 2), (16, 4)] {
            let mut next = 0;
            for part in 0..parts {
                let range = even_range(total, parts, part);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, total);
        }
    }
}
