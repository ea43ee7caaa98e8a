//! `coxa model`: bundles from weights, weights from bundles, and what a bundle says of itself.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use coxa_cohort::Dataset;
use coxa_model::Bundle;
use coxa_model::bundle::{self, Card};
use coxa_model::tune::{adapt, average, measure_int8};
use coxa_model::weights::{self, Head, WeightsFormat};

use crate::output::{Outcome, hint, json_line};
use crate::progress::Progress;

/// Makes bundles of weights, gives weights back, and shows a bundle's card.
#[derive(Args)]
pub struct Model {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// A bundle of a DenseNet-121's weights (.safetensors or .pth; three-channel stems are summed to one).
    Import {
        /// The weights.
        #[arg(long)]
        weights: PathBuf,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
        /// The network's input size in pixels.
        #[arg(long, default_value_t = 512)]
        image_size: usize,
        /// The class to keep, where the classifier has more than one.
        #[arg(long)]
        class: Option<usize>,
        /// What the bundle is called [default: the file's name].
        #[arg(long)]
        name: Option<String>,
    },
    /// The weights of a bundle as one file that PyTorch, timm and torchvision read.
    Export {
        /// The bundle.
        bundle: PathBuf,
        /// The new .safetensors file.
        #[arg(long)]
        out: PathBuf,
    },
    /// A copy of a bundle that also holds the ranges of 8-bit arithmetic, measured on a dataset's films: then `--precision int8` need
    /// not measure them each time.
    Calibrate {
        /// The bundle.
        bundle: PathBuf,
        /// The dataset; its validation films would be a good choice, as test films must stay unseen.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Films to measure on, the dataset's first.
        #[arg(long, default_value_t = 32)]
        films: usize,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// A copy of a bundle with the normalization statistics of a dataset's films, in place of those of the films it was trained on. No
    /// label is used; weights and threshold stay.
    Adapt {
        /// The bundle.
        bundle: PathBuf,
        /// The dataset: films as they come from the hospital at which the network is to read.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Films to measure on, the dataset's first [default: all].
        #[arg(long)]
        films: Option<usize>,
        /// Films that are normalized together.
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..))]
        batch: u16,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// The mean of the weights of bundles that come from one training or a common start: often better than each. Its normalization
    /// statistics are to be measured anew (`coxa model adapt`), and its threshold to be chosen again.
    Average {
        /// The bundles; the last one's card is kept.
        #[arg(required = true, num_args = 2..)]
        bundles: Vec<PathBuf>,
        /// The new bundle's folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// What a bundle says of itself.
    Info {
        /// The bundle.
        bundle: PathBuf,
        /// The whole card as JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Model {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<Outcome> {
        match self.action {
            Action::Import { weights, out, image_size, class, name } => import(&weights, &out, image_size, class, name),
            Action::Export { bundle, out } => {
                weights::export(Bundle::load(&bundle)?.parameters(), &out)?;
                println!("{}", out.display());
                Ok(Outcome::Done)
            }
            Action::Calibrate { bundle, data, films, out } => calibrate(&bundle, &data, films, &out),
            Action::Adapt { bundle, data, films, batch, out } => adapted(&bundle, &data, films, batch.into(), &out),
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

/// The dataset's first `n` films that are not excluded, and what they are in words.
fn films_to_measure(data: &Path, n: usize) -> anyhow::Result<(Vec<PathBuf>, String)> {
    let dataset = Dataset::load(data)?;
    let chosen = dataset.films.iter().filter(|film| !film.excluded).take(n);
    let paths: Vec<_> = chosen.map(|film| dataset.image_path(film)).collect();
    let kind = if dataset.is_simulated() { "simulated films" } else { "films" };
    let words = format!("{} {kind}", paths.len());
    Ok((paths, words))
}

fn calibrate(bundle: &Path, data: &Path, n: usize, out: &Path) -> anyhow::Result<Outcome> {
    let bundle = Bundle::load(bundle)?;
    let (paths, measured_on) = films_to_measure(data, n)?;
    let films: Vec<_> = paths.iter().map(|path| coxa_imaging::read(path)).collect::<Result<_, _>>()?;
    if films.is_empty() {
        return Err(hint(
            format!("{}: no film to measure on", data.display()),
            "name a dataset with films that are not excluded",
        ));
    }
    let format = bundle.card().weights.format;
    let measured = measure_int8(bundle, &films, None, &measured_on)?.save(out, format)?;
    println!("{} {}", out.display(), measured.short_hash());
    Ok(Outcome::Done)
}

fn adapted(bundle: &Path, data: &Path, n: Option<usize>, batch: usize, out: &Path) -> anyhow::Result<Outcome> {
    let bundle = Bundle::load(bundle)?;
    let (paths, measured_on) = films_to_measure(data, n.unwrap_or(usize::MAX))?;
    let films = paths.iter().map(|path| Ok(coxa_imaging::read(path)?));
    let format = bundle.card().weights.format;
    let progress = Progress::new("films", paths.len());
    let mut done = 0;
    let adapted = adapt(&bundle, films, batch, None, &measured_on, || {
        done += 1;
        progress.set(done, "");
    })?;
    progress.finish();
    let adapted = adapted.save(out, format)?;
    eprintln!("note: the threshold is still the one for the films that the network was trained on");
    println!("{} {}", out.display(), adapted.short_hash());
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
        bundle::rule_words(card.threshold.rule),
        card.threshold.chosen_on
    );
    println!("  origin      {}", card.origin);
    if let Some(int8) = bundle.int8() {
        println!("  8 bits      ranges measured on {}", int8.measured_on);
    }
    if let Some(data) = &card.data {
        let kind = if data.simulated { "simulated films" } else { "films" };
        println!(
            "  trained on  {} {kind}, validated on {}, of {} patients",
            data.train_films, data.validation_films, data.patients
        );
    }
    for (name, value) in &card.metrics {
        println!("  {name:<28} {value:.4}");
    }
}
