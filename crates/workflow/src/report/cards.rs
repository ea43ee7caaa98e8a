//! Which films the page shows: the first of each kind, and the first of those that went wrong.

use coxa_cohort::Film;
use coxa_schema::{Finding, FractureType, Label};
use coxa_study::localize::{FilmLocalization, Site};
use coxa_study::page::{FilmCard, Verdict};

use crate::outputs::FileNames;

/// Films of each kind that the page shows.
const SHOWN_EACH: usize = 6;
/// Films that went wrong and are shown; more are counted.
const WRONG_SHOWN: usize = 100;

/// The chosen films.
pub(super) struct Cards {
    threshold: f64,
    names: FileNames,
    /// Of each kind: femoral neck, trochanteric, none.
    kinds: [Vec<FilmCard>; 3],
    /// Films with a wrong finding, or a right one in the wrong place.
    pub wrong: Vec<FilmCard>,
    /// How many there are of these in all.
    pub n_wrong: usize,
}

impl Cards {
    /// Begins with no film; `threshold` is written on the cards.
    pub fn new(threshold: f64) -> Self {
        Self { threshold, names: FileNames::default(), kinds: Default::default(), wrong: Vec::new(), n_wrong: 0 }
    }

    /// Takes a film in, and returns its card if the page shows it.
    pub fn add(&mut self, film: &Film, finding: &Finding, place: Option<&FilmLocalization>) -> Option<FilmCard> {
        let verdict = verdict(film, finding, place);
        let kind = match (film.label, film.fracture_type) {
            (Label::Present, Some(FractureType::Trochanteric | FractureType::Subtrochanteric)) => 1,
            (Label::Present, _) => 0,
            _ => 2,
        };
        let is_wrong = matches!(verdict, Verdict::Wrong | Verdict::WrongPlace);
        self.n_wrong += usize::from(is_wrong);
        let shown = self.kinds[kind].len() < SHOWN_EACH;
        let shown_as_wrong = is_wrong && self.wrong.len() < WRONG_SHOWN;
        if !shown && !shown_as_wrong {
            return None;
        }
        let card = self.card(film, finding, verdict);
        if shown {
            self.kinds[kind].push(card.clone());
        }
        if shown_as_wrong {
            self.wrong.push(card.clone());
        }
        Some(card)
    }

    /// The films to show, kind by kind.
    pub fn shown(&self) -> Vec<FilmCard> {
        self.kinds.concat()
    }

    fn card(&mut self, film: &Film, finding: &Finding, verdict: Verdict) -> FilmCard {
        let fractured = film.label == Label::Present;
        let kind = match film.fracture_type {
            Some(FractureType::FemoralNeck) => "femoral neck fracture",
            Some(FractureType::Trochanteric) => "trochanteric fracture",
            Some(FractureType::Subtrochanteric) => "subtrochanteric fracture",
            _ if fractured => "fracture",
            _ => "no fracture",
        };
        let side = film.side.filter(|_| fractured).map_or(String::new(), |side| format!(", {side}"));
        let [probability, threshold] = [finding.probability, self.threshold].map(|share| share * 100.0);
        FilmCard {
            name: self.names.name(&film.image_id),
            title: format!("{}: {kind}{side}", film.image_id),
            lines: vec![format!("probability {probability:.1}%, positive from {threshold:.1}%")],
            verdict,
        }
    }
}

/// `place` is that of a film with a fracture and a true box.
fn verdict(film: &Film, finding: &Finding, place: Option<&FilmLocalization>) -> Verdict {
    let fractured = film.label == Label::Present;
    if finding.is_positive != fractured {
        Verdict::Wrong
    } else if fractured && place.is_some_and(|place| place.site != Site::Right) {
        Verdict::WrongPlace
    } else {
        Verdict::Right
    }
}

#[cfg(test)]
mod tests {
    use coxa_schema::BodyPart;

    use super::*;

    #[test]
    fn few_films_are_shown_of_many_and_all_wrong_ones_counted() {
        let mut cards = Cards::new(0.5);
        let finding = |is_positive| Finding {
            probability: 0.9,
            threshold: 0.5,
            is_positive,
            regions: Vec::new(),
            model: String::new(),
            width: 1,
            height: 1,
            notice: String::new(),
            heat_map: None,
        };
        let mut drawn = 0;
        for i in 0..1000 {
            let label = if i % 2 == 0 { Label::Present } else { Label::Absent };
            let film = Film::new(format!("F{i}"), format!("{i}.png"), "p", BodyPart::Pelvis, label);
            // Every third finding is wrong.
            let is_positive = (label == Label::Present) != (i % 3 == 0);
            drawn += usize::from(cards.add(&film, &finding(is_positive), None).is_some());
        }
        assert_eq!((cards.shown().len(), cards.wrong.len(), cards.n_wrong), (12, 100, 334));
        assert!(drawn <= 112, "{drawn}");
    }
}
