//! Pages: sign-in, the worklist, the viewer, operations, people, a trial, the audit log. Made on the server from templates; the scripts add what a page without them does not need.
//!
//! Nothing on a page comes from another host, and no script or style stands in a page: the Content Security Policy allows neither.
//! Everything that a film or peer can write is escaped by the templates, with invisible characters made visible.

mod api;
mod assets;
mod audit;
mod baseline;
mod certificate;
mod choice;
mod collections;
mod diagnoses;
mod film;
mod labeling;
mod labeling_decision;
mod labeling_film;
mod labeling_new;
mod labeling_pixels;
mod labeling_seat;
mod labels;
mod me;
mod monitoring;
#[cfg(feature = "oidc")]
mod oidc;
mod operations;
mod people;
mod proposal;
mod reading;
mod reasons;
mod recalibration;
mod reviews;
mod signin;
mod state;
mod studies;
mod text;
mod tiles;
mod trial;
mod viewer;
mod withheld;
mod worklist;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use crate::audit::AuditError;
use crate::audit::Event;
use crate::collections::CollectionError;
use crate::db::DbError;
use crate::http::{App, Caller, Routes};
use crate::language::{Language, Message, Piece};
use crate::people::{Action, Asker, Busy, Subject, Unopened, may};
use crate::store::StoreError;
use state::Desk;

/// No inline script or style, nothing from elsewhere, no frame around.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The pages' routes with their rules.
pub(crate) fn routes(routes: Routes) -> Routes {
    through_a_provider(routes)
        .get("/", Action::Films, worklist::page)
        .get("/worklist", Action::Films, worklist::fragment)
        .get("/films/{id}", Action::Films, viewer::page)
        .get("/films/{id}/preview", Action::Films, film::preview)
        .get("/films/{id}/values", Action::Films, film::values)
        .get("/films/{id}/tiles/{column}/{row}", Action::Films, film::tile)
        .get("/films/{id}/earlier/{number}", Action::Films, viewer::earlier_preview)
        .get("/films/{id}/heat", Action::Films, film::heat)
        .post("/films/{id}/reviews", Action::Review, reviews::add)
        .post("/films/{id}/reviews/{review}/undo", Action::UndoReview, reviews::undo)
        .get("/operations", Action::Operations, operations::page)
        .post("/operations/resend", Action::Operate, operations::resend)
        .post("/operations/echo", Action::Operate, operations::echo)
        .post("/operations/send", Action::Operate, operations::test_send)
        .post("/operations/allow", Action::Operate, operations::allow)
        .post("/operations/disallow", Action::Operate, operations::disallow)
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
        .post("/language", Action::Language, choice::choose)
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
        .get("/join/{link}", Action::Join, reading::join_page)
        .post("/join/{link}", Action::Join, reading::join)
        .get("/reading", Action::Reading, reading::own)
        .get("/reading/{study}", Action::Reading, reading::page)
        .get("/reading/{study}/{item}/preview", Action::Reading, reading::preview)
        .get("/reading/{study}/{item}/values", Action::Reading, reading::values)
        .get("/reading/{study}/{item}/tiles/{column}/{row}", Action::Reading, reading::tile)
        .get("/reading/{study}/{item}/heat", Action::Reading, reading::heat)
        .post("/reading/{study}/{item}", Action::Reading, reading::store)
        .get("/studies", Action::Studies, studies::all)
        .post("/studies", Action::Studies, studies::make)
        .get("/studies/{id}", Action::Studies, studies::page)
        .get("/studies/{id}/design.toml", Action::Studies, studies::design)
        .post("/studies/{id}/links/{place}", Action::Studies, studies::link)
        .post("/studies/{id}/lock", Action::Studies, studies::lock)
        .post("/studies/{id}/ratings.csv", Action::Studies, studies::export)
        .get("/labeling", Action::Labelings, labeling::all)
        .post("/labeling", Action::MakeLabeling, labeling_new::make)
        .get("/labeling/{id}", Action::Labelings, labeling::page)
        .post("/labeling/{id}/close", Action::Labelings, labeling::close)
        .get("/labeling/{id}/tables/{table}", Action::LabelingResults, labeling::table)
        .get("/labeling/{id}/next", Action::Label, labeling_film::next)
        .get("/labeling/{id}/films/{film}", Action::Label, labeling_film::page)
        .post("/labeling/{id}/films/{film}", Action::Label, labeling_decision::store)
        .post("/labeling/{id}/films/{film}/undo", Action::Label, labeling_decision::undo)
        .get("/labeling/{id}/films/{film}/preview", Action::Label, labeling_pixels::preview)
        .get("/labeling/{id}/films/{film}/values", Action::Label, labeling_pixels::values)
        .get("/labeling/{id}/films/{film}/tiles/{column}/{row}", Action::Label, labeling_pixels::tile)
        .get("/labeling/{id}/films/{film}/heat", Action::Label, labeling_pixels::heat)
        .get("/labeling/{id}/films/{film}/earlier/{earlier}", Action::Label, labeling_pixels::earlier_preview)
        .get("/collections", Action::Collections, collections::all)
        .get("/collections/{collection}", Action::Collections, collections::page)
        .get("/collections/{collection}/report.csv", Action::Collections, collections::report)
        .get("/collections/{collection}/films/{serial}", Action::WithheldFilms, withheld::page)
        .post("/collections/{collection}/films/{serial}", Action::WithheldFilms, withheld::decide)
        .get("/collections/{collection}/films/{serial}/picture", Action::WithheldFilms, withheld::picture)
        .get("/collections/{collection}/films/{serial}/regions/{region}", Action::WithheldFilms, withheld::region)
        .get("/api", Action::Open, api::page)
        .post("/films/{id}/unblind", Action::Unblind, trial::unblind_film)
        .get("/trial", Action::Trial, trial::page)
        .post("/trial/begin", Action::Trial, trial::begin)
        .post("/trial/stop", Action::Trial, trial::stop)
        .post("/trial/close", Action::Trial, trial::close)
        .post("/trial/opt-out", Action::Trial, trial::opt_out)
        .post("/trial/withdraw", Action::Trial, trial::withdraw)
        .post("/trial/unblind", Action::Trial, trial::unblind)
        .get("/trial/rows.csv", Action::Trial, trial::rows)
        .get("/trial/allocation.csv", Action::Trial, trial::allocation)
        .get("/trial/diagnoses", Action::Diagnoses, diagnoses::page)
        .post("/trial/diagnoses", Action::Diagnoses, diagnoses::add)
        .post("/trial/diagnoses/upload", Action::Diagnoses, diagnoses::upload)
        .get("/assets/{name}", Action::Open, assets::asset)
        .layer(Extension(Arc::new(Desk::default())))
        .layer(axum::middleware::from_fn(dress))
}

