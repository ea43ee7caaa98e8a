//! Solids for limb bones and skin that [`crate::geometry::shape::Element`] lacks (ellipsoids, rounded blocks, flat-ended cylinders,
//! lofts and half spaces), and a part made of solids that are added and cut away in order.
//!
//! Distances are signed, negative inside, in millimeters; they are exact for elements, blocks, cylinders and half spaces
//! and good to first order near the surface of ellipsoids and lofts, which is all that shells of a few millimeters need.

use crate::geometry::mesh::CrossSection;
use crate::geometry::shape::{Element, node, smooth_max, smooth_min};
use crate::geometry::{Rigid, Vec3, v};

/// How round the rim of a loft's flat ends is, millimeters.
const LOFT_RIM: f32 = 4.0;

/// A closed body.
#[derive(Clone, Debug)]
pub(crate) enum Solid {
    /// A sphere, capsule or slab.
    Element(Element),
    /// An ellipsoid; `turn` takes the world into the ellipsoid's own axes.
    Ellipsoid { radii: Vec3, turn: Rigid },
    /// A box with rounded edges; `half` includes the rounding.
    Block { half: Vec3, round: f32, turn: Rigid },
    /// A cylinder with flat ends.
    Cylinder { from: Vec3, to: Vec3, radius: f32 },
    /// A tube through horizontal sections, from the lowest to the highest.
    Loft(Vec<CrossSection>),
    /// Everything on the side of the plane that `normal` (unit) points away from.
    Half { point: Vec3, normal: Vec3 },
}

/// A sphere.
pub(crate) fn ball(center: [f32; 3], radius: f32) -> Solid {
    Solid::Element(Element::Ball(node(center[0], center[1], center[2], radius)))
}

/// A capsule between two spheres `[x, y, z, radius]`.
pub(crate) fn rod(a: [f32; 4], b: [f32; 4]) -> Solid {
    Solid::Element(Element::Rod(node(a[0], a[1], a[2], a[3]), node(b[0], b[1], b[2], b[3])))
}

