//! Writes a hospital's folder.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use coxa_files::whole;
use rayon::prelude::*;

use super::films::films_of;
use super::injuries::{SimulatedInjury, injuries};
use super::spec::HospitalSpec;
use crate::datasets::folder::{locked, write_whole};
use crate::error::SimulateError;

/// The registry's columns.
pub const REGISTRY_COLUMNS: [&str; 8] =
    ["patient", "injury_date", "age", "sex", "iss", "diagnosis", "admitted", "procedures"];
/// The columns of the table of films.
pub const FILM_COLUMNS: [&str; 10] =
    ["patient", "film_date", "view", "path", "quality", "source", "box_x", "box_y", "box_width", "box_height"];

/// Writes registry, table of films and films; `progress` is called with the number of injuries done. Films are written under
/// temporary names and renamed, the tables last; a folder that has a registry is refused.
///
/// # Errors
/// [`SimulateError`]: a setting out of range, a folder in use, the disk.
pub fn write(
    folder: &Path,
    spec: &HospitalSpec,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<SimulatedInjury>, SimulateError> {
    if !(1..=1_000_000).contains(&spec.n) || !(64..=4096).contains(&spec.size) {
        return Err(SimulateError::Setting {
            setting: "the hospital",
            value: format!("{} injuries with films of {} pixels", spec.n, spec.size),
            expected: "1 to 1,000,000 injuries, 64 to 4096 pixels",
        });
    }
    if folder.join("registry.csv").exists() {
        let reason = "there is a registry already".to_owned();
        return Err(SimulateError::Occupied { folder: folder.to_owned(), reason });
    }
    let images = folder.join("images");
    let taken =
        fs::read_dir(folder).is_ok_and(|entries| entries.filter_map(Result::ok).any(|entry| entry.path() != images));
    if taken {
        let reason = "the folder is not empty".to_owned();
        return Err(SimulateError::Occupied { folder: folder.to_owned(), reason });
    }
    fs::create_dir_all(&images).map_err(SimulateError::io(&images))?;
    let lock = images.join(".writing");
    let _alone = locked(&lock, folder)?;
    whole::sweep(&images);
    let done = AtomicUsize::new(0);
    let rows = injuries(spec);
    let films = rows
        .par_iter()
        .enumerate()
        .map(|(i, row)| {
            let films = films_of(folder, spec, i, row)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(films)
        })
        .collect::<Result<Vec<_>, SimulateError>>()?;
    let table: Vec<[String; 10]> = films.into_iter().flatten().collect();
    write_whole(&folder.join("films.csv"), csv(&FILM_COLUMNS, &table).as_bytes())?;
    let registry: Vec<[String; 8]> = rows.iter().map(registry_row).collect();
    write_whole(&folder.join("registry.csv"), csv(&REGISTRY_COLUMNS, &registry).as_bytes())?;
    fs::remove_file(&lock).map_err(SimulateError::io(&lock))?;
    Ok(rows)
}

fn registry_row(row: &SimulatedInjury) -> [String; 8] {
    [
        row.patient.clone(),
        row.day.to_string(),
        row.age.to_string(),
        row.sex.to_string(),
        row.iss.to_string(),
        row.diagnosis.clone(),
        u8::from(row.admitted).to_string(),
        row.procedures.clone(),
    ]
}

/// Rows as CSV; no field holds a comma, a quote or a line break.
fn csv<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let mut text = header.join(",");
    for row in rows {
        text.push('\n');
        text.push_str(&row.join(","));
    }
    text.push('\n');
    text
}
