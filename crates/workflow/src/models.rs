//! A bundle, named or shipped, made ready to read films; and what is measured on a dataset's films.

use std::path::{Path, PathBuf};

use coxa_cohort::{Dataset, Target};
use coxa_imaging::Radiograph;
use coxa_model::recipe::ThresholdRule;
use coxa_model::tune::{LabeledFilm, Settling, adapt, measure_int8, settle};
use coxa_model::{Bundle, Detector, DetectorOptions, ModelError, Precision, Reading};
use coxa_simulate::{FilmOptions, display8};

use crate::{WorkEvent, WorkObserver, WorkflowError};

/// The simulated films by which 8-bit arithmetic is scaled.
const CALIBRATION_SEED: u64 = 8;
const CALIBRATION_FILMS: u64 = 16;

/// The named bundle, or else the shipped one, which is noted.
///
/// # Errors
/// When it cannot be read.
pub fn open_bundle(folder: Option<&Path>, observer: &mut dyn WorkObserver) -> Result<Bundle, WorkflowError> {
    if let Some(folder) = folder {
        return Ok(Bundle::load(folder)?);
    }
    let bundle = Bundle::shipped()?;
    observer.on(&WorkEvent::Note(&format!(
        "no bundle is named: reading with {} ({}), which comes with the program and was trained on simulated hips and real limbs",
        bundle.card().name,
        bundle.short_hash()
    )));
    Ok(bundle)
}

/// A bundle made ready to read films; at 8 bits, the ranges of a bundle that has none are measured on simulated films, the same each
/// time, so that a prediction does not depend on the films beside it.
///
/// # Errors
/// When the bundle does not have what the options ask for.
pub fn ready(
    bundle: &Bundle,
    options: &DetectorOptions,
    observer: &mut dyn WorkObserver,
) -> Result<Detector, WorkflowError> {
    if options.precision != Precision::Int8 || bundle.int8().is_some() {
        return Ok(Detector::new(bundle, options)?);
    }
    observer.on(&WorkEvent::Note(&format!(
        "the bundle has no ranges for 8 bits: measuring them on {CALIBRATION_FILMS} simulated films (coxa model calibrate does so once, \
         on films of your own)"
    )));
    Ok(Detector::calibrated(bundle, options, &calibration_films()?)?)
}

fn calibration_films() -> Result<Vec<Radiograph>, WorkflowError> {
    let film = |index| {
        let film = coxa_simulate::pelvis(CALIBRATION_SEED, index, &FilmOptions::default());
        let pixels = display8(&film).into_iter().map(f32::from).collect();
        Ok(Radiograph::from_display(film.width, film.height, pixels).map_err(ModelError::from)?)
    };
    (0..CALIBRATION_FILMS).map(film).collect()
}

/// So many of a dataset's films, in words.
fn counted(dataset: &Dataset, films: usize) -> String {
    let kind = if dataset.is_simulated() { "simulated films" } else { "films" };
    format!("{films} {kind}")
}

/// A dataset's first films that are not excluded, and what they are in words.
struct Measured {
    paths: Vec<PathBuf>,
    words: String,
}

impl Measured {
    fn on(data: &Path, most: usize) -> Result<Self, WorkflowError> {
        let dataset = Dataset::load(data)?;
        let chosen = dataset.films.iter().filter(|film| !film.excluded).take(most);
        let paths: Vec<_> = chosen.map(|film| dataset.image_path(film)).collect();
        if paths.is_empty() {
            return Err(WorkflowError::refused(
                format!("{}: no film to measure on", data.display()),
                "name a dataset with films that are not excluded",
            ));
        }
        let words = counted(&dataset, paths.len());
        Ok(Self { paths, words })
    }
}

/// Saves a copy of a bundle with the ranges of 8-bit arithmetic, measured on the dataset's first `films`.
///
/// # Errors
/// A film or bundle that cannot be read, or something that lies at `out`.
pub fn calibrate(bundle: &Path, data: &Path, films: usize, out: &Path) -> Result<Bundle, WorkflowError> {
    let bundle = Bundle::load(bundle)?;
    let measured = Measured::on(data, films)?;
    let films: Vec<_> = measured.paths.iter().map(|path| coxa_imaging::read(path)).collect::<Result<_, _>>()?;
    let format = bundle.card().weights.format;
    Ok(measure_int8(bundle, &films, None, &measured.words)?.save(out, format)?)
}

