//! The scene between focal spot and detector: path lengths of each material, pixel by pixel.

use super::projection::Camera;
use crate::geometry::mesh::Mesh;

/// A material with an attenuation curve of its own ([`super::beam`]).
///
/// Path lengths add. An object *inside* another replaces a part of it: add it with weight 1 and the other with weight −1
/// (bowel gas is `Soft` with weight −1, a nail in the canal is its metal alone, the marrow it displaces being negligible).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Material {
    /// Muscle and organs, water-like.
    Soft,
    /// Fat.
    Fat,
    /// Compact bone, 1.92 g/cm³.
    Cortex,
    /// Spongy bone with its marrow, at a bone volume fraction of 1: give the fraction as the weight.
    Spongy,
    /// Titanium alloy of nails and stems.
    Titanium,
    /// Stainless steel of plates and screws.
    Steel,
    /// Cobalt–chromium of prosthetic heads.
    CobaltChrome,
    /// Bone cement with contrast agent.
    Cement,
    /// Polymers: cups, lines, buttons, pads.
    Plastic,
}

impl Material {
    /// Every material, in the order of the enum.
    pub const ALL: [Material; 9] = [
        Material::Soft,
        Material::Fat,
        Material::Cortex,
        Material::Spongy,
        Material::Titanium,
        Material::Steel,
        Material::CobaltChrome,
        Material::Cement,
        Material::Plastic,
    ];
}

/// Path lengths in millimeters on the camera's raster, a plane for each material in use.
#[derive(Clone, Debug)]
pub struct Scene {
    /// How the scene is seen.
    pub camera: Camera,
    planes: [Option<Vec<f32>>; Material::ALL.len()],
}

impl Scene {
    /// An empty scene.
    #[must_use]
    pub fn new(camera: Camera) -> Self {
        Self { camera, planes: Default::default() }
    }

    /// Adds a closed mesh (world coordinates, millimeters) of a material, `weight` times.
    pub fn add(&mut self, mesh: &Mesh, material: Material, weight: f32) {
        let camera = self.camera;
        camera.accumulate(mesh, weight, self.plane_mut(material));
    }

    /// The path lengths of a material, if anything of it was added.
    #[must_use]
    pub fn plane(&self, material: Material) -> Option<&[f32]> {
        self.planes[material as usize].as_deref()
    }

    /// The path lengths of a material, for drawing into directly (`width * height`, row-major, millimeters).
    pub fn plane_mut(&mut self, material: Material) -> &mut [f32] {
        let n = self.camera.width * self.camera.height;
        self.planes[material as usize].get_or_insert_with(|| vec![0.0; n])
    }

    /// The path lengths through one mesh alone, on this scene's raster.
    #[must_use]
    pub fn depth(&self, mesh: &Mesh) -> Vec<f32> {
        let mut buffer = vec![0.0; self.camera.width * self.camera.height];
        self.camera.accumulate(mesh, 1.0, &mut buffer);
        buffer
    }
}
