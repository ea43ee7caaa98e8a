//! Two models on the same films: DeLong's paired test of the areas, and McNemar's of the readings.

use std::collections::BTreeMap;

use coxa_stats::agreement::{Weights, kappa, table};
use coxa_stats::auc::{self, AucComparison};
use coxa_stats::contingency::{McNemar, discordant, mcnemar};
use coxa_stats::{Estimate, Level, Scored, Undefined};
use serde::Serialize;

use crate::error::{Mismatch, StudyError};
use crate::evaluate::{Dependence, EvaluationOptions};
use crate::predictions::{Prediction, Predictions};
use crate::statistic::{Number, Statistic};

/// The comparison of two models, A and B. Serializes to the program's JSON: `{"auc_a", "auc_b", "difference": {…}, "z", "p"}`
/// and more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Films.
    pub n: usize,
    /// Films with a fracture.
    pub positives: usize,
    /// The area of A.
    pub auc_a: Number,
    /// The area of B.
    pub auc_b: Number,
    /// Area of A less area of B.
    pub difference: Statistic,
    /// The test statistic, normal under equal areas.
    pub z: Number,
    /// Two-sided p-value.
    pub p: Number,
    /// The test's name; empty when it is undefined.
    pub method: &'static str,
    /// The readings at the threshold, on the films with a fracture (sensitivity).
    pub cases: Discordance,
    /// The readings at the threshold, on the films without (specificity).
    pub controls: Discordance,
    /// Cohen's kappa of the readings at the threshold, on all films, with an interval that takes films for independent.
    pub agreement: Statistic,
    /// What a reader of the numbers should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How often one model alone is right, with McNemar's exact test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Discordance {
    /// Films.
    pub n: usize,
    /// Films that A alone reads rightly.
    pub only_a_right: u64,
    /// Films that B alone reads rightly.
    pub only_b_right: u64,
    /// Two-sided p-value of McNemar's exact test, which takes films for independent.
    pub p: Number,
}

/// Compares two tables of predictions, joined by film; level and dependence are those of `options`, each model calls films positive
/// from its own of the two `thresholds` on.
///
/// # Errors
/// [`StudyError::OnlyInOne`] for films that one table lacks, [`StudyError::Mismatch`] for a film whose label or patient
/// differs, [`StudyError::NoPatient`] where patients are asked for and missing. Areas that these films do not define are no
/// error.
pub fn compare(
    a: &Predictions,
    b: &Predictions,
    thresholds: [f64; 2],
    options: &EvaluationOptions,
) -> Result<Comparison, StudyError> {
    let scores_b = scores_in_order(a, b)?;
    let clusters = match options.dependence {
        Dependence::Films => None,
        Dependence::Patients => Some(a.clusters()?).filter(|clusters| clusters.count() < a.len()),
    };
    let test = || -> Result<AucComparison, Undefined> {
        let (a, b) = (a.scored()?, Scored::new(&scores_b, a.truth())?);
        match &clusters {
            None => auc::paired_delong(a, b, options.level),
            Some(clusters) => auc::paired_clustered_delong(a, b, clusters, options.level),
        }
    };
    let test = test();
    let note = "McNemar's p-values and the interval of kappa take every film for independent";
    let area = |scores: &[f64]| Number(Scored::new(scores, a.truth()).and_then(auc::auc));
    let part = |of: &dyn Fn(&AucComparison) -> f64| Number(test.as_ref().map(of).map_err(Undefined::clone));
    Ok(Comparison {
        n: a.len(),
        positives: a.truth().iter().filter(|&&positive| positive).count(),
        auc_a: area(a.scores()),
        auc_b: area(&scores_b),
        difference: Statistic(test.as_ref().map(|test| test.difference).map_err(Undefined::clone)),
        z: part(&|test| test.statistic),
        p: part(&|test| test.p),
        method: test.as_ref().map_or("", |test| test.method),
        cases: discordance(a, &scores_b, true, thresholds),
        controls: discordance(a, &scores_b, false, thresholds),
        agreement: Statistic(agreement(a, &scores_b, thresholds, options.level)),
        notes: clusters.iter().map(|_| note.to_owned()).collect(),
    })
}

