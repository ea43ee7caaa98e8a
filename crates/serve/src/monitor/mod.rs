//! What films, findings and scores are like over time and by source, and recalibration on films that the hospital labeled.
//!
//! - [`figures`]: counts, rates and times of films.
//! - [`drift`]: scores against the validation films' or a baseline's.
//! - [`labels`]: a table of labels, every fault with its row and column.
//! - [`cases`]: labeled films, by where their labels came from.
//! - [`performance`]: how right a temperature and a threshold are on them.
//! - [`recalibrate`]: a temperature and a threshold, what each would change, and by what rule they were chosen.
//! - [`chart`]: charts as SVG.
//!
//! A calibration that is taken counts for the next film that is leased, on every node that shares the database. A film that was read
//! keeps its result and the number of the calibration that it was read with.

pub mod cases;
pub mod chart;
pub mod drift;
pub mod figures;
pub mod labels;
pub mod performance;
pub mod recalibrate;

use coxa_stats::{OperatingPoint, Rule, calibration};

use crate::db::{Calibration, Watched};

/// The temperature and the threshold of a calibration, as a detector takes them.
pub fn operating_point(calibration: &Calibration) -> (f64, OperatingPoint) {
    let what = &calibration.what;
    let point = OperatingPoint {
        threshold: what.threshold,
        rule: Rule::SensitivityAtLeast(what.target),
        chosen_on: what.chosen_on.clone(),
    };
    (what.temperature, point)
}

/// The bundle's temperature over that of a calibration: what the bundle's logits are multiplied by.
pub fn scale(calibration: &Calibration) -> f64 {
    calibration.what.own_temperature / calibration.what.temperature
}

/// A probability of the bundle's own on the scale of a calibration: the same films lie above it.
pub fn rescaled(probability: f64, scale: f64) -> f64 {
    // Rounding must not move a threshold that nobody moved.
    if scale == 1.0 || !(probability > 0.0 && probability < 1.0) {
        return probability;
    }
    calibration::sigmoid(calibration::logit(probability) * scale)
}

/// The network's own output for a film that was read; for films from before it was kept, of the probability at the bundle's temperature.
pub fn logit_of(film: &Watched, own_temperature: f64) -> Option<f64> {
    film.logit
        .or_else(|| Some(calibration::logit(film.probability?) * own_temperature))
        .filter(|logit| logit.is_finite())
}

/// The AE title that a film came from, or how it came.
pub fn source_of(film: &Watched) -> &str {
    film.source.split('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_moves_with_the_temperature() {
        assert_eq!(rescaled(0.9, 1.0), 0.9);
        assert_eq!((rescaled(0.0, 0.5), rescaled(1.0, 0.5)), (0.0, 1.0));
        // At twice the temperature the logit is half.
        assert!((calibration::logit(rescaled(0.9, 0.5)) - calibration::logit(0.9) / 2.0).abs() < 1e-12);
        assert_eq!(rescaled(0.5, 3.0), 0.5);
    }
}
