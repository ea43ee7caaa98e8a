//! A film that a collection withholds for review: its regions on its picture or its outline, and what a person decides about them.
//!
//! A picture may hold a patient's name. It is read from the folder that the configuration names as `identified`, shown after an entry in the
//! audit log, and written nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use bytes::Bytes;
use coxa_deidentify::{Decision, Decisions, Rectangle, RegionVerdict};
use coxa_imaging::encode;

use super::collections::{decided, named, read};
use super::film::{answer, decode};
use super::state::{Desk, Opened};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::collections::{Content, ToReview};
use crate::config::Collection;
use crate::http::{App, Caller, HttpError, Shared};
use crate::language::Language;

/// Rectangles that one decision may have.
const MOST: usize = 60;
/// Empty lines of the form, for rectangles that a person adds.
const EMPTY: usize = 2;
/// Pixels around a region that its picture shows too.
const MARGIN: usize = 40;

/// A line of the form.
struct Line {
    x: String,
    y: String,
    width: String,
    height: String,
    keeps: bool,
}

impl Line {
    fn of(region: Rectangle, verdict: RegionVerdict) -> Self {
        let [x, y, width, height] = [region.x, region.y, region.width, region.height].map(|n| n.to_string());
        Self { x, y, width, height, keeps: verdict == RegionVerdict::Keep }
    }

    fn empty() -> Self {
        let none = String::new;
        Self { x: none(), y: none(), width: none(), height: none(), keeps: false }
    }
}

#[derive(Template)]
#[template(path = "withheld.html")]
struct Page {
    frame: Frame,
    name: String,
    film: ToReview,
    row: u64,
    has_picture: bool,
    /// The decision as a message; empty where there is none yet.
    decided: &'static str,
    /// What is wrong with a decision that was sent, as a message.
    wrong: &'static str,
    lines: Vec<Line>,
    /// Serial numbers of the film before this one and after it that nobody has decided about; 0 for none.
    before: usize,
    after: usize,
}

/// A film of an address, and what is around it.
struct Found<'a> {
    collection: &'a Collection,
    film: ToReview,
    content: Content,
    decisions: Decisions,
}

impl<'a> Found<'a> {
    async fn of(app: &'a App, name: &str, serial: &str) -> Result<Self, PageError> {
        let collection = named(app, name)?;
        let serial: usize = serial.parse().map_err(|_| PageError::NotFound)?;
        let (content, decisions) = read(collection).await?;
        let film = content.film(serial).ok_or(PageError::NotFound)?;
        Ok(Self { collection, film, content, decisions })
    }

    /// The serial numbers of the other films that nobody has decided about.
    fn open(&self) -> Vec<usize> {
        let all = self.content.to_review().into_iter().filter(|other| other.serial != self.film.serial);
        let open = all.filter(|other| !other.is_answered_by(self.decisions.of(other.serial)));
        open.map(|other| other.serial).collect()
    }
}

/// The page of a film; `sent` is a decision that was refused: the message that says why, and its lines.
fn shown(
    caller: &Caller,
    name: String,
    found: Found<'_>,
    sent: Option<(&'static str, Vec<Line>)>,
) -> Result<Response, PageError> {
    let open = found.open();
    let Found { collection, film, decisions, .. } = found;
    let own = decisions.of(film.serial);
    let (wrong, mut lines) = sent.unwrap_or_else(|| ("", lines_of(&film, own)));
    lines.extend((0..EMPTY).map(|_| Line::empty()));
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = Page {
        frame: Frame::of("collections-withheld-title", "collections", caller),
        name,
        row: film.row.unwrap_or_default(),
        has_picture: collection.identified_film(film.serial).is_some(),
        decided: if own.is_empty() { "" } else { decided(own) },
        wrong,
        lines,
        before: open.iter().rev().find(|other| **other < film.serial).copied().unwrap_or_default(),
        after: open.iter().find(|other| **other > film.serial).copied().unwrap_or_default(),
        film,
    };
    Ok((status, html(&page)?).into_response())
}

/// The rectangles that were decided on, else those that were found.
fn lines_of(film: &ToReview, own: &[Decision]) -> Vec<Line> {
    let decided = own.iter().filter(|decision| decision.verdict != RegionVerdict::Exclude);
    let decided: Vec<Line> = decided.map(|one| Line::of(one.region, one.verdict)).collect();
    if !decided.is_empty() {
        return decided;
    }
    film.review.regions.iter().map(|region| Line::of(*region, RegionVerdict::Blank)).collect()
}

/// `GET /collections/{collection}/films/{serial}`.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((name, serial)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let found = Found::of(&app, &name, &serial).await?;
    shown(&caller, name, found, None)
}

