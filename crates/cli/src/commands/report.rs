//! `coxa report`: a dataset read by a bundle, as one page with every table and figure.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use coxa_cohort::{Dataset, Film};
use coxa_files::whole::Partial;
use coxa_model::{Bundle, Reader, ReaderOptions};
use coxa_study::figures::roc::ReaderPoint;

use super::assess::{Request, assess};
use super::evaluate::How;
use super::predict::bundle_or_shipped;
use crate::output::Outcome;

/// Reads a dataset's films, evaluates the readings and writes the report: one self-contained page, each figure as SVG, each table as CSV,
/// the predictions and the readings.
#[derive(Args)]
pub struct Report {
    /// The dataset folder.
    #[arg(long)]
    data: PathBuf,
    /// The bundle, as `coxa train` and `coxa model import` make it [default: the one that comes with the program].
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// A training run, whose curves are shown.
    #[arg(long)]
    run: Option<PathBuf>,
    /// Readers to draw beside the ROC curve (name, group, sensitivity, specificity).
    #[arg(long, value_name = "FILE.csv")]
    readers: Option<PathBuf>,
    /// The new folder of the report.
    #[arg(long)]
    out: PathBuf,
    /// Another input size than the bundle's.
    #[arg(long)]
    image_size: Option<usize>,
    /// Only films of this year and later (column `year`): a test set apart in time, as the paper's.
    #[arg(long, value_name = "YEAR")]
    from_year: Option<i32>,
    /// Reads films too that the bundle was trained or validated on. Such a report is no test.
    #[arg(long)]
    seen_films: bool,
    /// The title.
    #[arg(long, default_value = "Hip fractures on pelvic radiographs")]
    title: String,
    #[command(flatten)]
    how: How,
}

impl Report {
    /// Reads, evaluates and writes.
    pub fn run(self) -> anyhow::Result<Outcome> {
        if self.out.exists() {
            bail!("{} exists already; nothing is overwritten", self.out.display());
        }
        let readers = self.readers.as_deref().map(read_readers).transpose()?.unwrap_or_default();
        let mut dataset = Dataset::load(&self.data)?;
        if let Some(year) = self.from_year {
            let left_out = dataset.keep_from_year(year)?;
            if left_out > 0 {
                eprintln!("{left_out} films are left out: their patients have films from before {year}");
            }
        }
        let bundle = bundle_or_shipped(self.model.as_deref())?;
        if !self.seen_films {
            refuse_seen(&dataset, &bundle)?;
        }
        let options =
            ReaderOptions { image_size: self.image_size, threshold: self.how.threshold, ..ReaderOptions::default() };
        let mut reader = Reader::new(&bundle, &options)?;
        let at = || self.out.display().to_string();
        let partial = Partial::folder(&self.out).with_context(at)?;
        let request = Request {
            dataset: &dataset,
            run: self.run.as_deref(),
            readers,
            options: self.how.options(bundle.card().threshold.value)?,
            title: self.title,
            out: partial.path(),
            next: Vec::new(),
        };
        let assessment = assess(request, &mut reader)?;
        partial.keep().with_context(at)?;
        println!("{}", self.out.join("index.html").display());
        Ok(Outcome::of_failures(assessment.failed))
    }
}

/// Refuses films that the bundle was trained or validated on: figures from them would be no test.
fn refuse_seen(dataset: &Dataset, bundle: &Bundle) -> anyhow::Result<()> {
    let mut seen: Vec<&Film> = Vec::new();
    for film in dataset.films.iter().filter(|film| !film.excluded) {
        if bundle.has_seen(&dataset.content_of(film)?) {
            seen.push(film);
        }
    }
    if seen.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = seen.iter().take(5).map(|film| film.image_id.as_str()).collect();
    let more = if seen.len() > named.len() { ", …" } else { "" };
    bail!(
        "{}: {} of the films were trained or validated on with this bundle ({}{more}), so this would be no test\n\
         hint: give films kept apart (--from-year, another dataset), or --seen-films to report on them all the same",
        dataset.folder.join("manifest.csv").display(),
        seen.len(),
        named.join(", ")
    )
}

fn read_readers(path: &std::path::Path) -> anyhow::Result<Vec<ReaderPoint>> {
    #[derive(serde::Deserialize)]
    struct Row {
        name: String,
        group: String,
        sensitivity: f64,
        specificity: f64,
    }
    let mut rows = csv::Reader::from_path(path).with_context(|| format!("{}", path.display()))?;
    let mut readers = Vec::new();
    for (i, row) in rows.deserialize::<Row>().enumerate() {
        let row = row.with_context(|| format!("{}, row {}", path.display(), i + 1))?;
        if ![row.sensitivity, row.specificity].iter().all(|value| (0.0..=1.0).contains(value)) {
            bail!("{}, row {}: sensitivity and specificity are from 0 to 1", path.display(), i + 1);
        }
        readers.push(ReaderPoint {
            group: row.group,
            name: row.name,
            sensitivity: row.sensitivity,
            specificity: row.specificity,
        });
    }
    Ok(readers)
}
