//! `coxa trial`: a closed randomized trial of the reader, analyzed and verified.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use coxa_serve::audit::Deed;
use coxa_serve::db::Trial as OpenedTrial;
use coxa_serve::trial::{AllocationTable, TrialPlan, read_diagnoses, verify_allocation};
use coxa_stats::Level;
use coxa_study::Statistic;
use coxa_study::trial::{PopulationAnalysis, TrialAnalysis, TrialOptions, TrialTable, analyze, draw};

use super::evaluate::between;
use super::place::{Opened, Place};
use crate::output::{Outcome, json_line, usage};

/// Analyze, export and verify a randomized trial of the reader, in which physicians see results or films alone.
///
/// A trial is begun and closed on the page /trial of the node. Nothing by arm is printed before it is closed. Research use only.
#[derive(Args)]
pub struct Trial {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Compare the arms: accuracy, missed fractures, time to diagnosis, by intention to treat and per protocol.
    Analyze {
        /// Read this export in place of the node's database.
        #[arg(long, value_name = "CSV")]
        rows: Option<PathBuf>,
        /// The confidence level of all intervals.
        #[arg(long, default_value_t = 0.95, value_parser = between)]
        level: f64,
        /// Write the flow diagram (CONSORT-AI) as SVG.
        #[arg(long, value_name = "FILE")]
        flow: Option<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Print the rows that are analyzed as CSV, without identity.
    Rows {
        #[command(flatten)]
        place: Place,
    },
    /// Print who was randomized to what as CSV.
    Allocation {
        #[command(flatten)]
        place: Place,
    },
    /// Recompute every arm from the secret: exit 0 where all are as it gives them, 1 where one is not.
    ///
    /// Without options, the node's own closed trial is verified. With all four, nothing of the node is read: the secret is on the
    /// page of the closed trial, its hash and the plan are in the audit log's entry of the trial's beginning.
    Verify {
        /// The secret.
        #[arg(long, requires_all = ["commitment", "plan", "allocation"])]
        secret: Option<String>,
        /// The hash of the secret, from the audit log.
        #[arg(long, requires = "secret", value_name = "HASH")]
        commitment: Option<String>,
        /// The plan, from the audit log.
        #[arg(long, requires = "secret", value_name = "JSON")]
        plan: Option<String>,
        /// The export of coxa trial allocation.
        #[arg(long, requires = "secret", value_name = "CSV")]
        allocation: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Store final diagnoses of the open trial from a CSV: accession or patient_id, date, fracture, kind, source; all rows or none.
    Diagnoses {
        /// The table.
        csv: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

impl Trial {
    /// Analyzes, exports, verifies or stores.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.verb {
                Verb::Analyze { rows, level, flow, json, place } => {
                    let table = match rows {
                        Some(file) => {
                            let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
                            TrialTable::parse(&bytes, &file)?
                        }
                        None => frozen(&place).await?,
                    };
                    let options = TrialOptions { level: Level::new(level)?, ..TrialOptions::default() };
                    let analysis = analyze(&table, &options);
                    if let Some(file) = flow {
                        let figure = draw(&analysis.flow, "Flow of patients through the trial");
                        coxa_files::write_whole(&file, figure.svg.as_bytes())
                            .with_context(|| file.display().to_string())?;
                    }
                    if json {
                        json_line(&analysis)?
                    } else {
                        print(&analysis)
                    }
                    Ok(Outcome::Done)
                }
                Verb::Rows { place } => {
                    let (_, trial) = closed(&place, "rows").await?;
                    print!("{}", trial.frozen);
                    Ok(Outcome::Done)
                }
                Verb::Allocation { place } => {
                    let (node, trial) = closed(&place, "allocation").await?;
                    print!("{}", String::from_utf8_lossy(&node.db.allocation(trial.id).await?.csv()));
                    Ok(Outcome::Done)
                }
                Verb::Verify {
                    secret: Some(secret),
                    commitment: Some(commitment),
                    plan: Some(plan),
                    allocation,
                    ..
                } => {
                    let file = allocation.unwrap_or_default();
                    let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
                    let plan: TrialPlan = serde_json::from_str(&plan).map_err(|error| {
                        usage(
                            format!("--plan is no plan: {error}"),
                            "copy it from the entry trial_begun of the audit log",
                        )
                    })?;
                    Ok(verified(&plan, &secret, &commitment, &AllocationTable::parse(&bytes, &file)?))
                }
                Verb::Verify { place, .. } => {
                    let (node, trial) = closed(&place, "allocation").await?;
                    let table = node.db.allocation(trial.id).await?;
                    Ok(verified(&trial.plan, &trial.secret, &trial.commitment, &table))
                }
                Verb::Diagnoses { csv, place } => diagnoses(&place, &csv).await,
            }
        })
    }
}

