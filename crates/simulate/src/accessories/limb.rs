//! Accessories of limb films: plates, nails and wires, casts, bangles, sheets. All parts have the same distribution.

use crate::film::options::Domain;
use crate::film::scene::{Material, Scene};
use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, v};
use crate::random::{FilmRng, chance, choose, normal, uniform};

use super::curve::{across, curve};
use super::metal::{Plate, Screw, ring};

#[derive(Clone, Copy)]
enum Fixation {
    Plate,
    Nail,
    Wires,
    Screws,
}

/// Adds clutter to a limb's scene: `bones` are the outer surfaces, `skin` the limb's, all in world coordinates.
pub fn draw(rng: &mut FilmRng, scene: &mut Scene, bones: &[Mesh], skin: &Mesh, domain: &Domain) {
    if chance(rng, 0.8 * domain.hardware) {
        fixation(rng, scene, bones);
    }
    if chance(rng, 0.2 * domain.clutter) {
        cast(rng, scene, skin);
    }
    if chance(rng, 0.15 * domain.clutter) {
        bangle(rng, scene, skin);
    }
    if chance(rng, 0.4 * domain.clutter) {
        sheet(rng, scene);
    }
}

/// A bone's middle, long axis (unit) and half extents along it and across.
struct Rail {
    middle: Vec3,
    axis: Vec3,
    half: f32,
    radius: f32,
}

/// The long axis of a mesh by power iteration on its vertices' covariance.
fn rail(mesh: &Mesh) -> Rail {
    let n = mesh.vertices.len().max(1) as f32;
    let middle = mesh.vertices.iter().fold(Vec3::default(), |s, p| s + *p) * (1.0 / n);
    let mut axis = v(0.57, 0.58, 0.58);
    for _ in 0..12 {
        axis = mesh.vertices.iter().fold(Vec3::default(), |s, p| s + (*p - middle) * (*p - middle).dot(axis)).unit();
    }
    let half = mesh.vertices.iter().map(|p| (*p - middle).dot(axis).abs()).fold(0.0, f32::max);
    // The radius of the slender middle third.
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for p in mesh.vertices.iter().filter(|p| (**p - middle).dot(axis).abs() < half * 0.33) {
        let q = *p - middle;
        sum += (q - axis * q.dot(axis)).length();
        count += 1.0;
    }
    Rail { middle, axis, half, radius: sum / count.max(1.0) }
}

fn fixation(rng: &mut FilmRng, scene: &mut Scene, bones: &[Mesh]) {
    let rails: Vec<Rail> = bones.iter().map(rail).collect();
    // A bone of at least the size of a metatarsal, the longer the likelier.
    let pick: Vec<(usize, f32)> =
        rails.iter().enumerate().filter(|(_, r)| r.half > 25.0).map(|(i, r)| (i, r.half)).collect();
    if pick.is_empty() {
        return;
    }
    let bone = &rails[choose(rng, &pick)];
    let material = if chance(rng, 0.5) { Material::Steel } else { Material::Titanium };
    let angle = uniform(rng, 0.0, std::f32::consts::TAU);
    let [u, w] = across(bone.axis);
    let outward = u * angle.cos() + w * angle.sin();
    let place = bone.middle + bone.axis * (uniform(rng, -0.3, 0.3) * bone.half);
    let long = bone.half > 60.0;
    match choose(rng, &[(Fixation::Plate, 0.4), (Fixation::Nail, 0.2), (Fixation::Wires, 0.2), (Fixation::Screws, 0.2)])
    {
        Fixation::Plate => {
            let holes = 4 + uniform(rng, 0.0, 5.0) as usize;
            let length = holes as f32 * if long { 13.0 } else { 6.0 };
            let from = place + bone.axis * (length * 0.5) + outward * bone.radius;
            let width = if long { uniform(rng, 9.0, 13.0) } else { 5.5 };
            let plate = Plate { from, to: from - bone.axis * length, outward, width, thickness: width * 0.28, holes };
            scene.add(&plate.mesh(), material, 1.0);
            let skip = uniform(rng, 0.0, holes as f32) as usize;
            for screw in plate.screws(|i| i != skip, 2.0 * bone.radius + 1.5, !long || chance(rng, 0.5)) {
                scene.add(&screw, material, 1.0);
            }
        }
        Fixation::Nail => {
            let r = (bone.radius * 0.42).clamp(0.8, 5.5);
            let (a, b) = (bone.middle - bone.axis * bone.half * 0.8, bone.middle + bone.axis * bone.half * 0.9);
            scene.add(&Mesh::tube(&[(a, r), (b, r)], 14), material, 1.0);
            for t in [0.1, 0.2] {
                let at = a + bone.axis * (t * bone.half);
                let half = outward * (bone.radius * 1.4);
                scene.add(&Screw::small(at + half, at - half).mesh(), material, 1.0);
            }
        }
        Fixation::Wires => {
            for _ in 0..1 + uniform(rng, 0.0, 2.9) as usize {
                let along = (bone.axis * uniform(rng, 0.5, 1.5) + outward * normal(rng, 0.0, 0.7)).unit();
                let half = along * uniform(rng, 20.0, 45.0);
                scene.add(&Mesh::tube(&[(place - half, 0.8), (place + half, 0.8)], 8), Material::Steel, 1.0);
            }
        }
        Fixation::Screws => {
            for _ in 0..1 + uniform(rng, 0.0, 2.9) as usize {
                let at = place + bone.axis * normal(rng, 0.0, 10.0);
                let along =
                    (outward + bone.axis * normal(rng, 0.0, 0.4)).unit() * (bone.radius * uniform(rng, 1.0, 1.6));
                scene.add(&Screw::small(at + along, at - along).mesh(), material, 1.0);
            }
        }
    }
}

