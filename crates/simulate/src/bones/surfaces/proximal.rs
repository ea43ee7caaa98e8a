//! A femur from a file as a template for hip films: placed, measured and turned into a distance field, so that fractures,
//! cortex and trabeculae are made in it as in the built-in femora.

use crate::bones::bank::FemurTemplate;
use crate::bones::femur::{FemurField, FemurShape};
use crate::geometry::grid::{Grid, ticks};
use crate::geometry::mesh::Mesh;
use crate::geometry::{Rigid, Vec3, v};

/// Radius of a template's head, millimeters.
const HEAD: f32 = 23.8;
/// How far below the head a template goes, millimeters.
const LENGTH: f32 = 300.0;

/// A left femur with the middle of its head at the origin, as a template; `None` if it is not shaped like a femur (no head around the
/// origin, or no shaft below and lateral of it).
pub(super) fn template(femur: &Mesh) -> Option<FemurTemplate> {
    let head = head_radius(femur)?;
    let mesh = femur.mapped(|p| p * (HEAD / head));
    // The shaft, once turned about the vertical so that the neck lies in the frontal plane.
    let shaft = middle(&mesh, -140.0, -70.0)?;
    let turn = Rigid::rotate(Vec3::default(), v(0.0, 1.0, 0.0), shaft.z.atan2(shaft.x).to_degrees());
    let mesh = mesh.moved(&turn);
    let shaft = middle(&mesh, -140.0, -70.0)?;
    if !(15.0..70.0).contains(&shaft.x) {
        return None;
    }
    let neck_shaft_angle = 127.0;
    let shape = FemurShape {
        head_radius: HEAD,
        neck_shaft_angle,
        neck_length: shaft.x / neck_shaft_angle.to_radians().sin(),
        neck_width: 1.0,
        shaft_radius: shaft_radius(&mesh, shaft),
        cortex: 1.0,
        density: 1.0,
        singh: 1.0,
        greater: 1.0,
        lesser: 1.0,
        crest: 1.0,
        bow: 8.0,
        varus_bow: 0.0,
        collar: 0.0,
        collar_place: 0.0,
        flattening: 0.0,
        flare: 90.0,
        fovea: 0.0,
        length: LENGTH,
    };
    let (low, high) = bounds(&mesh);
    let (bottom, m) = (low.y.max(-LENGTH), 6.0);
    let grid = Grid {
        axes: [ticks(low.x - m, high.x + m, 2.0), ticks(bottom, high.y + m, 2.0), ticks(low.z - m, high.z + m, 2.0)],
    };
    let outer = grid.smoothed(&signed_distance(&grid, &mesh));
    let field = FemurField::of(grid, outer, &shape);
    Some(FemurTemplate { outer: field.grid.mesh(&field.outer), shape, field })
}

/// The median distance from the origin of the vertices around the head's upper medial half.
fn head_radius(femur: &Mesh) -> Option<f32> {
    let mut radii: Vec<f32> =
        femur.vertices.iter().filter(|p| p.y > 0.0 && p.x < 5.0).map(|p| p.length()).filter(|r| *r < 40.0).collect();
    radii.sort_by(f32::total_cmp);
    radii.get(radii.len() / 2).copied().filter(|r| *r > 12.0)
}

/// The middle of the box around the vertices between two heights.
fn middle(mesh: &Mesh, low: f32, high: f32) -> Option<Vec3> {
    let slice = Mesh {
        vertices: mesh.vertices.iter().copied().filter(|p| (low..high).contains(&p.y)).collect(),
        triangles: Vec::new(),
    };
    let (a, b) = bounds(&slice);
    (slice.vertices.len() >= 3).then(|| (a + b) * 0.5)
}

fn shaft_radius(mesh: &Mesh, shaft: Vec3) -> f32 {
    let around = mesh.vertices.iter().filter(|p| (-140.0..-70.0).contains(&p.y));
    let (sum, n) = around.fold((0.0, 0.0), |(sum, n), p| (sum + (p.x - shaft.x).hypot(p.z - shaft.z), n + 1.0_f32));
    (sum / n.max(1.0)).clamp(9.0, 20.0)
}

