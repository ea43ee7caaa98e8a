//! Who decides on which films of a labeling, in which order.

use std::collections::BTreeMap;

use super::PageError;
use super::labeling::part_of;
use crate::audit::{Deed, Event};
use crate::db::{Labeling, LabelingFilm, LabelingReviewer, StoredDecision};
use crate::http::{App, Caller};
use crate::labeling::{OnFilm, Standing, Task, on_films, order};
use crate::people::{Action, Part, Subject, may};
use crate::readers::Random;

/// A person who decides in a labeling, with the films in the person's order.
pub(super) struct Seat {
    pub(super) labeling: Labeling,
    pub(super) task: Task,
    pub(super) part: Part,
    pub(super) person: (i64, String),
    /// The films' rows, in the person's order.
    pub(super) films: Vec<i64>,
    /// The person's decisions that stand, by the film's row.
    pub(super) own: BTreeMap<i64, StoredDecision>,
    /// What stands on each film of `films`, for the adjudicator alone; empty for a reviewer.
    pub(super) decided: Vec<OnFilm>,
}

impl Seat {
    pub(super) async fn of(app: &App, caller: &Caller, labeling: &str) -> Result<Self, PageError> {
        let person = caller.asker.person().ok_or(PageError::SignedOut)?;
        let id: i64 = labeling.parse().map_err(|_| PageError::NotFound)?;
        let labeling = app.db.labeling(id).await?.ok_or(PageError::NotFound)?;
        let people = app.db.labeling_reviewers(id).await?;
        let part = part_of(&labeling, &people, person.id);
        let seat = people.iter().find(|one| one.person == person.id).ok_or(PageError::NotFound)?;
        let rows = app.db.labeling_places(id).await?;
        let own = app.db.standing_decisions(id, Some(person.id)).await?;
        let own = own.into_iter().map(|made| (made.film, made)).collect();
        let (films, decided) = if seat.is_adjudicator {
            let films: Vec<i64> = rows.into_iter().map(|(row, _)| row).collect();
            let decided = disputed(app, &labeling, &people, &films).await?;
            (films, decided)
        } else {
            let needs: Vec<bool> = rows.iter().map(|(_, needs)| *needs).collect();
            let order = order(&needs, labeling.seed, usize::try_from(seat.place).unwrap_or(0));
            (order.into_iter().map(|at| rows[at].0).collect(), Vec::new())
        };
        let task = Task::parse(&labeling.task).unwrap_or(Task::Labels);
        Ok(Self { labeling, task, part, person: (person.id, person.name.clone()), films, own, decided })
    }

    /// What the person does with a film.
    pub(super) fn event(&self, caller: &Caller, deed: Deed, film: &LabelingFilm) -> Event {
        let event = caller.event(deed).with("labeling", self.labeling.id).with("film", film.place + 1);
        if film.item.film > 0 { event.on(film.item.film) } else { event }
    }

    /// Whether a film of the person's order can be opened: it is the next one, or was decided by the person.
    fn is_open(&self, number: usize) -> bool {
        let is_own = self.films.get(number).is_some_and(|film| self.own.contains_key(film));
        is_own || self.next() == Some(number)
    }

    /// The film that comes next; `None` where there is none now. Of disputed films, those whose labels differ come first.
    pub(super) fn next(&self) -> Option<usize> {
        if self.labeling.closed_at > 0 {
            return None;
        }
        if self.part == Part::Reviewer {
            return self.films.iter().position(|film| !self.own.contains_key(film));
        }
        let is_disputed = |at: &usize| self.decided[*at].standing == Standing::Disputed;
        let mut disputed = (0..self.decided.len()).filter(is_disputed).peekable();
        let first = disputed.peek().copied();
        disputed.find(|at| differs_in_label(&self.decided[*at])).or(first)
    }

    /// How many films the person has decided, and of how many.
    pub(super) fn progress(&self) -> (usize, usize) {
        let disputed = self.decided.iter().filter(|on_film| on_film.standing == Standing::Disputed).count();
        let of = if self.part == Part::Reviewer { self.films.len() } else { self.own.len() + disputed };
        (self.own.len(), of)
    }

    /// The number of the film that the person decided last.
    pub(super) fn last(&self) -> Option<usize> {
        let last = self.own.values().max_by_key(|made| made.id)?;
        self.films.iter().position(|film| *film == last.film)
    }
}

/// What stands on each film; the reviewers' decisions in an order that is the film's own, so that it does not tell who decided.
async fn disputed(
    app: &App,
    labeling: &Labeling,
    people: &[LabelingReviewer],
    films: &[i64],
) -> Result<Vec<OnFilm>, PageError> {
    let decisions = app.db.standing_decisions(labeling.id, None).await?;
    let mut decided = on_films(people, films, &decisions);
    for (at, on_film) in decided.iter_mut().enumerate() {
        let order = Random(labeling.seed).order(&format!("shown {at}"), on_film.reviews.len());
        on_film.reviews = order.into_iter().map(|place| on_film.reviews[place].clone()).collect();
    }
    Ok(decided)
}

fn differs_in_label(on_film: &OnFilm) -> bool {
    let mut opinions = on_film.reviews.iter().map(|(_, decision)| decision.labels().map(|labels| labels.opinion));
    let first = opinions.next();
    opinions.any(|opinion| Some(opinion) != first)
}

/// The film of an address, where the person may open it now.
pub(super) async fn seated(
    app: &App,
    caller: &Caller,
    labeling: &str,
    film: &str,
) -> Result<(Seat, usize, LabelingFilm), PageError> {
    let seat = Seat::of(app, caller, labeling).await?;
    let number = film.parse().ok().filter(|number| seat.is_open(*number)).ok_or(PageError::NotFound)?;
    if !may(&caller.asker, Action::Label, Subject::Labeling(seat.part)) {
        return Err(PageError::NotFound);
    }
    let film = app.db.labeling_film(seat.films[number]).await?.ok_or(PageError::NotFound)?;
    Ok((seat, number, film))
}
