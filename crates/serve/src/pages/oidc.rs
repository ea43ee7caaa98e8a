//! Sign-in through the identity provider: the way there, the way back, and the provider's word that somebody has signed out.
//!
//! What a sign-in needs when it comes back lies in the database for ten minutes, under the hash of its state and of a cookie of the
//! browser that began it; it is taken once. An account is known by issuer and subject alone, never by a name or a mail address.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::PageError;
use super::signin::{Next, Through, begin, form, lead, own};
use crate::audit::Deed;
use crate::config::Oidc;
use crate::db::{Account, Flow, NewFlow, NewLinked, now};
use crate::http::{App, Caller, Shared};
use crate::people::oidc::{Identity, Provider};
use crate::people::session::{Stage, Transport, stored};
use crate::people::{Place, account};

/// A sign-in may be away for so long, microseconds.
const AWAY: i64 = 600_000_000;
/// Where the provider leads browsers back to.
const BACK: &str = "/signin/oidc/callback";
/// The longest code or state that is taken.
const LONGEST: usize = 4096;

// Messages.
const EXPIRED: &str = "signin-provider-expired";
const FAILED: &str = "signin-provider-failed";
const NO_ROLE: &str = "signin-provider-no-role";
const DISABLED: &str = "signin-provider-disabled";
const OFTEN: &str = "signin-provider-often";

/// The provider that is configured, where there is one.
fn configured(app: &App) -> Result<&Oidc, PageError> {
    app.config.oidc.as_ref().ok_or(PageError::NotFound)
}

/// The address that the provider leads back to: the configured one, or by a name of this machine.
fn back(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<String, PageError> {
    if let Some(address) = &app.config.people.address {
        return Ok(format!("{}{BACK}", address.trim_end_matches('/')));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (caller.place, host) {
        (Place::Here, Some(host)) => Ok(format!("http://{host}{BACK}")),
        _ => Err(PageError::Bad("signin-provider-address")),
    }
}

fn cookie_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Encrypted => "__Host-coxa-oidc",
        Transport::Loopback => "coxa-oidc",
    }
}

/// The header that sets the cookie of a sign-in; with an empty secret, the one that removes it.
fn set_cookie(secret: &str, transport: Transport) -> HeaderValue {
    let secure = if transport == Transport::Encrypted { "; Secure" } else { "" };
    let age = if secret.is_empty() { 0 } else { AWAY / 1_000_000 };
    let name = cookie_name(transport);
    let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    // All of it is ASCII of ours.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

fn browser(headers: &HeaderMap, transport: Transport) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie_name(transport)).map(|(_, secret)| secret)
}

/// `GET /signin/oidc`: leads to the provider.
pub(super) async fn go(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Extension(provider): Extension<Arc<Provider>>,
    headers: HeaderMap,
    Query(Next { next }): Query<Next>,
) -> Result<Response, PageError> {
    let oidc = configured(&app)?;
    let begun = match provider.begin(oidc, &back(&app, &caller, &headers)?).await {
        Ok(begun) => begun,
        Err(failure) => {
            tracing::warn!("a sign-in could not begin: {failure}");
            return form(&app, &caller, StatusCode::SERVICE_UNAVAILABLE, FAILED);
        }
    };
    let secret = crate::secret();
    let flow = Flow { nonce: begun.nonce, verifier: begun.verifier, next: own(&next).to_owned() };
    let new = NewFlow { state: stored(&begun.state), browser: stored(&secret), flow };
    app.db.begin_flow(&new, now() - AWAY).await?;
    let mut response = lead(&begun.address);
    response.headers_mut().insert(header::SET_COOKIE, set_cookie(&secret, app.config.transport()));
    Ok(response)
}

/// What a browser comes back with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Returned {
    code: String,
    state: String,
    error: String,
    iss: Option<String>,
}

