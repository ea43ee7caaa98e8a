//! Many files through one detector: several threads decode, gate and prepare while the network runs.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use super::{Detection, Detector, Prepared};
use crate::ModelError;

/// What a decoding thread makes of a file.
type Decoded = Result<Prepared, ModelError>;

impl Detector {
    /// Reads many files: several threads decode and prepare while the network runs. `each` is called on this thread for every
    /// file, in the order given, whether it could be read or not, and may stop the pipeline by returning `false`. No more than a
    /// few films are held at any time, and of large files (64 MiB) one is decoded at a time.
    ///
    /// # Errors
    /// When the network fails; what is wrong with a file is given to `each`.
    pub fn read_files(
        &mut self,
        files: &[PathBuf],
        mut each: impl FnMut(usize, Result<Detection, ModelError>) -> bool,
    ) -> Result<(), ModelError> {
        let n_decoders = self.threads.clamp(1, 8).min(files.len());
        // The decoding threads gate and resize, while the network runs on this one.
        let preparer = &self.preparer();
        let turns = &Turns::default();
        std::thread::scope(|scope| {
            let _last = turns.all_at_the_end();
            // Decoder d takes files d, d + n, d + 2n, …, so taking from the decoders in turn keeps the order, and each channel's
            // bound keeps the memory.
            let decoders: Vec<Receiver<Decoded>> = (0..n_decoders)
                .map(|decoder| {
                    let (sender, receiver) = sync_channel(1);
                    scope.spawn(move || {
                        for (index, path) in files.iter().enumerate().skip(decoder).step_by(n_decoders) {
                            if is_large(path) {
                                turns.wait_for(index);
                            }
                            if sender.send(preparer.prepare(path)).is_err() {
                                return;
                            }
                        }
                    });
                    receiver
                })
                .collect();
            let mut waiting: Vec<Decoded> = Vec::new();
            for index in 0..files.len() {
                let decoded = decoders[index % n_decoders].recv();
                waiting.push(decoded.map_err(|_| ModelError::Internal("a decoding thread ended early".into()))?);
                let n_admitted = waiting.iter().filter(|decoded| matches!(decoded, Ok(Prepared(Ok(_))))).count();
                let is_last = index + 1 == files.len();
                // What no film of the network's waits before is handed over at once.
                if n_admitted > 0 && n_admitted < self.batch && !is_last {
                    turns.reach(index + 1);
                    continue;
                }
                let first = index + 1 - waiting.len();
                if !self.hand_over(first, &mut waiting, &mut each)? {
                    return Ok(());
                }
                turns.reach(index + 1);
            }
            Ok(())
        })
    }

    /// Runs the network on the films that wait and hands everything over in order.
    fn hand_over(
        &mut self,
        first: usize,
        waiting: &mut Vec<Decoded>,
        each: &mut impl FnMut(usize, Result<Detection, ModelError>) -> bool,
    ) -> Result<bool, ModelError> {
        let mut admitted = Vec::new();
        let mut others = Vec::with_capacity(waiting.len());
        for decoded in waiting.drain(..) {
            match decoded {
                Ok(Prepared(Ok(film))) => {
                    admitted.push(film);
                    others.push(None);
                }
                Ok(Prepared(Err(not_read))) => others.push(Some(Ok(*not_read))),
                Err(error) => others.push(Some(Err(error))),
            }
        }
        let mut read = if admitted.is_empty() { Vec::new() } else { self.predict(admitted)? }.into_iter();
        for (i, other) in others.into_iter().enumerate() {
            let missing = || ModelError::Internal("the network gave too few predictions".into());
            let result = other.unwrap_or_else(|| read.next().ok_or_else(missing));
            if !each(first + i, result) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// From this many bytes on, a file is decoded alone: a film of 100 megapixels takes more than a gigabyte while it is.
const LARGE_FILE: u64 = 64 << 20;

fn is_large(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() >= LARGE_FILE)
}

/// How many files have been dealt with, for those who wait for their turn.
#[derive(Default)]
struct Turns {
    done: Mutex<usize>,
    moved: Condvar,
}

impl Turns {
    /// Waits until all files before this one are dealt with.
    fn wait_for(&self, index: usize) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(done, |done| *done < index).unwrap_or_else(PoisonError::into_inner));
    }

    fn reach(&self, done: usize) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = done;
        self.moved.notify_all();
    }

    /// Lets everybody go when it is dropped: nobody must wait for a pipeline that has stopped.
    fn all_at_the_end(&self) -> impl Drop + '_ {
        struct All<'a>(&'a Turns);
        impl Drop for All<'_> {
            fn drop(&mut self) {
                self.0.reach(usize::MAX);
            }
        }
        All(self)
    }
}
