//! Two networks on the same films: DeLong's paired test of the areas, and McNemar's of the findings; or on different films.

mod unpaired;

use std::borrow::Cow;
use std::collections::HashMap;

use coxa_stats::agreement::{Ratings, Weights, clustered_kappa, kappa};
use coxa_stats::auc::{self, AucComparison};
use coxa_stats::contingency::{McNemar, clustered_mcnemar, discordant, mcnemar};
use coxa_stats::{Clusters, Estimate, Level, Scored, Undefined};
use serde::Serialize;

pub use self::unpaired::{Groups, UnpairedComparison, compare_unpaired};
use crate::error::{Mismatch, StudyError};
use crate::evaluate::{Clustering, Dependence, EvaluationOptions, patient_notes};
use crate::predictions::Predictions;
use crate::statistic::{Number, Statistic};

/// The comparison of two models, A and B. Serializes to the program's JSON: `{"auc_a", "auc_b", "difference": {…}, "z", "p"}`
/// and more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Films.
    pub n: usize,
    /// Films with a fracture.
    pub positives: usize,
    /// What the tests and intervals take as independent.
    pub dependence: Dependence,
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
    /// The findings at the threshold, on the films with a fracture (sensitivity).
    pub cases: Discordance,
    /// The findings at the threshold, on the films without (specificity).
    pub controls: Discordance,
    /// Cohen's kappa of the findings at the threshold, on all films.
    pub agreement: Statistic,
    /// What a reader of the numbers should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How often one network alone is right, with McNemar's test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Discordance {
    /// Films.
    pub n: usize,
    /// Films that A alone classifies correctly.
    pub only_a_right: u64,
    /// Films that B alone classifies correctly.
    pub only_b_right: u64,
    /// Two-sided p-value.
    pub p: Number,
    /// The test's name; empty when it is undefined.
    pub method: &'static str,
}

/// Two networks' predictions of the same films.
#[derive(Debug)]
pub struct Pair<'a> {
    a: &'a Predictions,
    scores_b: Vec<f64>,
    clusters: Option<Clusters>,
    notes: Vec<String>,
}

impl<'a> Pair<'a> {
    /// Joins two tables by film.
    ///
    /// # Errors
    /// [`StudyError::OnlyInOne`] for films that one table lacks, [`StudyError::Mismatch`] for a film whose label or patient
    /// differs, [`StudyError::NoPatient`] where patients are asked for and missing.
    pub fn new(a: &'a Predictions, b: &Predictions, clustering: Clustering) -> Result<Self, StudyError> {
        let order = join(a, b)?;
        let named = with_patients_of(a, b, &order);
        Ok(Self {
            a,
            scores_b: order.iter().map(|&row| b.scores()[row]).collect(),
            clusters: named.dependent(clustering)?,
            notes: patient_notes(&named, clustering)?,
        })
    }

    /// The two networks' probabilities with the truth, in the order of the first table.
    ///
    /// # Errors
    /// Never for predictions that were read: their probabilities are finite.
    pub fn scored(&self) -> Result<[Scored<'_>; 2], Undefined> {
        Ok([self.a.scored()?, Scored::new(&self.scores_b, self.a.truth())?])
    }

    /// Which films belong together; `None` where all are taken as independent.
    pub fn clusters(&self) -> Option<&Clusters> {
        self.clusters.as_ref()
    }

    /// What a reader should know of the films' patients.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Compares two tables of predictions, joined by film, at the level and by the clustering and the form of McNemar's test of
/// `options`; each network calls films positive from its own of the two `thresholds` on.
///
/// # Errors
/// As [`Pair::new`]. Areas that these films do not define are no error.
pub fn compare(
    a: &Predictions,
    b: &Predictions,
    thresholds: [f64; 2],
    options: &EvaluationOptions,
) -> Result<Comparison, StudyError> {
    let pair = Pair::new(a, b, options.clustering)?;
    let test = || -> Result<AucComparison, Undefined> {
        let [a, b] = pair.scored()?;
        match pair.clusters() {
            None => auc::paired_delong(a, b, options.level),
            Some(clusters) => auc::paired_clustered_delong(a, b, clusters, options.level),
        }
    };
    let test = test();
    let area = |scores: &[f64]| Number(Scored::new(scores, a.truth()).and_then(auc::auc));
    let part = |of: &dyn Fn(&AucComparison) -> f64| Number(test.as_ref().map(of).map_err(Undefined::clone));
    let findings = Findings::new(&pair, thresholds);
    Ok(Comparison {
        n: a.len(),
        positives: a.truth().iter().filter(|&&positive| positive).count(),
        dependence: Dependence::of(pair.clusters()),
        auc_a: area(a.scores()),
        auc_b: area(&pair.scores_b),
        difference: Statistic(test.as_ref().map(|test| test.difference).map_err(Undefined::clone)),
        z: part(&|test| test.statistic),
        p: part(&|test| test.p),
        method: test.as_ref().map_or("", |test| test.method),
        cases: findings.discordance(true, options.mcnemar),
        controls: findings.discordance(false, options.mcnemar),
        agreement: Statistic(findings.agreement(options.level)),
        notes: pair.notes,
    })
}

/// Which films each network calls positive.
struct Findings<'a> {
    pair: &'a Pair<'a>,
    called: [Vec<bool>; 2],
}

