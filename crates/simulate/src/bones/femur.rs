//! The proximal femur: shape, cortex, trabecular groups and landmarks.
//!
//! The rest frame of a *left* femur has the head's center at the origin, the shaft pointing down (−y) and the neck in the plane
//! `z = 0`; lateral is +x, anterior +z. A right femur is its mirror image.
//!
//! Measures: head diameter 43 ± 3 mm in women and 48 ± 3 mm in men, offset 40–46 mm, neck–shaft angle 126 ± 6° (Noble et al.,
//! Clin Orthop 1988; Boese et al., Skeletal Radiol 2016; Unnanuntana et al., J Bone Joint Surg Am 2010), cortical thickness of
//! the shaft 5–8 mm, thinning with age (Noble et al. 1995; Dorr et al., Bone 1993).

use rand::SeedableRng;

use crate::geometry::grid::{Grid, ticks};
use crate::geometry::shape::{Element, Node, Skeleton, smooth_max};
use crate::geometry::{Vec3, smoothstep, v};
use crate::random::{FilmRng, normal, uniform};

/// How many different proximal femora there are.
pub const FEMORA: usize = 32;

/// The measures in which proximal femora differ.
#[derive(Clone, Copy, Debug)]
pub struct FemurShape {
    /// Radius of the head, millimeters.
    pub head_radius: f32,
    /// Angle between neck and shaft, degrees.
    pub neck_shaft_angle: f32,
    /// Distance from the head's center to the shaft axis along the neck, millimeters.
    pub neck_length: f32,
    /// Width of the neck over that of the mean neck of this head.
    pub neck_width: f32,
    /// Outer radius of the shaft, millimeters.
    pub shaft_radius: f32,
    /// Cortical thickness over that of a healthy adult.
    pub cortex: f32,
    /// Density of spongy bone over that of a healthy adult.
    pub density: f32,
    /// How much of the minor trabecular groups is left, 1 all to 0 none (Singh index 6 to 1).
    pub singh: f32,
    /// Size of the greater trochanter over the mean.
    pub greater: f32,
    /// Size of the lesser trochanter over the mean.
    pub lesser: f32,
    /// Anterior bow of the shaft, millimeters over the modeled length.
    pub bow: f32,
    /// Lateral bow, millimeters over the modeled length.
    pub varus_bow: f32,
    /// Bony ridge at the head–neck junction (osteophytes, cam), millimeters.
    pub collar: f32,
    /// Where the ridge is: 0 inferior, 1 superior.
    pub collar_place: f32,
    /// Flattening of the head from above (old osteoarthritis, necrosis), millimeters.
    pub flattening: f32,
    /// How far below the head's center the shaft goes, millimeters.
    pub length: f32,
}

impl FemurShape {
    /// The shape of the template of this number (modulo [`FEMORA`]).
    #[must_use]
    pub fn numbered(number: usize) -> Self {
        Self::template(&mut FilmRng::seed_from_u64(0x6665_6d75 + (number % FEMORA) as u64))
    }

    /// A femur for the bank of templates, with a head of 47.6 mm and the cortex and density of a healthy adult.
    #[must_use]
    pub fn template(rng: &mut FilmRng) -> Self {
        let arthritic = uniform(rng, 0.0, 1.0) < 0.25;
        Self {
            head_radius: 23.8,
            neck_shaft_angle: normal(rng, 127.0, 6.5).clamp(108.0, 146.0),
            neck_length: 52.0 * (1.0 + normal(rng, 0.0, 0.07)),
            neck_width: 1.0 + normal(rng, 0.0, 0.06),
            shaft_radius: 15.0 * (1.0 + normal(rng, 0.0, 0.06)),
            cortex: 1.0,
            density: 1.0,
            singh: 1.0,
            greater: 1.0 + normal(rng, 0.0, 0.08),
            lesser: 1.0 + normal(rng, 0.0, 0.15),
            bow: uniform(rng, 2.0, 16.0),
            varus_bow: normal(rng, 0.0, 5.0),
            collar: if arthritic { uniform(rng, 0.5, 4.5) } else { uniform(rng, 0.0, 0.4) },
            collar_place: uniform(rng, 0.0, 1.0),
            flattening: if arthritic { uniform(rng, 0.0, 3.5) } else { 0.0 },
            length: 300.0,
        }
    }

