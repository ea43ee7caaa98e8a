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

/// Make a dataset folder (manifest.csv, truth.csv, images/) from films that are already there.
///
/// A folder that is not empty is never written to; a file that cannot be imported is named, and the others are imported.
#[derive(Args)]
pub struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Subcommand)]
enum From {
    /// Import FracAtlas, in its own layout.
    #[command(after_help = "Example: coxa import fracatlas FracAtlas --hip --out fracatlas")]
    Fracatlas {
        /// The set's folder (dataset.csv, images/, Annotations/).
        folder: PathBuf,
        #[command(flatten)]
        to: To,
        /// Import only the films with a hip in view.
        #[arg(long, conflicts_with = "listed")]
        hip: bool,
        /// Import only the films of this table (image_id, label; presumed_patient and sideways if there).
        #[arg(long)]
        listed: Option<PathBuf>,
        /// Presume one patient for so many consecutive numbers, as the set names none.
        #[arg(long, default_value_t = 10)]
        block: u64,
    },
    /// Import MURA, in its own layout (XR_WRIST/patient00001/study1_positive/image1.png).
    #[command(after_help = "Example: coxa import mura MURA-v1.1/train --out limbs")]
    Mura {
        /// The set's folder.
        folder: PathBuf,
        #[command(flatten)]
        to: To,
    },
    /// Import a folder of folders, one for each class.
    #[command(after_help = "Example: coxa import folders hips --names labels --patient-prefix _ --out films")]
    Folders {
        /// The folder.
        folder: PathBuf,
        #[command(flatten)]
        to: To,
        /// What the folders' names mean.
        #[arg(long, value_enum, default_value = "body-parts")]
        names: Names,
        /// End the patient's name in a file's name at this character: `_` for P17_2.png.
        #[arg(long, conflicts_with = "each_film")]
        patient_prefix: Option<char>,
        /// Take each film as a patient of its own; only where that is known to be true.
        #[arg(long)]
        each_film: bool,
    },
    /// Import a trauma registry and a table of films, joined by patient and day of injury.
    #[command(after_help = "Example: coxa import registry registry.csv --films films.csv --out cohort")]
    Registry {
        /// The registry: patient, injury_date, age, sex, iss, diagnosis, admitted, procedures.
        registry: PathBuf,
        /// The films: patient, film_date, view, path, quality; source and box_x, box_y, box_width, box_height if there.
        #[arg(long)]
        films: PathBuf,
        /// Label questionable diagnoses by this review: patient, injury_date, label; fracture_type and side if there.
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
    /// Copy, link or refer to the files.
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
    /// Imports and prints what was imported and what was not.
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
                        "{open} films have no label yet, as their diagnosis is questionable: review them and import again with \
                         --reviewed FILE.csv (patient, injury_date, label)"
                    );
                }
                Ok(Outcome::of_failures(report.refused.len()))
            }
        }
    }
}

/// Reads a DICOM file to its end: what could not be read later is refused now, and a patient's name is noted.
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
