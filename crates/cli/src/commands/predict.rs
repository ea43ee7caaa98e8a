//! `coxa predict`: films become probabilities, findings, heat maps and regions.

use std::path::PathBuf;

use clap::Args;
use coxa_model::detect::gate::HeaderRule;
use coxa_model::{Backend, DetectorOptions};
use coxa_schema::{FilmPrediction, Finding, LineOutcome, NOTICE, PredictionLine, Side};
use coxa_workflow::inputs::{Inputs, find_inputs};
use coxa_workflow::models::{open_bundle, ready};
use coxa_workflow::predict::{Outputs, Predicted, predict};
use coxa_workflow::{Failure, WorkEvent, WorkObserver, WorkflowError};

use super::bench::PrecisionName;
use crate::output::{Outcome, json_line, some_of, write_json_line};
use crate::screen::Screen;

/// Read films (DICOM, PNG, JPEG, TIFF): a probability, a finding, a heat map and regions for each, in the film's own pixels.
///
/// A folder is searched for films; of a dataset folder (with a manifest.csv), the films that are not excluded are read. A file that cannot
/// be read is named, the others are read, and the exit status is 1. A film that its header describes as something else than a frontal
/// pelvis or hip is not read; the result says why. Research use only.
#[derive(Args)]
#[command(after_help = "Example: coxa predict film.dcm study/ --heatmap heatmaps --json")]
pub struct Predict {
    /// Films, folders or dataset folders.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Use this bundle, as `coxa train` and `coxa model import` make it [default: the one that comes with the program].
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Print one JSON object a line, one line a film.
    #[arg(long)]
    json: bool,
    /// Add the raw Grad-CAM to the JSON.
    #[arg(long, requires = "json")]
    cam: bool,
    /// Write each film with its heat map to this folder as PNG; earlier heat maps are replaced, other files never.
    #[arg(long, value_name = "DIR")]
    heatmap: Option<PathBuf>,
    /// Write image_id, patient, label, probability, threshold and subgroups as CSV, for `coxa evaluate`; an earlier table is replaced,
    /// another file never.
    #[arg(long, value_name = "FILE.csv")]
    predictions: Option<PathBuf>,
    /// Read at another input size than the bundle's, a multiple of 32.
    #[arg(long)]
    image_size: Option<usize>,
    /// Call a film positive from this probability on [default: the bundle's].
    #[arg(long)]
    threshold: Option<f64>,
    /// Compute with these numbers.
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionName,
    /// Use so many threads, 1 to 1024 [default: all].
    #[arg(long, value_parser = crate::values::threads_in_range)]
    threads: Option<usize>,
    /// Run the network on `cpu`, or on what else this build has.
    #[arg(long, default_value = "cpu")]
    backend: Backend,
    /// Read films too whose headers describe something else than a frontal pelvis or hip.
    #[arg(long)]
    any_film: bool,
}

impl Predict {
    /// Reads every film and prints what was found.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let inputs = find_inputs(&self.inputs)?;
        note_left_out(&inputs);
        let mut screen = Screen::default();
        for failure in &inputs.unreadable {
            screen.on(&WorkEvent::Failed(failure));
            self.print_failure(failure)?;
        }
        if inputs.films.is_empty() {
            return Err(no_film(&inputs));
        }
        let outputs = Outputs { heat_maps: self.heatmap.clone(), predictions: self.predictions.clone() };
        outputs.check(&inputs.films)?;
        let bundle = open_bundle(self.model.as_deref(), &mut screen)?;
        let mut detector = ready(&bundle, &self.options(), &mut screen)?;
        // The detector has what it needs of it, packed: 28 MB less while films are decoded.
        drop(bundle);
        eprintln!("note: {NOTICE}; not a medical device");
        let predicted = predict(&inputs.films, &mut detector, &outputs, &mut screen, |line| self.print(line))?;
        screen.finish();
        if !self.json {
            println!("{NOTICE}");
        }
        note_doubts(&predicted);
        Ok(Outcome::of_failures(inputs.unreadable.len() + predicted.failed))
    }

    fn options(&self) -> DetectorOptions {
        DetectorOptions {
            backend: self.backend,
            precision: self.precision.into(),
            threads: self.threads,
            image_size: self.image_size,
            threshold: self.threshold,
            header: if self.any_film { HeaderRule::Ignored } else { HeaderRule::Obeyed },
            ..DetectorOptions::default()
        }
    }

    fn print_failure(&self, failure: &Failure) -> anyhow::Result<()> {
        if !self.json {
            return Ok(());
        }
        let outcome = LineOutcome::Failed { error: failure.error.clone() };
        json_line(&PredictionLine { file: failure.file.clone(), outcome })
    }

    fn print(&self, mut line: PredictionLine) -> std::io::Result<()> {
        if self.json {
            if let LineOutcome::Done(FilmPrediction::Read(finding)) = &mut line.outcome
                && !self.cam
            {
                finding.heat_map = None;
            }
            return write_json_line(&line);
        }
        match &line.outcome {
            LineOutcome::Done(FilmPrediction::Read(finding)) => print_finding(&line.file, finding),
            LineOutcome::Done(FilmPrediction::NotRead { not_read }) => println!("{}: not read: {not_read}", line.file),
            // It is on standard error.
            LineOutcome::Failed { .. } => {}
        }
        Ok(())
    }
}

fn print_finding(file: &str, finding: &Finding) {
    let word = if finding.is_positive { "fracture" } else { "no fracture" };
    let [probability, threshold] = [finding.probability, finding.threshold].map(|share| share * 100.0);
    println!("{file}: {probability:.1}% (threshold {threshold:.1}%) — {word}");
    for region in &finding.regions {
        let side = region.side.map_or("side unknown", Side::as_str);
        println!("    {:.0},{:.0} {:.0}×{:.0} {side}", region.x, region.y, region.width, region.height);
    }
}

/// What of the folders is not read, on standard error.
fn note_left_out(inputs: &Inputs) {
    let name = |path: &PathBuf| path.display().to_string();
    if !inputs.others.is_empty() {
        let are = if inputs.others.len() == 1 { "file is no film and is" } else { "files are no films and are" };
        eprintln!("note: {} {are} left out: {}", inputs.others.len(), some_of(&inputs.others, name));
    }
    if !inputs.repeated.is_empty() {
        eprintln!("note: read once, though named or linked to again: {}", some_of(&inputs.repeated, name));
    }
}

/// Which films were not read, and one line for each kind of doubt about the others.
fn note_doubts(predicted: &Predicted) {
    let films = predicted.not_read + predicted.read;
    if predicted.not_read > 0 {
        let n = predicted.not_read;
        eprintln!(
            "note: {n} of {films} films were not read; where a header is wrong, --any-film reads the film all the same"
        );
    }
    for (concern, n) in &predicted.concerns {
        eprintln!("note: {n} of {films} films: {}; check that they show pelvis or hip from the front", concern.words());
    }
}

fn no_film(inputs: &Inputs) -> anyhow::Error {
    let message = if inputs.others.is_empty() { "no film was found" } else { "no film was found among the files" };
    let hint = "name a file, or a folder with DICOM, PNG, JPEG or TIFF files in it";
    WorkflowError::Refused { message: message.to_owned(), hint: hint.to_owned() }.into()
}