    /// The same bone in a person of this age: cortex, density and trabeculae drawn anew.
    #[must_use]
    pub fn aged(self, rng: &mut FilmRng, age: f32, variation: f32) -> Self {
        let s = 0.4 + 0.6 * variation;
        let aging = ((age - 45.0) / 50.0).clamp(0.0, 1.0);
        Self {
            cortex: (1.05 - 0.35 * aging + normal(rng, 0.0, 0.13 * s)).clamp(0.42, 1.4),
            density: (1.05 - 0.45 * aging + normal(rng, 0.0, 0.2 * s)).clamp(0.3, 1.6),
            singh: (1.0 - 0.75 * aging + normal(rng, 0.0, 0.25)).clamp(0.05, 1.0),
            ..self
        }
    }

    /// This bone with the cortex, density and trabeculae of another.
    #[must_use]
    pub fn with_quality_of(self, other: &FemurShape) -> Self {
        Self { cortex: other.cortex, density: other.density, singh: other.singh, ..self }
    }

    /// Unit vector along the neck from the shaft towards the head.
    #[must_use]
    pub fn neck_axis(&self) -> Vec3 {
        let (sin, cos) = self.neck_shaft_angle.to_radians().sin_cos();
        v(-sin, -cos, 0.0)
    }

    /// Where the neck axis meets the shaft axis.
    #[must_use]
    pub fn neck_base(&self) -> Vec3 {
        -self.neck_axis() * self.neck_length
    }

    /// The point of the neck axis `s` of the way from the base (0) to the head's center (1), moved `up` millimeters
    /// superolaterally across the neck.
    #[must_use]
    pub fn on_neck(&self, s: f32, up: f32) -> Vec3 {
        let n = self.neck_axis();
        self.neck_base() + n * (s * self.neck_length) + v(n.y, -n.x, 0.0) * up
    }

