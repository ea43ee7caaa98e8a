//! Perspective projection of closed meshes to path lengths.
//!
//! The signed depth of a closed surface along a ray is the path length through it: the depth of each back face is added,
//! that of each front face subtracted. Triangles are rasterised with integer edge functions and the top-left rule, so that
//! every ray crosses a closed mesh as often inwards as outwards and no pixel is left with half a bone.

use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, v};

/// Subpixel positions a pixel is divided into along each axis.
const SUBPIXELS: f32 = 256.0;

/// A point source and a flat detector perpendicular to `z`.
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    /// The focal spot, millimeters; its `z` is the largest of the scene.
    pub source: Vec3,
    /// `z` of the detector plane.
    pub detector_z: f32,
    /// World `x` on the detector plane of the raster's left edge.
    pub left: f32,
    /// World `y` on the detector plane of the raster's top edge.
    pub top: f32,
    /// Size of a raster pixel on the detector plane, millimeters.
    pub spacing: f32,
    /// Raster width in pixels.
    pub width: usize,
    /// Raster height in pixels.
    pub height: usize,
    /// Roll of the patient's picture about [`Camera::pivot`], as cosine and sine.
    pub roll: [f32; 2],
    /// The point that the picture is rolled about, in raster pixels.
    pub pivot: [f32; 2],
}

impl Camera {
    /// The raster position (x right, y down, pixel `i` spanning `[i, i+1)`) of a world point.
    #[must_use]
    pub fn project(&self, p: Vec3) -> [f32; 2] {
        let magnification = (self.source.z - self.detector_z) / (self.source.z - p.z);
        let x = self.source.x + (p.x - self.source.x) * magnification;
        let y = self.source.y + (p.y - self.source.y) * magnification;
        let (px, py) = ((x - self.left) / self.spacing, (self.top - y) / self.spacing);
        let [cx, cy] = self.pivot;
        let (dx, dy) = (px - cx, py - cy);
        [cx + dx * self.roll[0] - dy * self.roll[1], cy + dx * self.roll[1] + dy * self.roll[0]]
    }

    /// The world point at depth `z` that projects to a raster position.
    #[must_use]
    pub fn unproject(&self, raster: [f32; 2], z: f32) -> Vec3 {
        let [cx, cy] = self.pivot;
        let (dx, dy) = (raster[0] - cx, raster[1] - cy);
        let px = cx + dx * self.roll[0] + dy * self.roll[1];
        let py = cy - dx * self.roll[1] + dy * self.roll[0];
        let (x, y) = (self.left + px * self.spacing, self.top - py * self.spacing);
        let shrink = (self.source.z - z) / (self.source.z - self.detector_z);
        v(self.source.x + (x - self.source.x) * shrink, self.source.y + (y - self.source.y) * shrink, z)
    }

    /// How many times larger than life a thing at depth `z` appears on the detector.
    #[must_use]
    pub fn magnification(&self, z: f32) -> f32 {
        (self.source.z - self.detector_z) / (self.source.z - z)
    }

    /// Adds `weight` times the path length (mm) through the closed mesh to `buffer` (`width * height`, row-major).
    pub fn accumulate(&self, mesh: &Mesh, weight: f32, buffer: &mut [f32]) {
        let middle = self.source.z - self.detector_z;
        let corners: Vec<Corner> = mesh
            .vertices
            .iter()
            .map(|p| {
                let [x, y] = self.project(*p);
                let depth = (*p - self.source).length() - middle;
                Corner { x: (x * SUBPIXELS).round() as i32, y: (y * SUBPIXELS).round() as i32, depth }
            })
            .collect();
        for t in &mesh.triangles {
            let [a, b, c] = t.map(|i| corners[i as usize]);
            self.triangle(a, b, c, weight, buffer);
        }
    }

