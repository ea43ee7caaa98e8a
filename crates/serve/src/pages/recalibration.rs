//! Recalibration: labels are uploaded, a calibration is proposed and shown, taken, and taken back. For administrators, who see counts alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use coxa_model::Card;
use multer::Multipart;
use serde::Deserialize;

use super::monitoring::percent;
use super::state::Desk;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Calibration, NewCalibration, now};
use crate::http::{App, Caller, Shared};
use crate::language::Language;
use crate::monitor::labels::{self, Fault, Key};
use crate::monitor::recalibrate::{Asked, LabelSource, Point, Proposal, Shown, TemperatureRule, cases, propose};
use crate::monitor::{logit_of, operating_point};

/// Films of so many days show what a calibration would change.
const RECENT_DAYS: i64 = 90;
const DAY: i64 = 86_400_000_000;
/// Calibrations and uses that are listed.
const MOST: i64 = 50;
/// Rows of a table of labels that are named where they lead to no film.
const MOST_NAMED: usize = 10;

/// The network that reads here.
struct Network<'a> {
    card: &'a Card,
    hash: &'a str,
}

impl<'a> Network<'a> {
    async fn of(app: &App, desk: &'a Desk) -> Result<Self, PageError> {
        let (card, hash) = desk
            .network(&app.config)
            .await
            .ok_or(PageError::Unavailable("The network’s card cannot be read. The log of this node has the reason."))?;
        Ok(Self { card, hash })
    }

    /// What counts where no calibration was taken.
    fn own(&self, app: &App) -> Point {
        let threshold = app.config.network.threshold.unwrap_or(self.card.threshold.threshold);
        Point { temperature: self.card.temperature, threshold }
    }

    /// What counts now.
    fn point(&self, app: &App, in_use: Option<&Calibration>) -> Point {
        in_use.map_or_else(
            || self.own(app),
            |calibration| {
                let (temperature, point) = operating_point(calibration);
                Point { temperature, threshold: point.threshold }
            },
        )
    }
}

/// A calibration in the list.
struct Listed {
    id: i64,
    threshold: String,
    temperature: String,
    words: String,
    /// Who proposed it and when.
    proposed: String,
    state: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    InUse,
    Before,
    Proposed,
}

struct Used {
    what: String,
    person: String,
    at: String,
}

#[derive(Default)]
struct Labels {
    uploaded: (usize, usize),
    reviewed: (usize, usize),
}

/// What became of a table of labels.
struct Uploaded {
    films: usize,
    unknown: usize,
    rows: String,
    faults: Vec<String>,
}

#[derive(Template)]
#[template(path = "monitoring_recalibration.html")]
struct Page {
    frame: Frame,
    network: String,
    hash: String,
    threshold: String,
    temperature: String,
    in_use: i64,
    own_threshold: String,
    is_overridden: bool,
    labels: Labels,
    target: String,
    uploaded: Option<Uploaded>,
    refused: String,
    calibrations: Vec<Listed>,
    uses: Vec<Used>,
    is_unused: bool,
}

async fn show(
    app: &App,
    desk: &Desk,
    caller: &Caller,
    (uploaded, refused): (Option<Uploaded>, String),
) -> Result<Response, PageError> {
    let network = Network::of(app, desk).await?;
    let in_use = app.db.calibration_in_use(network.hash).await?;
    let point = network.point(app, in_use.as_ref());
    let uses = app.db.calibration_uses(network.hash, MOST).await?;
    let labeled = app.db.labeled(network.hash).await?;
    let count = |source| {
        let (cases, _) = cases(&labeled, source, network.card.temperature);
        (cases.len(), cases.iter().filter(|case| case.truth).count())
    };
    let of = |calibration: Calibration| {
        let state = if in_use.as_ref().is_some_and(|used| used.id == calibration.id) {
            Standing::InUse
        } else if uses.iter().any(|used| used.calibration == calibration.id) {
            Standing::Before
        } else {
            Standing::Proposed
        };
        Listed {
            id: calibration.id,
            threshold: number(calibration.what.threshold),
            temperature: number(calibration.what.temperature),
            words: visible(&calibration.what.chosen_on),
            proposed: format!("{}, {}", visible(&calibration.person), text::exact(Language::default(), calibration.at)),
            state,
        }
    };
    let target = match network.card.threshold.rule {
        coxa_stats::Rule::SensitivityAtLeast(target) => target,
        _ => 0.95,
    };
    html(&Page {
        frame: Frame::of("Recalibration", "monitoring", caller),
        network: visible(&network.card.name),
        hash: network.hash.to_owned(),
        threshold: number(point.threshold),
        temperature: number(point.temperature),
        in_use: in_use.as_ref().map_or(0, |calibration| calibration.id),
        own_threshold: number(network.own(app).threshold),
        is_overridden: app.config.network.threshold.is_some() && in_use.is_some(),
        labels: Labels { uploaded: count(LabelSource::Uploaded), reviewed: count(LabelSource::Reviewed) },
        target: format!("{:.4}", 100.0 * target).trim_end_matches('0').trim_end_matches('.').to_owned(),
        uploaded,
        refused,
        calibrations: app.db.calibrations(network.hash, MOST).await?.into_iter().map(of).collect(),
        is_unused: uses.is_empty(),
        uses: uses
            .iter()
            .map(|used| Used {
                what: if used.calibration == 0 {
                    "the network’s own".into()
                } else {
                    format!("calibration {}", used.calibration)
                },
                person: visible(&used.person),
                at: text::exact(Language::default(), used.at),
            })
            .collect(),
    })
}