/// The hull of three spheres `[x, y, z, radius]`.
pub(crate) fn slab(a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> Solid {
    let n = |q: [f32; 4]| node(q[0], q[1], q[2], q[3]);
    Solid::Element(Element::Slab(n(a), n(b), n(c)))
}

/// An ellipsoid along the axes.
pub(crate) fn egg(center: [f32; 3], radii: [f32; 3]) -> Solid {
    let [x, y, z] = center;
    Solid::Ellipsoid { radii: v(radii[0], radii[1], radii[2]), turn: Rigid::translate(v(-x, -y, -z)) }
}

/// A rounded box turned by `degrees` about `axis` through its center.
pub(crate) fn block(center: [f32; 3], half: [f32; 3], round: f32, axis: [f32; 3], degrees: f32) -> Solid {
    let [x, y, z] = center;
    let back = Rigid::rotate(Vec3::default(), v(axis[0], axis[1], axis[2]), -degrees);
    Solid::Block { half: v(half[0], half[1], half[2]), round, turn: Rigid::translate(v(-x, -y, -z)).then(&back) }
}

/// A cylinder with flat ends.
pub(crate) fn cylinder(from: [f32; 3], to: [f32; 3], radius: f32) -> Solid {
    Solid::Cylinder { from: v(from[0], from[1], from[2]), to: v(to[0], to[1], to[2]), radius }
}

/// A loft through rows `[y, x, z, half width x, half width z]` in ascending `y`, its sections superellipses of exponent
/// `square`.
pub(crate) fn loft(rows: &[[f32; 5]], square: f32) -> Solid {
    let section = |r: &[f32; 5]| CrossSection { center: v(r[1], r[0], r[2]), half: [r[3], r[4]], turn: 0.0, square };
    Solid::Loft(rows.iter().map(section).collect())
}

/// The half space on the far side of the plane through `point`, seen along `normal`.
pub(crate) fn half(point: [f32; 3], normal: [f32; 3]) -> Solid {
    Solid::Half { point: v(point[0], point[1], point[2]), normal: v(normal[0], normal[1], normal[2]).unit() }
}

impl Solid {
    /// Signed distance, negative inside.
    pub(crate) fn distance(&self, p: Vec3) -> f32 {
        match self {
            Solid::Element(element) => element.distance(p),
            Solid::Ellipsoid { radii, turn } => {
                let q = turn.apply(p);
                let k = v(q.x / radii.x, q.y / radii.y, q.z / radii.z).length();
                let gradient =
                    v(q.x / (radii.x * radii.x), q.y / (radii.y * radii.y), q.z / (radii.z * radii.z)).length();
                if gradient < 1e-6 { -radii.x.min(radii.y).min(radii.z) } else { k * (k - 1.0) / gradient }
            }
            Solid::Block { half, round, turn } => {
                let q = turn.apply(p);
                let d = v(q.x.abs() - half.x + round, q.y.abs() - half.y + round, q.z.abs() - half.z + round);
                let outside = v(d.x.max(0.0), d.y.max(0.0), d.z.max(0.0)).length();
                outside + d.x.max(d.y).max(d.z).min(0.0) - round
            }
            Solid::Cylinder { from, to, radius } => {
                let axis = (*to - *from).unit();
                let along = (p - *from).dot(axis);
                let radial = (p - *from - axis * along).length() - radius;
                let end = (-along).max(along - (*to - *from).length());
                if radial > 0.0 && end > 0.0 { radial.hypot(end) } else { radial.max(end) }
            }
            Solid::Loft(sections) => loft_distance(sections, p),
            Solid::Half { point, normal } => (p - *point).dot(*normal),
        }
    }

    /// Corners of a box that holds the solid; `None` for a half space.
    fn bounds(&self) -> Option<(Vec3, Vec3)> {
        let around = |c: Vec3, r: f32| (c - v(r, r, r), c + v(r, r, r));
        match self {
            Solid::Element(element) => {
                let (c, r) = element.bounds();
                Some(around(c, r))
            }
            Solid::Ellipsoid { radii: extent, turn } | Solid::Block { half: extent, turn, .. } => {
                let center = turn.inverse().apply(Vec3::default());
                let r = if turn.rows == Rigid::identity().rows { *extent } else { v(1.0, 1.0, 1.0) * extent.length() };
                Some((center - r, center + r))
            }
            Solid::Cylinder { from, to, radius } => Some(join(around(*from, *radius), around(*to, *radius))),
            Solid::Loft(sections) => sections
                .iter()
                .map(|s| (s.center - v(s.half[0], 0.0, s.half[1]), s.center + v(s.half[0], 0.0, s.half[1])))
                .reduce(join),
            Solid::Half { .. } => None,
        }
    }
}

fn join(a: (Vec3, Vec3), b: (Vec3, Vec3)) -> (Vec3, Vec3) {
    (v(a.0.x.min(b.0.x), a.0.y.min(b.0.y), a.0.z.min(b.0.z)), v(a.1.x.max(b.1.x), a.1.y.max(b.1.y), a.1.z.max(b.1.z)))
}

fn loft_distance(sections: &[CrossSection], p: Vec3) -> f32 {
    let (low, high) = (sections[0].center.y, sections[sections.len() - 1].center.y);
    let y = p.y.clamp(low, high);
    let above = sections.iter().position(|s| s.center.y >= y).unwrap_or(sections.len() - 1).max(1);
    let (a, b) = (&sections[above - 1], &sections[above]);
    let t = ((y - a.center.y) / (b.center.y - a.center.y).max(1e-6)).clamp(0.0, 1.0);
    let mix = |x: f32, y: f32| x + (y - x) * t;
    let (u, w) = (p.x - mix(a.center.x, b.center.x), p.z - mix(a.center.z, b.center.z));
    let (hx, hz) = (mix(a.half[0], b.half[0]), mix(a.half[1], b.half[1]));
    let n = mix(a.square, b.square);
    let radius = u.hypot(w);
    let q = ((u / hx).abs().powf(n) + (w / hz).abs().powf(n)).powf(1.0 / n);
    let side = if q < 1e-3 { -hx.min(hz) } else { (radius * (1.0 - 1.0 / q)).max(-hx.min(hz)) };
    let end = (low - p.y).max(p.y - high);
    if side > 0.0 && end > 0.0 { side.hypot(end) } else { smooth_max(side, end, LOFT_RIM) }
}

/// How a solid is combined with the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Add,
    Cut,
}

/// A body made of solids that are added and cut away one after the other, each with the width of its blend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    acts: Vec<(Act, Solid, f32)>,
    boxes: Vec<Option<(Vec3, Vec3)>>,
}

impl Body {
    /// A body of one solid.
    pub(crate) fn of(solid: Solid) -> Self {
        Self::default().add(solid, 1.0)
    }

