//! Style sheet and scripts: in the program itself, named by their hash, so that browsers keep them and never an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::http::HttpError;
use crate::language::Language;

const ASSETS: [(&str, &str, &str); 14] = [
    ("pages.css", "text/css; charset=utf-8", include_str!("../../assets/pages.css")),
    ("viewer.css", "text/css; charset=utf-8", include_str!("../../assets/viewer.css")),
    ("monitoring.css", "text/css; charset=utf-8", include_str!("../../assets/monitoring.css")),
    ("common.js", "text/javascript; charset=utf-8", include_str!("../../assets/common.js")),
    ("worklist.js", "text/javascript; charset=utf-8", include_str!("../../assets/worklist.js")),
    ("film.js", "text/javascript; charset=utf-8", include_str!("../../assets/film.js")),
    ("stage.js", "text/javascript; charset=utf-8", include_str!("../../assets/stage.js")),
    ("labeling.js", "text/javascript; charset=utf-8", include_str!("../../assets/labeling.js")),
    ("viewer.js", "text/javascript; charset=utf-8", include_str!("../../assets/viewer.js")),
    ("reading.js", "text/javascript; charset=utf-8", include_str!("../../assets/reading.js")),
    ("trial.js", "text/javascript; charset=utf-8", include_str!("../../assets/trial.js")),
    ("collections.css", "text/css; charset=utf-8", include_str!("../../assets/collections.css")),
    ("withheld.js", "text/javascript; charset=utf-8", include_str!("../../assets/withheld.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

/// What all assets are asked for with: changes with any of them.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let messages = Language::all().map(Language::script);
    let all: String = ASSETS.iter().map(|(_, _, text)| (*text).to_owned()).chain(messages).collect();
    coxa_files::sha256(all.as_bytes())[..12].to_owned()
});

/// `GET /assets/{name}`: a file, or the messages of the scripts in a language (`messages-TAG.js`).
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, HttpError> {
    let messages = || {
        let tag = name.strip_prefix("messages-")?.strip_suffix(".js")?;
        Some(("text/javascript; charset=utf-8", Language::of_tag(tag)?.script()))
    };
    let file = ASSETS.iter().find(|(known, _, _)| *known == name).map(|(_, media, text)| (*media, (*text).to_owned()));
    let (media, text) = file.or_else(messages).ok_or_else(HttpError::not_found)?;
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    Ok(response)
}
