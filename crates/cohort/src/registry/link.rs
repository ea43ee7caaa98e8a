//! From a registry and a table of films to a dataset, by the paper's rules.
//!
//! Included: injuries of admitted patients with a frontal pelvic film on the day of the injury, one film an injury. Excluded, each
//! with its reason: poor contrast, positioning errors, foreign bodies, other fractures (femoral shaft, pelvis). The label and
//! the kind of fracture come from the diagnosis; what is questionable has no label and a reason that begins with `review:`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;
use serde::Serialize;

use coxa_files::table::{Table, TableError};
use coxa_schema::{BodyPart, FractureType, Label, Side};

use super::diagnosis::{DiagnosisLabel, judge};
use super::tables::{FilmRecord, Injury, RecordedView, date, load_films, load_injuries};
use crate::dataset::Dataset;
use crate::error::CohortError;
use crate::film::{Film, TruthBox};
use crate::flow::Flow;
use crate::importers::{Files, Look, Refused, Staging};

/// What became of a registry and its films.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkReport {
    /// The flow of injuries and films.
    pub flow: Flow,
    /// Films that could not be taken: no film, or the content of another one.
    pub refused: Vec<Refused>,
    /// Films of the table that stand for no injury, each with its line and the reason: review them, as a patient's number in another
    /// spelling shows here.
    pub unused: Vec<Unused>,
    /// Notes on quality that name no known defect, with the line of the films table: for a person to review.
    pub notes: Vec<String>,
}

/// A row of the table of films that was not used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unused {
    /// The line, counted from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// The tables that a hospital hands over.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The trauma registry, a row an injury.
    pub registry: &'a Path,
    /// The films, a row a film.
    pub films: &'a Path,
    /// A person's reviews of questionable diagnoses: `patient, injury_date, label`, and if there `fracture_type` and `side`.
    pub reviewed: Option<&'a Path>,
}

/// Links the injuries of a registry to their films and writes a new dataset to the folder `to`. A film's name in it is a serial number;
/// of the dates only the year is kept (column `year`), beside `iss` and `view`. `look` inspects each file before it is taken. When it
/// fails, nothing is left behind.
///
/// # Errors
/// [`CohortError`]: a bad row of a table, a folder that is not empty, the disk.
pub fn link(sources: &Sources<'_>, to: &Path, files: Files, look: Look) -> Result<(Dataset, LinkReport), CohortError> {
    let injuries = load_injuries(sources.registry)?;
    let records = load_films(sources.films)?;
    let reviews = sources.reviewed.map(|path| load_reviews(path, &injuries)).transpose()?.unwrap_or_default();
    let mut staging = Staging::begin(to, files)?.looking(look);
    let selected = select(&injuries, &records, &reviews);
    let (mut rows, mut truth) = (Vec::new(), Vec::new());
    let mut used = BTreeSet::new();
    let mut lost = 0;
    for (place, chosen) in selected.chosen.iter().enumerate() {
        let image_id = format!("F{:06}", place + 1);
        // A film that cannot be taken gives way to the next of that day.
        let taken = chosen.records.iter().find_map(|record| {
            used.insert(record.line);
            staging.add_of_line(&record.path, &image_id, record.line).map(|stored| (*record, stored))
        });
        let Some((record, stored)) = taken else {
            lost += 1;
            continue;
        };
        let mut film = row(&image_id, chosen, record);
        film.path = stored.path;
        film.sha256 = stored.sha256;
        if let (Some([x, y, width, height]), Label::Present) = (record.fracture_box, film.label) {
            let class = film.fracture_type.map_or("fracture", FractureType::as_str).to_owned();
            truth.push(TruthBox { image_id: image_id.clone(), x, y, width, height, class });
        }
        rows.push(film);
    }
    let mut upstream = selected.flow;
    upstream.step(
        "injuries with a frontal film of the pelvis on the day",
        selected.chosen.len(),
        (0..lost).map(|_| "film could not be taken"),
    );
    let notes = records
        .iter()
        .flat_map(|record| record.other_notes.iter().map(|note| format!("line {}: {note}", record.line)))
        .chain(staging.note())
        .collect();
    let unused = unused(&injuries, &records, &used);
    let (dataset, refused) = staging.commit(rows, truth, &upstream)?;
    let report = LinkReport { flow: Flow::of_dataset(&dataset)?, refused, unused, notes };
    Ok((dataset, report))
}

