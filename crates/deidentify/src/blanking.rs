//! Which parts of a film are blanked: those that are given, those of the device, those that a detector finds, and what a person decides
//! about them.

use std::fmt;
use std::sync::Arc;

use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use crate::dataset::DataSet;
use crate::identifiers::Identifiers;
use crate::review::Review;
use crate::script::PixelScript;
use crate::withheld::Withheld;

/// A part of a film in its own pixels, counted from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rectangle {
    /// Columns before it.
    pub x: usize,
    /// Rows above it.
    pub y: usize,
    /// Columns of it.
    pub width: usize,
    /// Rows of it.
    pub height: usize,
}

impl Rectangle {
    /// The part that lies on a film; `None` where there is none.
    #[must_use]
    pub fn within(self, rows: usize, columns: usize) -> Option<Self> {
        let width = self.x.saturating_add(self.width).min(columns).checked_sub(self.x)?;
        let height = self.y.saturating_add(self.height).min(rows).checked_sub(self.y)?;
        (width > 0 && height > 0).then_some(Self { width, height, ..self })
    }

    /// Whether another lies within this one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        let spans = |from: usize, n: usize, inner: usize, m: usize| {
            from <= inner && inner.saturating_add(m) <= from.saturating_add(n)
        };
        spans(self.x, self.width, other.x, other.width) && spans(self.y, self.height, other.y, other.height)
    }

    /// Whether another has pixels in common with this one.
    #[must_use]
    pub fn touches(self, other: Self) -> bool {
        let meet = |a: usize, n: usize, b: usize, m: usize| a < b.saturating_add(m) && b < a.saturating_add(n);
        meet(self.x, self.width, other.x, other.width) && meet(self.y, self.height, other.y, other.height)
    }
}

/// A film's stored values, for a detector of text.
#[derive(Debug, Clone, Copy)]
pub struct StoredPixels<'a> {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Values of a pixel: 1, or 3 for colors, pixel after pixel.
    pub samples: usize,
    /// Bytes of a value: 1, or 2 in little endian.
    pub width: usize,
    /// Bits of a value that are used.
    pub bits: usize,
    /// The highest of these bits is the sign.
    pub is_signed: bool,
    /// The values, row after row.
    pub values: &'a [u8],
    /// What the header says about text in them.
    pub witness: Witness,
}

/// What a header says about text in the pixels: the second witness beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Witness {
    /// Text is to be expected: the header states some, the film is a Secondary Capture that does not deny it, or the script of rectangles knows
    /// its device.
    pub expects_text: bool,
    /// A name of the header is of two or three characters, which have the shape of a side marker.
    pub has_short_name: bool,
}

impl Witness {
    /// By a film's header, the names in it and the script.
    pub(crate) fn of(data: &DataSet, identifiers: &Identifiers, settings: &PixelCleaning) -> Self {
        let stated = data.ascii(tags::BURNED_IN_ANNOTATION).unwrap_or_default();
        let is_capture = data.ascii(tags::SOP_CLASS_UID).as_deref() == Some(uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
        let is_of_known_device = !settings.script.regions(data).is_empty();
        let expects_text = stated == "YES" || (is_capture && stated != "NO") || is_of_known_device;
        Self { expects_text, has_short_name: identifiers.has_short_name() }
    }
}

/// What a detector of text finds; side markers are none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFound {
    /// Text lies here.
    pub text: Vec<Rectangle>,
    /// Text may lie here: a person must review the film, and it is withheld until then.
    pub unsure: Vec<Rectangle>,
}

/// Finds text that is burned into pixels.
pub trait TextDetector: Send + Sync {
    /// Where text is, and where it may be.
    fn find(&self, film: StoredPixels<'_>) -> TextFound;
}

/// How burned-in text is removed. By default it is not, and films that state or may have some are withheld.
#[derive(Clone, Default)]
pub struct PixelCleaning {
    /// Blanked on every film; parts that lie outside a film are left out.
    pub rectangles: Vec<Rectangle>,
    /// Blanked on the films of some devices.
    pub script: PixelScript,
    /// Applied to every film, after the rectangles are blanked.
    pub detector: Option<Arc<dyn TextDetector>>,
}

impl PixelCleaning {
    /// Whether anything is cleaned.
    pub(crate) fn is_on(&self) -> bool {
        self.detector.is_some() || !self.rectangles.is_empty() || !self.script.is_empty()
    }
}

impl fmt::Debug for PixelCleaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detector = self.detector.as_ref().map(|_| "…");
        f.debug_struct("PixelCleaning")
            .field("rectangles", &self.rectangles)
            .field("script", &self.script)
            .field("detector", &detector)
            .finish()
    }
}

/// What a person decides about a part of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The part.
    pub region: Rectangle,
    /// What becomes of it.
    pub verdict: RegionVerdict,
}

/// What becomes of a part of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionVerdict {
    /// It is blanked.
    Blank,
    /// It stays, whatever the detector finds in it.
    Keep,
    /// The whole film is withheld for good.
    Exclude,
}

