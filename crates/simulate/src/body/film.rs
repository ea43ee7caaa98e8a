//! A frontal film of the pelvis or a hip, from the seed to the stored pixels.

use coxa_schema::{BodyPart, FractureType, Sex, Side};

use super::draw::{draw_fragment, draw_pelvis};
use super::patient::{Patient, place};
use super::soft::draw_soft;
use super::viewpoint::{Frame, Viewpoint};
use crate::accessories;
use crate::accessories::landmarks::{HipLandmarks, Landmarks};
use crate::bones::bank;
use crate::bones::fracture::{Fracture, Fragment};
use crate::bones::surfaces::BoneSurfaces;
use crate::film::beam::{Exposure, expose};
use crate::film::display::{Development, develop, store};
use crate::film::options::{FilmKind, FilmOptions, Proportions};
use crate::film::scene::Scene;
use crate::film::truth::{FilmTruth, HipOnFilm, SimulatedFilm, SimulatedFracture};
use crate::geometry::{Rigid, Vec3, smoothstep, v};
use crate::random::{Stream, chance, choose, stream, uniform};

/// Makes a frontal film of the pelvis or of one hip: a pure function of its arguments.
///
/// Films of the same seed and index differ between kinds in nothing but the fracture.
#[must_use]
pub fn pelvis(seed: u64, index: u64, options: &FilmOptions) -> SimulatedFilm {
    pelvis_with(seed, index, options, None)
}

/// [`pelvis`] with bones from a folder in place of the built-in ones.
pub(crate) fn pelvis_with(
    seed: u64,
    index: u64,
    options: &FilmOptions,
    surfaces: Option<&BoneSurfaces>,
) -> SimulatedFilm {
    let kind = kind_of(seed, index, options);
    let domain = &options.domain;
    let mut patient = Patient::draw(seed, index, domain);
    let own_femur = surfaces.and_then(BoneSurfaces::femur_template);
    for femur in patient.femora.iter_mut() {
        *femur = own_femur.map_or(*femur, |own| own.shape.with_quality_of(femur));
    }
    let view = Viewpoint::draw(seed, index, &patient, options);
    let mut scene = Scene::new(view.camera);
    let mut texture = stream(seed, index, Stream::Texture);
    let offset = [uniform(&mut texture, 0.0, 512.0), uniform(&mut texture, 0.0, 512.0)];

    let landmarks = landmarks(&patient);
    let mut accessories = stream(seed, index, Stream::Accessories);
    let hardware = accessories::choose_hardware(&mut accessories, patient.index_side, domain);

    draw_pelvis(&mut scene, &patient, surfaces, offset);
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
        let headless = hardware.is_some_and(|(kind, on)| on == side && kind.replaces_head());
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
    // Metal goes where the shaft goes that it is bolted to: screws cut out of a head that is left behind.
    let fixed = hardware.map(|(kind, side)| {
        let broken = fracture.as_ref().filter(|_| side == patient.index_side);
        (kind, hip_landmarks(&patient, side, &broken.map_or(Rigid::identity(), Fracture::shaft_motion)))
    });
    accessories::draw(&mut accessories, &mut scene, &landmarks, fixed, patient.age, domain);

    let mut quantum = stream(seed, index, Stream::Exposure);
    let exposure = Exposure::draw(&mut quantum, domain.variation);
    let signal = expose(&scene, &exposure, view.oversampling, &mut quantum);
    let development = Development::draw(&mut stream(seed, index, Stream::Display), domain.variation);
    let spacing = view.camera.spacing * view.oversampling as f32;
    let mut display = develop(&signal, view.width, view.height, spacing, &development);
    let mut notes = stream(seed, index, Stream::Annotation);
    // The letter is that of the hip on a close-up, of either side on a film of both hips.
    let either = if chance(&mut notes, 0.5) { Side::Left } else { Side::Right };
    let letter = if view.frame == Frame::CloseUp { patient.index_side } else { either };
    let burned_in_text =
        accessories::annotation::draw(&mut notes, &mut display, view.width, view.height, letter, domain.clutter);
    let fracture = fracture.map(|fracture| SimulatedFracture {
        kind: fracture.kind,
        classes: fracture.classes,
        side: patient.index_side,
        displacement,
        bbox: bounding_box(&view, &faces),
    });
    let truth = FilmTruth {
        label: fracture.is_some(),
        fracture,
        age: patient.age,
        sex: patient.sex,
        burned_in_text,
        hardware,
        hips: landmarks.hips.iter().map(|hip| on_film(&view, hip)).collect(),
        covariates: covariates(&patient, &view, &exposure, &development),
    };
    let part = if view.frame == Frame::CloseUp { BodyPart::Hip } else { BodyPart::Pelvis };
    store(&display, [view.width, view.height], spacing, &development, part, truth)
}

