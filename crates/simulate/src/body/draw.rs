//! Adds a posed patient's bones to a scene, with their texture.

use coxa_schema::Side;

use super::patient::{Patient, place};
use crate::bones::bank;
use crate::bones::femur::FemurShape;
use crate::bones::fracture::Fragment;
use crate::bones::pelvis::{hip_bone_density, hip_bone_grain};
use crate::bones::relief::Relief;
use crate::bones::surfaces::BoneSurfaces;
use crate::film::scene::{Material, Scene};
use crate::geometry::mesh::Mesh;
use crate::geometry::{Rigid, Vec3, smoothstep};
use crate::noise;

/// Hip bones, sacrum and spine, their own or from a folder.
pub(crate) fn draw_pelvis(scene: &mut Scene, patient: &Patient, surfaces: Option<&BoneSurfaces>, offset: [f32; 2]) {
    let template = bank::pelvis(patient.pelvis_number);
    let fit = &patient.pelvis;
    let motion = patient.pelvis_motion();
    let own = surfaces.map_or([const { None }; 3], BoneSurfaces::pelvis);
    let shell = |surface: &Mesh, wall: f32| {
        let outer = surface.mapped(|p| motion.apply(p * (fit.half_distance / 83.5)));
        let inner = outer.shrunk(|_| wall);
        [outer, inner]
    };
    let in_place = |m: &Mesh| m.mapped(|p| motion.apply(fit.place(p)));
    let left =
        own[0].as_ref().map_or_else(|| template.hip_bone.each_ref().map(in_place), |surface| shell(surface, 1.4));
    let right = own[1].as_ref().map_or_else(
        || {
            template
                .hip_bone
                .each_ref()
                .map(|m| m.mirrored().mapped(|p| motion.apply(fit.place_right(p.mirrored()).mirrored())))
        },
        |surface| shell(surface, 1.4),
    );
    let sacrum =
        own[2].as_ref().map_or_else(|| template.sacrum.each_ref().map(in_place), |surface| shell(surface, 0.9));
    for (bone, side) in [(&left, Some(Side::Left)), (&right, Some(Side::Right)), (&sacrum, None)] {
        draw_spongy(scene, patient, bone, side, offset);
    }
    // Vertebrae bear more and hold more spongy bone than the ilium.
    let [outer, inner] = template.lumbar.each_ref().map(in_place);
    scene.add(&outer, Material::Cortex, 1.0);
    scene.add(&inner, Material::Cortex, -1.0);
    scene.add(&inner, Material::Spongy, 3.1 * fit.fraction);
}

/// A bone of the pelvis with its spongy inside; `side` for a hip bone, whose trabeculae have directions.
fn draw_spongy(scene: &mut Scene, patient: &Patient, [outer, inner]: &[Mesh; 2], side: Option<Side>, offset: [f32; 2]) {
    scene.add(outer, Material::Cortex, 1.0);
    let depth = scene.depth(inner);
    let camera = scene.camera;
    let back = patient.pelvis_motion().inverse();
    let (fit, tile) = (&patient.pelvis, noise::tile());
    let mirror = if side == Some(Side::Right) { -1.0 } else { 1.0 };
    let middle = if side.is_some() { fit.half_distance } else { 0.0 };
    let salt = [offset[0] + 131.0 * mirror, offset[1] - 57.0 * mirror];
    let grain = 0.22 * patient.relief[0].trabeculae.powf(0.8) * (fit.fraction / 0.08).sqrt();
    let [x0, y0, x1, y1] = raster_bounds(inner, |p| camera.project(p), camera.width, camera.height);
    // Density and texture are taken once for about a film pixel of the whole pelvis.
    let block = ((0.8 / camera.spacing).round() as usize).max(1);
    let plane = scene.plane_mut(Material::Spongy);
    for by in (y0..y1).step_by(block) {
        for bx in (x0..x1).step_by(block) {
            let (last_x, last_y) = ((bx + block).min(camera.width), (by + block).min(camera.height));
            if depth[by * camera.width + bx].max(depth[(last_y - 1) * camera.width + last_x - 1]) < 0.02 {
                continue;
            }
            let half = 0.5 * block as f32;
            let at = back.apply(camera.unproject([bx as f32 + half, by as f32 + half], 0.0));
            let p = [(mirror * at.x - middle) / fit.scale, at.y / fit.scale];
            let (density, texture) = match side {
                Some(_) => (hip_bone_density(p), hip_bone_grain(p, tile, salt)),
                None => (1.0, 0.7 * hip_bone_grain([p[0] * 0.8, p[1]], tile, salt)),
            };
            let broad = 1.0 + 0.06 * noise::tile_at(tile, p[0] * 0.9 + salt[1], p[1] * 0.9 + salt[0]);
            let fraction = fit.fraction * density * broad;
            for y in by..last_y {
                let row = y * camera.width + bx..y * camera.width + last_x;
                for (value, d) in plane[row.clone()].iter_mut().zip(&depth[row]) {
                    let d = d.max(0.0);
                    // Layers of trabeculae blur each other: their texture grows with the root of the thickness.
                    let mean = d * fraction;
                    *value += (mean + grain * texture * d.sqrt()).clamp(0.35 * mean, 2.2 * mean);
                }
            }
        }
    }
    scene.plane_mut(Material::Cortex).iter_mut().zip(&depth).for_each(|(all, inside)| *all -= inside);
}

