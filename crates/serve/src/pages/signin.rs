//! Sign-in: name and password, then the second factor or a new password where one is missing; signing out.

use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::{Frame, PageError, home};
use crate::audit::{Deed, Event};
use crate::config::PasswordsFrom;
use crate::db::{Account, NewSession, now};
use crate::http::{App, Caller, Shared};
use crate::people::account::Weakness;
use crate::people::session::{Stage, set_cookie, stored};
use crate::people::{Asker, Place, account, totp};

/// The longest password that is checked.
const LONGEST: usize = 1024;
/// The longest address that a sign-in leads to.
const LONGEST_NEXT: usize = 2000;

/// Which step a page shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Password,
    Code,
    Change,
}

#[derive(Template)]
#[template(path = "signin.html")]
struct Page {
    frame: Frame,
    step: Step,
    name: String,
    next: String,
    wrong: String,
    /// The words of the link to the identity provider, and its address.
    provider: Option<(String, String)>,
}

/// Where a sign-in leads to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    pub(super) next: String,
}

/// What the forms hold.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    name: String,
    password: String,
    again: String,
    code: String,
    next: String,
}

/// Whether this is an address of this node and no other.
pub(super) fn is_own(next: &str) -> bool {
    next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= LONGEST_NEXT
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

/// An address that a sign-in may lead to; empty for anything else.
pub(super) fn own(next: &str) -> &str {
    if is_own(next) && !next.starts_with("/signin") { next } else { "" }
}

fn show(
    app: &App,
    step: Step,
    caller: &Caller,
    name: &str,
    next: &str,
    wrong: &str,
) -> Result<Html<String>, PageError> {
    let address = match step {
        Step::Password => "/signin",
        Step::Code => Stage::Code.page(),
        Step::Change => Stage::Change.page(),
    };
    let next = own(next).to_owned();
    let to = if next.is_empty() { String::new() } else { format!("?next={}", super::text::parameter(&next)) };
    let bare = Frame::bare("signin-title", caller.language);
    let frame = Frame { form: caller.form_token.clone(), page: format!("{address}{to}"), ..bare };
    let provider = app.config.oidc.as_ref().map(|oidc| (oidc.button.clone(), format!("/signin/oidc{to}")));
    let page = Page { frame, step, name: name.to_owned(), next, wrong: wrong.to_owned(), provider };
    Ok(Html(page.render().map_err(PageError::Template)?))
}

fn again(app: &App, step: Step, caller: &Caller, filled: &Filled, wrong: &str) -> Result<Response, PageError> {
    let wrong = caller.language.say(wrong).to_string();
    Ok((StatusCode::UNAUTHORIZED, show(app, step, caller, "", &filled.next, &wrong)?).into_response())
}

/// The sign-in form again, after a sign-in elsewhere that came to nothing.
#[cfg(feature = "oidc")]
pub(super) fn form(app: &App, caller: &Caller, status: StatusCode, wrong: &str) -> Result<Response, PageError> {
    let wrong = caller.language.say(wrong).to_string();
    Ok((status, show(app, Step::Password, caller, "", "", &wrong)?).into_response())
}

/// Somebody must wait.
fn wait(app: &App, step: Step, caller: &Caller, filled: &Filled, wait: Duration) -> Result<Response, PageError> {
    let seconds = wait.as_secs() + 1;
    let wrong = caller.language.say("signin-wait").with("seconds", seconds).to_string();
    let mut response =
        (StatusCode::TOO_MANY_REQUESTS, show(app, step, caller, "", &filled.next, &wrong)?).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

pub(super) fn lead(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// `GET /signin`.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, PageError> {
    match &caller.asker {
        Asker::Person(_) => Ok(lead(if own(&next).is_empty() { home(&caller.asker) } else { own(&next) })),
        Asker::Unfinished(_, stage) => Ok(lead(stage.page())),
        _ => Ok(show(&app, Step::Password, &caller, "", &next, "")?.into_response()),
    }
}

/// `POST /signin`.
pub(super) async fn enter(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let name = account::name(&filled.name).unwrap_or_default();
    if let Err(pause) = app.throttle.attempt(&name, caller.place) {
        return wait(&app, Step::Password, &caller, &filled, pause);
    }
    let found = app.db.account_named(&name).await?;
    let is_elsewhere = caller.place != Place::Here;
    let from_here_alone = app.config.oidc.as_ref().is_some_and(|oidc| oidc.passwords == PasswordsFrom::Loopback);
    let usable = |account: &Account| !account.is_disabled && !(is_elsewhere && (account.is_local || from_here_alone));
    let found = found.filter(usable);
    let is_known = found.is_some();
    let hash = found.as_ref().map(|account| account.password.as_str());
    let is_right = if filled.password.len() > LONGEST {
        false
    } else {
        app.passwords
            .verify(&filled.password, hash)
            .await
            .inspect_err(|_| app.throttle.unjudged(&name, caller.place))?
    };
    let Some(account) = found.filter(|_| is_right) else {
        // A name that is no account's may be a password that was typed into the wrong field.
        let known = if is_known { name.as_str() } else { "" };
        app.audit.add(caller.event(Deed::SignInFailed).failed().with("name", known)).await?;
        return again(&app, Step::Password, &caller, &filled, "signin-wrong");
    };
    let stage = match (account.has_totp, account.is_one_time) {
        (true, _) => Stage::Code,
        (false, true) => Stage::Change,
        (false, false) => Stage::Full,
    };
    begin(&app, &caller, &account, (stage, Through::of(&account)), &filled.next, &headers).await
}

/// By what somebody signs in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Through {
    Password,
    Provider,
    /// The personal link of a reader study.
    Link,
}

impl Through {
    /// What an account signs in by on this page: one without a password has come from the provider.
    fn of(account: &Account) -> Self {
        if account.password.is_empty() { Self::Provider } else { Self::Password }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Provider => "identity provider",
            Self::Link => "link",
        }
    }
}

