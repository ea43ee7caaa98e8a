//! Training: the recipe's stages one after the other, each a loop over epochs that can be broken off at any moment and taken up
//! again to the same weights, bit for bit.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use coxa_cohort::{Dataset, Split};
use coxa_engine::{CellTargets, Isa, Loss, Parameters, TrainerOptions};
use coxa_files::whole;
use coxa_imaging::Geometry;

use crate::adapt::Measure;
use crate::batches::{Batch, Films, Patches, Plan, steps_per_epoch};
use crate::bundle::{FILM_DIGITS, logits_of};
use crate::cache::{Built, FilmCache};
use crate::checkpoint::{self, Checkpoint, Position};
use crate::executor::{TrainExecutor, infer_executor, train_executor};
use crate::finish::{self, Finished, Validation};
use crate::history::{self, EpochRecord};
use crate::predict::threads_or_all;
use crate::progress::{Control, Event, Progress};
use crate::recipe::{Keep, Monitor, Normalization, Patch, Stage, Start, ThresholdRule};
use crate::run::Run;
use crate::schedule::{after_epoch, learning_rate};
use crate::tensorboard::Events;
use crate::{Backend, Bundle, ModelError, Recipe, WeightsFormat, files, weights};

/// The kept weights' predictions of the validation films, in a stage's folder, for `coxa evaluate` and `coxa compare`; of two classes
/// only. Probabilities are the network's own, before any calibration.
pub const VALIDATION: &str = "validation.csv";

/// The classifier's first bias where the class activation map is taught.
const CELL_PRIOR: f32 = -3.0;

/// Where and how a run is carried out; nothing here changes the weights that come of it, except the back end.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// The folder that holds a folder for each run.
    pub runs: PathBuf,
    /// The folder of prepared films; `films` in `runs`, unless given.
    pub cache: Option<PathBuf>,
    /// Where the network runs.
    pub backend: Backend,
    /// Threads; all the processor's, unless given.
    pub threads: Option<usize>,
    /// Batches between checkpoints within an epoch; only at its end, unless given.
    pub checkpoint_every: Option<usize>,
    /// How the bundles' weights are stored.
    pub weights_format: WeightsFormat,
}

impl TrainOptions {
    /// Options for runs in a folder.
    pub fn new(runs: impl Into<PathBuf>) -> Self {
        TrainOptions {
            runs: runs.into(),
            cache: None,
            backend: Backend::default(),
            threads: None,
            checkpoint_every: None,
            weights_format: WeightsFormat::F32,
        }
    }

    pub(crate) fn threads(&self) -> usize {
        threads_or_all(self.threads)
    }