    /// Adds a solid, blending over `blend` millimeters.
    #[must_use]
    pub(crate) fn add(mut self, solid: Solid, blend: f32) -> Self {
        self.boxes.push(solid.bounds());
        self.acts.push((Act::Add, solid, blend));
        self
    }

    /// Cuts a solid away, blending over `blend` millimeters.
    #[must_use]
    pub(crate) fn cut(mut self, solid: Solid, blend: f32) -> Self {
        self.boxes.push(solid.bounds());
        self.acts.push((Act::Cut, solid, blend));
        self
    }

    /// Adds a chain of capsules through `[x, y, z, radius]`.
    #[must_use]
    pub(crate) fn chain(self, nodes: &[[f32; 4]], blend: f32) -> Self {
        nodes.windows(2).fold(self, |body, pair| body.add(rod(pair[0], pair[1]), blend))
    }

    /// Signed distance, negative inside.
    pub(crate) fn distance(&self, p: Vec3) -> f32 {
        let mut best = f32::MAX;
        for ((act, solid, blend), bounds) in self.acts.iter().zip(&self.boxes) {
            let least = bounds.map_or(f32::MIN, |(low, high)| {
                v((low.x - p.x).max(p.x - high.x), (low.y - p.y).max(p.y - high.y), (low.z - p.z).max(p.z - high.z))
                    .max_element()
            });
            match act {
                Act::Add if least > best + blend => {}
                Act::Add if best == f32::MAX => best = solid.distance(p),
                Act::Add => best = smooth_min(best, solid.distance(p), *blend),
                Act::Cut if best == f32::MAX || least > -best + blend => {}
                Act::Cut => best = smooth_max(best, -solid.distance(p), *blend),
            }
        }
        best
    }

    /// Corners of a box that holds everything that was added.
    pub(crate) fn bounding_box(&self) -> (Vec3, Vec3) {
        let added = self.acts.iter().zip(&self.boxes).filter(|((act, ..), _)| *act == Act::Add);
        added.filter_map(|(_, bounds)| *bounds).reduce(join).unwrap_or_default()
    }
}

/// The largest coordinate.
trait MaxElement {
    fn max_element(self) -> f32;
}

impl MaxElement for Vec3 {
    fn max_element(self) -> f32 {
        self.x.max(self.y).max(self.z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_signed_and_right_on_the_axes() {
        let cases = [
            (egg([1.0, 2.0, 3.0], [10.0, 5.0, 2.0]), v(11.0, 2.0, 3.0), 0.0),
            (egg([0.0, 0.0, 0.0], [10.0, 5.0, 2.0]), v(0.0, 5.5, 0.0), 0.5),
            (block([0.0; 3], [4.0, 5.0, 6.0], 2.0, [0.0, 1.0, 0.0], 0.0), v(7.0, 0.0, 0.0), 3.0),
            (block([0.0; 3], [4.0, 5.0, 6.0], 2.0, [0.0, 1.0, 0.0], 90.0), v(7.0, 0.0, 0.0), 1.0),
            (cylinder([0.0; 3], [0.0, 10.0, 0.0], 3.0), v(5.0, 5.0, 0.0), 2.0),
            (cylinder([0.0; 3], [0.0, 10.0, 0.0], 3.0), v(0.0, 12.0, 0.0), 2.0),
            (loft(&[[0.0, 0.0, 0.0, 6.0, 4.0], [20.0, 0.0, 0.0, 6.0, 4.0]], 2.0), v(8.0, 10.0, 0.0), 2.0),
            (half([0.0, 1.0, 0.0], [0.0, 1.0, 0.0]), v(5.0, 3.0, 5.0), 2.0),
        ];
        for (solid, p, expected) in cases {
            let got = solid.distance(p);
            assert!((got - expected).abs() < 0.05, "{solid:?} at {p:?}: {got} instead of {expected}");
        }
    }

    #[test]
    fn a_cut_takes_away_what_was_added_before_it_only() {
        let body = Body::of(ball([0.0; 3], 10.0))
            .cut(half([0.0; 3], [0.0, 1.0, 0.0]), 0.1)
            .add(ball([0.0, -8.0, 0.0], 2.0), 0.1);
        assert!(body.distance(v(0.0, 5.0, 0.0)) < 0.0);
        assert!(body.distance(v(5.0, -5.0, 0.0)) > 0.0);
        assert!(body.distance(v(0.0, -8.0, 0.0)) < 0.0);
    }
}
