//! Labelings: which there are, and one's progress, agreement and tables.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use coxa_cohort::Dataset;
use coxa_stats::{Estimate, Undefined};

use super::text::{self, visible};
use super::worklist::{DATES, FINDINGS};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Labeling, LabelingReviewer, now};
use crate::http::{App, Caller, Shared};
use crate::labeling::{Agreement, Board, BoardError, Compared, Standing, Task, history, number, right_site};
use crate::people::{Action, Part, Role, Subject, may};

const TASKS: [(&str, &str); 2] = [("labels", "labeling-task-labels"), ("heat_maps", "labeling-task-heat")];

impl From<BoardError> for PageError {
    fn from(error: BoardError) -> Self {
        match error {
            BoardError::Unknown(_) => Self::NotFound,
            error => {
                tracing::error!("{error}");
                Self::Unavailable("labeling-unread")
            }
        }
    }
}

/// The fields of a form, some of which come several times.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn of(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }

    /// The first value of a field; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every value of a field that is not empty.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = name.to_owned();
        self.0.iter().filter(move |(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// The part that a person has in a labeling.
pub(super) fn part_of(labeling: &Labeling, people: &[LabelingReviewer], person: i64) -> Part {
    match people.iter().find(|one| one.person == person) {
        Some(_) if labeling.closed_at > 0 => Part::Observer,
        Some(one) if one.is_adjudicator => Part::Adjudicator,
        Some(_) => Part::Reviewer,
        None => Part::Observer,
    }
}

// ---- All labelings -------------------------------------------------------------------------------------------------------------------

struct Listed {
    id: i64,
    name: String,
    task: &'static str,
    made: String,
    by: String,
    is_closed: bool,
    /// Whether the person decides in it.
    is_own: bool,
}

#[derive(Template)]
#[template(path = "labelings.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Listed>,
    /// Why nothing was made, as a message; empty where nothing is wrong.
    wrong: &'static str,
    filled: Fields,
    reviewers: Vec<String>,
    tasks: &'static [(&'static str, &'static str)],
    dates: &'static [(&'static str, &'static str)],
    findings: &'static [(&'static str, &'static str)],
    seed: String,
}

impl ListPage {
    fn has(&self, field: &str, value: &str) -> bool {
        self.filled.all(field).any(|filled| filled == value)
    }
}

fn task_word(task: &str) -> &'static str {
    TASKS.iter().find(|(key, _)| *key == task).map_or("labeling-task-labels", |(_, word)| word)
}

pub(super) async fn list(
    app: &App,
    caller: &Caller,
    wrong: &'static str,
    filled: Fields,
) -> Result<Response, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    let own = app.db.labelings_of_person(person.id).await?;
    let rows = app.db.labelings().await?.into_iter().map(|labeling| Listed {
        is_own: own.contains(&labeling.id),
        id: labeling.id,
        name: visible(&labeling.name),
        task: task_word(&labeling.task),
        made: text::moment(caller.language, labeling.created_at),
        by: visible(&labeling.created_by),
        is_closed: labeling.closed_at > 0,
    });
    let reviewers = reviewers(app).await?.into_keys().collect();
    let seed = match filled.text("seed") {
        "" => (now() % 1_000_000).to_string(),
        seed => seed.to_owned(),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = ListPage {
        frame: Frame::of("labeling-title", "labeling", caller),
        rows: rows.collect(),
        wrong,
        filled,
        reviewers,
        tasks: &TASKS,
        dates: &DATES,
        findings: &FINDINGS,
        seed,
    };
    Ok((status, html(&page)?).into_response())
}

/// Accounts with the role, by name.
pub(super) async fn reviewers(app: &App) -> Result<BTreeMap<String, i64>, PageError> {
    let people = app.db.people().await?.into_iter();
    let able = people.filter(|account| !account.is_disabled && account.person.roles.has(Role::Reviewer));
    Ok(able.map(|account| (account.person.name, account.person.id)).collect())
}

/// `GET /labeling`.
pub(super) async fn all(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    list(&app, &caller, "", Fields::of(Vec::new())).await
}

