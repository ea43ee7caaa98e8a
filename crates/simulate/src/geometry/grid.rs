//! An implicit function sampled on a rectilinear grid, and its surface as a closed mesh by naive surface nets
//! (Gibson, "Constrained elastic surface nets", MICCAI 1998).

use super::mesh::Mesh;
use super::vector::Vec3;

/// Sample positions of a rectilinear grid; the spacing may change along each axis.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Ascending coordinates along x, y and z, millimeters.
    pub axes: [Vec<f32>; 3],
}

/// Ascending coordinates from `low` to at least `high` in steps of `step`.
#[must_use]
pub fn ticks(low: f32, high: f32, step: f32) -> Vec<f32> {
    let n = ((high - low) / step).ceil().max(1.0) as usize;
    (0..=n).map(|i| low + step * i as f32).collect()
}

impl Grid {
    /// An even grid of `step` millimeters over the box, with a margin of two steps around it.
    #[must_use]
    pub fn even(low: Vec3, high: Vec3, step: f32) -> Self {
        let m = 2.0 * step;
        Self {
            axes: [
                ticks(low.x - m, high.x + m, step),
                ticks(low.y - m, high.y + m, step),
                ticks(low.z - m, high.z + m, step),
            ],
        }
    }

    /// Number of samples along each axis.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [self.axes[0].len(), self.axes[1].len(), self.axes[2].len()]
    }

    /// The function at every sample, x fastest, then y, then z.
    #[must_use]
    pub fn sample(&self, f: impl Fn(Vec3) -> f32) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.shape().iter().product());
        for &z in &self.axes[2] {
            for &y in &self.axes[1] {
                values.extend(self.axes[0].iter().map(|&x| f(Vec3 { x, y, z })));
            }
        }
        values
    }

    /// Like [`Grid::sample`], for a function that is a distance (changes by at most a millimeter per millimeter): blocks of
    /// samples farther than `outside` from the surface on the outside, or deeper than `inside`, get one value for all.
    #[must_use]
    pub fn sample_near(&self, outside: f32, inside: f32, f: impl Fn(Vec3) -> f32) -> Vec<f32> {
        const BLOCK: usize = 5;
        let [nx, ny, nz] = self.shape();
        let mut values = vec![0.0; nx * ny * nz];
        let span = |axis: &[f32], from: usize| {
            let to = (from + BLOCK).min(axis.len());
            (to, (axis[from] + axis[to - 1]) * 0.5, (axis[to - 1] - axis[from]) * 0.5)
        };
        for z0 in (0..nz).step_by(BLOCK) {
            let (z1, cz, hz) = span(&self.axes[2], z0);
            for y0 in (0..ny).step_by(BLOCK) {
                let (y1, cy, hy) = span(&self.axes[1], y0);
                for x0 in (0..nx).step_by(BLOCK) {
                    let (x1, cx, hx) = span(&self.axes[0], x0);
                    let middle = f(Vec3 { x: cx, y: cy, z: cz });
                    let reach = (hx * hx + hy * hy + hz * hz).sqrt();
                    let far = middle > reach + outside || middle < -(reach + inside);
                    for z in z0..z1 {
                        for y in y0..y1 {
                            let row = &mut values[(z * ny + y) * nx..][x0..x1];
                            if far {
                                row.fill(middle);
                                continue;
                            }
                            for (value, x) in row.iter_mut().zip(&self.axes[0][x0..x1]) {
                                *value = f(Vec3 { x: *x, y: self.axes[1][y], z: self.axes[2][z] });
                            }
                        }
                    }
                }
            }
        }
        values
    }

    /// The values after one pass of a separable 1-2-1 filter, which takes creases off a union of elements.
    #[must_use]
    pub fn smoothed(&self, values: &[f32]) -> Vec<f32> {
        let [nx, ny, nz] = self.shape();
        let mut now = values.to_vec();
        for (stride, n) in [(1, nx), (nx, ny), (nx * ny, nz)] {
            let before = now.clone();
            for (i, value) in now.iter_mut().enumerate() {
                let k = i / stride % n;
                if k > 0 && k + 1 < n {
                    *value = 0.25 * (before[i - stride] + before[i + stride]) + 0.5 * before[i];
                }
            }
        }
        now
    }

    /// The closed surface where the values cross zero (negative inside). Samples on the grid's border count as outside, so
    /// a bone that leaves the grid is closed there.
    #[must_use]
    pub fn mesh(&self, values: &[f32]) -> Mesh {
        let [nx, ny, nz] = self.shape();
        let strides = [1, nx, nx * ny];
        let inside: Vec<u8> = values
            .iter()
            .enumerate()
            .map(|(i, value)| {
                let (x, y, z) = (i % nx, i / nx % ny, i / (nx * ny));
                let border = x == 0 || y == 0 || z == 0 || x + 1 == nx || y + 1 == ny || z + 1 == nz;
                u8::from(*value < 0.0 && !border)
            })
            .collect();
        let mut vertex_of = vec![u32::MAX; values.len()];
        let mut mesh = Mesh::default();
        for z in 0..nz - 1 {
            for y in 0..ny - 1 {
                let row = z * strides[2] + y * nx;
                for x in 0..nx - 1 {
                    let i = row + x;
                    let corners = [
                        inside[i],
                        inside[i + 1],
                        inside[i + nx],
                        inside[i + nx + 1],
                        inside[i + strides[2]],
                        inside[i + strides[2] + 1],
                        inside[i + strides[2] + nx],
                        inside[i + strides[2] + nx + 1],
                    ];
                    let count: u8 = corners.iter().sum();
                    if count == 0 || count == 8 {
                        continue;
                    }
                    vertex_of[i] = mesh.vertices.len() as u32;
                    mesh.vertices.push(self.net_vertex(values, &corners, [x, y, z], strides));
                }
            }
        }
        // Edges that leave the border inwards count too: there a bone is closed that leaves the grid.
        for z in 0..nz - 1 {
            for y in 0..ny - 1 {
                for x in 0..nx - 1 {
                    let i = z * strides[2] + y * nx + x;
                    let at = [x, y, z];
                    for axis in 0..3 {
                        let (here, there) = (inside[i], inside[i + strides[axis]]);
                        if here == there || at[(axis + 1) % 3] == 0 || at[(axis + 2) % 3] == 0 {
                            continue;
                        }
                        let (u, w) = (strides[(axis + 1) % 3], strides[(axis + 2) % 3]);
                        let quad = [vertex_of[i - u - w], vertex_of[i - w], vertex_of[i], vertex_of[i - u]];
                        let [a, b, c, d] = if here == 1 { quad } else { [quad[0], quad[3], quad[2], quad[1]] };
                        mesh.triangles.push([a, b, c]);
                        mesh.triangles.push([a, c, d]);
                    }
                }
            }
        }
        mesh
    }

    /// The mean of the crossings on the cell's twelve edges.
    fn net_vertex(&self, values: &[f32], corners: &[u8; 8], cell: [usize; 3], strides: [usize; 3]) -> Vec3 {
        const EDGES: [(usize, usize); 12] =
            [(0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6), (3, 7)];
        let origin = cell[0] + cell[1] * strides[1] + cell[2] * strides[2];
        let at = |c: usize| values[origin + (c & 1) + (c >> 1 & 1) * strides[1] + (c >> 2) * strides[2]];
        let (mut sum, mut n) = ([0.0_f32; 3], 0.0_f32);
        for (e, (a, b)) in EDGES.iter().enumerate() {
            if corners[*a] == corners[*b] {
                continue;
            }
            let (va, vb) = (at(*a), at(*b));
            // On the border a value may disagree with the side it was given: then the crossing is put in the middle.
            let t = if (va < 0.0) == (vb < 0.0) { 0.5 } else { va / (va - vb) };
            let mut point = [(a & 1) as f32, (a >> 1 & 1) as f32, (a >> 2) as f32];
            point[e / 4] = t;
            for k in 0..3 {
                sum[k] += point[k];
            }
            n += 1.0;
        }
        let along = |k: usize| {
            let (low, high) = (self.axes[k][cell[k]], self.axes[k][cell[k] + 1]);
            low + (high - low) * sum[k] / n
        };
        Vec3 { x: along(0), y: along(1), z: along(2) }
    }
}

