//! A stage's training: the loop over epochs, each a loop over batches, then validation and a checkpoint.

use std::time::Instant;

use coxa_engine::{CellTargets, Isa, Loss, Normalization, TrainerOptions};

use super::batches::{Batch, Films};
use super::card::{self, Finished};
use super::checkpoint::{self, Checkpoint, Position};
use super::context::Context;
use super::data::StageData;
use super::history::{self, EpochRecord};
use super::plan::steps_per_epoch;
use super::progress::{Control, Event, Observer};
use super::schedule::{after_epoch, learning_rate};
use super::start::start_weights;
use super::tensorboard::Events;
use super::validation::{Validation, n_right};
use crate::backends::{TrainExecutor, infer_executor, train_executor};
use crate::bundle::{Seen, logits_of};
use crate::recipe::{Keep, Monitor};
use crate::statistics::Measure;
use crate::{Bundle, ModelError, weights};

/// Trains a stage to its end and makes its bundle; `None` if it was stopped.
pub(super) fn train_stage(
    context: &Context<'_>,
    previous: Option<&Bundle>,
    observer: &mut dyn Observer,
) -> Result<Option<Bundle>, ModelError> {
    let Some(data) = StageData::load(context, observer)? else { return Ok(None) };
    let n_batches = steps_per_epoch(context.stage, data.n_train());
    Training { context, data: &data, n_batches }.run(previous, observer)
}

/// A stage with its films.
struct Training<'a> {
    context: &'a Context<'a>,
    data: &'a StageData,
    /// Batches in an epoch.
    n_batches: usize,
}

