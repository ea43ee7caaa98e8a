//! The film itself: display values and the few facts about them that reading needs. There is no field that could hold a
//! patient's name, identifier, date or instance UID, and no free text: view and body part are terms of closed lists.

use std::fmt;

use crate::error::ReadError;
use crate::exam::{Exam, ExamPart, ExamView};

/// Photometric interpretation of the file that a film was read from (DICOM PS3.3 C.7.6.3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Photometric {
    /// The lowest stored value is white.
    Monochrome1,
    /// The lowest stored value is black.
    Monochrome2,
    /// Color, turned to gray.
    Rgb,
    /// Anything else that was turned to gray (the luminance plane of a YBR image).
    Other,
}

/// Side of the body, from the patient's point of view (DICOM Image Laterality (0020,0062) or Laterality (0020,0060)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Laterality {
    /// The patient's left.
    Left,
    /// The patient's right.
    Right,
    /// Both sides on one film, as on a frontal pelvis.
    Both,
    /// An unpaired part of the body.
    Unpaired,
}

impl fmt::Display for Laterality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Both => "both",
            Self::Unpaired => "unpaired",
        })
    }
}

/// A film as a viewer shows it: display values from 0 to 255, row by row, bone bright.
///
/// Display values are what is left after the modality LUT or rescale, the VOI window or LUT and the polarity. An 8-bit PNG or
/// JPEG holds them already and passes unchanged.
#[derive(Clone, PartialEq)]
pub struct Radiograph {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<f32>,
    pub(crate) colored: f32,
    pub(crate) bit_depth: u8,
    pub(crate) photometric: Photometric,
    pub(crate) spacing_mm: Option<[f32; 2]>,
    pub(crate) pixel_aspect: f64,
    pub(crate) exam: Option<Exam>,
    pub(crate) laterality: Option<Laterality>,
    pub(crate) facing: Facing,
    pub(crate) sha256: String,
}

/// How the patient lies on a frontal film, as the file's Patient Orientation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Facing {
    /// The patient's left is at the film's right, as films are viewed; also where the file does not say.
    #[default]
    Usual,
    /// The patient's left is at the film's left.
    Mirrored,
    /// The film is turned, or not frontal: its columns run neither to the patient's left nor to the right.
    Turned,
}

