//! STOW-RS (PS3.18, 10.5): objects in parts of a `multipart/related` body, each taken as it comes.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::{Map, Value, json};

use super::app::{App, Shared};
use super::error::HttpError;
use crate::db::{Film, Stored};
use crate::receive::{Announced, IntakeError};

/// The most objects of one request.
const MOST: usize = 1000;

/// `POST /studies`.
pub(super) async fn store(state: Shared, headers: HeaderMap, body: Body) -> Result<Response, HttpError> {
    take(state, &headers, body, None).await
}

/// `POST /studies/{study}`: of this study alone.
pub(super) async fn store_in(
    state: Shared,
    Path(study): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, HttpError> {
    take(state, &headers, body, Some(study)).await
}

/// What became of the parts.
#[derive(Default)]
struct Answer {
    stored: Vec<Value>,
    failed: Vec<Value>,
    is_full: bool,
}

async fn take(
    State(app): Shared,
    headers: &HeaderMap,
    body: Body,
    study: Option<String>,
) -> Result<Response, HttpError> {
    let boundary = boundary(headers)?;
    let largest = app.intake.largest();
    let limits = SizeLimit::new().per_field(largest).whole_stream(largest.saturating_mul(8));
    let mut parts =
        Multipart::with_constraints(body.into_data_stream(), boundary, Constraints::new().size_limit(limits));
    let mut answer = Answer::default();
    let mut count = 0;
    loop {
        let part = match parts.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => break,
            Err(error) => return Err(broken(&error)),
        };
        count += 1;
        if count > MOST {
            return Err(HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("more than {MOST} parts")));
        }
        let media = part.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !media.to_ascii_lowercase().starts_with("application/dicom") {
            answer.fail(None, 0xC000);
            continue;
        }
        answer.note(&app, part, study.as_deref()).await?;
    }
    if count == 0 {
        return Err(HttpError::bad("the body has no part"));
    }
    Ok(answer.response())
}

impl Answer {
    async fn note(&mut self, app: &App, mut part: multer::Field<'_>, study: Option<&str>) -> Result<(), HttpError> {
        let announced = Announced { study: study.map(str::to_owned), ..Announced::default() };
        let result = async {
            let mut incoming = app.intake.begin().await?;
            loop {
                match part.chunk().await {
                    Ok(Some(piece)) => app.intake.write(&mut incoming, &piece).await?,
                    Ok(None) => break,
                    Err(error) => return Ok(Err(broken(&error))),
                }
            }
            Ok(Ok(app.intake.finish(incoming, announced, "stow").await?))
        };
        let stored: Stored = match result.await {
            Ok(Ok(stored)) => stored,
            Ok(Err(error)) => return Err(error),
            Err(error) => {
                self.refuse(&error);
                return Ok(());
            }
        };
        let Some(film) = app.db.film(stored.id()).await? else { return Ok(()) };
        match stored {
            Stored::Conflict(_) => self.fail(Some(&film), 0x0111),
            _ => self.stored.push(Value::Object(reference(&film))),
        }
        Ok(())
    }

    fn refuse(&mut self, error: &IntakeError) {
        tracing::warn!("not stored: {error}");
        self.is_full |= error.is_passing();
        let reason = match error {
            error if error.is_passing() => 0xA700,
            IntakeError::Mismatch(_) => 0xA900,
            _ => 0xC000,
        };
        self.fail(None, reason);
    }

    fn fail(&mut self, film: Option<&Film>, reason: u16) {
        let mut object = film.map(reference).unwrap_or_default();
        object.insert("00081197".into(), json!({ "vr": "US", "Value": [reason] }));
        self.failed.push(Value::Object(object));
    }

    fn response(self) -> Response {
        let status = match (self.stored.is_empty(), self.failed.is_empty()) {
            (_, true) => StatusCode::OK,
            (false, false) => StatusCode::ACCEPTED,
            (true, false) if self.is_full => StatusCode::SERVICE_UNAVAILABLE,
            (true, false) => StatusCode::CONFLICT,
        };
        let mut object = Map::new();
        for (tag, items) in [("00081199", self.stored), ("00081198", self.failed)] {
            if !items.is_empty() {
                object.insert(tag.into(), json!({ "vr": "SQ", "Value": items }));
            }
        }
        let body = Value::Object(object).to_string();
        (status, [(header::CONTENT_TYPE, "application/dicom+json")], body).into_response()
    }
}

fn reference(film: &Film) -> Map<String, Value> {
    let attributes = &film.attributes;
    let place = format!(
        "/dicom-web/studies/{}/series/{}/instances/{}",
        attributes.study_uid, attributes.series_uid, attributes.sop_instance_uid
    );
    [
        ("00081150", json!({ "vr": "UI", "Value": [attributes.sop_class_uid] })),
        ("00081155", json!({ "vr": "UI", "Value": [attributes.sop_instance_uid] })),
        ("00081190", json!({ "vr": "UR", "Value": [place] })),
    ]
    .into_iter()
    .map(|(tag, value)| (tag.to_owned(), value))
    .collect()
}

/// The boundary of a `multipart/related` body of DICOM objects.
fn boundary(headers: &HeaderMap) -> Result<String, HttpError> {
    let wanted = || {
        HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "objects are taken as multipart/related; type=\"application/dicom\"; boundary=…",
        )
    };
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(wanted)?;
    let mut parts = text.split(';').map(str::trim);
    if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case("multipart/related")) {
        return Err(wanted());
    }
    let (mut boundary, mut kind) = (None, None);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"').to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "boundary" => boundary = Some(value),
            "type" => kind = Some(value.to_ascii_lowercase()),
            _ => {}
        }
    }
    if kind.is_some_and(|kind| kind != "application/dicom") {
        return Err(wanted());
    }
    boundary.filter(|boundary| (1..=70).contains(&boundary.len())).ok_or_else(wanted)
}

/// An error of the body, without the text of the body.
fn broken(error: &multer::Error) -> HttpError {
    let too_large = |what: &str, limit: u64| {
        HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("{what} is larger than {limit} bytes"))
    };
    let why = match error {
        multer::Error::FieldSizeExceeded { limit, .. } => return too_large("a part", *limit),
        multer::Error::StreamSizeExceeded { limit } => return too_large("the body", *limit),
        multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteStream => "it ends too early",
        multer::Error::IncompleteHeaders | multer::Error::ReadHeaderFailed(_) => "a part's headers cannot be read",
        _ => "it cannot be read",
    };
    HttpError::bad(format!("the body is no multipart of whole parts: {why}"))
}
