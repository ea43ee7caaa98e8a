//! Labels of films, uploaded as a table: stored whole or not at all.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use multer::Multipart;

use super::PageError;
use super::reasons::Reason;
use super::recalibration::{Uploaded, show};
use super::state::Desk;
use crate::audit::Deed;
use crate::http::{App, Caller, Shared};
use crate::monitor::labels::{self, Fault, Key};

/// Rows of a table that are named where they lead to no film.
const MOST_NAMED: usize = 10;

/// `POST /monitoring/labels`: a table of labels, as a file of a form.
pub(super) async fn upload(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?.id;
    let bytes = file_of(&headers, body).await?;
    let event = caller.event(Deed::LabelsAdded).with("sha256", coxa_files::sha256(&bytes));
    let found = match labels::parse(&bytes) {
        Ok((key, rows)) => labels_of(&app, key, &rows).await?,
        Err(faults) => Err(faults),
    };
    let uploaded = match found {
        Ok(found) => {
            app.audit
                .add(event.with("films", found.labels.len()).with("rows_without_film", found.unknown.len()))
                .await?;
            app.db.add_labels(&found.labels, person).await?;
            let named: Vec<String> = found.unknown.iter().take(MOST_NAMED).map(u64::to_string).collect();
            let more = if found.unknown.len() > MOST_NAMED { ", …" } else { "" };
            Uploaded {
                films: found.labels.len(),
                unknown: found.unknown.len(),
                rows: named.join(", ") + more,
                faults: Vec::new(),
            }
        }
        Err(faults) => {
            app.audit.add(event.failed().with("faults", faults.len())).await?;
            let faults = faults.iter().map(|fault| Reason::of(caller.language, &fault.to_string())).collect();
            Uploaded { films: 0, unknown: 0, rows: String::new(), faults }
        }
    };
    let status = if uploaded.faults.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let mut response = show(&app, &desk, &caller, (Some(uploaded), Reason::default())).await?;
    *response.status_mut() = status;
    Ok(response)
}

/// The bytes of the file in a form.
async fn file_of(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, PageError> {
    const NO_FILE: PageError = PageError::Bad("monitoring-wrong-file");
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(media).map_err(|_| NO_FILE)?;
    let mut parts = Multipart::new(body.into_data_stream(), boundary);
    while let Ok(Some(part)) = parts.next_field().await {
        if part.name() == Some("file") {
            let bytes = part.bytes().await.map_err(|_| PageError::Bad("monitoring-wrong-partial"))?;
            return if bytes.is_empty() { Err(NO_FILE) } else { Ok(bytes.to_vec()) };
        }
    }
    Err(NO_FILE)
}

/// Labels of films that are here.
struct Found {
    labels: Vec<(i64, bool)>,
    /// Rows that lead to no film.
    unknown: Vec<u64>,
}

async fn labels_of(app: &App, key: Key, rows: &[labels::LabelRow]) -> Result<Result<Found, Vec<Fault>>, PageError> {
    let mut found = Found { labels: Vec::new(), unknown: Vec::new() };
    for row in rows {
        let films: Vec<i64> = match key {
            Key::SopInstanceUid => app.db.film_of_uid(&row.name).await?.into_iter().collect(),
            Key::Accession => app.db.films_of_accession(&row.name).await?,
        };
        if films.is_empty() {
            found.unknown.push(row.line);
        }
        found.labels.extend(films.into_iter().map(|film| (film, row.is_present)));
    }
    if found.labels.is_empty() {
        let what = format!("none of the {} rows leads to a film on this node", rows.len());
        return Ok(Err(vec![Fault::new(2, key.column(), what)]));
    }
    Ok(Ok(found))
}
