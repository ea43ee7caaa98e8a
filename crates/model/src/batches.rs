//! The order in which films are learned from, and batches that a thread of its own prepares one step ahead.

use std::sync::mpsc::sync_channel;

use coxa_engine::architecture::STRIDE;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::ModelError;
use crate::augment::{Augment, Variation};
use crate::cache::FilmCache;
use crate::recipe::{ClassBalance, Order, Stage};

/// Batches that are ready before they are asked for.
const AHEAD: usize = 1;

/// Films of one part of a split: where each lies in the cache, and its class.
pub(crate) struct Films<'a> {
    pub cache: &'a FilmCache,
    /// Slot in the cache and class of each film.
    pub films: Vec<(usize, usize)>,
    /// Pixels on each side of the network's input.
    pub size: usize,
    /// Each film's patient, by number.
    pub patients: Vec<usize>,
    /// Where patches are cut; `None` for whole films.
    pub patches: Option<Patches<'a>>,
    /// The findings' boxes by slot, in the network's input; given where the class activation map is taught.
    pub boxes: Option<&'a [Vec<[f32; 4]>]>,
}

/// Patches in place of whole films.
#[derive(Clone, Copy)]
pub(crate) struct Patches<'a> {
    /// Where a patch's middle is, as fractions of the film's side, by slot; anywhere, if `None`.
    pub anchors: &'a [Option<[f64; 2]>],
    /// How far off at most, as a fraction of the patch's side.
    pub jitter: f64,
    /// Probability that a drawn patch is cut anywhere in the film.
    pub elsewhere: f64,
    /// The findings' boxes by slot, in the prepared film; they say what a patch from anywhere shows.
    pub boxes: &'a [Vec<[f32; 4]>],
}

