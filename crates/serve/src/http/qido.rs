//! QIDO-RS (PS3.18, 10.6): searches, answered from the database alone.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::accept::choose;
use super::app::{App, Shared};
use super::error::HttpError;
use crate::db::{Film, FilmQuery, Level};

/// Matches that are given unless `limit` says otherwise, and the most.
const LIMIT: i64 = 1000;
const MOST: i64 = 10_000;

/// What a search is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Studies,
    Series,
    Instances,
}

/// `GET /studies`.
pub(super) async fn studies(state: Shared, query: RawQuery, headers: HeaderMap) -> Result<Response, HttpError> {
    search(state, query, &headers, For::Studies, &[]).await
}

/// `GET /series`.
pub(super) async fn series(state: Shared, query: RawQuery, headers: HeaderMap) -> Result<Response, HttpError> {
    search(state, query, &headers, For::Series, &[]).await
}

/// `GET /instances`.
pub(super) async fn instances(state: Shared, query: RawQuery, headers: HeaderMap) -> Result<Response, HttpError> {
    search(state, query, &headers, For::Instances, &[]).await
}

/// `GET /studies/{study}/series`.
pub(super) async fn series_of(
    state: Shared,
    Path(study): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    search(state, query, &headers, For::Series, &[("StudyInstanceUID", study)]).await
}

/// `GET /studies/{study}/instances`.
pub(super) async fn instances_of_study(
    state: Shared,
    Path(study): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    search(state, query, &headers, For::Instances, &[("StudyInstanceUID", study)]).await
}

/// `GET /studies/{study}/series/{series}/instances`.
pub(super) async fn instances_of_series(
    state: Shared,
    Path((study, series)): Path<(String, String)>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    search(state, query, &headers, For::Instances, &[("StudyInstanceUID", study), ("SeriesInstanceUID", series)]).await
}

async fn search(
    State(app): Shared,
    RawQuery(query): RawQuery,
    headers: &HeaderMap,
    what: For,
    path: &[(&str, String)],
) -> Result<Response, HttpError> {
    let media = choose(headers, &["application/dicom+json", "application/json"])
        .ok_or_else(|| HttpError::not_acceptable("application/dicom+json"))?;
    let asked = Asked::parse(query.as_deref().unwrap_or_default(), path)?;
    let found = match what {
        For::Studies => app.db.firsts(&asked.query, Level::Study).await?,
        For::Series => app.db.firsts(&asked.query, Level::Series).await?,
        For::Instances => app.db.films(&asked.query).await?,
    };
    let mut all = Vec::with_capacity(found.len());
    for film in &found {
        all.push(match what {
            For::Studies => study_of(&app, film, &asked).await?,
            For::Series => series_object(&app, film, &asked).await?,
            For::Instances => instance_object(film, &asked),
        });
    }
    let body = serde_json::to_string(&all).unwrap_or_default();
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, media)], body).into_response();
    if asked.fuzzy {
        let warning = "299 coxa \"fuzzy matching is not supported: names were matched literally\"";
        response.headers_mut().insert(header::WARNING, header::HeaderValue::from_static(warning));
    }
    Ok(response)
}

/// A search as it was asked for.
struct Asked {
    query: FilmQuery,
    fuzzy: bool,
    /// Attributes beyond the standard's own, as eight digits; `None` for all.
    fields: Option<Vec<String>>,
}

