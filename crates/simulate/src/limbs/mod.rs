//! Limb films: ankle, elbow, foot, knee and wrist, the five parts that the paper pretrains on.
//!
//! All parts go through the same variation, hardware, exposure, processing, rotation and framing; only their bones (and what
//! soft tissue belongs to them) tell them apart. Each part's file describes the bones of a mean left limb in millimeters.

mod ankle;
mod elbow;
mod foot;
mod knee;
mod pose;
pub(crate) mod skeleton;
mod solid;
mod wrist;

use std::sync::OnceLock;

use coxa_cohort::{BodyPart, Sex, Side};

use crate::accessories;
use crate::anatomy::Anatomy;
use crate::beam::{Exposure, expose};
use crate::display::{Development, develop, store};
use crate::geometry::v;
use crate::mesh::Mesh;
use crate::noise::Noise;
use crate::projection::Camera;
use crate::random::{FilmRng, Stream, chance, choose, normal, stream, uniform};
use crate::scene::{Material, Scene};
use crate::types::{FilmOptions, PelvisTruth, SimulatedFilm};
use pose::Projection;
pub(crate) use skeleton::Prepared;
use skeleton::{Part, Posed, Variant, posed, prepared};

/// The parts that [`limb`] draws, in alphabetical order.
pub const PARTS: [BodyPart; 5] = BodyPart::PAPER_LIMBS;

/// A film of a limb: a pure function of seed, index, part and options.
///
/// # Panics
/// If `part` is not one of [`PARTS`] or the size is less than 32.
#[must_use]
pub fn limb(seed: u64, index: u64, part: &BodyPart, options: &FilmOptions) -> SimulatedFilm {
    limb_with(seed, index, part, options, None)
}

/// [`limb`] with bones from a folder in place of the built-in ones.
pub(crate) fn limb_with(
    seed: u64,
    index: u64,
    part: &BodyPart,
    options: &FilmOptions,
    anatomy: Option<&Anatomy>,
) -> SimulatedFilm {
    assert!(options.size >= 32, "a film of {} pixels", options.size);
    let variation = options.domain.variation;
    let mut patient = stream(seed, index, Stream::Patient);
    let age = uniform(&mut patient, 18.0, 95.0);
    let sex = if chance(&mut patient, 0.5) { Sex::Female } else { Sex::Male };
    let variant = Variant::draw(&mut patient, variation);
    let mut view = stream(seed, index, Stream::View);
    let side = if chance(&mut view, 0.5) { Side::Left } else { Side::Right };
    let projection =
        choose(&mut view, &[(Projection::Frontal, 0.42), (Projection::Lateral, 0.36), (Projection::Oblique, 0.22)]);
    let pose = pose::draw(&mut view, part, projection, variation);
    let camera = camera(&mut view, options.size * OVERSAMPLING, pose.field, variation);
    let reach = 0.85 * pose.field;
    let limb =
        posed(anatomy.map_or_else(|| library(part), |a| a.limb(part)), &variant, &pose, side == Side::Right, reach);

    let mut scene = Scene::new(camera);
    draw_limb(&mut scene, &limb, &mut patient, variation, &mut stream(seed, index, Stream::Texture));
    let mut clutter = stream(seed, index, Stream::Accessories);
    accessories::limb::draw(&mut clutter, &mut scene, &limb.outer, &limb.skin[0], &options.domain);

    let mut exposing = stream(seed, index, Stream::Exposure);
    let exposure = Exposure::draw(&mut exposing, variation);
    let signal = expose(&scene, &exposure, OVERSAMPLING, &mut exposing);
    let (width, height) = (camera.width / OVERSAMPLING, camera.height / OVERSAMPLING);
    let spacing = camera.spacing * OVERSAMPLING as f32;
    let development = development(&mut stream(seed, index, Stream::Display), variation);
    let mut value = develop(&signal, width, height, spacing, &development);
    let mut notes = stream(seed, index, Stream::Annotation);
    accessories::annotation::draw(&mut notes, &mut value, width, height, side, options.domain.clutter);
    let covariates = vec![
        ("left", f32::from(u8::from(side == Side::Left))),
        ("lateral", f32::from(u8::from(projection == Projection::Lateral))),
        ("spacing", spacing),
        ("aspect", width as f32 / height as f32),
    ];
    let truth = PelvisTruth { label: false, fracture: None, age, sex, hardware: None, covariates };
    store(&value, [width, height], spacing, &development, part.clone(), truth)
}

