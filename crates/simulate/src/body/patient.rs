//! The patient of a frontal film of the hips, and the pose. Neither depends on the class of the film.

use coxa_schema::{Sex, Side};

use super::envelope::BodyShape;
use crate::bones::femur::{FEMORA, FemurShape};
use crate::bones::pelvis::{PELVES, PelvisFit, PelvisShape};
use crate::bones::relief::Relief;
use crate::film::options::Domain;
use crate::geometry::{Rigid, Vec3, v};
use crate::random::{FilmRng, Stream, chance, normal, stream, uniform};

/// Pose of one leg against the pelvis, degrees; the same for both sides of the body.
#[derive(Clone, Copy, Debug)]
pub struct LegPose {
    /// External rotation of the leg plus anteversion of the neck.
    pub rotation: f32,
    /// Abduction.
    pub abduction: f32,
    /// Flexion.
    pub flexion: f32,
}

/// A patient on the table.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Years.
    pub age: f32,
    /// Sex.
    pub sex: Sex,
    /// The hip in question: broken in films with a fracture, whole in the others.
    pub index_side: Side,
    /// Number of the pelvis in the bank.
    pub pelvis_number: usize,
    /// Individual variation of the pelvis.
    pub pelvis: PelvisFit,
    /// Numbers of the femora in the bank, right then left.
    pub femur_numbers: [usize; 2],
    /// Femora, right then left, in the millimeters of the templates.
    pub femora: [FemurShape; 2],
    /// Lines and ridges of the femora, right then left.
    pub relief: [Relief; 2],
    /// Millimeters of this patient per millimeter of the femur's template.
    pub femur_scale: f32,
    /// Poses of the legs, right then left.
    pub legs: [LegPose; 2],
    /// Where each head is against its socket's center, millimeters in the left side's frame.
    pub seating: [Vec3; 2],
    /// Soft tissue.
    pub body: BodyShape,
    /// Forward tilt of the pelvis, degrees.
    pub tilt: f32,
    /// Turn of the body about its long axis and obliquity of the pelvis, degrees.
    pub turn: [f32; 2],
}

/// 0 for the right, 1 for the left: the order of pairs.
#[must_use]
pub fn place(side: Side) -> usize {
    match side {
        Side::Right => 0,
        Side::Left => 1,
    }
}

impl Patient {
    /// Draws a patient.
    #[must_use]
    pub fn draw(seed: u64, index: u64, domain: &Domain) -> Self {
        let rng = &mut stream(seed, index, Stream::Patient);
        let variation = domain.variation;
        let s = 0.4 + 0.6 * variation;
        let sex = if chance(rng, 0.58) { Sex::Female } else { Sex::Male };
        let female = if sex == Sex::Female { 1.0 } else { 0.0 };
        let age = if chance(rng, 0.3) { uniform(rng, 20.0, 60.0) } else { normal(rng, 74.0, 11.0).clamp(40.0, 98.0) };
        // Head diameters 43 ± 3 mm in women, 48 ± 3 mm in men, over 47.6 mm.
        let scale = (1.0 - 0.093 * female) * (1.0 + normal(rng, 0.0, 0.045));
        let number = |rng: &mut FilmRng, n: usize| (uniform(rng, 0.0, n as f32) as usize).min(n - 1);
        let first = number(rng, FEMORA);
        let second = number(rng, FEMORA);
        // The hips of a person have the same shape, but for old disease or injury of one of them.
        let second = if chance(rng, 0.12 * variation) { second } else { first };
        let femur_numbers = if chance(rng, 0.5) { [first, second] } else { [second, first] };
        let aged = FemurShape::numbered(first).aged(rng, age, variation);
        let femora = femur_numbers.map(|n| FemurShape {
            cortex: aged.cortex * (1.0 + normal(rng, 0.0, 0.03)),
            density: aged.density * (1.0 + normal(rng, 0.0, 0.03)),
            singh: aged.singh,
            ..FemurShape::numbered(n)
        });
        let pelvis_number = number(rng, PELVES);
        let femur_scale = scale;
        // The template's socket takes a head of 44 mm.
        let pelvis_scale = 23.8 * scale / 22.0;
        let pelvis = PelvisFit::draw(rng, pelvis_scale, female, age, variation);
        let body = BodyShape::draw(rng, pelvis.half_distance, female, age, variation);
        let version = normal(rng, 13.0, 6.0);
        let both = normal(rng, 8.0, 9.0 * s);
        let legs = [0, 1].map(|_| {
            let alone =
                if chance(rng, 0.15 * variation) { uniform(rng, -10.0, 40.0) } else { normal(rng, 0.0, 5.0 * s) };
            let spread =
                if chance(rng, 0.1 * variation) { uniform(rng, 0.0, 25.0) } else { normal(rng, -4.0, 4.0 * s) };
            LegPose {
                rotation: (version + both + alone).clamp(-30.0, 75.0),
                abduction: spread,
                flexion: if chance(rng, 0.15) { uniform(rng, 0.0, 28.0) } else { normal(rng, 2.0, 3.0) },
            }
        });
        let gap = (PelvisShape::numbered(pelvis_number).cavity - 22.0) * pelvis_scale;
        let seating = [0, 1].map(|_| {
            let worn = chance(rng, 0.2);
            let up = if worn { uniform(rng, 0.4, 0.85) } else { uniform(rng, -0.15, 0.25) } * gap;
            v(uniform(rng, -0.2, 0.3) * gap, up, 0.0)
        });
        Self {
            age,
            sex,
            index_side: if chance(rng, 0.5) { Side::Left } else { Side::Right },
            pelvis_number,
            pelvis,
            femur_numbers,
            femora,
            relief: Relief::draw_both(&mut stream(seed, index, Stream::Relief), &femora),
            femur_scale,
            legs,
            seating,
            body,
            tilt: normal(rng, -1.0, 6.5 * s),
            turn: [normal(rng, 0.0, 4.5 * s), normal(rng, 0.0, 2.5 * s)],
        }
    }

    /// From the frame of the left femur at rest (in this patient's millimeters) to the left side's half of the patient's frame.
    #[must_use]
    pub fn leg_motion(&self, side: Side) -> Rigid {
        let leg = self.legs[place(side)];
        let zero = Vec3::default();
        Rigid::rotate(zero, v(0.0, 1.0, 0.0), leg.rotation)
            .then(&Rigid::rotate(zero, v(0.0, 0.0, 1.0), leg.abduction))
            .then(&Rigid::rotate(zero, v(1.0, 0.0, 0.0), -leg.flexion))
            .then(&Rigid::translate(self.pelvis.hip() + self.seating[place(side)]))
    }

    /// From the patient's frame to the world.
    #[must_use]
    pub fn motion(&self) -> Rigid {
        let zero = Vec3::default();
        Rigid::rotate(zero, v(0.0, 1.0, 0.0), self.turn[0]).then(&Rigid::rotate(zero, v(0.0, 0.0, 1.0), self.turn[1]))
    }

    /// From the pelvis' frame to the world: tilted, then as the patient.
    #[must_use]
    pub fn pelvis_motion(&self) -> Rigid {
        Rigid::rotate(Vec3::default(), v(1.0, 0.0, 0.0), self.tilt).then(&self.motion())
    }

    /// A point of a femur at rest, in its template's millimeters, in the world.
    #[must_use]
    pub fn femur_point(&self, side: Side, p: Vec3) -> Vec3 {
        let q = self.leg_motion(side).apply(p * self.femur_scale);
        self.motion().apply(if side == Side::Right { q.mirrored() } else { q })
    }
}
