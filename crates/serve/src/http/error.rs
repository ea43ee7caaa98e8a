//! Errors of the web interfaces: one line for whoever asked, without what is inside.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::audit::AuditError;
use crate::db::DbError;
use crate::store::StoreError;

/// An error with the status that says whose it is.
#[derive(Debug)]
pub struct HttpError {
    status: StatusCode,
    message: String,
}

impl HttpError {
    /// An error of whoever asked, or of the node's state.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 400.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404, the same for what is not there and what may not be seen.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such object")
    }

    /// 406.
    pub fn not_acceptable(offered: &str) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, format!("this is given as {offered}"))
    }
}

impl From<DbError> for HttpError {
    fn from(error: DbError) -> Self {
        tracing::error!("{error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")
    }
}

impl From<AuditError> for HttpError {
    fn from(error: AuditError) -> Self {
        // The log has written why.
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> Self {
        tracing::error!("{error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the object cannot be read from where it is kept")
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let mut message = self.message;
        message.push('\n');
        (
            self.status,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")],
            message,
        )
            .into_response()
    }
}

/// What no route leads to.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    in_words_of(uri.path(), HttpError::new(StatusCode::NOT_FOUND, "there is nothing here").into_response()).await
}

/// An error as the interface of a path has its errors: JSON under `/api/`, an OperationOutcome under `/fhir/`, a line of text elsewhere.
pub(super) async fn in_words_of(path: &str, response: Response) -> Response {
    let (is_api, is_fhir) = (path.starts_with("/api/"), path.starts_with("/fhir/"));
    let status = response.status();
    if !(is_api || is_fhir) || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // Lines of ours and of the framework are short.
    let bytes = axum::body::to_bytes(body, 4096).await.unwrap_or_default();
    let message = String::from_utf8_lossy(&bytes).trim().to_owned();
    let (media, body) = if is_api {
        ("application/json", json!({ "error": message }))
    } else {
        let code = match status {
            StatusCode::NOT_FOUND => "not-found",
            StatusCode::UNAUTHORIZED => "login",
            StatusCode::FORBIDDEN => "forbidden",
            status if status.is_server_error() => "transient",
            _ => "invalid",
        };
        let issue = json!({ "severity": "error", "code": code, "diagnostics": message });
        ("application/fhir+json; fhirVersion=5.0", json!({ "resourceType": "OperationOutcome", "issue": [issue] }))
    };
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, body.to_string().into())
}
