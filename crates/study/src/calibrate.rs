//! How well predicted probabilities agree with what was found.

use coxa_stats::calibration::{self, Bins, ReliabilityBin};
use coxa_stats::{Clusters, Inference, Undefined};
use serde::Serialize;

use crate::evaluate::{EvaluationOptions, no_film};
use crate::predictions::Predictions;
use crate::statistic::Statistic;

/// How many bins the reliability diagram and the expected calibration error have.
pub const BINS: usize = 10;

/// The calibration of a table of predictions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationMeasures {
    /// Mean squared error of the probabilities.
    pub brier: Statistic,
    /// Expected calibration error over [`BINS`] bins of equal width.
    pub expected_calibration_error: Statistic,
    /// The slope of the logistic recalibration: 1 when calibrated, below 1 when the probabilities are too extreme.
    pub slope: Statistic,
    /// The intercept of the logistic recalibration: 0 when calibrated.
    pub intercept: Statistic,
    /// Calibration in the large: the intercept when the slope is held at 1.
    pub in_the_large: Statistic,
    /// The bins that hold a film, for the diagram.
    pub bins: Vec<ReliabilityBin>,
}

impl CalibrationMeasures {
    /// Measures the calibration of predictions; `clusters` are the films that are not independent, where there are any.
    pub fn of(predictions: &Predictions, options: &EvaluationOptions, clusters: Option<&Clusters>) -> Self {
        let (p, truth) = (predictions.scores(), predictions.truth());
        if p.is_empty() {
            let none = || Statistic(Err(no_film("calibration")));
            return Self {
                brier: none(),
                expected_calibration_error: none(),
                slope: none(),
                intercept: none(),
                in_the_large: none(),
                bins: Vec::new(),
            };
        }
        let inference = Inference { level: options.level, clusters };
        let bins = Bins::equal_width(BINS);
        let line = calibration::recalibration(p, truth, inference);
        let error = calibration::expected_calibration_error(p, truth, bins, inference, options.plan);
        Self {
            brier: Statistic(calibration::brier(p, truth, inference)),
            expected_calibration_error: Statistic(error),
            slope: Statistic(line.as_ref().map(|line| line.slope).map_err(Undefined::clone)),
            intercept: Statistic(line.map(|line| line.intercept)),
            in_the_large: Statistic(calibration::in_the_large(p, truth, inference)),
            bins: calibration::reliability(p, truth, bins, inference).unwrap_or_default(),
        }
    }
}
