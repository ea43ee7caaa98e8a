//! A frontal film of the pelvis or a hip, from the seed to the stored pixels.

use coxa_cohort::{BodyPart, FractureType, Sex, Side};

use crate::accessories;
use crate::anatomy::Anatomy;
use crate::bank;
use crate::beam::{Exposure, expose, gaussian_blur};
use crate::display::{Development, develop, store};
use crate::femur::FemurShape;
use crate::fracture::{Fracture, Fragment};
use crate::geometry::{Rigid, Vec3, smoothstep, v};
use crate::mesh::Mesh;
use crate::projection::Camera;
use crate::random::{FilmRng, Stream, chance, choose, stream, uniform};
use crate::randomise::{Frame, Patient, View, place};
use crate::scene::{Material, Scene};
use crate::types::{
    FilmKind, FilmOptions, Hardware, HipLandmarks, Landmarks, PelvisTruth, SimulatedFilm, SimulatedFracture,
};

/// Makes a frontal film of the pelvis or of one hip: a pure function of its arguments.
///
/// Films of the same seed and index differ between kinds in nothing but the fracture.
#[must_use]
pub fn pelvis(seed: u64, index: u64, options: &FilmOptions) -> SimulatedFilm {
    pelvis_with(seed, index, options, None)
}

/// [`pelvis`] with bones from a folder in place of the built-in ones.
pub(crate) fn pelvis_with(seed: u64, index: u64, options: &FilmOptions, anatomy: Option<&Anatomy>) -> SimulatedFilm {
    let kind = kind(seed, index, options);
    let domain = &options.domain;
    let mut patient = Patient::draw(seed, index, domain);
    let own_femur = anatomy.and_then(Anatomy::femur_template);
    for femur in patient.femora.iter_mut() {
        *femur = own_femur.map_or(*femur, |own| own.shape.with_quality_of(femur));
    }
    let view = View::draw(seed, index, &patient, options);
    let mut scene = Scene::new(view.camera);
    let mut texture = stream(seed, index, Stream::Texture);
    let offset = [uniform(&mut texture, 0.0, 512.0), uniform(&mut texture, 0.0, 512.0)];

    let landmarks = landmarks(&patient);
    let mut accessories = stream(seed, index, Stream::Accessories);
    let hardware = accessories::choose_hardware(&mut accessories, &landmarks, domain);

    draw_pelvis(&mut scene, &patient, anatomy, offset);
    let fracture = kind.map(|kind| {
        let shape = &patient.femora[place(patient.index_side)];
        Fracture::draw(&mut stream(seed, index, Stream::Fracture), kind, shape)
    });
    let mut faces = Vec::new();
    let mut displacement = 0.0_f32;
    for side in [Side::Right, Side::Left] {
        let shape = &patient.femora[place(side)];
        let built_in = bank::femur(patient.femur_numbers[place(side)]);
        let template = own_femur.unwrap_or(&built_in);
        let headless = hardware.is_some_and(|(kind, on)| {
            on == side && matches!(kind, Hardware::TotalHip | Hardware::Hemiarthroplasty)
        });
        let broken = fracture.as_ref().filter(|_| side == patient.index_side);
        let fragments = match broken {
            Some(fracture) => fracture.break_bone(shape, &template.field),
            None if headless => vec![Fragment::resected(template, shape)],
            None => vec![Fragment::whole(template, shape)],
        };
        for fragment in &fragments {
            draw_fragment(&mut scene, &patient, side, shape, fragment, view.oversampling, offset);
            for p in &fragment.face {
                let moved = fragment.motion.apply(*p);
                displacement = displacement.max((moved - *p).length() * patient.femur_scale);
                faces.push(patient.femur_point(side, moved));
            }
        }
    }
    draw_soft(&mut scene, &patient, offset, &mut texture);
    accessories::draw(&mut accessories, &mut scene, &landmarks, hardware, patient.age, domain);

    let mut quantum = stream(seed, index, Stream::Exposure);
    let exposure = Exposure::draw(&mut quantum, domain.variation);
    let signal = expose(&scene, &exposure, view.oversampling, &mut quantum);
    let development = Development::draw(&mut stream(seed, index, Stream::Display), domain.variation);
    let spacing = view.camera.spacing * view.oversampling as f32;
    let mut display = develop(&signal, view.width, view.height, spacing, &development);
    let mut notes = stream(seed, index, Stream::Annotation);
    let letter = if chance(&mut notes, 0.5) { Side::Left } else { Side::Right };
    accessories::annotation::draw(&mut notes, &mut display, view.width, view.height, letter, domain.clutter);
    let fracture = fracture.map(|fracture| SimulatedFracture {
        kind: fracture.kind,
        side: patient.index_side,
        displacement,
        bbox: bounding_box(&view, &faces),
    });
    let truth = PelvisTruth {
        label: fracture.is_some(),
        fracture,
        age: patient.age,
        sex: patient.sex,
        hardware,
        covariates: covariates(&patient, &view, &exposure, &development),
    };
    let part = if view.frame == Frame::CloseUp { BodyPart::Hip } else { BodyPart::Pelvis };
    store(&display, [view.width, view.height], spacing, &development, part, truth)
}

