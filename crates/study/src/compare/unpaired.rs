//! Two networks, or one network in two places, on different films.

use std::collections::HashSet;

use coxa_stats::auc::{self, AucComparison};
use coxa_stats::contingency::fisher_exact;
use coxa_stats::{Reason, Undefined};
use serde::Serialize;

use crate::error::StudyError;
use crate::evaluate::{Clustering, Dependence, EvaluationOptions, patient_notes};
use crate::predictions::Predictions;
use crate::statistic::{Number, Statistic};

/// The comparison of predictions of different films, A and B.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnpairedComparison {
    /// Films of A and of B.
    pub n: [usize; 2],
    /// Films with a fracture, of A and of B.
    pub positives: [usize; 2],
    /// What the tests and intervals take as independent.
    pub dependence: Dependence,
    /// The area of A.
    pub auc_a: Number,
    /// The area of B.
    pub auc_b: Number,
    /// Area of A less area of B.
    pub difference: Statistic,
    /// The test statistic, Student's t under equal areas.
    pub t: Number,
    /// Its degrees of freedom (Welch and Satterthwaite).
    pub df: Number,
    /// Two-sided p-value.
    pub p: Number,
    /// The test's name; empty when it is undefined.
    pub method: &'static str,
    /// The films with a fracture (sensitivity), at the thresholds.
    pub cases: Groups,
    /// The films without (specificity).
    pub controls: Groups,
    /// What a reader of the numbers should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How many films of one class each side classifies correctly, with Fisher's exact test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Groups {
    /// Films of A and of B.
    pub n: [u64; 2],
    /// Of these, classified correctly.
    pub right: [u64; 2],
    /// Two-sided p-value of Fisher's exact test, which takes films as independent: undefined where patients have several.
    pub p: Number,
    /// The odds ratio of being right, A over B, with its exact interval.
    pub odds_ratio: Statistic,
}

/// Compares predictions of different films; each side calls films positive from its own of the two `thresholds` on.
///
/// # Errors
/// [`StudyError::InBoth`] for a film, or for a patient where patients repeat, that is in both tables;
/// [`StudyError::NoPatient`] where patients are asked for and missing.
pub fn compare_unpaired(
    a: &Predictions,
    b: &Predictions,
    thresholds: [f64; 2],
    options: &EvaluationOptions,
) -> Result<UnpairedComparison, StudyError> {
    refuse_shared(a, b, options.clustering)?;
    let clusters = [a.dependent(options.clustering)?, b.dependent(options.clustering)?];
    let dependence = if clusters.iter().any(Option::is_some) { Dependence::Patients } else { Dependence::Films };
    let test = || -> Result<AucComparison, Undefined> {
        let samples = (a.scored()?, b.scored()?);
        if dependence == Dependence::Films {
            return auc::unpaired_delong(samples.0, samples.1, options.level);
        }
        // A side whose patients have one film each has clusters of one.
        let own = |table: &Predictions| coxa_stats::Clusters::new(&(0..table.len()).collect::<Vec<_>>());
        let [of_a, of_b] = &clusters;
        let of_a = of_a.clone().unwrap_or_else(|| own(a));
        let of_b = of_b.clone().unwrap_or_else(|| own(b));
        auc::unpaired_clustered_delong((samples.0, &of_a), (samples.1, &of_b), options.level)
    };
    let test = test();
    let part = |of: &dyn Fn(&AucComparison) -> f64| Number(test.as_ref().map(of).map_err(Undefined::clone));
    let tables = [a, b];
    let groups = |class| groups(tables, thresholds, class, dependence, options);
    Ok(UnpairedComparison {
        n: tables.map(Predictions::len),
        positives: tables.map(|table| table.truth().iter().filter(|&&positive| positive).count()),
        dependence,
        auc_a: Number(a.scored().and_then(auc::auc)),
        auc_b: Number(b.scored().and_then(auc::auc)),
        difference: Statistic(test.as_ref().map(|test| test.difference).map_err(Undefined::clone)),
        t: part(&|test| test.statistic),
        df: part(&|test| test.df.unwrap_or(f64::INFINITY)),
        p: part(&|test| test.p),
        method: test.as_ref().map_or("", |test| test.method),
        cases: groups(true),
        controls: groups(false),
        notes: [patient_notes(a, options.clustering)?, patient_notes(b, options.clustering)?].concat(),
    })
}

/// Different films are of different patients, where patients are what is independent.
fn refuse_shared(a: &Predictions, b: &Predictions, clustering: Clustering) -> Result<(), StudyError> {
    let films: HashSet<&str> = a.image_ids().collect();
    let patients: HashSet<&str> =
        (0..a.len()).map(|row| a.patient(row)).filter(|patient| !patient.is_empty()).collect();
    for row in 0..b.len() {
        let film = films.contains(b.image_id(row));
        if film || (clustering != Clustering::ByFilm && patients.contains(b.patient(row))) {
            return Err(StudyError::InBoth {
                what: if film { "is" } else { "is of a patient who is" },
                a: a.path().to_owned(),
                b: b.path().to_owned(),
                line: b.line(row),
                image_id: b.image_id(row).to_owned(),
            });
        }
    }
    Ok(())
}

fn groups(
    tables: [&Predictions; 2],
    thresholds: [f64; 2],
    class: bool,
    dependence: Dependence,
    options: &EvaluationOptions,
) -> Groups {
    let counts = [0, 1].map(|i| {
        let films = tables[i].scores().iter().zip(tables[i].truth()).filter(|&(_, &truth)| truth == class);
        let right = films.clone().filter(|&(&score, _)| (score >= thresholds[i]) == class).count() as u64;
        (films.count() as u64, right)
    });
    let test = match dependence {
        Dependence::Films => fisher_exact(counts.map(|(n, right)| [right, n - right]), options.level),
        Dependence::Patients => Err(Undefined::new(
            "Fisher's exact test",
            Reason::Other("it takes films as independent, and patients have several"),
        )),
    };
    Groups {
        n: counts.map(|(n, _)| n),
        right: counts.map(|(_, right)| right),
        p: Number(test.as_ref().map(|test| test.p).map_err(Undefined::clone)),
        odds_ratio: Statistic(test.and_then(|test| test.odds_ratio)),
    }
}