/// A whole femur or a piece of one.
pub(crate) fn draw_fragment(
    scene: &mut Scene,
    patient: &Patient,
    side: Side,
    shape: &FemurShape,
    fragment: &Fragment,
    block: usize,
    offset: [f32; 2],
) {
    let to_world = |p: Vec3| patient.femur_point(side, fragment.motion.apply(p));
    let posed = |mesh: &Mesh| {
        let moved = mesh.mapped(to_world);
        if side == Side::Right {
            Mesh { vertices: moved.vertices, triangles: moved.triangles.iter().map(|t| [t[0], t[2], t[1]]).collect() }
        } else {
            moved
        }
    };
    let (outer, inner) = (posed(&fragment.outer), posed(&fragment.inner));
    scene.add(&outer, Material::Cortex, 1.0);
    scene.add(&inner, Material::Cortex, -1.0);
    let depth = scene.depth(&inner);
    let camera = scene.camera;
    let to_rest = RestPlane::new(patient, side, fragment, camera.source);
    let salt = [offset[0] + if side == Side::Left { 0.0 } else { 211.0 }, offset[1]];
    let [x0, y0, x1, y1] = raster_bounds(&inner, |p| camera.project(p), camera.width, camera.height);
    let tile = noise::tile();
    let relief = &patient.relief[place(side)];
    let depths = relief.depths(shape);
    let pixel = block as f32 * camera.spacing / patient.femur_scale;
    // The compact bone that the lines add to a fragment: they are on its surface, so nowhere that it is thin.
    let mut lines = vec![0.0_f32; depth.len()];
    let plane = scene.plane_mut(Material::Spongy);
    // The fraction changes slowly: it is taken once for a film pixel, which is a block of the raster.
    for by in (y0..y1).step_by(block) {
        for bx in (x0..x1).step_by(block) {
            let corner = by * camera.width + bx;
            let last = (by + block - 1).min(camera.height - 1) * camera.width + (bx + block - 1).min(camera.width - 1);
            if depth[corner] < 0.02 && depth[last] < 0.02 {
                continue;
            }
            let half = 0.5 * block as f32;
            let on_detector = camera.unproject([bx as f32 + half, by as f32 + half], camera.detector_z);
            let p = to_rest.hit(on_detector, 0.0);
            let texture = trabeculae(shape, p, tile, salt, relief);
            let fraction = shape.spongy_fraction(p) * texture * relief.spongy(shape, p);
            let line = relief.compact(shape, &depths.map(|z| to_rest.hit(on_detector, z)), pixel);
            for y in by..(by + block).min(camera.height) {
                let row = y * camera.width;
                for i in row + bx..row + (bx + block).min(camera.width) {
                    plane[i] += depth[i].max(0.0) * fraction;
                    lines[i] = line * smoothstep(0.0, 16.0, depth[i]);
                }
            }
        }
    }
    scene.plane_mut(Material::Cortex).iter_mut().zip(&lines).for_each(|(all, line)| *all += line);
}

/// Texture of the femur's trabeculae: oriented noise along the two principal systems, about 1 on average.
fn trabeculae(shape: &FemurShape, p: Vec3, tile: &[f32], offset: [f32; 2], relief: &Relief) -> f32 {
    let (compressive, tensile) = shape.groups(p);
    let [c, t] = shape.trabecular_coordinates(p);
    let streak = |q: [f32; 2], salt: f32| noise::tile_at(tile, q[0] * 7.0 + offset[0] + salt, q[1] * 1.1 + offset[1]);
    let grain = noise::tile_at(tile, p.x * 3.5 + offset[0], p.y * 3.5 + offset[1] + 100.0);
    let texture = (0.3 + compressive) * streak(c, 0.0) + (0.25 + tensile) * streak(t, 150.0);
    let fine = noise::tile_at(tile, p.x * 6.5 + offset[1], p.y * 6.5 + offset[0] + 50.0);
    let network = relief.network * (0.8 - fine.abs());
    (1.0 + relief.trabeculae * (0.10 * texture + 0.09 * grain) + network).clamp(0.2, 2.5)
}

/// The plane of the neck of a fragment, seen from the source.
struct RestPlane {
    back: Rigid,
    shrink: f32,
    mirrored: bool,
    patient: Rigid,
    source: Vec3,
}

impl RestPlane {
    fn new(patient: &Patient, side: Side, fragment: &Fragment, source: Vec3) -> Self {
        // In this patient's millimeters the fragment's shift is larger by the bone's scale.
        let moved = Rigid { translation: fragment.motion.translation * patient.femur_scale, ..fragment.motion };
        let back = moved.then(&patient.leg_motion(side)).inverse();
        let mut plane = Self {
            back,
            shrink: 1.0 / patient.femur_scale,
            mirrored: side == Side::Right,
            patient: patient.motion().inverse(),
            source,
        };
        plane.source = plane.to_rest(source);
        plane
    }

    fn to_rest(&self, world: Vec3) -> Vec3 {
        let q = self.patient.apply(world);
        self.back.apply(if self.mirrored { q.mirrored() } else { q }) * self.shrink
    }

    /// Where the ray to a point of the detector crosses a plane of equal `z` of the rest frame.
    fn hit(&self, on_detector: Vec3, z: f32) -> Vec3 {
        let end = self.to_rest(on_detector);
        let t = (self.source.z - z) / (self.source.z - end.z);
        self.source.lerp(end, t)
    }
}

fn raster_bounds(mesh: &Mesh, project: impl Fn(Vec3) -> [f32; 2], width: usize, height: usize) -> [usize; 4] {
    let mut b = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
    for p in &mesh.vertices {
        let [x, y] = project(*p);
        b = [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)];
    }
    let fit = |q: f32, n: usize| (q.max(0.0) as usize).min(n);
    [fit(b[0], width), fit(b[1], height), fit(b[2] + 1.0, width), fit(b[3] + 1.0, height)]
}
