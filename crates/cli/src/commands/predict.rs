//! `coxa predict`: films become probabilities, findings, heatmaps and regions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use anyhow::Context;
use clap::Args;
use coxa_imaging::Radiograph;
use coxa_model::detect::gate::{Concern, HeaderRule};
use coxa_model::detect::overlay;
use coxa_model::{Backend, Bundle, Detection, Detector, DetectorOptions, ModelError};
use coxa_schema::{Hint as _, Side};
use coxa_simulate::{FilmOptions, display8};
use serde::Serialize;

use super::bench::PrecisionName;
use crate::inputs::{ENDINGS, Found, Input, collect_inputs};
use crate::output::{Outcome, hint, json_line, usage, write_whole};
use crate::predictions::PredictionTable;
use crate::progress::Progress;

/// The simulated films that scale 8-bit arithmetic.
const CALIBRATION_SEED: u64 = 8;
const CALIBRATION_FILMS: u64 = 16;

/// Reads films (DICOM, PNG, JPEG, TIFF): a probability, a finding, a heatmap and regions for each, in the film's own pixels.
///
/// A folder is searched for films; a dataset folder (with a manifest.csv) gives its films that are not excluded. A file that cannot
/// be decoded is named, the others are read, and the exit status is 1. A film that does not show a pelvis or hip from the front, by its
/// header, or is too small is not read, and the reason is given: that is a result.
#[derive(Args)]
pub struct Predict {
    /// Films, folders or dataset folders.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The bundle, as `coxa train` and `coxa model import` make it [default: the one that comes with the program].
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// One JSON object a line for each film.
    #[arg(long)]
    json: bool,
    /// Adds the raw Grad-CAM to the JSON.
    #[arg(long, requires = "json")]
    cam: bool,
    /// Writes each film with its heatmap to this folder as PNG.
    #[arg(long, value_name = "DIR")]
    heatmap: Option<PathBuf>,
    /// Writes image_id, patient, label, probability, threshold and subgroups as CSV, for `coxa evaluate`.
    #[arg(long, value_name = "FILE.csv")]
    predictions: Option<PathBuf>,
    /// Another input size than the bundle's, a multiple of 32.
    #[arg(long)]
    image_size: Option<usize>,
    /// Calls a film positive from this probability on [default: the bundle's].
    #[arg(long)]
    threshold: Option<f64>,
    /// Numbers that the network computes with.
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionName,
    /// Threads, 1 to 1024 [default: all].
    #[arg(long, value_parser = crate::values::threads_in_range)]
    threads: Option<usize>,
    /// What the network runs on: `cpu`, and what else this build has.
    #[arg(long, default_value = "cpu")]
    backend: Backend,
    /// Read films too whose header says that they show something else than pelvis or hip from the front.
    #[arg(long)]
    any_film: bool,
}

/// The named bundle, or the one that comes with the program, which is said.
///
/// # Errors
/// When it cannot be read.
pub fn bundle_or_shipped(folder: Option<&Path>) -> anyhow::Result<Bundle> {
    if let Some(folder) = folder {
        return Ok(Bundle::load(folder)?);
    }
    let bundle = Bundle::shipped()?;
    eprintln!(
        "no bundle is named: reading with {} ({}), which comes with the program and was trained on simulated films alone",
        bundle.card().name,
        bundle.short_hash()
    );
    Ok(bundle)
}

/// Films that 8-bit arithmetic is scaled by: simulated and always the same, so that a reading does not depend on what is read beside it.
fn calibration_films() -> anyhow::Result<Vec<Radiograph>> {
    let film = |index| {
        let film = coxa_simulate::pelvis(CALIBRATION_SEED, index, &FilmOptions::default());
        let pixels = display8(&film).into_iter().map(f32::from).collect();
        Ok(Radiograph::from_display(film.width, film.height, pixels)?)
    };
    (0..CALIBRATION_FILMS).map(film).collect()
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    file: &'a str,
    error: &'a str,
}

