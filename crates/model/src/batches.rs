//! The order in which films are learned from, and batches that a thread of its own prepares one step ahead.

use std::sync::mpsc::sync_channel;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::ModelError;
use crate::augment::{Augment, Variation};
use crate::cache::FilmCache;
use crate::recipe::{ClassBalance, Stage};

/// Batches that are ready before they are asked for.
const AHEAD: usize = 1;

/// Films of one part of a split: where each lies in the cache, and its class.
pub(crate) struct Films<'a> {
    pub cache: &'a FilmCache,
    /// Slot in the cache and class of each film.
    pub films: Vec<(usize, usize)>,
}

/// What to read, in which order and how varied.
pub(crate) struct Plan {
    /// Indices into [`Films::films`].
    pub order: Vec<usize>,
    /// Films in a batch; the last may have fewer.
    pub batch: usize,
    /// The ranges to vary in, the seed and the epoch.
    pub augment: Option<(Augment, u64, usize)>,
}

impl Plan {
    /// Every film once, in order, as it is.
    pub(crate) fn in_order(n_films: usize, batch: usize) -> Plan {
        Plan { order: (0..n_films).collect(), batch, augment: None }
    }

    /// The films of a training epoch.
    pub(crate) fn epoch(stage: &Stage, films: &Films<'_>, seed: u64, epoch: usize) -> Plan {
        let targets: Vec<usize> = films.films.iter().map(|(_, target)| *target).collect();
        let n = steps_per_epoch(stage, targets.len()) * stage.batch;
        let order = epoch_order(&targets, stage.class_balance, n, seed, epoch);
        Plan { order, batch: stage.batch, augment: Some((stage.augment, seed, epoch)) }
    }

    /// Number of batches.
    pub(crate) fn n_batches(&self) -> usize {
        self.order.len().div_ceil(self.batch)
    }
}

/// Batches of a training epoch.
pub(crate) fn steps_per_epoch(stage: &Stage, n_films: usize) -> usize {
    stage.steps_per_epoch.unwrap_or_else(|| n_films.div_ceil(stage.batch))
}

/// The first `n` of one random permutation of the films after another; no permutation begins before the last is used up. With
/// [`ClassBalance::Even`] what is permuted holds every class equally often, rarer classes' films repeated.
pub(crate) fn epoch_order(targets: &[usize], balance: ClassBalance, n: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Augmentation draws from streams below 2^63; orders have their own above.
    rng.set_stream((1 << 63) | epoch as u64);
    let mut order = Vec::with_capacity(n + targets.len());
    while order.len() < n {
        let mut round: Vec<usize> = match balance {
            ClassBalance::AsIs => (0..targets.len()).collect(),
            ClassBalance::Even => even_round(targets, &mut rng),
        };
        round.shuffle(&mut rng);
        order.append(&mut round);
    }
    order.truncate(n);
    order
}

/// As many films of each class as the most frequent class has.
fn even_round(targets: &[usize], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let n_classes = targets.iter().max().map_or(0, |most| most + 1);
    let mut classes: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (i, &target) in targets.iter().enumerate() {
        classes[target].push(i);
    }
    let most = classes.iter().map(Vec::len).max().unwrap_or(0);
    let mut round = Vec::with_capacity(most * n_classes);
    for mut class in classes.into_iter().filter(|class| !class.is_empty()) {
        class.shuffle(rng);
        round.extend(class.iter().cycle().take(most));
    }
    round
}

/// Images (values 0..=1, one after the other) and their classes.
pub(crate) struct Batch {
    pub images: Vec<f32>,
    pub targets: Vec<usize>,
}

impl Films<'_> {
    fn batch(&self, plan: &Plan, index: usize) -> Result<Batch, ModelError> {
        let size = self.cache.size();
        let places = index * plan.batch..((index + 1) * plan.batch).min(plan.order.len());
        let mut batch =
            Batch { images: vec![0.0; places.len() * size * size], targets: Vec::with_capacity(places.len()) };
        let mut pixels = vec![0u8; size * size];
        for (place, image) in places.zip(batch.images.chunks_exact_mut(size * size)) {
            let (slot, target) = self.films[plan.order[place]];
            self.cache.read(slot, &mut pixels)?;
            let variation = match &plan.augment {
                Some((augment, seed, epoch)) => augment.draw(*seed, *epoch, place),
                None => Variation::NONE,
            };
            variation.apply(&pixels, size, image);
            batch.targets.push(target);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_holds_every_film_once_and_then_begins_again() {
        let order = epoch_order(&[0; 10], ClassBalance::AsIs, 16, 1, 0);
        let mut first = order[..10].to_vec();
        first.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
        let mut rest = order[10..].to_vec();
        rest.sort_unstable();
        rest.dedup();
        assert_eq!(rest.len(), 6);
        assert_eq!(order, epoch_order(&[0; 10], ClassBalance::AsIs, 16, 1, 0));
        assert_ne!(order, epoch_order(&[0; 10], ClassBalance::AsIs, 16, 1, 1));
        assert_ne!(order, epoch_order(&[0; 10], ClassBalance::AsIs, 16, 2, 0));
    }

    #[test]
    fn even_classes_are_seen_equally_often() {
        let targets = [0, 0, 0, 0, 0, 0, 1, 1, 2];
        let order = epoch_order(&targets, ClassBalance::Even, 18, 3, 0);
        for class in 0..3 {
            assert_eq!(order.iter().filter(|i| targets[**i] == class).count(), 6, "class {class}");
        }
        let seen: std::collections::BTreeSet<_> = order.into_iter().collect();
        assert_eq!(seen.len(), 9);
    }
}
