//! Counts, rates and times of films. What too few films define is not there.

use coxa_stats::{Clusters, Estimate, Interval, Level, Plan, order};
use coxa_study::proportion::Proportion;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::source_of;
use crate::db::{FilmState, Verdict, Watched};

/// Films or reviews below which no rate and no time is stated.
pub const LEAST: usize = 10;
/// Draws of patients behind an interval.
const REPLICATES: usize = 1000;

/// How many films came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub films: usize,
    /// Called positive.
    pub positive: usize,
    /// Read and not called positive.
    pub negative: usize,
    /// Not read, with a reason.
    pub not_read: usize,
    /// Failed.
    pub failed: usize,
    /// Received or being read.
    pub waiting: usize,
    /// Read, and the result withheld by a trial.
    pub withheld: usize,
}

impl Counts {
    /// Of some films.
    pub fn of<'a>(films: impl IntoIterator<Item = &'a Watched>) -> Self {
        films.into_iter().fold(Self::default(), |mut counts, film| {
            let state = FilmState::ALL.into_iter().find(|state| state.as_str() == film.state);
            let count = match (state, film.is_positive) {
                (Some(FilmState::Read), true) => &mut counts.positive,
                (Some(FilmState::Read), false) => &mut counts.negative,
                (Some(FilmState::NotRead), _) => &mut counts.not_read,
                (Some(FilmState::Failed), _) => &mut counts.failed,
                (Some(FilmState::Withheld), _) => &mut counts.withheld,
                (Some(FilmState::Received | FilmState::Reading) | None, _) => &mut counts.waiting,
            };
            *count += 1;
            counts.films += 1;
            counts
        })
    }
}

/// How physicians judged results: the verdict of each film that stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Judged {
    /// They agree.
    pub agree: usize,
    /// They disagree.
    pub disagree: usize,
    /// The film does not decide it; in no rate.
    pub unsure: usize,
    /// The share of disagreement among films that they agreed or disagreed with, patients being the units; `None` with fewer than
    /// [`LEAST`].
    pub rate: Option<Estimate>,
}

impl Judged {
    /// Of some films.
    pub fn of<'a>(films: impl IntoIterator<Item = &'a Watched>) -> Self {
        let mut judged = Self::default();
        let (mut hits, mut patients) = (Vec::new(), Vec::new());
        for film in films {
            match Verdict::parse(&film.verdict) {
                Some(Verdict::Agree) => judged.agree += 1,
                Some(Verdict::Disagree) => judged.disagree += 1,
                Some(Verdict::Unsure) => {
                    judged.unsure += 1;
                    continue;
                }
                // In a trial the film is decided, not the result.
                Some(Verdict::Fracture | Verdict::NoFracture) | None => continue,
            }
            hits.push(film.verdict == Verdict::Disagree.as_str());
            patients.push(patient_of(film));
        }
        judged.rate = if hits.len() < LEAST { None } else { share(&hits, &patients) };
        judged
    }
}

/// A patient, for what is counted by patient: a film without a patient ID is one of its own.
pub fn patient_of(film: &Watched) -> String {
    if film.patient.trim().is_empty() { format!("\0{}", film.film) } else { film.patient.trim().to_owned() }
}

/// A share of films: Wilson's interval where each patient has one film, else by a bootstrap of patients.
pub fn share(hits: &[bool], patients: &[String]) -> Option<Estimate> {
    let clusters = Clusters::new(patients);
    let clusters = (clusters.count() < hits.len()).then_some(&clusters);
    let plan = Plan { replicates: REPLICATES, seed: 0 };
    Proportion { clusters, level: Level::P95, interval: Interval::Wilson, plan }.of(hits).ok()
}

/// Times in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// How many there are.
    pub n: usize,
    /// The median; `None` with fewer than [`LEAST`].
    pub median: Option<Estimate>,
    /// The 90th percentile, likewise.
    pub ninth: Option<Estimate>,
}

impl Times {
    /// From the arrival to the result, of films that have one. A clock that was set back gives no time.
    pub fn to_result<'a>(films: impl IntoIterator<Item = &'a Watched>) -> Self {
        Self::of(films.into_iter().map(|film| (film.received_at, film.read_at)))
    }

    /// From the arrival to the moment when somebody first opened the film, of films that somebody did.
    pub fn to_look<'a>(films: impl IntoIterator<Item = &'a Watched>) -> Self {
        Self::of(films.into_iter().map(|film| (film.received_at, film.opened_at)))
    }

    fn of(spans: impl Iterator<Item = (i64, i64)>) -> Self {
        let seconds: Vec<f64> =
            spans.filter(|(from, to)| *to >= *from && *to > 0).map(|(from, to)| (to - from) as f64 / 1e6).collect();
        let at = |p| if seconds.len() < LEAST { None } else { order::quantile(&seconds, p, Level::P95).ok() };
        Self { n: seconds.len(), median: at(0.5), ninth: at(0.9) }
    }
}

/// Figures of a group of films.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The month (`2026-01`) or the source.
    pub name: String,
    /// How many films came to what.
    pub counts: Counts,
    /// What physicians said.
    pub judged: Judged,
    /// From arrival to result.
    pub to_result: Times,
    /// From arrival to the first look.
    pub to_look: Times,
}

impl Group {
    /// All films as one group.
    pub fn of(name: &str, films: &[&Watched]) -> Self {
        let all = || films.iter().copied();
        Self {
            name: name.to_owned(),
            counts: Counts::of(all()),
            judged: Judged::of(all()),
            to_result: Times::to_result(all()),
            to_look: Times::to_look(all()),
        }
    }
}

