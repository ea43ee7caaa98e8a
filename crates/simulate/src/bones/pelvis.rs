//! The bony pelvis and the lower lumbar spine.
//!
//! The patient's frame has its origin midway between the two hip centers; x to the patient's left, y cranial, z anterior. The
//! *left* hip bone is modeled and mirrored. Coordinates of its nodes are those of a woman with hip centers 176 mm apart.
//!
//! Measures: hip centers 170–180 mm apart, anterior superior spines 225–240 mm, intercristal width 270–285 mm, height of the hip
//! bone 200–215 mm, ischial tuberosities 120 mm (Reynolds, Snow & Young, "Spatial geometry of the human pelvis", FAA-AM-82-9;
//! Bell, Pedersen & Brand, J Biomech 1990); acetabular inclination 40 ± 5°, anteversion 15–20° (Murray, J Bone Joint Surg Br
//! 1993); joint space 3–5 mm (Lequesne et al., Ann Rheum Dis 2004); L4 and L5 bodies 34 × 48 mm, 27 mm high (Zhou et al., Eur
//! Spine J 2000).

use rand::SeedableRng;

use crate::geometry::grid::Grid;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::{Element, Node, Skeleton, node, smooth_max};
use crate::geometry::{Vec3, smoothstep, v};
use crate::random::{FilmRng, normal, uniform};

/// How many different pelves there are.
pub const PELVES: usize = 24;

/// The measures in which templates of the bank differ. Templates have hip centers 176 mm apart.
#[derive(Clone, Copy, Debug)]
pub struct PelvisShape {
    /// Radius of the acetabular cavity over that of a head of 44 mm.
    pub cavity: f32,
    /// Inclination and anteversion of the acetabular opening, degrees.
    pub opening: [f32; 2],
    /// Lateral overhang of the roof (osteophytes), millimeters.
    pub overhang: f32,
    /// Cortical thickness over that of a healthy adult.
    pub cortex: f32,
    /// Width of the symphysis' gap, millimeters.
    pub symphysis: f32,
    /// Width of the sacroiliac joints, millimeters.
    pub sacroiliac: f32,
    /// Turn of the sacrum about x, degrees: more is more horizontal.
    pub sacral_tilt: f32,
    /// Scoliosis: sideways shift of a lumbar level against the one below, millimeters.
    pub scoliosis: f32,
}

/// How a template becomes one person's pelvis.
#[derive(Clone, Copy, Debug)]
pub struct PelvisFit {
    /// Size over the template's.
    pub scale: f32,
    /// Half the distance of the hip centers, millimeters.
    pub half_distance: f32,
    /// Stretch of the wing above the hip along x (flare) and y (height).
    pub wing: [f32; 2],
    /// Stretch of the pubis and ischium along y.
    pub depth: f32,
    /// Subpubic widening (female arch), millimeters at the tuberosities.
    pub arch: f32,
    /// Volume fraction of spongy bone.
    pub fraction: f32,
    /// Smooth individual warp: three waves, each a wave vector (1/mm), a phase and a shift in millimeters.
    pub waves: [(Vec3, f32, Vec3); 3],
    /// Difference of the sides: shift of the right side's wing, millimeters.
    pub asymmetry: Vec3,
}

impl PelvisFit {
    /// One person's pelvis; `female` (0 or 1) has a wider inlet and arch, `scale` is the size over the template's.
    #[must_use]
    pub fn draw(rng: &mut FilmRng, scale: f32, female: f32, age: f32, variation: f32) -> Self {
        let s = 0.4 + 0.6 * variation;
        let aging = ((age - 45.0) / 50.0).clamp(0.0, 1.0);
        let warp = 1.0 + 2.0 * s;
        let waves = [0, 1, 2].map(|_| {
            let mut vector = |size: f32| v(normal(rng, 0.0, size), normal(rng, 0.0, size), normal(rng, 0.0, size));
            let (wave, shift) = (vector(0.02), vector(warp));
            (wave, uniform(rng, 0.0, std::f32::consts::TAU), shift)
        });
        Self {
            scale,
            half_distance: (83.5 + 4.5 * female) * (0.4 + 0.6 * scale) * (1.0 + normal(rng, 0.0, 0.03 * s)),
            wing: [1.0 + 0.03 * female + normal(rng, 0.0, 0.07 * s), 1.0 + normal(rng, 0.0, 0.06 * s)],
            depth: 1.03 - 0.05 * female + normal(rng, 0.0, 0.05 * s),
            arch: 6.0 * female - 3.0 + normal(rng, 0.0, 3.5 * s),
            fraction: (0.10 * (1.0 - 0.45 * aging) + normal(rng, 0.0, 0.03)).clamp(0.03, 0.25),
            waves,
            asymmetry: v(normal(rng, 0.0, 1.5 * s), normal(rng, 0.0, 2.0 * s), normal(rng, 0.0, 2.0 * s)),
        }
    }

