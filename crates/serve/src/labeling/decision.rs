//! A reviewer's decision on a film, and the film of a dataset that says the same.

use coxa_cohort::{Film, TruthBox};
use coxa_schema::{FractureType, Label, Side};
use coxa_study::localize::Site;
use serde::{Deserialize, Serialize};

/// Classifications that can be chosen, as the manifest's column `classification` has them.
pub const CLASSIFICATIONS: [&str; 11] = [
    "Garden I",
    "Garden II",
    "Garden III",
    "Garden IV",
    "AO 31A1",
    "AO 31A2",
    "AO 31A3",
    "AO 31B1",
    "AO 31B2",
    "AO 31B3",
    "AO 32",
];
/// Notes on quality, as the manifest's column `quality` has them.
pub const QUALITIES: [&str; 6] = ["rotated", "overexposed", "underexposed", "cut off", "artifact", "implant"];
/// Reasons for exclusion, as the manifest's column `reason` has them.
pub const EXCLUSIONS: [&str; 6] =
    ["not a frontal pelvis or hip", "cannot be judged", "implant at the hip", "other fracture", "child", "other"];

/// Boxes of a film.
const BOXES: usize = 20;
/// The longest note, characters.
const NOTE: usize = 2000;

/// Whether there is a fracture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// There is one.
    Fracture,
    /// There is none.
    None,
    /// The film does not decide it.
    Questionable,
}

impl Opinion {
    /// All.
    pub const ALL: [Self; 3] = [Self::Fracture, Self::None, Self::Questionable];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fracture => "fracture",
            Self::None => "none",
            Self::Questionable => "questionable",
        }
    }

    /// Parses `fracture`, `none` or `questionable`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|opinion| opinion.as_str() == text)
    }
}

/// The kind of a hip fracture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Of the femoral neck.
    FemoralNeck,
    /// Trochanteric.
    Trochanteric,
    /// Below the trochanters.
    Subtrochanteric,
    /// Any other, as of the femoral head.
    Other,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 4] = [Self::FemoralNeck, Self::Trochanteric, Self::Subtrochanteric, Self::Other];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FemoralNeck => "femoral_neck",
            Self::Trochanteric => "trochanteric",
            Self::Subtrochanteric => "subtrochanteric",
            Self::Other => "other",
        }
    }

    /// Parses a kind as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind as the manifest's column `fracture_type` knows it; the column `kind` has the others.
    fn in_manifest(self) -> Option<FractureType> {
        match self {
            Self::FemoralNeck => Some(FractureType::FemoralNeck),
            Self::Trochanteric => Some(FractureType::Trochanteric),
            Self::Subtrochanteric => Some(FractureType::Subtrochanteric),
            Self::Other => None,
        }
    }
}

/// What a reviewer states about a film.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// Whether there is a fracture; `None` on an excluded film alone.
    pub opinion: Option<Opinion>,
    /// Its kind, where it is stated.
    pub kind: Option<Kind>,
    /// One of [`CLASSIFICATIONS`], or empty.
    pub classification: String,
    /// The patient's side, where it is stated.
    pub side: Option<Side>,
    /// Boxes in the film's pixels: left, top, width, height.
    pub boxes: Vec<[f32; 4]>,
    /// Of [`QUALITIES`].
    pub quality: Vec<String>,
    /// One of [`EXCLUSIONS`] where the film is excluded, or empty.
    pub exclusion: String,
    /// In words; may be empty.
    pub note: String,
}

/// Why a decision is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Neither a label nor a reason for exclusion.
    NoLabel,
    /// A kind, classification, side or box without a fracture.
    Contradiction,
    /// A box outside the film, or too many.
    Box,
    /// A word that is none of the choices.
    Word,
    /// The note is too long.
    Note,
}

