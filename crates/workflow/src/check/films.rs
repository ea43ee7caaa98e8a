//! The films of a check: real ones without a fracture, cut in two halves, and simulated ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use coxa_cohort::split::number_in;
use coxa_cohort::{CohortError, Dataset};
use coxa_files::find::films_below;
use coxa_files::table::Table;
use coxa_model::ModelError;
use coxa_schema::{BodyPart, Label};
use coxa_simulate::{FilmKind, FilmOptions, display8, pelvis};

use super::hip::{HipFrame, Plane};
use super::moves::HipFilm;
use crate::WorkflowError;
use crate::near_copies::{Print, groups};

/// Which of the real films are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Those by which a simulator is developed.
    Tuning,
    /// Those by which it is judged at the end.
    HeldOut,
    /// All.
    Both,
}

/// Films whose numbers are no farther apart than this may be of one patient.
const BLOCK: u64 = 10;

/// A real film before its hips are known.
#[derive(Debug, Clone)]
pub struct RealFilm {
    /// Its file, relative to the folder of real films.
    pub name: String,
    /// Its display values.
    pub plane: Plane,
    /// What its copies are known by.
    pub print: Print,
}

/// The files of a folder's frontal films of hips without a fracture: those that `listing` (columns `image_id`, `label` and, if there,
/// `sideways`) calls so, wherever below the folder they lie; else those of the folder's manifest; else all of them.
///
/// # Errors
/// A table that cannot be read, or a folder without such films.
pub fn normal_files(folder: &Path, listing: Option<&Path>) -> Result<Vec<String>, WorkflowError> {
    let relative = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let mut files: Vec<String> = if let Some(listing) = listing {
        let wanted = listed(listing)?;
        let is_wanted = |path: &PathBuf| {
            let name = |part: Option<&std::ffi::OsStr>| part.is_some_and(|q| wanted.contains(&*q.to_string_lossy()));
            name(path.file_name()) || name(path.file_stem())
        };
        films_below(folder).films.iter().filter(|path| is_wanted(path)).map(|path| relative(path)).collect()
    } else if folder.join("manifest.csv").is_file() {
        let dataset = Dataset::load(folder)?;
        let shows_hips = |part: &BodyPart| matches!(part, BodyPart::Hip | BodyPart::Pelvis);
        let normal = dataset.films.iter().filter(|film| {
            let upright = film.extra.get("sideways").is_none_or(|sideways| sideways != "1");
            !film.excluded && film.label == Label::Absent && shows_hips(&film.body_part) && upright
        });
        normal.map(|film| film.path.clone()).collect()
    } else {
        films_below(folder).films.iter().map(|path| relative(path)).collect()
    };
    files.sort_by_key(|file| (number_in(&stem(file)), file.clone()));
    if files.is_empty() {
        return Err(WorkflowError::refused(
            format!("{}: no frontal film of a hip without a fracture", folder.display()),
            "name a dataset folder, or one of films with --films TABLE (columns image_id, label)",
        ));
    }
    Ok(files)
}

/// The names that a listing calls upright films without a fracture.
fn listed(listing: &Path) -> Result<BTreeSet<String>, WorkflowError> {
    let wrap = |error| WorkflowError::Cohort(CohortError::from(error));
    let table = Table::read(listing).map_err(wrap)?;
    table.require("image_id").and_then(|_| table.require("label")).map_err(wrap)?;
    let mut names = BTreeSet::new();
    for row in table.rows() {
        let label = Label::parse(row.text("label")).ok_or_else(|| wrap(row.value_error("label", Label::EXPECTED)))?;
        if label == Label::Absent && !row.flag("sideways").map_err(wrap)?.unwrap_or(false) {
            names.insert(row.required("image_id", "the film's name").map_err(wrap)?.to_owned());
        }
    }
    Ok(names)
}

