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

use super::reasons::Reason;
use super::state::Desk;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::db::{Baseline, Watched, now};
use crate::http::{Caller, Shared};
use crate::language::{Language, Message};
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
/// Periods of the page: the parameter, the message, and days.
const PERIODS: [(&str, &str, Option<i64>); 4] = [
    ("30", "monitoring-30", Some(30)),
    ("90", "monitoring-90", Some(90)),
    ("365", "monitoring-365", Some(365)),
    ("all", "monitoring-all", None),
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
    beside: Reason,
}

impl Stated {
    fn share(language: Language, rate: Option<Estimate>, n: usize) -> Self {
        match rate {
            Some(rate) => Self { value: percent(rate.value), beside: limits(language, &rate, percent) },
            None => Self::few(language.say("monitoring-few-reviews"), n),
        }
    }

    fn time(language: Language, time: Option<Estimate>, n: usize) -> Self {
        let form = |seconds| duration(language, seconds);
        match time {
            Some(time) => Self { value: form(time.value), beside: limits(language, &time, form) },
            None => Self::few(language.say("monitoring-few-films"), n),
        }
    }

    fn few(message: Message<'_>, n: usize) -> Self {
        Self { value: String::new(), beside: message.with("count", n).with("needed", LEAST).into() }
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
    fn of(language: Language, group: &Group) -> Self {
        let judged = &group.judged;
        let n = judged.agree + judged.disagree;
        let disagreement = match judged.rate {
            _ if n == 0 => language.say("monitoring-no-review"),
            Some(rate) => language.say("monitoring-share-rate").with("rate", percent(rate.value)),
            None => language.say("monitoring-share"),
        };
        let times = |times: &Times| match (times.median, times.ninth) {
            (Some(median), Some(ninth)) => {
                format!("{} · {}", duration(language, median.value), duration(language, ninth.value))
            }
            _ if times.n == 0 => language.say("none").to_string(),
            _ => language.say("monitoring-few").with("count", times.n).to_string(),
        };
        Self {
            name: visible(&group.name),
            counts: group.counts,
            disagreement: disagreement.with("part", judged.disagree).with("all", n).to_string(),
            result: times(&group.to_result),
            look: times(&group.to_look),
        }
    }
}

/// A table of groups of films.
struct Groups {
    id: &'static str,
    /// The messages of the heading and of the first column.
    title: &'static str,
    first: &'static str,
    rows: Vec<Row>,
}

/// Films that were not read for one reason.
struct NotRead {
    words: Reason,
    films: usize,
    share: String,
}

/// A statistic of drift with its test.
struct Statistic {
    name: String,
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
    words: Reason,
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
    reasons: Vec<NotRead>,
    drift: Option<DriftShown>,
    /// The message why there is nothing to compare with, where there is nothing.
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
    let language = caller.language;
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
        words: language.say(words).to_string(),
        is_chosen: *key == chosen.0,
    });
    let frame = Frame::of("monitoring-title", "monitoring", &caller);
    let can_calibrate = may(&caller.asker, Action::Calibrate, Subject::Any);
    let periods = periods.collect();
    let calibration = calibration.map_or(0, |calibration| calibration.id);
    let made = tokio::task::spawn_blocking(move || {
        let figures = Gathered { language, films, source: asked.source, network, baseline };
        figures.page(frame, periods, (can_calibrate, calibration))
    });
    html(&made.await.map_err(|_| PageError::Unavailable("monitoring-uncounted"))?)
}

/// What a page is made of.
struct Gathered {
    language: Language,
    films: Vec<Watched>,
    source: String,
    network: Option<(Card, String)>,
    baseline: Option<Baseline>,
}

