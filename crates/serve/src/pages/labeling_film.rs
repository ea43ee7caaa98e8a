//! The films of a labeling, one after the other, for those who decide in it.
//!
//! Nothing here names a film or a patient: a film is called by the labeling and its number in the reviewer's own order. Until a labeling is
//! closed, no answer to a reviewer depends on the network, on the labels that films came with, or on another reviewer's decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form, Json};
use coxa_schema::Side;
use coxa_study::localize::Site;
use serde_json::{Value, json};

use super::film::{answer, heat_map, open_file};
use super::labeling::{Fields, part_of, to};
use super::state::Desk;
use super::text::visible;
use super::viewer::colors;
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{FilmQuery, Labeling, LabelingFilm, LabelingReviewer, StoredDecision};
use crate::http::{App, Caller, HttpError, Shared};
use crate::labeling::{
    CLASSIFICATIONS, Decision, EXCLUSIONS, Fault, Kind, Labels, OnFilm, Opinion, QUALITIES, Standing, Task, on_films,
    order, parsed,
};
use crate::people::{Action, Part, Subject, may};
use crate::readers::Random;

/// Earlier films of the patient that are shown.
const EARLIER: usize = 4;

/// Each word is stored; the message beside it is shown, with the key that chooses it.
type Choices = &'static [(&'static str, &'static str, &'static str)];

const OPINIONS: Choices = &[
    ("fracture", "labeling-fracture", "y"),
    ("none", "labeling-none", "n"),
    ("questionable", "labeling-questionable", "q"),
];
const KINDS: Choices = &[
    ("femoral_neck", "labeling-neck", "k"),
    ("trochanteric", "labeling-trochanteric", "t"),
    ("subtrochanteric", "labeling-subtrochanteric", "s"),
    ("other", "labeling-other", "o"),
];
const SIDES: Choices = &[("right", "viewer-right", "r"), ("left", "viewer-left", "l")];
const SITES: Choices = &[
    ("right", "labeling-site-right", "y"),
    ("opposite_side", "labeling-site-opposite", "o"),
    ("elsewhere", "labeling-site-elsewhere", "e"),
];
const QUALITY_WORDS: [&str; 6] = [
    "labeling-rotated",
    "labeling-overexposed",
    "labeling-underexposed",
    "labeling-cut-off",
    "labeling-artifact",
    "labeling-implant",
];
const EXCLUSION_WORDS: [&str; 6] = [
    "labeling-exclude-view",
    "labeling-exclude-unclear",
    "labeling-exclude-implant",
    "labeling-exclude-other-fracture",
    "labeling-exclude-child",
    "labeling-exclude-other",
];

/// A word that can be chosen.
struct Choice {
    value: &'static str,
    word: &'static str,
    key: String,
    is_chosen: bool,
}

fn choices(list: Choices, chosen: &str) -> Vec<Choice> {
    let choice = |(value, word, key): &(&'static str, &'static str, &'static str)| Choice {
        value,
        word,
        key: (*key).to_owned(),
        is_chosen: *value == chosen,
    };
    list.iter().map(choice).collect()
}

fn numbered(values: &[&'static str], words: &[&'static str], is_chosen: impl Fn(&str) -> bool) -> Vec<Choice> {
    let choice = |(at, (value, word)): (usize, (&&'static str, &&'static str))| Choice {
        value,
        word,
        key: (at + 1).to_string(),
        is_chosen: is_chosen(value),
    };
    values.iter().zip(words).enumerate().map(choice).collect()
}

// ---- Who decides on what -------------------------------------------------------------------------------------------------------------

/// A person who decides in a labeling, with the films in the person's order.
struct Seat {
    labeling: Labeling,
    task: Task,
    part: Part,
    person: (i64, String),
    /// The films' rows, in the person's order.
    films: Vec<i64>,
    /// The person's decisions that stand, by the film's row.
    own: BTreeMap<i64, StoredDecision>,
    /// What stands on each film of `films`, for the adjudicator alone; empty for a reviewer.
    decided: Vec<OnFilm>,
}