    /// Center of the left acetabulum.
    #[must_use]
    pub fn hip(&self) -> Vec3 {
        v(self.half_distance, 0.0, 0.0)
    }

    /// Takes a point of the template's left half (x ≥ 0) or of its spine to this person's. Near the hip it is a scaling, so that
    /// sockets stay round.
    #[must_use]
    pub fn place(&self, p: Vec3) -> Vec3 {
        let x = p.x.abs();
        let q = v(x, p.y, p.z) * self.scale;
        let up = smoothstep(25.0, 110.0, p.y);
        let down = smoothstep(-28.0, -70.0, p.y);
        let middle = smoothstep(0.0, 55.0, x);
        let widen = (self.half_distance - 88.0 * self.scale) * middle;
        let flare = (self.wing[0] - 1.0) * (x - 45.0).max(0.0) * up * 1.6;
        let mut moved = v(
            q.x + widen + flare + self.arch * down * smoothstep(8.0, 40.0, x),
            q.y + (self.wing[1] - 1.0) * (p.y - 25.0).max(0.0) + (self.depth - 1.0) * (p.y + 28.0).min(0.0),
            q.z,
        );
        let away = v(x - 88.0, p.y, p.z).length();
        let strength = smoothstep(34.0, 75.0, away) * smoothstep(2.0, 25.0, x);
        for (wave, phase, shift) in &self.waves {
            moved += *shift * ((wave.dot(q) + phase).sin() * strength);
        }
        if p.x < 0.0 { moved.mirrored() } else { moved }
    }

    /// [`PelvisFit::place`] for the right side, before mirroring.
    #[must_use]
    pub fn place_right(&self, p: Vec3) -> Vec3 {
        self.place(p) + self.asymmetry * smoothstep(40.0, 120.0, p.y)
    }
}

impl PelvisShape {
    /// The shape of the template of this number (modulo [`PELVES`]).
    #[must_use]
    pub fn numbered(number: usize) -> Self {
        Self::template(&mut FilmRng::seed_from_u64(0x7065_6c76 + (number % PELVES) as u64))
    }

    /// A pelvis for the bank of templates.
    #[must_use]
    pub fn template(rng: &mut FilmRng) -> Self {
        Self {
            cavity: 22.0 + uniform(rng, 2.0, 4.3),
            opening: [normal(rng, 41.0, 4.5), normal(rng, 17.0, 6.0)],
            overhang: uniform(rng, -3.0, 2.5),
            cortex: uniform(rng, 0.55, 1.2),
            symphysis: uniform(rng, 1.2, 3.4),
            sacroiliac: uniform(rng, 1.0, 3.0),
            sacral_tilt: normal(rng, 0.0, 8.0),
            scoliosis: normal(rng, 0.0, 4.0),
        }
    }

    /// Center of the left acetabulum.
    fn hip(&self) -> Vec3 {
        v(88.0, 0.0, 0.0)
    }

