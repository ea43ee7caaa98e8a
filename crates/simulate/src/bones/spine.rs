//! Sacrum, coccyx and lumbar vertebrae: the part of a pelvis' template that lies in the middle.

use super::pelvis::PelvisShape;
use crate::geometry::grid::Grid;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::{Element, Node, Skeleton, smooth_max, smooth_min};
use crate::geometry::{Rigid, Vec3, v};

impl PelvisShape {
    /// Sacrum and coccyx: outer and inner surface.
    #[must_use]
    pub fn sacrum_meshes(&self, step: f32) -> [Mesh; 2] {
        let hip = self.hip_bone();
        let sacrum = self.sacrum();
        let (mut low, mut high) = sacrum.bounding_box();
        low.x -= 2.0;
        high.x += 2.0;
        let grid = Grid::even(low, high, step);
        let holes = self.foramina();
        let outer = grid.sample_near(4.0, 6.0, |p| {
            let mut d = sacrum.distance(p);
            for (a, b, r) in &holes {
                let q = v(p.x.abs(), p.y, p.z);
                let t = ((q - *a).dot(*b - *a) / (*b - *a).dot(*b - *a)).clamp(0.0, 1.0);
                // Wide in front and narrow behind.
                d = smooth_max(d, r * (1.3 - 0.8 * t) - (q - a.lerp(*b, t)).length(), 9.0);
            }
            if p.x.abs() > 30.0 && d < 4.0 {
                d = d.max(self.sacroiliac - hip.distance(v(p.x.abs(), p.y, p.z)));
            }
            d
        });
        let thickness = 0.4 * self.cortex;
        let inner: Vec<f32> = outer.iter().map(|d| d + thickness).collect();
        [grid.mesh(&outer), grid.mesh(&inner)]
    }

    /// The vertebrae L5 to L2: outer and inner surfaces.
    #[must_use]
    pub fn lumbar_meshes(&self, step: f32) -> [Mesh; 2] {
        let mut meshes = [const { Mesh { vertices: Vec::new(), triangles: Vec::new() } }; 2];
        for level in 0..4 {
            let part = self.vertebra(level, step);
            meshes[0].append(&part[0]);
            meshes[1].append(&part[1]);
        }
        meshes
    }

    fn sacral(&self, p: Vec3) -> Vec3 {
        let pivot = v(0.0, 90.0, -66.0);
        Rigid::rotate(pivot, v(1.0, 0.0, 0.0), self.sacral_tilt).apply(p)
    }

    fn sacrum(&self) -> Skeleton {
        let n = |x: f32, y: f32, z: f32, r: f32| Node { center: self.sacral(v(x, y, z)), radius: r };
        let levels = [
            (107.0, -52.0, 13.0, 19.0, 52.0, 11.0),
            (84.0, -72.0, 10.0, 15.0, 45.0, 8.0),
            (63.0, -85.0, 8.0, 12.0, 34.0, 5.0),
            (45.0, -91.0, 6.0, 9.0, 25.0, 3.6),
            (30.0, -90.0, 4.5, 6.0, 17.0, 2.8),
        ];
        let mut bone = Skeleton::new();
        for (i, (y, z, r, body, wing, thick)) in levels.iter().enumerate() {
            bone.push(Element::Rod(n(-body, *y, *z, *r), n(*body, *y, *z, *r)), 3.0);
            if let Some((y2, z2, r2, body2, wing2, thick2)) = levels.get(i + 1) {
                for side in [-1.0, 1.0] {
                    let (a, b) = (n(side * body, *y, *z, r * 0.8), n(side * wing, y - 2.0, z - 3.0, *thick));
                    let (c, d) = (n(side * body2, *y2, *z2, r2 * 0.8), n(side * wing2, y2 - 2.0, z2 - 3.0, *thick2));
                    bone.push(Element::Slab(a, b, c), 4.0);
                    bone.push(Element::Slab(b, c, d), 4.0);
                }
                bone.push(Element::Rod(n(0.0, *y, *z, *r * 0.9), n(0.0, *y2, *z2, *r2 * 0.9)), 3.0);
            }
            // Median crest.
            bone.push(Element::Rod(n(0.0, *y, z - 9.0, 3.0), n(0.0, y - 13.0, z - 13.0, 2.2)), 9.0);
        }
        // Coccyx: segments, each narrower than the one above it.
        for (y, z, half, r) in
            [(20.0, -88.0, 6.0, 3.4), (11.0, -82.5, 4.0, 3.1), (2.0, -75.5, 2.5, 2.8), (-6.0, -67.0, 1.0, 2.4)]
        {
            bone.push(Element::Rod(n(-half, y, z, r), n(half, y, z, r)), 2.0);
        }
        bone
    }

