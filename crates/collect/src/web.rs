//! An archive by DICOMweb: QIDO-RS and WADO-RS.

use std::collections::BTreeSet;

use coxa_dimse::Uid;
use coxa_dimse::query::Identifier;
use coxa_dimse::web::{Level, Retrieve, Service, WebError};
use coxa_imaging::MAX_FILE_BYTES;

use crate::attributes::Attributes;
use crate::fault::{Fault, Worth};
use crate::keys::{MOST_MATCHES, OF_INSTANCE, OF_SERIES, OF_STUDY, Query, Scope, range};
use crate::objects::Arrived;

/// Searches.
pub(crate) async fn search(service: &Service, query: Query<'_>) -> Result<Vec<Attributes>, Fault> {
    let fields =
        |keys: &'static [(u32, &'static [u8; 2], &'static str)]| keys.iter().map(|(.., name)| ("includefield", *name));
    let days;
    let (level, query): (Level<'_>, Vec<(&str, &str)>) = match query {
        Query::Studies { patient, days: wanted } => {
            let mut keys = vec![("PatientID", patient)];
            if let Some(wanted) = wanted {
                days = range(wanted);
                keys.push(("StudyDate", &days));
            }
            keys.extend(fields(&OF_STUDY));
            (Level::Studies, keys)
        }
        Query::Series { study, .. } => (Level::Series { study }, fields(&OF_SERIES).collect()),
        Query::Instances { study, series, .. } => (Level::Instances { study, series }, fields(&OF_INSTANCE).collect()),
    };
    let matches = service.search(level, &query, MOST_MATCHES).await.map_err(|error| Fault::of_web(&error))?;
    if matches.is_cut {
        return Err(Fault::new(Worth::Smaller, format!("a search has more than {MOST_MATCHES} matches")));
    }
    Ok(matches.found.iter().map(Attributes::of_json).collect())
}

/// Retrieves; only instances among `wanted` are accepted.
pub(crate) async fn download(service: &Service, scope: Scope<'_>, wanted: &BTreeSet<Uid>) -> Arrived {
    let what = match scope {
        Scope::Study(study) => Retrieve::Study(study),
        Scope::Series(study, series) => Retrieve::Series(study, series),
        Scope::Instance(study, series, instance) => Retrieve::Instance(study, series, instance),
    };
    let mut arrived = Arrived::default();
    let result = async {
        let mut parts = service.retrieve(what).await?;
        while let Some(mut part) = parts.next().await? {
            let mut bytes = Vec::new();
            while let Some(piece) = part.next().await? {
                if (bytes.len() + piece.len()) as u64 > MAX_FILE_BYTES {
                    return Err(WebError::Limit("bytes of an object"));
                }
                bytes.extend_from_slice(&piece);
            }
            let head = Identifier::of_file(&bytes);
            let named = head.and_then(|(_, head)| Attributes::of_identifier(&head).instance);
            let instance = match (named, scope) {
                (Some(instance), _) => instance,
                // The head of a big endian or deflated file is not read here; de-identification compares its UID.
                (None, Scope::Instance(.., instance)) => instance.clone(),
                (None, _) => continue,
            };
            if wanted.contains(&instance) {
                arrived.films.push((instance, bytes));
            }
        }
        Ok(())
    };
    let result = result.await;
    let (came, asked) = (arrived.films.len(), wanted.len());
    arrived.fault = match result {
        _ if came >= asked => None,
        Err(error) => Some(Fault::of_web(&error)),
        Ok(()) => Some(Fault::new(Worth::Smaller, format!("{came} of {asked} films came"))),
    };
    arrived
}
