//! Reading films with a bundle: probability, finding, raw Grad-CAM and regions, one film at a time or many in a pipeline.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use coxa_engine::{LARGEST_SIZE, Output, Precision, Predictor, PredictorOptions};
use coxa_imaging::{Geometry, ModelInput, Radiograph, preprocess};
use coxa_schema::{HeatMap, Region};

use crate::bundle::{Card, Int8, Threshold};
use crate::executor::{InferExecutor, calibrated_executor, infer_executor, ranged_executor};
use crate::{Backend, Bundle, ModelError, regions};

/// How a bundle is run.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderOptions {
    /// Where the network runs.
    pub backend: Backend,
    /// The numbers that it computes with.
    pub precision: Precision,
    /// Threads of the network and of decoding; all the processor's, unless given.
    pub threads: Option<usize>,
    /// Another input size than the bundle's, a multiple of 32.
    pub image_size: Option<usize>,
    /// Another threshold than the bundle's, 0..=1.
    pub threshold: Option<f64>,
    /// Films that go through the network at once, in a pipeline.
    pub batch: usize,
    /// What becomes of files that say of themselves that they show something else than pelvis or hip from the front.
    pub others: Others,
}

/// What becomes of files that say of themselves that they show something else than the network was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Others {
    /// They are refused, each by name.
    #[default]
    Refused,
    /// They are read like any film.
    Read,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        ReaderOptions {
            backend: Backend::default(),
            precision: Precision::F32,
            threads: None,
            image_size: None,
            threshold: None,
            batch: 1,
            others: Others::Refused,
        }
    }
}

/// What the network says of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Probability of the positive class, 0..=1, calibrated by the bundle's temperature.
    pub probability: f64,
    /// The network's own output.
    pub logit: f32,
    /// The threshold: the reader's own, or the bundle's.
    pub threshold: f64,
    /// Whether the probability reaches the threshold.
    pub finding: bool,
    /// The raw Grad-CAM, never scaled by its own range.
    pub cam: HeatMap,
    /// The Grad-CAM value to draw at full intensity, at this input size.
    pub reference: f32,
    /// Where the finding is, in film pixels, strongest first; empty without a finding.
    pub regions: Vec<Region>,
    /// From the network's input to the film's pixels.
    pub geometry: Geometry,
    /// The bundle's short hash.
    pub model: String,
}

/// A film that a pipeline has read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The film.
    pub film: Radiograph,
    /// What the network says of it.
    pub prediction: Prediction,
}

/// A bundle that is ready to read films.
pub struct Reader {
    card: Card,
    hash: String,
    executor: Box<dyn InferExecutor>,
    size: usize,
    threads: usize,
    batch: usize,
    others: Others,
    images: Vec<f32>,
}

impl Reader {
    /// Opens a bundle's folder.
    ///
    /// # Errors
    /// When the bundle cannot be read, or as [`Reader::new`].
    pub fn open(folder: &Path, options: &ReaderOptions) -> Result<Self, ModelError> {
        Reader::new(&Bundle::load(folder)?, options)
    }

    /// Makes a bundle ready; in int8 with the ranges that it holds.
    ///
    /// # Errors
    /// When the input size is not a multiple of 32 up to 4096, or the back end cannot run at this precision, as int8 without ranges
    /// ([`Reader::calibrated`] measures them).
    pub fn new(bundle: &Bundle, options: &ReaderOptions) -> Result<Self, ModelError> {
        let threads = threads_or_all(options.threads);
        if let (Precision::Int8, Backend::Cpu, Some(int8)) = (options.precision, options.backend, bundle.int8()) {
            let executor = ranged_executor(bundle.parameters(), threads, &int8.ranges)?;
            return Reader::with_executor(bundle, options, executor);
        }
        let executor = infer_executor(options.backend, bundle.parameters(), options.precision, threads)?;
        Reader::with_executor(bundle, options, executor)
    }

    /// Makes a bundle ready in int8, its activation ranges measured on the given films.
    ///
    /// # Errors
    /// When there are no films, or as [`Reader::new`].
    pub fn calibrated(bundle: &Bundle, options: &ReaderOptions, films: &[Radiograph]) -> Result<Self, ModelError> {
        let size = input_size(bundle, options)?;
        let images = scaled_inputs(bundle, films, size);
        let executor = calibrated_executor(bundle.parameters(), threads_or_all(options.threads), &images, size)?;
        Reader::with_executor(bundle, options, executor)
    }

