//! `coxa bench`: how long detection, localization and training steps take on this machine, and how much memory they hold.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use coxa_engine::bench::ForwardWork;
use coxa_engine::{Architecture, Parameters, Precision};
use coxa_model::bundle::Card;
use coxa_model::{Backend, Bundle, DetectorOptions, Workload};
use serde::{Deserialize, Serialize};

use crate::output::{Outcome, json_line, usage};

/// Time detection, localization and training steps on this machine, each in a process of its own so that its memory is its own.
///
/// Times are medians over `--runs` runs after one that is not counted. Weights come from `--model`, or from a fixed seed: their
/// values do not change the time. For detection, the share of the machine's peak is given too: how long its multiply-adds would take in a
/// loop of nothing else, measured here too, over the median.
#[derive(Args)]
#[command(after_help = "Example: coxa bench --only detect --precision f32 --threads 1")]
pub struct Bench {
    /// Time only this work.
    #[arg(long, value_enum)]
    only: Option<Work>,
    /// Time only this precision.
    #[arg(long, value_enum)]
    precision: Option<PrecisionName>,
    /// Use only so many threads [default: 1, and as many as the machine has].
    #[arg(long, value_parser = crate::values::threads_in_range)]
    threads: Option<usize>,
    /// Set the side of the input in pixels, a multiple of 32.
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// Take so many films at once, 1 to 1024 [default: 1 and 8 for detection, 1 for localization, 8 for training].
    #[arg(long, value_parser = crate::values::batch_in_range)]
    batch: Option<usize>,
    /// Count so many runs.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// Run the network on `cpu`, or on what else this build has.
    #[arg(long, default_value = "cpu")]
    backend: Backend,
    /// Use this bundle's weights.
    #[arg(long)]
    model: Option<std::path::PathBuf>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// A film's probability.
    Detect,
    /// A film's probability, heat map and regions.
    Localize,
    /// A training step: forward, backward, Adam.
    Train,
}

/// A precision by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionName {
    /// 32-bit floating point.
    F32,
    /// bfloat16 with 32-bit accumulation.
    Bf16,
    /// 8-bit integers, calibrated per channel.
    Int8,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Self::F32,
            PrecisionName::Bf16 => Self::Bf16,
            PrecisionName::Int8 => Self::Int8,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    work: Work,
    precision: PrecisionName,
    threads: usize,
    size: usize,
    batch: usize,
    runs: usize,
    median_ms: f64,
    min_ms: f64,
    /// Each run.
    times_ms: Vec<f64>,
    peak_rss_mb: Option<f64>,
    /// Of detection: the time that its multiply-adds would take in a loop of nothing else, over the median. What is left is
    /// transforms, normalization, pooling and waiting for memory.
    share_of_peak: Option<f64>,
}

impl Bench {
    /// Measures one work in this process, or all requested ones in processes of their own.
    pub fn run(self) -> anyhow::Result<Outcome> {
        if !(32..=4096).contains(&self.size) || !self.size.is_multiple_of(32) {
            return Err(usage(format!("--size {}", self.size), "the side is a multiple of 32 up to 4096"));
        }
        if !(1..=100_000).contains(&self.runs) {
            return Err(usage(format!("--runs {}", self.runs), "1 to 100,000 runs can be counted"));
        }
        if self.backend != Backend::Cpu && self.precision == Some(PrecisionName::Int8) {
            return Err(usage(format!("--precision int8 on {}", self.backend), "only the back end cpu has it"));
        }
        if let (Some(work), Some(precision), Some(threads)) = (self.only, self.precision, self.threads) {
            let line = self.measure(work, precision, threads, self.batches(work)[0])?;
            return self.print(&line);
        }
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        if !self.json {
            println!("back end {}, kernels: {}, {all} threads", self.backend, coxa_engine::cpu().name());
            println!(
                "{:<10} {:>9} {:>7} {:>5} {:>5} {:>10} {:>10} {:>8} {:>13}",
                "work", "precision", "threads", "size", "batch", "median ms", "min ms", "peak MB", "share of peak"
            );
        }
        let works = self.only.map_or(vec![Work::Detect, Work::Localize, Work::Train], |w| vec![w]);
        let mut threads = self.threads.map_or(vec![1, all], |t| vec![t]);
        threads.dedup();
        for work in works {
            for &n in &threads {
                for precision in self.precisions(work) {
                    for batch in self.batches(work) {
                        let line = self.measure_apart(work, precision, n, batch)?;
                        self.print(&line)?;
                    }
                }
            }
        }
        Ok(Outcome::Done)
    }

    fn precisions(&self, work: Work) -> Vec<PrecisionName> {
        match (self.precision, work) {
            (Some(precision), _) => vec![precision],
            (None, Work::Train) => vec![PrecisionName::F32, PrecisionName::Bf16],
            (None, _) if self.backend != Backend::Cpu => vec![PrecisionName::F32, PrecisionName::Bf16],
            (None, _) => vec![PrecisionName::F32, PrecisionName::Bf16, PrecisionName::Int8],
        }
    }

