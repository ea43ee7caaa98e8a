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

    /// The films of a training epoch: slot and class of each, and its patient by number.
    pub(crate) fn epoch(stage: &Stage, films: &[(usize, usize)], patients: &[usize], seed: u64, epoch: usize) -> Plan {
        let targets: Vec<usize> = films.iter().map(|(_, target)| *target).collect();
        let n = steps_per_epoch(stage, targets.len()) * stage.batch;
        let patients = (stage.order == Order::Patients).then_some(patients);
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
