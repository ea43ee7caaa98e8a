//! A measuring stick for simulators that needs no label: real hips without a fracture are pasted into simulated films and back, and the
//! move of a network's logit is read off, part by part; beside it stand measures of real and of simulated hips.
//!
//! - [`films`]: the real films, cut in two halves, and the simulated ones; [`table`]: where hips lie on them, if that is known;
//! - [`finder`]: where hips lie, if it is not;
//! - [`paste`] and [`mod@moves`]: parts of hips exchanged, and what the network makes of it;
//! - [`descriptors`]: levels of landmarks, ratios of contrasts, texture;
//! - [`page`]: all of it on a page.

mod circle;
pub mod descriptors;
mod edges;
pub mod films;
pub mod finder;
pub mod hip;
pub mod moves;
pub mod page;
pub mod paste;
mod pictures;
mod quantile;
mod ridge;
pub mod table;
#[cfg(test)]
mod tests;

use std::path::Path;

use coxa_files::table::to_csv;
use coxa_model::{Control, Detector};
use coxa_schema::Side;
use coxa_simulate::{Domain, FilmOptions, HipOnFilm};
use serde::Serialize;

use crate::{Failure, WorkEvent, WorkObserver, WorkflowError};
use descriptors::{DESCRIPTORS, describe};
use films::{Half, RealFilm, half_of, normal_files, read_films, simulated_films};
use finder::Finder;
use moves::{FilmHip, HipFilm, Moves, hips_of, logit, moves};
use quantile::quantile;
use table::hip_table;

/// What is checked.
#[derive(Debug, Clone)]
pub struct CheckRequest<'a> {
    /// The folder of real films.
    pub real: &'a Path,
    /// Which of its films are used: a table with the columns `image_id`, `label` and, if there, `sideways`.
    pub listing: Option<&'a Path>,
    /// Where the hips of the real films lie; found, unless given.
    pub hips: Option<&'a Path>,
    /// Which half of the real films.
    pub half: Half,
    /// How many simulated films, and their seed.
    pub films: usize,
    /// The seed of the simulated films.
    pub seed: u64,
    /// The simulated films' longest side.
    pub size: usize,
    /// Their variation, 0..=1.
    pub variation: f32,
    /// How many hips are pasted at most, of either kind.
    pub donors: usize,
    /// How many films each of them is pasted into.
    pub each: usize,
}

impl CheckRequest<'_> {
    fn validate(&self) -> Result<(), WorkflowError> {
        let wrong = if !(64..=4096).contains(&self.size) {
            format!("films of {} pixels are asked for; the longest side is 64 to 4096", self.size)
        } else if !(0.0..=1.0).contains(&self.variation) {
            format!("the variation is {}, but must lie between 0 and 1", self.variation)
        } else if self.films < 2 || self.donors == 0 || self.each == 0 {
            "a check needs two simulated films, a donor and a film for it".to_owned()
        } else {
            return Ok(());
        };
        Err(WorkflowError::request(wrong, "see coxa simulate check --help"))
    }
}

/// Median and quartiles of a number of values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub n: usize,
    /// The lower quartile.
    pub lower: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub upper: f64,
}

impl Spread {
    /// Of the values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let at = |q| quantile(values, q);
        Some(Self { n: values.len(), lower: at(0.25)?, median: at(0.5)?, upper: at(0.75)? })
    }
}

/// How the logit moves with a part, for real and for simulated donors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartMoves {
    /// The part.
    pub part: &'static str,
    /// Real donors.
    pub real: Option<Spread>,
    /// Simulated donors.
    pub simulated: Option<Spread>,
}

/// A measure of real and of simulated hips.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// What is measured.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: &'static str,
    /// Of real hips.
    pub real: Option<Spread>,
    /// Of simulated ones.
    pub simulated: Option<Spread>,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// The network, by its bundle's short hash.
    pub model: String,
    /// Real films that were used, and their hips.
    pub real_films: usize,
    /// Hips on them.
    pub real_hips: usize,
    /// Real films on which no hip was found.
    pub without_hip: Vec<String>,
    /// Simulated films.
    pub simulated_films: usize,
    /// Hips on them.
    pub simulated_hips: usize,
    /// Logits of the real films as they are.
    pub real_logits: Option<Spread>,
    /// Logits of the simulated films as they are.
    pub simulated_logits: Option<Spread>,
    /// Moves of the logits of simulated films.
    pub into_simulated: Vec<PartMoves>,
    /// Moves of the logits of real films.
    pub into_real: Vec<PartMoves>,
    /// Real and simulated hips side by side.
    pub descriptors: Vec<Compared>,
}

/// A check with the films that it was made on.
#[derive(Debug, Clone)]
pub struct Check {
    /// The result.
    pub result: Checked,
    /// The real films.
    pub real: Vec<HipFilm>,
    /// The simulated films.
    pub simulated: Vec<HipFilm>,
}

impl Check {
    /// The table of the real films' hips, as [`CheckRequest::hips`] takes it.
    pub fn hips_csv(&self) -> Vec<u8> {
        let rows = self.real.iter().flat_map(|film| {
            film.hips.iter().map(|hip| {
                let side = if hip.side == Side::Right { "right" } else { "left" };
                let number = |q: f32| format!("{q:.1}");
                [film.name.clone(), side.to_owned(), number(hip.head[0]), number(hip.head[1]), number(hip.radius)]
            })
        });
        to_csv(&["file", "side", "x", "y", "radius"], rows)
    }
}

/// Films that the finder learns from, and their seed: the films of a check are others.
const LESSONS: usize = 40;
const LESSON_SEED: u64 = 20_001;

