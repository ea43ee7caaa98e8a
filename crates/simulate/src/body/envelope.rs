//! Soft tissue: the body's envelope, subcutaneous fat, bladder and folds.

use crate::geometry::grid::Grid;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::{Element, Node, Skeleton};
use crate::geometry::{Vec3, v};
use crate::random::{FilmRng, chance, normal, uniform};

/// The measures in which bodies differ.
#[derive(Clone, Copy, Debug)]
pub struct BodyShape {
    /// Half width at the trochanters, millimeters.
    pub hips: f32,
    /// Half width at the waist, millimeters.
    pub waist: f32,
    /// Half depth of the trunk, millimeters.
    pub depth: f32,
    /// Radius of the thighs, millimeters.
    pub thigh: f32,
    /// Thickness of the subcutaneous fat at the hips, millimeters.
    pub fat: f32,
    /// How far the buttocks hang below the hips, millimeters.
    pub buttocks: f32,
    /// Half height of the bladder, millimeters; 0 is empty.
    pub bladder: f32,
    /// Size of the external genitals, 0 for none in view.
    pub genitals: f32,
    /// Height of an overhanging abdominal fold above the hips, millimeters, if there is one.
    pub apron: Option<f32>,
}

impl BodyShape {
    /// A body around a pelvis with hip centers `half_distance` from the midline; `female` 0 or 1.
    #[must_use]
    pub fn draw(rng: &mut FilmRng, half_distance: f32, female: f32, variation: f32) -> Self {
        let s = 0.4 + 0.6 * variation;
        let corpulence = normal(rng, 0.15, 0.4 * s).clamp(-0.6, 1.6);
        let hips = half_distance + 78.0 + 26.0 * corpulence + 5.0 * female;
        Self {
            hips,
            waist: hips - 32.0 + 18.0 * corpulence + normal(rng, 0.0, 8.0),
            depth: 86.0 + 28.0 * corpulence + normal(rng, 0.0, 6.0),
            thigh: 79.0 + 14.0 * corpulence + 3.0 * female + normal(rng, 0.0, 5.0),
            fat: (13.0 + 16.0 * corpulence + 6.0 * female + normal(rng, 0.0, 3.0)).max(3.0),
            buttocks: 88.0 + 14.0 * corpulence + normal(rng, 0.0, 10.0),
            bladder: if chance(rng, 0.6) { uniform(rng, 18.0, 48.0) } else { 0.0 },
            genitals: if female < 0.5 { uniform(rng, 0.0, 1.3) } else { 0.0 },
            apron: (corpulence > 0.5 && chance(rng, 0.5)).then(|| uniform(rng, -30.0, 60.0)),
        }
    }

    /// The envelope of the body in the patient's frame. `legs`: hip center and unit vector down the shaft, right then left.
    #[must_use]
    pub fn envelope(&self, legs: [(Vec3, Vec3); 2]) -> Skeleton {
        let n = |center: Vec3, radius: f32| Node { center, radius };
        let mut body = Skeleton::new();
        // Trunk: slabs between four rods give a rounded box.
        let depth = self.depth;
        let ring = |y: f32, half: f32, thick: f32| {
            let x = half - thick;
            [n(v(-x, y, -6.0), thick), n(v(x, y, -6.0), thick)]
        };
        let rings = [
            ring(-50.0, self.hips * 0.80, depth * 0.62),
            ring(-5.0, self.hips * 0.97, depth * 0.86),
            ring(45.0, self.hips * 0.96, depth * 0.97),
            ring(115.0, self.waist * 1.04, depth),
            ring(180.0, self.waist, depth),
            ring(420.0, self.waist * 1.03, depth * 1.05),
        ];
        for pair in rings.windows(2) {
            body.push(Element::Slab(pair[0][0], pair[0][1], pair[1][0]), 20.0);
            body.push(Element::Slab(pair[0][1], pair[1][0], pair[1][1]), 20.0);
        }
        for (side, (hip, down)) in [-1.0, 1.0].into_iter().zip(legs) {
            let lateral = v(side, 0.0, 0.0);
            let shaft = hip + lateral * 6.0;
            let t = self.thigh;
            let chain = [
                n(shaft + down * 25.0 + v(0.0, 0.0, -4.0), t * 1.06),
                n(shaft + down * 100.0, t * 1.04),
                n(shaft + down * 200.0 + lateral * 2.0, t * 0.92),
                n(shaft + down * 330.0 + lateral * 4.0, t * 0.78),
                n(shaft + down * 480.0 + lateral * 6.0, t * 0.66),
            ];
            body.chain(&chain, 12.0);
            let low = self.buttocks;
            let buttock = [
                n(v(side * self.hips * 0.48, -low + 85.0, -self.depth * 0.35), 70.0),
                n(v(side * self.hips * 0.42, -low + 42.0, -self.depth * 0.45), 52.0),
            ];
            body.chain(&buttock, 14.0);
        }
        body
    }

