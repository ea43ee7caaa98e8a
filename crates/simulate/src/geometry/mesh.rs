//! Closed triangle meshes: made by hand here, of implicit functions in [`super::grid`], or read from files.

use super::vector::{Rigid, Vec3, v};

/// A triangle mesh with outward winding (counterclockwise seen from outside). For path lengths it must be closed.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    /// Vertices in millimeters.
    pub vertices: Vec<Vec3>,
    /// Vertex indices of the triangles.
    pub triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// The same mesh moved rigidly.
    #[must_use]
    pub fn moved(&self, motion: &Rigid) -> Mesh {
        self.mapped(|p| motion.apply(p))
    }

    /// The same mesh with every vertex taken through `f`, which must keep orientation.
    #[must_use]
    pub fn mapped(&self, f: impl Fn(Vec3) -> Vec3) -> Mesh {
        Mesh { vertices: self.vertices.iter().map(|p| f(*p)).collect(), triangles: self.triangles.clone() }
    }

    /// Mirrored at `x = 0`, the winding turned so that it stays outward.
    #[must_use]
    pub fn mirrored(&self) -> Mesh {
        Mesh {
            vertices: self.vertices.iter().map(|p| p.mirrored()).collect(),
            triangles: self.triangles.iter().map(|t| [t[0], t[2], t[1]]).collect(),
        }
    }

    /// Adds another mesh's triangles to this one. Overlapping parts count twice in path lengths.
    pub fn append(&mut self, other: &Mesh) {
        let base = self.vertices.len() as u32;
        self.vertices.extend_from_slice(&other.vertices);
        self.triangles.extend(other.triangles.iter().map(|t| t.map(|i| i + base)));
    }

    /// Area-weighted unit normals of the vertices.
    #[must_use]
    pub fn normals(&self) -> Vec<Vec3> {
        let mut normals = vec![Vec3::default(); self.vertices.len()];
        for t in &self.triangles {
            let [a, b, c] = t.map(|i| self.vertices[i as usize]);
            let n = (b - a).cross(c - a);
            for i in t {
                normals[*i as usize] += n;
            }
        }
        normals.into_iter().map(Vec3::unit).collect()
    }

    /// The mesh with its vertices moved inwards along their normals by `thickness(vertex)` millimeters. For thin or strongly
    /// curved bones take the level set of the implicit function instead ([`super::grid::Grid::mesh`]).
    #[must_use]
    pub fn shrunk(&self, thickness: impl Fn(Vec3) -> f32) -> Mesh {
        let normals = self.normals();
        let vertices = self.vertices.iter().zip(&normals).map(|(p, n)| *p - *n * thickness(*p)).collect();
        Mesh { vertices, triangles: self.triangles.clone() }
    }

    /// The enclosed volume in mm³ (divergence theorem); negative when the winding points inwards.
    #[must_use]
    pub fn volume(&self) -> f64 {
        let six: f64 = self
            .triangles
            .iter()
            .map(|t| {
                let [a, b, c] = t.map(|i| self.vertices[i as usize]);
                f64::from(a.dot(b.cross(c)))
            })
            .sum();
        six / 6.0
    }

    /// An ellipsoid with half axes `radii`, its longitude in `segments` parts (8 or more look round).
    #[must_use]
    pub fn ellipsoid(center: Vec3, radii: Vec3, segments: usize) -> Mesh {
        let rings = (segments / 2).max(3);
        let ring = |r: usize| {
            let (s, c) = (std::f32::consts::PI * r as f32 / rings as f32).sin_cos();
            CrossSection {
                center: center + v(0.0, -c * radii.y, 0.0),
                half: [s * radii.x, s * radii.z],
                turn: 0.0,
                square: 2.0,
            }
        };
        Mesh::loft(&(0..=rings).map(ring).collect::<Vec<_>>(), segments)
    }

    /// A closed tube through horizontal superellipse sections given from bottom (least `y`) to top, flat at both ends.
    #[must_use]
    pub fn loft(sections: &[CrossSection], segments: usize) -> Mesh {
        let mut mesh = Mesh::default();
        for s in sections {
            let (turn_sin, turn_cos) = s.turn.to_radians().sin_cos();
            for i in 0..segments {
                let (sin, cos) = (std::f32::consts::TAU * i as f32 / segments as f32).sin_cos();
                let power = 2.0 / s.square;
                let (x, z) =
                    (cos.abs().powf(power).copysign(cos) * s.half[0], sin.abs().powf(power).copysign(sin) * s.half[1]);
                mesh.vertices.push(s.center + v(x * turn_cos - z * turn_sin, 0.0, x * turn_sin + z * turn_cos));
            }
        }
        mesh.stitch(sections.len(), segments);
        mesh
    }

    /// A closed round tube along `path` with a radius at each point (wires, nails, screws, stems). Needs two points or more.
    #[must_use]
    pub fn tube(path: &[(Vec3, f32)], segments: usize) -> Mesh {
        let mut mesh = Mesh::default();
        let mut side = Vec3::default();
        for (i, (p, r)) in path.iter().enumerate() {
            let (before, after) = (path[i.saturating_sub(1)].0, path[(i + 1).min(path.len() - 1)].0);
            let axis = (after - before).unit();
            let start =
                if i == 0 { if axis.x.abs() < 0.8 { v(1.0, 0.0, 0.0) } else { v(0.0, 0.0, 1.0) } } else { side };
            side = (start - axis * start.dot(axis)).unit();
            let other = axis.cross(side);
            for k in 0..segments {
                let (sin, cos) = (std::f32::consts::TAU * k as f32 / segments as f32).sin_cos();
                mesh.vertices.push(*p + (side * cos + other * sin) * *r);
            }
        }
        // `side`, `other`, `axis` are right-handed while the rings of a loft (x, z, y) are left-handed.
        mesh.stitch(path.len(), segments);
        for t in &mut mesh.triangles {
            t.swap(1, 2);
        }
        mesh
    }

    /// A box with its axes along `axes` (unit, right-handed) and half sizes `half`.
    #[must_use]
    pub fn cuboid(center: Vec3, axes: [Vec3; 3], half: [f32; 3]) -> Mesh {
        let corner = |i: usize| {
            let sign = |bit: usize| if i >> bit & 1 == 1 { 1.0 } else { -1.0 };
            center + axes[0] * (half[0] * sign(0)) + axes[1] * (half[1] * sign(1)) + axes[2] * (half[2] * sign(2))
        };
        let quads = [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
        let triangles = quads.iter().flat_map(|q| [[q[0], q[1], q[2]], [q[0], q[2], q[3]]]).collect();
        Mesh { vertices: (0..8).map(corner).collect(), triangles }
    }

    /// Joins `rings` rings of `segments` vertices into a closed tube with fans over the two ends.
    fn stitch(&mut self, rings: usize, segments: usize) {
        let (n, base) = (segments as u32, self.vertices.len() as u32);
        for r in 0..rings as u32 - 1 {
            for i in 0..n {
                let (a, b) = (r * n + i, r * n + (i + 1) % n);
                self.triangles.push([a, a + n, b + n]);
                self.triangles.push([a, b + n, b]);
            }
        }
        let middle = |ring: usize, mesh: &Mesh| {
            let part = &mesh.vertices[ring * segments..(ring + 1) * segments];
            part.iter().fold(Vec3::default(), |s, p| s + *p) * (1.0 / segments as f32)
        };
        let (bottom, top) = (middle(0, self), middle(rings - 1, self));
        self.vertices.extend([bottom, top]);
        let last = (rings as u32 - 1) * n;
        for i in 0..n {
            let j = (i + 1) % n;
            self.triangles.push([base, i, j]);
            self.triangles.push([base + 1, last + j, last + i]);
        }
    }
}