/// Raster pixels per film pixel along each axis.
const OVERSAMPLING: usize = 1;

/// The five parts' bones, those of a folder's surfaces in place of the built-in ones.
#[derive(Debug)]
pub(crate) struct Library {
    ankle: Prepared,
    elbow: Prepared,
    knee: Prepared,
    wrist: Prepared,
}

impl Library {
    /// Meshes all parts; `replacement(part, bone)` is a surface in the part's frame, of a left limb.
    pub(crate) fn new(replacement: impl Fn(&BodyPart, &str) -> Option<Mesh> + Sync) -> Self {
        let of = |part: BodyPart, describe: fn() -> Part| Prepared::new(describe(), |bone| replacement(&part, bone));
        Self {
            ankle: of(BodyPart::Ankle, ankle::part),
            elbow: of(BodyPart::Elbow, elbow::part),
            knee: of(BodyPart::Knee, knee::part),
            wrist: of(BodyPart::Wrist, wrist::part),
        }
    }

    /// A part's bones.
    pub(crate) fn part(&self, part: &BodyPart) -> &Prepared {
        match part {
            BodyPart::Elbow => &self.elbow,
            BodyPart::Knee => &self.knee,
            BodyPart::Wrist => &self.wrist,
            _ => &self.ankle,
        }
    }
}

/// The meshed bones of a part.
fn library(part: &BodyPart) -> &'static Prepared {
    static ANKLE: OnceLock<Prepared> = OnceLock::new();
    static ELBOW: OnceLock<Prepared> = OnceLock::new();
    static KNEE: OnceLock<Prepared> = OnceLock::new();
    static WRIST: OnceLock<Prepared> = OnceLock::new();
    match part {
        BodyPart::Ankle | BodyPart::Foot => prepared(&ANKLE, ankle::part),
        BodyPart::Elbow => prepared(&ELBOW, elbow::part),
        BodyPart::Knee => prepared(&KNEE, knee::part),
        BodyPart::Wrist => prepared(&WRIST, wrist::part),
        other => panic!("no limb film of `{other}` can be drawn"),
    }
}

/// Tube, detector and film: the same draw for every part but for the field's size.
fn camera(rng: &mut FilmRng, longest: usize, field: f32, variation: f32) -> Camera {
    let aspect = choose(rng, &[(1.0_f32, 0.2), (0.83, 0.35), (0.8, 0.25), (0.7, 0.2)]);
    let landscape = chance(rng, 0.3);
    let short = (longest as f32 * aspect).round() as usize / OVERSAMPLING * OVERSAMPLING;
    let (width, height) = if landscape { (longest, short) } else { (short, longest) };
    let detector_z = -uniform(rng, 40.0, 90.0);
    let distance = uniform(rng, 1000.0, 1150.0);
    let magnification = distance / (distance + detector_z);
    let spacing = field * magnification / longest as f32;
    // Quarter turns happen at the workstation; what remains is how the limb was laid on the cassette.
    let quarter = choose(rng, &[(0.0_f32, 0.7), (90.0, 0.1), (180.0, 0.1), (270.0, 0.1)]);
    let turn = normal(rng, quarter, 4.0 + 14.0 * variation).to_radians();
    let off = |rng: &mut FilmRng| normal(rng, 0.0, 0.05 * variation * field);
    Camera {
        source: v(normal(rng, 0.0, 15.0 * variation), normal(rng, 0.0, 15.0 * variation), distance + detector_z),
        detector_z,
        left: -spacing * width as f32 / 2.0 + off(rng),
        top: spacing * height as f32 / 2.0 + off(rng),
        spacing,
        width,
        height,
        roll: [turn.cos(), turn.sin()],
        pivot: [width as f32 * 0.5, height as f32 * 0.5],
    }
}

