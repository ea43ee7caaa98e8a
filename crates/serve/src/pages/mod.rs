//! Pages: the worklist, the viewer, operations. Made on the server from templates; the scripts add what a page without them does not need.
//!
//! Nothing on a page comes from another host, and no script or style stands in a page: the Content Security Policy allows neither.
//! Everything that a film or peer can write is escaped by the templates, with invisible characters made visible.

mod assets;
mod certificate;
mod film;
mod operations;
mod reviews;
mod state;
mod text;
mod viewer;
mod worklist;

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::db::DbError;
use crate::http::App;
use crate::store::StoreError;
use state::Desk;

/// No inline script or style, nothing from elsewhere, no frame around.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The pages' routes; whoever mounts them checks who may use them.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(worklist::page))
        .route("/worklist", get(worklist::fragment))
        .route("/films/{id}", get(viewer::page))
        .route("/films/{id}/preview", get(film::preview))
        .route("/films/{id}/values", get(film::values))
        .route("/films/{id}/heat", get(film::heat))
        .route("/films/{id}/reviews", post(reviews::add))
        .route("/films/{id}/reviews/{review}/undo", post(reviews::undo))
        .route("/operations", get(operations::page))
        .route("/operations/resend", post(operations::resend))
        .route("/operations/echo", post(operations::echo))
        .route("/assets/{name}", get(assets::asset))
        .layer(Extension(Arc::new(Desk::default())))
        .layer(axum::middleware::map_response(secure))
}

/// The headers of every page and asset.
async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Whatever names a patient stays out of every cache; assets say otherwise themselves.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What every page's frame needs.
#[derive(Debug, Clone, Copy)]
struct Frame {
    title: &'static str,
    /// Which entry of the navigation is this one.
    here: &'static str,
}

impl Frame {
    fn version(&self) -> &'static str {
        &assets::VERSION
    }
}

fn html(page: &impl Template) -> Result<Response, PageError> {
    Ok(Html(page.render().map_err(PageError::Template)?).into_response())
}

/// Why there is no page.
#[derive(Debug)]
enum PageError {
    NotFound,
    Bad(&'static str),
    Unavailable(&'static str),
    Template(askama::Error),
}

impl From<DbError> for PageError {
    fn from(error: DbError) -> Self {
        tracing::error!("{error}");
        Self::Unavailable("The database does not answer. The log of this node has the reason.")
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        tracing::error!("{error}");
        Self::Unavailable("The film cannot be read from where it is kept. The log of this node has the reason.")
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    heading: &'static str,
    what: &'static str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, heading, what) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not here",
                "There is no such film or page. It may have been removed by retention.",
            ),
            Self::Bad(what) => (StatusCode::BAD_REQUEST, "Not understood", what),
            Self::Unavailable(what) => (StatusCode::SERVICE_UNAVAILABLE, "Not available now", what),
            Self::Template(error) => {
                tracing::error!("a page could not be written: {error}");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "A fault",
                    "The page could not be written. The log of this node has the reason.",
                )
            }
        };
        let page = ErrorPage { frame: Frame { title: heading, here: "" }, heading, what };
        (status, Html(page.render().unwrap_or_else(|_| what.to_owned()))).into_response()
    }
}