    fn cache_folder(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(|| self.runs.join("films"))
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The run's folder.
    pub run: PathBuf,
    /// The bundle of the last stage; `None` if the run was stopped before.
    pub bundle: Option<PathBuf>,
    /// The stages that are done.
    pub stages: Vec<StageOutcome>,
}

/// What a stage came to.
#[derive(Debug, Clone, PartialEq)]
pub struct StageOutcome {
    /// The stage's name.
    pub name: String,
    /// Its folder, with `history.csv` and `split.csv`.
    pub folder: PathBuf,
    /// Its bundle.
    pub bundle: PathBuf,
    /// Its epochs.
    pub history: Vec<EpochRecord>,
}

/// Trains by a recipe in a new folder.
///
/// # Errors
/// When a data set or its films cannot be read, the recipe does not fit the data, the loss stops being a number, or something cannot
/// be written.
pub fn train(recipe: &Recipe, options: &TrainOptions, progress: &mut dyn Progress) -> Result<Outcome, ModelError> {
    recipe.check().map_err(|reason| ModelError::Recipe { origin: recipe.name.clone(), reason })?;
    // What is wrong with a data set's tables is said before a run's folder is made.
    for stage in &recipe.stages {
        let folder = stage.dataset.as_ref().ok_or_else(|| ModelError::NoDataset { stage: stage.name.clone() })?;
        Dataset::load(folder)?;
    }
    let run = Run::create(recipe, options)?;
    run_stages(recipe, &run, options, progress)
}

/// Takes a run up again where its last checkpoint is.
///
/// # Errors
/// As [`train`], and when another process trains the run or its films have changed.
pub fn resume(folder: &Path, options: &TrainOptions, progress: &mut dyn Progress) -> Result<Outcome, ModelError> {
    let (run, recipe, weights_format) = Run::open(folder)?;
    run_stages(&recipe, &run, &TrainOptions { weights_format, ..options.clone() }, progress)
}

fn run_stages(
    recipe: &Recipe,
    run: &Run,
    options: &TrainOptions,
    progress: &mut dyn Progress,
) -> Result<Outcome, ModelError> {
    progress.on(&Event::Run { folder: &run.folder });
    let mut outcome = Outcome { run: run.folder.clone(), bundle: None, stages: Vec::new() };
    let mut previous: Option<Bundle> = None;
    for (index, stage) in recipe.stages.iter().enumerate() {
        let folder = run.folder.join(format!("{}-{}", index + 1, stage.name));
        let bundle_folder = folder.join("bundle");
        let bundle = if bundle_folder.exists() {
            Bundle::load(&bundle_folder)?
        } else {
            files::create_folder(&folder)?;
            whole::sweep(&folder);
            let training = Training { recipe, stage, index, folder: &folder, options };
            match training.run(previous.as_ref(), progress)? {
                Some(bundle) => {
                    // What the start was trained on, this network has seen too.
                    let start = match (&stage.start, &previous) {
                        (Start::Previous, Some(bundle)) => bundle.films().clone(),
                        // A folder that is gone since the run began takes its list with it.
                        (Start::Bundle(folder), _) => {
                            Bundle::load(folder).map_or_else(|_| Default::default(), |b| b.films().clone())
                        }
                        _ => Default::default(),
                    };
                    let films = bundle.films() | &start;
                    bundle.with_films(films).save(&bundle_folder, options.weights_format)?
                }
                None => return Ok(outcome),
            }
        };
        progress.on(&Event::StageFinished { stage: &stage.name, bundle: &bundle_folder, card: bundle.card() });
        let history = history::read_csv(&folder.join("history.csv"))?;
        outcome.stages.push(StageOutcome { name: stage.name.clone(), folder, bundle: bundle_folder, history });
        previous = Some(bundle);
    }
    let folder = run.folder.join("bundle");
    whole::sweep(&run.folder);
    if let Some(bundle) = previous.filter(|_| !folder.exists()) {
        bundle.save(&folder, options.weights_format)?;
    }
    outcome.bundle = Some(folder);
    Ok(outcome)
}

/// One stage of a run.
struct Training<'a> {
    recipe: &'a Recipe,
    stage: &'a Stage,
    index: usize,
    folder: &'a Path,
    options: &'a TrainOptions,
}

/// A stage's films and how they are split.
struct Data {
    cache: FilmCache,
    /// Pixels on each side of the network's input.
    size: usize,
    split: Split,
    /// Slot and class of each training film, then of each validation film.
    train: Vec<(usize, usize)>,
    validation: Vec<(usize, usize)>,
    /// The patient of each training film, then of each validation film, by number.
    patients: [Vec<usize>; 2],
    /// The findings' boxes by slot, in prepared films; if the recipe asks for them.
    boxes: Option<Vec<Vec<[f32; 4]>>>,
    /// Where patches are cut, by slot; if the recipe asks for them.
    anchors: Option<(Vec<Option<[f64; 2]>>, Patch)>,
    classes: Vec<String>,
    fingerprint: String,
    /// The fingerprint with all else that the order of batches and their targets depend on.
    order: String,
    simulated: bool,
}

