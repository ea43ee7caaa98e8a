//! What a report is made of.

use coxa_cohort::flow::Flow;

use crate::evaluate::{Evaluation, EvaluationOptions};
use crate::figures::roc::ReaderPoint;
use crate::judged::Judged;
use crate::localize::LocalizationMeasures;
use crate::page::{FilmCard, PageTable};
use crate::predictions::Predictions;

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
    /// The same as a physician judged it.
    pub judged: Option<&'a Judged>,
    /// The stages of the training with their epochs.
    pub training: Vec<(String, Vec<Epoch>)>,
    /// How the films were selected.
    pub flow: Option<&'a Flow>,
    /// Table 1.
    pub demographics: Option<PageTable>,
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