    /// The implicit function of the left hip bone.
    #[must_use]
    pub fn hip_bone(&self) -> Skeleton {
        const NODES: [Node; 40] = [
            node(96.0, 29.0, 14.0, 10.0),   // 0 roof, front
            node(84.0, 32.0, -20.0, 12.0),  // 1 roof, back
            node(106.0, 33.0, 28.0, 7.0),   // 2 anterior inferior spine
            node(129.0, 78.0, 46.0, 5.5),   // 3 anterior superior spine
            node(140.0, 97.0, 37.0, 5.0),   // 4 crest
            node(143.0, 109.0, 15.0, 6.5),  // 5 tubercle
            node(136.0, 124.0, -12.0, 5.0), // 6 crest
            node(117.0, 137.0, -32.0, 4.5), // 7 crest, top
            node(95.0, 142.0, -51.0, 5.0),  // 8 crest
            node(71.0, 133.0, -73.0, 7.0),  // 9 crest, back
            node(49.0, 106.0, -91.0, 7.5),  // 10 posterior superior spine
            node(45.0, 72.0, -84.0, 7.0),   // 11 posterior inferior spine
            node(65.0, 40.0, -52.0, 7.0),   // 12 greater notch
            node(58.0, 91.0, -67.0, 8.5),   // 13 auricular surface
            node(79.0, 34.0, -18.0, 7.5),   // 14 arcuate line, middle
            node(64.0, 62.0, -46.0, 8.0),   // 15 arcuate line, back
            node(124.0, 100.0, 10.0, 2.6),  // 16 fossa
            node(106.0, 105.0, -24.0, 2.4), // 17 fossa
            node(108.0, 60.0, 12.0, 5.0),   // 18 lower wing
            node(89.0, 62.0, -26.0, 6.0),   // 19 lower wing, back
            node(76.0, 6.0, 18.0, 10.0),    // 20 anterior column
            node(58.0, -9.0, 31.0, 7.5),    // 21 superior ramus
            node(39.0, -19.0, 44.0, 6.5),   // 22 superior ramus
            node(22.0, -25.0, 50.0, 8.0),   // 23 pubic body
            node(9.5, -28.0, 48.0, 8.0),    // 24 symphysis, top
            node(9.0, -46.0, 40.0, 7.0),    // 25 symphysis, bottom
            node(26.0, -19.0, 56.0, 4.5),   // 26 pubic tubercle
            node(15.0, -51.0, 36.0, 5.2),   // 27 inferior ramus
            node(26.0, -58.0, 22.0, 5.2),   // 28 inferior ramus
            node(36.0, -63.0, 4.0, 6.0),    // 29 ischial ramus
            node(48.0, -64.0, -18.0, 10.0), // 30 tuberosity, front
            node(63.0, -57.0, -30.0, 15.0), // 31 tuberosity, back
            node(73.0, -38.0, -32.0, 12.5), // 32 ischium
            node(77.0, -20.0, -24.0, 12.0), // 33 posterior column
            node(77.0, 16.0, -36.0, 11.0),  // 34 posterior column, top
            node(63.0, 0.0, -46.0, 6.5),    // 35 spine's base
            node(52.0, -5.0, -54.0, 3.0),   // 36 ischial spine
            node(67.5, 4.0, -6.0, 3.2),     // 37 quadrilateral plate
            node(67.0, -24.0, -18.0, 5.5),  // 38 quadrilateral plate, below
            node(78.0, -26.0, 3.0, 6.0),    // 39 lower rim
        ];
        const SLABS: [[usize; 3]; 32] = [
            [0, 2, 18],
            [2, 3, 18],
            [3, 4, 16],
            [3, 18, 16],
            [4, 5, 16],
            [5, 6, 16],
            [6, 17, 16],
            [6, 7, 17],
            [7, 8, 17],
            [16, 17, 18],
            [17, 19, 18],
            [0, 18, 19],
            [0, 1, 19],
            [1, 14, 19],
            [14, 15, 19],
            [15, 13, 19],
            [13, 17, 19],
            [8, 13, 17],
            [8, 9, 13],
            [9, 10, 13],
            [10, 11, 13],
            [11, 12, 15],
            [11, 15, 13],
            [12, 14, 15],
            [1, 12, 14],
            [23, 24, 25],
            [37, 34, 38],
            [37, 34, 14],
            [33, 34, 38],
            [33, 32, 38],
            [34, 35, 33],
            [30, 31, 32],
        ];
        let nodes = NODES;
        let mut bone = Skeleton::new();
        bone.slabs(&nodes, &SLABS, 5.0);
        let chains: [&[usize]; 9] = [
            &[3, 4, 5, 6, 7, 8, 9, 10],
            &[20, 21, 22, 23],
            &[22, 26],
            &[25, 27, 28, 29, 30],
            &[31, 32, 33],
            &[33, 34, 12],
            &[35, 36],
            &[39, 33],
            &[20, 14],
        ];
        for chain in chains {
            let picked: Vec<Node> = chain.iter().map(|i| nodes[*i]).collect();
            bone.chain(&picked, 5.0);
        }
        bone.push(Element::Ball(Node { center: self.hip() + v(2.5, 3.0, -1.0), radius: self.cavity + 4.2 }), 4.0);
        let roof = self.hip() + v(0.66, 0.74, 0.05) * (self.cavity + 2.0);
        bone.push(Element::Ball(Node { center: roof, radius: 4.0 + 0.5 * self.overhang }), 6.0);
        bone
    }

