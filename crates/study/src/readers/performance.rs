//! Readers' calls at a threshold: each reader's and each group's rates, as the paper's tables have them, and whether they lie under a
//! network's ROC curve.

use std::collections::BTreeMap;

use coxa_stats::confusion::F1Interval;
use coxa_stats::roc::Roc;
use coxa_stats::{Confusion, Estimate, Interval, Level, Limits, Undefined, means};
use serde::Serialize;

use super::table::RatedRow;
use crate::statistic::Statistic;

/// The names of the five rates, in their order.
const RATES: [&str; 5] = ["sensitivity", "specificity", "accuracy", "f1", "fnr"];

/// The readers' rates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Performance {
    /// A rating of this much or more calls the finding present.
    pub threshold: f64,
    /// Each reader under each treatment.
    pub readers: Vec<ReaderPerformance>,
    /// Each group of readers under each treatment, and all readers (group empty).
    pub groups: Vec<GroupPerformance>,
}

/// One reader's rates under one treatment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReaderPerformance {
    /// The reader.
    pub reader: String,
    /// The reader's group.
    pub group: String,
    /// The treatment.
    pub treatment: String,
    /// With its exact interval.
    pub sensitivity: Statistic,
    /// As sensitivity.
    pub specificity: Statistic,
    /// As sensitivity.
    pub accuracy: Statistic,
    /// The harmonic mean of sensitivity and positive predictive value.
    pub f1: Statistic,
    /// False-negative rate.
    pub fnr: Statistic,
    /// Whether the reader's point lies below the network's curve; `None` without a curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_curve: Option<bool>,
}

/// A group's mean rates under one treatment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupPerformance {
    /// The group; empty of all readers.
    pub group: String,
    /// The treatment.
    pub treatment: String,
    /// How many readers.
    pub readers: usize,
    /// Mean, Student's interval over readers, and range of each rate.
    pub rates: BTreeMap<&'static str, GroupRate>,
    /// Whether the point of mean sensitivity and specificity lies below the network's curve; `None` without a curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_under_curve: Option<bool>,
    /// Whether the whole box of both means' intervals does: its best corner, the upper limits; `None` without a curve or an interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_under_curve: Option<bool>,
}

/// A rate over the readers of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupRate {
    /// The mean, with Student's interval cut to [0, 1].
    pub mean: Statistic,
    /// The lowest reader's.
    pub lowest: f64,
    /// The highest reader's.
    pub highest: f64,
}

/// A network's empirical ROC curve.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCurve {
    /// (1 − specificity, sensitivity), ascending.
    points: Vec<(f64, f64)>,
}

