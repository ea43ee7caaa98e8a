//! A calibration that is proposed: what it would change, and taking it.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::monitoring::{percent, range};
use super::reasons::Reason;
use super::recalibration::{Network, Standing, number, show};
use super::state::Desk;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Calibration, NewCalibration, now};
use crate::http::{App, Caller, Shared};
use crate::language::Language;
use crate::monitor::cases::{LabelSource, cases};
use crate::monitor::logit_of;
use crate::monitor::performance::Shown;
use crate::monitor::recalibrate::{Asked, Proposal, TemperatureRule, propose};

/// Films of so many days show what a calibration would change.
const RECENT_DAYS: i64 = 90;
const DAY: i64 = 86_400_000_000;

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
        target: wanted.target.trim().parse::<f64>().map_err(|_| PageError::Bad("monitoring-wrong-target"))? / 100.0,
        labels: LabelSource::parse(&wanted.labels).ok_or(PageError::Bad("monitoring-wrong-labels"))?,
        temperature: match wanted.temperature.as_str() {
            "fit" => TemperatureRule::Fitted,
            "keep" => TemperatureRule::Kept,
            _ => return Err(PageError::Bad("monitoring-wrong-temperature")),
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
    let proposed = proposed.await.map_err(|_| PageError::Unavailable("monitoring-uncomputed"))?;
    let event = caller.event(Deed::CalibrationProposed).with("network", network.hash);
    let proposal = match proposed {
        Ok(proposal) => proposal,
        Err(why) => {
            app.audit.add(event.failed()).await?;
            let mut response = show(&app, &desk, &caller, (None, Reason::of(caller.language, &why))).await?;
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

/// A figure with its interval or why there is none, and how the interval was computed.
struct Figure {
    value: String,
    beside: Reason,
    method: String,
}

/// A figure before and after; its name is a message.
struct Compared {
    name: &'static str,
    before: Figure,
    after: Figure,
}

#[derive(Template)]
#[template(path = "monitoring_proposal.html")]
struct Page {
    frame: Frame,
    id: i64,
    proposal: Proposal,
    /// What it was chosen on, and the rule.
    chosen: Reason,
    notes: Vec<Reason>,
    rows: Vec<Compared>,
    state: Standing,
    is_stale: bool,
    /// By whom and when.
    proposed: (String, String),
}

impl Page {
    fn points(&self) -> [(&'static str, String, String); 2] {
        let (now, new) = (self.proposal.now, self.proposal.new);
        [
            ("monitoring-threshold", number(now.threshold), number(new.threshold)),
            ("monitoring-temperature", number(now.temperature), number(new.temperature)),
        ]
    }
}

fn figure(language: Language, statistic: &Shown, form: impl Fn(f64) -> String) -> Figure {
    let value = statistic.value.map(&form).unwrap_or_default();
    let (beside, method) = match (statistic.value, statistic.limits) {
        (Some(_), Some((low, high))) => {
            (Reason { text: range(language, form(low), form(high)), is_english: false }, statistic.method.clone())
        }
        (Some(_), None) => (Reason::within(language, "monitoring-no-interval", &statistic.method), String::new()),
        (None, _) => (Reason::within(language, "monitoring-undefined", &statistic.method), String::new()),
    };
    Figure { value, beside, method }
}

fn compared(language: Language, proposal: &Proposal) -> Vec<Compared> {
    let (before, after) = (&proposal.before, &proposal.after);
    let row = |name, before: &Shown, after: &Shown, form: fn(f64) -> String| Compared {
        name,
        before: figure(language, before, form),
        after: figure(language, after, form),
    };
    vec![
        row("monitoring-patients-sensitivity", &before.patients_sensitivity, &after.patients_sensitivity, percent),
        row("monitoring-patients-specificity", &before.patients_specificity, &after.patients_specificity, percent),
        row("monitoring-sensitivity", &before.sensitivity, &after.sensitivity, percent),
        row("monitoring-specificity", &before.specificity, &after.specificity, percent),
        row("monitoring-brier", &before.brier, &after.brier, number),
        row("monitoring-slope", &before.slope, &after.slope, number),
        row("monitoring-in-the-large", &before.in_the_large, &after.in_the_large, number),
    ]
}

/// What a calibration was chosen on, and by which rule.
fn chosen(language: Language, proposal: &Proposal) -> Reason {
    Reason::of(language, &proposal.labels).in_message(language, |language, labels| {
        let words = language.say("monitoring-chosen").with("labels", labels);
        let words = words.with("films", proposal.films.0).with("patients", proposal.patients.0);
        words.with("fractured", proposal.patients.1).with("target", percent(proposal.target)).to_string()
    })
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
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let network = Network::of(&app, &desk).await?;
    let (calibration, proposal, state, is_stale) = found(&app, &network, &id).await?;
    let language = caller.language;
    html(&Page {
        frame: Frame::of("monitoring-recalibration-title", "monitoring", &caller),
        id: calibration.id,
        chosen: chosen(language, &proposal),
        notes: proposal.notes.iter().map(|note| Reason::of(language, note)).collect(),
        rows: compared(language, &proposal),
        proposal,
        state,
        is_stale,
        proposed: (visible(&calibration.person), text::exact(language, calibration.at)),
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
            return Err(PageError::Bad("monitoring-wrong-stale"));
        }
        if state == Standing::InUse {
            return Err(PageError::Bad("monitoring-wrong-in-use"));
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
