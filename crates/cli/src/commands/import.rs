//! `coxa import`: public sets, plain folders and a hospital's registry become a dataset folder.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use coxa_cohort::Dataset;
use coxa_cohort::flow::Flow;
use coxa_cohort::importers::{
    Files, Films, FolderOptions, Folders, FracAtlasOptions, ImportReport, PatientSource, Refused, Seen, folders,
    fracatlas, mura,
};
use coxa_cohort::registry::{self, Sources};

use crate::output::Outcome;

/// Makes a dataset folder (manifest.csv, truth.csv, images/) of films that are already at hand.
///
/// A folder that is not empty is never written to; a file that cannot be taken is named, and the others are taken.
#[derive(Args)]
pub struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Subcommand)]
enum From {
    /// FracAtlas, in its own layout.
    Fracatlas {
        /// The set's folder (dataset.csv, images/, Annotations/).
        folder: PathBuf,
        #[command(flatten)]
        to: To,
        /// Only the films with a hip in view.
        #[arg(long, conflicts_with = "listed")]
        hip: bool,
        /// Only the films of this table (image_id, label; presumed_patient and sideways if there).
        #[arg(long)]
        listed: Option<PathBuf>,
        /// Consecutive numbers that make a presumed patient, as the set names none.
        #[arg(long, default_value_t = 10)]
        block: u64,
    },
    /// MURA, in its own layout (XR_WRIST/patient00001/study1_positive/image1.png).
    Mura {
        /// The set's folder.
        folder: PathBuf,
        #[command(flatten)]
        to: To,
    },
    /// A plain folder of folders, one for each class.
    Folders {
        /// The folder.
        folder: PathBuf,
        #[command(flatten)]
        to: To,
        /// What the folders' names mean.
        #[arg(long, value_enum, default_value = "body-parts")]
        names: Names,
        /// The character that ends the patient in a file's name: `_` for P17_2.png.
        #[arg(long, conflicts_with = "each_film")]
        patient_prefix: Option<char>,
        /// Each film is a patient of its own; only where that is known to be true.
        #[arg(long)]
        each_film: bool,
    },
    /// A trauma registry and a table of films, joined by patient and day of injury.
    Registry {
        /// The registry: patient, injury_date, age, sex, iss, diagnosis, admitted, procedures.
        registry: PathBuf,
        /// The films: patient, film_date, view, path, quality; source and box_x, box_y, box_width, box_height if there.
        #[arg(long)]
        films: PathBuf,
        /// What a person said about questionable diagnoses: patient, injury_date, label; fracture_type and side if there.
        #[arg(long, value_name = "FILE.csv")]
        reviewed: Option<PathBuf>,
        #[command(flatten)]
        to: To,
    },
}

#[derive(Args)]
struct To {
    /// The new dataset folder.
    #[arg(long)]
    out: PathBuf,
    /// What becomes of the files.
    #[arg(long, value_enum, default_value = "copy")]
    files: FilesName,
}

#[derive(Clone, Copy, ValueEnum)]
enum FilesName {
    /// Copied into the dataset.
    Copy,
    /// Hard-linked where possible.
    Link,
    /// Left where they are and named by their path.
    Reference,
}

#[derive(Clone, Copy, ValueEnum)]
enum Names {
    /// ankle/, wrist/, …
    BodyParts,
    /// fractured/, normal/, 0/, 1/
    Labels,
}

impl To {
    fn files(&self) -> Files {
        match self.files {
            FilesName::Copy => Files::Copy,
            FilesName::Link => Files::HardLink,
            FilesName::Reference => Files::Reference,
        }
    }
}

impl Import {
    /// Imports and says what was taken and what was not.
    pub fn run(self) -> anyhow::Result<Outcome> {
        match self.from {
            From::Fracatlas { folder, to, hip, listed, block } => {
                let films = match (listed, hip) {
                    (Some(table), _) => Films::Listed(table),
                    (None, true) => Films::Hip,
                    (None, false) => Films::All,
                };
                let options = FracAtlasOptions { films, files: to.files(), block_length: block };
                finish(fracatlas(&folder, &to.out, &options).context("importing FracAtlas")?)
            }
            From::Mura { folder, to } => finish(mura(&folder, &to.out, to.files()).context("importing MURA")?),
            From::Folders { folder, to, names, patient_prefix, each_film } => {
                let options = FolderOptions {
                    folders: match names {
                        Names::BodyParts => Folders::BodyParts,
                        Names::Labels => Folders::Labels,
                    },
                    patients: match (patient_prefix, each_film) {
                        (Some(prefix), _) => PatientSource::Prefix(prefix),
                        (None, true) => PatientSource::EachFilm,
                        (None, false) => PatientSource::Subfolder,
                    },
                    files: to.files(),
                    look,
                };
                finish(folders(&folder, &to.out, options).context("importing folders")?)
            }
            From::Registry { registry, films, reviewed, to } => {
                let sources = Sources { registry: &registry, films: &films, reviewed: reviewed.as_deref() };
                let (dataset, report) = registry::link(&sources, &to.out, to.files(), look)?;
                for film in &report.unused {
                    eprintln!("note: {}, line {}: not used: {}", films.display(), film.line, film.reason);
                }
                let open = dataset.films.iter().filter(|film| film.reason.starts_with("review:")).count();
                say(&dataset, &report.flow, &report.refused, &report.notes);
                if open > 0 {
                    eprintln!(
                        "{open} films have no label yet, as their diagnosis is questionable: look at them and import again with \
                         --reviewed FILE.csv (patient, injury_date, label)"
                    );
                }
                Ok(Outcome::of_failures(report.refused.len()))
            }
        }
    }
}

/// A DICOM file is read to its end: what could not be read later is refused now, and a patient's name is told.
fn look(bytes: &[u8]) -> Result<Seen, String> {
    if !coxa_imaging::is_dicom(bytes) {
        return Ok(Seen::Nothing);
    }
    match coxa_imaging::names_patient(bytes, "its DICOM") {
        Ok(true) => Ok(Seen::Patient),
        Ok(false) => Ok(Seen::Nothing),
        Err(error) => Err(error.to_string()),
    }
}

fn finish((dataset, report): (Dataset, ImportReport)) -> anyhow::Result<Outcome> {
    say(&dataset, &report.flow, &report.refused, &report.notes);
    Ok(Outcome::of_failures(report.refused.len()))
}

fn say(dataset: &Dataset, flow: &Flow, refused: &[Refused], notes: &[String]) {
    for Refused { file, reason } in refused {
        eprintln!("error: {file}: {reason}");
    }
    for note in notes {
        eprintln!("note: {note}");
    }
    for step in &flow.steps {
        eprintln!("{:>7}  {}", step.n, step.what);
        for left_out in &step.left_out {
            eprintln!("          - {} {}", left_out.n, left_out.what);
        }
    }
    for outcome in &flow.outcomes {
        eprintln!("{:>7}  {}", outcome.n, outcome.what);
    }
    let excluded = dataset.films.iter().filter(|film| film.excluded).count();
    println!("{}: {} films, {excluded} of them excluded", dataset.folder.display(), dataset.films.len());
}
