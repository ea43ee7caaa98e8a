//! A dataset read by a bundle, from films to the report: what `coxa report` and `coxa demo` share.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use coxa_cohort::flow::Flow;
use coxa_cohort::{Dataset, Film, TruthBox};
use coxa_imaging::{Fit, Radiograph, encode, preprocess};
use coxa_model::bundle;
use coxa_model::detect::overlay;
use coxa_model::train::{RunLayout, history};
use coxa_model::{Detection, Detector};
use coxa_schema::{Finding, FractureType, Label};
use coxa_study::evaluate::{Evaluation, EvaluationOptions, evaluate};
use coxa_study::figures::roc::ReaderPoint;
use coxa_study::localize::{FilmLocalization, LocalizationMeasures, LocalizationOptions, Site, localize};
use coxa_study::page::{FilmCard, Verdict};
use coxa_study::report::{Epoch, Study, report, wrong_page};
use coxa_study::{Readings, StudyError, demographics};

use crate::output::write_whole;
use crate::predictions::{PredictionTable, SUBGROUPS, subgroup_of};
use crate::progress::Progress;

/// The side of a film on the page, in pixels.
const CARD_SIDE: usize = 384;
/// Films of each kind that the page shows.
const SHOWN_EACH: usize = 6;
/// A dataset's readings and what they are worth.
pub struct Assessment {
    /// The measures.
    pub evaluation: Evaluation,
    /// The places; `None` where no film has a true box.
    pub localization: Option<LocalizationMeasures>,
    /// Films that could not be read.
    pub failed: usize,
}

/// What an assessment is made of.
pub struct Request<'a> {
    /// The films with their truth.
    pub dataset: &'a Dataset,
    /// The training runs whose curves are shown.
    pub run: Option<&'a Path>,
    /// Readers to draw beside the curve.
    pub readers: Vec<ReaderPoint>,
    /// How the evaluation is made.
    pub options: EvaluationOptions,
    /// The page's title.
    pub title: String,
    /// Where everything is written: predictions.csv, readings.jsonl, the page.
    pub out: &'a Path,
    /// What to try next.
    pub next: Vec<(String, String)>,
}

/// Reads every film of a dataset, evaluates the readings and writes the report.
///
/// # Errors
/// When the folder cannot be written or the dataset has no labeled film that can be read.
pub fn assess(request: Request<'_>, reader: &mut Detector) -> anyhow::Result<Assessment> {
    let training = request.run.map(training).transpose()?.unwrap_or_default();
    fs::create_dir_all(request.out).with_context(|| format!("{}", request.out.display()))?;
    let gathered = read_all(request.dataset, reader, request.out)?;
    let readings = Readings::load(&request.out.join("readings.jsonl"))?;
    let columns: Vec<&str> = SUBGROUPS.into_iter().filter(|column| tells_apart(request.dataset, column)).collect();
    let predictions =
        readings.predictions(request.dataset, &columns, subgroup_of)?.with_threshold(request.options.threshold);
    let evaluation = evaluate(&predictions, &request.options)?;
    let localization = localization(request.dataset, &readings, &gathered, &request, reader)?;
    let (films, wrong) = cards(request.dataset, &gathered, &localization, request.options.threshold);
    let read: Vec<&Film> = gathered.films.iter().map(|shown| &shown.film).collect();
    let flow = Flow::of_dataset(request.dataset)?.read(&read, gathered.failed);
    let study = Study {
        title: request.title,
        subtitle: format!("{} films read by {} ({})", predictions.len(), reader.card().name, reader.model()),
        simulated: request.dataset.is_simulated(),
        predictions: &predictions,
        options: &request.options,
        unread: gathered.failed,
        evaluation: &evaluation,
        localization: localization.as_ref(),
        training,
        flow: Some(&flow),
        demographics: demographics::table(request.dataset),
        readers: request.readers,
        films,
        wrong,
        card: card(reader),
        next: request.next,
    };
    let wrong_page = wrong_page(&study);
    let page = report(study);
    page.write(request.out).with_context(|| format!("{}", request.out.display()))?;
    if let Some(wrong) = wrong_page {
        write_whole(&request.out.join("wrong.html"), wrong.html().as_bytes())?;
    }
    write_whole(&request.out.join("evaluation.json"), &serde_json::to_vec_pretty(&evaluation)?)?;
    if let Some(localization) = &localization {
        write_whole(&request.out.join("localization.json"), &serde_json::to_vec_pretty(localization)?)?;
    }
    Ok(Assessment { evaluation, localization, failed: gathered.failed })
}