impl ModelCurve {
    /// The corners of an empirical curve.
    pub fn of(roc: &Roc) -> Self {
        let mut points: Vec<(f64, f64)> = roc.points().iter().map(|p| (1.0 - p.specificity, p.sensitivity)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self { points }
    }

    /// (1 − specificity, sensitivity) of its corners, ascending.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Whether a point lies strictly below the curve, which is straight between its corners. On a vertical step the upper end counts.
    pub fn passes_above(&self, specificity: f64, sensitivity: f64) -> bool {
        // Rates are ratios of counts: what differs by less is equal.
        const SAME: f64 = 1e-12;
        let at = 1.0 - specificity;
        let before = self.points.iter().rfind(|p| p.0 <= at + SAME);
        let after = self.points.iter().find(|p| p.0 > at + SAME);
        let height = match (before, after) {
            (Some(a), Some(b)) if at > a.0 + SAME => a.1 + (b.1 - a.1) * (at - a.0) / (b.0 - a.0),
            (Some(a), _) => a.1,
            (None, _) => 0.0,
        };
        sensitivity < height - SAME
    }
}

/// Counts every reader's calls and averages them by group.
pub(super) fn performance(rows: &[&RatedRow], threshold: f64, curve: Option<&ModelCurve>, level: Level) -> Performance {
    let mut tables: BTreeMap<(&str, &str), (Confusion, &str)> = BTreeMap::new();
    for row in rows {
        let rating = &row.rating;
        let entry = tables.entry((&rating.treatment, &rating.reader)).or_default();
        entry.0.add(rating.rating >= threshold, rating.truth);
        if !row.group.is_empty() {
            entry.1 = &row.group;
        }
    }
    let readers: Vec<ReaderPerformance> = tables
        .iter()
        .map(|(&(treatment, reader), (table, group))| of_reader((reader, group, treatment), table, curve, level))
        .collect();
    let mut groups: BTreeMap<(&str, &str), Vec<&ReaderPerformance>> = BTreeMap::new();
    for reader in &readers {
        groups.entry((&reader.treatment, "")).or_default().push(reader);
        if !reader.group.is_empty() {
            groups.entry((&reader.treatment, &reader.group)).or_default().push(reader);
        }
    }
    let groups =
        groups.iter().map(|(&(treatment, group), of)| of_group((group, treatment), of, curve, level)).collect();
    Performance { threshold, readers, groups }
}

fn of_reader(
    (reader, group, treatment): (&str, &str, &str),
    table: &Confusion,
    curve: Option<&ModelCurve>,
    level: Level,
) -> ReaderPerformance {
    let exact = Interval::ClopperPearson;
    let sensitivity = Statistic(table.sensitivity(level, exact));
    let specificity = Statistic(table.specificity(level, exact));
    let under_curve = curve
        .zip(specificity.value().zip(sensitivity.value()))
        .map(|(curve, (specificity, sensitivity))| curve.passes_above(specificity, sensitivity));
    ReaderPerformance {
        reader: reader.to_owned(),
        group: group.to_owned(),
        treatment: treatment.to_owned(),
        sensitivity,
        specificity,
        accuracy: Statistic(table.accuracy(level, exact)),
        f1: Statistic(table.f1(level, F1Interval::default())),
        fnr: Statistic(table.false_negative_rate(level, exact)),
        under_curve,
    }
}

fn of_group(
    (group, treatment): (&str, &str),
    readers: &[&ReaderPerformance],
    curve: Option<&ModelCurve>,
    level: Level,
) -> GroupPerformance {
    let mut rates = BTreeMap::new();
    for name in RATES {
        let of = |reader: &ReaderPerformance| {
            let rate = match name {
                "sensitivity" => &reader.sensitivity,
                "specificity" => &reader.specificity,
                "accuracy" => &reader.accuracy,
                "f1" => &reader.f1,
                _ => &reader.fnr,
            };
            rate.value()
        };
        let values: Vec<f64> = readers.iter().filter_map(|reader| of(reader)).collect();
        let (lowest, highest) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        if !values.is_empty() {
            rates.insert(name, GroupRate { mean: Statistic(mean(&values, level)), lowest, highest });
        }
    }
    let rate = |name: &str| rates.get(name).map(|rate: &GroupRate| &rate.mean);
    let both = rate("specificity").zip(rate("sensitivity"));
    let mean_under_curve = curve.zip(both).and_then(|(curve, (specificity, sensitivity))| {
        Some(curve.passes_above(specificity.value()?, sensitivity.value()?))
    });
    let interval_under_curve = curve.zip(both).and_then(|(curve, (specificity, sensitivity))| {
        Some(curve.passes_above(specificity.limits()?.high, sensitivity.limits()?.high))
    });
    GroupPerformance {
        group: group.to_owned(),
        treatment: treatment.to_owned(),
        readers: readers.len(),
        rates,
        mean_under_curve,
        interval_under_curve,
    }
}

/// Student's mean of the readers' rates, its interval cut to [0, 1].
fn mean(values: &[f64], level: Level) -> Result<Estimate, Undefined> {
    if let &[one] = values {
        return Ok(Estimate::without_limits(one, "one reader has no interval over readers", 1));
    }
    let estimate = means::mean(values, level)?;
    if estimate.low() == estimate.high() {
        return Ok(Estimate::without_limits(estimate.value, "the readers do not differ", values.len()));
    }
    Ok(estimate.map_limits(|l| Limits { low: l.low.max(0.0), high: l.high.min(1.0), ..l }))
}
