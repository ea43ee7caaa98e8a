//! WADO-RS (PS3.18, 10.4): objects as they are kept, metadata from the database, frames, and pictures of films.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use coxa_imaging::encode;
use dicom_core::value::Value as DicomValue;
use dicom_dictionary_std::tags;
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};

use super::accept::{accepted, choose};
use super::app::{App, Shared};
use super::error::HttpError;
use crate::db::{Film, FilmQuery};

/// The most objects of one answer; a study of films has few.
const MOST: i64 = 10_000;
const BOUNDARY: &str = "coxa-8d1f6b0c3e5a";

/// Which objects a path names.
#[derive(Debug, Clone, Default)]
struct Named {
    study: String,
    series: Option<String>,
    instance: Option<String>,
}

impl Named {
    async fn find(&self, app: &Arc<App>) -> Result<Vec<Film>, HttpError> {
        let one = |uid: &Option<String>| uid.iter().cloned().collect();
        let query = FilmQuery {
            study_uid: vec![self.study.clone()],
            series_uid: one(&self.series),
            sop_instance_uid: one(&self.instance),
            limit: MOST,
            ..FilmQuery::default()
        };
        let films = app.db.films(&query).await?;
        if films.is_empty() { Err(HttpError::not_found()) } else { Ok(films) }
    }
}

/// `GET /studies/{study}`.
pub(super) async fn study(state: Shared, Path(study): Path<String>, headers: HeaderMap) -> Result<Response, HttpError> {
    objects(state, Named { study, ..Named::default() }, &headers).await
}

