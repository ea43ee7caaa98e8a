//! Bones made once and used for many films.
//!
//! Sampling an implicit function costs far more than drawing its surface, so the individual shapes come from banks of templates,
//! each made when it is first needed; scale, smooth warps, cortical thickness and density still vary from film to film. A
//! template follows from its number alone.

use std::sync::{Arc, OnceLock};

use super::femur::{FEMORA, FemurField, FemurShape};
use super::pelvis::{PELVES, PelvisShape};
use crate::geometry::mesh::Mesh;

/// A pelvis and lumbar spine at their template's size.
#[derive(Debug)]
pub struct PelvisTemplate {
    /// The measures that it was built from.
    pub shape: PelvisShape,
    /// Outer and inner surface of the left hip bone.
    pub hip_bone: [Mesh; 2],
    /// Outer and inner surface of sacrum and coccyx.
    pub sacrum: [Mesh; 2],
    /// Outer and inner surfaces of the lumbar vertebrae.
    pub lumbar: [Mesh; 2],
}

/// A femur at its template's size.
#[derive(Debug)]
pub struct FemurTemplate {
    /// The measures that it was built from.
    pub shape: FemurShape,
    /// Its sampled surface and cortical thickness.
    pub field: FemurField,
    /// The whole bone's outer surface.
    pub outer: Mesh,
}

/// The pelvis of this number (modulo [`PELVES`]).
#[must_use]
pub fn pelvis(number: usize) -> Arc<PelvisTemplate> {
    static BANK: [OnceLock<Arc<PelvisTemplate>>; PELVES] = [const { OnceLock::new() }; PELVES];
    let n = number % PELVES;
    let make = || {
        let shape = PelvisShape::numbered(n);
        Arc::new(PelvisTemplate {
            hip_bone: shape.hip_bone_meshes(2.0),
            sacrum: shape.sacrum_meshes(2.4),
            lumbar: shape.lumbar_meshes(2.4),
            shape,
        })
    };
    Arc::clone(BANK[n].get_or_init(make))
}

/// The femur of this number (modulo [`FEMORA`]).
#[must_use]
pub fn femur(number: usize) -> Arc<FemurTemplate> {
    static BANK: [OnceLock<Arc<FemurTemplate>>; FEMORA] = [const { OnceLock::new() }; FEMORA];
    let n = number % FEMORA;
    let make = || {
        let shape = FemurShape::numbered(n);
        let field = FemurField::sample(&shape, 1.5);
        Arc::new(FemurTemplate { outer: field.grid.mesh(&field.outer), shape, field })
    };
    Arc::clone(BANK[n].get_or_init(make))
}
