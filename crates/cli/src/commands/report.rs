//! `coxa report`: a dataset read by a bundle, as one page with every table and figure.

use std::path::{Path, PathBuf};

use clap::Args;
use coxa_cohort::Dataset;
use coxa_model::{Detector, DetectorOptions};
use coxa_study::figures::roc::ReaderPoint;
use coxa_study::judged::Judgments;
use coxa_workflow::models::open_bundle;
use coxa_workflow::report::{ReportRequest, assess, refuse_existing};
use coxa_workflow::seen::{patient_key, refuse_seen};

use super::evaluate::How;
use crate::output::{Outcome, usage};
use crate::screen::Screen;

/// Read a dataset's films, evaluate the readings and write the report: one self-contained page, each figure as SVG and PDF, each table as
/// CSV, the predictions and the readings.
#[derive(Args)]
#[command(after_help = "Example: coxa report --data films --from-year 2017 --model runs/paper-1/bundle --out report")]
pub struct Report {
    /// Read this dataset folder.
    #[arg(long)]
    data: PathBuf,
    /// Use this bundle, as `coxa train` and `coxa model import` make it [default: the one that comes with the program].
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Show the curves of this training run.
    #[arg(long)]
    run: Option<PathBuf>,
    /// Draw these readers beside the ROC curve (name, group, sensitivity, specificity).
    #[arg(long, value_name = "FILE.csv")]
    readers: Option<PathBuf>,
    /// Show heat maps that a physician judged next to the automatic score (image_id, site).
    #[arg(long, value_name = "FILE.csv")]
    judged: Option<PathBuf>,
    /// Write the report to this new folder.
    #[arg(long)]
    out: PathBuf,
    /// Read at another input size than the bundle's.
    #[arg(long)]
    image_size: Option<usize>,
    /// Read only films of this year and later (column `year`): a test set apart in time, as the paper's.
    #[arg(long, value_name = "YEAR")]
    from_year: Option<i32>,
    /// Read films too that the bundle was trained or validated on, or of their patients. Such a report is no test.
    #[arg(long)]
    seen_films: bool,
    /// Give the page this title.
    #[arg(long, default_value = "Hip fractures on pelvic radiographs")]
    title: String,
    #[command(flatten)]
    how: How,
}

impl Report {
    /// Reads, evaluates and writes.
    pub fn run(self) -> anyhow::Result<Outcome> {
        refuse_existing(&self.out)?;
        let readers = self.readers.as_deref().map(read_readers).transpose()?.unwrap_or_default();
        let judgments = self.judged.as_deref().map(Judgments::load).transpose()?;
        let mut dataset = Dataset::load(&self.data)?;
        if let Some(year) = self.from_year {
            let left_out = dataset.keep_from_year(year)?;
            if left_out > 0 {
                eprintln!("note: {left_out} films are left out: their patients have films from before {year}");
            }
        }
        let mut screen = Screen::default();
        let bundle = open_bundle(self.model.as_deref(), &mut screen)?;
        if !self.seen_films {
            let key = patient_key(self.run.as_deref(), self.model.as_deref())?;
            refuse_seen(&dataset, &bundle, key.as_ref(), &mut screen)?;
        }
        let options = DetectorOptions {
            image_size: self.image_size,
            threshold: self.how.threshold,
            ..DetectorOptions::default()
        };
        let mut detector = Detector::new(&bundle, &options)?;
        let options = self.how.options(bundle.card().threshold.threshold)?;
        // The detector has what it needs of it.
        drop(bundle);
        let request = ReportRequest {
            dataset: &dataset,
            run: self.run.as_deref(),
            readers,
            judgments,
            options,
            title: self.title,
            out: &self.out,
            next: Vec::new(),
        };
        let assessment = assess(request, &mut detector, &mut screen)?;
        screen.finish();
        if assessment.not_read > 0 {
            eprintln!("note: {} films were not read; the flow of films says why", assessment.not_read);
        }
        println!("{}", self.out.join("index.html").display());
        Ok(Outcome::of_failures(assessment.failed))
    }
}

fn read_readers(path: &Path) -> anyhow::Result<Vec<ReaderPoint>> {
    let table = coxa_files::Table::read(path)?;
    for column in ["name", "group", "sensitivity", "specificity"] {
        table.require(column)?;
    }
    let reader = |row: coxa_files::Row<'_>| {
        const EXPECTED: &str = "a share of 0 to 1";
        let share = |column| {
            let value = row.number(column, 0.0..=1.0, EXPECTED)?;
            value.ok_or_else(|| row.value_error(column, EXPECTED))
        };
        Ok(ReaderPoint {
            name: row.required("name", "the reader's name")?.to_owned(),
            group: row.text("group").to_owned(),
            sensitivity: share("sensitivity")?,
            specificity: share("specificity")?,
        })
    };
    let readers: Result<Vec<ReaderPoint>, coxa_files::TableError> = table.rows().map(reader).collect();
    match readers?.as_slice() {
        [] => Err(usage(format!("{}: no reader is in the table", path.display()), "leave --readers out")),
        readers => Ok(readers.to_vec()),
    }
}
