//! Bone surfaces from a folder in place of the built-in bones.
//!
//! Files are VTP (VTK XML, ASCII), STL (ASCII or binary) or OBJ, named after bones. Surfaces smaller than 2 units are taken as
//! meters, others as millimeters. Axes are those of OpenSim's models: `x` forward, `y` up, `z` to the subject's right. Known names
//! and frames (joint positions of Gait2392 and Arm26):
//!
//! | file | bone | origin of its frame |
//! |---|---|---|
//! | `pelvis` (right), `l_pelvis`, `sacrum` | hip bones, sacrum | the hips lie at (−70.7, −66.1, ±83.5) mm |
//! | `femur_r`, `femur_l` | femora | hip |
//! | `tibia_r`, `tibia_l` (`tibia`), `fibula`, `l_fibula` | lower leg | knee |
//! | `talus`, `l_talus` | talus | ankle |
//! | `foot`, `l_foot` | calcaneus to metatarsals, one file | heel, (−48.8, −42.0, 7.9) mm from the ankle |
//! | `bofoot`, `l_bofoot` | toes, one file | (178.8, −2.0, 1.1) mm from the heel's frame |
//! | `humerus`, `ulna`, `radius`, with or without `arm_r_` | arm, right | elbow; for the humerus the shoulder |
//! | `arm_r_lunate`, … `arm_r_1mc`, `arm_r_2proxph`, `arm_r_thumbdist`, … | wrist and hand, right | elbow |
//!
//! A bone that the folder lacks stays built in, the lumbar spine always; a left one is the mirror image of the right one where only that is there.

mod frames;
mod obj;
mod proximal;
mod raw;
mod stl;
mod surface;
mod vtp;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coxa_schema::BodyPart;

use crate::bones::bank::FemurTemplate;
use crate::error::SimulateError;
use crate::geometry::mesh::Mesh;

use raw::Fault;
pub use surface::{close, weld};

/// The bone surfaces of a folder.
#[derive(Debug)]
pub struct BoneSurfaces {
    surfaces: BTreeMap<String, Mesh>,
    femur: Option<FemurTemplate>,
}

impl BoneSurfaces {
    /// Reads every `.vtp`, `.stl` and `.obj` file of a folder and places the bones that are known by their names.
    ///
    /// # Errors
    /// [`SimulateError::Surface`] naming file and line, [`SimulateError::NoSurfaces`], or the disk's.
    pub fn load(folder: &Path) -> Result<Self, SimulateError> {
        let mut surfaces = BTreeMap::new();
        for (name, path) in surfaces_in(folder)?.into_iter().filter(|(name, _)| frames::is_known(name)) {
            surfaces.insert(name, read_surface(&path)?);
        }
        if surfaces.is_empty() {
            return Err(SimulateError::NoSurfaces { folder: folder.to_owned() });
        }
        let femur = match frames::femur(&surfaces) {
            None => None,
            Some(bone) => {
                Some(proximal::template(&bone).ok_or_else(|| SimulateError::NoFemur { folder: folder.to_owned() })?)
            }
        };
        Ok(Self { surfaces, femur })
    }

    /// The file names, in order, of the surfaces in a folder that [`BoneSurfaces::load`] skips: they are named after no known bone.
    ///
    /// # Errors
    /// The disk's.
    pub fn skipped(folder: &Path) -> Result<Vec<String>, SimulateError> {
        let unknown = surfaces_in(folder)?.into_iter().filter(|(name, _)| !frames::is_known(name));
        Ok(unknown.map(|(_, path)| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect())
    }

    /// The names of the surfaces that were taken.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.surfaces.keys().map(String::as_str)
    }

    /// A surface by its file name without extension, in millimeters, in the world's axes (`x` to the patient's left, `y` up, `z`
    /// forward) with the origin of its own frame.
    #[must_use]
    pub fn surface(&self, name: &str) -> Option<&Mesh> {
        self.surfaces.get(name)
    }

    /// Left hip bone, right hip bone and sacrum (each if it is there), with the middle between the hips at the origin and the hips
    /// 83.5 mm from it.
    #[must_use]
    pub fn pelvis(&self) -> [Option<Mesh>; 3] {
        frames::pelvis(&self.surfaces)
    }

    /// The femur of hip films, if there is one: the left one, or the right one mirrored; both sides are made of it.
    pub(crate) fn femur_template(&self) -> Option<&FemurTemplate> {
        self.femur.as_ref()
    }

    /// The surface of a bone of a left limb in the part's frame, if there is one.
    pub(crate) fn limb_bone(&self, part: &BodyPart, bone: &str) -> Option<Mesh> {
        frames::limb_bone(&self.surfaces, part, bone)
    }
}

/// The surface files of a folder with their names in lower case, in the order of their paths.
fn surfaces_in(folder: &Path) -> Result<Vec<(String, PathBuf)>, SimulateError> {
    let entries = std::fs::read_dir(folder).map_err(SimulateError::io(folder))?;
    let mut paths = entries
        .map(|entry| entry.map(|e| e.path()).map_err(SimulateError::io(folder)))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let lower = |s: Option<&std::ffi::OsStr>| s.map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default();
    paths.retain(|path| matches!(lower(path.extension()).as_str(), "vtp" | "stl" | "obj"));
    Ok(paths.into_iter().map(|path| (lower(path.file_stem()), path)).collect())
}

/// Reads one surface: closed, wound outwards, in millimeters, in the world's axes.
///
/// # Errors
/// [`SimulateError::Surface`] naming file and line (0 in a binary file), or the disk's.
pub fn read_surface(path: &Path) -> Result<Mesh, SimulateError> {
    let bytes = std::fs::read(path).map_err(SimulateError::io(path))?;
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let parsed = match extension.as_str() {
        "vtp" => vtp::parse(&bytes),
        "stl" => stl::parse(&bytes),
        _ => obj::parse(&bytes),
    };
    let problem =
        |fault: Fault| SimulateError::Surface { path: path.to_owned(), line: fault.line, reason: fault.reason };
    let raw = parsed.map_err(problem)?;
    surface::finish(&raw).map_err(problem)
}