/// Makes the check with a network.
///
/// # Errors
/// Films or tables that cannot be read, no real hip that is found, a network that fails, or an observer that stops the work.
pub fn check(
    request: &CheckRequest<'_>,
    detector: &mut Detector,
    observer: &mut dyn WorkObserver,
) -> Result<Check, WorkflowError> {
    request.validate()?;
    let domain = Domain { variation: request.variation, hardware: 0.0, clutter: 0.0, ..Domain::default() };
    let options = FilmOptions { size: request.size, domain, ..FilmOptions::default() };
    let (real, without_hip) = real_films(request, &options, observer)?;
    observer.on(&WorkEvent::Begun("simulating films"));
    let simulated = simulated_films(request.seed, request.films, &options);
    let (real_hips, simulated_hips) = (hips_of(&real), hips_of(&simulated));
    if real_hips.is_empty() || simulated_hips.len() < 2 {
        return Err(WorkflowError::refused(
            "there are no two films with a whole hip to exchange",
            "use more films, or say where the hips lie with --hips TABLE",
        ));
    }
    let logits = |hips: &[FilmHip<'_>], detector: &mut Detector| -> Result<_, WorkflowError> {
        let some = hips.iter().take(request.donors);
        let values: Result<Vec<f64>, _> = some.map(|hip| logit(detector, &hip.film.plane)).collect();
        Ok(Spread::of(&values?))
    };
    let (real_logits, simulated_logits) = (logits(&real_hips, detector)?, logits(&simulated_hips, detector)?);
    // Films that give and films that receive are others, so that simulated and real donors come alike from foreign films.
    let (sim_give, sim_get) = simulated_hips.split_at(simulated_hips.len() / 2);
    let (real_give, real_get) = real_hips.split_at(real_hips.len() / 2);
    let mut run = |what: &str, give: &[FilmHip<'_>], get: &[FilmHip<'_>]| {
        moves(what, detector, &give[..give.len().min(request.donors)], get, request.each, observer)
    };
    let into_simulated = parts(
        &run("real hips into simulated films", &real_hips, sim_get)?,
        &run("simulated hips into simulated films", sim_give, sim_get)?,
    );
    let into_real = parts(
        &run("real hips into real films", real_give, real_get)?,
        &run("simulated hips into real films", sim_give, real_get)?,
    );
    let result = Checked {
        model: detector.model().to_owned(),
        real_films: real.len(),
        real_hips: real_hips.len(),
        without_hip,
        simulated_films: simulated.len(),
        simulated_hips: simulated_hips.len(),
        real_logits,
        simulated_logits,
        into_simulated,
        into_real,
        descriptors: compared(&real_hips, &simulated_hips),
    };
    Ok(Check { result, real, simulated })
}

/// The real films with their hips, from the table or found, and the names of those where none was found.
fn real_films(
    request: &CheckRequest<'_>,
    options: &FilmOptions,
    observer: &mut dyn WorkObserver,
) -> Result<(Vec<HipFilm>, Vec<String>), WorkflowError> {
    let known = request.hips.map(hip_table).transpose()?;
    let mut files = normal_files(request.real, request.listing)?;
    if let Some(known) = &known {
        files.retain(|file| known.contains_key(file));
    }
    let films = read_films(request.real, &files, |file, error| {
        observer.on(&WorkEvent::Failed(&Failure::new(file, error)));
    });
    let films = half_of(films, request.half);
    let finder = known.is_none().then(|| {
        observer.on(&WorkEvent::Begun("learning where hips lie"));
        Finder::learn(&simulated_films(LESSON_SEED, LESSONS, options))
    });
    let total = films.len();
    let mut found = Vec::new();
    let mut without = Vec::new();
    for (done, RealFilm { name, plane, .. }) in films.into_iter().enumerate() {
        if observer.on(&WorkEvent::Steps { what: "finding hips", done, total }) != Control::Continue {
            return Err(WorkflowError::Stopped("the check".to_owned()));
        }
        let hips: Vec<HipOnFilm> = match (&known, &finder) {
            (Some(known), _) => known.get(&name).cloned().unwrap_or_default(),
            (None, Some(finder)) => finder.find(&plane).into_iter().map(|found| found.hip).collect(),
            (None, None) => Vec::new(),
        };
        if hips.is_empty() {
            without.push(name);
        } else {
            found.push(HipFilm { name, plane, hips });
        }
    }
    Ok((found, without))
}

fn parts(real: &[Moves], simulated: &[Moves]) -> Vec<PartMoves> {
    let both = real.iter().zip(simulated);
    both.map(|(real, simulated)| PartMoves {
        part: real.part,
        real: Spread::of(&real.values),
        simulated: Spread::of(&simulated.values),
    })
    .collect()
}

/// The descriptors of real and simulated hips.
fn compared(real: &[FilmHip<'_>], simulated: &[FilmHip<'_>]) -> Vec<Compared> {
    let measured =
        |hips: &[FilmHip<'_>]| -> Vec<_> { hips.iter().map(|known| describe(&known.film.plane, known.hip)).collect() };
    let (real, simulated) = (measured(real), measured(simulated));
    let spread = |hips: &[[Option<f64>; descriptors::COUNT]], i: usize| {
        Spread::of(&hips.iter().filter_map(|hip| hip[i]).collect::<Vec<_>>())
    };
    let rows = DESCRIPTORS.iter().enumerate();
    rows.map(|(i, descriptor)| Compared {
        name: descriptor.name,
        unit: descriptor.unit,
        real: spread(&real, i),
        simulated: spread(&simulated, i),
    })
    .collect()
}
