//! Where surfaces of known names belong: from the frames of OpenSim's Gait2392 and Arm26 to those of the built-in bones.

use std::collections::BTreeMap;

use coxa_schema::BodyPart;

use crate::geometry::mesh::Mesh;
use crate::geometry::{Rigid, Vec3, v};

type Surfaces = BTreeMap<String, Mesh>;

/// Names without side and prefix.
const LOWER: [&str; 10] =
    ["pelvis", "sacrum", "femur", "tibia", "fibula", "talus", "calcaneus", "foot", "bofoot", "patella"];
const UPPER: [&str; 11] = [
    "humerus",
    "ulna",
    "radius",
    "scaphoid",
    "lunate",
    "triquetrum",
    "pisiform",
    "trapezium",
    "trapezoid",
    "capitate",
    "hamate",
];

/// Half the distance of the hips in the pelvis' frame, and their middle in the world's axes, millimeters.
const HIPS: Vec3 = v(0.0, -66.1, -70.7);

/// A name's bone and whether it is of the left side.
fn bone_of(name: &str) -> (&str, bool) {
    let left = name.starts_with("l_") || name.ends_with("_l") || name.starts_with("arm_l_");
    let bare = ["arm_r_", "arm_l_", "l_", "r_"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
    (["_r", "_l"].iter().find_map(|s| bare.strip_suffix(s)).unwrap_or(bare), left)
}

/// Whether a surface of this name can take a built-in bone's place.
pub(super) fn is_known(name: &str) -> bool {
    let (bone, _) = bone_of(name);
    LOWER.contains(&bone) || UPPER.contains(&bone) || ray(bone).is_some()
}

/// The surface of a left bone: the file's own, or a right one mirrored.
fn left(surfaces: &Surfaces, bone: &str) -> Option<Mesh> {
    let of = |wanted: bool| surfaces.iter().find(|(name, _)| bone_of(name) == (bone, wanted)).map(|(_, mesh)| mesh);
    of(true).cloned().or_else(|| of(false).map(Mesh::mirrored))
}

pub(super) fn pelvis(surfaces: &Surfaces) -> [Option<Mesh>; 3] {
    let motion = Rigid::translate(-HIPS);
    let place = |mesh: Mesh| mesh.moved(&motion);
    let right = surfaces.iter().find(|(name, _)| bone_of(name) == ("pelvis", false)).map(|(_, mesh)| mesh.clone());
    let left_bone = left(surfaces, "pelvis");
    let right = right.or_else(|| left_bone.as_ref().map(Mesh::mirrored));
    [left_bone.map(place), right.map(place), surfaces.get("sacrum").cloned().map(place)]
}

pub(super) fn femur(surfaces: &Surfaces) -> Option<Mesh> {
    left(surfaces, "femur")
}

/// A bone of a limb part in that part's frame (a left limb). Bones that come as one file with others replace the first of them
/// and leave the others empty.
pub(super) fn limb_bone(surfaces: &Surfaces, part: &BodyPart, bone: &str) -> Option<Mesh> {
    let at = |name: &str, offset: Vec3| left(surfaces, name).map(|mesh| mesh.moved(&Rigid::translate(offset)));
    match (part, bone) {
        (BodyPart::Knee, "femur") => at("femur", v(0.0, 431.0, 0.0)),
        (BodyPart::Knee, "tibia") => at("tibia", v(0.0, 27.0, -6.0)),
        (BodyPart::Knee, "fibula") => at("fibula", v(0.0, 27.0, -6.0)),
        (BodyPart::Ankle, "tibia") => at("tibia", v(0.0, 430.0, 0.0)),
        (BodyPart::Ankle, "fibula") => at("fibula", v(0.0, 430.0, 0.0)),
        (BodyPart::Ankle, "talus") => at("talus", Vec3::default()),
        (BodyPart::Ankle, "calcaneus") => at("calcaneus", Vec3::default()).or_else(|| at("foot", v(7.9, -42.0, -48.8))),
        (BodyPart::Ankle, "phalanx of the foot 1") => at("bofoot", v(9.0, -44.0, 130.0)),
        (BodyPart::Ankle, other) if other.starts_with("phalanx") => left(surfaces, "bofoot").map(|_| Mesh::default()),
        (BodyPart::Ankle, "navicular" | "cuboid" | "sesamoid") => left(surfaces, "foot").map(|_| Mesh::default()),
        (BodyPart::Ankle, other) if other.contains("cuneiform") || other.starts_with("metatarsal") => {
            left(surfaces, "foot").map(|_| Mesh::default())
        }
        // Arm26's elbow lies at (6.1, -290.4, -12.3) mm in the humerus' frame.
        (BodyPart::Elbow, "humerus") => at("humerus", v(12.3, 290.4, -6.1)),
        (BodyPart::Elbow, "ulna" | "radius") => at(bone, Vec3::default()),
        (BodyPart::Wrist, _) => {
            let name = UPPER.contains(&bone).then_some(bone).or_else(|| wrist_ray(bone))?;
            at(name, v(-66.0, 248.0, -8.0))
        }
        _ => None,
    }
}

/// The rays of a hand: built-in name and the name of Arm26.
const RAYS: [(&str, &str); 19] = [
    ("metacarpal 1", "1mc"),
    ("metacarpal 2", "2mc"),
    ("metacarpal 3", "3mc"),
    ("metacarpal 4", "4mc"),
    ("metacarpal 5", "5mc"),
    ("phalanx of the hand 1", "thumbprox"),
    ("phalanx of the hand 2", "thumbdist"),
    ("phalanx of the hand 3", "2proxph"),
    ("phalanx of the hand 4", "2midph"),
    ("phalanx of the hand 5", "2distph"),
    ("phalanx of the hand 6", "3proxph"),
    ("phalanx of the hand 7", "3midph"),
    ("phalanx of the hand 8", "3distph"),
    ("phalanx of the hand 9", "4proxph"),
    ("phalanx of the hand 10", "4midph"),
    ("phalanx of the hand 11", "4distph"),
    ("phalanx of the hand 12", "5proxph"),
    ("phalanx of the hand 13", "5midph"),
    ("phalanx of the hand 14", "5distph"),
];

fn wrist_ray(built_in: &str) -> Option<&'static str> {
    RAYS.iter().find(|(name, _)| *name == built_in).map(|(_, file)| *file)
}

fn ray(file: &str) -> Option<&'static str> {
    RAYS.iter().find(|(_, name)| *name == file).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_bone_and_side() {
        assert_eq!(bone_of("femur_l"), ("femur", true));
        assert_eq!(bone_of("l_pelvis"), ("pelvis", true));
        assert_eq!(bone_of("pelvis"), ("pelvis", false));
        assert_eq!(bone_of("arm_r_2proxph"), ("2proxph", false));
        assert!(is_known("arm_r_thumbdist") && is_known("tibia") && !is_known("skull"));
    }

    #[test]
    fn a_right_bone_serves_as_the_left_ones_mirror_image() {
        let ball = Mesh::ellipsoid(v(-30.0, 0.0, 0.0), v(5.0, 5.0, 5.0), 12);
        let surfaces = Surfaces::from([("talus".to_owned(), ball)]);
        let talus = limb_bone(&surfaces, &BodyPart::Ankle, "talus").unwrap();
        assert!(talus.vertices.iter().all(|p| p.x > 0.0) && talus.volume() > 0.0);
        assert!(limb_bone(&surfaces, &BodyPart::Ankle, "tibia").is_none());
    }
}