    /// Sacral foramina: capsules from front to back with a radius.
    fn foramina(&self) -> Vec<(Vec3, Vec3, f32)> {
        [(25.0, 95.0, -62.0, 5.0), (21.0, 73.0, -80.0, 4.4), (17.5, 54.0, -88.0, 3.4), (14.0, 37.0, -91.0, 2.4)]
            .iter()
            .map(|(x, y, z, r)| {
                // Across the bone, which leans backward: seen from the front only their upper edges stand out.
                let (front, back) = (v(x + 6.0, y - 15.0, z + 18.0), v(x - 5.0, y + 13.0, z - 18.0));
                (self.sacral(front), self.sacral(front.lerp(back, 0.48)), *r)
            })
            .collect()
    }

    /// A lumbar vertebra, 0 being L5: outer and inner surfaces.
    fn vertebra(&self, level: usize, step: f32) -> [Mesh; 2] {
        let l = level as f32;
        let place = |p: Vec3| {
            let tilt = Rigid::rotate(Vec3::default(), v(1.0, 0.0, 0.0), 22.0 - 13.0 * l + self.sacral_tilt * 0.5);
            tilt.apply(p)
                + v(self.scoliosis * l * (l + 1.0) * 0.4, 129.0 + 34.0 * l + 0.5 * l * l, -38.0 + 9.0 * l - 2.0 * l * l)
        };
        let n = |x: f32, y: f32, z: f32, r: f32| Node { center: place(v(x, y, z)), radius: r };
        let mut arch = Skeleton::new();
        let broad = 1.0 - 0.02 * l;
        for s in [-1.0, 1.0] {
            // Pedicle, transverse process, upper and lower facet, lamina.
            arch.push(Element::Rod(n(s * 15.0 * broad, 4.0, -13.0, 6.0), n(s * 15.5 * broad, 2.0, -28.0, 5.0)), 8.0);
            let transverse = [
                n(s * 15.0, 4.0, -27.0, 4.2),
                n(s * 28.0, 5.0, -29.0, 3.0),
                n(s * (41.0 - l), 8.5 - 2.0 * l, -31.0, 2.0),
            ];
            arch.chain(&transverse, 5.0);
            arch.push(Element::Rod(n(s * 18.0 * broad, 16.0, -32.0, 4.2), n(s * 16.5 * broad, 3.0, -35.0, 5.4)), 4.0);
            arch.push(Element::Rod(n(s * 14.5, 2.0, -38.0, 4.4), n(s * 12.5, -17.0, -41.0, 4.6)), 4.0);
            arch.push(
                Element::Slab(n(s * 14.0, 4.0, -37.0, 3.4), n(s * 12.0, -12.0, -41.0, 3.4), n(0.0, -3.0, -48.0, 3.2)),
                5.0,
            );
        }
        arch.push(Element::Slab(n(0.0, 1.0, -47.0, 3.0), n(0.0, -5.0, -70.0, 2.8), n(0.0, -17.0, -64.0, 3.6)), 4.0);
        let (arch_low, arch_high) = arch.bounding_box();
        let center = place(Vec3::default());
        let up = (place(v(0.0, 1.0, 0.0)) - center).unit();
        let front = v(0.0, -up.z, up.y);
        // Wider and higher at the rims than in between, as the disc bulges into the plates; `wall` and `plate` take off its shell.
        let body = |p: Vec3, wall: f32, plate: f32| {
            let q = p - center;
            let (x, y, z) = (q.x, q.dot(up), q.dot(front));
            let waist = 1.0 - 0.15 * (1.0 - (y / 13.5).powi(2)).max(0.0);
            let (a, b) = (25.5 * broad * waist, 17.5 * broad * waist);
            let r = ((x / a).powi(2) + (z / b).powi(2)).sqrt();
            let radial = (r - 1.0) * b.min(a) * 1.1;
            let hollow = 2.4 * (1.0 - r * r).max(0.0);
            smooth_max(radial + wall, y.abs() - (14.0 - hollow) + plate, 2.5)
        };
        let low = v(arch_low.x.min(center.x - 27.0), arch_low.y.min(center.y - 24.0), arch_low.z);
        let high = v(arch_high.x.max(center.x + 27.0), arch_high.y.max(center.y + 24.0), center.z + 25.0);
        let grid = Grid::even(low, high, step);
        let (wall, plate, compact) = (0.35 * self.cortex, 0.75 * self.cortex, 0.55 * self.cortex);
        let outer = grid.sample_near(4.0, 6.0, |p| smooth_min(body(p, 0.0, 0.0), arch.distance(p), 3.0));
        let inner = grid.sample_near(4.0, 6.0, |p| smooth_min(body(p, wall, plate), arch.distance(p) + compact, 3.0));
        [grid.mesh(&outer), grid.mesh(&inner)]
    }
}