    /// Makes a bundle ready on a network that was built elsewhere from its parameters.
    ///
    /// # Errors
    /// When the input size is not a multiple of 32 up to 4096, or the threshold not between 0 and 1.
    pub fn with_executor(
        bundle: &Bundle,
        options: &ReaderOptions,
        executor: Box<dyn InferExecutor>,
    ) -> Result<Self, ModelError> {
        let size = input_size(bundle, options)?;
        let mut card = bundle.card().clone();
        if let Some(threshold) = options.threshold {
            if !(0.0..=1.0).contains(&threshold) {
                return Err(ModelError::Setting(format!("the threshold is {threshold}, but must lie between 0 and 1")));
            }
            card.threshold = Threshold { value: threshold, ..Threshold::fixed() };
        }
        Ok(Reader {
            card,
            hash: bundle.short_hash().to_string(),
            executor,
            size,
            threads: threads_or_all(options.threads),
            batch: options.batch.max(1),
            others: options.others,
            images: Vec::new(),
        })
    }

    /// What the bundle says of itself, with the threshold that films are read at.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The bundle's short hash, by which predictions name it.
    pub fn model(&self) -> &str {
        &self.hash
    }

    /// Pixels on each side of the network's input.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A film as the network's input.
    pub fn prepare(&self, film: &Radiograph) -> ModelInput {
        preprocess(film, self.size, self.card.input.fit.imaging())
    }

    /// Reads one film.
    ///
    /// # Errors
    /// When the bundle tells more than two classes apart (see [`Reader::class_probabilities`]), or the network fails.
    pub fn read_film(&mut self, film: &Radiograph) -> Result<Prediction, ModelError> {
        let input = self.prepare(film);
        let mut predictions = self.read_inputs(&[(film, &input)])?;
        // One input gives one prediction.
        predictions.pop().ok_or_else(|| ModelError::Setting("the network gave no prediction".into()))
    }

    /// Reads films that are prepared already, all at once.
    ///
    /// # Errors
    /// As [`Reader::read_film`].
    pub fn read_inputs(&mut self, films: &[(&Radiograph, &ModelInput)]) -> Result<Vec<Prediction>, ModelError> {
        if self.card.logits() != 1 {
            return Err(ModelError::Setting(format!(
                "bundle {} tells {} classes apart; a finding needs one of two",
                self.card.name,
                self.card.classes.len()
            )));
        }
        let output = self.run(films.iter().map(|(_, input)| *input))?;
        let cells = output.map_side * output.map_side;
        let predictions = films.iter().enumerate().map(|(i, (film, input))| {
            let map = &output.maps[i * cells..(i + 1) * cells];
            self.prediction(output.logits[i], map, output.map_side, film, &input.geometry)
        });
        Ok(predictions.collect())
    }

    /// The probability of each of the bundle's classes.
    ///
    /// # Errors
    /// When the network fails.
    pub fn class_probabilities(&mut self, film: &Radiograph) -> Result<Vec<f64>, ModelError> {
        let input = self.prepare(film);
        let output = self.run([&input])?;
        if self.card.logits() == 1 {
            let positive = self.probability(output.logits[0]);
            return Ok(vec![1.0 - positive, positive]);
        }
        let most = output.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = |logit: &f32| (f64::from(logit - most) / self.card.temperature).exp();
        let sum: f64 = output.logits.iter().map(scale).sum();
        Ok(output.logits.iter().map(|logit| scale(logit) / sum).collect())
    }