impl Seat {
    async fn of(app: &App, caller: &Caller, labeling: &str) -> Result<Self, PageError> {
        let person = caller.asker.person().ok_or(PageError::SignedOut)?;
        let id: i64 = labeling.parse().map_err(|_| PageError::NotFound)?;
        let labeling = app.db.labeling(id).await?.ok_or(PageError::NotFound)?;
        let people = app.db.labeling_reviewers(id).await?;
        let part = part_of(&labeling, &people, person.id);
        let seat = people.iter().find(|one| one.person == person.id).ok_or(PageError::NotFound)?;
        let rows = app.db.labeling_places(id).await?;
        let own = app.db.standing_decisions(id, Some(person.id)).await?;
        let own = own.into_iter().map(|made| (made.film, made)).collect();
        let (films, decided) = if seat.is_adjudicator {
            let films: Vec<i64> = rows.into_iter().map(|(row, _)| row).collect();
            let decided = disputed(app, &labeling, &people, &films).await?;
            (films, decided)
        } else {
            let needs: Vec<bool> = rows.iter().map(|(_, needs)| *needs).collect();
            let order = order(&needs, labeling.seed, usize::try_from(seat.place).unwrap_or(0));
            (order.into_iter().map(|at| rows[at].0).collect(), Vec::new())
        };
        let task = Task::parse(&labeling.task).unwrap_or(Task::Labels);
        Ok(Self { labeling, task, part, person: (person.id, person.name.clone()), films, own, decided })
    }

    /// Whether a film of the person's order can be opened: it is the next one, or was decided by the person.
    fn is_open(&self, number: usize) -> bool {
        let is_own = self.films.get(number).is_some_and(|film| self.own.contains_key(film));
        is_own || self.next() == Some(number)
    }

    /// The film that comes next; `None` where there is none now. Of disputed films, those whose labels differ come first.
    fn next(&self) -> Option<usize> {
        if self.labeling.closed_at > 0 {
            return None;
        }
        if self.part == Part::Reviewer {
            return self.films.iter().position(|film| !self.own.contains_key(film));
        }
        let is_disputed = |at: &usize| self.decided[*at].standing == Standing::Disputed;
        let mut disputed = (0..self.decided.len()).filter(is_disputed).peekable();
        let first = disputed.peek().copied();
        disputed.find(|at| differs_in_label(&self.decided[*at])).or(first)
    }

    /// How many films the person has decided, and of how many.
    fn progress(&self) -> (usize, usize) {
        let disputed = self.decided.iter().filter(|on_film| on_film.standing == Standing::Disputed).count();
        let of = if self.part == Part::Reviewer { self.films.len() } else { self.own.len() + disputed };
        (self.own.len(), of)
    }

    /// The number of the film that the person decided last.
    fn last(&self) -> Option<usize> {
        let last = self.own.values().max_by_key(|made| made.id)?;
        self.films.iter().position(|film| *film == last.film)
    }
}

/// What stands on each film; the reviewers' decisions in an order that is the film's own, so that it does not tell who decided.
async fn disputed(
    app: &App,
    labeling: &Labeling,
    people: &[LabelingReviewer],
    films: &[i64],
) -> Result<Vec<OnFilm>, PageError> {
    let decisions = app.db.standing_decisions(labeling.id, None).await?;
    let mut decided = on_films(people, films, &decisions);
    for (at, on_film) in decided.iter_mut().enumerate() {
        let order = Random(labeling.seed).order(&format!("shown {at}"), on_film.reviews.len());
        on_film.reviews = order.into_iter().map(|place| on_film.reviews[place].clone()).collect();
    }
    Ok(decided)
}

fn differs_in_label(on_film: &OnFilm) -> bool {
    let mut opinions = on_film.reviews.iter().map(|(_, decision)| decision.labels().map(|labels| labels.opinion));
    let first = opinions.next();
    opinions.any(|opinion| Some(opinion) != first)
}

/// The film of an address, where the person may open it now.
async fn seated(
    app: &App,
    caller: &Caller,
    labeling: &str,
    film: &str,
) -> Result<(Seat, usize, LabelingFilm), PageError> {
    let seat = Seat::of(app, caller, labeling).await?;
    let number = film.parse().ok().filter(|number| seat.is_open(*number)).ok_or(PageError::NotFound)?;
    if !may(&caller.asker, Action::Label, Subject::Labeling(seat.part)) {
        return Err(PageError::NotFound);
    }
    let film = app.db.labeling_film(seat.films[number]).await?.ok_or(PageError::NotFound)?;
    Ok((seat, number, film))
}

