//! Writes a dataset of simulated films: `images/`, then `truth.csv` and `manifest.csv`, as [`coxa_cohort::Dataset`] reads them.
//!
//! Every film is written under a temporary name and renamed, with a note of its truth beside it (`.films/`); the manifest comes
//! last. A run that was killed leaves no half film and no manifest: the same call continues where it stopped and
//! ends with the same bytes. A finished dataset is never overwritten.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use coxa_cohort::{BodyPart, Dataset, Film, FractureType, Label, Sex, Side, TruthBox, disk};
use coxa_dicom::dx::{self, AnatomicRegion as Region, DxOptions};
use coxa_imaging::{Laterality, encode};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::anatomy::Anatomy;
use crate::error::SimulateError;
use crate::limbs::{self, limb_with};
use crate::random::{Stream, stream};
use crate::types::{Domain, FilmKind, FilmOptions, Hardware, SimulatedFilm, display8};

/// Which films.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Frontal films of pelvis and hip, with and without fracture.
    Pelvis,
    /// Films of the five limb parts in equal numbers, without fractures.
    Limbs,
}

/// The files' format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Digital X-ray images for presentation.
    Dicom,
    /// 8-bit gray PNG of the display values.
    Png,
}

/// Shares of the classes of pelvic films; they need not sum to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportions {
    /// No fracture.
    pub normal: f32,
    /// Fracture of the femoral neck.
    pub femoral_neck: f32,
    /// Trochanteric fracture.
    pub trochanteric: f32,
}

impl Default for Proportions {
    fn default() -> Self {
        Self { normal: 0.5, femoral_neck: 0.25, trochanteric: 0.25 }
    }
}

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetSpec {
    /// Which films.
    pub what: What,
    /// How many, 1 to 10,000,000.
    pub n: usize,
    /// Everything follows from it.
    pub seed: u64,
    /// Longest side in pixels, 64 to 4096.
    pub size: usize,
    /// The files' format.
    pub format: Format,
    /// Classes of pelvic films.
    pub proportions: Proportions,
    /// Films of a patient.
    pub patients: Patients,
    /// How much else varies.
    pub domain: Domain,
    /// A folder of bone surfaces to take in place of the built-in ones ([`crate::anatomy`]).
    pub anatomy: Option<PathBuf>,
}

impl Default for DatasetSpec {
    fn default() -> Self {
        Self {
            what: What::Pelvis,
            n: 1000,
            seed: 1,
            size: 512,
            format: Format::Dicom,
            proportions: Proportions::default(),
            patients: Patients::default(),
            domain: Domain::default(),
            anatomy: None,
        }
    }
}

/// How many films a patient has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Patients {
    /// One.
    #[default]
    Single,
    /// Two pelvic films, with and without a fracture, that differ in nothing else: what is learned from both at once can only be the
    /// fracture. The proportions then say how often each kind of fracture is.
    Pairs,
}

/// The file that says what a folder without a manifest is being filled with.
const PLAN: &str = ".simulation";
/// The folder of the films' truths while films are being made.
const NOTES: &str = ".films";

/// Writes the dataset into `folder`, in parallel; `progress` is called from several threads with the number of films that are
/// done, each number once. Returns the dataset as it was saved.
///
/// # Errors
/// [`SimulateError`]: a setting out of range, a folder that holds something else, a bone surface that cannot be read, the disk.
pub fn write(folder: &Path, spec: &DatasetSpec, progress: &(dyn Fn(usize) + Sync)) -> Result<Dataset, SimulateError> {
    let anatomy = spec.anatomy.as_deref().map(Anatomy::load).transpose()?;
    let jobs = jobs(spec)?;
    let _alone = begin(folder, &plan(spec))?;
    let done = AtomicUsize::new(0);
    let rows = jobs
        .par_iter()
        .enumerate()
        .map(|(i, job)| {
            let id = format!("S{i:07}");
            let row = match read_note(folder, &id, spec.format) {
                Some(row) => row,
                None => {
                    let patient = match spec.patients {
                        Patients::Single => i,
                        Patients::Pairs => i / 2,
                    };
                    let film = job.draw(patient as u64, spec, anatomy.as_ref());
                    let row = save_film(folder, &id, &format!("SIM{patient:07}"), &film, spec)?;
                    write_note(folder, &id, &row)?;
                    row
                }
            };
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(row)
        })
        .collect::<Result<Vec<_>, SimulateError>>()?;
    finish(folder, rows)
}

