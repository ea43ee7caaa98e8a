//! A reader's pages: joining by a personal link, and the films of the study one after the other.
//!
//! Nothing here names a film, a patient or the truth: a film is called by the study and its number in the reader's own order. In the
//! unaided arm no answer of the server depends on the network's result.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form, Json};
use coxa_schema::{FilmPrediction, Finding};
use serde::Deserialize;
use serde_json::{Value, json};

use super::film::{Part, heat_of, mark_of, part};
use super::reasons::Reason;
use super::signin::{Through, begin};
use super::state::Desk;
use super::text::{self, Header, visible};
use super::viewer::view;
use super::worklist::{Call, Scale};
use super::{Frame, PageError, html};
use crate::audit::{Deed, Event, Sight};
use crate::db::{Film, NewPerson, Study, StudyAnswer, StudyReader, now};
use crate::http::{App, Caller, HttpError, Shared};
use crate::people::Role;
use crate::people::session::{Stage, stored};
use crate::readers::{Answer, Arm, Design, Item, Marks, Plan};

const DAY: i64 = 86_400_000_000;
/// A film is not read for longer than this: what is more is a page that was left open.
const LONGEST: i64 = 6 * 3_600_000;

/// What a reader states, with the words of the form.
/// Each word is stored, as the ratings table has it; the message beside it is shown.
pub(super) const SPECIALTIES: [(&str, &str); 6] = [
    ("emergency medicine", "join-emergency"),
    ("orthopedics", "join-orthopedics"),
    ("radiology", "join-radiology"),
    ("family medicine", "join-family"),
    ("student", "join-student"),
    ("other", "join-other"),
];
pub(super) const GRADES: [(&str, &str); 4] = [
    ("specialist", "join-specialist"),
    ("resident", "join-resident"),
    ("student", "join-student"),
    ("other", "join-other"),
];

// ---- Joining -------------------------------------------------------------------------------------------------------------------------

#[derive(Template)]
#[template(path = "join.html")]
struct JoinPage {
    frame: Frame,
    link: String,
    name: String,
    consent: Vec<String>,
    films: usize,
    sessions: usize,
    washout_days: u64,
    has_joined: bool,
    specialties: &'static [(&'static str, &'static str)],
    grades: &'static [(&'static str, &'static str)],
}

/// What the form of joining holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Joined {
    specialty: String,
    grade: String,
    years: String,
    agrees: String,
}

struct Invited {
    reader: StudyReader,
    design: Design,
}

async fn invited(app: &App, link: &str) -> Result<Invited, PageError> {
    let reader = app.db.reader_by_link(&stored(link)).await?.ok_or(PageError::NotFound)?;
    let study = app.db.study(reader.study).await?.ok_or(PageError::NotFound)?;
    Ok(Invited { reader, design: design_of(&study)? })
}

pub(super) fn design_of(study: &Study) -> Result<Design, PageError> {
    Design::parse(&study.design).map_err(|error| {
        tracing::error!(study = study.id, "{error}");
        PageError::Unavailable("reading-design-unread")
    })
}

/// `GET /join/{link}`.
pub(super) async fn join_page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(link): Path<String>,
) -> Result<Response, PageError> {
    let Invited { reader, design } = invited(&app, &link).await?;
    let plan = Plan::of(&design, reader.place as usize);
    html(&JoinPage {
        frame: Frame { form: caller.form_token.clone(), ..Frame::bare("join-title", caller.language) },
        link,
        name: visible(&design.name),
        consent: design.consent.lines().map(visible).collect(),
        films: plan.len(),
        sessions: plan.sessions.len(),
        washout_days: design.washout_days.into(),
        has_joined: reader.joined_at > 0,
        specialties: &SPECIALTIES,
        grades: &GRADES,
    })
}