// ---- The page ------------------------------------------------------------------------------------------------------------------------

/// Another film of the patient.
struct Earlier {
    number: usize,
    /// Days before the film; `None` where they are not known.
    days: Option<i64>,
}

/// A reviewer's decision as the adjudicator sees it.
struct Other {
    letter: &'static str,
    key: &'static str,
    number: usize,
    /// Messages, and words that are shown as they are.
    words: Vec<&'static str>,
    classification: String,
    boxes: usize,
    note: String,
}

struct Shown {
    number: usize,
    is_heat: bool,
    is_adjudicator: bool,
    /// The decision that this one takes the place of; 0 for the first.
    supersedes: i64,
    opinions: Vec<Choice>,
    kinds: Vec<Choice>,
    sides: Vec<Choice>,
    classifications: Vec<(&'static str, bool)>,
    qualities: Vec<Choice>,
    exclusions: Vec<Choice>,
    sites: Vec<Choice>,
    boxes: String,
    note: String,
    report: Vec<String>,
    earlier: Vec<Earlier>,
    others: Vec<Other>,
    view: String,
}

#[derive(Template)]
#[template(path = "labeling_film.html")]
struct FilmPage {
    frame: Frame,
    labeling: i64,
    name: String,
    done: usize,
    of: usize,
    is_closed: bool,
    /// The number of the film that was decided last.
    last: Option<usize>,
    film: Option<Shown>,
}

/// `GET /labeling/{id}/next`: the film that comes next.
pub(super) async fn next(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(labeling): Path<String>,
) -> Result<Response, PageError> {
    let seat = Seat::of(&app, &caller, &labeling).await?;
    let shown = match seat.next() {
        None => None,
        Some(number) => {
            let film = app.db.labeling_film(seat.films[number]).await?.ok_or(PageError::NotFound)?;
            Some(show(&app, &caller, &seat, number, &film).await?)
        }
    };
    film_page(&caller, &seat, shown)
}

/// `GET /labeling/{id}/films/{film}`: a film by its number in the person's order.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let (seat, number, film) = seated(&app, &caller, &labeling, &film).await?;
    let shown = show(&app, &caller, &seat, number, &film).await?;
    film_page(&caller, &seat, Some(shown))
}

fn film_page(caller: &Caller, seat: &Seat, film: Option<Shown>) -> Result<Response, PageError> {
    let (done, of) = seat.progress();
    html(&FilmPage {
        frame: Frame::of("labeling-film-title", "labeling", caller),
        labeling: seat.labeling.id,
        name: visible(&seat.labeling.name),
        done,
        of,
        is_closed: seat.labeling.closed_at > 0,
        last: seat.last().filter(|_| seat.labeling.closed_at == 0),
        film,
    })
}

