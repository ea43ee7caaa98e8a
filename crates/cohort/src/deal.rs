//! What a split deals out: the sets of films that must stay together, and the order in which they are drawn.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::error::CohortError;
use crate::sample::Sample;

/// The smallest sets of samples that must stay together: those of a patient. Checks that every sample has a patient and that no film
/// is there twice.
pub(crate) fn units(samples: &[Sample]) -> Result<Vec<Vec<usize>>, CohortError> {
    let mut seen = BTreeSet::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (i, sample) in samples.iter().enumerate() {
        if sample.patient.is_empty() {
            return Err(CohortError::NoPatient { image_id: sample.image_id.clone() });
        }
        if !seen.insert(&sample.image_id) {
            return Err(CohortError::SharedFilm { image_id: sample.image_id.clone() });
        }
        // In the order of each patient's first film.
        let place = *places.entry(&sample.patient).or_insert_with(|| {
            units.push(Vec::new());
            units.len() - 1
        });
        units[place].push(i);
    }
    Ok(units)
}

pub(crate) fn class_counts(samples: &[Sample]) -> Vec<f64> {
    let classes = samples.iter().map(|sample| sample.target + 1).max().unwrap_or(0);
    counts_of(samples, &(0..samples.len()).collect::<Vec<_>>(), classes)
}

pub(crate) fn counts_of(samples: &[Sample], unit: &[usize], classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; classes];
    unit.iter().for_each(|&i| counts[samples[i].target] += 1.0);
    counts
}

/// The units in the order in which they are dealt out: those with many films first, so that the ones with a single film
/// even out the rounding at the end; within the units of equal counts, at random.
pub(crate) fn draw_order(samples: &[Sample], units: &[Vec<usize>], classes: usize, seed: u64) -> Vec<Vec<usize>> {
    type Alike = (Reverse<usize>, Vec<u64>);
    let mut alike: BTreeMap<Alike, Vec<Vec<usize>>> = BTreeMap::new();
    for unit in units {
        let counts = counts_of(samples, unit, classes).iter().map(|&count| count as u64).collect();
        alike.entry((Reverse(unit.len()), counts)).or_default().push(unit.clone());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    alike
        .into_values()
        .flat_map(|mut units| {
            units.shuffle(&mut rng);
            units
        })
        .collect()
}
