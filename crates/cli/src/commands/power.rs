//! `coxa power`: how many films a study needs, and what a number of films can show.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use coxa_stats::power::{self, Sides, Significance};
use coxa_stats::{Level, Undefined};
use coxa_study::compare::Pair;
use coxa_study::evaluate::Dependence;
use coxa_study::predictions::Predictions;
use serde::Serialize;

use super::evaluate::{Independent, between};
use crate::output::{Outcome, json_line, usage};

/// Compute how many films a study needs, or the power that a number of films has.
///
/// As pROC's power.roc.test; numbers of films are rounded up.
#[derive(Args)]
pub struct Power {
    #[command(subcommand)]
    what: What,
    /// The probability of a false alarm.
    #[arg(long, global = true, default_value_t = 0.05, value_parser = between)]
    alpha: f64,
    /// Put all of alpha in one tail.
    #[arg(long, global = true)]
    one_sided: bool,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Show that an AUC is above 0.5: films for a power, or power for films.
    Auc {
        /// The AUC that is expected.
        #[arg(long)]
        auc: f64,
        #[command(flatten)]
        films: Films,
    },
    /// Show that two networks differ on the same films, as much as they did in a pilot study.
    ///
    /// Where patients of the pilot have several films, its variances are by patient, and the films of the answer repeat patients as the
    /// pilot's do.
    Difference {
        /// The pilot's predictions of one network.
        #[arg(long)]
        a: PathBuf,
        /// The pilot's predictions of the other.
        #[arg(long)]
        b: PathBuf,
        /// The power to reach.
        #[arg(long, default_value_t = 0.8, conflicts_with = "cases", value_parser = between)]
        power: f64,
        /// Compute the power of this many films with a fracture.
        #[arg(long)]
        cases: Option<u64>,
        #[command(flatten)]
        independent: Independent,
    },
    /// Measure a sensitivity or specificity to ± a half width: films with (or without) a fracture.
    Proportion {
        /// The proportion that is expected.
        #[arg(long)]
        expected: f64,
        /// Half the width of its interval.
        #[arg(long)]
        half_width: f64,
    },
}

#[derive(Args)]
struct Films {
    /// The power to reach.
    #[arg(long, default_value_t = 0.8, conflicts_with_all = ["cases", "controls"])]
    power: f64,
    /// Films without a fracture for each with one.
    #[arg(long, default_value_t = 1.0, conflicts_with_all = ["cases", "controls"])]
    controls_per_case: f64,
    /// Compute the power of this many films with a fracture.
    #[arg(long, requires = "controls")]
    cases: Option<u64>,
    /// Films without a fracture.
    #[arg(long, requires = "cases")]
    controls: Option<u64>,
}

/// What is printed.
#[derive(Serialize, Default)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    power: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cases: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    controls: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    films: Option<u64>,
    /// Of a pilot: what its variances take as independent.
    #[serde(skip_serializing_if = "Option::is_none")]
    dependence: Option<Dependence>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Power {
    /// Computes and prints.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let sides = if self.one_sided { Sides::One } else { Sides::Two };
        let significance = Significance { alpha: self.alpha, sides };
        let answer = self.what.answer(significance, self.alpha).map_err(|error| match error.is::<Undefined>() {
            true => usage(error.to_string(), "see `coxa power --help` for the range of each number"),
            false => error,
        })?;
        if self.json {
            json_line(&answer)?;
            return Ok(Outcome::Done);
        }
        for (name, films) in
            [("films with a fracture", answer.cases), ("films without", answer.controls), ("films", answer.films)]
        {
            if let Some(films) = films {
                println!("{name:<22} {films}");
            }
        }
        if let Some(power) = answer.power {
            println!("{:<22} {power:.4}", "power");
        }
        for note in &answer.notes {
            eprintln!("note: {note}");
        }
        Ok(Outcome::Done)
    }
}

impl What {
    fn answer(&self, significance: Significance, alpha: f64) -> anyhow::Result<Answer> {
        match self {
            What::Auc { auc, films } => {
                if let (Some(cases), Some(controls)) = (films.cases, films.controls) {
                    let power = power::auc_power(*auc, cases as f64, controls as f64, significance)?;
                    return Ok(Answer { power: Some(power), ..Answer::default() });
                }
                let size = power::auc_sample_size(*auc, films.power, films.controls_per_case, significance)?;
                Ok(of_size(size))
            }
            What::Difference { a, b, power, cases, independent } => {
                let [a, b] = [Predictions::load(a)?, Predictions::load(b)?];
                let pair = Pair::new(&a, &b, independent.clustering())?;
                let [scored_a, scored_b] = pair.scored()?;
                let (pilot, dependence) = match pair.clusters() {
                    None => (power::Pilot::new(scored_a, scored_b)?, Dependence::Films),
                    Some(clusters) => (power::Pilot::clustered(scored_a, scored_b, clusters)?, Dependence::Patients),
                };
                let answer = match cases {
                    Some(cases) => {
                        Answer { power: Some(pilot.power(*cases as f64, significance)?), ..Answer::default() }
                    }
                    None => of_size(pilot.sample_size(*power, significance)?),
                };
                let mut notes = pair.notes().to_vec();
                if dependence == Dependence::Patients {
                    notes.push("the films are of patients with as many films each as in the pilot".to_owned());
                }
                Ok(Answer { dependence: Some(dependence), notes, ..answer })
            }
            What::Proportion { expected, half_width } => {
                let level = Level::new(1.0 - alpha)?;
                let films = power::proportion_sample_size(*expected, *half_width, level)?;
                Ok(Answer { films: Some(films.ceil() as u64), ..Answer::default() })
            }
        }
    }
}

fn of_size(size: power::SampleSize) -> Answer {
    let (cases, controls) = size.rounded_up();
    Answer { cases: Some(cases), controls: Some(controls), ..Answer::default() }
}