/// Leads to another page.
pub(super) fn to(place: String) -> Response {
    let place = HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static("/labeling"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

// ---- One labeling --------------------------------------------------------------------------------------------------------------------

struct Reviewer {
    number: String,
    name: String,
    is_adjudicator: bool,
    decided: usize,
    of: usize,
    last: String,
}

struct Kappa {
    what: &'static str,
    films: usize,
    value: String,
}

#[derive(Template)]
#[template(path = "labeling.html")]
struct LabelingPage {
    frame: Frame,
    id: i64,
    name: String,
    task: &'static str,
    is_heat: bool,
    rule: String,
    films: usize,
    settled: usize,
    disputed: usize,
    people: Vec<Reviewer>,
    closed: String,
    /// Whether the person decides in it now.
    decides: bool,
    /// Whether the person may see what was decided.
    sees: bool,
    may_close: bool,
    kappas: Vec<Kappa>,
    is_fleiss: bool,
    score: String,
    /// How many films were decided otherwise than they came, of how many that came with a label.
    changed: (usize, usize),
    is_received: bool,
}

/// An estimate with its interval, or why there is none.
fn shown(estimate: &Result<Estimate, Undefined>) -> String {
    match estimate {
        Err(undefined) => undefined.reason.to_string(),
        Ok(estimate) => match estimate.limits {
            Ok(limits) => format!("{:.3} ({:.3}–{:.3})", estimate.value, limits.low, limits.high),
            Err(_) => format!("{:.3}", estimate.value),
        },
    }
}

async fn board(app: &App, id: &str) -> Result<Board, PageError> {
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    Ok(Board::open(&app.db, id).await?)
}

/// Whether somebody may see what was decided in a labeling.
fn sees(caller: &Caller, board: &Board) -> bool {
    let person = caller.asker.person().map_or(0, |person| person.id);
    let part = part_of(&board.labeling, &board.people, person);
    may(&caller.asker, Action::LabelingResults, Subject::Labeling(part))
}

fn may_close(caller: &Caller, board: &Board) -> bool {
    board.labeling.closed_at == 0 && (sees(caller, board) || board.is_complete())
}

/// `GET /labeling/{id}`.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let board = board(&app, &id).await?;
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    let sees = sees(&caller, &board);
    let part = part_of(&board.labeling, &board.people, person.id);
    let count = |is: &dyn Fn(&Standing) -> bool| board.decided.iter().filter(|on_film| is(&on_film.standing)).count();
    let settled = count(&|standing| standing.decision().is_some());
    let disputed = count(&|standing| matches!(standing, Standing::Disputed));
    let adjudicated = count(&|standing| matches!(standing, Standing::Adjudicated(_)));
    let decisions = app.db.standing_decisions(board.labeling.id, None).await?;
    let people = board.people.iter().map(|one| {
        let own = decisions.iter().filter(|made| made.person == one.person);
        Reviewer {
            number: number(one),
            name: visible(&one.name),
            is_adjudicator: one.is_adjudicator,
            decided: own.clone().count(),
            of: if one.is_adjudicator { disputed + adjudicated } else { board.films.len() },
            last: own.map(|made| made.at).max().map_or_else(String::new, |at| text::moment(caller.language, at)),
        }
    });
    // How many films are disputed tells a reviewer something of the others.
    let people = people.filter(|one| sees || !one.is_adjudicator).collect();
    let (kappas, score, changed) = if sees {
        let given = board.given(&app.db).await?;
        (kappas(&board), shown(&right_site(&board.sites())), board.changed(&given))
    } else {
        (Vec::new(), String::new(), (0, 0))
    };
    html(&LabelingPage {
        frame: Frame::of("labeling-title", "labeling", &caller),
        id: board.labeling.id,
        name: visible(&board.labeling.name),
        task: task_word(&board.labeling.task),
        is_heat: board.task == Task::HeatMaps,
        rule: visible(&board.labeling.rule),
        films: board.films.len(),
        settled,
        disputed,
        people,
        closed: if board.labeling.closed_at > 0 {
            text::exact(caller.language, board.labeling.closed_at)
        } else {
            String::new()
        },
        decides: may(&caller.asker, Action::Label, Subject::Labeling(part)),
        sees,
        may_close: may_close(&caller, &board),
        kappas,
        is_fleiss: board.reviewers() > 2,
        score,
        changed,
        is_received: board.films.iter().any(|film| film.item.film > 0),
    })
}

fn kappas(board: &Board) -> Vec<Kappa> {
    let of = |agreement: Agreement| Kappa {
        what: match agreement.compared {
            Compared::Opinion => "labeling-compared-label",
            Compared::Kind => "labeling-compared-kind",
            Compared::Side => "labeling-compared-side",
            Compared::Site => "labeling-compared-site",
        },
        films: agreement.films,
        value: shown(&agreement.kappa),
    };
    board.agreement().into_iter().map(of).collect()
}

/// `POST /labeling/{id}/close`: no decision is added from now on.
pub(super) async fn close(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let board = board(&app, &id).await?;
    let event = caller.event(Deed::LabelingClosed).with("labeling", board.labeling.id);
    if !may_close(&caller, &board) {
        app.audit.add(event.failed()).await?;
        return Err(PageError::Bad("labeling-not-closed"));
    }
    app.audit.add(event).await?;
    app.db.close_labeling(board.labeling.id).await?;
    Ok(to(format!("/labeling/{}", board.labeling.id)))
}

/// `GET /labeling/{id}/tables/{table}`: manifest.csv, truth.csv, decisions.csv, judged.csv, films.csv.
pub(super) async fn table(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((id, table)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let board = board(&app, &id).await?;
    let event = caller.event(Deed::LabelingExported).with("labeling", board.labeling.id);
    // One's own labeling before its end, and one that is not there, are answered alike.
    if !sees(&caller, &board) {
        app.audit.add(event.failed()).await?;
        return Err(PageError::NotFound);
    }
    let given = board.given(&app.db).await?;
    let (name, bytes) = match table.as_str() {
        "manifest.csv" => ("manifest.csv", board.dataset(&given).manifest_csv()),
        "truth.csv" => ("truth.csv", board.dataset(&given).truth_csv()),
        "decisions.csv" => ("decisions.csv", history(&board.history(&app.db, &given).await?)),
        "judged.csv" => ("judged.csv", board.judgments(&given).to_csv()),
        "films.csv" => ("films.csv", uids(&app, &board, &given).await?),
        _ => return Err(PageError::NotFound),
    };
    app.audit.add(event.with("table", name)).await?;
    let attached = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let attached = attached.unwrap_or(HeaderValue::from_static("attachment"));
    let media = HeaderValue::from_static("text/csv; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media), (header::CONTENT_DISPOSITION, attached)], bytes).into_response())
}

/// The received films' names in the dataset with their SOP Instance UIDs.
async fn uids(app: &App, board: &Board, given: &Dataset) -> Result<Vec<u8>, PageError> {
    let mut rows = Vec::new();
    for (film, row) in board.films.iter().zip(&given.films).filter(|(film, _)| film.item.film > 0) {
        if let Some(received) = app.db.film(film.item.film).await? {
            rows.push([row.image_id.clone(), received.attributes.sop_instance_uid]);
        }
    }
    Ok(coxa_files::table::to_csv(&["image_id", "sop_instance_uid"], rows))
}
