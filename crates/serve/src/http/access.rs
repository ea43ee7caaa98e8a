//! Who may use the interfaces: a token, except on loopback where none is required.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::app::App;
use super::error::HttpError;
use crate::db::Scope;

/// Lets a request through whose token allows it.
pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Result<Response, HttpError> {
    let needed =
        if request.method() == Method::GET || request.method() == Method::HEAD { Scope::Read } else { Scope::Admin };
    if app.config.require_token || !app.config.http.ip().is_loopback() {
        let token = bearer(&request).ok_or_else(unauthorized)?;
        let (_, scope) = app.db.token(token).await?.ok_or_else(unauthorized)?;
        if scope < needed {
            return Err(HttpError::new(StatusCode::FORBIDDEN, "this wants a token of scope admin"));
        }
    } else {
        from_this_machine(&request)?;
    }
    Ok(next.run(request).await)
}

fn bearer(request: &Request) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

fn unauthorized() -> HttpError {
    HttpError::new(StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer …; coxa token create makes one")
}

/// A page of another site can make a browser on this machine call us, by a name that it lets point here: the names in the request give
/// that away.
fn from_this_machine(request: &Request) -> Result<(), HttpError> {
    let named = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = named(header::HOST).or_else(|| request.uri().host());
    let origin = named(header::ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if host.is_some_and(is_loopback) && origin.is_none_or(is_loopback) {
        return Ok(());
    }
    Err(HttpError::new(StatusCode::FORBIDDEN, "without tokens, only localhost may be named"))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn names_of_this_machine() {
        for name in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "LOCALHOST"] {
            assert!(is_loopback(name), "{name}");
        }
        for name in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.0.0.1", "null", ""] {
            assert!(!is_loopback(name), "{name}");
        }
    }
}
