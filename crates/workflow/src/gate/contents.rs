//! What the films of datasets show, as their manifests say.

use std::path::PathBuf;

use coxa_cohort::{Dataset, Film};
use coxa_model::content::ACCEPTED;
use coxa_schema::BodyPart;

/// A film that the gate is fitted or tested on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The class that the film belongs to.
    pub class: String,
    /// The dataset and what it shows, for reports.
    pub source: String,
    /// The patient, unlike those of other datasets.
    pub patient: String,
    /// The film's file.
    pub path: PathBuf,
    /// The file's SHA-256, where the manifest has it.
    pub sha256: String,
}

impl Known {
    /// Whether it is a film that the gate is to let through.
    pub fn is_accepted(&self) -> bool {
        ACCEPTED.contains(&self.class.as_str())
    }
}

/// What a film shows: its body part, or why a film of the pelvis or a hip cannot be read; `None` where the manifest does not say.
///
/// The columns `views` and `regions` are those of `coxa import fracatlas`.
fn class_of(film: &Film) -> Option<String> {
    let column = |name: &str| film.extra.get(name).map_or("", String::as_str);
    let hips = matches!(film.body_part, BodyPart::Pelvis | BodyPart::Hip);
    if hips && (column("sideways") == "1" || film.quality.contains("sideways")) {
        return Some("turned".to_owned());
    }
    let (views, view) = (column("views"), column("view"));
    let frontal = |text: &str| text.is_empty() || text.contains("frontal") || ["AP", "PA"].contains(&text);
    if hips && !(frontal(views) && frontal(view)) {
        return Some("lateral".to_owned());
    }
    if film.body_part.is_unknown() {
        // Several regions, hips not among them: whole arms, children from head to foot.
        let regions = column("regions");
        return (regions.contains(';') && !regions.contains("hip")).then(|| "several parts".to_owned());
    }
    Some(film.body_part.to_string())
}

/// The films of datasets of which it is known what they show: of each class of each dataset `most` at most, spread evenly. A film that
/// an earlier dataset has is left out.
pub(super) fn known_films(datasets: &[Dataset], most: usize) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    for (number, dataset) in datasets.iter().enumerate() {
        let mut own = std::collections::BTreeMap::<String, Vec<Known>>::new();
        for film in dataset.films.iter().filter(|film| !film.excluded) {
            let Some(class) = class_of(film) else { continue };
            let is_repeated = |other: &Known| !film.sha256.is_empty() && other.sha256 == film.sha256;
            if known.iter().any(is_repeated) {
                continue;
            }
            let patient = if film.patient.is_empty() { &film.image_id } else { &film.patient };
            let kind = if dataset.is_simulated() { "simulated" } else { "real" };
            own.entry(class.clone()).or_default().push(Known {
                source: format!("{kind} {class}"),
                class,
                patient: format!("{number}/{patient}"),
                path: dataset.image_path(film),
                sha256: film.sha256.clone(),
            });
        }
        for films in own.into_values() {
            let n = films.len();
            let chosen = (0..n.min(most)).map(|i| films[i * n / n.min(most)].clone());
            known.extend(chosen);
        }
    }
    known
}
