//! Landmarks of a posed patient, by which accessories are placed.

use coxa_schema::Side;

use crate::geometry::Vec3;

/// Landmarks of one hip of a posed, unfractured patient (world frame, millimeters), by which hardware is placed.
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

/// Landmarks of a posed patient, by which accessories are placed.
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
