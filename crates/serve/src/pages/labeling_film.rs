//! The films of a labeling, one after the other, for those who decide in it.
//!
//! Nothing here names a film or a patient: a film is called by the labeling and its number in the reviewer's own order. Until a labeling is
//! closed, no answer to a reviewer depends on the network, on the labels that films came with, or on another reviewer's decisions.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use coxa_schema::Side;
use coxa_study::localize::Site;
use serde_json::{Value, json};

use super::labeling_decision::boxes_text;
use super::labeling_pixels::{Earlier, earlier};
use super::labeling_seat::{Seat, seated};
use super::text::visible;
use super::viewer::colors;
use super::{Frame, PageError, html};
use crate::audit::{Deed, Sight};
use crate::db::LabelingFilm;
use crate::http::{App, Caller, Shared};
use crate::labeling::{CLASSIFICATIONS, Decision, EXCLUSIONS, Kind, OnFilm, Opinion, QUALITIES, Task, parsed};
use crate::people::Part;

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

// ---- The page ------------------------------------------------------------------------------------------------------------------------

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
    app.opened(caller, Sight::Labeled(film.id), seat.event(caller, Deed::FilmOpened, film)).await?;
    let own = seat.own.get(&film.id).and_then(parsed);
    let labels = own.as_ref().and_then(Decision::labels).cloned().unwrap_or_default();
    let site = own.as_ref().and_then(Decision::site).map_or("", Site::as_str);
    let is_heat = seat.task == Task::HeatMaps;
    let others = seat.decided.get(number).map(others).unwrap_or_default();
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
        earlier: if is_heat { Vec::new() } else { earlier(app, seat, film).await? },
        others,
        view: view.to_string(),
    })
}

fn others(on_film: &OnFilm) -> Vec<Other> {
    const LETTERS: [(&str, &str); 8] =
        [("A", "["), ("B", "]"), ("C", ""), ("D", ""), ("E", ""), ("F", ""), ("G", ""), ("H", "")];
    let word = |list: Choices, value: &str| list.iter().find(|(known, ..)| *known == value).map(|(_, word, _)| *word);
    let other = |number: usize, decision: &Decision| {
        let (letter, key) = LETTERS.get(number).copied().unwrap_or_default();
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
    let decisions = on_film.reviews.iter().map(|(_, decision)| decision);
    decisions.enumerate().map(|(number, decision)| other(number, decision)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_message() {
        assert_eq!(OPINIONS.iter().map(|one| one.0).collect::<Vec<_>>(), Opinion::ALL.map(Opinion::as_str));
        assert_eq!(KINDS.iter().map(|one| one.0).collect::<Vec<_>>(), Kind::ALL.map(Kind::as_str));
        assert_eq!((QUALITIES.len(), EXCLUSIONS.len()), (QUALITY_WORDS.len(), EXCLUSION_WORDS.len()));
    }
}
