//! `coxa train`: a recipe and data sets become a bundle, in a new folder for each run.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use coxa_model::recipe::{self, Overrides, Start, TrainingPrecision};
use coxa_model::train::{self, TrainOptions};
use coxa_model::{Backend, Event, Recipe, WeightsFormat};
use coxa_workflow::ablation::{Ablation, AblationRequest, ablate};
use coxa_workflow::folds::{CrossValidation, cross_validate};
use coxa_workflow::{WorkEvent, WorkObserver};

use super::evaluate::words;
use crate::output::{Outcome, json_line};
use crate::screen::Screen;

/// Train a network by a recipe: the paper's transfer from limb films to pelvic films, or your own in TOML.
///
/// Each run is a new folder with everything that made it: recipe, split, history, events for TensorBoard, checkpoints, bundles. An
/// interrupted run is continued by `--resume` and ends with the same weights as one that was never interrupted.
#[derive(Args)]
#[command(after_help = "Example: coxa train --recipe paper --data limbs=limbs --data films=films --out runs")]
pub struct Train {
    /// Train by `paper`, `small`, `simulated`, or a recipe's file.
    #[arg(long, default_value = "paper")]
    recipe: String,
    /// Train a stage on this dataset folder: `limbs=DIR`, `films=DIR`, or `films.NAME=DIR` for the data set of that name that the recipe
    /// has beside the stage's own; may be repeated.
    #[arg(long = "data", value_name = "STAGE=DIR", value_parser = stage_folder)]
    data: Vec<(String, PathBuf)>,
    /// Keep only this stage of the recipe; may be repeated.
    #[arg(long = "stage")]
    stages: Vec<String>,
    /// Start the first stage from `scratch`, a bundle's folder, or a .safetensors or .pth file (ImageNet's, for instance).
    #[arg(long)]
    start: Option<String>,
    /// Make the run's folder in this one.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Continue this run from its last checkpoint, with the recipe and the format of bundles that it was begun with.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "data", "stages", "start", "seed", "image_size", "epochs",
        "steps_per_epoch", "batch", "learning_rate", "precision", "store_bf16", "print_recipe"])]
    resume: Option<PathBuf>,
    /// Use this seed in place of the recipe's.
    #[arg(long)]
    seed: Option<u64>,
    /// Use this input size in every stage.
    #[arg(long)]
    image_size: Option<usize>,
    /// Train so many epochs in every stage.
    #[arg(long)]
    epochs: Option<usize>,
    /// Train so many batches in an epoch, in every stage.
    #[arg(long)]
    steps_per_epoch: Option<usize>,
    /// Train so many films at once, in every stage.
    #[arg(long)]
    batch: Option<usize>,
    /// Use this learning rate in every stage.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Compute in this precision in every stage: f32 or bf16.
    #[arg(long, value_parser = precision)]
    precision: Option<TrainingPrecision>,
    /// Write a checkpoint every so many batches within an epoch [default: only at its end].
    #[arg(long)]
    checkpoint_every: Option<usize>,
    /// Store the bundles' weights in bf16: half the size.
    #[arg(long)]
    store_bf16: bool,
    /// Use so many threads, 1 to 1024 [default: all].
    #[arg(long, value_parser = crate::values::threads_in_range)]
    threads: Option<usize>,
    /// Run the network on `cpu`, or on what else this build has.
    #[arg(long, default_value = "cpu")]
    backend: Backend,
    /// Measure what the first stage is worth: train the recipe without it, from scratch; whole; and, with `--imagenet`, without it from
    /// those weights, each as a run of its own. The arms are compared by DeLong's paired test on the films of `--test`, or else on the
    /// last stage's validation films, the same for all.
    #[arg(long, conflicts_with_all = ["resume", "start", "stages"])]
    ablation: bool,
    /// Compare the arms of `--ablation` on this dataset, which no stage has seen.
    #[arg(long, value_name = "DIR", requires = "ablation")]
    test: Option<PathBuf>,
    /// Cross-validate: deal the patients into so many folds, train the recipe's one stage once for each with that fold held out, and test
    /// each film by the network that has not seen its patient.
    #[arg(long, value_name = "K", conflicts_with_all = ["resume", "ablation"], value_parser = RangedU64ValueParser::<usize>::new().range(2..))]
    folds: Option<usize>,
    /// Start an arm of `--ablation` from ImageNet's weights of a DenseNet-121 (.safetensors or .pth).
    #[arg(long, value_name = "FILE", requires = "ablation")]
    imagenet: Option<PathBuf>,
    /// Print one JSON object for each arm and comparison of `--ablation`, or for the films of all `--folds` together.
    #[arg(long)]
    json: bool,
    /// Print the recipe with every key written out, and train nothing.
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
    /// Trains a new run, or continues an interrupted one.
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
        let mut screen = Screen::default();
        if self.ablation {
            let request = AblationRequest {
                recipe: &self.recipe()?,
                options: &options,
                test: self.test.as_deref(),
                imagenet: self.imagenet.as_deref(),
            };
            let ablation = ablate(&request, &mut screen)?;
            self.print_ablation(&ablation)?;
            return Ok(Outcome::of_failures(ablation.failed));
        }
        if let Some(of) = self.folds {
            let validation = cross_validate(&self.recipe()?, &options, of, &mut screen)?;
            self.print_folds(&validation)?;
            return Ok(Outcome::Done);
        }
        let mut events = |event: &Event<'_>| screen.on(&WorkEvent::Training(event));
        let outcome = match &self.resume {
            Some(run) => train::resume(run, &options, &mut events),
            None => train::train(&self.recipe()?, &options, &mut events),
        }?;
        match outcome.bundle {
            Some(bundle) => println!("{}", bundle.display()),
            None => bail!("the run was stopped; continue it with `coxa train --resume {}`", outcome.run.display()),
        }
        Ok(Outcome::Done)
    }

    fn print_folds(&self, validation: &CrossValidation) -> anyhow::Result<()> {
        let CrossValidation { folds, predictions, pooled } = validation;
        if self.json {
            let each: Vec<_> = folds
                .iter()
                .map(|fold| serde_json::json!({ "fold": fold.fold, "n": fold.measures.n, "auc": fold.measures.auc }))
                .collect();
            return json_line(&serde_json::json!({
                "folds": folds.len(), "predictions": predictions, "measures": pooled, "each": each,
            }));
        }
        for fold in folds {
            println!("fold {:<7} films {:<5} AUC {}", fold.fold, fold.measures.n, words(&fold.measures.auc));
        }
        println!("all folds    films {:<5} AUC {}", pooled.n, words(&pooled.auc));
        println!("{}", predictions.display());
        Ok(())
    }

    fn print_ablation(&self, ablation: &Ablation) -> anyhow::Result<()> {
        for arm in &ablation.arms {
            let (name, measures) = (arm.name, &arm.measures);
            if self.json {
                json_line(&serde_json::json!({ "arm": name, "folder": arm.folder, "measures": measures }))?;
            } else {
                println!("{name:<12} AUC {}   accuracy {}", words(&measures.auc), words(&measures.accuracy));
            }
        }
        for pair in &ablation.compared {
            let (a, b, test) = (pair.a, pair.b, &pair.comparison);
            if self.json {
                json_line(&serde_json::json!({ "a": a, "b": b, "comparison": test }))?;
            } else {
                let p = test.p.0.as_ref().map_or_else(|u| format!("undefined: {}", u.reason), |p| format!("{p:.4}"));
                println!("{a} − {b}: AUC {}, p {p} (DeLong, paired)", words(&test.difference));
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

fn start(text: &str) -> Start {
    let path = PathBuf::from(text);
    match text {
        "scratch" => Start::Scratch,
        _ if path.is_dir() => Start::Bundle(path),
        _ => Start::Weights(path),
    }
}
