//! The gate by pixels, fitted: films of known contents, changed copies of them and drawn pictures go through the network once; a
//! classifier of its features learns what they show.

mod contents;
mod drawn;
mod picture;

use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Sample, Split};
use coxa_model::content::{ACCEPTED, Example, Figure, Part};
use coxa_model::tune::FilmFeatures;
use coxa_model::{Bundle, Control, ModelError};
use coxa_simulate::random::{FilmRng, Stream, chance, stream, uniform};
use coxa_simulate::{Domain, FilmOptions, display8};

use crate::near_copies::{Print, groups};
use crate::{Failure, WorkEvent, WorkObserver, WorkflowError};
use contents::{Known, known_films};
use drawn::Drawn;
use picture::Picture;

/// What [`fit_gate`] is asked for.
#[derive(Debug)]
pub struct GateRequest<'a> {
    /// The bundle.
    pub bundle: &'a Path,
    /// The datasets whose films are fitted and tested on; a film that an earlier one has too counts once.
    pub data: &'a [PathBuf],
    /// Films of each class of each dataset at most, 8 or more.
    pub films: usize,
    /// The share of the patients that are only tested on, above 0 and below 1.
    pub test_share: f64,
    /// What patients are dealt and pictures are changed and drawn by.
    pub seed: u64,
    /// The new bundle's folder.
    pub out: &'a Path,
}

/// Of the patients that are not for the test, the share on which thresholds are chosen.
const VALIDATION_SHARE: f64 = 0.3;
/// Copies of a film to fit on at most, each changed in another way.
const MOST_VARIANTS: usize = 4;

/// Fits a gate by pixels and saves a copy of the bundle with it; its figures are in [`ContentGate::figures`].
///
/// Films are dealt by patient, and near-copies of films with them, to three parts: the classifier is fitted on the first, its thresholds
/// are chosen on the second, and the third is only tested on. Films of the pelvis and the hip also stand for what cannot be read: turned
/// by a right angle or two, blurred by motion, without contrast, with another film beside them. Whole pelves are simulated to cut the hips
/// off. What no dataset holds is drawn.
///
/// [`ContentGate::figures`]: coxa_model::content::ContentGate::figures
///
/// # Errors
/// A dataset or bundle that cannot be read, films of too few kinds or patients, something that lies at `out`; a film that cannot be read
/// is reported to the observer and left out.
pub fn fit_gate(request: &GateRequest<'_>, observer: &mut dyn WorkObserver) -> Result<Bundle, WorkflowError> {
    // Minutes before the bundle would be refused.
    if request.out.exists() {
        return Err(ModelError::Exists { path: request.out.to_path_buf() }.into());
    }
    let bundle = Bundle::load(request.bundle)?;
    let datasets: Vec<Dataset> = request.data.iter().map(|folder| Dataset::load(folder)).collect::<Result<_, _>>()?;
    let mut gathering = Gathering { features: FilmFeatures::new(&bundle, None)?, films: Vec::new(), observer };
    let (known, prints) = gathering.take_known(known_films(&datasets, request.films))?;
    let parts = deal(&known, &prints, request)?;
    for (film, part) in gathering.films.iter_mut().zip(&parts) {
        film.example.part = *part;
    }
    gathering.take_changed(&known, &parts, request)?;
    gathering.take_cut_off(request)?;
    gathering.take_drawn(request)?;
    let Gathering { features, films, .. } = gathering;
    let examples: Vec<Example> = films.iter().map(|film| film.example.clone()).collect();
    let counted = |part| examples.iter().filter(|example| example.part == part).count();
    let simulated = if datasets.iter().any(Dataset::is_simulated) { ", some of them simulated," } else { "" };
    let fitted_on = format!(
        "{} films and pictures{simulated} and {} to choose its thresholds on",
        counted(Part::Fit),
        counted(Part::Validation)
    );
    let (mut gate, refused) = features.fit(&examples, &fitted_on)?;
    gate.figures = figures(&films, &refused);
    let format = bundle.card().weights.format;
    Ok(bundle.with_gate(gate)?.save(request.out, format)?)
}

/// A film whose features are taken.
struct Taken {
    example: Example,
    source: String,
}

/// Films on their way through the network.
struct Gathering<'a> {
    features: FilmFeatures,
    films: Vec<Taken>,
    observer: &'a mut dyn WorkObserver,
}