impl Labels {
    /// Checks a decision on a film of so many columns and rows.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn check(&self, columns: i64, rows: i64) -> Result<(), Fault> {
        let is_of = |list: &[&str], word: &str| word.is_empty() || list.contains(&word);
        if !is_of(&CLASSIFICATIONS, &self.classification)
            || !is_of(&EXCLUSIONS, &self.exclusion)
            || !self.quality.iter().all(|note| QUALITIES.contains(&note.as_str()))
        {
            return Err(Fault::Word);
        }
        if self.opinion.is_none() && self.exclusion.is_empty() {
            return Err(Fault::NoLabel);
        }
        let has_details =
            self.kind.is_some() || !self.classification.is_empty() || self.side.is_some() || !self.boxes.is_empty();
        if has_details && matches!(self.opinion, Some(Opinion::None) | None) {
            return Err(Fault::Contradiction);
        }
        let lies_inside =
            |from: f32, length: f32, side: i64| from >= 0.0 && length >= 1.0 && from + length <= side as f32;
        let is_box =
            |drawn: &[f32; 4]| lies_inside(drawn[0], drawn[2], columns) && lies_inside(drawn[1], drawn[3], rows);
        if self.boxes.len() > BOXES || !self.boxes.iter().all(is_box) {
            return Err(Fault::Box);
        }
        if self.note.chars().count() > NOTE { Err(Fault::Note) } else { Ok(()) }
    }

    /// Writes the decision into a film's row, and returns its boxes. `given` are the boxes that the dataset had: they stay where the
    /// decision draws none and does not deny the fracture. Notes on quality are added to those that were there.
    pub fn write(&self, film: &mut Film, given: &[&TruthBox]) -> Vec<TruthBox> {
        film.label = match self.opinion {
            Some(Opinion::Fracture) => Label::Present,
            Some(Opinion::None) => Label::Absent,
            Some(Opinion::Questionable) | None => Label::Unknown,
        };
        film.fracture_type = match self.opinion {
            Some(Opinion::None) => Some(FractureType::None),
            _ => self.kind.and_then(Kind::in_manifest),
        };
        film.side = self.side;
        let mut quality: Vec<&str> = notes(&film.quality).collect();
        quality.extend(self.quality.iter().map(String::as_str));
        let mut seen = std::collections::BTreeSet::new();
        quality.retain(|note| seen.insert(*note));
        film.quality = quality.join("; ");
        film.excluded = !self.exclusion.is_empty();
        film.reason = self.exclusion.clone();
        let certainty = if self.opinion == Some(Opinion::Questionable) { "questionable" } else { "" };
        let other = self.kind.filter(|kind| kind.in_manifest().is_none()).map_or("", Kind::as_str);
        for (column, value) in [
            ("certainty", certainty),
            ("classification", self.classification.as_str()),
            ("kind", other),
            ("note", self.note.as_str()),
        ] {
            film.extra.insert(column.to_owned(), value.to_owned());
        }
        if self.boxes.is_empty() && !matches!(self.opinion, Some(Opinion::None)) {
            return given.iter().map(|&given| given.clone()).collect();
        }
        let class = self.kind.and_then(Kind::in_manifest).map_or("fracture", FractureType::as_str);
        let image_id = &film.image_id;
        let of = |&[x, y, width, height]: &[f32; 4]| TruthBox {
            image_id: image_id.clone(),
            x,
            y,
            width,
            height,
            class: class.to_owned(),
        };
        self.boxes.iter().map(of).collect()
    }

    /// The decision that a film's row with its boxes states; `None` where the row has no label and no exclusion.
    pub fn read(film: &Film, boxes: &[&TruthBox]) -> Option<Self> {
        let extra = |column: &str| film.extra.get(column).cloned().unwrap_or_default();
        let opinion = match film.label {
            Label::Present => Some(Opinion::Fracture),
            Label::Absent => Some(Opinion::None),
            Label::Unknown => (extra("certainty") == "questionable").then_some(Opinion::Questionable),
        };
        let exclusion = match (film.excluded, film.reason.as_str()) {
            (false, _) => "",
            (true, "") => "other",
            (true, reason) => reason,
        };
        if opinion.is_none() && exclusion.is_empty() {
            return None;
        }
        let kind = match film.fracture_type {
            Some(FractureType::FemoralNeck) => Some(Kind::FemoralNeck),
            Some(FractureType::Trochanteric) => Some(Kind::Trochanteric),
            Some(FractureType::Subtrochanteric) => Some(Kind::Subtrochanteric),
            Some(FractureType::None) | None => Kind::parse(&extra("kind")),
        };
        Some(Self {
            opinion,
            kind,
            classification: extra("classification"),
            side: film.side,
            boxes: boxes.iter().map(|drawn| [drawn.x, drawn.y, drawn.width, drawn.height]).collect(),
            quality: notes(&film.quality).filter(|note| QUALITIES.contains(note)).map(str::to_owned).collect(),
            exclusion: exclusion.to_owned(),
            note: extra("note"),
        })
    }
}

fn notes(quality: &str) -> impl Iterator<Item = &str> {
    quality.split(';').map(str::trim).filter(|note| !note.is_empty())
}

/// A decision on a film, of one task or the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The film's labels.
    Labels(Labels),
    /// Where its heat map lies.
    Site(Site),
}