async fn show(app: &App, caller: &Caller, seat: &Seat, number: usize, film: &LabelingFilm) -> Result<Shown, PageError> {
    let event = caller.event(Deed::FilmOpened).with("labeling", seat.labeling.id).with("film", film.place + 1);
    app.audit.add(if film.item.film > 0 { event.on(film.item.film) } else { event }).await?;
    let own = seat.own.get(&film.id).and_then(parsed);
    let labels = own.as_ref().and_then(Decision::labels).cloned().unwrap_or_default();
    let site = own.as_ref().and_then(Decision::site).map_or("", Site::as_str);
    let is_heat = seat.task == Task::HeatMaps;
    let others = seat.decided.get(number).map(|on_film| others(on_film)).unwrap_or_default();
    let drawn: Vec<Value> = seat
        .decided
        .get(number)
        .into_iter()
        .flat_map(|on_film| &on_film.reviews)
        .filter_map(|(_, decision)| Some(json!(decision.labels()?.boxes)))
        .collect();
    let view = json!({
        "base": format!("/labeling/{}/films/{number}", seat.labeling.id),
        "columns": film.item.size.1,
        "rows": film.item.size.0,
        "colors": if is_heat { json!(colors()) } else { Value::Null },
        "boxes": labels.boxes,
        "others": drawn,
    });
    Ok(Shown {
        number,
        is_heat,
        is_adjudicator: seat.part == Part::Adjudicator,
        supersedes: app.db.last_decision(film.id, seat.person.0).await?,
        opinions: choices(OPINIONS, labels.opinion.map_or("", Opinion::as_str)),
        kinds: choices(KINDS, labels.kind.map_or("", Kind::as_str)),
        sides: choices(SIDES, labels.side.map_or("", Side::as_str)),
        classifications: CLASSIFICATIONS.iter().map(|word| (*word, *word == labels.classification)).collect(),
        qualities: numbered(&QUALITIES, &QUALITY_WORDS, |word| labels.quality.iter().any(|note| note == word)),
        exclusions: numbered(&EXCLUSIONS, &EXCLUSION_WORDS, |word| labels.exclusion == word),
        sites: choices(SITES, site),
        boxes: boxes_text(&labels.boxes),
        note: labels.note,
        report: if is_heat { Vec::new() } else { film.item.report.lines().map(visible).collect() },
        earlier: if is_heat {
            Vec::new()
        } else {
            earlier(app, seat, film).await?.into_iter().map(|(one, _)| one).collect()
        },
        others,
        view: view.to_string(),
    })
}

fn boxes_text(boxes: &[[f32; 4]]) -> String {
    let text = |drawn: &[f32; 4]| drawn.map(|part| part.to_string()).join(",");
    boxes.iter().map(text).collect::<Vec<_>>().join(";")
}

fn others(on_film: &OnFilm) -> Vec<Other> {
    const LETTERS: [(&str, &str); 8] =
        [("A", "["), ("B", "]"), ("C", ""), ("D", ""), ("E", ""), ("F", ""), ("G", ""), ("H", "")];
    let word = |list: Choices, value: &str| list.iter().find(|(known, ..)| *known == value).map(|(_, word, _)| *word);
    let other =
        |(number, ((_, decision), (letter, key))): (usize, (&(i64, Decision), &(&'static str, &'static str)))| {
            let labels = decision.labels().cloned().unwrap_or_default();
            let mut words: Vec<&'static str> = Vec::new();
            words.extend(decision.site().and_then(|site| word(SITES, site.as_str())));
            words.extend(labels.opinion.and_then(|opinion| word(OPINIONS, opinion.as_str())));
            words.extend(labels.kind.and_then(|kind| word(KINDS, kind.as_str())));
            words.extend(labels.side.and_then(|side| word(SIDES, side.as_str())));
            let excluded = EXCLUSIONS.iter().position(|word| *word == labels.exclusion);
            words.extend(excluded.map(|at| EXCLUSION_WORDS[at]));
            let quality = labels.quality.iter().filter_map(|note| QUALITIES.iter().position(|word| word == note));
            words.extend(quality.map(|at| QUALITY_WORDS[at]));
            Other {
                letter,
                key,
                number,
                words,
                classification: labels.classification,
                boxes: labels.boxes.len(),
                note: visible(&labels.note),
            }
        };
    on_film.reviews.iter().zip(&LETTERS).enumerate().map(other).collect()
}

/// Earlier films of the patient, the latest first, each with the hash of its file: of received films those of an earlier day, of imported
/// ones the others of the patient in the labeling.
async fn earlier(app: &App, seat: &Seat, film: &LabelingFilm) -> Result<Vec<(Earlier, String)>, PageError> {
    let mut found: Vec<(Option<i64>, String)> = Vec::new();
    if film.item.film == 0 {
        if !film.item.patient.is_empty() {
            let films = app.db.labeling_films(seat.labeling.id).await?.into_iter();
            let others = films.filter(|other| other.id != film.id && other.item.patient == film.item.patient);
            found.extend(others.map(|other| (None, other.item.sha256)));
        }
    } else if let Some(received) = app.db.film(film.item.film).await? {
        let attributes = &received.attributes;
        let query = FilmQuery { patient_id: attributes.patient_id.clone(), limit: 200, ..FilmQuery::default() };
        let all = if attributes.patient_id.is_empty() { Vec::new() } else { app.db.films(&query).await? };
        for other in all.into_iter().filter(|other| other.kind == "film" && other.id != received.id) {
            let days = days_between(&other.attributes.study_date, &attributes.study_date);
            found.extend(days.filter(|days| *days > 0).map(|days| (Some(days), other.attributes.sha256)));
        }
        found.sort();
    }
    let numbered = found.into_iter().take(EARLIER).enumerate();
    Ok(numbered.map(|(number, (days, hash))| (Earlier { number, days }, hash)).collect())
}

