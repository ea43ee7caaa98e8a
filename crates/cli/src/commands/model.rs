//! `coxa model`: bundles from weights, weights from bundles, and a bundle's card.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use coxa_model::Bundle;
use coxa_model::bundle::{Card, rule_words};
use coxa_model::recipe::ThresholdRule;
use coxa_model::tune::average;
use coxa_model::weights::{self, Head, WeightsFormat};
use coxa_workflow::gate::{GateRequest, fit_gate};
use coxa_workflow::models::{Adaptation, Settlement, adapt_bundle, calibrate, settle_bundle};

use crate::output::{Outcome, json_line};
use crate::screen::Screen;

/// Make bundles from weights, export their weights, and show a bundle's card.
#[derive(Args)]
pub struct Model {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a bundle from a DenseNet-121's weights (.safetensors or .pth; three-channel stems are summed to one).
    #[command(after_help = "Example: coxa model import --weights densenet121.pth --out bundle")]
    Import {
        /// The file of weights.
        #[arg(long)]
        weights: PathBuf,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
        /// Set the network's input size in pixels.
        #[arg(long, default_value_t = 512)]
        image_size: usize,
        /// Keep this class, where the classifier has more than one.
        #[arg(long)]
        class: Option<usize>,
        /// Name the bundle so [default: the file's name].
        #[arg(long)]
        name: Option<String>,
    },
    /// Export the weights of a bundle as one file that PyTorch, timm and torchvision read.
    #[command(after_help = "Example: coxa model export runs/paper-1/bundle --out weights.safetensors")]
    Export {
        /// The bundle.
        bundle: PathBuf,
        /// The new .safetensors file.
        #[arg(long)]
        out: PathBuf,
    },
    /// Measure the ranges of 8-bit arithmetic on a dataset's films and save a copy of the bundle with them: `--precision int8` then need
    /// not measure them each time.
    #[command(after_help = "Example: coxa model calibrate bundle --data validation --out bundle-int8")]
    Calibrate {
        /// The bundle.
        bundle: PathBuf,
        /// The dataset to measure on: validation films, for instance, as test films must stay unseen.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Measure on so many films, the dataset's first.
        #[arg(long, default_value_t = 32)]
        films: usize,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Save a copy of a bundle with the normalization statistics of a dataset's films, in place of those of its training films. No label
    /// is used; weights and threshold stay.
    #[command(after_help = "Example: coxa model adapt bundle --data ours --out bundle-ours")]
    Adapt {
        /// The bundle.
        bundle: PathBuf,
        /// The dataset to measure on: films of the hospital at which the network will be used.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Measure on so many films, the dataset's first [default: all].
        #[arg(long)]
        films: Option<usize>,
        /// Normalize so many films together.
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..))]
        batch: u16,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Choose a bundle's threshold again on a labeled dataset and save a copy of it: by the greatest Youden index, unless `--sensitivity`
    /// or `--specificity` asks for the greatest of the other at that much of the one. The heat map's scale and the scores that later films are
    /// compared with are taken from the same films, which are no test of it then. Weights stay, but the classifier's with `--calibrate`.
    #[command(
        after_help = "Example: coxa model settle bundle --data validation --sensitivity 0.95 --out bundle-settled"
    )]
    Settle {
        /// The bundle.
        bundle: PathBuf,
        /// The dataset to choose on: validation films, as test films must stay unseen.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Take the greatest specificity at this sensitivity or more, above 0 and at most 1.
        #[arg(long, conflicts_with = "specificity")]
        sensitivity: Option<f64>,
        /// Take the greatest sensitivity at this specificity or more, above 0 and at most 1.
        #[arg(long)]
        specificity: Option<f64>,
        /// Scale and shift the classifier so that probabilities are right on these films (Platt 1999).
        #[arg(long)]
        calibrate: bool,
        /// Read films by their most telling window of so many cells of 32 pixels a side, 0 for the whole film [default: as the bundle
        /// says].
        #[arg(long, value_name = "CELLS")]
        window: Option<usize>,
        /// Read films together with their mirror images, which takes twice as long and errs less; `--mirror=false` without [default: as the
        /// bundle says].
        #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        mirror: Option<bool>,
        /// Read films at this input size in pixels: a network that was trained on patches can read whole films by windows of the patches'
        /// size [default: as the bundle says].
        #[arg(long)]
        image_size: Option<usize>,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Fit the gate by pixels and save a copy of the bundle with it: films that do not look like upright frontal films of the pelvis or a
    /// hip are then refused with a reason. What films show is taken from the datasets' columns body_part, sideways, view and views.
    #[command(
        after_help = "Example: coxa model gate bundle --data fracatlas-hips --data fracatlas --data simulated --data simulated-limbs --out bundle-gate"
    )]
    Gate {
        /// The bundle.
        bundle: PathBuf,
        /// A dataset with films of the pelvis, the hip or other parts (repeatable). A film that an earlier one has too counts once.
        #[arg(long, value_name = "DIR", required = true)]
        data: Vec<PathBuf>,
        /// Take at most so many films of each part of each dataset.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(8..))]
        films: u16,
        /// Keep this share of the patients for the test alone.
        #[arg(long, default_value_t = 0.5)]
        test: f64,
        /// Choose the patients of each part, and draw, by this number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Average the weights of bundles that come from one training or a common start: often better than each. The mean's normalization
    /// statistics must be measured again (`coxa model adapt`), and its threshold chosen again.
    #[command(after_help = "Example: coxa model average runs/*/bundle --out mean")]
    Average {
        /// The bundles; the last one's card is kept.
        #[arg(required = true, num_args = 2..)]
        bundles: Vec<PathBuf>,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Show a bundle's card.
    #[command(after_help = "Example: coxa model info bundle --json")]
    Info {
        /// The bundle.
        bundle: PathBuf,
        /// Print the whole card as one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl Model {
    /// Runs the action.
    pub fn run(self) -> anyhow::Result<Outcome> {
        match self.action {
            Action::Import { weights, out, image_size, class, name } => import(&weights, &out, image_size, class, name),
            Action::Export { bundle, out } => {
                weights::export(Bundle::load(&bundle)?.parameters(), &out)?;
                println!("{}", out.display());
                Ok(Outcome::Done)
            }
            Action::Calibrate { bundle, data, films, out } => {
                let measured = calibrate(&bundle, &data, films, &out)?;
                println!("{} {}", out.display(), measured.short_hash());
                Ok(Outcome::Done)
            }
            Action::Adapt { bundle, data, films, batch, out } => {
                let request = Adaptation { bundle: &bundle, data: &data, films, batch: batch.into(), out: &out };
                let adapted = adapt_bundle(&request, &mut Screen::default())?;
                eprintln!("note: the threshold is still the one for the films that the network was trained on");
                println!("{} {}", out.display(), adapted.short_hash());
                Ok(Outcome::Done)
            }
            Action::Settle { bundle, data, sensitivity, specificity, calibrate, window, mirror, image_size, out } => {
                let rule = match (sensitivity, specificity) {
                    (Some(at_least), _) => ThresholdRule::Sensitivity { at_least },
                    (None, Some(at_least)) => ThresholdRule::Specificity { at_least },
                    (None, None) => ThresholdRule::Youden {},
                };
                let request = Settlement {
                    bundle: &bundle,
                    data: &data,
                    rule,
                    window,
                    mirror,
                    size: image_size,
                    calibrate,
                    out: &out,
                };
                let settled = settle_bundle(&request, &mut Screen::default())?;
                let threshold = &settled.card().threshold;
                eprintln!(
                    "threshold {:.4}: {} on {}",
                    threshold.threshold,
                    rule_words(threshold.rule),
                    threshold.chosen_on
                );
                println!("{} {}", out.display(), settled.short_hash());
                Ok(Outcome::Done)
            }
            Action::Gate { bundle, data, films, test, seed, out } => {
                let request = GateRequest {
                    bundle: &bundle,
                    data: &data,
                    films: films.into(),
                    test_share: test,
                    seed,
                    out: &out,
                };
                let fitted = fit_gate(&request, &mut Screen::default())?;
                for figure in fitted.gate().into_iter().flat_map(|gate| &gate.figures) {
                    eprintln!("{}", figure.line());
                }
                println!("{} {}", out.display(), fitted.short_hash());
                Ok(Outcome::Done)
            }
            Action::Average { bundles, out } => {
                let bundles: Vec<Bundle> =
                    bundles.iter().map(|folder| Bundle::load(folder)).collect::<Result<_, _>>()?;
                let format = bundles[0].card().weights.format;
                let mean = average(&bundles)?.save(&out, format)?;
                println!("{} {}", out.display(), mean.short_hash());
                Ok(Outcome::Done)
            }
            Action::Info { bundle, json } => {
                let bundle = Bundle::load(&bundle)?;
                if json {
                    json_line(bundle.card())?
                } else {
                    describe(&bundle)
                }
                Ok(Outcome::Done)
            }
        }
    }
}

fn import(path: &Path, out: &Path, size: usize, class: Option<usize>, name: Option<String>) -> anyhow::Result<Outcome> {
    let imported = weights::import(path, Head::Logit { class })?;
    for note in &imported.notes {
        eprintln!("note: {note}");
    }
    eprintln!(
        "note: films reach the network as values of 0 to 1; weights that were trained on others (torchxrayvision's −1024 to 1024, \
         ImageNet's mean and deviation) are a start for training, not for reading"
    );
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.unwrap_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    let classes = vec!["no fracture".to_owned(), "fracture".to_owned()];
    let card = Card::imported(&name, classes, size, &format!("imported from {file}"));
    let bundle = Bundle::new(card, imported.parameters)?.save(out, WeightsFormat::F32)?;
    println!("{} {}", out.display(), bundle.short_hash());
    Ok(Outcome::Done)
}

fn describe(bundle: &Bundle) {
    let card = bundle.card();
    println!("{} ({})", card.name, bundle.short_hash());
    println!("  {}", card.intended_use);
    println!(
        "  network     {}, input {}×{}, {:?}",
        card.architecture, card.input.size, card.input.size, card.input.fit
    );
    println!("  classes     {}", card.classes.join(", "));
    println!(
        "  threshold   {} ({}, chosen on {})",
        card.threshold.threshold,
        rule_words(card.threshold.rule),
        card.threshold.chosen_on
    );
    let by = card.window.map(|window| format!("by the most telling window of {window}×{window} cells of 32 pixels"));
    let with = card.mirror.then(|| "with the mirror image".to_owned());
    let reading: Vec<String> = by.into_iter().chain(with).collect();
    if !reading.is_empty() {
        println!("  reading     {}", reading.join(", "));
    }
    println!("  origin      {}", card.origin);
    if let Some(int8) = bundle.int8() {
        println!("  8 bits      ranges measured on {}", int8.measured_on);
    }
    if let Some(gate) = bundle.gate() {
        println!("  gate        by pixels, fitted on {}", gate.fitted_on);
        for figure in &gate.figures {
            println!("    {}", figure.line());
        }
    }
    if let Some(data) = &card.data {
        let kind = data.kind();
        println!(
            "  trained on  {} {kind}, validated on {}, of {} patients",
            data.train_films, data.validation_films, data.patients
        );
    }
    for (name, value) in &card.metrics {
        println!("  {name:<28} {value:.4}");
    }
}
