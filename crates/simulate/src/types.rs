//! What is asked of the simulator and what it gives back.

use coxa_cohort::{BodyPart, FractureType, Sex, Side};

use crate::geometry::Vec3;

/// Which class of film is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FilmKind {
    /// Half normal, a quarter of each kind of fracture.
    #[default]
    Random,
    /// No fracture.
    Normal,
    /// A fracture of the femoral neck.
    FemoralNeck,
    /// A trochanteric fracture.
    Trochanteric,
}

/// How far the simulated world is varied beyond the ordinary film. Each knob is a factor or probability in `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Domain {
    /// Spread of pose, anatomy, exposure and processing: 0 is a tidy department, 1 the full randomization for training.
    pub variation: f32,
    /// Probability of hardware in a hip, the same with and without fracture.
    pub hardware: f32,
    /// Probability of a close-up of one hip instead of the whole pelvis.
    pub close_up: f32,
    /// Probability of each kind of clutter: lines, clothing, markers, labels.
    pub clutter: f32,
}

impl Default for Domain {
    fn default() -> Self {
        Self { variation: 1.0, hardware: 0.08, close_up: 0.35, clutter: 0.3 }
    }
}

/// What film to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmOptions {
    /// Longest side of the film in pixels, 64 to 4096.
    pub size: usize,
    /// Class of the film.
    pub kind: FilmKind,
    /// How much everything else varies.
    pub domain: Domain,
}

impl Default for FilmOptions {
    fn default() -> Self {
        Self { size: 512, kind: FilmKind::Random, domain: Domain::default() }
    }
}

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
    /// Whether it stands in the place of the femoral head.
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
    /// The patient's side.
    pub side: Side,
    /// Largest movement of a fragment at the fracture surface, millimetres; 0 for a hairline.
    pub displacement: f32,
    /// `x, y, width, height` in film pixels, tight around the projected fracture surfaces; inside the film.
    pub bbox: [f32; 4],
}

/// What is true of a simulated film.
#[derive(Clone, Debug, PartialEq)]
pub struct PelvisTruth {
    /// Whether the film shows a fracture.
    pub label: bool,
    /// The fracture, when there is one of the proximal femur.
    pub fracture: Option<SimulatedFracture>,
    /// Age in years.
    pub age: f32,
    /// Sex.
    pub sex: Sex,
    /// Metal and the side that it is on.
    pub hardware: Option<(Hardware, Side)>,
    /// What was drawn besides the class, by name, for tests that the classes do not differ in it.
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
    /// Detector pixel spacing, millimetres.
    pub spacing_mm: f32,
    /// What is shown.
    pub body_part: BodyPart,
    /// What is true of it.
    pub truth: PelvisTruth,
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

/// Where things are in one hip of a posed, unfractured patient (world frame, millimetres): what hardware is placed by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HipLandmarks {
    /// The patient's side.
    pub side: Side,
    /// Center of the femoral head.
    pub head: Vec3,
    /// Radius of the femoral head.
    pub head_radius: f32,
    /// Center of the acetabulum (equal to `head` but for subluxation).
    pub cup: Vec3,
    /// Where the neck axis meets the shaft axis.
    pub neck_base: Vec3,
    /// Tip of the greater trochanter.
    pub greater_trochanter: Vec3,
    /// Tip of the lesser trochanter.
    pub lesser_trochanter: Vec3,
    /// A point on the shaft axis 60 mm below `neck_base`.
    pub shaft: Vec3,
    /// Unit vector down the shaft axis.
    pub down: Vec3,
    /// Unit vector to the lateral side of the shaft, in the plane of the neck (away from the head).
    pub lateral: Vec3,
    /// Radius of the medullary canal at the isthmus.
    pub canal_radius: f32,
    /// Outer radius of the shaft.
    pub shaft_radius: f32,
}

/// Where things are in a posed patient: what accessories are placed by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmarks {
    /// The patient's right hip, then the left.
    pub hips: [HipLandmarks; 2],
    /// Middle of the pelvic inlet.
    pub inlet: Vec3,
    /// Top of the iliac crests.
    pub crest_y: f32,
    /// Half width of the body at the crests.
    pub body_half_width: f32,
    /// Half depth (front to back) of the body at the crests.
    pub body_half_depth: f32,
    /// Middle of the symphysis.
    pub symphysis: Vec3,
}
