//! Collections of films: how far each is, its report, and the films that a person must review. Nothing on these pages identifies a patient.

use std::collections::BTreeMap;
use std::time::SystemTime;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use coxa_collect::{Progress, REPORT_TABLE, Reason, RowOutcome, Summary};
use coxa_deidentify::{Decision, Decisions, RegionVerdict};

use super::text;
use super::{Frame, PageError, html};
use crate::collections::{CollectionError, Content};
use crate::config::Collection;
use crate::http::{App, Caller, Shared};
use crate::language::Language;

/// Injuries and films that a page lists; the report has all.
const MOST: usize = 200;

/// The collection of a name; `NotFound` for any other.
pub(super) fn named<'a>(app: &'a App, name: &str) -> Result<&'a Collection, PageError> {
    app.config.collections.iter().find(|collection| collection.name == name).ok_or(PageError::NotFound)
}

/// What the folder of a collection holds, and what persons decided.
pub(super) async fn read(collection: &Collection) -> Result<(Content, Decisions), PageError> {
    let collection = collection.clone();
    let read = move || Ok::<_, CollectionError>((collection.content()?, collection.decisions()?));
    Ok(tokio::task::spawn_blocking(read).await.map_err(|_| PageError::Unavailable("error-collection"))??)
}

fn moment(language: Language, at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    text::moment(language, i64::try_from(since.as_micros()).unwrap_or_default())
}

/// A line of the list of collections.
struct Listed {
    name: String,
    kind: Kind,
    changed: String,
    open: usize,
}

/// What a collection's folder holds, in numbers.
enum Kind {
    Collected(Summary, usize),
    Deidentified { films: usize, withheld: usize },
    Nothing,
    Unreadable,
}

impl Kind {
    fn of(content: &Content) -> Self {
        match content {
            Content::Collected(progress) => Self::Collected(progress.summary, progress.rows.len()),
            Content::Deidentified(list, _) => Self::Deidentified { films: list.films, withheld: list.withheld.len() },
            Content::Nothing => Self::Nothing,
        }
    }
}

#[derive(Template)]
#[template(path = "collections.html")]
struct ListPage {
    frame: Frame,
    all: Vec<Listed>,
}

/// `GET /collections`.
pub(super) async fn all(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let mut all = Vec::new();
    for collection in &app.config.collections {
        let name = collection.name.clone();
        all.push(match read(collection).await {
            Ok((content, decisions)) => Listed {
                name,
                kind: Kind::of(&content),
                changed: changed(caller.language, &content),
                open: open(&content, &decisions),
            },
            // One folder that cannot be read does not hide the others.
            Err(_) => Listed { name, kind: Kind::Unreadable, changed: String::new(), open: 0 },
        });
    }
    html(&ListPage { frame: Frame::of("collections-title", "collections", &caller), all })
}

fn changed(language: Language, content: &Content) -> String {
    match content {
        Content::Collected(progress) => moment(language, progress.changed),
        Content::Deidentified(_, at) => moment(language, *at),
        Content::Nothing => String::new(),
    }
}

/// How many films wait for a person.
fn open(content: &Content, decisions: &Decisions) -> usize {
    content.to_review().iter().filter(|film| !is_decided(film, decisions)).count()
}

fn is_decided(film: &crate::collections::ToReview, decisions: &Decisions) -> bool {
    film.is_answered_by(decisions.of(film.serial))
}

/// A number of the report with the code and the words of its reason.
struct Counted {
    what: &'static str,
    code: &'static str,
    words: &'static str,
    count: usize,
}

/// An injury or a film with its reason.
struct Explained {
    row: u64,
    serial: u64,
    instead: u64,
    what: &'static str,
    words: &'static str,
    /// What the PACS did or why the film is withheld, in English.
    detail: String,
}

/// A film to review, and what was decided.
struct Waiting {
    serial: usize,
    row: u64,
    regions: usize,
    /// The decision as a message; empty where there is none yet.
    decided: &'static str,
}

/// The report of a collection from a PACS.
#[derive(Default)]
struct Report {
    rows: Vec<Counted>,
    films: Vec<Counted>,
    injuries: Vec<Explained>,
    left: Vec<Explained>,
    injuries_in_all: usize,
    left_in_all: usize,
    has_table: bool,
}

#[derive(Template)]
#[template(path = "collection.html")]
struct Page {
    frame: Frame,
    name: String,
    kind: Kind,
    changed: String,
    waiting: Vec<Waiting>,
    open: usize,
    /// Withheld films that no decision admits, of a folder of `coxa deidentify`: their serial numbers and reasons.
    withheld: Vec<(usize, String)>,
    report: Report,
}

/// `GET /collections/{collection}`.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let collection = named(&app, &name)?;
    let (content, decisions) = read(collection).await?;
    let waiting = content.to_review().into_iter().map(|film| Waiting {
        serial: film.serial,
        row: film.row.unwrap_or_default(),
        regions: film.review.regions.len(),
        decided: if is_decided(&film, &decisions) { decided(decisions.of(film.serial)) } else { "" },
    });
    let waiting: Vec<Waiting> = waiting.collect();
    let withheld = match &content {
        Content::Deidentified(list, _) => list
            .withheld
            .iter()
            .filter(|film| film.review.is_none())
            .map(|film| (film.serial, film.reason.clone()))
            .take(MOST)
            .collect(),
        _ => Vec::new(),
    };
    let mut report = match &content {
        Content::Collected(progress) => of_progress(progress),
        _ => Report::default(),
    };
    report.has_table = matches!(content, Content::Collected(_)) && collection.folder.join(REPORT_TABLE).is_file();
    html(&Page {
        frame: Frame::of("collections-title", "collections", &caller),
        name,
        kind: Kind::of(&content),
        changed: changed(caller.language, &content),
        open: waiting.iter().filter(|film| film.decided.is_empty()).count(),
        waiting,
        withheld,
        report,
    })
}

