//! Errors of the web interfaces: one line for whoever asked, without what is inside.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

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
pub(super) async fn nothing_here(_: Uri) -> HttpError {
    HttpError::new(StatusCode::NOT_FOUND, "there is nothing here")
}
