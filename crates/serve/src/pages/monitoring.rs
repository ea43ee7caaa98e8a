//! Monitoring: films and findings over time, scores against a reference, disagreement, times. Counts alone, no film by itself.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use coxa_model::Card;
use coxa_stats::{Estimate, Undefined};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::state::Desk;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::db::{Baseline, Watched, now};
use crate::http::{Caller, Shared};
use crate::language::Language;
use crate::monitor::chart::{Series, Stand, Unit, bars};
use crate::monitor::drift::{self, Drift};
use crate::monitor::figures::{self, Counts, Group, LEAST, Times};
use crate::monitor::source_of;
use crate::people::{Action, Subject, may};

const DAY: i64 = 86_400_000_000;
/// Days that are drawn each by itself; a longer time is drawn by month.
const MOST_DAYS: usize = 92;
/// Reasons and sources that are listed.
const MOST_ROWS: usize = 20;
/// Films of a baseline, unless another number is chosen.
const BASELINE: i64 = 300;
/// Periods of the page: the parameter, in words, and days.
const PERIODS: [(&str, &str, Option<i64>); 4] = [
    ("30", "30 days", Some(30)),
    ("90", "90 days", Some(90)),
    ("365", "12 months", Some(365)),
    ("all", "All films", None),
];

/// All of a period's films are counted in memory: one page at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    period: String,
    source: String,
}

struct Choice {
    value: String,
    words: String,
    is_chosen: bool,
}

/// A rate or a time as the page states it: with its interval, or why there is none.
struct Stated {
    value: String,
    /// The interval, or why there is no value.
    beside: String,
}

impl Stated {
    fn share(rate: Option<Estimate>, n: usize) -> Self {
        match rate {
            Some(rate) => Self { value: percent(rate.value), beside: limits(&rate, percent) },
            None => Self { value: String::new(), beside: format!("too few reviews ({n} of {LEAST})") },
        }
    }

    fn time(time: Option<Estimate>, n: usize) -> Self {
        match time {
            Some(time) => Self { value: duration(time.value), beside: limits(&time, duration) },
            None => Self { value: String::new(), beside: format!("too few films ({n} of {LEAST})") },
        }
    }
}

struct Row {
    name: String,
    counts: Counts,
    disagreement: String,
    result: String,
    look: String,
}

impl Row {
    fn of(group: &Group) -> Self {
        let judged = &group.judged;
        let n = judged.agree + judged.disagree;
        let rate = judged.rate.map(|rate| format!(" ({})", percent(rate.value))).unwrap_or_default();
        let times = |times: &Times| match (times.median, times.ninth) {
            (Some(median), Some(ninth)) => format!("{} · {}", duration(median.value), duration(ninth.value)),
            _ if times.n == 0 => "none".into(),
            _ => format!("too few ({})", times.n),
        };
        Self {
            name: visible(&group.name),
            counts: group.counts,
            disagreement: if n == 0 { "no review".into() } else { format!("{} of {n}{rate}", judged.disagree) },
            result: times(&group.to_result),
            look: times(&group.to_look),
        }
    }
}

/// A table of groups of films.
struct Groups {
    id: &'static str,
    title: &'static str,
    first: &'static str,
    rows: Vec<Row>,
}

struct Reason {
    words: String,
    films: usize,
    share: String,
}

/// A statistic of drift with its test.
struct Statistic {
    name: &'static str,
    value: Stated,
    test: String,
}

struct DriftRow {
    scores: String,
    reference: String,
    current: String,
    films: u64,
}

/// How scores differ from a reference.
struct DriftShown {
    words: String,
    reference: String,
    patients: usize,
    statistics: Vec<Statistic>,
    rows: Vec<DriftRow>,
    chart: String,
}

#[derive(Template)]
#[template(path = "monitoring.html")]
struct Page {
    frame: Frame,
    periods: Vec<Choice>,
    sources: Vec<Choice>,
    counts: Counts,
    disagreement: Stated,
    unsure: usize,
    result: [Stated; 2],
    look: [Stated; 2],
    looked: usize,
    days: Vec<(String, Counts)>,
    days_are_months: bool,
    days_chart: String,
    reasons: Vec<Reason>,
    drift: Option<DriftShown>,
    /// Why there is nothing to compare with, where there is nothing.
    no_reference: &'static str,
    groups: [Groups; 2],
    can_calibrate: bool,
    has_baseline: bool,
    has_validation: bool,
    baseline_films: i64,
    network: Option<(String, String)>,
    calibration: i64,
}

