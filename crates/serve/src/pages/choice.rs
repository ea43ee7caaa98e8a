//! The choice of the pages' language: kept by the browser, and in the account of whoever is signed in.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::signin::is_own;
use super::{PageError, home};
use crate::http::{Caller, Shared};
use crate::language::{Language, set_cookie};

/// What the form holds.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    /// A language tag; empty where the browser is to decide.
    language: String,
    /// The page that the form is on.
    back: String,
}

/// `POST /language`.
pub(super) async fn choose(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let chosen = Language::of_tag(&filled.language);
    if chosen.is_none() && !filled.language.is_empty() {
        return Err(PageError::Bad("error-language"));
    }
    if let Some(person) = caller.asker.person() {
        app.db.set_language(person.id, chosen.map_or("", Language::tag)).await?;
    }
    let back = if is_own(&filled.back) { filled.back.as_str() } else { home(&caller.asker) };
    let back = HeaderValue::from_str(back).unwrap_or(HeaderValue::from_static("/"));
    let cookie = set_cookie(chosen, app.config.transport());
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, back), (header::SET_COOKIE, cookie)]).into_response())
}
