//! The empirical ROC curve with pROC's thresholds, its coordinates, its partial areas, and bootstrap intervals of them.
//!
//! ```
//! use coxa_stats::roc::Part;
//! use coxa_stats::{Roc, Scored};
//!
//! let scores = [0.1, 0.4, 0.35, 0.8];
//! let truth = [false, false, true, true];
//! let curve = Roc::new(Scored::new(&scores, &truth)?)?;
//! assert_eq!(curve.auc(), 0.75);
//! assert_eq!(curve.sensitivity_at(0.5)?, 1.0);
//! let part = curve.partial_auc(Part::of_specificities(0.5, 1.0))?;
//! assert!((part - 0.25).abs() < 1e-12);
//! # Ok::<(), coxa_stats::Undefined>(())
//! ```

mod partial;
mod resampled;

pub use self::partial::{Correction, Focus, Part};
use self::partial::{check_part, clipped_area};
pub use self::resampled::{partial_auc, sensitivity_at_specificity, specificity_at_sensitivity};
use crate::confusion::Confusion;
use crate::estimate::{Reason, Undefined};
use crate::scored::{Groups, Scored, area};

/// One vertex of the curve: what happens when scores ≥ `threshold` are called positive.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RocPoint {
    /// A midpoint between neighboring distinct scores, or −∞ or +∞ at the ends.
    pub threshold: f64,
    /// TP / cases.
    pub sensitivity: f64,
    /// TN / controls.
    pub specificity: f64,
    /// The counts themselves.
    pub confusion: Confusion,
}

/// The empirical ROC curve: higher score = positive.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Roc {
    points: Vec<RocPoint>,
    auc: f64,
}

impl Roc {
    /// Builds the curve.
    ///
    /// Thresholds ascend: −∞, the midpoints (a + b)/2 of neighboring distinct scores, +∞. Where a and b are so near that the
    /// midpoint rounds to a, b itself is the threshold, as in pROC, so that a stays negative.
    ///
    /// # Errors
    /// Undefined without a case or without a control.
    pub fn new(sample: Scored<'_>) -> Result<Self, Undefined> {
        sample.require("ROC curve", 1)?;
        let groups = Groups::new(sample);
        let auc = area(&groups.cases, &groups.controls).ok_or(Undefined::new("ROC curve", Reason::NoCases))?;
        let (cases, controls) = (sample.cases() as u64, sample.controls() as u64);
        let (mut tp, mut fp) = (cases, controls);
        let mut points = Vec::with_capacity(groups.values.len() + 1);
        let mut push = |threshold, tp: u64, fp: u64| {
            points.push(RocPoint {
                threshold,
                sensitivity: tp as f64 / cases as f64,
                specificity: (controls - fp) as f64 / controls as f64,
                confusion: Confusion { tp, fp, fn_: cases - tp, tn: controls - fp },
            });
        };
        push(f64::NEG_INFINITY, tp, fp);
        for (index, &value) in groups.values.iter().enumerate() {
            tp -= groups.cases[index];
            fp -= groups.controls[index];
            let threshold = groups.values.get(index + 1).map_or(f64::INFINITY, |&next| midpoint(value, next));
            push(threshold, tp, fp);
        }
        Ok(Self { points, auc })
    }

    /// The vertices by ascending threshold: from sensitivity 1, specificity 0 to sensitivity 0, specificity 1.
    pub fn points(&self) -> &[RocPoint] {
        &self.points
    }

    /// The area under the curve.
    pub fn auc(&self) -> f64 {
        self.auc
    }

    /// Number of cases.
    pub fn cases(&self) -> u64 {
        self.points[0].confusion.tp
    }

    /// Number of controls.
    pub fn controls(&self) -> u64 {
        self.points[0].confusion.fp
    }

    /// The curve's sensitivity at a specificity: the highest of the vertices that have exactly it, else linear between the
    /// neighbors, as pROC's `coords`.
    ///
    /// # Errors
    /// When `specificity` is not from 0 to 1.
    pub fn sensitivity_at(&self, specificity: f64) -> Result<f64, Undefined> {
        check_part("sensitivity at a specificity", specificity)?;
        Ok(interpolate(self.points.iter().map(|p| (p.specificity, p.sensitivity)), specificity))
    }

    /// The curve's specificity at a sensitivity: the highest of the vertices that have exactly it, else linear between the
    /// neighbors, as pROC's `coords`.
    ///
    /// # Errors
    /// When `sensitivity` is not from 0 to 1.
    pub fn specificity_at(&self, sensitivity: f64) -> Result<f64, Undefined> {
        check_part("specificity at a sensitivity", sensitivity)?;
        Ok(interpolate(self.points.iter().rev().map(|p| (p.sensitivity, p.specificity)), sensitivity))
    }

