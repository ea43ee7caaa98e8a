//! A posed limb into a scene: skin, fat, bone and marrow, with their texture.

use super::skeleton::Posed;
use crate::film::scene::{Material, Scene};
use crate::noise::Noise;
use crate::random::{FilmRng, uniform};

/// Adds skin, fat, cortex, spongy bone and marrow to the scene.
pub(super) fn draw_limb(scene: &mut Scene, limb: &Posed, rng: &mut FilmRng, variation: f32, texture: &mut FilmRng) {
    let density = uniform(rng, 0.8 - 0.35 * variation, 0.9 + 0.25 * variation);
    let fraction = 0.24 * density;
    scene.add(&limb.skin[0], Material::Soft, 1.0);
    scene.add(&limb.skin[0], Material::Fat, 1.0);
    scene.add(&limb.skin[1], Material::Fat, -1.0);
    for mesh in &limb.outer {
        scene.add(mesh, Material::Cortex, 0.62 + 0.38 * density);
    }
    for mesh in &limb.inner {
        scene.add(mesh, Material::Cortex, -(0.62 + 0.38 * density));
        scene.add(mesh, Material::Spongy, fraction);
    }
    for mesh in &limb.cavities {
        scene.add(mesh, Material::Spongy, -fraction * 0.85);
        scene.add(mesh, Material::Fat, 0.6);
    }
    weave(scene, texture, variation);
    stripe(scene, texture, variation);
}

/// Trabecular texture: noise drawn out along a direction close to the limb's axis, stronger where it is denser.
fn weave(scene: &mut Scene, rng: &mut FilmRng, variation: f32) {
    let camera = scene.camera;
    let strength = uniform(rng, 0.03, 0.08 + 0.1 * variation);
    let grain = uniform(rng, 0.6, 1.5) / camera.spacing;
    let stretch = uniform(rng, 1.5, 4.0);
    let noise = Noise::new(uniform(rng, 0.0, 1e6) as u32);
    let [cos, sin] = camera.roll;
    let width = camera.width;
    let plane = scene.plane_mut(Material::Spongy);
    for (i, path) in plane.iter_mut().enumerate() {
        if path.abs() < 0.01 {
            continue;
        }
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        let (across, along) = ((x * cos + y * sin) / grain, (y * cos - x * sin) / (grain * stretch));
        let net = noise.octaves(across, along, 3, 0.75)
            + 0.6 * noise.octaves(across / stretch + 91.0, along * stretch, 2, 0.7);
        *path *= (1.0 + strength * net).max(0.2);
    }
}

/// Muscle bundles with fat between them: faint streaks along the limb.
fn stripe(scene: &mut Scene, rng: &mut FilmRng, variation: f32) {
    let camera = scene.camera;
    let strength = uniform(rng, 0.02, 0.05 + 0.06 * variation);
    let grain = uniform(rng, 6.0, 14.0) / camera.spacing;
    let noise = Noise::new(uniform(rng, 0.0, 1e6) as u32);
    let [cos, sin] = camera.roll;
    let width = camera.width;
    let soft: Vec<f32> = scene.plane(Material::Soft).unwrap_or_default().to_vec();
    let fat = scene.plane_mut(Material::Fat);
    for (i, (path, thickness)) in fat.iter_mut().zip(&soft).enumerate() {
        if *thickness < 1.0 {
            continue;
        }
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        let (across, along) = ((x * cos + y * sin) / grain, (y * cos - x * sin) / (grain * 6.0));
        *path += strength * thickness * noise.octaves(across, along, 3, 0.6);
    }
}