    /// Size relative to a femur with a head of 47.6 mm.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.head_radius / 23.8
    }

    /// A point given in millimeters of the mean femur relative to the neck base.
    fn at(&self, x: f32, y: f32, z: f32) -> Vec3 {
        self.neck_base() + v(x, y, z) * self.scale()
    }

    /// Tip of the greater trochanter.
    #[must_use]
    pub fn greater_trochanter(&self) -> Vec3 {
        self.at(12.0, 27.0 * self.greater, -12.0)
    }

    /// Tip of the lesser trochanter.
    #[must_use]
    pub fn lesser_trochanter(&self) -> Vec3 {
        self.at(-24.0, -29.0, -16.0)
    }

    /// A point on the shaft axis, `below` millimeters under the neck base.
    #[must_use]
    pub fn on_shaft(&self, below: f32) -> Vec3 {
        let t = below / self.length;
        let arch = 4.0 * t * (1.0 - t);
        self.neck_base() + v(self.varus_bow * arch, -below, self.bow * arch - 3.0 * t)
    }

    /// The implicit function of the bone's outer surface, to be sampled.
    #[must_use]
    pub fn skeleton(&self) -> Skeleton {
        let k = self.scale();
        let n = |p: Vec3, r: f32| Node { center: p, radius: r * k };
        let w = self.neck_width;
        let mut bone = Skeleton::new();
        bone.push(Element::Ball(Node { center: Vec3::default(), radius: self.head_radius }), 0.0);
        // The neck is taller than deep: two rods side by side in the frontal plane.
        let superior = [
            n(self.on_neck(0.88, 5.0 * k * w), 12.0 * w),
            n(self.on_neck(0.60, 1.8 * k * w), 9.8 * w),
            n(self.on_neck(0.20, 0.5 * k * w), 12.5 * w),
        ];
        let inferior = [
            n(self.on_neck(0.86, -7.5 * k * w), 11.5 * w),
            n(self.on_neck(0.58, -7.0 * k * w), 10.6 * w),
            n(self.on_neck(0.16, -11.0 * k * w), 12.5 * w),
        ];
        bone.chain(&superior, 5.0);
        bone.chain(&inferior, 5.0);
        if self.collar > 0.3 {
            let up = (self.collar_place * 2.0 - 1.0) * 15.0 * k;
            bone.push(Element::Ball(Node { center: self.on_neck(0.74, up), radius: 7.0 + self.collar }), 5.0);
        }
        // Trochanteric mass.
        let g = self.greater;
        let mass = [
            n(self.at(1.0, -14.0, 0.0), 17.5),
            n(self.at(-4.0, -12.0, -1.0), 16.0),
            n(self.at(12.0, -10.0, 0.0), 13.0 * g),
            n(self.at(15.5, 5.0, -5.0), 9.0 * g),
            n(self.at(12.0, 27.0 * g - 6.5, -12.0), 6.5 * g),
            n(self.at(9.0, 12.0, -16.0), 7.5 * g),
            n(self.at(13.0, -24.0, 2.0), 10.5),
            n(self.at(8.0, 4.0, 5.0), 9.0),
        ];
        let slabs = [[0, 2, 3], [3, 4, 5], [2, 3, 7], [0, 3, 5], [0, 2, 6], [1, 0, 7], [0, 7, 3]];
        bone.slabs(&mass, &slabs, 6.0);
        // Intertrochanteric crest and lesser trochanter.
        let l = self.lesser;
        let crest = [
            n(self.at(11.0, 10.0, -17.0), 5.0),
            n(self.at(1.0, -12.0, -17.5), 4.5),
            n(self.at(-8.0, -26.0, -14.0), 6.0),
        ];
        bone.chain(&crest, 6.0);
        let lesser = [
            n(self.at(-6.0, -33.0, -4.0), 12.0),
            n(self.at(-14.0, -31.0, -10.0), 8.5 * l),
            n(self.at(-20.0, -30.0, -14.5), 5.0 * l),
        ];
        bone.chain(&lesser, 11.0);
        bone.chain(
            &[
                n(self.on_neck(0.2, -11.0 * k * w), 12.0),
                n(self.at(-7.0, -24.0, 0.0), 12.5),
                n(self.at(-2.5, -52.0, 0.0), 13.0),
            ],
            9.0,
        );
        // Shaft.
        let r = self.shaft_radius / k;
        bone.push(
            Element::Slab(
                n(self.at(0.0, -14.0, 0.0), 17.5),
                n(self.at(-6.0, -29.0, -1.0), 13.5),
                n(self.at(3.0, -29.0, 0.0), 14.0),
            ),
            6.0,
        );
        let mut shaft = vec![n(self.at(-1.0, -24.0, 0.0), 17.5), n(self.at(-1.0, -42.0, 0.0), 0.8 + r * 1.06)];
        for below in [62.0, 95.0, 140.0, 190.0, 240.0] {
            shaft.push(n(self.on_shaft(below), r * (1.04 - 0.0003 * below)));
        }
        shaft.push(n(self.on_shaft(self.length), r * 1.02));
        bone.chain(&shaft, 9.0);
        bone
    }

    /// Cortical thickness of a healthy adult in millimeters at a point of the surface; [`FemurShape::cortex`] scales it.
    #[must_use]
    pub fn thickness(&self, p: Vec3) -> f32 {
        let k = self.scale();
        let q = (p - self.neck_base()) * (1.0 / k);
        let shaft = smoothstep(-12.0, -95.0, q.y);
        let medial = smoothstep(4.0, -10.0, q.x);
        let lateral = 1.0 - medial;
        // Full thickness along the shaft, reached earlier on the medial side (calcar).
        let early = smoothstep(4.0, -42.0, q.y) * medial;
        let base =
            1.15 + (5.6 * shaft).max(4.2 * early) + 1.0 * lateral * smoothstep(-20.0, -45.0, q.y) * (1.0 - shaft);
        // The inferior neck is thick, the superior thin, the head's shell thinner still.
        let n = self.neck_axis();
        let s = -(p.dot(-n)) / self.neck_length + 1.0;
        let across = p.dot(v(n.y, -n.x, 0.0)) / k;
        let on_neck = smoothstep(0.02, 0.25, s) * smoothstep(0.95, 0.6, s);
        let calcar = 2.2 * on_neck * smoothstep(-4.0, -14.0, across);
        let crown = 0.35 * smoothstep(0.8, 1.0, s);
        k * (base + calcar - crown).max(0.8)
    }

    /// Volume fraction of bone in the spongy inside at a point of the frontal plane, before texture: the principal groups of
    /// trabeculae (Ward 1838; Singh et al., J Bone Joint Surg Am 1970), Ward's triangle between them, marrow in the canal.
    #[must_use]
    pub fn spongy_fraction(&self, p: Vec3) -> f32 {
        let k = self.scale();
        let q = (p - self.neck_base()) * (1.0 / k);
        let (compressive, tensile) = self.groups(p);
        let canal = smoothstep(-62.0, -12.0, q.y);
        let trochanter = smoothstep(2.0, 14.0, q.x) * smoothstep(-40.0, -10.0, q.y);
        let ground = 0.075 + 0.025 * self.singh - 0.025 * trochanter;
        let keep = 0.25 + 0.75 * self.singh;
        let fraction = ground + 0.085 * compressive * (0.5 + 0.5 * self.singh) + 0.065 * tensile * keep;
        let head = smoothstep(1.05, 0.75, p.length() / self.head_radius);
        (fraction + 0.01 * head) * canal * self.density + 0.012
    }

    /// Strength (0..=1) of the principal compressive and principal tensile group at a point of the frontal plane.
    #[must_use]
    pub fn groups(&self, p: Vec3) -> (f32, f32) {
        let k = self.scale();
        // Compressive: a fan from the calcar through the middle of the head to its upper pole.
        let (foot, top) = (self.on_neck(0.22, -18.0 * k), v(-2.0, 20.0, 0.0) * k);
        let axis = top - foot;
        let t = (p - foot).dot(axis) / axis.dot(axis);
        let off = ((p - foot) - axis * t).length() / k;
        let width = 5.0 + 8.0 * t.clamp(0.0, 1.2);
        let compressive = (-(off / width).powi(2)).exp() * smoothstep(-0.15, 0.15, t) * smoothstep(1.3, 1.0, t);
        // Tensile: an arch from the lateral cortex through the upper neck into the lower head.
        let (center, radius) = self.tensile_circle();
        let from = (p - center).length();
        let d = (from - radius) / (7.0 * k);
        let tensile = (-d * d).exp();
        (compressive, tensile)
    }

    /// Center and radius of the circle that the tensile group follows.
    fn tensile_circle(&self) -> (Vec3, f32) {
        let k = self.scale();
        let center = self.on_neck(0.25, -42.0 * k);
        (center, (self.on_neck(0.55, 8.0 * k) - center).length())
    }

    /// Coordinates along and across the trabeculae at a point of the frontal plane, for oriented texture: first the
    /// compressive, then the tensile system; each as (across, along) in millimeters.
    #[must_use]
    pub fn trabecular_coordinates(&self, p: Vec3) -> [[f32; 2]; 2] {
        let k = self.scale();
        let foot = self.on_neck(-0.1, -46.0 * k);
        let fan = p - foot;
        let length = fan.length();
        let angle = fan.x.atan2(fan.y);
        let (center, _) = self.tensile_circle();
        let arch = p - center;
        let r = arch.length();
        [[angle * 55.0 * k, length], [r, arch.x.atan2(arch.y) * 45.0 * k]]
    }
}