/// What one film is to be.
#[derive(Clone, Debug)]
enum Job {
    Pelvis(FilmKind),
    Limb(BodyPart),
}

impl Job {
    fn draw(&self, index: u64, spec: &DatasetSpec, anatomy: Option<&Anatomy>) -> SimulatedFilm {
        let options = FilmOptions { size: spec.size, domain: spec.domain, ..FilmOptions::default() };
        match self {
            Job::Pelvis(kind) => {
                crate::film::pelvis_with(spec.seed, index, &FilmOptions { kind: *kind, ..options }, anatomy)
            }
            Job::Limb(part) => limb_with(spec.seed, index, part, &options, anatomy),
        }
    }
}

/// The films to make, checked: the classes in exact numbers (largest remainders), in an order that the seed decides.
fn jobs(spec: &DatasetSpec) -> Result<Vec<Job>, SimulateError> {
    let wrong = |setting, value: String, expected| Err(SimulateError::Setting { setting, value, expected });
    if !(1..=10_000_000).contains(&spec.n) {
        return wrong("the number of films", spec.n.to_string(), "1 to 10,000,000");
    }
    if !(64..=4096).contains(&spec.size) {
        return wrong("the film's size", spec.size.to_string(), "64 to 4096 pixels");
    }
    let p = spec.proportions;
    let shares = [p.normal, p.femoral_neck, p.trochanteric];
    let Domain { variation, hardware, close_up, clutter } = spec.domain;
    for (name, value) in
        [("variation", variation), ("hardware", hardware), ("close-up", close_up), ("clutter", clutter)]
    {
        if !(0.0..=1.0).contains(&value) {
            return wrong(name, value.to_string(), "0 to 1");
        }
    }
    let kinds: Vec<(Job, f32)> = match spec.what {
        What::Pelvis => {
            if shares.iter().any(|x| !x.is_finite() || *x < 0.0) || shares.iter().sum::<f32>() <= 0.0 {
                let shown = shares.map(|share| share.to_string()).join(",");
                return wrong("the shares", shown, "three numbers of 0 or more, not all 0");
            }
            [FilmKind::Normal, FilmKind::FemoralNeck, FilmKind::Trochanteric]
                .map(Job::Pelvis)
                .into_iter()
                .zip(shares)
                .collect()
        }
        What::Limbs => limbs::PARTS.into_iter().map(|part| (Job::Limb(part), 1.0)).collect(),
    };
    if spec.patients == Patients::Pairs {
        return pairs(spec);
    }
    let mut jobs: Vec<Job> = counts(&kinds.iter().map(|k| k.1).collect::<Vec<_>>(), spec.n)
        .into_iter()
        .zip(&kinds)
        .flat_map(|(n, (job, _))| std::iter::repeat_n(job.clone(), n))
        .collect();
    jobs.shuffle(&mut stream(spec.seed, u64::MAX, Stream::Class));
    Ok(jobs)
}

/// As [`jobs`], for patients with two films each, the one without a fracture first.
fn pairs(spec: &DatasetSpec) -> Result<Vec<Job>, SimulateError> {
    let wrong = |setting, value: String, expected| Err(SimulateError::Setting { setting, value, expected });
    if spec.what != What::Pelvis || !spec.n.is_multiple_of(2) {
        return wrong("pairs", format!("{} films of {:?}", spec.n, spec.what), "an even number of pelvic films");
    }
    let shares = [spec.proportions.femoral_neck, spec.proportions.trochanteric];
    if shares.iter().sum::<f32>() <= 0.0 {
        return wrong("the proportions", format!("{shares:?}"), "a kind of fracture, for pairs");
    }
    let mut kinds: Vec<FilmKind> = counts(&shares, spec.n / 2)
        .into_iter()
        .zip([FilmKind::FemoralNeck, FilmKind::Trochanteric])
        .flat_map(|(n, kind)| std::iter::repeat_n(kind, n))
        .collect();
    kinds.shuffle(&mut stream(spec.seed, u64::MAX, Stream::Class));
    Ok(kinds.into_iter().flat_map(|kind| [FilmKind::Normal, kind].map(Job::Pelvis)).collect())
}

