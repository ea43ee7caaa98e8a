//! `coxa compare`: two networks on the same films, by the paired DeLong test; or on different films.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use coxa_stats::contingency::McNemar;
use coxa_study::compare::{Comparison, UnpairedComparison, compare, compare_unpaired};
use coxa_study::evaluate::EvaluationOptions;
use coxa_study::predictions::Predictions;
use coxa_study::statistic::Number;

use super::evaluate::{How, independent, threshold_of, words};
use crate::output::{Outcome, json_line};

/// Compare two networks' predictions of the same films: the difference of their AUCs with its interval (DeLong), and the films that
/// only one of them classifies correctly (McNemar).
///
/// Where patients have several films, tests and intervals are by patient.
#[derive(Args)]
pub struct Compare {
    /// Predictions of the first network.
    #[arg(long)]
    a: PathBuf,
    /// Predictions of the second network.
    #[arg(long)]
    b: PathBuf,
    /// Compare predictions of different films: the unpaired DeLong test, and Fisher's exact test of sensitivity and specificity.
    #[arg(long)]
    unpaired: bool,
    /// The form of McNemar's test, where films are independent.
    #[arg(long, value_enum, default_value = "exact", conflicts_with = "unpaired")]
    mcnemar: Form,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// The binomial test.
    Exact,
    /// The binomial test less half the probability of the outcome itself.
    MidP,
    /// Chi-square with a continuity correction.
    Corrected,
    /// Chi-square.
    Uncorrected,
}

impl Compare {
    /// Compares and prints.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let [a, b] = [Predictions::load(&self.a)?, Predictions::load(&self.b)?];
        let mcnemar = match self.mcnemar {
            Form::Exact => McNemar::Exact,
            Form::MidP => McNemar::MidP,
            Form::Corrected => McNemar::Corrected,
            Form::Uncorrected => McNemar::Uncorrected,
        };
        let options = EvaluationOptions { mcnemar, ..self.how.options(EvaluationOptions::default().threshold)? };
        let thresholds = [&a, &b].map(|table| self.how.threshold.unwrap_or_else(|| threshold_of(table)));
        if self.unpaired {
            let comparison = compare_unpaired(&a, &b, thresholds, &options)?;
            if self.json { json_line(&comparison)? } else { print_unpaired(&comparison) }
        } else {
            let comparison = compare(&a, &b, thresholds, &options)?;
            if self.json { json_line(&comparison)? } else { print(&comparison) }
        }
        Ok(Outcome::Done)
    }
}

fn number(value: &Number) -> String {
    match &value.0 {
        Ok(value) => format!("{value:.6}"),
        Err(undefined) => format!("undefined: {}", undefined.reason),
    }
}

fn print(comparison: &Comparison) {
    println!(
        "{} films, {} with a fracture; {}",
        comparison.n,
        comparison.positives,
        independent(comparison.dependence)
    );
    println!("AUC a        {}", number(&comparison.auc_a));
    println!("AUC b        {}", number(&comparison.auc_b));
    println!("difference   {}", words(&comparison.difference));
    println!("z            {}", number(&comparison.z));
    println!("p            {}  ({})", number(&comparison.p), comparison.method);
    for (name, films) in [("fractures", &comparison.cases), ("others", &comparison.controls)] {
        let method = if films.method.is_empty() { String::new() } else { format!(" ({})", films.method) };
        println!(
            "{name}: {} films; only a right {}, only b right {}, p {}{method}",
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
}

fn print_unpaired(comparison: &UnpairedComparison) {
    for (name, i, auc) in [("a", 0, &comparison.auc_a), ("b", 1, &comparison.auc_b)] {
        println!("{name}: {} films, {} with a fracture; AUC {}", comparison.n[i], comparison.positives[i], number(auc));
    }
    println!("difference   {}; {}", words(&comparison.difference), independent(comparison.dependence));
    println!("t            {} with {} degrees of freedom", number(&comparison.t), number(&comparison.df));
    println!("p            {}  ({})", number(&comparison.p), comparison.method);
    for (name, films) in [("fractures", &comparison.cases), ("others", &comparison.controls)] {
        println!(
            "{name}: a right {} of {}, b right {} of {}; p {} (Fisher's exact test), odds ratio {}",
            films.right[0],
            films.n[0],
            films.right[1],
            films.n[1],
            number(&films.p),
            words(&films.odds_ratio)
        );
    }
    for note in &comparison.notes {
        eprintln!("note: {note}");
    }
}