/// `GET /monitoring`.
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let _turn = TURN.lock().await;
    let chosen = PERIODS.iter().find(|(key, _, _)| *key == asked.period).unwrap_or(&PERIODS[0]);
    let to = now();
    let films = app.db.watched(chosen.2.map_or(i64::MIN, |days| to - days * DAY), i64::MAX).await?;
    let network = desk.network(&app.config).await.cloned();
    let (baseline, calibration) = match &network {
        Some((_, hash)) => (app.db.baseline(hash).await?, app.db.calibration_in_use(hash).await?),
        None => (None, None),
    };
    let periods = PERIODS.iter().map(|(key, words, _)| Choice {
        value: (*key).into(),
        words: (*words).into(),
        is_chosen: *key == chosen.0,
    });
    let frame = Frame::of("Monitoring", "monitoring", &caller);
    let can_calibrate = may(&caller.asker, Action::Calibrate, Subject::Any);
    let periods = periods.collect();
    let calibration = calibration.map_or(0, |calibration| calibration.id);
    let made = tokio::task::spawn_blocking(move || {
        let figures = Gathered { films, source: asked.source, network, baseline };
        figures.page(frame, periods, (can_calibrate, calibration))
    });
    html(&made.await.map_err(|_| {
        PageError::Unavailable("The figures could not be counted. The log of this node has the reason.")
    })?)
}

/// What a page is made of.
struct Gathered {
    films: Vec<Watched>,
    source: String,
    network: Option<(Card, String)>,
    baseline: Option<Baseline>,
}

impl Gathered {
    fn page(&self, frame: Frame, periods: Vec<Choice>, (can_calibrate, calibration): (bool, i64)) -> Page {
        let mut names: Vec<&str> = self.films.iter().map(source_of).collect();
        names.sort_unstable();
        names.dedup();
        let is_source = names.contains(&self.source.as_str()).then_some(self.source.as_str());
        let films: Vec<&Watched> =
            self.films.iter().filter(|film| is_source.is_none_or(|name| source_of(film) == name)).collect();
        let sources = std::iter::once(Choice {
            value: String::new(),
            words: "All sources".into(),
            is_chosen: is_source.is_none(),
        })
        .chain(names.iter().map(|name| Choice {
            value: (*name).to_owned(),
            words: visible(name),
            is_chosen: is_source == Some(name),
        }));
        let all = Group::of("", &films);
        let months = figures::by_month(&films);
        let mut days: Vec<(String, Counts)> =
            figures::by_day(&films).into_iter().map(|(day, counts)| (day.to_string(), counts)).collect();
        let days_are_months = days.len() > MOST_DAYS;
        if days_are_months {
            days = months.iter().map(|month| (month.name.clone(), month.counts)).collect();
        }
        let (drift, no_reference) = self.drift(&films);
        let reviewed = all.judged.agree + all.judged.disagree;
        Page {
            frame,
            periods,
            sources: sources.collect(),
            counts: all.counts,
            disagreement: Stated::share(all.judged.rate, reviewed),
            unsure: all.judged.unsure,
            result: [all.to_result.median, all.to_result.ninth].map(|time| Stated::time(time, all.to_result.n)),
            look: [all.to_look.median, all.to_look.ninth].map(|time| Stated::time(time, all.to_look.n)),
            looked: all.to_look.n,
            days_chart: days_chart(&days, days_are_months),
            days,
            days_are_months,
            reasons: reasons(&films, all.counts.films),
            drift,
            no_reference,
            groups: [
                Groups { id: "months", title: "By month", first: "Month", rows: months.iter().map(Row::of).collect() },
                Groups {
                    id: "sources",
                    title: "By source",
                    first: "Source",
                    rows: figures::by_source(&films).iter().map(Row::of).take(MOST_ROWS).collect(),
                },
            ],
            can_calibrate,
            has_baseline: self.baseline.as_ref().is_some_and(|baseline| !baseline.logits.is_empty()),
            has_validation: self.network.as_ref().is_some_and(|(card, _)| card.validation_scores.is_some()),
            baseline_films: BASELINE,
            network: self.network.as_ref().map(|(card, hash)| (visible(&card.name), hash.clone())),
            calibration,
        }
    }

    fn drift(&self, films: &[&Watched]) -> (Option<DriftShown>, &'static str) {
        let Some((card, hash)) = &self.network else {
            return (None, "The network’s card cannot be read, so that there is nothing to compare scores with.");
        };
        let chosen = self.baseline.as_ref().filter(|baseline| !baseline.logits.is_empty());
        let (reference, words, after): (Vec<f64>, String, i64) = if let Some(baseline) = chosen {
            let (first, last) = (
                text::exact(Language::default(), baseline.between.0),
                text::exact(Language::default(), baseline.between.1),
            );
            let words = format!(
                "a baseline: the first {} films that this network read here ({} patients, {first} to {last}), chosen by {} on {}. \
                 Films that came later are compared with it.",
                baseline.films,
                baseline.logits.len(),
                visible(&baseline.person),
                text::exact(Language::default(), baseline.at)
            );
            (baseline.logits.clone(), words, baseline.between.1)
        } else if let Some(scores) = &card.validation_scores {
            let kind = if card.simulated() { "simulated films" } else { "films" };
            let words = format!(
                "the scores of this network’s validation {kind} ({} patients), from its card.",
                scores.patients
            );
            (scores.logits.iter().map(|logit| f64::from(*logit)).collect(), words, i64::MIN)
        } else {
            return (
                None,
                "This network’s card holds no scores of its validation films. The first films that it read here can serve as a baseline.",
            );
        };
        let later = films.iter().copied().filter(|film| film.received_at > after);
        let current = drift::scores(later, hash, card.temperature);
        (Some(DriftShown::of(&Drift::of(&reference, &current, card.temperature), words)), "")
    }
}

