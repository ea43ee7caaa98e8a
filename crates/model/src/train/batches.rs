//! Batches of films, which a thread of its own prepares one step ahead.

use std::sync::mpsc::sync_channel;

use super::cache::FilmCache;
use super::patches::{Patches, cell_truth, shown};
use super::plan::Plan;
use super::variation::Variation;
use crate::ModelError;
use crate::recipe::Stage;

/// Batches that are ready before they are asked for.
const AHEAD: usize = 1;

/// Films of one part of a split: where each lies in the cache, and its class.
pub(crate) struct Films<'a> {
    pub cache: &'a FilmCache,
    /// Slot in the cache and class of each film: first the stage's own, then those of the data sets beside it.
    pub films: Vec<(usize, usize)>,
    /// How many films the data sets beside the stage's own have.
    pub beside: Vec<usize>,
    /// Pixels on each side of the network's input.
    pub size: usize,
    /// The patient of each of the stage's own films, by number.
    pub patients: Vec<usize>,
    /// Where patches are cut; `None` for whole films.
    pub patches: Option<Patches<'a>>,
    /// The findings' boxes by slot, in the network's input; given where the class activation map is taught.
    pub boxes: Option<&'a [Vec<[f32; 4]>]>,
}

/// Images (values 0..=1, one after the other) and their classes.
pub(crate) struct Batch {
    pub images: Vec<f32>,
    pub targets: Vec<usize>,
    /// Where the findings are, cell by cell of the last feature map; see [`cell_truth`].
    pub cells: Option<Vec<f32>>,
}

impl Films<'_> {
    /// The films of a training epoch.
    pub(crate) fn epoch(&self, stage: &Stage, seed: u64, epoch: usize) -> Plan {
        Plan::epoch(stage, &self.films, &self.patients, &self.beside, seed, epoch)
    }

    fn batch(&self, plan: &Plan, index: usize) -> Result<Batch, ModelError> {
        let (from, size) = (self.cache.size(), self.size);
        let places = index * plan.batch..((index + 1) * plan.batch).min(plan.order.len());
        let mut batch = Batch {
            images: vec![0.0; places.len() * size * size],
            targets: Vec::with_capacity(places.len()),
            cells: self.boxes.map(|_| Vec::new()),
        };
        let mut pixels = vec![0u8; from * from];
        for (place, image) in places.zip(batch.images.chunks_exact_mut(size * size)) {
            let (slot, target) = self.films[plan.order[place]];
            self.cache.read(slot, &mut pixels)?;
            let mut variation = match &plan.augment {
                Some((augment, seed, epoch)) => Variation::draw(augment, *seed, *epoch, place),
                None => Variation::NONE,
            };
            // Boxes that say what a patch from anywhere shows.
            let mut elsewhere = None;
            if let Some(patches) = &self.patches {
                let draw = plan.augment.as_ref().map(|(_, seed, epoch)| (*seed, *epoch, place));
                let (crop, anywhere) = patches.crop(slot, size as f64 / from as f64, draw);
                variation.crop = crop;
                elsewhere = anywhere.then_some(patches.boxes);
            }
            variation.apply(&pixels, from, image, size);
            let cells = elsewhere.or(self.boxes).map(|boxes| {
                let moved: Vec<_> = boxes[slot].iter().map(|b| variation.forward(*b, from, size)).collect();
                cell_truth(&moved, target == 1, size)
            });
            batch.targets.push(match (&cells, elsewhere) {
                (Some(cells), Some(_)) => shown(target, cells),
                _ => target,
            });
            if let (Some(taught), Some(cells)) = (&mut batch.cells, cells) {
                taught.extend(cells);
            }
        }
        Ok(batch)
    }

    /// Calls `body` with a function that gives the plan's batches from `first` on, each prepared while the one before it is used;
    /// `None` after the last.
    pub(crate) fn with_batches<R>(
        &self,
        plan: &Plan,
        first: usize,
        body: impl FnOnce(&mut dyn FnMut() -> Option<Result<Batch, ModelError>>) -> R,
    ) -> R {
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            scope.spawn(move || {
                for index in first..plan.n_batches() {
                    let batch = self.batch(plan, index);
                    let failed = batch.is_err();
                    // The receiver is gone when the body ended early.
                    if sender.send(batch).is_err() || failed {
                        return;
                    }
                }
            });
            body(&mut || receiver.recv().ok())
        })
    }
}