impl Patches<'_> {
    /// The crop of a film's patch that is `keep` of the film's side: left, top and side; and whether it is from anywhere in the film.
    /// Without a draw it is centered.
    fn crop(&self, slot: usize, keep: f64, draw: Option<(u64, usize, usize)>) -> ([f64; 3], bool) {
        let mut shift = [0.5; 2];
        let mut elsewhere = false;
        if let Some((seed, epoch, place)) = draw {
            // Streams above the orders'.
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream((0b11 << 62) | ((epoch as u64) << 32) | place as u64);
            shift = [0; 2].map(|_| rng.random_range(0.0..1.0));
            elsewhere = rng.random_range(0.0..1.0) < self.elsewhere;
        }
        let [left, top] = [0, 1].map(|axis| match self.anchors[slot] {
            Some(anchor) if !elsewhere => anchor[axis] + keep * (2.0 * self.jitter * (shift[axis] - 0.5) - 0.5),
            _ => shift[axis] * (1.0 - keep),
        });
        ([left.clamp(0.0, 1.0 - keep), top.clamp(0.0, 1.0 - keep), keep], elsewhere)
    }
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
        let patients = (stage.order == Order::Patients).then_some(&films.patients[..]);
        let order = epoch_order(&targets, patients, stage.class_balance, n, seed, epoch);
        Plan { order, batch: stage.batch, augment: Some((stage.augment, seed, epoch)) }
    }

    /// The first `n` batches alone.
    pub(crate) fn first(mut self, n: usize) -> Plan {
        self.order.truncate(n.saturating_mul(self.batch));
        self
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
/// [`ClassBalance::Even`] what is permuted holds every class equally often, rarer classes' films repeated. Where `patients` are given
/// (each film's), they are what is permuted, and a patient's films follow each other.
pub(crate) fn epoch_order(
    targets: &[usize],
    patients: Option<&[usize]>,
    balance: ClassBalance,
    n: usize,
    seed: u64,
    epoch: usize,
) -> Vec<usize> {
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
        if let Some(patients) = patients {
            // Patients in the order of their first films.
            let mut rank = vec![usize::MAX; patients.iter().max().map_or(0, |most| most + 1)];
            for (place, &film) in round.iter().enumerate() {
                let rank = &mut rank[patients[film]];
                *rank = place.min(*rank);
            }
            round.sort_by_key(|&film| rank[patients[film]]);
        }
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
    /// Where the findings are, cell by cell of the last feature map; see [`cell_truth`].
    pub cells: Option<Vec<f32>>,
}

/// What each cell of the last feature map, a square of [`STRIDE`] pixels, shows: 1 where a box covers half of it (or it holds a
/// box's center), 0 where no box touches it, not a number between, and everywhere if the finding is there but its place is not known.
pub(crate) fn cell_truth(boxes: &[[f32; 4]], present: bool, size: usize) -> Vec<f32> {
    let side = size / STRIDE;
    if present && boxes.is_empty() {
        return vec![f32::NAN; side * side];
    }
    let stride = STRIDE as f32;
    let mut truth = vec![0.0; side * side];
    for &[x, y, width, height] in boxes {
        let overlap = |cell: usize, from: f32, length: f32| {
            let begin = cell as f32 * stride;
            ((from + length).min(begin + stride) - from.max(begin)).max(0.0) / stride
        };
        for (index, cell) in truth.iter_mut().enumerate() {
            let (column, row) = (index % side, index / side);
            let covered = overlap(column, x, width) * overlap(row, y, height);
            let holds = |cell: usize, middle: f32| (middle / stride).floor() == cell as f32;
            if covered >= 0.5 || holds(column, x + 0.5 * width) && holds(row, y + 0.5 * height) {
                *cell = 1.0;
            } else if covered > 0.0 && *cell == 0.0 {
                *cell = f32::NAN;
            }
        }
    }
    truth
}

/// The class of a patch from anywhere in a film of class `target`: present only if a cell shows it, or if its place in the film is not
/// known.
fn shown(target: usize, cells: &[f32]) -> usize {
    let unknown = cells.iter().all(|cell| cell.is_nan());
    usize::from(target == 1 && (unknown || cells.contains(&1.0)))
}

impl Films<'_> {
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
                Some((augment, seed, epoch)) => augment.draw(*seed, *epoch, place),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_holds_every_film_once_and_then_begins_again() {
        let order = epoch_order(&[0; 10], None, ClassBalance::AsIs, 16, 1, 0);
        let mut first = order[..10].to_vec();
        first.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
        let mut rest = order[10..].to_vec();
        rest.sort_unstable();
        rest.dedup();
        assert_eq!(rest.len(), 6);
        assert_eq!(order, epoch_order(&[0; 10], None, ClassBalance::AsIs, 16, 1, 0));
        assert_ne!(order, epoch_order(&[0; 10], None, ClassBalance::AsIs, 16, 1, 1));
        assert_ne!(order, epoch_order(&[0; 10], None, ClassBalance::AsIs, 16, 2, 0));
    }

    #[test]
    fn films_of_a_patient_follow_each_other() {
        let patients = [0, 1, 2, 3, 0, 1, 2, 3];
        let order = epoch_order(&[0; 8], Some(&patients), ClassBalance::AsIs, 8, 5, 0);
        assert!(order.chunks(2).all(|pair| patients[pair[0]] == patients[pair[1]]), "{order:?}");
        let mut films = order.clone();
        films.sort_unstable();
        assert_eq!(films, (0..8).collect::<Vec<_>>());
        assert_ne!(order, epoch_order(&[0; 8], Some(&patients), ClassBalance::AsIs, 8, 5, 1));
    }

    #[test]
    fn patches_stay_in_the_film_and_about_their_box() {
        let anchors = [Some([0.5, 0.4]), Some([0.02, 0.99]), None];
        let patches = Patches { anchors: &anchors, jitter: 0.25, elsewhere: 0.0, boxes: &[] };
        assert_eq!(patches.crop(0, 0.5, None), ([0.25, 0.4 - 0.25, 0.5], false));
        assert_eq!(patches.crop(1, 0.5, None), ([0.0, 0.5, 0.5], false));
        for place in 0..200 {
            for (slot, anchor) in anchors.iter().enumerate() {
                let ([left, top, keep], elsewhere) = patches.crop(slot, 0.5, Some((3, 1, place)));
                assert!(left >= 0.0 && top >= 0.0 && left + keep <= 1.0 && top + keep <= 1.0 && !elsewhere);
                if let Some([x, y]) = anchor {
                    assert!((left..=left + keep).contains(x) && (top..=top + keep).contains(y));
                }
            }
        }
        // A share of them anywhere; the others as they were.
        let wider = Patches { elsewhere: 0.3, ..patches };
        let mut n_elsewhere = 0;
        for place in 0..400 {
            let draw = Some((3, 1, place));
            let (crop, elsewhere) = wider.crop(0, 0.5, draw);
            n_elsewhere += usize::from(elsewhere);
            assert!(elsewhere || crop == patches.crop(0, 0.5, draw).0);
            assert!(crop[..2].iter().all(|edge| (0.0..=0.5).contains(edge)));
        }
        assert!((80..160).contains(&n_elsewhere), "{n_elsewhere} of 400");
        assert_eq!(wider.crop(0, 0.5, None), patches.crop(0, 0.5, None));
    }

    #[test]
    fn cells_are_told_by_what_covers_them() {
        let nan = f32::NAN;
        let same = |found: &[f32], wanted: &[f32]| {
            assert!(found.iter().zip(wanted).all(|(a, b)| a == b || a.is_nan() && b.is_nan()), "{found:?}");
        };
        // The upper left cell whole, half of the one on its right, a sliver of the two below.
        same(&cell_truth(&[[0.0, 0.0, 48.0, 36.0]], true, 96), &[1.0, 1.0, 0.0, nan, nan, 0.0, 0.0, 0.0, 0.0]);
        // A box smaller than a cell is where its center is.
        same(&cell_truth(&[[30.0, 70.0, 8.0, 8.0]], true, 96), &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, nan, 1.0, 0.0]);
        same(&cell_truth(&[], false, 64), &[0.0; 4]);
        same(&cell_truth(&[], true, 64), &[nan; 4]);
    }

    #[test]
    fn a_patch_from_anywhere_is_labeled_by_what_it_holds() {
        let broken = [[10.0, 10.0, 40.0, 40.0]];
        assert_eq!(shown(1, &cell_truth(&broken, true, 96)), 1);
        assert_eq!(shown(1, &cell_truth(&[[-60.0, 10.0, 40.0, 40.0]], true, 96)), 0);
        // A sliver of the box is neither.
        assert_eq!(shown(1, &cell_truth(&[[-36.0, 10.0, 40.0, 40.0]], true, 96)), 0);
        assert_eq!(shown(1, &cell_truth(&[], true, 96)), 1);
        assert_eq!(shown(0, &cell_truth(&[], false, 96)), 0);
    }

    #[test]
    fn even_classes_are_seen_equally_often() {
        let targets = [0, 0, 0, 0, 0, 0, 1, 1, 2];
        let order = epoch_order(&targets, None, ClassBalance::Even, 18, 3, 0);
        for class in 0..3 {
            assert_eq!(order.iter().filter(|i| targets[**i] == class).count(), 6, "class {class}");
        }
        let seen: std::collections::BTreeSet<_> = order.into_iter().collect();
        assert_eq!(seen.len(), 9);
    }
}