/// The processing of a limb film: as everywhere, but that the thin soft parts stay gray and the open field may be gray too.
fn development(rng: &mut FilmRng, variation: f32) -> Development {
    let mut d = Development::draw(rng, variation);
    d.body_from = 0.1;
    d.range = [uniform(rng, 0.0, 0.05 + 0.1 * variation), uniform(rng, 0.97 - 0.05 * variation, 0.999)];
    d.base = if chance(rng, 0.6) { uniform(rng, 0.0, 0.16) } else { 0.0 };
    d.gamma = normal(rng, 0.22, 0.26 * variation).exp();
    d.equalize = uniform(rng, 0.15, 0.35 + 0.35 * variation);
    d
}

/// Adds skin, fat, cortex, spongy bone and marrow to the scene.
fn draw_limb(scene: &mut Scene, limb: &Posed, rng: &mut FilmRng, variation: f32, texture: &mut FilmRng) {
    let density = uniform(rng, 0.8 - 0.35 * variation, 0.9 + 0.25 * variation);
    let fraction = 0.24 * density;
    scene.add(&limb.skin[0], Material::Soft, 1.0);
    scene.add(&limb.skin[0], Material::Fat, 1.0);
    scene.add(&limb.skin[1], Material::Fat, -1.0);
    for mesh in &limb.outer {
        scene.add(mesh, Material::Cortex, 0.62 + 0.38 * density);
    }
    for mesh in &limb.inner {
        scene.add(mesh, Material::Cortex, -(0.62 + 0.38 * density));
        scene.add(mesh, Material::Spongy, fraction);
    }
    for mesh in &limb.cavities {
        scene.add(mesh, Material::Spongy, -fraction * 0.85);
        scene.add(mesh, Material::Fat, 0.6);
    }
    weave(scene, texture, variation);
    stripe(scene, texture, variation);
}

/// Trabecular texture: noise drawn out along a direction close to the limb's axis, stronger where it is denser.
fn weave(scene: &mut Scene, rng: &mut FilmRng, variation: f32) {
    let camera = scene.camera;
    let strength = uniform(rng, 0.03, 0.08 + 0.1 * variation);
    let grain = uniform(rng, 0.6, 1.5) / camera.spacing;
    let stretch = uniform(rng, 1.5, 4.0);
    let noise = Noise::new(uniform(rng, 0.0, 1e6) as u32);
    let [cos, sin] = camera.roll;
    let width = camera.width;
    let plane = scene.plane_mut(Material::Spongy);
    for (i, path) in plane.iter_mut().enumerate() {
        if path.abs() < 0.01 {
            continue;
        }
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        let (across, along) = ((x * cos + y * sin) / grain, (y * cos - x * sin) / (grain * stretch));
        let net = noise.octaves(across, along, 3, 0.75)
            + 0.6 * noise.octaves(across / stretch + 91.0, along * stretch, 2, 0.7);
        *path *= (1.0 + strength * net).max(0.2);
    }
}

/// Muscle bundles with fat between them: faint streaks along the limb.
fn stripe(scene: &mut Scene, rng: &mut FilmRng, variation: f32) {
    let camera = scene.camera;
    let strength = uniform(rng, 0.02, 0.05 + 0.06 * variation);
    let grain = uniform(rng, 6.0, 14.0) / camera.spacing;
    let noise = Noise::new(uniform(rng, 0.0, 1e6) as u32);
    let [cos, sin] = camera.roll;
    let width = camera.width;
    let soft: Vec<f32> = scene.plane(Material::Soft).unwrap_or_default().to_vec();
    let fat = scene.plane_mut(Material::Fat);
    for (i, (path, thickness)) in fat.iter_mut().zip(&soft).enumerate() {
        if *thickness < 1.0 {
            continue;
        }
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        let (across, along) = ((x * cos + y * sin) / grain, (y * cos - x * sin) / (grain * 6.0));
        *path += strength * thickness * noise.octaves(across, along, 3, 0.6);
    }
}
