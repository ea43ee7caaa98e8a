//! `coxa report`: a dataset read by a bundle, as one page with every table and figure.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use coxa_cohort::Dataset;
use coxa_files::whole::Partial;
use coxa_model::bundle::PatientKey;
use coxa_model::train::RunLayout;
use coxa_model::{Bundle, Detector, DetectorOptions};
use coxa_study::figures::roc::ReaderPoint;

use super::assess::{Request, assess};
use super::evaluate::How;
use super::predict::bundle_or_shipped;
use crate::output::{Outcome, hint};

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
            refuse_seen(&dataset, &bundle, self.patient_key()?.as_ref())?;
        }
        let options = DetectorOptions {
            image_size: self.image_size,
            threshold: self.how.threshold,
            ..DetectorOptions::default()
        };
        let mut reader = Detector::new(&bundle, &options)?;
        let at = || self.out.display().to_string();
        let partial = Partial::folder(&self.out).with_context(at)?;
        let request = Request {
            dataset: &dataset,
            run: self.run.as_deref(),
            readers,
            options: self.how.options(bundle.card().threshold.threshold)?,
            title: self.title,
            out: partial.path(),
            next: Vec::new(),
        };
        let assessment = assess(request, &mut reader)?;
        partial.keep().with_context(at)?;
        println!("{}", self.out.join("index.html").display());
        Ok(Outcome::of_failures(assessment.failed))
    }

    /// The key under which the bundle knows its patients: of `--run`, or of the run that the bundle lies in.
    fn patient_key(&self) -> anyhow::Result<Option<PatientKey>> {
        let run = self.run.as_ref().map(RunLayout::new);
        let run = run.or_else(|| RunLayout::of_bundle(self.model.as_deref()?));
        let path = run.map(|run| run.patient_key()).filter(|path| path.is_file());
        Ok(path.map(|path| PatientKey::load(&path)).transpose()?)
    }
}

/// Refuses films that the bundle was trained or validated on, and other films of their patients: figures from them would be no test.
fn refuse_seen(dataset: &Dataset, bundle: &Bundle, key: Option<&PatientKey>) -> anyhow::Result<()> {
    let key = key.filter(|key| bundle.knows_patients_by(key));
    if key.is_none() && bundle.card().data.is_some() {
        eprintln!(
            "note: patients cannot be compared with those that the bundle was trained on, as its run's patient.key is not at hand (--run); \
             films are compared by their files"
        );
    }
    let (mut seen, mut of_patients) = (Vec::new(), 0);
    for film in dataset.films.iter().filter(|film| !film.excluded) {
        if bundle.has_seen(&dataset.content_of(film)?) {
            seen.push(film.image_id.as_str());
        } else if key.is_some_and(|key| bundle.has_seen_patient(&film.patient, key)) {
            of_patients += 1;
            seen.push(film.image_id.as_str());
        }
    }
    if seen.is_empty() {
        return Ok(());
    }
    let named = seen[..seen.len().min(5)].join(", ");
    let more = if seen.len() > 5 { ", …" } else { "" };
    let patients = match of_patients {
        0 => String::new(),
        n => format!(", {n} of them as other films of a patient"),
    };
    Err(hint(
        format!(
            "{}: {} of the films were trained or validated on with this bundle{patients} ({named}{more}), so this would be no test",
            dataset.folder.join("manifest.csv").display(),
            seen.len(),
        ),
        "give films kept apart (--from-year, another dataset), or --seen-films to report on them all the same",
    ))
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
