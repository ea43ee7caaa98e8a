//! Operations: what an administrator must know of a node, and what is done there: resend, test, allow a peer.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::reasons::Reason;
use super::state::Desk;
use super::text::{self, visible};
use super::{Frame, PageError, certificate, html};
use crate::audit::Deed;
use crate::config::Destination;
use crate::db::{AllowedPeer, DeadKind, Pace, SeenRefusal, Throughput, now};
use crate::http::{App, Caller, Shared};
use crate::language::{Language, Message};
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

/// A line of the throughput: what happened how often.
struct Done {
    /// What, as a message.
    what: &'static str,
    pace: Pace,
    /// In the busiest minute, a second.
    rate: String,
}

struct To {
    name: String,
    place: String,
    objects: String,
    due: i64,
    done: i64,
    dead: i64,
    last_success: String,
    last_error: Reason,
}

struct Letter {
    id: i64,
    kind: &'static str,
    what: String,
    film: i64,
    attempts: i64,
    status: String,
    error: Reason,
}

struct Refused {
    id: i64,
    is_allowable: bool,
    who: String,
    implementation: String,
    reason: Reason,
    asked: String,
    remedy: Reason,
    times: i64,
    last: String,
}

/// A peer that was allowed here, beside those of the configuration.
struct Allowed {
    id: i64,
    who: String,
    by: String,
    at: String,
}

struct Open {
    peer: String,
    attempts: i64,
    explained: Reason,
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
    wrong: Option<Reason>,
    milliseconds: u128,
    /// Whether a test picture was stored, beside the echo.
    is_stored: bool,
}

#[derive(Template)]
#[template(path = "operations.html")]
struct Page {
    frame: Frame,
    tested: Option<Tested>,
    queues: Vec<Queue>,
    throughput: [Done; 3],
    destinations: Vec<To>,
    dead: Vec<Letter>,
    refused: Vec<Refused>,
    allowed: Vec<Allowed>,
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
        let is_stuck = self.destinations.iter().any(|to| to.due > 0 && !to.last_error.text.is_empty());
        is_stuck
            || !self.dead.is_empty()
            || !self.conflicts.is_empty()
            || self.disk.is_full
            || self.ends.as_ref().is_some_and(|ends| ends.is_soon)
    }
}

