//! A film's pixels for the viewer: a picture of screen size for the first paint, then all values, which the browser windows itself.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use coxa_imaging::{Fit, encode, preprocess, read_graded};
use coxa_model::detect::overlay::drawable;
use coxa_schema::FilmPrediction;

use super::reasons::Reason;
use super::state::{Desk, Opened};
use crate::audit::Deed;
use crate::db::Film;
use crate::http::{App, Caller, HttpError, Shared};
use crate::language::Language;

/// The longest side of the first picture.
const PREVIEW: usize = 1024;
/// The longest side of the heat's picture, which is smooth.
const HEAT: usize = 512;

/// A film by its row in an address; 404 for anything else, results among it.
async fn film_of(app: &App, id: &str) -> Result<Film, HttpError> {
    let id: i64 = id.parse().map_err(|_| HttpError::not_found())?;
    app.db.film(id).await?.filter(|film| film.kind == "film").ok_or_else(HttpError::not_found)
}

/// The film of a request for a part of it: that its person sees it is recorded first.
async fn seen(app: &App, caller: &Caller, id: &str) -> Result<Film, HttpError> {
    let film = found(app, caller, id).await?;
    let person = caller.asker.person().map_or(0, |person| person.id);
    if app.sights.film(person, film.id) {
        app.audit.add(caller.event(Deed::FilmOpened).on(film.id).with("as", "pixels")).await?;
    }
    Ok(film)
}

/// The film that a person asks for. A number that leads nowhere is recorded too: somebody may be guessing.
pub(super) async fn found(app: &App, caller: &Caller, id: &str) -> Result<Film, HttpError> {
    match film_of(app, id).await {
        Ok(film) => Ok(film),
        Err(error) => {
            let asked: String = id.chars().filter(char::is_ascii_digit).take(20).collect();
            app.audit.add(caller.event(Deed::FilmOpened).failed().with("asked", asked)).await?;
            Err(error)
        }
    }
}

pub(super) async fn open(app: &App, desk: &Desk, film: &Film, language: Language) -> Result<Arc<Opened>, HttpError> {
    open_file(app, desk, &film.attributes.sha256, language).await
}

/// The film of a file that is kept under its hash.
pub(super) async fn open_file(
    app: &App,
    desk: &Desk,
    hash: &str,
    language: Language,
) -> Result<Arc<Opened>, HttpError> {
    // One at a time: the picture and the values of a film are asked for at once, and decoded once.
    let _turn = desk.turn().await;
    if let Some(opened) = desk.opened(hash).await {
        return Ok(opened);
    }
    let bytes = app.store.get(hash).await?;
    let crashed = |_| {
        let reason = Reason::of(language, "the film cannot be decoded").text;
        HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, reason)
    };
    let opened = Arc::new(tokio::task::spawn_blocking(move || decode(&bytes, language)).await.map_err(crashed)??);
    desk.keep(hash, Arc::clone(&opened)).await;
    Ok(opened)
}

pub(super) fn decode(bytes: &[u8], language: Language) -> Result<Opened, HttpError> {
    let refused = |reason: String| {
        let reason = reason.strip_prefix("the film: ").unwrap_or(&reason);
        HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, Reason::of(language, reason).text)
    };
    let (film, grades) = read_graded(bytes, "the film").map_err(|error| refused(error.to_string()))?;
    let input = preprocess(&film, PREVIEW.min(film.width().max(film.height())), Fit::Letterbox);
    let (left, top, columns, rows) = input.geometry.covered();
    let picture: Vec<u8> = input
        .pixels
        .chunks(input.size)
        .skip(top)
        .take(rows)
        .flat_map(|row| &row[left..left + columns])
        .copied()
        .collect();
    let preview = encode::png_gray8_to_vec(columns, rows, &picture).map_err(|error| refused(error.to_string()))?;
    let [row_mm, column_mm] = film.spacing_mm().unwrap_or_default();
    let head = [
        film.width() as f64,
        film.height() as f64,
        grades.dark,
        grades.bright,
        f64::from(row_mm),
        f64::from(column_mm),
        film.pixel_aspect(),
        0.0,
    ];
    let mut values: Vec<u8> = Vec::with_capacity(64 + grades.display.len() + 2 * grades.pixels.len());
    values.extend(head.iter().flat_map(|number| number.to_le_bytes()));
    values.extend_from_slice(&grades.display);
    values.extend(grades.pixels.iter().flat_map(|grade| grade.to_le_bytes()));
    Ok(Opened { preview: preview.into(), values: values.into(), aspect: film.pixel_aspect() })
}

/// A place on a film as a form has it, in the film's pixels; `None` where it is none.
pub(super) fn mark_of(film: &Film, x: &str, y: &str) -> Option<(i64, i64)> {
    let place = |text: &str, most: i64| text.parse::<i64>().ok().filter(|place| (0..most.max(1)).contains(place));
    place(x, film.attributes.columns).zip(place(y, film.attributes.rows))
}

pub(super) fn answer(media: &'static str, bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media))], bytes).into_response()
}

/// `GET /films/{id}/preview`: a PNG after the film's own window.
pub(super) async fn preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let film = seen(&app, &caller, &id).await?;
    Ok(answer("image/png", open(&app, &desk, &film, caller.language).await?.preview.clone()))
}

/// `GET /films/{id}/values`: eight numbers of 64 bits (columns, rows, modality values of grade 1 and of grade 65,535, millimeters between
/// rows and between columns or 0, height of a pixel over its width, 0), the display value of each of 65,536 grades (a byte each), and a
/// grade of 16 bits for each pixel, row by row; all little endian.
pub(super) async fn values(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let film = seen(&app, &caller, &id).await?;
    Ok(answer("application/octet-stream", open(&app, &desk, &film, caller.language).await?.values.clone()))
}

/// `GET /films/{id}/heat`: a byte a pixel, the share of full heat; its size stands in the headers `x-columns` and `x-rows`. 404 for a film
/// that is not called positive, and where the network that read it is not the one that is configured: its scale is not known.
pub(super) async fn heat(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let film = seen(&app, &caller, &id).await?;
    heat_of(&app, &desk, &film, caller.language).await
}

/// The heat map of a film as an answer.
pub(super) async fn heat_of(app: &App, desk: &Desk, film: &Film, language: Language) -> Result<Response, HttpError> {
    let reading = app.db.reading_of(film.id).await?.ok_or_else(HttpError::not_found)?;
    heat_map(app, desk, &reading.prediction, &film.attributes.sha256, language).await
}

/// The heat map of a prediction, as JSON, on the film of a file that is kept under its hash.
pub(super) async fn heat_map(
    app: &App,
    desk: &Desk,
    prediction: &str,
    hash: &str,
    language: Language,
) -> Result<Response, HttpError> {
    let prediction: FilmPrediction = serde_json::from_str(prediction).map_err(|_| HttpError::not_found())?;
    let finding = prediction.finding().ok_or_else(HttpError::not_found)?;
    let card = desk.network(&app.config).await.filter(|(_, hash)| *hash == finding.model).map(|(card, _)| card);
    let aspect = open_file(app, desk, hash, language).await?.aspect;
    let drawn = drawable(finding, card, aspect, HEAT).and_then(|drawn| drawn.heat).ok_or_else(HttpError::not_found)?;
    let mut response = answer("application/octet-stream", drawn.shares.into());
    for (name, length) in [("x-columns", drawn.width), ("x-rows", drawn.height)] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(length));
    }
    Ok(response)
}