fn bounds(mesh: &Mesh) -> (Vec3, Vec3) {
    mesh.vertices.iter().fold((v(1e9, 1e9, 1e9), v(-1e9, -1e9, -1e9)), |(a, b), p| {
        (v(a.x.min(p.x), a.y.min(p.y), a.z.min(p.z)), v(b.x.max(p.x), b.y.max(p.y), b.z.max(p.z)))
    })
}

/// Distances of the grid's samples from a closed mesh, negative inside, exact within 16 mm of the surface.
fn signed_distance(grid: &Grid, mesh: &Mesh) -> Vec<f32> {
    const REACH: f32 = 16.0;
    let [nx, ny, nz] = grid.shape();
    let mut distance = vec![REACH; nx * ny * nz];
    let near = |axis: &[f32], low: f32, high: f32| {
        (axis.partition_point(|c| *c < low - REACH), axis.partition_point(|c| *c <= high + REACH))
    };
    for t in &mesh.triangles {
        let corners = t.map(|i| mesh.vertices[i as usize]);
        let (low, high) = bounds(&Mesh { vertices: corners.to_vec(), triangles: Vec::new() });
        let (x0, x1) = near(&grid.axes[0], low.x, high.x);
        let (y0, y1) = near(&grid.axes[1], low.y, high.y);
        let (z0, z1) = near(&grid.axes[2], low.z, high.z);
        for z in z0..z1 {
            for y in y0..y1 {
                for x in x0..x1 {
                    let p = v(grid.axes[0][x], grid.axes[1][y], grid.axes[2][z]);
                    let value = &mut distance[(z * ny + y) * nx + x];
                    *value = value.min(to_triangle(p, corners));
                }
            }
        }
    }
    for z in 0..nz {
        for y in 0..ny {
            let crossings = crossings(mesh, grid.axes[1][y] + 1.3e-3, grid.axes[2][z] + 0.7e-3);
            for x in 0..nx {
                let before = crossings.iter().filter(|c| **c < grid.axes[0][x]).count();
                if before % 2 == 1 {
                    distance[(z * ny + y) * nx + x] *= -1.0;
                }
            }
        }
    }
    distance
}

fn to_triangle(p: Vec3, corners: [Vec3; 3]) -> f32 {
    let n = |center| crate::geometry::shape::Node { center, radius: 0.0 };
    crate::geometry::shape::Element::Slab(n(corners[0]), n(corners[1]), n(corners[2])).distance(p)
}

/// Where the line along x at these coordinates passes through the mesh.
fn crossings(mesh: &Mesh, y: f32, z: f32) -> Vec<f32> {
    let mut at = Vec::new();
    for t in &mesh.triangles {
        let [a, b, c] = t.map(|i| mesh.vertices[i as usize]);
        let edge = |p: Vec3, q: Vec3| (q.y - p.y) * (z - p.z) - (q.z - p.z) * (y - p.y);
        let (wc, wa, wb) = (edge(a, b), edge(b, c), edge(c, a));
        if (wa > 0.0 && wb > 0.0 && wc > 0.0) || (wa < 0.0 && wb < 0.0 && wc < 0.0) {
            at.push((a.x * wa + b.x * wb + c.x * wc) / (wa + wb + wc));
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_field_of_a_ball_is_that_of_a_ball() {
        let ball = Mesh::ellipsoid(v(0.0, 0.0, 0.0), v(20.0, 20.0, 20.0), 64);
        let grid = Grid::even(v(-24.0, -24.0, -24.0), v(24.0, 24.0, 24.0), 4.0);
        let values = signed_distance(&grid, &ball);
        let exact = grid.sample(|p| p.length() - 20.0);
        for (got, wanted) in values.iter().zip(&exact) {
            assert!((got - wanted.clamp(-16.0, 16.0)).abs() < 0.3, "{got} instead of {wanted}");
        }
    }

    #[test]
    fn what_is_no_femur_is_no_template() {
        let ball = Mesh::ellipsoid(v(0.0, 0.0, 0.0), v(24.0, 24.0, 24.0), 32);
        assert!(template(&ball).is_none());
    }
}