/// `POST /join/{link}`: the first time the reader agrees and an account is made; each time a session begins.
pub(super) async fn join(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(link): Path<String>,
    Form(joined): Form<Joined>,
) -> Result<Response, PageError> {
    let Invited { mut reader, .. } = invited(&app, &link).await?;
    if reader.joined_at == 0 {
        let years: i64 = joined
            .years
            .trim()
            .parse()
            .ok()
            .filter(|years| (0..=70).contains(years))
            .ok_or(PageError::Bad("join-years-wrong"))?;
        let is_listed = |list: &[(&str, &str)], stated: &str| list.iter().any(|(word, _)| *word == stated);
        if !is_listed(&SPECIALTIES, &joined.specialty) || !is_listed(&GRADES, &joined.grade) {
            return Err(PageError::Bad("join-lists"));
        }
        if joined.agrees != "yes" {
            return Err(PageError::Bad("join-disagrees"));
        }
        let person = account(&app, &format!("reader-{}-{}", reader.study, reader.place + 1)).await?;
        let event = caller.event(Deed::StudyJoined).with("study", reader.study).with("reader", reader.number());
        app.audit.add(event).await?;
        app.db.join_study(reader.id, person, (&joined.specialty, &joined.grade, years)).await?;
        // Of two tabs that joined at once, the first one counts.
        reader = app.db.reader_by_link(&stored(&link)).await?.ok_or(PageError::NotFound)?;
        if reader.person != person {
            app.db.set_disabled(person, true).await?;
        }
    }
    let account = app.db.account(reader.person).await?.filter(|account| !account.is_disabled);
    let account = account.ok_or(PageError::NotFound)?;
    begin(&app, &caller, &account, (Stage::Full, Through::Link), &format!("/reading/{}", reader.study), &headers).await
}

/// A new account for a reader, by a name that nobody has: whoever holds a link gets no account that was there before. Its sessions begin by
/// the link alone: its password is random and not shown.
async fn account(app: &App, name: &str) -> Result<i64, PageError> {
    let password = app.passwords.hash(&crate::secret()).await?;
    let mark: String = crate::secret().chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    for name in [name.to_owned(), format!("{name}-{}", mark.to_lowercase())] {
        let roles = [Role::Reader].into_iter().collect();
        let password = password.clone();
        let person = NewPerson { name, full_name: String::new(), roles, password, is_local: false };
        if let Some(id) = app.db.add_person(&person).await? {
            return Ok(id);
        }
    }
    Err(PageError::Unavailable("error-database"))
}

// ---- Reading -------------------------------------------------------------------------------------------------------------------------

/// A reader of a study with the item that comes next.
struct Seat {
    study: Study,
    design: Design,
    reader: StudyReader,
    plan: Plan,
    /// The number of the next item.
    next: usize,
    /// When the last answer was stored; 0 before the first.
    last_at: i64,
}

impl Seat {
    async fn of(app: &App, caller: &Caller, study: &str) -> Result<Self, PageError> {
        let person = caller.asker.person().ok_or(PageError::SignedOut)?;
        let study: i64 = study.parse().map_err(|_| PageError::NotFound)?;
        let readers = app.db.readers_of_person(person.id).await?;
        let reader = readers.into_iter().find(|reader| reader.study == study).ok_or(PageError::NotFound)?;
        let study = app.db.study(study).await?.ok_or(PageError::NotFound)?;
        let design = design_of(&study)?;
        let (answers, last_at) = app.db.answered(reader.id).await?;
        let plan = Plan::of(&design, reader.place as usize);
        Ok(Self { study, design, plan, reader, next: usize::try_from(answers).unwrap_or(0), last_at })
    }

    /// The item that is read now; `None` where the study is over or locked, or the next session has not begun.
    fn now(&self) -> Option<Item> {
        let (item, session, is_first) = self.plan.item(self.next)?;
        let is_due = !is_first || now() >= self.opens(session);
        (is_due && self.study.locked_at == 0).then_some(item)
    }

    /// When a session may begin, microseconds since 1970.
    fn opens(&self, session: usize) -> i64 {
        match self.plan.sessions.get(session) {
            Some(later) if later.after_days > 0 => self.last_at + i64::from(later.after_days) * DAY,
            _ => 0,
        }
    }

    async fn film(&self, app: &App, item: Item) -> Result<Film, PageError> {
        let row = app.db.study_film(self.study.id, item.film, item.is_practice).await?.ok_or(PageError::NotFound)?;
        app.db.film(row).await?.filter(|film| film.kind == "film").ok_or(PageError::NotFound)
    }
}

enum Where {
    Film(Box<Shown>),
    Later(String),
    Over,
    Locked,
}

