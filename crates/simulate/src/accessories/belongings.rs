//! Clothing, buttons, zips, lines, tubes, electrodes and the contents of pockets.

use super::landmarks::Landmarks;
use crate::film::scene::{Material, Scene};
use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, v};
use crate::random::{FilmRng, chance, normal, uniform};

use super::curve::curve;
use super::metal::{disk, ring};

/// Adds each kind of clutter with a probability in proportion to `clutter`.
pub fn draw(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks, clutter: f32) {
    if chance(rng, 0.5 * clutter) {
        catheter(rng, scene, landmarks);
    }
    if chance(rng, 0.35 * clutter) {
        leads(rng, scene, landmarks);
    }
    if chance(rng, 0.4 * clutter) {
        fasteners(rng, scene, landmarks);
    }
    if chance(rng, 0.25 * clutter) {
        zip(rng, scene, landmarks);
    }
    if chance(rng, 0.8 * clutter) {
        folds(rng, scene, landmarks);
    }
    if chance(rng, 0.15 * clutter) {
        pocket(rng, scene, landmarks);
    }
}

/// A place on the front (or back) of the body.
fn on_skin(rng: &mut FilmRng, landmarks: &Landmarks) -> Vec3 {
    let front = if chance(rng, 0.8) { 1.0 } else { -1.0 };
    let (low, high) = (landmarks.symphysis.y - 120.0, landmarks.crest_y + 40.0);
    v(
        landmarks.inlet.x + normal(rng, 0.0, 0.55 * landmarks.body_half_width),
        uniform(rng, low, high),
        landmarks.inlet.z + front * landmarks.body_half_depth,
    )
}

/// Adds an object outside the body: its attenuation is added in full, as it replaces no soft tissue.
fn add_outside(scene: &mut Scene, mesh: &Mesh, material: Material, weight: f32) {
    scene.add(mesh, Material::Soft, weight);
    scene.add(mesh, material, weight);
}

/// A urinary catheter or drain: a soft tube with an opaque stripe.
fn catheter(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    let s = landmarks.symphysis;
    let side = if chance(rng, 0.5) { 1.0 } else { -1.0 };
    let bladder = s + v(normal(rng, 0.0, 6.0), uniform(rng, 20.0, 45.0), -45.0);
    let thigh = s + v(side * uniform(rng, 30.0, 110.0), -uniform(rng, 60.0, 150.0), 30.0);
    let points = [
        bladder,
        s + v(normal(rng, 0.0, 3.0), 8.0, -30.0),
        s + v(normal(rng, 0.0, 4.0), -28.0, 10.0),
        s.lerp(thigh, 0.5) + v(0.0, normal(rng, -10.0, 12.0), 30.0),
        thigh,
        thigh + v(side * uniform(rng, 0.0, 60.0), -120.0, 0.0),
    ];
    let path = curve(&points, 12);
    let radius = uniform(rng, 2.3, 3.4);
    let tube = |r: f32| Mesh::tube(&path.iter().map(|p| (*p, r)).collect::<Vec<_>>(), 8);
    scene.add(&tube(radius), Material::Soft, 0.4);
    let stripe = path.iter().map(|p| (*p + v(radius * 0.7, 0.0, 0.0), 0.45)).collect::<Vec<_>>();
    scene.add(&Mesh::tube(&stripe, 6), Material::Cement, 1.6);
    if chance(rng, 0.5) {
        let r = uniform(rng, 9.0, 14.0);
        scene.add(&Mesh::ellipsoid(bladder, v(r, r, r), 20), Material::Plastic, 0.35);
    }
}

/// Monitoring cables with electrodes.
fn leads(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    for _ in 0..1 + uniform(rng, 0.0, 2.9) as usize {
        let start = on_skin(rng, landmarks);
        let mut points = vec![start];
        for i in 1..5 {
            let step = v(normal(rng, 0.0, 45.0), 55.0 + normal(rng, 0.0, 25.0), 2.0);
            let last: Vec3 = points[i - 1];
            points.push(last + step);
        }
        let wire: Vec<(Vec3, f32)> = curve(&points, 10).into_iter().map(|p| (p, 0.35)).collect();
        let coat: Vec<(Vec3, f32)> = wire.iter().map(|(p, _)| (*p, 1.3)).collect();
        add_outside(scene, &Mesh::tube(&coat, 8), Material::Plastic, 1.0);
        add_outside(scene, &Mesh::tube(&wire, 6), Material::Steel, 0.8);
        if chance(rng, 0.6) {
            add_outside(scene, &disk(start, v(0.0, 0.1, 1.0), uniform(rng, 4.0, 6.0), 0.8), Material::Steel, 0.6);
            add_outside(scene, &disk(start, v(0.0, 0.1, 1.0), uniform(rng, 14.0, 20.0), 1.0), Material::Plastic, 1.0);
        }
    }
}