/// Whether a column tells any two films of a dataset apart.
fn tells_apart(dataset: &Dataset, column: &str) -> bool {
    let mut values = dataset.films.iter().map(|film| subgroup_of(film, column));
    let first = values.next();
    values.any(|value| Some(value) != first)
}

/// What is kept of the readings besides the files that they are written to.
struct Gathered {
    /// One for each film that was read.
    films: Vec<Shown>,
    failed: usize,
}

struct Shown {
    film: Film,
    size: (usize, usize),
    finding: bool,
    probability: f64,
    picture: Vec<u8>,
    overlay: Vec<u8>,
}

/// Reads a dataset's labeled films into a table of predictions and shows each reading to `each`. A film that cannot be read, or whose
/// file is not the one that was imported, is named and passed over; how many there were is returned.
///
/// # Errors
/// When the table cannot be written, or what `each` gives.
pub fn read_labeled(
    dataset: &Dataset,
    reader: &mut Detector,
    table: &Path,
    mut each: impl FnMut(&Film, &Path, &Detection, &Finding) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let films: Vec<&Film> = dataset.labeled().collect();
    let paths: Vec<PathBuf> = films.iter().map(|film| dataset.image_path(film)).collect();
    let mut table = PredictionTable::create(table)?;
    let progress = Progress::new("reading films", films.len());
    let mut failed = 0;
    let mut broken = None;
    reader.read_files(&paths, |i, result| {
        let said = match result {
            Ok(reading) if changed(films[i], &reading) => {
                failed += 1;
                eprintln!(
                    "error: film {}: its file is not the one that the manifest describes (another SHA-256); import it again",
                    films[i].image_id
                );
                Ok(())
            }
            Ok(reading) => match reading.finding() {
                Some(finding) => table
                    .row(Some(films[i]), &paths[i], finding)
                    .and_then(|()| each(films[i], &paths[i], &reading, finding)),
                None => {
                    failed += 1;
                    eprintln!("error: film {}: not read: {}", films[i].image_id, reading.not_read().unwrap_or_default());
                    Ok(())
                }
            },
            Err(error) => {
                failed += 1;
                eprintln!("error: {error}");
                Ok(())
            }
        };
        progress.set(i + 1, "");
        broken = said.err();
        broken.is_none()
    })?;
    progress.finish();
    if let Some(error) = broken {
        return Err(error);
    }
    table.finish()?;
    Ok(failed)
}

/// Reads the films into predictions.csv and readings.jsonl.
fn read_all(dataset: &Dataset, reader: &mut Detector, out: &Path) -> anyhow::Result<Gathered> {
    let lines_path = out.join("readings.jsonl");
    let mut lines =
        std::io::BufWriter::new(fs::File::create(&lines_path).with_context(|| format!("{}", lines_path.display()))?);
    let boxes = dataset.boxes();
    let mut films = Vec::new();
    let failed = read_labeled(dataset, reader, &out.join("predictions.csv"), |film, path, reading, finding| {
        let truth = boxes.get(film.image_id.as_str()).map_or(&[][..], Vec::as_slice);
        films.push(keep(film, path, (reading, finding), truth, &mut lines)?);
        Ok(())
    })?;
    lines.flush()?;
    Ok(Gathered { films, failed })
}