/// What persons decided about a film, as a message.
pub(super) fn decided(decisions: &[Decision]) -> &'static str {
    let has = |verdict| decisions.iter().any(|decision| decision.verdict == verdict);
    match (has(RegionVerdict::Exclude), has(RegionVerdict::Blank), has(RegionVerdict::Keep)) {
        (true, ..) => "collections-decided-exclude",
        (_, true, true) => "collections-decided-some",
        (_, true, false) => "collections-decided-blank",
        (_, false, true) => "collections-decided-keep",
        (_, false, false) => "collections-decided-none",
    }
}

fn of_progress(progress: &Progress) -> Report {
    let mut of_rows: BTreeMap<_, usize> = BTreeMap::new();
    let mut of_films: BTreeMap<_, usize> = BTreeMap::new();
    for row in &progress.rows {
        *of_rows.entry((row.outcome, row.reason)).or_default() += 1;
        row.films.iter().for_each(|film| *of_films.entry((film.file.is_none(), film.reason)).or_default() += 1);
        row.left.iter().for_each(|(reason, n)| *of_films.entry((true, *reason)).or_default() += n);
    }
    let counted = |what, reason: Reason, count| Counted { what, code: reason.code(), words: words(reason), count };
    let injuries = progress.rows.iter().filter(|row| row.outcome != RowOutcome::Found);
    let left: Vec<_> = progress.films().filter(|(_, film)| film.reason != Reason::Taken).collect();
    Report {
        rows: of_rows.into_iter().map(|((outcome, reason), n)| counted(outcome_words(outcome), reason, n)).collect(),
        films: of_films.into_iter().map(|((left, reason), n)| counted(film_words(!left), reason, n)).collect(),
        injuries_in_all: injuries.clone().count(),
        injuries: injuries
            .take(MOST)
            .map(|row| Explained {
                row: row.row,
                serial: 0,
                instead: 0,
                what: outcome_words(row.outcome),
                words: words(row.reason),
                detail: row.detail.clone().unwrap_or_default(),
            })
            .collect(),
        left_in_all: left.len(),
        left: left
            .into_iter()
            .take(MOST)
            .map(|(row, film)| Explained {
                row,
                serial: film.serial,
                instead: film.instead.unwrap_or_default(),
                what: film_words(film.file.is_some()),
                words: words(film.reason),
                detail: film.detail.clone().unwrap_or_default(),
            })
            .collect(),
        has_table: false,
    }
}

fn outcome_words(outcome: RowOutcome) -> &'static str {
    match outcome {
        RowOutcome::Found => "collections-found",
        RowOutcome::Ambiguous => "collections-ambiguous",
        RowOutcome::Missing => "collections-missing",
        RowOutcome::Failed => "collections-failed",
    }
}

fn film_words(is_collected: bool) -> &'static str {
    if is_collected { "collections-collected" } else { "collections-left" }
}

/// The message of a reason.
fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Taken => "collections-reason-taken",
        Reason::ViewUnstated => "collections-reason-view-unstated",
        Reason::PartUnstated => "collections-reason-part-unstated",
        Reason::Contradiction => "collections-reason-contradiction",
        Reason::NotAFilm => "collections-reason-not-a-film",
        Reason::Modality => "collections-reason-modality",
        Reason::SecondaryCapture => "collections-reason-secondary-capture",
        Reason::BodyPart => "collections-reason-body-part",
        Reason::View => "collections-reason-view",
        Reason::OtherDay => "collections-reason-other-day",
        Reason::SameExposure => "collections-reason-same-exposure",
        Reason::SamePixels => "collections-reason-same-pixels",
        Reason::Copy => "collections-reason-copy",
        Reason::OtherPreferred => "collections-reason-other-preferred",
        Reason::TooMany => "collections-reason-too-many",
        Reason::Withheld => "collections-reason-withheld",
        Reason::ToReview => "collections-reason-to-review",
        Reason::Excluded => "collections-reason-excluded",
        Reason::OtherPatient => "collections-reason-other-patient",
        Reason::NotDelivered => "collections-reason-not-delivered",
        Reason::PatientUnknown => "collections-reason-patient-unknown",
        Reason::NoStudyInWindow => "collections-reason-no-study-in-window",
        Reason::NoRadiograph => "collections-reason-no-radiograph",
        Reason::NoWantedFilm => "collections-reason-no-wanted-film",
        Reason::AllWithheld => "collections-reason-all-withheld",
        Reason::UnsearchableId => "collections-reason-unsearchable-id",
        Reason::ArchiveFailed => "collections-reason-archive-failed",
        Reason::NotAdmitted => "collections-reason-not-admitted",
    }
}

/// `GET /collections/{collection}/report.csv`: the report as the last run wrote it.
pub(super) async fn report(State(app): Shared, Path(name): Path<String>) -> Result<Response, PageError> {
    let table = named(&app, &name)?.folder.join(REPORT_TABLE);
    let table = tokio::fs::read(table).await.map_err(|_| PageError::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"report.csv\"")),
    ];
    Ok((headers, table).into_response())
}