/// Begins a session under a new secret; the one before ends.
pub(super) async fn begin(
    app: &App,
    caller: &Caller,
    account: &Account,
    (stage, through): (Stage, Through),
    next: &str,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let secret = crate::secret();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let session = NewSession {
        hash: stored(&secret),
        person: account.person.id,
        stage,
        address: caller.address.to_string(),
        agent: agent.chars().take(200).collect(),
    };
    let asker = Asker::Person(account.person.clone());
    if stage == Stage::Full {
        app.throttle.right(&account.person.name, caller.place);
        let event = Event::new(Deed::SignedIn, &asker).at(caller.address);
        app.audit.add(event.with("through", through.as_str())).await?;
        app.db.signed_in(account.person.id).await?;
    }
    if caller.session != 0
        && let Asker::Person(person) | Asker::Unfinished(person, _) = &caller.asker
    {
        app.db.end_session(person.id, caller.session).await?;
    }
    let (idle, oldest) = app.config.people.ends(now());
    app.db.begin_session(&session, idle, oldest).await?;
    let next = own(next);
    let to = match (stage, next) {
        (Stage::Full, "" | "/") => home(&asker).to_owned(),
        (Stage::Full, next) => next.to_owned(),
        (_, "") => stage.page().to_owned(),
        (_, next) => format!("{}?next={}", stage.page(), super::text::parameter(next)),
    };
    let mut response = lead(&to);
    response.headers_mut().insert(header::SET_COOKIE, set_cookie(&secret, app.config.transport()));
    Ok(response)
}

/// The account whose sign-in is not whole yet.
async fn unfinished(app: &App, caller: &Caller) -> Result<Account, PageError> {
    let Asker::Unfinished(person, _) = &caller.asker else { return Err(PageError::SignedOut) };
    app.db.account(person.id).await?.ok_or(PageError::SignedOut)
}

/// `GET /signin/code`.
pub(super) async fn code_page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, PageError> {
    Ok(show(&app, Step::Code, &caller, "", &next, "")?.into_response())
}

