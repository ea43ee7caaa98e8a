//! `/api/v1`: readings as JSON lines, the node's state, and dead letters sent again.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answers::{
    CommitmentLine, ConflictLine, DestinationLine, QueueLine, ReadingLine, RefusedLine, ResendAnswer, SentLine,
    StatusAnswer,
};
use super::app::Shared;
use super::error::HttpError;
use crate::db::{Destined, Reading, SeenRefusal, Sent};

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
        let lines: String = rows.iter().map(|row| text(&line(row)) + "\n").collect();
        Ok(Some((lines, (app, next))))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)).into_response())
}

/// `GET /api/v1/readings/{SOP Instance UID}`.
pub(super) async fn reading(State(app): Shared, Path(instance): Path<String>) -> Result<Json<ReadingLine>, HttpError> {
    let film = app.db.film_by_uid(&instance).await?.ok_or_else(HttpError::not_found)?;
    let reading = app.db.reading_of(film.id).await?.ok_or_else(HttpError::not_found)?;
    Ok(Json(line(&reading)))
}

/// The line of a reading; what is not known yet is `null`.
fn line(reading: &Reading) -> ReadingLine {
    let prediction: Value = serde_json::from_str(&reading.prediction).unwrap_or(Value::Null);
    let of = |key: &str| prediction.get(key).cloned().unwrap_or(Value::Null);
    let reason = if reading.not_read.is_empty() { &reading.error } else { &reading.not_read };
    let sent = |sent: &Sent| SentLine {
        destination: sent.destination.clone(),
        object: sent.object.clone(),
        state: sent.state.clone(),
        status: (sent.status >= 0).then(|| format!("{:04X}", sent.status)),
        explained: known(&sent.explained),
    };
    ReadingLine {
        sop_instance_uid: reading.sop_instance_uid.clone(),
        state: reading.state.clone(),
        probability: of("probability"),
        finding: of("finding"),
        regions: of("regions"),
        reason: known(reason),
        model: known(&reading.model),
        calibration: (reading.calibration > 0).then_some(reading.calibration),
        received_at: rfc3339(reading.received_at),
        read_at: when(reading.read_at),
        notice: coxa_schema::NOTICE,
        sent: reading.sent.iter().map(sent).collect(),
    }
}

fn text(line: &ReadingLine) -> String {
    // Texts, numbers and JSON that was parsed: all of it can be written.
    serde_json::to_string(line).unwrap_or_default()
}

/// A text that is not empty.
fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A moment that has come.
fn when(micros: i64) -> Option<String> {
    (micros != 0).then(|| rfc3339(micros))
}

/// `GET /api/v1/status`: queues, destinations, refused associations, objects kept apart.
pub(super) async fn status(State(app): Shared) -> Result<Json<StatusAnswer>, HttpError> {
    let names: Vec<String> = app.config.destinations.iter().map(|destination| destination.name.clone()).collect();
    let (destinations, queues) = (app.db.destined(&names).await?, app.db.queues().await?);
    let (commitments, refused) = (app.db.open_commitments().await?, app.db.refusals(100).await?);
    let (conflicts, films) = (app.db.conflicts(100).await?, app.db.film_states().await?);
    Ok(Json(StatusAnswer {
        films: films.into_iter().map(|(state, films)| (state, json!(films))).collect::<Map<_, _>>().into(),
        queues: queues.into_iter().map(|(queue, state, rows)| QueueLine { queue, state, rows }).collect(),
        destinations: destinations.into_iter().map(destination).collect(),
        commitments: commitments
            .into_iter()
            .map(|(peer, attempts, explained)| CommitmentLine { peer, attempts, explained })
            .collect(),
        refused: refused.into_iter().map(refusal).collect(),
        conflicts: conflicts
            .into_iter()
            .map(|(film, sha256, at, source)| ConflictLine { film, sha256, received_at: rfc3339(at), source })
            .collect(),
    }))
}

fn destination(to: Destined) -> DestinationLine {
    let Destined { name, due, done, dead, last_success, last_error } = to;
    DestinationLine { name, due, done, dead, last_success: when(last_success), last_error: known(&last_error) }
}

fn refusal(seen: SeenRefusal) -> RefusedLine {
    let SeenRefusal {
        calling, called, address, reason, asked, implementation, remedy, first_at, last_at, times, ..
    } = seen;
    RefusedLine { calling, called, address, reason, asked, implementation, remedy, first_at, last_at, times }
}

/// `POST /api/v1/resend`: dead letters are due again.
pub(super) async fn resend(State(app): Shared) -> Result<Json<ResendAnswer>, HttpError> {
    let due_again = app.db.revive().await?;
    app.outbox.notify_waiters();
    Ok(Json(ResendAnswer { due_again }))
}

/// The end of the year 9999 in microseconds since 1970: the last moment that RFC 3339 can name in every time zone.
pub(super) const LAST_MOMENT: i64 = 253_402_207_200_000_000;

fn moment(text: &str) -> Result<i64, HttpError> {
    if let Ok(micros) = text.parse::<i64>()
        && (0..=LAST_MOMENT).contains(&micros)
    {
        return Ok(micros);
    }
    // A plus sign in a query is a space.
    text.replace(' ', "+")
        .parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_microsecond)
        .map_err(|_| HttpError::bad("since wants a moment: 2026-01-31T12:00:00Z, or microseconds since 1970"))
}

pub(super) fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map(|moment| moment.to_string()).unwrap_or_default()
}
