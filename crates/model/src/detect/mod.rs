//! From a film to a finding: the gate, the network, its raw Grad-CAM, regions and the picture of them.
//!
//! [`Detector::read`] and [`Detector::read_files`] are the only ways from a film to a probability, and both pass the [`gate`] first;
//! [`overlay`] is the only way to a picture of a finding.

mod bench;
mod detection;
pub mod gate;
mod options;
pub mod overlay;
mod pipeline;
mod regions;
mod source;

use std::path::Path;
use std::sync::Arc;

use coxa_engine::architecture::FEATURES;
use coxa_engine::{Output, Precision, QUARTERS};
use coxa_imaging::{Fit, ModelInput, Radiograph, preprocess};
use coxa_schema::{FilmPrediction, Finding, HeatMap, NOTICE};
use coxa_stats::OperatingPoint;

pub use bench::Workload;
pub use detection::Detection;
use detection::NetworkOutput;
use gate::{Concern, Gate, GateRule};
pub use options::DetectorOptions;
pub use source::FilmSource;

use crate::backends::{InferExecutor, calibrated_executor, infer_executor, ranged_executor, threads_or_all};
use crate::bundle::{self, Bundle, Card};
use crate::content::ContentGate;
use crate::numbers::{extend_scaled, of_films, probability};
use crate::reading::Reading;
use crate::{Backend, ModelError};

/// A bundle that is ready for films.
pub struct Detector {
    card: Card,
    hash: String,
    executor: Box<dyn InferExecutor>,
    preparer: Preparer,
    /// The part of the gate that looks at the network's features; `None` where the bundle has none or the gate is disabled.
    content: Option<ContentGate>,
    size: usize,
    threads: usize,
    batch: usize,
    images: Vec<f32>,
}

/// A film that has passed the gate, and is ready for the network.
struct Admitted {
    film: Radiograph,
    input: ModelInput,
    concerns: Vec<Concern>,
}

impl Detector {
    /// Opens a bundle's folder.
    ///
    /// # Errors
    /// When the bundle cannot be read, or as [`Detector::new`].
    pub fn open(folder: &Path, options: &DetectorOptions) -> Result<Self, ModelError> {
        Detector::new(&Bundle::load(folder)?, options)
    }

    /// Makes a bundle ready; in int8 with the ranges that it holds.
    ///
    /// # Errors
    /// When the input size is not a multiple of 32 up to 4096, the threshold is not between 0 and 1, or the back end cannot run at this
    /// precision, as int8 without ranges ([`Detector::calibrated`] measures them).
    pub fn new(bundle: &Bundle, options: &DetectorOptions) -> Result<Self, ModelError> {
        let threads = threads_or_all(options.threads);
        if let (Precision::Int8, Backend::Cpu, Some(int8)) = (options.precision, options.backend, bundle.int8()) {
            let executor = ranged_executor(bundle.parameters(), threads, &int8.ranges)?;
            return Detector::with_executor(bundle, options, executor);
        }
        let executor = infer_executor(options.backend, bundle.parameters(), options.precision, threads)?;
        Detector::with_executor(bundle, options, executor)
    }

    /// Makes a bundle ready in int8, its activation ranges measured on the given films.
    ///
    /// # Errors
    /// When there are no films, or as [`Detector::new`].
    pub fn calibrated(bundle: &Bundle, options: &DetectorOptions, films: &[Radiograph]) -> Result<Self, ModelError> {
        let size = options.input_size(bundle)?;
        let images = of_films(films, size, bundle.card().input.fit);
        let executor = calibrated_executor(bundle.parameters(), threads_or_all(options.threads), &images, size)?;
        Detector::with_executor(bundle, options, executor)
    }