/// The node's last trial, which must be closed.
async fn closed(place: &Place, what: &str) -> anyhow::Result<(Opened, OpenedTrial)> {
    let node = place.open().await?;
    let trial = node.db.trial().await?.filter(OpenedTrial::is_closed).ok_or_else(|| {
        usage(
            "no trial of this node is closed",
            "an administrator closes it on the page /trial; nothing by arm is printed before",
        )
    })?;
    node.record(Deed::TrialExported, &[("trial", &trial.id.to_string()), ("what", what)]).await?;
    Ok((node, trial))
}

async fn frozen(place: &Place) -> anyhow::Result<TrialTable> {
    let (_, trial) = closed(place, "analysis").await?;
    Ok(TrialTable::parse(trial.frozen.as_bytes(), std::path::Path::new("the frozen rows"))?)
}

fn verified(plan: &TrialPlan, secret: &str, commitment: &str, table: &AllocationTable) -> Outcome {
    let faults = verify_allocation(plan, secret, commitment, table);
    for fault in &faults {
        println!("{fault}");
    }
    if faults.is_empty() {
        println!("{} patients, each in the arm that the secret gives", table.rows.len());
        return Outcome::Done;
    }
    Outcome::SomeFailed(faults.len())
}

async fn diagnoses(place: &Place, csv: &std::path::Path) -> anyhow::Result<Outcome> {
    let text = std::fs::read_to_string(csv).with_context(|| csv.display().to_string())?;
    let diagnoses = match read_diagnoses(&text) {
        Ok(diagnoses) => diagnoses,
        Err(faults) => {
            for fault in &faults {
                println!("{fault}");
            }
            return Ok(Outcome::SomeFailed(faults.len()));
        }
    };
    let node = place.open().await?;
    node.record(Deed::DiagnosesEntered, &[("rows", &diagnoses.len().to_string())]).await?;
    let missing = node.db.add_diagnoses(&diagnoses, 0).await?;
    for line in &missing {
        println!("Line {line}: it names no patient who was randomized in a trial that is open.");
    }
    if missing.is_empty() {
        println!("{} diagnoses are stored", diagnoses.len());
        return Ok(Outcome::Done);
    }
    Ok(Outcome::SomeFailed(missing.len()))
}

fn print(analysis: &TrialAnalysis) {
    let flow = &analysis.flow;
    println!("{} patients assessed, {} randomized", flow.assessed, flow.randomized);
    for (reason, n) in &flow.excluded {
        println!("  excluded, {reason}: {n}");
    }
    for arm in &flow.arms {
        println!(
            "  {}: {} allocated, {} withdrawn, {} shown early, {} without a decision, {} without a diagnosis, {} analyzed",
            arm.arm.as_str(),
            arm.allocated,
            arm.withdrawn,
            arm.unblinded,
            arm.without_decision,
            arm.without_diagnosis,
            arm.analyzed
        );
    }
    analysis.populations.iter().for_each(print_population);
    println!("\n{}% intervals; {}", 100.0 * analysis.level, analysis.notice);
}

fn print_population(population: &PopulationAnalysis) {
    let ([shown, withheld], difference) = (&population.arms, &population.difference);
    println!("\n{}", population.population.words());
    println!("  {:<22} {:<32} {:<32} shown less withheld", "", "shown", "withheld");
    for (what, a, b, d) in [
        ("accuracy", &shown.accuracy, &withheld.accuracy, &difference.accuracy),
        ("sensitivity", &shown.sensitivity, &withheld.sensitivity, &difference.sensitivity),
        ("specificity", &shown.specificity, &withheld.specificity, &difference.specificity),
        ("missed fractures", &shown.missed, &withheld.missed, &difference.missed),
        ("hours to diagnosis", &shown.hours_to_diagnosis, &withheld.hours_to_diagnosis, &difference.hours_to_diagnosis),
        (
            "seconds to decision",
            &shown.seconds_to_decision,
            &withheld.seconds_to_decision,
            &difference.seconds_to_decision,
        ),
    ] {
        println!("  {what:<22} {:<32} {:<32} {}", text(a), text(b), text(d));
    }
    match &difference.hours_log_rank.0 {
        Ok(test) => println!("  {}: chi-square {:.3}, p {:.4}", test.method, test.statistic, test.p),
        Err(undefined) => println!("  {undefined}"),
    }
}

fn text(statistic: &Statistic) -> String {
    match (&statistic.0, statistic.limits()) {
        (Ok(estimate), Some(limits)) => format!("{:.3} ({:.3} to {:.3})", estimate.value, limits.low, limits.high),
        (Ok(estimate), None) => format!("{:.3} (no interval)", estimate.value),
        (Err(undefined), _) => format!("undefined: {}", undefined.reason),
    }
}
