//! The worklist: a row a film, positive films first. What is filtered stands in the address.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::reasons::Reason;
use super::state::Desk;
use super::text::{self, Age, Header, visible};
use super::{Frame, PageError, html};
use crate::audit::{Deed, Sight};
use crate::db::{FilmState, Finding, Listed, Summary, Verdict, WorklistQuery, now};
use crate::http::{Caller, Shared};
use crate::language::Language;
use crate::monitor;
use crate::people::{Action, Subject, may};
use crate::visible::without_hidden;

/// Rows of a page.
const ROWS: i64 = 50;
/// Pages that can be asked for; whoever looks further back searches.
const PAGES: i64 = 10_000;
const DAY: i64 = 86_400_000_000;

/// What the address says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    finding: String,
    review: String,
    date: String,
    q: String,
    page: String,
}

impl Asked {
    /// For a finding, days and words, as the filters have them.
    pub(super) fn of(finding: &str, date: &str, q: &str) -> Self {
        Self { finding: finding.to_owned(), date: date.to_owned(), q: q.to_owned(), ..Self::default() }
    }
}

/// Filters as they were understood: what is not understood filters nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Filters {
    pub(super) state: &'static str,
    pub(super) finding: &'static str,
    pub(super) review: &'static str,
    /// `1`, `7` or `30` days, `all`, or a day.
    pub(super) date: String,
    pub(super) q: String,
    page: i64,
}

/// What a filter may be, with the message of each.
const STATES: [(&str, &str); 6] = [
    ("", "worklist-any-state"),
    ("read", "worklist-read"),
    ("not_read", "worklist-not-read"),
    ("withheld", "worklist-withheld"),
    ("waiting", "worklist-waiting"),
    ("failed", "worklist-failed"),
];
pub(super) const FINDINGS: [(&str, &str); 3] =
    [("", "worklist-any-finding"), ("positive", "worklist-positive"), ("negative", "worklist-negative")];
const REVIEWS: [(&str, &str); 7] = [
    ("", "worklist-any-review"),
    ("none", "worklist-unreviewed"),
    ("agree", "verdict-agree"),
    ("disagree", "verdict-disagree"),
    ("unsure", "verdict-unsure"),
    ("fracture", "verdict-fracture"),
    ("no_fracture", "verdict-no-fracture"),
];
pub(super) const DATES: [(&str, &str); 4] =
    [("1", "worklist-day"), ("7", "worklist-week"), ("30", "worklist-month"), ("all", "worklist-all-days")];