impl Gathering<'_> {
    fn step(&mut self, what: &str, done: usize, total: usize) -> Result<(), WorkflowError> {
        match self.observer.on(&WorkEvent::Steps { what, done, total }) {
            Control::Continue => Ok(()),
            _ => Err(WorkflowError::Stopped(what.to_owned())),
        }
    }

    fn take(&mut self, picture: Picture, class: &str, source: String, part: Part) -> Result<(), WorkflowError> {
        self.features.take(&picture.film()?)?;
        self.films.push(Taken { example: Example { class: class.to_owned(), part }, source });
        Ok(())
    }

    /// The datasets' films as they are, to be dealt later; those that cannot be read are left out.
    fn take_known(&mut self, films: Vec<Known>) -> Result<(Vec<Known>, Vec<Print>), WorkflowError> {
        let (total, mut kept, mut prints) = (films.len(), Vec::new(), Vec::new());
        for (i, known) in films.into_iter().enumerate() {
            match coxa_imaging::read(&known.path) {
                Ok(film) => {
                    self.features.take(&film)?;
                    prints.push(Print::of(&film));
                    let example = Example { class: known.class.clone(), part: Part::Fit };
                    self.films.push(Taken { example, source: known.source.clone() });
                    kept.push(known);
                }
                Err(error) => {
                    let failure = Failure::new(known.path.display().to_string(), &error);
                    self.observer.on(&WorkEvent::Failed(&failure));
                }
            }
            self.step("reading films", i + 1, total)?;
        }
        Ok((kept, prints))
    }

    /// Changed copies: of films to fit on, so that the classifier knows them by what they show; of films of the pelvis and the hip, what
    /// cannot be read.
    fn take_changed(
        &mut self,
        known: &[Known],
        parts: &[Part],
        request: &GateRequest<'_>,
    ) -> Result<(), WorkflowError> {
        for (i, film) in known.iter().enumerate() {
            let rng = &mut stream(request.seed, i as u64, Stream::View);
            let is_fitted = parts[i] == Part::Fit;
            let alike =
                known.iter().zip(parts).filter(|(other, part)| other.source == film.source && **part == parts[i]);
            let n_variants = match (is_fitted, film.is_accepted()) {
                // Rare films get more copies.
                (true, true) => (request.films / (2 * alike.count()).max(1)).clamp(1, MOST_VARIANTS),
                (true, false) => usize::from(chance(rng, 0.3)),
                (false, _) => 0,
            };
            let changes = if film.is_accepted() { Change::some(rng) } else { Vec::new() };
            if film.is_accepted() || n_variants > 0 {
                let picture = Picture::of(&coxa_imaging::read(&film.path)?);
                for _ in 0..n_variants {
                    let source = format!("{}, varied", film.source);
                    self.take(picture.varied(rng), &film.class, source, parts[i])?;
                }
                // Upright films that are wider than high show both hips: each half is a film of one.
                if film.is_accepted() && picture.width > picture.height {
                    let source = format!("{}, one side", film.source);
                    let half = picture.one_side(rng);
                    let half = if is_fitted { half.varied(rng) } else { half };
                    self.take(half, "hip", source, parts[i])?;
                }
                for change in changes {
                    let beside = || -> Result<Picture, WorkflowError> {
                        let rng = &mut stream(request.seed, i as u64, Stream::Accessories);
                        let same: Vec<&Known> = known
                            .iter()
                            .zip(parts)
                            .filter(|(_, part)| **part == parts[i])
                            .map(|(film, _)| film)
                            .collect();
                        let other = same[uniform(rng, 0.0, same.len() as f32) as usize % same.len()];
                        Ok(Picture::of(&coxa_imaging::read(&other.path)?))
                    };
                    let source = format!("{}, {}", film.source, change.class());
                    self.take(change.of(&picture, rng, beside)?, change.class(), source, parts[i])?;
                }
            }
            self.step("changing films", i + 1, known.len())?;
        }
        Ok(())
    }

    /// Simulated pelves of which the upper or the lower end is in view, without the hips.
    fn take_cut_off(&mut self, request: &GateRequest<'_>) -> Result<(), WorkflowError> {
        let total = request.films / 4;
        let whole = Domain { close_up: 0.0, ..Domain::default() };
        for i in 0..total {
            let film =
                coxa_simulate::pelvis(request.seed, i as u64, &FilmOptions { domain: whole, ..FilmOptions::default() });
            let values = display8(&film).into_iter().map(f32::from).collect();
            let picture = Picture { width: film.width, height: film.height, values };
            let rng = &mut stream(request.seed, i as u64, Stream::Display);
            let rows = if chance(rng, 0.6) { [0.0, uniform(rng, 0.3, 0.4)] } else { [uniform(rng, 0.82, 0.88), 1.0] };
            let part = part_of(i);
            self.take(picture.part([0.0, 1.0], rows), "cut off", "simulated pelvis, cut off".to_owned(), part)?;
            self.step("cutting films", i + 1, total)?;
        }
        Ok(())
    }

    fn take_drawn(&mut self, request: &GateRequest<'_>) -> Result<(), WorkflowError> {
        let each = request.films / 8;
        for i in 0..each {
            for kind in Drawn::ALL {
                let picture = kind.picture(request.seed, i as u64);
                self.take(picture, kind.class(), kind.name().to_owned(), part_of(i))?;
            }
            self.step("drawing pictures", i + 1, each)?;
        }
        Ok(())
    }
}

