//! The readings of a dataset: to files as they come, and in memory as a few numbers a film.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use coxa_cohort::predictions::{SUBGROUPS, subgroup_of};
use coxa_cohort::{Dataset, Film, TruthBox};
use coxa_model::{Card, Detection, Detector};
use coxa_schema::{FilmPrediction, Label, LineOutcome, PredictionLine};
use coxa_study::localize::{LocalizationMeasures, LocalizationOptions, Localizer};
use coxa_study::page::FilmCard;
use coxa_study::{Prediction, Predictions};

use super::ReportRequest;
use super::cards::Cards;
use super::pictures::Pictures;
use crate::labeled::{LeftOut, read_labeled};
use crate::outputs::create_folder;
use crate::{WorkObserver, WorkflowError};

/// What is kept of the readings besides the files that they are written to.
pub(super) struct Gathered<'a> {
    /// The predictions of the films that were read.
    pub predictions: Predictions,
    /// `None` where no film has a true box.
    pub localization: Option<LocalizationMeasures>,
    /// The films that the page shows; their pictures are written.
    pub cards: Cards,
    /// The films that were read.
    pub read: Vec<&'a Film>,
    /// Why each of the others was not, in words for the flow chart.
    pub left_out: Vec<String>,
    /// Films that were refused as no frontal film of pelvis or hip.
    pub not_read: usize,
    /// Files that could not be read.
    pub failed: usize,
}

/// The readings in the making.
struct Gathering<'a> {
    dataset: &'a Dataset,
    boxes: BTreeMap<&'a str, Vec<&'a TruthBox>>,
    columns: Vec<&'static str>,
    rows: Vec<Prediction>,
    localizer: Option<Localizer<'a>>,
    lines: BufWriter<File>,
    lines_path: PathBuf,
    cards: Cards,
    read: Vec<&'a Film>,
}

/// Reads the labeled films into predictions.csv, readings.jsonl and the pictures of those that the page shows.
pub(super) fn gather<'a>(
    request: &ReportRequest<'a>,
    out: &Path,
    detector: &mut Detector,
    observer: &mut dyn WorkObserver,
) -> Result<Gathered<'a>, WorkflowError> {
    create_folder(&FilmCard::folder(out))?;
    let mut gathering = Gathering::begin(request, out, detector.card())?;
    let table = out.join("predictions.csv");
    let left_out = std::thread::scope(|scope| {
        // Pictures are drawn and encoded beside the network, two films at most waiting.
        let (sender, waiting) = sync_channel::<Pictures<'a>>(2);
        let writer = scope.spawn(move || waiting.iter().try_for_each(|pictures| pictures.write(out)));
        let read = read_labeled(request.dataset, detector, &table, observer, |film, path, detection| {
            match gathering.add(film, path, detection)? {
                // The writer's own error is returned below.
                Some(pictures) => sender.send(pictures).map_err(|_| WorkflowError::Stopped("drawing".to_owned())),
                None => Ok(()),
            }
        });
        drop(sender);
        writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        read
    })?;
    gathering.finish(left_out)
}

impl<'a> Gathering<'a> {
    fn begin(request: &ReportRequest<'a>, out: &Path, card: &Card) -> Result<Self, WorkflowError> {
        let (dataset, options) = (request.dataset, &request.options);
        let localization = LocalizationOptions {
            threshold: Some(options.threshold),
            fit: card.input.fit,
            level: options.level,
            interval: options.interval,
            clustering: options.clustering,
            plan: options.plan,
            ..LocalizationOptions::default()
        };
        let has_boxes = !dataset.truth.is_empty();
        let lines_path = out.join("readings.jsonl");
        let lines = File::create(&lines_path).map_err(WorkflowError::io(&lines_path))?;
        Ok(Self {
            dataset,
            boxes: dataset.boxes(),
            columns: SUBGROUPS.into_iter().filter(|column| tells_apart(dataset, column)).collect(),
            rows: Vec::new(),
            localizer: has_boxes.then(|| Localizer::new(dataset, &localization)).transpose()?,
            lines: BufWriter::new(lines),
            lines_path,
            cards: Cards::new(options.threshold),
            read: Vec::new(),
        })
    }

    /// Takes a film's reading in, and returns it to be drawn if the page shows it.
    fn add(
        &mut self,
        film: &'a Film,
        path: &Path,
        detection: Box<Detection>,
    ) -> Result<Option<Pictures<'a>>, WorkflowError> {
        let Some(finding) = detection.finding() else { return Ok(None) };
        self.rows.push(Prediction {
            line: self.rows.len() as u64 + 2,
            image_id: film.image_id.clone(),
            patient: film.patient.clone(),
            truth: film.label == Label::Present,
            probability: finding.probability,
            groups: self.columns.iter().map(|column| subgroup_of(film, column)).collect(),
        });
        self.read.push(film);
        let place = self.localizer.as_mut().map(|localizer| localizer.add(film, finding)).transpose()?.flatten();
        let card = self.cards.add(film, finding, place);
        self.write_line(&detection.line_with_map(path.display().to_string()))?;
        let boxes = || self.boxes.get(film.image_id.as_str()).cloned().unwrap_or_default();
        Ok(card.map(|card| Pictures { card, detection, boxes: boxes() }))
    }

    fn write_line(&mut self, line: &PredictionLine) -> Result<(), WorkflowError> {
        let text = serde_json::to_string(line).map_err(|error| WorkflowError::Internal(error.to_string()))?;
        writeln!(self.lines, "{text}").map_err(WorkflowError::io(&self.lines_path))
    }

    fn finish(mut self, left_out: LeftOut) -> Result<Gathered<'a>, WorkflowError> {
        for (path, reason) in &left_out.not_read {
            let outcome = LineOutcome::Done(FilmPrediction::NotRead { not_read: reason.clone() });
            self.write_line(&PredictionLine { file: path.display().to_string(), outcome })?;
        }
        self.lines.flush().map_err(WorkflowError::io(&self.lines_path))?;
        let columns = self.columns.iter().map(|&column| column.to_owned()).collect();
        let name = self.dataset.folder.join("manifest.csv");
        let failed = vec!["could not be read".to_owned(); left_out.failed];
        let refused = left_out.not_read.iter().map(|(_, reason)| format!("not read: {reason}"));
        Ok(Gathered {
            predictions: Predictions::of_rows(&name, columns, self.rows)?,
            localization: self.localizer.map(Localizer::finish).transpose()?,
            cards: self.cards,
            read: self.read,
            left_out: failed.into_iter().chain(refused).collect(),
            not_read: left_out.not_read.len(),
            failed: left_out.failed,
        })
    }
}

/// Whether a column tells any two films of a dataset apart.
fn tells_apart(dataset: &Dataset, column: &str) -> bool {
    let mut values = dataset.films.iter().map(|film| subgroup_of(film, column));
    let first = values.next();
    values.any(|value| Some(value) != first)
}