/// A femur sampled for meshing: outer distance and cortical thickness.
#[derive(Clone, Debug)]
pub struct FemurField {
    /// Sample positions in the rest frame; close together near the hip, wider down the shaft.
    pub grid: Grid,
    /// Signed distance to the outer surface.
    pub outer: Vec<f32>,
    /// Cortical thickness of a healthy adult where it matters, elsewhere 1.
    thickness: Vec<f32>,
}

impl FemurField {
    /// Samples a shape, `step` millimeters apart near the hip.
    #[must_use]
    pub fn sample(shape: &FemurShape, step: f32) -> Self {
        let bone = shape.skeleton();
        let (low, high) = bone.bounding_box();
        let fine = shape.neck_base().y - 75.0 * shape.scale();
        let mut ys = Vec::new();
        let (mut y, mut gap) = (high.y + 2.0 * step, step);
        while y > low.y - 16.0 {
            ys.push(y);
            if y < fine {
                gap = (gap * 1.12).min(7.0);
            }
            y -= gap;
        }
        ys.reverse();
        let m = 2.0 * step;
        let grid = Grid { axes: [ticks(low.x - m, high.x + m, step), ys, ticks(low.z - m, high.z + m, step)] };
        let flat = shape.flattening;
        let outer = grid.sample_near(3.0, 11.0, |p| {
            let d = bone.distance(p);
            if flat > 0.0 && p.y > -5.0 && p.x < shape.head_radius {
                smooth_max(d, p.dot(v(0.17, 0.98, 0.0)) - (shape.head_radius - flat), 6.0)
            } else {
                d
            }
        });
        let outer = grid.smoothed(&outer);
        Self::of(grid, outer, shape)
    }