/// Which fracture a film has, or none.
#[must_use]
pub fn kind_of(seed: u64, index: u64, options: &FilmOptions) -> Option<FractureType> {
    let kind = match options.kind {
        FilmKind::Random => choose(&mut stream(seed, index, Stream::Class), &Proportions::default().kinds()),
        kind => kind,
    };
    kind.fracture()
}

/// The landmarks, with the bones unbroken.
fn landmarks(patient: &Patient) -> Landmarks {
    let pelvis = patient.pelvis_motion();
    let k = patient.pelvis.scale;
    Landmarks {
        hips: [Side::Right, Side::Left].map(|side| hip_landmarks(patient, side, &Rigid::identity())),
        inlet: pelvis.apply(v(0.0, 30.0, -10.0) * k),
        crest_y: pelvis.apply(v(0.0, 143.0 * k * patient.pelvis.wing[1], -20.0)).y,
        body_half_width: patient.body.waist,
        body_half_depth: patient.body.depth,
        symphysis: pelvis.apply(v(0.0, -27.0, 28.0) * k),
    }
}

/// The landmarks of one hip whose femur has moved, in its rest frame, by `motion` as a whole.
fn hip_landmarks(patient: &Patient, side: Side, motion: &Rigid) -> HipLandmarks {
    let shape = &patient.femora[place(side)];
    let at = |p: Vec3| patient.femur_point(side, motion.apply(p));
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
}

/// Where a hip lies on the film.
fn on_film(view: &Viewpoint, hip: &HipLandmarks) -> HipOnFilm {
    let scale = 1.0 / view.oversampling as f32;
    HipOnFilm {
        side: hip.side,
        head: view.camera.project(hip.head).map(|q| q * scale),
        radius: hip.head_radius * view.camera.magnification(hip.head.z) / view.camera.spacing * scale,
    }
}

/// The box around world points in film pixels, three millimeters wider, cut at the film's border.
fn bounding_box(view: &Viewpoint, points: &[Vec3]) -> [f32; 4] {
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

/// Values drawn for a film besides its class, by name: the same for every [`FilmKind`].
#[must_use]
pub fn covariates_of(seed: u64, index: u64, options: &FilmOptions) -> Vec<(&'static str, f32)> {
    let variation = options.domain.variation;
    let patient = Patient::draw(seed, index, &options.domain);
    let view = Viewpoint::draw(seed, index, &patient, options);
    let exposure = Exposure::draw(&mut stream(seed, index, Stream::Exposure), variation);
    covariates(&patient, &view, &exposure, &Development::draw(&mut stream(seed, index, Stream::Display), variation))
}

fn covariates(patient: &Patient, view: &Viewpoint, exposure: &Exposure, d: &Development) -> Vec<(&'static str, f32)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest distance of two empirical distribution functions.
    fn kolmogorov_smirnov(mut a: Vec<f32>, mut b: Vec<f32>) -> f32 {
        a.sort_by(f32::total_cmp);
        b.sort_by(f32::total_cmp);
        let below = |sorted: &[f32], x: f32| sorted.partition_point(|q| *q <= x) as f32 / sorted.len() as f32;
        a.iter().chain(&b).map(|x| (below(&a, *x) - below(&b, *x)).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn classes_do_not_differ_in_anything_else_that_is_drawn() {
        let options = FilmOptions::default();
        let rows: Vec<_> =
            (0..1200).map(|i| (kind_of(7, i, &options).is_some(), covariates_of(7, i, &options))).collect();
        for (c, (name, _)) in rows[0].1.iter().enumerate() {
            let of = |label: bool| rows.iter().filter(|r| r.0 == label).map(|r| r.1[c].1).collect::<Vec<_>>();
            let (with, without) = (of(true), of(false));
            // The 0.01 % point of the statistic for these sizes, as 25 variables are compared.
            let limit = 2.23 * ((with.len() + without.len()) as f32 / (with.len() * without.len()) as f32).sqrt();
            let d = kolmogorov_smirnov(with, without);
            assert!(d < limit, "{name} differs between the classes: {d} ≥ {limit}");
        }
    }

    #[test]
    fn the_kind_changes_no_covariate() {
        let small = |kind| FilmOptions { size: 64, kind, ..FilmOptions::default() };
        for index in 0..4 {
            let films =
                [FilmKind::Normal, FilmKind::FemoralNeck, FilmKind::Trochanteric].map(|k| pelvis(3, index, &small(k)));
            assert_eq!(films[0].truth.covariates, films[1].truth.covariates);
            assert_eq!(films[0].truth.covariates, films[2].truth.covariates);
            assert_eq!(films[0].truth.hardware, films[1].truth.hardware);
            assert_eq!((films[0].width, films[0].height), (films[1].width, films[1].height));
            assert_eq!(films[0].truth.covariates, covariates_of(3, index, &small(FilmKind::Normal)));
        }
    }
}