impl DriftShown {
    fn of(drift: &Drift, reference: String) -> Self {
        let number = |value: f64| format!("{value:.3}");
        let stated = |estimate: &Estimate| Stated { value: number(estimate.value), beside: limits(estimate, number) };
        let missing = |undefined: &Undefined| Stated { value: String::new(), beside: undefined.reason.to_string() };
        let p = |p: f64| if p < 0.001 { "p < 0.001".into() } else { format!("p = {p:.3}") };
        let statistics = vec![
            match &drift.stability {
                Ok(stability) => Statistic {
                    name: "Population stability index",
                    value: stated(&stability.index),
                    test: format!(
                        "{}; {} on average without any change",
                        p(stability.test.p),
                        number(stability.by_chance)
                    ),
                },
                Err(why) => Statistic { name: "Population stability index", value: missing(why), test: String::new() },
            },
            match &drift.distance {
                Ok(distance) => Statistic {
                    name: "Kolmogorov–Smirnov distance",
                    value: stated(&distance.distance),
                    test: p(distance.test.p),
                },
                Err(why) => {
                    Statistic { name: "Kolmogorov–Smirnov distance", value: missing(why), test: String::new() }
                }
            },
        ];
        let labels: Vec<String> = drift
            .bins
            .iter()
            .map(|bin| format!("{} to {}", text::probability(bin.from, &[]), text::probability(bin.to, &[])))
            .collect();
        let series = [
            Series { class: "reference", values: drift.bins.iter().map(|bin| bin.reference).collect() },
            Series { class: "current", values: drift.bins.iter().map(|bin| bin.current).collect() },
        ];
        let words =
            "Share of films by probability, of the reference and of this period. The table beside has the numbers.";
        Self {
            words: drift.words.clone(),
            reference,
            patients: drift.patients,
            statistics,
            chart: bars(words, &labels, &series, Stand::Beside, Unit::Share),
            rows: drift
                .bins
                .iter()
                .zip(labels)
                .map(|(bin, scores)| DriftRow {
                    scores,
                    reference: percent(bin.reference),
                    current: percent(bin.current),
                    films: bin.films,
                })
                .collect(),
        }
    }
}

fn days_chart(days: &[(String, Counts)], are_months: bool) -> String {
    let labels: Vec<String> = days.iter().map(|(day, _)| day.clone()).collect();
    let of = |class, count: fn(&Counts) -> usize| Series {
        class,
        values: days.iter().map(|(_, counts)| count(counts) as f64).collect(),
    };
    let series = [
        of("positive", |counts| counts.positive),
        of("negative", |counts| counts.negative),
        of("unread", |counts| counts.not_read),
        of("other", |counts| counts.failed + counts.waiting),
    ];
    let unit = if are_months { "month" } else { "day" };
    let words = format!(
        "Films each {unit}: positive, negative, not read, and failed or waiting. The table beside has the numbers."
    );
    bars(&words, &labels, &series, Stand::Stacked, Unit::Count)
}

fn reasons(films: &[&Watched], all: usize) -> Vec<Reason> {
    let reasons = figures::reasons(films).into_iter().take(MOST_ROWS);
    reasons
        .map(|(words, films)| Reason {
            words: visible(&words),
            films,
            share: percent(films as f64 / all.max(1) as f64),
        })
        .collect()
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn limits(estimate: &Estimate, form: impl Fn(f64) -> String) -> String {
    match estimate.limits {
        Ok(limits) => format!("{} to {}", form(limits.low), form(limits.high)),
        Err(why) => format!("no interval: {why}"),
    }
}

/// Seconds in the unit that a person reads.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as i64;
    match whole {
        ..60 if seconds < 0.05 => "under 0.1 s".into(),
        ..60 if seconds < 9.95 => format!("{seconds:.1} s"),
        ..120 => format!("{whole} s"),
        120..7200 => format!("{} min", (seconds / 60.0).round()),
        7200..172_800 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_the_unit_that_a_person_reads() {
        for (seconds, words) in [
            (0.001, "under 0.1 s"),
            (0.44, "0.4 s"),
            (12.3, "12 s"),
            (119.0, "119 s"),
            (150.0, "3 min"),
            (7200.0, "2.0 h"),
            (400_000.0, "4.6 days"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }

    #[test]
    fn what_too_few_define_is_no_number() {
        let few = Stated::share(None, 3);
        assert_eq!((few.value.as_str(), few.beside.as_str()), ("", "too few reviews (3 of 10)"));
    }
}
