//! The rows of manifest and truth that belong to a film.

use coxa_cohort::{Film, TruthBox};
use coxa_schema::{FractureType, Label};

use super::encode::side_of;
use super::spec::FilmSet;
use crate::film::truth::{Hardware, SimulatedFilm};

/// A film's row of the manifest and its row of the truth, where it has a box.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FilmRows {
    pub film: Film,
    pub truth: Option<TruthBox>,
}

impl FilmRows {
    /// The rows of the film that was written as `path` (in the dataset's folder) with these bytes' SHA-256.
    pub(super) fn new(
        id: &str,
        patient: &str,
        path: String,
        sha256: String,
        film: &SimulatedFilm,
        what: FilmSet,
    ) -> Self {
        let truth = &film.truth;
        let mut row = Film::new(id, path, patient, film.body_part.clone(), Label::from(truth.label));
        row.sha256 = sha256;
        row.age = Some(truth.age.round());
        row.sex = Some(truth.sex);
        row.source = "simulated".to_owned();
        row.side = truth.fracture.map(|fracture| fracture.side);
        match what {
            FilmSet::Limbs => row.side = Some(side_of(film)),
            FilmSet::Pelvis => {
                row.fracture_type = Some(truth.fracture.map_or(FractureType::None, |f| f.kind));
                // Every film has every column, empty or not, as the manifest has.
                let hardware =
                    truth.hardware.map_or_else(String::new, |(kind, side)| format!("{} {side}", hardware_name(kind)));
                let displacement = truth.fracture.map_or_else(String::new, |f| format!("{:.1}", f.displacement));
                let classes = truth.fracture.map(|fracture| fracture.classes);
                let class = classes.map_or("", |classes| classes.garden.unwrap_or(classes.ao));
                let pauwels =
                    classes.and_then(|classes| classes.pauwels).map_or_else(String::new, |a| format!("{a:.0}"));
                row.extra = [
                    ("hardware", hardware),
                    ("displacement_mm", displacement),
                    ("classification", class.to_owned()),
                    ("ao_ota", classes.map_or("", |classes| classes.ao).to_owned()),
                    ("pauwels_degrees", pauwels),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into();
            }
        }
        let boxed = truth.fracture.filter(|f| f.bbox[2] > 0.0 && f.bbox[3] > 0.0).map(|f| {
            let [x, y, width, height] = f.bbox.map(|q| (q * 10.0).round() / 10.0);
            TruthBox { image_id: id.to_owned(), x, y, width, height, class: f.kind.to_string() }
        });
        Self { film: row, truth: boxed }
    }
}

fn hardware_name(kind: Hardware) -> &'static str {
    match kind {
        Hardware::TotalHip => "total_hip",
        Hardware::Hemiarthroplasty => "hemiarthroplasty",
        Hardware::Nail => "nail",
        Hardware::SlidingScrew => "sliding_screw",
        Hardware::CannulatedScrews => "cannulated_screws",
    }
}
