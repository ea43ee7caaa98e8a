//! The designer's pages: a study is made from a form or a design file, watched, locked, and joined to its truth.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::reading::{GRADES, SPECIALTIES, design_of};
use super::reasons::Reason;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Database, DbError, Study};
use crate::http::{App, Caller, Shared};
use crate::language::Language;
use crate::people::session::stored;
use crate::readers::{Design, Plan, Truths, ratings};

/// What a design's file says, each with its message.
type Choices = &'static [(&'static str, &'static str)];

const ANSWERS: [(&str, &str); 3] = [
    ("yes_no", "studies-answer-yes-no"),
    ("confidence_5", "studies-answer-5"),
    ("confidence_100", "studies-answer-100"),
];
const MARKS: [(&str, &str); 3] =
    [("none", "studies-mark-none"), ("optional", "studies-mark-optional"), ("required", "studies-mark-required")];
const ARMS: [(&str, &str); 6] = [
    ("unaided", "studies-arms-unaided"),
    ("aided", "studies-arms-aided"),
    ("sequential", "studies-arms-sequential"),
    ("crossover", "studies-arms-crossover"),
    ("halves", "studies-arms-halves"),
    ("parallel", "studies-arms-parallel"),
];

struct Row {
    id: i64,
    name: String,
    made: String,
    by: String,
    state: String,
}

#[derive(Template)]
#[template(path = "studies.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    wrong: Reason,
    filled: Filled,
    answers: Choices,
    marks: Choices,
    arms: Choices,
}

/// The form of a new study: its fields, or a design file that has them all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    name: String,
    question: String,
    answer: String,
    mark: String,
    arms: String,
    washout_days: String,
    blocks: String,
    readers: String,
    time_limit_seconds: String,
    seed: String,
    consent: String,
    films: String,
    practice: String,
    design: String,
}

impl Filled {
    /// The design: of the file where one is given, else of the fields, by the same rules.
    fn design(&self) -> Result<Design, String> {
        if !self.design.trim().is_empty() {
            return Design::parse(&self.design).map_err(|error| error.to_string());
        }
        let mut table = toml::Table::new();
        let mut text = |key: &str, value: &str| {
            if !value.trim().is_empty() {
                table.insert(key.into(), toml::Value::String(value.trim().into()));
            }
        };
        for (key, value) in [
            ("name", &self.name),
            ("question", &self.question),
            ("answer", &self.answer),
            ("mark", &self.mark),
            ("arms", &self.arms),
            ("consent", &self.consent),
        ] {
            text(key, value);
        }
        for (key, value) in [
            ("washout_days", &self.washout_days),
            ("blocks", &self.blocks),
            ("readers", &self.readers),
            ("time_limit_seconds", &self.time_limit_seconds),
            ("seed", &self.seed),
        ] {
            if !value.trim().is_empty() {
                let number =
                    value.trim().parse().map_err(|_| format!("`{key}` is {value:?}, where a number is needed"))?;
                table.insert(key.into(), toml::Value::Integer(number));
            }
        }
        let films = self.films.split_whitespace().map(|uid| toml::Value::String(uid.into())).collect();
        table.insert("films".into(), toml::Value::Array(films));
        let practice = self.practice.lines().filter(|line| !line.trim().is_empty()).map(practice);
        table.insert("practice".into(), toml::Value::Array(practice.collect::<Result<_, _>>()?));
        Design::parse(&table.to_string()).map_err(|error| error.to_string())
    }
}

/// A practice film's line: its UID and, where it is known, `yes` or `no`.
fn practice(line: &str) -> Result<toml::Value, String> {
    let mut words = line.split_whitespace();
    let mut film = toml::Table::new();
    film.insert("film".into(), toml::Value::String(words.next().unwrap_or_default().into()));
    match words.next() {
        None => {}
        Some("yes" | "1") => drop(film.insert("truth".into(), toml::Value::Boolean(true))),
        Some("no" | "0") => drop(film.insert("truth".into(), toml::Value::Boolean(false))),
        Some(other) => return Err(format!("after a practice film stands {other:?}, where yes or no is needed")),
    }
    Ok(toml::Value::Table(film))
}

async fn list(
    app: &App,
    caller: &Caller,
    status: StatusCode,
    wrong: String,
    filled: Filled,
) -> Result<Response, PageError> {
    let language = caller.language;
    let rows = app.db.studies().await?.into_iter().map(|study| Row {
        id: study.id,
        name: visible(&study.name),
        made: text::moment(language, study.created_at),
        by: visible(&study.created_by),
        state: language.say(if study.locked_at > 0 { "studies-locked" } else { "reading-open" }).to_string(),
    });
    let page = ListPage {
        frame: Frame::of("studies-title", "studies", caller),
        rows: rows.collect(),
        wrong: if wrong.is_empty() { Reason::default() } else { Reason::within(language, "studies-wrong", &wrong) },
        filled,
        answers: &ANSWERS,
        marks: &MARKS,
        arms: &ARMS,
    };
    Ok((status, html(&page)?).into_response())
}