async fn gather(app: &App, desk: &Desk, caller: &Caller, tested: Option<Tested>) -> Result<Page, PageError> {
    let (config, language) = (&app.config, caller.language);
    let network = desk.network(config).await;
    let calibration = match network {
        Some((_, hash)) => app.db.calibration_in_use(hash).await?,
        None => None,
    };
    let own = config.network.threshold.or(network.map(|(card, _)| card.threshold.threshold));
    let high = config.network.high_specificity_threshold;
    Ok(Page {
        frame: Frame::of("operations-title", "operations", caller),
        tested,
        queues: queues(language, app.db.queues().await?),
        throughput: throughput(app.db.throughput(now()).await?),
        destinations: destinations(language, app).await?,
        dead: app.db.dead(MOST).await?.into_iter().map(|dead| letter(language, dead)).collect(),
        refused: app.db.refusals(MOST).await?.into_iter().map(|refusal| refused(language, refusal)).collect(),
        allowed: app.db.allowed_peers().await?.into_iter().map(|peer| allowed(language, peer)).collect(),
        commitments: app
            .db
            .open_commitments()
            .await?
            .into_iter()
            .map(|(peer, attempts, explained)| Open {
                peer: visible(&peer),
                attempts,
                explained: Reason::of(language, &explained),
            })
            .collect(),
        conflicts: app
            .db
            .conflicts(MOST)
            .await?
            .into_iter()
            .map(|(film, hash, came, source)| Conflict {
                film,
                came: text::exact(language, came),
                source: visible(&source),
                hash: hash.chars().take(12).collect(),
            })
            .collect(),
        disk: disk(language, config),
        network: network.map(|(card, hash)| (visible(&card.name), hash.clone())),
        reads: config.has(crate::config::Role::Read),
        threshold: match &calibration {
            Some(used) => {
                let scale = monitor::scale(used);
                let high = high.map(|high| monitor::rescaled(high, scale));
                let both = thresholds(language, Some(used.what.threshold), high);
                language.say("operations-calibrated").with("thresholds", both).with("calibration", used.id).to_string()
            }
            None => thresholds(language, own, high),
        },
        ends: config.tls.as_ref().map(|tls| ends(language, &tls.certificate)),
        node: config.node_name(),
        ae_title: config.ae_title.clone(),
        dicom: config.dicom.to_string(),
        peers: config.peers.len(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

fn queues(language: Language, rows: Vec<(String, String, i64)>) -> Vec<Queue> {
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
            "read" => language.say("operations-reading").to_string(),
            "copy" => language.say("operations-copying").to_string(),
            to => language.say("operations-to").with("name", visible(to)).to_string(),
        };
    }
    all
}

fn throughput(all: Throughput) -> [Done; 3] {
    let paces =
        [("operations-received", all.received), ("operations-read", all.read), ("operations-results", all.sent)];
    paces.map(|(what, pace)| Done { what, pace, rate: format!("{:.1}", pace.busiest as f64 / 60.0) })
}

async fn destinations(language: Language, app: &App) -> Result<Vec<To>, PageError> {
    let (configured, comma) = (&app.config.destinations, language.say("comma").to_string());
    let names: Vec<String> = configured.iter().map(|to| to.name.clone()).collect();
    let all = app.db.destined(&names).await?.into_iter().zip(configured).map(|(fares, to)| To {
        place: format!("{}@{}:{}{}", to.ae_title, to.host, to.port, if to.tls { ", TLS" } else { "" }),
        objects: to
            .sends
            .iter()
            .map(|kind| object(language, kind.as_str()).to_string())
            .collect::<Vec<_>>()
            .join(&comma),
        due: fares.due,
        done: fares.done,
        dead: fares.dead,
        last_success: if fares.last_success == 0 {
            language.say("never").to_string()
        } else {
            text::moment(language, fares.last_success)
        },
        last_error: Reason::of(language, &fares.last_error),
        name: fares.name,
    });
    Ok(all.collect())
}

fn object(language: Language, kind: &str) -> Message<'static> {
    language.say(match kind {
        "sr" => "object-sr",
        "gsps" => "object-gsps",
        "sc" => "object-sc",
        "parametric_map" => "object-parametric_map",
        _ => "object-film",
    })
}

fn letter(language: Language, dead: crate::db::Dead) -> Letter {
    let what = match (dead.kind, dead.queue.as_str()) {
        (DeadKind::Job, "read") => language.say("operations-dead-reading"),
        (DeadKind::Job, _) => language.say("operations-dead-copying"),
        (DeadKind::Send, to) => {
            let object = object(language, &dead.object);
            language.say("operations-dead-sending").with("object", object).with("name", visible(to))
        }
    };
    let status = if dead.status >= 0 { format!("{:04X}", dead.status) } else { String::new() };
    Letter {
        id: dead.id,
        kind: dead.kind.as_str(),
        what: what.to_string(),
        film: dead.film,
        attempts: dead.attempts,
        status,
        error: Reason::of(language, &dead.error),
    }
}

fn refused(language: Language, refusal: SeenRefusal) -> Refused {
    let who = language.say("operations-at").with("name", visible(&refusal.calling));
    // Lines of configuration, a line each.
    let lines: Vec<Reason> = refusal.remedy.lines().map(|line| Reason::of(language, line)).collect();
    Refused {
        id: refusal.id,
        is_allowable: refusal.is_allowable,
        who: who.with("address", visible(&refusal.address)).to_string(),
        implementation: visible(refusal.implementation.trim()),
        reason: Reason::of(language, &refusal.reason),
        asked: visible(&refusal.asked),
        remedy: Reason {
            is_english: lines.iter().any(|line| line.is_english),
            text: lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n"),
        },
        times: refusal.times,
        last: text::moment(language, refusal.last_at),
    }
}

fn allowed(language: Language, peer: AllowedPeer) -> Allowed {
    let who = language.say("operations-at").with("name", visible(&peer.ae_title));
    Allowed {
        id: peer.id,
        who: who.with("address", visible(&peer.address)).to_string(),
        by: visible(&peer.allowed_by),
        at: text::moment(language, peer.allowed_at),
    }
}

fn disk(language: Language, config: &crate::config::Config) -> Disk {
    let least = config.limits.free_disk_mib;
    let free = free_bytes(&config.data).map(|bytes| bytes >> 20);
    let words = |mebibytes: u64| {
        if mebibytes >= 10_240 { format!("{} GiB", mebibytes >> 10) } else { format!("{mebibytes} MiB") }
    };
    Disk {
        folder: config.data.display().to_string(),
        is_full: free.as_ref().is_ok_and(|free| *free < least),
        free: free.map_or_else(
            |error| language.say("operations-disk-unknown").with("why", error.to_string()).to_string(),
            words,
        ),
        least: words(least),
    }
}

fn thresholds(language: Language, threshold: Option<f64>, high: Option<f64>) -> String {
    let of = |id, value| language.say(id).with("threshold", text::probability(value, &[])).to_string();
    let one = threshold.map(|threshold| of("operations-positive-from", threshold));
    let two = high.map(|high| of("operations-definite-from", high));
    one.into_iter().chain(two).collect::<Vec<_>>().join(&language.say("comma").to_string())
}

fn ends(language: Language, file: &std::path::Path) -> Ends {
    let Some(end) = certificate::ends(file) else {
        return Ends { words: language.say("operations-certificate-unread").to_string(), is_soon: true };
    };
    let days = (end.as_microsecond() - now()).div_euclid(86_400_000_000);
    let id = if days < 0 { "operations-certificate-ended" } else { "operations-certificate-ends" };
    let words = language.say(id).with("day", text::exact(language, end.as_microsecond())).with("days", days);
    Ends { words: words.to_string(), is_soon: days < SOON }
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
    Ok(operations())
}

/// Which destination is tested.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Echo {
    to: String,
}