/// Which fracture the film gets.
fn kind(seed: u64, index: u64, options: &FilmOptions) -> Option<FractureType> {
    let rng = &mut stream(seed, index, Stream::Class);
    match options.kind {
        FilmKind::Random => {
            let kinds = [(None, 0.5), (Some(FractureType::FemoralNeck), 0.25), (Some(FractureType::Trochanteric), 0.25)];
            choose(rng, &kinds)
        }
        FilmKind::Normal => None,
        FilmKind::FemoralNeck => Some(FractureType::FemoralNeck),
        FilmKind::Trochanteric => Some(FractureType::Trochanteric),
    }
}

fn draw_pelvis(scene: &mut Scene, patient: &Patient, anatomy: Option<&Anatomy>, offset: [f32; 2]) {
    let template = bank::pelvis(patient.pelvis_number);
    let fit = &patient.pelvis;
    let motion = patient.pelvis_motion();
    let own = anatomy.map_or([const { None }; 3], Anatomy::pelvis);
    let shell = |surface: &Mesh, wall: f32| {
        let outer = surface.mapped(|p| motion.apply(p * (fit.half_distance / 83.5)));
        let inner = outer.shrunk(|_| wall);
        [outer, inner]
    };
    let left = own[0].as_ref().map_or_else(
        || template.hip_bone.each_ref().map(|m| m.mapped(|p| motion.apply(fit.place(p)))),
        |surface| shell(surface, 1.4),
    );
    let right = own[1].as_ref().map_or_else(
        || template.hip_bone.each_ref().map(|m| m.mirrored().mapped(|p| motion.apply(fit.place_right(p.mirrored()).mirrored()))),
        |surface| shell(surface, 1.4),
    );
    let middle = own[2].as_ref().map_or_else(
        || template.spine.each_ref().map(|m| m.mapped(|p| motion.apply(fit.place(p)))),
        |surface| shell(surface, 0.9),
    );
    for [outer, inner] in [&left, &right, &middle] {
        scene.add(outer, Material::Cortex, 1.0);
        scene.add(inner, Material::Cortex, -1.0);
        scene.add(inner, Material::Spongy, fit.fraction);
    }
    let (width, spacing) = (scene.camera.width, scene.camera.spacing);
    let tile = bank::tile();
    for (y, row) in scene.plane_mut(Material::Spongy).chunks_mut(width).enumerate() {
        let v = y as f32 * spacing * 2.6 + offset[1];
        for (x, value) in row.iter_mut().enumerate() {
            if *value > 0.05 {
                *value *= 1.0 + 0.22 * bank::tile_at(tile, x as f32 * spacing * 3.0 + offset[0], v);
            }
        }
    }
}

fn draw_fragment(
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
    let tile = bank::tile();
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
            let p = to_rest.hit(on_detector);
            let fraction = shape.spongy_fraction(p) * trabeculae(shape, p, tile, salt);
            for y in by..(by + block).min(camera.height) {
                let row = y * camera.width;
                for i in row + bx..row + (bx + block).min(camera.width) {
                    plane[i] += depth[i].max(0.0) * fraction;
                }
            }
        }
    }
}

