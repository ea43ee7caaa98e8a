//! `coxa demo`: unseen simulated films, read and judged, within a minute; with `--train`, the whole of the paper in some minutes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use coxa_model::recipe::Overrides;
use coxa_model::train::{self, RunLayout, TrainOptions};
use coxa_model::{Bundle, Detector, DetectorOptions, Recipe};
use coxa_simulate::Domain;
use coxa_simulate::datasets::{DatasetSpec, FilmFormat, FilmSet, FilmsPerPatient, Proportions};
use coxa_study::evaluate::EvaluationOptions;
use coxa_study::report::{PAPER, PAPER_LOCALIZATION};

use super::assess::{Assessment, Request, assess};
use super::evaluate::{rows, words};
use super::simulate::reuse_or_write;
use super::train::Bars;
use crate::output::Outcome;

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

/// Simulates films that no network has seen, reads them with the bundle that comes with the program, and makes a page that shows how
/// good it is and where it looked.
///
/// With `--train` it is the paper in small, from nothing: limb films and pretraining, films of hips and retraining, then the test, all on
/// close-ups of one hip from a tidy department. What is there already is used again.
#[derive(Args)]
pub struct Demo {
    /// Where everything is put.
    #[arg(long, default_value = "coxa-demo")]
    out: PathBuf,
    /// Trains a small network from scratch first, in some minutes, and tests that.
    #[arg(long)]
    train: bool,
    /// Unseen films to test on: a quarter of the femoral neck, a quarter trochanteric, half without a fracture.
    #[arg(long, default_value_t = 100)]
    films: usize,
}

impl Demo {
    /// Runs the demo.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let (bundle, run) = match self.train {
            true => self.trained().map(|(bundle, run)| (bundle, Some(run)))?,
            false => (Bundle::shipped()?, None),
        };
        let test = DatasetSpec {
            what: FilmSet::Pelvis,
            n: self.films,
            seed: TEST_SEED,
            size: 512,
            format: FilmFormat::Dicom,
            domain: if self.train { SMALL } else { Domain::default() },
            ..DatasetSpec::default()
        };
        let name = format!("{}-{}", if self.train { "hips" } else { "test" }, self.films);
        let test = reuse_or_write("simulating unseen films", &self.out.join(name), &test)?;
        let mut reader = Detector::new(&bundle, &DetectorOptions::default())?;
        let report = self.out.join(if self.train { "report-trained" } else { "report" });
        let model = run.as_ref().map(|run| RunLayout::new(run).bundle());
        let request = Request {
            dataset: &test,
            run: run.as_deref(),
            readers: Vec::new(),
            options: EvaluationOptions { threshold: bundle.card().threshold.threshold, ..EvaluationOptions::default() },
            title: match self.train {
                true => "Hip fractures on simulated close-ups from a tidy department".to_owned(),
                false => "Hip fractures on simulated films".to_owned(),
            },
            out: &report,
            next: next(&report, model.as_deref()),
        };
        let assessment = assess(request, &mut reader)?;
        say(&assessment, reader.size(), self.train);
        println!();
        println!("page      {}", report.join("index.html").display());
        println!("time      {:.0} s", start.elapsed().as_secs_f64());
        println!();
        for (what, command) in next(&report, model.as_deref()) {
            println!("{what}\n    {command}");
        }
        Ok(Outcome::of_failures(assessment.failed))
    }

    /// The bundle that the small study trains, from an earlier demo where there is one, and its run.
    fn trained(&self) -> anyhow::Result<(Bundle, PathBuf)> {
        let runs = self.out.join("runs");
        if let Some(run) = finished_run(&runs) {
            eprintln!("the network of {} is used again; delete the folder to train anew", run.display());
            return Ok((Bundle::load(&RunLayout::new(&run).bundle())?, run));
        }
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
        let limbs = self.out.join("limbs");
        let hips = self.out.join("hips");
        reuse_or_write("simulating limbs", &limbs, &spec(FilmSet::Limbs, LIMBS))?;
        reuse_or_write("simulating hips", &hips, &spec(FilmSet::Pelvis, HIPS))?;
        let of = |stage: &str, folder: &PathBuf| (stage.to_owned(), folder.clone());
        let datasets = vec![of("limbs", &limbs), of("patches", &hips), of("wide", &hips), of("films", &hips)];
        let recipe = Recipe::built_in("small")?.with(&Overrides { datasets, ..Overrides::default() })?;
        let mut bars = Bars::default();
        let mut hear = |event: &coxa_model::Event<'_>| bars.on(event);
        let options = TrainOptions::new(&runs);
        let outcome = match unfinished_run(&runs) {
            Some(run) => train::resume(&run, &options, &mut hear),
            None => train::train(&recipe, &options, &mut hear),
        };
        let outcome = outcome?;
        Ok((Bundle::load(&RunLayout::new(&outcome.run).bundle())?, outcome.run))
    }
}

