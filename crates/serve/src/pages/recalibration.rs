//! Recalibration: what is in use, labels, calibrations that were proposed or taken. For administrators, who see counts alone.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use coxa_model::Card;

use super::reasons::Reason;
use super::state::Desk;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::db::Calibration;
use crate::http::{App, Caller, Shared};
use crate::monitor::cases::{LabelSource, cases};
use crate::monitor::operating_point;
use crate::monitor::performance::Point;

/// Calibrations and uses that are listed.
const MOST: i64 = 50;

/// The network that reads here.
pub(super) struct Network<'a> {
    pub(super) card: &'a Card,
    pub(super) hash: &'a str,
}

impl<'a> Network<'a> {
    pub(super) async fn of(app: &App, desk: &'a Desk) -> Result<Self, PageError> {
        let (card, hash) = desk.network(&app.config).await.ok_or(PageError::Unavailable("monitoring-no-card"))?;
        Ok(Self { card, hash })
    }

    /// What counts where no calibration was taken.
    fn own(&self, app: &App) -> Point {
        let threshold = app.config.network.threshold.unwrap_or(self.card.threshold.threshold);
        Point { temperature: self.card.temperature, threshold }
    }

    /// What counts now.
    pub(super) fn point(&self, app: &App, in_use: Option<&Calibration>) -> Point {
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
    words: Reason,
    /// Who proposed it and when.
    proposed: (String, String),
    state: Standing,
}

/// How a calibration stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
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
pub(super) struct Uploaded {
    /// Films that have a label by it.
    pub(super) films: usize,
    /// Rows that lead to no film, and the first of them.
    pub(super) unknown: usize,
    pub(super) rows: String,
    pub(super) faults: Vec<Reason>,
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
    refused: Reason,
    calibrations: Vec<Listed>,
    uses: Vec<Used>,
    is_unused: bool,
}

/// The page, with what became of a table of labels or why nothing can be proposed.
pub(super) async fn show(
    app: &App,
    desk: &Desk,
    caller: &Caller,
    (uploaded, refused): (Option<Uploaded>, Reason),
) -> Result<Response, PageError> {
    let language = caller.language;
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
            words: Reason::of(language, &calibration.what.chosen_on),
            proposed: (visible(&calibration.person), text::exact(language, calibration.at)),
            state,
        }
    };
    let target = match network.card.threshold.rule {
        coxa_stats::Rule::SensitivityAtLeast(target) => target,
        _ => 0.95,
    };
    html(&Page {
        frame: Frame::of("monitoring-recalibration-title", "monitoring", caller),
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
                what: match used.calibration {
                    0 => language.say("monitoring-own").to_string(),
                    id => language.say("monitoring-calibration-number").with("calibration", id).to_string(),
                },
                person: visible(&used.person),
                at: text::exact(language, used.at),
            })
            .collect(),
    })
}

/// A threshold or temperature.
pub(super) fn number(value: f64) -> String {
    format!("{value:.4}")
}

/// `GET /monitoring/recalibration`.
pub(super) async fn page(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, PageError> {
    show(&app, &desk, &caller, (None, Reason::default())).await
}
