//! Writes a dataset of simulated films: `images/`, then `truth.csv` and `manifest.csv`, as [`coxa_cohort::Dataset`] reads them.
//!
//! Every film is written under a temporary name and renamed, with a note of its truth beside it (`.films/`); the manifest comes
//! last. An interrupted run leaves no half film and no manifest: the same call resumes it and ends with the same bytes. A
//! finished dataset is never overwritten.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use coxa_cohort::Dataset;
use coxa_dicom::dx;
use rayon::prelude::*;

use super::encode::{encoded, extension};
use super::folder::{NOTES, PLAN, begin, write_whole};
use super::jobs::{OwnBones, jobs};
use super::notes::{read_note, write_note};
use super::rows::FilmRows;
use super::spec::{DatasetSpec, plan};
use crate::error::SimulateError;
use crate::film::truth::SimulatedFilm;

/// Writes the dataset into `folder`, in parallel; `progress` is called from several threads with the number of films that are
/// done, each number once. Returns the dataset as it was saved.
///
/// # Errors
/// [`SimulateError`]: a setting out of range, a folder that holds something else, a bone surface that cannot be read, the disk.
pub fn write(folder: &Path, spec: &DatasetSpec, progress: &(dyn Fn(usize) + Sync)) -> Result<Dataset, SimulateError> {
    let own = OwnBones::load(spec)?;
    let jobs = jobs(spec)?;
    let _alone = begin(folder, &plan(spec))?;
    let done = AtomicUsize::new(0);
    let rows = jobs
        .par_iter()
        .enumerate()
        .map(|(i, job)| {
            let id = format!("S{i:07}");
            let rows = match read_note(folder, &id, spec.format) {
                Some(rows) => rows,
                None => {
                    let film = job.draw(spec, own.as_ref());
                    let rows = save_film(folder, &id, &format!("SIM{:07}", job.patient), &film, spec)?;
                    write_note(folder, &id, &rows)?;
                    rows
                }
            };
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(rows)
        })
        .collect::<Result<Vec<_>, SimulateError>>()?;
    finish(folder, rows)
}

/// Writes a film's file and returns its rows.
fn save_film(
    folder: &Path,
    id: &str,
    patient: &str,
    film: &SimulatedFilm,
    spec: &DatasetSpec,
) -> Result<FilmRows, SimulateError> {
    let path = format!("images/{id}.{}", extension(spec.format));
    let seed_uid = format!("{} {id}", plan(spec));
    let bytes = encoded(film, spec.format, patient, &seed_uid, dx::NO_DATE)?;
    write_whole(&folder.join(&path), &bytes)?;
    Ok(FilmRows::new(id, patient, path, coxa_files::sha256(&bytes), film, spec.what))
}

/// Saves manifest and truth, then removes the notes and the plan. A run interrupted in between is complete all the same: only
/// hidden files are left behind.
fn finish(folder: &Path, rows: Vec<FilmRows>) -> Result<Dataset, SimulateError> {
    let mut dataset = Dataset::new(folder);
    for FilmRows { film, truth } in rows {
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
