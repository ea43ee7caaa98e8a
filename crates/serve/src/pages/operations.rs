//! Operations: what an administrator must know of a node, and the two things that are done there: resend and test.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::state::Desk;
use super::text::{self, visible};
use super::{Frame, PageError, certificate, html};
use crate::audit::Deed;
use crate::db::{DeadKind, SeenRefusal, now};
use crate::http::{App, Caller, Shared};
use crate::monitor;
use crate::send;
use crate::store::free_bytes;

/// Rows of a table.
const MOST: i64 = 50;
/// A certificate that ends in so many days is a warning.
const SOON: i64 = 30;

struct Queue {
    name: String,
    due: i64,
    leased: i64,
    done: i64,
    dead: i64,
}

struct To {
    name: String,
    place: String,
    objects: String,
    due: i64,
    done: i64,
    dead: i64,
    last_success: String,
    last_error: String,
}

struct Letter {
    id: i64,
    kind: &'static str,
    what: String,
    film: i64,
    attempts: i64,
    status: String,
    error: String,
}

struct Refused {
    who: String,
    implementation: String,
    reason: String,
    asked: String,
    remedy: String,
    times: i64,
    last: String,
}

struct Open {
    peer: String,
    attempts: i64,
    explained: String,
}

struct Conflict {
    film: i64,
    came: String,
    source: String,
    hash: String,
}

struct Disk {
    folder: String,
    free: String,
    least: String,
    is_full: bool,
}

/// When the certificate ends, in words.
struct Ends {
    words: String,
    is_soon: bool,
}

/// What became of a test.
struct Tested {
    name: String,
    wrong: Option<String>,
    milliseconds: u128,
}

#[derive(Template)]
#[template(path = "operations.html")]
struct Page {
    frame: Frame,
    tested: Option<Tested>,
    queues: Vec<Queue>,
    destinations: Vec<To>,
    dead: Vec<Letter>,
    refused: Vec<Refused>,
    commitments: Vec<Open>,
    conflicts: Vec<Conflict>,
    disk: Disk,
    network: Option<(String, String)>,
    reads: bool,
    threshold: String,
    ends: Option<Ends>,
    node: String,
    ae_title: String,
    dicom: String,
    peers: usize,
    version: &'static str,
}

impl Page {
    fn needs_someone(&self) -> bool {
        let is_stuck = self.destinations.iter().any(|to| to.due > 0 && !to.last_error.is_empty());
        is_stuck
            || !self.dead.is_empty()
            || !self.conflicts.is_empty()
            || self.disk.is_full
            || self.ends.as_ref().is_some_and(|ends| ends.is_soon)
    }
}

