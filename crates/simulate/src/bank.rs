//! Bones made once and used for many films.
//!
//! Sampling an implicit function costs far more than drawing its surface, so the individual shapes come from banks of templates,
//! each made when it is first needed; scale, smooth warps, cortical thickness and density still vary from film to film. A
//! template follows from its number alone.

use std::sync::{Arc, OnceLock};

use rand::SeedableRng;

use crate::femur::{FemurField, FemurShape};
use crate::mesh::Mesh;
use crate::noise::Noise;
use crate::pelvis::PelvisShape;
use crate::random::FilmRng;

/// How many different pelves there are.
pub const PELVES: usize = 24;
/// How many different proximal femora there are.
pub const FEMORA: usize = 32;
/// Side of the noise tile in samples.
pub const TILE: usize = 512;

/// A pelvis and lumbar spine at their template's size.
#[derive(Debug)]
pub struct PelvisTemplate {
    /// What was built.
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
    /// What was built.
    pub shape: FemurShape,
    /// Its sampled surface and cortical thickness.
    pub field: FemurField,
    /// The whole bone's outer surface.
    pub outer: Mesh,
}

/// The shape of the pelvis of this number, without building it.
#[must_use]
pub fn pelvis_shape(number: usize) -> PelvisShape {
    PelvisShape::template(&mut FilmRng::seed_from_u64(0x7065_6c76 + (number % PELVES) as u64))
}

/// The shape of the femur of this number, without building it.
#[must_use]
pub fn femur_shape(number: usize) -> FemurShape {
    FemurShape::template(&mut FilmRng::seed_from_u64(0x6665_6d75 + (number % FEMORA) as u64))
}

/// The pelvis of this number (modulo [`PELVES`]).
#[must_use]
pub fn pelvis(number: usize) -> Arc<PelvisTemplate> {
    static BANK: [OnceLock<Arc<PelvisTemplate>>; PELVES] = [const { OnceLock::new() }; PELVES];
    let n = number % PELVES;
    let make = || {
        let shape = pelvis_shape(n);
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
        let shape = femur_shape(n);
        let field = FemurField::sample(&shape, 1.5);
        Arc::new(FemurTemplate { outer: field.grid.mesh(&field.outer), shape, field })
    };
    Arc::clone(BANK[n].get_or_init(make))
}

/// Isotropic noise of four octaves on a tile of [`TILE`] samples that repeats seamlessly: mean 0, standard deviation 1.
#[must_use]
pub fn tile() -> &'static [f32] {
    static BANK: OnceLock<Vec<f32>> = OnceLock::new();
    BANK.get_or_init(|| {
        let noise = Noise::new(0x7469_6c65);
        let mut values = vec![0.0_f32; TILE * TILE];
        for (octave, period) in [16_i32, 32, 64, 128].into_iter().enumerate() {
            let scale = period as f32 / TILE as f32;
            for y in 0..TILE {
                for x in 0..TILE {
                    let amplitude = 0.8_f32.powi(octave as i32);
                    values[y * TILE + x] +=
                        amplitude * noise.periodic(x as f32 * scale, y as f32 * scale, period, octave as i32);
                }
            }
        }
        let rms = (values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32).sqrt();
        values.iter_mut().for_each(|x| *x /= rms);
        values
    })
}

/// The noise tile between its samples, anywhere in the plane (units of samples).
#[must_use]
pub fn tile_at(tile: &[f32], x: f32, y: f32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (u, v) = (x - fx, y - fy);
    let mask = TILE - 1;
    let (x0, y0) = (fx as i32 as usize & mask, fy as i32 as usize & mask);
    let (x1, y1) = ((x0 + 1) & mask, (y0 + 1) & mask);
    let top = tile[y0 * TILE + x0] * (1.0 - u) + tile[y0 * TILE + x1] * u;
    let bottom = tile[y1 * TILE + x0] * (1.0 - u) + tile[y1 * TILE + x1] * u;
    top * (1.0 - v) + bottom * v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tile_repeats_seamlessly_and_is_standardized() {
        let tile = tile();
        let n = tile.len() as f32;
        assert!((tile.iter().map(|x| x * x).sum::<f32>() / n - 1.0).abs() < 1e-3);
        assert!((tile.iter().sum::<f32>() / n).abs() < 0.2);
        let side = TILE as f32;
        for (x, y) in [(3.25, 7.5), (-0.5, 500.75)] {
            assert!((tile_at(tile, x, y) - tile_at(tile, x + side, y - side)).abs() < 1e-3);
        }
    }
}
