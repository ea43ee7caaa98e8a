//! What the ROC curve says away from the threshold: sensitivity at a specificity and back, partial areas.

use coxa_stats::roc::{self, Correction, Focus, Part};
use coxa_stats::{Estimate, Resampling, Undefined};
use serde::Serialize;

use crate::error::StudyError;
use crate::evaluate::{Dependence, EvaluationOptions};
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
/// class, or patients whole where the films of a patient are not independent.
///
/// # Errors
/// [`StudyError::NoPatient`] where patients are asked for and missing. What these films do not define, or lies out of range, is
/// undefined in its place.
pub fn on_curve(
    predictions: &Predictions,
    asked: &[OnCurve],
    options: &EvaluationOptions,
) -> Result<Vec<CurveStatistic>, StudyError> {
    let clusters = match options.dependence {
        Dependence::Films => None,
        Dependence::Patients => Some(predictions.clusters()?),
    };
    let resampling = clusters.as_ref().map_or(Resampling::Stratified, Resampling::Clustered);
    let (level, plan) = (options.level, options.plan);
    let statistic = |asked: OnCurve| -> Result<Estimate, Undefined> {
        let sample = predictions.scored()?;
        match asked {
            OnCurve::SensitivityAt(at) => roc::sensitivity_at_specificity(sample, at, resampling, level, plan),
            OnCurve::SpecificityAt(at) => roc::specificity_at_sensitivity(sample, at, resampling, level, plan),
            OnCurve::PartialAuc(part) => roc::partial_auc(sample, part, resampling, level, plan),
        }
    };
    let named =
        asked.iter().map(|&asked| CurveStatistic { name: asked.name(), statistic: Statistic(statistic(asked)) });
    Ok(named.collect())
}

impl OnCurve {
    fn name(self) -> String {
        match self {
            Self::SensitivityAt(at) => format!("sensitivity at a specificity of {at}"),
            Self::SpecificityAt(at) => format!("specificity at a sensitivity of {at}"),
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