/// `POST /collections/{collection}/films/{serial}`: a decision, which takes the place of an earlier one. `decision` is `accept` (each region
/// that was found is blanked), `keep` (each stays), `drawn` (the rectangles of the form), `exclude` or `none` (taken back).
pub(super) async fn decide(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((name, serial)): Path<(String, String)>,
    Form(filled): Form<BTreeMap<String, String>>,
) -> Result<Response, PageError> {
    let found = Found::of(&app, &name, &serial).await?;
    let chosen = filled.get("decision").map(String::as_str).unwrap_or_default();
    let decisions = match decisions_of(&found.film, chosen, &filled) {
        Ok(decisions) => decisions,
        Err(wrong) => return shown(&caller, name, found, Some((wrong, sent_lines(&filled)))),
    };
    let Found { collection, film, .. } = found;
    let _one = desk.deciding().await;
    let event = caller.event(Deed::WithheldDecided).with("collection", &name).with("film", film.serial);
    // The entry comes first: no decision is without one.
    app.audit.add(event.with("decision", chosen).with("rectangles", decisions.len())).await?;
    let (table, number) = (collection.clone(), film.serial);
    let written = tokio::task::spawn_blocking(move || table.decide(number, decisions)).await;
    written.map_err(|_| PageError::Unavailable("error-collection"))??;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, format!("/collections/{name}/films/{serial}"))]).into_response())
}

/// The decisions that a form states, or the message that says what is wrong with it.
fn decisions_of(
    film: &ToReview,
    chosen: &str,
    filled: &BTreeMap<String, String>,
) -> Result<Vec<Decision>, &'static str> {
    let all = |verdict| film.review.regions.iter().map(|region| Decision { region: *region, verdict }).collect();
    let decisions: Vec<Decision> = match chosen {
        "none" => return Ok(Vec::new()),
        "accept" => all(RegionVerdict::Blank),
        "keep" if film.review.regions.is_empty() => {
            vec![Decision { region: film.whole(), verdict: RegionVerdict::Keep }]
        }
        "keep" => all(RegionVerdict::Keep),
        "exclude" => vec![Decision { region: film.whole(), verdict: RegionVerdict::Exclude }],
        "drawn" => drawn(film, filled)?,
        _ => return Err("collections-wrong-decision"),
    };
    if film.is_answered_by(&decisions) { Ok(decisions) } else { Err("collections-wrong-region") }
}

fn drawn(film: &ToReview, filled: &BTreeMap<String, String>) -> Result<Vec<Decision>, &'static str> {
    const WRONG: &str = "collections-wrong-rectangle";
    let mut decisions = Vec::new();
    for line in sent_lines(filled) {
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| WRONG);
        let region = Rectangle {
            x: number(&line.x)?,
            y: number(&line.y)?,
            width: number(&line.width)?,
            height: number(&line.height)?,
        };
        let region = region.within(film.review.rows, film.review.columns).ok_or(WRONG)?;
        let verdict = if line.keeps { RegionVerdict::Keep } else { RegionVerdict::Blank };
        decisions.push(Decision { region, verdict });
    }
    Ok(decisions)
}

/// The lines of a form that hold something.
fn sent_lines(filled: &BTreeMap<String, String>) -> Vec<Line> {
    let text = |name: &str, line: usize| filled.get(&format!("{name}{line}")).cloned().unwrap_or_default();
    let lines = (0..MOST).map(|line| Line {
        x: text("x", line),
        y: text("y", line),
        width: text("width", line),
        height: text("height", line),
        keeps: text("verdict", line) == "keep",
    });
    lines
        .filter(|line| [&line.x, &line.y, &line.width, &line.height].iter().any(|text| !text.trim().is_empty()))
        .collect()
}

/// The film as it came, decoded; that its person sees it is recorded first.
async fn opened(
    app: &App,
    desk: &Desk,
    caller: &Caller,
    (name, serial): (&str, &str),
) -> Result<(ToReview, Arc<Opened>), HttpError> {
    let event = caller.event(Deed::WithheldOpened).with("collection", name.chars().take(64).collect::<String>());
    let event = event.with("film", serial.chars().filter(char::is_ascii_digit).take(20).collect::<String>());
    let found = Found::of(app, name, serial).await.ok();
    let there = found.and_then(|found| Some((found.collection.identified_film(found.film.serial)?, found.film)));
    let Some((path, film)) = there else {
        app.audit.add(event.failed()).await?;
        return Err(HttpError::not_found());
    };
    app.audit.add(event).await?;
    let bytes = tokio::fs::read(&path).await.map_err(|_| HttpError::not_found())?;
    let hash = format!("withheld {}", coxa_files::sha256(&bytes));
    // One at a time, as all films are decoded.
    let _turn = desk.turn().await;
    if let Some(opened) = desk.opened(&hash).await {
        return Ok((film, opened));
    }
    let language = caller.language;
    let decoded = tokio::task::spawn_blocking(move || decode(&bytes, language)).await;
    let opened = Arc::new(decoded.map_err(|_| undecodable(language))??);
    desk.keep(&hash, Arc::clone(&opened)).await;
    Ok((film, opened))
}

fn undecodable(language: Language) -> HttpError {
    HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, language.say("collections-no-picture").to_string())
}

