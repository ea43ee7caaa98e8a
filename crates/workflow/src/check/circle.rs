//! The femoral head's outline: the circle near a place along which the film brightens inward.
//!
//! It needs no lesson, and so it corrects a finder whose lessons have another anatomy than the film.

use coxa_simulate::HipOnFilm;
use coxa_simulate::film::beam::gaussian_blur;

use super::hip::{HipFrame, Plane};

/// Pixels a head radius.
const RADIUS: f32 = 24.0;
/// Half the side of what is seen, head radii.
const REACH: f32 = 2.2;
/// Points of the circle.
const POINTS: usize = 96;
/// How far the center may lie from the place, in steps of a pixel to either side, and how much the radius may differ.
const STEPS: i32 = 9;
const SIZES: [f32; 7] = [0.91, 0.94, 0.97, 1.0, 1.03, 1.06, 1.09];
/// Standard deviations of the blurs before edges are taken, and around them, pixels.
const BLUR: f32 = 1.2;
const SURROUND: f32 = 12.0;
/// The least and the most that one point counts, in mean edges of its surround.
const COUNTED: [f32; 2] = [-0.3, 1.2];
/// What a change of the radius and a move of the center cost, by their squares over these.
const RESIZED: f32 = 0.035;
const MOVED: f32 = 0.15;
const COST: f32 = 0.004;

/// The hip with its head where the outline is plainest near its place.
pub(super) fn refined(plane: &Plane, hip: &HipOnFilm) -> HipOnFilm {
    let edges = Inward::new(plane, hip);
    let mut best = (f32::MIN, [0.0; 2], 1.0);
    for size in SIZES {
        for i in 0..(2 * STEPS + 1).pow(2) {
            let place = [i % (2 * STEPS + 1) - STEPS, i / (2 * STEPS + 1) - STEPS].map(|q| q as f32 / RADIUS);
            let far = (place[0] / MOVED).powi(2) + (place[1] / MOVED).powi(2) + ((size - 1.0) / RESIZED).powi(2);
            let score = edges.along(place, size) - COST * far;
            if score > best.0 {
                best = (score, place, size);
            }
        }
    }
    HipOnFilm { head: hip.on_film(best.1), radius: hip.radius * best.2, ..*hip }
}

/// Edges around a hip, in its frame.
struct Inward {
    side: usize,
    edges: Vec<[f32; 2]>,
}

impl Inward {
    fn new(plane: &Plane, hip: &HipOnFilm) -> Self {
        let side = (2.0 * REACH * RADIUS) as usize;
        let pixel = hip.radius / RADIUS;
        let value = |i: usize| {
            let [x, y] = hip.on_film([i % side, i / side].map(|q| (q as f32 + 0.5) / RADIUS - REACH));
            let inside = |q: f32, n: usize| q.clamp(0.5 * pixel, (n as f32 - 0.5 * pixel).max(0.5 * pixel));
            plane.mean_at([inside(x, plane.width), inside(y, plane.height)], pixel).unwrap_or(0.0)
        };
        let mut values: Vec<f32> = (0..side * side).map(value).collect();
        gaussian_blur(&mut values, side, side, BLUR);
        let at = |x: usize, y: usize| values[y.min(side - 1) * side + x.min(side - 1)];
        let gradient = |i: usize| {
            let (x, y) = (i % side, i / side);
            [at(x + 1, y) - at(x.saturating_sub(1), y), at(x, y + 1) - at(x, y.saturating_sub(1))]
        };
        let mut edges: Vec<[f32; 2]> = (0..side * side).map(gradient).collect();
        let mut around: Vec<f32> = edges.iter().map(|[x, y]| x * x + y * y).collect();
        gaussian_blur(&mut around, side, side, SURROUND);
        for (edge, around) in edges.iter_mut().zip(around) {
            *edge = edge.map(|q| q / (around.max(0.0).sqrt() + 1.0));
        }
        Self { side, edges }
    }

    /// How much the film brightens inward along a circle, its radius in head radii.
    fn along(&self, [u, v]: [f32; 2], radius: f32) -> f32 {
        let pixel = |q: f32| ((q + REACH) * RADIUS).clamp(0.0, (self.side - 1) as f32) as usize;
        let point = |i: usize| {
            let (sine, cosine) = (i as f32 / POINTS as f32 * std::f32::consts::TAU).sin_cos();
            let [x, y] = self.edges[pixel(v + radius * sine) * self.side + pixel(u + radius * cosine)];
            (-(x * cosine + y * sine)).clamp(COUNTED[0], COUNTED[1])
        };
        (0..POINTS).map(point).sum::<f32>() / POINTS as f32
    }
}