/// The probabilities of `b` in the order of the films of `a`.
///
/// # Errors
/// [`StudyError::OnlyInOne`] for films that one table lacks, [`StudyError::Mismatch`] for a film whose label or patient differs.
pub fn scores_in_order(a: &Predictions, b: &Predictions) -> Result<Vec<f64>, StudyError> {
    Ok(join(a, b)?.iter().map(|row| row.probability).collect())
}

/// Cohen's kappa of the two models' findings.
fn agreement(a: &Predictions, scores_b: &[f64], thresholds: [f64; 2], level: Level) -> Result<Estimate, Undefined> {
    let called = |scores: &[f64], threshold: f64| -> Vec<usize> {
        scores.iter().map(|&s| usize::from(s >= threshold)).collect()
    };
    let counts = table(&called(a.scores(), thresholds[0]), &called(scores_b, thresholds[1]), 2)?;
    kappa(&counts, Weights::Unweighted, level)
}

/// The rows of `b` in the order of `a`'s.
fn join<'b>(a: &Predictions, b: &'b Predictions) -> Result<Vec<&'b Prediction>, StudyError> {
    let of_b: BTreeMap<&str, &Prediction> = b.rows().iter().map(|row| (row.image_id.as_str(), row)).collect();
    let of_a: BTreeMap<&str, &Prediction> = a.rows().iter().map(|row| (row.image_id.as_str(), row)).collect();
    only_in(a, b, &of_b)?;
    only_in(b, a, &of_a)?;
    let mut joined = Vec::with_capacity(a.len());
    for ours in a.rows() {
        // Every film of A is in B: just checked.
        let Some(&theirs) = of_b.get(ours.image_id.as_str()) else {
            continue;
        };
        let mismatch = |column, a_value: String, b_value: String| {
            StudyError::Mismatch(Box::new(Mismatch {
                image_id: ours.image_id.clone(),
                column,
                a: a.path().to_owned(),
                a_line: ours.line,
                a_value,
                b: b.path().to_owned(),
                b_line: theirs.line,
                b_value,
            }))
        };
        if ours.truth != theirs.truth {
            let label = |truth: bool| u8::from(truth).to_string();
            return Err(mismatch("label", label(ours.truth), label(theirs.truth)));
        }
        if ours.patient != theirs.patient && !ours.patient.is_empty() && !theirs.patient.is_empty() {
            return Err(mismatch("patient", ours.patient.clone(), theirs.patient.clone()));
        }
        joined.push(theirs);
    }
    Ok(joined)
}

fn only_in(table: &Predictions, other: &Predictions, of_other: &BTreeMap<&str, &Prediction>) -> Result<(), StudyError> {
    const NAMED: usize = 5;
    let ids = table.rows().iter().map(|row| row.image_id.as_str());
    let missing: Vec<&str> = ids.filter(|id| !of_other.contains_key(id)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let more = if missing.len() > NAMED { ", …" } else { "" };
    let films = format!("{}{more}", missing[..missing.len().min(NAMED)].join(", "));
    Err(StudyError::OnlyInOne {
        path: table.path().to_owned(),
        other: other.path().to_owned(),
        n: missing.len(),
        films,
    })
}

fn discordance(a: &Predictions, scores_b: &[f64], class: bool, thresholds: [f64; 2]) -> Discordance {
    let right = |scores: &[f64], threshold: f64| -> Vec<bool> {
        let films = scores.iter().zip(a.truth()).filter(|&(_, &truth)| truth == class);
        films.map(|(&score, &truth)| (score >= threshold) == truth).collect()
    };
    let (right_a, right_b) = (right(a.scores(), thresholds[0]), right(scores_b, thresholds[1]));
    let counts = discordant(&right_a, &right_b);
    let (only_a_right, only_b_right) = counts.as_ref().map_or((0, 0), |&counts| counts);
    let p = counts.and_then(|(only_a, only_b)| mcnemar(only_a, only_b, McNemar::Exact)).map(|test| test.p);
    Discordance { n: right_a.len(), only_a_right, only_b_right, p: Number(p) }
}
