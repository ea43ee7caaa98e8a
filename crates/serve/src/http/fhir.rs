//! FHIR R5: a film's result as a DiagnosticReport with its Observations.
//!
//! A film that was not read has an Observation without a value and with the reason why (`dataAbsentReason`), never a probability.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use coxa_schema::{FilmPrediction, Finding, NOTICE, Region, Side};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::rfc3339;
use super::app::{App, Shared};
use super::error::HttpError;
use crate::db::{Film, Reading};

const SNOMED: &str = "http://snomed.info/sct";
/// The most reports of a page.
const PAGE: i64 = 200;

/// `GET /fhir/metadata`.
pub(super) async fn capability() -> Response {
    let search = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    fhir(&json!({
        "resourceType": "CapabilityStatement", "status": "active", "date": "2026-01-01", "kind": "instance", "fhirVersion": "5.0.0",
        "format": ["json"],
        "implementation": { "description": format!("Coxa: results of hip films, {NOTICE}") },
        "rest": [{ "mode": "server", "resource": [
            { "type": "DiagnosticReport", "interaction": [{ "code": "read" }, { "code": "search-type" }],
              "searchParam": [search("study", "reference"), search("_lastUpdated", "date")] },
            { "type": "Observation", "interaction": [{ "code": "read" }] },
        ]}],
    }))
}

/// What a search asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    study: Option<String>,
    #[serde(rename = "_lastUpdated")]
    last_updated: Option<String>,
    #[serde(rename = "_count")]
    count: Option<i64>,
    /// The last report of the page before: only links have it.
    #[serde(rename = "_after")]
    after: Option<i64>,
}

/// `GET /fhir/DiagnosticReport?study=urn:oid:…` or `?_lastUpdated=ge…`.
pub(super) async fn search(State(app): Shared, Query(asked): Query<Asked>) -> Result<Response, HttpError> {
    let since = match asked.last_updated.as_deref().map(|text| text.trim_start_matches("ge")) {
        None => 0,
        Some(text) => text
            .parse::<jiff::Timestamp>()
            .map(jiff::Timestamp::as_microsecond)
            .map_err(|_| HttpError::bad("_lastUpdated wants ge and a moment: ge2026-01-31T12:00:00Z"))?,
    };
    let (study, page) = (asked.study.as_deref().map(|study| study.trim_start_matches("urn:oid:")), asked.page());
    let total = app.db.count_reports(since, study).await?;
    // One more than the page has says whether another one follows.
    let mut films =
        if page == 0 { Vec::new() } else { app.db.reports(since, study, asked.after.unwrap_or(0), page + 1).await? };
    let has_more = films.len() as i64 > page;
    films.truncate(usize::try_from(page).unwrap_or_default());
    let mut entries = Vec::new();
    for id in &films {
        // One that retention has just removed is in no answer.
        let (Some(film), Some(reading)) = (app.db.film(*id).await?, app.db.reading_of(*id).await?) else { continue };
        let full = format!("urn:coxa:DiagnosticReport/{id}");
        let resource = report_of(&film, &reading);
        entries.push(json!({ "fullUrl": full, "resource": resource, "search": { "mode": "match" } }));
    }
    let mut links = vec![json!({ "relation": "self", "url": asked.place(asked.after) })];
    if let (true, Some(last)) = (has_more, films.last()) {
        links.push(json!({ "relation": "next", "url": asked.place(Some(*last)) }));
    }
    let mut bundle = json!({ "resourceType": "Bundle", "type": "searchset", "total": total, "link": links });
    // FHIR has no empty lists.
    if !entries.is_empty() {
        bundle["entry"] = json!(entries);
    }
    Ok(fhir(&bundle))
}

impl Asked {
    /// How many reports a page has.
    fn page(&self) -> i64 {
        self.count.unwrap_or(PAGE).clamp(0, PAGE)
    }

    /// The address of a page of the same search, relative to this server's root.
    fn place(&self, after: Option<i64>) -> String {
        let given = [
            ("study", self.study.clone()),
            ("_lastUpdated", self.last_updated.clone()),
            ("_count", self.count.map(|count| count.to_string())),
            ("_after", after.map(|after| after.to_string())),
        ];
        let path = "/fhir/DiagnosticReport";
        let given: Vec<_> = given.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
        match reqwest::Url::parse_with_params(&format!("http://node{path}"), given) {
            Ok(url) => url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
            Err(_) => path.to_owned(),
        }
    }
}

/// `GET /fhir/DiagnosticReport/{id}`.
pub(super) async fn report(State(app): Shared, Path(id): Path<i64>) -> Result<Response, HttpError> {
    let (film, reading) = find(&app, id).await?;
    Ok(fhir(&report_of(&film, &reading)))
}

/// `GET /fhir/Observation/{id}`.
pub(super) async fn observation(State(app): Shared, Path(id): Path<i64>) -> Result<Response, HttpError> {
    let (film, reading) = find(&app, id).await?;
    let mut observation = observation_of(&film, &reading);
    observation["id"] = json!(id.to_string());
    observation["contained"] = json!([device(&reading)]);
    Ok(fhir(&observation))
}

async fn find(app: &Arc<App>, id: i64) -> Result<(Film, Reading), HttpError> {
    let film = app.db.film(id).await?.filter(|film| film.kind == "film").ok_or_else(HttpError::not_found)?;
    let reading =
        app.db.reading_of(id).await?.filter(|reading| reading.read_at > 0).ok_or_else(HttpError::not_found)?;
    Ok((film, reading))
}

fn fhir(resource: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/fhir+json; fhirVersion=5.0")], resource.to_string()).into_response()
}

