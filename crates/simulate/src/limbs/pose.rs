//! How limbs are laid before the tube: flexion of the joints, projection, aim and field.

use coxa_schema::BodyPart;

use super::skeleton::Pose;
use super::{elbow, foot, knee, wrist};
use crate::geometry::{Rigid, Vec3, v};
use crate::random::{FilmRng, chance, normal, uniform};

const X: Vec3 = v(1.0, 0.0, 0.0);
const Y: Vec3 = v(0.0, 1.0, 0.0);
const Z: Vec3 = v(0.0, 0.0, 1.0);

/// The direction of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Projection {
    /// AP, PA or, for the foot, dorsoplantar.
    Frontal,
    /// From the side.
    Lateral,
    /// In between.
    Oblique,
}

/// Draws pose and framing of a part.
pub(super) fn draw(rng: &mut FilmRng, part: &BodyPart, projection: Projection, variation: f32) -> Pose {
    let (segments, turn, center, field) = match part {
        BodyPart::Knee => knee_pose(rng, projection, variation),
        BodyPart::Elbow => elbow_pose(rng, projection, variation),
        BodyPart::Wrist => wrist_pose(rng, projection, variation),
        BodyPart::Ankle => ankle_pose(rng, projection, variation),
        _ => foot_pose(rng, projection, variation),
    };
    let tilt =
        |rng: &mut FilmRng, axis: Vec3, sd: f32| Rigid::rotate(Vec3::default(), axis, normal(rng, 0.0, sd * variation));
    let view = tilt(rng, Y, 5.0).then(&turn).then(&tilt(rng, X, 5.0)).then(&tilt(rng, Z, 3.0));
    Pose { segments, view, center, field }
}

/// Turn about the long axis: 0 frontal, a quarter lateral, 30° to 50° oblique, to either side.
fn axial(rng: &mut FilmRng, projection: Projection) -> f32 {
    let sign = if chance(rng, 0.5) { 1.0 } else { -1.0 };
    match projection {
        Projection::Frontal => 0.0,
        Projection::Lateral => 90.0 * sign,
        Projection::Oblique => uniform(rng, 28.0, 50.0) * sign,
    }
}

type Drawn = (Vec<Rigid>, Rigid, Vec3, f32);

fn knee_pose(rng: &mut FilmRng, projection: Projection, variation: f32) -> Drawn {
    let flexion = match projection {
        Projection::Lateral => uniform(rng, 5.0, 40.0 + 50.0 * variation),
        _ => uniform(rng, 0.0, 12.0),
    };
    let mut segments = vec![Rigid::identity(); 3];
    segments[knee::SHANK] = Rigid::rotate(v(0.0, 19.0, -8.0), X, flexion);
    segments[knee::KNEECAP] = Rigid::rotate(v(0.0, 22.0, -2.0), X, flexion * 0.62);
    // Half of the flexion is the thigh's, so that the joint keeps pointing at the film's middle.
    let balance = Rigid::rotate(Vec3::default(), X, -flexion * 0.5);
    let turn = balance.then(&Rigid::rotate(Vec3::default(), Y, axial(rng, projection)));
    (segments, turn, v(0.0, 4.0, 0.0), uniform(rng, 210.0, 330.0))
}

fn elbow_pose(rng: &mut FilmRng, projection: Projection, variation: f32) -> Drawn {
    let flexion = match projection {
        Projection::Lateral => normal(rng, 85.0, 12.0 + 12.0 * variation),
        _ => uniform(rng, 0.0, 25.0),
    };
    let mut segments = vec![Rigid::identity(); 2];
    segments[elbow::FOREARM] =
        Rigid::rotate(v(0.0, 0.0, 4.0), Z, normal(rng, 10.0, 3.0)).then(&Rigid::rotate(v(0.0, 0.0, 4.0), X, -flexion));
    let balance = Rigid::rotate(Vec3::default(), X, flexion * 0.5);
    let turn = balance.then(&Rigid::rotate(Vec3::default(), Y, axial(rng, projection)));
    (segments, turn, v(0.0, 0.0, 4.0), uniform(rng, 170.0, 290.0))
}

