//! Limb films: ankle, elbow, foot, knee and wrist, the five parts that the paper pretrains on.
//!
//! All parts share variation, hardware, exposure, processing, rotation and framing; only their bones and the soft tissue that
//! belongs to these differ. Each part's file describes the bones of a mean left limb in millimeters.

use coxa_schema::BodyPart;

mod ankle;
mod draw;
mod elbow;
mod film;
mod foot;
mod knee;
mod library;
mod pose;
mod skeleton;
mod solid;
mod wrist;

pub use film::limb;
pub(crate) use film::limb_with;
pub(crate) use library::LimbBones;

/// The parts that [`limb`] draws, in alphabetical order.
pub const PARTS: [BodyPart; 5] = BodyPart::PAPER_LIMBS;
