//! `coxa compare`: two models on the same films, by the paired DeLong test.

use std::path::PathBuf;

use clap::Args;
use coxa_study::compare::compare;
use coxa_study::evaluate::EvaluationOptions;
use coxa_study::predictions::Predictions;

use super::evaluate::{How, threshold_of, words};
use crate::output::{Outcome, json_line};

/// Compares two models' predictions of the same films: the difference of their AUCs with its interval (DeLong), and the films that
/// only one of them calls rightly (McNemar).
#[derive(Args)]
pub struct Compare {
    /// Predictions of the first model.
    #[arg(long)]
    a: PathBuf,
    /// Predictions of the second model.
    #[arg(long)]
    b: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: How,
}

impl Compare {
    /// Compares and prints.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let tables = [Predictions::load(&self.a)?, Predictions::load(&self.b)?];
        let options = self.how.options(EvaluationOptions::default().threshold)?;
        let thresholds = [0, 1].map(|i| self.how.threshold.unwrap_or_else(|| threshold_of(&tables[i])));
        let comparison = compare(&tables[0], &tables[1], thresholds, &options)?;
        if self.json {
            json_line(&comparison)?;
            return Ok(Outcome::Done);
        }
        let number = |value: &coxa_study::statistic::Number| match &value.0 {
            Ok(value) => format!("{value:.6}"),
            Err(undefined) => format!("undefined: {}", undefined.reason),
        };
        println!("{} films, {} with a fracture", comparison.n, comparison.positives);
        println!("AUC a        {}", number(&comparison.auc_a));
        println!("AUC b        {}", number(&comparison.auc_b));
        println!("difference   {}", words(&comparison.difference));
        println!("z            {}", number(&comparison.z));
        println!("p            {}  ({})", number(&comparison.p), comparison.method);
        for (name, films) in [("fractures", &comparison.cases), ("others", &comparison.controls)] {
            println!(
                "{name}: {} films; only a right {}, only b right {}, p {} (McNemar, exact)",
                films.n,
                films.only_a_right,
                films.only_b_right,
                number(&films.p)
            );
        }
        println!("agreement    kappa {}", words(&comparison.agreement));
        for note in &comparison.notes {
            eprintln!("note: {note}");
        }
        Ok(Outcome::Done)
    }
}