/// `GET /studies/{study}/series/{series}`.
pub(super) async fn series(
    state: Shared,
    Path((study, series)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    objects(state, Named { study, series: Some(series), instance: None }, &headers).await
}

/// `GET /studies/{study}/series/{series}/instances/{instance}`.
pub(super) async fn instance(
    state: Shared,
    Path((study, series, instance)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    objects(state, Named { study, series: Some(series), instance: Some(instance) }, &headers).await
}

/// `GET /studies/{study}/metadata`.
pub(super) async fn study_metadata(
    state: Shared,
    Path(study): Path<String>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    metadata(state, Named { study, ..Named::default() }, &headers).await
}

/// `GET /studies/{study}/series/{series}/metadata`.
pub(super) async fn series_metadata(
    state: Shared,
    Path((study, series)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    metadata(state, Named { study, series: Some(series), instance: None }, &headers).await
}

/// `GET /studies/{study}/series/{series}/instances/{instance}/metadata`.
pub(super) async fn instance_metadata(
    state: Shared,
    Path((study, series, instance)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    metadata(state, Named { study, series: Some(series), instance: Some(instance) }, &headers).await
}

/// Objects as they are kept, one part each; the whole answer is never in memory.
async fn objects(State(app): Shared, named: Named, headers: &HeaderMap) -> Result<Response, HttpError> {
    let films = named.find(&app).await?;
    let wanted = accepted(headers).into_iter().find(|wanted| match wanted.media.as_str() {
        "*/*" => true,
        "multipart/related" | "multipart/*" => wanted.part.as_deref().is_none_or(|part| part == "application/dicom"),
        "application/dicom" => films.len() == 1,
        _ => false,
    });
    let wanted = wanted.ok_or_else(|| HttpError::not_acceptable("multipart/related; type=\"application/dicom\""))?;
    let is_other = |syntax: &String| films.iter().any(|film| film.attributes.transfer_syntax != *syntax);
    if wanted.transfer_syntax.is_some_and(|syntax| syntax != "*" && is_other(&syntax)) {
        return Err(HttpError::not_acceptable("the transfer syntax that it is kept in: transfer-syntax=*"));
    }
    if wanted.media == "application/dicom" {
        let bytes = app.store.get(&films[0].attributes.sha256).await?;
        return Ok(([(header::CONTENT_TYPE, "application/dicom")], bytes).into_response());
    }
    let app = Arc::clone(&app);
    let parts = futures_util::stream::iter(films).then(move |film| {
        let app = Arc::clone(&app);
        async move {
            let bytes = app.store.get(&film.attributes.sha256).await.map_err(std::io::Error::other)?;
            let head = format!(
                "--{BOUNDARY}\r\nContent-Type: application/dicom; transfer-syntax={}\r\nContent-Length: {}\r\n\r\n",
                film.attributes.transfer_syntax,
                bytes.len()
            );
            Ok::<_, std::io::Error>([Bytes::from(head), bytes, Bytes::from_static(b"\r\n")])
        }
    });
    let pieces = parts.flat_map(|part| {
        futures_util::stream::iter(match part {
            Ok(pieces) => pieces.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    });
    let end = futures_util::stream::iter([Ok(Bytes::from(format!("--{BOUNDARY}--\r\n")))]);
    Ok((
        [(header::CONTENT_TYPE, format!("multipart/related; type=\"application/dicom\"; boundary={BOUNDARY}"))],
        Body::from_stream(pieces.chain(end)),
    )
        .into_response())
}

async fn metadata(State(app): Shared, named: Named, headers: &HeaderMap) -> Result<Response, HttpError> {
    let media = choose(headers, &["application/dicom+json", "application/json"])
        .ok_or_else(|| HttpError::not_acceptable("application/dicom+json"))?;
    let films = named.find(&app).await?;
    let all: Vec<Value> = films.iter().map(|film| Value::Object(with_bulk(film))).collect();
    let body = serde_json::to_string(&all).unwrap_or_default();
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, media)], body).into_response())
}

/// A film's metadata with where its pixels are.
fn with_bulk(film: &Film) -> Map<String, Value> {
    let attributes = &film.attributes;
    let mut object: Map<String, Value> = serde_json::from_str(&attributes.metadata).unwrap_or_default();
    if attributes.rows > 0 {
        let place = format!(
            "studies/{}/series/{}/instances/{}/frames/1",
            attributes.study_uid, attributes.series_uid, attributes.sop_instance_uid
        );
        object.insert("7FE00010".into(), json!({ "vr": "OW", "BulkDataURI": place }));
    }
    object.insert("00083002".into(), json!({ "vr": "UI", "Value": [attributes.transfer_syntax] }));
    object
}

/// `GET …/frames/{frames}`: native pixels as they are, encapsulated ones as their stream.
pub(super) async fn frames(
    State(app): Shared,
    Path((study, series, instance, frames)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let film = one(&app, study, series, instance).await?;
    let numbers: Option<Vec<usize>> = frames.split(',').map(|n| n.parse().ok().filter(|n| *n >= 1)).collect();
    let numbers = numbers.ok_or_else(|| HttpError::bad("frames are numbers from 1"))?;
    let bytes = app.store.get(&film.attributes.sha256).await?;
    let found = tokio::task::spawn_blocking(move || frames_of(&bytes, &numbers)).await;
    let found =
        found.map_err(|_| HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "the pixels cannot be taken apart"))??;
    let syntax = film.attributes.transfer_syntax.clone();
    let part = media_of(&syntax);
    let fits = accepted(&headers).iter().any(|wanted| match wanted.media.as_str() {
        "*/*" | "multipart/*" => true,
        "multipart/related" => wanted.part.as_deref().is_none_or(|asked| asked == part || asked == "*/*"),
        media => media == part && found.len() == 1,
    });
    if !fits {
        return Err(HttpError::not_acceptable(&format!(
            "multipart/related; type=\"{part}\"; transfer-syntax={syntax}"
        )));
    }
    let mut body = Vec::new();
    for frame in found {
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Type: {part}; transfer-syntax={syntax}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(&frame);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let media = format!("multipart/related; type=\"{part}\"; boundary={BOUNDARY}");
    Ok(([(header::CONTENT_TYPE, media)], body).into_response())
}

/// The media type of a frame in a transfer syntax (PS3.18, table 8.7.3-4 and -5).
fn media_of(syntax: &str) -> &'static str {
    match syntax {
        "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" | "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => {
            "image/jpeg"
        }
        "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => "image/jls",
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => "image/jp2",
        "1.2.840.10008.1.2.4.201" | "1.2.840.10008.1.2.4.202" | "1.2.840.10008.1.2.4.203" => "image/jphc",
        "1.2.840.10008.1.2.5" => "image/dicom-rle",
        _ => "application/octet-stream",
    }
}

fn frames_of(bytes: &[u8], numbers: &[usize]) -> Result<Vec<Vec<u8>>, HttpError> {
    let damaged =
        || HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "the object has no pixels that can be taken apart");
    // The film's structure was checked when it came; lengths beyond its end cannot be in it.
    coxa_imaging::dicom_header(bytes, "the object").map_err(|_| damaged())?;
    let object = dicom_object::from_reader(bytes).map_err(|_| damaged())?;
    let count = object.element(tags::NUMBER_OF_FRAMES).ok().and_then(|e| e.to_int::<usize>().ok()).unwrap_or(1).max(1);
    if numbers.iter().any(|n| *n > count) {
        return Err(HttpError::not_found());
    }
    let pixels = object.element(tags::PIXEL_DATA).map_err(|_| damaged())?;
    match pixels.value() {
        DicomValue::PixelSequence(sequence) => {
            let fragments = sequence.fragments();
            if count == 1 {
                return Ok(vec![fragments.concat()]);
            }
            // One fragment a frame; a frame of several fragments cannot be found without the offset table.
            if fragments.len() != count {
                return Err(damaged());
            }
            Ok(numbers.iter().map(|n| fragments[n - 1].to_vec()).collect())
        }
        value => {
            let all = value.to_bytes().map_err(|_| damaged())?;
            let length = all.len() / count;
            Ok(numbers.iter().map(|n| all[(n - 1) * length..n * length].to_vec()).collect())
        }
    }
}

/// `GET …/rendered`: the film as a physician sees it, after its own window and polarity.
pub(super) async fn rendered(
    State(app): Shared,
    Path((study, series, instance)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    if choose(&headers, &["image/png"]).is_none() {
        return Err(HttpError::not_acceptable("image/png"));
    }
    let film = one(&app, study, series, instance).await?;
    let bytes = app.store.get(&film.attributes.sha256).await?;
    let png = tokio::task::spawn_blocking(move || {
        let film = coxa_imaging::read_bytes(&bytes, "the object")
            .map_err(|error| HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
        let pixels: Vec<u8> = film.pixels().iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect();
        encode::png_gray8_to_vec(film.width(), film.height(), &pixels)
            .map_err(|_| HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "the picture cannot be encoded"))
    })
    .await
    .map_err(|_| HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "the object cannot be decoded"))??;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// `GET …/frames/{frames}/rendered`: films have one frame.
pub(super) async fn rendered_frame(
    state: Shared,
    Path((study, series, instance, frames)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    if frames != "1" {
        return Err(HttpError::not_found());
    }
    rendered(state, Path((study, series, instance)), headers).await
}

async fn one(app: &Arc<App>, study: String, series: String, instance: String) -> Result<Film, HttpError> {
    let named = Named { study, series: Some(series), instance: Some(instance) };
    named.find(app).await?.into_iter().next().ok_or_else(HttpError::not_found)
}