/// Whether a file has been replaced since its film was imported.
fn changed(film: &Film, reading: &Detection) -> bool {
    !film.sha256.is_empty() && film.sha256 != reading.film().sha256()
}

fn keep(
    film: &Film,
    path: &Path,
    (reading, finding): (&Detection, &Finding),
    truth: &[&TruthBox],
    lines: &mut impl Write,
) -> anyhow::Result<Shown> {
    let line = reading.line_with_map(path.display().to_string());
    writeln!(lines, "{}", serde_json::to_string(&line)?)?;
    Ok(Shown {
        film: film.clone(),
        size: (finding.width, finding.height),
        finding: finding.is_positive,
        probability: finding.probability,
        picture: picture(reading.film(), truth)?,
        overlay: overlay::png(reading)?.unwrap_or_default(),
    })
}

/// The film as a PNG that fits on the page, its true boxes outlined in white.
fn picture(film: &Radiograph, truth: &[&TruthBox]) -> anyhow::Result<Vec<u8>> {
    let mut input = preprocess(film, CARD_SIDE, Fit::Letterbox);
    for truth in truth {
        let corner = |x, y| input.geometry.to_input(x, y);
        let ends = [corner(truth.x, truth.y), corner(truth.x + truth.width, truth.y + truth.height)];
        outline(
            &mut input.pixels,
            ends.map(|(x, y)| [x, y].map(|at| (at.round().max(0.0) as usize).min(CARD_SIDE - 1))),
        );
    }
    let (left, top) = input.geometry.to_input(0.0, 0.0);
    let (right, bottom) = input.geometry.to_input(film.width() as f32, film.height() as f32);
    let columns = left.round() as usize..(right.round() as usize).min(CARD_SIDE);
    let rows = top.round() as usize..(bottom.round() as usize).min(CARD_SIDE);
    let pixels: Vec<u8> =
        rows.clone().flat_map(|row| input.pixels[row * CARD_SIDE..][columns.clone()].iter().copied()).collect();
    Ok(encode::png_gray8_to_vec(columns.len(), rows.len(), &pixels)?)
}

/// Draws the outline of a rectangle between two corners of a picture of [`CARD_SIDE`].
fn outline(pixels: &mut [u8], [[left, top], [right, bottom]]: [[usize; 2]; 2]) {
    for x in left..=right {
        pixels[top * CARD_SIDE + x] = 255;
        pixels[bottom * CARD_SIDE + x] = 255;
    }
    for y in top..=bottom {
        pixels[y * CARD_SIDE + left] = 255;
        pixels[y * CARD_SIDE + right] = 255;
    }
}

fn localization(
    dataset: &Dataset,
    readings: &Readings,
    gathered: &Gathered,
    request: &Request<'_>,
    reader: &Detector,
) -> anyhow::Result<Option<LocalizationMeasures>> {
    if dataset.truth.is_empty() {
        return Ok(None);
    }
    let options = LocalizationOptions {
        threshold: Some(request.options.threshold),
        fit: reader.card().input.fit,
        level: request.options.level,
        interval: request.options.interval,
        clustering: request.options.clustering,
        plan: request.options.plan,
        ..LocalizationOptions::default()
    };
    let size_of = |film: &Film| {
        let shown = gathered.films.iter().find(|shown| shown.film.image_id == film.image_id);
        shown
            .map(|shown| shown.size)
            .ok_or_else(|| StudyError::Film { image_id: film.image_id.clone(), reason: "it was not read".into() })
    };
    Ok(Some(localize(dataset, readings, size_of, &options)?))
}