/// Gives an answer the headers of a page, and an error its page in the language of whoever asked.
async fn dress(request: Request, next: Next) -> Response {
    let language = request.extensions().get::<Caller>().map(|caller| caller.language).unwrap_or_default();
    headers_of(in_words(next.run(request).await, language))
}

/// The routes of sign-in through an identity provider.
#[cfg(feature = "oidc")]
fn through_a_provider(routes: Routes) -> Routes {
    routes
        .get("/signin/oidc", Action::SignIn, oidc::go)
        .get("/signin/oidc/callback", Action::SignIn, oidc::come)
        .post("/signin/oidc/logout", Action::Open, oidc::end)
        .layer(Extension(Arc::new(crate::people::oidc::Provider::default())))
}

#[cfg(not(feature = "oidc"))]
fn through_a_provider(routes: Routes) -> Routes {
    routes
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
    /// The message that is the page's title.
    title: &'static str,
    language: Language,
    /// The page's own address, which the choice of a language leads back to.
    page: String,
    /// Which entry of the navigation is this one.
    here: &'static str,
    /// The person's name; empty where nobody is signed in.
    name: String,
    /// The token that every form carries.
    form: String,
    /// The first page that the person may open.
    home: &'static str,
    films: bool,
    reading: bool,
    studies: bool,
    labeling: bool,
    collections: bool,
    operations: bool,
    monitoring: bool,
    people: bool,
    audit: bool,
    trial: bool,
}

impl Frame {
    fn of(title: &'static str, here: &'static str, caller: &Caller) -> Self {
        let may = |action| may(&caller.asker, action, Subject::Any);
        // A page that answers a form has no address of its own: the page of the form has.
        let page = match (caller.page.as_str(), here) {
            ("", "worklist") => "/".to_owned(),
            ("", here) => format!("/{here}"),
            (page, _) => page.to_owned(),
        };
        Self {
            title,
            language: caller.language,
            page,
            here,
            name: caller.asker.person().map(|person| text::visible(&person.name)).unwrap_or_default(),
            form: caller.form_token.clone(),
            home: home(&caller.asker),
            films: may(Action::Films),
            reading: may(Action::Reading),
            studies: may(Action::Studies),
            labeling: may(Action::Labelings),
            collections: may(Action::Collections),
            operations: may(Action::Operations),
            monitoring: may(Action::Monitor),
            people: may(Action::People),
            audit: may(Action::Audit),
            trial: may(Action::Trial),
        }
    }

    /// The frame of a page for whoever it is.
    fn bare(title: &'static str, language: Language) -> Self {
        Self {
            title,
            language,
            page: "/".into(),
            here: "",
            name: String::new(),
            form: String::new(),
            home: "/",
            films: false,
            reading: false,
            studies: false,
            labeling: false,
            collections: false,
            operations: false,
            monitoring: false,
            people: false,
            audit: false,
            trial: false,
        }
    }

