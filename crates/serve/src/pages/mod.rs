//! Pages: sign-in, the worklist, the viewer, operations, people, the audit log. Made on the server from templates; the scripts add what a page without them does not need.
//!
//! Nothing on a page comes from another host, and no script or style stands in a page: the Content Security Policy allows neither.
//! Everything that a film or peer can write is escaped by the templates, with invisible characters made visible.

mod assets;
mod audit;
mod baseline;
mod certificate;
mod film;
mod labels;
mod me;
mod monitoring;
mod operations;
mod people;
mod proposal;
mod recalibration;
mod reviews;
mod signin;
mod state;
mod text;
mod viewer;
mod worklist;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::audit::AuditError;
use crate::db::DbError;
use crate::http::{Caller, Routes};
use crate::people::{Action, Asker, Busy, Subject, may};
use crate::store::StoreError;
use state::Desk;

/// No inline script or style, nothing from elsewhere, no frame around.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The pages' routes with their rules.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/", Action::Films, worklist::page)
        .get("/worklist", Action::Films, worklist::fragment)
        .get("/films/{id}", Action::Films, viewer::page)
        .get("/films/{id}/preview", Action::Films, film::preview)
        .get("/films/{id}/values", Action::Films, film::values)
        .get("/films/{id}/heat", Action::Films, film::heat)
        .post("/films/{id}/reviews", Action::Review, reviews::add)
        .post("/films/{id}/reviews/{review}/undo", Action::UndoReview, reviews::undo)
        .get("/operations", Action::Operations, operations::page)
        .post("/operations/resend", Action::Operate, operations::resend)
        .post("/operations/echo", Action::Operate, operations::echo)
        .get("/monitoring", Action::Monitor, monitoring::page)
        .post("/monitoring/baseline", Action::Calibrate, baseline::choose)
        .post("/monitoring/labels", Action::Calibrate, labels::upload)
        .get("/monitoring/recalibration", Action::Calibrate, recalibration::page)
        .post("/monitoring/recalibration", Action::Calibrate, proposal::ask)
        .post("/monitoring/recalibration/take", Action::Calibrate, proposal::take)
        .get("/monitoring/recalibration/{id}", Action::Calibrate, proposal::page)
        .get("/signin", Action::SignIn, signin::page)
        .post("/signin", Action::SignIn, signin::enter)
        .get("/signin/code", Action::EnterCode, signin::code_page)
        .post("/signin/code", Action::EnterCode, signin::code)
        .get("/signin/password", Action::ChoosePassword, signin::password_page)
        .post("/signin/password", Action::ChoosePassword, signin::password)
        .post("/signout", Action::SignOut, signin::leave)
        .get("/me", Action::Account, me::page)
        .post("/me/password", Action::Account, me::password)
        .post("/me/factor", Action::Account, me::begin_factor)
        .post("/me/factor/confirm", Action::Account, me::confirm_factor)
        .post("/me/factor/remove", Action::Account, me::remove_factor)
        .post("/me/sessions/end", Action::Account, me::end_sessions)
        .get("/people", Action::People, people::page)
        .post("/people", Action::People, people::add)
        .post("/people/{id}", Action::People, people::change)
        .post("/people/{id}/disable", Action::People, people::disable)
        .post("/people/{id}/enable", Action::People, people::enable)
        .post("/people/{id}/reset", Action::People, people::reset)
        .post("/people/{id}/sessions/end", Action::People, people::end_sessions)
        .get("/audit", Action::Audit, audit::page)
        .post("/audit/verify", Action::Audit, audit::verify)
        .get("/audit/export.csv", Action::Audit, audit::csv)
        .get("/audit/export.xml", Action::Audit, audit::dicom)
        .get("/assets/{name}", Action::Open, assets::asset)
        .layer(Extension(Arc::new(Desk::default())))
        .layer(axum::middleware::map_response(secure))
}

async fn secure(response: Response) -> Response {
    headers_of(response)
}

/// The headers of every page and asset.
fn headers_of(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // `no-referrer` would take the origin from forms too, by which they are known as ours.
        (header::REFERRER_POLICY, "same-origin"),
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
#[derive(Debug, Clone)]
struct Frame {
    title: &'static str,
    /// Which entry of the navigation is this one.
    here: &'static str,
    /// The person's name; empty where nobody is signed in.
    name: String,
    /// The token that every form carries.
    form: String,
    /// The first page that the person may open.
    home: &'static str,
    films: bool,
    operations: bool,
    monitoring: bool,
    people: bool,
    audit: bool,
}

impl Frame {
    fn of(title: &'static str, here: &'static str, caller: &Caller) -> Self {
        let may = |action| may(&caller.asker, action, Subject::Any);
        Self {
            title,
            here,
            name: caller.asker.person().map(|person| text::visible(&person.name)).unwrap_or_default(),
            form: caller.form_token.clone(),
            home: home(&caller.asker),
            films: may(Action::Films),
            operations: may(Action::Operations),
            monitoring: may(Action::Monitor),
            people: may(Action::People),
            audit: may(Action::Audit),
        }
    }

    /// The frame of a page for whoever it is.
    fn bare(title: &'static str) -> Self {
        Self {
            title,
            here: "",
            name: String::new(),
            form: String::new(),
            home: "/",
            films: false,
            operations: false,
            monitoring: false,
            people: false,
            audit: false,
        }
    }

    fn version(&self) -> &'static str {
        &assets::VERSION
    }
}

/// The first page that somebody may open.
fn home(asker: &Asker) -> &'static str {
    let may = |action| may(asker, action, Subject::Any);
    if may(Action::Films) {
        "/"
    } else if may(Action::Operations) {
        "/operations"
    } else if may(Action::Audit) {
        "/audit"
    } else {
        "/me"
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
    SignedOut,
    Unavailable(&'static str),
    Template(askama::Error),
}

impl From<DbError> for PageError {
    fn from(error: DbError) -> Self {
        tracing::error!("{error}");
        Self::Unavailable("The database does not answer. The log of this node has the reason.")
    }
}

impl From<AuditError> for PageError {
    fn from(_: AuditError) -> Self {
        Self::Unavailable(
            "The audit log cannot be written, and nothing is done without it. The log of this node has the reason.",
        )
    }
}

impl From<Busy> for PageError {
    fn from(_: Busy) -> Self {
        Self::Unavailable("Too many passwords are being checked at this moment. Try again in some seconds.")
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
            Self::SignedOut => (
                StatusCode::UNAUTHORIZED,
                "Signed out",
                "Your session has ended, and nothing was stored. Sign in, go back, and send the form again.",
            ),
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
        let page = ErrorPage { frame: Frame::bare(heading), heading, what };
        let mut response = (status, Html(page.render().unwrap_or_else(|_| what.to_owned()))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// The page of somebody whose roles do not allow what was asked.
pub(crate) fn refused(caller: &Caller) -> Response {
    let (heading, what) = (
        "Not allowed",
        "Your roles do not allow this. An administrator gives roles; your account shows the ones that you have.",
    );
    let page = ErrorPage { frame: Frame::of(heading, "", caller), heading, what };
    headers_of((StatusCode::FORBIDDEN, Html(page.render().unwrap_or_else(|_| what.to_owned()))).into_response())
}

/// The page of somebody whose session has ended while a form was filled.
pub(crate) fn signed_out() -> Response {
    headers_of(PageError::SignedOut.into_response())
}
