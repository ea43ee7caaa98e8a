//! A row of the manifest and a row of the truth table.

use std::collections::BTreeMap;

use crate::error::CohortError;
use coxa_schema::{BodyPart, FractureType, Label, Sex, Side};

/// A film: a row of `manifest.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Film {
    /// The film's name, unique in the dataset.
    pub image_id: String,
    /// The file, relative to the dataset's folder (or absolute, where an importer only refers to the files).
    pub path: String,
    /// The file's SHA-256 in lower-case hexadecimal; empty if it was not computed.
    pub sha256: String,
    /// The patient's pseudonym; empty if not known.
    pub patient: String,
    /// The body part in view.
    pub body_part: BodyPart,
    /// Whether there is a fracture (of the hip, on a pelvic film).
    pub label: Label,
    /// The kind of hip fracture, if known.
    pub fracture_type: Option<FractureType>,
    /// The patient's side that is fractured, if known.
    pub side: Option<Side>,
    /// Age in years, 0 to 130.
    pub age: Option<f32>,
    /// The patient's sex.
    pub sex: Option<Sex>,
    /// Notes on quality, separated by semicolons; empty if none.
    pub quality: String,
    /// Whether the film is kept out of training and testing.
    pub excluded: bool,
    /// Why it is kept out, or what is to be reviewed.
    pub reason: String,
    /// Where the film came from.
    pub source: String,
    /// Further columns of the manifest, by name; kept as they are.
    pub extra: BTreeMap<String, String>,
}

impl Film {
    /// A film with the five fields that every manifest has; the rest is empty or unknown.
    pub fn new(
        image_id: impl Into<String>,
        path: impl Into<String>,
        patient: impl Into<String>,
        body_part: BodyPart,
        label: Label,
    ) -> Self {
        Self {
            image_id: image_id.into(),
            path: path.into(),
            sha256: String::new(),
            patient: patient.into(),
            body_part,
            label,
            fracture_type: None,
            side: None,
            age: None,
            sex: None,
            quality: String::new(),
            excluded: false,
            reason: String::new(),
            source: String::new(),
            extra: BTreeMap::new(),
        }
    }

    /// The value of a column as the manifest spells it, further columns included; `None` for a column that the film does
    /// not have.
    pub fn column(&self, name: &str) -> Option<String> {
        Some(match name {
            "image_id" => self.image_id.clone(),
            "path" => self.path.clone(),
            "sha256" => self.sha256.clone(),
            "patient" => self.patient.clone(),
            "body_part" => self.body_part.to_string(),
            "label" => self.label.to_string(),
            "fracture_type" => self.fracture_type.map_or_else(String::new, |kind| kind.to_string()),
            "side" => self.side.map_or_else(String::new, |side| side.to_string()),
            "age" => self.age.map_or_else(String::new, |age| age.to_string()),
            "sex" => self.sex.map_or_else(String::new, |sex| sex.to_string()),
            "quality" => self.quality.clone(),
            "excluded" => if self.excluded { "1" } else { "0" }.to_owned(),
            "reason" => self.reason.clone(),
            "source" => self.source.clone(),
            _ => return self.extra.get(name).cloned(),
        })
    }

    /// Two fields that contradict each other, in words; `None` when they agree.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let kind = self.fracture_type?;
        match (self.label, kind) {
            (Label::Absent, kind) if kind != FractureType::None => {
                Some(format!("label 0 (no fracture) but fracture_type {kind}"))
            }
            (Label::Present, FractureType::None) => Some("label 1 (a fracture) but fracture_type none".to_owned()),
            _ => None,
        }
    }
}

/// A fracture's box in the film's own pixels: a row of `truth.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthBox {
    /// The film.
    pub image_id: String,
    /// The left edge.
    pub x: f32,
    /// The top edge.
    pub y: f32,
    /// The width, more than 0.
    pub width: f32,
    /// The height, more than 0.
    pub height: f32,
    /// `femoral_neck`, `trochanteric` or `fracture`.
    pub class: String,
}

impl TruthBox {
    /// Checks that the box lies on a film of this many pixels, to within a pixel: boxes drawn on a copy of another size do not.
    ///
    /// # Errors
    /// [`CohortError::BoxOutside`].
    pub fn check_inside(&self, width: usize, height: usize) -> Result<(), CohortError> {
        let is_inside = |from: f32, length: f32, side: usize| from >= -1.0 && from + length <= side as f32 + 1.0;
        if is_inside(self.x, self.width, width) && is_inside(self.y, self.height, height) {
            return Ok(());
        }
        Err(CohortError::BoxOutside {
            image_id: self.image_id.clone(),
            drawn: [self.x, self.y, self.width, self.height],
            film: [width, height],
        })
    }
}
