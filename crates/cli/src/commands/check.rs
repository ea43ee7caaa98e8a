//! `coxa simulate check`: simulated hips measured against real ones.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use coxa_model::detect::gate::GateRule;
use coxa_model::{Detector, DetectorOptions};
use coxa_workflow::check::films::Half;
use coxa_workflow::check::{CheckRequest, Checked, PartMoves, Spread, check, page};
use coxa_workflow::models::open_bundle;
use coxa_workflow::report::refuse_existing;

use crate::output::Outcome;
use crate::screen::Screen;

/// Measure simulated hips against real ones, without any label but "no fracture".
///
/// Parts of hips of real films without a fracture are pasted into simulated films without one, at the scale of the femoral head, matched in
/// mean and deviation, with soft edges; and simulated ones into real films. Nothing that is pasted is a fracture, so the network's logit
/// should stay: where real donors move it far and simulated donors do not, that part of the simulated hip is not like a real one, and a
/// network trained on it takes every real hip for broken. Beside it stand levels of landmarks, ratios of contrasts and texture of both.
///
/// The hips of real films are found by a small finder that learns from simulated films; look at `hips.csv` in the result, correct it and
/// name it by `--hips`. Develop on `--half tuning`, and judge once on `--half held-out`: films of neighboring numbers and copies of
/// a film are in the same half.
///
/// The result is a folder: `index.html` (with pictures, nothing is fetched from elsewhere), `check.json`, `hips.csv`.
#[derive(Args)]
#[command(
    after_help = "Example: coxa simulate check --real fracatlas --films fracatlas/hip_films.csv --half tuning --out check"
)]
pub struct Check {
    /// The folder of real frontal films: a dataset folder (its films of pelves and hips without a fracture), or any other.
    #[arg(long, value_name = "DIR")]
    real: PathBuf,
    /// Use the films that this table calls upright and without a fracture, wherever below the folder they lie: columns image_id, label
    /// (0, no_hip_fracture) and, if there, sideways.
    #[arg(long, value_name = "TABLE.csv")]
    films: Option<PathBuf>,
    /// Where the hips of the real films lie: columns file (within the folder), side (the patient's: right, left), x, y (center of the
    /// femoral head, pixels) and radius. Films that are not named are left out.
    #[arg(long, value_name = "TABLE.csv")]
    hips: Option<PathBuf>,
    /// Which half of the real films.
    #[arg(long, value_enum, default_value = "tuning")]
    half: HalfName,
    /// Ask this bundle's network [default: the one that comes with the program].
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Number of simulated films.
    #[arg(long, short, default_value_t = 32)]
    n: usize,
    /// Seed of the simulated films.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The simulated films' longest side in pixels.
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// Variation of the simulated films, 0 (a tidy department) to 1 (the range for training).
    #[arg(long, default_value_t = 0.5)]
    variation: f32,
    /// Paste so many hips of either kind at most.
    #[arg(long, default_value_t = 24)]
    donors: usize,
    /// Paste each of them into so many films.
    #[arg(long, default_value_t = 2)]
    each: usize,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Write the result to this folder.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum HalfName {
    /// Those to develop on.
    Tuning,
    /// Those to judge on at the end.
    HeldOut,
    /// All.
    Both,
}

impl HalfName {
    fn half(self) -> Half {
        match self {
            HalfName::Tuning => Half::Tuning,
            HalfName::HeldOut => Half::HeldOut,
            HalfName::Both => Half::Both,
        }
    }
}

impl Check {
    /// Checks, prints and writes.
    pub fn run(&self) -> anyhow::Result<Outcome> {
        refuse_existing(&self.out)?;
        let mut screen = Screen::default();
        let bundle = open_bundle(self.model.as_deref(), &mut screen)?;
        // What is pasted together is no film of a patient: nothing is read for anybody here.
        let options = DetectorOptions { gate: GateRule::Disabled, ..DetectorOptions::default() };
        let mut detector = Detector::new(&bundle, &options)?;
        let request = CheckRequest {
            real: &self.real,
            listing: self.films.as_deref(),
            hips: self.hips.as_deref(),
            half: self.half.half(),
            films: self.n,
            seed: self.seed,
            size: self.size,
            variation: self.variation,
            donors: self.donors,
            each: self.each,
        };
        let checked = check(&request, &mut detector, &mut screen)?;
        screen.finish();
        page::write(&checked, &self.out)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&checked.result)?);
        } else {
            print(&checked.result);
            println!("{}", self.out.join("index.html").display());
        }
        Ok(Outcome::Done)
    }
}

fn print(result: &Checked) {
    println!(
        "network {}: {} hips of {} real films, {} hips of {} simulated films",
        result.model, result.real_hips, result.real_films, result.simulated_hips, result.simulated_films
    );
    if !result.without_hip.is_empty() {
        println!("no hip found on {} real films", result.without_hip.len());
    }
    println!();
    println!("{:<32} {:<24} simulated", "logit", "real");
    println!("{:<32} {:<24} {}", "of films as they are", move_of(result.real_logits), move_of(result.simulated_logits));
    moves("moves of simulated films' logits by", &result.into_simulated);
    moves("moves of real films' logits by", &result.into_real);
    println!();
    println!("{:<74} {:<24} simulated", "measure", "real");
    for row in &result.descriptors {
        let unit = if row.unit == "head radii" { ", radii" } else { "" };
        println!("{:<74} {:<24} {}", format!("{}{unit}", row.name), measure(row.real), measure(row.simulated));
    }
    println!();
}

fn moves(title: &str, parts: &[PartMoves]) {
    println!();
    println!("{title:<36} {:<24} simulated donors", "real donors");
    for part in parts {
        println!("  {:<34} {:<24} {}", part.part, move_of(part.real), move_of(part.simulated));
    }
}

/// A median and quartiles with signs.
fn move_of(spread: Option<Spread>) -> String {
    spread.map_or_else(|| "-".to_owned(), |s| format!("{:+.1} ({:+.1} to {:+.1})", s.median, s.lower, s.upper))
}

fn measure(spread: Option<Spread>) -> String {
    spread.map_or_else(|| "-".to_owned(), |s| format!("{:.3} ({:.3} to {:.3})", s.median, s.lower, s.upper))
}
