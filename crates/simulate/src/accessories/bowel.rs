//! Bowel gas and feces.

use super::landmarks::Landmarks;
use crate::film::scene::{Material, Scene};
use crate::geometry::grid::mesh_of;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::smooth_min;
use crate::geometry::{Vec3, smoothstep, v};
use crate::noise::{self, Noise};
use crate::random::{FilmRng, chance, normal, uniform};

/// Removes soft tissue where there is gas, alone or among feces, in rectum, sigmoid, cecum, descending colon and small bowel.
pub fn draw(rng: &mut FilmRng, scene: &mut Scene, landmarks: &Landmarks, variation: f32) {
    let bulk = uniform(rng, 0.2, 0.7 + 0.5 * variation);
    let inlet = landmarks.inlet;
    let wide = landmarks.body_half_width;
    let mut gas = Mesh::default();
    let mut feces = Mesh::default();
    let mut colon = |rng: &mut FilmRng, start: Vec3, heading: f32, most: f32, radius: [f32; 2], filled: f32| {
        let (n, radius) = (uniform(rng, 1.0, most + 1.0) as usize, uniform(rng, radius[0], radius[1]));
        let balls = chain(rng, start, heading, n, radius, [inlet.x, 0.64 * wide, inlet.y - 50.0]);
        let form = blend(&balls, 2.8, 0.8 * radius, rng);
        if chance(rng, filled) { feces.append(&form) } else { gas.append(&form) }
    };
    if chance(rng, 0.85) {
        // Rectum and sigmoid, behind and above the symphysis.
        let start =
            landmarks.symphysis + v(normal(rng, 0.0, 12.0), uniform(rng, 12.0, 60.0), -uniform(rng, 50.0, 80.0));
        let heading = normal(rng, 1.6, 0.8);
        colon(rng, start, heading, 6.0, [13.0, 24.0], 0.75);
    }
    // Cecum on the right, descending colon and sigmoid on the left.
    for (side, x, often, heading) in [(-1.0, 0.5, 0.6, 1.5), (1.0, 0.58, 0.5, -1.4)] {
        if chance(rng, often * bulk.min(1.0)) {
            let start = v(
                inlet.x + side * uniform(rng, x - 0.12, x + 0.1) * wide,
                inlet.y + uniform(rng, 0.1, 0.8) * (landmarks.crest_y - inlet.y).max(60.0),
                inlet.z + uniform(rng, 10.0, 50.0),
            );
            let heading = normal(rng, heading, 0.35);
            colon(rng, start, heading, 8.0, [13.0, 23.0], 0.65);
        }
    }
    // Small bowel: short bits of gas anywhere.
    for _ in 0..(bulk * 12.0) as usize {
        let start = v(
            inlet.x + normal(rng, 0.0, 0.4 * wide),
            inlet.y + uniform(rng, -0.35, 1.1) * (landmarks.crest_y - inlet.y).max(60.0),
            inlet.z + uniform(rng, -10.0, 60.0),
        );
        let heading = uniform(rng, 0.0, std::f32::consts::TAU);
        colon(rng, start, heading, 4.0, [5.0, 13.0], 0.35);
    }
    scene.add(&gas, Material::Soft, -uniform(rng, 0.25, 0.8));
    mottle(rng, scene, &feces);
}

/// Balls that follow each other like the haustra of a loop of bowel, within the belly: its middle, half width and lowest point.
fn chain(
    rng: &mut FilmRng,
    start: Vec3,
    heading: f32,
    n: usize,
    radius: f32,
    [middle, half, lowest]: [f32; 3],
) -> Vec<(Vec3, f32)> {
    let mut heading = heading;
    let mut at = start;
    let mut balls = Vec::new();
    for _ in 0..n {
        let r = radius * uniform(rng, 0.6, 1.2);
        at.x = at.x.clamp(middle - half, middle + half);
        at.y = at.y.max(lowest);
        balls.push((at, r));
        heading += normal(rng, 0.0, 0.45);
        let (s, c) = heading.sin_cos();
        at += v(c, s, normal(rng, 0.0, 0.3)) * (r * uniform(rng, 1.0, 1.5));
    }
    balls
}

/// The balls as one body whose wall is drawn in by folds and bulges irregularly.
fn blend(balls: &[(Vec3, f32)], step: f32, k: f32, rng: &mut FilmRng) -> Mesh {
    let (mut low, mut high) = (v(1e9, 1e9, 1e9), v(-1e9, -1e9, -1e9));
    for (c, r) in balls {
        // The blend bulges by up to a quarter of its width, the wall by up to a third of the radius.
        let r = 1.34 * r + 0.25 * k;
        low = v(low.x.min(c.x - r), low.y.min(c.y - r), low.z.min(c.z - r));
        high = v(high.x.max(c.x + r), high.y.max(c.y + r), high.z.max(c.z + r));
    }
    let wall = Noise::new(uniform(rng, 0.0, 4e9) as u32);
    let mean = balls.iter().map(|b| b.1).sum::<f32>() / balls.len().max(1) as f32;
    let wave = 1.0 / (0.62 * mean);
    mesh_of(low, high, step, |p| {
        let smooth = balls.iter().map(|(c, r)| (p - *c).length() - r).reduce(|a, b| smooth_min(a, b, k)).unwrap_or(1.0);
        if smooth.abs() > mean { smooth } else { smooth + 0.33 * mean * wall.space(p.x * wave, p.y * wave, p.z * wave) }
    })
}

/// Feces: gas in irregular pockets of all sizes in a length of colon.
fn mottle(rng: &mut FilmRng, scene: &mut Scene, colon: &Mesh) {
    if colon.triangles.is_empty() {
        return;
    }
    let camera = scene.camera;
    let depth = scene.depth(colon);
    let tile = noise::tile();
    let offset = [uniform(rng, 0.0, 512.0), uniform(rng, 0.0, 512.0)];
    let (dry, mean) = (uniform(rng, 0.15, 0.5), uniform(rng, 0.04, 0.2));
    let [wide, fine] = [uniform(rng, 0.6, 1.1), uniform(rng, 1.6, 3.0)].map(|scale| scale * camera.spacing);
    // From crumbs to a froth of bubbles with thin walls.
    let froth = uniform(rng, 0.0, 1.0);
    let rows = scene.plane_mut(Material::Soft).chunks_mut(camera.width).zip(depth.chunks(camera.width));
    for (y, (row, depth)) in rows.enumerate() {
        for (x, (value, depth)) in row.iter_mut().zip(depth).enumerate() {
            if *depth > 0.05 {
                let (x, y) = (x as f32, y as f32);
                let broad = noise::tile_at(tile, x * wide + offset[0], y * wide + offset[1]);
                let small = noise::tile_at(tile, x * fine + offset[1], y * fine + offset[0]);
                let pockets = 0.7 * broad + 0.5 * small * (1.0 - froth) + froth * (1.5 * small.abs() - 0.9);
                *value -= depth * (mean + dry * smoothstep(-0.4, 1.9, pockets));
            }
        }
    }
}