    /// A field of sampled distances; `shape` gives the thickness of the cortex.
    #[must_use]
    pub fn of(grid: Grid, outer: Vec<f32>, shape: &FemurShape) -> Self {
        let mut field = Self { grid, thickness: vec![1.0; outer.len()], outer };
        for i in 0..field.outer.len() {
            if field.outer[i] < 0.5 && field.outer[i] > -14.0 {
                field.thickness[i] = shape.thickness(field.position(i));
            }
        }
        field
    }

    /// The sample position of index `i`.
    #[must_use]
    pub fn position(&self, i: usize) -> Vec3 {
        let [nx, ny, _] = self.grid.shape();
        Vec3 { x: self.grid.axes[0][i % nx], y: self.grid.axes[1][i / nx % ny], z: self.grid.axes[2][i / (nx * ny)] }
    }

    /// Signed distance to the inner surface of a cortex `cortex` times as thick as a healthy adult's.
    #[must_use]
    pub fn inner(&self, cortex: f32) -> Vec<f32> {
        let scale = 0.35 + 0.65 * cortex;
        self.outer.iter().zip(&self.thickness).map(|(d, t)| d + (t * scale).max(0.45)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::FemurShape;
    use crate::geometry::{Vec3, v};

    #[test]
    fn landmarks_lie_on_the_bone_and_the_head_is_round() {
        for n in 0..4 {
            let shape = FemurShape::numbered(n);
            let bone = shape.skeleton();
            assert!(bone.distance(Vec3::default()) < -shape.head_radius + 1.0);
            assert!(bone.distance(v(0.0, shape.head_radius, 0.0)).abs() < 2.5);
            for (name, p) in [("greater", shape.greater_trochanter()), ("lesser", shape.lesser_trochanter())] {
                assert!(bone.distance(p).abs() < 6.0, "{name} trochanter of {n}: {}", bone.distance(p));
            }
            assert!(bone.distance(shape.on_shaft(150.0)) < -10.0);
        }
    }

    #[test]
    fn the_cortex_is_thick_at_the_shaft_and_thin_at_the_head() {
        let shape = FemurShape::numbered(0);
        let shaft = shape.thickness(shape.on_shaft(140.0) + v(15.0, 0.0, 0.0));
        let head = shape.thickness(v(-20.0, 5.0, 0.0));
        assert!((5.0..9.0).contains(&shaft) && head < 1.5, "{shaft} and {head}");
    }

    #[test]
    fn spongy_bone_is_dense_along_the_compressive_group_and_absent_in_the_canal() {
        let shape = FemurShape::numbered(0);
        let head = shape.spongy_fraction(v(-1.0, 8.0, 0.0));
        let canal = shape.spongy_fraction(shape.on_shaft(120.0));
        assert!(head > 0.1 && canal < 0.03, "{head} and {canal}");
    }
}
