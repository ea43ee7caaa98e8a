//! `/api/v1`: readings as JSON lines, the node's state, and dead letters sent again.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::Shared;
use super::error::HttpError;
use crate::db::Reading;

/// Rows that are fetched at once.
const PAGE: i64 = 500;

/// Since when.
#[derive(Debug, Deserialize)]
pub(super) struct Since {
    since: Option<String>,
}

/// `GET /api/v1/readings?since=…`: a line for each film that came or was read since then (RFC 3339, or microseconds since 1970).
pub(super) async fn readings(State(app): Shared, Query(query): Query<Since>) -> Result<Response, HttpError> {
    let since = query.since.as_deref().map_or(Ok(0), moment)?;
    let pages = futures_util::stream::try_unfold((app, Some(0i64)), move |(app, after)| async move {
        let Some(after) = after else { return Ok::<_, std::io::Error>(None) };
        let rows = app.db.readings(since, after, PAGE).await.map_err(std::io::Error::other)?;
        let next = if rows.len() as i64 == PAGE { rows.last().map(|row| row.film) } else { None };
        let lines: String = rows.iter().map(|row| format!("{}\n", line(row))).collect();
        Ok(Some((lines, (app, next))))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)).into_response())
}

/// `GET /api/v1/readings/{SOP Instance UID}`.
pub(super) async fn reading(State(app): Shared, Path(instance): Path<String>) -> Result<axum::Json<Value>, HttpError> {
    let film = app.db.film_by_uid(&instance).await?.ok_or_else(HttpError::not_found)?;
    let reading = app.db.reading_of(film.id).await?.ok_or_else(HttpError::not_found)?;
    Ok(axum::Json(line(&reading)))
}

/// The line of a reading; what is not known yet is `null`.
fn line(reading: &Reading) -> Value {
    let prediction: Value = serde_json::from_str(&reading.prediction).unwrap_or(Value::Null);
    let of = |key: &str| prediction.get(key).cloned().unwrap_or(Value::Null);
    let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let reason = if reading.not_read.is_empty() { text(&reading.error) } else { text(&reading.not_read) };
    let sent: Vec<Value> = reading
        .sent
        .iter()
        .map(|sent| {
            let status = (sent.status >= 0).then(|| format!("{:04X}", sent.status));
            json!({ "destination": sent.destination, "object": sent.object, "state": sent.state, "status": status, "explained": text(&sent.explained) })
        })
        .collect();
    json!({
        "sop_instance_uid": reading.sop_instance_uid,
        "state": reading.state,
        "probability": of("probability"),
        "finding": of("finding"),
        "regions": of("regions"),
        "reason": reason,
        "model": text(&reading.model),
        "calibration": (reading.calibration > 0).then_some(reading.calibration),
        "received_at": rfc3339(reading.received_at),
        "read_at": if reading.read_at == 0 { Value::Null } else { json!(rfc3339(reading.read_at)) },
        "notice": coxa_schema::NOTICE,
        "sent": sent,
    })
}

/// `GET /api/v1/status`: queues, destinations, refused associations, objects kept apart.
pub(super) async fn status(State(app): Shared) -> Result<axum::Json<Value>, HttpError> {
    let names: Vec<String> = app.config.destinations.iter().map(|destination| destination.name.clone()).collect();
    let destinations: Vec<Value> = app
        .db
        .destined(&names)
        .await?
        .into_iter()
        .map(|to| {
            json!({
                "name": to.name, "due": to.due, "done": to.done, "dead": to.dead,
                "last_success": if to.last_success == 0 { Value::Null } else { json!(rfc3339(to.last_success)) },
                "last_error": if to.last_error.is_empty() { Value::Null } else { json!(to.last_error) },
            })
        })
        .collect();
    let queues: Vec<Value> = app
        .db
        .queues()
        .await?
        .into_iter()
        .map(|(queue, state, rows)| json!({ "queue": queue, "state": state, "rows": rows }))
        .collect();
    let conflicts: Vec<Value> = app
        .db
        .conflicts(100)
        .await?
        .into_iter()
        .map(|(film, sha256, at, source)| json!({ "film": film, "sha256": sha256, "received_at": rfc3339(at), "source": source }))
        .collect();
    Ok(axum::Json(json!({
        "films": app.db.film_states().await?.into_iter().map(|(state, films)| (state, json!(films))).collect::<serde_json::Map<_, _>>(),
        "queues": queues,
        "destinations": destinations,
        "commitments": app.db.open_commitments().await?.into_iter()
            .map(|(peer, attempts, explained)| json!({ "peer": peer, "attempts": attempts, "explained": explained }))
            .collect::<Vec<_>>(),
        "refused": app.db.refusals(100).await?,
        "conflicts": conflicts,
    })))
}

/// `POST /api/v1/resend`: dead letters are due again.
pub(super) async fn resend(State(app): Shared) -> Result<axum::Json<Value>, HttpError> {
    let revived = app.db.revive().await?;
    app.outbox.notify_waiters();
    Ok(axum::Json(json!({ "due_again": revived })))
}

fn moment(text: &str) -> Result<i64, HttpError> {
    if let Ok(micros) = text.parse::<i64>() {
        return Ok(micros);
    }
    // A plus sign in a query is a space.
    let text = text.replace(' ', "+");
    text.parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_microsecond)
        .map_err(|_| HttpError::bad("since wants a moment: 2026-01-31T12:00:00Z, or microseconds since 1970"))
}

pub(super) fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map(|moment| moment.to_string()).unwrap_or_default()
}
