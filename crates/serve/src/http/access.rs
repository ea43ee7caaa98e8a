//! The gate of every route: who asks, whether the route's rule lets them, and whether a form is one of ours.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::caller::{Caller, Remote};
use super::error::{HttpError, in_words_of};
use super::record::record;
use super::routes::Rules;
use crate::audit::Deed;
use crate::db::{SEEN, now};
use crate::language::Language;
use crate::people::session::{Stage, form_token, secret_of, stored};
use crate::people::{Action, Asker, Place, Subject, may, same};

/// The longest form: a note of 4,000 characters, each of four bytes and percent-encoded, and what is beside it.
const LONGEST_FORM: usize = 96 * 1024;
/// The longest form with a file: 50,000 labels by UID.
const LONGEST_UPLOAD: usize = 5 << 20;

/// What the gate needs.
pub(super) struct Guard {
    pub(super) app: Arc<App>,
    pub(super) rules: Rules,
}

/// Lets a request through whose rule allows it.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let found = guard.rules.iter().find(|((known, verb), _)| *known == path && *verb == method.as_str());
    let Some(action) = found.map(|(_, action)| *action) else {
        let refused = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not take this method");
        let taken = guard.rules.keys().filter(|(known, _)| *known == path).map(|(_, verb)| verb.as_str());
        let taken = taken.map(|verb| if verb == "GET" { "GET, HEAD" } else { verb }).collect::<Vec<_>>().join(", ");
        let mut answer = in_words_of(&path, refused.into_response()).await;
        answer.headers_mut().insert(header::ALLOW, taken.parse().unwrap_or(HeaderValue::from_static("GET")));
        return answer;
    };
    let answer = match is_whole(&request) {
        Ok(()) => admit(&guard.app, action, &path, request).await,
        Err(error) => Err(error.into_response()),
    };
    let answer = match answer {
        Ok(request) => next.run(request).await,
        Err(answer) => answer,
    };
    in_words_of(&path, answer).await
}

/// No text that is looked for has a NUL, which a database takes as an end or not at all.
fn is_whole(request: &Request) -> Result<(), HttpError> {
    let text = request.uri().path_and_query().map_or("", |text| text.as_str());
    if text.contains("%00") { Err(HttpError::bad("the address holds a NUL")) } else { Ok(()) }
}

async fn admit(app: &App, action: Action, path: &str, request: Request) -> Result<Request, Response> {
    let (mut head, mut body) = request.into_parts();
    let caller = caller(app, action, &head).await.map_err(IntoResponse::into_response)?;
    if caller.asker == Asker::Local {
        from_this_machine(&head).map_err(IntoResponse::into_response)?;
    }
    if !may(&caller.asker, action, Subject::Any) {
        return Err(refuse(app, &caller, path, &head).await);
    }
    let is_unsafe = !matches!(head.method, Method::GET | Method::HEAD);
    if is_unsafe && (caller.session != 0 || matches!(action, Action::SignIn | Action::Join | Action::Language)) {
        from_our_page(app, &head).map_err(IntoResponse::into_response)?;
    }
    if is_unsafe && caller.session != 0 && action != Action::SignIn {
        body = with_our_token(&head, body, &caller.form_token).await.map_err(IntoResponse::into_response)?;
    }
    record(app, &caller, action, path, &mut head).await.map_err(IntoResponse::into_response)?;
    head.extensions.insert(caller);
    Ok(Request::from_parts(head, body))
}

/// Who asks.
async fn caller(app: &App, action: Action, request: &Parts) -> Result<Caller, HttpError> {
    let remote = request.extensions.get::<Remote>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |remote| remote.0);
    let place = place(request, remote);
    let language = |set: &str| Language::of_request(&request.headers, app.config.transport(), set);
    let mut caller = Caller {
        asker: Asker::Nobody,
        place,
        address: remote,
        form_token: String::new(),
        session: 0,
        language: language(""),
        page: page(request),
    };
    if action == Action::Open {
        return Ok(caller);
    }
    if let Some(token) = bearer(request) {
        if let Some((name, scope)) = app.db.token(token).await? {
            caller.asker = Asker::Token { name, scope };
        }
        return Ok(caller);
    }
    if let Some(secret) = secret_of(&request.headers, app.config.transport()) {
        let (idle, oldest) = app.config.people.ends(now());
        if let Some(session) = app.db.session(&stored(secret), idle, oldest).await? {
            // A list that renews itself is nobody's doing.
            if now() - session.seen_at > SEEN && !request.headers.contains_key("x-coxa-renewal") {
                app.db.saw_session(session.id).await?;
            }
            caller.form_token = form_token(secret);
            caller.session = session.id;
            caller.language = language(&session.language);
            caller.asker = match session.stage {
                Stage::Full => Asker::Person(session.person),
                stage @ (Stage::Code | Stage::Change) => Asker::Unfinished(session.person, stage),
            };
            return Ok(caller);
        }
    }
    // What anybody may is no matter of this machine: behind a proxy, the sign-in is asked for by another name.
    let is_interface = may(&Asker::Local, action, Subject::Any) && !may(&Asker::Nobody, action, Subject::Any);
    let is_loopback = app.config.http.ip().is_loopback() && remote.is_loopback();
    if is_interface && is_loopback && !app.config.wants_tokens() && !is_forwarded(&request.headers) {
        caller.asker = Asker::Local;
    }
    Ok(caller)
}