/// `GET /signin/oidc/callback`: the way back.
pub(super) async fn come(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Extension(provider): Extension<Arc<Provider>>,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Result<Response, PageError> {
    let oidc = configured(&app)?;
    let transport = app.config.transport();
    let flow = match browser(&headers, transport) {
        Some(secret) if returned.state.len() <= LONGEST && returned.code.len() <= LONGEST => {
            app.db.take_flow(&stored(&returned.state), &stored(secret), now() - AWAY).await?
        }
        _ => None,
    };
    let Some(flow) = flow else { return form(&app, &caller, StatusCode::BAD_REQUEST, EXPIRED) };
    let mut response = match identify(&app, &caller, oidc, &provider, &headers, returned, &flow).await? {
        Ok(account) => {
            let stage = if account.has_totp { Stage::Code } else { Stage::Full };
            begin(&app, &caller, &account, (stage, Through::Provider), &flow.next, &headers).await?
        }
        Err((status, words)) => form(&app, &caller, status, words)?,
    };
    response.headers_mut().append(header::SET_COOKIE, set_cookie("", transport));
    Ok(response)
}

/// A refusal: its status and its words for the person.
type Refusal = (StatusCode, &'static str);

/// The account of whoever came back.
async fn identify(
    app: &App,
    caller: &Caller,
    oidc: &Oidc,
    provider: &Provider,
    headers: &HeaderMap,
    returned: Returned,
    flow: &Flow,
) -> Result<Result<Account, Refusal>, PageError> {
    let refuse = async |why: &str, refusal: Refusal| {
        let event = caller.event(Deed::SignInFailed).failed().with("step", "identity provider").with("why", why);
        app.audit.add(event).await?;
        Ok(Err(refusal))
    };
    // Each browser has a count of its own beside that of its address.
    let key = format!("oidc {}", flow.verifier);
    if app.throttle.attempt(&key, caller.place).is_err() {
        return Ok(Err((StatusCode::TOO_MANY_REQUESTS, OFTEN)));
    }
    if !returned.error.is_empty() || returned.iss.is_some_and(|issuer| issuer != oidc.issuer) {
        return refuse("refused there", (StatusCode::UNAUTHORIZED, FAILED)).await;
    }
    let identity = match provider.finish(oidc, &back(app, caller, headers)?, returned.code, flow).await {
        Ok(identity) => identity,
        Err(failure) => {
            tracing::warn!("a sign-in came to nothing: {failure}");
            return refuse(failure.word(), (StatusCode::UNAUTHORIZED, FAILED)).await;
        }
    };
    let domain = identity.email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
    if !oidc.email_domains.is_empty() && !oidc.email_domains.iter().any(|allowed| allowed.to_lowercase() == domain) {
        return refuse("mail domain", (StatusCode::FORBIDDEN, NO_ROLE)).await;
    }
    let found = account_of(app, caller, oidc, &identity).await?;
    app.throttle.right(&key, caller.place);
    match found {
        Some(account) if account.is_disabled => refuse("disabled", (StatusCode::FORBIDDEN, DISABLED)).await,
        Some(account) if !account.person.roles.is_empty() => Ok(Ok(account)),
        _ => refuse("no role", (StatusCode::FORBIDDEN, NO_ROLE)).await,
    }
}

/// The account of an identity with the roles that it has now; a new one where there is none and a role for it; `None` where there is
/// neither. A disabled account is left as it is.
async fn account_of(app: &App, caller: &Caller, oidc: &Oidc, who: &Identity) -> Result<Option<Account>, PageError> {
    let roles = oidc.roles_of(who.groups.iter().map(String::as_str));
    let full_name = account::full_name(&who.full_name).unwrap_or_default();
    let linked = app.db.linked_account(&oidc.issuer, &who.subject).await?;
    if let Some(account) = linked {
        let person = &account.person;
        if account.is_disabled || person.roles == roles && person.full_name == full_name {
            return Ok(Some(account));
        }
        let event = caller.event(Deed::PersonChanged).with("name", &person.name).with("through", "identity provider");
        app.audit.add(event.with("roles_before", person.roles).with("roles", roles)).await?;
        app.db.renew_linked(person.id, &full_name, roles).await?;
        return Ok(app.db.account(person.id).await?);
    }
    if roles.is_empty() {
        return Ok(None);
    }
    for name in names(oidc, who) {
        if app.db.account_named(&name).await?.is_some() {
            continue;
        }
        let event = caller.event(Deed::PersonAdded).with("name", &name).with("through", "identity provider");
        app.audit.add(event.with("roles", roles)).await?;
        let (issuer, subject) = (oidc.issuer.clone(), who.subject.clone());
        let new = NewLinked { issuer, subject, name, full_name: full_name.clone(), roles };
        if let Some(id) = app.db.add_linked(&new).await? {
            return Ok(app.db.account(id).await?);
        }
        // Another request of the same person may have been first.
        if let Some(account) = app.db.linked_account(&oidc.issuer, &who.subject).await? {
            return Ok(Some(account));
        }
    }
    Err(PageError::Unavailable("signin-provider-no-name"))
}

/// Names for a new account: the one of the provider, and where somebody has it, one with a mark that follows from the identity.
fn names(oidc: &Oidc, who: &Identity) -> Vec<String> {
    let mark = &stored(&format!("{}\n{}", oidc.issuer, who.subject))[..12];
    let own = account::name(&who.name);
    let marked = own.as_deref().and_then(|own| account::name(&format!("{own}.{mark}")));
    own.into_iter().chain(marked).chain([format!("person.{mark}")]).collect()
}

/// What the provider sends when somebody has signed out there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Ended {
    logout_token: String,
}

/// `POST /signin/oidc/logout`: the provider ends a person's sessions (OpenID Connect Back-Channel Logout 1.0).
pub(super) async fn end(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Extension(provider): Extension<Arc<Provider>>,
    Form(Ended { logout_token }): Form<Ended>,
) -> Result<Response, PageError> {
    let oidc = configured(&app)?;
    let subject = match provider.ended(oidc, &logout_token).await {
        Ok(subject) => subject,
        Err(failure) => {
            tracing::warn!("a logout of the identity provider was refused: {failure}");
            return Ok(StatusCode::BAD_REQUEST.into_response());
        }
    };
    if let Some(account) = app.db.linked_account(&oidc.issuer, &subject).await? {
        let event = caller.event(Deed::SessionsEnded).with("name", &account.person.name);
        app.audit.add(event.with("through", "identity provider")).await?;
        app.db.end_sessions(account.person.id, 0).await?;
    }
    Ok(StatusCode::OK.into_response())
}