    /// Envelope and muscle surface (the envelope without its fat) in the patient's frame, above `lowest`.
    #[must_use]
    pub fn meshes(&self, legs: [(Vec3, Vec3); 2], lowest: f32) -> [Mesh; 2] {
        let body = self.envelope(legs);
        let (low, high) = body.bounding_box();
        let grid = Grid::even(v(low.x, low.y.max(lowest), low.z), v(high.x, high.y.min(330.0), high.z), 11.0);
        let outer = grid.sample_near(12.0, 50.0, |p| body.distance(p));
        let [nx, ny, _] = grid.shape();
        let inner: Vec<f32> = outer
            .iter()
            .enumerate()
            .map(|(i, d)| {
                let y = grid.axes[1][i / nx % ny];
                d + self.fat * (0.55 + 0.45 * crate::geometry::smoothstep(-170.0, 0.0, y))
            })
            .collect();
        [grid.mesh(&outer), grid.mesh(&inner)]
    }

    /// Bladder (water among fat), in the patient's frame.
    #[must_use]
    pub fn bladder_mesh(&self) -> Option<Mesh> {
        let h = self.bladder;
        (h > 0.0).then(|| Mesh::ellipsoid(v(0.0, -8.0 + h, 15.0), v(h * 1.35, h, h), 40))
    }

    /// Folds of skin, for each a curve in the patient's frame and the radii of the fold and of the air in it: the groin's in front
    /// and the gluteal one behind. They may cross the neck of the femur as lines that are no fractures.
    #[must_use]
    pub fn folds(&self, rng: &mut FilmRng, legs: [(Vec3, Vec3); 2]) -> Vec<(Vec<Vec3>, f32, f32)> {
        let mut folds = Vec::new();
        for (side, (hip, down)) in [-1.0_f32, 1.0].into_iter().zip(legs) {
            if chance(rng, 0.35) {
                let lift = self.apron.unwrap_or(0.0) * 0.4 + uniform(rng, -25.0, 25.0);
                let points = (0..12).map(|i| {
                    let t = i as f32 / 11.0;
                    let x = self.hips * 0.92 * (1.0 - t) + 22.0 * t;
                    v(side * x, 62.0 + lift - 128.0 * t + 26.0 * (t * std::f32::consts::PI).sin(), self.depth * 0.72)
                });
                folds.push((points.collect(), uniform(rng, 0.8, 4.0), uniform(rng, 0.0, 1.6)));
            }
            if chance(rng, 0.7) {
                let sag = uniform(rng, 4.0, 20.0);
                let base = hip + down * uniform(rng, 85.0, 120.0);
                let points = (0..12).map(|i| {
                    let t = i as f32 / 11.0;
                    let x = base.x.abs() + 62.0 - (base.x.abs() + 54.0) * t;
                    v(side * x, base.y + 8.0 - sag * (t * std::f32::consts::PI).sin(), -self.depth * 0.75)
                });
                folds.push((points.collect(), uniform(rng, 0.8, 3.5), uniform(rng, 0.0, 1.2)));
            }
        }
        folds
    }

    /// External genitals between the thighs.
    #[must_use]
    pub fn genital_mesh(&self) -> Option<Mesh> {
        let s = self.genitals;
        (s > 0.3).then(|| {
            let mut mesh = Mesh::ellipsoid(v(3.0, -92.0 - 18.0 * s, 45.0), v(26.0 * s, 36.0 * s, 24.0 * s), 40);
            let shaft = [
                (v(0.0, -45.0, 60.0), 4.0 * s),
                (v(0.0, -62.0, 66.0), 13.0 * s),
                (v(-4.0, -95.0, 78.0), 14.0 * s),
                (v(-6.0, -124.0, 76.0), 12.0 * s),
                (v(-6.0, -132.0, 75.0), 6.0 * s),
            ];
            mesh.append(&Mesh::tube(&shaft, 24));
            mesh
        })
    }
}