    fn version(&self) -> &'static str {
        &assets::VERSION
    }

    /// A message by its id.
    fn say<'a>(&self, id: &'a str) -> Message<'a> {
        self.language.say(id)
    }

    /// A message whose pieces between backticks are keys.
    fn keyed(&self, id: &str) -> Pieces {
        Pieces { tag: "kbd", pieces: self.say(id).pieces() }
    }

    /// A message whose pieces between backticks are code.
    fn coded(&self, id: &str) -> Pieces {
        Pieces { tag: "code", pieces: self.say(id).pieces() }
    }

    /// A message whose pieces between backticks are strong.
    fn strong(&self, message: Message<'_>) -> Pieces {
        Pieces { tag: "b", pieces: message.pieces() }
    }

    /// The languages that the page is not in.
    fn other_languages(&self) -> impl Iterator<Item = Language> {
        let shown = self.language;
        Language::all().filter(move |language| *language != shown)
    }
}

/// A message with markup around some of its pieces.
#[derive(Template)]
#[template(path = "pieces.html")]
struct Pieces {
    tag: &'static str,
    pieces: Vec<Piece>,
}

/// The first page that somebody may open.
fn home(asker: &Asker) -> &'static str {
    let may = |action| may(asker, action, Subject::Any);
    if may(Action::Films) {
        "/"
    } else if may(Action::Labelings) {
        "/labeling"
    } else if may(Action::Reading) {
        "/reading"
    } else if may(Action::Operations) {
        "/operations"
    } else if may(Action::Audit) {
        "/audit"
    } else {
        "/me"
    }
}

/// Does what changes a judgment, after its entry in the log: the entry comes first, so that no judgment is without one. Both are done though
/// whoever asked goes meanwhile, and an entry whose deed failed is followed by one that says so.
async fn recorded<T: Send + 'static>(
    app: &Arc<App>,
    event: Event,
    deed: impl Future<Output = Result<T, PageError>> + Send + 'static,
) -> Result<T, PageError> {
    let app = Arc::clone(app);
    let both = async move {
        app.audit.add(event.clone()).await?;
        match deed.await {
            Ok(done) => Ok(done),
            Err(error) => {
                app.audit.add(event.failed()).await?;
                Err(error)
            }
        }
    };
    tokio::spawn(both).await.unwrap_or(Err(PageError::Unavailable("error-database")))
}

fn html(page: &impl Template) -> Result<Response, PageError> {
    Ok(Html(page.render().map_err(PageError::Template)?).into_response())
}

/// Why there is no page; the words are messages.
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
        Self::Unavailable("error-database")
    }
}

impl From<AuditError> for PageError {
    fn from(_: AuditError) -> Self {
        Self::Unavailable("error-audit")
    }
}

impl From<Unopened> for PageError {
    fn from(error: Unopened) -> Self {
        tracing::error!("{error}");
        Self::Unavailable("error-factor")
    }
}

impl From<Busy> for PageError {
    fn from(_: Busy) -> Self {
        Self::Unavailable("error-busy")
    }
}

impl From<CollectionError> for PageError {
    fn from(error: CollectionError) -> Self {
        tracing::error!("{error}");
        Self::Unavailable("error-collection")
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        tracing::error!("{error}");
        Self::Unavailable("error-store")
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    heading: &'static str,
    what: &'static str,
}

/// An error on its way to its page: [`dress`] knows the language.
#[derive(Debug, Clone, Copy)]
struct Fault {
    heading: &'static str,
    what: &'static str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, heading, what) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "error-not-found", "error-not-found-what"),
            Self::Bad(what) => (StatusCode::BAD_REQUEST, "error-bad", what),
            Self::SignedOut => (StatusCode::UNAUTHORIZED, "error-signed-out", "error-signed-out-what"),
            Self::Unavailable(what) => (StatusCode::SERVICE_UNAVAILABLE, "error-unavailable", what),
            Self::Template(error) => {
                tracing::error!("a page could not be written: {error}");
                (StatusCode::INTERNAL_SERVER_ERROR, "error-fault", "error-fault-what")
            }
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(Fault { heading, what });
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// An error with its page; anything else as it is.
fn in_words(mut response: Response, language: Language) -> Response {
    let Some(fault) = response.extensions_mut().remove::<Fault>() else { return response };
    with_page(response, Frame::bare(fault.heading, language), fault)
}

fn with_page(mut response: Response, frame: Frame, Fault { heading, what }: Fault) -> Response {
    let words = frame.say(what).to_string();
    let page = ErrorPage { frame, heading, what };
    *response.body_mut() = Body::from(page.render().unwrap_or(words));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// The page of somebody whose roles do not allow what was asked.
pub(crate) fn refused(caller: &Caller) -> Response {
    let is_labeling = caller.asker.person().is_some_and(|person| person.is_labeling);
    let what = if is_labeling { "error-not-allowed-labeling" } else { "error-not-allowed-what" };
    let fault = Fault { heading: "error-not-allowed", what };
    // The same page for whatever was asked for.
    let frame = Frame { page: home(&caller.asker).into(), ..Frame::of(fault.heading, "", caller) };
    headers_of(with_page(StatusCode::FORBIDDEN.into_response(), frame, fault))
}

/// The page of somebody whose session has ended while a form was filled.
pub(crate) fn signed_out(caller: &Caller) -> Response {
    headers_of(in_words(PageError::SignedOut.into_response(), caller.language))
}
