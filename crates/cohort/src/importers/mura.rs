//! MURA (Rajpurkar et al., 2018): studies of the upper limb, `XR_WRIST/patient00001/study1_positive/image1.png`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Files, ImportReport, Staging, films_below, stem_of};
use crate::dataset::Dataset;
use crate::error::CohortError;
use crate::film::Film;
use crate::flow::Flow;
use coxa_schema::{BodyPart, Label};

/// Imports MURA (or a part of it) from its own layout to the new folder `to`.
///
/// Body part, patient and label come from the path. MURA's positive means abnormal (fractures, hardware, degeneration), not
/// fractured: column `finding` says so. Further columns: `study` and, where the path has one, `set` (train or valid).
///
/// # Errors
/// [`CohortError`]: no film of that layout, a folder that is not empty, the disk. Files that cannot be taken, and films
/// elsewhere than the layout puts them, are in the report.
pub fn mura(from: &Path, to: &Path, files: Files) -> Result<(Dataset, ImportReport), CohortError> {
    let (paths, mut notes) = films_below(from)?;
    let mut staging = Staging::begin(to, files)?;
    let mut films = Vec::new();
    let mut left_out = Vec::new();
    for path in &paths {
        let Some(mut film) = film(path.strip_prefix(from).unwrap_or(path)) else {
            staging.refuse(path, "its path is not XR_<PART>/patient<N>/study<N>_<positive|negative>/<image>");
            left_out.push("not in MURA's layout");
            continue;
        };
        let Some(stored) = staging.add(path, &film.image_id) else {
            left_out.push("truncated, unreadable or a copy of another film");
            continue;
        };
        film.path = stored.path;
        film.sha256 = stored.sha256;
        films.push(film);
    }
    if films.is_empty() {
        return Err(CohortError::Layout {
            path: from.to_owned(),
            reason: "no film lies at XR_<PART>/patient<N>/study<N>_<positive|negative>/".to_owned(),
        });
    }
    let mut flow = Flow::default();
    flow.step("files found", paths.len(), left_out);
    let (dataset, refused) = staging.commit(films, Vec::new(), &flow)?;
    let flow = Flow::of_dataset(&dataset)?;
    notes.push("MURA's label 1 means abnormal, which is more than fractured".to_owned());
    Ok((dataset.clone(), ImportReport { imported: dataset.films.len(), refused, notes, flow }))
}

/// The film that a path describes; `None` for a path of another layout.
fn film(path: &Path) -> Option<Film> {
    let parts: Vec<&str> = path.components().filter_map(|part| part.as_os_str().to_str()).collect();
    let at = parts.iter().position(|part| part.starts_with("XR_"))?;
    let &[part, patient, study, _] = parts.get(at..)? else {
        return None;
    };
    let number = |text: &str, prefix: &str| -> Option<String> {
        let digits = text.strip_prefix(prefix)?;
        (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
    };
    let patient = number(patient, "patient")?;
    let (study, finding) = study.rsplit_once('_')?;
    let study = number(study, "study")?;
    let label = match finding {
        "positive" => Label::Present,
        "negative" => Label::Absent,
        _ => return None,
    };
    let image_id = format!("{part}-{patient}-{study}-{}", stem_of(path));
    let mut film = Film::new(image_id, "", patient, BodyPart::parse(part.strip_prefix("XR_")?), label);
    film.source = "MURA".to_owned();
    film.extra = BTreeMap::from([
        ("study".to_owned(), study),
        ("finding".to_owned(), if label == Label::Present { "abnormal" } else { "normal" }.to_owned()),
    ]);
    if let Some(set) = parts[..at].iter().find(|part| ["train", "valid", "test"].contains(part)) {
        film.extra.insert("set".to_owned(), (*set).to_owned());
    }
    Some(film)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let film = film(Path::new("train/XR_FOREARM/patient00042/study2_positive/image3.png")).unwrap();
        assert_eq!(film.image_id, "XR_FOREARM-patient00042-study2-image3");
        assert_eq!((film.patient.as_str(), film.body_part), ("patient00042", BodyPart::Forearm));
        assert_eq!((film.label, film.extra["set"].as_str()), (Label::Present, "train"));
        for path in [
            "XR_WRIST/patient1/image.png",
            "XR_WRIST/patient1/study1/image.png",
            "XR_WRIST/patient1/study1_maybe/image.png",
            "XR_WRIST/patient/study1_positive/image.png",
            "WRIST/patient1/study1_positive/image.png",
            "XR_WRIST/patient1/study1_positive/deep/image.png",
        ] {
            assert!(super::film(Path::new(path)).is_none(), "{path}");
        }
    }
}