impl Predict {
    /// Reads every film and says what was found.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let Found { films: inputs, unreadable, others } = collect_inputs(&self.inputs)?;
        if others > 0 {
            let verb = if others == 1 { "file is" } else { "files are" };
            eprintln!(
                "note: {others} {verb} passed over, by the ending of the name (films end in {})",
                ENDINGS.join(", ")
            );
        }
        for error in &unreadable {
            let file = error.path().map_or_else(String::new, |path| path.display().to_string());
            let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
            self.say_failure(&file, &format!("{file}: {reason}"))?;
        }
        if inputs.is_empty() {
            return Err(hint(
                "no film was found",
                "name a file, or a folder with .dcm, .png, .jpg or .tiff files in it",
            ));
        }
        if let Some(folder) = &self.heatmap {
            refuse_among_films(folder, &inputs)?;
        }
        let bundle = bundle_or_shipped(self.model.as_deref())?;
        let options = DetectorOptions {
            backend: self.backend,
            precision: self.precision.into(),
            threads: self.threads,
            image_size: self.image_size,
            threshold: self.threshold,
            header: if self.any_film { HeaderRule::Ignored } else { HeaderRule::Obeyed },
            ..DetectorOptions::default()
        };
        let mut detector = match self.precision {
            PrecisionName::Int8 if bundle.int8().is_none() => {
                eprintln!(
                    "the bundle has no ranges for 8 bits: measuring them on {CALIBRATION_FILMS} simulated films (coxa model calibrate does \
                     so once, on films of your own)"
                );
                Detector::calibrated(&bundle, &options, &calibration_films()?)?
            }
            _ => Detector::new(&bundle, &options)?,
        };
        // The detector has what it needs of it, packed: 28 MB less while films are decoded.
        drop(bundle);
        if let Some(folder) = &self.heatmap {
            std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        }
        let mut table = self.predictions.as_deref().map(PredictionTable::create).transpose()?;
        let mut names = HeatmapNames::default();
        let progress = Progress::new("reading films", inputs.len());
        let paths: Vec<PathBuf> = inputs.iter().map(|input| input.path.clone()).collect();
        let mut failed = unreadable.len();
        let mut broken = None;
        let mut concerns = Vec::new();
        std::thread::scope(|scope| {
            // Heatmaps are drawn and encoded beside the network, two at most waiting.
            let (overlays, waiting) = sync_channel::<(PathBuf, Detection)>(2);
            let writer =
                scope.spawn(move || waiting.iter().try_for_each(|(path, detection)| write_overlay(&path, &detection)));
            let read = detector.read_files(&paths, |i, result| {
                let said = match result {
                    Ok(detection) => self.say(&inputs[i], &detection, table.as_mut()).map(|()| {
                        concerns.extend(detection.concerns());
                        if detection.not_read().is_some() {
                            return true;
                        }
                        let path = self.heatmap.as_ref().map(|folder| folder.join(names.name(&inputs[i].path)));
                        // A writer that has stopped tells why below.
                        path.is_none_or(|path| overlays.send((path, detection)).is_ok())
                    }),
                    Err(error) => {
                        failed += 1;
                        self.say_error(&inputs[i], &error).map(|()| true)
                    }
                };
                progress.set(i + 1, "");
                said.unwrap_or_else(|error| {
                    broken = Some(error);
                    false
                })
            });
            drop(overlays);
            let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            read?;
            written
        })?;
        progress.finish();
        if let Some(error) = broken {
            return Err(error);
        }
        if let Some(table) = table {
            table.finish()?;
        }
        note_concerns(&concerns, inputs.len());
        Ok(Outcome::of_failures(failed))
    }

    fn say(&self, input: &Input, detection: &Detection, table: Option<&mut PredictionTable>) -> anyhow::Result<()> {
        let file = input.path.display().to_string();
        if let Some((table, finding)) = table.zip(detection.finding()) {
            table.row(input.film.as_ref(), &input.path, finding)?;
        }
        if self.json {
            return json_line(&if self.cam { detection.line_with_map(file) } else { detection.line(file) });
        }
        let Some(finding) = detection.finding() else {
            println!("{file}: not read — {}", detection.not_read().unwrap_or_default());
            return Ok(());
        };
        let words = if finding.is_positive { "fracture" } else { "no fracture" };
        let [probability, threshold] = [finding.probability, finding.threshold].map(|p| p * 100.0);
        println!("{file}: {probability:.1}% (threshold {threshold:.1}%) — {words}");
        for region in &finding.regions {
            println!(
                "    {:.0},{:.0} {:.0}×{:.0} {}",
                region.x,
                region.y,
                region.width,
                region.height,
                region.side.map_or("side unknown", Side::as_str)
            );
        }
        Ok(())
    }

    fn say_failure(&self, file: &str, error: &str) -> anyhow::Result<()> {
        if self.json {
            json_line(&ErrorLine { file, error })?;
        }
        eprintln!("error: {error}");
        Ok(())
    }

    fn say_error(&self, input: &Input, error: &ModelError) -> anyhow::Result<()> {
        self.say_failure(&input.path.display().to_string(), &error.to_string())?;
        if let Some(hint) = error.hint() {
            eprintln!("hint: {hint}");
        }
        Ok(())
    }
}

/// One line for each kind of doubt, however many films give it.
fn note_concerns(concerns: &[Concern], films: usize) {
    for concern in concerns.iter().collect::<BTreeSet<_>>() {
        let n = concerns.iter().filter(|other| *other == concern).count();
        eprintln!("note: {n} of {films} films: {}; check that they show pelvis or hip from the front", concern.words());
    }
}

fn write_overlay(path: &Path, detection: &Detection) -> anyhow::Result<()> {
    overlay::png(detection)?.map_or(Ok(()), |bytes| write_whole(path, &bytes))
}

/// Refuses a folder for heatmaps in which films lie that a heatmap could take the place of.
fn refuse_among_films(folder: &Path, inputs: &[Input]) -> anyhow::Result<()> {
    // A folder that is not there yet holds no films.
    let Ok(place) = folder.canonicalize() else { return Ok(()) };
    let lies_there = |input: &&Input| {
        let is_png = input.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        is_png && input.path.canonicalize().is_ok_and(|film| film.parent() == Some(&place))
    };
    match inputs.iter().find(lies_there) {
        None => Ok(()),
        Some(film) => Err(usage(
            format!("--heatmap {}: a heatmap would take the place of {}", folder.display(), film.path.display()),
            "name a folder without films",
        )),
    }
}

/// Names for heatmaps: the film's own, with a number where two films share one.
#[derive(Default)]
struct HeatmapNames {
    taken: std::collections::HashSet<String>,
}

impl HeatmapNames {
    fn name(&mut self, film: &Path) -> String {
        let stem = film.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut name = format!("{stem}.png");
        let mut n = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{stem}-{n}.png");
            n += 1;
        }
        name
    }
}
