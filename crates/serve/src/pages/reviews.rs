//! Reviews: a physician agrees, disagrees or is unsure, or decides on a film of a trial, with a note and a mark; stored before the answer,
//! and undoable.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::film::{found, mark_of};
use super::text::{self, visible};
use super::{PageError, html, recorded};
use crate::audit::Deed;
use crate::db::{Database, NewReview, Review, Verdict};
use crate::http::{App, Caller, Shared};
use crate::language::Language;
use crate::people::{Action, Asker, Subject, may};

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
    /// The verdict as a message.
    word: &'static str,
    note: String,
    mark: Option<(i64, i64)>,
    reviewer: String,
    /// Whether whoever sees the page may take it back.
    is_own: bool,
    at: String,
    undone_at: String,
}

impl Shown {
    fn of(language: Language, review: Review, asker: &Asker) -> Self {
        Self {
            is_own: may(asker, Action::UndoReview, Subject::Review(review.person)),
            id: review.id,
            word: match review.verdict.as_str() {
                "agree" => "verdict-agree",
                "disagree" => "verdict-disagree",
                "fracture" => "verdict-fracture",
                "no_fracture" => "verdict-no-fracture",
                _ => "verdict-unsure",
            },
            note: visible_lines(&review.note),
            mark: review.mark,
            reviewer: visible(&review.reviewer),
            at: text::exact(language, review.at),
            undone_at: if review.undone_at == 0 { String::new() } else { text::exact(language, review.undone_at) },
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
    language: Language,
    film: i64,
    all: Vec<Shown>,
    back: String,
    form: String,
}

impl Reviews {
    pub(super) async fn of(db: &Database, caller: &Caller, film: i64, back: &str) -> Result<Self, PageError> {
        let all = db
            .reviews(film)
            .await?
            .into_iter()
            .map(|review| Shown::of(caller.language, review, &caller.asker))
            .collect();
        Ok(Self { language: caller.language, film, all, back: back.to_owned(), form: caller.form_token.clone() })
    }

    /// Whether a review is the latest one that whoever sees the page may take back.
    fn is_latest_own(&self, review: &Shown) -> bool {
        self.all.iter().find(|other| other.stands() && other.is_own).is_some_and(|latest| latest.id == review.id)
    }

    /// The mark of the review that stands.
    pub(super) fn mark(&self) -> Option<(i64, i64)> {
        self.all.iter().find(|review| review.stands()).and_then(|review| review.mark)
    }
}

/// `POST /films/{id}/reviews`.
pub(super) async fn add(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let film = found(&app, &caller, &id).await.map_err(|_| PageError::NotFound)?;
    let is_in_trial = app.db.in_trial(film.id).await?.is_some();
    let verdict = Verdict::parse(&filled.verdict).filter(|verdict| verdict.fits(is_in_trial));
    let verdict =
        verdict.ok_or(PageError::Bad(if is_in_trial { "reviews-verdict-trial" } else { "reviews-verdict" }))?;
    let note: String = filled.note.replace("\r\n", "\n").trim().chars().filter(|c| *c != '\0').collect();
    if note.chars().count() > LONGEST_NOTE {
        return Err(PageError::Bad("reviews-long"));
    }
    let mark = mark_of(&film, &filled.mark_x, &filled.mark_y);
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    let event = caller.event(Deed::Reviewed).on(film.id).with("verdict", verdict.as_str());
    let review = NewReview { film: film.id, verdict, note, mark, reviewer: person.name.clone(), person: person.id };
    let shared = Arc::clone(&app);
    recorded(&app, event, async move { Ok(shared.db.add_review(&review).await?) }).await?;
    done(&app, &caller, film.id, &filled).await
}

/// `POST /films/{id}/reviews/{review}/undo`.
pub(super) async fn undo(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((id, review)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let film = found(&app, &caller, &id).await.map_err(|_| PageError::NotFound)?;
    let review: i64 = review.parse().map_err(|_| PageError::NotFound)?;
    let author = app.db.reviews(film.id).await?.into_iter().find(|other| other.id == review).map(|other| other.person);
    let event = caller.event(Deed::ReviewUndone).on(film.id).with("review", review);
    // Another person's review and one that is not there are answered alike.
    if !author.is_some_and(|author| may(&caller.asker, Action::UndoReview, Subject::Review(author))) {
        app.audit.add(event.failed()).await?;
        return Err(PageError::NotFound);
    }
    let (shared, row) = (Arc::clone(&app), film.id);
    let undone =
        async move { if shared.db.undo_review(row, review).await? { Ok(()) } else { Err(PageError::NotFound) } };
    recorded(&app, event, undone).await?;
    done(&app, &caller, film.id, &filled).await
}

async fn done(app: &App, caller: &Caller, film: i64, filled: &Filled) -> Result<Response, PageError> {
    // An address of this page and no other.
    let back = if filled.back.starts_with('?') { filled.back.as_str() } else { "" };
    if filled.by == "script" {
        return html(&Reviews::of(&app.db, caller, film, back).await?);
    }
    let place: String = format!("/films/{film}{back}").chars().filter(char::is_ascii_graphic).collect();
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}
