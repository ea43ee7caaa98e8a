//! The viewer: a film with what was found on it, and a physician's review.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use coxa_model::detect::overlay::drawable;
use coxa_schema::{FilmPrediction, Finding, Side};
use serde_json::{Value, json};

use super::film::{found, open_file};
use super::labeling_pixels::{Earlier, earlier_films, earlier_picture};
use super::reasons::Reason;
use super::reviews::Reviews;
use super::state::Desk;
use super::text::{self, Age, Header, visible};
use super::worklist::{Asked, Call, Filters, Scale};
use super::{Frame, PageError, html};
use crate::audit::{Deed, Sight};
use crate::db::{Film, FilmQuery, Reading};
use crate::http::{App, Caller, HttpError, Shared};
use crate::language::Language;
use crate::monitor;
use crate::people::{Action, Subject, may};

/// Other films of the patient that are listed.
const OTHERS: usize = 12;

struct Region {
    number: usize,
    /// The side as a message.
    side: &'static str,
    score: String,
}

struct Other {
    id: i64,
    address: String,
    date: String,
    what: String,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "viewer.html")]
struct Page {
    frame: Frame,
    id: i64,
    /// Whose drafts are restored.
    person: i64,
    name: String,
    patient_id: String,
    age: Age,
    sex: String,
    accession: String,
    study_date: String,
    came: String,
    what: String,
    call: Call,
    reason: Reason,
    scale: Option<Scale>,
    regions: Vec<Region>,
    model: String,
    /// The calibration's row; 0 for the network's own.
    calibration: i64,
    read_at: String,
    /// Whether there could be a heat map, but its scale is not known.
    lacks_scale: bool,
    list: String,
    back: String,
    previous: Option<String>,
    next: Option<String>,
    others: Vec<Other>,
    reviews: Reviews,
    /// Whether the film is one of an open trial, on which a physician decides whatever the result.
    is_in_trial: bool,
    /// Whether its result is withheld.
    is_withheld: bool,
    /// Whether whoever sees the page may show it early.
    may_unblind: bool,
    /// Whether there are earlier films of the patient, whose pictures can stand beside this one.
    has_earlier: bool,
    /// For the script: what is drawn, and how.
    view: String,
}

/// `GET /films/{id}`.
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let film = found(&app, &caller, &id).await.map_err(|_| PageError::NotFound)?;
    let person = caller.asker.person().map_or(0, |person| person.id);
    app.opened(&caller, Sight::Film(film.id), caller.event(Deed::FilmOpened).on(film.id)).await?;
    // The picture is asked for as soon as the page is there.
    let (pixels, seat, hash) = (Arc::clone(&app), Arc::clone(&desk), film.attributes.sha256.clone());
    tokio::spawn(async move { open_file(&pixels, &seat, &hash, caller.language).await.map(drop) });
    app.db.opened(film.id).await?;
    let in_trial = app.db.in_trial(film.id).await?;
    if in_trial.is_some() {
        app.db.opened_in_trial(film.id, person).await?;
    }
    let reading = app.db.reading_of(film.id).await?;
    let filters = Filters::of(&asked);
    let back = filters.address(1);
    let beside = app.db.neighbors(&filters.query(), film.id).await?;
    let address = |id: i64| format!("/films/{id}{back}");
    let reviews = Reviews::of(&app.db, &caller, film.id, &back).await?;
    let scale = reading.as_ref().map_or(1.0, |reading| reading.scale);
    let high = app.config.network.high_specificity_threshold.map(|high| monitor::rescaled(high, scale));
    let prediction =
        reading.as_ref().and_then(|reading| serde_json::from_str::<FilmPrediction>(&reading.prediction).ok());
    let finding = prediction.as_ref().and_then(FilmPrediction::finding);
    let network = desk.network(&app.config).await;
    let knows_scale = finding.is_some_and(|finding| network.is_some_and(|(_, hash)| *hash == finding.model));
    let call = Call::of(&film.state, finding.map(|f| f.probability), finding.is_some_and(|f| f.is_positive), high);
    let header = Header::of(&film.attributes.metadata);
    let others = others(&app, caller.language, &film, &back).await?;
    let listed: Vec<String> = others.iter().filter(|other| !other.is_this).map(|other| other.id.to_string()).collect();
    if !listed.is_empty() {
        app.audit.add(caller.event(Deed::FilmsListed).with("films", listed.join(" "))).await?;
    }
    let (attributes, language) = (&film.attributes, caller.language);
    let mut view = view(language, &film, &header, finding, call, knows_scale, reviews.mark());
    let before = earlier_films(&app, &film).await?;
    view["earlier"] = before.iter().map(|one| earlier(language, film.id, one)).collect();
    html(&Page {
        frame: Frame::of("viewer-title", "", &caller),
        id: film.id,
        person,
        name: text::name(language, &attributes.patient_name),
        patient_id: visible(&attributes.patient_id),
        age: header.age(language, (&attributes.patient_birth_date, &attributes.study_date, film.received_at)),
        sex: text::sex(language, &attributes.patient_sex),
        accession: visible(&attributes.accession_number),
        study_date: text::day(language, &attributes.study_date),
        came: text::exact(language, film.received_at),
        what: what(&film),
        call,
        reason: reason(language, &film, reading.as_ref()),
        scale: finding.map(|finding| Scale::of(language, finding.probability, finding.threshold, high)),
        regions: finding.map(regions).unwrap_or_default(),
        model: reading.as_ref().map(|reading| reading.model.clone()).unwrap_or_default(),
        calibration: reading.as_ref().map_or(0, |reading| reading.calibration),
        read_at: reading
            .as_ref()
            .filter(|reading| reading.read_at > 0)
            .map(|reading| text::exact(language, reading.read_at))
            .unwrap_or_default(),
        lacks_scale: finding.is_some_and(|finding| finding.is_positive) && !knows_scale,
        view: view.to_string(),
        has_earlier: !before.is_empty(),
        list: format!("/{back}"),
        previous: beside.previous.map(address),
        next: beside.next.map(address),
        back,
        others,
        reviews,
        is_in_trial: in_trial.is_some(),
        is_withheld: in_trial.is_some_and(|film| film.is_withheld),
        may_unblind: may(&caller.asker, Action::Unblind, Subject::Any),
    })
}