    /// Reads many files: several threads decode and prepare while the network runs. `each` is called on this thread for every
    /// file, in the order given, whether it could be read or not, and may stop the pipeline by returning `false`. No more than a
    /// few films are held at any time, and of large files (64 MiB) one is decoded at a time.
    ///
    /// # Errors
    /// When the network fails; what is wrong with a file is given to `each`.
    pub fn read_files(
        &mut self,
        files: &[PathBuf],
        mut each: impl FnMut(usize, Result<Reading, ModelError>) -> bool,
    ) -> Result<(), ModelError> {
        let n_decoders = self.threads.clamp(1, 8).min(files.len());
        let (size, fit, others) = (self.size, self.card.input.fit.imaging(), self.others);
        let turns = &Turns::default();
        std::thread::scope(|scope| {
            let _last = turns.all_at_the_end();
            // Decoder d takes files d, d + n, d + 2n, …, so taking from the decoders in turn keeps the order, and each channel's
            // bound keeps the memory.
            let decoders: Vec<Receiver<Decoded>> = (0..n_decoders)
                .map(|decoder| {
                    let (sender, receiver) = sync_channel(1);
                    scope.spawn(move || {
                        for (index, path) in files.iter().enumerate().skip(decoder).step_by(n_decoders) {
                            if is_large(path) {
                                turns.wait_for(index);
                            }
                            let decoded = read_pelvis(path, others).map(|film| {
                                let input = preprocess(&film, size, fit);
                                (film, input)
                            });
                            if sender.send(decoded).is_err() {
                                return;
                            }
                        }
                    });
                    receiver
                })
                .collect();
            let mut waiting: Vec<Decoded> = Vec::new();
            for index in 0..files.len() {
                let decoded = decoders[index % n_decoders].recv();
                waiting.push(decoded.map_err(|_| ModelError::Setting("a decoding thread ended early".into()))?);
                let n_good = waiting.iter().filter(|decoded| decoded.is_ok()).count();
                let is_last = index + 1 == files.len();
                // Errors that nothing waits before are told at once.
                if n_good > 0 && n_good < self.batch && !is_last {
                    turns.reach(index + 1);
                    continue;
                }
                let first = index + 1 - waiting.len();
                if !self.finish(first, &mut waiting, &mut each)? {
                    return Ok(());
                }
                turns.reach(index + 1);
            }
            Ok(())
        })
    }

    /// Runs the network on the films that wait and hands everything over in order.
    fn finish(
        &mut self,
        first: usize,
        waiting: &mut Vec<Decoded>,
        each: &mut impl FnMut(usize, Result<Reading, ModelError>) -> bool,
    ) -> Result<bool, ModelError> {
        let good: Vec<_> =
            waiting.iter().filter_map(|decoded| decoded.as_ref().ok()).map(|(film, input)| (film, input)).collect();
        let mut predictions = if good.is_empty() { Vec::new() } else { self.read_inputs(&good)? }.into_iter();
        for (i, decoded) in waiting.drain(..).enumerate() {
            let result = match decoded {
                Err(error) => Err(error),
                Ok((film, _)) => match predictions.next() {
                    Some(prediction) => Ok(Reading { film, prediction }),
                    None => Err(ModelError::Setting("the network gave too few predictions".into())),
                },
            };
            if !each(first + i, result) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn run<'a>(&mut self, inputs: impl IntoIterator<Item = &'a ModelInput>) -> Result<Output, ModelError> {
        self.images.clear();
        let mut n = 0;
        for input in inputs {
            if input.size != self.size {
                return Err(ModelError::Setting(format!(
                    "an input of size {} for a reader of size {}",
                    input.size, self.size
                )));
            }
            extend_scaled(&mut self.images, input);
            n += 1;
        }
        self.executor.run(&self.images, n, self.size)
    }

    fn probability(&self, logit: f32) -> f64 {
        probability(logit, self.card.temperature)
    }

    fn prediction(&self, logit: f32, map: &[f32], side: usize, film: &Radiograph, geometry: &Geometry) -> Prediction {
        let cam = HeatMap { rows: side, columns: side, values: map.iter().map(|value| value.max(0.0)).collect() };
        let probability = self.probability(logit);
        let threshold = self.card.threshold.value;
        let finding = probability >= threshold;
        let reference = self.reference();
        let regions = if finding {
            regions::find(&cam, geometry, reference, self.card.cam.region_fraction, &regions::Hung::of(film))
        } else {
            Vec::new()
        };
        Prediction {
            probability,
            logit,
            threshold,
            finding,
            cam,
            reference,
            regions,
            geometry: *geometry,
            model: self.hash.clone(),
        }
    }

    /// The bundle's reference at this input size: a logit is the sum of its map, so with more cells each has less.
    fn reference(&self) -> f32 {
        let ratio = self.card.input.size as f32 / self.size as f32;
        self.card.cam.reference * ratio * ratio
    }
}

/// Pixels on each side of the input: those asked for, or the bundle's own.
fn input_size(bundle: &Bundle, options: &ReaderOptions) -> Result<usize, ModelError> {
    let size = options.image_size.unwrap_or(bundle.card().input.size);
    if !(32..=LARGEST_SIZE).contains(&size) || !size.is_multiple_of(32) {
        return Err(ModelError::Setting(format!(
            "the image size is {size}, but must be a multiple of 32 of at most {LARGEST_SIZE}"
        )));
    }
    Ok(size)
}

/// Films as the network's input, one after the other.
fn scaled_inputs(bundle: &Bundle, films: &[Radiograph], size: usize) -> Vec<f32> {
    let mut images = Vec::with_capacity(films.len() * size * size);
    for film in films {
        extend_scaled(&mut images, &preprocess(film, size, bundle.card().input.fit.imaging()));
    }
    images
}

/// The bundle with the ranges of 8-bit arithmetic, measured on these films at the bundle's input size; `measured_on` says in words what
/// they are.
///
/// # Errors
/// When there are no films, or the engine refuses.
pub fn measure_int8(
    bundle: Bundle,
    films: &[Radiograph],
    threads: Option<usize>,
    measured_on: &str,
) -> Result<Bundle, ModelError> {
    let size = bundle.card().input.size;
    let images = scaled_inputs(&bundle, films, size);
    let options = PredictorOptions { threads: threads_or_all(threads), ..PredictorOptions::default() };
    let ranges = Predictor::ranges(bundle.parameters(), &images, size, options)?;
    Ok(bundle.with_int8(Int8 { measured_on: measured_on.to_owned(), ranges }))
}

/// From this many bytes on, a file is decoded alone: a film of 100 megapixels takes more than a gigabyte while it is.
const LARGE_FILE: u64 = 64 << 20;

fn is_large(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() >= LARGE_FILE)
}