/// `GET /studies`.
pub(super) async fn all(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let usual = Filled {
        question: caller.language.say("studies-question-usual").to_string(),
        readers: "21".into(),
        seed: (crate::db::now() % 1_000_000).to_string(),
        ..Filled::default()
    };
    list(&app, &caller, StatusCode::OK, String::new(), usual).await
}

/// The rows of a design's films: each must be here. Films are named by their place.
async fn rows_of<'a>(
    db: &Database,
    kind: &str,
    films: impl Iterator<Item = &'a String>,
) -> Result<Result<Vec<i64>, String>, DbError> {
    let mut rows = Vec::new();
    for (place, uid) in films.enumerate() {
        match db.film_by_uid(uid).await?.filter(|film| film.kind == "film") {
            Some(film) => rows.push(film.id),
            None => return Ok(Err(format!("the {kind} at place {} is no film of this node", place + 1))),
        }
    }
    Ok(Ok(rows))
}

/// `POST /studies`: makes a study and shows the readers' links, once.
pub(super) async fn make(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let wrong = async |why: String, filled: Filled| list(&app, &caller, StatusCode::BAD_REQUEST, why, filled).await;
    let design = match filled.design() {
        Ok(design) => design,
        Err(why) => return wrong(why, filled).await,
    };
    let films = match rows_of(&app.db, "film", design.films.iter()).await? {
        Ok(films) => films,
        Err(why) => return wrong(why, filled).await,
    };
    let practice = match rows_of(&app.db, "practice film", design.practice.iter().map(|one| &one.film)).await? {
        Ok(films) => films,
        Err(why) => return wrong(why, filled).await,
    };
    let secrets: Vec<String> = (0..design.readers).map(|_| crate::secret()).collect();
    let links: Vec<String> = secrets.iter().map(|secret| stored(secret)).collect();
    let by = caller.asker.person().map(|person| person.name.clone()).unwrap_or_default();
    let text = design.to_toml();
    let event = caller.event(Deed::StudyMade).with("design_sha256", coxa_files::sha256(text.as_bytes()));
    app.audit.add(event.with("readers", design.readers).with("films", films.len())).await?;
    let id = app.db.add_study((&design.name, &text, &by), &films, &practice, &links).await?;
    let study = app.db.study(id).await?.ok_or(PageError::NotFound)?;
    let links = secrets.into_iter().enumerate().map(|(place, secret)| (place as i64, secret)).collect();
    show(&app, &caller, study, StatusCode::OK, Reason::default(), links).await
}

struct Reader {
    place: i64,
    number: String,
    who: String,
    answers: i64,
    of: usize,
    last: String,
    /// The personal link, where it was made just now.
    link: String,
}

#[derive(Template)]
#[template(path = "study.html")]
struct StudyPage {
    frame: Frame,
    id: i64,
    name: String,
    design: String,
    readers: Vec<Reader>,
    locked: String,
    seal: String,
    wrong: Reason,
    has_links: bool,
    answers: i64,
    of: usize,
}

/// The message of a stored choice; the choice itself where the list has it no more.
fn chosen(language: Language, list: &[(&str, &'static str)], stored: &str) -> String {
    let message = list.iter().find(|(word, _)| *word == stored).map(|(_, id)| language.say(id).to_string());
    message.unwrap_or_else(|| visible(stored))
}

async fn show(
    app: &App,
    caller: &Caller,
    study: Study,
    status: StatusCode,
    wrong: Reason,
    links: BTreeMap<i64, String>,
) -> Result<Response, PageError> {
    let language = caller.language;
    let design = design_of(&study)?;
    let has_links = !links.is_empty();
    let reader = |progress: crate::db::Progress| Reader {
        place: progress.reader.place,
        number: progress.reader.number(),
        who: if progress.reader.joined_at == 0 {
            language.say("study-not-joined").to_string()
        } else {
            let reader = &progress.reader;
            language
                .say("study-who-is")
                .with("specialty", chosen(language, &SPECIALTIES, &reader.specialty))
                .with("grade", chosen(language, &GRADES, &reader.grade))
                .with("years", reader.years)
                .to_string()
        },
        answers: progress.answers,
        of: Plan::of(&design, progress.reader.place as usize).len(),
        last: if progress.last_at == 0 {
            language.say("never").to_string()
        } else {
            text::moment(language, progress.last_at)
        },
        link: links.get(&progress.reader.place).map(|secret| format!("/join/{secret}")).unwrap_or_default(),
    };
    let readers: Vec<Reader> = app.db.study_progress(study.id).await?.into_iter().map(reader).collect();
    let page = StudyPage {
        frame: Frame::of("study-title", "studies", caller),
        id: study.id,
        name: visible(&study.name),
        answers: readers.iter().map(|reader| reader.answers).sum(),
        of: readers.iter().map(|reader| reader.of).sum(),
        readers,
        locked: if study.locked_at > 0 { text::exact(language, study.locked_at) } else { String::new() },
        seal: study.seal,
        design: study.design,
        wrong,
        has_links,
    };
    Ok((status, html(&page)?).into_response())
}

async fn of(app: &App, id: &str) -> Result<Study, PageError> {
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    app.db.study(id).await?.ok_or(PageError::NotFound)
}

/// `GET /studies/{id}`.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let study = of(&app, &id).await?;
    show(&app, &caller, study, StatusCode::OK, Reason::default(), BTreeMap::new()).await
}

/// `GET /studies/{id}/design.toml`.
pub(super) async fn design(State(app): Shared, Path(id): Path<String>) -> Result<Response, PageError> {
    Ok(file("design.toml", "application/toml", of(&app, &id).await?.design.into_bytes()))
}

fn file(name: &'static str, media: &'static str, bytes: Vec<u8>) -> Response {
    let attached = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let attached = attached.unwrap_or(HeaderValue::from_static("attachment"));
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media)), (header::CONTENT_DISPOSITION, attached)], bytes)
        .into_response()
}