    fn triangle(&self, a: Corner, b: Corner, c: Corner, weight: f32, buffer: &mut [f32]) {
        let one = SUBPIXELS as i32;
        // A pixel's sample is its center: the first pixel whose center is at or after the corner, and the last before it.
        let first = |q: i32| (q - one / 2).div_euclid(one) + i32::from((q - one / 2).rem_euclid(one) != 0);
        let last = |q: i32| (q - one / 2).div_euclid(one);
        let x0 = first(a.x.min(b.x).min(c.x)).max(0);
        let x1 = last(a.x.max(b.x).max(c.x)).min(self.width as i32 - 1);
        let y0 = first(a.y.min(b.y).min(c.y)).max(0);
        let y1 = last(a.y.max(b.y).max(c.y)).min(self.height as i32 - 1);
        if x0 > x1 || y0 > y1 {
            return;
        }
        let area = edge(a, b, c.x, c.y);
        if area == 0 {
            return;
        }
        // Counterclockwise in the world, seen from the source, is a front face; the raster's y points down, which turns it.
        let (b, c, sign) = if area > 0 { (b, c, 1.0) } else { (c, b, -1.0) };
        let scale = sign * weight / area.unsigned_abs() as f32;
        let (da, db, dc) = (a.depth * scale, b.depth * scale, c.depth * scale);
        let steps = [step(b, c), step(c, a), step(a, b)];
        let (sx, sy) = (x0 * one + one / 2, y0 * one + one / 2);
        let mut row = [edge(b, c, sx, sy), edge(c, a, sx, sy), edge(a, b, sx, sy)];
        let bias = [bias(b, c), bias(c, a), bias(a, b)];
        for y in y0..=y1 {
            let mut w = row;
            let line = &mut buffer[y as usize * self.width..][x0 as usize..=x1 as usize];
            for pixel in line {
                if (w[0] + bias[0]) | (w[1] + bias[1]) | (w[2] + bias[2]) >= 0 {
                    *pixel += w[0] as f32 * da + w[1] as f32 * db + w[2] as f32 * dc;
                }
                for k in 0..3 {
                    w[k] += steps[k][0];
                }
            }
            for k in 0..3 {
                row[k] += steps[k][1];
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Corner {
    x: i32,
    y: i32,
    depth: f32,
}

fn edge(a: Corner, b: Corner, x: i32, y: i32) -> i64 {
    i64::from(b.x - a.x) * i64::from(y - a.y) - i64::from(b.y - a.y) * i64::from(x - a.x)
}

/// Change of the edge function per pixel along x and y.
fn step(a: Corner, b: Corner) -> [i64; 2] {
    let one = SUBPIXELS as i64;
    [-i64::from(b.y - a.y) * one, i64::from(b.x - a.x) * one]
}

/// 0 for an edge that owns the samples lying on it, −1 otherwise: of an edge's two directions exactly one owns them.
fn bias(a: Corner, b: Corner) -> i64 {
    let owns = b.y < a.y || (b.y == a.y && b.x > a.x);
    if owns { 0 } else { -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        Camera {
            source: v(0.0, 0.0, 1000.0),
            detector_z: -100.0,
            left: -50.0,
            top: 50.0,
            spacing: 0.5,
            width: 200,
            height: 200,
            pivot: [100.0, 100.0],
            roll: [0.98_f32, (1.0_f32 - 0.98 * 0.98).sqrt()],
        }
    }

    #[test]
    fn a_ball_casts_its_chord_lengths_and_nothing_elsewhere() {
        let camera = camera();
        let ball = Mesh::ellipsoid(v(5.0, -8.0, 3.0), v(20.0, 20.0, 20.0), 200);
        let mut buffer = vec![0.0; 200 * 200];
        camera.accumulate(&ball, 1.0, &mut buffer);
        for (i, got) in buffer.iter().enumerate() {
            let p = camera.unproject([(i % 200) as f32 + 0.5, (i / 200) as f32 + 0.5], -100.0);
            let ray = (p - camera.source).unit();
            let to = v(5.0, -8.0, 3.0) - camera.source;
            let off = (to - ray * to.dot(ray)).length();
            let exact = if off < 20.0 { 2.0 * (400.0 - off * off).sqrt() } else { 0.0 };
            if !(19.0..=20.1).contains(&off) {
                assert!((got - exact).abs() < 0.25, "at {i}: {got} instead of {exact}");
            }
        }
    }

    #[test]
    fn raster_and_world_agree_there_and_back() {
        let camera = camera();
        let p = v(12.0, 20.0, 40.0);
        assert!((camera.unproject(camera.project(p), 40.0) - p).length() < 1e-3);
    }
}
