//! A calibration that is proposed: what it would change, and taking it.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::monitoring::percent;
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
struct Page {
    frame: Frame,
    id: i64,
    proposal: Proposal,
    rows: Vec<Compared>,
    state: Standing,
    is_stale: bool,
    proposed: String,
}

impl Page {
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
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let network = Network::of(&app, &desk).await?;
    let (calibration, proposal, state, is_stale) = found(&app, &network, &id).await?;
    html(&Page {
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