/// An earlier film, as the script needs it.
fn earlier(language: Language, film: i64, one: &Earlier) -> Value {
    let words = language.say("labeling-days").with("days", one.days.unwrap_or_default()).to_string();
    json!({ "picture": format!("/films/{film}/earlier/{}", one.number), "words": words })
}

/// `GET /films/{id}/earlier/{number}`: the picture of an earlier film of the patient.
pub(super) async fn earlier_preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let film = found(&app, &caller, &id).await?;
    let event = caller.event(Deed::FilmOpened).with("beside", film.id);
    earlier_picture(&app, &desk, &caller, earlier_films(&app, &film).await, &number, event).await
}

fn what(film: &Film) -> String {
    let attributes = &film.attributes;
    let parts = [&attributes.modality, &attributes.body_part, &attributes.view_position];
    visible(&parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" · "))
}

fn reason(language: Language, film: &Film, reading: Option<&Reading>) -> Reason {
    let of =
        |reading: &Reading| if film.state == "not_read" { reading.not_read.clone() } else { reading.error.clone() };
    if film.state == "read" { Reason::default() } else { Reason::of(language, &reading.map(of).unwrap_or_default()) }
}

fn regions(finding: &Finding) -> Vec<Region> {
    let drawn = drawable(finding, None, 1.0, 1).map(|drawn| drawn.regions).unwrap_or_default();
    let side = |side: Option<Side>| match side {
        Some(Side::Left) => "viewer-left",
        Some(Side::Right) => "viewer-right",
        None => "viewer-no-side",
    };
    (1..)
        .zip(drawn)
        .map(|(number, region)| Region { number, side: side(region.side), score: format!("{:.2}", region.score) })
        .collect()
}

/// What the script needs. Nothing is drawn on a film that is not called positive.
pub(super) fn view(
    language: Language,
    film: &Film,
    header: &Header,
    finding: Option<&Finding>,
    call: Call,
    knows_scale: bool,
    mark: Option<(i64, i64)>,
) -> Value {
    let drawn = finding.and_then(|finding| drawable(finding, None, 1.0, 1));
    let regions: Vec<Value> = drawn
        .iter()
        .flat_map(|drawn| drawn.regions)
        .map(|region| {
            let side = region.side.map_or("", |side| if side == Side::Left { "L" } else { "R" });
            json!({ "x": region.x, "y": region.y, "width": region.width, "height": region.height, "side": side, "score": region.score })
        })
        .collect();
    let has_heat = drawn.is_some() && knows_scale && finding.is_some_and(|finding| finding.heat_map.is_some());
    let explanations = header.explanations.texts();
    // By their places in the file; which of them can be chosen comes with the film's values.
    let windows: Vec<String> = (0..header.centers.texts().len())
        .map(|place| {
            let name = explanations.get(place).map(|name| visible(name)).filter(|name| !name.is_empty());
            name.unwrap_or_else(|| language.say("viewer-window-number").with("number", place + 1).to_string())
        })
        .collect();
    json!({
        "id": film.id,
        "columns": film.attributes.columns,
        "rows": film.attributes.rows,
        "regions": regions,
        "dotted": call.class == "suspected",
        "colors": if has_heat { json!(colors()) } else { Value::Null },
        "windows": windows,
        "calibrated": header.pixel_spacing.numbers().len() == 2,
        "mark": mark,
    })
}

/// The colors of the heat map's 256 shares, as the scripts read them.
pub(super) fn colors() -> String {
    let hex =
        |share: usize| coxa_imaging::overlay::color(share as f32 / 255.0).map(|part| format!("{part:02x}")).concat();
    (0..256).map(hex).collect()
}

/// Films of the same patient, the latest first.
async fn others(app: &App, language: Language, film: &Film, back: &str) -> Result<Vec<Other>, PageError> {
    if film.attributes.patient_id.is_empty() {
        return Ok(Vec::new());
    }
    let query = FilmQuery { patient_id: film.attributes.patient_id.clone(), limit: 200, ..FilmQuery::default() };
    let mut films: Vec<Film> = app.db.films(&query).await?.into_iter().filter(|other| other.kind == "film").collect();
    films.sort_by(|a, b| (&b.attributes.study_date, b.id).cmp(&(&a.attributes.study_date, a.id)));
    films.truncate(OTHERS);
    if films.len() < 2 {
        return Ok(Vec::new());
    }
    let other = |other: &Film| Other {
        id: other.id,
        address: format!("/films/{}{back}", other.id),
        date: text::day(language, &other.attributes.study_date),
        what: what(other),
        is_this: other.id == film.id,
    };
    Ok(films.iter().map(other).collect())
}
