//! What a reader study shows beside its endpoint: how far readers agree, and how long they take.

use std::collections::{BTreeMap, BTreeSet};

use coxa_stats::agreement::{Ratings, Weights, clustered_kappa, fleiss_kappa, kappa};
use coxa_stats::mixed::{MixedModel, Reading};
use coxa_stats::mrmc::CaseRating;
use coxa_stats::ranks::{SignedRank, signed_rank};
use coxa_stats::{Clusters, Estimate, Inference, Level, Limits, Reason, Test, Undefined};
use serde::Serialize;

use super::table::RatedRow;
use crate::statistic::{Defined, Statistic};

/// Agreement of the readers' calls at a threshold under one treatment, on the cases that all of them rated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The treatment.
    pub treatment: String,
    /// Cases that all of its readers rated.
    pub cases: usize,
    /// Fleiss' kappa of all readers.
    pub fleiss: Statistic,
    /// Cohen's kappa of each pair: first reader, second reader, kappa.
    pub cohen: Vec<(String, String, Statistic)>,
}

/// Reading times under two treatments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadingTimes {
    /// The treatment from which is subtracted.
    pub first: String,
    /// The treatment that is subtracted.
    pub second: String,
    /// Each reader's median time of the cases read under both, in seconds: reader, first, second.
    pub medians: Vec<(String, f64, f64)>,
    /// The signed-rank test of the readers' differences of medians: readers, not films, are independent.
    pub test: Defined<SignedRank>,
}

/// The times of all treatments by a linear mixed model: log seconds by treatment, with readers and films as random.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeModel {
    /// Timed ratings.
    pub ratings: usize,
    /// Standard deviations of log seconds: of readers, films and error.
    pub sd: TimeSpread,
    /// Each treatment's geometric mean, in seconds.
    pub means: Vec<(String, Estimate)>,
    /// Every pair of treatments.
    pub ratios: Vec<TimeRatio>,
}

/// Standard deviations of log seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TimeSpread {
    /// Of readers.
    pub reader: f64,
    /// Of films.
    pub case: f64,
    /// Of the error.
    pub error: f64,
}

/// How long one treatment takes in terms of another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeRatio {
    /// The treatment that is divided.
    pub first: String,
    /// The treatment by which is divided.
    pub second: String,
    /// The ratio of the geometric means.
    pub ratio: Estimate,
    /// The test that it is one.
    pub test: Test,
}

/// By treatment, then case, then reader.
type ByCase<'r> = BTreeMap<&'r str, BTreeMap<&'r str, BTreeMap<&'r str, &'r RatedRow>>>;

fn by_case<'r>(rows: &[&'r RatedRow]) -> ByCase<'r> {
    let mut all = ByCase::new();
    for &row in rows {
        let rating = &row.rating;
        all.entry(&rating.treatment).or_default().entry(&rating.case).or_default().insert(&rating.reader, row);
    }
    all
}

/// The kappas of every treatment; intervals are by patient where patients are known.
pub(super) fn agreement(rows: &[&RatedRow], threshold: f64, level: Level) -> Vec<Agreement> {
    by_case(rows).into_iter().map(|(treatment, cases)| of_treatment(treatment, &cases, threshold, level)).collect()
}

fn of_treatment(
    treatment: &str,
    cases: &BTreeMap<&str, BTreeMap<&str, &RatedRow>>,
    threshold: f64,
    level: Level,
) -> Agreement {
    let mut readers: Vec<&str> = cases.values().flat_map(|of| of.keys().copied()).collect();
    readers.sort_unstable();
    readers.dedup();
    let whole: Vec<&BTreeMap<&str, &RatedRow>> = cases.values().filter(|of| of.len() == readers.len()).collect();
    let called = |row: &RatedRow| usize::from(row.rating.rating >= threshold);
    let calls: BTreeMap<&str, Vec<usize>> =
        readers.iter().map(|&reader| (reader, whole.iter().map(|of| called(of[reader])).collect())).collect();
    let patients: Vec<&str> =
        whole.iter().filter_map(|of| of.values().next()).map(|row| row.patient.as_str()).collect();
    let clusters = (!patients.iter().any(|patient| patient.is_empty())).then(|| Clusters::new(&patients));
    let counts: Vec<Vec<u64>> = whole
        .iter()
        .map(|of| {
            let positive = of.values().filter(|row| called(row) == 1).count() as u64;
            vec![of.len() as u64 - positive, positive]
        })
        .collect();
    let inference = Inference { level, clusters: clusters.as_ref() };
    let pair = |a: &str, b: &str| {
        let ratings = Ratings { first: &calls[a], second: &calls[b], categories: 2 };
        match &clusters {
            Some(clusters) => clustered_kappa(ratings, clusters, Weights::Unweighted, level),
            None => ratings.table().and_then(|table| kappa(&table, Weights::Unweighted, level)),
        }
    };
    let pairs = readers.iter().enumerate().flat_map(|(i, &a)| readers[i + 1..].iter().map(move |&b| (a, b)));
    Agreement {
        treatment: treatment.to_owned(),
        cases: whole.len(),
        fleiss: Statistic(fleiss_kappa(&counts, inference)),
        cohen: pairs.map(|(a, b)| (a.to_owned(), b.to_owned(), Statistic(pair(a, b)))).collect(),
    }
}