/// Reviewed diagnoses, by patient and day of the injury.
type Reviews = BTreeMap<(String, Date), DiagnosisLabel>;

/// What errors say in place of a patient: a pseudonym may be a name all the same, and errors go to logs.
const NOT_SHOWN: &str = "(patient not shown)";

/// Reads a table of reviews: `patient, injury_date, label` and, if there, `fracture_type` and `side`.
///
/// # Errors
/// [`CohortError`], naming the row: a missing column, a label, kind or side of another spelling, an injury that the registry does not
/// have, an injury that is reviewed twice.
fn load_reviews(path: &Path, injuries: &[Injury]) -> Result<Reviews, CohortError> {
    let table = Table::read(path)?;
    for column in ["patient", "injury_date", "label"] {
        table.require(column)?;
    }
    let known: BTreeSet<(&str, Date)> = injuries.iter().map(|injury| (injury.patient.as_str(), injury.date)).collect();
    let reviewed = CohortError::gather(table.rows().map(|row| {
        let patient = row.required("patient", "the patient's pseudonym")?;
        let date = date(row, "injury_date")?;
        if !known.contains(&(patient, date)) {
            return Err(TableError::Value {
                path: path.to_owned(),
                line: row.line(),
                column: "patient".to_owned(),
                value: NOT_SHOWN.to_owned(),
                expected: "a patient of the registry with an injury on that day".to_owned(),
            }
            .into());
        }
        let label = Label::parse(row.text("label")).ok_or_else(|| row.value_error("label", Label::EXPECTED))?;
        let verdict = DiagnosisLabel {
            label,
            fracture_type: row.parsed("fracture_type", FractureType::parse, FractureType::EXPECTED)?,
            side: row.parsed("side", Side::parse, Side::EXPECTED)?,
            review: (label == Label::Unknown).then(|| "still open".to_owned()),
            other_fracture: None,
        };
        Ok((row.line(), (patient.to_owned(), date), verdict))
    }))?;
    let mut lines = BTreeMap::new();
    for (line, injury, _) in &reviewed {
        if let Some(first_line) = lines.insert(injury, *line) {
            return Err(TableError::Duplicate {
                path: path.to_owned(),
                line: *line,
                first_line,
                column: "patient, injury_date".to_owned(),
                value: format!("{NOT_SHOWN}, {}", injury.1),
            }
            .into());
        }
    }
    Ok(reviewed.into_iter().map(|(_, injury, verdict)| (injury, verdict)).collect())
}

struct Chosen<'a> {
    injury: &'a Injury,
    /// The frontal films of the day, the best first.
    records: Vec<&'a FilmRecord>,
    verdict: DiagnosisLabel,
}

struct Selected<'a> {
    chosen: Vec<Chosen<'a>>,
    flow: Flow,
}