    /// A partial area, as pROC's `auc(partial.auc = …, partial.auc.correct = …)`.
    ///
    /// # Errors
    /// When the range is not within [0, 1] and ascending, or when a corrected area lies below the diagonal's.
    pub fn partial_auc(&self, part: Part) -> Result<f64, Undefined> {
        part.check()?;
        let raw = self.raw_partial(part);
        match part.correction {
            Correction::Raw => Ok(raw),
            Correction::McClish if raw < part.chance() - ROUNDING * (part.to - part.from) => Err(Undefined::new(
                "corrected partial AUC",
                Reason::Other("the curve lies below the diagonal over this range"),
            )),
            Correction::McClish => Ok(part.corrected(raw).max(0.5)),
        }
    }

    fn raw_partial(&self, part: Part) -> f64 {
        let vertices = self.points.iter();
        match part.focus {
            Focus::Specificity => clipped_area(vertices.map(|p| (p.specificity, p.sensitivity)), part),
            Focus::Sensitivity => clipped_area(vertices.rev().map(|p| (p.sensitivity, p.specificity)), part),
        }
    }
}

/// By how much of the range's width the area of a curve on the diagonal may fall short of the diagonal's by rounding.
const ROUNDING: f64 = 1e-12;

/// The threshold between two distinct neighbors; as pROC, halved first where the sum could overflow.
fn midpoint(low: f64, high: f64) -> f64 {
    let middle = (low + high) / 2.0;
    let middle = if middle.abs() > 1e100 { low / 2.0 + high / 2.0 } else { middle };
    if middle <= low { high } else { middle }
}

/// y at `x` on a polyline with ascending x and descending y: the first vertex with exactly that x, else linear between
/// neighbors.
fn interpolate(vertices: impl Iterator<Item = (f64, f64)>, x: f64) -> f64 {
    let mut before = (0.0, 1.0);
    for (vx, vy) in vertices {
        if vx == x {
            return vy;
        }
        if vx > x {
            let share = (x - vx) / (before.0 - vx);
            return vy + share * (before.1 - vy);
        }
        before = (vx, vy);
    }
    before.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(scores: &[f64], truth: &[bool]) -> Roc {
        Roc::new(Scored::new(scores, truth).unwrap()).unwrap()
    }

    #[test]
    fn thresholds_are_midpoints_and_infinities() {
        let roc = curve(&[0.1, 0.4, 0.4, 0.8], &[false, true, false, true]);
        let thresholds: Vec<f64> = roc.points().iter().map(|p| p.threshold).collect();
        let expected = [f64::NEG_INFINITY, 0.25, (0.4 + 0.8) / 2.0, f64::INFINITY];
        assert_eq!(thresholds, expected);
        assert_eq!(roc.auc(), 0.875);
        for point in roc.points() {
            let counts = Confusion::at_threshold(&[0.1, 0.4, 0.4, 0.8], &[false, true, false, true], point.threshold);
            assert_eq!(counts, Ok(point.confusion));
        }
    }

    #[test]
    fn adjacent_floats_stay_apart() {
        let next = 0.4f64.next_up();
        let roc = curve(&[0.4, next], &[false, true]);
        assert_eq!(roc.points()[1].threshold, next);
        assert_eq!(roc.points()[1].sensitivity, 1.0);
        let huge = curve(&[-f64::MAX, f64::MAX], &[false, true]);
        assert_eq!(huge.points()[1].threshold, 0.0);
    }

    #[test]
    fn the_whole_range_is_the_auc() {
        let roc = curve(&[0.1, 0.4, 0.35, 0.8, 0.4], &[false, true, false, true, false]);
        for part in [Part::of_specificities(0.0, 1.0), Part::of_sensitivities(0.0, 1.0)] {
            let area = roc.partial_auc(part).unwrap();
            assert!((area - roc.auc()).abs() < 1e-15);
            let corrected = roc.partial_auc(part.corrected_by_mcclish()).unwrap();
            assert!((corrected - roc.auc()).abs() < 1e-15);
        }
        // Constant scores, and two groups of the same shares: both curves are the diagonal.
        for roc in
            [curve(&[0.5; 4], &[true, false, true, false]), curve(&[0.1, 0.7, 0.1, 0.7], &[true, true, false, false])]
        {
            for (from, to) in [(0.9, 1.0), (0.8, 1.0), (0.95, 1.0), (0.5, 0.8), (0.1, 0.3)] {
                for part in [Part::of_specificities(from, to), Part::of_sensitivities(from, to)] {
                    let area = roc.partial_auc(part.corrected_by_mcclish()).unwrap();
                    assert!((0.5..0.5 + 1e-12).contains(&area), "{from} {to}: {area}");
                }
            }
        }
        let below = curve(&[0.9, 0.1, 0.2], &[false, true, true]);
        assert!(below.partial_auc(Part::of_specificities(0.5, 1.0).corrected_by_mcclish()).is_err());
        assert!(roc.partial_auc(Part::of_specificities(0.9, 0.8)).is_err());
        assert!(roc.partial_auc(Part::of_specificities(0.9, 1.1)).is_err());
    }
}