impl<'a> Findings<'a> {
    fn new(pair: &'a Pair<'a>, thresholds: [f64; 2]) -> Self {
        let called = |scores: &[f64], threshold: f64| scores.iter().map(|&score| score >= threshold).collect();
        let [of_a, of_b] = thresholds;
        Self { pair, called: [called(pair.a.scores(), of_a), called(&pair.scores_b, of_b)] }
    }

    /// Cohen's kappa.
    fn agreement(&self, level: Level) -> Result<Estimate, Undefined> {
        let [first, second] = [0, 1].map(|i| self.called[i].iter().map(|&c| usize::from(c)).collect::<Vec<_>>());
        let ratings = Ratings { first: &first, second: &second, categories: 2 };
        match self.pair.clusters() {
            None => kappa(&ratings.table()?, Weights::Unweighted, level),
            Some(clusters) => clustered_kappa(ratings, clusters, Weights::Unweighted, level),
        }
    }

    fn discordance(&self, class: bool, form: McNemar) -> Discordance {
        let truth = self.pair.a.truth();
        let films: Vec<usize> = (0..truth.len()).filter(|&film| truth[film] == class).collect();
        let [right_a, right_b] =
            [0, 1].map(|i| films.iter().map(|&film| self.called[i][film] == class).collect::<Vec<_>>());
        let counts = discordant(&right_a, &right_b);
        let (only_a_right, only_b_right) = counts.as_ref().map_or((0, 0), |&counts| counts);
        let test = match self.pair.clusters() {
            None => counts.and_then(|(only_a, only_b)| mcnemar(only_a, only_b, form)),
            Some(clusters) => {
                let of_films: Vec<usize> = films.iter().map(|&film| clusters.of()[film]).collect();
                clustered_mcnemar(&right_a, &right_b, &Clusters::new(&of_films))
            }
        };
        let method = test.as_ref().map_or("", |test| test.method);
        Discordance { n: films.len(), only_a_right, only_b_right, p: Number(test.map(|test| test.p)), method }
    }
}

/// The rows of `b` in the order of `a`'s.
fn join(a: &Predictions, b: &Predictions) -> Result<Vec<usize>, StudyError> {
    let places = |of: &Predictions| -> HashMap<String, usize> { of.image_ids().map(str::to_owned).zip(0..).collect() };
    let of_b = places(b);
    only_in(a, b, &of_b)?;
    if a.len() != b.len() {
        only_in(b, a, &places(a))?;
    }
    let mut joined = Vec::with_capacity(a.len());
    for ours in 0..a.len() {
        // Every film of A is in B: just checked.
        let Some(&theirs) = of_b.get(a.image_id(ours)) else { continue };
        let mismatch = |column, a_value: String, b_value: String| {
            StudyError::Mismatch(Box::new(Mismatch {
                image_id: a.image_id(ours).to_owned(),
                column,
                a: a.path().to_owned(),
                a_line: a.line(ours),
                a_value,
                b: b.path().to_owned(),
                b_line: b.line(theirs),
                b_value,
            }))
        };
        if a.truth()[ours] != b.truth()[theirs] {
            let label = |truth: bool| u8::from(truth).to_string();
            return Err(mismatch("label", label(a.truth()[ours]), label(b.truth()[theirs])));
        }
        let (of_a, of_b) = (a.patient(ours), b.patient(theirs));
        if of_a != of_b && !of_a.is_empty() && !of_b.is_empty() {
            return Err(mismatch("patient", of_a.to_owned(), of_b.to_owned()));
        }
        joined.push(theirs);
    }
    Ok(joined)
}

/// The first table, with the second's patients where it names none.
fn with_patients_of<'a>(a: &'a Predictions, b: &Predictions, order: &[usize]) -> Cow<'a, Predictions> {
    if a.without_patient() == 0 {
        return Cow::Borrowed(a);
    }
    let patient = |(ours, &theirs): (usize, &usize)| match a.patient(ours) {
        "" => b.patient(theirs).to_owned(),
        known => known.to_owned(),
    };
    Cow::Owned(a.clone().with_patients(order.iter().enumerate().map(patient).collect()))
}

fn only_in(table: &Predictions, other: &Predictions, of_other: &HashMap<String, usize>) -> Result<(), StudyError> {
    const NAMED: usize = 5;
    let missing: Vec<&str> = table.image_ids().filter(|&id| !of_other.contains_key(id)).collect();
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