/// The day that a film came, by this machine's clock.
pub fn day_of(film: &Watched) -> Date {
    jiff::Timestamp::from_microsecond(film.received_at).unwrap_or_default().to_zoned(TimeZone::system()).date()
}

/// Films by the month of their arrival, the earliest first.
pub fn by_month(films: &[&Watched]) -> Vec<Group> {
    grouped(films, |film| {
        let day = day_of(film);
        format!("{:04}-{:02}", day.year(), day.month())
    })
}

/// Films by the AE title or the way that they came, in the order of their names.
pub fn by_source(films: &[&Watched]) -> Vec<Group> {
    grouped(films, |film| source_of(film).to_owned())
}

fn grouped(films: &[&Watched], key: impl Fn(&Watched) -> String) -> Vec<Group> {
    let mut groups: std::collections::BTreeMap<String, Vec<&Watched>> = std::collections::BTreeMap::new();
    for film in films {
        groups.entry(key(film)).or_default().push(film);
    }
    groups.iter().map(|(name, films)| Group::of(name, films)).collect()
}

/// Films of each day from the first to the last, days without a film among them.
pub fn by_day(films: &[&Watched]) -> Vec<(Date, Counts)> {
    let mut days: std::collections::BTreeMap<Date, Vec<&Watched>> = std::collections::BTreeMap::new();
    for film in films {
        days.entry(day_of(film)).or_default().push(film);
    }
    let (Some((first, _)), Some((last, _))) = (days.first_key_value(), days.last_key_value()) else {
        return Vec::new();
    };
    let (mut day, last, mut all) = (*first, *last, Vec::new());
    loop {
        all.push((day, days.get(&day).map_or_else(Counts::default, |films| Counts::of(films.iter().copied()))));
        match day.tomorrow() {
            Ok(next) if next <= last => day = next,
            _ => return all,
        }
    }
}

/// Why films were not read, the most frequent reason first.
pub fn reasons(films: &[&Watched]) -> Vec<(String, usize)> {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for film in films.iter().filter(|film| film.state == FilmState::NotRead.as_str()) {
        *counts.entry(film.not_read.as_str()).or_default() += 1;
    }
    let mut all: Vec<(String, usize)> = counts.into_iter().map(|(reason, films)| (reason.to_owned(), films)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A film that came so many seconds after 2026-01-01 and was read two seconds later.
    pub fn film(number: i64, after: i64, probability: Option<f64>, verdict: &str) -> Watched {
        let received_at = 1_767_225_600_000_000 + after * 1_000_000;
        Watched {
            film: number,
            received_at,
            source: "CT1@10.0.0.1".into(),
            state: if probability.is_some() { "read" } else { "not_read" }.into(),
            patient: format!("P{number}"),
            read_at: received_at + 2_000_000,
            opened_at: 0,
            not_read: if probability.is_some() { String::new() } else { "lateral view".into() },
            model: "abc".into(),
            is_positive: probability.is_some_and(|p| p >= 0.5),
            probability,
            logit: probability.map(|p| (p / (1.0 - p)).ln()),
            verdict: verdict.into(),
        }
    }

    #[test]
    fn too_few_have_no_rate_and_no_time() {
        let films: Vec<Watched> = (0..9).map(|i| film(i, i, Some(0.9), "disagree")).collect();
        let all: Vec<&Watched> = films.iter().collect();
        let group = Group::of("", &all);
        assert_eq!((group.judged.disagree, group.judged.rate), (9, None));
        assert_eq!((group.to_result.n, group.to_result.median, group.to_look.n), (9, None, 0));
    }

    #[test]
    fn counts_rates_and_times() {
        let mut films: Vec<Watched> = (0..20)
            .map(|i| film(i, i * 86_400, Some(if i < 8 { 0.9 } else { 0.1 }), if i < 5 { "disagree" } else { "agree" }))
            .collect();
        films.push(film(20, 0, None, ""));
        films.push(film(21, 0, Some(0.2), "unsure"));
        let all: Vec<&Watched> = films.iter().collect();
        let group = Group::of("", &all);
        assert_eq!(
            group.counts,
            Counts { films: 22, positive: 8, negative: 13, not_read: 1, failed: 0, waiting: 0, withheld: 0 }
        );
        assert_eq!((group.judged.agree, group.judged.disagree, group.judged.unsure), (15, 5, 1));
        let rate = group.judged.rate.unwrap();
        assert!(rate.value == 0.25 && rate.limits.unwrap().method == "Wilson");
        assert_eq!(group.to_result.median.unwrap().value, 2.0);
        assert_eq!(reasons(&all), [("lateral view".to_owned(), 1)]);
        assert_eq!(by_source(&all).len(), 1);
        let days = by_day(&all);
        assert_eq!(days.iter().map(|(_, counts)| counts.films).sum::<usize>(), 22);
        assert!(days.len() >= 20, "days without a film are there");
    }

    #[test]
    fn films_of_one_patient_are_not_independent() {
        let mut films: Vec<Watched> =
            (0..20).map(|i| film(i, i, Some(0.9), if i < 4 { "disagree" } else { "agree" })).collect();
        for film in &mut films {
            film.patient = format!("P{}", film.film / 2);
        }
        let rate = Judged::of(&films).rate.unwrap();
        assert!(rate.value == 0.2 && rate.limits.unwrap().method.contains("clustered"), "{rate:?}");
        films[0].patient = String::new();
        films[1].patient = " ".into();
        assert_ne!(patient_of(&films[0]), patient_of(&films[1]));
    }
}