/// What [`adapt_bundle`] is asked for.
#[derive(Debug)]
pub struct Adaptation<'a> {
    /// The bundle.
    pub bundle: &'a Path,
    /// The dataset.
    pub data: &'a Path,
    /// How many of its films; all, unless given.
    pub films: Option<usize>,
    /// Films that are normalized together, at least 2.
    pub batch: usize,
    /// The new bundle's folder.
    pub out: &'a Path,
}

/// Saves a copy of a bundle with the normalization statistics of a dataset's films.
///
/// # Errors
/// A film or bundle that cannot be read, fewer than two films, or something that lies at `out`.
pub fn adapt_bundle(request: &Adaptation<'_>, observer: &mut dyn WorkObserver) -> Result<Bundle, WorkflowError> {
    let bundle = Bundle::load(request.bundle)?;
    let measured = Measured::on(request.data, request.films.unwrap_or(usize::MAX))?;
    let films = measured.paths.iter().map(|path| Ok(coxa_imaging::read(path)?));
    let format = bundle.card().weights.format;
    let total = measured.paths.len();
    let mut done = 0;
    let adapted = adapt(&bundle, films, request.batch, None, &measured.words, || {
        done += 1;
        observer.on(&WorkEvent::Steps { what: "measuring films", done, total });
    })?;
    Ok(adapted.save(request.out, format)?)
}

/// What [`settle_bundle`] is asked for.
#[derive(Debug)]
pub struct Settlement<'a> {
    /// The bundle.
    pub bundle: &'a Path,
    /// The labeled dataset; its questionable films are left out.
    pub data: &'a Path,
    /// How the threshold is chosen.
    pub rule: ThresholdRule,
    /// Cells on each side of the window that films are read by; 0 for the whole film, the bundle's own unless given.
    pub window: Option<usize>,
    /// Whether films are read together with their mirror images; as the bundle says, unless given.
    pub mirror: Option<bool>,
    /// Pixels on each side of the network's input, the bundle's own unless given.
    pub size: Option<usize>,
    /// Whether the network's output is calibrated on the films.
    pub calibrate: bool,
    /// The new bundle's folder.
    pub out: &'a Path,
}

/// Saves a copy of a bundle with its threshold, heat map's scale and validation scores taken from a labeled dataset.
///
/// # Errors
/// A film or bundle that cannot be read, films of one class alone, or something that lies at `out`.
pub fn settle_bundle(request: &Settlement<'_>, observer: &mut dyn WorkObserver) -> Result<Bundle, WorkflowError> {
    // Minutes before the bundle would be refused.
    if request.out.exists() {
        return Err(ModelError::Exists { path: request.out.to_path_buf() }.into());
    }
    let bundle = Bundle::load(request.bundle)?;
    let dataset = Dataset::load(request.data)?;
    let (samples, _) = coxa_cohort::samples(&dataset, &Target::Fracture)?;
    let words = counted(&dataset, samples.len());
    let (total, mut done) = (samples.len(), 0);
    let films = samples.into_iter().map(|sample| {
        let film = coxa_imaging::read(&sample.image)?;
        Ok(LabeledFilm { film, is_positive: sample.target == 1, patient: sample.patient })
    });
    let own = Reading::of(bundle.card());
    let window = match request.window {
        Some(0) => None,
        Some(window) => Some(window),
        None => own.window,
    };
    let reading =
        Reading { size: request.size.unwrap_or(own.size), window, mirror: request.mirror.unwrap_or(own.mirror) };
    let settling = Settling { rule: request.rule, reading, calibrate: request.calibrate };
    let settled = settle(&bundle, films, settling, &words, || {
        done += 1;
        observer.on(&WorkEvent::Steps { what: "reading films", done, total });
    })?;
    Ok(settled.save(request.out, bundle.card().weights.format)?)
}
