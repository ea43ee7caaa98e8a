//! What programs see and store goes into the audit log here, before the handler: no route of the interfaces can forget it.

use axum::RequestPartsExt as _;
use axum::extract::RawPathParams;
use axum::http::request::Parts;

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use crate::audit::{Deed, Event};
use crate::db::FilmQuery;
use crate::people::Action;

/// Objects of one request that are recorded each by itself.
const MOST: i64 = 1000;

/// Records a request of the interfaces; the pages record what they show themselves.
pub(super) async fn record(
    app: &App,
    caller: &Caller,
    action: Action,
    path: &str,
    request: &mut Parts,
) -> Result<(), HttpError> {
    let events = match action {
        Action::Objects if is_search(path) => vec![caller.event(Deed::ObjectsSearched).with("path", path)],
        Action::Objects => retrieved(app, caller, path, request).await?,
        Action::StoreObjects => vec![caller.event(Deed::ObjectsStored)],
        Action::Results => results(app, caller, path, request).await?,
        Action::Resend => vec![caller.event(Deed::Resent).with("what", "all")],
        _ => return Ok(()),
    };
    Ok(app.audit.add_all(events).await?)
}

fn is_search(path: &str) -> bool {
    ["/studies", "/series", "/instances"].iter().any(|end| path.ends_with(end))
}

async fn parameter(request: &mut Parts, name: &str) -> Option<String> {
    let parameters = request.extract::<RawPathParams>().await.ok()?;
    parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// An entry for each object; one that failed where there is none.
async fn retrieved(app: &App, caller: &Caller, path: &str, request: &mut Parts) -> Result<Vec<Event>, HttpError> {
    let query = FilmQuery {
        study_uid: parameter(request, "study").await.into_iter().collect(),
        series_uid: parameter(request, "series").await.into_iter().collect(),
        sop_instance_uid: parameter(request, "instance").await.into_iter().collect(),
        limit: MOST,
        ..FilmQuery::default()
    };
    let event = || caller.event(Deed::ObjectsRetrieved).with("path", path);
    let films = app.db.films(&query).await?;
    if films.is_empty() {
        return Ok(vec![event().failed()]);
    }
    Ok(films.iter().map(|film| event().on(film.id)).collect())
}

async fn results(app: &App, caller: &Caller, path: &str, request: &mut Parts) -> Result<Vec<Event>, HttpError> {
    if path == "/fhir/metadata" {
        return Ok(Vec::new());
    }
    let mut event = caller.event(Deed::ResultsRead).with("path", path);
    if let Some(instance) = parameter(request, "instance").await {
        event = match app.db.film_by_uid(&instance).await? {
            Some(film) => event.on(film.id),
            None => event.failed(),
        };
    } else if let Some(id) = parameter(request, "id").await {
        event = match id.parse() {
            Ok(film) => event.on(film),
            Err(_) => event.failed(),
        };
    } else if let Some(since) = request.uri.query().and_then(|query| query.split("since=").nth(1)) {
        event = event.with("since", since.chars().take(40).filter(char::is_ascii_graphic).collect::<String>());
    }
    Ok(vec![event])
}
