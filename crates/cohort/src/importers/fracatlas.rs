//! FracAtlas (Abedeen et al., Scientific Data 2023): 4,083 radiographs of hand, leg, hip and shoulder with fracture boxes.
//!
//! The set has no patients; films of a patient have consecutive numbers. The patient of a film is therefore presumed: the one
//! that a listing names, else a block of consecutive numbers that ends where the regions in view change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Files, ImportReport, Staging, name_of, sorted_entries, stem_of};
use crate::dataset::Dataset;
use crate::error::CohortError;
use crate::film::{Film, TruthBox};
use crate::flow::Flow;
use crate::split::number_in;
use coxa_files::table::{Row, Table};
use coxa_schema::{BodyPart, Label};

/// Which films of the set are imported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Films {
    /// All of them.
    #[default]
    All,
    /// Those whose flag `hip` is set. The label is still the set's own (a fracture anywhere in the film).
    Hip,
    /// Those that a table names: columns `image_id, label` and, if there, `presumed_patient` and `sideways`. The label is the
    /// table's.
    Listed(PathBuf),
}

/// How FracAtlas is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FracAtlasOptions {
    /// Which films.
    pub films: Films,
    /// What becomes of the files.
    pub files: Files,
    /// How many consecutive numbers make a presumed patient at least; a block runs on, up to twice as long, until the
    /// regions in view change.
    pub block_length: u64,
}

impl Default for FracAtlasOptions {
    fn default() -> Self {
        Self { films: Films::All, files: Files::Copy, block_length: 10 }
    }
}

const REGIONS: [&str; 4] = ["hand", "leg", "hip", "shoulder"];
const ANNOTATIONS: &str = "Annotations/COCO JSON/COCO_fracture_masks.json";

/// Imports FracAtlas from its own layout (`dataset.csv`, `images/{Fractured,Non_fractured}/`, `Annotations/COCO JSON/`) to
/// the new folder `to`.
///
/// A film with several regions in view has no body part (column `regions` keeps them), but for the hip films of
/// [`Films::Hip`] and [`Films::Listed`]. Further columns: `regions`, `views`, `hardware`, `number`, `sideways`.
///
/// # Errors
/// [`CohortError`]: a table or annotation that cannot be read, a folder that is not empty, the disk. Films that cannot be
/// taken are in the report.
pub fn fracatlas(from: &Path, to: &Path, options: &FracAtlasOptions) -> Result<(Dataset, ImportReport), CohortError> {
    let table = Table::read(&from.join("dataset.csv"))?;
    for column in REGIONS.into_iter().chain(["image_id", "hardware", "fractured"]) {
        table.require(column)?;
    }
    let listing = match &options.films {
        Films::Listed(path) => Some(load_listing(path)?),
        Films::All | Films::Hip => None,
    };
    let annotations = load_boxes(&from.join(ANNOTATIONS))?;
    let files = image_files(from)?;
    let blocks = presumed_patients(&table, options.block_length)?;
    let mut staging = Staging::begin(to, options.files)?;
    let mut films = Vec::new();
    let mut truth = Vec::new();
    let mut notes = Vec::new();
    let mut left_out = Vec::new();
    for row in table.rows() {
        let name = row.required("image_id", "the film's file name")?;
        let listed = listing.as_ref().map(|listing| listing.get(name));
        match (&options.films, listed) {
            (Films::Listed(_), None | Some(None)) => {
                left_out.push("not in the listing");
                continue;
            }
            (Films::Hip, _) if row.flag("hip")? != Some(true) => {
                left_out.push("no hip in view");
                continue;
            }
            _ => {}
        }
        let fractured = row.flag("fractured")?.ok_or_else(|| row.value_error("fractured", "0 or 1"))?;
        let mut film = film(row, fractured, &options.films, listed.flatten(), &blocks)?;
        let Some((path, folder_says)) = files.get(name) else {
            staging.refuse(Path::new(name), "no file of that name in images/");
            left_out.push("no file");
            continue;
        };
        if *folder_says != fractured {
            staging
                .refuse(path, format!("its folder and dataset.csv (line {}) disagree about the fracture", row.line()));
            left_out.push("contradictory label");
            continue;
        }
        let Some(stored) = staging.add(path, &film.image_id) else {
            left_out.push("truncated, unreadable or a copy of another film");
            continue;
        };
        film.path = stored.path;
        film.sha256 = stored.sha256;
        let annotated = annotations.get(name);
        if let (Some(annotated), Some(size)) = (annotated, stored.size)
            && annotated.size != size
        {
            notes.push(format!("{name}: annotated at {:?}, but the film has {size:?} pixels", annotated.size));
        }
        let boxes = annotated.map_or(&[][..], |annotated| &annotated.boxes);
        if film.label == Label::Present {
            truth.extend(boxes.iter().map(|&corners| truth_box(&film.image_id, corners)));
        } else if !boxes.is_empty() {
            notes.push(format!("{name}: {} fracture box(es) left out, as the label is not 1", boxes.len()));
        }
        films.push(film);
    }
    if let Some(listing) = &listing {
        let known: Vec<&str> = table.rows().map(|row| row.text("image_id")).collect();
        let missing = listing.keys().filter(|name| !known.contains(&name.as_str()));
        notes.extend(missing.map(|name| format!("{name}: in the listing, but not in dataset.csv")));
    }
    let mut flow = Flow::default();
    flow.step("films in dataset.csv", table.len(), left_out);
    let (dataset, refused) = staging.commit(films, truth, &flow)?;
    let flow = Flow::of_dataset(&dataset)?;
    let report = ImportReport { imported: dataset.films.len(), refused, notes, flow };
    Ok((dataset, report))
}