/// `POST /signin/code`: a code of the app, or a recovery code.
pub(super) async fn code(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let account = unfinished(&app, &caller).await?;
    let id = account.person.id;
    if let Err(pause) = app.throttle.attempt(&account.person.name, caller.place) {
        return wait(&app, Step::Code, &caller, &filled, pause);
    }
    let typed: String = filled.code.chars().take(64).collect();
    // Where the secret does not open, a recovery code still counts.
    let secret = app.vault.unseal(id, &account.totp_secret).inspect_err(|error| tracing::error!("{error}")).ok();
    let step = secret.and_then(|secret| totp::step_of(&secret, &typed, now() / 1_000_000, account.totp_step));
    let is_right = match step {
        Some(step) => app.db.use_totp(id, step).await?,
        None => app.db.use_recovery(id, &stored(&totp::plain(&typed))).await?,
    };
    if !is_right {
        app.audit.add(caller.event(Deed::SignInFailed).failed().with("step", "code")).await?;
        return again(&app, Step::Code, &caller, &filled, "signin-wrong-code");
    }
    let stage = if account.is_one_time { Stage::Change } else { Stage::Full };
    begin(&app, &caller, &account, (stage, Through::of(&account)), &filled.next, &headers).await
}

/// `GET /signin/password`.
pub(super) async fn password_page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, PageError> {
    Ok(show(&app, Step::Change, &caller, &caller_name(&caller), &next, "")?.into_response())
}

fn caller_name(caller: &Caller) -> String {
    match &caller.asker {
        Asker::Unfinished(person, _) => person.name.clone(),
        _ => String::new(),
    }
}

/// `POST /signin/password`: a password of the person's own in place of the one that was given.
pub(super) async fn password(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let account = unfinished(&app, &caller).await?;
    let id = account.person.id;
    let wrong = new_password(&app, &account, &filled.password, &filled.again).await?;
    if let Some(wrong) = wrong {
        let wrong = caller.language.say(wrong).to_string();
        let page = show(&app, Step::Change, &caller, &account.person.name, &filled.next, &wrong)?;
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    }
    app.audit.add(caller.event(Deed::PasswordChanged)).await?;
    app.db.set_password(id, &app.passwords.hash(&filled.password).await?, false).await?;
    app.db.end_sessions(id, caller.session).await?;
    begin(&app, &caller, &account, (Stage::Full, Through::of(&account)), &filled.next, &headers).await
}

/// The message why a new password is not taken; `None` where it is.
pub(super) async fn new_password(
    app: &App,
    account: &Account,
    password: &str,
    again: &str,
) -> Result<Option<&'static str>, PageError> {
    let weakness = account::weakness(password, &account.person.name).map(|weakness| match weakness {
        Weakness::Length => "signin-length",
        Weakness::Guessed => "signin-guessed",
    });
    if password.len() > LONGEST || weakness.is_some() {
        return Ok(weakness.or(Some("signin-too-long")));
    }
    if password != again {
        return Ok(Some("signin-differ"));
    }
    let is_old = app.passwords.verify(password, Some(&account.password)).await?;
    Ok(is_old.then_some("signin-old"))
}

/// `POST /signout`.
pub(super) async fn leave(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    if let Asker::Person(person) | Asker::Unfinished(person, _) = &caller.asker {
        app.audit.add(caller.event(Deed::SignedOut)).await?;
        app.db.end_session(person.id, caller.session).await?;
    }
    let mut response = lead("/signin");
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, set_cookie("", app.config.transport()));
    // Drafts of judgments that the browser keeps for this person.
    headers.insert("clear-site-data", HeaderValue::from_static("\"storage\""));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn a_sign_in_leads_nowhere_else() {
        for address in ["/", "/films/3?q=a%26b", "/audit"] {
            assert_eq!(own(address), address);
        }
        for address in [
            "",
            "//elsewhere.example",
            "/\\elsewhere.example",
            "https://elsewhere.example",
            "films",
            "/a\r\nb",
            "/signin?next=/",
            "/ü",
        ] {
            assert_eq!(own(address), "", "{address}");
        }
    }
}
