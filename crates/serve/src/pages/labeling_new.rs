//! A new labeling of films that the node received.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Form};
use coxa_cohort::{Dataset, Film as Row};
use coxa_files::table::Table;
use coxa_schema::{BodyPart, FilmPrediction, Label, Sex};

use super::PageError;
use super::labeling::{Fields, list, reviewers, to};
use super::state::Desk;
use super::worklist::{Asked, Filters};
use crate::audit::Deed;
use crate::db::{Film, NewItem, NewLabeling};
use crate::http::{App, Caller, Shared};
use crate::labeling::{Task, differs, has_heat_map, rule_of_sample, sampled};

/// Films of a labeling that is made on the page.
const MOST: usize = 5000;

/// `POST /labeling`: makes a labeling of films that the node received.
pub(super) async fn make(
    State(app): Shared,
    Extension(desk): Extension<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let filled = Fields::of(fields);
    match new_labeling(&app, &desk, &caller, &filled).await? {
        Err(wrong) => list(&app, &caller, wrong, filled).await,
        Ok(new) => {
            let event = caller.event(Deed::LabelingMade).with("films", new.films.len()).with("task", &new.task);
            app.audit.add(event.with("reviewers", new.reviewers.len())).await?;
            let id = app.db.add_labeling(&new).await?;
            Ok(to(format!("/labeling/{id}")))
        }
    }
}

async fn new_labeling(
    app: &App,
    desk: &Desk,
    caller: &Caller,
    filled: &Fields,
) -> Result<Result<NewLabeling, &'static str>, PageError> {
    let name = filled.text("name").trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Ok(Err("labeling-wrong-name"));
    }
    let Some(task) = Task::parse(filled.text("task")) else { return Ok(Err("labeling-wrong-task")) };
    let Ok(seed) = filled.text("seed").trim().parse::<u64>() else { return Ok(Err("labeling-wrong-seed")) };
    let known = reviewers(app).await?;
    let mut chosen: Vec<i64> = filled.all("reviewer").filter_map(|name| known.get(name).copied()).collect();
    let mut seen = BTreeSet::new();
    chosen.retain(|person| seen.insert(*person));
    let adjudicator = known.get(filled.text("adjudicator")).copied();
    if chosen.is_empty() || (chosen.len() > 1 && adjudicator.is_none()) {
        return Ok(Err("labeling-wrong-reviewers"));
    }
    if adjudicator.is_some_and(|person| chosen.contains(&person)) {
        return Ok(Err("labeling-wrong-adjudicator"));
    }
    let Ok(reports) = reports(filled.text("reports")) else { return Ok(Err("labeling-wrong-reports")) };
    let films = match films(app, filled).await? {
        Ok(films) => films,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let Some((items, rule)) = items(app, desk, films, &reports, (task, seed), filled.text("most")).await? else {
        return Ok(Err("labeling-wrong-number"));
    };
    if items.is_empty() {
        return Ok(Err("labeling-wrong-films"));
    }
    let dataset = dataset(&items);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ok(NewLabeling {
        name: name.to_owned(),
        task: task.as_str().to_owned(),
        rule,
        seed,
        by: caller.asker.person().map(|person| person.name.clone()).unwrap_or_default(),
        manifest: text(dataset.manifest_csv()),
        truth: text(dataset.truth_csv()),
        reviewers: chosen,
        adjudicator: adjudicator.filter(|_| seen.len() > 1),
        films: items.into_iter().map(|(_, item)| item).collect(),
    }))
}

/// Reports by SOP Instance UID.
fn reports(pasted: &str) -> Result<BTreeMap<String, String>, ()> {
    if pasted.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let table = Table::parse(pasted.as_bytes(), FilePath::new("reports")).map_err(drop)?;
    for column in ["sop_instance_uid", "report"] {
        table.require(column).map_err(drop)?;
    }
    Ok(table
        .rows()
        .map(|row| (row.text("sop_instance_uid").trim().to_owned(), row.text("report").to_owned()))
        .collect())
}