#[derive(Debug)]
struct Listed {
    patient: String,
    label: Label,
    sideways: bool,
}

fn load_listing(path: &Path) -> Result<BTreeMap<String, Listed>, CohortError> {
    let table = Table::read(path)?;
    table.require("image_id")?;
    table.require("label")?;
    let mut listing = BTreeMap::new();
    for row in table.rows() {
        let listed = Listed {
            patient: row.text("presumed_patient").to_owned(),
            label: Label::parse(row.text("label")).ok_or_else(|| row.value_error("label", Label::EXPECTED))?,
            sideways: row.flag("sideways")?.unwrap_or(false),
        };
        let name = row.required("image_id", "the film's file name")?;
        if listing.insert(name.to_owned(), listed).is_some() {
            return Err(row.value_error("image_id", "a film that is listed once").into());
        }
    }
    Ok(listing)
}

fn film(
    row: Row<'_>,
    fractured: bool,
    which: &Films,
    listed: Option<&Listed>,
    blocks: &BTreeMap<String, String>,
) -> Result<Film, CohortError> {
    let name = row.text("image_id");
    let regions = regions(row)?;
    let body_part = match (which, regions.as_slice()) {
        (Films::Hip | Films::Listed(_), _) => BodyPart::Hip,
        (Films::All, [region]) => BodyPart::parse(region),
        (Films::All, _) => BodyPart::Other(String::new()),
    };
    let label = listed.map_or(Label::from(fractured), |listed| listed.label);
    let patient = match listed {
        Some(listed) if !listed.patient.is_empty() => format!("presumed-{}", listed.patient),
        _ => blocks.get(name).cloned().unwrap_or_default(),
    };
    let mut film = Film::new(stem_of(Path::new(name)), "", patient, body_part, label);
    film.source = "FracAtlas".to_owned();
    let sideways = listed.is_some_and(|listed| listed.sideways);
    if sideways {
        film.quality = "sideways".to_owned();
    }
    let mut views = Vec::new();
    for view in ["frontal", "lateral", "oblique"] {
        if row.flag(view)? == Some(true) {
            views.push(view);
        }
    }
    film.extra = BTreeMap::from([
        ("regions".to_owned(), regions.join(";")),
        ("views".to_owned(), views.join(";")),
        ("hardware".to_owned(), row.text("hardware").to_owned()),
        ("number".to_owned(), number_in(&film.image_id).map_or_else(String::new, |number| number.to_string())),
        ("sideways".to_owned(), if sideways { "1" } else { "0" }.to_owned()),
    ]);
    Ok(film)
}