/// A horizontal cross-section of a loft.
#[derive(Clone, Copy, Debug)]
pub struct CrossSection {
    /// Center of the section.
    pub center: Vec3,
    /// Half widths along x and z before the turn, millimeters.
    pub half: [f32; 2],
    /// Turn about the vertical, degrees.
    pub turn: f32,
    /// Exponent of the superellipse: 2 an ellipse, more is squarer.
    pub square: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_meshes_are_wound_outwards() {
        let ball = Mesh::ellipsoid(v(3.0, 4.0, 5.0), v(10.0, 20.0, 30.0), 48);
        let exact = 4.0 / 3.0 * std::f64::consts::PI * 6000.0;
        assert!((ball.volume() / exact - 1.0).abs() < 0.03, "{}", ball.volume());
        let tube = Mesh::tube(&[(v(0.0, 0.0, 0.0), 2.0), (v(5.0, 5.0, 5.0), 2.0), (v(9.0, 12.0, 5.0), 2.0)], 16);
        assert!(tube.volume() > 0.0);
        let axes = [v(1.0, 0.0, 0.0), v(0.0, 1.0, 0.0), v(0.0, 0.0, 1.0)];
        assert!((Mesh::cuboid(v(1.0, 1.0, 1.0), axes, [1.0, 2.0, 3.0]).volume() - 48.0).abs() < 1e-3);
        assert!((ball.mirrored().volume() - ball.volume()).abs() < 1.0);
    }
}
