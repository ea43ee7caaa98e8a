//! A person's own account: password, second factor, sessions.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::signin::new_password;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Account, SeenSession, now};
use crate::http::{App, Caller, Shared};
use crate::language::{Language, Message};
use crate::people::session::stored;
use crate::people::{Role, totp};

/// A session as the page shows it.
struct Shown {
    id: i64,
    begun: String,
    seen: String,
    address: String,
    agent: String,
    is_this: bool,
}

impl Shown {
    fn of(language: Language, session: SeenSession, this: i64) -> Self {
        Self {
            is_this: session.id == this,
            id: session.id,
            begun: text::moment(language, session.begun_at),
            seen: text::moment(language, session.seen_at),
            address: visible(&session.address),
            agent: visible(&session.agent),
        }
    }
}

/// A role's name and what it allows, as messages.
pub(super) fn role_messages(role: Role) -> (String, String) {
    (format!("role-{}", role.as_str()), format!("role-allows-{}", role.as_str()))
}

/// What an action came to, in the words of the reader.
pub(super) struct Notice {
    pub(super) words: String,
    pub(super) is_bad: bool,
}

#[derive(Template)]
#[template(path = "me.html")]
struct Page {
    frame: Frame,
    notice: Option<Notice>,
    name: String,
    full_name: String,
    /// Roles, each with what it allows, as messages.
    roles: Vec<(String, String)>,
    /// Whether an identity provider has password and second factor.
    is_linked: bool,
    has_factor: bool,
    /// The secret of a factor that is being set up, in groups of four, and its address.
    factor: Option<(String, String)>,
    recovery_left: i64,
    recovery: Vec<String>,
    sessions: Vec<Shown>,
    /// The tag of the language that is set; empty where the browser decides.
    set_language: String,
}

/// What the forms hold.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    current: String,
    password: String,
    again: String,
    code: String,
    session: String,
}

async fn own(app: &App, caller: &Caller) -> Result<Account, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    app.db.account(person.id).await?.ok_or(PageError::SignedOut)
}

async fn show(
    app: &App,
    caller: &Caller,
    status: StatusCode,
    notice: Option<Message<'_>>,
    recovery: Vec<String>,
) -> Result<Response, PageError> {
    let account = own(app, caller).await?;
    let (idle, oldest) = app.config.people.ends(now());
    let person = &account.person;
    let groups = |secret: &str| secret.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    let is_pending = !account.totp_secret.is_empty() && !account.has_totp;
    let pending = is_pending.then(|| app.vault.unseal(person.id, &account.totp_secret)).transpose()?;
    let page = Page {
        frame: Frame::of("me-title", "me", caller),
        notice: notice.map(|words| Notice { words: words.to_string(), is_bad: !status.is_success() }),
        name: visible(&person.name),
        full_name: visible(&person.full_name),
        roles: person.roles.iter().map(role_messages).collect(),
        is_linked: app.db.is_linked(person.id).await?,
        has_factor: account.has_totp,
        factor: pending.map(|secret| (groups(&secret), totp::address(&person.name, &secret))),
        recovery_left: app.db.recovery_left(person.id).await?,
        recovery,
        sessions: app
            .db
            .sessions_of(person.id, idle, oldest)
            .await?
            .into_iter()
            .map(|session| Shown::of(caller.language, session, caller.session))
            .collect(),
        set_language: app.db.language_of(person.id).await?,
    };
    Ok((status, html(&page)?).into_response())
}

async fn done(app: &App, caller: &Caller, words: &str) -> Result<Response, PageError> {
    show(app, caller, StatusCode::OK, Some(caller.language.say(words)), Vec::new()).await
}

async fn wrong(app: &App, caller: &Caller, words: Message<'_>) -> Result<Response, PageError> {
    show(app, caller, StatusCode::BAD_REQUEST, Some(words), Vec::new()).await
}

/// `GET /me`.
pub(super) async fn page(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    show(&app, &caller, StatusCode::OK, None, Vec::new()).await
}