async fn gather(app: &App, desk: &Desk, caller: &Caller, tested: Option<Tested>) -> Result<Page, PageError> {
    let config = &app.config;
    let network = desk.network(config).await;
    let calibration = match network {
        Some((_, hash)) => app.db.calibration_in_use(hash).await?,
        None => None,
    };
    let own = config.network.threshold.or(network.map(|(card, _)| card.threshold.threshold));
    let high = config.network.high_specificity_threshold;
    Ok(Page {
        frame: Frame::of("Operations", "operations", caller),
        tested,
        queues: queues(app.db.queues().await?),
        destinations: destinations(app).await?,
        dead: app.db.dead(MOST).await?.into_iter().map(letter).collect(),
        refused: app.db.refusals(MOST).await?.into_iter().map(refused).collect(),
        commitments: app
            .db
            .open_commitments()
            .await?
            .into_iter()
            .map(|(peer, attempts, explained)| Open { peer: visible(&peer), attempts, explained: visible(&explained) })
            .collect(),
        conflicts: app
            .db
            .conflicts(MOST)
            .await?
            .into_iter()
            .map(|(film, hash, came, source)| Conflict {
                film,
                came: text::exact(came),
                source: visible(&source),
                hash: hash.chars().take(12).collect(),
            })
            .collect(),
        disk: disk(config),
        network: network.map(|(card, hash)| (visible(&card.name), hash.clone())),
        reads: config.has(crate::config::Role::Read),
        threshold: match &calibration {
            Some(used) => {
                let scale = monitor::scale(used);
                let high = high.map(|high| monitor::rescaled(high, scale));
                format!("{}, by calibration {}", thresholds(Some(used.what.threshold), high), used.id)
            }
            None => thresholds(own, high),
        },
        ends: config.tls.as_ref().map(|tls| ends(&tls.certificate)),
        node: config.node_name(),
        ae_title: config.ae_title.clone(),
        dicom: config.dicom.to_string(),
        peers: config.peers.len(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

fn queues(rows: Vec<(String, String, i64)>) -> Vec<Queue> {
    let mut all: Vec<Queue> = Vec::new();
    for (name, state, rows) in rows {
        let queue = match all.iter().position(|queue| queue.name == name) {
            Some(place) => &mut all[place],
            None => {
                all.push(Queue { name, due: 0, leased: 0, done: 0, dead: 0 });
                let last = all.len() - 1;
                &mut all[last]
            }
        };
        match state.as_str() {
            "leased" => queue.leased += rows,
            "done" => queue.done += rows,
            "dead" => queue.dead += rows,
            _ => queue.due += rows,
        }
    }
    for queue in &mut all {
        queue.name = match queue.name.as_str() {
            "read" => "Reading".into(),
            "copy" => "Copying to the bucket".into(),
            to => format!("To {}", visible(to)),
        };
    }
    all
}

async fn destinations(app: &App) -> Result<Vec<To>, PageError> {
    let configured = &app.config.destinations;
    let names: Vec<String> = configured.iter().map(|to| to.name.clone()).collect();
    let all = app.db.destined(&names).await?.into_iter().zip(configured).map(|(fares, to)| To {
        place: format!("{}@{}:{}{}", to.ae_title, to.host, to.port, if to.tls { ", TLS" } else { "" }),
        objects: to.sends.iter().map(|kind| object(kind.as_str())).collect::<Vec<_>>().join(", "),
        due: fares.due,
        done: fares.done,
        dead: fares.dead,
        last_success: if fares.last_success == 0 { "never".into() } else { text::moment(fares.last_success) },
        last_error: visible(&fares.last_error),
        name: fares.name,
    });
    Ok(all.collect())
}

fn object(kind: &str) -> &'static str {
    match kind {
        "sr" => "structured report",
        "gsps" => "presentation state",
        "sc" => "picture",
        "parametric_map" => "heat map",
        _ => "film",
    }
}

fn letter(dead: crate::db::Dead) -> Letter {
    let what = match (dead.kind, dead.queue.as_str()) {
        (DeadKind::Job, "read") => "Reading the film".to_owned(),
        (DeadKind::Job, _) => "Copying the film to the bucket".to_owned(),
        (DeadKind::Send, to) => format!("The {} to {}", object(&dead.object), visible(to)),
    };
    let status = if dead.status >= 0 { format!("{:04X}", dead.status) } else { String::new() };
    Letter {
        id: dead.id,
        kind: dead.kind.as_str(),
        what,
        film: dead.film,
        attempts: dead.attempts,
        status,
        error: visible(&dead.error),
    }
}

fn refused(refusal: SeenRefusal) -> Refused {
    Refused {
        who: visible(&format!("{} at {}", refusal.calling, refusal.address)),
        implementation: visible(refusal.implementation.trim()),
        reason: visible(&refusal.reason),
        asked: visible(&refusal.asked),
        // Lines of configuration, a line each.
        remedy: refusal.remedy.lines().map(visible).collect::<Vec<_>>().join("\n"),
        times: refusal.times,
        last: text::moment(refusal.last_at),
    }
}

fn disk(config: &crate::config::Config) -> Disk {
    let least = config.limits.free_disk_mib;
    let free = free_bytes(&config.data).map(|bytes| bytes >> 20);
    let words = |mebibytes: u64| {
        if mebibytes >= 10_240 { format!("{} GiB", mebibytes >> 10) } else { format!("{mebibytes} MiB") }
    };
    Disk {
        folder: config.data.display().to_string(),
        is_full: free.as_ref().is_ok_and(|free| *free < least),
        free: free.map_or_else(|error| format!("not known: {error}"), words),
        least: words(least),
    }
}

fn thresholds(threshold: Option<f64>, high: Option<f64>) -> String {
    let one = threshold.map(|threshold| format!("positive from {}", text::probability(threshold, &[])));
    let two = high.map(|high| format!("definite from {}", text::probability(high, &[])));
    one.into_iter().chain(two).collect::<Vec<_>>().join(", ")
}

fn ends(file: &std::path::Path) -> Ends {
    let Some(end) = certificate::ends(file) else {
        return Ends { words: "its end cannot be read".into(), is_soon: true };
    };
    let days = (end.as_microsecond() - now()).div_euclid(86_400_000_000);
    let day = text::exact(end.as_microsecond());
    let words = if days < 0 { format!("ended {day}") } else { format!("ends {day}, in {days} days") };
    Ends { words, is_soon: days < SOON }
}

/// `GET /operations`.
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, PageError> {
    html(&gather(&app, &desk, &caller, None).await?)
}

/// What is resent: one dead letter, or all where nothing is named.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resend {
    kind: String,
    id: String,
}

/// `POST /operations/resend`.
pub(super) async fn resend(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Resend>,
) -> Result<Response, PageError> {
    let known: i64 = asked.id.parse().unwrap_or(0);
    let what = if asked.kind.is_empty() {
        "all".into()
    } else {
        format!("{} {known}", DeadKind::parse(&asked.kind).map_or("unknown", DeadKind::as_str))
    };
    app.audit.add(caller.event(Deed::Resent).with("what", what)).await?;
    if asked.kind.is_empty() {
        app.db.revive().await?;
    } else {
        let kind = DeadKind::parse(&asked.kind).ok_or(PageError::NotFound)?;
        let id = asked.id.parse().map_err(|_| PageError::NotFound)?;
        if !app.db.revive_one(kind, id).await? {
            return Err(PageError::NotFound);
        }
    }
    app.outbox.notify_waiters();
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/operations")]).into_response())
}

/// Which destination is tested.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Echo {
    to: String,
}

/// `POST /operations/echo`: calls a destination, and says what came of it.
pub(super) async fn echo(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Echo>,
) -> Result<Response, PageError> {
    let to = app.config.destinations.iter().find(|to| to.name == asked.to).ok_or(PageError::NotFound)?;
    app.audit.add(caller.event(Deed::Echoed).with("destination", &to.name)).await?;
    let begun = std::time::Instant::now();
    let answered = match send::call_of(&app.config, to) {
        Ok(call) => send::echo(&call).await,
        Err(error) => Err(error),
    };
    let tested = Tested {
        name: to.name.clone(),
        wrong: answered.err().map(|error| visible(&error)),
        milliseconds: begun.elapsed().as_millis(),
    };
    html(&gather(&app, &desk, &caller, Some(tested)).await?)
}