impl Asked {
    fn parse(text: &str, path: &[(&str, String)]) -> Result<Self, HttpError> {
        let mut asked =
            Self { query: FilmQuery { limit: LIMIT, ..FilmQuery::default() }, fuzzy: false, fields: Some(Vec::new()) };
        let pairs: Vec<(String, String)> =
            serde_urlencoded_pairs(text).ok_or_else(|| HttpError::bad("the query cannot be decoded"))?;
        for (key, value) in &pairs {
            asked.take(key, value)?;
        }
        for (key, value) in path {
            if coxa_dimse::Uid::parse(value).is_none() {
                return Err(HttpError::bad(format!("{key} wants a UID")));
            }
            asked.take(key, value)?;
        }
        Ok(asked)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), HttpError> {
        let list = || -> Result<Vec<String>, HttpError> {
            let uids: Vec<String> = value.split([',', '\\']).filter(|uid| !uid.is_empty()).map(str::to_owned).collect();
            if uids.iter().all(|uid| is_uid(uid)) {
                Ok(uids)
            } else {
                Err(HttpError::bad(format!("{} wants UIDs", shown(key))))
            }
        };
        let number = |most: i64| {
            value
                .parse()
                .ok()
                .filter(|n| (0..=most).contains(n))
                .ok_or_else(|| HttpError::bad(format!("{key} wants a number from 0 to {most}")))
        };
        let query = &mut self.query;
        match key {
            "StudyInstanceUID" | "0020000D" => query.study_uid = list()?,
            "SeriesInstanceUID" | "0020000E" => query.series_uid = list()?,
            "SOPInstanceUID" | "00080018" => query.sop_instance_uid = list()?,
            "SOPClassUID" | "00080016" => value.clone_into(&mut query.sop_class_uid),
            "PatientID" | "00100020" => value.clone_into(&mut query.patient_id),
            "PatientName" | "00100010" => value.clone_into(&mut query.patient_name),
            "AccessionNumber" | "00080050" => value.clone_into(&mut query.accession_number),
            "StudyID" | "00200010" => value.clone_into(&mut query.study_id),
            "Modality" | "00080060" | "ModalitiesInStudy" | "00080061" => {
                query.modality = value.split([',', '\\']).filter(|m| !m.is_empty()).map(str::to_owned).collect();
            }
            "StudyDate" | "00080020" => query.study_date = dates(value)?,
            "limit" => query.limit = number(i64::MAX)?.min(MOST),
            "offset" => query.offset = number(1_000_000_000)?,
            "fuzzymatching" => match value {
                "true" | "false" => self.fuzzy = value == "true",
                _ => return Err(HttpError::bad("fuzzymatching is true or false")),
            },
            "includefield" => self.include(value)?,
            other => {
                return Err(HttpError::bad(format!("{} is no attribute that can be searched for here", shown(other))));
            }
        }
        Ok(())
    }

    fn include(&mut self, value: &str) -> Result<(), HttpError> {
        for field in value.split(',').filter(|field| !field.is_empty()) {
            if field == "all" {
                self.fields = None;
                return Ok(());
            }
            let tag = tag_of(field).ok_or_else(|| HttpError::bad(format!("{} is no attribute", shown(field))))?;
            if let Some(fields) = &mut self.fields {
                fields.push(tag);
            }
        }
        Ok(())
    }
}

/// Whether a text has a UID's form (PS3.5, 9.1). One that is too long is none that a film can have, and matches nothing.
fn is_uid(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    })
}

/// A key of a request as an error may show it.
fn shown(key: &str) -> String {
    key.chars().filter(|c| c.is_ascii_alphanumeric()).take(40).collect()
}

fn tag_of(field: &str) -> Option<String> {
    use dicom_core::DataDictionary as _;
    use dicom_core::dictionary::DataDictionaryEntry as _;
    if field.len() == 8 && field.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(field.to_ascii_uppercase());
    }
    let tag = dicom_dictionary_std::StandardDataDictionary.by_name(field)?.tag();
    Some(format!("{:04X}{:04X}", tag.group(), tag.element()))
}

fn dates(value: &str) -> Result<(String, String), HttpError> {
    let is_date = |text: &str| text.is_empty() || (text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()));
    let (from, to) = value.split_once('-').unwrap_or((value, value));
    if is_date(from) && is_date(to) {
        return Ok((from.to_owned(), to.to_owned()));
    }
    Err(HttpError::bad("StudyDate wants YYYYMMDD, or YYYYMMDD-YYYYMMDD where either may be left out"))
}

fn serde_urlencoded_pairs(text: &str) -> Option<Vec<(String, String)>> {
    let uri: axum::http::Uri = format!("/?{text}").parse().ok()?;
    axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok().map(|query| query.0)
}

async fn study_of(app: &Arc<App>, film: &Film, asked: &Asked) -> Result<Value, HttpError> {
    let contents = app.db.contents(Level::Study, &film.attributes.study_uid).await?;
    let mut object = study_attributes(film, asked);
    put(&mut object, "00080061", "CS", contents.modalities.iter().map(|m| json!(m)).collect());
    put(&mut object, "00201206", "IS", vec![json!(contents.series)]);
    put(&mut object, "00201208", "IS", vec![json!(contents.instances)]);
    Ok(Value::Object(object))
}

