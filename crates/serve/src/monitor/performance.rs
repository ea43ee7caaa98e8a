//! How right a temperature and a threshold are on labeled films.

use coxa_model::probability;
use coxa_stats::{Clusters, Confusion, Estimate, Inference, Interval, Level, Undefined, calibration};
use serde::{Deserialize, Serialize};

use super::cases::{Case, Patient};
use super::figures::share;

/// A temperature and a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The probability is sigmoid(logit / temperature).
    pub temperature: f64,
    /// The probability from which a film is called positive.
    pub threshold: f64,
}

impl Point {
    /// Whether a film with this output is called positive.
    pub fn calls(self, logit: f32) -> bool {
        probability(logit, self.temperature) >= self.threshold
    }
}

/// A statistic as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Its value, where it is defined.
    pub value: Option<f64>,
    /// The 95% limits, where there are any.
    pub limits: Option<(f64, f64)>,
    /// The interval's method, or why something is missing.
    pub method: String,
}

impl From<Result<Estimate, Undefined>> for Shown {
    fn from(statistic: Result<Estimate, Undefined>) -> Self {
        match statistic {
            Ok(Estimate { value, limits: Ok(limits), .. }) => {
                Self { value: Some(value), limits: Some((limits.low, limits.high)), method: limits.method.into() }
            }
            Ok(Estimate { value, limits: Err(why), .. }) => {
                Self { value: Some(value), limits: None, method: why.to_string() }
            }
            Err(undefined) => Self { value: None, limits: None, method: undefined.reason.to_string() },
        }
    }
}

impl From<Option<Estimate>> for Shown {
    fn from(statistic: Option<Estimate>) -> Self {
        match statistic {
            Some(estimate) => Ok(estimate).into(),
            None => Self { value: None, limits: None, method: "no film".into() },
        }
    }
}

/// How right a temperature and a threshold are on the labeled films.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Of films; patients are the units of its interval.
    pub sensitivity: Shown,
    /// The same.
    pub specificity: Shown,
    /// Of patients with a fracture: called on any of their films.
    pub patients_sensitivity: Shown,
    /// Of patients without one: called on none.
    pub patients_specificity: Shown,
    /// The mean squared error of the probabilities.
    pub brier: Shown,
    /// The slope of the logistic recalibration: 1 when calibrated.
    pub slope: Shown,
    /// Calibration in the large: 0 when the mean probability is right.
    pub in_the_large: Shown,
}

impl Performance {
    pub(super) fn of(point: Point, cases: &[Case], patients: &[Patient]) -> Self {
        let names: Vec<String> = cases.iter().map(|case| case.patient.clone()).collect();
        let of_truth = |truth: bool| {
            let (hits, names): (Vec<bool>, Vec<String>) = cases
                .iter()
                .zip(&names)
                .filter(|(case, _)| case.truth == truth)
                .map(|(case, name)| (point.calls(case.logit) == truth, name.clone()))
                .unzip();
            Shown::from(share(&hits, &names))
        };
        let calls: Vec<bool> = patients.iter().map(|patient| point.calls(patient.logit)).collect();
        let truths: Vec<bool> = patients.iter().map(|patient| patient.truth).collect();
        let table = Confusion::from_calls(&calls, &truths);
        let (level, interval) = (Level::P95, Interval::Wilson);
        let probabilities: Vec<f64> = cases.iter().map(|case| probability(case.logit, point.temperature)).collect();
        let truth: Vec<bool> = cases.iter().map(|case| case.truth).collect();
        let clusters = Clusters::new(&names);
        let inference = Inference { level, clusters: (clusters.count() < cases.len()).then_some(&clusters) };
        Self {
            sensitivity: of_truth(true),
            specificity: of_truth(false),
            patients_sensitivity: table.clone().and_then(|table| table.sensitivity(level, interval)).into(),
            patients_specificity: table.and_then(|table| table.specificity(level, interval)).into(),
            brier: calibration::brier(&probabilities, &truth, inference).into(),
            slope: calibration::recalibration(&probabilities, &truth, inference).map(|line| line.slope).into(),
            in_the_large: calibration::in_the_large(&probabilities, &truth, inference).into(),
        }
    }
}