/// Joins injuries with films: the flow down to the frontal pelvic films of each injury.
fn select<'a>(injuries: &'a [Injury], records: &'a [FilmRecord], reviews: &Reviews) -> Selected<'a> {
    let mut films_of: BTreeMap<&str, Vec<&FilmRecord>> = BTreeMap::new();
    for record in records {
        films_of.entry(&record.patient).or_default().push(record);
    }
    let mut flow = Flow::default();
    let (admitted, not_admitted): (Vec<_>, Vec<_>) = injuries.iter().partition(|injury| injury.admitted);
    flow.step("injuries in the registry", injuries.len(), not_admitted.iter().map(|_| "not admitted"));
    let mut chosen = Vec::new();
    let mut without = Vec::new();
    for &injury in &admitted {
        let films = films_of.get(injury.patient.as_str()).map_or(&[][..], Vec::as_slice);
        let that_day: Vec<_> = films.iter().copied().filter(|film| film.date == injury.date).collect();
        let mut frontal: Vec<_> =
            that_day.iter().copied().filter(|film| film.view == RecordedView::FrontalPelvis).collect();
        // Films without a defect come first; where all have one, the first's defects exclude the injury.
        frontal.sort_by_key(|film| !film.defects.is_empty());
        match frontal.as_slice() {
            [] if films.is_empty() => without.push("no film"),
            [] if that_day.is_empty() => without.push("no film on the day of the injury"),
            [] => without.push("no frontal film of the pelvis on the day of the injury"),
            _ => {
                let judged = judge(&injury.diagnosis, &injury.procedures);
                let review = reviews.get(&(injury.patient.clone(), injury.date)).filter(|_| judged.review.is_some());
                let verdict = match review {
                    Some(reviewed) => DiagnosisLabel { other_fracture: judged.other_fracture, ..reviewed.clone() },
                    None => judged,
                };
                chosen.push(Chosen { injury, records: frontal, verdict });
            }
        }
    }
    flow.step("injuries of admitted patients", admitted.len(), without);
    Selected { chosen, flow }
}

/// The films that stand for no injury, and why.
fn unused(injuries: &[Injury], records: &[FilmRecord], used: &BTreeSet<u64>) -> Vec<Unused> {
    let mut injuries_of: BTreeMap<&str, Vec<&Injury>> = BTreeMap::new();
    for injury in injuries {
        injuries_of.entry(&injury.patient).or_default().push(injury);
    }
    let reason = |film: &FilmRecord| {
        let Some(injuries) = injuries_of.get(film.patient.as_str()) else {
            return "its patient is not in the registry".to_owned();
        };
        match injuries.iter().find(|injury| injury.date == film.date) {
            None => "it is of another day than its patient's injury".to_owned(),
            Some(injury) if !injury.admitted => "its patient was not admitted".to_owned(),
            Some(_) if film.view == RecordedView::Other => {
                format!("its view `{}` is no frontal pelvis", film.view_text)
            }
            Some(_) => "another film of the same injury was taken".to_owned(),
        }
    };
    records
        .iter()
        .filter(|film| !used.contains(&film.line))
        .map(|film| Unused { line: film.line, reason: reason(film) })
        .collect()
}

fn row(image_id: &str, chosen: &Chosen<'_>, record: &FilmRecord) -> Film {
    let Chosen { injury, verdict, .. } = chosen;
    let mut film = Film::new(image_id, "", injury.patient.clone(), BodyPart::Pelvis, verdict.label);
    film.fracture_type = verdict.fracture_type;
    film.side = verdict.side;
    film.age = injury.age;
    film.sex = injury.sex;
    film.quality = record.quality.clone();
    film.source = if record.source.is_empty() { "registry".to_owned() } else { record.source.clone() };
    film.extra = BTreeMap::from([
        ("iss".to_owned(), injury.iss.map_or_else(String::new, |iss| iss.to_string())),
        ("view".to_owned(), record.view_text.clone()),
        ("year".to_owned(), injury.date.year().to_string()),
    ]);
    let defects: Vec<String> = record.defects.iter().map(|defect| defect.as_str().to_owned()).collect();
    let other = verdict.other_fracture.as_ref().map(|place| format!("other fracture: {place}"));
    let reasons: Vec<String> = defects.into_iter().chain(other).collect();
    film.excluded = !reasons.is_empty();
    film.reason = reasons.join("; ");
    if let Some(review) = verdict.review.as_ref().filter(|_| !film.excluded) {
        film.reason = format!("review: {review}");
    }
    film
}
