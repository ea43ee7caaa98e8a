//! A film with what the network found on it, or why it was not read.

use coxa_imaging::{Geometry, Radiograph};
use coxa_schema::{FilmPrediction, Finding, LineOutcome, PredictionLine};

use super::gate::Concern;

/// A film with what the network found on it, or why it was not read. Only a [`super::Detector`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    pub(super) film: Radiograph,
    pub(super) prediction: FilmPrediction,
    pub(super) concerns: Vec<Concern>,
    /// What the network put out; `None` for a film that was not read.
    pub(super) output: Option<NetworkOutput>,
}

/// What is known of a film that was read besides its finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NetworkOutput {
    /// The network's own output, before temperature and sigmoid.
    pub logit: f32,
    /// From the network's input to the film's pixels.
    pub geometry: Geometry,
    /// The Grad-CAM value that is drawn at full intensity, at this input size.
    pub reference: f32,
}

impl Detection {
    /// A film that the gate refused.
    pub(super) fn not_read_because(film: Radiograph, not_read: String) -> Self {
        Detection { film, prediction: FilmPrediction::NotRead { not_read }, concerns: Vec::new(), output: None }
    }

    /// The film.
    pub fn film(&self) -> &Radiograph {
        &self.film
    }

    /// The finding with its raw Grad-CAM, or why the film was not read.
    pub fn prediction(&self) -> &FilmPrediction {
        &self.prediction
    }

    /// What was found, if the film was read.
    pub fn finding(&self) -> Option<&Finding> {
        self.prediction.finding()
    }

    /// Why the film was not read; `None` if it was.
    pub fn not_read(&self) -> Option<&str> {
        match &self.prediction {
            FilmPrediction::Read(_) => None,
            FilmPrediction::NotRead { not_read } => Some(not_read),
        }
    }

    /// What gives reason for doubt about a film that was read.
    pub fn concerns(&self) -> &[Concern] {
        &self.concerns
    }

    /// The network's own output for a film that was read, before temperature and sigmoid.
    pub fn logit(&self) -> Option<f32> {
        Some(self.output?.logit)
    }

    /// From the network's input to the pixels of a film that was read.
    pub fn geometry(&self) -> Option<&Geometry> {
        Some(&self.output.as_ref()?.geometry)
    }

    /// The Grad-CAM value that is drawn at full intensity on a film that was read, at this input size.
    pub fn reference(&self) -> Option<f32> {
        Some(self.output?.reference)
    }

    /// The line of `coxa predict --json --cam`, for a film that was named `file`.
    pub fn line_with_map(&self, file: impl Into<String>) -> PredictionLine {
        PredictionLine { file: file.into(), outcome: LineOutcome::Done(self.prediction.clone()) }
    }

    /// The line of `coxa predict --json`: as [`Detection::line_with_map`], without the raw Grad-CAM.
    pub fn line(&self, file: impl Into<String>) -> PredictionLine {
        let prediction = match &self.prediction {
            FilmPrediction::Read(finding) => FilmPrediction::Read(Finding {
                heat_map: None,
                regions: finding.regions.clone(),
                model: finding.model.clone(),
                notice: finding.notice.clone(),
                ..*finding
            }),
            not_read => not_read.clone(),
        };
        PredictionLine { file: file.into(), outcome: LineOutcome::Done(prediction) }
    }
}
