//! The pixels of a labeling's films, and the other films of their patients.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

use super::PageError;
use super::film::{Part, heat_map, part};
use super::labeling_seat::{Seat, seated};
use super::state::Desk;
use crate::audit::{Deed, Event, Sight};
use crate::db::{Film, FilmQuery, LabelingFilm};
use crate::http::{App, Caller, HttpError, Shared};
use crate::labeling::Task;

/// Earlier films of the patient that are shown.
const EARLIER: usize = 4;

/// Another film of the patient.
pub(super) struct Earlier {
    pub(super) number: usize,
    /// Days before the film; `None` where they are not known.
    pub(super) days: Option<i64>,
    /// What is recorded when it is seen: its own row, or that of an imported film in the labeling.
    sight: Sight,
    hash: String,
}

/// Earlier films of the patient, the latest first: of received films those of an earlier day, of imported ones the others of the patient in
/// the labeling.
pub(super) async fn earlier(app: &App, seat: &Seat, film: &LabelingFilm) -> Result<Vec<Earlier>, PageError> {
    if film.item.film != 0 {
        return match app.db.film(film.item.film).await? {
            Some(received) => earlier_films(app, &received).await,
            None => Ok(Vec::new()),
        };
    }
    if film.item.patient.is_empty() {
        return Ok(Vec::new());
    }
    let films = app.db.labeling_films(seat.labeling.id).await?.into_iter();
    let others = films.filter(|other| other.id != film.id && other.item.patient == film.item.patient).take(EARLIER);
    let found = |(number, other): (usize, LabelingFilm)| Earlier {
        number,
        days: None,
        sight: Sight::Labeled(other.id),
        hash: other.item.sha256,
    };
    Ok(others.enumerate().map(found).collect())
}

/// Films of the same patient of an earlier day, the latest first.
pub(super) async fn earlier_films(app: &App, film: &Film) -> Result<Vec<Earlier>, PageError> {
    let attributes = &film.attributes;
    if attributes.patient_id.is_empty() {
        return Ok(Vec::new());
    }
    let query = FilmQuery { patient_id: attributes.patient_id.clone(), limit: 200, ..FilmQuery::default() };
    let others = app.db.films(&query).await?.into_iter().filter(|other| other.kind == "film" && other.id != film.id);
    let before = |other: Film| {
        let days = days_between(&other.attributes.study_date, &attributes.study_date).filter(|days| *days > 0)?;
        Some((days, other.id, other.attributes.sha256))
    };
    let mut found: Vec<(i64, i64, String)> = others.filter_map(before).collect();
    found.sort();
    let numbered = found.into_iter().take(EARLIER).enumerate();
    let earlier = |(number, (days, row, hash))| Earlier { number, days: Some(days), sight: Sight::Film(row), hash };
    Ok(numbered.map(earlier).collect())
}

fn days_between(earlier: &str, later: &str) -> Option<i64> {
    let day = |text: &str| jiff::civil::Date::strptime("%Y%m%d", text.trim()).ok();
    Some(i64::from(day(earlier)?.until(day(later)?).ok()?.get_days()))
}

async fn pixels(app: &App, caller: &Caller, labeling: &str, film: &str) -> Result<(Seat, LabelingFilm), HttpError> {
    let (seat, _, film) = seated(app, caller, labeling, film).await.map_err(|_| HttpError::not_found())?;
    Ok((seat, film))
}

/// Records that a part of a film's pixels is seen, unless its page was opened a moment ago.
async fn saw(app: &App, caller: &Caller, seat: &Seat, film: &LabelingFilm) -> Result<(), HttpError> {
    let event = seat.event(caller, Deed::FilmOpened, film).with("as", "pixels");
    Ok(app.saw(caller, Sight::Labeled(film.id), event).await?)
}

/// `GET /labeling/{id}/films/{film}/preview`, as a film's.
pub(super) async fn preview(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (seat, film) = pixels(&app, &caller, &labeling, &film).await?;
    saw(&app, &caller, &seat, &film).await?;
    part(&app, &desk, &film.item.sha256, caller.language, Part::Preview).await
}

/// `GET /labeling/{id}/films/{film}/values`, as a film's.
pub(super) async fn values(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let (seat, film) = pixels(&app, &caller, &labeling, &film).await?;
    saw(&app, &caller, &seat, &film).await?;
    part(&app, &desk, &film.item.sha256, caller.language, Part::Values).await
}

/// `GET /labeling/{id}/films/{film}/tiles/{column}/{row}`, as a film's.
pub(super) async fn tile(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((labeling, film, column, row)): Path<(String, String, String, String)>,
) -> Result<Response, HttpError> {
    let (seat, film) = pixels(&app, &caller, &labeling, &film).await?;
    saw(&app, &caller, &seat, &film).await?;
    part(&app, &desk, &film.item.sha256, caller.language, Part::Tile(column, row)).await
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
    saw(&app, &caller, &seat, &film).await?;
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
    let event = seat.event(&caller, Deed::FilmOpened, &film);
    earlier_picture(&app, &desk, &caller, all, &number, event).await
}

/// The picture of an earlier film by its number: that it is seen is recorded first, on its own row where it has one.
pub(super) async fn earlier_picture(
    app: &App,
    desk: &Desk,
    caller: &Caller,
    all: Result<Vec<Earlier>, PageError>,
    number: &str,
    event: Event,
) -> Result<Response, HttpError> {
    let number: usize = number.parse().map_err(|_| HttpError::not_found())?;
    let all = all.map_err(|_| HttpError::not_found())?;
    let one = all.into_iter().nth(number).ok_or_else(HttpError::not_found)?;
    let event = match one.sight {
        Sight::Film(row) => event.on(row),
        _ => event,
    };
    app.saw(caller, one.sight, event.with("as", "earlier").with("earlier", number + 1)).await?;
    part(app, desk, &one.hash, caller.language, Part::Preview).await
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
