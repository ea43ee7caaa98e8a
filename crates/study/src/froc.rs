//! The free-response ROC curve: the share of fractures that are marked against the number of false marks a film.

use std::collections::BTreeSet;

use coxa_stats::{Reason, Undefined};
use serde::Serialize;

use crate::statistic::Number;

/// The marks and the fractures of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct FrocFilm {
    fractures: usize,
    marks: Vec<(f64, Vec<usize>)>,
}

impl FrocFilm {
    /// A film with so many fractures (boxes) and these marks: each a score and the fractures that it hits, by number from 0.
    /// A mark that hits none is false; a further mark on a fracture counts neither way.
    pub fn new(fractures: usize, marks: impl IntoIterator<Item = (f64, Vec<usize>)>) -> Self {
        Self { fractures, marks: marks.into_iter().collect() }
    }
}

/// A point of the curve: marks of at least this score are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrocPoint {
    /// The lowest score kept.
    pub score: f64,
    /// False marks a film, over all films.
    pub false_marks_per_film: f64,
    /// The share of all fractures that are marked.
    pub marked: f64,
}

/// A point of the curve at a number of false marks a film.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrocAt {
    /// False marks a film, at most.
    pub false_marks_per_film: f64,
    /// The share of all fractures that are marked.
    pub marked: Number,
}

/// A free-response ROC curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Froc {
    /// Films.
    pub films: usize,
    /// Fractures.
    pub fractures: usize,
    /// Marks.
    pub marks: usize,
    /// The curve, from the strongest mark to the weakest.
    pub points: Vec<FrocPoint>,
    /// The curve at 1/8, 1/4, 1/2, 1, 2 and 4 false marks a film.
    pub at: Vec<FrocAt>,
    /// The mean of these.
    pub mean: Number,
}

impl Froc {
    /// The curve of films. Without a film or a fracture there is no point, and what depends on one is undefined.
    pub fn of(films: &[FrocFilm]) -> Self {
        let fractures: usize = films.iter().map(|film| film.fractures).sum();
        let mut marks: Vec<(f64, usize, &[usize])> = Vec::new();
        for (i, film) in films.iter().enumerate() {
            marks.extend(film.marks.iter().map(|(score, hits)| (*score, i, hits.as_slice())));
        }
        marks.sort_by(|a, b| b.0.total_cmp(&a.0));
        let points = if fractures == 0 { Vec::new() } else { points(&marks, films.len(), fractures) };
        let at = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0].map(|most| {
            let reached = points.iter().filter(|point| point.false_marks_per_film <= most);
            let marked = reached.map(|point| point.marked).fold(0.0, f64::max);
            FrocAt { false_marks_per_film: most, marked: Number(defined(marked, fractures)) }
        });
        let sum: f64 = at.iter().filter_map(|at| at.marked.0.as_ref().ok()).sum();
        let mean = Number(defined(sum / at.len() as f64, fractures));
        Self { films: films.len(), fractures, marks: marks.len(), points, at: at.to_vec(), mean }
    }
}

fn points(marks: &[(f64, usize, &[usize])], films: usize, fractures: usize) -> Vec<FrocPoint> {
    let mut found = BTreeSet::new();
    let mut wrong = 0_usize;
    let mut points: Vec<FrocPoint> = Vec::new();
    for (i, &(score, film, hits)) in marks.iter().enumerate() {
        wrong += usize::from(hits.is_empty());
        found.extend(hits.iter().map(|&fracture| (film, fracture)));
        // Equal scores are kept or dropped together.
        if marks.get(i + 1).is_some_and(|next| next.0 == score) {
            continue;
        }
        points.push(FrocPoint {
            score,
            false_marks_per_film: wrong as f64 / films as f64,
            marked: found.len() as f64 / fractures as f64,
        });
    }
    points
}

fn defined(value: f64, fractures: usize) -> Result<f64, Undefined> {
    match fractures {
        0 => Err(Undefined::new("FROC", Reason::ZeroDenominator("no fracture with a box"))),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_by_hand() {
        // Four films, three fractures. In falling order: hit, false, hit twice the same, two equal ones (a hit and a false one).
        let films = [
            FrocFilm::new(2, [(0.9, vec![0]), (0.7, vec![0]), (0.5, vec![1])]),
            FrocFilm::new(1, []),
            FrocFilm::new(0, [(0.8, vec![])]),
            FrocFilm::new(0, [(0.5, vec![])]),
        ];
        let froc = Froc::of(&films);
        let points: Vec<(f64, f64, f64)> =
            froc.points.iter().map(|p| (p.score, p.false_marks_per_film, p.marked)).collect();
        let third = 1.0 / 3.0;
        assert_eq!(points, [(0.9, 0.0, third), (0.8, 0.25, third), (0.7, 0.25, third), (0.5, 0.5, 2.0 / 3.0)]);
        let at: Vec<f64> = froc.at.iter().map(|at| at.marked.0.clone().unwrap()).collect();
        assert_eq!(at, [third, third, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0]);
        assert!((froc.mean.0.unwrap() - 5.0 / 9.0).abs() < 1e-12);
        assert_eq!((froc.films, froc.fractures, froc.marks), (4, 3, 5));
    }

    #[test]
    fn without_a_fracture_it_is_undefined() {
        let froc = Froc::of(&[FrocFilm::new(0, [(0.5, vec![])])]);
        assert!(froc.points.is_empty() && froc.mean.0.is_err());
        assert!(Froc::of(&[]).mean.0.is_err());
        let silent = Froc::of(&[FrocFilm::new(1, [])]);
        assert_eq!(silent.mean.0, Ok(0.0), "no mark at all finds nothing, which is defined");
    }
}
