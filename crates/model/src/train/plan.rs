//! The order in which films are learned from.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::recipe::{Augment, ClassBalance, Order, Stage};

/// What to read, in which order and how varied.
pub(crate) struct Plan {
    /// Indices of films.
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

    /// The films of a training epoch: slot and class of each, first the stage's own (`patients` has the patient of each by number),
    /// then those of the data sets beside it, `beside` films of each. Every batch begins with its own.
    pub(crate) fn epoch(
        stage: &Stage,
        films: &[(usize, usize)],
        patients: &[usize],
        beside: &[usize],
        seed: u64,
        epoch: usize,
    ) -> Plan {
        let targets: Vec<usize> = films.iter().map(|(_, target)| *target).collect();
        let n_own = targets.len() - beside.iter().sum::<usize>();
        let (n_batches, own) = (steps_per_epoch(stage, n_own), stage.own_in_batch());
        let by_patient = (stage.order == Order::Patients).then_some(patients);
        let of_own = epoch_order(&targets[..n_own], by_patient, stage.class_balance, n_batches * own, seed, epoch);
        let mut parts = vec![(own, of_own)];
        let mut first = n_own;
        for (i, (other, &n_films)) in stage.beside.iter().zip(beside).enumerate() {
            let count = other.in_batch(stage.batch);
            // An order that does not follow the stage's own.
            let seed = seed.wrapping_add((i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let targets = &targets[first..first + n_films];
            let mut order = epoch_order(targets, None, other.class_balance, n_batches * count, seed, epoch);
            order.iter_mut().for_each(|film| *film += first);
            parts.push((count, order));
            first += n_films;
        }
        let batches = (0..n_batches).flat_map(|batch| {
            parts.iter().flat_map(move |(count, order)| order[batch * count..(batch + 1) * count].iter().copied())
        });
        Plan { order: batches.collect(), batch: stage.batch, augment: Some((stage.augment, seed, epoch)) }
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

/// Batches of a training epoch over `n_films` of the stage's own.
pub(crate) fn steps_per_epoch(stage: &Stage, n_films: usize) -> usize {
    stage.steps_per_epoch.unwrap_or_else(|| n_films.div_ceil(stage.own_in_batch()))
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
    fn other_data_sets_have_their_share_of_every_batch() {
        let text = r#"
            name = "mixed"
            seed = 1
            [[stage]]
            name = "hips"
            target = "fracture"
            validation = 0.1
            input_size = 64
            epochs = 1
            batch = 8
            steps_per_epoch = 28
            start = "scratch"
            order = "patients"
            [[stage.beside]]
            name = "limbs"
            share = 0.25
            class_balance = "even"
            [[stage.beside]]
            name = "chests"
            share = 0.1
        "#;
        let stage = &crate::Recipe::parse(text, "mixed").unwrap().stages[0];
        // 20 films of 10 patients; 9 limbs, two of them positive; 3 chests.
        let films: Vec<(usize, usize)> = (0..32).map(|i| (i, usize::from(i == 20 || i == 21))).collect();
        let patients: Vec<usize> = (0..20).map(|i| i / 2).collect();
        let plan = Plan::epoch(stage, &films, &patients, &[9, 3], 4, 0);
        assert_eq!((plan.n_batches(), plan.order.len()), (28, 28 * 8));
        for batch in plan.order.chunks(8) {
            assert!(batch[..5].iter().all(|film| *film < 20), "{batch:?}");
            assert!(batch[5..7].iter().all(|film| (20..29).contains(film)) && batch[7] >= 29, "{batch:?}");
        }
        let own: Vec<usize> = plan.order.chunks(8).flat_map(|batch| batch[..5].to_vec()).collect();
        // Seven times through the 20 films, four times through the seven limbs of each class.
        assert!((0..20).all(|film| own.iter().filter(|other| **other == film).count() == 7));
        assert!(own.chunks(2).all(|pair| patients[pair[0]] == patients[pair[1]]), "{own:?}");
        let positive = plan.order.iter().filter(|film| (20..22).contains(*film)).count();
        assert_eq!(positive, 28);
        // Its own films come in the order that they have without the others.
        let alone = Stage { beside: Vec::new(), batch: 5, ..stage.clone() };
        assert_eq!(own, Plan::epoch(&alone, &films[..20], &patients, &[], 4, 0).order);
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
