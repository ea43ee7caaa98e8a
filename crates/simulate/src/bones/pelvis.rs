//! The bony pelvis.
//!
//! The patient's frame has its origin midway between the two hip centers; x to the patient's left, y cranial, z anterior. The
//! *left* hip bone is modeled and mirrored. Nodes of the hip bone are given from its hip's center, in millimeters of a pelvis
//! whose femoral heads have a radius of 22 mm.
//!
//! Where landmarks lie, how thick the blade of the ilium is and how the sexes differ was measured on ten adults in CT pose
//! (VSDFullBodyBoneModels v2, Fischer 2023), in units of the head's radius: hip centers 7.4 apart, lowest point of the ischium 2.7
//! below them, iliac crest 6.4 above, anterior superior spine 2.8 above, blade 0.25 thick in its middle and 0.65 at the rims, inner
//! wall of the socket 1.45 medial of the center; in women the symphysis lies 0.6 lower and the tuberosities 0.35 farther apart
//! on each side than in men. The inner wall of the true pelvis is most medial at the brim in front, by 0.1 to 0.3 more than at the
//! column behind, and steps back by a quarter at the greater notch (testdata/inner_wall). Acetabular inclination 40 ± 5°, anteversion
//! 15–20° (Murray, J Bone Joint Surg Br 1993); joint space 3–5 mm (Lequesne et al., Ann Rheum Dis 2004).

use rand::SeedableRng;

use crate::geometry::grid::Grid;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::{Element, Node, Skeleton, node, smooth_max};
use crate::geometry::{Vec3, smoothstep, v};
use crate::noise::tile_at;
use crate::random::{FilmRng, normal, uniform};

/// How many different pelves there are.
pub const PELVES: usize = 24;

/// Half the distance of the templates' hip centers, millimeters.
pub(super) const HALF_DISTANCE: f32 = 82.0;