impl RegionVerdict {
    /// As tables have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Keep => "keep",
            Self::Exclude => "exclude",
        }
    }
}

/// Whether a detector is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    Detector,
    /// The film was searched by an earlier run.
    Nothing,
}

/// What is blanked on one film.
pub(crate) struct Cleaning<'a> {
    pub(crate) settings: &'a PixelCleaning,
    pub(crate) decisions: &'a [Decision],
    pub(crate) search: Search,
    pub(crate) witness: Witness,
}

impl Cleaning<'_> {
    /// Whether the pixels are needed at all.
    pub(crate) fn is_on(&self) -> bool {
        self.settings.is_on() || !self.decisions.is_empty()
    }

    /// Whether a film that states burned-in text must have some found.
    pub(crate) fn must_find(&self) -> bool {
        self.settings.detector.is_some() && self.decisions.is_empty() && self.search == Search::Detector
    }

    /// The parts that are given: for every film, for the device, and by a person.
    pub(crate) fn fixed(&self, data: &DataSet, rows: usize, columns: usize) -> Vec<Rectangle> {
        let decided = self.decisions.iter().filter(|decision| decision.verdict == RegionVerdict::Blank);
        let all = self.settings.rectangles.iter().chain(self.settings.script.regions(data));
        let all = all.copied().chain(decided.map(|decision| decision.region));
        all.filter_map(|rectangle| rectangle.within(rows, columns)).collect()
    }

    /// The parts that the detector finds, less those that a person keeps.
    ///
    /// # Errors
    /// [`Withheld::Review`]: it is not sure of parts about which nobody has decided.
    pub(crate) fn found(&self, film: StoredPixels<'_>) -> Result<Vec<Rectangle>, Withheld> {
        let Some(detector) = self.settings.detector.as_ref().filter(|_| self.search == Search::Detector) else {
            return Ok(Vec::new());
        };
        let mut found = detector.find(film);
        let keeps = |one: &Rectangle| {
            self.decisions
                .iter()
                .any(|decision| decision.verdict == RegionVerdict::Keep && decision.region.covers(*one))
        };
        found.text.retain(|one| !keeps(one));
        found.unsure.retain(|one| !self.decisions.iter().any(|decision| decision.region.touches(*one)));
        if found.unsure.is_empty() {
            return Ok(found.text);
        }
        Err(Withheld::Review(Review { columns: film.columns, rows: film.rows, regions: found.unsure }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(x: usize, y: usize, width: usize, height: usize) -> Rectangle {
        Rectangle { x, y, width, height }
    }

    #[test]
    fn rectangles_are_compared_by_their_pixels() {
        assert_eq!(at(2, 3, 9, usize::MAX).within(5, 6), Some(at(2, 3, 4, 2)));
        assert_eq!(at(6, 0, 1, 1).within(5, 6), None);
        assert_eq!(at(9, 0, 1, 1).within(5, 6), None);
        assert!(at(0, 0, 4, 4).covers(at(1, 1, 3, 3)) && !at(0, 0, 4, 4).covers(at(1, 1, 4, 3)));
        assert!(at(0, 0, 4, 4).touches(at(3, 3, 4, 4)) && !at(0, 0, 4, 4).touches(at(4, 0, 4, 4)));
    }

    struct Marks(TextFound);

    impl TextDetector for Marks {
        fn find(&self, _: StoredPixels<'_>) -> TextFound {
            self.0.clone()
        }
    }

    #[test]
    fn a_person_decides_about_what_is_found() {
        let found = TextFound { text: vec![at(0, 0, 4, 1)], unsure: vec![at(0, 5, 4, 1), at(0, 7, 4, 1)] };
        let settings = PixelCleaning { detector: Some(Arc::new(Marks(found))), ..PixelCleaning::default() };
        let witness = Witness::default();
        let film = StoredPixels {
            rows: 9,
            columns: 9,
            samples: 1,
            width: 1,
            bits: 8,
            is_signed: false,
            values: &[0; 81],
            witness,
        };
        let decide = |region, verdict| Decision { region, verdict };
        let run = |decisions: &[Decision]| {
            let cleaning = Cleaning { settings: &settings, decisions, search: Search::Detector, witness };
            (cleaning.fixed(&DataSet::default(), 9, 9), cleaning.found(film))
        };
        let review = |regions| Err(Withheld::Review(Review { columns: 9, rows: 9, regions }));
        assert_eq!(run(&[]).1, review(vec![at(0, 5, 4, 1), at(0, 7, 4, 1)]));
        let blank = decide(at(1, 5, 9, 1), RegionVerdict::Blank);
        assert_eq!(run(&[blank]).1, review(vec![at(0, 7, 4, 1)]));
        let keep = decide(at(0, 7, 4, 1), RegionVerdict::Keep);
        assert_eq!(run(&[blank, keep]), (vec![at(1, 5, 8, 1)], Ok(vec![at(0, 0, 4, 1)])));
        let all = decide(at(0, 0, 9, 9), RegionVerdict::Keep);
        assert_eq!(run(&[all]), (Vec::new(), Ok(Vec::new())));
    }
}
