//! The films that a command is to read: files, folders, dataset folders.

use std::path::PathBuf;

use coxa_cohort::{Dataset, Film};

/// Files whose names end so are read in a folder; any file that is named is tried.
pub const ENDINGS: [&str; 8] = ["dcm", "dicom", "ima", "png", "jpg", "jpeg", "tif", "tiff"];

/// One film to read and what is known of it.
pub struct Input {
    /// Its file.
    pub path: PathBuf,
    /// Its row, where it is of a dataset.
    pub film: Option<Film>,
}

/// What lies below the named files and folders.
#[derive(Default)]
pub struct Found {
    /// The films.
    pub films: Vec<Input>,
    /// Folders and links that cannot be followed.
    pub unreadable: Vec<walkdir::Error>,
    /// How many files are no films by their names.
    pub others: usize,
}

/// The films below the named files and folders, in order; links are followed.
///
/// # Errors
/// When a dataset's tables cannot be read.
pub fn collect_inputs(inputs: &[PathBuf]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for input in inputs {
        if !input.is_dir() {
            found.films.push(Input { path: input.clone(), film: None });
            continue;
        }
        if input.join("manifest.csv").is_file() {
            let dataset = Dataset::load(input)?;
            let films = dataset.films.iter().filter(|film| !film.excluded);
            found.films.extend(films.map(|film| Input { path: dataset.image_path(film), film: Some(film.clone()) }));
            continue;
        }
        for entry in walkdir::WalkDir::new(input).sort_by_file_name().follow_links(true) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    found.unreadable.push(error);
                    continue;
                }
            };
            if !entry.file_type().is_file() {
                continue;
            }
            let ending = entry.path().extension().map(|e| e.to_string_lossy().to_lowercase());
            let is_film = ending.is_none_or(|ending| ENDINGS.contains(&ending.as_str()));
            if is_film {
                found.films.push(Input { path: entry.into_path(), film: None });
            } else {
                found.others += 1;
            }
        }
    }
    Ok(found)
}