    /// Carves the socket: cavity, fossa with its notch, and everything beyond the plane of the opening.
    fn carve(&self, d: f32, p: Vec3) -> f32 {
        let q = p - self.hip();
        if q.length() > self.cavity + 22.0 {
            return d;
        }
        let cavity = q.length() - self.cavity;
        let fossa = (q - v(-6.5, -5.0, 1.0) * (self.cavity / 25.0)).length() - self.cavity * 0.74;
        let notch = {
            let (a, b) = (v(-9.0, -14.0, 4.0), v(-11.0, -38.0, 10.0));
            let t = ((q - a).dot(b - a) / (b - a).dot(b - a)).clamp(0.0, 1.0);
            (q - a.lerp(b, t)).length() - 8.0
        };
        let (i, a) = (self.opening[0].to_radians(), self.opening[1].to_radians());
        let outwards = v(i.cos() * a.cos(), -i.sin() * a.cos(), a.sin());
        // Beyond the rim, only bone near the head is removed; the columns stay.
        let rim = (2.0 - q.dot(outwards)).max(q.length() - self.cavity - 9.5);
        let hollow = cavity.min(fossa).min(notch).min(rim);
        smooth_max(d, -hollow, 2.5)
    }

    /// Cortical thickness of the hip bone at a point, millimeters.
    fn thickness(&self, p: Vec3) -> f32 {
        let q = p - self.hip();
        let near_socket = smoothstep(14.0, 2.0, (q.length() - self.cavity).abs());
        let roof = smoothstep(0.35, 0.9, q.unit().y) * smoothstep(-0.55, 0.1, q.unit().x);
        let brim = {
            let line = [v(58.0, 64.0, -48.0), v(72.0, 34.0, -20.0), v(68.0, 10.0, 10.0), v(52.0, -5.0, 34.0)];
            let mut least = f32::MAX;
            for pair in line.windows(2) {
                let t =
                    ((p - pair[0]).dot(pair[1] - pair[0]) / (pair[1] - pair[0]).dot(pair[1] - pair[0])).clamp(0.0, 1.0);
                least = least.min((p - pair[0].lerp(pair[1], t)).length());
            }
            smoothstep(14.0, 4.0, least)
        };
        let base = 1.5 - 0.45 * smoothstep(50.0, 90.0, p.y);
        (base + near_socket * (0.05 + 0.75 * roof) + 0.35 * brim) * self.cortex
    }

    /// The outer surface of the left hip bone and the inner surface of its cortex.
    #[must_use]
    pub fn hip_bone_meshes(&self, step: f32) -> [Mesh; 2] {
        let bone = self.hip_bone();
        let (low, high) = bone.bounding_box();
        let grid = Grid::even(v(self.symphysis * 0.5 - 1.0, low.y, low.z), high, step);
        let outer = grid.sample_near(4.0, 6.0, |p| {
            let d = self.carve(bone.distance(p), p);
            smooth_max(d, self.symphysis * 0.5 - p.x, 3.0)
        });
        let outer = grid.smoothed(&grid.smoothed(&outer));
        let [nx, ny, _] = grid.shape();
        let inner: Vec<f32> = outer
            .iter()
            .enumerate()
            .map(|(i, d)| {
                if *d > 0.5 || *d < -8.0 {
                    return *d + 1.5;
                }
                d + self.thickness(v(grid.axes[0][i % nx], grid.axes[1][i / nx % ny], grid.axes[2][i / (nx * ny)]))
            })
            .collect();
        [grid.mesh(&outer), grid.mesh(&inner)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};

    #[test]
    fn the_socket_is_hollow_and_has_a_roof() {
        let shape = PelvisShape::numbered(0);
        let bone = shape.hip_bone();
        let at = |p: Vec3| shape.carve(bone.distance(p), p);
        assert!(at(shape.hip()) > 10.0);
        assert!(at(shape.hip() + v(0.0, shape.cavity + 5.0, 0.0)) < 0.0);
        assert!(at(shape.hip() + v(shape.cavity, -shape.cavity, 0.0)) > 0.0);
    }

    #[test]
    fn fitting_keeps_sockets_round_and_halves_mirrored() {
        let fit = PelvisFit::draw(&mut stream(1, 1, Stream::Patient), 1.05, 1.0, 70.0, 1.0);
        let center = fit.place(v(88.0, 0.0, 0.0));
        assert!((center - fit.hip()).length() < 1.0, "{center:?}");
        for d in [v(25.0, 0.0, 0.0), v(0.0, 25.0, 0.0), v(0.0, 0.0, -25.0)] {
            let radius = (fit.place(v(88.0, 0.0, 0.0) + d) - center).length();
            assert!((radius / (25.0 * fit.scale) - 1.0).abs() < 0.12, "{radius}");
        }
        let p = v(40.0, 90.0, -50.0);
        assert!((fit.place(p.mirrored()) - fit.place(p).mirrored()).length() < 1e-3);
    }
}