struct Shown {
    question: String,
    item: usize,
    of: usize,
    is_practice: bool,
    answer: Answer,
    mark: Marks,
    /// The result, in the aided arm.
    result: Option<(&'static str, Option<Scale>, Reason)>,
    is_aided: bool,
    /// What the answer to the practice film before was, and whether it was right.
    feedback: &'static str,
    limit: u32,
    view: String,
}

impl Shown {
    fn ratings(&self) -> Vec<i64> {
        self.answer.range().collect()
    }
}

#[derive(Template)]
#[template(path = "reading.html")]
struct ReadingPage {
    frame: Frame,
    study: i64,
    name: String,
    at: Where,
}

/// `GET /reading`: the studies that somebody reads in.
pub(super) async fn own(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    let mut studies = Vec::new();
    for reader in app.db.readers_of_person(person.id).await? {
        if let Some(study) = app.db.study(reader.study).await? {
            studies.push((study.id, visible(&study.name), study.locked_at > 0));
        }
    }
    html(&OwnPage { frame: Frame::of("reading-studies", "reading", &caller), studies })
}

#[derive(Template)]
#[template(path = "reading_own.html")]
struct OwnPage {
    frame: Frame,
    studies: Vec<(i64, String, bool)>,
}

/// `GET /reading/{study}`: the next film.
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(study): Path<String>,
) -> Result<Response, PageError> {
    let seat = Seat::of(&app, &caller, &study).await?;
    let at = match (seat.now(), seat.plan.item(seat.next)) {
        (Some(item), _) => Where::Film(Box::new(shown(&app, &desk, &caller, &seat, item).await?)),
        (None, _) if seat.study.locked_at > 0 => Where::Locked,
        (None, Some((_, session, _))) => Where::Later(text::exact(caller.language, seat.opens(session))),
        (None, None) => Where::Over,
    };
    html(&ReadingPage {
        frame: Frame::of("reading-title", "reading", &caller),
        study: seat.study.id,
        name: visible(&seat.design.name),
        at,
    })
}

async fn shown(app: &App, desk: &Desk, caller: &Caller, seat: &Seat, item: Item) -> Result<Shown, PageError> {
    let film = seat.film(app, item).await?;
    app.opened(caller, Sight::Film(film.id), opened(caller, seat, &film)).await?;
    let header = Header::of(&film.attributes.metadata);
    let is_aided = item.arm == Arm::Aided;
    let prediction = if is_aided { prediction(app, &film).await? } else { None };
    let finding = prediction.as_ref().and_then(FilmPrediction::finding);
    let high = app.config.network.high_specificity_threshold;
    let call = if is_aided {
        Call::of(&film.state, finding.map(|f| f.probability), finding.is_some_and(|f| f.is_positive), high)
    } else {
        Call::of("received", None, false, None)
    };
    let knows_scale = is_aided && is_of_this_network(app, desk, finding).await;
    let mut view = view(caller.language, &film, &header, finding, call, knows_scale, None);
    // The film's row would say which film it is, to somebody who sees the worklist too.
    view["id"] = Value::Null;
    view["base"] = json!(format!("/reading/{}/{}", seat.study.id, seat.next));
    Ok(Shown {
        question: visible(&seat.design.question),
        item: seat.next,
        of: seat.plan.len(),
        is_practice: item.is_practice,
        answer: seat.design.answer,
        mark: seat.design.mark,
        result: is_aided.then(|| {
            let reason = match &prediction {
                Some(FilmPrediction::NotRead { not_read }) => Reason::of(caller.language, not_read),
                _ => Reason::of(caller.language, ""),
            };
            (call.word, finding.map(|f| Scale::of(caller.language, f.probability, f.threshold, high)), reason)
        }),
        is_aided,
        feedback: feedback(seat),
        limit: seat.design.time_limit_seconds,
        view: view.to_string(),
    })
}

/// The right answer to the practice film before this item, where the design states it.
fn feedback(seat: &Seat) -> &'static str {
    let Some((item, ..)) = seat.next.checked_sub(1).and_then(|before| seat.plan.item(before)) else {
        return "";
    };
    let truth = item.is_practice.then(|| seat.design.practice.get(item.film)).flatten().and_then(|film| film.truth);
    match truth {
        None => "",
        Some(true) => "reading-right-yes",
        Some(false) => "reading-right-no",
    }
}

async fn prediction(app: &App, film: &Film) -> Result<Option<FilmPrediction>, PageError> {
    let reading = app.db.reading_of(film.id).await?;
    Ok(reading.and_then(|reading| serde_json::from_str(&reading.prediction).ok()))
}

async fn is_of_this_network(app: &App, desk: &Desk, finding: Option<&Finding>) -> bool {
    let network = desk.network(&app.config).await;
    finding.is_some_and(|finding| network.is_some_and(|(_, hash)| *hash == finding.model))
}

fn opened(caller: &Caller, seat: &Seat, film: &Film) -> Event {
    caller.event(Deed::FilmOpened).on(film.id).with("study", seat.study.id)
}

