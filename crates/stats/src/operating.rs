//! The operating point: which threshold a network works at, by what rule, chosen on which data.
//!
//! ```
//! use coxa_stats::{Confusion, Rule, Scored, operating};
//!
//! let scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
//! let truth = [false, false, true, false, false, true, true, true];
//! let point = operating::choose(Scored::new(&scores, &truth)?, Rule::SensitivityAtLeast(0.9), "the example's films")?;
//! assert!((point.threshold - 0.25).abs() < 1e-12);
//! assert_eq!(Confusion::at_threshold(&scores, &truth, point.threshold)?.fn_, 0);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

use crate::estimate::{Reason, Undefined};
use crate::roc::{Roc, RocPoint};
use crate::scored::Scored;

/// How a threshold is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Rule {
    /// The largest sensitivity + specificity; of equals, the most sensitive.
    Youden,
    /// The most specific point whose sensitivity is at least this (0 to 1); of equals, the most sensitive.
    SensitivityAtLeast(f64),
    /// The most sensitive point whose specificity is at least this (0 to 1).
    SpecificityAtLeast(f64),
    /// This threshold, whatever the data.
    Fixed(f64),
}

/// A threshold with its provenance. Scores ≥ `threshold` are called positive.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OperatingPoint {
    /// The threshold; always finite.
    pub threshold: f64,
    /// The rule that chose it.
    pub rule: Rule,
    /// The data it was chosen on, for example "validation split of 2008-2016". A threshold must not be judged on these.
    pub chosen_on: String,
}

impl OperatingPoint {
    /// A threshold fixed beforehand, for example at 0.5.
    ///
    /// # Errors
    /// When `threshold` is not finite.
    pub fn fixed(threshold: f64) -> Result<Self, Undefined> {
        Ok(Self {
            threshold: finite(threshold)?,
            rule: Rule::Fixed(threshold),
            chosen_on: "fixed beforehand".to_owned(),
        })
    }
}

/// Chooses a threshold on a sample by a rule; `chosen_on` names the sample.
///
/// Thresholds are the ROC curve's midpoints, so that they generalize to scores between those seen. At the curve's ends, where
/// the midpoint would be infinite, it is the lowest score (everything is positive) or the next number above the highest score
/// (nothing is).
///
/// # Errors
/// Undefined without a case or a control ([`Rule::Fixed`] needs neither), or when the rule's target is outside [0, 1].
pub fn choose(sample: Scored<'_>, rule: Rule, chosen_on: impl Into<String>) -> Result<OperatingPoint, Undefined> {
    let threshold = match rule {
        Rule::Fixed(threshold) => finite(threshold)?,
        _ => finite_threshold(sample, chosen_point(&Roc::new(sample)?, rule)?.threshold),
    };
    Ok(OperatingPoint { threshold, rule, chosen_on: chosen_on.into() })
}

/// The curve's vertex that a rule other than a fixed threshold chooses.
fn chosen_point(roc: &Roc, rule: Rule) -> Result<RocPoint, Undefined> {
    let points = roc.points();
    // Sensitivity falls and specificity rises along the points, so that ends of runs are found by partition.
    let index = match rule {
        Rule::SensitivityAtLeast(target) => {
            unit(target)?;
            let last = points[points.partition_point(|p| p.sensitivity >= target) - 1];
            points.partition_point(|p| p.specificity < last.specificity)
        }
        Rule::SpecificityAtLeast(target) => {
            unit(target)?;
            points.partition_point(|p| p.specificity < target)
        }
        Rule::Youden | Rule::Fixed(_) => most_youden(roc),
    };
    Ok(points[index])
}

/// The first vertex, and so the most sensitive, of the largest Youden index; whole numbers make ties exact.
fn most_youden(roc: &Roc) -> usize {
    let (cases, controls) = (u128::from(roc.cases()), u128::from(roc.controls()));
    let gain = |p: &RocPoint| u128::from(p.confusion.tp) * controls + u128::from(p.confusion.tn) * cases;
    let points = roc.points();
    let mut best = 0;
    for (index, point) in points.iter().enumerate() {
        if gain(point) > gain(&points[best]) {
            best = index;
        }
    }
    best
}

