//! Gallas' unbiased covariance of two endpoints (2006, *Academic Radiology* 13: 353–362), also of readers with other cases.

use super::matrix::symmetric;
use super::merit::{Endpoint, Merit, win};
use super::study::Cell;
use crate::estimate::{Reason, Undefined};

/// θθ' less the mean product over pairs of cases that share none: the latter estimates the product of the two expectations, the
/// former the expectation of the product.
pub(super) fn covariance(cells: &[&Cell], merits: &[Merit]) -> Result<Vec<Vec<f64>>, Undefined> {
    // Two readers with only one case of a class in all have no pair of cases that differ.
    let smallest = merits.iter().flat_map(|merit| [merit.positives, merit.negatives]).filter(|&n| n > 0).min();
    if let Some(n @ 0..2) = smallest {
        return Err(Undefined::new("unbiased covariance", Reason::TooFew { n, needed: 2 }));
    }
    Ok(symmetric(cells.len(), |a, b| {
        let common = Common::of([cells[a], cells[b]], [&merits[a], &merits[b]]);
        merits[a].value * merits[b].value - common.independent_product()
    }))
}

/// The cases that two cells share.
struct Common<'c> {
    cells: [&'c Cell; 2],
    merits: [&'c Merit; 2],
    /// Places of each common case of the positive class in either cell, and of the negative class.
    places: [Vec<[usize; 2]>; 2],
}

impl<'c> Common<'c> {
    fn of(cells: [&'c Cell; 2], merits: [&'c Merit; 2]) -> Self {
        let mut places = [Vec::new(), Vec::new()];
        for (place, case) in cells[0].cases.iter().enumerate() {
            if let Ok(other) = cells[1].cases.binary_search(case)
                && merits[0].components[place].is_some()
            {
                places[usize::from(!cells[0].truth[place])].push([place, other]);
            }
        }
        Self { cells, merits, places }
    }

    /// The sum over one class's common cases of the products of their components.
    fn products(&self, class: usize) -> f64 {
        let component = |side: usize, place: usize| self.merits[side].components[place].unwrap_or_default();
        self.places[class].iter().map(|&[a, b]| component(0, a) * component(1, b)).sum()
    }

    /// The mean product over pairs that share no case.
    fn independent_product(&self) -> f64 {
        let [a, b] = self.merits;
        let [positives, negatives] = [0, 1].map(|class| self.places[class].len() as f64);
        let [(ma, na), (mb, nb)] = [a, b].map(|merit| (merit.positives as f64, merit.negatives as f64));
        if a.endpoint != Endpoint::Area {
            let (of_a, of_b, common, class) = if ma > 0.0 { (ma, mb, positives, 0) } else { (na, nb, negatives, 1) };
            return (of_a * a.value * of_b * b.value - self.products(class)) / (of_a * of_b - common);
        }
        let sum = ma * na * a.value * mb * nb * b.value - na * nb * self.products(0) - ma * mb * self.products(1)
            + self.products_of_pairs();
        sum / (ma * na * mb * nb - positives * na * nb - negatives * ma * mb + positives * negatives)
    }

    /// The sum over pairs of a common positive and a common negative case of the products of their wins.
    fn products_of_pairs(&self) -> f64 {
        let [a, b] = self.cells;
        let mut sum = 0.0;
        for &[i, k] in &self.places[0] {
            for &[j, l] in &self.places[1] {
                sum += win(a.ratings[i], a.ratings[j]) * win(b.ratings[k], b.ratings[l]);
            }
        }
        sum
    }
}