fn stem(file: &str) -> String {
    Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The films of a half. Films of neighboring numbers and copies of a film stay together: each film follows from the others alone, not from
/// any drawing of lots.
pub fn half_of(films: Vec<RealFilm>, half: Half) -> Vec<RealFilm> {
    if half == Half::Both {
        return films;
    }
    let numbers: Vec<Option<u64>> = films.iter().map(|film| number_in(&stem(&film.name))).collect();
    let are_neighbors = |i: usize, j: usize| match (numbers[i], numbers[j]) {
        (Some(a), Some(b)) => a.abs_diff(b) <= BLOCK && i == j + 1,
        _ => false,
    };
    let groups = groups(films.len(), |i, j| are_neighbors(i, j) || films[i].print.is_near(&films[j].print));
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    groups.iter().for_each(|group| *sizes.entry(*group).or_default() += 1);
    // In the order of the films, each group goes where there are fewer films so far.
    let mut counts = [0_usize; 2];
    let mut halves = HashMap::new();
    for (group, size) in sizes {
        let to = usize::from(counts[1] < counts[0]);
        counts[to] += size;
        halves.insert(group, if to == 0 { Half::Tuning } else { Half::HeldOut });
    }
    films.into_iter().zip(groups).filter(|(_, group)| halves[group] == half).map(|(film, _)| film).collect()
}

/// Reads films; `failed` gets those that cannot be read.
pub fn read_films(folder: &Path, files: &[String], mut failed: impl FnMut(&str, &ModelError)) -> Vec<RealFilm> {
    let mut films = Vec::new();
    for file in files {
        match coxa_imaging::read(&folder.join(file)) {
            Ok(film) => films.push(RealFilm { name: file.clone(), plane: Plane::of(&film), print: Print::of(&film) }),
            Err(error) => failed(file, &ModelError::from(error)),
        }
    }
    films
}

/// Simulated films without a fracture, with those of their hips that hold no metal and lie on the film.
pub fn simulated_films(seed: u64, count: usize, options: &FilmOptions) -> Vec<HipFilm> {
    let options = FilmOptions { kind: FilmKind::Normal, ..*options };
    let one = |index: u64| {
        let film = pelvis(seed, index, &options);
        let plane = Plane {
            width: film.width,
            height: film.height,
            values: display8(&film).into_iter().map(f32::from).collect(),
        };
        let metal = film.truth.hardware.map(|(_, side)| side);
        let inside =
            |[x, y]: [f32; 2]| (0.0..plane.width as f32).contains(&x) && (0.0..plane.height as f32).contains(&y);
        let hips = film.truth.hips.iter().filter(|hip| Some(hip.side) != metal && inside(hip.center()));
        HipFilm { name: format!("simulated {seed}-{index}"), hips: hips.copied().collect(), plane }
    };
    (0..count as u64).map(one).collect()
}

#[cfg(test)]
mod tests {
    use coxa_imaging::Radiograph;

    use super::*;

    fn film(number: u64, seed: u64) -> RealFilm {
        let value = |i: u64| ((i * i * (seed + 3) + i * seed * 7919) % 251) as f32;
        let film = Radiograph::from_display(64, 64, (0..64 * 64).map(value).collect()).unwrap();
        RealFilm { name: format!("IMG{number:07}.jpg"), plane: Plane::of(&film), print: Print::of(&film) }
    }

    #[test]
    fn neighbors_and_copies_stay_together() {
        let mut films: Vec<RealFilm> = (0..12).map(|i| film(100 + i / 3 * 50 + i % 3, i)).collect();
        films.push(film(900, 0));
        let [tuning, held_out] = [Half::Tuning, Half::HeldOut].map(|half| half_of(films.clone(), half));
        assert_eq!(tuning.len() + held_out.len(), films.len());
        assert!(tuning.len().abs_diff(held_out.len()) <= 4);
        let holds = |films: &[RealFilm], number: u64| films.iter().any(|f| f.name == film(number, 0).name);
        for half in [&tuning, &held_out] {
            assert_eq!(holds(half, 100), holds(half, 102));
            assert_eq!(holds(half, 100), holds(half, 900));
        }
        assert_eq!(half_of(films.clone(), Half::Both).len(), films.len());
    }
}
