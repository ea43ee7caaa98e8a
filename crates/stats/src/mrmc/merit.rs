//! The endpoint of one reader under one treatment, with the part that each case has in it.

use super::study::Cell;
use crate::auc::placements;
use crate::estimate::{Reason, Undefined};
use crate::scored::{Groups, Scored, area};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Endpoint {
    /// The area under the empirical ROC curve.
    #[default]
    Area,
    /// The proportion of positive cases with a rating of at least this much.
    Sensitivity(f64),
    /// The proportion of negative cases with a rating below this.
    Specificity(f64),
}

impl Endpoint {
    /// The endpoint's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Area => "AUC",
            Self::Sensitivity(_) => "sensitivity",
            Self::Specificity(_) => "specificity",
        }
    }

    /// The endpoint's name as a key of JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Area => "auc",
            Self::Sensitivity(_) => "sensitivity",
            Self::Specificity(_) => "specificity",
        }
    }

    /// Whether a negative case has a part in it, and whether a positive one has.
    fn needs(self) -> (bool, bool) {
        match self {
            Self::Area => (true, true),
            Self::Sensitivity(_) => (false, true),
            Self::Specificity(_) => (true, false),
        }
    }
}

/// An endpoint's value and the structural components behind it: the value is the mean of the components of either class that has any.
pub(super) struct Merit {
    pub endpoint: Endpoint,
    pub value: f64,
    /// Each case's component, in the cell's order; `None` where it has no part in the endpoint.
    pub components: Vec<Option<f64>>,
    /// Positive cases with a part in the endpoint.
    pub positives: usize,
    /// Negative cases with a part in it.
    pub negatives: usize,
}

impl Merit {
    /// # Errors
    /// Undefined with fewer than `needed` cases of a class that the endpoint needs.
    pub fn of(cell: &Cell, endpoint: Endpoint, needed: usize) -> Result<Self, Undefined> {
        let statistic = endpoint.name();
        let sample = Scored::new(&cell.ratings, &cell.truth)?;
        let (needs_negatives, needs_positives) = endpoint.needs();
        for (needs, n, none) in [
            (needs_positives, sample.cases(), Reason::NoCases),
            (needs_negatives, sample.controls(), Reason::NoControls),
        ] {
            if needs && n == 0 {
                return Err(Undefined::new(statistic, none));
            }
            if needs && n < needed {
                return Err(Undefined::new(statistic, Reason::TooFew { n, needed }));
            }
        }
        let (value, components) = match endpoint {
            Endpoint::Area => {
                let placed = placements(sample)?;
                let (mut positive, mut negative) = (placed.cases.into_iter(), placed.controls.into_iter());
                let component = |&truth: &bool| if truth { positive.next() } else { negative.next() };
                (placed.auc, cell.truth.iter().map(component).collect())
            }
            Endpoint::Sensitivity(threshold) => shares(cell, true, |rating| rating >= threshold),
            Endpoint::Specificity(threshold) => shares(cell, false, |rating| rating < threshold),
        };
        let count = |needs: bool, n: usize| if needs { n } else { 0 };
        Ok(Self {
            endpoint,
            value,
            components,
            positives: count(needs_positives, sample.cases()),
            negatives: count(needs_negatives, sample.controls()),
        })
    }

    /// Each case's component less the value, with the number of its class's cases.
    pub fn centered<'c>(&'c self, cell: &'c Cell) -> impl Iterator<Item = (usize, bool, f64)> + 'c {
        let parts = cell.cases.iter().zip(&cell.truth).zip(&self.components);
        parts.filter_map(|((&case, &truth), component)| component.map(|v| (case, truth, v - self.value)))
    }
}

/// The mean of a test over one class, and each case's result.
fn shares(cell: &Cell, class: bool, right: impl Fn(f64) -> bool) -> (f64, Vec<Option<f64>>) {
    let results: Vec<Option<f64>> = cell
        .ratings
        .iter()
        .zip(&cell.truth)
        .map(|(&rating, &truth)| (truth == class).then(|| f64::from(u8::from(right(rating)))))
        .collect();
    let of_class = || results.iter().flatten();
    (of_class().sum::<f64>() / of_class().count() as f64, results)
}