/// The measures in which templates of the bank differ.
#[derive(Clone, Copy, Debug)]
pub struct PelvisShape {
    /// Radius of the acetabular cavity over that of a head of 44 mm.
    pub cavity: f32,
    /// Inclination and anteversion of the acetabular opening, degrees.
    pub opening: [f32; 2],
    /// How far the rim of the wall in front and of that behind lies beyond the plane of the opening, millimeters.
    pub walls: [f32; 2],
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
    /// How far the symphysis lies below its place in the template, millimeters.
    pub pubis: f32,
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
            half_distance: (84.5 + 1.5 * female) * (0.4 + 0.6 * scale) * (1.0 + normal(rng, 0.0, 0.03 * s)),
            wing: [1.0 + 0.03 * female + normal(rng, 0.0, 0.07 * s), 1.0 + normal(rng, 0.0, 0.06 * s)],
            depth: 1.0 + normal(rng, 0.0, 0.05 * s),
            arch: 8.0 * female - 5.0 + normal(rng, 0.0, 4.0 * s),
            pubis: 12.0 * female - 6.0 + normal(rng, 0.0, 3.0 * s),
            fraction: (0.08 * (1.0 - 0.45 * aging) + normal(rng, 0.0, 0.02)).clamp(0.03, 0.2),
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
        let down = smoothstep(-24.0, -58.0, p.y);
        let middle = smoothstep(0.0, 55.0, x);
        let widen = (self.half_distance - HALF_DISTANCE * self.scale) * middle;
        let flare = (self.wing[0] - 1.0) * (x - 40.0).max(0.0) * up * 1.6;
        let front = smoothstep(50.0, 12.0, x) * smoothstep(-5.0, 25.0, p.z) * smoothstep(30.0, 0.0, p.y);
        let mut moved = v(
            q.x + widen + flare + self.arch * down * smoothstep(8.0, 40.0, x),
            q.y + (self.wing[1] - 1.0) * (p.y - 25.0).max(0.0) + (self.depth - 1.0) * (p.y + 24.0).min(0.0)
                - self.pubis * front,
            q.z,
        );
        let away = v(x - HALF_DISTANCE, p.y, p.z).length();
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
            opening: [normal(rng, 41.0, 4.5), normal(rng, 15.0, 5.5)],
            walls: [uniform(rng, -8.0, -1.0), uniform(rng, -6.0, 4.0)],
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
        v(HALF_DISTANCE, 0.0, 0.0)
    }

    /// The implicit function of the left hip bone.
    #[must_use]
    pub fn hip_bone(&self) -> Skeleton {
        const NODES: [Node; 67] = [
            node(8.0, 30.0, 13.0, 9.0),      // 0 roof, front
            node(-4.0, 31.0, -15.0, 10.0),   // 1 roof, back
            node(10.0, 34.0, 30.0, 6.5),     // 2 anterior inferior spine, foot
            node(14.0, 44.0, 38.0, 5.0),     // 3 anterior inferior spine
            node(24.0, 63.0, 52.0, 4.6),     // 4 anterior superior spine
            node(36.0, 82.0, 40.0, 4.6),     // 5 crest
            node(43.0, 100.0, 22.0, 5.6),    // 6 tubercle
            node(37.0, 119.0, 5.0, 4.6),     // 7 crest
            node(21.0, 133.0, -9.0, 4.2),    // 8 crest
            node(0.0, 137.0, -25.0, 4.6),    // 9 crest, top
            node(-18.0, 130.0, -45.0, 5.2),  // 10 crest
            node(-30.0, 115.0, -61.0, 6.2),  // 11 crest, back
            node(-37.0, 94.0, -69.0, 7.2),   // 12 posterior superior spine
            node(-29.5, 56.5, -58.0, 5.0),   // 13 posterior inferior spine
            node(-14.5, 51.0, -37.0, 5.2),   // 14 greater notch
            node(-33.0, 98.0, -50.0, 9.5),   // 15 auricular surface, top
            node(-30.0, 78.0, -46.0, 9.5),   // 16 auricular surface
            node(-16.0, 40.0, -8.0, 6.5),    // 17 arcuate line, middle
            node(-22.5, 64.0, -26.0, 8.0),   // 18 arcuate line, back
            node(22.0, 92.0, 6.0, 3.0),      // 19 blade, front
            node(0.0, 96.0, -16.0, 2.7),     // 20 blade, middle
            node(8.0, 116.0, -13.0, 2.8),    // 21 blade, top
            node(20.0, 72.0, 20.0, 5.4),     // 22 blade, front, low
            node(-1.0, 68.0, -8.0, 6.6),     // 23 blade, middle, low
            node(8.0, 54.0, 14.0, 6.0),      // 24 wing, low
            node(-8.0, 53.0, -16.0, 9.0),    // 25 wing, low, back
            node(-19.5, 30.0, 3.0, 6.5),     // 26 arcuate line, front
            node(-25.5, 18.0, 12.0, 6.3),    // 27 pelvic brim
            node(-22.0, 13.0, 23.0, 7.0),    // 28 iliopubic eminence
            node(-37.0, 0.5, 28.0, 6.4),     // 29 superior ramus
            node(-51.0, -10.0, 33.0, 6.2),   // 30 superior ramus
            node(-60.0, -17.0, 34.0, 7.0),   // 31 pubic body, lateral
            node(-74.0, -19.0, 37.0, 7.0),   // 32 symphysis, top
            node(-73.5, -34.5, 18.0, 6.6),   // 33 symphysis, bottom
            node(-58.0, -10.0, 41.0, 3.4),   // 34 pubic tubercle
            node(-65.0, -38.5, 10.0, 5.2),   // 35 inferior ramus
            node(-57.0, -44.0, -2.0, 6.0),   // 36 inferior ramus
            node(-48.0, -47.0, -13.0, 7.4),  // 37 ischial ramus
            node(-38.0, -48.5, -28.0, 9.5),  // 38 tuberosity, front
            node(-27.5, -43.0, -40.0, 11.0), // 39 tuberosity
            node(-23.0, -29.0, -43.0, 12.0), // 40 tuberosity, top
            node(-20.5, -15.0, -37.0, 12.0), // 41 ischium
            node(-18.0, 4.0, -33.0, 11.5),   // 42 posterior column
            node(-14.5, 22.0, -30.0, 10.0),  // 43 posterior column, top
            node(-27.0, 2.0, -40.0, 6.0),    // 44 ischial spine's foot
            node(-33.0, 0.0, -49.0, 2.8),    // 45 ischial spine
            node(-28.5, 10.0, 0.0, 3.2),     // 46 plate, top
            node(-29.5, -6.0, 2.0, 2.6),     // 47 plate
            node(-28.5, -18.0, -10.0, 4.0),  // 48 plate, low
            node(-31.0, 0.0, 13.0, 3.4),     // 49 plate, front
            node(-17.0, -23.0, -18.0, 6.0),  // 50 lower rim, back
            node(-35.0, -9.0, 17.0, 4.6),    // 51 obturator crest
            node(-26.0, -6.0, -26.0, 6.0),   // 52 posterior column, medial
            node(41.5, 92.0, 32.0, 5.2),     // 53 crest, between
            node(44.0, 111.0, 14.0, 5.4),    // 54 crest, between
            node(31.5, 128.5, -2.0, 4.2),    // 55 crest, between
            node(11.5, 138.5, -17.0, 4.3),   // 56 crest, between
            node(-9.0, 135.0, -35.0, 4.8),   // 57 crest, between
            node(19.0, 52.0, 45.0, 4.0),     // 58 edge below the front spine
            node(31.0, 73.0, 47.0, 4.6),     // 59 crest, between
            node(-64.5, -30.0, 24.0, 7.2),   // 60 pubic body, low
            node(-30.5, -31.0, -24.0, 7.0),  // 61 ischium, front
            node(16.0, 58.0, 8.0, 6.0),      // 62 pillar, foot
            node(33.0, 100.0, 20.0, 6.4),    // 63 pillar
            node(6.0, 2.0, -29.0, 3.0),      // 64 posterior wall
            node(-13.0, 5.0, 25.0, 4.5),     // 65 anterior wall
            node(-50.0, -15.0, 19.0, 4.4),   // 66 superior ramus, back
        ];
        const SLABS: [[usize; 3]; 72] = [
            [32, 33, 60],
            [31, 32, 60],
            [33, 60, 35],
            [61, 38, 40],
            [61, 38, 39],
            [61, 40, 41],
            [0, 2, 24],
            [2, 3, 24],
            [3, 4, 22],
            [3, 24, 22],
            [4, 5, 22],
            [5, 6, 19],
            [5, 22, 19],
            [6, 7, 19],
            [7, 21, 19],
            [7, 8, 21],
            [8, 9, 21],
            [9, 10, 21],
            [19, 20, 21],
            [19, 22, 20],
            [22, 23, 20],
            [22, 24, 23],
            [24, 25, 23],
            [0, 24, 25],
            [0, 1, 25],
            [10, 21, 20],
            [10, 20, 15],
            [10, 11, 15],
            [11, 12, 15],
            [12, 15, 16],
            [12, 13, 16],
            [13, 14, 18],
            [13, 16, 18],
            [20, 15, 16],
            [20, 23, 16],
            [23, 25, 18],
            [23, 16, 18],
            [25, 17, 18],
            [1, 25, 17],
            [14, 17, 18],
            [1, 14, 17],
            [1, 14, 43],
            [1, 17, 43],
            [0, 1, 26],
            [1, 26, 17],
            [0, 26, 28],
            [26, 27, 28],
            [31, 32, 33],
            [38, 39, 40],
            [46, 43, 42],
            [46, 47, 42],
            [47, 48, 42],
            [48, 52, 42],
            [48, 41, 42],
            [46, 26, 43],
            [46, 49, 47],
            [26, 27, 46],
            [27, 46, 49],
            [42, 44, 41],
            [49, 51, 47],
            [62, 63, 22],
            [62, 63, 19],
            [63, 6, 19],
            [63, 53, 22],
            [42, 43, 64],
            [41, 42, 64],
            [50, 41, 64],
            [28, 0, 65],
            [28, 51, 65],
            [29, 51, 66],
            [29, 30, 66],
            [30, 31, 66],
        ];
        let nodes = NODES.map(|n| Node { center: n.center + self.hip(), ..n });
        let mut bone = Skeleton::new();
        bone.slabs(&nodes, &SLABS, 5.0);
        let chains: [&[usize]; 10] = [
            &[3, 58, 4, 59, 5, 53, 6, 54, 7, 55, 8, 56, 9, 57, 10, 11, 12],
            &[27, 29, 30, 31, 32],
            &[28, 29],
            &[30, 34, 31],
            &[33, 35, 36, 37, 38],
            &[40, 41, 42, 43],
            &[44, 45],
            &[50, 41],
            &[26, 27, 51],
            &[51, 30],
        ];
        for chain in chains {
            let picked: Vec<Node> = chain.iter().map(|i| nodes[*i]).collect();
            bone.chain(&picked, 4.0);
        }
        bone.push(Element::Ball(Node { center: self.hip() + v(0.0, 0.0, -2.0), radius: self.cavity + 5.2 }), 3.0);
        bone
    }

    /// Carves the socket: cavity, fossa with its notch, and the thin walls beyond the plane of the opening.
    fn carve(&self, d: f32, p: Vec3) -> f32 {
        let q = p - self.hip();
        let length = q.length();
        if length > self.cavity + 26.0 {
            return d;
        }
        let (depth, inward) = (length - self.cavity, self.within_rim(q));
        // Beyond the rim, only bone near the head is removed; the columns stay.
        let rim = inward.max(depth - 9.0);
        // The walls thin out towards their edges, which are therefore faint.
        let walled = smooth_max(d, -rim, 9.0);
        let too_thick =
            (0.85 * (depth - 1.0) - 0.5 * inward.max(0.0)).min(7.0 - depth).min(30.0 * (0.75 - q.y / length.max(1.0)));
        let walled = smooth_max(walled, too_thick, 6.0);
        smooth_max(walled, -self.hollow(q), 3.0)
    }

    /// Signed distance of a point, from the hip's center, to the hollow of the socket: cavity, fossa and its notch.
    fn hollow(&self, q: Vec3) -> f32 {
        let cavity = q.length() - self.cavity;
        let fossa = (q - v(-8.5, -5.0, 0.0)).length() - 17.3;
        let notch = {
            let (a, b) = (v(-8.0, -16.0, 5.0), v(-10.5, -28.0, 9.0));
            let t = ((q - a).dot(b - a) / (b - a).dot(b - a)).clamp(0.0, 1.0);
            (q - a.lerp(b, t)).length() - 5.5
        };
        -smooth_max(-cavity, smooth_max(-fossa, -notch, 4.0), 4.0)
    }

    /// How far a point, from the hip's center, lies inward of the socket's rim.
    fn within_rim(&self, q: Vec3) -> f32 {
        let (i, a) = (self.opening[0].to_radians(), self.opening[1].to_radians());
        let outwards = v(i.cos() * a.cos(), -i.sin() * a.cos(), a.sin());
        let low = smoothstep(22.0, 4.0, q.y);
        let walls = self.walls[0] * smoothstep(-2.0, 14.0, q.z) + self.walls[1] * smoothstep(2.0, -14.0, q.z);
        0.6 * self.overhang + walls * low - q.dot(outwards)
    }

    /// Cortical thickness of the hip bone at a point, millimeters.
    fn thickness(&self, p: Vec3) -> f32 {
        let q = p - self.hip();
        let near_socket = smoothstep(6.0, 1.5, self.hollow(q).abs());
        let direction = q.unit();
        let roof = smoothstep(0.45, 0.85, direction.y)
            * smoothstep(-0.6, 0.0, direction.x)
            * (1.0 - 0.7 * smoothstep(-0.1, 0.5, direction.x));
        let brim = {
            let line = [v(-18.0, 60.0, -30.0), v(-21.0, 36.0, -4.0), v(-28.0, 18.0, 12.0), v(-52.0, -8.0, 34.0)];
            let mut least = f32::MAX;
            for pair in line.windows(2) {
                let t =
                    ((q - pair[0]).dot(pair[1] - pair[0]) / (pair[1] - pair[0]).dot(pair[1] - pair[0])).clamp(0.0, 1.0);
                least = least.min((q - pair[0].lerp(pair[1], t)).length());
            }
            smoothstep(13.0, 4.0, least)
        };
        let plate = smoothstep(-26.0, -29.0, q.x) * smoothstep(-30.0, -20.0, q.y) * smoothstep(30.0, 15.0, q.y);
        let base = 0.48 - 0.06 * smoothstep(45.0, 90.0, p.y);
        // The edges of the walls are thin, but for the roof's.
        let edge = smoothstep(14.0, 2.0, self.within_rim(q).abs()) * smoothstep(0.8, 0.5, direction.y);
        let thick = base + near_socket * (0.6 * roof - 0.3 * (1.0 - roof)) + 0.25 * brim.max(plate);
        thick * (1.0 - 0.9 * smoothstep(14.0, 5.0, q.length() - self.cavity) * edge) * self.cortex
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
        let outer = grid.smoothed(&outer);
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

/// Density of the spongy bone at a point of the frontal plane over the mean of the hip bone; `p` from the hip's center in
/// template millimeters. Dense above the socket, along the beams from it to the sacroiliac joint and to the ischium, thin in
/// the wing's middle.
#[must_use]
pub fn hip_bone_density(p: [f32; 2]) -> f32 {
    let spot = |x: f32, y: f32, w: f32, h: f32| (-((p[0] - x) / w).powi(2) - ((p[1] - y) / h).powi(2)).exp();
    let along = |a: [f32; 2], b: [f32; 2], width: f32| {
        let (d, to) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
        let t = ((to[0] * d[0] + to[1] * d[1]) / (d[0] * d[0] + d[1] * d[1])).clamp(0.0, 1.0);
        (-((to[0] - t * d[0]).powi(2) + (to[1] - t * d[1]).powi(2)) / (width * width)).exp()
    };
    let r = p[0].hypot(p[1]);
    // Below the joint's surface, where it bears.
    let subchondral = (-((r - 27.0) / 4.5).powi(2)).exp() * smoothstep(0.3, 0.75, p[1] / r.max(1.0));
    1.0 + 1.0 * spot(-2.0, 36.0, 24.0, 22.0) + 0.3 * subchondral + 1.1 * along([-8.0, 34.0], [-30.0, 84.0], 16.0)
        - 0.15 * spot(-26.0, -35.0, 20.0, 20.0)
        - 0.4 * spot(4.0, 98.0, 22.0, 24.0)
        - 0.2 * spot(-50.0, -20.0, 25.0, 25.0)
}

/// Texture of the hip bone's spongy bone at a point as of [`hip_bone_density`]: about 0 on average with a deviation of 1.
/// Trabeculae fan out from below the socket to the crest, and fewer cross them.
#[must_use]
pub fn hip_bone_grain(p: [f32; 2], tile: &[f32], salt: [f32; 2]) -> f32 {
    let (x, y) = (p[0] + 6.0, p[1] + 30.0);
    let (along, angle) = (x.hypot(y), x.atan2(y));
    // Differences of neighboring values have no blotches.
    let streak = |u: f32, w: f32| tile_at(tile, u, w) - tile_at(tile, u + 8.0, w);
    let fan = streak(angle * 400.0 + salt[0], along * 3.0 + salt[1]);
    let arch = streak(along * 5.5 + salt[0] + 90.0, angle * 150.0 + salt[1]);
    let fine = streak(p[0] * 6.0 + p[1] * 2.0 + salt[1] + 50.0, p[1] * 5.0 + salt[0]);
    0.5 * fan + 0.3 * arch + 0.6 * fine
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
    fn levels_are_those_of_real_hip_bones() {
        let (low, high) = PelvisShape::numbered(0).hip_bone().bounding_box();
        assert!((2.3..3.0).contains(&(-low.y / 22.0)), "{low:?}");
        assert!((6.0..6.9).contains(&(high.y / 22.0)), "{high:?}");
    }

    /// Inner wall of the true pelvis on eighteen hip bones of nine adults in CT pose (VSDFullBodyBoneModels v2): the most medial
    /// point within 3 mm, millimeters from the hip's center, at levels `y` and depths `z` of a pelvis with heads of 22 mm
    /// (testdata/inner_wall/make.py).
    #[test]
    fn the_inner_wall_lies_where_adults_have_it() {
        const DEPTHS: [f32; 7] = [-30.0, -24.0, -18.0, -12.0, -6.0, 0.0, 6.0];
        const MEASURED: [(f32, [f32; 7]); 8] = [
            (62.0, [-32.0, -31.0, -28.0, -24.0, -17.0, -7.0, 0.0]),
            (40.0, [-19.0, -21.0, -21.0, -22.0, -23.0, -23.0, -21.0]),
            (32.0, [-22.0, -22.0, -22.0, -23.0, -24.0, -25.0, -26.0]),
            (24.0, [-24.0, -24.0, -24.0, -25.0, -26.0, -28.0, -29.0]),
            (16.0, [-26.0, -26.0, -26.0, -27.0, -28.0, -31.0, -33.0]),
            (8.0, [-28.0, -28.0, -28.0, -29.0, -30.0, -32.0, -34.0]),
            (0.0, [-29.0, -29.0, -29.0, -31.0, -32.0, -32.0, -34.0]),
            (-8.0, [-30.0, -30.0, -31.0, -32.0, -33.0, -33.0, -33.0]),
        ];
        let shape = PelvisShape::numbered(1);
        let bone = shape.hip_bone();
        for (y, wall) in MEASURED {
            for (z, measured) in DEPTHS.into_iter().zip(wall) {
                let near = [-2.5, 0.0, 2.5].map(|dy| [-2.5, 0.0, 2.5].map(|dz| (y + dy, z + dz)));
                let inside = |x: f32| {
                    near.as_flattened().iter().any(|(y, z)| {
                        let p = shape.hip() + v(x, *y, *z);
                        shape.carve(bone.distance(p), p) < 0.0
                    })
                };
                let medial = (-60..10).map(|x| x as f32).find(|x| inside(*x)).expect("bone on every line");
                assert!((medial - measured).abs() < 6.0, "y {y} z {z}: {medial} mm, measured {measured}");
            }
        }
    }

    #[test]
    fn mineral_is_dense_above_the_socket_and_its_texture_has_no_mean() {
        assert!(hip_bone_density([0.0, 33.0]) > 1.4 && hip_bone_density([4.0, 98.0]) < 0.9);
        let points = (0..4000).map(|i| [(i % 63) as f32 - 31.0, 40.0 + (i / 63) as f32]);
        let values: Vec<f32> = points.map(|p| hip_bone_grain(p, crate::noise::tile(), [0.0, 0.0])).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.1 && (0.5..2.0).contains(&variance.sqrt()), "{mean} ± {}", variance.sqrt());
    }

    #[test]
    fn fitting_keeps_sockets_round_and_halves_mirrored() {
        let fit = PelvisFit::draw(&mut stream(1, 1, Stream::Patient), 1.05, 1.0, 70.0, 1.0);
        let center = fit.place(v(HALF_DISTANCE, 0.0, 0.0));
        assert!((center - fit.hip()).length() < 1.0, "{center:?}");
        for d in [v(25.0, 0.0, 0.0), v(0.0, 25.0, 0.0), v(0.0, 0.0, -25.0)] {
            let radius = (fit.place(v(HALF_DISTANCE, 0.0, 0.0) + d) - center).length();
            assert!((radius / (25.0 * fit.scale) - 1.0).abs() < 0.12, "{radius}");
        }
        let p = v(40.0, 90.0, -50.0);
        assert!((fit.place(p.mirrored()) - fit.place(p).mirrored()).length() < 1e-3);
    }
}
