//! Screws, plates, nails and wires as closed meshes in millimeters, for hips and limbs.

use super::curve::across;
use crate::geometry::grid::mesh_of;
use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, v};

/// A bone screw: threaded from `thread` (0 the head, 1 the tip) on.
#[derive(Clone, Copy, Debug)]
pub struct Screw {
    /// Where the head lies.
    pub head: Vec3,
    /// Where the tip is.
    pub tip: Vec3,
    /// Radius of the smooth shaft, millimeters.
    pub core: f32,
    /// Radius of the thread's crests, millimeters.
    pub crest: f32,
    /// Where the thread begins.
    pub thread: f32,
    /// Distance of crests, millimeters.
    pub pitch: f32,
    /// Radius of the head, millimeters.
    pub head_radius: f32,
}

impl Screw {
    /// A cortical screw of 4.5 mm, threaded all along.
    #[must_use]
    pub fn cortical(head: Vec3, tip: Vec3) -> Self {
        Self { head, tip, core: 1.6, crest: 2.25, thread: 0.05, pitch: 1.75, head_radius: 4.0 }
    }

    /// A small-fragment screw of 3.5 mm.
    #[must_use]
    pub fn small(head: Vec3, tip: Vec3) -> Self {
        Self { head, tip, core: 1.2, crest: 1.75, thread: 0.05, pitch: 1.25, head_radius: 3.0 }
    }

    /// A partially threaded cannulated screw of 7.3 mm.
    #[must_use]
    pub fn cannulated(head: Vec3, tip: Vec3) -> Self {
        let length = (tip - head).length();
        Self {
            head,
            tip,
            core: 2.25,
            crest: 3.65,
            thread: 1.0 - 18.0 / length.max(20.0),
            pitch: 2.75,
            head_radius: 4.2,
        }
    }

    /// The screw's surface.
    #[must_use]
    pub fn mesh(&self) -> Mesh {
        let axis = self.tip - self.head;
        let length = axis.length().max(1.0);
        let at = |mm: f32, r: f32| (self.head + axis * (mm / length), r);
        let cap = (self.head_radius * 0.9).min(length * 0.3);
        let mut path =
            vec![at(-1.0, self.head_radius * 0.6), at(0.0, self.head_radius), at(cap, self.head_radius * 0.8)];
        path.push(at(cap + 0.3, self.core));
        let mut along = (self.thread * length).max(cap + 0.6);
        path.push(at(along, self.core));
        while along + self.pitch < length - 1.0 {
            path.push(at(along + self.pitch * 0.35, self.crest));
            path.push(at(along + self.pitch * 0.6, self.crest));
            path.push(at(along + self.pitch * 0.95, self.core));
            along += self.pitch;
        }
        path.push(at(length, self.core * 0.3));
        Mesh::tube(&path, 10)
    }
}

/// A straight plate on a bone with its screws; every second vector at right angles to the others.
#[derive(Clone, Copy, Debug)]
pub struct Plate {
    /// Middle of the plate's bone side at its upper end.
    pub from: Vec3,
    /// The same at its lower end.
    pub to: Vec3,
    /// Unit vector away from the bone.
    pub outward: Vec3,
    /// Width, millimeters.
    pub width: f32,
    /// Thickness, millimeters.
    pub thickness: f32,
    /// Number of holes.
    pub holes: usize,
}

impl Plate {
    /// The plate's body: an eight-sided bar that is waisted between its holes.
    #[must_use]
    pub fn mesh(&self) -> Mesh {
        let axis = (self.to - self.from).unit();
        let side = axis.cross(self.outward).unit();
        let length = (self.to - self.from).length();
        let (half, thick) = (self.width * 0.5, self.thickness * 0.5);
        let middle = (self.from + self.to) * 0.5 + self.outward * thick;
        let spacing = length / self.holes.max(1) as f32;
        let step = (self.thickness * 0.45).clamp(1.0, 2.0);
        let low = v(
            (self.from.x.min(self.to.x)) - self.width,
            (self.from.y.min(self.to.y)) - self.width,
            (self.from.z.min(self.to.z)) - self.width,
        );
        let high = low
            + v(
                (self.from.x - self.to.x).abs() + 2.0 * self.width,
                (self.from.y - self.to.y).abs() + 2.0 * self.width,
                (self.from.z - self.to.z).abs() + 2.0 * self.width,
            );
        mesh_of(low, high, step, |p| {
            let q = p - middle;
            let (along, across, up) = (q.dot(axis), q.dot(side).abs(), q.dot(self.outward).abs());
            let phase = (along + length * 0.5) / spacing;
            let waist = 0.92 + 0.08 * (std::f32::consts::TAU * (phase - 0.5)).cos();
            let hole = ((phase - phase.floor() - 0.5) * spacing).hypot(across) - self.width * 0.24;
            (along.abs() - length * 0.5).max(across - half * waist).max(up - thick).max(-hole)
        })
    }

