//! A dataset read by a bundle, from films to the report: what `coxa report` and `coxa demo` share.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use coxa_cohort::flow::Flow;
use coxa_cohort::{Dataset, Film, FractureType, Label};
use coxa_imaging::{Fit, Radiograph, encode, preprocess};
use coxa_model::{Reader, Reading, history};
use coxa_study::evaluate::{Evaluation, EvaluationOptions, evaluate};
use coxa_study::figures::roc::ReaderPoint;
use coxa_study::localize::{FilmLocalization, Localization, LocalizationOptions, Site, localize};
use coxa_study::page::{FilmCard, Verdict};
use coxa_study::report::{Epoch, Study, report};
use coxa_study::{Readings, StudyError, demographics};

use super::predict::{PredictionTable, json_of, overlay_png};
use crate::progress::Progress;

/// The side of a film on the page, in pixels.
const CARD_SIDE: usize = 384;
/// Films of each kind that the page shows.
const SHOWN_EACH: usize = 6;
/// Wrong films that the page shows at most.
const WRONG_SHOWN: usize = 24;

/// A dataset's readings and what they are worth.
pub struct Assessment {
    /// The measures.
    pub evaluation: Evaluation,
    /// The places; `None` where no film has a true box.
    pub localization: Option<Localization>,
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
pub fn assess(request: Request<'_>, reader: &mut Reader) -> anyhow::Result<Assessment> {
    fs::create_dir_all(request.out).with_context(|| format!("{}", request.out.display()))?;
    let gathered = read_all(request.dataset, reader, request.out)?;
    let readings = Readings::load(&request.out.join("readings.jsonl"))?;
    let predictions =
        readings.predictions(request.dataset, &["fracture_type", "side", "age", "sex", "quality", "source"])?;
    let evaluation = evaluate(&predictions, &request.options)?;
    let localization = localization(request.dataset, &readings, &gathered, &request, reader)?;
    let (films, wrong) = cards(request.dataset, &gathered, &localization, request.options.threshold);
    let simulated = request.dataset.films.iter().all(|film| film.source.contains("simulat"));
    let flow = Flow::of_manifest(request.dataset);
    let study = Study {
        title: request.title,
        subtitle: format!("{} films read by {} ({})", predictions.len(), reader.card().name, reader.model()),
        simulated,
        predictions: &predictions,
        evaluation: &evaluation,
        localization: localization.as_ref(),
        training: request.run.map(training).transpose()?.unwrap_or_default(),
        flow: Some(&flow),
        demographics: demographics::table(request.dataset),
        readers: request.readers,
        films,
        wrong,
        card: card(reader),
        next: request.next,
    };
    let page = report(study);
    page.write(request.out).with_context(|| format!("{}", request.out.display()))?;
    Ok(Assessment { evaluation, localization, failed: gathered.failed })
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

/// Reads the films into predictions.csv and readings.jsonl.
fn read_all(dataset: &Dataset, reader: &mut Reader, out: &Path) -> anyhow::Result<Gathered> {
    let films: Vec<&Film> =
        dataset.films.iter().filter(|film| !film.excluded && film.label != Label::Unknown).collect();
    let paths: Vec<PathBuf> = films.iter().map(|film| dataset.image_path(film)).collect();
    let mut table = PredictionTable::create(&out.join("predictions.csv"))?;
    let lines_path = out.join("readings.jsonl");
    let mut lines =
        std::io::BufWriter::new(fs::File::create(&lines_path).with_context(|| format!("{}", lines_path.display()))?);
    let progress = Progress::new("reading films", films.len());
    let mut gathered = Gathered { films: Vec::with_capacity(films.len()), failed: 0 };
    let mut broken = None;
    reader.read_files(&paths, |i, result| {
        let said = match result {
            Ok(reading) => {
                keep(films[i], &paths[i], &reading, &mut table, &mut lines).map(|shown| gathered.films.push(shown))
            }
            Err(error) => {
                gathered.failed += 1;
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
    lines.flush()?;
    table.finish()?;
    Ok(gathered)
}

fn keep(
    film: &Film,
    path: &Path,
    reading: &Reading,
    table: &mut PredictionTable,
    lines: &mut impl Write,
) -> anyhow::Result<Shown> {
    table.row(Some(film), path, &reading.prediction)?;
    writeln!(lines, "{}", json_of(path, reading)?)?;
    Ok(Shown {
        film: film.clone(),
        size: (reading.film.width(), reading.film.height()),
        finding: reading.prediction.finding,
        probability: reading.prediction.probability,
        picture: picture(&reading.film)?,
        overlay: overlay_png(reading)?,
    })
}

/// The film as a PNG that fits on the page.
fn picture(film: &Radiograph) -> anyhow::Result<Vec<u8>> {
    let input = preprocess(film, CARD_SIDE, Fit::Letterbox);
    let (left, top) = input.geometry.to_input(0.0, 0.0);
    let (right, bottom) = input.geometry.to_input(film.width() as f32, film.height() as f32);
    let columns = left.round() as usize..(right.round() as usize).min(CARD_SIDE);
    let rows = top.round() as usize..(bottom.round() as usize).min(CARD_SIDE);
    let pixels: Vec<u8> =
        rows.clone().flat_map(|row| input.pixels[row * CARD_SIDE..][columns.clone()].iter().copied()).collect();
    Ok(encode::png_gray8_to_vec(columns.len(), rows.len(), &pixels)?)
}

fn localization(
    dataset: &Dataset,
    readings: &Readings,
    gathered: &Gathered,
    request: &Request<'_>,
    reader: &Reader,
) -> anyhow::Result<Option<Localization>> {
    if dataset.truth.is_empty() {
        return Ok(None);
    }
    let options = LocalizationOptions {
        threshold: Some(request.options.threshold),
        fit: reader.card().input.fit.imaging(),
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
    localization: &Option<Localization>,
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
        if matches!(card.verdict, Verdict::Wrong | Verdict::WrongPlace) && wrong.len() < WRONG_SHOWN {
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
        film: read.picture.clone(),
        overlay: read.overlay.clone(),
        title: format!("{}: {kind}{side}", read.film.image_id),
        lines: vec![format!("probability {:.1}%, positive from {:.0}%", read.probability * 100.0, threshold * 100.0)],
        verdict,
    }
}

/// The curves of a run's stages.
fn training(run: &Path) -> anyhow::Result<Vec<(String, Vec<Epoch>)>> {
    let mut folders: Vec<PathBuf> = fs::read_dir(run)
        .with_context(|| format!("{}", run.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("history.csv").is_file())
        .collect();
    folders.sort();
    let mut stages = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let epochs = history::read_csv(&folder.join("history.csv"))?;
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

fn card(reader: &Reader) -> Vec<(String, String)> {
    let card = reader.card();
    let mut rows = vec![
        ("model".to_owned(), format!("{} ({})", card.name, reader.model())),
        ("network".to_owned(), format!("{}, {}×{} input", card.architecture, card.input.size, card.input.size)),
        ("intended use".to_owned(), card.intended_use.clone()),
        (
            "threshold".to_owned(),
            format!("{} ({}; chosen on {})", card.threshold.value, card.threshold.rule, card.threshold.chosen_on),
        ),
        ("origin".to_owned(), card.origin.clone()),
    ];
    if let Some(data) = &card.data {
        let kind = if data.simulated { "simulated films" } else { "films" };
        let text =
            format!("{} {kind}; validated on {}; {} patients", data.train_films, data.validation_films, data.patients);
        rows.push(("trained on".to_owned(), text));
    }
    rows.extend(card.metrics.iter().map(|(name, value)| (name.clone(), format!("{value:.4}"))));
    rows
}
