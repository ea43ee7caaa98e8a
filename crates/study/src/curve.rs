//! What the ROC curve says away from the threshold: sensitivity at a specificity and back, partial areas; and the decision curve.

use coxa_stats::roc::{self, Correction, Focus, Part};
use coxa_stats::{Bootstrap, Estimate, Inference, Resampling, Undefined, decision};
use serde::Serialize;

use crate::error::StudyError;
use crate::evaluate::{EvaluationOptions, Progress};
use crate::predictions::Predictions;
use crate::statistic::Statistic;

/// A statistic of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OnCurve {
    /// The sensitivity at a specificity, 0 to 1.
    SensitivityAt(f64),
    /// The specificity at a sensitivity, 0 to 1.
    SpecificityAt(f64),
    /// The area over a part of the curve.
    PartialAuc(Part),
    /// The net benefit at a threshold probability, from 0 to below 1 (of the decision curve).
    NetBenefit(f64),
}

/// A statistic of the curve with its name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurveStatistic {
    /// What it is.
    pub name: String,
    /// Its value with a bootstrap interval, as pROC's.
    #[serde(flatten)]
    pub statistic: Statistic,
}

/// Takes statistics from the curve of predictions, each with a percentile interval of `options.plan`: films are drawn within their
/// class, or patients whole where the films of a patient are not independent. A net benefit has the normal interval of its mean.
///
/// # Errors
/// [`StudyError::Setting`] for a place that is not on the curve, [`StudyError::NoPatient`] where patients are asked for and missing.
/// What these films do not define is undefined in its place.
pub fn on_curve(
    predictions: &Predictions,
    asked: &[OnCurve],
    options: &EvaluationOptions,
    progress: Progress<'_>,
) -> Result<Vec<CurveStatistic>, StudyError> {
    for asked in asked {
        asked.check()?;
    }
    let clusters = predictions.dependent(options.clustering)?;
    let inference = Inference { level: options.level, clusters: clusters.as_ref() };
    let resampling = clusters.as_ref().map_or(Resampling::Stratified, Resampling::Clustered);
    let statistic = |asked: OnCurve| -> Result<Estimate, Undefined> {
        let name = asked.name();
        let report = |done: usize| progress(&name, done, options.plan.replicates);
        let how = Bootstrap::new(resampling).level(options.level).plan(options.plan).progress(&report);
        let sample = predictions.scored()?;
        match asked {
            OnCurve::SensitivityAt(at) => roc::sensitivity_at_specificity(sample, at, &how),
            OnCurve::SpecificityAt(at) => roc::specificity_at_sensitivity(sample, at, &how),
            OnCurve::PartialAuc(part) => roc::partial_auc(sample, part, &how),
            OnCurve::NetBenefit(at) => decision::net_benefit(sample, at, inference),
        }
    };
    let named =
        asked.iter().map(|&asked| CurveStatistic { name: asked.name(), statistic: Statistic(statistic(asked)) });
    Ok(named.collect())
}

impl OnCurve {
    fn check(self) -> Result<(), StudyError> {
        let unit = |setting, value| match (0.0..=1.0).contains(&value) {
            true => Ok(()),
            false => Err(StudyError::Setting { setting, value, expected: "a number of 0 to 1" }),
        };
        match self {
            Self::SensitivityAt(at) => unit("a specificity", at),
            Self::SpecificityAt(at) => unit("a sensitivity", at),
            Self::NetBenefit(at) if at == 1.0 => {
                Err(StudyError::Setting { setting: "a threshold probability", value: at, expected: "below 1" })
            }
            Self::NetBenefit(at) => unit("a threshold probability", at),
            Self::PartialAuc(Part { from, to, .. }) => {
                unit("an end of a partial area", from)?;
                unit("an end of a partial area", to)?;
                match from < to {
                    true => Ok(()),
                    false => Err(StudyError::Setting {
                        setting: "an upper end of a partial area",
                        value: to,
                        expected: "above the lower end",
                    }),
                }
            }
        }
    }

    fn name(self) -> String {
        match self {
            Self::SensitivityAt(at) => format!("sensitivity at a specificity of {at}"),
            Self::SpecificityAt(at) => format!("specificity at a sensitivity of {at}"),
            Self::NetBenefit(at) => format!("net benefit at a threshold probability of {at}"),
            Self::PartialAuc(Part { from, to, focus, correction }) => {
                let axis = match focus {
                    Focus::Specificity => "specificities",
                    Focus::Sensitivity => "sensitivities",
                };
                let corrected = match correction {
                    Correction::Raw => "",
                    Correction::McClish => ", McClish-corrected",
                };
                format!("partial AUC over {axis} {from} to {to}{corrected}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrected_area_says_so() {
        let part = Part::of_specificities(0.9, 1.0);
        assert_eq!(OnCurve::PartialAuc(part).name(), "partial AUC over specificities 0.9 to 1");
        let corrected = OnCurve::PartialAuc(part.corrected_by_mcclish()).name();
        assert_eq!(corrected, "partial AUC over specificities 0.9 to 1, McClish-corrected");
    }
}
