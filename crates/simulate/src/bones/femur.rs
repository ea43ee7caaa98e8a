//! The proximal femur: shape, cortex, trabecular groups and landmarks.
//!
//! The rest frame of a *left* femur has the head's center at the origin, the shaft pointing down (−y) and the neck in the plane
//! `z = 0`; lateral is +x, anterior +z. A right femur is its mirror image.
//!
//! Measures: head diameter 43 ± 3 mm in women and 48 ± 3 mm in men, neck–shaft angle 126 ± 6° (Noble et al., Clin Orthop 1988;
//! Boese et al., Skeletal Radiol 2016; Unnanuntana et al., J Bone Joint Surg Am 2010), cortical thickness of the shaft 5–8 mm,
//! thinning with age (Noble et al. 1995; Dorr et al., Bone 1993). The outlines follow means over the femora of ten adults in CT
//! pose (VSDFullBodyBoneModels v2, Fischer 2023) and of three of LibHip (Moshfeghifar et al. 2022), in radii of the head from its
//! center, with the shaft vertical: offset 1.95 ± 0.2, tip of the greater trochanter 0.45 ± 0.2 above, its widest level 0.85
//! below, upper edge of the neck at the center's level, tip of the lesser trochanter 2.1 ± 0.2 below and 1.1 behind, shaft 1.3
//! wide and 1.2 deep. On frontal films of real hips without a fracture the shaft's middle lies 1.18 beside the head's center (quartiles
//! 1.05 to 1.40; docs/experiments/029): necks here are a little shorter and steeper than those means, and differ less.

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
    /// How far the crest between the trochanters stands out behind, over the mean.
    pub crest: f32,
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
    /// How far below the neck's base the shaft's walls have their full thickness, millimeters: soon in a funnel-shaped canal,
    /// late in one like a stovepipe (Dorr et al., Bone 1993).
    pub flare: f32,
    /// Depth of the pit for the head's ligament, millimeters.
    pub fovea: f32,
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
            neck_shaft_angle: normal(rng, 128.0, 5.0).clamp(108.0, 146.0),
            neck_length: 54.5 * (1.0 + normal(rng, 0.0, 0.055)),
            neck_width: 1.0 + normal(rng, 0.0, 0.06),
            shaft_radius: 14.4 * (1.0 + normal(rng, 0.0, 0.06)),
            cortex: 1.0,
            density: 1.0,
            singh: 1.0,
            greater: 1.03 + normal(rng, 0.0, 0.06),
            lesser: 0.9 + normal(rng, 0.0, 0.13),
            crest: uniform(rng, 0.55, 1.15),
            bow: uniform(rng, 2.0, 16.0),
            varus_bow: normal(rng, 0.0, 5.0),
            collar: if arthritic { uniform(rng, 0.5, 4.5) } else { uniform(rng, 0.0, 0.4) },
            collar_place: uniform(rng, 0.0, 1.0),
            flattening: if arthritic { uniform(rng, 0.0, 3.5) } else { 0.0 },
            flare: uniform(rng, 40.0, 74.0),
            fovea: uniform(rng, 0.5, 3.5),
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
        self.at(6.0, 44.0 * self.greater, -2.0)
    }

    /// Tip of the lesser trochanter.
    #[must_use]
    pub fn lesser_trochanter(&self) -> Vec3 {
        self.at(-17.0, -18.0, -22.0)
    }

    /// A point on the shaft axis, `below` millimeters under the neck base.
    #[must_use]
    pub fn on_shaft(&self, below: f32) -> Vec3 {
        // Straight below the trochanters, then bending away.
        let t = (below / self.length - 0.15).max(0.0);
        let arch = -1.4 * t * t;
        self.neck_base() + v(self.varus_bow * arch, -below, self.bow * arch)
    }

    /// The implicit function of the bone's outer surface, to be sampled.
    #[must_use]
    pub fn skeleton(&self) -> Skeleton {
        let mut bone = Skeleton::new();
        self.add_head_and_neck(&mut bone);
        self.add_trochanters(&mut bone);
        self.add_shaft(&mut bone);
        bone
    }

    /// A sphere of the skeleton whose radius is given in millimeters of the mean femur.
    fn node(&self, center: Vec3, radius: f32) -> Node {
        Node { center, radius: radius * self.scale() }
    }

    /// Head, and the neck as two rods one above the other, as it is taller than deep; it runs a little in front of the line
    /// from the head to the shaft's axis.
    fn add_head_and_neck(&self, bone: &mut Skeleton) {
        let (k, w) = (self.scale(), self.neck_width);
        let n = |s: f32, up: f32, front: f32, r: f32| {
            self.node(self.on_neck(s, up * k * w) + v(0.0, 0.0, front * k), r * w)
        };
        bone.push(Element::Ball(Node { center: Vec3::default(), radius: self.head_radius }), 0.0);
        bone.chain(&[n(0.86, 5.0, 1.0, 13.0), n(0.62, 4.8, 5.0, 11.5), n(0.36, 7.0, 8.0, 12.0)], 5.0);
        bone.chain(&[n(0.82, -5.2, 1.0, 12.0), n(0.62, -5.0, 4.0, 10.8), n(0.34, -10.0, 5.0, 12.0)], 5.0);
        if self.collar > 0.3 {
            let up = (self.collar_place * 2.0 - 1.0) * 15.0 * k;
            bone.push(Element::Ball(Node { center: self.on_neck(0.74, up), radius: 7.0 + self.collar }), 5.0);
        }
    }

    /// The greater trochanter, hollow behind the neck, and the crest from it down to the lesser trochanter.
    fn add_trochanters(&self, bone: &mut Skeleton) {
        let (k, g, l) = (self.scale(), self.greater, self.lesser);
        let n = |x: f32, y: f32, z: f32, r: f32| self.node(self.at(x, if y > 0.0 { y * g } else { y }, z), r);
        let on_neck = |s: f32, up: f32, z: f32, r: f32| self.node(self.on_neck(s, up * k) + v(0.0, 0.0, z * k), r);
        let body = [
            n(-15.5, -8.0, 0.0, 13.0),
            n(-11.5, -22.0, -1.0, 13.0),
            n(-5.0, -32.0, -0.5, 12.9),
            n(-1.0, -48.0, 0.0, 14.2),
            n(8.5, -8.0, 0.0, 10.5),
            n(5.0, -22.0, 0.0, 11.0),
            n(2.5, -32.0, 0.0, 12.2),
            n(0.3, -48.0, 0.0, 14.2),
            on_neck(0.3, -10.5, 5.0, 12.0),
            n(2.0, 4.0, 6.0, 12.5),
            n(5.0, -18.0, 4.5, 11.0),
            n(-3.0, -22.0, 4.5, 11.0),
            n(-1.0, -34.0, 1.5, 13.0),
            n(5.0, -6.0, -5.0, 11.5),
            n(1.0, -20.0, -4.5, 11.5),
        ];
        let slabs = [
            [0, 1, 4],
            [1, 4, 5],
            [1, 2, 5],
            [2, 5, 6],
            [2, 3, 6],
            [3, 6, 7],
            [0, 8, 9],
            [0, 9, 4],
            [9, 10, 4],
            [9, 10, 11],
            [10, 11, 12],
            [0, 13, 14],
            [13, 4, 14],
            [0, 1, 14],
            [13, 9, 0],
            [14, 1, 2],
        ];
        bone.slabs(&body, &slabs, 6.0);
        let greater = [
            n(14.0, 14.0, 4.0, 10.5),
            n(12.5, 25.0, 4.0, 9.5),
            n(5.0, 13.0, 12.0, 10.5),
            n(7.0, 25.0, 14.0, 8.5),
            n(6.0, 14.0, -8.0, 9.0),
            n(8.5, 25.0, -5.0, 8.5),
            n(10.0, 34.0, 7.0, 7.5),
            n(8.0, 35.0, -4.0, 7.5),
            n(5.5, 39.0, -2.0, 6.0),
            n(11.5, 4.0, 2.0, 11.5),
            n(2.0, 4.0, 7.0, 12.0),
            on_neck(0.42, 9.5, 9.0, 11.5),
            n(1.5, 34.5, -8.0, 4.5),
        ];
        let slabs = [
            [0, 1, 2],
            [1, 2, 3],
            [0, 1, 4],
            [1, 4, 5],
            [1, 3, 6],
            [1, 6, 5],
            [5, 6, 7],
            [6, 7, 8],
            [7, 8, 12],
            [0, 9, 2],
            [9, 2, 10],
            [9, 0, 4],
            [9, 10, 4],
            [11, 2, 3],
            [11, 10, 2],
        ];
        bone.slabs(&greater, &slabs, 5.0);
        let h = self.crest;
        let crest = [
            n(7.0, 22.0, -8.0 * h, 7.5),
            n(3.5, 8.0, -11.0 * h, 8.0),
            n(-5.0, -3.0, -12.0 * h, 8.0),
            n(-12.0, -14.0, -15.0, 7.0),
        ];
        bone.chain(&crest, 10.0);
        // It rises gently from the shaft below.
        bone.chain(&[n(-8.0, -18.0, -6.0, 11.0), n(-13.0, -17.0, -17.0, 6.5 * l)], 10.0);
        bone.chain(&[n(-13.0, -18.0, -16.0, 6.0 * l), n(-8.0, -31.0, -8.5, 8.8), n(-3.0, -50.0, -2.5, 13.0)], 8.0);
    }

    fn add_shaft(&self, bone: &mut Skeleton) {
        let (k, r) = (self.scale(), self.shaft_radius / self.scale());
        let mut shaft = vec![self.node(self.at(-0.6, -52.0, 0.0), r * 1.02)];
        for below in [62.0, 95.0, 140.0, 190.0, 240.0] {
            shaft.push(self.node(self.on_shaft(below * k), r * (1.03 - 0.0003 * below)));
        }
        shaft.push(self.node(self.on_shaft(self.length), r));
        bone.chain(&shaft, 3.0);
    }

    /// Cortical thickness of a healthy adult in millimeters at a point of the surface; [`FemurShape::cortex`] scales it.
    #[must_use]
    pub fn thickness(&self, p: Vec3) -> f32 {
        let k = self.scale();
        let q = (p - self.neck_base()) * (1.0 / k);
        // The shaft's walls are thicker at the sides than in front and behind; the medial one is so farther up.
        let axis = self.on_shaft((-q.y).max(0.0) * k) - self.neck_base();
        let (x, z) = (q.x - axis.x / k, q.z - axis.z / k);
        let side = x * x / (x * x + z * z).max(1.0);
        let wall = 3.5 + 3.9 * side + if z < 0.0 { 0.6 * (1.0 - side) } else { 0.0 };
        let medial = smoothstep(6.0, -8.0, x);
        // The lesser trochanter stands off the wall with a thin shell of its own.
        let off = smoothstep(17.0, 21.0, x.hypot(z)) * smoothstep(-44.0, -30.0, q.y) * smoothstep(-9.0, -16.0, z);
        // How far along the neck, from the shaft's axis to the head's center.
        let n = self.neck_axis();
        let s = 1.0 + p.dot(n) / self.neck_length;
        let grown = (medial * smoothstep(20.0, -0.9 * self.flare, q.y) * smoothstep(0.7, 0.45, s)
            + (1.0 - medial) * smoothstep(0.0, -self.flare, q.y))
            * (1.0 - 0.85 * medial * off);
        // Thinner on the neck, and a plate on the head that no film shows as a line.
        let shell = 0.36 - 0.12 * smoothstep(-15.0, 15.0, q.y) - 0.22 * smoothstep(0.5, 0.8, s);
        let base = shell + (wall - shell) * grown;
        // The neck is thick below (calcar) and thin above.
        let across = p.dot(v(n.y, -n.x, 0.0)) / k;
        let on_neck = smoothstep(0.0, 0.22, s) * smoothstep(0.95, 0.4, s);
        let calcar = 2.4 * on_neck * smoothstep(-6.0, -15.0, across);
        let above = 0.35 * on_neck * smoothstep(4.0, 12.0, across);
        // The head's shell is faint where the acetabulum covers it, and seen below.
        let crown = (0.04 * smoothstep(-15.0, 5.0, p.x / k) + 0.05 * smoothstep(-2.0, -14.0, p.y / k))
            * smoothstep(0.72, 0.92, s);
        k * (base.max(shell + calcar) + above + crown).max(0.08)
    }

    /// Volume fraction of compact bone that attenuates like the spongy inside at a point of the frontal plane, before texture:
    /// the groups of trabeculae (Ward 1838; Singh et al., J Bone Joint Surg Am 1970), Ward's triangle between them, and the
    /// marrow, which is mostly fat: it attenuates less than the soft tissue in whose place it is, so that where the trabeculae
    /// are gone the fraction is negative.
    #[must_use]
    pub fn spongy_fraction(&self, p: Vec3) -> f32 {
        const MARROW: f32 = 0.05;
        let q = (p - self.neck_base()) * (1.0 / self.scale());
        let [compressive, tensile, secondary, trochanteric] = self.bands(p);
        let canal = smoothstep(-70.0, -14.0, q.y);
        let trochanter = smoothstep(-4.0, 10.0, q.x) * smoothstep(-40.0, -10.0, q.y);
        let left = self.left();
        let bone = 0.072 + 0.02 * self.singh - 0.025 * trochanter
            + 0.075 * compressive * left[0]
            + 0.05 * tensile * left[1]
            + 0.045 * secondary * left[2]
            + 0.055 * trochanteric * left[3];
        let bone = bone * canal * self.density;
        bone - MARROW * (1.0 - bone)
    }

    /// How much of each group in [`FemurShape::bands`] is left: the minor ones go first (Singh index 6 to 1).
    fn left(&self) -> [f32; 4] {
        let s = self.singh;
        [0.55 + 0.45 * s, smoothstep(0.0, 0.6, s), smoothstep(0.25, 0.8, s), smoothstep(0.4, 0.9, s)]
    }

    /// Strength (0..=1) of the groups of trabeculae at a point of the frontal plane: principal compressive and tensile,
    /// secondary compressive, trochanteric.
    fn bands(&self, p: Vec3) -> [f32; 4] {
        let k = self.scale();
        // Fans from the medial wall: through the middle of the head to its upper pole, and across to the greater trochanter.
        let fan = |foot: Vec3, top: Vec3, width: [f32; 2]| {
            let axis = top - foot;
            let t = (p - foot).dot(axis) / axis.dot(axis);
            if !(-0.15..1.3).contains(&t) {
                return 0.0;
            }
            let off = ((p - foot) - axis * t).length() / k;
            let width = width[0] + width[1] * t.clamp(0.0, 1.2);
            if off > 3.0 * width {
                return 0.0;
            }
            (-(off / width).powi(2)).exp() * smoothstep(-0.15, 0.15, t) * smoothstep(1.3, 1.0, t)
        };
        let compressive = fan(self.on_neck(0.22, -18.0 * k), v(-2.0, 20.0, 0.0) * k, [5.0, 8.0]);
        let secondary = fan(self.at(-19.0, -20.0, 0.0), self.at(9.0, 20.0, 0.0), [6.0, 9.0]);
        let trochanteric = fan(self.at(17.0, -8.0, 0.0), self.at(9.0, 38.0, 0.0), [4.0, 3.0]);
        // Tensile: an arch from the lateral cortex through the upper neck into the lower head.
        let (center, radius) = self.tensile_circle();
        let d = ((p - center).length() - radius) / (7.0 * k);
        [compressive, (-d * d).exp(), secondary, trochanteric]
    }

    /// Strength (0..=1) of what is left of the trabeculae along the compressive and along the tensile system at a point of the
    /// frontal plane.
    #[must_use]
    pub fn groups(&self, p: Vec3) -> (f32, f32) {
        let (bands, left) = (self.bands(p), self.left());
        let of = |i: usize| bands[i] * left[i];
        ((of(0) + 0.5 * of(2)).min(1.0), (of(1) + 0.5 * of(3)).min(1.0))
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
        let pit = v(-0.86, -0.28, -0.42).unit() * (shape.head_radius + 11.0 - shape.fovea);
        let outer = grid.sample_near(3.0, 11.0, |p| {
            let d = bone.distance(p);
            let d = if p.x < pit.x + 14.0 { smooth_max(d, 11.0 - (p - pit).length(), 3.0) } else { d };
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
        self.outer.iter().zip(&self.thickness).map(|(d, t)| d + (t * scale).max(0.08)).collect()
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
    fn the_greater_trochanter_is_widest_near_the_heads_lower_pole_and_tapers_to_the_shaft() {
        for n in 0..8 {
            let shape = FemurShape { neck_shaft_angle: 126.5, neck_length: 57.5, ..FemurShape::numbered(n) };
            let (bone, r) = (shape.skeleton(), shape.head_radius);
            let inside = |x: f32, y: f32| (-6..=6).any(|z| bone.distance(v(x, y, 0.15 * r * z as f32)) < 0.0);
            // The outline's lateral edge so many head radii below the center, in head radii.
            let edge = |level: f32| (0..160).rev().map(|i| 0.02 * i as f32).find(|x| inside(x * r, -level * r));
            let at = |level: f32| edge(level).unwrap_or(f32::MIN);
            let widest = (0..60).map(|i| 0.05 * i as f32).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap_or(0.0);
            assert!((0.6..1.35).contains(&widest), "{n}: {widest}");
            assert!(at(0.37) > at(widest) - 0.2, "{n}: {} and {}", at(0.37), at(widest));
            assert!(at(2.2) < at(widest) - 0.15 && at(4.0) < at(widest) - 0.25, "{n}");
            assert!((0.2..0.75).contains(&(shape.greater_trochanter().y / r)));
            assert!((1.8..2.5).contains(&(-shape.lesser_trochanter().y / r)));
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