/// The parts of drawn pictures, in turn.
fn part_of(number: usize) -> Part {
    [Part::Fit, Part::Test, Part::Fit, Part::Validation][number % 4]
}

/// What makes a film of the pelvis or the hip one that cannot be read.
#[derive(Debug, Clone, Copy)]
enum Change {
    Turned,
    Moved,
    WashedOut,
    Beside,
}

impl Change {
    /// Those that a film is given, if any.
    fn some(rng: &mut FilmRng) -> Vec<Self> {
        let shares = [(Self::Turned, 0.4), (Self::Moved, 0.15), (Self::WashedOut, 0.15), (Self::Beside, 0.25)];
        shares.into_iter().filter(|(_, share)| chance(rng, *share)).map(|(change, _)| change).collect()
    }

    /// The class of a film so changed.
    fn class(self) -> &'static str {
        match self {
            Self::Turned => "turned",
            Self::Moved => "moved",
            Self::WashedOut => "washed out",
            Self::Beside => "several views",
        }
    }

    fn of(
        self,
        picture: &Picture,
        rng: &mut FilmRng,
        other: impl FnOnce() -> Result<Picture, WorkflowError>,
    ) -> Result<Picture, WorkflowError> {
        Ok(match self {
            Self::Turned => picture.turned(1 + uniform(rng, 0.0, 3.0) as usize % 3),
            Self::Moved => picture.moved(rng),
            Self::WashedOut => picture.washed_out(rng),
            Self::Beside => picture.beside(&other()?, chance(rng, 0.25)),
        })
    }
}

