//! The report of a study: the paper's tables and figures for this study's films, on one page.

mod cells;
mod films;
mod localization;
mod paper;
mod results;
mod subgroups;

use coxa_cohort::flow::Flow;

use crate::evaluate::{Evaluation, EvaluationOptions};
use crate::figures::roc::ReaderPoint;
use crate::localize::LocalizationMeasures;
use crate::page::{Block, FilmCard, Page, Table};
use crate::predictions::Predictions;
use cells::{section, strings};
use films::{films_section, training_section, wrong_section};
use localization::localization_section;
use results::{calibration_section, curve, results};
use subgroups::subgroups;

pub use cells::cell;
pub(crate) use cells::{measures_by_name, percent};
pub use films::wrong_page;
pub use paper::{PAPER, PAPER_LOCALIZATION};

/// An epoch of a training, for the curves of Fig. 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Accuracy on the training films.
    pub train_accuracy: f64,
    /// Loss on the training films.
    pub train_loss: f64,
    /// Accuracy on the validation films.
    pub validation_accuracy: f64,
    /// Loss on the validation films.
    pub validation_loss: f64,
}

/// What a report is made of; what is not known is left empty, and its section out.
pub struct Study<'a> {
    /// The title.
    pub title: String,
    /// A line below it: which films, which model.
    pub subtitle: String,
    /// Whether the films are simulated.
    pub simulated: bool,
    /// The predictions.
    pub predictions: &'a Predictions,
    /// How they were evaluated.
    pub options: &'a EvaluationOptions,
    /// Files that could not be opened or decoded.
    pub failed: usize,
    /// Films that were refused as no frontal film of pelvis or hip.
    pub not_read: usize,
    /// Their evaluation.
    pub evaluation: &'a Evaluation,
    /// Whether the heat maps are in the right place.
    pub localization: Option<&'a LocalizationMeasures>,
    /// The stages of the training with their epochs.
    pub training: Vec<(String, Vec<Epoch>)>,
    /// How the films were selected.
    pub flow: Option<&'a Flow>,
    /// Table 1.
    pub demographics: Option<Table>,
    /// Readers to draw beside the curve.
    pub readers: Vec<ReaderPoint>,
    /// Films to show.
    pub films: Vec<FilmCard>,
    /// Films that were classified wrongly or marked in the wrong place; the first of them, where they are many.
    pub wrong: Vec<FilmCard>,
    /// How many there are of these in all.
    pub n_wrong: usize,
    /// The model's card: name and value.
    pub card: Vec<(String, String)>,
    /// Commands to try next, each with what it does.
    pub next: Vec<(String, String)>,
}

/// Builds the page.
pub fn report(study: Study<'_>) -> Page {
    let mut sections = vec![results(&study), curve(&study)];
    if !study.films.is_empty() {
        sections.push(section("Films and heat maps", vec![Block::Films(study.films.clone())]));
    }
    if let Some(localization) = study.localization {
        sections.push(localization_section(localization, &study));
    }
    if !study.wrong.is_empty() {
        sections.push(wrong_section(&study.wrong, study.n_wrong));
    }
    sections.extend(subgroups(study.evaluation));
    sections.push(calibration_section(study.predictions, study.evaluation));
    if study.flow.is_some() || study.demographics.is_some() {
        sections.push(films_section(study.flow, study.demographics.clone()));
    }
    if !study.training.is_empty() {
        sections.push(training_section(&study.training));
    }
    sections.push(crate::checklist::section(&study));
    if !study.card.is_empty() {
        let rows = study.card.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
        let table = Table {
            name: "model-card".into(),
            caption: "The bundle's own words.".into(),
            header: strings(["item", "value"]),
            rows,
            data: None,
        };
        sections.push(section("Model card", vec![Block::Table(table)]));
    }
    if !study.next.is_empty() {
        let next =
            study.next.iter().flat_map(|(what, command)| [Block::Text(what.clone()), Block::Command(command.clone())]);
        sections.push(section("What to try next", next.collect()));
    }
    Page { title: study.title, subtitle: study.subtitle, simulated: study.simulated, sections }
}
