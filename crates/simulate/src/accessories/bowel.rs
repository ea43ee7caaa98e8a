//! Bowel gas and feces.

use super::landmarks::Landmarks;
use crate::film::scene::{Material, Scene};
use crate::geometry::grid::mesh_of;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::smooth_min;
use crate::geometry::{Vec3, v};
use crate::random::{FilmRng, chance, normal, uniform};

/// Removes soft tissue where there is gas in rectum, sigmoid, cecum and small bowel.
pub fn draw(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks, variation: f32) {
    let bulk = uniform(rng, 0.0, 0.5 + 0.6 * variation);
    let inlet = landmarks.inlet;
    let wide = landmarks.body_half_width;
    let mut loops = Vec::new();
    if chance(rng, 0.65) {
        // Rectum and sigmoid, behind and above the symphysis.
        let start =
            landmarks.symphysis + v(normal(rng, 0.0, 10.0), uniform(rng, 10.0, 45.0), -uniform(rng, 50.0, 80.0));
        loops.push((start, 3 + uniform(rng, 0.0, 4.0) as usize, uniform(rng, 9.0, 20.0)));
    }
    for _ in 0..(bulk * 6.0) as usize {
        let start = v(
            inlet.x + normal(rng, 0.0, 0.42 * wide),
            inlet.y + uniform(rng, -0.1, 0.8) * (landmarks.crest_y - inlet.y).max(60.0),
            inlet.z + uniform(rng, -10.0, 60.0),
        );
        loops.push((start, 2 + uniform(rng, 0.0, 6.0) as usize, uniform(rng, 6.0, 17.0)));
    }
    for (start, n, radius) in loops {
        let balls = chain(rng, start, n, radius);
        scene.add(&blend(&balls, 2.2, 0.9 * radius), Material::Soft, -uniform(rng, 0.4, 0.95));
    }
    for _ in 0..(uniform(rng, 0.0, 1.0 + 2.4 * variation)) as usize {
        feces(rng, scene, landmarks);
    }
}

/// Balls that follow each other like the haustra of a loop of bowel.
fn chain(rng: &mut FilmRng, start: Vec3, n: usize, radius: f32) -> Vec<(Vec3, f32)> {
    let mut heading = uniform(rng, 0.0, std::f32::consts::TAU);
    let mut at = start;
    let mut balls = Vec::new();
    for _ in 0..n {
        let r = radius * uniform(rng, 0.5, 1.15);
        balls.push((at, r));
        heading += normal(rng, 0.0, 0.6);
        let (s, c) = heading.sin_cos();
        at += v(c, s, normal(rng, 0.0, 0.3)) * (r * uniform(rng, 0.7, 1.15));
    }
    balls
}

fn blend(balls: &[(Vec3, f32)], step: f32, k: f32) -> Mesh {
    let (mut low, mut high) = (v(1e9, 1e9, 1e9), v(-1e9, -1e9, -1e9));
    for (c, r) in balls {
        // The blend bulges by up to a quarter of its width.
        let r = r + 0.25 * k;
        low = v(low.x.min(c.x - r), low.y.min(c.y - r), low.z.min(c.z - r));
        high = v(high.x.max(c.x + r), high.y.max(c.y + r), high.z.max(c.z + r));
    }
    mesh_of(low, high, step, |p| {
        balls.iter().map(|(c, r)| (p - *c).length() - r).reduce(|a, b| smooth_min(a, b, k)).unwrap_or(1.0)
    })
}

/// A mottled mass: many small bubbles in a length of colon.
fn feces(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks) {
    let side = if chance(rng, 0.5) { 1.0 } else { -1.0 };
    let start = v(
        landmarks.inlet.x + side * uniform(rng, 0.1, 0.7) * landmarks.body_half_width,
        landmarks.inlet.y + uniform(rng, -20.0, 70.0),
        landmarks.inlet.z + uniform(rng, -10.0, 40.0),
    );
    let n = 2 + uniform(rng, 0.0, 4.0) as usize;
    let radius = uniform(rng, 12.0, 22.0);
    let colon = chain(rng, start, n, radius);
    let mut bubbles = Mesh::default();
    for (center, r) in colon {
        for _ in 0..(r * 0.9) as usize {
            let offset = v(normal(rng, 0.0, 0.42), normal(rng, 0.0, 0.42), normal(rng, 0.0, 0.42)) * r;
            let size = uniform(rng, 0.9, 3.6);
            let stretch = v(uniform(rng, 0.8, 1.6), uniform(rng, 0.8, 1.3), 1.0);
            bubbles.append(&Mesh::ellipsoid(center + offset, v(stretch.x, stretch.y, stretch.z) * size, 10));
        }
    }
    scene.add(&bubbles, Material::Soft, -0.85);
}
