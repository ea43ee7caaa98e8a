//! The baseline of monitoring: films that later ones are compared with, chosen by an administrator.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use coxa_model::Card;
use serde::Deserialize;

use super::PageError;
use super::state::Desk;
use crate::audit::Deed;
use crate::db::{Baseline, now};
use crate::http::{App, Caller, Shared};
use crate::monitor::drift;

const MOST: i64 = 10_000;

/// Which films make the baseline.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    /// How many of the first films; 0 for none.
    films: String,
}

/// `POST /monitoring/baseline`: the first films that the network read here become what later ones are compared with, or do so no more.
pub(super) async fn choose(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    let (card, hash) = desk.network(&app.config).await.ok_or(PageError::NotFound)?;
    let wanted: Option<i64> = chosen.films.trim().parse().ok().filter(|films| (0..=MOST).contains(films));
    let wanted = wanted.ok_or(PageError::Bad("monitoring-wrong-baseline"))?;
    let event = caller.event(Deed::BaselineChosen).with("network", hash);
    let mut baseline =
        Baseline { films: 0, between: (0, 0), logits: Vec::new(), person: person.name.clone(), at: now() };
    if wanted > 0 {
        baseline = measured(&app, baseline, (card, hash), wanted).await?;
    }
    app.audit.add(event.with("films", baseline.films).with("patients", baseline.logits.len())).await?;
    app.db.add_baseline(hash, &baseline, person.id).await?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/monitoring#drift")]).into_response())
}

async fn measured(
    app: &App,
    baseline: Baseline,
    (card, hash): (&Card, &str),
    wanted: i64,
) -> Result<Baseline, PageError> {
    let films = app.db.first_read(hash, wanted).await?;
    let mut logits = drift::scores(&films, hash, card.temperature);
    logits.sort_unstable_by(f64::total_cmp);
    let (Some(first), Some(last)) = (films.first(), films.last()) else {
        return Err(PageError::Bad("monitoring-wrong-no-film"));
    };
    if logits.len() < drift::LEAST {
        return Err(PageError::Bad("monitoring-wrong-few"));
    }
    Ok(Baseline { films: films.len() as i64, between: (first.received_at, last.received_at), logits, ..baseline })
}