/// The films that the form names: by their UIDs, or as the worklist finds them.
async fn films(app: &App, filled: &Fields) -> Result<Result<Vec<Film>, &'static str>, PageError> {
    let uids: Vec<&str> = filled.text("films").split_whitespace().collect();
    let mut films = Vec::new();
    if !uids.is_empty() {
        for uid in uids.into_iter().take(MOST) {
            match app.db.film_by_uid(uid).await?.filter(|film| film.kind == "film") {
                Some(film) => films.push(film),
                None => return Ok(Err("labeling-wrong-uid")),
            }
        }
        return Ok(Ok(films));
    }
    let asked = Asked::of(filled.text("finding"), filled.text("date"), filled.text("q"));
    for listed in app.db.worklist(&Filters::of(&asked).query(), 0, MOST as i64).await? {
        films.extend(app.db.film(listed.id).await?);
    }
    films.sort_by_key(|film| film.id);
    Ok(Ok(films))
}

/// The labeling's films with the rule by which they were chosen; `None` where the number of heat maps is none.
async fn items(
    app: &App,
    desk: &Desk,
    films: Vec<Film>,
    reports: &BTreeMap<String, String>,
    (task, seed): (Task, u64),
    most: &str,
) -> Result<Option<(Vec<(Film, NewItem)>, String)>, PageError> {
    let labels: BTreeMap<i64, bool> = match desk.network(&app.config).await {
        Some((_, hash)) => {
            let labeled = app.db.labeled(hash).await?.into_iter();
            labeled.filter_map(|one| Some((one.film.film, one.label?))).collect()
        }
        None => BTreeMap::new(),
    };
    let mut patients: BTreeMap<String, usize> = BTreeMap::new();
    let mut items = Vec::new();
    for film in films {
        let prediction = app.db.reading_of(film.id).await?.map(|reading| reading.prediction).unwrap_or_default();
        let read = serde_json::from_str::<FilmPrediction>(&prediction).ok();
        let finding = read.as_ref().and_then(FilmPrediction::finding);
        if task == Task::HeatMaps && !finding.is_some_and(has_heat_map) {
            continue;
        }
        let label = labels.get(&film.id).map_or(Label::Unknown, |is_present| Label::from(*is_present));
        let next = patients.len() + 1;
        let patient = match film.attributes.patient_id.as_str() {
            "" => String::new(),
            id => format!("P{:04}", patients.entry(id.to_owned()).or_insert(next)),
        };
        let item = NewItem {
            film: film.id,
            sha256: film.attributes.sha256.clone(),
            size: (film.attributes.rows, film.attributes.columns),
            patient,
            report: reports.get(&film.attributes.sop_instance_uid).cloned().unwrap_or_default(),
            needs_look: task == Task::Labels && finding.is_some_and(|finding| differs(label, finding.is_positive)),
            prediction: if read.is_some() { prediction } else { String::new() },
        };
        items.push((film, item));
    }
    if task == Task::Labels {
        let rule = format!("{} films that the node received", items.len());
        return Ok(Some((items, rule)));
    }
    let Some(most) = most.trim().parse::<usize>().ok().filter(|most| (1..=MOST).contains(most)) else {
        return Ok(None);
    };
    let called = items.len();
    let places = sampled(called, most, seed);
    let chosen: Vec<_> = places.into_iter().map(|place| items[place].clone()).collect();
    let rule = rule_of_sample(chosen.len(), called, seed);
    Ok(Some((chosen, rule)))
}

/// The films as a dataset that names no patient.
fn dataset(items: &[(Film, NewItem)]) -> Dataset {
    let mut dataset = Dataset::new("labeling");
    for (at, (film, item)) in items.iter().enumerate() {
        let name = format!("F{:04}", at + 1);
        let part = match film.attributes.body_part.trim() {
            "" => BodyPart::Pelvis,
            part => BodyPart::parse(part),
        };
        let mut row = Row::new(&name, format!("images/{name}.dcm"), &item.patient, part, Label::Unknown);
        row.sha256 = item.sha256.clone();
        row.sex = Sex::parse(&film.attributes.patient_sex);
        row.source = "received".into();
        dataset.films.push(row);
    }
    dataset
}