/// A plaster cast or splint around the skin.
fn cast(rng: &mut FilmRng, scene: &mut Scene, skin: &Mesh) {
    let (gap, thick) = (uniform(rng, 2.0, 5.0), uniform(rng, 4.0, 9.0));
    let normals = skin.normals();
    let ripple = uniform(rng, 20.0, 40.0);
    // A splint covers one half of the limb only.
    let face = v(normal(rng, 0.0, 1.0), normal(rng, 0.0, 1.0), normal(rng, 0.0, 1.0)).unit();
    let splint = chance(rng, 0.5);
    let grown = |extra: f32| {
        let vertices = skin
            .vertices
            .iter()
            .zip(&normals)
            .map(|(p, n)| {
                let cover = if splint { crate::geometry::smoothstep(-0.1, 0.3, n.dot(face)) } else { 1.0 };
                let wave = 1.0 + 0.15 * (p.y / ripple).sin() + 0.1 * (p.x / ripple * 1.7).sin();
                *p + *n * (gap + extra * cover * wave)
            })
            .collect();
        Mesh { vertices, triangles: skin.triangles.clone() }
    };
    let plaster = uniform(rng, 0.3, 1.1);
    scene.add(&grown(thick), Material::Soft, plaster);
    scene.add(&grown(0.0), Material::Soft, -plaster);
    scene.add(&grown(thick), Material::Cortex, 0.25 * plaster);
    scene.add(&grown(0.0), Material::Cortex, -0.25 * plaster);
}

/// A bangle, a watch strap or an elastic band around the limb.
fn bangle(rng: &mut FilmRng, scene: &mut Scene, skin: &Mesh) {
    let rail = rail(skin);
    let at = rail.middle + rail.axis * (uniform(rng, -0.6, 0.6) * rail.half);
    let tilt = (rail.axis + v(normal(rng, 0.0, 0.25), normal(rng, 0.0, 0.25), normal(rng, 0.0, 0.25))).unit();
    let radius = uniform(rng, 28.0, 40.0);
    let metal = chance(rng, 0.6);
    let (material, weight) = if metal { (Material::Steel, 0.7) } else { (Material::Plastic, 1.0) };
    let mesh = ring(at, tilt, [radius, radius * uniform(rng, 0.85, 1.0)], uniform(rng, 0.8, 2.2));
    scene.add(&mesh, Material::Soft, 1.0);
    scene.add(&mesh, material, weight);
}

/// A fold of the sheet under the limb.
fn sheet(rng: &mut FilmRng, scene: &mut Scene) {
    for _ in 0..1 + uniform(rng, 0.0, 3.9) as usize {
        let points: Vec<Vec3> = (0..4)
            .map(|i| v(normal(rng, 0.0, 60.0), (i as f32 - 1.5) * 90.0 + normal(rng, 0.0, 30.0), -45.0))
            .collect();
        let (half, thick) = (uniform(rng, 0.8, 6.0), uniform(rng, 0.3, 1.2));
        let path: Vec<(Vec3, f32)> = curve(&points, 10).into_iter().map(|p| (p, half)).collect();
        scene.add(&Mesh::tube(&path, 8), Material::Soft, thick / half.max(1.0) * 0.5);
    }
}