    /// Screws through `filled` of the holes, as long as `depth` into the bone.
    #[must_use]
    pub fn screws(&self, filled: impl Fn(usize) -> bool, depth: f32, small: bool) -> Vec<Mesh> {
        let step = (self.to - self.from) * (1.0 / self.holes.max(1) as f32);
        (0..self.holes)
            .filter(|i| filled(*i))
            .map(|i| {
                let hole = self.from + step * (i as f32 + 0.5) + self.outward * self.thickness;
                let tip = hole - self.outward * (depth + self.thickness);
                if small { Screw::small(hole, tip).mesh() } else { Screw::cortical(hole, tip).mesh() }
            })
            .collect()
    }
}

/// A half ball, flat towards `opening`: the outside or inside of an acetabular cup.
#[must_use]
pub fn half_ball(center: Vec3, opening: Vec3, radius: f32) -> Mesh {
    let back = -opening.unit();
    let path: Vec<(Vec3, f32)> = (0..=12)
        .map(|i| {
            let (s, c) = (std::f32::consts::FRAC_PI_2 * i as f32 / 12.0).sin_cos();
            (center + back * (radius * s), (radius * c).max(0.05))
        })
        .collect();
    Mesh::tube(&path, 40)
}

/// A flat disk (button, coin, electrode) facing along `normal`.
#[must_use]
pub fn disk(center: Vec3, normal: Vec3, radius: f32, thickness: f32) -> Mesh {
    let n = normal.unit() * (thickness * 0.5);
    Mesh::tube(&[(center - n, radius), (center + n, radius)], 28)
}

/// A ring of round wire (bangle, washer, eyelet) whose axis is `normal`.
#[must_use]
pub fn ring(center: Vec3, normal: Vec3, radius: [f32; 2], wire: f32) -> Mesh {
    let [u, w] = across(normal.unit());
    let segments = 48_u32;
    let around = 8_u32;
    let mut mesh = Mesh::default();
    for i in 0..segments {
        let (s, c) = (std::f32::consts::TAU * i as f32 / segments as f32).sin_cos();
        let spoke = (u * (c * radius[0]) + w * (s * radius[1])).unit();
        let middle = center + u * (c * radius[0]) + w * (s * radius[1]);
        for k in 0..around {
            let (sk, ck) = (std::f32::consts::TAU * k as f32 / around as f32).sin_cos();
            mesh.vertices.push(middle + spoke * (wire * ck) + normal.unit() * (wire * sk));
        }
    }
    for i in 0..segments {
        for k in 0..around {
            let at = |i: u32, k: u32| i % segments * around + k % around;
            let [a, b, c, d] = [at(i, k), at(i + 1, k), at(i + 1, k + 1), at(i, k + 1)];
            mesh.triangles.push([a, b, c]);
            mesh.triangles.push([a, c, d]);
        }
    }
    if mesh.volume() < 0.0 {
        for t in &mut mesh.triangles {
            t.swap(1, 2);
        }
    }
    mesh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metal_is_closed_and_wound_outwards() {
        let (a, b) = (v(0.0, 0.0, 0.0), v(10.0, -40.0, 5.0));
        let outward = (b - a).unit().cross(v(0.0, 0.0, 1.0)).unit();
        let plate = Plate { from: a, to: b, outward, width: 14.0, thickness: 4.0, holes: 4 };
        let meshes = [
            Screw::cortical(a, b).mesh(),
            Screw::cannulated(a, b).mesh(),
            plate.mesh(),
            half_ball(a, v(0.3, -1.0, 0.2), 20.0),
            disk(a, v(0.0, 0.0, 1.0), 8.0, 2.0),
            ring(a, v(0.0, 1.0, 0.0), [30.0, 25.0], 2.0),
        ];
        for mesh in meshes {
            assert!(mesh.volume() > 0.0, "{}", mesh.volume());
        }
        assert!((half_ball(a, v(0.0, 1.0, 0.0), 20.0).volume() / 16_755.0 - 1.0).abs() < 0.03);
    }
}