    fn with_executor(
        bundle: &Bundle,
        options: &DetectorOptions,
        executor: Box<dyn InferExecutor>,
    ) -> Result<Self, ModelError> {
        let size = options.input_size(bundle)?;
        let mut card = bundle.card().clone();
        if let Some(threshold) = options.threshold {
            if !(0.0..=1.0).contains(&threshold) {
                return Err(ModelError::Setting(format!("the threshold is {threshold}, but must lie between 0 and 1")));
            }
            card.threshold = bundle::fixed(threshold);
        }
        let content = bundle.gate().filter(|_| options.gate == GateRule::Enforced).cloned();
        let gate = Gate::new(&card, options.gate);
        let gate = if content.is_some() { gate.with_pixel_checks() } else { gate };
        Ok(Detector {
            preparer: Preparer { gate: Arc::new(gate), size, fit: card.input.fit },
            content,
            card,
            hash: bundle.short_hash().to_string(),
            executor,
            size,
            threads: threads_or_all(options.threads),
            batch: options.batch.max(1),
            images: Vec::new(),
        })
    }

    /// The bundle's card, with the threshold that films are read at.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Reads the films from now on with another temperature and threshold, as after a recalibration on a hospital's own films. The network's
    /// own output stays what it is ([`Detection::logit`]).
    ///
    /// # Errors
    /// When the temperature is not positive or the threshold not between 0 and 1; nothing is changed then.
    pub fn recalibrate(&mut self, temperature: f64, threshold: OperatingPoint) -> Result<(), ModelError> {
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(ModelError::Setting(format!("the temperature is {temperature}, but must be positive")));
        }
        if !(0.0..=1.0).contains(&threshold.threshold) {
            let value = threshold.threshold;
            return Err(ModelError::Setting(format!("the threshold is {value}, but must lie between 0 and 1")));
        }
        (self.card.temperature, self.card.threshold) = (temperature, threshold);
        Ok(())
    }

    /// The bundle's short hash, by which predictions name it.
    pub fn model(&self) -> &str {
        &self.hash
    }

    /// Pixels on each side of the network's input.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Reads one film: the gate first, then the network. A film that the gate refuses is not read, which is no error.
    ///
    /// # Errors
    /// When the film cannot be decoded, the bundle has more than two classes (see [`Detector::classify`]), or the network fails.
    pub fn read<'a>(&mut self, source: impl Into<FilmSource<'a>>) -> Result<Detection, ModelError> {
        let film = self.preparer.prepare(source)?;
        self.read_prepared(film)
    }

    /// Reads a film that this detector's [`Preparer`] made ready.
    ///
    /// # Errors
    /// When the bundle has more than two classes or the network fails.
    pub fn read_prepared(&mut self, film: Prepared) -> Result<Detection, ModelError> {
        match film.0 {
            Err(refused) => Ok(*refused),
            Ok(admitted) => {
                let mut found = self.predict(vec![admitted])?;
                found.pop().ok_or_else(|| ModelError::Internal("the network gave no prediction".into()))
            }
        }
    }

    /// What makes films ready for this detector, for threads that do so while its network runs.
    pub fn preparer(&self) -> Preparer {
        self.preparer.clone()
    }

    /// The probability of each of the bundle's classes on a film, behind the same gate: for a bundle of limbs, a film whose header names
    /// another body part is refused.
    ///
    /// # Errors
    /// When the film cannot be decoded or the network fails; the inner error is why the film was not read.
    pub fn classify<'a>(&mut self, source: impl Into<FilmSource<'a>>) -> Result<Result<Vec<f64>, String>, ModelError> {
        let admitted = match self.preparer.prepare(source)?.0 {
            Ok(admitted) => admitted,
            Err(refused) => return Ok(Err(refused.not_read().unwrap_or_default().to_owned())),
        };
        let output = self.run([&admitted.input])?;
        if let Some(reason) = self.refusal(&output, 0) {
            return Ok(Err(reason));
        }
        if self.card.logits() == 1 {
            let positive = probability(output.logits[0], self.card.temperature);
            return Ok(Ok(vec![1.0 - positive, positive]));
        }
        let most = output.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = |logit: &f32| (f64::from(logit - most) / self.card.temperature).exp();
        let sum: f64 = output.logits.iter().map(scale).sum();
        Ok(Ok(output.logits.iter().map(|logit| scale(logit) / sum).collect()))
    }

    /// Runs the network on films that have passed the gate so far, all at once; their detections in the same order.
    fn predict(&mut self, films: Vec<Admitted>) -> Result<Vec<Detection>, ModelError> {
        if self.card.logits() != 1 {
            return Err(ModelError::Setting(format!(
                "bundle {} has {} classes; a finding needs one of two",
                self.card.name,
                self.card.classes.len()
            )));
        }
        let output = self.run(films.iter().map(|admitted| &admitted.input))?;
        let cells = output.map_side * output.map_side;
        let maps = output.maps.chunks_exact(cells);
        if maps.len() != films.len() || output.logits.len() != films.len() {
            return Err(ModelError::Internal("the network gave another number of predictions than of films".into()));
        }
        let found = films.into_iter().zip(&output.logits).zip(maps).enumerate();
        Ok(found
            .map(|(i, ((admitted, &logit), map))| match self.refusal(&output, i) {
                Some(not_read) => Detection::not_read_because(admitted.film, not_read),
                None => self.detection(admitted, logit, map, output.map_side),
            })
            .collect())
    }

    /// Why the film at this place in a batch is not to be read, by the network's features of it.
    fn refusal(&self, output: &Output, place: usize) -> Option<String> {
        self.content.as_ref()?.refusal(&output.features[place * QUARTERS * FEATURES..][..QUARTERS * FEATURES])
    }

    fn run<'a>(&mut self, inputs: impl IntoIterator<Item = &'a ModelInput>) -> Result<Output, ModelError> {
        self.images.clear();
        let mut n = 0;
        for input in inputs {
            extend_scaled(&mut self.images, input);
            n += 1;
        }
        let (reading, executor) = (Reading { size: self.size, ..Reading::of(&self.card) }, &mut self.executor);
        reading.read(&mut self.images, n, |images, n| executor.run(images, n, reading.size))
    }

    fn detection(&self, admitted: Admitted, logit: f32, map: &[f32], side: usize) -> Detection {
        let Admitted { film, input, concerns } = admitted;
        let map = HeatMap { rows: side, columns: side, values: map.iter().map(|value| value.max(0.0)).collect() };
        let (probability, threshold) = (probability(logit, self.card.temperature), self.card.threshold.threshold);
        let (is_positive, reference) = (probability >= threshold, self.reference());
        let regions = if is_positive {
            let evidence = regions::SideEvidence::of(&film);
            regions::find(&map, &input.geometry, reference, self.card.cam.region_fraction, &evidence)
        } else {
            Vec::new()
        };
        let finding = Finding {
            probability,
            threshold,
            is_positive,
            regions,
            model: self.hash.clone(),
            width: film.width(),
            height: film.height(),
            notice: NOTICE.to_owned(),
            heat_map: Some(map),
        };
        Detection {
            film,
            prediction: FilmPrediction::Read(finding),
            concerns,
            output: Some(NetworkOutput { logit, geometry: input.geometry, reference }),
        }
    }

    /// The bundle's reference at this input size: a logit is the sum of its map, so with more cells each has less.
    fn reference(&self) -> f32 {
        let ratio = self.card.input.size as f32 / self.size as f32;
        self.card.cam.reference * ratio * ratio
    }
}

/// Makes films ready for a detector's network: decodes, gates, resizes.
#[derive(Clone)]
pub struct Preparer {
    gate: Arc<Gate>,
    size: usize,
    fit: Fit,
}

/// A film that is ready for the network, or that the gate refused.
pub struct Prepared(Result<Admitted, Box<Detection>>);

impl Preparer {
    /// Makes a film ready.
    ///
    /// # Errors
    /// When it cannot be decoded. A film that the gate refuses is no error.
    pub fn prepare<'a>(&self, source: impl Into<FilmSource<'a>>) -> Result<Prepared, ModelError> {
        let film = source.into().decode()?;
        Ok(Prepared(match self.gate.check(&film) {
            Ok(concerns) => Ok(Admitted { input: preprocess(&film, self.size, self.fit), film, concerns }),
            Err(not_read) => Err(Box::new(Detection::not_read_because(film, not_read))),
        }))
    }
}
