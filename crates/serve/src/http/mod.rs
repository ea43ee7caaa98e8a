//! The web's faces of a node: health, figures, DICOMweb, readings, FHIR.

mod accept;
mod access;
mod answers;
mod api;
mod app;
mod caller;
mod error;
mod fhir;
mod listen;
mod openapi;
mod qido;
mod record;
mod routes;
mod stow;
mod wado;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::config::{Config, Role};
use crate::people::Action;
use access::Guard;

pub use app::{App, Shared};
pub(crate) use caller::Caller;
pub use error::HttpError;
pub use fhir::report_bundle;
pub use listen::{Pace, listen};
pub(crate) use routes::Routes;
pub use routes::Rule;

/// The routes of a node with their rules, in the order in which they are written here.
pub fn rules(config: &Config) -> Vec<Rule> {
    routes(config).rules().to_vec()
}

/// Whether the document of the programs' interfaces describes a route.
pub fn is_described(rule: &Rule) -> bool {
    openapi::is_described(rule)
}

/// The document of a node's interfaces for programs (OpenAPI 3.1).
pub fn document(config: &Config) -> utoipa::openapi::OpenApi {
    openapi::document(&rules(config))
}

/// `GET /api/v1/openapi.json`.
async fn interfaces(State(app): Shared) -> Response {
    let text = document(&app.config).to_json().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn routes(config: &Config) -> Routes {
    let mut routes = Routes::new().get("/health", Action::Open, health).get("/ready", Action::Open, ready).get(
        "/metrics",
        Action::Open,
        metrics,
    );
    if config.has(Role::Pages) {
        routes = routes
            .get("/dicom-web/studies", Action::Objects, qido::studies)
            .get("/dicom-web/series", Action::Objects, qido::series)
            .get("/dicom-web/instances", Action::Objects, qido::instances)
            .get("/dicom-web/studies/{study}", Action::Objects, wado::study)
            .get("/dicom-web/studies/{study}/metadata", Action::Objects, wado::study_metadata)
            .get("/dicom-web/studies/{study}/series", Action::Objects, qido::series_of)
            .get("/dicom-web/studies/{study}/instances", Action::Objects, qido::instances_of_study)
            .get("/dicom-web/studies/{study}/series/{series}", Action::Objects, wado::series)
            .get("/dicom-web/studies/{study}/series/{series}/metadata", Action::Objects, wado::series_metadata)
            .get("/dicom-web/studies/{study}/series/{series}/instances", Action::Objects, qido::instances_of_series)
            .get("/dicom-web/studies/{study}/series/{series}/instances/{instance}", Action::Objects, wado::instance)
            .get(
                "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata",
                Action::Objects,
                wado::instance_metadata,
            )
            .get(
                "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
                Action::Objects,
                wado::frames,
            )
            .get(
                "/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered",
                Action::Objects,
                wado::rendered,
            )
            .get(
                "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered",
                Action::Objects,
                wado::rendered_frame,
            )
            .get("/api/v1/openapi.json", Action::Open, interfaces)
            .get("/api/v1/readings", Action::Results, api::readings)
            .get("/api/v1/readings/{instance}", Action::Results, api::reading)
            .get("/api/v1/status", Action::Status, api::status)
            .post("/api/v1/resend", Action::Resend, api::resend)
            .get("/fhir/metadata", Action::Results, fhir::capability)
            .get("/fhir/DiagnosticReport", Action::Results, fhir::search)
            .get("/fhir/DiagnosticReport/{id}", Action::Results, fhir::report)
            .get("/fhir/Observation/{id}", Action::Results, fhir::observation)
            .with(crate::pages::routes(Routes::new()));
    }
    if config.has(Role::Receive) {
        routes = routes.post("/dicom-web/studies", Action::StoreObjects, stow::store).post(
            "/dicom-web/studies/{study}",
            Action::StoreObjects,
            stow::store_in,
        );
    }
    routes
}

/// All routes of a node, each behind its rule.
pub fn router(app: &Arc<App>) -> Router {
    let (router, rules) = routes(&app.config).into_parts();
    let guard = Arc::new(Guard { app: Arc::clone(app), rules });
    router
        .layer(axum::middleware::from_fn_with_state(guard, access::check))
        .fallback(error::nothing_here)
        .with_state(Arc::clone(app))
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
