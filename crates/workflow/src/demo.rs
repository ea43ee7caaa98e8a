//! The whole way on simulated films: unseen films are read and reported, by the shipped network or by one that is trained first.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use coxa_cohort::Dataset;
use coxa_model::recipe::Overrides;
use coxa_model::train::{self, RunLayout, TrainOptions};
use coxa_model::{Bundle, Detector, DetectorOptions, Recipe};
use coxa_simulate::Domain;
use coxa_simulate::datasets::{self, DatasetSpec, FilmFormat, FilmSet, FilmsPerPatient, Proportions};
use coxa_study::evaluate::EvaluationOptions;

use crate::observer::of_training;
use crate::report::{Assessment, ReportRequest, assess};
use crate::{WorkEvent, WorkObserver, WorkflowError};

/// The seed of the films that the demo is tested on; no training uses it.
const TEST_SEED: u64 = 2017;
/// The seed of the films that the demo trains on.
const TRAIN_SEED: u64 = 2016;
/// Limb films that the demo trains on.
const LIMBS: usize = 300;
/// Films of hips that the demo trains on.
const HIPS: usize = 2000;
/// Longest side of the films that the demo trains on, in pixels.
const TRAIN_SIZE: usize = 256;
/// What the small study sees: close-ups of hips in a tidy department.
const SMALL: Domain = Domain { variation: 0.1, hardware: 0.0, close_up: 1.0, clutter: 0.0 };

/// Which network a demo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The one that comes with the program.
    Shipped,
    /// A small one, trained from scratch on close-ups of one hip from a tidy department.
    Trained,
}

/// Makes words and a command for each next step, from the report's folder and the bundle's, if it is not the shipped one.
pub type NextSteps = fn(&Path, Option<&Path>) -> Vec<(String, String)>;

/// What a demo is made of.
#[derive(Debug)]
pub struct DemoRequest<'a> {
    /// Where everything is put; films and a network of an earlier demo are used again.
    pub out: &'a Path,
    /// Which network is shown.
    pub network: Network,
    /// Unseen films to test on.
    pub films: usize,
    /// What to try next, for the page.
    pub next: NextSteps,
}

/// What a demo made.
#[derive(Debug)]
pub struct Demonstration {
    /// The readings and what they are worth.
    pub assessment: Assessment,
    /// The report's folder, a new one each time.
    pub report: PathBuf,
    /// The bundle, if it is not the shipped one.
    pub bundle: Option<PathBuf>,
    /// Pixels on each side of the network's input.
    pub input_size: usize,
}

/// Simulates films that no network has seen, has them read and writes the report.
///
/// # Errors
/// A folder that holds something else or cannot be written, or as a training.
pub fn demonstrate(request: &DemoRequest<'_>, observer: &mut dyn WorkObserver) -> Result<Demonstration, WorkflowError> {
    let (bundle, run) = match request.network {
        Network::Trained => trained(request.out, observer).map(|(bundle, run)| (bundle, Some(run)))?,
        Network::Shipped => (Bundle::shipped()?, None),
    };
    let test = test_films(request, observer)?;
    let mut detector = Detector::new(&bundle, &DetectorOptions::default())?;
    let threshold = bundle.card().threshold.threshold;
    drop(bundle);
    let (name, title) = match request.network {
        Network::Trained => ("report-trained", "Hip fractures on simulated close-ups from a tidy department"),
        Network::Shipped => ("report", "Hip fractures on simulated films"),
    };
    let report = free(request.out, name);
    let bundle = run.as_ref().map(RunLayout::bundle);
    let assessment = assess(
        ReportRequest {
            dataset: &test,
            run: run.as_ref().map(RunLayout::folder),
            readers: Vec::new(),
            judgments: None,
            options: EvaluationOptions { threshold, ..EvaluationOptions::default() },
            title: title.to_owned(),
            out: &report,
            next: (request.next)(&report, bundle.as_deref()),
        },
        &mut detector,
        observer,
    )?;
    Ok(Demonstration { assessment, report, bundle, input_size: detector.size() })
}

