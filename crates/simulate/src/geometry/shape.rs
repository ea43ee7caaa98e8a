//! Bones as implicit functions: sphere meshes joined by smooth unions.
//!
//! A sphere mesh (Thiery, Guy, Boubekeur: "Sphere-Meshes", ACM TOG 2013) is a skeleton of spheres, of capsules between two
//! spheres and of slabs between three, the radius going linearly between them. Distances are signed, negative inside, in
//! millimeters, and near enough to Euclidean for shells of a few millimeters.

use super::vector::Vec3;

/// A node of the skeleton: center and radius in millimeters.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Center.
    pub center: Vec3,
    /// Radius in millimeters.
    pub radius: f32,
}

/// Short constructor of a [`Node`].
#[must_use]
pub const fn node(x: f32, y: f32, z: f32, radius: f32) -> Node {
    Node { center: Vec3 { x, y, z }, radius }
}

/// One element of a skeleton.
#[derive(Clone, Copy, Debug)]
pub enum Element {
    /// A sphere.
    Ball(Node),
    /// The hull of two spheres (approximately: the radius goes linearly).
    Rod(Node, Node),
    /// The hull of three spheres (likewise).
    Slab(Node, Node, Node),
}

impl Element {
    /// Signed distance in millimeters, negative inside.
    #[must_use]
    pub fn distance(&self, p: Vec3) -> f32 {
        match *self {
            Element::Ball(a) => (p - a.center).length() - a.radius,
            Element::Rod(a, b) => {
                let (axis, to) = (b.center - a.center, p - a.center);
                let t = (to.dot(axis) / axis.dot(axis).max(1e-9)).clamp(0.0, 1.0);
                (to - axis * t).length() - (a.radius + (b.radius - a.radius) * t)
            }
            Element::Slab(a, b, c) => {
                let [wa, wb, wc] = closest_on_triangle(p, a.center, b.center, c.center);
                let foot = a.center * wa + b.center * wb + c.center * wc;
                (p - foot).length() - (a.radius * wa + b.radius * wb + c.radius * wc)
            }
        }
    }

    /// The spheres that span the element.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        match *self {
            Element::Ball(a) => vec![a],
            Element::Rod(a, b) => vec![a, b],
            Element::Slab(a, b, c) => vec![a, b, c],
        }
    }

    /// A sphere that holds the whole element: center and radius.
    #[must_use]
    pub fn bounds(&self) -> (Vec3, f32) {
        let nodes = self.nodes();
        let sum = nodes.iter().fold(Vec3::default(), |s, n| s + n.center);
        let center = sum * (1.0 / nodes.len() as f32);
        let radius = nodes.iter().map(|n| (n.center - center).length() + n.radius).fold(0.0, f32::max);
        (center, radius)
    }
}

/// Barycentric weights of the point of triangle `abc` closest to `p` (Ericson, Real-Time Collision Detection, 5.1.5).
fn closest_on_triangle(p: Vec3, a: Vec3, b: Vec3, c: Vec3) -> [f32; 3] {
    let (ab, ac, ap) = (b - a, c - a, p - a);
    let (d1, d2) = (ab.dot(ap), ac.dot(ap));
    if d1 <= 0.0 && d2 <= 0.0 {
        return [1.0, 0.0, 0.0];
    }
    let bp = p - b;
    let (d3, d4) = (ab.dot(bp), ac.dot(bp));
    if d3 >= 0.0 && d4 <= d3 {
        return [0.0, 1.0, 0.0];
    }
    let vc = d1 * d4 - d3 * d2;
    if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 {
        let t = d1 / (d1 - d3);
        return [1.0 - t, t, 0.0];
    }
    let cp = p - c;
    let (d5, d6) = (ab.dot(cp), ac.dot(cp));
    if d6 >= 0.0 && d5 <= d6 {
        return [0.0, 0.0, 1.0];
    }
    let vb = d5 * d2 - d1 * d6;
    if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 {
        let t = d2 / (d2 - d6);
        return [1.0 - t, 0.0, t];
    }
    let va = d3 * d6 - d5 * d4;
    if va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0 {
        let t = (d4 - d3) / ((d4 - d3) + (d5 - d6));
        return [0.0, 1.0 - t, t];
    }
    let scale = 1.0 / (va + vb + vc);
    [1.0 - (vb + vc) * scale, vb * scale, vc * scale]
}

/// Polynomial smooth minimum: at most `k/4` below the smaller of the two (Quilez).
#[must_use]
pub fn smooth_min(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0);
    a.min(b) - h * h / (4.0 * k.max(1e-6))
}