impl Filters {
    pub(super) fn of(asked: &Asked) -> Self {
        let one_of = |known: &[(&'static str, &str)], asked: &str| {
            known.iter().map(|(key, _)| *key).find(|key| *key == asked).unwrap_or("")
        };
        let date = asked.date.trim();
        let is_date = DATES.iter().any(|(key, _)| *key == date) || text::day_of(date).is_some();
        Self {
            state: one_of(&STATES, &asked.state),
            finding: one_of(&FINDINGS, &asked.finding),
            review: one_of(&REVIEWS, &asked.review),
            date: if is_date { date.to_owned() } else { "1".to_owned() },
            q: without_hidden(asked.q.trim()).chars().take(64).collect(),
            page: asked.page.parse::<i64>().unwrap_or(1).clamp(1, PAGES),
        }
    }

    pub(super) fn query(&self) -> WorklistQuery {
        WorklistQuery {
            states: match self.state {
                "read" => vec![FilmState::Read],
                "not_read" => vec![FilmState::NotRead],
                "withheld" => vec![FilmState::Withheld],
                "waiting" => vec![FilmState::Received, FilmState::Reading],
                "failed" => vec![FilmState::Failed],
                _ => Vec::new(),
            },
            finding: match self.finding {
                "positive" => Some(Finding::Positive),
                "negative" => Some(Finding::Negative),
                _ => None,
            },
            review: match self.review {
                "" => None,
                word => Some(Verdict::parse(word)),
            },
            received: match (self.date.parse::<i64>(), text::day_of(&self.date)) {
                (_, Some((from, to))) => (Some(from), Some(to)),
                (Ok(days), None) => (Some(now() - days * DAY), None),
                _ => (None, None),
            },
            // `^` and `=` part a name in DICOM, and `,` on these pages.
            words: self
                .q
                .split(|c: char| c.is_whitespace() || matches!(c, '^' | '=' | ','))
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The part of an address behind `?`, with a page; empty for the first page without filters.
    pub(super) fn address(&self, page: i64) -> String {
        let date = if self.date == "1" { "" } else { &self.date };
        let page = if page > 1 { page.to_string() } else { String::new() };
        let mut pairs = form_urlencoded(&[
            ("state", self.state),
            ("finding", self.finding),
            ("review", self.review),
            ("date", date),
            ("q", &self.q),
            ("page", &page),
        ]);
        if !pairs.is_empty() {
            pairs.insert(0, '?');
        }
        pairs
    }

    /// The same filters on all days.
    fn all_days(&self) -> String {
        format!("/{}", Self { date: "all".into(), ..self.clone() }.address(1))
    }

    fn is_day(&self) -> bool {
        text::day_of(&self.date).is_some()
    }

    fn is_narrow(&self) -> bool {
        !(self.state.is_empty() && self.finding.is_empty() && self.review.is_empty() && self.q.is_empty())
    }
}

/// Pairs that have a value.
fn form_urlencoded(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", text::parameter(value)))
        .collect();
    pairs.join("&")
}

/// What the worklist needs of a prediction.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    probability: Option<f64>,
    threshold: Option<f64>,
    finding: bool,
    regions: Vec<FoundRegion>,
}

#[derive(Debug, Deserialize)]
struct FoundRegion {
    #[serde(default)]
    side: String,
}

/// What a film is called, as a message and the class of its color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl Call {
    /// With a second threshold a positive film below it is suspected; without one it is called positive.
    pub(super) fn of(state: &str, probability: Option<f64>, is_positive: bool, high: Option<f64>) -> Self {
        let (word, class) = match (state, probability) {
            ("read", Some(p)) if is_positive && high.is_some_and(|high| p < high) => ("call-suspected", "suspected"),
            ("read", _) if is_positive => ("call-positive", "positive"),
            ("read", _) => ("call-negative", "negative"),
            ("not_read", _) => ("call-not-read", "unread"),
            ("withheld", _) => ("call-withheld", "withheld"),
            ("failed", _) => ("call-failed", "failed"),
            ("reading", _) => ("call-reading", "waiting"),
            _ => ("call-waiting", "waiting"),
        };
        Self { word, class }
    }
}

/// A probability on a line from 0 to 1 with the thresholds, in hundredths of its length.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    pub(super) text: String,
    pub(super) filled: String,
    pub(super) ticks: Vec<String>,
    pub(super) words: String,
}

impl Scale {
    pub(super) fn of(language: Language, probability: f64, threshold: f64, high: Option<f64>) -> Self {
        let thresholds: Vec<f64> = std::iter::once(threshold).chain(high).collect();
        let place = |share: f64| format!("{:.1}", 100.0 * share.clamp(0.0, 1.0));
        let (text, named) = (text::probability(probability, &thresholds), text::probability(threshold, &[]));
        let words = language.say(if high.is_some() { "scale-words-two" } else { "scale-words" });
        let words = words.with("probability", text.as_str()).with("threshold", named);
        Self {
            words: high.iter().fold(words, |words, high| words.with("high", text::probability(*high, &[]))).to_string(),
            text,
            filled: place(probability),
            ticks: thresholds.into_iter().map(place).collect(),
        }
    }
}

struct Row {
    id: i64,
    address: String,
    name: String,
    patient_id: String,
    accession: String,
    age: Age,
    sex: String,
    time: String,
    exact: String,
    side: String,
    call: Call,
    reason: Reason,
    /// Whether the film is tried again, after what the reason says.
    is_again: bool,
    scale: Option<Scale>,
    review: String,
}

impl Row {
    fn of(language: Language, film: &Listed, high: Option<f64>, filters: &Filters) -> Self {
        let found: Found = serde_json::from_str(&film.prediction).unwrap_or_default();
        let high = high.map(|high| monitor::rescaled(high, film.scale));
        let header = Header::of(&film.metadata);
        let mut sides: Vec<&'static str> = found
            .regions
            .iter()
            .filter_map(|region| match region.side.as_str() {
                "left" => Some("side-left"),
                "right" => Some("side-right"),
                _ => None,
            })
            .collect();
        sides.sort_unstable();
        sides.dedup();
        let scale = match (film.state.as_str(), found.probability, found.threshold) {
            ("read", Some(probability), Some(threshold)) => Some(Scale::of(language, probability, threshold, high)),
            _ => None,
        };
        let reason = match film.state.as_str() {
            "not_read" => &film.not_read,
            "failed" | "received" => &film.error,
            _ => "",
        };
        Self {
            id: film.id,
            address: format!("/films/{}{}", film.id, filters.address(1)),
            name: text::name(language, &film.patient_name),
            patient_id: visible(&film.patient_id),
            accession: visible(&film.accession_number),
            age: header.age(language, (&film.patient_birth_date, &film.study_date, film.received_at)),
            sex: text::sex(language, &film.patient_sex),
            time: text::moment(language, film.received_at),
            exact: text::exact(language, film.received_at),
            side: if found.finding {
                sides.iter().map(|side| language.say(side).to_string()).collect::<Vec<_>>().join(" + ")
            } else {
                String::new()
            },
            call: Call::of(&film.state, found.probability, found.finding, high),
            reason: Reason::of(language, reason),
            is_again: film.state == "received" && !film.error.is_empty(),
            scale,
            review: match film.verdict.as_str() {
                "agree" => language.say("verdict-agree").to_string(),
                "disagree" => language.say("verdict-disagree").to_string(),
                "unsure" => language.say("verdict-unsure").to_string(),
                "fracture" => language.say("verdict-fracture").to_string(),
                "no_fracture" => language.say("verdict-no-fracture").to_string(),
                _ => String::new(),
            },
        }
    }
}

