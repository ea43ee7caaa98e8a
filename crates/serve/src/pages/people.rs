//! Accounts, for administrators: who there is, what each may do, and what is done when a password or a device is lost.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::me::{Notice, role_messages};
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Account, Changed, NewPerson, now};
use crate::http::{App, Caller, Shared};
use crate::people::{Role, Roles, account};

struct Shown {
    id: i64,
    name: String,
    full_name: String,
    roles: Roles,
    is_disabled: bool,
    has_factor: bool,
    is_unused: bool,
    signed_in: String,
    sessions: usize,
}

impl Shown {
    fn has(&self, role: &Role) -> bool {
        self.roles.has(*role)
    }
}

/// A password that is shown this once.
struct Given {
    name: String,
    password: String,
}

#[derive(Template)]
#[template(path = "people.html")]
struct Page {
    frame: Frame,
    notice: Option<Notice>,
    given: Option<Given>,
    people: Vec<Shown>,
    /// Roles with the messages of each.
    roles: Vec<(Role, String, String)>,
}

/// What the forms hold. A checkbox that is not checked is not sent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    name: String,
    full_name: String,
    physician: String,
    reviewer: String,
    reader: String,
    administrator: String,
    auditor: String,
}

impl Filled {
    fn roles(&self) -> Roles {
        let of = |role| match role {
            Role::Physician => &self.physician,
            Role::Reviewer => &self.reviewer,
            Role::Reader => &self.reader,
            Role::Administrator => &self.administrator,
            Role::Auditor => &self.auditor,
        };
        Role::ALL.into_iter().filter(|role| !of(*role).is_empty()).collect()
    }
}

async fn show(
    app: &App,
    caller: &Caller,
    status: StatusCode,
    notice: &str,
    given: Option<Given>,
) -> Result<Response, PageError> {
    let (idle, oldest) = app.config.people.ends(now());
    let mut people = Vec::new();
    for account in app.db.people().await? {
        let person = account.person;
        people.push(Shown {
            id: person.id,
            name: visible(&person.name),
            full_name: visible(&person.full_name),
            roles: person.roles,
            is_disabled: account.is_disabled,
            has_factor: account.has_totp,
            is_unused: account.is_one_time,
            signed_in: if account.signed_in_at == 0 {
                caller.language.say("never").to_string()
            } else {
                text::moment(caller.language, account.signed_in_at)
            },
            sessions: app.db.sessions_of(person.id, idle, oldest).await?.len(),
        });
    }
    let notice = (!notice.is_empty())
        .then(|| Notice { words: caller.language.say(notice).to_string(), is_bad: !status.is_success() });
    let roles = Role::ALL.into_iter().map(|role| {
        let (name, allows) = role_messages(role);
        (role, name, allows)
    });
    let frame = Frame::of("people-title", "people", caller);
    let page = Page { frame, notice, given, people, roles: roles.collect() };
    Ok((status, html(&page)?).into_response())
}

/// `GET /people`.
pub(super) async fn page(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    show(&app, &caller, StatusCode::OK, "", None).await
}

/// `POST /people`: a new account, with a password that is shown this once.
pub(super) async fn add(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let wrong = async |words| show(&app, &caller, StatusCode::BAD_REQUEST, words, None).await;
    let Some(name) = account::name(&filled.name) else {
        return wrong("people-wrong-name").await;
    };
    let Some(full_name) = account::full_name(&filled.full_name) else {
        return wrong("people-wrong-full-name").await;
    };
    let password = account::one_time_password();
    let person = NewPerson {
        name: name.clone(),
        full_name,
        roles: filled.roles(),
        password: app.passwords.hash(&password).await?,
        is_local: false,
    };
    let event = caller.event(Deed::PersonAdded).with("name", &name).with("roles", person.roles);
    app.audit.add(event).await?;
    if app.db.add_person(&person).await?.is_none() {
        return wrong("people-taken").await;
    }
    show(&app, &caller, StatusCode::OK, "", Some(Given { name, password })).await
}

async fn find(app: &App, id: &str) -> Result<Account, PageError> {
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    app.db.account(id).await?.ok_or(PageError::NotFound)
}

async fn changed(app: &App, caller: &Caller, changed: Changed, words: &str) -> Result<Response, PageError> {
    match changed {
        Changed::Done => show(app, caller, StatusCode::OK, words, None).await,
        Changed::Missing => Err(PageError::NotFound),
        Changed::LastAdministrator => show(app, caller, StatusCode::CONFLICT, "people-last", None).await,
    }
}

/// `POST /people/{id}`: full name and roles.
pub(super) async fn change(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let person = find(&app, &id).await?.person;
    let full_name = account::full_name(&filled.full_name).ok_or(PageError::Bad("people-wrong-full-name"))?;
    let event = caller.event(Deed::PersonChanged).with("name", &person.name);
    app.audit.add(event.with("roles_before", person.roles).with("roles", filled.roles())).await?;
    let done = app.db.set_roles(person.id, &full_name, filled.roles()).await?;
    changed(&app, &caller, done, "people-stored").await
}

/// `POST /people/{id}/disable`.
pub(super) async fn disable(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let person = find(&app, &id).await?.person;
    app.audit.add(caller.event(Deed::PersonChanged).with("name", &person.name).with("disabled", "yes")).await?;
    let done = app.db.set_disabled(person.id, true).await?;
    changed(&app, &caller, done, "people-now-disabled").await
}

/// `POST /people/{id}/enable`.
pub(super) async fn enable(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let person = find(&app, &id).await?.person;
    app.audit.add(caller.event(Deed::PersonChanged).with("name", &person.name).with("disabled", "no")).await?;
    let done = app.db.set_disabled(person.id, false).await?;
    changed(&app, &caller, done, "people-now-enabled").await
}

/// `POST /people/{id}/reset`: another password, shown this once; no second factor, no sessions.
pub(super) async fn reset(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let person = find(&app, &id).await?.person;
    if app.db.is_linked(person.id).await? {
        return show(&app, &caller, StatusCode::CONFLICT, "people-is-linked", None).await;
    }
    let password = account::one_time_password();
    let hash = app.passwords.hash(&password).await?;
    app.audit.add(caller.event(Deed::PasswordReset).with("name", &person.name)).await?;
    app.db.set_password(person.id, &hash, true).await?;
    app.db.set_totp(person.id, "").await?;
    app.db.end_sessions(person.id, 0).await?;
    show(&app, &caller, StatusCode::OK, "", Some(Given { name: person.name, password })).await
}

/// `POST /people/{id}/sessions/end`.
pub(super) async fn end_sessions(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let person = find(&app, &id).await?.person;
    app.audit.add(caller.event(Deed::SessionsEnded).with("name", &person.name)).await?;
    app.db.end_sessions(person.id, 0).await?;
    show(&app, &caller, StatusCode::OK, "people-signed-out", None).await
}
