//! Sacrum and coccyx.
//!
//! Widths, depths and the curve of the front were measured on ten adults in CT pose (VSDFullBodyBoneModels v2, Fischer 2023).

use super::pelvis::PelvisShape;
use crate::geometry::grid::Grid;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::{Element, Node, Skeleton, smooth_max};
use crate::geometry::{Rigid, Vec3, v};

/// A sacral vertebra: height and depth of its body's center, radius and half length of the body, then the wing's tip.
struct Level {
    body: [f32; 4],
    wing: Node,
}

const fn level(body: [f32; 4], wing: [f32; 4]) -> Level {
    Level { body, wing: Node { center: v(wing[0], wing[1], wing[2]), radius: wing[3] } }
}

const LEVELS: [Level; 5] = [
    level([106.0, -22.0, 12.0, 17.0], [47.0, 98.0, -29.0, 9.0]),
    level([83.0, -44.0, 9.5, 15.0], [45.0, 80.0, -40.0, 9.0]),
    level([63.0, -66.0, 7.5, 13.0], [37.0, 61.0, -58.0, 6.5]),
    level([45.0, -80.0, 6.0, 10.0], [29.0, 44.0, -75.0, 5.0]),
    level([29.0, -83.0, 4.6, 7.0], [19.0, 29.0, -80.0, 4.0]),
];

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
        let grooves = self.foramina();
        let outer = grid.sample_near(4.0, 6.0, |p| {
            let mut d = sacrum.distance(p);
            let q = v(p.x.abs(), p.y, p.z);
            for (a, b, r) in &grooves {
                let t = ((q - *a).dot(*b - *a) / (*b - *a).dot(*b - *a)).clamp(0.0, 1.0);
                d = smooth_max(d, r - (q - a.lerp(*b, t)).length(), 5.0);
            }
            if q.x > 25.0 && d < 4.0 {
                d = d.max(self.sacroiliac - hip.distance(q));
            }
            d
        });
        let thickness = 0.5 * self.cortex;
        let inner: Vec<f32> = outer.iter().map(|d| d + thickness).collect();
        [grid.mesh(&outer), grid.mesh(&inner)]
    }

    fn sacral(&self, p: Vec3) -> Vec3 {
        Rigid::rotate(v(0.0, 90.0, -40.0), v(1.0, 0.0, 0.0), self.sacral_tilt).apply(p)
    }

    fn sacrum(&self) -> Skeleton {
        let n = |x: f32, y: f32, z: f32, r: f32| Node { center: self.sacral(v(x, y, z)), radius: r };
        let mut bone = Skeleton::new();
        for (i, Level { body: [y, z, r, body], wing }) in LEVELS.iter().enumerate() {
            bone.push(Element::Rod(n(-body, *y, *z, *r), n(*body, *y, *z, *r)), 3.0);
            if let Some(Level { body: [y2, z2, r2, body2], wing: wing2 }) = LEVELS.get(i + 1) {
                for side in [-1.0, 1.0] {
                    let tip = |wing: &Node| n(side * wing.center.x, wing.center.y, wing.center.z, wing.radius);
                    let (a, c) = (n(side * body, *y, *z, r * 0.8), n(side * body2, *y2, *z2, r2 * 0.8));
                    bone.push(Element::Slab(a, tip(wing), c), 4.0);
                    bone.push(Element::Slab(tip(wing), c, tip(wing2)), 4.0);
                }
                bone.push(Element::Rod(n(0.0, *y, *z, *r * 0.9), n(0.0, *y2, *z2, *r2 * 0.9)), 3.0);
            }
        }
        // The median crest's processes behind the canal.
        for (y, z, r) in [(98.0, -56.0, 3.4), (80.0, -74.0, 3.2), (62.0, -83.0, 2.8)] {
            bone.push(Element::Rod(n(0.0, y + 5.0, z + 10.0, r + 1.5), n(0.0, y - 4.0, z - 3.0, r)), 6.0);
        }
        let tail = [n(0.0, 24.0, -84.0, 4.6), n(0.0, 14.0, -81.0, 3.8), n(0.0, 4.0, -76.0, 2.8)];
        bone.chain(&tail, 2.0);
        bone
    }

    /// The anterior foramina, which are shallow funnels that open downwards and to the side: capsules with a radius.
    fn foramina(&self) -> [(Vec3, Vec3, f32); 4] {
        [(25.0, 93.0, -22.0, 5.4), (22.0, 72.0, -45.0, 4.8), (19.0, 53.0, -65.0, 3.8), (15.0, 37.0, -76.0, 2.8)].map(
            |(x, y, z, r)| {
                let (mouth, depth) = (v(x + 6.0, y - 8.0, z + 14.0), v(x, y, z - 4.0));
                (self.sacral(mouth), self.sacral(depth), r)
            },
        )
    }
}
