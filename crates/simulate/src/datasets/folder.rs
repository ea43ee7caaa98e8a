//! The folder that is written into: by one simulation at a time, and never over anything else.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use coxa_files::whole;

use crate::error::SimulateError;

/// The file with the settings of the dataset that a folder without a manifest is being filled with.
pub(super) const PLAN: &str = ".simulation";
/// The folder of the notes of finished films, while the others are being made.
pub(super) const NOTES: &str = ".films";

/// Makes the folder, or resumes an unfinished run of the same plan. No other run can as long as the returned file is held.
pub(super) fn begin(folder: &Path, plan: &str) -> Result<File, SimulateError> {
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
    // A run that was interrupted at its very beginning leaves the plan empty or cut.
    if !plan.starts_with(&found) {
        return Err(occupied("there is an unfinished simulation with other settings"));
    }
    file.rewind().and_then(|()| file.write_all(plan.as_bytes())).map_err(SimulateError::io(&path))?;
    for name in ["images", NOTES] {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(SimulateError::io(&path))?;
        whole::sweep(&path);
    }
    Ok(file)
}

/// Opens a file, created where it does not exist, that one simulation at a time can hold.
pub(super) fn locked(path: &Path, folder: &Path) -> Result<File, SimulateError> {
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

/// Writes a file whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SimulateError> {
    whole::write_whole(path, bytes).map_err(SimulateError::io(path))
}
