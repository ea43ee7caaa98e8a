//! `coxa train`: a recipe and data sets become a bundle, in a new folder for each run.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use coxa_cohort::{Dataset, Target};
use coxa_model::recipe::{self, Fold, Overrides, Stage, Start, TrainingPrecision};
use coxa_model::train::{self, TrainOptions};
use coxa_model::weights::{self, Head};
use coxa_model::{Backend, Bundle, Control, Detector, DetectorOptions, Event, Recipe, WeightsFormat};
use coxa_study::compare::compare;
use coxa_study::evaluate::{EvaluationOptions, evaluate};
use coxa_study::predictions::Predictions;

use super::assess::read_labeled;
use super::evaluate::words;
use crate::output::{Outcome, json_line};
use crate::progress::Progress;

/// Trains a network by a recipe: the paper's transfer from limb films to pelvic films, or your own in TOML.
///
/// Each run has a folder of its own that says all that made it: recipe, split, history, events for TensorBoard, checkpoints, bundles.
/// A run that was killed is taken up by `--resume` and ends with the same weights as one that was left alone.
#[derive(Args)]
pub struct Train {
    /// `paper`, `small`, `simulated`, or a recipe's file.
    #[arg(long, default_value = "paper")]
    recipe: String,
    /// A stage's dataset folder: `limbs=DIR`, `films=DIR`; may be given again.
    #[arg(long = "data", value_name = "STAGE=DIR", value_parser = stage_folder)]
    data: Vec<(String, PathBuf)>,
    /// Keep only this stage of the recipe; may be given again.
    #[arg(long = "stage")]
    stages: Vec<String>,
    /// Weights to start the first stage from: `scratch`, a bundle's folder, or a .safetensors or .pth file (ImageNet's, say).
    #[arg(long)]
    start: Option<String>,
    /// The folder that holds a folder for each run.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Takes up this run where its last checkpoint is, with the recipe and the format of bundles that it was begun with.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "data", "stages", "start", "seed", "image_size", "epochs",
        "steps_per_epoch", "batch", "learning_rate", "precision", "store_bf16", "print_recipe"])]
    resume: Option<PathBuf>,
    /// Another seed than the recipe's.
    #[arg(long)]
    seed: Option<u64>,
    /// Another input size, in every stage.
    #[arg(long)]
    image_size: Option<usize>,
    /// Another number of epochs, in every stage.
    #[arg(long)]
    epochs: Option<usize>,
    /// Another number of batches in an epoch, in every stage.
    #[arg(long)]
    steps_per_epoch: Option<usize>,
    /// Another batch, in every stage.
    #[arg(long)]
    batch: Option<usize>,
    /// Another learning rate, in every stage.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Another precision, in every stage: f32 or bf16.
    #[arg(long, value_parser = precision)]
    precision: Option<TrainingPrecision>,
    /// Batches between checkpoints within an epoch [default: only at its end].
    #[arg(long)]
    checkpoint_every: Option<usize>,
    /// Stores the bundles' weights in bf16: half the size.
    #[arg(long)]
    store_bf16: bool,
    /// Threads, 1 to 1024 [default: all].
    #[arg(long, value_parser = crate::values::threads_in_range)]
    threads: Option<usize>,
    /// What the network runs on: `cpu`, and what else this build has.
    #[arg(long, default_value = "cpu")]
    backend: Backend,
    /// What is the first stage worth? Trains the recipe without it, from scratch; whole; and, with `--imagenet`, without it from those
    /// weights: each as a run of its own. Compares them by DeLong's paired test on the films of `--test`, or else on the last stage's
    /// validation films, the same for all: the ablation that the paper did not finish.
    #[arg(long, conflicts_with_all = ["resume", "start", "stages"])]
    ablation: bool,
    /// A dataset that no stage has seen, on which `--ablation` compares.
    #[arg(long, value_name = "DIR", requires = "ablation")]
    test: Option<PathBuf>,
    /// Cross-validation: deals the patients into so many folds, trains the recipe's one stage once for each with that fold held out, and
    /// tests each film by the network that has not seen its patient.
    #[arg(long, value_name = "K", conflicts_with_all = ["resume", "ablation"], value_parser = RangedU64ValueParser::<usize>::new().range(2..))]
    folds: Option<usize>,
    /// ImageNet's weights of a DenseNet-121 (.safetensors or .pth), for `--ablation`.
    #[arg(long, value_name = "FILE", requires = "ablation")]
    imagenet: Option<PathBuf>,
    /// One JSON object for each arm and comparison of `--ablation`, or for the films of all `--folds` together.
    #[arg(long)]
    json: bool,
    /// Prints the recipe with every key written out, and trains nothing.
    #[arg(long)]
    print_recipe: bool,
}