/// Whether the person knows the password, so that a session that was left open changes nothing. Why not, as a message.
async fn is_known(
    app: &App,
    caller: &Caller,
    account: &Account,
    password: &str,
) -> Result<Option<Message<'static>>, PageError> {
    let name = &account.person.name;
    if let Err(pause) = app.throttle.attempt(name, caller.place) {
        return Ok(Some(caller.language.say("signin-wait").with("seconds", pause.as_secs() + 1)));
    }
    let password = if password.len() > 1024 { "" } else { password };
    let verified = app.passwords.verify(password, Some(&account.password)).await;
    if verified.inspect_err(|_| app.throttle.unjudged(name, caller.place))? {
        app.throttle.right(name, caller.place);
        return Ok(None);
    }
    app.audit.add(caller.event(Deed::SignInFailed).failed().with("step", "own account")).await?;
    Ok(Some(caller.language.say("me-wrong-password")))
}

/// `POST /me/password`.
pub(super) async fn password(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let account = own(&app, &caller).await?;
    if let Some(why) = is_known(&app, &caller, &account, &filled.current).await? {
        return wrong(&app, &caller, why).await;
    }
    if let Some(why) = new_password(&app, &account, &filled.password, &filled.again).await? {
        return wrong(&app, &caller, caller.language.say(why)).await;
    }
    app.audit.add(caller.event(Deed::PasswordChanged)).await?;
    let hash = app.passwords.hash(&filled.password).await?;
    app.db.set_password(account.person.id, &hash, false).await?;
    app.db.end_sessions(account.person.id, caller.session).await?;
    done(&app, &caller, "me-password-changed").await
}

/// `POST /me/factor`: a secret, which is asked for once a code of it was right.
pub(super) async fn begin_factor(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let account = own(&app, &caller).await?;
    if account.password.is_empty() {
        return wrong(&app, &caller, caller.language.say("me-factor-elsewhere")).await;
    }
    if account.has_totp {
        return wrong(&app, &caller, caller.language.say("me-factor-exists")).await;
    }
    if let Some(why) = is_known(&app, &caller, &account, &filled.current).await? {
        return wrong(&app, &caller, why).await;
    }
    let id = account.person.id;
    app.db.set_totp(id, &app.vault.seal(id, &totp::secret())).await?;
    show(&app, &caller, StatusCode::OK, None, Vec::new()).await
}

/// `POST /me/factor/confirm`.
pub(super) async fn confirm_factor(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let account = own(&app, &caller).await?;
    if account.totp_secret.is_empty() || account.has_totp {
        return wrong(&app, &caller, caller.language.say("me-factor-unasked")).await;
    }
    if let Some(why) = is_known(&app, &caller, &account, &filled.current).await? {
        return wrong(&app, &caller, why).await;
    }
    let code: String = filled.code.chars().take(64).collect();
    let secret = app.vault.unseal(account.person.id, &account.totp_secret)?;
    let Some(step) = totp::step_of(&secret, &code, now() / 1_000_000, 0) else {
        return wrong(&app, &caller, caller.language.say("me-factor-wrong")).await;
    };
    let codes = totp::recovery_codes();
    let hashes: Vec<String> = codes.iter().map(|code| stored(&totp::plain(code))).collect();
    app.audit.add(caller.event(Deed::FactorAdded)).await?;
    app.db.confirm_totp(account.person.id, step, &hashes).await?;
    app.db.end_sessions(account.person.id, caller.session).await?;
    show(&app, &caller, StatusCode::OK, Some(caller.language.say("me-factor-done")), codes).await
}

/// `POST /me/factor/remove`.
pub(super) async fn remove_factor(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let account = own(&app, &caller).await?;
    // A factor that is only being set up protects nothing yet.
    if account.has_totp
        && let Some(why) = is_known(&app, &caller, &account, &filled.current).await?
    {
        return wrong(&app, &caller, why).await;
    }
    app.audit.add(caller.event(Deed::FactorRemoved)).await?;
    app.db.set_totp(account.person.id, "").await?;
    done(&app, &caller, "me-factor-removed").await
}

/// `POST /me/sessions/end`: one of them, or all others.
pub(super) async fn end_sessions(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let person = own(&app, &caller).await?.person.id;
    app.audit.add(caller.event(Deed::SessionsEnded)).await?;
    match filled.session.parse() {
        Ok(session) => drop(app.db.end_session(person, session).await?),
        Err(_) => drop(app.db.end_sessions(person, caller.session).await?),
    }
    done(&app, &caller, "me-ended").await
}