/// The film of an address, where it is the reader's present one, for a request for a part of it: that its reader sees it is recorded first.
async fn present(app: &App, caller: &Caller, study: &str, item: &str) -> Result<(Film, Item), HttpError> {
    let gone = |_| HttpError::not_found();
    let seat = Seat::of(app, caller, study).await.map_err(gone)?;
    let now = seat.now().filter(|_| item.parse() == Ok(seat.next)).ok_or_else(HttpError::not_found)?;
    let film = seat.film(app, now).await.map_err(gone)?;
    app.saw(caller, Sight::Film(film.id), opened(caller, &seat, &film).with("as", "pixels")).await?;
    Ok((film, now))
}

/// `GET /reading/{study}/{item}/preview`, as a film's.
pub(super) async fn preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((study, item)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (film, _) = present(&app, &caller, &study, &item).await?;
    part(&app, &desk, &film.attributes.sha256, caller.language, Part::Preview).await
}

/// `GET /reading/{study}/{item}/values`, as a film's.
pub(super) async fn values(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((study, item)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (film, _) = present(&app, &caller, &study, &item).await?;
    part(&app, &desk, &film.attributes.sha256, caller.language, Part::Values).await
}

/// `GET /reading/{study}/{item}/tiles/{column}/{row}`, as a film's.
pub(super) async fn tile(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((study, item, column, row)): Path<(String, String, String, String)>,
) -> Result<Response, HttpError> {
    let (film, _) = present(&app, &caller, &study, &item).await?;
    part(&app, &desk, &film.attributes.sha256, caller.language, Part::Tile(column, row)).await
}

/// `GET /reading/{study}/{item}/heat`, as a film's; 404 for every film of the unaided arm.
pub(super) async fn heat(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((study, item)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    match present(&app, &caller, &study, &item).await? {
        (film, Item { arm: Arm::Aided, .. }) => heat_of(&app, &desk, &film, caller.language).await,
        _ => Err(HttpError::not_found()),
    }
}

/// An answer, as the script or the plain form sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answered {
    rating: String,
    mark_x: String,
    mark_y: String,
    milliseconds: String,
    by: String,
}

/// `POST /reading/{study}/{item}`: stores an answer before the next film is shown. An item that was answered keeps its first answer.
pub(super) async fn store(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((study, number)): Path<(String, String)>,
    Form(answered): Form<Answered>,
) -> Result<Response, PageError> {
    let seat = Seat::of(&app, &caller, &study).await?;
    let number: usize = number.parse().map_err(|_| PageError::NotFound)?;
    if number == seat.next && seat.study.locked_at == 0 {
        let item = seat.now().ok_or(PageError::Bad("reading-early"))?;
        let film = seat.film(&app, item).await?;
        let stored = answer_of(&seat, item, &film, &answered)?;
        let is_added = app.db.add_answer(seat.study.id, &stored).await?;
        // What is sent twice is stored once; what meets the lock is not stored, and its reader learns it.
        if !is_added && app.db.study(seat.study.id).await?.is_none_or(|study| study.locked_at > 0) {
            return Err(PageError::Bad("reading-locked-first"));
        }
    } else if number > seat.next {
        return Err(PageError::Bad("reading-skipped"));
    }
    if answered.by == "script" {
        // The script loads the page again: whatever it must know is there.
        return Ok(Json(json!({ "stored": number })).into_response());
    }
    let place = HeaderValue::try_from(format!("/reading/{}", seat.study.id)).unwrap_or(HeaderValue::from_static("/"));
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}

fn answer_of(seat: &Seat, item: Item, film: &Film, answered: &Answered) -> Result<StudyAnswer, PageError> {
    let range = seat.design.answer.range();
    let rating: i64 = answered
        .rating
        .trim()
        .parse()
        .ok()
        .filter(|rating| range.contains(rating))
        .ok_or(PageError::Bad("reading-no-answer"))?;
    let mark = mark_of(film, &answered.mark_x, &answered.mark_y);
    if seat.design.mark == Marks::Required && mark.is_none() && rating > *range.start() {
        return Err(PageError::Bad("reading-unmarked"));
    }
    Ok(StudyAnswer {
        reader: seat.reader.id,
        item: seat.next as i64,
        film: item.film as i64,
        is_practice: item.is_practice,
        arm: item.arm.as_str().to_owned(),
        rating,
        mark: mark.filter(|_| seat.design.mark != Marks::None),
        milliseconds: answered.milliseconds.parse::<f64>().map_or(0, |ms| ms.round() as i64).clamp(0, LONGEST),
        at: now(),
    })
}
