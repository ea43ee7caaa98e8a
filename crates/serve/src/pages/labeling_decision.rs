//! Decisions on the films of a labeling: stored, and taken back.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form, Json};
use coxa_schema::Side;
use coxa_study::localize::Site;
use serde_json::json;

use super::labeling::{Fields, to};
use super::labeling_seat::{Seat, seated};
use super::{PageError, recorded};
use crate::audit::Deed;
use crate::db::LabelingFilm;
use crate::http::{Caller, Shared};
use crate::labeling::{Decision, Fault, Kind, Labels, Opinion, Task};

/// `POST /labeling/{id}/films/{film}`: stores a decision before the next film is shown. The same request again stores nothing more.
pub(super) async fn store(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let filled = Fields::of(fields);
    let (seat, number, film) = seated(&app, &caller, &labeling, &film).await?;
    let decision = decision_of(&seat, number, &film, &filled)?;
    let supersedes: i64 = filled.text("supersedes").parse().map_err(|_| PageError::Bad("labeling-stale"))?;
    let text = serde_json::to_string(&decision).map_err(|_| PageError::Bad("labeling-fault-word"))?;
    let (shared, labeling, (person, name)) = (Arc::clone(&app), seat.labeling.id, seat.person.clone());
    let event = seat.event(&caller, Deed::Reviewed, &film);
    let stored = async move {
        if shared.db.add_decision(film.id, (person, &name), supersedes, &text).await? {
            return Ok(());
        }
        // The same decision sent again is stored already; another one was made on another machine or tab.
        let standing = shared.db.standing_decisions(labeling, Some(person)).await?;
        let made = standing.iter().find(|made| made.film == film.id);
        let is_made = made.is_some_and(|made| made.supersedes == supersedes && made.decision == text);
        if is_made { Ok(()) } else { Err(PageError::Bad("labeling-stale")) }
    };
    recorded(&app, event, stored).await?;
    Ok(done(&seat, &filled))
}

/// `POST /labeling/{id}/films/{film}/undo`: takes the person's decision back; the film comes again.
pub(super) async fn undo(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((labeling, film)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let filled = Fields::of(fields);
    let (seat, _, film) = seated(&app, &caller, &labeling, &film).await?;
    if let Some(made) = seat.own.get(&film.id).map(|made| made.id) {
        let (shared, (person, name)) = (Arc::clone(&app), seat.person.clone());
        let event = seat.event(&caller, Deed::ReviewUndone, &film);
        let undone = async move { Ok(shared.db.add_decision(film.id, (person, &name), made, "").await?) };
        recorded(&app, event, undone).await?;
    }
    Ok(done(&seat, &filled))
}

/// Leads to the next film; the script gets its address.
fn done(seat: &Seat, filled: &Fields) -> Response {
    let place = format!("/labeling/{}/next", seat.labeling.id);
    if filled.text("by") == "script" {
        return Json(json!({ "next": place })).into_response();
    }
    to(place)
}

fn decision_of(seat: &Seat, number: usize, film: &LabelingFilm, filled: &Fields) -> Result<Decision, PageError> {
    if let Ok(taken) = filled.text("take").parse::<usize>() {
        let reviews = seat.decided.get(number).map(|on_film| &on_film.reviews);
        let (_, decision) = reviews.and_then(|reviews| reviews.get(taken)).ok_or(PageError::NotFound)?;
        return Ok(decision.clone());
    }
    if seat.task == Task::HeatMaps {
        let site = Site::parse(filled.text("site")).filter(|site| *site != Site::None);
        return site.map(Decision::Site).ok_or(PageError::Bad("labeling-fault-site"));
    }
    let labels = Labels {
        opinion: Opinion::parse(filled.text("label")),
        kind: Kind::parse(filled.text("kind")),
        classification: filled.text("classification").to_owned(),
        side: match filled.text("side") {
            "left" => Some(Side::Left),
            "right" => Some(Side::Right),
            _ => None,
        },
        boxes: boxes_of(filled.text("boxes")).ok_or(PageError::Bad("labeling-fault-box"))?,
        quality: filled.all("quality").map(str::to_owned).collect(),
        exclusion: filled.text("exclusion").to_owned(),
        note: filled.text("note").replace("\r\n", "\n").trim().chars().filter(|c| *c != '\0').collect(),
    };
    labels.check(film.item.size.1, film.item.size.0).map_err(|fault| {
        PageError::Bad(match fault {
            Fault::NoLabel => "labeling-fault-label",
            Fault::Contradiction => "labeling-fault-contradiction",
            Fault::Box => "labeling-fault-box",
            Fault::Word => "labeling-fault-word",
            Fault::Note => "labeling-fault-note",
        })
    })?;
    Ok(Decision::Labels(labels))
}

/// Boxes as the form has them: `left,top,width,height`, with semicolons between.
fn boxes_of(text: &str) -> Option<Vec<[f32; 4]>> {
    let drawn = |text: &str| {
        let parts: Vec<f32> = text.split(',').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok().filter(|parts: &[f32; 4]| parts.iter().all(|part| part.is_finite()))
    };
    text.split(';').filter(|one| !one.is_empty()).map(drawn).collect()
}

/// Boxes as [`boxes_of`] reads them.
pub(super) fn boxes_text(boxes: &[[f32; 4]]) -> String {
    let text = |drawn: &[f32; 4]| drawn.map(|part| part.to_string()).join(",");
    boxes.iter().map(text).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_read_as_they_are_written() {
        let boxes = [[1.5, 2.0, 30.0, 40.25], [0.0, 0.0, 1.0, 1.0]];
        assert_eq!(boxes_of(&boxes_text(&boxes)).unwrap(), boxes);
        assert_eq!(boxes_of(""), Some(Vec::new()));
        for wrong in ["1,2,3", "1,2,3,x", "1,2,3,NaN", "1,2,3,4,5"] {
            assert_eq!(boxes_of(wrong), None, "{wrong}");
        }
    }
}
