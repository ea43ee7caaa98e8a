//! How the network's logit moves when parts of hips are pasted.

use coxa_imaging::Radiograph;
use coxa_model::{Control, Detector, ModelError};
use coxa_simulate::HipOnFilm;

use super::descriptors::shaft_borders;
use super::hip::{HipFrame, Plane};
use super::paste::{Bend, PARTS, paste};
use super::quantile::quantile;
use crate::{WorkEvent, WorkObserver, WorkflowError};

/// A film without a fracture, and where its hips lie.
#[derive(Debug, Clone)]
pub struct HipFilm {
    /// What it is called.
    pub name: String,
    /// Its display values.
    pub plane: Plane,
    /// The hips that are used.
    pub hips: Vec<HipOnFilm>,
}

/// A hip of a film.
#[derive(Debug, Clone, Copy)]
pub struct FilmHip<'a> {
    /// The film.
    pub film: &'a HipFilm,
    /// The hip on it.
    pub hip: &'a HipOnFilm,
}

/// The films' hips that are wholly on them: the first of each film, then the second ones.
pub fn hips_of(films: &[HipFilm]) -> Vec<FilmHip<'_>> {
    let at = |n: usize| films.iter().filter_map(move |film| film.hips.get(n).map(|hip| FilmHip { film, hip }));
    at(0).chain(at(1)).filter(FilmHip::is_whole).collect()
}

impl FilmHip<'_> {
    /// The film's values and the hip on them.
    pub fn place(&self) -> (&Plane, &HipOnFilm) {
        (&self.film.plane, self.hip)
    }

    /// The borders of the shaft in the hip's frame; `None` where they are not clear.
    pub fn shaft(&self) -> Option<[f32; 2]> {
        shaft_borders(&self.film.plane, self.hip)
    }

    /// Whether the film shows the hip from above the acetabulum to the shaft below the lesser trochanter.
    fn is_whole(&self) -> bool {
        let plane = &self.film.plane;
        [[-1.6, -1.5], [2.6, -1.5], [2.6, 3.4], [-1.6, 3.4]].into_iter().all(|corner| {
            let [x, y] = self.hip.on_film(corner);
            (0.0..=plane.width as f32).contains(&x) && (0.0..=plane.height as f32).contains(&y)
        })
    }
}

/// How the logit of films moves with a part of another's hip, one value for each pair of films.
#[derive(Debug, Clone, PartialEq)]
pub struct Moves {
    /// The part's name.
    pub part: &'static str,
    /// Moves of the logit.
    pub values: Vec<f64>,
}

impl Moves {
    /// The quantile `q` (0..=1) of the moves, between neighboring values; `None` without any.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        quantile(&self.values, q)
    }
}

/// The network's own output for a film.
///
/// # Errors
/// When the network fails, or its gate refuses the film.
pub fn logit(detector: &mut Detector, plane: &Plane) -> Result<f64, WorkflowError> {
    let film = Radiograph::from_display(plane.width, plane.height, plane.values.clone()).map_err(ModelError::from)?;
    let detection = detector.read(film)?;
    let refused = || detection.not_read().unwrap_or("the network gave no logit").to_owned();
    Ok(f64::from(detection.logit().ok_or_else(|| WorkflowError::Internal(refused()))?))
}

/// The places of the first `each` films from place `first` on, round about, that are not the donor's own.
fn targets(donor: &FilmHip<'_>, films: &[FilmHip<'_>], first: usize, each: usize) -> Vec<usize> {
    let places = (0..films.len()).map(|k| (first + k) % films.len());
    places.filter(|n| films[*n].film.name != donor.film.name).take(each).collect()
}

/// Pastes each part of each donor's hip into `each` films, and reads them before and after. Donor number `i` goes into the
/// films from number `i · each` on, round about, but not into its own.
///
/// # Errors
/// When the network fails or the observer stops the work.
pub fn moves(
    what: &str,
    detector: &mut Detector,
    donors: &[FilmHip<'_>],
    films: &[FilmHip<'_>],
    each: usize,
    observer: &mut dyn WorkObserver,
) -> Result<Vec<Moves>, WorkflowError> {
    let mut all: Vec<Moves> = PARTS.iter().map(|part| Moves { part: part.name, values: Vec::new() }).collect();
    let mut before: Vec<Option<f64>> = vec![None; films.len()];
    let total = donors.len();
    for (i, donor) in donors.iter().enumerate() {
        if observer.on(&WorkEvent::Steps { what, done: i, total }) != Control::Continue {
            return Err(WorkflowError::Stopped("the check".to_owned()));
        }
        let shaft = donor.shaft();
        for n in targets(donor, films, i * each, each) {
            let target = &films[n];
            let own = match before[n] {
                Some(own) => own,
                None => logit(detector, &target.film.plane)?,
            };
            before[n] = Some(own);
            let bend = Bend::between(target.shaft(), shaft);
            for (part, moves) in PARTS.iter().zip(&mut all) {
                if let Some(pasted) = paste(target.place(), donor.place(), bend, part) {
                    moves.values.push(logit(detector, &pasted)? - own);
                }
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use coxa_schema::Side;

    use super::*;

    #[test]
    fn a_donor_goes_into_the_next_films_that_are_not_its_own() {
        let hip = HipOnFilm { side: Side::Left, head: [0.0; 2], radius: 1.0 };
        let films: Vec<HipFilm> = ["a", "b", "c"]
            .map(|name| HipFilm { name: name.to_owned(), plane: Plane::filled(1, 1, 0.0), hips: vec![hip] })
            .into();
        let hips: Vec<FilmHip<'_>> = films.iter().map(|film| FilmHip { film, hip: &film.hips[0] }).collect();
        assert_eq!(targets(&hips[0], &hips, 0, 1), [1]);
        assert_eq!(targets(&hips[2], &hips, 2, 1), [0]);
        assert_eq!(targets(&hips[1], &hips, 2, 5), [2, 0]);
        assert!(targets(&hips[0], &hips[..1], 0, 1).is_empty() && targets(&hips[0], &[], 0, 1).is_empty());
    }
}
