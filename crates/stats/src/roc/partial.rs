//! Areas under a part of the curve, raw and corrected.

use crate::estimate::{Reason, Undefined};

/// The axis along which a partial area is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Focus {
    /// Over a range of specificities: ∫ sensitivity d(specificity).
    #[default]
    Specificity,
    /// Over a range of sensitivities: ∫ specificity d(sensitivity).
    Sensitivity,
}

/// Whether a partial area is McClish's corrected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Correction {
    /// The area itself, at most the width of the range.
    #[default]
    Raw,
    /// (1 + (A − min)/(max − min))/2, so that chance is 0.5 and perfection 1 (McClish 1989); undefined below the diagonal.
    McClish,
}

/// The part of the curve that a partial area covers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Part {
    /// Lower end of the range, from 0.
    pub from: f64,
    /// Upper end of the range, to 1, above `from`.
    pub to: f64,
    /// What the range is of.
    pub focus: Focus,
    /// Raw or corrected.
    pub correction: Correction,
}

impl Part {
    /// The raw area over specificities from `from` to `to`.
    pub fn of_specificities(from: f64, to: f64) -> Self {
        Self { from, to, focus: Focus::Specificity, correction: Correction::Raw }
    }

    /// The raw area over sensitivities from `from` to `to`.
    pub fn of_sensitivities(from: f64, to: f64) -> Self {
        Self { focus: Focus::Sensitivity, ..Self::of_specificities(from, to) }
    }

    /// The same part with McClish's correction.
    pub fn corrected_by_mcclish(self) -> Self {
        Self { correction: Correction::McClish, ..self }
    }

    pub(super) fn check(&self) -> Result<(), Undefined> {
        check_part("partial AUC", self.from)?;
        check_part("partial AUC", self.to)?;
        if self.from < self.to {
            Ok(())
        } else {
            Err(Undefined::new(
                "partial AUC",
                Reason::OutOfRange { value: self.to, expected: "an upper end above the lower end" },
            ))
        }
    }

    /// The diagonal's area over the range.
    pub(super) fn chance(&self) -> f64 {
        (2.0 - self.from - self.to) * (self.to - self.from) / 2.0
    }

    pub(super) fn corrected(&self, raw: f64) -> f64 {
        (1.0 + (raw - self.chance()) / (self.to - self.from - self.chance())) / 2.0
    }
}

/// The area under a polyline with ascending x between the part's ends.
pub(super) fn clipped_area(vertices: impl Iterator<Item = (f64, f64)>, part: Part) -> f64 {
    let mut area = 0.0;
    let mut before: Option<(f64, f64)> = None;
    for (x1, y1) in vertices {
        if let Some((x0, y0)) = before {
            let (from, to) = (x0.max(part.from), x1.min(part.to));
            if from < to {
                let at = |x: f64| {
                    if x == x0 {
                        y0
                    } else if x == x1 {
                        y1
                    } else {
                        y0 + (x - x0) / (x1 - x0) * (y1 - y0)
                    }
                };
                area += (to - from) * (at(from) + at(to)) / 2.0;
            }
        }
        before = Some((x1, y1));
    }
    area
}

pub(super) fn check_part(statistic: &'static str, value: f64) -> Result<(), Undefined> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(Undefined::new(statistic, Reason::OutOfRange { value, expected: "a number from 0 to 1" }))
    }
}
