//! Phleboliths, calcified arteries and injection granulomas: commoner with age, the same with and without a fracture.

use super::landmarks::Landmarks;
use crate::film::scene::{Material, Scene};
use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, smoothstep, v};
use crate::random::{FilmRng, chance, normal, uniform};

use super::curve::curve;

/// Adds calcifications to the scene.
pub fn draw(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks, age: f32) {
    let old = smoothstep(35.0, 85.0, age);
    if chance(rng, 0.12 + 0.4 * old) {
        phleboliths(rng, scene, landmarks);
    }
    let arteries = chance(rng, 0.02 + 0.33 * old);
    for hip in 0..2 {
        if arteries && chance(rng, 0.85) {
            artery(rng, scene, landmarks, hip);
        }
    }
    if chance(rng, 0.05) {
        granuloma(rng, scene, landmarks);
    }
}

/// Round stones in the veins beside the bladder, some with a clear center.
fn phleboliths(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    for _ in 0..1 + uniform(rng, 0.0, 6.0) as usize {
        let side = if chance(rng, 0.5) { 1.0 } else { -1.0 };
        let at = v(
            landmarks.symphysis.x + side * uniform(rng, 25.0, 58.0),
            landmarks.symphysis.y + uniform(rng, 5.0, 50.0),
            landmarks.symphysis.z - uniform(rng, 30.0, 80.0),
        );
        let r = uniform(rng, 1.0, 3.0);
        scene.add(&Mesh::ellipsoid(at, v(r, r * uniform(rng, 0.8, 1.2), r), 14), Material::Cortex, 0.9);
        if chance(rng, 0.4) {
            scene.add(&Mesh::ellipsoid(at, v(r, r, r) * 0.5, 12), Material::Cortex, -0.8);
        }
    }
}

/// Broken parallel lines along the external iliac and femoral artery.
fn artery(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks, hip: usize) {
    let hip = &landmarks.hips[hip];
    let start = landmarks.inlet;
    let head = hip.head;
    let medial = v((landmarks.symphysis.x - head.x).signum(), 0.0, 0.0);
    let front = v(0.0, 0.0, 28.0);
    let points = [
        start.lerp(head, 0.35) + v(0.0, 45.0, 0.0),
        start.lerp(head, 0.7) + v(0.0, 18.0, 15.0),
        head + medial * 12.0 + front,
        head + medial * 14.0 + hip.down * 60.0 + front * 0.7,
        head + medial * 6.0 + hip.down * 130.0 + front * 0.4,
        head + medial * 2.0 + hip.down * 230.0,
    ];
    let jitter = normal(rng, 0.0, 5.0);
    let path: Vec<Vec3> = curve(&points, 24).iter().map(|p| *p + v(jitter, 0.0, 0.0)).collect();
    let radius = uniform(rng, 2.6, 4.0);
    let dense = uniform(rng, 0.15, 0.8);
    let mut plaques = Mesh::default();
    for pair in path.windows(2) {
        for wall in [-1.0, 1.0] {
            if !chance(rng, dense) {
                continue;
            }
            let out = v(wall * radius, 0.0, normal(rng, 0.0, 0.4) * radius);
            let thick = uniform(rng, 0.25, 0.9);
            plaques.append(&Mesh::tube(&[(pair[0] + out, thick), (pair[1] + out, thick * uniform(rng, 0.5, 1.3))], 6));
        }
    }
    if !plaques.triangles.is_empty() {
        scene.add(&plaques, Material::Cortex, 0.8);
    }
}

/// An eggshell in the gluteal fat.
fn granuloma(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    let hip = &landmarks.hips[usize::from(chance(rng, 0.5))];
    let outward = v((hip.head.x - landmarks.symphysis.x).signum(), 0.0, 0.0);
    let at = hip.head + outward * uniform(rng, 20.0, 55.0) + v(0.0, uniform(rng, 20.0, 90.0), -60.0);
    let r = v(uniform(rng, 3.0, 9.0), uniform(rng, 3.0, 7.0), uniform(rng, 3.0, 7.0));
    scene.add(&Mesh::ellipsoid(at, r, 20), Material::Cortex, 0.7);
    scene.add(&Mesh::ellipsoid(at, r * 0.82, 20), Material::Cortex, -0.65);
}