fn days_between(earlier: &str, later: &str) -> Option<i64> {
    let day = |text: &str| jiff::civil::Date::strptime("%Y%m%d", text.trim()).ok();
    Some(i64::from(day(earlier)?.until(day(later)?).ok()?.get_days()))
}

// ---- Pixels --------------------------------------------------------------------------------------------------------------------------

async fn pixels(app: &App, caller: &Caller, labeling: &str, film: &str) -> Result<(Seat, LabelingFilm), HttpError> {
    let (seat, _, film) = seated(app, caller, labeling, film).await.map_err(|_| HttpError::not_found())?;
    Ok((seat, film))
}

/// `GET /labeling/{id}/films/{film}/preview`, as a film's.
pub(super) async fn preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (_, film) = pixels(&app, &caller, &labeling, &film).await?;
    let opened = open_file(&app, &desk, &film.item.sha256, caller.language).await?;
    Ok(answer("image/png", opened.preview.clone()))
}

/// `GET /labeling/{id}/films/{film}/values`, as a film's.
pub(super) async fn values(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (_, film) = pixels(&app, &caller, &labeling, &film).await?;
    let opened = open_file(&app, &desk, &film.item.sha256, caller.language).await?;
    Ok(answer("application/octet-stream", opened.values.clone()))
}

/// `GET /labeling/{id}/films/{film}/heat`, as a film's; 404 where films are labeled.
pub(super) async fn heat(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (seat, film) = pixels(&app, &caller, &labeling, &film).await?;
    if seat.task == Task::Labels {
        return Err(HttpError::not_found());
    }
    heat_map(&app, &desk, &film.item.prediction, &film.item.sha256, caller.language).await
}

/// `GET /labeling/{id}/films/{film}/earlier/{earlier}`: the picture of an earlier film of the patient.
pub(super) async fn earlier_preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film, number)): Path<(String, String, String)>,
) -> Result<Response, HttpError> {
    let (seat, film) = pixels(&app, &caller, &labeling, &film).await?;
    let all = if seat.task == Task::Labels { earlier(&app, &seat, &film).await } else { Ok(Vec::new()) };
    let all = all.map_err(|_| HttpError::not_found())?;
    let number: usize = number.parse().map_err(|_| HttpError::not_found())?;
    let (_, hash) = all.into_iter().nth(number).ok_or_else(HttpError::not_found)?;
    Ok(answer("image/png", open_file(&app, &desk, &hash, caller.language).await?.preview.clone()))
}

// ---- Decisions -----------------------------------------------------------------------------------------------------------------------

/// `POST /labeling/{id}/films/{film}`: stores a decision before the next film is shown. The same request again stores nothing more.
pub(super) async fn store(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let filled = Fields::of(fields);
    let (seat, number, film) = seated(&app, &caller, &labeling, &film).await?;
    let decision = decision_of(&seat, number, &film, &filled)?;
    let supersedes: i64 = filled.text("supersedes").parse().map_err(|_| PageError::Bad("labeling-stale"))?;
    let text = serde_json::to_string(&decision).map_err(|_| PageError::Bad("labeling-fault-word"))?;
    let (person, name) = &seat.person;
    if !app.db.add_decision(film.id, (*person, name), supersedes, &text).await? {
        // The same decision sent again is stored already; another one was made on another machine or tab.
        let standing = app.db.standing_decisions(seat.labeling.id, Some(*person)).await?;
        let made = standing.iter().find(|made| made.film == film.id);
        if !made.is_some_and(|made| made.supersedes == supersedes && made.decision == text) {
            return Err(PageError::Bad("labeling-stale"));
        }
    }
    Ok(done(&seat, &filled))
}