/// Texture of the femur's trabeculae: oriented noise along the two principal systems, about 1 on average.
fn trabeculae(shape: &FemurShape, p: Vec3, tile: &[f32], offset: [f32; 2]) -> f32 {
    let (compressive, tensile) = shape.groups(p);
    let [c, t] = shape.trabecular_coordinates(p);
    let streak = |q: [f32; 2], salt: f32| bank::tile_at(tile, q[0] * 7.0 + offset[0] + salt, q[1] * 1.1 + offset[1]);
    let grain = bank::tile_at(tile, p.x * 3.5 + offset[0], p.y * 3.5 + offset[1] + 100.0);
    let texture = (0.3 + compressive) * streak(c, 0.0) + (0.25 + tensile) * streak(t, 150.0);
    (1.0 + 0.10 * texture + 0.09 * grain).max(0.2)
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
        // In this patient's millimetres the fragment's shift is larger by the bone's scale.
        let moved = Rigid { translation: fragment.motion.translation * patient.femur_scale, ..fragment.motion };
        let back = moved.then(&patient.leg_motion(side)).inverse();
        let mut plane = Self { back, shrink: 1.0 / patient.femur_scale, mirrored: side == Side::Right, patient: patient.motion().inverse(), source };
        plane.source = plane.to_rest(source);
        plane
    }

    fn to_rest(&self, world: Vec3) -> Vec3 {
        let q = self.patient.apply(world);
        self.back.apply(if self.mirrored { q.mirrored() } else { q }) * self.shrink
    }

    /// Where the ray to a point of the detector crosses the plane `z = 0` of the rest frame.
    fn hit(&self, on_detector: Vec3) -> Vec3 {
        let end = self.to_rest(on_detector);
        let t = self.source.z / (self.source.z - end.z);
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

fn draw_soft(scene: &mut Scene, patient: &Patient, offset: [f32; 2], folds: &mut FilmRng) {
    let legs = [Side::Right, Side::Left].map(|side| {
        let motion = patient.leg_motion(side);
        let turn = |p: Vec3| if side == Side::Right { p.mirrored() } else { p };
        (turn(motion.translation), turn(motion.direction(v(0.0, -1.0, 0.0))))
    });
    // Soft tissue is smooth: its path lengths are taken on a raster some 2 mm wide.
    let fine = scene.camera;
    let cell = ((2.0 / fine.spacing) as usize).max(1);
    let camera = Camera {
        spacing: fine.spacing * cell as f32,
        width: fine.width.div_ceil(cell),
        height: fine.height.div_ceil(cell),
        pivot: fine.pivot.map(|q| q / cell as f32),
        ..fine
    };
    let coarse = Scene::new(camera);
    let lowest = fine.unproject([0.0, fine.height as f32], 0.0).y - 60.0;
    let motion = patient.motion();
    let [envelope, muscle] = patient.body.meshes(legs, lowest);
    let mut skin = coarse.depth(&envelope.moved(&motion));
    let mut lean = coarse.depth(&muscle.moved(&motion));
    gaussian_blur(&mut skin, camera.width, camera.height, 3.0 / camera.spacing);
    gaussian_blur(&mut lean, camera.width, camera.height, 4.0 / camera.spacing);
    if let Some(genitals) = patient.body.genital_mesh() {
        let mut depth = coarse.depth(&genitals.moved(&motion));
        gaussian_blur(&mut depth, camera.width, camera.height, 1.5 / camera.spacing);
        skin.iter_mut().zip(&depth).for_each(|(skin, depth)| *skin += 0.8 * depth);
    }
    let mut fat = vec![0.0_f32; skin.len()];
    let thick = (patient.body.depth * 2.0).max(1.0);
    let tile = bank::tile();
    for (i, fat) in fat.iter_mut().enumerate() {
        let (skin, lean) = (skin[i].max(0.0), lean[i].max(0.0));
        let (x, y) = ((i % camera.width) as f32 * camera.spacing, (i / camera.width) as f32 * camera.spacing);
        let broad = bank::tile_at(tile, x * 0.42 + offset[1], y * 0.25 + offset[0]);
        let narrow = bank::tile_at(tile, x * 1.7 + offset[0] + 99.0, y * 0.9 + offset[1]);
        *fat = (skin - lean).max(0.0) + (9.0 + 7.0 * broad + 3.5 * narrow) * (lean / thick).clamp(0.0, 1.0);
    }
    if let Some(bladder) = patient.body.bladder_mesh() {
        let mut depth = coarse.depth(&bladder.moved(&motion));
        gaussian_blur(&mut depth, camera.width, camera.height, 1.5 / camera.spacing);
        fat.iter_mut().zip(&depth).for_each(|(fat, depth)| *fat -= 0.35 * depth);
    }
    for (material, plane) in [(Material::Soft, &skin), (Material::Fat, &fat)] {
        spread(plane, camera.width, camera.height, scene.plane_mut(material), fine.width, cell);
    }
    for (path, fold, air) in patient.body.folds(folds, legs) {
        let tube = |radius: f32| {
            let ends = path.len() - 1;
            let along = path.iter().enumerate().map(|(i, p)| {
                (motion.apply(*p), radius * (std::f32::consts::PI * i as f32 / ends as f32).sin().max(0.02).powf(0.4))
            });
            Mesh::tube(&along.collect::<Vec<_>>(), 12)
        };
        scene.add(&tube(fold), Material::Soft, 0.8);
        if air > 0.4 {
            scene.add(&tube(air), Material::Soft, -1.0);
        }
    }
}

/// Adds a coarse plane to a fine one `cell` times as dense, by bilinear interpolation.
fn spread(from: &[f32], width: usize, height: usize, to: &mut [f32], fine_width: usize, cell: usize) {
    let step = 1.0 / cell as f32;
    let place = |i: usize, n: usize| {
        let q = ((i as f32 + 0.5) * step - 0.5).clamp(0.0, (n - 1) as f32);
        let low = q as usize;
        (low, (low + 1).min(n - 1), q - low as f32)
    };
    let columns: Vec<_> = (0..fine_width).map(|x| place(x, width)).collect();
    let mut line = vec![0.0_f32; width];
    for (y, row) in to.chunks_mut(fine_width).enumerate() {
        let (y0, y1, v) = place(y, height);
        for (x, value) in line.iter_mut().enumerate() {
            *value = from[y0 * width + x] * (1.0 - v) + from[y1 * width + x] * v;
        }
        for (value, (x0, x1, u)) in row.iter_mut().zip(&columns) {
            *value += line[*x0] * (1.0 - u) + line[*x1] * u;
        }
    }
}

/// Where things are, with the bones unbroken.
fn landmarks(patient: &Patient) -> Landmarks {
    let hips = [Side::Right, Side::Left].map(|side| {
        let shape = &patient.femora[place(side)];
        let at = |p: Vec3| patient.femur_point(side, p);
        let (base, shaft) = (at(shape.neck_base()), at(shape.on_shaft(60.0)));
        let lateral = (at(shape.neck_base() + v(10.0, 0.0, 0.0)) - base).unit();
        let cup = patient.pelvis.hip();
        let cup = patient.pelvis_motion().apply(if side == Side::Right { cup.mirrored() } else { cup });
        let k = patient.femur_scale;
        let wall = shape.thickness(shape.on_shaft(120.0) + v(shape.shaft_radius, 0.0, 0.0)) * (0.35 + 0.65 * shape.cortex);
        HipLandmarks {
            side,
            head: at(Vec3::default()),
            head_radius: shape.head_radius * k,
            cup,
            neck_base: base,
            greater_trochanter: at(shape.greater_trochanter()),
            lesser_trochanter: at(shape.lesser_trochanter()),
            shaft,
            down: (shaft - base).unit(),
            lateral,
            canal_radius: (shape.shaft_radius - wall) * k,
            shaft_radius: shape.shaft_radius * k,
        }
    });
    let pelvis = patient.pelvis_motion();
    let k = patient.pelvis.scale;
    Landmarks {
        hips,
        index_side: patient.index_side,
        inlet: pelvis.apply(v(0.0, 30.0, -10.0) * k),
        crest_y: pelvis.apply(v(0.0, 143.0 * k * patient.pelvis.wing[1], -20.0)).y,
        body_half_width: patient.body.waist,
        body_half_depth: patient.body.depth,
        symphysis: pelvis.apply(v(0.0, -33.0, 44.0) * k),
    }
}

/// The box around world points in film pixels, three millimetres wider, cut at the film's border.
fn bounding_box(view: &View, points: &[Vec3]) -> [f32; 4] {
    let scale = 1.0 / view.oversampling as f32;
    let mut b = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
    for p in points {
        let [x, y] = view.camera.project(*p).map(|q| q * scale);
        b = [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)];
    }
    let margin = 3.0 * scale / view.camera.spacing;
    let (w, h) = (view.width as f32, view.height as f32);
    let [x0, x1] = [b[0] - margin, b[2] + margin].map(|x| x.clamp(0.0, w));
    let [y0, y1] = [b[1] - margin, b[3] + margin].map(|y| y.clamp(0.0, h));
    [x0, y0, x1 - x0, y1 - y0]
}