impl Gathered {
    fn page(&self, frame: Frame, periods: Vec<Choice>, (can_calibrate, calibration): (bool, i64)) -> Page {
        let language = self.language;
        let mut names: Vec<&str> = self.films.iter().map(source_of).collect();
        names.sort_unstable();
        names.dedup();
        let is_source = names.contains(&self.source.as_str()).then_some(self.source.as_str());
        let films: Vec<&Watched> =
            self.films.iter().filter(|film| is_source.is_none_or(|name| source_of(film) == name)).collect();
        let sources = std::iter::once(Choice {
            value: String::new(),
            words: language.say("monitoring-all-sources").to_string(),
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
            disagreement: Stated::share(language, all.judged.rate, reviewed),
            unsure: all.judged.unsure,
            result: [all.to_result.median, all.to_result.ninth]
                .map(|time| Stated::time(language, time, all.to_result.n)),
            look: [all.to_look.median, all.to_look.ninth].map(|time| Stated::time(language, time, all.to_look.n)),
            looked: all.to_look.n,
            days_chart: days_chart(language, &days, days_are_months),
            days,
            days_are_months,
            reasons: reasons(language, &films, all.counts.films),
            drift,
            no_reference,
            groups: [
                Groups {
                    id: "months",
                    title: "monitoring-by-month",
                    first: "monitoring-month",
                    rows: months.iter().map(|group| Row::of(language, group)).collect(),
                },
                Groups {
                    id: "sources",
                    title: "monitoring-by-source",
                    first: "monitoring-source",
                    rows: figures::by_source(&films)
                        .iter()
                        .map(|group| Row::of(language, group))
                        .take(MOST_ROWS)
                        .collect(),
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
        let language = self.language;
        let Some((card, hash)) = &self.network else { return (None, "monitoring-drift-no-card") };
        let chosen = self.baseline.as_ref().filter(|baseline| !baseline.logits.is_empty());
        let (reference, words, after): (Vec<f64>, String, i64) = if let Some(baseline) = chosen {
            let at = |moment| text::exact(language, moment);
            let words = language
                .say("monitoring-drift-baseline")
                .with("films", baseline.films)
                .with("patients", baseline.logits.len())
                .with("first", at(baseline.between.0))
                .with("last", at(baseline.between.1))
                .with("person", visible(&baseline.person))
                .with("at", at(baseline.at));
            (baseline.logits.clone(), words.to_string(), baseline.between.1)
        } else if let Some(scores) = &card.validation_scores {
            let id = if card.simulated() { "monitoring-drift-simulated" } else { "monitoring-drift-validation" };
            let words = language.say(id).with("patients", scores.patients).to_string();
            (scores.logits.iter().map(|logit| f64::from(*logit)).collect(), words, i64::MIN)
        } else {
            return (None, "monitoring-drift-no-scores");
        };
        let later = films.iter().copied().filter(|film| film.received_at > after);
        let current = drift::scores(later, hash, card.temperature);
        (Some(DriftShown::of(language, &Drift::of(&reference, &current, card.temperature), words)), "")
    }
}

impl DriftShown {
    fn of(language: Language, drift: &Drift, reference: String) -> Self {
        let number = |value: f64| format!("{value:.3}");
        let stated =
            |estimate: &Estimate| Stated { value: number(estimate.value), beside: limits(language, estimate, number) };
        let missing = |undefined: &Undefined| Stated {
            value: String::new(),
            beside: Reason::of(language, &undefined.reason.to_string()),
        };
        let p = |p: f64| if p < 0.001 { "p < 0.001".into() } else { format!("p = {p:.3}") };
        let by_chance = |p: String, index| {
            language.say("monitoring-by-chance").with("p", p).with("index", number(index)).to_string()
        };
        let (index, index_test) = match &drift.stability {
            Ok(stability) => (stated(&stability.index), by_chance(p(stability.test.p), stability.by_chance)),
            Err(why) => (missing(why), String::new()),
        };
        let (distance, distance_test) = match &drift.distance {
            Ok(distance) => (stated(&distance.distance), p(distance.test.p)),
            Err(why) => (missing(why), String::new()),
        };
        let name = |id| language.say(id).to_string();
        let statistics = vec![
            Statistic { name: name("monitoring-stability"), value: index, test: index_test },
            Statistic { name: name("monitoring-distance"), value: distance, test: distance_test },
        ];
        let bin = |from, to| range(language, text::probability(from, &[]), text::probability(to, &[]));
        let labels: Vec<String> = drift.bins.iter().map(|of| bin(of.from, of.to)).collect();
        let series = [
            Series { class: "reference", values: drift.bins.iter().map(|bin| bin.reference).collect() },
            Series { class: "current", values: drift.bins.iter().map(|bin| bin.current).collect() },
        ];
        let words = language.say("monitoring-drift-chart").to_string();
        Self {
            words: Reason::of(language, &drift.words),
            reference,
            patients: drift.patients,
            statistics,
            chart: bars(&words, &labels, &series, Stand::Beside, Unit::Share),
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

fn days_chart(language: Language, days: &[(String, Counts)], are_months: bool) -> String {
    let labels: Vec<String> = days.iter().map(|(day, _)| day.clone()).collect();
    let of = |class, count: fn(&Counts) -> usize| Series {
        class,
        values: days.iter().map(|(_, counts)| count(counts) as f64).collect(),
    };
    let series = [
        of("positive", |counts| counts.positive),
        of("negative", |counts| counts.negative),
        of("unread", |counts| counts.not_read),
        of("other", |counts| counts.failed + counts.waiting + counts.withheld),
    ];
    let id = if are_months { "monitoring-films-a-month-chart" } else { "monitoring-films-a-day-chart" };
    let words = language.say(id).to_string();
    bars(&words, &labels, &series, Stand::Stacked, Unit::Count)
}

fn reasons(language: Language, films: &[&Watched], all: usize) -> Vec<NotRead> {
    let reasons = figures::reasons(films).into_iter().take(MOST_ROWS);
    reasons
        .map(|(words, films)| NotRead {
            words: Reason::of(language, &words),
            films,
            share: percent(films as f64 / all.max(1) as f64),
        })
        .collect()
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// From one value to another.
pub(super) fn range(language: Language, low: String, high: String) -> String {
    language.say("monitoring-range").with("low", low).with("high", high).to_string()
}

fn limits(language: Language, estimate: &Estimate, form: impl Fn(f64) -> String) -> Reason {
    match estimate.limits {
        Ok(limits) => Reason { text: range(language, form(limits.low), form(limits.high)), is_english: false },
        Err(why) => Reason::within(language, "monitoring-no-interval", &why.to_string()),
    }
}

/// Seconds in the unit that a person reads.
fn duration(language: Language, seconds: f64) -> String {
    let whole = seconds.round() as i64;
    let (id, number) = match whole {
        ..60 if seconds < 0.05 => return language.say("monitoring-instant").to_string(),
        ..60 if seconds < 9.95 => ("monitoring-seconds", format!("{seconds:.1}")),
        ..120 => ("monitoring-seconds", whole.to_string()),
        120..7200 => ("monitoring-minutes", (seconds / 60.0).round().to_string()),
        7200..172_800 => ("monitoring-hours", format!("{:.1}", seconds / 3600.0)),
        _ => ("monitoring-days", format!("{:.1}", seconds / 86_400.0)),
    };
    language.say(id).with("number", number).to_string()
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
            assert_eq!(duration(Language::default(), seconds), words);
        }
    }

    #[test]
    fn what_too_few_define_is_no_number() {
        let few = Stated::share(Language::default(), None, 3);
        assert_eq!((few.value.as_str(), few.beside.text.as_str()), ("", "too few reviews (3 of 10)"));
    }
}
