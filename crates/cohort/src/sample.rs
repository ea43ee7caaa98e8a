//! From films to the rows that a network learns from: an image, its patient and a class index.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::dataset::Dataset;
use crate::error::CohortError;
use crate::film::Film;
use coxa_schema::{FractureType, Label};

/// An image to learn from or to test on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The file.
    pub image: PathBuf,
    /// The film's name.
    pub image_id: String,
    /// The patient's pseudonym.
    pub patient: String,
    /// The class index: 0 or 1 for [`Target::Fracture`], else the place in the class names.
    pub target: usize,
}

/// What a network is to predict for a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Whether there is a fracture: classes `absent` and `present`.
    Fracture,
    /// Which body part is in view: the classes are the parts that occur, in alphabetical order.
    BodyPart,
    /// Which kind of hip fracture there is: classes `none`, `femoral_neck` and `trochanteric`.
    FractureType,
    /// A column of the manifest: the classes are the values that occur, in alphabetical order.
    Column(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fracture => f.write_str("label"),
            Self::BodyPart => f.write_str("body_part"),
            Self::FractureType => f.write_str("fracture_type"),
            Self::Column(column) => f.write_str(column),
        }
    }
}

/// The samples of a dataset, in the manifest's order, and the names of the classes. Excluded films and films whose target
/// is not known are left out.
///
/// # Errors
/// [`CohortError::NoSamples`] when nothing is left.
pub fn samples(dataset: &Dataset, target: &Target) -> Result<(Vec<Sample>, Vec<String>), CohortError> {
    let known: Vec<(&Film, String)> = dataset
        .films
        .iter()
        .filter(|film| !film.excluded)
        .filter_map(|film| class_of(film, target).map(|class| (film, class)))
        .collect();
    if known.is_empty() {
        return Err(CohortError::NoSamples { folder: dataset.folder.clone(), target: target.to_string() });
    }
    let classes: Vec<String> = match target {
        Target::Fracture => ["absent", "present"].map(str::to_owned).to_vec(),
        Target::FractureType => FractureType::ALL.map(|kind| kind.to_string()).to_vec(),
        Target::BodyPart | Target::Column(_) => {
            known.iter().map(|(_, class)| class.clone()).collect::<BTreeSet<_>>().into_iter().collect()
        }
    };
    let samples = known
        .into_iter()
        .filter_map(|(film, class)| {
            classes.iter().position(|name| *name == class).map(|target| Sample {
                image: dataset.image_path(film),
                image_id: film.image_id.clone(),
                patient: film.patient.clone(),
                target,
            })
        })
        .collect();
    Ok((samples, classes))
}

fn class_of(film: &Film, target: &Target) -> Option<String> {
    match target {
        Target::Fracture => match film.label {
            Label::Absent => Some("absent".to_owned()),
            Label::Present => Some("present".to_owned()),
            Label::Unknown => None,
        },
        Target::BodyPart => Some(film.body_part.to_string()).filter(|part| !part.is_empty()),
        Target::FractureType => match (film.label, film.fracture_type) {
            (Label::Absent, _) => Some(FractureType::None.to_string()),
            (Label::Present, kind) => kind.map(|kind| kind.to_string()),
            (Label::Unknown, _) => None,
        },
        Target::Column(column) => film.column(column).filter(|value| !value.is_empty()),
    }
}
