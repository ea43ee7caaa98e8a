//! The audit log, for auditors: filtered by person, film, action and day; verified; exported.

use std::collections::HashMap;
use std::convert::Infallible;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::reasons::Reason;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::chain::Body as Entry;
use crate::audit::dicom::FilmOf;
use crate::audit::{Deed, Event, Head, Outcome, Report, csv as lines, dicom as messages};
use crate::db::{AuditQuery, AuditRow};
use crate::http::{App, Caller, Shared};
use crate::language::Language;

/// Rows of a page.
const ROWS: i64 = 100;
/// Rows that an export fetches at once.
const BATCH: i64 = 1000;

/// What the address says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    person: String,
    film: String,
    action: String,
    from: String,
    to: String,
    before: String,
}

/// Filters as they were understood: what is not understood filters nothing.
struct Filters {
    person: i64,
    film: i64,
    action: &'static str,
    from: String,
    to: String,
}

impl Filters {
    fn of(asked: &Asked) -> Self {
        let number = |text: &str| text.trim().parse().ok().filter(|number: &i64| *number > 0).unwrap_or(0);
        let day = |text: &str| if text::day_of(text.trim()).is_some() { text.trim().to_owned() } else { String::new() };
        Self {
            person: number(&asked.person),
            film: number(&asked.film),
            action: Deed::parse(&asked.action).map_or("", Deed::as_str),
            from: day(&asked.from),
            to: day(&asked.to),
        }
    }

    fn query(&self) -> AuditQuery {
        AuditQuery {
            person: self.person,
            film: self.film,
            action: self.action.to_owned(),
            between: (text::day_of(&self.from).map(|day| day.0), text::day_of(&self.to).map(|day| day.1)),
        }
    }

    fn address(&self, path: &str, before: Option<i64>) -> String {
        let number = |number: i64| if number > 0 { number.to_string() } else { String::new() };
        let pairs = [
            ("person", number(self.person)),
            ("film", number(self.film)),
            ("action", self.action.to_owned()),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("before", before.map(number).unwrap_or_default()),
        ];
        let pairs: Vec<String> =
            pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key}={value}")).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }

    fn film_text(&self) -> String {
        if self.film > 0 { self.film.to_string() } else { String::new() }
    }
}

struct Row {
    seq: i64,
    at: String,
    who: String,
    kind: String,
    action: String,
    has_failed: bool,
    film: i64,
    address: String,
    detail: String,
    hash: String,
}

impl Row {
    fn of(language: Language, row: AuditRow) -> Self {
        let at = text::exact(language, row.at);
        let hash = row.hash.chars().take(12).collect();
        let Ok(entry) = serde_json::from_str::<Entry>(&row.body) else {
            return Self {
                seq: row.seq,
                at,
                who: String::new(),
                kind: String::new(),
                action: language.say("audit-unreadable").to_string(),
                has_failed: true,
                film: 0,
                address: String::new(),
                detail: String::new(),
                hash,
            };
        };
        let detail: Vec<String> = entry.detail.iter().map(|(key, value)| format!("{key} {value}")).collect();
        Self {
            seq: row.seq,
            at,
            who: visible(&entry.who.name),
            kind: match entry.who.kind.as_str() {
                "person" => String::new(),
                "local" => language.say("audit-program").to_string(),
                "token" => language.say("audit-token").to_string(),
                "node" => language.say("audit-node").to_string(),
                "nobody" => language.say("audit-nobody").to_string(),
                kind => visible(kind),
            },
            action: Deed::parse(&entry.action)
                .map_or_else(|| visible(&entry.action), |deed| language.say(&message(deed)).to_string()),
            has_failed: entry.outcome == Outcome::Failure,
            film: entry.film.unwrap_or(0),
            address: visible(&entry.address),
            detail: visible(&detail.join("; ")),
            hash,
        }
    }
}

/// The message of what was done.
fn message(deed: Deed) -> String {
    format!("deed-{}", deed.as_str())
}

/// What a verification found, in the reader's words.
struct Verified {
    is_sound: bool,
    entries: i64,
    head: (i64, String),
    /// Each with the number of its entry.
    faults: Vec<(i64, Reason)>,
    unchecked: Vec<Reason>,
}

