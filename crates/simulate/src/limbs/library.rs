//! The meshed bones of the five limb parts: the built-in ones, and those with surfaces of a folder among them.

use std::sync::OnceLock;

use coxa_schema::BodyPart;

use super::skeleton::{Part, Prepared, prepared};
use super::{ankle, elbow, knee, wrist};
use crate::bones::BoneSurfaces;

/// The five parts' bones, those of a folder's surfaces in place of the built-in ones.
#[derive(Debug)]
pub(crate) struct LimbBones {
    ankle: Prepared,
    elbow: Prepared,
    knee: Prepared,
    wrist: Prepared,
}

impl LimbBones {
    /// Meshes all parts with the bones that `surfaces` holds in place of the built-in ones.
    pub(crate) fn new(surfaces: &BoneSurfaces) -> Self {
        let of =
            |part: BodyPart, describe: fn() -> Part| Prepared::new(describe(), |bone| surfaces.limb_bone(&part, bone));
        Self {
            ankle: of(BodyPart::Ankle, ankle::part),
            elbow: of(BodyPart::Elbow, elbow::part),
            knee: of(BodyPart::Knee, knee::part),
            wrist: of(BodyPart::Wrist, wrist::part),
        }
    }

    /// A part's bones.
    pub(super) fn part(&self, part: &BodyPart) -> &Prepared {
        match part {
            BodyPart::Elbow => &self.elbow,
            BodyPart::Knee => &self.knee,
            BodyPart::Wrist => &self.wrist,
            _ => &self.ankle,
        }
    }
}

/// The meshed bones of a part.
pub(super) fn built_in(part: &BodyPart) -> &'static Prepared {
    static ANKLE: OnceLock<Prepared> = OnceLock::new();
    static ELBOW: OnceLock<Prepared> = OnceLock::new();
    static KNEE: OnceLock<Prepared> = OnceLock::new();
    static WRIST: OnceLock<Prepared> = OnceLock::new();
    match part {
        BodyPart::Ankle | BodyPart::Foot => prepared(&ANKLE, ankle::part),
        BodyPart::Elbow => prepared(&ELBOW, elbow::part),
        BodyPart::Knee => prepared(&KNEE, knee::part),
        BodyPart::Wrist => prepared(&WRIST, wrist::part),
        other => panic!("no limb film of `{other}` can be drawn"),
    }
}