/// A threshold or temperature.
fn number(value: f64) -> String {
    format!("{value:.4}")
}

/// `GET /monitoring/recalibration`.
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, PageError> {
    show(&app, &desk, &caller, (None, String::new())).await
}

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
            let faults = faults.iter().map(|fault| visible(&fault.to_string())).collect();
            Uploaded { films: 0, unknown: 0, rows: String::new(), faults }
        }
    };
    let status = if uploaded.faults.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let mut response = show(&app, &desk, &caller, (Some(uploaded), String::new())).await?;
    *response.status_mut() = status;
    Ok(response)
}

/// The bytes of the file in a form.
async fn file_of(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, PageError> {
    const NO_FILE: PageError = PageError::Bad("Choose a CSV file. Nothing was stored.");
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(media).map_err(|_| NO_FILE)?;
    let mut parts = Multipart::new(body.into_data_stream(), boundary);
    while let Ok(Some(part)) = parts.next_field().await {
        if part.name() == Some("file") {
            let bytes =
                part.bytes().await.map_err(|_| PageError::Bad("The file did not come whole. Nothing was stored."))?;
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

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Percent.
    target: String,
    labels: String,
    /// `fit` or `keep`.
    temperature: String,
}

/// `POST /monitoring/recalibration`: proposes a calibration, and leads to it.
pub(super) async fn ask(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    let asked = Asked {
        target: wanted
            .target
            .trim()
            .parse::<f64>()
            .map_err(|_| PageError::Bad("The sensitivity is a number of percent, as 95."))?
            / 100.0,
        labels: LabelSource::parse(&wanted.labels).ok_or(PageError::Bad("Choose which labels count."))?,
        temperature: match wanted.temperature.as_str() {
            "fit" => TemperatureRule::Fitted,
            "keep" => TemperatureRule::Kept,
            _ => return Err(PageError::Bad("Choose whether the temperature is fitted or stays.")),
        },
    };
    let network = Network::of(&app, &desk).await?;
    let own_temperature = network.card.temperature;
    let now_used = network.point(&app, app.db.calibration_in_use(network.hash).await?.as_ref());
    let labeled = app.db.labeled(network.hash).await?;
    let recent = app.db.watched(now() - RECENT_DAYS * DAY, i64::MAX).await?;
    let recent: Vec<f32> = recent
        .iter()
        .filter(|film| film.model == network.hash)
        .filter_map(|film| logit_of(film, own_temperature).map(|logit| logit as f32))
        .collect();
    let proposed = tokio::task::spawn_blocking(move || {
        let (cases, sources) = cases(&labeled, asked.labels, own_temperature);
        propose((&cases, sources), asked, now_used, &recent)
    });
    let proposed = proposed.await.map_err(|_| {
        PageError::Unavailable("The calibration could not be computed. The log of this node has the reason.")
    })?;
    let event = caller.event(Deed::CalibrationProposed).with("network", network.hash);
    let proposal = match proposed {
        Ok(proposal) => proposal,
        Err(why) => {
            app.audit.add(event.failed()).await?;
            let mut response = show(&app, &desk, &caller, (None, why)).await?;
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Ok(response);
        }
    };
    let new = NewCalibration {
        model: network.hash.to_owned(),
        temperature: proposal.new.temperature,
        own_temperature,
        threshold: proposal.new.threshold,
        target: proposal.target,
        chosen_on: proposal.chosen_on(),
        report: serde_json::to_string(&proposal).unwrap_or_default(),
    };
    let event =
        event.with("threshold", new.threshold).with("temperature", new.temperature).with("films", proposal.films.0);
    app.audit.add(event).await?;
    let id = app.db.add_calibration(&new, (person.id, &person.name)).await?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, format!("/monitoring/recalibration/{id}"))]).into_response())
}

/// A figure before and after.
struct Compared {
    name: &'static str,
    before: (String, String),
    after: (String, String),
}

#[derive(Template)]
#[template(path = "monitoring_proposal.html")]
struct ProposalPage {
    frame: Frame,
    id: i64,
    proposal: Proposal,
    rows: Vec<Compared>,
    state: Standing,
    is_stale: bool,
    proposed: String,
}

