//! The pixels of a labeling's films, and the other films of their patients.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

use super::PageError;
use super::film::{answer, heat_map, open_file};
use super::labeling_seat::{Seat, seated};
use super::state::Desk;
use crate::db::{FilmQuery, LabelingFilm};
use crate::http::{App, Caller, HttpError, Shared};
use crate::labeling::Task;

/// Earlier films of the patient that are shown.
const EARLIER: usize = 4;

/// Another film of the patient.
pub(super) struct Earlier {
    pub(super) number: usize,
    /// Days before the film; `None` where they are not known.
    pub(super) days: Option<i64>,
}

/// Earlier films of the patient, the latest first, each with the hash of its file: of received films those of an earlier day, of imported
/// ones the others of the patient in the labeling.
pub(super) async fn earlier(app: &App, seat: &Seat, film: &LabelingFilm) -> Result<Vec<(Earlier, String)>, PageError> {
    let mut found: Vec<(Option<i64>, String)> = Vec::new();
    if film.item.film == 0 {
        if !film.item.patient.is_empty() {
            let films = app.db.labeling_films(seat.labeling.id).await?.into_iter();
            let others = films.filter(|other| other.id != film.id && other.item.patient == film.item.patient);
            found.extend(others.map(|other| (None, other.item.sha256)));
        }
    } else if let Some(received) = app.db.film(film.item.film).await? {
        let attributes = &received.attributes;
        let query = FilmQuery { patient_id: attributes.patient_id.clone(), limit: 200, ..FilmQuery::default() };
        let all = if attributes.patient_id.is_empty() { Vec::new() } else { app.db.films(&query).await? };
        for other in all.into_iter().filter(|other| other.kind == "film" && other.id != received.id) {
            let days = days_between(&other.attributes.study_date, &attributes.study_date);
            found.extend(days.filter(|days| *days > 0).map(|days| (Some(days), other.attributes.sha256)));
        }
        found.sort();
    }
    let numbered = found.into_iter().take(EARLIER).enumerate();
    Ok(numbered.map(|(number, (days, hash))| (Earlier { number, days }, hash)).collect())
}

fn days_between(earlier: &str, later: &str) -> Option<i64> {
    let day = |text: &str| jiff::civil::Date::strptime("%Y%m%d", text.trim()).ok();
    Some(i64::from(day(earlier)?.until(day(later)?).ok()?.get_days()))
}

async fn pixels(app: &App, caller: &Caller, labeling: &str, film: &str) -> Result<(Seat, LabelingFilm), HttpError> {
    let (seat, _, film) = seated(app, caller, labeling, film).await.map_err(|_| HttpError::not_found())?;
    Ok((seat, film))
}

/// `GET /labeling/{id}/films/{film}/preview`, as a film's.
pub(super) async fn preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (_, film) = pixels(&app, &caller, &labeling, &film).await?;
    let opened = open_file(&app, &desk, &film.item.sha256, caller.language).await?;
    Ok(answer("image/png", opened.preview.clone()))
}

/// `GET /labeling/{id}/films/{film}/values`, as a film's.
pub(super) async fn values(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (_, film) = pixels(&app, &caller, &labeling, &film).await?;
    let opened = open_file(&app, &desk, &film.item.sha256, caller.language).await?;
    Ok(answer("application/octet-stream", opened.values.clone()))
}

/// `GET /labeling/{id}/films/{film}/heat`, as a film's; 404 where films are labeled.
pub(super) async fn heat(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (seat, film) = pixels(&app, &caller, &labeling, &film).await?;
    if seat.task == Task::Labels {
        return Err(HttpError::not_found());
    }
    heat_map(&app, &desk, &film.item.prediction, &film.item.sha256, caller.language).await
}

/// `GET /labeling/{id}/films/{film}/earlier/{earlier}`: the picture of an earlier film of the patient.
pub(super) async fn earlier_preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film, number)): Path<(String, String, String)>,
) -> Result<Response, HttpError> {
    let (seat, film) = pixels(&app, &caller, &labeling, &film).await?;
    let all = if seat.task == Task::Labels { earlier(&app, &seat, &film).await } else { Ok(Vec::new()) };
    let all = all.map_err(|_| HttpError::not_found())?;
    let number: usize = number.parse().map_err(|_| HttpError::not_found())?;
    let (_, hash) = all.into_iter().nth(number).ok_or_else(HttpError::not_found)?;
    Ok(answer("image/png", open_file(&app, &desk, &hash, caller.language).await?.preview.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_back() {
        assert_eq!(days_between("20260101", "20260301"), Some(59));
        assert_eq!(days_between("", "20260301"), None);
    }
}