fn wrist_pose(rng: &mut FilmRng, projection: Projection, variation: f32) -> Drawn {
    let (bend, deviation) = (normal(rng, 0.0, 9.0 * variation), normal(rng, 0.0, 7.0 * variation));
    let center = v(0.0, -10.0, 0.0);
    let hand = Rigid::rotate(center, X, -bend).then(&Rigid::rotate(center, Z, deviation));
    let curl = uniform(rng, -5.0, 10.0 + 30.0 * variation);
    let mut segments = vec![Rigid::identity(); 4];
    segments[wrist::HAND] = hand;
    segments[wrist::FINGERS] = Rigid::rotate(v(0.0, -80.0, 2.0), X, -curl).then(&hand);
    segments[wrist::THUMB] = Rigid::rotate(v(41.0, -51.0, 30.0), v(-0.4, 0.3, 0.6), normal(rng, 0.0, 10.0)).then(&hand);
    // Mostly palm down.
    let palm = if chance(rng, 0.8) { 180.0 } else { 0.0 };
    let turn = Rigid::rotate(Vec3::default(), Y, palm + axial(rng, projection));
    (segments, turn, v(0.0, uniform(rng, -22.0, 6.0), 4.0), uniform(rng, 130.0, 260.0))
}

/// Plantar flexion, degrees: mean and standard deviation.
fn ankle_segments(rng: &mut FilmRng, mean: f32, sd: f32) -> Vec<Rigid> {
    let flexion = normal(rng, mean, sd);
    let foot = Rigid::rotate(v(0.0, -7.0, 0.0), X, flexion);
    let mut segments = vec![Rigid::identity(); 3];
    segments[foot::FOOT] = foot;
    segments[foot::TOES] = Rigid::rotate(v(10.0, -41.0, 118.0), X, normal(rng, -6.0, 6.0)).then(&foot);
    segments
}

fn ankle_pose(rng: &mut FilmRng, projection: Projection, variation: f32) -> Drawn {
    let segments = ankle_segments(rng, 5.0, 4.0 + 6.0 * variation);
    // The mortise view turns the leg 15° inwards.
    let mortise = if projection == Projection::Frontal { uniform(rng, -3.0, 18.0) } else { 0.0 };
    let turn = Rigid::rotate(Vec3::default(), Y, axial(rng, projection) - mortise);
    (segments, turn, v(0.0, uniform(rng, -8.0, 20.0), uniform(rng, -3.0, 10.0)), uniform(rng, 160.0, 280.0))
}

fn foot_pose(rng: &mut FilmRng, projection: Projection, variation: f32) -> Drawn {
    // From above, the leg leans back out of the beam: it would overlie the tarsus.
    let mean = if projection == Projection::Lateral { 5.0 } else { 38.0 };
    let segments = ankle_segments(rng, mean, 5.0 + 10.0 * variation);
    let flexion = segments[foot::FOOT];
    // The foot lies flat on the cassette whatever the leg does.
    let level = Rigid { translation: Vec3::default(), ..flexion }.inverse();
    let plantar = Rigid::rotate(Vec3::default(), X, 90.0 - uniform(rng, 0.0, 15.0));
    let turn = match projection {
        Projection::Lateral => Rigid::rotate(Vec3::default(), Y, axial(rng, projection)),
        Projection::Frontal => plantar,
        Projection::Oblique => Rigid::rotate(Vec3::default(), Z, -uniform(rng, 25.0, 45.0)).then(&plantar),
    };
    let center = if projection == Projection::Lateral { v(0.0, -20.0, 60.0) } else { v(10.0, -30.0, 85.0) };
    (segments, level.then(&turn), center, uniform(rng, 230.0, 340.0))
}
