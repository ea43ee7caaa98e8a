//! A finished film and its truth.

use coxa_schema::{BodyPart, FractureType, Sex, Side};

use crate::bones::fracture::Classes;

/// Metal in a hip from an earlier operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardware {
    /// Total hip replacement.
    TotalHip,
    /// Hemiarthroplasty.
    Hemiarthroplasty,
    /// Intramedullary nail with a neck screw.
    Nail,
    /// Dynamic hip screw: plate and screws.
    SlidingScrew,
    /// Cannulated screws in the neck.
    CannulatedScrews,
}

impl Hardware {
    /// Whether it replaces the femoral head.
    #[must_use]
    pub fn replaces_head(self) -> bool {
        matches!(self, Self::TotalHip | Self::Hemiarthroplasty)
    }
}

/// A fracture as it was built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedFracture {
    /// Neck or trochanteric.
    pub kind: FractureType,
    /// What surgeons call it.
    pub classes: Classes,
    /// The patient's side.
    pub side: Side,
    /// Largest movement of a fragment at the fracture surface, millimeters; 0 for a hairline.
    pub displacement: f32,
    /// `x, y, width, height` in film pixels, tight around the projected fracture surfaces; inside the film.
    pub bbox: [f32; 4],
}

/// Where a hip lies on a film, its bones unbroken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HipOnFilm {
    /// The patient's side.
    pub side: Side,
    /// Center of the femoral head: film pixels, x right, y down; it may lie beyond the film's border.
    pub head: [f32; 2],
    /// Radius of the head in film pixels.
    pub radius: f32,
}

/// The truth of a simulated film.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmTruth {
    /// Whether the film shows a fracture.
    pub label: bool,
    /// The fracture, when there is one of the proximal femur.
    pub fracture: Option<SimulatedFracture>,
    /// Age in years.
    pub age: f32,
    /// Sex.
    pub sex: Sex,
    /// Whether initials or lines of print are burned into the picture; a side letter alone is not counted.
    pub burned_in_text: bool,
    /// Metal and the side that it is on.
    pub hardware: Option<(Hardware, Side)>,
    /// The hips of a film of the pelvis or a hip, the patient's right one first.
    pub hips: Vec<HipOnFilm>,
    /// Values drawn besides the class, by name: tests check that the classes do not differ in them.
    pub covariates: Vec<(&'static str, f32)>,
}

/// A finished film.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedFilm {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Stored values, row-major, `0..2^bits_stored`; bone dark when `monochrome1`.
    pub pixels: Vec<u16>,
    /// Bits in use: 8 to 16.
    pub bits_stored: u8,
    /// Whether 0 is to be shown white.
    pub monochrome1: bool,
    /// Detector pixel spacing, millimeters.
    pub spacing_mm: f32,
    /// The part of the body.
    pub body_part: BodyPart,
    /// The truth.
    pub truth: FilmTruth,
}

/// The 8-bit display values (bone bright) of a film, as a PNG of it holds them.
#[must_use]
pub fn display8(film: &SimulatedFilm) -> Vec<u8> {
    let top = f32::from(((1_u32 << film.bits_stored) - 1) as u16);
    film.pixels
        .iter()
        .map(|p| {
            let value = (f32::from(*p) * 255.0 / top).round() as u8;
            if film.monochrome1 { 255 - value } else { value }
        })
        .collect()
}