/// The first of `name`, `name-2`, `name-3`, … that is not there yet: an earlier report stays.
fn free(folder: &Path, name: &str) -> PathBuf {
    let mut place = folder.join(name);
    let mut n = 2;
    while place.exists() {
        place = folder.join(format!("{name}-{n}"));
        n += 1;
    }
    place
}

fn test_films(request: &DemoRequest<'_>, observer: &mut dyn WorkObserver) -> Result<Dataset, WorkflowError> {
    let (kind, domain) = match request.network {
        Network::Trained => ("hips", SMALL),
        Network::Shipped => ("test", Domain::default()),
    };
    let spec = DatasetSpec {
        what: FilmSet::Pelvis,
        n: request.films,
        seed: TEST_SEED,
        size: 512,
        format: FilmFormat::Dicom,
        domain,
        ..DatasetSpec::default()
    };
    let folder = request.out.join(format!("{kind}-{}", request.films));
    reuse_or_simulate("simulating unseen films", &folder, &spec, observer)
}

/// The bundle that the small study trains, from an earlier demo where there is one, and its run.
fn trained(out: &Path, observer: &mut dyn WorkObserver) -> Result<(Bundle, RunLayout), WorkflowError> {
    let folder = out.join("runs");
    let runs = RunLayout::all(&folder);
    if let Some(run) = runs.iter().rfind(|run| run.is_finished()) {
        let note =
            format!("the network of {} is used again; delete the folder to train another", run.folder().display());
        observer.on(&WorkEvent::Note(&note));
        return Ok((Bundle::load(&run.bundle())?, run.clone()));
    }
    let recipe = small_recipe(out, observer)?;
    let options = TrainOptions::new(&folder);
    let mut events = of_training(observer);
    let outcome = match runs.last() {
        Some(interrupted) => train::resume(interrupted.folder(), &options, &mut events),
        None => train::train(&recipe, &options, &mut events),
    }?;
    let bundle = outcome.bundle.ok_or_else(|| WorkflowError::Stopped("the training".to_owned()))?;
    Ok((Bundle::load(&bundle)?, RunLayout::new(outcome.run)))
}

/// The recipe `small` with its films, simulated where they are not there.
fn small_recipe(out: &Path, observer: &mut dyn WorkObserver) -> Result<Recipe, WorkflowError> {
    let spec = |what, n| DatasetSpec {
        what,
        n,
        seed: TRAIN_SEED,
        size: TRAIN_SIZE,
        format: FilmFormat::Png,
        proportions: Proportions::default(),
        patients: if what == FilmSet::Pelvis { FilmsPerPatient::Pairs } else { FilmsPerPatient::Single },
        domain: SMALL,
        anatomy: None,
    };
    let (limbs, hips) = (out.join("limbs"), out.join("hips"));
    reuse_or_simulate("simulating limbs", &limbs, &spec(FilmSet::Limbs, LIMBS), observer)?;
    reuse_or_simulate("simulating hips", &hips, &spec(FilmSet::Pelvis, HIPS), observer)?;
    let of = |stage: &str, folder: &Path| (stage.to_owned(), folder.to_owned());
    let datasets = vec![of("limbs", &limbs), of("patches", &hips), of("wide", &hips), of("films", &hips)];
    Ok(Recipe::built_in("small")?.with(&Overrides { datasets, ..Overrides::default() })?)
}

/// The dataset in `folder` if it is there already, else a simulated one.
fn reuse_or_simulate(
    what: &str,
    folder: &Path,
    spec: &DatasetSpec,
    observer: &mut dyn WorkObserver,
) -> Result<Dataset, WorkflowError> {
    if folder.join("manifest.csv").is_file() {
        observer.on(&WorkEvent::Note(&format!("{} is there already and is used again", folder.display())));
        return Ok(Dataset::load(folder)?);
    }
    let observer = Mutex::new(observer);
    let steps = |done| {
        if let Ok(mut observer) = observer.lock() {
            observer.on(&WorkEvent::Steps { what, done, total: spec.n });
        }
    };
    Ok(datasets::write(folder, spec, &steps)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_report_keeps_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["report", "report-2", "report-3"] {
            assert_eq!(free(folder.path(), "report"), folder.path().join(name));
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
    }
}
