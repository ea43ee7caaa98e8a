//! A film of a limb, from the seed to the stored pixels.

use coxa_schema::{BodyPart, Sex, Side};

use super::draw::draw_limb;
use super::library::{LimbBones, built_in};
use super::pose::{self, Projection};
use super::skeleton::{Variant, posed};
use crate::accessories;
use crate::film::beam::{Exposure, expose};
use crate::film::display::{Development, develop, store};
use crate::film::options::FilmOptions;
use crate::film::projection::Camera;
use crate::film::scene::Scene;
use crate::film::truth::{FilmTruth, SimulatedFilm};
use crate::geometry::v;
use crate::random::{FilmRng, Stream, chance, choose, normal, stream, uniform};

/// A film of a limb: a pure function of seed, index, part and options.
///
/// # Panics
/// If `part` is not one of [`super::PARTS`] or the size is less than 32.
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
    own: Option<&LimbBones>,
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
        posed(own.map_or_else(|| built_in(part), |own| own.part(part)), &variant, &pose, side == Side::Right, reach);

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
    let burned_in_text =
        accessories::annotation::draw(&mut notes, &mut value, width, height, side, options.domain.clutter);
    let covariates = vec![
        ("left", f32::from(u8::from(side == Side::Left))),
        ("lateral", f32::from(u8::from(projection == Projection::Lateral))),
        ("spacing", spacing),
        ("aspect", width as f32 / height as f32),
    ];
    let truth = FilmTruth {
        label: false,
        fracture: None,
        age,
        sex,
        burned_in_text,
        hardware: None,
        hips: Vec::new(),
        covariates,
    };
    store(&value, [width, height], spacing, &development, part.clone(), truth)
}

/// Raster pixels per film pixel along each axis.
const OVERSAMPLING: usize = 1;

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
