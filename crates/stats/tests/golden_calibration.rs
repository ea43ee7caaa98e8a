//! Calibration against base R's glm.

use coxa_stats::calibration::{
    Bins, brier, brier_parts, expected_calibration_error, in_the_large, log_loss, logit, recalibration, temperature,
};
use coxa_stats::{Estimate, Level, Plan};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::fixture::{close, expected, folder, rows};

fn compare(what: &str, actual: Estimate, expected: &Value) {
    close(what, actual.value, &expected["value"]);
    close(what, actual.low().unwrap(), &expected["low"]);
    close(what, actual.high().unwrap(), &expected["high"]);
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
        let parts = brier_parts(&p, &truth, Bins::equal_width(10)).unwrap();
        close(set, parts.reliability, &expected["reliability"]);
        close(set, parts.resolution, &expected["resolution"]);
        let plan = Plan { replicates: 50, seed: 1 };
        let ece = expected_calibration_error(&p, &truth, Bins::equal_width(10), level, plan).unwrap();
        close(set, ece.value, &expected["ece"]);
    }
}

/// Samples of probabilities whose true calibration is known: P(positive | p) = σ(a + b·logit(p)), with p uniform.
struct Truth {
    intercept: f64,
    slope: f64,
}

impl Truth {
    fn of(&self, p: f64) -> f64 {
        1.0 / (1.0 + (-(self.intercept + self.slope * logit(p))).exp())
    }

    /// The expected calibration error over ten bins, by the midpoint rule.
    fn error(&self) -> f64 {
        let gap = |bin: usize| -> f64 {
            let middles = (0..1000).map(|i| (bin as f64 + (f64::from(i) + 0.5) / 1000.0) / 10.0);
            middles.map(|p| p - self.of(p)).sum::<f64>() / 1e4
        };
        (0..10).map(|bin| gap(bin).abs()).sum()
    }

    /// How many of the intervals of samples of `n` hold the true error.
    fn covered(&self, n: usize, samples: u64) -> u64 {
        let plan = Plan { replicates: 300, seed: 5 };
        let holds = |seed: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let p: Vec<f64> = (0..n).map(|_| rng.random_range(0.001..0.999)).collect();
            let truth: Vec<bool> = p.iter().map(|&p| rng.random_bool(self.of(p))).collect();
            let ece = expected_calibration_error(&p, &truth, Bins::equal_width(10), Level::P95, plan).unwrap();
            let limits = ece.limits.unwrap();
            assert!(limits.low <= ece.value && ece.value <= limits.high);
            limits.low <= self.error() + 1e-4 && self.error() <= limits.high
        };
        (0..samples).filter(|&seed| holds(seed)).count() as u64
    }
}

/// The percentile bootstrap, which counts the bias of the error twice, would hold the 0 of perfect calibration in no sample at all.
#[test]
fn intervals_of_the_calibration_error_hold_the_true_one() {
    for (intercept, slope) in [(0.0, 1.0), (0.0, 1.3), (0.3, 1.0), (0.0, 2.0), (1.0, 0.5)] {
        for n in [100, 400, 2000] {
            let covered = Truth { intercept, slope }.covered(n, 200);
            assert!(covered >= 180, "intercept {intercept}, slope {slope}, {n} observations: {covered} of 200");
        }
    }
}
