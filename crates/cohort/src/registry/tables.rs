//! The two tables that a hospital hands over: the trauma registry (a row an injury) and the films (a row a film).
//!
//! Registry columns: `patient, injury_date, age, sex, iss, diagnosis, admitted, procedures`; `diagnosis` holds ICD codes
//! separated by semicolons ([`super::diagnosis`]), dates are `YYYY-MM-DD`. Film columns: `patient, film_date, view, path,
//! quality`; `quality` (or `quality_notes`) holds notes separated by semicolons, `path` is relative to the table's folder. Where
//! they are there, `source` says where films come from (`simulated`, a scanner) and `box_x, box_y, box_width, box_height` where the
//! fracture is, in the film's pixels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::diagnosis::Code;
use crate::error::CohortError;
use coxa_files::table::{Row, Table, TableError};
use coxa_schema::{BodyPart, Sex};

/// An injury: a row of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Injury {
    /// The line in the registry, counted from 1.
    pub line: u64,
    /// The patient's pseudonym.
    pub patient: String,
    /// The day of the injury.
    pub date: Date,
    /// Age in years, 0 to 130.
    pub age: Option<f32>,
    /// The patient's sex.
    pub sex: Option<Sex>,
    /// Injury severity score, 0 to 75.
    pub iss: Option<u8>,
    /// The diagnosis.
    pub diagnosis: Vec<Code>,
    /// Whether the patient was admitted.
    pub admitted: bool,
    /// The operations, as the registry words them.
    pub procedures: String,
}

/// A film of the films table.
#[derive(Debug, Clone, PartialEq)]
pub struct FilmRecord {
    /// The line in the films table, counted from 1.
    pub line: u64,
    /// The patient's pseudonym.
    pub patient: String,
    /// The day of the film.
    pub date: Date,
    /// What is in view.
    pub view: RecordedView,
    /// The view as the table words it.
    pub view_text: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with the film.
    pub defects: Vec<Defect>,
    /// All notes, separated by semicolons.
    pub quality: String,
    /// Notes that name no [`Defect`] and do not say that all is well.
    pub other_notes: Vec<String>,
    /// Where the film comes from; empty if the table does not say.
    pub source: String,
    /// Where the fracture is: x, y, width and height in the film's pixels.
    pub fracture_box: Option<[f32; 4]>,
}

/// Whether a film is a frontal pelvis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedView {
    /// A frontal film of the pelvis.
    FrontalPelvis,
    /// Any other view or part.
    Other,
}

/// A defect that excludes a film, as in the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// Poor image contrast.
    PoorContrast,
    /// A positioning error.
    Positioning,
    /// A foreign body in the way (not an implant: the paper keeps hip replacements).
    ForeignBody,
}

impl Defect {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PoorContrast => "poor contrast",
            Self::Positioning => "positioning",
            Self::ForeignBody => "foreign body",
        }
    }

    /// The defect that a note names; none where a word of it denies one (`not rotated`, `good contrast`), so that no film is excluded for a
    /// note that says the opposite. Notes that are neither are listed for a person to review.
    fn of_note(note: &str) -> Option<Self> {
        let note = note.to_lowercase();
        let mut words = note.split(|c: char| !c.is_alphabetic());
        let denies = |word: &str| {
            [
                "no", "not", "non", "without", "never", "none", "good", "well", "fine", "adequate", "correct", "ok",
                "normal",
            ]
            .contains(&word)
        };
        if words.any(denies) {
            return None;
        }
        let says = |words: &[&str]| words.iter().any(|word| note.contains(word));
        match () {
            () if says(&["contrast", "exposed", "exposure"]) => Some(Self::PoorContrast),
            () if says(&["position", "rotat", "cut off", "cropped", "incomplete"]) => Some(Self::Positioning),
            () if says(&["foreign", "artifact", "artefact", "obscured"]) => Some(Self::ForeignBody), // words: allow
            () => None,
        }
    }
}