/// The closed surface of an implicit function (negative inside) on an even grid of `step` millimeters over the box.
#[must_use]
pub fn mesh_of(low: Vec3, high: Vec3, step: f32, f: impl Fn(Vec3) -> f32) -> Mesh {
    let grid = Grid::even(low, high, step);
    grid.mesh(&grid.sample(f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::v;
    use std::collections::HashMap;

    #[test]
    fn a_meshed_ball_is_closed_outward_and_of_the_right_volume() {
        let ball = mesh_of(v(-10.0, -10.0, -10.0), v(10.0, 10.0, 10.0), 1.0, |p| p.length() - 10.0);
        let exact = 4.0 / 3.0 * std::f64::consts::PI * 1000.0;
        assert!((ball.volume() / exact - 1.0).abs() < 0.02);
        assert!(closed(&ball));
        // A ball that sticks out of its grid is closed at the border.
        let grid = Grid { axes: [ticks(-12.0, 12.0, 1.0), ticks(-12.0, 3.0, 1.0), ticks(-12.0, 12.0, 1.0)] };
        assert!(closed(&grid.mesh(&grid.sample(|p| p.length() - 10.0))));
    }

    fn closed(mesh: &Mesh) -> bool {
        let mut edges: HashMap<(u32, u32), i32> = HashMap::new();
        for t in &mesh.triangles {
            for k in 0..3 {
                *edges.entry((t[k], t[(k + 1) % 3])).or_default() += 1;
            }
        }
        edges.iter().all(|((a, b), n)| edges.get(&(*b, *a)) == Some(n))
    }
}