impl Verified {
    fn of(language: Language, report: Report) -> Self {
        Self {
            is_sound: report.is_sound(),
            entries: report.entries,
            faults: report.faults.iter().map(|fault| (fault.seq, Reason::of(language, &fault.what))).collect(),
            unchecked: report.unchecked.iter().map(|what| Reason::of(language, what)).collect(),
            head: report.head,
        }
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    filters: Filters,
    people: Vec<(i64, String)>,
    /// Each with its message.
    deeds: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    older: Option<String>,
    is_first: bool,
    csv: String,
    xml: String,
    report: Option<Verified>,
    key: String,
}

async fn show(app: &App, caller: &Caller, asked: &Asked, report: Option<Report>) -> Result<Response, PageError> {
    let filters = Filters::of(asked);
    let before = asked.before.parse().ok().filter(|before: &i64| *before > 0);
    let mut rows = app.db.audit_before(&filters.query(), before.unwrap_or(i64::MAX), ROWS + 1).await?;
    let is_more = rows.len() as i64 > ROWS;
    rows.truncate(ROWS as usize);
    let older = rows.last().filter(|_| is_more).map(|row| filters.address("/audit", Some(row.seq)));
    let people = app.db.people().await?.into_iter().map(|account| (account.person.id, visible(&account.person.name)));
    html(&Page {
        frame: Frame::of("audit-title", "audit", caller),
        people: people.collect(),
        deeds: Deed::ALL.iter().map(|deed| (deed.as_str(), message(*deed))).collect(),
        older,
        is_first: before.is_none(),
        csv: filters.address("/audit/export.csv", None),
        xml: filters.address("/audit/export.xml", None),
        rows: rows.into_iter().map(|row| Row::of(caller.language, row)).collect(),
        filters,
        report: report.map(|report| Verified::of(caller.language, report)),
        key: app.audit.keys().public().to_owned(),
    })
}

/// An entry with the filters that were asked for.
fn filtered(event: Event, asked: &Asked) -> Event {
    let filters = Filters::of(asked).address("", None);
    if filters.is_empty() { event } else { event.with("filters", filters) }
}

/// `GET /audit`.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    app.audit.add(filtered(caller.event(Deed::AuditRead), &asked)).await?;
    show(&app, &caller, &asked, None).await
}

/// `POST /audit/verify`.
pub(super) async fn verify(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let keys = app.audit.keys();
    let trusted: Vec<String> = app.config.audit.keys.iter().cloned().chain([keys.public().to_owned()]).collect();
    let (heads, missing): (Vec<Head>, bool) = match keys.kept_head() {
        Ok(head) => (head.clone().into_iter().collect(), head.is_none()),
        Err(_) => (Vec::new(), true),
    };
    let mut report = crate::audit::verify(&app.db, &trusted, &heads).await?;
    if missing {
        report.unchecked.push("the end of the chain: the head that this node keeps apart is missing".into());
    }
    let event = caller.event(Deed::AuditVerified).with("entries", report.entries).with("faults", report.faults.len());
    app.audit.add(if report.is_sound() { event } else { event.failed() }).await?;
    show(&app, &caller, &Asked::default(), Some(report)).await
}

/// `GET /audit/export.csv`.
pub(super) async fn csv(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    app.audit.add(filtered(caller.event(Deed::AuditExported).with("as", "csv"), &asked)).await?;
    export(&app, &asked, "text/csv; charset=utf-8", "audit.csv", lines::HEADER, |rows, _| {
        rows.iter().map(lines::line).collect()
    })
    .await
}

/// `GET /audit/export.xml`: a DICOM audit message a line.
pub(super) async fn dicom(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    app.audit.add(filtered(caller.event(Deed::AuditExported).with("as", "dicom"), &asked)).await?;
    export(&app, &asked, "application/xml-seq", "audit.xml", "", |rows, films| {
        rows.iter().filter_map(|row| messages::message(row, films.get(&row.film))).collect()
    })
    .await
}

async fn export(
    app: &App,
    asked: &Asked,
    media: &'static str,
    file: &'static str,
    head: &'static str,
    text: impl Fn(&[AuditRow], &HashMap<i64, FilmOf>) -> String + Send + 'static,
) -> Result<Response, PageError> {
    let query = Filters::of(asked).query();
    // What is added while the export runs is not in it.
    let (last, _) = app.db.audit_head().await?;
    let db = app.db.clone();
    let pages = futures_util::stream::unfold((db, query, text, Some(0)), move |(db, query, text, after)| async move {
        let after = after?;
        let mut rows = match db.audit_after(&query, after, BATCH).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!("an export ended early: {error}");
                return None;
            }
        };
        rows.retain(|row| row.seq <= last);
        let next = if rows.len() as i64 == BATCH { rows.last().map(|row| row.seq) } else { None };
        let mut films = HashMap::new();
        for row in rows.iter().filter(|row| row.film != 0) {
            if let std::collections::hash_map::Entry::Vacant(place) = films.entry(row.film)
                && let Ok(Some(film)) = db.film(row.film).await
            {
                let attributes = film.attributes;
                place.insert(FilmOf {
                    study_uid: attributes.study_uid,
                    sop_class_uid: attributes.sop_class_uid,
                    patient_id: attributes.patient_id,
                });
            }
        }
        let chunk = text(&rows, &films);
        Some((Ok::<_, Infallible>(chunk), (db, query, text, next)))
    });
    let begin = futures_util::stream::once(async move { Ok::<_, Infallible>(head.to_owned()) });
    let body = Body::from_stream(futures_util::StreamExt::chain(begin, pages));
    let mut response = ([(header::CONTENT_TYPE, media)], body).into_response();
    let disposition = format!("attachment; filename=\"{file}\"");
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
    );
    Ok(response)
}