/// Reads a trauma registry.
///
/// # Errors
/// [`CohortError`], naming the row: a missing column, an empty patient, an impossible date, age, ISS, sex or flag, text that is
/// no diagnosis code, the same injury (patient and day) twice.
pub fn load_injuries(path: &Path) -> Result<Vec<Injury>, CohortError> {
    let table = Table::read(path)?;
    for column in ["patient", "injury_date", "diagnosis", "admitted"] {
        table.require(column)?;
    }
    let injuries = CohortError::gather(table.rows().map(injury))?;
    let mut seen: BTreeMap<(&str, Date), u64> = BTreeMap::new();
    for injury in &injuries {
        if let Some(first_line) = seen.insert((&injury.patient, injury.date), injury.line) {
            return Err(TableError::Duplicate {
                path: path.to_owned(),
                line: injury.line,
                first_line,
                column: "patient, injury_date".to_owned(),
                // A pseudonym may be a name all the same: errors go to logs.
                value: format!("(patient not shown), {}", injury.date),
            }
            .into());
        }
    }
    Ok(injuries)
}

fn injury(row: Row<'_>) -> Result<Injury, CohortError> {
    let diagnosis = Code::parse_list(row.text("diagnosis"))
        .map_err(|item| row.value_error("diagnosis", format!("{} (`{item}` is no code)", Code::EXPECTED)))?;
    let admitted = row.flag("admitted")?;
    Ok(Injury {
        line: row.line(),
        patient: row.required("patient", "the patient's pseudonym")?.to_owned(),
        date: date(row, "injury_date")?,
        age: row.number("age", 0.0..=130.0, "an age of 0 to 130 years or empty")?.map(|age| age as f32),
        sex: row.parsed("sex", Sex::parse, Sex::EXPECTED)?,
        iss: row.parsed("iss", iss, "an injury severity score of 0 to 75 or empty")?,
        diagnosis,
        admitted: admitted.ok_or_else(|| row.value_error("admitted", "0 or 1"))?,
        procedures: row.text("procedures").to_owned(),
    })
}

/// A score as a whole number; spreadsheets and data frames write `13.0` for 13.
fn iss(text: &str) -> Option<u8> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok().filter(|score| *score <= 75)
}

pub(crate) fn date(row: Row<'_>, column: &str) -> Result<Date, CohortError> {
    row.text(column).parse().map_err(|_| row.value_error(column, "a date of the form YYYY-MM-DD").into())
}