/// How many files have been dealt with, for those who wait for their turn.
#[derive(Default)]
struct Turns {
    done: Mutex<usize>,
    moved: Condvar,
}

impl Turns {
    /// Waits until all files before this one are dealt with.
    fn wait_for(&self, index: usize) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(done, |done| *done < index).unwrap_or_else(PoisonError::into_inner));
    }

    fn reach(&self, done: usize) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = done;
        self.moved.notify_all();
    }

    /// Lets everybody go when it is dropped: nobody must wait for a pipeline that has stopped.
    fn all_at_the_end(&self) -> impl Drop + '_ {
        struct All<'a>(&'a Turns);
        impl Drop for All<'_> {
            fn drop(&mut self) {
                self.0.reach(usize::MAX);
            }
        }
        All(self)
    }
}

type Decoded = Result<(Radiograph, ModelInput), ModelError>;

fn read_pelvis(path: &Path, others: Others) -> Result<Radiograph, ModelError> {
    let film = coxa_imaging::read(path)?;
    match film.not_a_frontal_pelvis() {
        Some(reason) if others == Others::Refused => Err(ModelError::NotAPelvis { path: path.to_path_buf(), reason }),
        _ => Ok(film),
    }
}

/// sigmoid(logit / temperature). No finite logit is certain: where the nearest double is 0 or 1, the next within is given, so that
/// the probability has a logit again.
pub(crate) fn probability(logit: f32, temperature: f64) -> f64 {
    (1.0 / (1.0 + (-f64::from(logit) / temperature).exp())).clamp(f64::MIN_POSITIVE, 1.0_f64.next_down())
}

/// Appends a film's values, each divided by 255.
pub(crate) fn extend_scaled(images: &mut Vec<f32>, input: &ModelInput) {
    images.extend(input.pixels.iter().map(|&pixel| f32::from(pixel) / 255.0));
}

pub(crate) fn threads_or_all(threads: Option<usize>) -> usize {
    threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probability_follows_the_temperature() {
        assert_eq!(probability(0.0, 3.0), 0.5);
        assert!((probability(2.0, 2.0) - 0.731_058_6).abs() < 1e-6);
        for logit in [-1e30, -40.0, 40.0, 1e30] {
            let p = probability(logit, 1.0);
            assert!(p > 0.0 && p < 1.0 && (p > 0.5) == (logit > 0.0), "{logit}: {p:e}");
        }
    }
}