async fn series_object(app: &Arc<App>, film: &Film, asked: &Asked) -> Result<Value, HttpError> {
    let contents = app.db.contents(Level::Series, &film.attributes.series_uid).await?;
    let mut object = study_attributes(film, asked);
    series_attributes(&mut object, film);
    put(&mut object, "00201209", "IS", vec![json!(contents.instances)]);
    Ok(Value::Object(object))
}

fn instance_object(film: &Film, asked: &Asked) -> Value {
    let mut object = study_attributes(film, asked);
    series_attributes(&mut object, film);
    let attributes = &film.attributes;
    text(&mut object, "00080016", "UI", &attributes.sop_class_uid);
    text(&mut object, "00080018", "UI", &attributes.sop_instance_uid);
    number(&mut object, "00200013", &attributes.instance_number);
    if attributes.rows > 0 {
        put(&mut object, "00280010", "US", vec![json!(attributes.rows)]);
        put(&mut object, "00280011", "US", vec![json!(attributes.columns)]);
    }
    put(&mut object, "00083002", "UI", vec![json!(attributes.transfer_syntax)]);
    Value::Object(object)
}

fn series_attributes(object: &mut Map<String, Value>, film: &Film) {
    let attributes = &film.attributes;
    text(object, "00080060", "CS", &attributes.modality);
    text(object, "0008103E", "LO", &attributes.series_description);
    text(object, "00180015", "CS", &attributes.body_part);
    text(object, "0020000E", "UI", &attributes.series_uid);
    number(object, "00200011", &attributes.series_number);
}

fn study_attributes(film: &Film, asked: &Asked) -> Map<String, Value> {
    let attributes = &film.attributes;
    // What was asked for beside the standard's own comes first, so that those are never overwritten by it.
    let mut object = match (&asked.fields, serde_json::from_str::<Map<String, Value>>(&attributes.metadata)) {
        (None, Ok(all)) => all,
        (Some(fields), Ok(all)) => all.into_iter().filter(|(tag, _)| fields.contains(tag)).collect(),
        (_, Err(_)) => Map::new(),
    };
    put(&mut object, "00080005", "CS", vec![json!("ISO_IR 192")]);
    text(&mut object, "00080020", "DA", &attributes.study_date);
    text(&mut object, "00080030", "TM", &attributes.study_time);
    text(&mut object, "00080050", "SH", &attributes.accession_number);
    put(&mut object, "00080056", "CS", vec![json!("ONLINE")]);
    person(&mut object, "00080090", &attributes.referring_physician);
    text(&mut object, "00081030", "LO", &attributes.study_description);
    person(&mut object, "00100010", &attributes.patient_name);
    text(&mut object, "00100020", "LO", &attributes.patient_id);
    text(&mut object, "00100030", "DA", &attributes.patient_birth_date);
    text(&mut object, "00100040", "CS", &attributes.patient_sex);
    text(&mut object, "0020000D", "UI", &attributes.study_uid);
    text(&mut object, "00200010", "SH", &attributes.study_id);
    object
}

fn put(object: &mut Map<String, Value>, tag: &str, vr: &str, values: Vec<Value>) {
    object.insert(tag.to_owned(), json!({ "vr": vr, "Value": values }));
}

/// An attribute without a value has no `Value` (PS3.18, F.2.5).
fn text(object: &mut Map<String, Value>, tag: &str, vr: &str, value: &str) {
    if value.is_empty() {
        object.insert(tag.to_owned(), json!({ "vr": vr }));
    } else {
        put(object, tag, vr, vec![json!(value)]);
    }
}

fn number(object: &mut Map<String, Value>, tag: &str, value: &str) {
    match value.trim().parse::<i64>() {
        Ok(value) => put(object, tag, "IS", vec![json!(value)]),
        Err(_) => text(object, tag, "IS", ""),
    }
}

fn person(object: &mut Map<String, Value>, tag: &str, name: &str) {
    if name.is_empty() {
        return text(object, tag, "PN", "");
    }
    let groups: Map<String, Value> = ["Alphabetic", "Ideographic", "Phonetic"]
        .into_iter()
        .zip(name.split('='))
        .filter(|(_, group)| !group.is_empty())
        .map(|(key, group)| (key.to_owned(), json!(group)))
        .collect();
    put(object, tag, "PN", vec![Value::Object(groups)]);
}
