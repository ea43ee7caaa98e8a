//! The web's faces of a node: health, figures, DICOMweb, readings, FHIR.

mod accept;
mod access;
mod api;
mod app;
mod error;
mod fhir;
mod listen;
mod qido;
mod stow;
mod wado;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};

use crate::config::Role;

pub use app::{App, Shared};
pub use error::HttpError;
pub use fhir::report_bundle;
pub use listen::{Pace, listen};

/// All routes of a node.
pub fn router(app: &Arc<App>) -> Router {
    let open = Router::new().route("/health", get(health)).route("/ready", get(ready)).route("/metrics", get(metrics));
    let mut closed = Router::new();
    if app.config.has(Role::Pages) {
        closed = closed
            .route("/dicom-web/studies", get(qido::studies))
            .route("/dicom-web/series", get(qido::series))
            .route("/dicom-web/instances", get(qido::instances))
            .route("/dicom-web/studies/{study}", get(wado::study))
            .route("/dicom-web/studies/{study}/metadata", get(wado::study_metadata))
            .route("/dicom-web/studies/{study}/series", get(qido::series_of))
            .route("/dicom-web/studies/{study}/instances", get(qido::instances_of_study))
            .route("/dicom-web/studies/{study}/series/{series}", get(wado::series))
            .route("/dicom-web/studies/{study}/series/{series}/metadata", get(wado::series_metadata))
            .route("/dicom-web/studies/{study}/series/{series}/instances", get(qido::instances_of_series))
            .route("/dicom-web/studies/{study}/series/{series}/instances/{instance}", get(wado::instance))
            .route(
                "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata",
                get(wado::instance_metadata),
            )
            .route("/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", get(wado::frames))
            .route("/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered", get(wado::rendered))
            .route(
                "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered",
                get(wado::rendered_frame),
            )
            .route("/api/v1/readings", get(api::readings))
            .route("/api/v1/readings/{instance}", get(api::reading))
            .route("/api/v1/status", get(api::status))
            .route("/api/v1/resend", post(api::resend))
            .route("/fhir/metadata", get(fhir::capability))
            .route("/fhir/DiagnosticReport", get(fhir::search))
            .route("/fhir/DiagnosticReport/{id}", get(fhir::report))
            .route("/fhir/Observation/{id}", get(fhir::observation))
            .merge(crate::pages::routes());
    }
    if app.config.has(Role::Receive) {
        closed = closed
            .route("/dicom-web/studies", post(stow::store))
            .route("/dicom-web/studies/{study}", post(stow::store_in));
    }
    let closed = closed.layer(axum::middleware::from_fn_with_state(Arc::clone(app), access::check));
    open.merge(closed).fallback(error::nothing_here).with_state(Arc::clone(app))
}

/// 200 while the process lives and the database answers.
async fn health(State(app): Shared) -> Result<&'static str, (StatusCode, &'static str)> {
    match app.db.ping().await {
        Ok(()) => Ok("ok\n"),
        Err(error) => {
            tracing::error!("the database does not answer: {error}");
            Err((StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"))
        }
    }
}

/// 200 while films are taken.
async fn ready(State(app): Shared) -> (StatusCode, &'static str) {
    if !app.is_ready.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n");
    }
    match app.intake.has_room() {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the disk is full\n"),
    }
}

async fn metrics(State(app): Shared) -> Result<String, HttpError> {
    app.metrics.set_queues(app.db.queues().await?);
    // Brings the figure up to date; that there is no room is shown by it.
    let _ = app.intake.has_room();
    Ok(app.metrics.text())
}
