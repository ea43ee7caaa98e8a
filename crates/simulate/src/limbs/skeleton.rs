//! Limb bones as meshes: made once for each part, then resized, warped and posed for every film.

use std::sync::OnceLock;

use super::solid::Body;
use crate::geometry::grid::Grid;
use crate::geometry::mesh::Mesh;
use crate::geometry::shape::smooth_min;
use crate::geometry::{Rigid, Vec3, smoothstep, v};
use crate::random::{FilmRng, normal, uniform};

/// Thickness of a bone's cortex from place to place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shell {
    thin: f32,
    thick: f32,
    from: Vec3,
    to: Vec3,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Even,
    Ramp,
    Shaft,
}

impl Shell {
    /// The same thickness everywhere, millimeters.
    pub(crate) fn even(thickness: f32) -> Self {
        Self { thin: thickness, thick: thickness, from: Vec3::default(), to: Vec3::default(), place: Place::Even }
    }

    /// Thin up to `from`, thick from `to` on: the end of a long bone.
    pub(crate) fn ramp(thin: f32, thick: f32, from: Vec3, to: Vec3) -> Self {
        Self { thin, thick, from, to, place: Place::Ramp }
    }

    /// Thin at both ends `from` and `to`, thick in the middle: a whole tubular bone.
    pub(crate) fn shaft(thin: f32, thick: f32, from: Vec3, to: Vec3) -> Self {
        Self { thin, thick, from, to, place: Place::Shaft }
    }

    /// How much of a shaft the bone is at `p`: 0 at an end, 1 in the shaft.
    fn shaftness(&self, p: Vec3) -> f32 {
        let axis = self.to - self.from;
        let t = || (p - self.from).dot(axis) / axis.dot(axis);
        match self.place {
            Place::Even => 0.0,
            Place::Ramp => smoothstep(0.0, 1.0, t()),
            Place::Shaft => {
                let t = t();
                smoothstep(0.0, 0.4, t) * smoothstep(1.0, 0.65, t)
            }
        }
    }

    /// Thickness at `p`, millimeters.
    pub(crate) fn thickness(&self, p: Vec3) -> f32 {
        self.thin + (self.thick - self.thin) * self.shaftness(p)
    }
}

/// A bone as it is described.
#[derive(Clone, Debug)]
pub(crate) struct Bone {
    /// Anatomical name.
    pub(crate) name: String,
    segment: usize,
    body: Body,
    shell: Shell,
    step: f32,
}

impl Bone {
    /// A bone of a segment; `step` is the mesh's resolution in millimeters.
    pub(crate) fn new(name: impl Into<String>, segment: usize, body: Body, shell: Shell, step: f32) -> Self {
        Self { name: name.into(), segment, body, shell, step }
    }
}

/// A part of the body: its bones, and its skin segment by segment.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) bones: Vec<Bone>,
    pub(crate) skin: Vec<(usize, Body)>,
    /// Width of the blend between the skins of segments, millimeters.
    pub(crate) skin_blend: f32,
    /// Number of segments that move against each other.
    pub(crate) segments: usize,
}

/// A bone's surfaces at rest.
#[derive(Debug)]
struct BoneMeshes {
    segment: usize,
    outer: Mesh,
    inner: Mesh,
    /// For each vertex of `inner`: outward normal times the local thickness of the cortex.
    outward: Vec<Vec3>,
    cavity: Mesh,
}

/// A part with its bones meshed.
#[derive(Debug)]
pub(crate) struct Prepared {
    bones: Vec<BoneMeshes>,
    skin: Vec<(usize, Body)>,
    skin_blend: f32,
}

impl Prepared {
    /// Meshes the bones of a part; a bone for which `replacement` has a mesh takes that one.
    pub(crate) fn new(part: Part, replacement: impl Fn(&str) -> Option<Mesh>) -> Self {
        // One after the other: films are made in rayon's threads, and one of them that waited here for the others could itself begin
        // another film of this part and wait for its own end ([`prepared`]).
        let bones = part
            .bones
            .iter()
            .map(|bone| match replacement(&bone.name) {
                Some(mesh) => from_surface(bone, mesh),
                None => meshed(bone),
            })
            .collect();
        debug_assert!(part.bones.iter().all(|b| b.segment < part.segments));
        Self { bones, skin: part.skin, skin_blend: part.skin_blend }
    }
}

