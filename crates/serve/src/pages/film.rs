//! A film's pixels for the viewer: a picture of screen size for the first paint, then values, which the browser windows itself: an overview
//! and tiles of the full resolution.

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
use super::tiles::Values;
use crate::audit::{Deed, Sight};
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
    app.saw(caller, Sight::Film(film.id), caller.event(Deed::FilmOpened).on(film.id).with("as", "pixels")).await?;
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

/// The film of a file that is kept under its hash.
pub(super) async fn open_file(
    app: &App,
    desk: &Desk,
    hash: &str,
    language: Language,
) -> Result<Arc<Opened>, HttpError> {
    if let Some(opened) = desk.opened(hash).await {
        return Ok(opened);
    }
    // One at a time: the parts of a film are asked for at once, and it is decoded once.
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
    let values = Values {
        columns: film.width(),
        rows: film.height(),
        spacing: film.spacing_mm().unwrap_or_default(),
        aspect: film.pixel_aspect(),
        grades,
    };
    Ok(Opened::new(preview.into(), values))
}

/// A place on a film as a form has it, in the film's pixels; `None` where it is none.
pub(super) fn mark_of(film: &Film, x: &str, y: &str) -> Option<(i64, i64)> {
    let place = |text: &str, most: i64| text.parse::<i64>().ok().filter(|place| (0..most.max(1)).contains(place));
    place(x, film.attributes.columns).zip(place(y, film.attributes.rows))
}

pub(super) fn answer(media: &'static str, bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media))], bytes).into_response()
}

/// What a request wants of a film's pixels.
pub(super) enum Part {
    /// A PNG after the film's own window.
    Preview,
    /// The overview of [`Values::overview`].
    Values,
    /// The tile at a column and a row of tiles, as the address has them.
    Tile(String, String),
}

/// A part of the pixels of a file that is kept under its hash.
pub(super) async fn part(
    app: &App,
    desk: &Desk,
    hash: &str,
    language: Language,
    part: Part,
) -> Result<Response, HttpError> {
    let opened = open_file(app, desk, hash, language).await?;
    match part {
        Part::Preview => Ok(answer("image/png", opened.preview.clone())),
        Part::Values => {
            let failed = |_| HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "the film's values were not made");
            let overview = tokio::task::spawn_blocking(move || opened.overview()).await.map_err(failed)?;
            Ok(answer("application/octet-stream", overview))
        }
        Part::Tile(column, row) => {
            let tile =
                column.parse().ok().zip(row.parse().ok()).and_then(|(column, row)| opened.values.tile(column, row));
            Ok(answer("application/octet-stream", tile.ok_or_else(HttpError::not_found)?))
        }
    }
}

/// `GET /films/{id}/preview`: a PNG after the film's own window.
pub(super) async fn preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let film = seen(&app, &caller, &id).await?;
    part(&app, &desk, &film.attributes.sha256, caller.language, Part::Preview).await
}

/// `GET /films/{id}/values`: what [`Values::overview`] says.
pub(super) async fn values(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let film = seen(&app, &caller, &id).await?;
    part(&app, &desk, &film.attributes.sha256, caller.language, Part::Values).await
}

/// `GET /films/{id}/tiles/{column}/{row}`: what [`Values::tile`] says.
pub(super) async fn tile(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((id, column, row)): Path<(String, String, String)>,
) -> Result<Response, HttpError> {
    let film = seen(&app, &caller, &id).await?;
    part(&app, &desk, &film.attributes.sha256, caller.language, Part::Tile(column, row)).await
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
    let aspect = open_file(app, desk, hash, language).await?.values.aspect;
    let drawn = drawable(finding, card, aspect, HEAT).and_then(|drawn| drawn.heat).ok_or_else(HttpError::not_found)?;
    let mut response = answer("application/octet-stream", drawn.shares.into());
    for (name, length) in [("x-columns", drawn.width), ("x-rows", drawn.height)] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(length));
    }
    Ok(response)
}
