//! What the films of datasets show, as their manifests say.

use std::collections::{BTreeMap, BTreeSet};
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
/// an earlier dataset has is left out, whether it was taken there or not: what it shows is what the first says.
pub(super) fn known_films(datasets: &[Dataset], most: usize) -> Vec<Known> {
    let (mut known, mut contents) = (Vec::new(), BTreeSet::new());
    for (number, dataset) in datasets.iter().enumerate() {
        let mut by_class: BTreeMap<String, Vec<Known>> = BTreeMap::new();
        let films = dataset.films.iter().filter(|film| !film.excluded);
        let (kind, set) =
            if dataset.is_simulated() { ("simulated", number.to_string()) } else { ("real", String::new()) };
        for film in films.filter(|film| film.sha256.is_empty() || contents.insert(&film.sha256)) {
            let Some(class) = class_of(film) else { continue };
            let patient = if film.patient.is_empty() { &film.image_id } else { &film.patient };
            let (source, path) = (format!("{kind} {class}"), dataset.image_path(film));
            // Parts of a real set may be datasets of their own; every simulation numbers its patients from 0.
            let patient = format!("{set}{}/{patient}", film.source);
            by_class.entry(class.clone()).or_default().push(Known { class, source, patient, path });
        }
        for films in by_class.into_values() {
            let (n, chosen) = (films.len(), films.len().min(most));
            known.extend((0..chosen).map(|i| films[i * n / chosen].clone()));
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use coxa_schema::Label;

    use super::*;

    fn film(id: &str, part: BodyPart, columns: &[(&str, &str)]) -> Film {
        let mut film = Film::new(id, format!("{id}.png"), "", part, Label::Unknown);
        film.sha256 = id.to_owned();
        film.extra = columns.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        film
    }

    #[test]
    fn contents_follow_from_the_columns() {
        let nothing = || BodyPart::parse("");
        for (film, class) in [
            (film("a", BodyPart::Pelvis, &[]), Some("pelvis")),
            (film("b", BodyPart::Hip, &[("views", "frontal;lateral")]), Some("hip")),
            (film("c", BodyPart::Hip, &[("views", "lateral")]), Some("lateral")),
            (film("d", BodyPart::Hip, &[("view", "LATERAL")]), Some("lateral")),
            (film("e", BodyPart::Hip, &[("sideways", "1")]), Some("turned")),
            (film("f", BodyPart::Hand, &[("views", "lateral")]), Some("hand")),
            (film("g", nothing(), &[("regions", "hand;shoulder")]), Some("several parts")),
            (film("h", nothing(), &[("regions", "leg;hip")]), None),
            (film("i", nothing(), &[]), None),
        ] {
            assert_eq!(class_of(&film).as_deref(), class, "{film:?}");
        }
    }

    #[test]
    fn films_are_spread_and_count_once() {
        let films = |ids: std::ops::Range<usize>, part: BodyPart| {
            let mut dataset = Dataset::new("set");
            dataset.films = ids.map(|i| film(&format!("f{i}"), part.clone(), &[])).collect();
            dataset
        };
        let known = known_films(&[films(0..10, BodyPart::Hip), films(5..13, BodyPart::Hand)], 4);
        let patients: Vec<&str> = known.iter().map(|film| film.patient.as_str()).collect();
        assert_eq!(patients, ["/f0", "/f2", "/f5", "/f7", "/f10", "/f11", "/f12"]);
    }
}