/// Which part each film is in: by groups, so that no patient and no near-copy is in two.
fn deal(films: &[Known], prints: &[Print], request: &GateRequest<'_>) -> Result<Vec<Part>, WorkflowError> {
    let patients: Vec<&str> = films.iter().map(|film| film.patient.as_str()).collect();
    let groups = groups(films.len(), |i, j| patients[i] == patients[j] || prints[i].is_near(&prints[j]));
    let mut sources: Vec<&str> = films.iter().map(|film| film.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let mut rest: Vec<Sample> = films
        .iter()
        .enumerate()
        .map(|(i, film)| Sample {
            image: film.path.clone(),
            image_id: i.to_string(),
            patient: groups[i].to_string(),
            target: sources.binary_search(&film.source.as_str()).unwrap_or_default(),
        })
        .collect();
    let mut parts = vec![Part::Fit; films.len()];
    for (part, share) in [(Part::Test, request.test_share), (Part::Validation, VALIDATION_SHARE)] {
        let split = Split::by_patient(rest, share, request.seed)?;
        for i in split.validation().iter().filter_map(|sample| sample.image_id.parse::<usize>().ok()) {
            parts[i] = part;
        }
        rest = split.train().to_vec();
    }
    Ok(parts)
}

/// How many films of each source were refused, of those that the classifier was not fitted on.
fn figures(films: &[Taken], refused: &[bool]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    for (film, refused) in films.iter().zip(refused).filter(|(film, _)| film.example.part != Part::Fit) {
        let part = film.example.part;
        let known = figures.iter().position(|figure| figure.source == film.source && figure.part == part);
        let place = known.unwrap_or_else(|| {
            let is_accepted = ACCEPTED.contains(&film.example.class.as_str());
            figures.push(Figure { source: film.source.clone(), part, is_accepted, films: 0, refused: 0 });
            figures.len() - 1
        });
        figures[place].films += 1;
        figures[place].refused += usize::from(*refused);
    }
    figures.sort_by(|a, b| (a.part, !a.is_accepted, &a.source).cmp(&(b.part, !b.is_accepted, &b.source)));
    figures
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use coxa_cohort::Film;
    use coxa_engine::{Architecture, Parameters};
    use coxa_imaging::encode::png_gray8;
    use coxa_model::Card;
    use coxa_model::WeightsFormat;
    use coxa_schema::{BodyPart, Label};
    use coxa_simulate::noise::Noise;

    use super::*;
    use crate::Unobserved;

    /// A dataset of clouds, wide ones called pelves and high ones hands, and a bundle of random weights.
    fn prepare(folder: &Path) -> (PathBuf, PathBuf) {
        let (data, bundle) = (folder.join("data"), folder.join("bundle"));
        let mut dataset = Dataset::new(&data);
        std::fs::create_dir_all(data.join("images")).unwrap();
        for i in 0..48 {
            let (noise, is_pelvis) = (Noise::new(i), i % 2 == 0);
            let picture = Picture::drawn(96, 96, |u, v| {
                let (u, v) = if is_pelvis { (2.0 * u, 14.0 * v) } else { (14.0 * u, 2.0 * v) };
                128.0 + 120.0 * noise.plane(u, v)
            });
            let pixels: Vec<u8> = picture.values.iter().map(|value| *value as u8).collect();
            let path = format!("images/{i}.png");
            png_gray8(&data.join(&path), 96, 96, &pixels).unwrap();
            let part = if is_pelvis { BodyPart::Pelvis } else { BodyPart::Hand };
            dataset.films.push(Film::new(i.to_string(), path, format!("p{}", i / 4), part, Label::Unknown));
        }
        dataset.save().unwrap();
        let card = Card::imported("test", vec!["absent".into(), "present".into()], 64, "random weights");
        let parameters = Parameters::initialize(&Architecture::new(1), 3);
        Bundle::new(card, parameters).unwrap().save(&bundle, WeightsFormat::F32).unwrap();
        (data, bundle)
    }

    #[test]
    fn a_gate_is_fitted_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (data, bundle) = prepare(folder.path());
        let data = [data];
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        let fit = |out: &Path| {
            let request = GateRequest { bundle: &bundle, data: &data, films: 16, test_share: 0.4, seed: 1, out };
            fit_gate(&request, &mut Unobserved)
        };
        let fitted = fit(&a).unwrap();
        assert_ne!(fitted.hash(), Bundle::load(&bundle).unwrap().hash());
        let gate = fitted.gate().unwrap();
        for class in ["chest", "cut off", "hand", "other", "pelvis", "turned"] {
            assert!(gate.classes.iter().any(|known| known == class), "{class}: {:?}", gate.classes);
        }
        let counted = |source: &str| -> usize {
            gate.figures.iter().filter(|figure| figure.source == source).map(|figure| figure.films).sum()
        };
        // Of 16 films of 8 patients each, some are fitted on; copies and the other half of the set are counted nowhere.
        assert!((6..=14).contains(&counted("real pelvis")) && (6..=14).contains(&counted("real hand")));
        assert_eq!(counted("real pelvis, varied"), 0);
        assert!(counted("drawn noise") > 0);
        assert_eq!(fit(&b).unwrap(), fitted);
        let error = fit(&a).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
    }

    #[test]
    fn patients_and_near_copies_stay_in_one_part() {
        let folder = tempfile::tempdir().unwrap();
        let (data, bundle) = prepare(folder.path());
        let out = folder.path().join("out");
        let dataset = Dataset::load(&data).unwrap();
        let films = known_films(std::slice::from_ref(&dataset), 100);
        let prints: Vec<Print> = films.iter().map(|film| Print::of(&coxa_imaging::read(&film.path).unwrap())).collect();
        let data = [data];
        let request = GateRequest { bundle: &bundle, data: &data, films: 100, test_share: 0.5, seed: 7, out: &out };
        let parts = deal(&films, &prints, &request).unwrap();
        let of = |part| -> BTreeSet<&str> {
            films.iter().zip(&parts).filter(|(_, p)| **p == part).map(|(film, _)| film.patient.as_str()).collect()
        };
        let (fit, validation, test) = (of(Part::Fit), of(Part::Validation), of(Part::Test));
        assert!(!fit.is_empty() && !validation.is_empty() && !test.is_empty());
        assert!(fit.is_disjoint(&validation) && fit.is_disjoint(&test) && validation.is_disjoint(&test));
    }
}
