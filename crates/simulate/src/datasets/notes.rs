//! Notes of finished films, by which an interrupted run is resumed: a film's rows, in a file of its own.

use std::fs;
use std::path::Path;

use coxa_cohort::{Film, TruthBox};
use coxa_schema::{BodyPart, FractureType, Label, Sex, Side};

use super::encode::extension;
use super::folder::{NOTES, write_whole};
use super::rows::FilmRows;
use super::spec::FilmFormat;
use crate::error::SimulateError;

/// A film's rows as lines `key=value`.
pub(super) fn write_note(folder: &Path, id: &str, FilmRows { film, truth }: &FilmRows) -> Result<(), SimulateError> {
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
pub(super) fn read_note(folder: &Path, id: &str, format: FilmFormat) -> Option<FilmRows> {
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
    Some(FilmRows { film, truth })
}