/// Buttons, snaps and hooks in a row.
fn fasteners(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    let start = on_skin(rng, landmarks);
    let metal = chance(rng, 0.5);
    let (radius, thick) = (uniform(rng, 3.5, 9.0), uniform(rng, 1.2, 2.8));
    let step = v(normal(rng, 0.0, 12.0), -uniform(rng, 25.0, 60.0), 0.0);
    let tilt = v(normal(rng, 0.0, 0.25), normal(rng, 0.0, 0.25), 1.0);
    for i in 0..1 + uniform(rng, 0.0, 3.9) as usize {
        let at = start + step * i as f32;
        if metal {
            add_outside(scene, &disk(at, tilt, radius, 0.7), Material::Steel, 1.0);
            add_outside(scene, &ring(at, tilt, [radius; 2], 0.8), Material::Steel, 1.0);
        } else {
            add_outside(scene, &disk(at, tilt, radius * 1.2, thick), Material::Cortex, 0.35);
            for (dx, dy) in [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)] {
                let hole = at + v(dx, dy, 0.0) * (radius * 0.25);
                add_outside(scene, &disk(hole, tilt, radius * 0.13, thick), Material::Cortex, -0.35);
            }
        }
    }
}

/// A zip: two rows of metal teeth and a slider.
fn zip(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    let start =
        landmarks.symphysis + v(normal(rng, 0.0, 25.0), uniform(rng, 40.0, 110.0), landmarks.body_half_depth * 0.8);
    let end = start + v(normal(rng, 0.0, 15.0), -uniform(rng, 90.0, 160.0), -10.0);
    let bow = v(normal(rng, 0.0, 10.0), 0.0, 0.0);
    let path = curve(&[start, start.lerp(end, 0.5) + bow, end], 22);
    let axes = [v(1.0, 0.0, 0.0), v(0.0, 1.0, 0.0), v(0.0, 0.0, 1.0)];
    let mut teeth = Mesh::default();
    for (i, p) in path.iter().enumerate() {
        let side = if i % 2 == 0 { 1.3 } else { -1.3 };
        teeth.append(&Mesh::cuboid(*p + v(side, 0.0, 0.0), axes, [1.6, 0.75, 0.7]));
    }
    add_outside(scene, &teeth, Material::Steel, 0.8);
    add_outside(scene, &Mesh::cuboid(path[0], axes, [3.4, 5.0, 1.2]), Material::Steel, 0.9);
}

/// Folds of cloth, pads and sheets: faint bands of a millimeter or two.
fn folds(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    let wide = landmarks.body_half_width * 1.4;
    for _ in 0..2 + uniform(rng, 0.0, 7.0) as usize {
        let y = uniform(rng, landmarks.symphysis.y - 150.0, landmarks.crest_y + 40.0);
        let upright = chance(rng, 0.4);
        let z = landmarks.inlet.z + landmarks.body_half_depth;
        let x = landmarks.inlet.x + normal(rng, 0.0, 0.5 * wide);
        let points: Vec<Vec3> = (0..4)
            .map(|i| {
                let t = i as f32 / 3.0 * 2.0 - 1.0;
                let (a, b) = (t * uniform(rng, 0.3, 0.9) * wide, normal(rng, 0.0, 12.0));
                if upright { v(x + b, y + a, z) } else { v(landmarks.inlet.x + a, y + b, z) }
            })
            .collect();
        let (half, thick) = (uniform(rng, 0.8, 9.0), uniform(rng, 0.5, 2.0));
        let path: Vec<(Vec3, f32)> = curve(&points, 10).into_iter().map(|p| (p, half)).collect();
        scene.add(&Mesh::tube(&path, 8), Material::Soft, thick / half.max(1.0) * 0.5);
    }
}

/// Coins or keys.
fn pocket(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    let at = on_skin(rng, landmarks);
    for _ in 0..1 + uniform(rng, 0.0, 2.5) as usize {
        let near = at + v(normal(rng, 0.0, 12.0), normal(rng, 0.0, 12.0), 0.0);
        let tilt = v(normal(rng, 0.0, 0.3), normal(rng, 0.0, 0.3), 1.0);
        if chance(rng, 0.6) {
            add_outside(scene, &disk(near, tilt, uniform(rng, 8.5, 13.5), 1.9), Material::Steel, 1.0);
        } else {
            add_outside(scene, &ring(near, tilt, [6.0, 6.0], 1.1), Material::Steel, 1.0);
            let along = v(normal(rng, 0.0, 1.0), normal(rng, 0.0, 1.0), 0.0).unit();
            let path = [(near + along * 6.0, 1.6), (near + along * uniform(rng, 28.0, 42.0), 1.9)];
            add_outside(scene, &Mesh::tube(&path, 8), Material::Steel, 0.9);
        }
    }
}