impl Decision {
    /// The labels, where it states any.
    pub fn labels(&self) -> Option<&Labels> {
        match self {
            Self::Labels(labels) => Some(labels),
            Self::Site(_) => None,
        }
    }

    /// Where the heat map lies, where it states that.
    pub fn site(&self) -> Option<Site> {
        match self {
            Self::Site(site) => Some(*site),
            Self::Labels(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use coxa_cohort::Dataset;
    use coxa_schema::BodyPart;

    use super::*;

    fn every() -> Vec<Labels> {
        let plain = |opinion| Labels { opinion: Some(opinion), ..Labels::default() };
        let mut all: Vec<Labels> = Opinion::ALL.map(plain).to_vec();
        for kind in Kind::ALL {
            for opinion in [Opinion::Fracture, Opinion::Questionable] {
                all.push(Labels {
                    kind: Some(kind),
                    side: Some(Side::Left),
                    boxes: vec![[1.0, 2.5, 30.25, 9.0], [40.0, 2.0, 8.0, 8.0]],
                    quality: vec!["rotated".into(), "implant".into()],
                    note: "old, \"healed\"\nsecond line".into(),
                    ..plain(opinion)
                });
            }
        }
        all.extend(CLASSIFICATIONS.map(|word| Labels { classification: word.into(), ..plain(Opinion::Fracture) }));
        all.extend(EXCLUSIONS.map(|word| Labels { exclusion: word.into(), ..Labels::default() }));
        all.push(Labels { exclusion: "child".into(), side: Some(Side::Right), ..plain(Opinion::Fracture) });
        all
    }

    #[test]
    fn a_dataset_states_every_decision_without_loss() {
        let folder = std::path::Path::new("films");
        let mut dataset = Dataset::new(folder);
        for (at, labels) in every().iter().enumerate() {
            assert_eq!(labels.check(512, 512), Ok(()));
            let mut film =
                Film::new(format!("F{at}"), format!("images/{at}.png"), "P1", BodyPart::Pelvis, Label::Unknown);
            dataset.truth.extend(labels.write(&mut film, &[]));
            dataset.films.push(film);
        }
        let again = Dataset::parse(folder, &dataset.manifest_csv(), &dataset.truth_csv()).unwrap();
        assert_eq!(again, dataset);
        let boxes = again.boxes();
        for (film, labels) in again.films.iter().zip(every()) {
            let boxes = boxes.get(film.image_id.as_str()).cloned().unwrap_or_default();
            assert_eq!(Labels::read(film, &boxes), Some(labels));
        }
        assert_eq!(Labels::read(&Film::new("a", "b", "", BodyPart::Pelvis, Label::Unknown), &[]), None);
    }

    #[test]
    fn what_a_decision_denies_goes_and_what_it_leaves_open_stays() {
        let given =
            TruthBox { image_id: "a".into(), x: 1.0, y: 1.0, width: 5.0, height: 5.0, class: "trochanteric".into() };
        let mut film = Film::new("a", "b", "", BodyPart::Pelvis, Label::Present);
        film.quality = "scanned; rotated".into();
        let of = |opinion| Labels {
            opinion: Some(opinion),
            quality: vec!["rotated".into(), "cut off".into()],
            ..Labels::default()
        };
        assert_eq!(of(Opinion::Fracture).write(&mut film, &[&given]), vec![given.clone()]);
        assert_eq!(film.quality, "scanned; rotated; cut off");
        assert_eq!(of(Opinion::None).write(&mut film, &[&given]), vec![]);
        assert_eq!((film.label, film.fracture_type), (Label::Absent, Some(FractureType::None)));
    }

    #[test]
    fn what_contradicts_itself_is_no_decision() {
        let none = Labels { opinion: Some(Opinion::None), ..Labels::default() };
        let sided = Labels { side: Some(Side::Left), ..none.clone() };
        let outside =
            Labels { opinion: Some(Opinion::Fracture), boxes: vec![[500.0, 0.0, 20.0, 5.0]], ..Labels::default() };
        let word = Labels { classification: "Garden V".into(), opinion: Some(Opinion::Fracture), ..Labels::default() };
        for (labels, fault) in [
            (Labels::default(), Fault::NoLabel),
            (sided, Fault::Contradiction),
            (outside, Fault::Box),
            (word, Fault::Word),
            (Labels { note: "a".repeat(NOTE + 1), ..none }, Fault::Note),
        ] {
            assert_eq!(labels.check(512, 512), Err(fault));
        }
    }
}
