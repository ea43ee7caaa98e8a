//! `coxa simulate`: a dataset of simulated films with their truth.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use coxa_cohort::Dataset;
use coxa_simulate::Domain;
use coxa_simulate::bones::surfaces::BoneSurfaces;
use coxa_simulate::datasets::hospital::{self, HospitalSpec};
use coxa_simulate::datasets::{self, DatasetSpec, FilmFormat, FilmSet, FilmsPerPatient, Proportions};

use super::check::Check;
use crate::output::Outcome;
use crate::progress::Bar;

/// Simulate radiographs with their truth: pelves and hips with and without a fracture, limbs, or a hospital's registry; or check simulated
/// hips against real ones.
///
/// The same seed and number give the same films, bit for bit. An interrupted run resumes when the command is repeated (a cohort starts
/// over). Example: `coxa simulate pelvis --n 20 --out films --format png`.
#[derive(Args)]
pub struct Simulate {
    #[command(subcommand)]
    what: Films,
}

#[derive(Subcommand)]
enum Films {
    /// Simulate frontal films of the pelvis and of single hips: by default half of them without a fracture, a quarter with one of the
    /// femoral neck, 22% with a trochanteric one, 3% with one below the trochanters.
    Pelvis {
        #[command(flatten)]
        spec: Spec,
        /// Shares of films without fracture, with one of the femoral neck, trochanteric, and below the trochanters (0 where it is
        /// not given).
        #[arg(long, value_name = "NONE,NECK,TROCHANTERIC[,SUBTROCHANTERIC]", value_parser = shares, default_value = "0.5,0.25,0.22,0.03")]
        shares: Proportions,
        /// Simulate two films of each patient, one with a fracture and one without, otherwise alike; for recipes with
        /// `order = "patients"`.
        #[arg(long)]
        pairs: bool,
        /// Probability of a close-up of one hip.
        #[arg(long)]
        close_up: Option<f32>,
    },
    /// Simulate a hospital: a trauma registry and the films of its injuries. Ages, sexes, injury severity scores and kinds of fracture
    /// follow the paper's Table 1. `coxa import registry` makes a dataset of it.
    Cohort {
        /// The new folder: registry.csv, films.csv and images/.
        #[arg(long)]
        out: PathBuf,
        /// Injuries in the registry.
        #[arg(long, short, default_value_t = 500)]
        n: usize,
        /// Seed of the random numbers; the same seed gives the same films.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Longest side of the films in pixels, 64 to 4096.
        #[arg(long, default_value_t = 512)]
        size: usize,
        /// The files' format.
        #[arg(long, value_enum, default_value = "dicom")]
        format: FormatName,
    },
    /// Simulate ankles, elbows, feet, knees and wrists in equal numbers.
    Limbs {
        #[command(flatten)]
        spec: Spec,
    },
    Check(Check),
}

#[derive(Args)]
struct Spec {
    /// The new dataset folder.
    #[arg(long)]
    out: PathBuf,
    /// Number of films.
    #[arg(long, short, default_value_t = 100)]
    n: usize,
    /// Seed of the random numbers; the same seed gives the same films.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Longest side in pixels, 64 to 4096; the paper's films had up to 2688.
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// The files' format.
    #[arg(long, value_enum, default_value = "dicom")]
    format: FormatName,
    /// Variation of pose, anatomy, exposure and processing, 0 (a tidy department) to 1 (the range for training).
    #[arg(long, default_value_t = 1.0)]
    variation: f32,
    /// Probability of metal from an earlier operation, the same with and without a fracture.
    #[arg(long)]
    hardware: Option<f32>,
    /// Probability of each kind of clutter: lines, clothing, markers, labels.
    #[arg(long)]
    clutter: Option<f32>,
    /// Folder of bone surfaces (VTP, STL, OBJ) that replace the built-in bones; each file is named after its bone: pelvis, sacrum,
    /// femur_r, tibia_l, talus and so on.
    #[arg(long, value_name = "DIR")]
    anatomy: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatName {
    /// Digital X-Ray Image for presentation.
    Dicom,
    /// 8-bit gray.
    Png,
}

fn shares(text: &str) -> Result<Proportions, String> {
    let numbers: Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    match numbers.as_deref() {
        Ok(&[normal, femoral_neck, trochanteric]) => {
            Ok(Proportions { normal, femoral_neck, trochanteric, subtrochanteric: 0.0 })
        }
        Ok(&[normal, femoral_neck, trochanteric, subtrochanteric]) => {
            Ok(Proportions { normal, femoral_neck, trochanteric, subtrochanteric })
        }
        _ => Err("give three or four numbers: 0.5,0.25,0.22,0.03".to_owned()),
    }
}

impl FormatName {
    fn format(self) -> FilmFormat {
        match self {
            FormatName::Dicom => FilmFormat::Dicom,
            FormatName::Png => FilmFormat::Png,
        }
    }
}

impl Spec {
    fn dataset(&self, what: FilmSet, proportions: Proportions) -> DatasetSpec {
        let usual = Domain::default();
        DatasetSpec {
            what,
            n: self.n,
            seed: self.seed,
            size: self.size,
            format: self.format.format(),
            proportions,
            patients: FilmsPerPatient::Single,
            domain: Domain {
                variation: self.variation,
                hardware: self.hardware.unwrap_or(usual.hardware),
                close_up: usual.close_up,
                clutter: self.clutter.unwrap_or(usual.clutter),
            },
            anatomy: self.anatomy.clone(),
        }
    }
}

impl Simulate {
    /// Writes the dataset.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let (spec, folder) = match &self.what {
            Films::Pelvis { spec, shares, pairs, close_up } => {
                let mut dataset = spec.dataset(FilmSet::Pelvis, *shares);
                dataset.patients = if *pairs { FilmsPerPatient::Pairs } else { FilmsPerPatient::Single };
                dataset.domain.close_up = close_up.unwrap_or(dataset.domain.close_up);
                (dataset, &spec.out)
            }
            Films::Check(check) => return check.run(),
            Films::Limbs { spec } => (spec.dataset(FilmSet::Limbs, Proportions::default()), &spec.out),
            Films::Cohort { out, n, seed, size, format } => {
                let hospital = HospitalSpec {
                    n: *n,
                    seed: *seed,
                    size: *size,
                    format: format.format(),
                    ..HospitalSpec::default()
                };
                let progress = Bar::new("simulating a hospital", *n);
                hospital::write(out, &hospital, &|done| progress.set(done, ""))?;
                progress.finish();
                println!("{}: {n} injuries with their simulated films", out.display());
                println!("next: coxa import registry {0}/registry.csv --films {0}/films.csv --out DIR", out.display());
                return Ok(Outcome::Done);
            }
        };
        if let Some(bones) = &spec.anatomy {
            let skipped = BoneSurfaces::skipped(bones)?;
            if !skipped.is_empty() {
                eprintln!("note: {}: skipped, as no bone has such a name: {}", bones.display(), skipped.join(", "));
            }
        }
        let dataset = write("simulating films", folder, &spec)?;
        println!("{}: {} simulated films", folder.display(), dataset.films.len());
        Ok(Outcome::Done)
    }
}

/// Writes a dataset with a bar named `label`.
///
/// # Errors
/// When the folder holds something else, a setting is out of range, or the disk refuses.
fn write(label: &str, folder: &Path, spec: &DatasetSpec) -> anyhow::Result<Dataset> {
    let progress = Bar::new(label, spec.n);
    let dataset = datasets::write(folder, spec, &|done| progress.set(done, ""))?;
    progress.finish();
    Ok(dataset)
}