fn page(request: &Parts) -> String {
    let path = request.uri.path_and_query().filter(|_| request.method == Method::GET);
    path.map(ToString::to_string).unwrap_or_default()
}

/// A request from this machine comes over loopback, by a name of loopback, and through no proxy.
fn place(request: &Parts, remote: IpAddr) -> Place {
    let is_named = host(request).is_some_and(is_loopback);
    if remote.is_loopback() && is_named && !is_forwarded(&request.headers) {
        Place::Here
    } else {
        Place::Elsewhere(remote)
    }
}

/// Whether a proxy says that it passed a request on: whoever sent it is not on this machine, whatever host it names.
fn is_forwarded(headers: &HeaderMap) -> bool {
    const HEADERS: [&str; 6] =
        ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
    HEADERS.iter().any(|name| headers.contains_key(*name))
}

fn bearer(request: &Parts) -> Option<&str> {
    request.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// The answer to somebody who may not: a page leads to the sign-in, everything else says what is missing.
async fn refuse(app: &App, caller: &Caller, path: &str, request: &Parts) -> Response {
    let is_interface = ["/api/", "/dicom-web", "/fhir/"].iter().any(|start| path.starts_with(start));
    let is_page = !is_interface && wants_page(&request.headers);
    let is_get = request.method == Method::GET;
    match &caller.asker {
        Asker::Nobody if is_page && is_get => lead(&format!("/signin?next={}", encoded(&request.uri))),
        Asker::Unfinished(..) if is_page && is_get => lead("/signin"),
        Asker::Nobody | Asker::Unfinished(..) if is_page => crate::pages::signed_out(caller),
        Asker::Nobody | Asker::Unfinished(..) if !is_interface => {
            HttpError::new(StatusCode::UNAUTHORIZED, "nobody is signed in").into_response()
        }
        Asker::Nobody | Asker::Unfinished(..) => {
            let mut answer = unauthorized().into_response();
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        }
        Asker::Local | Asker::Token { .. } | Asker::Person(_) => {
            let event = caller.event(Deed::Refused).failed().with("method", &request.method).with("path", path);
            if let Err(error) = app.audit.add(event).await {
                return HttpError::from(error).into_response();
            }
            if is_page && caller.asker.person().is_some() {
                return crate::pages::refused(caller);
            }
            HttpError::new(StatusCode::FORBIDDEN, "this is not allowed with this token or role").into_response()
        }
    }
}

fn lead(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/signin"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}

/// Whether a browser opens a page, and no script or picture is being fetched for one.
fn wants_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text("sec-fetch-mode") {
        "" => text("accept").contains("text/html") && !headers.contains_key("x-coxa-renewal"),
        mode => mode == "navigate",
    }
}

/// An address as the value of a parameter.
fn encoded(uri: &Uri) -> String {
    let text = uri.path_and_query().map_or("/", |text| text.as_str());
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => all.push(char::from(byte)),
            _ => all += &format!("%{byte:02X}"),
        }
        all
    })
}