/// What was drawn besides the class.
fn covariates(patient: &Patient, view: &View, exposure: &Exposure, d: &Development) -> Vec<(&'static str, f32)> {
    let index = place(patient.index_side);
    let (leg, femur) = (patient.legs[index], patient.femora[index]);
    vec![
        ("age", patient.age),
        ("female", f32::from(u8::from(patient.sex == Sex::Female))),
        ("left", index as f32),
        ("rotation", leg.rotation),
        ("abduction", leg.abduction),
        ("flexion", leg.flexion),
        ("neck_shaft_angle", femur.neck_shaft_angle),
        ("cortex", femur.cortex),
        ("density", femur.density),
        ("collar", femur.collar),
        ("tilt", patient.tilt),
        ("turn", patient.turn[0]),
        ("obliquity", patient.turn[1]),
        ("hips", patient.body.hips),
        ("fat", patient.body.fat),
        ("aspect", view.width as f32 / view.height as f32),
        ("close_up", f32::from(u8::from(view.frame == Frame::CloseUp))),
        ("spacing", view.camera.spacing),
        ("photons", exposure.photons.ln()),
        ("scatter", exposure.scatter),
        ("gamma", d.gamma),
        ("equalize", d.equalize),
        ("monochrome1", f32::from(u8::from(d.monochrome1))),
        ("bits", f32::from(d.bits)),
        ("roll", smoothstep(-1.0, 1.0, view.camera.roll[1])),
    ]
}