/// `n` divided in proportion to the shares, rounded by largest remainders.
fn counts(shares: &[f32], n: usize) -> Vec<usize> {
    let sum: f64 = shares.iter().map(|x| f64::from(*x)).sum();
    let exact: Vec<f64> = shares.iter().map(|x| f64::from(*x) / sum * n as f64).collect();
    let mut counts: Vec<usize> = exact.iter().map(|x| x.floor() as usize).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| (exact[*b].fract()).total_cmp(&exact[*a].fract()));
    let missing = n - counts.iter().sum::<usize>();
    for i in order.into_iter().take(missing) {
        counts[i] += 1;
    }
    counts
}

/// The settings in words, to know an unfinished run again.
fn plan(spec: &DatasetSpec) -> String {
    format!("coxa-simulate {}\n{spec:#?}\n", env!("CARGO_PKG_VERSION"))
}

/// Makes the folder, or takes up an unfinished run of the same plan. Nobody else can as long as the file that is returned is held.
fn begin(folder: &Path, plan: &str) -> Result<File, SimulateError> {
    let occupied = |reason: &str| SimulateError::Occupied { folder: folder.to_owned(), reason: reason.to_owned() };
    let is_finished = || folder.join(coxa_cohort::dataset::MANIFEST).exists();
    if is_finished() {
        return Err(occupied("there is a dataset already"));
    }
    fs::create_dir_all(folder).map_err(SimulateError::io(folder))?;
    let path = folder.join(PLAN);
    if !path.exists() && fs::read_dir(folder).map_err(SimulateError::io(folder))?.next().is_some() {
        return Err(occupied("the folder is not empty"));
    }
    let mut file = locked(&path, folder)?;
    if is_finished() {
        return Err(occupied("there is a dataset already"));
    }
    let mut found = String::new();
    file.read_to_string(&mut found).map_err(SimulateError::io(&path))?;
    // A run that was killed at its very beginning leaves the plan empty or cut.
    if !plan.starts_with(&found) {
        return Err(occupied("there is an unfinished simulation with other settings"));
    }
    file.rewind().and_then(|()| file.write_all(plan.as_bytes())).map_err(SimulateError::io(&path))?;
    for name in ["images", NOTES] {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(SimulateError::io(&path))?;
        disk::sweep(&path);
    }
    Ok(file)
}