fn finished_run(runs: &Path) -> Option<PathBuf> {
    newest_run(runs, RunLayout::is_finished)
}

/// A run that was killed: it has its recipe, and no bundle yet.
fn unfinished_run(runs: &Path) -> Option<PathBuf> {
    newest_run(runs, |run| !run.is_finished())
}

fn newest_run(runs: &Path, is_wanted: impl Fn(&RunLayout) -> bool) -> Option<PathBuf> {
    RunLayout::all(runs).into_iter().rfind(is_wanted).map(|run| run.folder().to_path_buf())
}

/// The paper's figures, with those of the simulated films beside them.
fn say(assessment: &Assessment, size: usize, is_small: bool) {
    let measures = &assessment.evaluation.measures;
    let kind = if is_small { "close-ups of a hip from a tidy department: " } else { "" };
    println!(
        "{kind}{} unseen simulated films, {} with a fracture, read at {size}×{size}. Research use only.",
        measures.n, measures.positives
    );
    println!();
    println!("{:<24} {:<28} paper, 100 real films", "", "simulated films");
    for (name, value, low, high) in PAPER {
        let ours = rows(measures).into_iter().find(|(known, _)| *known == name).map(|(_, statistic)| words(statistic));
        println!("{name:<24} {:<28} {value} ({low}–{high})", ours.unwrap_or_default());
    }
    if let Some(place) = &assessment.localization {
        println!("{:<24} {:<28} {PAPER_LOCALIZATION:.3}", "heatmap on the site", words(&place.right_site));
        println!("  (its peak in the true box grown by a tenth of the film's width, of the fractures called)");
    }
    let c = &measures.confusion;
    println!();
    println!("true positives {}, false negatives {}, false positives {}, true negatives {}", c.tp, c.fn_, c.fp, c.tn);
}

fn next(report: &Path, model: Option<&Path>) -> Vec<(String, String)> {
    // As it was called here: nobody need have it on the path.
    let coxa = std::env::args().next().unwrap_or_else(|| "coxa".to_owned());
    let pair = |what: &str, command: String| (what.to_owned(), format!("{coxa} {command}"));
    let named = model.map_or(String::new(), |model| format!(" --model {}", model.display()));
    let mut all = vec![
        pair("Read a film of your own:", format!("predict FILM.dcm{named} --heatmap heatmaps")),
        pair(
            "Check every figure:",
            format!("evaluate --predictions {} --json", report.join("predictions.csv").display()),
        ),
        pair(
            "Train on your own films:",
            format!(
                "import folders DIR --names labels --patient-prefix _ --out mine && \
                 {coxa} simulate limbs --n 5000 --out limbs && \
                 {coxa} train --recipe paper --data limbs=limbs --data films=mine"
            ),
        ),
    ];
    if model.is_none() {
        all.insert(1, pair("Train a network from scratch, in some minutes:", "demo --train".to_owned()));
    }
    all
}