impl Radiograph {
    /// A film of display values: `pixels` row by row, `width * height` of them, each finite and from 0 to 255, bone bright.
    ///
    /// Its [`sha256`](Self::sha256) is that of the values rounded to 8 bits, its bit depth 8, its photometric interpretation
    /// MONOCHROME2.
    ///
    /// # Errors
    /// [`ReadError::Display`] where a side is 0 or over [`crate::MAX_SIDE`], the number of values is not `width * height`, or a
    /// value is out of range.
    pub fn from_display(width: usize, height: usize, pixels: Vec<f32>) -> Result<Self, ReadError> {
        let refuse = |reason: String| Err(ReadError::Display { width, height, reason });
        if width == 0 || height == 0 {
            return refuse("a side is 0".to_owned());
        }
        if width > crate::MAX_SIDE || height > crate::MAX_SIDE || width * height > crate::MAX_PIXELS {
            return refuse(format!("the limit is {} a side", crate::MAX_SIDE));
        }
        if pixels.len() != width * height {
            return refuse(format!("there are {} values", pixels.len()));
        }
        if let Some(i) = pixels.iter().position(|v| !(0.0..=255.0).contains(v)) {
            return refuse(format!("value {} at row {}, column {}", pixels[i], i / width, i % width));
        }
        let bytes: Vec<u8> = pixels.iter().map(|&v| round_to_u8(v)).collect();
        Ok(Self {
            width,
            height,
            pixels,
            colored: 0.0,
            bit_depth: 8,
            photometric: Photometric::Monochrome2,
            spacing_mm: None,
            pixel_aspect: 1.0,
            exam: None,
            laterality: None,
            facing: Facing::Usual,
            sha256: coxa_files::sha256(&bytes),
        })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Display values from 0 to 255, row by row, bone bright.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// Bits that carry a sample in the file: Bits Stored of a DICOM file, 8 or 16 of the others.
    pub fn bit_depth(&self) -> u8 {
        self.bit_depth
    }

    /// The file's photometric interpretation; the pixels here are bone bright whatever it is.
    pub fn photometric(&self) -> Photometric {
        self.photometric
    }

    /// Millimeters between the centers of neighboring rows and of neighboring columns, where the file says so.
    pub fn spacing_mm(&self) -> Option<[f32; 2]> {
        self.spacing_mm
    }

    /// Height of a pixel over its width: 1 where pixels are square or the file does not say, from 1/4 to 4.
    ///
    /// The pixels here are the file's own; [`crate::preprocess`] makes the network's input from their true shape.
    pub fn pixel_aspect(&self) -> f64 {
        self.pixel_aspect
    }

    /// What the file says that the film shows; `None` for a PNG, JPEG or TIFF file, which has no place for it.
    pub fn exam(&self) -> Option<Exam> {
        self.exam
    }

    /// The view, where the file names one of a closed list (`AP`, `PA`, `LATERAL`, …).
    pub fn view(&self) -> Option<&str> {
        match self.exam?.view {
            ExamView::Frontal(named) | ExamView::Other(named) => Some(named.term),
            ExamView::Absent => None,
        }
    }

    /// The body part, where the file names one of a closed list (`PELVIS`, `CHEST`, …).
    pub fn body_part(&self) -> Option<&str> {
        match self.exam?.body_part {
            ExamPart::Hip(named) | ExamPart::Vague(named) | ExamPart::Other(named) => Some(named.term),
            ExamPart::Absent => None,
        }
    }

    /// The share of pixels, 0 to 1, that had a color before the file was turned to gray. A radiograph has none; one that somebody drew on
    /// has some.
    pub fn colored(&self) -> f32 {
        self.colored
    }

    /// Why the file itself says that this is not a frontal film of pelvis or hip; `None` where it says so or says nothing.
    pub fn not_a_frontal_pelvis(&self) -> Option<String> {
        self.exam?.objection()
    }

    /// Why the file leaves open whether this is a film of pelvis or hip, although it has a place to say so.
    pub fn concern(&self) -> Option<String> {
        self.exam?.concern()
    }

    /// The side of the body that the file says is on the film.
    pub fn laterality(&self) -> Option<Laterality> {
        self.laterality
    }

    /// How the patient lies on the film.
    pub fn facing(&self) -> Facing {
        self.facing
    }

    /// SHA-256 of the file's bytes, 64 lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// The pixels are left out: a film of 2,500×2,500 would print six million numbers.
impl fmt::Debug for Radiograph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Radiograph")
            .field("width", &self.width)
            .field("height", &self.height)
            .field("bit_depth", &self.bit_depth)
            .field("photometric", &self.photometric)
            .field("spacing_mm", &self.spacing_mm)
            .field("pixel_aspect", &self.pixel_aspect)
            .field("exam", &self.exam)
            .field("laterality", &self.laterality)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

/// Rounds half up and clips to 0..=255.
pub(crate) fn round_to_u8(value: f32) -> u8 {
    // The cast saturates, so the clip is free.
    (value + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_values_are_checked() {
        assert!(Radiograph::from_display(2, 2, vec![0.0, 1.0, 2.0, 255.0]).is_ok());
        for (width, height, pixels) in [
            (0, 2, vec![]),
            (2, 2, vec![0.0; 3]),
            (1, 2, vec![0.0, 256.0]),
            (1, 2, vec![0.0, f32::NAN]),
            (1, 2, vec![0.0, -0.5]),
            (20_000, 1, vec![0.0; 20_000]),
        ] {
            let error = Radiograph::from_display(width, height, pixels).unwrap_err();
            assert_eq!(error.hint(), "give width×height values from 0 to 255");
            assert!(error.to_string().contains("cannot be made a film"), "{error}");
        }
    }

    #[test]
    fn hash_is_the_published_one() {
        assert_eq!(coxa_files::sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