/// Opens a file, made if need be, that one simulation at a time can hold.
pub(crate) fn locked(path: &Path, folder: &Path) -> Result<File, SimulateError> {
    let mut options = File::options();
    let file =
        options.read(true).write(true).create(true).truncate(false).open(path).map_err(SimulateError::io(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SimulateError::Occupied {
            folder: folder.to_owned(),
            reason: "another simulation is writing into it".to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(SimulateError::io(path)(error)),
    }
}

/// Saves manifest and truth, then clears away what the run needed. A run stopped in between is finished all the same: its
/// leftovers are only hidden files.
fn finish(folder: &Path, rows: Vec<(Film, Option<TruthBox>)>) -> Result<Dataset, SimulateError> {
    let mut dataset = Dataset::new(folder);
    for (film, truth) in rows {
        dataset.films.push(film);
        dataset.truth.extend(truth);
    }
    dataset.save()?;
    let notes = folder.join(NOTES);
    fs::remove_dir_all(&notes).map_err(SimulateError::io(&notes))?;
    let plan = folder.join(PLAN);
    fs::remove_file(&plan).map_err(SimulateError::io(&plan))?;
    Ok(dataset)
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SimulateError> {
    disk::write_whole(path, bytes).map_err(SimulateError::io(path))
}

/// The extension of a format.
pub(crate) fn extension(format: Format) -> &'static str {
    match format {
        Format::Dicom => "dcm",
        Format::Png => "png",
    }
}

/// The bytes of a film's file.
pub(crate) fn encoded(
    film: &SimulatedFilm,
    format: Format,
    patient: &str,
    seed_uid: &str,
    study_date: &str,
) -> Result<Vec<u8>, SimulateError> {
    if format == Format::Png {
        return Ok(encode::png_gray8_to_vec(film.width, film.height, &display8(film))?);
    }
    let both = film.body_part == BodyPart::Pelvis;
    let laterality = match side_of(film) {
        _ if both => Laterality::Both,
        Side::Left => Laterality::Left,
        Side::Right => Laterality::Right,
    };
    let view_position = match (is_lateral(film), laterality) {
        (false, _) if film.body_part == BodyPart::Wrist => dx::Projection::PosteroAnterior,
        (false, _) => dx::Projection::AnteroPosterior,
        (true, Laterality::Right) => dx::Projection::RightLateral,
        (true, _) => dx::Projection::LeftLateral,
    };
    Ok(dx::to_vec(&DxOptions {
        rows: film.height,
        columns: film.width,
        bits_stored: film.bits_stored,
        monochrome1: film.monochrome1,
        pixels: &film.pixels,
        window: None,
        spacing_mm: film.spacing_mm,
        view_position,
        laterality,
        body_part: Region::from_name(film.body_part.as_str()).unwrap_or(Region::Pelvis),
        seed_uid,
        study_date,
        patient_id: patient,
        age: Some(film.truth.age.clamp(0.0, 120.0) as u16),
        sex: Some(film.truth.sex).filter(|sex| *sex != Sex::Other),
    })?)
}

/// A covariate of a film by name.
fn covariate(film: &SimulatedFilm, name: &str) -> Option<f32> {
    film.truth.covariates.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}

/// The side imaged, or in question.
fn side_of(film: &SimulatedFilm) -> Side {
    if covariate(film, "left").is_some_and(|left| left > 0.5) { Side::Left } else { Side::Right }
}

fn is_lateral(film: &SimulatedFilm) -> bool {
    covariate(film, "lateral").is_some_and(|lateral| lateral > 0.5)
}

fn hardware_name(kind: Hardware) -> &'static str {
    match kind {
        Hardware::TotalHip => "total_hip",
        Hardware::Hemiarthroplasty => "hemiarthroplasty",
        Hardware::Nail => "nail",
        Hardware::SlidingScrew => "sliding_screw",
        Hardware::CannulatedScrews => "cannulated_screws",
    }
}

fn save_film(
    folder: &Path,
    id: &str,
    patient: &str,
    film: &SimulatedFilm,
    spec: &DatasetSpec,
) -> Result<(Film, Option<TruthBox>), SimulateError> {
    let path = format!("images/{id}.{}", extension(spec.format));
    let bytes = encoded(
        film,
        spec.format,
        patient,
        // The whole plan: films of other settings are other objects.
        &format!("{} {id}", plan(spec)),
        dx::NO_DATE,
    )?;
    write_whole(&folder.join(&path), &bytes)?;
    let truth = &film.truth;
    let mut row = Film::new(id, path, patient, film.body_part.clone(), Label::from(truth.label));
    let path = folder.join(&row.path);
    row.sha256 = coxa_files::sha256_of_file(&path).map_err(SimulateError::io(&path))?;
    if spec.what == What::Pelvis {
        row.fracture_type = Some(truth.fracture.map_or(FractureType::None, |f| f.kind));
    }
    row.side = match truth.fracture {
        Some(fracture) => Some(fracture.side),
        None if spec.what == What::Limbs => Some(side_of(film)),
        None => None,
    };
    row.age = Some(truth.age.round());
    row.sex = Some(truth.sex);
    row.source = "simulated".to_owned();
    if spec.what == What::Pelvis {
        // Every film has every column, empty or not, as the manifest has.
        let hardware =
            truth.hardware.map_or_else(String::new, |(kind, side)| format!("{} {side}", hardware_name(kind)));
        let displacement = truth.fracture.map_or_else(String::new, |f| format!("{:.1}", f.displacement));
        row.extra = [("hardware".to_owned(), hardware), ("displacement_mm".to_owned(), displacement)].into();
    }
    let boxed = truth.fracture.filter(|f| f.bbox[2] > 0.0 && f.bbox[3] > 0.0).map(|f| {
        let [x, y, width, height] = f.bbox.map(|q| (q * 10.0).round() / 10.0);
        TruthBox { image_id: id.to_owned(), x, y, width, height, class: f.kind.to_string() }
    });
    Ok((row, boxed))
}

/// A film's rows as lines `key=value`.
fn write_note(folder: &Path, id: &str, (film, truth): &(Film, Option<TruthBox>)) -> Result<(), SimulateError> {
    let mut lines = String::new();
    for column in NOTED {
        lines.push_str(&format!("{column}={}\n", film.column(column).unwrap_or_default()));
    }
    for (key, value) in &film.extra {
        lines.push_str(&format!("+{key}={value}\n"));
    }
    if let Some(t) = truth {
        lines.push_str(&format!("box={},{},{},{},{}\n", t.x, t.y, t.width, t.height, t.class));
    }
    lines.push_str("end\n");
    write_whole(&folder.join(NOTES).join(id), lines.as_bytes())
}

/// The columns that a note holds.
const NOTED: [&str; 10] =
    ["path", "sha256", "patient", "body_part", "label", "fracture_type", "side", "age", "sex", "source"];

/// The rows of a film of an earlier, unfinished run whose file is there; `None` to make it again.
fn read_note(folder: &Path, id: &str, format: Format) -> Option<(Film, Option<TruthBox>)> {
    let text = fs::read_to_string(folder.join(NOTES).join(id)).ok()?;
    let lines: Vec<&str> = text.strip_suffix("end\n")?.lines().collect();
    let pairs: Vec<(&str, &str)> = lines.iter().map(|line| line.split_once('=')).collect::<Option<_>>()?;
    let at = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
    let path = at("path")?;
    if !path.ends_with(extension(format)) || !folder.join(path).is_file() {
        return None;
    }
    let mut film = Film::new(id, path, at("patient")?, BodyPart::parse(at("body_part")?), Label::parse(at("label")?)?);
    film.sha256 = at("sha256")?.to_owned();
    film.fracture_type = FractureType::parse(at("fracture_type")?);
    film.side = Side::parse(at("side")?);
    film.age = at("age")?.parse().ok();
    film.sex = Sex::parse(at("sex")?);
    film.source = at("source")?.to_owned();
    film.extra = pairs.iter().filter_map(|(k, v)| Some((k.strip_prefix('+')?.to_owned(), (*v).to_owned()))).collect();
    let truth = match at("box") {
        None => None,
        Some(text) => {
            let mut fields = text.split(',');
            let mut number = || fields.next()?.parse::<f32>().ok();
            let (x, y, width, height) = (number()?, number()?, number()?, number()?);
            Some(TruthBox { image_id: id.to_owned(), x, y, width, height, class: fields.next()?.to_owned() })
        }
    };
    Some((film, truth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_divided_by_largest_remainders() {
        assert_eq!(counts(&[0.5, 0.25, 0.25], 100), [50, 25, 25]);
        assert_eq!(counts(&[1.0, 1.0, 1.0], 10).iter().sum::<usize>(), 10);
        assert_eq!(counts(&[0.0, 1.0, 0.0], 7), [0, 7, 0]);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let bad = [
            DatasetSpec { n: 0, ..DatasetSpec::default() },
            DatasetSpec { size: 16, ..DatasetSpec::default() },
            DatasetSpec {
                proportions: Proportions { normal: -1.0, ..Proportions::default() },
                ..DatasetSpec::default()
            },
            DatasetSpec { domain: Domain { clutter: 2.0, ..Domain::default() }, ..DatasetSpec::default() },
        ];
        for spec in bad {
            assert!(matches!(jobs(&spec), Err(SimulateError::Setting { .. })), "{spec:?}");
        }
    }
}