/// Whether a positive case's rating is right beside a negative one's: 1, ½ for a tie, or 0.
pub(super) fn win(positive: f64, negative: f64) -> f64 {
    if positive > negative {
        1.0
    } else if positive == negative {
        0.5
    } else {
        0.0
    }
}

/// A cell that is resampled: its endpoint from how often each case was drawn.
pub(super) enum Resampled<'c> {
    /// The area, from the groups of equal ratings.
    Area(&'c Cell, Groups),
    /// A proportion, from each case's result.
    Share(&'c Cell, Vec<Option<f64>>),
}

impl<'c> Resampled<'c> {
    pub fn new(cell: &'c Cell, merit: Merit) -> Result<Self, Undefined> {
        Ok(match merit.endpoint {
            Endpoint::Area => Self::Area(cell, Groups::new(Scored::new(&cell.ratings, &cell.truth)?)),
            _ => Self::Share(cell, merit.components),
        })
    }

    /// The endpoint where the study's case k counts `counts[k]` times; `None` where it is undefined.
    pub fn value(&self, counts: &[u32]) -> Option<f64> {
        match self {
            Self::Area(cell, groups) => {
                let (mut positives, mut negatives) = (vec![0u64; groups.values.len()], vec![0u64; groups.values.len()]);
                for ((&case, &truth), &group) in cell.cases.iter().zip(&cell.truth).zip(&groups.of) {
                    let of_class = if truth { &mut positives } else { &mut negatives };
                    of_class[group] += u64::from(counts[case]);
                }
                area(&positives, &negatives)
            }
            Self::Share(cell, results) => {
                let (mut right, mut all) = (0.0, 0u64);
                for (&case, result) in cell.cases.iter().zip(results) {
                    if let Some(result) = result {
                        right += result * f64::from(counts[case]);
                        all += u64::from(counts[case]);
                    }
                }
                (all > 0).then(|| right / all as f64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        let truth = vec![true, false, true, false, true];
        Cell { cases: vec![0, 2, 3, 4, 6], truth, ratings: vec![3.0, 1.0, 1.0, 2.0, 5.0] }
    }

    #[test]
    fn endpoints_are_the_means_of_their_components() {
        let cell = cell();
        let sensitivity = Merit::of(&cell, Endpoint::Sensitivity(3.0), 1).unwrap();
        assert_eq!((sensitivity.value, sensitivity.positives, sensitivity.negatives), (2.0 / 3.0, 3, 0));
        let specificity = Merit::of(&cell, Endpoint::Specificity(2.0), 1).unwrap();
        assert_eq!(specificity.components, [None, Some(1.0), None, Some(0.0), None]);
        let area = Merit::of(&cell, Endpoint::Area, 1).unwrap();
        assert_eq!(area.value, 4.5 / 6.0);
        for merit in [sensitivity, specificity, area] {
            let sum: f64 = merit.centered(&cell).map(|(_, truth, v)| if truth { v } else { 0.0 }).sum();
            assert!(sum.abs() < 1e-15);
            let whole = merit.value;
            assert_eq!(Resampled::new(&cell, merit).unwrap().value(&[1; 7]), Some(whole));
        }
    }

    #[test]
    fn a_class_without_cases_is_undefined() {
        let none = Cell { cases: vec![0, 1], truth: vec![false; 2], ratings: vec![1.0, 2.0] };
        assert_eq!(Merit::of(&none, Endpoint::Area, 2).err().map(|e| e.reason), Some(Reason::NoCases));
        assert!(Merit::of(&none, Endpoint::Specificity(1.5), 2).is_ok_and(|merit| merit.value == 0.5));
        let one = Merit::of(&cell(), Endpoint::Specificity(1.5), 3).err().map(|e| e.reason);
        assert_eq!(one, Some(Reason::TooFew { n: 2, needed: 3 }));
    }
}