/// The built-in part, meshed on first use.
pub(crate) fn prepared(cell: &'static OnceLock<Prepared>, part: fn() -> Part) -> &'static Prepared {
    cell.get_or_init(|| Prepared::new(part(), |_| None))
}

fn meshed(bone: &Bone) -> BoneMeshes {
    let (low, high) = bone.body.bounding_box();
    let grid = Grid::even(low, high, bone.step);
    let outer = grid.smoothed(&grid.sample_near(8.0, 14.0, |p| bone.body.distance(p)));
    let [nx, ny, _] = grid.shape();
    let at = |i: usize| v(grid.axes[0][i % nx], grid.axes[1][i / nx % ny], grid.axes[2][i / (nx * ny)]);
    let inner: Vec<f32> =
        outer.iter().enumerate().map(|(i, d)| if *d > 1.0 { *d } else { d + bone.shell.thickness(at(i)) }).collect();
    let has_cavity = bone.shell.place != Place::Even;
    let cavity = if has_cavity {
        let field: Vec<f32> = inner
            .iter()
            .enumerate()
            .map(|(i, d)| if *d > 1.0 { *d } else { d + 0.6 + 30.0 * (1.0 - bone.shell.shaftness(at(i))) })
            .collect();
        grid.mesh(&field)
    } else {
        Mesh::default()
    };
    let inner = grid.mesh(&inner);
    let outward = outward(&inner, &bone.shell);
    BoneMeshes { segment: bone.segment, outer: grid.mesh(&outer), inner, outward, cavity }
}

/// A bone of somebody's surface: its inside is the surface moved inwards by half of the built-in cortex, which keeps thin
/// places from turning inside out.
fn from_surface(bone: &Bone, outer: Mesh) -> BoneMeshes {
    let inner = outer.shrunk(|p| 0.5 * bone.shell.thickness(p));
    let outward = outward(&inner, &bone.shell);
    BoneMeshes { segment: bone.segment, outer, inner, outward, cavity: Mesh::default() }
}

fn outward(inner: &Mesh, shell: &Shell) -> Vec<Vec3> {
    inner.normals().iter().zip(&inner.vertices).map(|(n, p)| *n * shell.thickness(*p)).collect()
}

/// The measures in which limbs differ.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// Size along x, y, z.
    scale: Vec3,
    waves: Vec<(Vec3, Vec3, f32)>,
    /// Thickness of the cortex over that of a healthy adult.
    cortex: f32,
    /// Skin beyond the ordinary limb's, millimeters.
    padding: f32,
    /// Thickness of the fat under the skin, millimeters.
    pub(crate) fat: f32,
}

impl Variant {
    /// A limb of anybody: `variation` 0 the mean adult, 1 everybody.
    pub(crate) fn draw(rng: &mut FilmRng, variation: f32) -> Self {
        let size = 1.0 + normal(rng, -0.02, 0.06 * variation);
        let mut along = || size * (1.0 + normal(rng, 0.0, 0.03 * variation));
        let scale = v(along(), along(), along());
        let mut waves = Vec::new();
        for wavelength in [260.0_f32, 120.0, 55.0] {
            for _ in 0..2 {
                let mut direction = || v(normal(rng, 0.0, 1.0), normal(rng, 0.0, 1.0), normal(rng, 0.0, 1.0)).unit();
                let (k, shift) = (direction(), direction());
                let amplitude = uniform(rng, 0.0, 0.018 * wavelength) * variation;
                let phase = uniform(rng, 0.0, std::f32::consts::TAU);
                waves.push((k * (std::f32::consts::TAU / wavelength), shift * amplitude, phase));
            }
        }
        Self {
            scale,
            waves,
            cortex: (1.0 + normal(rng, -0.1, 0.2 * variation)).clamp(0.45, 1.25),
            padding: normal(rng, 0.0, 4.0 * variation),
            fat: uniform(rng, 2.0, 5.0 + 6.0 * variation),
        }
    }

    /// Where a point of the mean limb lies in this one, at rest.
    fn place(&self, p: Vec3) -> Vec3 {
        let mut q = p;
        for (k, shift, phase) in &self.waves {
            q += *shift * (k.dot(p) + phase).sin();
        }
        v(q.x * self.scale.x, q.y * self.scale.y, q.z * self.scale.z)
    }

    fn mean_scale(&self) -> f32 {
        (self.scale.x + self.scale.y + self.scale.z) / 3.0
    }
}

/// Pose of the segments and direction of view.
#[derive(Clone, Debug)]
pub(crate) struct Pose {
    /// A motion for each segment, in the part's frame.
    pub(crate) segments: Vec<Rigid>,
    /// From the part's frame to the world's; the right side is then mirrored at `x = 0`.
    pub(crate) view: Rigid,
    /// Point of the part's frame that the central ray is aimed at.
    pub(crate) center: Vec3,
    /// Length that the longest side of the film covers at the patient, millimeters.
    pub(crate) field: f32,
}

/// A limb ready for projection, in world coordinates.
pub(crate) struct Posed {
    /// Outer surfaces.
    pub(crate) outer: Vec<Mesh>,
    /// Inner surfaces of the cortex.
    pub(crate) inner: Vec<Mesh>,
    /// Marrow cavities.
    pub(crate) cavities: Vec<Mesh>,
    /// The skin, and the muscle under the fat.
    pub(crate) skin: [Mesh; 2],
}

