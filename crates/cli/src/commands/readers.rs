//! `coxa readers`: the analysis of a multi-reader multi-case study.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use coxa_files::table::Table;
use coxa_schema::Label;
use coxa_stats::mrmc::{Analysis, CaseRating, CrossedDesign, DesignError, Random};
use coxa_stats::{Estimate, Level};
use coxa_study::statistic::Statistic;

use super::evaluate::{between, words};
use crate::output::{Outcome, json_line, usage};

/// Analyze a reader study.
#[derive(Args)]
pub struct Readers {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Analyze(Analyze),
}

/// Compare treatments (arms, modalities) by the readers' AUCs, after Obuchowski and Rockette with Hillis' degrees of freedom.
///
/// The design is fully crossed: every reader rates every case under every treatment.
#[derive(Args)]
struct Analyze {
    /// The ratings: columns reader, treatment, case, truth (0 or 1), rating (higher speaks for the finding).
    #[arg(long, value_name = "FILE.csv")]
    ratings: PathBuf,
    /// How the covariances of the AUCs are estimated; only DeLong's are available.
    #[arg(long, value_enum, default_value = "delong")]
    covariance: Covariance,
    /// What is a sample of a population: conclusions reach as far.
    #[arg(long, value_enum, default_value = "both")]
    random: RandomName,
    /// The confidence level.
    #[arg(long, default_value_t = 0.95, value_parser = between)]
    level: f64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Covariance {
    /// DeLong's.
    Delong,
    /// The jackknife over cases.
    Jackknife,
    /// The unbiased estimate.
    Unbiased,
    /// The bootstrap over cases.
    Bootstrap,
}

#[derive(Clone, Copy, ValueEnum)]
enum RandomName {
    /// Readers and cases: results hold for other readers and other cases.
    Both,
    /// Readers: results hold for other readers on these cases.
    Readers,
    /// Cases: results hold for these readers on other cases.
    Cases,
}

impl Readers {
    /// Analyzes and prints.
    pub fn run(self) -> anyhow::Result<Outcome> {
        match self.what {
            What::Analyze(analyze) => analyze.run(),
        }
    }
}

impl Analyze {
    fn run(self) -> anyhow::Result<Outcome> {
        if self.covariance != Covariance::Delong {
            return Err(usage("this covariance is not available", "take --covariance delong"));
        }
        let ratings = read(&self.ratings)?;
        let rows: Vec<CaseRating> = ratings.iter().map(|(_, rating)| rating.clone()).collect();
        let at = |error: DesignError| {
            let line = error.row().map_or(String::new(), |row| format!(", line {}", ratings[row].0));
            anyhow::anyhow!("{}{line}: {error}", self.ratings.display())
        };
        let design = CrossedDesign::from_rows(&rows).map_err(at)?;
        let random = match self.random {
            RandomName::Both => Random::ReadersAndCases,
            RandomName::Readers => Random::Readers,
            RandomName::Cases => Random::Cases,
        };
        let analysis =
            design.analyze(random, Level::new(self.level)?).with_context(|| format!("{}", self.ratings.display()))?;
        if self.json {
            json_line(&analysis)?;
        } else {
            print(&design, &analysis);
        }
        Ok(Outcome::Done)
    }
}

/// The ratings of a table, each with its line.
fn read(path: &Path) -> anyhow::Result<Vec<(u64, CaseRating)>> {
    let table = Table::read(path)?;
    for column in ["reader", "treatment", "case", "truth", "rating"] {
        table.require(column)?;
    }
    let mut ratings = Vec::with_capacity(table.len());
    for row in table.rows() {
        let named = |column: &str| row.required(column, "a name").map(str::to_owned);
        let truth =
            Label::parse(row.text("truth")).and_then(Label::index).ok_or_else(|| row.value_error("truth", "0 or 1"))?;
        const RATING: &str = "a number";
        let rating =
            row.number("rating", f64::MIN..=f64::MAX, RATING)?.ok_or_else(|| row.value_error("rating", RATING))?;
        let rating = CaseRating {
            reader: named("reader")?,
            treatment: named("treatment")?,
            case: named("case")?,
            truth: truth == 1,
            rating,
        };
        ratings.push((row.line(), rating));
    }
    Ok(ratings)
}

fn print(design: &CrossedDesign, analysis: &Analysis) {
    let cases = design.truth();
    let positive = cases.iter().filter(|&&positive| positive).count();
    println!("{} readers, {} cases, {positive} with the finding", design.readers().len(), cases.len());
    let shown = |estimate: Estimate| words(&Statistic(Ok(estimate)));
    for mean in &analysis.treatments {
        let by_reader: Vec<String> = mean.by_reader.iter().map(|area| format!("{area:.4}")).collect();
        println!("{:<20} AUC {}; readers {}", mean.treatment, shown(mean.auc), by_reader.join(" "));
    }
    for pair in &analysis.differences {
        println!("{} − {}: {}, p {:.6}", pair.first, pair.second, shown(pair.difference), pair.test.p);
    }
    let overall = &analysis.overall;
    let df = overall.df.map_or("infinite".to_owned(), |df| format!("{df:.4}"));
    println!("all treatments equal: {} {:.6}, df {df}, p {:.6}", overall.method, overall.statistic, overall.p);
}