fn finite_threshold(sample: Scored<'_>, threshold: f64) -> f64 {
    let scores = sample.scores().iter().copied();
    if threshold == f64::NEG_INFINITY {
        scores.fold(f64::INFINITY, f64::min)
    } else if threshold == f64::INFINITY {
        scores.fold(f64::NEG_INFINITY, f64::max).next_up()
    } else {
        threshold
    }
}

fn finite(threshold: f64) -> Result<f64, Undefined> {
    if threshold.is_finite() {
        Ok(threshold)
    } else {
        Err(Undefined::new("operating point", Reason::OutOfRange { value: threshold, expected: "a finite threshold" }))
    }
}

fn unit(target: f64) -> Result<(), Undefined> {
    if (0.0..=1.0).contains(&target) {
        Ok(())
    } else {
        Err(Undefined::new("operating point", Reason::OutOfRange { value: target, expected: "a target from 0 to 1" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confusion::Confusion;

    const SCORES: [f64; 8] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
    const TRUTH: [bool; 8] = [false, false, true, false, false, true, true, true];

    fn chosen(rule: Rule) -> (f64, Confusion) {
        let sample = Scored::new(&SCORES, &TRUTH).unwrap();
        let point = choose(sample, rule, "test").unwrap();
        let counts = Confusion::at_threshold(&SCORES, &TRUTH, point.threshold).unwrap();
        (point.threshold, counts)
    }

    #[test]
    fn rules_choose_their_points() {
        let (threshold, counts) = chosen(Rule::Youden);
        assert!((threshold - 0.55).abs() < 1e-12);
        assert_eq!((counts.tp, counts.tn), (3, 4));
        let (threshold, counts) = chosen(Rule::SensitivityAtLeast(0.9));
        assert!((threshold - 0.25).abs() < 1e-12);
        assert_eq!((counts.tp, counts.tn), (4, 2));
        let (_, counts) = chosen(Rule::SpecificityAtLeast(0.6));
        assert_eq!((counts.tp, counts.tn), (3, 3));
        let (_, counts) = chosen(Rule::SpecificityAtLeast(0.5));
        assert_eq!((counts.tp, counts.tn), (4, 2));
        assert_eq!(chosen(Rule::Fixed(0.3)).1.tp, 4);
    }

    #[test]
    fn sensitivity_is_not_given_away_where_it_costs_nothing() {
        // From 0.3 on no control is called: a lower threshold than that of the least sensitivity asked for has the same specificity.
        let (scores, truth) = ([0.1, 0.5, 0.6, 0.7, 0.8], [false, true, true, true, true]);
        let sample = Scored::new(&scores, &truth).unwrap();
        let point = choose(sample, Rule::SensitivityAtLeast(0.5), "test").unwrap();
        assert!((point.threshold - 0.3).abs() < 1e-12);
    }

    #[test]
    fn ends_are_finite() {
        let (threshold, counts) = chosen(Rule::SensitivityAtLeast(0.0));
        assert!((threshold - 0.55).abs() < 1e-12);
        assert_eq!((counts.tp, counts.fp), (3, 0));
        let sample = Scored::new(&[0.8, 0.9], &[true, false]).unwrap();
        let point = choose(sample, Rule::SensitivityAtLeast(0.0), "test").unwrap();
        assert_eq!(point.threshold, 0.9f64.next_up());
        let (threshold, counts) = chosen(Rule::SpecificityAtLeast(0.0));
        assert_eq!(threshold, 0.1);
        assert_eq!((counts.fn_, counts.tn), (0, 0));
    }

    #[test]
    fn bad_targets_are_refused() {
        let sample = Scored::new(&SCORES, &TRUTH).unwrap();
        for rule in [Rule::SensitivityAtLeast(1.5), Rule::SpecificityAtLeast(f64::NAN), Rule::Fixed(f64::INFINITY)] {
            assert!(choose(sample, rule, "test").is_err(), "{rule:?}");
        }
        let controls = [false; 8];
        let sample = Scored::new(&SCORES, &controls).unwrap();
        assert!(choose(sample, Rule::Youden, "test").is_err());
        assert!(choose(sample, Rule::Fixed(0.5), "test").is_ok());
    }
}
