//! How a frontal film of the hips is taken: which part it shows, where tube and detector stand, and the film's raster.

use coxa_schema::Side;

use super::patient::Patient;
use crate::film::options::FilmOptions;
use crate::film::projection::Camera;
use crate::geometry::v;
use crate::random::{Stream, chance, choose, normal, stream, uniform};

/// Which part of the body the film is meant to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The whole pelvis on a landscape film.
    Landscape,
    /// The pelvis with the thighs on a portrait film.
    Portrait,
    /// One hip.
    CloseUp,
}

/// How the film is taken.
#[derive(Clone, Copy, Debug)]
pub struct Viewpoint {
    /// Part shown.
    pub frame: Frame,
    /// Film size in pixels.
    pub width: usize,
    /// Film size in pixels.
    pub height: usize,
    /// The camera, its raster `oversampling` times as fine as the film.
    pub camera: Camera,
    /// Raster pixels per film pixel along each axis.
    pub oversampling: usize,
}

impl Viewpoint {
    /// Draws a view of the patient. The index hip is in the film with a margin.
    #[must_use]
    pub fn draw(seed: u64, index: u64, patient: &Patient, options: &FilmOptions) -> Self {
        let rng = &mut stream(seed, index, Stream::View);
        let s = options.domain.variation;
        let close = options.domain.close_up;
        let frame = choose(
            rng,
            &[
                (Frame::Landscape, (1.0 - close) * 0.68),
                (Frame::Portrait, (1.0 - close) * 0.32),
                (Frame::CloseUp, close),
            ],
        );
        let side = if patient.index_side == Side::Left { 1.0 } else { -1.0 };
        let aspect = choose(rng, &[(1.217, 0.4), (1.25, 0.3), (1.0, 0.0)]);
        let aspect = if chance(rng, 0.3 * s) { uniform(rng, 1.0, 1.45) } else { aspect };
        // Width and height at the detector in millimeters, and where the middle of the film is on the patient.
        let (size, aim) = match frame {
            Frame::Landscape => {
                let width = uniform(rng, 425.0 - 35.0 * s, 440.0 + 50.0 * s);
                let aim = v(normal(rng, 0.0, 18.0 * s), normal(rng, 34.0, 20.0 * s), 0.0);
                ([width, width / aspect], aim)
            }
            Frame::Portrait => {
                let width = uniform(rng, 345.0, 355.0 + 45.0 * s);
                // Often centered on one hip, with the half of the pelvis and more of that thigh.
                let aim = if chance(rng, 0.4) {
                    v(side * uniform(rng, 30.0, 70.0 + 50.0 * s), normal(rng, -35.0, 40.0 * s), 0.0)
                } else {
                    v(side * uniform(rng, -10.0, 10.0 + 30.0 * s), normal(rng, 10.0, 40.0 * s), 0.0)
                };
                ([width, width * aspect], aim)
            }
            Frame::CloseUp => {
                let width = uniform(rng, 240.0 - 60.0 * s, 300.0 + 50.0 * s);
                let aim = v(
                    side * (patient.pelvis.half_distance - uniform(rng, -20.0, 75.0)),
                    normal(rng, -32.0, 35.0 * s),
                    0.0,
                );
                let tall = if chance(rng, 0.8) { aspect } else { 1.0 / aspect };
                ([width, width * tall], aim)
            }
        };
        let magnification_at_hips = 1.14;
        let reach = [size[0] * 0.5 / magnification_at_hips, size[1] * 0.5 / magnification_at_hips];
        // The part that may break stays well inside: from above the greater trochanter to below the lesser, head to lateral cortex.
        let hip = patient.femur_point(patient.index_side, v(22.0, -30.0, 0.0));
        let slack = [(reach[0] - 62.0).max(4.0), (reach[1] - 75.0).max(4.0)];
        let aim =
            v(aim.x.clamp(hip.x - slack[0], hip.x + slack[0]), aim.y.clamp(hip.y - slack[1], hip.y + slack[1]), 0.0);
        let longest = size[0].max(size[1]);
        let pixels = |mm: f32| ((mm / longest * options.size as f32).round() as usize).clamp(1, options.size);
        let (width, height) = (pixels(size[0]), pixels(size[1]));
        let spacing = longest / options.size as f32;
        let oversampling = if spacing > 0.55 { 2 } else { 1 };
        let detector_z = -(patient.body.depth * 1.02 + uniform(rng, 45.0, 90.0));
        let distance = uniform(rng, 1000.0 - 40.0 * s, 1150.0 + 60.0 * s);
        let source = v(aim.x + normal(rng, 0.0, 18.0 * s), aim.y + normal(rng, 0.0, 22.0 * s), detector_z + distance);
        let magnification = distance / source.z;
        let middle = source + (aim - source) * magnification;
        let roll = normal(rng, 0.0, 2.2 * s).to_radians();
        let fine = spacing / oversampling as f32;
        let camera = Camera {
            source,
            detector_z,
            left: middle.x - 0.5 * (width * oversampling) as f32 * fine,
            top: middle.y + 0.5 * (height * oversampling) as f32 * fine,
            spacing: fine,
            width: width * oversampling,
            height: height * oversampling,
            roll: [roll.cos(), roll.sin()],
            pivot: [0.5 * (width * oversampling) as f32, 0.5 * (height * oversampling) as f32],
        };
        Self { frame, width, height, camera, oversampling }
    }
}
