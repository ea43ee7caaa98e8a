//! `coxa demo`: unseen simulated films, read and reported, within a minute; with `--train`, the whole of the paper in some minutes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use coxa_study::report::{PAPER, PAPER_LOCALIZATION};
use coxa_workflow::demo::{DemoRequest, Demonstration, Network, demonstrate};

use super::evaluate::words;
use crate::output::Outcome;
use crate::screen::Screen;

/// Simulate films that no network has seen, read them with the bundle that comes with the program, and write a page that shows how good
/// it is and where it finds fractures.
///
/// With `--train` it is the paper in small, from nothing: limb films and pretraining, films of hips and retraining, then the test, all on
/// close-ups of one hip from a tidy department. Films and a network that are there already are used again; each report is a new folder.
#[derive(Args)]
#[command(after_help = "Example: coxa demo --films 40")]
pub struct Demo {
    /// Put everything in this folder.
    #[arg(long, default_value = "coxa-demo")]
    out: PathBuf,
    /// Train a small network from scratch first, in some minutes, and test that.
    #[arg(long)]
    train: bool,
    /// Test on so many unseen films: a quarter of the femoral neck, a quarter trochanteric, half without a fracture.
    #[arg(long, default_value_t = 100)]
    films: usize,
}

impl Demo {
    /// Runs the demo.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let request = DemoRequest {
            out: &self.out,
            network: if self.train { Network::Trained } else { Network::Shipped },
            films: self.films,
            next,
        };
        let mut screen = Screen::default();
        let demo = demonstrate(&request, &mut screen)?;
        screen.finish();
        print(&demo, request.network);
        println!();
        println!("page      {}", demo.report.join("index.html").display());
        println!("time      {:.0} s", start.elapsed().as_secs_f64());
        println!();
        for (what, command) in next(&demo.report, demo.bundle.as_deref()) {
            println!("{what}\n    {command}");
        }
        Ok(Outcome::of_failures(demo.assessment.failed))
    }
}

/// The paper's figures, with those of the simulated films beside them.
fn print(demo: &Demonstration, network: Network) {
    let (assessment, size) = (&demo.assessment, demo.input_size);
    let measures = &assessment.evaluation.measures;
    let kind = if network == Network::Trained { "close-ups of a hip from a tidy department: " } else { "" };
    println!(
        "{kind}{} unseen simulated films, {} with a fracture, read at {size}×{size}. Research use only.",
        measures.n, measures.positives
    );
    println!();
    println!("{:<24} {:<28} paper, 100 real films", "", "simulated films");
    for (name, value, low, high) in PAPER {
        let ours =
            measures.by_name().into_iter().find(|(known, _)| *known == name).map(|(_, statistic)| words(statistic));
        println!("{name:<24} {:<28} {value} ({low}–{high})", ours.unwrap_or_default());
    }
    if let Some(place) = &assessment.localization {
        println!("{:<24} {:<28} {PAPER_LOCALIZATION:.3}", "heat map on the site", words(&place.right_site));
        println!("  (its peak in the true box grown by a tenth of the film's width, of the fractures called)");
    }
    let c = &measures.confusion;
    println!();
    println!("true positives {}, false negatives {}, false positives {}, true negatives {}", c.tp, c.fn_, c.fp, c.tn);
}

/// Commands to try next; `bundle` is that of the trained network.
fn next(report: &Path, bundle: Option<&Path>) -> Vec<(String, String)> {
    // As it was called here: it need not be on the path.
    let coxa = std::env::args().next().unwrap_or_else(|| "coxa".to_owned());
    let pair = |what: &str, command: String| (what.to_owned(), format!("{coxa} {command}"));
    let named = bundle.map_or(String::new(), |bundle| format!(" --model {}", bundle.display()));
    let mut all = vec![
        pair("Read a film of your own:", format!("predict FILM.dcm{named} --heatmap heatmaps")),
        pair(
            "Check every figure:",
            format!("evaluate --predictions {} --json", report.join("predictions.csv").display()),
        ),
        pair(
            "Train on your own films:",
            format!(
                "import folders DIR --names labels --patient-prefix _ --out mine && \
                 {coxa} simulate limbs --n 5000 --out limbs && \
                 {coxa} train --recipe paper --data limbs=limbs --data films=mine"
            ),
        ),
    ];
    if bundle.is_none() {
        all.insert(1, pair("Train a network from scratch, in some minutes:", "demo --train".to_owned()));
    }
    all
}