impl Data {
    fn validation_films(&self) -> Films<'_> {
        let (films, patients) = (self.validation.clone(), self.patients[1].clone());
        Films { cache: &self.cache, films, size: self.size, patients, patches: self.patches(), boxes: None }
    }

    fn train_films(&self, stage: &Stage) -> Films<'_> {
        let (films, patients) = (self.train.clone(), self.patients[0].clone());
        let boxes = self.boxes.as_deref().filter(|_| stage.localization.is_some());
        Films { cache: &self.cache, films, size: self.size, patients, patches: self.patches(), boxes }
    }

    fn patches(&self) -> Option<Patches<'_>> {
        let ((anchors, patch), boxes) = self.anchors.as_ref().zip(self.boxes.as_deref())?;
        Some(Patches { anchors, jitter: patch.jitter, elsewhere: patch.elsewhere, boxes })
    }
}

impl Training<'_> {
    /// Trains the stage to its end and makes its bundle; `None` if it was stopped.
    fn run(&self, previous: Option<&Bundle>, progress: &mut dyn Progress) -> Result<Option<Bundle>, ModelError> {
        let Some(data) = self.data(progress)? else { return Ok(None) };
        let stage = self.stage;
        let outputs = logits_of(data.classes.len());
        let (mut position, mut network) = self.begin(&data, outputs, previous)?;
        let mut events = Events::open(self.folder, position.events_length)?;
        let train_films = data.train_films(stage);
        let validation_films = data.validation_films();
        let n_batches = steps_per_epoch(stage, data.train.len());
        progress.on(&Event::StageStarted {
            stage: &stage.name,
            index: self.index,
            n_stages: self.recipe.stages.len(),
            classes: &data.classes,
            n_train: data.train.len(),
            n_validation: data.validation.len(),
            epochs: stage.epochs,
            batches: n_batches,
            epochs_done: position.epoch,
        });

        let measures_first = stage.normalization == Normalization::Running;
        let at_the_start = position.epoch == 0 && position.batch == 0;
        if measures_first
            && at_the_start
            && !self.measure_statistics(&train_films, &position, network.as_mut(), progress)?
        {
            return Ok(None);
        }
        while position.epoch < stage.epochs {
            let began = Instant::now();
            let Some(waited) = self.train_epoch(&train_films, &mut position, network.as_mut(), progress)? else {
                return Ok(None);
            };
            if !measures_first && !self.measure_statistics(&train_films, &position, network.as_mut(), progress)? {
                return Ok(None);
            }
            let validation = validate(stage, &validation_films, network.as_mut(), &data.classes, progress)?;
            let Some(validation) = validation else { return Ok(None) };

            self.check_loss(validation.loss as f32, &position, n_batches, n_batches)?;
            let sums = std::mem::take(&mut position.sums);
            position.epoch += 1;
            position.batch = 0;
            let record = EpochRecord {
                epoch: position.epoch,
                learning_rate: self.rate(&position, position.epoch * n_batches - 1, n_batches),
                train_loss: sums.loss / sums.films as f64,
                train_accuracy: sums.right as f64 / sums.films as f64,
                val_loss: validation.loss,
                val_accuracy: validation.accuracy,
                val_auc: validation.auc,
                seconds: began.elapsed().as_secs_f64(),
            };
            let monitored = match stage.schedule.monitor {
                Monitor::ValLoss => record.val_loss,
                Monitor::TrainLoss => record.train_loss,
            };
            after_epoch(stage, &mut position.schedule, monitored);
            let improved = position.best.is_none_or(|(_, best)| record.val_loss < best);
            if improved {
                position.best = Some((record.epoch, record.val_loss));
            }
            write_events(&mut events, &record, n_batches)?;
            position.events_length = events.length();
            position.history.push(record.clone());

            // The best weights first: if the process ends between the two files, the epoch is trained again and writes the same.
            let parameters = network.parameters()?;
            if improved {
                checkpoint::save_parameters(&self.path("best"), &parameters)?;
            }
            Checkpoint { position: position.clone(), parameters, optimizer: network.state()? }
                .save(&self.path("last"))?;
            history::write_csv(&self.folder.join("history.csv"), &position.history)?;
            let control = progress.on(&Event::Epoch { stage: &stage.name, record: &record, improved, waited });
            if control != Control::Continue && position.epoch < stage.epochs {
                return Ok(None);
            }
        }
        history::write_csv(&self.folder.join("history.csv"), &position.history)?;
        self.finish(&data, &position, network.as_mut(), progress)
    }

    /// Trains the rest of an epoch and gives the seconds in which the network waited for films; `None` if it was stopped.
    fn train_epoch(
        &self,
        films: &Films<'_>,
        position: &mut Position,
        network: &mut dyn TrainExecutor,
        progress: &mut dyn Progress,
    ) -> Result<Option<f64>, ModelError> {
        let stage = self.stage;
        let mut waited = 0.0;
        let plan = Plan::epoch(stage, films, self.seed(), position.epoch);
        let n_batches = plan.n_batches();
        let (began, first) = (Instant::now(), position.batch);
        films.with_batches(&plan, first, |next| {
            loop {
                let asked = Instant::now();
                let Some(batch) = next() else { return Ok(Some(waited)) };
                // The first batch of an epoch cannot be ready.
                if position.batch > first {
                    waited += asked.elapsed().as_secs_f64();
                }
                let Batch { images, targets, cells } = batch?;
                let cells = stage.localization.zip(cells.as_deref()).map(|(localization, truth)| CellTargets {
                    truth,
                    weight: localization.weight,
                    extent: localization.extent,
                });
                let rate = self.rate(position, position.epoch * n_batches + position.batch, n_batches);
                network.set_learning_rate(rate as f32)?;
                let step = network.step(&images, &targets, cells.as_ref(), stage.input_size)?;
                self.check_loss(step.loss + step.cell_loss, position, position.batch + 1, n_batches)?;
                position.batch += 1;
                position.sums.loss += f64::from(step.loss) * targets.len() as f64;
                position.sums.right += n_right(&step.logits, &targets);
                position.sums.films += targets.len();

                let done = position.batch - first;
                let left = (stage.epochs - position.epoch) * n_batches - position.batch;
                let control = progress.on(&Event::Batch {
                    stage: &stage.name,
                    epoch: position.epoch + 1,
                    epochs: stage.epochs,
                    batch: position.batch,
                    batches: n_batches,
                    loss: step.loss,
                    accuracy: position.sums.right as f64 / position.sums.films as f64,
                    learning_rate: rate,
                    seconds_left: began.elapsed().as_secs_f64() / done as f64 * left as f64,
                });
                let due = self
                    .options
                    .checkpoint_every
                    .is_some_and(|every| every > 0 && position.batch.is_multiple_of(every));
                let stops = control == Control::Stop;
                if (due && position.batch < n_batches) || stops {
                    let optimizer = network.state()?;
                    let parameters = network.parameters()?;
                    Checkpoint { position: position.clone(), parameters, optimizer }.save(&self.path("last"))?;
                }
                if control != Control::Continue {
                    return Ok(None);
                }
            }
        })
    }

    /// Measures the normalizations' statistics over the first batches of the position's epoch, varied as in training, where the recipe
    /// asks for it; `false` if that was stopped.
    fn measure_statistics(
        &self,
        films: &Films<'_>,
        position: &Position,
        network: &mut dyn TrainExecutor,
        progress: &mut dyn Progress,
    ) -> Result<bool, ModelError> {
        let stage = self.stage;
        let plan = Plan::epoch(stage, films, self.seed(), position.epoch).first(stage.statistics_batches);
        let total = plan.n_batches();
        let mut measure = Measure::new();
        films.with_batches(&plan, 0, |next| {
            let mut done = 0;
            while let Some(batch) = next() {
                let Batch { images, targets, .. } = batch?;
                measure.take(network, &images, targets.len(), stage.input_size)?;
                done += 1;
                let event = Event::Measuring { stage: &stage.name, done, total };
                if progress.on(&event) != Control::Continue {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Settles temperature, threshold and the Grad-CAM's reference on the validation films, and puts the bundle together.
    fn finish(
        &self,
        data: &Data,
        position: &Position,
        network: &mut dyn TrainExecutor,
        progress: &mut dyn Progress,
    ) -> Result<Option<Bundle>, ModelError> {
        let (epoch, parameters) = match (self.stage.keep, position.best) {
            (Keep::Best, Some((epoch, _))) => {
                (epoch, checkpoint::load_parameters(&self.path("best"), position.outputs)?)
            }
            _ => (position.epoch, network.parameters()?),
        };
        // What is measured below is what a reader of the bundle will find.
        let parameters = weights::stored(parameters, self.options.weights_format)?;
        let precision = self.stage.precision.engine();
        let mut reader = infer_executor(self.options.backend, &parameters, precision, self.options.threads())?;
        let films = data.validation_films();
        let size = self.stage.input_size;
        let run = &mut |images: &[f32], n: usize| reader.run(images, n, size);
        let Some(validation) = Validation::measure(self.stage, &films, data.classes.len(), run, progress)? else {
            return Ok(None);
        };
        if data.classes.len() == 2 {
            files::write_whole(&self.folder.join(VALIDATION), &validation.predictions(data.split.validation())?)?;
        }
        let finished = Finished {
            recipe: self.recipe,
            stage: self.stage,
            classes: &data.classes,
            split: &data.split,
            fingerprint: &data.fingerprint,
            simulated: data.simulated || position.start_simulated,
            epoch,
            validation: &validation,
        };
        let seen: HashSet<&str> =
            data.split.train().iter().chain(data.split.validation()).map(|sample| sample.image_id.as_str()).collect();
        let films = data.cache.entries().iter().filter(|film| seen.contains(film.image_id.as_str()));
        let films = films.map(|film| film.sha256[..FILM_DIGITS].to_owned()).collect();
        Ok(Some(Bundle::new(finish::card(&finished), parameters)?.with_films(films)))
    }

    /// Loads the data set, splits it by patient and prepares its films; `None` if that was stopped.
    fn data(&self, progress: &mut dyn Progress) -> Result<Option<Data>, ModelError> {
        let stage = self.stage;
        let Some(folder) = &stage.dataset else { return Err(self.fault("no dataset is given")) };
        let mut dataset = Dataset::load(folder)?;
        let (samples, classes) = stage.samples(&mut dataset)?;
        if classes.len() < 2 {
            return Err(self.fault(format!("all films are of one class, {}", classes.join(", "))));
        }
        let cache =
            FilmCache::build(&self.options.cache_folder(), &samples, stage.film_size(), stage.fit, |done, total| {
                progress.on(&Event::Preparing { stage: &stage.name, done, total }) == Control::Continue
            })?;
        let cache = match cache {
            Built::Whole(cache) => cache,
            Built::Stopped => return Ok(None),
            Built::Unreadable(films) => {
                let named: Vec<_> =
                    films.iter().take(10).map(|film| format!("{}: {}", film.image_id, film.reason)).collect();
                return Err(self.fault(format!(
                    "{} of {} films cannot be read; exclude them in the manifest: {}",
                    films.len(),
                    samples.len(),
                    named.join("; ")
                )));
            }
        };
        let fingerprint = finish::fingerprint(&cache, &samples, &classes);
        let simulated = dataset.is_simulated();
        let slots: std::collections::HashMap<String, usize> =
            samples.iter().enumerate().map(|(slot, sample)| (sample.image_id.clone(), slot)).collect();
        let boxes = match (stage.localization, stage.patch) {
            (None, None) => None,
            _ => Some(self.boxes(&dataset, &samples, &cache)?),
        };
        let order = finish::order(&fingerprint, &samples, boxes.as_deref());
        let anchors = stage.patch.zip(boxes.as_deref()).map(|(patch, boxes)| {
            let side = patch.film_size as f64;
            (anchors(&samples, boxes, side), patch)
        });
        let split_path = self.folder.join("split.csv");
        let split = if split_path.exists() {
            Split::load(&split_path, samples)?
        } else {
            let split = match stage.fold {
                Some(fold) => Split::folds(&samples, fold.of, self.recipe.seed)?.swap_remove(fold.index - 1),
                None => Split::by_patient(samples, stage.validation, self.recipe.seed)?,
            };
            split.save(&split_path)?;
            split
        };
        self.check_unseen(&split, &cache, progress)?;
        let places =
            |part: &[coxa_cohort::Sample]| part.iter().map(|sample| (slots[&sample.image_id], sample.target)).collect();
        let (train, validation): (Vec<_>, Vec<_>) = (places(split.train()), places(split.validation()));
        if train.is_empty() || validation.is_empty() {
            return Err(self.fault(format!("{} films to train on, {} to validate", train.len(), validation.len())));
        }
        let both = |class: usize| validation.iter().any(|(_, target)| *target == class);
        if classes.len() == 2 && !matches!(stage.threshold, ThresholdRule::Fixed { .. }) && !(both(0) && both(1)) {
            return Err(self.fault("the threshold's rule needs validation films of both classes"));
        }
        let patients = [split.train(), split.validation()].map(patient_numbers);
        let size = stage.input_size;
        Ok(Some(Data {
            cache,
            size,
            split,
            train,
            validation,
            patients,
            boxes,
            anchors,
            classes,
            fingerprint,
            order,
            simulated,
        }))
    }

    /// Looks whether the bundle that the stage starts from has seen films to validate on: a cross-validation is refused then, elsewhere
    /// it is said. (Stages of one run that share films hold out the same ones.)
    fn check_unseen(&self, split: &Split, cache: &FilmCache, progress: &mut dyn Progress) -> Result<(), ModelError> {
        let Start::Bundle(folder) = &self.stage.start else { return Ok(()) };
        // A folder that is gone since the run began takes its list with it.
        let Ok(bundle) = Bundle::load(folder) else { return Ok(()) };
        let validation: HashSet<&str> = split.validation().iter().map(|sample| sample.image_id.as_str()).collect();
        let held_out = cache.entries().iter().filter(|film| validation.contains(film.image_id.as_str()));
        let seen = held_out.filter(|film| bundle.has_seen(&film.sha256)).count();
        if seen > 0 && self.stage.fold.is_some() {
            return Err(self.fault(format!(
                "{seen} of the films to be tested on were trained or validated on with {}, where the stage starts; start from a bundle \
                 that has not seen them",
                folder.display()
            )));
        }
        if seen > 0 {
            progress.on(&Event::ValidationSeen { stage: &self.stage.name, seen, of: validation.len() });
        }
        Ok(())
    }

    /// The data set's boxes in prepared films, by slot.
    fn boxes(
        &self,
        dataset: &Dataset,
        samples: &[coxa_cohort::Sample],
        cache: &FilmCache,
    ) -> Result<Vec<Vec<[f32; 4]>>, ModelError> {
        if dataset.truth.is_empty() {
            return Err(self.fault("localization or patches are asked for, but the data set's truth.csv has no boxes"));
        }
        let mut by_film = std::collections::HashMap::<&str, Vec<_>>::new();
        for truth in &dataset.truth {
            by_film.entry(&truth.image_id).or_default().push(truth);
        }
        let boxes = samples.iter().zip(cache.entries()).map(|(sample, entry)| {
            let (width, height) = (entry.film_width, entry.film_height);
            let geometry = Geometry::new(width, height, self.stage.film_size(), self.stage.fit.imaging());
            let film = by_film.remove(sample.image_id.as_str()).unwrap_or_default();
            let to_input = |truth: &coxa_cohort::TruthBox| {
                truth.check_inside(width, height)?;
                let (left, top) = geometry.to_input(truth.x, truth.y);
                let (right, bottom) = geometry.to_input(truth.x + truth.width, truth.y + truth.height);
                Ok([left, top, right - left, bottom - top])
            };
            film.into_iter().map(to_input).collect()
        });
        boxes.collect()
    }

    /// The training's position and network: from the last checkpoint if there is one, else from the recipe's start.
    fn begin(
        &self,
        data: &Data,
        outputs: usize,
        previous: Option<&Bundle>,
    ) -> Result<(Position, Box<dyn TrainExecutor>), ModelError> {
        let stage = self.stage;
        let optimizer = &stage.optimizer;
        let options = TrainerOptions {
            precision: stage.precision.engine(),
            threads: self.options.threads(),
            isa: Isa::preferred(),
            loss: if outputs == 1 { Loss::Binary } else { Loss::Softmax },
            learning_rate: optimizer.learning_rate as f32,
            beta1: optimizer.beta1 as f32,
            beta2: optimizer.beta2 as f32,
            eps: optimizer.epsilon as f32,
            weight_decay: optimizer.weight_decay as f32,
            frozen: stage.frozen.clone(),
            normalization: stage.normalization.engine(),
        };
        let path = self.path("last");
        if path.exists() {
            let checkpoint = Checkpoint::load(&path)?;
            if checkpoint.position.fingerprint != data.order {
                let reason = "the films, their order, patients, labels or boxes have changed since";
                return Err(ModelError::Resume { path, reason: reason.into() });
            }
            let mut network = train_executor(self.options.backend, checkpoint.parameters, options)?;
            network.load_state(checkpoint.optimizer)?;
            return Ok((checkpoint.position, network));
        }
        let (mut parameters, simulated, fresh) = self.start(&data.classes, outputs, previous)?;
        if fresh && stage.localization.is_some() {
            // Nearly all cells show nothing: a new classifier that says so from the start need not learn it first (Lin et al. 2017).
            parameters = weights::with_bias(&parameters, CELL_PRIOR)?;
        }
        let network = train_executor(self.options.backend, parameters, options)?;
        Ok((Position::start(data.order.clone(), outputs, simulated), network))
    }

    /// The weights to start from, whether they stem from simulated films, and whether the classifier is new.
    fn start(
        &self,
        classes: &[String],
        outputs: usize,
        previous: Option<&Bundle>,
    ) -> Result<(Parameters, bool, bool), ModelError> {
        let seed = self.seed();
        let from_bundle = |bundle: &Bundle| -> Result<(Parameters, bool, bool), ModelError> {
            let same = bundle.card().classes == classes;
            let parameters = bundle.parameters();
            let parameters = match (same, self.stage.localization) {
                (false, _) => weights::with_fresh_head(parameters, outputs, seed)?,
                (true, None) => parameters.clone(),
                // A finding covers a smaller share of a larger input, and its cells must say as much all the same.
                (true, Some(_)) => {
                    let ratio = self.stage.input_size as f32 / bundle.card().input.size as f32;
                    weights::with_scaled_head(parameters, ratio * ratio)?
                }
            };
            Ok((parameters, bundle.card().simulated(), !same))
        };
        match (&self.stage.start, previous) {
            (Start::Scratch, _) => {
                Ok((Parameters::initialize(&coxa_engine::Architecture::new(outputs), seed), false, true))
            }
            (Start::Previous, Some(bundle)) => from_bundle(bundle),
            (Start::Previous, None) => Err(self.fault("there is no stage before it to start from")),
            (Start::Bundle(folder), _) => from_bundle(&Bundle::load(folder)?),
            (Start::Weights(path), _) => {
                let imported = weights::import(path, weights::Head::Fresh { outputs, seed })?;
                Ok((imported.parameters, false, true))
            }
        }
    }

    /// The stage's seed: the recipe's, a different one for each name, so that a stage has the same order of films whatever stages come
    /// before it. (The split has the recipe's own, so that stages of one data set hold out the same patients.)
    fn seed(&self) -> u64 {
        // FNV-1a.
        let name = self.stage.name.bytes();
        name.fold(self.recipe.seed ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }) & (i64::MAX as u64)
    }

    fn rate(&self, position: &Position, step: usize, n_batches: usize) -> f64 {
        learning_rate(self.stage, &position.schedule, step, self.stage.epochs * n_batches)
    }

    fn check_loss(&self, loss: f32, position: &Position, batch: usize, n_batches: usize) -> Result<(), ModelError> {
        if loss.is_finite() {
            return Ok(());
        }
        let rate = self.rate(position, position.epoch * n_batches + batch - 1, n_batches);
        Err(ModelError::NonFiniteLoss {
            stage: self.stage.name.clone(),
            epoch: position.epoch + 1,
            batch,
            loss,
            learning_rate: rate as f32,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.safetensors"))
    }

    fn fault(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Data { stage: self.stage.name.clone(), reason: reason.into() }
    }
}

/// The middle of each film's first box, or of another film's of the same patient, as fractions of the prepared film's side.
fn anchors(samples: &[coxa_cohort::Sample], boxes: &[Vec<[f32; 4]>], side: f64) -> Vec<Option<[f64; 2]>> {
    let middle = |boxes: &[[f32; 4]]| {
        let [x, y, width, height] = boxes.first()?.map(f64::from);
        Some([(x + width / 2.0) / side, (y + height / 2.0) / side])
    };
    let mut of_patient = std::collections::HashMap::new();
    for (sample, boxes) in samples.iter().zip(boxes) {
        if let Some(middle) = middle(boxes) {
            of_patient.entry(sample.patient.as_str()).or_insert(middle);
        }
    }
    let known = |sample: &coxa_cohort::Sample| of_patient.get(sample.patient.as_str()).copied();
    samples.iter().zip(boxes).map(|(sample, boxes)| middle(boxes).or_else(|| known(sample))).collect()
}

/// Numbers for the samples' patients, in the order of their first films.
fn patient_numbers(samples: &[coxa_cohort::Sample]) -> Vec<usize> {
    let mut numbers = std::collections::HashMap::new();
    samples
        .iter()
        .map(|sample| {
            let next = numbers.len();
            *numbers.entry(sample.patient.as_str()).or_insert(next)
        })
        .collect()
}

/// Measures the present weights on the validation films; `None` if that was stopped.
fn validate(
    stage: &Stage,
    films: &Films<'_>,
    network: &mut dyn TrainExecutor,
    classes: &[String],
    progress: &mut dyn Progress,
) -> Result<Option<Validation>, ModelError> {
    let run = &mut |images: &[f32], n: usize| network.evaluate(images, n, stage.input_size);
    Validation::measure(stage, films, classes.len(), run, progress)
}

fn write_events(events: &mut Events, record: &EpochRecord, n_batches: usize) -> Result<(), ModelError> {
    let mut scalars = vec![
        ("learning_rate", record.learning_rate),
        ("loss/train", record.train_loss),
        ("loss/validation", record.val_loss),
        ("accuracy/train", record.train_accuracy),
        ("accuracy/validation", record.val_accuracy),
    ];
    scalars.extend(record.val_auc.map(|auc| ("auc/validation", auc)));
    events.scalars(record.epoch * n_batches, &scalars)
}

/// Films told rightly: the positive logit's sign, or the greatest logit.
pub(crate) fn n_right(logits: &[f32], targets: &[usize]) -> usize {
    let outputs = logits.len() / targets.len().max(1);
    let right = |(logits, target): (&[f32], &usize)| match logits {
        [logit] => usize::from(*logit >= 0.0) == *target,
        _ => logits.iter().enumerate().all(|(class, logit)| class == *target || *logit < logits[*target]),
    };
    logits.chunks_exact(outputs.max(1)).zip(targets).filter(|pair| right(*pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_films_are_counted_by_sign_or_greatest_logit() {
        assert_eq!(n_right(&[0.5, -0.5, 0.0, -1.0], &[1, 1, 1, 0]), 3);
        assert_eq!(n_right(&[0.1, 0.9, 0.0, 2.0, 1.0, 3.0], &[1, 0]), 1);
        // A tie tells nothing apart.
        assert_eq!(n_right(&[1.0, 1.0], &[0]), 0);
    }
}