impl Training<'_> {
    /// Trains from the last checkpoint, or from the start, to the last epoch.
    fn run(&self, previous: Option<&Bundle>, observer: &mut dyn Observer) -> Result<Option<Bundle>, ModelError> {
        let (stage, data) = (self.context.stage, self.data);
        let (mut position, mut network) = self.begin(previous)?;
        let mut events = Events::open(self.context.layout.folder(), position.events_length)?;
        let (train_films, validation_films) = (data.train_films(stage), data.validation_films());
        observer.on(&Event::StageStarted {
            stage: &stage.name,
            index: self.context.index,
            n_stages: self.context.recipe.stages.len(),
            classes: &data.classes,
            n_train: train_films.films.len(),
            n_validation: validation_films.films.len(),
            epochs: stage.epochs,
            batches: self.n_batches,
            epochs_done: position.epoch,
        });
        let measures_first = stage.normalization == Normalization::Running;
        let at_the_start = position.epoch == 0 && position.batch == 0;
        if measures_first
            && at_the_start
            && !self.measure_statistics(&train_films, &position, network.as_mut(), observer)?
        {
            return Ok(None);
        }
        while position.epoch < stage.epochs {
            let began = Instant::now();
            let Some(waited) = self.train_epoch(&train_films, &mut position, network.as_mut(), observer)? else {
                return Ok(None);
            };
            if !measures_first && !self.measure_statistics(&train_films, &position, network.as_mut(), observer)? {
                return Ok(None);
            }
            let validate = &mut |images: &[f32], n: usize| network.evaluate(images, n, stage.input_size);
            let validation = Validation::measure(stage, &validation_films, data.classes.len(), validate, observer)?;
            let Some(validation) = validation else { return Ok(None) };
            self.check_loss(validation.loss as f32, &position, self.n_batches)?;
            let record = self.record(&mut position, &validation, began.elapsed().as_secs_f64());
            write_events(&mut events, &record, self.n_batches)?;
            position.events_length = events.length();
            let improved = self.close_epoch(&mut position, &record, network.as_mut())?;
            let control = observer.on(&Event::Epoch { stage: &stage.name, record: &record, improved, waited });
            if control != Control::Continue && position.epoch < stage.epochs {
                return Ok(None);
            }
        }
        history::write_csv(&self.context.layout.history(), &position.history)?;
        self.finish(&position, network.as_mut(), observer)
    }

    /// The figures of the epoch that is done, after which the position stands at the next.
    fn record(&self, position: &mut Position, validation: &Validation, seconds: f64) -> EpochRecord {
        let sums = std::mem::take(&mut position.sums);
        position.epoch += 1;
        position.batch = 0;
        EpochRecord {
            epoch: position.epoch,
            learning_rate: self.rate(position, position.epoch * self.n_batches - 1),
            train_loss: sums.loss / sums.films as f64,
            train_accuracy: sums.right as f64 / sums.films as f64,
            val_loss: validation.loss,
            val_accuracy: validation.accuracy,
            val_auc: validation.auc,
            seconds,
        }
    }

    /// Takes an epoch's figures into the schedule and writes the checkpoint; whether its weights are the best so far.
    fn close_epoch(
        &self,
        position: &mut Position,
        record: &EpochRecord,
        network: &mut dyn TrainExecutor,
    ) -> Result<bool, ModelError> {
        let (stage, layout) = (self.context.stage, self.context.layout);
        let monitored = match stage.schedule.monitor {
            Monitor::ValLoss => record.val_loss,
            Monitor::TrainLoss => record.train_loss,
        };
        after_epoch(stage, &mut position.schedule, monitored);
        let improved = position.best.is_none_or(|(_, best)| record.val_loss < best);
        if improved {
            position.best = Some((record.epoch, record.val_loss));
        }
        position.history.push(record.clone());
        // The best weights first: if the process ends between the two files, the epoch is trained again and writes the same.
        let parameters = network.parameters()?;
        if improved {
            checkpoint::save_parameters(&layout.best(), &parameters)?;
        }
        Checkpoint { position: position.clone(), parameters, optimizer: network.state()? }.save(&layout.last())?;
        history::write_csv(&layout.history(), &position.history)?;
        Ok(improved)
    }

    /// Trains the rest of an epoch and gives the seconds in which the network waited for films; `None` if it was stopped.
    fn train_epoch(
        &self,
        films: &Films<'_>,
        position: &mut Position,
        network: &mut dyn TrainExecutor,
        observer: &mut dyn Observer,
    ) -> Result<Option<f64>, ModelError> {
        let stage = self.context.stage;
        let mut waited = 0.0;
        let plan = films.epoch(stage, self.context.seed(), position.epoch);
        let n_batches = self.n_batches;
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
                let rate = self.rate(position, position.epoch * n_batches + position.batch);
                network.set_learning_rate(rate as f32)?;
                let step = network.step(&images, &targets, cells.as_ref(), stage.input_size)?;
                self.check_loss(step.loss + step.cell_loss, position, position.batch + 1)?;
                position.batch += 1;
                position.sums.loss += f64::from(step.loss) * targets.len() as f64;
                position.sums.right += n_right(&step.logits, &targets);
                position.sums.films += targets.len();

                let done = position.batch - first;
                let left = (stage.epochs - position.epoch) * n_batches - position.batch;
                let control = observer.on(&Event::Batch {
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
                    .context
                    .options
                    .checkpoint_every
                    .is_some_and(|every| every > 0 && position.batch.is_multiple_of(every));
                let stops = control == Control::Stop;
                if (due && position.batch < n_batches) || stops {
                    let optimizer = network.state()?;
                    let parameters = network.parameters()?;
                    Checkpoint { position: position.clone(), parameters, optimizer }
                        .save(&self.context.layout.last())?;
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
        observer: &mut dyn Observer,
    ) -> Result<bool, ModelError> {
        let stage = self.context.stage;
        let plan = films.epoch(stage, self.context.seed(), position.epoch).first(stage.statistics_batches);
        let total = plan.n_batches();
        let mut measure = Measure::new();
        films.with_batches(&plan, 0, |next| {
            let mut done = 0;
            while let Some(batch) = next() {
                let Batch { images, targets, .. } = batch?;
                measure.take(network, &images, targets.len(), stage.input_size)?;
                done += 1;
                let event = Event::Measuring { stage: &stage.name, done, total };
                if observer.on(&event) != Control::Continue {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Settles temperature, threshold and the Grad-CAM's reference on the validation films, and puts the bundle together.
    fn finish(
        &self,
        position: &Position,
        network: &mut dyn TrainExecutor,
        observer: &mut dyn Observer,
    ) -> Result<Option<Bundle>, ModelError> {
        let Context { recipe, stage, layout, options, key, .. } = *self.context;
        let data = self.data;
        let (epoch, parameters) = match (stage.keep, position.best) {
            (Keep::Best, Some((epoch, _))) => (epoch, checkpoint::load_parameters(&layout.best(), position.outputs)?),
            _ => (position.epoch, network.parameters()?),
        };
        // What is measured below is what a user of the bundle will find.
        let parameters = weights::stored(parameters, options.weights_format)?;
        let mut infer = infer_executor(options.backend, &parameters, stage.precision.engine(), options.threads())?;
        let run = &mut |images: &[f32], n: usize| infer.run(images, n, stage.input_size);
        let films = data.validation_films();
        let Some(validation) = Validation::measure(stage, &films, data.classes.len(), run, observer)? else {
            return Ok(None);
        };
        if data.classes.len() == 2 {
            validation.write(&layout.validation(), data.split.validation())?;
        }
        let finished = Finished {
            recipe,
            stage,
            classes: &data.classes,
            split: &data.split,
            beside: data.beside(),
            fingerprint: &data.fingerprint,
            simulated: data.simulated || position.start_simulated,
            epoch,
            validation: &validation,
        };
        let card = card::card(&finished)?;
        for text in &card.notes {
            observer.on(&Event::Note { stage: &stage.name, text });
        }
        let seen = Seen::new(data.seen_files(), data.seen_patients(), key);
        Ok(Some(Bundle::new(card, parameters)?.with_seen(seen)))
    }

    /// The training's position and network: from the last checkpoint if there is one, else from the recipe's start.
    fn begin(&self, previous: Option<&Bundle>) -> Result<(Position, Box<dyn TrainExecutor>), ModelError> {
        let (context, data) = (self.context, self.data);
        let outputs = logits_of(data.classes.len());
        let options = trainer_options(context, outputs);
        let (path, backend) = (context.layout.last(), context.options.backend);
        if path.exists() {
            let checkpoint = Checkpoint::load(&path)?;
            if checkpoint.position.fingerprint != data.order {
                let reason = "the films, their order, patients, labels or boxes have changed since";
                return Err(ModelError::Resume { path, reason: reason.into() });
            }
            let mut network = train_executor(backend, checkpoint.parameters, options)?;
            network.load_state(checkpoint.optimizer)?;
            return Ok((checkpoint.position, network));
        }
        let start = start_weights(context, &data.classes, outputs, previous)?;
        let network = train_executor(backend, start.parameters, options)?;
        Ok((Position::start(data.order.clone(), outputs, start.simulated), network))
    }

    fn rate(&self, position: &Position, step: usize) -> f64 {
        let stage = self.context.stage;
        learning_rate(stage, &position.schedule, step, stage.epochs * self.n_batches)
    }

    fn check_loss(&self, loss: f32, position: &Position, batch: usize) -> Result<(), ModelError> {
        if loss.is_finite() {
            return Ok(());
        }
        let rate = self.rate(position, position.epoch * self.n_batches + batch - 1);
        Err(ModelError::NonFiniteLoss {
            stage: self.context.stage.name.clone(),
            epoch: position.epoch + 1,
            batch,
            loss,
            learning_rate: rate as f32,
        })
    }
}

fn trainer_options(context: &Context<'_>, outputs: usize) -> TrainerOptions {
    let (stage, optimizer) = (context.stage, &context.stage.optimizer);
    TrainerOptions {
        precision: stage.precision.engine(),
        threads: context.options.threads(),
        isa: Isa::preferred(),
        loss: if outputs == 1 { Loss::Binary } else { Loss::Softmax },
        learning_rate: optimizer.learning_rate as f32,
        beta1: optimizer.beta1 as f32,
        beta2: optimizer.beta2 as f32,
        eps: optimizer.epsilon as f32,
        weight_decay: optimizer.weight_decay as f32,
        frozen: stage.frozen.clone(),
        normalization: stage.normalization,
        window: stage.window,
    }
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
