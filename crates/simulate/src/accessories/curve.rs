//! Curves and directions that lines, drains and screws are made of.

use crate::geometry::Vec3;

/// A smooth curve (Catmull–Rom) through `points`, `steps` pieces between two of them.
pub(crate) fn curve(points: &[Vec3], steps: usize) -> Vec<Vec3> {
    let at = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let mut path = Vec::with_capacity((points.len() - 1) * steps + 1);
    for i in 0..points.len() as isize - 1 {
        let [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        for k in 0..steps {
            let t = k as f32 / steps as f32;
            let (t2, t3) = (t * t, t * t * t);
            path.push(
                (b * 2.0 + (c - a) * t + (a * 2.0 - b * 5.0 + c * 4.0 - d) * t2 + (b * 3.0 - a - c * 3.0 + d) * t3)
                    * 0.5,
            );
        }
    }
    path.push(points[points.len() - 1]);
    path
}

/// Two unit vectors that are at right angles to `axis` and to each other.
pub(super) fn across(axis: Vec3) -> [Vec3; 2] {
    let start = if axis.z.abs() < 0.8 { Vec3 { x: 0.0, y: 0.0, z: 1.0 } } else { Vec3 { x: 1.0, y: 0.0, z: 0.0 } };
    let u = (start - axis * start.dot(axis)).unit();
    [u, axis.cross(u)]
}