    fn batches(&self, work: Work) -> Vec<usize> {
        match (self.batch, work) {
            (Some(batch), _) => vec![batch],
            (None, Work::Detect) => vec![1, 8],
            (None, Work::Localize) => vec![1],
            (None, Work::Train) => vec![8],
        }
    }

    /// Runs this program again for one work, so that its peak memory is that work's alone.
    fn measure_apart(
        &self,
        work: Work,
        precision: PrecisionName,
        threads: usize,
        batch: usize,
    ) -> anyhow::Result<Line> {
        let name = |value: &dyn named::Name| value.name();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "--json", "--only", &name(&work), "--precision", &name(&precision)]);
        command.args(["--threads", &threads.to_string(), "--size", &self.size.to_string()]);
        command.args(["--batch", &batch.to_string(), "--runs", &self.runs.to_string()]);
        command.args(["--backend", &self.backend.to_string()]);
        if let Some(model) = &self.model {
            command.arg("--model").arg(model);
        }
        let output = command.stderr(std::process::Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("the measurement of {} failed", name(&work));
        }
        serde_json::from_slice(&output.stdout).context("the measurement's own line")
    }

    fn measure(&self, work: Work, precision: PrecisionName, threads: usize, batch: usize) -> anyhow::Result<Line> {
        let times = self.time(&mut self.workload(work, precision, threads, batch)?)?;
        let mut sorted = times.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median_ms =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        let share_of_peak = (work == Work::Detect && self.backend == Backend::Cpu).then(|| {
            let floor = ForwardWork::new(self.size).floor(precision.into(), threads) * batch as u32;
            floor.as_secs_f64() * 1e3 / median_ms
        });
        Ok(Line {
            work,
            precision,
            threads,
            size: self.size,
            batch,
            runs: self.runs,
            median_ms,
            min_ms: sorted[0],
            times_ms: times,
            peak_rss_mb: peak_rss_mb(),
            share_of_peak,
        })
    }

    fn parameters(&self) -> anyhow::Result<Parameters> {
        match &self.model {
            Some(path) => Ok(Bundle::load(path)?.parameters().clone()),
            None => Ok(Parameters::initialize(&Architecture::new(1), 1)),
        }
    }

    fn workload(&self, work: Work, precision: PrecisionName, threads: usize, batch: usize) -> anyhow::Result<Workload> {
        let options = DetectorOptions {
            precision: precision.into(),
            threads: Some(threads),
            backend: self.backend,
            image_size: Some(self.size),
            ..DetectorOptions::default()
        };
        Ok(match work {
            Work::Detect => Workload::detect(&self.parameters()?, &options, batch, self.size)?,
            Work::Localize => Workload::localize(&self.bundle()?, &options, batch)?,
            Work::Train => Workload::train(self.parameters()?, &options, batch, self.size)?,
        })
    }

    fn bundle(&self) -> anyhow::Result<Bundle> {
        if let Some(path) = &self.model {
            return Ok(Bundle::load(path)?);
        }
        let card = Card::imported("bench", vec!["no fracture".into(), "fracture".into()], self.size, "bench");
        Ok(Bundle::new(card, self.parameters()?)?)
    }

    fn time(&self, work: &mut Workload) -> anyhow::Result<Vec<f64>> {
        work.run()?;
        (0..self.runs)
            .map(|_| {
                let start = Instant::now();
                work.run()?;
                Ok(start.elapsed().as_secs_f64() * 1e3)
            })
            .collect()
    }

    fn print(&self, line: &Line) -> anyhow::Result<Outcome> {
        if self.json {
            json_line(line)?;
        } else {
            let peak = line.peak_rss_mb.map_or("-".to_owned(), |mb| format!("{mb:.0}"));
            let share = line.share_of_peak.map_or("-".to_owned(), |share| format!("{:.0}%", 100.0 * share));
            println!(
                "{:<10} {:>9} {:>7} {:>5} {:>5} {:>10.1} {:>10.1} {:>8} {share:>13}",
                named::Name::name(&line.work),
                named::Name::name(&line.precision),
                line.threads,
                line.size,
                line.batch,
                line.median_ms,
                line.min_ms,
                peak
            );
        }
        Ok(Outcome::Done)
    }
}

/// Names of the command line's own values.
mod named {
    use clap::ValueEnum;

    /// A value that has a name on the command line.
    pub trait Name {
        /// That name.
        fn name(&self) -> String;
    }

    impl<T: ValueEnum> Name for T {
        fn name(&self) -> String {
            self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
        }
    }
}

/// The process's peak resident memory, where the system reports it.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}
