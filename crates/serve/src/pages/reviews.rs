//! Reviews: a physician agrees, disagrees or is unsure, with a note and a mark; stored before the answer, and undoable.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::film::film_of;
use super::text::{self, visible};
use super::{PageError, html};
use crate::db::{Database, NewReview, Review, Verdict};
use crate::http::{App, Shared};

/// Who reviews, until there are people.
const LOCAL: &str = "local";
/// The longest note, characters.
const LONGEST_NOTE: usize = 4000;

/// What the form holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    verdict: String,
    note: String,
    mark_x: String,
    mark_y: String,
    /// Where it comes from: `script` gets the panel alone, a plain form is led back to the page.
    by: String,
    /// The filters of the worklist, as the address had them.
    back: String,
}

/// A review as the page shows it.
struct Shown {
    id: i64,
    word: &'static str,
    note: String,
    mark: Option<(i64, i64)>,
    reviewer: String,
    at: String,
    undone_at: String,
}

impl Shown {
    fn of(review: Review) -> Self {
        Self {
            id: review.id,
            word: match review.verdict.as_str() {
                "agree" => "Agreed",
                "disagree" => "Disagreed",
                _ => "Unsure",
            },
            note: visible_lines(&review.note),
            mark: review.mark,
            reviewer: visible(&review.reviewer),
            at: text::exact(review.at),
            undone_at: if review.undone_at == 0 { String::new() } else { text::exact(review.undone_at) },
        }
    }

    fn stands(&self) -> bool {
        self.undone_at.is_empty()
    }
}

fn visible_lines(note: &str) -> String {
    note.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// The reviews of a film.
#[derive(Template)]
#[template(path = "reviews.html")]
pub(super) struct Reviews {
    film: i64,
    all: Vec<Shown>,
    back: String,
}

impl Reviews {
    pub(super) async fn of(db: &Database, film: i64, back: &str) -> Result<Self, PageError> {
        let all = db.reviews(film).await?.into_iter().map(Shown::of).collect();
        Ok(Self { film, all, back: back.to_owned() })
    }

    /// The mark of the review that stands.
    pub(super) fn mark(&self) -> Option<(i64, i64)> {
        self.all.iter().find(|review| review.stands()).and_then(|review| review.mark)
    }
}

/// `POST /films/{id}/reviews`.
pub(super) async fn add(
    State(app): Shared,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let film = film_of(&app, &id).await.map_err(|_| PageError::NotFound)?;
    let verdict = Verdict::parse(&filled.verdict).ok_or(PageError::Bad("A review is agree, disagree or unsure."))?;
    let note: String = filled.note.replace("\r\n", "\n").trim().chars().filter(|c| *c != '\0').collect();
    if note.chars().count() > LONGEST_NOTE {
        return Err(PageError::Bad("A note has at most 4,000 characters. Nothing was stored."));
    }
    let place = |text: &str, most: i64| text.parse::<i64>().ok().filter(|place| (0..most.max(1)).contains(place));
    let mark = place(&filled.mark_x, film.attributes.columns).zip(place(&filled.mark_y, film.attributes.rows));
    app.db.add_review(&NewReview { film: film.id, verdict, note, mark, reviewer: LOCAL.into() }).await?;
    done(&app, film.id, &filled).await
}

/// `POST /films/{id}/reviews/{review}/undo`.
pub(super) async fn undo(
    State(app): Shared,
    Path((id, review)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let film = film_of(&app, &id).await.map_err(|_| PageError::NotFound)?;
    let review = review.parse().map_err(|_| PageError::NotFound)?;
    if !app.db.undo_review(film.id, review).await? {
        return Err(PageError::NotFound);
    }
    done(&app, film.id, &filled).await
}

async fn done(app: &App, film: i64, filled: &Filled) -> Result<Response, PageError> {
    // An address of this page and no other.
    let back = if filled.back.starts_with('?') { filled.back.as_str() } else { "" };
    if filled.by == "script" {
        return html(&Reviews::of(&app.db, film, back).await?);
    }
    let place: String = format!("/films/{film}{back}").chars().filter(char::is_ascii_graphic).collect();
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}
