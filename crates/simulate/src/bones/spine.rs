//! Lumbar vertebrae.

use super::pelvis::PelvisShape;
use crate::geometry::grid::Grid;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::{Element, Node, Skeleton, smooth_max, smooth_min};
use crate::geometry::{Rigid, Vec3, v};

impl PelvisShape {
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