/// The times of every pair of treatments of which times are known.
pub(super) fn reading_times(rows: &[&RatedRow], level: Level) -> Vec<ReadingTimes> {
    let timed: Vec<&RatedRow> = rows.iter().copied().filter(|row| row.seconds.is_some()).collect();
    let all = by_case(&timed);
    let treatments: Vec<&str> = all.keys().copied().collect();
    let mut times = Vec::new();
    for (i, &first) in treatments.iter().enumerate() {
        for &second in &treatments[i + 1..] {
            let mut pairs: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
            for (case, readers) in &all[first] {
                for (reader, row) in readers {
                    let other = all[second].get(case).and_then(|readers| readers.get(reader));
                    if let Some((a, b)) = row.seconds.zip(other.and_then(|row| row.seconds)) {
                        pairs.entry(reader).or_default().push((a, b));
                    }
                }
            }
            let medians: Vec<(String, f64, f64)> = pairs
                .into_iter()
                .map(|(reader, of)| {
                    let (a, b) = of.into_iter().unzip();
                    (reader.to_owned(), median(a), median(b))
                })
                .collect();
            let differences: Vec<f64> = medians.iter().map(|(_, a, b)| a - b).collect();
            let test = Defined(signed_rank(&differences, level));
            times.push(ReadingTimes { first: first.to_owned(), second: second.to_owned(), medians, test });
        }
    }
    times
}

/// The mixed model of the times that are known; none where none is.
pub(super) fn time_model(rows: &[&RatedRow], level: Level) -> Option<Defined<TimeModel>> {
    let timed: Vec<(&CaseRating, f64)> =
        rows.iter().filter_map(|row| row.seconds.map(|seconds| (&row.rating, seconds))).collect();
    (!timed.is_empty()).then(|| Defined(fit(&timed, level)))
}

fn fit(timed: &[(&CaseRating, f64)], level: Level) -> Result<TimeModel, Undefined> {
    if let Some(index) = timed.iter().position(|(_, seconds)| *seconds <= 0.0) {
        let reason = Reason::ObservationOutOfRange { index, value: timed[index].1, expected: "a time above zero" };
        return Err(Undefined::new("model of reading times", reason));
    }
    let names = |of: fn(&CaseRating) -> &String| {
        timed.iter().map(|(rating, _)| of(rating).as_str()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let (treatments, readers, cases) = (names(|of| &of.treatment), names(|of| &of.reader), names(|of| &of.case));
    let place = |names: &[&str], name: &str| names.binary_search(&name).unwrap_or_default();
    let readings: Vec<Reading> = timed
        .iter()
        .map(|(rating, seconds)| Reading {
            treatment: place(&treatments, &rating.treatment),
            reader: place(&readers, &rating.reader),
            case: place(&cases, &rating.case),
            value: seconds.ln(),
        })
        .collect();
    let model = MixedModel::fit(&readings, level)?;
    let exponential = |of: Estimate| {
        let limits = |limits: Limits| Limits { low: limits.low.exp(), high: limits.high.exp(), ..limits };
        Estimate { value: of.value.exp(), ..of }.map_limits(limits)
    };
    let named = treatments.iter().map(|name| (*name).to_owned());
    let pairs = treatments.iter().enumerate().flat_map(|(i, a)| treatments[i + 1..].iter().map(move |b| (a, b)));
    Ok(TimeModel {
        ratings: model.readings,
        sd: TimeSpread { reader: model.reader, case: model.case, error: model.error },
        means: named.zip(&model.means).map(|(name, mean)| (name, exponential(mean.estimate))).collect(),
        ratios: pairs
            .zip(&model.differences)
            .map(|((first, second), of)| TimeRatio {
                first: (*first).to_owned(),
                second: (*second).to_owned(),
                ratio: exponential(of.estimate),
                test: of.test,
            })
            .collect(),
    })
}

/// The median of values, which are some.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
