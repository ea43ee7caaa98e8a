//! A plain folder of folders, one a class: `from/<class>/**/<film>`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use coxa_files::find::without_ending;
use coxa_schema::{BodyPart, Label};

use super::{Files, ImportReport, Look, Staging, films_below, name_of, no_look, sorted_entries, stem_of};
use crate::dataset::Dataset;
use crate::error::CohortError;
use crate::film::Film;
use crate::flow::Flow;

/// What the folders' names mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Folders {
    /// Body parts (`ankle/`, `wrist/`); the label is not known.
    #[default]
    BodyParts,
    /// Labels (`fractured/`, `normal/`, `0/`, `1/`) of films of the pelvis.
    Labels,
}

/// Where a film's patient is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatientSource {
    /// By the folder below the class, `<class>/<patient>/…`; films that lie directly in the class's folder have no patient,
    /// and cannot be split before the manifest says one.
    #[default]
    Subfolder,
    /// By the file's name up to this character: `P17_2.png` with `_` is of patient P17.
    Prefix(char),
    /// Each film is a patient of its own; true only where it is known to be.
    EachFilm,
}

/// How a folder of folders is imported.
#[derive(Debug, Clone, Copy)]
pub struct FolderOptions {
    /// What the folders' names mean.
    pub folders: Folders,
    /// Where a film's patient is named.
    pub patients: PatientSource,
    /// What becomes of the files.
    pub files: Files,
    /// Looks into each file.
    pub look: Look,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { folders: Folders::default(), patients: PatientSource::default(), files: Files::default(), look: no_look }
    }
}

/// Imports a folder of folders (PNG, JPEG, TIFF, DICOM) to the new folder `to`. The class is kept in the column `class`.
///
/// # Errors
/// [`CohortError`]: no film, a folder's name that is no label where labels are expected, a folder that is not empty, the
/// disk. Files that cannot be taken are in the report.
pub fn folders(from: &Path, to: &Path, options: FolderOptions) -> Result<(Dataset, ImportReport), CohortError> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for folder in sorted_entries(from)?.into_iter().filter(|path| path.is_dir()) {
        let class = name_of(&folder);
        let (part, label) = match options.folders {
            Folders::BodyParts => (BodyPart::parse(&class), Label::Unknown),
            Folders::Labels => {
                let label = Label::parse(&class).ok_or_else(|| CohortError::Layout {
                    path: folder.clone(),
                    reason: format!("the folder's name is not {}", Label::EXPECTED),
                })?;
                (BodyPart::Pelvis, label)
            }
        };
        let (films, remarks) = films_below(&folder)?;
        found.extend(films.into_iter().map(|path| (class.clone(), part.clone(), label, path)));
        notes.extend(remarks);
    }
    if found.is_empty() {
        return Err(CohortError::Layout {
            path: from.to_owned(),
            reason: "no PNG, JPEG, TIFF or DICOM file lies in a folder of its class".to_owned(),
        });
    }
    let mut staging = Staging::begin(to, options.files)?.looking(options.look);
    let mut films = Vec::new();
    let mut names = BTreeSet::new();
    for (class, part, label, path) in &found {
        let below = path.strip_prefix(from.join(class)).unwrap_or(path);
        // Folder and file names may hold anything: the name in the dataset keeps letters, digits, points and hyphens.
        let image_id = plain(&format!("{class}-{}", without_ending(below).display()));
        let unique = unique_name(&mut names, image_id);
        let Some(stored) = staging.add(path, &unique) else {
            continue;
        };
        let mut film =
            Film::new(unique.clone(), stored.path, patient(below, options.patients, &unique), part.clone(), *label);
        film.sha256 = stored.sha256;
        film.source = "folders".to_owned();
        film.extra = BTreeMap::from([("class".to_owned(), class.clone())]);
        films.push(film);
    }
    let left_out: Vec<&str> =
        staging.refused().iter().map(|_| "truncated, unreadable or a copy of another film").collect();
    let mut flow = Flow::default();
    flow.step("files found", found.len(), left_out);
    for (class, part) in found.iter().map(|(class, part, ..)| (class, part)).collect::<BTreeMap<_, _>>() {
        if let (Folders::BodyParts, BodyPart::Other(_)) = (options.folders, part) {
            notes.push(format!(
                "the folder {class} names no body part that is known: a class of its own, unless it is misspelled"
            ));
        }
    }
    let nameless = films.iter().filter(|film| film.patient.is_empty()).count();
    if nameless > 0 {
        notes.push(format!("{nameless} film(s) have no patient and cannot be split until the manifest names one"));
    }
    notes.extend(staging.note());
    let (dataset, refused) = staging.commit(films, Vec::new(), &flow)?;
    let flow = Flow::of_dataset(&dataset)?;
    let report = ImportReport { imported: dataset.films.len(), refused, notes, flow };
    Ok((dataset, report))
}

fn patient(below: &Path, patients: PatientSource, image_id: &str) -> String {
    match patients {
        PatientSource::Subfolder => {
            let parts: Vec<_> = below.components().collect();
            match parts.as_slice() {
                [subfolder, _, ..] => subfolder.as_os_str().to_string_lossy().into_owned(),
                _ => String::new(),
            }
        }
        PatientSource::Prefix(delimiter) => {
            let stem = stem_of(below);
            stem.split_once(delimiter).map_or(stem.as_str(), |(patient, _)| patient).to_owned()
        }
        PatientSource::EachFilm => image_id.to_owned(),
    }
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || c == '.' || c == '-' || c == '_' { c } else { '-' }).collect()
}

/// The name itself, or with a number behind it if it is taken; upper and lower case count as the same, as some disks do.
fn unique_name(taken: &mut BTreeSet<String>, name: String) -> String {
    let numbered = (2..).map(|i| format!("{name}-{i}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
    free.unwrap_or(name)
}