fn regions(row: Row<'_>) -> Result<Vec<&'static str>, CohortError> {
    let mut regions = Vec::new();
    for region in REGIONS {
        if row.flag(region)? == Some(true) {
            regions.push(region);
        }
    }
    Ok(regions)
}

/// The block of each film: it ends after `length` numbers, but not before the regions in view change, and in any case after
/// twice as many.
fn presumed_patients(table: &Table, length: u64) -> Result<BTreeMap<String, String>, CohortError> {
    let mut films = Vec::new();
    for row in table.rows() {
        let name = row.text("image_id");
        let number = number_in(&stem_of(Path::new(name)))
            .ok_or_else(|| row.value_error("image_id", "a file name with a number"))?;
        films.push((number, regions(row)?, name.to_owned()));
    }
    films.sort();
    let mut patients = BTreeMap::new();
    let mut start = 0;
    for i in 0..films.len() {
        let run = films[i].0 - films[start].0;
        if i > 0 && run >= length.max(1) && (films[i].1 != films[i - 1].1 || run >= 2 * length.max(1)) {
            start = i;
        }
        patients.insert(films[i].2.clone(), format!("presumed-block-{:07}", films[start].0));
    }
    Ok(patients)
}

/// The files by name, each with whether it lies in the folder of the fractured ones.
fn image_files(from: &Path) -> Result<BTreeMap<String, (PathBuf, bool)>, CohortError> {
    let mut files = BTreeMap::new();
    for (folder, fractured) in [("Fractured", true), ("Non_fractured", false)] {
        for path in sorted_entries(&from.join("images").join(folder))? {
            files.insert(name_of(&path), (path, fractured));
        }
    }
    Ok(files)
}

struct Annotated {
    size: (u32, u32),
    boxes: Vec<[f32; 4]>,
}

/// The boxes of a COCO file by the films' file names: x, y, width, height in pixels, clipped to the film.
fn load_boxes(path: &Path) -> Result<BTreeMap<String, Annotated>, CohortError> {
    let layout = |reason: String| CohortError::Layout { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(CohortError::io(path))?;
    let coco: Value = serde_json::from_slice(&bytes).map_err(|error| layout(format!("not JSON: {error}")))?;
    let list = |name: &str| coco[name].as_array().ok_or_else(|| layout(format!("no list `{name}`")));
    let mut annotated = BTreeMap::new();
    let mut names: BTreeMap<i64, String> = BTreeMap::new();
    for (i, image) in list("images")?.iter().enumerate() {
        let side = |name: &str| image[name].as_u64().and_then(|side| u32::try_from(side).ok()).filter(|&side| side > 0);
        match (image["id"].as_i64(), image["file_name"].as_str(), side("width"), side("height")) {
            (Some(id), Some(name), Some(width), Some(height)) => {
                names.insert(id, name.to_owned());
                annotated.insert(name.to_owned(), Annotated { size: (width, height), boxes: Vec::new() });
            }
            _ => {
                return Err(layout(format!("images[{i}] has no id, file_name, width or height")));
            }
        }
    }
    for (i, annotation) in list("annotations")?.iter().enumerate() {
        let bad = || layout(format!("annotations[{i}] has no image_id of the list or no box of four numbers"));
        let name = annotation["image_id"].as_i64().and_then(|id| names.get(&id)).ok_or_else(bad)?;
        let numbers: Vec<f64> =
            annotation["bbox"].as_array().map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_f64).collect());
        let &[x, y, width, height] = numbers.as_slice() else {
            return Err(bad());
        };
        let film = annotated.get_mut(name).ok_or_else(bad)?;
        let clip = |low: f64, length: f64, side: u32| (low.max(0.0), (low + length).min(f64::from(side)));
        let (left, right) = clip(x, width, film.size.0);
        let (top, bottom) = clip(y, height, film.size.1);
        if right > left && bottom > top {
            film.boxes.push([left as f32, top as f32, (right - left) as f32, (bottom - top) as f32]);
        }
    }
    Ok(annotated)
}

fn truth_box(image_id: &str, [x, y, width, height]: [f32; 4]) -> TruthBox {
    TruthBox { image_id: image_id.to_owned(), x, y, width, height, class: "fracture".to_owned() }
}