/// The part that renews itself.
#[derive(Template)]
#[template(path = "worklist_rows.html")]
struct Rows {
    language: Language,
    /// Whether whoever sees the list may see the operations.
    operations: bool,
    filters: Filters,
    summary: Summary,
    rows: Vec<Row>,
    first: i64,
    last: i64,
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "worklist.html")]
struct Page {
    frame: Frame,
    states: &'static [(&'static str, &'static str)],
    findings: &'static [(&'static str, &'static str)],
    reviews: &'static [(&'static str, &'static str)],
    dates: &'static [(&'static str, &'static str)],
    list: Rows,
}

async fn rows(app: &crate::http::App, desk: &Desk, caller: &Caller, asked: &Asked) -> Result<Rows, PageError> {
    let filters = Filters::of(asked);
    let offset = (filters.page - 1) * ROWS;
    let mut films = app.db.worklist(&filters.query(), offset, ROWS + 1).await?;
    let is_more = films.len() as i64 > ROWS;
    films.truncate(ROWS as usize);
    let person = caller.asker.person().map_or(0, |person| person.id);
    let seen: Vec<i64> =
        films.iter().map(|film| film.id).filter(|film| app.sights.is_new(person, Sight::Row(*film))).collect();
    if !seen.is_empty() {
        let listed: Vec<String> = seen.iter().map(i64::to_string).collect();
        app.audit.add(caller.event(Deed::FilmsListed).with("films", listed.join(" "))).await?;
        app.sights.keep(person, seen.into_iter().map(Sight::Row));
    }
    let high = app.config.network.high_specificity_threshold;
    let rows: Vec<Row> = films.iter().map(|film| Row::of(caller.language, film, high, &filters)).collect();
    Ok(Rows {
        language: caller.language,
        operations: may(&caller.asker, Action::Operations, Subject::Any),
        summary: desk.summary(&app.db).await?,
        first: if rows.is_empty() { 0 } else { offset + 1 },
        last: offset + rows.len() as i64,
        previous: (filters.page > 1).then(|| format!("/{}", filters.address(filters.page - 1))),
        next: is_more.then(|| format!("/{}", filters.address(filters.page + 1))),
        rows,
        filters,
    })
}

/// `GET /`.
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let list = rows(&app, &desk, &caller, &asked).await?;
    let frame = Frame::of("worklist-title", "worklist", &caller);
    html(&Page { frame, states: &STATES, findings: &FINDINGS, reviews: &REVIEWS, dates: &DATES, list })
}

/// `GET /worklist`: the part that renews itself.
pub(super) async fn fragment(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    html(&rows(&app, &desk, &caller, &asked).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_its_filters_and_no_more() {
        let asked = Asked {
            state: "not_read".into(),
            q: "a&b=\"ü".into(),
            finding: "else".into(),
            page: "3".into(),
            ..Asked::default()
        };
        let filters = Filters::of(&asked);
        assert_eq!(filters.address(filters.page), "?state=not_read&q=a%26b%3D%22%C3%BC&page=3");
        assert_eq!(Filters::of(&Asked::default()).address(1), "");
        assert_eq!(filters.query().states, [FilmState::NotRead]);
    }

    #[test]
    fn a_film_is_suspected_below_the_second_threshold() {
        let word =
            |p, positive, high| Language::default().say(Call::of("read", Some(p), positive, high).word).to_string();
        assert_eq!(word(0.6, true, Some(0.9)), "Fracture suspected");
        assert_eq!(word(0.9, true, Some(0.9)), "Fracture");
        assert_eq!(word(0.6, true, None), "Fracture");
        assert_eq!(word(0.3, false, Some(0.9)), "No fracture found");
        assert_eq!(Call::of("not_read", None, false, None).class, "unread");
    }
}