/// `GET /collections/{collection}/films/{serial}/picture`: a PNG of screen size.
pub(super) async fn picture(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((name, serial)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (_, opened) = opened(&app, &desk, &caller, (&name, &serial)).await?;
    Ok(answer("image/png", opened.preview.clone()))
}

/// `GET /collections/{collection}/films/{serial}/regions/{region}`: a PNG of a region that was found, counted from 1, and what is around it, at
/// full size and with all of the grades that it has.
pub(super) async fn region(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((name, serial, region)): Path<(String, String, String)>,
) -> Result<Response, HttpError> {
    let (film, opened) = opened(&app, &desk, &caller, (&name, &serial)).await?;
    let number = region.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let region = number.and_then(|number| film.review.regions.get(number).copied()).ok_or_else(HttpError::not_found)?;
    let png = enlarged(&opened.values.grades.pixels, region, &film).ok_or_else(|| undecodable(caller.language))?;
    Ok(answer("image/png", Bytes::from(png)))
}

/// A part of a film's grades between its darkest and its brightest.
fn enlarged(grades: &[u16], region: Rectangle, film: &ToReview) -> Option<Vec<u8>> {
    let (columns, rows) = (film.review.columns, film.review.rows);
    if grades.len() != columns * rows {
        return None;
    }
    let (left, top) = (region.x.saturating_sub(MARGIN), region.y.saturating_sub(MARGIN));
    let part = Rectangle {
        x: left,
        y: top,
        width: region.x + region.width + MARGIN - left,
        height: region.y + region.height + MARGIN - top,
    };
    let part = part.within(rows, columns)?;
    let places = (part.y..part.y + part.height).flat_map(|y| (part.x..part.x + part.width).map(move |x| (x, y)));
    let part_grades: Vec<u16> = places.map(|(x, y)| grades[y * columns + x]).collect();
    let (dark, bright) = (part_grades.iter().min()?, part_grades.iter().max()?);
    let span = f32::from(bright - dark).max(1.0);
    let pixels: Vec<u8> =
        part_grades.iter().map(|grade| (f32::from(grade - dark) / span * 255.0).round() as u8).collect();
    encode::png_gray8_to_vec(part.width, part.height, &pixels).ok()
}

#[cfg(test)]
mod tests {
    use coxa_deidentify::Review;

    use super::*;

    fn film(regions: Vec<Rectangle>) -> ToReview {
        ToReview { serial: 3, row: None, review: Review { columns: 100, rows: 80, regions } }
    }

    fn filled(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_decision_says_what_becomes_of_every_region_that_was_found() {
        let region = Rectangle { x: 10, y: 20, width: 30, height: 5 };
        let (one, none) = (film(vec![region]), film(Vec::new()));
        let of = |film: &ToReview, chosen: &str| decisions_of(film, chosen, &BTreeMap::new());
        assert_eq!(of(&one, "accept").unwrap(), [Decision { region, verdict: RegionVerdict::Blank }]);
        assert_eq!(of(&one, "keep").unwrap(), [Decision { region, verdict: RegionVerdict::Keep }]);
        assert_eq!(of(&one, "none").unwrap(), []);
        assert_eq!(of(&none, "keep").unwrap()[0].region, none.whole());
        assert_eq!(of(&none, "exclude").unwrap()[0].verdict, RegionVerdict::Exclude);
        // Where nothing was found there is nothing to accept.
        assert_eq!(of(&none, "accept"), Err("collections-wrong-region"));
        assert_eq!(of(&one, "drawn"), Err("collections-wrong-region"));
        assert_eq!(of(&one, ""), Err("collections-wrong-decision"));
        let sent = |fields: &[(&str, &str)]| decisions_of(&one, "drawn", &filled(fields));
        let apart = [("x0", "60"), ("y0", "60"), ("width0", "9"), ("height0", "9"), ("verdict0", "blank")];
        assert_eq!(sent(&apart), Err("collections-wrong-region"));
        let kept = [("x1", "15"), ("y1", "22"), ("width1", "999"), ("height1", "2"), ("verdict1", "keep")];
        let both = sent(&[apart.as_slice(), kept.as_slice()].concat()).unwrap();
        assert_eq!(both.len(), 2);
        let cut = Rectangle { x: 15, y: 22, width: 85, height: 2 };
        assert_eq!(both[1], Decision { region: cut, verdict: RegionVerdict::Keep });
        for wrong in ["", "-1", "x", "100"] {
            let line = [("x0", wrong), ("y0", "1"), ("width0", "2"), ("height0", "2")];
            assert_eq!(sent(&line), Err("collections-wrong-rectangle"), "{wrong}");
        }
    }

    #[test]
    fn a_region_is_enlarged_with_what_is_around_it() {
        let region = Rectangle { x: 2, y: 1, width: 3, height: 2 };
        let film = film(vec![region]);
        let grades = vec![0; 100 * 80];
        let png = enlarged(&grades, region, &film).unwrap();
        assert_eq!(png[16..24], [0, 0, 0, 45, 0, 0, 0, 43], "45 columns, 43 rows");
        assert!(enlarged(&grades[..1000], region, &film).is_none());
    }
}