/// `POST /studies/{id}/links/{place}`: another link for a reader; the one before leads nowhere.
pub(super) async fn link(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((id, place)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let study = of(&app, &id).await?;
    let place: i64 = place.parse().map_err(|_| PageError::NotFound)?;
    let secret = crate::secret();
    app.audit.add(caller.event(Deed::StudyLinkRenewed).with("study", study.id).with("reader", place + 1)).await?;
    if !app.db.renew_link(study.id, place, &stored(&secret)).await? {
        return Err(PageError::NotFound);
    }
    show(&app, &caller, study, StatusCode::OK, Reason::default(), [(place, secret)].into()).await
}

/// What is sealed: the design, and every answer in the order of readers and items.
async fn sealed(db: &Database, study: &Study) -> Result<String, DbError> {
    let mut text = study.design.clone();
    for answer in db.answers(study.id).await? {
        let (x, y) = answer.mark.unwrap_or((-1, -1));
        text += &format!(
            "\n{} {} {} {} {} {} {x} {y} {} {}",
            answer.reader,
            answer.item,
            answer.film,
            answer.is_practice,
            answer.arm,
            answer.rating,
            answer.milliseconds,
            answer.at
        );
    }
    Ok(coxa_files::sha256(text.as_bytes()))
}

/// `POST /studies/{id}/lock`: no answer is added from now on, and the hash of all is in the audit chain before any truth is seen.
pub(super) async fn lock(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let study = of(&app, &id).await?;
    app.db.lock_study(study.id).await?;
    if study.seal.is_empty() {
        let seal = sealed(&app.db, &study).await?;
        app.audit.add(caller.event(Deed::StudyLocked).with("study", study.id).with("sha256", &seal)).await?;
        app.db.seal_study(study.id, &seal).await?;
    }
    let place = HeaderValue::try_from(format!("/studies/{}", study.id)).unwrap_or(HeaderValue::from_static("/studies"));
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}

/// The truth, pasted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Truth {
    truth: String,
}

/// `POST /studies/{id}/ratings.csv`: the answers joined to a truth, for `coxa readers analyze`.
pub(super) async fn export(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Form(Truth { truth }): Form<Truth>,
) -> Result<Response, PageError> {
    let study = of(&app, &id).await?;
    let bad = StatusCode::BAD_REQUEST;
    if study.seal.is_empty() {
        let why = caller.language.say("study-open").into();
        return show(&app, &caller, study, bad, why, BTreeMap::new()).await;
    }
    if sealed(&app.db, &study).await? != study.seal {
        let why = caller.language.say("study-unsealed").into();
        return show(&app, &caller, study, StatusCode::CONFLICT, why, BTreeMap::new()).await;
    }
    let design = design_of(&study)?;
    let truths = match Truths::parse(truth.as_bytes()) {
        Ok(truths) => truths,
        Err(error) => {
            let why = Reason::of(caller.language, &error.to_string());
            return show(&app, &caller, study, bad, why, BTreeMap::new()).await;
        }
    };
    let missing = truths.missing(&design.films).len();
    if missing > 0 {
        let why = caller.language.say("study-truth-missing").with("missing", missing).with("of", design.films.len());
        return show(&app, &caller, study, bad, why.into(), BTreeMap::new()).await;
    }
    app.audit.add(caller.event(Deed::StudyExported).with("study", study.id)).await?;
    let readers: Vec<_> = app.db.study_progress(study.id).await?.into_iter().map(|one| one.reader).collect();
    let bytes = ratings(&design.films, &readers, &app.db.answers(study.id).await?, &truths);
    Ok(file("ratings.csv", "text/csv; charset=utf-8", bytes))
}