/// The motion of one segment of a variant, from the mean limb at rest to the world.
pub(crate) struct Mover<'a> {
    variant: &'a Variant,
    pose: &'a Pose,
    mirror: bool,
}

impl<'a> Mover<'a> {
    pub(crate) fn new(variant: &'a Variant, pose: &'a Pose, mirror: bool) -> Self {
        Self { variant, pose, mirror }
    }

    /// Where a point of the mean limb goes.
    pub(crate) fn point(&self, segment: usize, p: Vec3) -> Vec3 {
        let q = self.pose.segments[segment].apply(self.variant.place(p)) - self.variant.place(self.pose.center);
        let seen = self.pose.view.apply(q);
        if self.mirror { seen.mirrored() } else { seen }
    }

    fn mesh(&self, segment: usize, mesh: &Mesh) -> Mesh {
        self.wound(mesh.mapped(|p| self.point(segment, p)))
    }

    fn wound(&self, mut mesh: Mesh) -> Mesh {
        if self.mirror {
            for t in &mut mesh.triangles {
                t.swap(1, 2);
            }
        }
        mesh
    }
}

/// Poses a part. `reach` is the half size in millimeters of the cube around the central ray's target that the film can see.
pub(crate) fn posed(prepared: &Prepared, variant: &Variant, pose: &Pose, mirror: bool, reach: f32) -> Posed {
    let mover = Mover::new(variant, pose, mirror);
    let (mut outer, mut inner, mut cavities) = (Vec::new(), Vec::new(), Vec::new());
    for bone in &prepared.bones {
        outer.push(mover.mesh(bone.segment, &bone.outer));
        let moved: Vec<Vec3> =
            bone.inner.vertices.iter().zip(&bone.outward).map(|(p, n)| *p + *n * (1.0 - variant.cortex)).collect();
        let thin = Mesh { vertices: moved, triangles: bone.inner.triangles.clone() };
        inner.push(mover.mesh(bone.segment, &thin));
        if !bone.cavity.triangles.is_empty() {
            cavities.push(mover.mesh(bone.segment, &bone.cavity));
        }
    }
    Posed { outer, inner, cavities, skin: skin(prepared, variant, pose, mirror, reach) }
}

/// Skin and muscle, meshed in the mirrored frame at the posed limb.
fn skin(prepared: &Prepared, variant: &Variant, pose: &Pose, mirror: bool, reach: f32) -> [Mesh; 2] {
    let step = 5.0;
    let target = variant.place(pose.center);
    let scale = variant.mean_scale();
    let back: Vec<Rigid> = pose.segments.iter().map(Rigid::inverse).collect();
    let bodies: Vec<(&Body, &Rigid)> = prepared.skin.iter().map(|(segment, body)| (body, &back[*segment])).collect();
    let (mut low, mut high) = (v(1e9, 1e9, 1e9), v(-1e9, -1e9, -1e9));
    for (segment, body) in &prepared.skin {
        let (a, b) = body.bounding_box();
        for i in 0..8 {
            let pick = |bit: usize, a: f32, b: f32| if i >> bit & 1 == 1 { b } else { a };
            let corner = v(pick(0, a.x, b.x), pick(1, a.y, b.y), pick(2, a.z, b.z)) * scale;
            let q = pose.segments[*segment].apply(corner);
            low = v(low.x.min(q.x), low.y.min(q.y), low.z.min(q.z));
            high = v(high.x.max(q.x), high.y.max(q.y), high.z.max(q.z));
        }
    }
    let margin = v(1.0, 1.0, 1.0) * (variant.padding.max(0.0) + 10.0);
    let (low, high) = (low - margin, high + margin);
    let keep = |x: f32, center: f32| x.clamp(center - reach, center + reach);
    let low = v(keep(low.x, target.x), keep(low.y, target.y), keep(low.z, target.z));
    let high = v(keep(high.x, target.x), keep(high.y, target.y), keep(high.z, target.z));
    let grid = Grid::even(low, high, step);
    let values = grid.sample_near(20.0, 12.0 + 2.0 * variant.fat, |p| {
        let mut best = f32::MAX;
        for (body, back) in &bodies {
            let d = body.distance(back.apply(p) * (1.0 / scale)) * scale;
            best = if best == f32::MAX { d } else { smooth_min(best, d, prepared.skin_blend) };
        }
        best - variant.padding * 0.7
    });
    let mover = Mover::new(variant, pose, mirror);
    let world = |mesh: Mesh| {
        let moved = mesh.mapped(|p| {
            let seen = pose.view.apply(p - target);
            if mirror { seen.mirrored() } else { seen }
        });
        mover.wound(moved)
    };
    let muscle: Vec<f32> = values.iter().map(|d| d + variant.fat).collect();
    [world(grid.mesh(&values)), world(grid.mesh(&muscle))]
}