fn unauthorized() -> HttpError {
    HttpError::new(StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer …; coxa token create makes one")
}

/// A page of another site can make a browser on this machine call us, by a name that it lets point here: the names in the request give
/// that away.
fn from_this_machine(request: &Parts) -> Result<(), HttpError> {
    if host(request).is_some_and(is_loopback) && origin(request).is_none_or(is_loopback) {
        return Ok(());
    }
    Err(HttpError::new(StatusCode::FORBIDDEN, "without tokens, only localhost may be named"))
}

/// A form of ours is sent by a page of ours: browsers say where a request was made, by `Sec-Fetch-Site` or `Origin` or both.
fn from_our_page(app: &App, request: &Parts) -> Result<(), HttpError> {
    let site = request.headers.get("sec-fetch-site").map(|site| site == "same-origin");
    let public = app.config.people.address.as_deref().map(|address| without_scheme(address).trim_end_matches('/'));
    let origin = request
        .headers
        .contains_key(header::ORIGIN)
        .then(|| origin(request).is_some_and(|origin| Some(origin) == host(request) || Some(origin) == public));
    let has_come = match (site, origin) {
        (Some(site), Some(origin)) => site && origin,
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => false,
    };
    if has_come {
        return Ok(());
    }
    Err(HttpError::new(StatusCode::FORBIDDEN, "this form was not sent by a page of this node"))
}

/// The body again, where the request carries the token of its session: in a header, or in the form.
async fn with_our_token(request: &Parts, body: Body, token: &str) -> Result<Body, HttpError> {
    let missing = || {
        HttpError::new(
            StatusCode::FORBIDDEN,
            "the form does not belong to this session: load the page again and repeat",
        )
    };
    if let Some(sent) = request.headers.get("x-coxa-form") {
        return if same(sent.as_bytes(), token.as_bytes()) { Ok(body) } else { Err(missing()) };
    }
    let has_file = request
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"multipart/form-data"));
    let bytes = axum::body::to_bytes(body, if has_file { LONGEST_UPLOAD } else { LONGEST_FORM }).await;
    let bytes = bytes.map_err(|_| HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long"))?;
    if has_file {
        return if leads_with(&bytes, token) { Ok(Body::from(bytes)) } else { Err(missing()) };
    }
    let expected = format!("form={token}");
    if !bytes.split(|byte| *byte == b'&').any(|pair| same(pair, expected.as_bytes())) {
        return Err(missing());
    }
    Ok(Body::from(bytes))
}

/// Whether the first part of a form with a file is the token (RFC 7578).
fn leads_with(bytes: &[u8], token: &str) -> bool {
    const FIELD: &[u8] = b"\r\nContent-Disposition: form-data; name=\"form\"\r\n\r\n";
    // A boundary has 70 characters at most (RFC 2046).
    let Some(line) = bytes.iter().take(80).position(|byte| *byte == b'\r') else { return false };
    let Some(value) = bytes[line..].strip_prefix(FIELD) else { return false };
    bytes.starts_with(b"--")
        && value.len() > token.len()
        && same(&value[..token.len()], token.as_bytes())
        && value[token.len()] == b'\r'
}

/// The host that a request names, with its port.
fn host(request: &Parts) -> Option<&str> {
    let named = request.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    named.or_else(|| request.uri.authority().map(|authority| authority.as_str()))
}

/// The host of the page that sent the request.
fn origin(request: &Parts) -> Option<&str> {
    request.headers.get(header::ORIGIN).map(|value| without_scheme(value.to_str().unwrap_or("null")))
}

fn without_scheme(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for name in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "LOCALHOST"] {
            assert!(is_loopback(name), "{name}");
        }
        for name in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.0.0.1", "null", ""] {
            assert!(!is_loopback(name), "{name}");
        }
    }

    #[test]
    fn whoever_comes_through_a_proxy_is_not_here() {
        let at = |host: &str, header: &str| {
            let request = Request::builder().uri("/").header("host", host).header(header, "x").body(Body::empty());
            place(&request.unwrap().into_parts().0, IpAddr::V4(Ipv4Addr::LOCALHOST))
        };
        assert_eq!(at("127.0.0.1:8080", "accept"), Place::Here);
        assert!(matches!(at("127.0.0.1:8080", "x-forwarded-for"), Place::Elsewhere(_)));
        assert!(matches!(at("coxa.example", "accept"), Place::Elsewhere(_)));
    }

    #[test]
    fn a_form_with_a_file_leads_with_its_token() {
        let body = |name: &str, token: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{token}\r\n--b\r\n")
        };
        assert!(leads_with(body("form", "secret").as_bytes(), "secret"));
        for wrong in
            [body("form", "secre"), body("form", "secret2"), body("file", "secret"), String::new(), "--b".into()]
        {
            assert!(!leads_with(wrong.as_bytes(), "secret"), "{wrong}");
        }
    }

    #[test]
    fn an_address_becomes_a_parameter() {
        let uri: Uri = "/films/3?q=a&date=all".parse().unwrap();
        assert_eq!(encoded(&uri), "/films/3%3Fq%3Da%26date%3Dall");
    }
}