/// `POST /labeling/{id}/films/{film}/undo`: takes the person's decision back; the film comes again.
pub(super) async fn undo(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let filled = Fields::of(fields);
    let (seat, _, film) = seated(&app, &caller, &labeling, &film).await?;
    let (person, name) = &seat.person;
    if let Some(made) = seat.own.get(&film.id) {
        app.db.add_decision(film.id, (*person, name), made.id, "").await?;
    }
    Ok(done(&seat, &filled))
}

/// Leads to the next film; the script is told where it is.
fn done(seat: &Seat, filled: &Fields) -> Response {
    let place = format!("/labeling/{}/next", seat.labeling.id);
    if filled.text("by") == "script" {
        return Json(json!({ "next": place })).into_response();
    }
    to(place)
}

fn decision_of(seat: &Seat, number: usize, film: &LabelingFilm, filled: &Fields) -> Result<Decision, PageError> {
    if let Ok(taken) = filled.text("take").parse::<usize>() {
        let reviews = seat.decided.get(number).map(|on_film| &on_film.reviews);
        let (_, decision) = reviews.and_then(|reviews| reviews.get(taken)).ok_or(PageError::NotFound)?;
        return Ok(decision.clone());
    }
    if seat.task == Task::HeatMaps {
        let site = Site::parse(filled.text("site")).filter(|site| *site != Site::None);
        return site.map(Decision::Site).ok_or(PageError::Bad("labeling-fault-site"));
    }
    let labels = Labels {
        opinion: Opinion::parse(filled.text("label")),
        kind: Kind::parse(filled.text("kind")),
        classification: filled.text("classification").to_owned(),
        side: match filled.text("side") {
            "left" => Some(Side::Left),
            "right" => Some(Side::Right),
            _ => None,
        },
        boxes: boxes_of(filled.text("boxes")).ok_or(PageError::Bad("labeling-fault-box"))?,
        quality: filled.all("quality").map(str::to_owned).collect(),
        exclusion: filled.text("exclusion").to_owned(),
        note: filled.text("note").replace("\r\n", "\n").trim().chars().filter(|c| *c != '\0').collect(),
    };
    labels.check(film.item.size.1, film.item.size.0).map_err(|fault| {
        PageError::Bad(match fault {
            Fault::NoLabel => "labeling-fault-label",
            Fault::Contradiction => "labeling-fault-contradiction",
            Fault::Box => "labeling-fault-box",
            Fault::Word => "labeling-fault-word",
            Fault::Note => "labeling-fault-note",
        })
    })?;
    Ok(Decision::Labels(labels))
}

/// Boxes as the form has them: `left,top,width,height`, with semicolons between.
fn boxes_of(text: &str) -> Option<Vec<[f32; 4]>> {
    let drawn = |text: &str| {
        let parts: Vec<f32> = text.split(',').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok().filter(|parts: &[f32; 4]| parts.iter().all(|part| part.is_finite()))
    };
    text.split(';').filter(|one| !one.is_empty()).map(drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_read_as_they_are_written() {
        let boxes = [[1.5, 2.0, 30.0, 40.25], [0.0, 0.0, 1.0, 1.0]];
        assert_eq!(boxes_of(&boxes_text(&boxes)).unwrap(), boxes);
        assert_eq!(boxes_of(""), Some(Vec::new()));
        for wrong in ["1,2,3", "1,2,3,x", "1,2,3,NaN", "1,2,3,4,5"] {
            assert_eq!(boxes_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_word_has_its_message() {
        assert_eq!(OPINIONS.iter().map(|one| one.0).collect::<Vec<_>>(), Opinion::ALL.map(Opinion::as_str));
        assert_eq!(KINDS.iter().map(|one| one.0).collect::<Vec<_>>(), Kind::ALL.map(Kind::as_str));
        assert_eq!((QUALITIES.len(), EXCLUSIONS.len()), (QUALITY_WORDS.len(), EXCLUSION_WORDS.len()));
    }

    #[test]
    fn days_are_counted_back() {
        assert_eq!(days_between("20260101", "20260301"), Some(59));
        assert_eq!(days_between("", "20260301"), None);
    }
}
