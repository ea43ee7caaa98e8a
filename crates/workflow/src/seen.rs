//! Films and patients that a network knows: figures from them are no test of it.

use std::path::Path;

use coxa_cohort::Dataset;
use coxa_model::Bundle;
use coxa_model::bundle::PatientKey;
use coxa_model::train::RunLayout;

use crate::{WorkEvent, WorkObserver, WorkflowError};

/// The key under which a bundle knows its patients: that of the named run, else of the run that the bundle lies in; `None` where there is
/// none.
///
/// # Errors
/// A key that cannot be read.
pub fn patient_key(run: Option<&Path>, bundle: Option<&Path>) -> Result<Option<PatientKey>, WorkflowError> {
    let run = run.map(RunLayout::new).or_else(|| RunLayout::of_bundle(bundle?));
    let path = run.map(|run| run.patient_key()).filter(|path| path.is_file());
    Ok(path.map(|path| PatientKey::load(&path)).transpose()?)
}

/// Refuses a dataset with films that the bundle was trained or validated on, or with other films of their patients, as far as the key
/// knows them. The patients of two simulated sets are not compared, as every simulation numbers its own from 0.
///
/// # Errors
/// [`WorkflowError::Refused`], naming the first of them; a film that cannot be read.
pub fn refuse_seen(
    dataset: &Dataset,
    bundle: &Bundle,
    key: Option<&PatientKey>,
    observer: &mut dyn WorkObserver,
) -> Result<(), WorkflowError> {
    let data = bundle.card().data.as_ref();
    let numbered = dataset.is_simulated() && data.is_some_and(|data| data.simulated);
    let key = key.filter(|key| bundle.knows_patients_by(key) && !numbered);
    if key.is_none() && data.is_some() && !numbered {
        observer.on(&WorkEvent::Note(
            "films are compared with those of the training by their files alone: comparing patients needs the run's patient.key (--run)",
        ));
    }
    let (mut seen, mut of_patients) = (Vec::new(), 0);
    for film in dataset.films.iter().filter(|film| !film.excluded) {
        if bundle.has_seen(&dataset.content_of(film)?) {
            seen.push(film.image_id.as_str());
        } else if key.is_some_and(|key| bundle.has_seen_patient(&film.patient, key)) {
            of_patients += 1;
            seen.push(film.image_id.as_str());
        }
    }
    if seen.is_empty() {
        return Ok(());
    }
    let named = seen[..seen.len().min(5)].join(", ");
    let more = if seen.len() > 5 { ", …" } else { "" };
    let patients = match of_patients {
        0 => String::new(),
        n => format!(", {n} of them as other films of a patient"),
    };
    Err(WorkflowError::refused(
        format!(
            "{}: {} of the films were trained or validated on with this bundle{patients} ({named}{more}), so this would be no test",
            dataset.folder.join("manifest.csv").display(),
            seen.len(),
        ),
        "give films kept apart (--from-year, another dataset), or --seen-films to report on them all the same",
    ))
}