fn stage_folder(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((stage, folder)) if !stage.is_empty() && !folder.is_empty() => {
            Ok((stage.to_owned(), PathBuf::from(folder)))
        }
        _ => Err("give a stage and a folder: films=DIR".to_owned()),
    }
}

fn precision(text: &str) -> Result<TrainingPrecision, String> {
    match text {
        "f32" => Ok(TrainingPrecision::F32),
        "bf16" => Ok(TrainingPrecision::Bf16),
        _ => Err("f32 or bf16".to_owned()),
    }
}

impl Train {
    /// Trains, or takes a run up again.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let mut options = TrainOptions::new(&self.out);
        options.threads = self.threads;
        options.backend = self.backend;
        options.checkpoint_every = self.checkpoint_every;
        if self.store_bf16 {
            options.weights_format = WeightsFormat::Bf16;
        }
        if self.print_recipe {
            let head = if Path::new(&self.recipe).is_file() { "" } else { recipe::head(&self.recipe) };
            print!("{head}{}", self.recipe()?.to_toml()?);
            return Ok(Outcome::Done);
        }
        if self.ablation {
            return self.ablate(&options);
        }
        if let Some(folds) = self.folds {
            return self.cross_validate(&options, folds);
        }
        let mut bars = Bars::default();
        let outcome = if let Some(run) = &self.resume {
            train::resume(run, &options, &mut |event: &Event<'_>| bars.on(event))
        } else {
            train::train(&self.recipe()?, &options, &mut |event: &Event<'_>| bars.on(event))
        };
        let outcome = outcome?;
        match outcome.bundle {
            Some(bundle) => println!("{}", bundle.display()),
            None => bail!("the run was stopped; go on with `coxa train --resume {}`", outcome.run.display()),
        }
        Ok(Outcome::Done)
    }

    /// Trains every arm and compares them.
    fn ablate(&self, options: &TrainOptions) -> anyhow::Result<Outcome> {
        let recipe = self.recipe()?;
        let rest: Vec<String> = match &recipe.stages[..] {
            [_, rest @ ..] if !rest.is_empty() => rest.iter().map(|stage| stage.name.clone()).collect(),
            _ => bail!("recipe {} has one stage; an ablation needs one to leave out", recipe.name),
        };
        // What is wrong is said before hours of training, not after.
        let test = self.test.as_deref().map(|folder| test_films(folder, &recipe)).transpose()?;
        if test.is_none() {
            needs_two_classes(recipe.stages.last(), "--ablation without --test")?;
        }
        if let Some(weights) = &self.imagenet {
            weights::import(weights, Head::Fresh { outputs: 1, seed: 0 })?;
        }
        let without = |name: &str, start: Start| {
            let rest = Overrides { stages: rest.clone(), start: Some(start), ..Overrides::default() };
            let mut recipe = recipe.clone().with(&rest)?;
            recipe.name = format!("{}-{name}", recipe.name);
            anyhow::Ok(recipe)
        };
        let mut arms = vec![("scratch".to_owned(), without("scratch", Start::Scratch)?)];
        if let Some(weights) = &self.imagenet {
            arms.push(("imagenet".to_owned(), without("imagenet", Start::Weights(weights.clone()))?));
        }
        arms.push(("transfer".to_owned(), recipe.clone()));
        let mut read = Vec::new();
        let mut failed = 0;
        for (name, recipe) in arms {
            eprintln!("arm {name}");
            let mut bars = Bars::default();
            let outcome = train::train(&recipe, options, &mut |event: &Event<'_>| bars.on(event))?;
            let (Some(stage), Some(bundle)) = (outcome.stages.last(), outcome.bundle) else {
                bail!("arm {name} was stopped")
            };
            let table = match &test {
                Some(test) => {
                    let table = outcome.run.join("test.csv");
                    // The same films fail in every arm.
                    failed = self.read_test(test, &bundle, &table)?;
                    table
                }
                None => stage.layout.validation(),
            };
            read.push((name, Predictions::load(&table)?, stage.layout.folder().to_path_buf()));
        }
        self.say_ablation(&read)?;
        Ok(Outcome::of_failures(failed))
    }

    /// Reads the test films by an arm's bundle into a table, and gives the number of those that cannot be read, which it lacks.
    fn read_test(&self, test: &Dataset, bundle: &Path, table: &Path) -> anyhow::Result<usize> {
        let options = DetectorOptions { backend: self.backend, threads: self.threads, ..DetectorOptions::default() };
        let mut reader = Detector::new(&Bundle::load(bundle)?, &options)?;
        read_labeled(test, &mut reader, table, |_, _, _, _| Ok(()))
    }

    /// Trains once for each fold, and evaluates the films of all folds together.
    fn cross_validate(&self, options: &TrainOptions, of: usize) -> anyhow::Result<Outcome> {
        let recipe = self.recipe()?;
        let [stage] = &recipe.stages[..] else {
            bail!(
                "recipe {} has {} stages; for --folds leave one (--stage NAME, and --start where it begins)",
                recipe.name,
                recipe.stages.len()
            );
        };
        needs_two_classes(Some(stage), "--folds")?;
        let mut pooled = Vec::new();
        let mut last = None;
        for index in 1..=of {
            let recipe = Recipe {
                name: format!("{}-fold{index}", recipe.name),
                seed: recipe.seed,
                stages: vec![stage.clone().for_fold(Fold { of, index })],
            };
            let mut bars = Bars::default();
            let outcome = train::train(&recipe, options, &mut |event: &Event<'_>| bars.on(event))?;
            let Some(stage) = outcome.stages.last() else { bail!("fold {index} was stopped") };
            let predictions = Predictions::load(&stage.layout.validation())?;
            if !self.json {
                let measures = evaluate(&predictions, &EvaluationOptions::default())?.measures;
                println!("fold {index:<7} films {:<5} AUC {}", measures.n, words(&measures.auc));
            }
            pooled.extend(predictions.rows());
            last = Some((outcome.run.join("folds.csv"), predictions.columns().to_vec()));
        }
        let (path, columns) = last.expect("two folds or more");
        let pooled = Predictions::of_rows(&path, columns, pooled)?;
        pooled.save(&path)?;
        let measures = evaluate(&pooled, &EvaluationOptions::default())?.measures;
        if self.json {
            json_line(&serde_json::json!({ "folds": of, "predictions": path, "measures": measures }))?;
        } else {
            println!("all folds    films {:<5} AUC {}", measures.n, words(&measures.auc));
            println!("{}", path.display());
        }
        Ok(Outcome::Done)
    }

    fn say_ablation(&self, arms: &[(String, Predictions, PathBuf)]) -> anyhow::Result<()> {
        let options = EvaluationOptions::default();
        for (name, predictions, folder) in arms {
            let measures = evaluate(predictions, &options)?.measures;
            if self.json {
                json_line(&serde_json::json!({ "arm": name, "folder": folder, "measures": measures }))?;
            } else {
                println!("{name:<12} AUC {}   accuracy {}", words(&measures.auc), words(&measures.accuracy));
            }
        }
        for (i, (a, of_a, _)) in arms.iter().enumerate() {
            for (b, of_b, _) in &arms[i + 1..] {
                let test = compare(of_b, of_a, [options.threshold; 2], &options)?;
                if self.json {
                    json_line(&serde_json::json!({ "a": b, "b": a, "comparison": test }))?;
                } else {
                    let p =
                        test.p.0.as_ref().map_or_else(|u| format!("undefined: {}", u.reason), |p| format!("{p:.4}"));
                    println!("{b} − {a}: AUC {}, p {p} (DeLong, paired)", words(&test.difference));
                }
            }
        }
        Ok(())
    }

    fn recipe(&self) -> anyhow::Result<Recipe> {
        let path = Path::new(&self.recipe);
        let recipe = if path.is_file() { Recipe::load(path) } else { Recipe::built_in(&self.recipe) }?;
        let overrides = Overrides {
            datasets: self.data.clone(),
            stages: self.stages.clone(),
            start: self.start.as_deref().map(start),
            seed: self.seed,
            input_size: self.image_size,
            epochs: self.epochs,
            steps_per_epoch: self.steps_per_epoch,
            batch: self.batch,
            learning_rate: self.learning_rate,
            precision: self.precision,
        };
        Ok(recipe.with(&overrides)?)
    }
}

/// The films that an ablation compares on.
fn test_films(folder: &Path, recipe: &Recipe) -> anyhow::Result<Dataset> {
    if let Some(last) = recipe.stages.last()
        && last.target != Target::Fracture
    {
        bail!(
            "--test {}: its films are labeled with fractures, but stage {} has another target",
            folder.display(),
            last.name
        );
    }
    let dataset = Dataset::load(folder)?;
    if dataset.labeled().next().is_none() {
        bail!("--test {}: no film has a label", folder.display());
    }
    for stage in &recipe.stages {
        if let Some(trained) = &stage.dataset {
            Dataset::load(trained)?
                .check_disjoint(&dataset)
                .with_context(|| format!("--test {} and stage {}", folder.display(), stage.name))?;
        }
    }
    Ok(dataset)
}

/// Refuses a stage of several classes for what is told of one probability a film.
fn needs_two_classes(stage: Option<&Stage>, what: &str) -> anyhow::Result<()> {
    let Some((stage, folder)) = stage.and_then(|stage| Some((stage, stage.dataset.as_ref()?))) else { return Ok(()) };
    let classes = stage.classes(Dataset::load(folder)?)?;
    if classes.len() != 2 {
        bail!("{what} needs two classes, and stage {} has {}: {}", stage.name, classes.len(), classes.join(", "));
    }
    Ok(())
}

fn start(text: &str) -> Start {
    let path = PathBuf::from(text);
    match text {
        "scratch" => Start::Scratch,
        _ if path.is_dir() => Start::Bundle(path),
        _ => Start::Weights(path),
    }
}

/// A training's events as bars and lines on standard error.
#[derive(Default)]
pub struct Bars {
    bar: Option<(String, Progress)>,
}

impl Bars {
    /// Shows an event; never asks the training to stop.
    pub fn on(&mut self, event: &Event<'_>) -> Control {
        match event {
            Event::Run { folder } => eprintln!("run {}", folder.display()),
            Event::Preparing { stage, done, total } => {
                self.bar(format!("{stage}: preparing"), *total).set(*done, "");
            }
            Event::StageStarted {
                stage,
                index,
                n_stages,
                classes,
                n_train,
                n_validation,
                epochs,
                batches,
                epochs_done,
            } => {
                self.bar = None;
                eprintln!(
                    "stage {} of {n_stages}, {stage}: {n_train} films to train on, {n_validation} to validate on, {}; {epochs} epochs of {batches} batches",
                    index + 1,
                    classes.join(" / "),
                );
                if *epochs_done > 0 {
                    eprintln!("taken up after epoch {epochs_done}");
                }
            }
            Event::ValidationSeen { stage, seen, of } => {
                self.bar = None;
                eprintln!(
                    "note: {stage} starts from a bundle that was trained or validated on {seen} of the {of} films to validate on: its \
                     figures and threshold are no test"
                );
            }
            Event::Note { stage, text } => {
                self.bar = None;
                eprintln!("note: {stage}: {text}");
            }
            Event::Batch { stage, epoch, epochs, batch, batches, loss, accuracy, seconds_left, .. } => {
                let message = format!(
                    "loss {loss:.4} accuracy {:.1}%, stage done in {}",
                    accuracy * 100.0,
                    duration(*seconds_left)
                );
                self.bar(format!("{stage} {epoch}/{epochs}"), *batches).set(*batch, &message);
            }
            Event::Measuring { stage, done, total } => {
                self.bar(format!("{stage}: statistics"), *total).set(*done, "");
            }
            Event::Validating { stage, done, total } => {
                self.bar(format!("{stage}: validating"), *total).set(*done, "");
            }
            Event::Epoch { stage, record, improved, waited } => {
                self.bar = None;
                let auc = record.val_auc.map_or(String::new(), |auc| format!(", AUC {auc:.4}"));
                eprintln!(
                    "{stage} epoch {}: loss {:.4}, accuracy {:.1}%; validation loss {:.4}, accuracy {:.1}%{auc}{} ({:.0} s, of which {waited:.1} s waiting for films)",
                    record.epoch,
                    record.train_loss,
                    record.train_accuracy * 100.0,
                    record.val_loss,
                    record.val_accuracy * 100.0,
                    if *improved { ", best so far" } else { "" },
                    record.seconds,
                );
            }
            Event::StageFinished { stage, bundle, .. } => {
                self.bar = None;
                eprintln!("{stage}: {}", bundle.display());
            }
            _ => {}
        }
        Control::Continue
    }

    fn bar(&mut self, label: String, total: usize) -> &Progress {
        if let Some((_, old)) = self.bar.take_if(|(name, _)| *name != label) {
            old.finish();
        }
        let (_, bar) = self.bar.get_or_insert_with(|| (label.clone(), Progress::new(label, total)));
        bar
    }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}
