//! A dataset read by a network, from films to the report on one page.
//!
//! A film's pixels and its map are dropped as soon as they are measured: a reading is kept as a few numbers, and pictures are drawn of
//! the films alone that the page shows.

mod cards;
mod gather;
mod pictures;

use std::cell::RefCell;
use std::path::Path;

use coxa_cohort::Dataset;
use coxa_cohort::flow::Flow;
use coxa_files::whole::{Partial, write_whole};
use coxa_model::{Card, Detector, bundle};
use coxa_study::demographics;
use coxa_study::evaluate::{Evaluation, EvaluationOptions, evaluate_watched};
use coxa_study::figures::roc::ReaderPoint;
use coxa_study::judged::{self, Judgments};
use coxa_study::localize::LocalizationMeasures;
use coxa_study::report::{Epoch, Study, report, wrong_page};
use serde::Serialize;

use crate::{WorkEvent, WorkObserver, WorkflowError, runs};
use gather::gather;

/// A dataset's readings and what they are worth.
#[derive(Debug)]
pub struct Assessment {
    /// The measures.
    pub evaluation: Evaluation,
    /// The places; `None` where no film has a true box.
    pub localization: Option<LocalizationMeasures>,
    /// Films that were refused as no frontal film of pelvis or hip.
    pub not_read: usize,
    /// Files that could not be read.
    pub failed: usize,
}

/// What an assessment is made of.
#[derive(Debug)]
pub struct ReportRequest<'a> {
    /// The films with their truth.
    pub dataset: &'a Dataset,
    /// The training run whose curves are shown.
    pub run: Option<&'a Path>,
    /// Readers to draw beside the curve.
    pub readers: Vec<ReaderPoint>,
    /// Heat maps that a physician judged.
    pub judgments: Option<Judgments>,
    /// How the evaluation is made.
    pub options: EvaluationOptions,
    /// The page's title.
    pub title: String,
    /// The new folder of predictions.csv, readings.jsonl and the page.
    pub out: &'a Path,
    /// What to try next: words and a command.
    pub next: Vec<(String, String)>,
}

/// Reads every labeled film of a dataset, evaluates the readings and writes the report, whole or not at all.
///
/// # Errors
/// [`WorkflowError::Refused`] where something lies at `out`; when the folder cannot be written, the network fails, or the dataset has
/// no labeled film that can be read.
pub fn assess(
    request: ReportRequest<'_>,
    detector: &mut Detector,
    observer: &mut dyn WorkObserver,
) -> Result<Assessment, WorkflowError> {
    refuse_existing(request.out)?;
    let training = request.run.map(runs::curves).transpose()?.unwrap_or_default();
    let out = request.out;
    let partial = Partial::folder(out).map_err(WorkflowError::io(out))?;
    let assessment = write_report(request, partial.path(), training, detector, observer)?;
    partial.keep().map_err(WorkflowError::io(out))?;
    Ok(assessment)
}

/// Refuses a folder that is there already.
///
/// # Errors
/// [`WorkflowError::Refused`].
pub fn refuse_existing(out: &Path) -> Result<(), WorkflowError> {
    match out.exists() {
        true => Err(WorkflowError::refused(
            format!("{} exists already; nothing is overwritten", out.display()),
            "name a new folder",
        )),
        false => Ok(()),
    }
}

fn write_report(
    request: ReportRequest<'_>,
    out: &Path,
    training: Vec<(String, Vec<Epoch>)>,
    detector: &mut Detector,
    observer: &mut dyn WorkObserver,
) -> Result<Assessment, WorkflowError> {
    let model = (detector.card().clone(), detector.model().to_owned());
    let gathered = gather(&request, out, detector, observer)?;
    let ReportRequest { dataset, readers, judgments, options, title, next, .. } = request;
    let predictions = gathered.predictions.with_threshold(options.threshold);
    let watch = RefCell::new(observer);
    let evaluation = evaluate_watched(&predictions, &options, &|what, done, total| {
        watch.borrow_mut().on(&WorkEvent::Steps { what, done, total });
    })?;
    let judged = judgments.map(|judgments| judged::score(&judgments, &predictions, &options)).transpose()?;
    let flow = Flow::of_dataset(dataset)?.read(&gathered.read, &gathered.left_out);
    let study = Study {
        title,
        subtitle: format!("{} films read by {} ({})", predictions.len(), model.0.name, model.1),
        simulated: dataset.is_simulated(),
        predictions: &predictions,
        options: &options,
        failed: gathered.failed,
        not_read: gathered.not_read,
        evaluation: &evaluation,
        localization: gathered.localization.as_ref(),
        judged: judged.as_ref(),
        training,
        flow: Some(&flow),
        demographics: demographics::table(dataset),
        readers,
        films: gathered.cards.shown(),
        wrong: gathered.cards.wrong.clone(),
        n_wrong: gathered.cards.n_wrong,
        card: card_rows(&model.0, &model.1),
        next,
    };
    if let Some(wrong) = wrong_page(&study) {
        wrong.write_page(out, "wrong.html").map_err(WorkflowError::io(out))?;
    }
    report(study).write(out).map_err(WorkflowError::io(out))?;
    write_json(&out.join("evaluation.json"), &evaluation)?;
    if let Some(localization) = &gathered.localization {
        write_json(&out.join("localization.json"), localization)?;
    }
    if let Some(judged) = &judged {
        write_json(&out.join("judged.json"), judged)?;
    }
    Ok(Assessment {
        evaluation,
        localization: gathered.localization,
        not_read: gathered.not_read,
        failed: gathered.failed,
    })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WorkflowError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| WorkflowError::Internal(error.to_string()))?;
    write_whole(path, &text).map_err(WorkflowError::io(path))
}

fn card_rows(card: &Card, hash: &str) -> Vec<(String, String)> {
    let mut rows = vec![
        ("model".to_owned(), format!("{} ({hash})", card.name)),
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
        let kind = data.kind();
        let text =
            format!("{} {kind}; validated on {}; {} patients", data.train_films, data.validation_films, data.patients);
        rows.push(("trained on".to_owned(), text));
    }
    let number = |value: f64| if value.fract() == 0.0 { value.to_string() } else { format!("{value:.4}") };
    rows.extend(card.metrics.iter().map(|(name, value)| (name.replace('_', " "), number(*value))));
    rows
}
