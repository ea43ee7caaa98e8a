//! How well predicted probabilities agree with what was found.

use coxa_stats::calibration::{self, Binning, ReliabilityBin};
use coxa_stats::{Resampling, Undefined};
use serde::Serialize;

use crate::evaluate::{Dependence, EvaluationOptions, no_film};
use crate::predictions::Predictions;
use crate::statistic::Statistic;

/// How many bins the reliability diagram and the expected calibration error have.
pub const BINS: usize = 10;

/// The calibration of a table of predictions. The intervals take films for independent, but for that of the expected
/// calibration error, which resamples patients where [`Dependence::Patients`] asks for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
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

impl Calibration {
    /// Measures the calibration of predictions.
    pub fn of(predictions: &Predictions, options: &EvaluationOptions) -> Self {
        let (p, truth, level) = (predictions.scores(), predictions.truth(), options.level);
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
        let clusters = predictions.clusters().ok().filter(|_| options.dependence == Dependence::Patients);
        let resampling = clusters.as_ref().map_or(Resampling::Simple, Resampling::Clustered);
        let binning = (BINS, Binning::EqualWidth);
        let line = calibration::recalibration(p, truth, level);
        Self {
            brier: Statistic(calibration::brier(p, truth, level)),
            expected_calibration_error: Statistic(calibration::expected_calibration_error(
                p,
                truth,
                binning,
                resampling,
                level,
                options.plan,
            )),
            slope: Statistic(line.as_ref().map(|line| line.slope).map_err(Undefined::clone)),
            intercept: Statistic(line.map(|line| line.intercept)),
            in_the_large: Statistic(calibration::in_the_large(p, truth, level)),
            bins: calibration::reliability(p, truth, binning.0, binning.1, level).unwrap_or_default(),
        }
    }
}