/// Polynomial smooth maximum, the dual of [`smooth_min`].
#[must_use]
pub fn smooth_max(a: f32, b: f32, k: f32) -> f32 {
    -smooth_min(-a, -b, k)
}

/// A bone: the smooth union of groups of elements, each group with the width of its blend. Within a group the union is sharp,
/// so that a chain of equal rods does not swell at its joints.
#[derive(Clone, Debug, Default)]
pub struct Skeleton {
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    blend: f32,
    center: Vec3,
    radius: f32,
    elements: Vec<(Element, Vec3, f32)>,
}

impl Skeleton {
    /// An empty skeleton.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an element that blends with the earlier ones over `blend` millimeters.
    pub fn push(&mut self, element: Element, blend: f32) {
        self.group(&[element], blend);
    }

    /// A chain of rods through `nodes`.
    pub fn chain(&mut self, nodes: &[Node], blend: f32) {
        let rods: Vec<Element> = nodes.windows(2).map(|pair| Element::Rod(pair[0], pair[1])).collect();
        self.group(&rods, blend);
    }

    /// Slabs between `nodes`, three indices each.
    pub fn slabs(&mut self, nodes: &[Node], triangles: &[[usize; 3]], blend: f32) {
        let slabs: Vec<Element> =
            triangles.iter().map(|t| Element::Slab(nodes[t[0]], nodes[t[1]], nodes[t[2]])).collect();
        self.group(&slabs, blend);
    }

    /// Elements whose union is sharp among themselves and blends with the earlier ones.
    pub fn group(&mut self, elements: &[Element], blend: f32) {
        let elements: Vec<_> = elements
            .iter()
            .map(|e| {
                let (center, radius) = e.bounds();
                (*e, center, radius)
            })
            .collect();
        let Some(count) = (!elements.is_empty()).then_some(elements.len() as f32) else {
            return;
        };
        let center = elements.iter().fold(Vec3::default(), |sum, e| sum + e.1) * (1.0 / count);
        let radius = elements.iter().map(|e| (e.1 - center).length() + e.2).fold(0.0, f32::max);
        self.groups.push(Group { blend, center, radius, elements });
    }

    /// Signed distance in millimeters; exact near the surface, a lower bound far from it.
    #[must_use]
    pub fn distance(&self, p: Vec3) -> f32 {
        let mut best = f32::MAX;
        for group in &self.groups {
            if (p - group.center).length() - group.radius > best + group.blend {
                continue;
            }
            let mut own = best + group.blend;
            let mut found = false;
            for (element, center, radius) in &group.elements {
                if (p - *center).length() - radius < own {
                    let d = element.distance(p);
                    if d < own {
                        own = d;
                        found = true;
                    }
                }
            }
            if best == f32::MAX {
                best = own;
            } else if found {
                best = smooth_min(best, own, group.blend);
            }
        }
        best
    }

    /// The corners (low, high) of a box that holds the whole skeleton.
    #[must_use]
    pub fn bounding_box(&self) -> (Vec3, Vec3) {
        let (mut low, mut high) = (Vec3 { x: 1e9, y: 1e9, z: 1e9 }, Vec3 { x: -1e9, y: -1e9, z: -1e9 });
        for node in self.groups.iter().flat_map(|g| &g.elements).flat_map(|e| e.0.nodes()) {
            let (c, r) = (node.center, node.radius);
            low = Vec3 { x: low.x.min(c.x - r), y: low.y.min(c.y - r), z: low.z.min(c.z - r) };
            high = Vec3 { x: high.x.max(c.x + r), y: high.y.max(c.y + r), z: high.z.max(c.z + r) };
        }
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::v;

    #[test]
    fn distances_of_elements_are_signed_and_euclidean() {
        let ball = Element::Ball(node(0.0, 0.0, 0.0, 2.0));
        assert!((ball.distance(v(5.0, 0.0, 0.0)) - 3.0).abs() < 1e-6);
        let rod = Element::Rod(node(0.0, 0.0, 0.0, 1.0), node(10.0, 0.0, 0.0, 3.0));
        assert!((rod.distance(v(5.0, 6.0, 0.0)) - 4.0).abs() < 1e-6);
        let slab = Element::Slab(node(0.0, 0.0, 0.0, 1.0), node(10.0, 0.0, 0.0, 1.0), node(0.0, 10.0, 0.0, 1.0));
        assert!((slab.distance(v(2.0, 2.0, 4.0)) - 3.0).abs() < 1e-5);
        assert!((slab.distance(v(2.0, 2.0, 0.0)) + 1.0).abs() < 1e-5);
    }
}