fn named<'a>(app: &'a App, asked: &Echo) -> Result<&'a Destination, PageError> {
    app.config.destinations.iter().find(|to| to.name == asked.to).ok_or(PageError::NotFound)
}

/// Tries something with a destination, and says what came of it.
async fn try_with(
    (app, desk, caller): (&App, &Desk, &Caller),
    to: &Destination,
    deed: Deed,
    attempt: impl Future<Output = Result<(), String>>,
) -> Result<Response, PageError> {
    let is_stored = deed == Deed::TestSent;
    app.audit.add(caller.event(deed).with("destination", &to.name)).await?;
    let begun = std::time::Instant::now();
    let answered = attempt.await;
    let tested = Tested {
        name: to.name.clone(),
        is_stored: is_stored && answered.is_ok(),
        wrong: answered.err().map(|error| Reason::of(caller.language, &error)),
        milliseconds: begun.elapsed().as_millis(),
    };
    html(&gather(app, desk, caller, Some(tested)).await?)
}

/// `POST /operations/echo`: calls a destination, and says what came of it.
pub(super) async fn echo(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Echo>,
) -> Result<Response, PageError> {
    let to = named(&app, &asked)?;
    let call = async { send::echo(&send::call_of(&app.config, to)?).await };
    try_with((&app, &desk, &caller), to, Deed::Echoed, call).await
}

/// `POST /operations/send`: stores a test picture of no patient at a destination, and says what came of it.
pub(super) async fn test_send(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Echo>,
) -> Result<Response, PageError> {
    let to = named(&app, &asked)?;
    try_with((&app, &desk, &caller), to, Deed::TestSent, send::test_send(&app.config, to)).await
}

/// Which row a form is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    id: String,
}

fn operations() -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/operations")]).into_response()
}

/// `POST /operations/allow`: the peer of a refused association may store from now on.
pub(super) async fn allow(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(row): Form<Row>,
) -> Result<Response, PageError> {
    let id = row.id.parse().map_err(|_| PageError::NotFound)?;
    let (title, address) = app.db.allowable(id).await?.ok_or(PageError::NotFound)?;
    app.audit.add(caller.event(Deed::PeerAllowed).with("ae_title", &title).with("address", &address)).await?;
    let by = caller.asker.person().map_or("", |person| person.name.as_str());
    app.db.allow(&title, &address, by).await?;
    app.admission.renew().await?;
    Ok(operations())
}

/// `POST /operations/disallow`: takes back what was allowed.
pub(super) async fn disallow(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(row): Form<Row>,
) -> Result<Response, PageError> {
    let id: i64 = row.id.parse().map_err(|_| PageError::NotFound)?;
    let allowed = app.db.allowed_peers().await?;
    let peer = allowed.into_iter().find(|peer| peer.id == id).ok_or(PageError::NotFound)?;
    let event = caller.event(Deed::PeerDisallowed).with("ae_title", peer.ae_title).with("address", peer.address);
    app.audit.add(event).await?;
    app.db.disallow(id).await?;
    app.admission.renew().await?;
    Ok(operations())
}
