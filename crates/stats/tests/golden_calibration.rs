//! Calibration against base R's glm.

use coxa_stats::calibration::{
    Binning, brier, brier_parts, expected_calibration_error, in_the_large, log_loss, logit, recalibration, temperature,
};
use coxa_stats::{Estimate, Level, Plan, Resampling};
use serde_json::Value;

use crate::fixture::{close, expected, folder, rows};

fn compare(what: &str, actual: Estimate, expected: &Value) {
    close(what, actual.value, &expected["value"]);
    close(what, actual.low, &expected["low"]);
    close(what, actual.high, &expected["high"]);
}

#[test]
fn calibration() {
    let predictions = rows(&folder("calibration").join("predictions.csv"));
    for (set, expected) in expected("calibration").as_object().unwrap() {
        let of_set = || predictions.iter().filter(|row| row.text("set") == set);
        let p: Vec<f64> = of_set().map(|row| row.number("p")).collect();
        let truth: Vec<bool> = of_set().map(|row| row.text("truth") == "1").collect();
        let level = Level::P95;
        let line = recalibration(&p, &truth, level).unwrap();
        compare(set, line.intercept, &expected["intercept"]);
        compare(set, line.slope, &expected["slope"]);
        let large = in_the_large(&p, &truth, level).unwrap();
        compare(set, large, &expected["in_the_large"]);
        let logits: Vec<f64> = p.iter().map(|&p| logit(p)).collect();
        let t = temperature(&logits, &truth, level).unwrap();
        compare(set, t, &expected["temperature"]);
        compare(set, brier(&p, &truth, level).unwrap(), &expected["brier"]);
        compare(set, log_loss(&p, &truth, level).unwrap(), &expected["log_loss"]);
        let parts = brier_parts(&p, &truth, 10, Binning::EqualWidth).unwrap();
        close(set, parts.reliability, &expected["reliability"]);
        close(set, parts.resolution, &expected["resolution"]);
        let ece = expected_calibration_error(
            &p,
            &truth,
            (10, Binning::EqualWidth),
            Resampling::Simple,
            level,
            Plan { replicates: 50, seed: 1 },
        )
        .unwrap();
        close(set, ece.value, &expected["ece"]);
    }
}