/// A transaction that puts a film's report on another FHIR server, the same one however often it is sent.
pub fn report_bundle(film: &Film, reading: &Reading) -> Value {
    let report = report_of(film, reading);
    let id = format!("coxa-{}", film.id);
    json!({
        "resourceType": "Bundle", "type": "transaction",
        "entry": [{
            "resource": report,
            "request": { "method": "PUT", "url": format!("DiagnosticReport?identifier=urn:coxa|{id}") },
        }],
    })
}

fn report_of(film: &Film, reading: &Reading) -> Value {
    let attributes = &film.attributes;
    let uid = |uid: &str| json!({ "system": "urn:dicom:uid", "value": format!("urn:oid:{uid}") });
    let mut report = json!({
        "resourceType": "DiagnosticReport",
        "id": film.id.to_string(),
        "contained": [observation_of(film, reading), device(reading)],
        "identifier": [{ "system": "urn:coxa", "value": format!("coxa-{}", film.id) }],
        // No physician has confirmed it.
        "status": "preliminary",
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD", "display": "Radiology" }] }],
        "code": { "coding": [{ "system": SNOMED, "code": "363679005", "display": "Imaging procedure" }],
                  "text": "Hip fracture on a radiograph, read by a program" },
        "issued": rfc3339(reading.read_at),
        "result": [{ "reference": "#finding" }],
        "study": [{ "type": "ImagingStudy", "identifier": uid(&attributes.study_uid) }],
        "conclusion": format!("{} {NOTICE}.", conclusion(reading)),
    });
    if let Some(subject) = subject(film) {
        report["subject"] = subject;
    }
    report
}

fn subject(film: &Film) -> Option<Value> {
    // A string of FHIR holds no control characters (R5, 2.1.28).
    let id: String = film.attributes.patient_id.chars().filter(|c| !c.is_control()).collect();
    (!id.is_empty()).then(|| json!({ "type": "Patient", "identifier": { "value": id } }))
}

fn device(reading: &Reading) -> Value {
    let mut device = json!({
        "resourceType": "Device", "id": "program",
        "name": [{ "value": "Coxa", "type": "registered-name" }],
        "version": [
            { "type": { "text": "program" }, "value": env!("CARGO_PKG_VERSION") },
            { "type": { "text": "network" }, "value": reading.model },
        ],
        "note": [{ "text": NOTICE }],
    });
    if reading.calibration > 0
        && let Some(versions) = device["version"].as_array_mut()
    {
        versions.push(json!({ "type": { "text": "calibration" }, "value": reading.calibration.to_string() }));
    }
    device
}

fn prediction(reading: &Reading) -> Option<FilmPrediction> {
    serde_json::from_str(&reading.prediction).ok()
}

fn conclusion(reading: &Reading) -> String {
    match prediction(reading) {
        Some(FilmPrediction::Read(finding)) if finding.is_positive => {
            let sides: Vec<&str> = finding.regions.iter().filter_map(|region| region.side).map(Side::as_str).collect();
            let mut sides: Vec<&str> = sides.into_iter().collect();
            sides.sort_unstable();
            sides.dedup();
            let side = if sides.is_empty() { String::new() } else { format!(", {}", sides.join(" and ")) };
            format!(
                "Signs of a hip fracture{side}: probability {:.3}, threshold {:.3}.",
                finding.probability, finding.threshold
            )
        }
        Some(FilmPrediction::Read(finding)) => {
            format!(
                "No signs of a hip fracture: probability {:.3}, threshold {:.3}.",
                finding.probability, finding.threshold
            )
        }
        Some(FilmPrediction::NotRead { not_read }) => format!("Not read: {not_read}."),
        None => "Not read.".to_owned(),
    }
}

fn observation_of(film: &Film, reading: &Reading) -> Value {
    let mut observation = json!({
        "resourceType": "Observation",
        "id": "finding",
        "status": "preliminary",
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging" }] }],
        "code": { "coding": [{ "system": SNOMED, "code": "72704001", "display": "Fracture" }] },
        "bodySite": { "coding": [{ "system": SNOMED, "code": "24136001", "display": "Hip joint" }] },
        "device": { "reference": "#program" },
        "issued": rfc3339(reading.read_at),
        "derivedFrom": [{ "type": "ImagingStudy", "identifier": { "system": "urn:dicom:uid", "value": format!("urn:oid:{}", film.attributes.study_uid) } }],
        "note": [{ "text": NOTICE }],
    });
    if let Some(subject) = subject(film) {
        observation["subject"] = subject;
    }
    match prediction(reading) {
        Some(FilmPrediction::Read(finding)) => add_finding(&mut observation, &finding),
        Some(FilmPrediction::NotRead { not_read }) => {
            observation["dataAbsentReason"] = json!({
                "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-performed" }],
                "text": not_read,
            });
        }
        None => {}
    }
    observation
}

fn add_finding(observation: &mut Value, finding: &Finding) {
    let unity = |value: f64| json!({ "value": value, "unit": "1", "system": "http://unitsofmeasure.org", "code": "1" });
    observation["valueQuantity"] = unity(finding.probability);
    let (code, display) = if finding.is_positive { ("POS", "Positive") } else { ("NEG", "Negative") };
    observation["interpretation"] = json!([{ "coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": code, "display": display }] }]);
    observation["referenceRange"] = json!([{ "high": unity(finding.threshold), "text": "below the threshold" }]);
    if !finding.regions.is_empty() {
        observation["component"] = finding.regions.iter().map(component).collect();
    }
}

fn component(region: &Region) -> Value {
    let side = region.side.map_or("side unknown", Side::as_str);
    json!({
        "code": { "text": format!("Region of the finding, {side}") },
        "valueString": format!("x {:.0}, y {:.0}, width {:.0}, height {:.0} pixels", region.x, region.y, region.width, region.height),
    })
}
