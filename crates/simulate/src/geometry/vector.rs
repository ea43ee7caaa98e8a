//! Vectors and rigid motions in millimeters.
//!
//! The world frame of every simulated film: `x` points to the film's right (the patient's left on a frontal film), `y` up
//! (cranial, or proximal on a limb), `z` towards the X-ray source (anterior on an AP film).

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// A point or direction in millimeters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vec3 {
    /// Towards the film's right.
    pub x: f32,
    /// Up (cranial or proximal).
    pub y: f32,
    /// Towards the X-ray source.
    pub z: f32,
}

/// Short constructor of a [`Vec3`].
#[must_use]
pub const fn v(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    /// Scalar product.
    #[must_use]
    pub fn dot(self, o: Vec3) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    /// Vector product.
    #[must_use]
    pub fn cross(self, o: Vec3) -> Vec3 {
        v(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z, self.x * o.y - self.y * o.x)
    }

    /// Euclidean length.
    #[must_use]
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The unit vector of the same direction; the zero vector stays zero.
    #[must_use]
    pub fn unit(self) -> Vec3 {
        let length = self.length();
        if length > 0.0 { self * (1.0 / length) } else { self }
    }

    /// The point `t` of the way to `o`.
    #[must_use]
    pub fn lerp(self, o: Vec3, t: f32) -> Vec3 {
        self + (o - self) * t
    }

    /// Mirrored at the plane `x = 0`: a left-sided bone becomes the right-sided one.
    #[must_use]
    pub fn mirrored(self) -> Vec3 {
        v(-self.x, self.y, self.z)
    }
}

impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, o: Vec3) -> Vec3 {
        v(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl AddAssign for Vec3 {
    fn add_assign(&mut self, o: Vec3) {
        *self = *self + o;
    }
}

impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, o: Vec3) -> Vec3 {
        v(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Vec3;
    fn mul(self, s: f32) -> Vec3 {
        v(self.x * s, self.y * s, self.z * s)
    }
}

impl Neg for Vec3 {
    type Output = Vec3;
    fn neg(self) -> Vec3 {
        v(-self.x, -self.y, -self.z)
    }
}

/// A rigid motion `p ↦ R p + t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rigid {
    /// Rows of the rotation matrix.
    pub rows: [Vec3; 3],
    /// Translation in millimeters.
    pub translation: Vec3,
}

impl Rigid {
    /// The motion that moves nothing.
    #[must_use]
    pub fn identity() -> Self {
        Self { rows: [v(1.0, 0.0, 0.0), v(0.0, 1.0, 0.0), v(0.0, 0.0, 1.0)], translation: Vec3::default() }
    }

    /// A translation.
    #[must_use]
    pub fn translate(t: Vec3) -> Self {
        Self { translation: t, ..Self::identity() }
    }

    /// Rotation by `degrees` (right-handed) about `axis` through `center` (Rodrigues' formula).
    #[must_use]
    pub fn rotate(center: Vec3, axis: Vec3, degrees: f32) -> Self {
        let (a, (s, c)) = (axis.unit(), degrees.to_radians().sin_cos());
        let d = 1.0 - c;
        let rows = [
            v(c + a.x * a.x * d, a.x * a.y * d - a.z * s, a.x * a.z * d + a.y * s),
            v(a.y * a.x * d + a.z * s, c + a.y * a.y * d, a.y * a.z * d - a.x * s),
            v(a.z * a.x * d - a.y * s, a.z * a.y * d + a.x * s, c + a.z * a.z * d),
        ];
        let rotation = Self { rows, translation: Vec3::default() };
        Self { rows, translation: center - rotation.apply(center) }
    }

    /// Where the point goes.
    #[must_use]
    pub fn apply(&self, p: Vec3) -> Vec3 {
        self.direction(p) + self.translation
    }

    /// Where the direction goes (no translation).
    #[must_use]
    pub fn direction(&self, d: Vec3) -> Vec3 {
        v(self.rows[0].dot(d), self.rows[1].dot(d), self.rows[2].dot(d))
    }

    /// This motion first, `next` after it.
    #[must_use]
    pub fn then(&self, next: &Rigid) -> Rigid {
        let columns = [
            v(self.rows[0].x, self.rows[1].x, self.rows[2].x),
            v(self.rows[0].y, self.rows[1].y, self.rows[2].y),
            v(self.rows[0].z, self.rows[1].z, self.rows[2].z),
        ];
        let row = |r: Vec3| v(r.dot(columns[0]), r.dot(columns[1]), r.dot(columns[2]));
        Rigid { rows: next.rows.map(row), translation: next.apply(self.translation) }
    }

    /// The motion back.
    #[must_use]
    pub fn inverse(&self) -> Rigid {
        let r = &self.rows;
        let rows = [v(r[0].x, r[1].x, r[2].x), v(r[0].y, r[1].y, r[2].y), v(r[0].z, r[1].z, r[2].z)];
        let back = Rigid { rows, translation: Vec3::default() };
        Rigid { rows, translation: -back.apply(self.translation) }
    }
}

/// Hermite step from 0 at `low` to 1 at `high`.
#[must_use]
pub fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_motion_and_its_inverse_cancel() {
        let m = Rigid::rotate(v(1.0, 2.0, 3.0), v(0.3, -0.5, 0.8), 40.0).then(&Rigid::translate(v(4.0, 5.0, 6.0)));
        let p = v(7.0, -8.0, 9.0);
        assert!((m.inverse().apply(m.apply(p)) - p).length() < 1e-4);
        assert!((m.then(&m.inverse()).apply(p) - p).length() < 1e-4);
    }

    #[test]
    fn a_quarter_turn_about_z_takes_x_to_y() {
        let turned = Rigid::rotate(Vec3::default(), v(0.0, 0.0, 1.0), 90.0).apply(v(1.0, 0.0, 0.0));
        assert!((turned - v(0.0, 1.0, 0.0)).length() < 1e-6);
    }
}