/// Reads a table of films.
///
/// # Errors
/// [`CohortError`], naming the row: a missing column, an empty patient or path, an impossible date, the same file twice.
pub fn load_films(path: &Path) -> Result<Vec<FilmRecord>, CohortError> {
    let table = Table::read(path)?;
    for column in ["patient", "film_date", "view", "path"] {
        table.require(column)?;
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let films = CohortError::gather(table.rows().map(|row| film_record(row, folder)))?;
    let mut seen: BTreeMap<&Path, u64> = BTreeMap::new();
    for film in &films {
        if let Some(first_line) = seen.insert(&film.path, film.line) {
            return Err(TableError::Duplicate {
                path: path.to_owned(),
                line: film.line,
                first_line,
                column: "path".to_owned(),
                value: film.path.display().to_string(),
            }
            .into());
        }
    }
    Ok(films)
}

fn film_record(row: Row<'_>, folder: &Path) -> Result<FilmRecord, CohortError> {
    let quality = match row.text("quality") {
        "" => row.text("quality_notes"),
        text => text,
    };
    let notes: Vec<&str> = quality.split([';', ',']).map(str::trim).filter(|note| !is_fine(note)).collect();
    let mut defects: Vec<Defect> = notes.iter().filter_map(|note| Defect::of_note(note)).collect();
    defects.sort_unstable();
    defects.dedup();
    Ok(FilmRecord {
        line: row.line(),
        patient: row.required("patient", "the patient's pseudonym")?.to_owned(),
        date: date(row, "film_date")?,
        view: view(row.text("view"), row.text("body_part")),
        view_text: row.text("view").to_owned(),
        path: folder.join(row.required("path", "the film's file")?),
        defects,
        quality: notes.join("; "),
        source: row.text("source").to_owned(),
        fracture_box: fracture_box(row)?,
        other_notes: notes.iter().filter(|note| Defect::of_note(note).is_none()).map(|&note| note.to_owned()).collect(),
    })
}

/// The box of the columns `box_x` to `box_height`, all four or none.
fn fracture_box(row: Row<'_>) -> Result<Option<[f32; 4]>, CohortError> {
    const EXPECTED: &str = "a number of pixels, in all four of box_x, box_y, box_width and box_height or in none";
    let columns = ["box_x", "box_y", "box_width", "box_height"];
    let mut found = [0.0; 4];
    let mut there = 0;
    for (column, value) in columns.iter().zip(&mut found) {
        let least = if column.starts_with("box_w") || column.starts_with("box_h") { 1e-3 } else { 0.0 };
        if let Some(number) = row.number(column, least..=1e6, EXPECTED)? {
            *value = number as f32;
            there += 1;
        }
    }
    match there {
        0 => Ok(None),
        4 => Ok(Some(found)),
        _ => Err(row.value_error(columns[0], EXPECTED).into()),
    }
}

fn is_fine(note: &str) -> bool {
    ["", "ok", "good", "fine", "none", "adequate"].contains(&note.to_lowercase().as_str())
}

/// A view is a frontal pelvis if its text says frontal (AP, PA), names no other projection and no part but the pelvis.
fn view(text: &str, body_part: &str) -> RecordedView {
    let text = format!("{text} {body_part}").to_lowercase().replace("antero-posterior", "ap").replace("a.p.", "ap");
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let frontal = ["ap", "pa", "frontal", "anteroposterior", "posteroanterior"];
    let is_frontal = words.iter().any(|word| frontal.contains(word));
    let may_stand = |word: &&str| {
        frontal.contains(word)
            || ["pelvis", "pelvic", "pxr", "view", "film", "radiograph", "of", "the", "supine", "portable"]
                .contains(word)
            || word.chars().all(|c| c.is_ascii_digit())
    };
    let part = BodyPart::parse(body_part);
    if is_frontal && words.iter().all(may_stand) && (part.is_unknown() || part == BodyPart::Pelvis) {
        RecordedView::FrontalPelvis
    } else {
        RecordedView::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frontal_pelvic_views() {
        for text in ["AP", "frontal", "Pelvis AP", "AP pelvis (supine)", "PA", "a.p."] {
            assert_eq!(view(text, ""), RecordedView::FrontalPelvis, "{text}");
        }
        for text in ["", "lateral", "AP hip", "chest AP", "inlet", "frog-leg lateral", "oblique", "pelvis"] {
            assert_eq!(view(text, ""), RecordedView::Other, "{text}");
        }
        assert_eq!(view("AP", "pelvis"), RecordedView::FrontalPelvis);
        assert_eq!(view("AP", "knee"), RecordedView::Other);
    }

    #[test]
    fn notes_and_defects() {
        assert_eq!(Defect::of_note("Poor contrast"), Some(Defect::PoorContrast));
        assert_eq!(Defect::of_note("underexposed"), Some(Defect::PoorContrast));
        assert_eq!(Defect::of_note("rotated to the left"), Some(Defect::Positioning));
        assert_eq!(Defect::of_note("foreign body: keys"), Some(Defect::ForeignBody));
        assert_eq!(Defect::of_note("right hip replacement"), None);
        for fine in ["good contrast", "not rotated", "no artifact", "position correct", "well exposed"] {
            // words: allow
            assert_eq!(Defect::of_note(fine), None, "{fine}");
        }
    }
}