impl ProposalPage {
    fn points(&self) -> [(&'static str, String, String); 2] {
        let (now, new) = (self.proposal.now, self.proposal.new);
        [
            ("Threshold", number(now.threshold), number(new.threshold)),
            ("Temperature", number(now.temperature), number(new.temperature)),
        ]
    }
}

fn shown(statistic: &Shown, form: impl Fn(f64) -> String) -> (String, String) {
    match (statistic.value, statistic.limits) {
        (Some(value), Some((low, high))) => {
            (form(value), format!("{} to {} · {}", form(low), form(high), statistic.method))
        }
        (Some(value), None) => (form(value), format!("no interval: {}", statistic.method)),
        (None, _) => (String::new(), format!("undefined: {}", statistic.method)),
    }
}

fn compared(proposal: &Proposal) -> Vec<Compared> {
    let (before, after) = (&proposal.before, &proposal.after);
    let row = |name, before: &Shown, after: &Shown, form: fn(f64) -> String| Compared {
        name,
        before: shown(before, form),
        after: shown(after, form),
    };
    vec![
        row("Sensitivity, of patients", &before.patients_sensitivity, &after.patients_sensitivity, percent),
        row("Specificity, of patients", &before.patients_specificity, &after.patients_specificity, percent),
        row("Sensitivity, of films", &before.sensitivity, &after.sensitivity, percent),
        row("Specificity, of films", &before.specificity, &after.specificity, percent),
        row("Brier score (0 is best)", &before.brier, &after.brier, number),
        row("Calibration slope (1 is right)", &before.slope, &after.slope, number),
        row("Calibration in the large (0 is right)", &before.in_the_large, &after.in_the_large, number),
    ]
}

/// A calibration of this network, how it stands, and what it was proposed with.
async fn found(
    app: &App,
    network: &Network<'_>,
    id: &str,
) -> Result<(Calibration, Proposal, Standing, bool), PageError> {
    let id: i64 = id.parse().map_err(|_| PageError::NotFound)?;
    let calibration = app.db.calibration(id).await?.filter(|calibration| calibration.what.model == network.hash);
    let calibration = calibration.ok_or(PageError::NotFound)?;
    let proposal: Proposal = serde_json::from_str(&calibration.what.report).map_err(|_| PageError::NotFound)?;
    let in_use = app.db.calibration_in_use(network.hash).await?;
    let uses = app.db.calibration_uses(network.hash, i64::MAX).await?;
    let state = if in_use.as_ref().is_some_and(|used| used.id == id) {
        Standing::InUse
    } else if uses.iter().any(|used| used.calibration == id) {
        Standing::Before
    } else {
        Standing::Proposed
    };
    // What was shown as "now" counts no more.
    let is_stale = state == Standing::Proposed && proposal.now != network.point(app, in_use.as_ref());
    Ok((calibration, proposal, state, is_stale))
}

/// `GET /monitoring/recalibration/{id}`: what a calibration would change.
pub(super) async fn proposal(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let network = Network::of(&app, &desk).await?;
    let (calibration, proposal, state, is_stale) = found(&app, &network, &id).await?;
    html(&ProposalPage {
        frame: Frame::of("Recalibration", "monitoring", &caller),
        id: calibration.id,
        rows: compared(&proposal),
        proposal,
        state,
        is_stale,
        proposed: format!("{}, {}", visible(&calibration.person), text::exact(Language::default(), calibration.at)),
    })
}

/// Which calibration is taken.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Taken {
    /// Its row; 0 for the network's own.
    id: String,
}

/// `POST /monitoring/recalibration/take`: a calibration counts for the next film, on every node that shares the database.
pub(super) async fn take(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Form(taken): Form<Taken>,
) -> Result<Response, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    let network = Network::of(&app, &desk).await?;
    let before = app.db.calibration_in_use(network.hash).await?.map_or(0, |calibration| calibration.id);
    let mut detail = BTreeMap::from([("network", network.hash.to_owned()), ("before", before.to_string())]);
    let id = if taken.id == "0" {
        0
    } else {
        let (calibration, _, state, is_stale) = found(&app, &network, &taken.id).await?;
        if is_stale {
            return Err(PageError::Bad(
                "Another calibration was taken since this one was proposed, so that what was shown holds no more. Propose it again.",
            ));
        }
        if state == Standing::InUse {
            return Err(PageError::Bad("This calibration is in use already."));
        }
        detail.insert("threshold", calibration.what.threshold.to_string());
        detail.insert("temperature", calibration.what.temperature.to_string());
        calibration.id
    };
    let event = caller.event(Deed::CalibrationTaken).with("calibration", id);
    app.audit.add(detail.into_iter().fold(event, |event, (key, value)| event.with(key, value))).await?;
    app.db.use_calibration(network.hash, id, (person.id, &person.name)).await?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/monitoring/recalibration")]).into_response())
}