/// The films to show: some of each kind, and those that went wrong.
fn cards(
    dataset: &Dataset,
    gathered: &Gathered,
    localization: &Option<LocalizationMeasures>,
    threshold: f64,
) -> (Vec<FilmCard>, Vec<FilmCard>) {
    let (mut shown, mut wrong) = (Vec::new(), Vec::new());
    let mut counts = [0usize; 3];
    let boxes = dataset.boxes();
    for read in &gathered.films {
        let place = localization.as_ref().and_then(|l| l.films.iter().find(|f| f.image_id == read.film.image_id));
        let card = card_of(read, place, threshold, boxes.contains_key(read.film.image_id.as_str()));
        let kind = match (read.film.label, read.film.fracture_type) {
            (Label::Present, Some(FractureType::Trochanteric)) => 1,
            (Label::Present, _) => 0,
            _ => 2,
        };
        if matches!(card.verdict, Verdict::Wrong | Verdict::WrongPlace) {
            wrong.push(card.clone());
        }
        if counts[kind] < SHOWN_EACH {
            counts[kind] += 1;
            shown.push((kind, card));
        }
    }
    shown.sort_by_key(|(kind, _)| *kind);
    (shown.into_iter().map(|(_, card)| card).collect(), wrong)
}

fn card_of(read: &Shown, place: Option<&FilmLocalization>, threshold: f64, boxed: bool) -> FilmCard {
    let fractured = read.film.label == Label::Present;
    let kind = match read.film.fracture_type {
        Some(FractureType::FemoralNeck) => "femoral neck fracture",
        Some(FractureType::Trochanteric) => "trochanteric fracture",
        _ if fractured => "fracture",
        _ => "no fracture",
    };
    let side = read.film.side.filter(|_| fractured).map_or(String::new(), |side| format!(", {side}"));
    let verdict = if read.finding != fractured {
        Verdict::Wrong
    } else if fractured && boxed && place.is_some_and(|place| place.site != Site::Right) {
        Verdict::WrongPlace
    } else {
        Verdict::Right
    };
    FilmCard {
        name: read
            .film
            .image_id
            .chars()
            .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' })
            .collect(),
        film: read.picture.clone(),
        overlay: read.overlay.clone(),
        title: format!("{}: {kind}{side}", read.film.image_id),
        lines: vec![format!("probability {:.1}%, positive from {:.1}%", read.probability * 100.0, threshold * 100.0)],
        verdict,
    }
}

/// The curves of a run's stages.
fn training(run: &Path) -> anyhow::Result<Vec<(String, Vec<Epoch>)>> {
    fs::read_dir(run).with_context(|| format!("{}", run.display()))?;
    let mut stages = Vec::new();
    for stage in RunLayout::new(run).stages().into_iter().filter(|stage| stage.history().is_file()) {
        let name = stage.folder().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let epochs = history::read_csv(&stage.history())?;
        let epochs = epochs.iter().map(|record| Epoch {
            epoch: record.epoch,
            train_accuracy: record.train_accuracy,
            train_loss: record.train_loss,
            validation_accuracy: record.val_accuracy,
            validation_loss: record.val_loss,
        });
        stages.push((name, epochs.collect()));
    }
    Ok(stages)
}

fn card(reader: &Detector) -> Vec<(String, String)> {
    let card = reader.card();
    let mut rows = vec![
        ("model".to_owned(), format!("{} ({})", card.name, reader.model())),
        ("network".to_owned(), format!("{}, {}×{} input", card.architecture, card.input.size, card.input.size)),
        ("intended use".to_owned(), card.intended_use.clone()),
        (
            "threshold".to_owned(),
            format!(
                "{:.4} ({}; chosen on {})",
                card.threshold.threshold,
                bundle::rule_words(card.threshold.rule),
                card.threshold.chosen_on
            ),
        ),
        ("origin".to_owned(), card.origin.clone()),
    ];
    if let Some(data) = &card.data {
        let kind = if data.simulated { "simulated films" } else { "films" };
        let text =
            format!("{} {kind}; validated on {}; {} patients", data.train_films, data.validation_films, data.patients);
        rows.push(("trained on".to_owned(), text));
    }
    let number = |value: f64| if value.fract() == 0.0 { value.to_string() } else { format!("{value:.4}") };
    rows.extend(card.metrics.iter().map(|(name, value)| (name.replace('_', " "), number(*value))));
    rows
}
