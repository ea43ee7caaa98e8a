//! From a registry and a table of films to a dataset, by the paper's rules.
//!
//! Included: injuries of admitted patients with a frontal pelvic film on the day of the injury, one film an injury. Excluded, each
//! with its reason: poor contrast, positioning errors, foreign bodies, other fractures (femoral shaft, pelvis). The label and
//! the kind of fracture come from the diagnosis; what is questionable has no label and a reason that begins with `review:`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::diagnosis::{Verdict, judge};
use crate::error::CohortError;
use crate::film::Film;
use crate::flow::{Flow, count};
use crate::importers::{Files, Refused, Staging};
use crate::labels::{BodyPart, Label};
use crate::registry::{FilmRecord, Injury, View, load_films, load_injuries};

/// What became of a registry and its films.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CollectReport {
    /// The flow of injuries and films.
    pub flow: Flow,
    /// Films that could not be taken: no file, or the content of another film.
    pub refused: Vec<Refused>,
    /// Films of the table that belong to no injury of the registry, or to no admitted patient, or to another day or view.
    pub unused_films: usize,
    /// Notes on quality that name no known defect, with the line of the films table: worth a look.
    pub notes: Vec<String>,
}

/// Reads the two tables and writes a new dataset. A film's name in it is a serial number; of the dates only the year is
/// kept (column `year`), beside `iss` and `view`. Nothing is left behind when it fails.
///
/// # Errors
/// [`CohortError`]: a bad row of either table, a folder that is not empty, the disk.
pub fn collect(
    registry: &Path,
    films: &Path,
    to: &Path,
    files: Files,
) -> Result<(Dataset, CollectReport), CohortError> {
    let injuries = load_injuries(registry)?;
    let records = load_films(films)?;
    let mut staging = Staging::begin(to, files)?;
    let selected = select(&injuries, &records);
    let mut rows = Vec::new();
    for chosen in selected.chosen {
        let image_id = format!("F{:06}", rows.len() + staging.refused().len() + 1);
        let Some(stored) = staging.add(&chosen.record.path, &image_id) else {
            continue;
        };
        let mut film = row(&image_id, &chosen);
        film.path = stored.path;
        film.sha256 = stored.sha256;
        rows.push(film);
    }
    let mut flow = selected.flow;
    finish_flow(&mut flow, &rows, staging.refused().len());
    let notes = records
        .iter()
        .flat_map(|record| record.other_notes.iter().map(|note| format!("line {}: {note}", record.line)))
        .collect();
    let (dataset, refused) = staging.commit(rows, Vec::new())?;
    let report = CollectReport { flow, refused, unused_films: selected.unused_films, notes };
    Ok((dataset, report))
}

struct Chosen<'a> {
    injury: &'a Injury,
    record: &'a FilmRecord,
    verdict: Verdict,
}

struct Selected<'a> {
    chosen: Vec<Chosen<'a>>,
    flow: Flow,
    unused_films: usize,
}

/// Joins injuries with films: the flow down to one frontal pelvic film an injury.
fn select<'a>(injuries: &'a [Injury], records: &'a [FilmRecord]) -> Selected<'a> {
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
        let frontal: Vec<_> = that_day.iter().copied().filter(|film| film.view == View::FrontalPelvis).collect();
        // The first film without a defect; where all have one, the first, whose defects then exclude the injury.
        match frontal.iter().find(|film| film.defects.is_empty()).or(frontal.first()) {
            Some(record) => {
                chosen.push(Chosen { injury, record, verdict: judge(&injury.diagnosis, &injury.procedures) });
            }
            None if films.is_empty() => without.push("no film"),
            None if that_day.is_empty() => without.push("no film on the day of the injury"),
            None => without.push("no frontal film of the pelvis on the day of the injury"),
        }
    }
    flow.step("injuries of admitted patients", admitted.len(), without);
    let unused_films = records.len() - chosen.len();
    Selected { chosen, flow, unused_films }
}

fn row(image_id: &str, chosen: &Chosen<'_>) -> Film {
    let Chosen { injury, record, verdict } = chosen;
    let mut film = Film::new(image_id, "", injury.patient.clone(), BodyPart::Pelvis, verdict.label);
    film.fracture_type = verdict.fracture_type;
    film.side = verdict.side;
    film.age = injury.age;
    film.sex = injury.sex;
    film.quality = record.quality.clone();
    film.source = "registry".to_owned();
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

/// The steps after the join: files that could not be taken, exclusions (the first reason counts), reviews, labels.
fn finish_flow(flow: &mut Flow, films: &[Film], refused: usize) {
    flow.step(
        "injuries with a frontal film of the pelvis on the day",
        films.len() + refused,
        (0..refused).map(|_| "film could not be taken"),
    );
    let (excluded, kept): (Vec<&Film>, Vec<&Film>) = films.iter().partition(|film| film.excluded);
    let first_reason = |film: &&Film| {
        let reason = film.reason.split(';').next().unwrap_or_default();
        // The codes in brackets are for the manifest; the chart counts places.
        reason.split(" (").next().unwrap_or_default().to_owned()
    };
    flow.step("films collected", films.len(), excluded.iter().map(first_reason));
    let (unknown, labeled): (Vec<&Film>, Vec<&Film>) = kept.iter().partition(|film| film.label == Label::Unknown);
    flow.step("films not excluded", kept.len(), unknown.iter().map(|_| "label to be reviewed"));
    flow.step("films with a label", labeled.len(), [] as [&str; 0]);
    flow.outcomes = count(labeled.iter().map(|film| match film.fracture_type {
        Some(crate::FractureType::FemoralNeck) => "femoral neck fracture",
        Some(crate::FractureType::Trochanteric) => "trochanteric fracture",
        _ => "no hip fracture",
    }));
}
