//! `coxa readers`: the analysis of a multi-reader multi-case study, and its file in other layouts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use coxa_stats::bootstrap::Plan;
use coxa_stats::mrmc::{AnalysisOptions, CovarianceMethod, Endpoint, Random};
use coxa_stats::roc::Roc;
use coxa_stats::{Estimate, Level};
use coxa_study::StudyError;
use coxa_study::predictions::Predictions;
use coxa_study::readers::{
    Converted, Layout, ModelCurve, Performance, ReaderAnalysis, ReaderOptions, ReaderTable, analyze, convert, page,
};
use coxa_study::statistic::Statistic;
use coxa_workflow::report::refuse_existing;

use super::evaluate::{between, words};
use crate::output::{Outcome, json_line, usage};

/// Analyze a reader study, or write it in another layout.
#[derive(Args)]
pub struct Readers {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Analyze(Box<Analyze>),
    Convert(Convert),
}

/// Compare treatments (arms, modalities) by the readers' AUCs, sensitivities or specificities, after Obuchowski and Rockette with Hillis'
/// degrees of freedom.
///
/// The design (crossed, cases nested in readers or treatments, split-plot, partly crossed) is recognized from who rated what.
#[derive(Args)]
#[command(after_help = "Example: coxa readers analyze --ratings ratings.csv --threshold 3 --alone model --json")]
struct Analyze {
    /// The ratings: a CSV with columns reader, treatment, case, truth (0 or 1), rating (higher speaks for the finding), and where they are
    /// known patient, group, seconds, lesions; or a text of iMRMC; or a workbook of RJafroc.
    #[arg(long, value_name = "FILE")]
    ratings: PathBuf,
    /// Analyze these marks too: columns reader, treatment, case, lesion (from 1; empty beside the lesions), rating.
    #[arg(long, value_name = "FILE.csv")]
    marks: Option<PathBuf>,
    /// Estimate the covariances of the endpoints this way.
    #[arg(long, value_enum, default_value = "delong")]
    covariance: Covariance,
    /// Draw this many bootstrap replicates.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(2..))]
    replicates: u32,
    /// Seed the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Take this as a sample of a population: conclusions reach as far.
    #[arg(long, value_enum, default_value = "both")]
    random: RandomName,
    /// Compare this.
    #[arg(long, value_enum, default_value = "auc")]
    endpoint: EndpointName,
    /// Take a rating of this much or more as a call of the finding; adds rates and agreement.
    #[arg(long, value_name = "RATING", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Refuse other designs than this.
    #[arg(long, value_enum, default_value = "any")]
    design: DesignName,
    /// Compare the other readers' mean with this one, which stands alone, as a network does.
    #[arg(long, value_name = "READER")]
    alone: Option<String>,
    /// Test whether the first treatment of each pair is worse by less than this.
    #[arg(long, value_parser = between)]
    margin: Option<f64>,
    /// Say which readers lie under the ROC curve of these predictions.
    #[arg(long, value_name = "FILE.csv", requires = "threshold")]
    predictions: Option<PathBuf>,
    /// Compute how many cases the next study needs to find this difference.
    #[arg(long, value_name = "DIFFERENCE", value_parser = between, requires = "next_readers")]
    next_difference: Option<f64>,
    /// Plan the next study with this many readers.
    #[arg(long, value_name = "READERS", requires = "next_difference")]
    next_readers: Option<u32>,
    /// Plan the next study for this power.
    #[arg(long, default_value_t = 0.8, value_parser = between)]
    next_power: f64,
    /// The confidence level.
    #[arg(long, default_value_t = 0.95, value_parser = between)]
    level: f64,
    /// Write a report to this new folder: a page, each table as CSV, each figure as SVG and PDF.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Write a reader study in another layout: as a CSV, as a text of iMRMC, or as a workbook of RJafroc.
///
/// No file is overwritten. What of the study the layout has no place for is refused, or named in a note where the ratings stand without it
/// (patients, groups, times).
#[derive(Args)]
#[command(after_help = "Example: coxa readers convert ratings.csv study.xlsx --number-cases cases.csv")]
struct Convert {
    /// The study: any layout that `coxa readers analyze --ratings` reads.
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// The new file.
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,
    /// Write this layout; by default, the one that OUTPUT's ending stands for (.csv, .imrmc, .xlsx).
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Read the marks of a CSV from here.
    #[arg(long, value_name = "FILE.csv")]
    marks: Option<PathBuf>,
    /// Write the marks beside a CSV to this new file.
    #[arg(long, value_name = "FILE.csv")]
    marks_out: Option<PathBuf>,
    /// Number the cases from 1, as RJafroc needs them, and write to this new file which case has which number.
    #[arg(long, value_name = "FILE.csv")]
    number_cases: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Columns reader, treatment, case, truth, rating, and those that are known of patient, group, seconds, lesions.
    Csv,
    /// iMRMC's text.
    Imrmc,
    /// RJafroc's workbook with the sheets FP, TP and TRUTH.
    Rjafroc,
}

#[derive(Clone, Copy, ValueEnum)]
enum Covariance {
    /// DeLong's; by patient, Obuchowski's.
    Delong,
    /// The jackknife over cases, or patients.
    Jackknife,
    /// Gallas' unbiased estimate.
    Unbiased,
    /// The bootstrap over cases, or patients.
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EndpointName {
    /// The area under the ROC curve.
    Auc,
    /// Sensitivity at --threshold.
    Sensitivity,
    /// Specificity at --threshold.
    Specificity,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DesignName {
    /// Any design that can be analyzed.
    Any,
    /// Every reader rated every case under every treatment.
    Crossed,
}

impl Readers {
    /// Analyzes and prints, or converts.
    pub fn run(self) -> anyhow::Result<Outcome> {
        match self.what {
            What::Analyze(analyze) => analyze.run(),
            What::Convert(convert) => convert.run(),
        }
    }
}

impl Analyze {
    fn run(self) -> anyhow::Result<Outcome> {
        let options = self.options()?;
        if let Some(out) = &self.out {
            refuse_existing(out)?;
        }
        let table = ReaderTable::load(&self.ratings, self.marks.as_deref())?;
        if self.design == DesignName::Crossed {
            let refuse =
                |reason: String| StudyError::Rating { path: self.ratings.clone(), place: String::new(), reason };
            let study = table.study(self.alone.as_deref())?;
            study.require_crossed().map_err(|missing| refuse(missing.to_string()))?;
        }
        let analysis = analyze(&table, &options)?;
        for note in &analysis.notes {
            eprintln!("note: {note}");
        }
        if let Some(out) = &self.out {
            let page = page(&analysis, options.curve.as_ref(), "Reader study");
            page.write(out).with_context(|| format!("{}", out.display()))?;
        }
        if self.json {
            json_line(&analysis)?;
        } else {
            print(&analysis);
        }
        Ok(Outcome::Done)
    }

    fn options(&self) -> anyhow::Result<ReaderOptions> {
        let endpoint = match (self.endpoint, self.threshold) {
            (EndpointName::Auc, _) => Endpoint::Area,
            (EndpointName::Sensitivity, Some(threshold)) => Endpoint::Sensitivity(threshold),
            (EndpointName::Specificity, Some(threshold)) => Endpoint::Specificity(threshold),
            _ => return Err(usage("this endpoint needs a threshold", "add --threshold RATING")),
        };
        if self.threshold.is_some_and(|threshold| !threshold.is_finite()) {
            return Err(usage("the threshold is not a finite number", "add --threshold RATING"));
        }
        let plan = Plan { replicates: self.replicates as usize, seed: self.seed };
        let covariance = match self.covariance {
            Covariance::Delong => CovarianceMethod::Delong,
            Covariance::Jackknife => CovarianceMethod::Jackknife,
            Covariance::Unbiased => CovarianceMethod::Unbiased,
            Covariance::Bootstrap => CovarianceMethod::Bootstrap(plan),
        };
        let random = match self.random {
            RandomName::Both => Random::ReadersAndCases,
            RandomName::Readers => Random::Readers,
            RandomName::Cases => Random::Cases,
        };
        Ok(ReaderOptions {
            analysis: AnalysisOptions { endpoint, covariance, random },
            level: Level::new(self.level)?,
            alone: self.alone.clone(),
            margin: self.margin,
            threshold: self.threshold,
            curve: self.predictions.as_deref().map(curve).transpose()?,
            next: self.next_difference.zip(self.next_readers).map(|(d, readers)| (d, readers, self.next_power)),
        })
    }
}

impl Convert {
    fn run(self) -> anyhow::Result<Outcome> {
        let layout = match self.format {
            Some(Format::Csv) => Layout::Csv,
            Some(Format::Imrmc) => Layout::Imrmc,
            Some(Format::Rjafroc) => Layout::Rjafroc,
            None => Layout::of(&self.output).ok_or_else(|| {
                let message = format!("the ending of {} stands for no layout", self.output.display());
                usage(message, "name a .csv, .imrmc or .xlsx, or add --format")
            })?,
        };
        let table = ReaderTable::load(&self.input, self.marks.as_deref())?;
        let to = Converted {
            ratings: &self.output,
            layout,
            marks: self.marks_out.as_deref(),
            numbers: self.number_cases.as_deref(),
        };
        for note in convert(&table, to)? {
            eprintln!("note: {note}");
        }
        println!("{}", self.output.display());
        Ok(Outcome::Done)
    }
}

/// The ROC curve of a table of predictions.
fn curve(path: &Path) -> anyhow::Result<ModelCurve> {
    let predictions = Predictions::load(path)?;
    Ok(ModelCurve::of(&Roc::new(predictions.scored()?)?))
}

fn print(found: &ReaderAnalysis) {
    let analysis = &found.analysis;
    let shown = |estimate: Estimate| words(&Statistic(Ok(estimate)));
    let mut readers: Vec<&str> = analysis.readers.iter().map(|of| of.reader.as_str()).collect();
    readers.sort_unstable();
    readers.dedup();
    println!("{} readers, {} cases, {} with the finding", readers.len(), found.cases, found.positive);
    println!("design: {}; covariances: {}", analysis.design.name(), analysis.covariance);
    for mean in &analysis.treatments {
        let by_reader: Vec<String> = mean.by_reader.iter().map(|value| format!("{value:.4}")).collect();
        println!("{:<20} {} {}; readers {}", mean.treatment, analysis.endpoint, shown(mean.mean), by_reader.join(" "));
    }
    for pair in &analysis.differences {
        println!("{} − {}: {}, p {:.6}", pair.first, pair.second, shown(pair.difference), pair.test.p);
    }
    if let Some(overall) = &analysis.overall {
        let df = overall.df.map_or("infinite".to_owned(), |df| format!("{df:.4}"));
        println!("all treatments equal: {} {:.6}, df {df}, p {:.6}", overall.method, overall.statistic, overall.p);
    }
    for (pair, test) in analysis.differences.iter().zip(&found.noninferiority) {
        let p = test.0.as_ref().map_or_else(ToString::to_string, |test| format!("p {:.6}", test.p));
        println!("{} not inferior to {}: {p}", pair.first, pair.second);
    }
    for alone in &found.standalone {
        match &alone.0 {
            Ok(of) => println!(
                "{}: readers {:.4}, alone {:.4}, difference {}, p {:.6}",
                of.treatment,
                of.readers,
                of.alone,
                shown(of.difference),
                of.test.p
            ),
            Err(undefined) => println!("{undefined}"),
        }
    }
    if let Some(performance) = &found.performance {
        print_performance(performance);
    }
    for agreement in &found.agreement {
        println!("{:<20} Fleiss' kappa {}", agreement.treatment, words(&agreement.fleiss));
    }
    match found.time_model.as_ref().map(|model| &model.0) {
        None => {}
        Some(Err(undefined)) => println!("{undefined}"),
        Some(Ok(model)) => {
            for (treatment, mean) in &model.means {
                println!("{treatment:<20} seconds a film {}", shown(*mean));
            }
            for of in &model.ratios {
                println!("{} / {}: time {}, p {:.6}", of.first, of.second, shown(of.ratio), of.test.p);
            }
        }
    }
    if let Some(next) = &found.next {
        match &next.0 {
            Ok(next) => {
                let power = next.power.0.as_ref().map_or_else(ToString::to_string, |power| format!("{power:.3}"));
                println!("next study: {} readers, {} cases, power {power}", next.size.readers, next.size.cases);
                println!("its power where variances shrink towards one: {}", words(&next.simulated));
            }
            Err(undefined) => println!("{undefined}"),
        }
    }
}

fn print_performance(performance: &Performance) {
    for group in &performance.groups {
        let name = if group.group.is_empty() { "all readers" } else { &group.group };
        for rate in ["sensitivity", "specificity"] {
            let Some(of) = group.rates.get(rate) else { continue };
            println!(
                "{:<20} {name}: {rate} {}, range {:.4}–{:.4}",
                group.treatment,
                words(&of.mean),
                of.lowest,
                of.highest
            );
        }
        if let Some(under) = group.mean_under_curve {
            println!("{:<20} {name}: mean {} the curve", group.treatment, if under { "under" } else { "on or above" });
        }
    }
}
