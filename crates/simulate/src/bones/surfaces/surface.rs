//! From points and polygons to closed triangle meshes in the world's axes, as path lengths need them.

use std::collections::{BTreeMap, HashMap};

use super::raw::{Fault, Raw, fault};
use crate::geometry::mesh::Mesh;
use crate::geometry::v;

/// Largest extent, in the file's unit, at which the unit is taken to be the meter: no bone is 2 m long, none is under 2 mm.
const METERS_BELOW: f32 = 2.0;

/// Triangles of the polygons, in millimeters and in the world's axes, welded, closed and wound outwards piece by piece.
pub(super) fn finish(raw: &Raw) -> Result<Mesh, Fault> {
    if raw.polygons.is_empty() {
        return fault(0, "the surface has no polygons");
    }
    let (mut low, mut high) = ([f32::MAX; 3], [f32::MIN; 3]);
    for p in &raw.points {
        for k in 0..3 {
            if !p[k].is_finite() {
                return fault(0, "a coordinate is not finite");
            }
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }
    let extent = (0..3).map(|k| high[k] - low[k]).fold(0.0, f32::max);
    if extent <= 0.0 {
        return fault(0, "the surface has no extent");
    }
    let unit = if extent < METERS_BELOW { 1000.0 } else { 1.0 };
    // x forward, y up, z right becomes x left, y up, z forward: a rotation.
    let vertices = raw.points.iter().map(|p| v(-p[2], p[1], p[0]) * unit).collect();
    let triangles = raw.polygons.iter().flat_map(|q| (1..q.len() - 1).map(|i| [q[0], q[i], q[i + 1]])).collect();
    let mesh = close(&weld(&Mesh { vertices, triangles }, 0.01));
    if mesh.triangles.len() < 4 {
        return fault(0, "the surface encloses nothing");
    }
    Ok(wind(mesh))
}

/// Merges vertices that lie in the same cell of a lattice of `distance` millimeters, and drops triangles that become lines.
#[must_use]
pub fn weld(mesh: &Mesh, distance: f32) -> Mesh {
    let mut known: HashMap<[i64; 3], u32> = HashMap::new();
    let mut vertices = Vec::new();
    let place: Vec<u32> = mesh
        .vertices
        .iter()
        .map(|p| {
            let key = [p.x, p.y, p.z].map(|c| (f64::from(c) / f64::from(distance)).round() as i64);
            *known.entry(key).or_insert_with(|| {
                vertices.push(*p);
                vertices.len() as u32 - 1
            })
        })
        .collect();
    let triangles = mesh
        .triangles
        .iter()
        .map(|t| t.map(|i| place[i as usize]))
        .filter(|t| t[0] != t[1] && t[1] != t[2] && t[2] != t[0])
        .collect();
    Mesh { vertices, triangles }
}

/// Closes holes by a fan to the middle of each loop of open edges, so that every edge is passed once each way.
#[must_use]
pub fn close(mesh: &Mesh) -> Mesh {
    let mut balance: BTreeMap<(u32, u32), i32> = BTreeMap::new();
    for t in &mesh.triangles {
        for k in 0..3 {
            let (a, b) = (t[k], t[(k + 1) % 3]);
            *balance.entry((a.min(b), a.max(b))).or_default() += if a < b { 1 } else { -1 };
        }
    }
    // Edges to be passed the other way, by where they start.
    let mut open: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for ((a, b), n) in balance {
        for _ in 0..n.abs() {
            let (from, to) = if n > 0 { (b, a) } else { (a, b) };
            open.entry(from).or_default().push(to);
        }
    }
    let mut closed = mesh.clone();
    while let Some(start) = open.keys().next().copied() {
        let mut path = vec![start];
        while let Some(next) = open.get_mut(path.last().unwrap_or(&start)).and_then(Vec::pop) {
            if next == start {
                break;
            }
            path.push(next);
        }
        open.retain(|_, ends| !ends.is_empty());
        if path.len() > 2 {
            fan(&mut closed, &path);
        }
    }
    closed
}

fn fan(mesh: &mut Mesh, path: &[u32]) {
    let sum = path.iter().fold(v(0.0, 0.0, 0.0), |s, i| s + mesh.vertices[*i as usize]);
    let middle = mesh.vertices.len() as u32;
    mesh.vertices.push(sum * (1.0 / path.len() as f32));
    for (i, a) in path.iter().enumerate() {
        mesh.triangles.push([*a, path[(i + 1) % path.len()], middle]);
    }
}

/// Turns each connected piece outwards.
fn wind(mesh: Mesh) -> Mesh {
    let mut parent: Vec<u32> = (0..mesh.vertices.len() as u32).collect();
    fn root(parent: &mut [u32], mut i: u32) -> u32 {
        while parent[i as usize] != i {
            parent[i as usize] = parent[parent[i as usize] as usize];
            i = parent[i as usize];
        }
        i
    }
    for t in &mesh.triangles {
        for k in 1..3 {
            let (a, b) = (root(&mut parent, t[0]), root(&mut parent, t[k]));
            parent[a as usize] = b;
        }
    }
    let roots: Vec<u32> = mesh.triangles.iter().map(|t| root(&mut parent, t[0])).collect();
    let mut volume: HashMap<u32, f64> = HashMap::new();
    for (t, piece) in mesh.triangles.iter().zip(&roots) {
        // About a vertex of the piece, to keep differences small.
        let origin = mesh.vertices[*piece as usize];
        let [a, b, c] = t.map(|i| mesh.vertices[i as usize] - origin);
        *volume.entry(*piece).or_default() += f64::from(a.dot(b.cross(c)));
    }
    let triangles = mesh
        .triangles
        .iter()
        .zip(&roots)
        .map(|(t, piece)| if volume[piece] < 0.0 { [t[0], t[2], t[1]] } else { *t })
        .collect();
    Mesh { vertices: mesh.vertices, triangles }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cube() -> Raw {
        let points = (0..8).map(|i| [(i & 1) as f32, (i >> 1 & 1) as f32, (i >> 2) as f32].map(|c| c * 10.0)).collect();
        let quads = [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
        Raw { points, polygons: quads.iter().map(|q| q.to_vec()).collect() }
    }

    #[test]
    fn a_cube_with_holes_and_inside_out_becomes_a_cube() {
        let whole = finish(&cube()).unwrap();
        assert!((whole.volume() - 1000.0).abs() < 1e-2);
        let mut open = cube();
        open.polygons.drain(..2);
        assert!((finish(&open).unwrap().volume() - 1000.0).abs() < 1e-2);
        let mut inverted = cube();
        inverted.polygons.iter_mut().for_each(|q| q.reverse());
        assert!((finish(&inverted).unwrap().volume() - 1000.0).abs() < 1e-2);
    }

    #[test]
    fn meters_become_millimeters_and_axes_the_worlds() {
        let mut small = cube();
        small.points.iter_mut().for_each(|p| *p = p.map(|c| c * 0.001));
        small.points.iter_mut().for_each(|p| p[0] += 0.5);
        let mesh = finish(&small).unwrap();
        assert!((mesh.volume() - 1000.0).abs() < 1e-1);
        assert!(mesh.vertices.iter().all(|p| p.z > 499.0 && p.x < 0.001));
    }

    #[test]
    fn nothing_is_refused() {
        assert!(finish(&Raw::default()).is_err());
        let flat = Raw { points: vec![[1.0; 3]; 3], polygons: vec![vec![0, 1, 2]] };
        assert!(finish(&flat).is_err());
    }
}
