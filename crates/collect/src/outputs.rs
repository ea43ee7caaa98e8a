//! The tables of an output folder: the registry and the films as `coxa import registry` reads them, under pseudonyms and shifted dates.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use coxa_deidentify::{Deidentifier, RegistryReport, deidentify_registry};
use coxa_files::table::to_csv;
use coxa_files::whole::sweep;
use coxa_files::write_whole;

use crate::error::CollectError;
use crate::journal::RowRecord;

/// Films of the pelvis and the hip, below the output folder.
pub(crate) const IMAGES: &str = "images";
/// Limb films, in a folder for each part.
pub(crate) const LIMBS: &str = "limbs";
/// The journal.
pub const JOURNAL: &str = "journal.jsonl";
/// The registry, de-identified.
pub const REGISTRY_TABLE: &str = "registry.csv";
/// The films.
pub const FILMS_TABLE: &str = "films.csv";
/// The report, a row an injury and film.
pub const REPORT_TABLE: &str = "report.csv";
/// The report as a page.
pub const REPORT_PAGE: &str = "report.html";
/// The rules that were in effect.
pub(crate) const RULES: &str = "rules.toml";

/// Writes the registry under the films' pseudonyms; it takes the place of an earlier run's.
pub(crate) fn write_registry(
    deidentifier: &Deidentifier,
    registry: &Path,
    out: &Path,
) -> Result<RegistryReport, CollectError> {
    sweep(out);
    let partial = out.join(".registry.partial");
    let report = deidentify_registry(deidentifier, registry, &partial)?;
    let place = out.join(REGISTRY_TABLE);
    fs::rename(&partial, &place).map_err(CollectError::io(&place))?;
    Ok(report)
}

/// Writes the table of films.
pub(crate) fn write_films<'a>(out: &Path, rows: impl Iterator<Item = &'a RowRecord>) -> Result<(), CollectError> {
    let header = ["patient", "film_date", "view", "path", "quality", "serial", "registry_row"];
    let mut lines = Vec::new();
    for row in rows {
        for film in row.films.iter().filter(|film| !film.is_limb) {
            let (Some(file), Some(date)) = (&film.file, &film.date) else { continue };
            let (serial, line) = (film.serial.to_string(), row.row.to_string());
            lines.push([
                row.patient.clone(),
                date.clone(),
                film.view.clone(),
                file.clone(),
                String::new(),
                serial,
                line,
            ]);
        }
    }
    // A film in the windows of two injuries is one film.
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line[3].clone()));
    let place = out.join(FILMS_TABLE);
    write_whole(&place, &to_csv(&header, lines)).map_err(CollectError::io(&place))
}

/// Removes films that no injury has: a run was killed between a film and its record, and the PACS has changed since.
pub(crate) fn remove_orphans<'a>(out: &Path, rows: impl Iterator<Item = &'a RowRecord>) {
    let known: BTreeSet<&String> = rows.flat_map(|row| &row.films).filter_map(|film| film.file.as_ref()).collect();
    for folder in [IMAGES, LIMBS] {
        for film in coxa_files::find::films_below(&out.join(folder)).films {
            let name = film.strip_prefix(out).map(|name| name.to_string_lossy().replace('\\', "/"));
            if let Ok(name) = name
                && name.ends_with(".dcm")
                && !known.contains(&name)
            {
                // What cannot be removed is in no table.
                let _ = fs::remove_file(&film);
            }
        }
    }
}
