//! Everything on films besides the patient: metal, gas, calcifications, lines, clothing, markers and labels.
//!
//! Nothing here depends on whether there is a fracture: accessories are drawn from streams of their own
//! ([`crate::random::Stream::Accessories`], [`crate::random::Stream::Annotation`]) with the same probabilities for every class.

pub mod annotation;
pub mod belongings;
pub mod bowel;
pub mod calcification;
pub(crate) mod curve;
pub mod font;
pub mod hardware;
pub mod landmarks;
pub mod limb;
pub mod metal;

use coxa_schema::Side;

use crate::film::options::Domain;
use crate::film::scene::Scene;
use crate::film::truth::Hardware;
use crate::random::{FilmRng, chance, choose};
use landmarks::{HipLandmarks, Landmarks};

/// Which hardware the film has, if any, and on which side.
///
/// Screws, nails and plates are placed in either hip, the one in question included, as a bone breaks beside and through them too. A
/// prosthesis is placed in the opposite hip only: it leaves no neck that could break, and the label must not follow from the metal.
pub fn choose_hardware(rng: &mut FilmRng, index_side: Side, domain: &Domain) -> Option<(Hardware, Side)> {
    let kind = choose(
        rng,
        &[
            (Hardware::TotalHip, 0.3),
            (Hardware::Hemiarthroplasty, 0.2),
            (Hardware::Nail, 0.2),
            (Hardware::SlidingScrew, 0.15),
            (Hardware::CannulatedScrews, 0.15),
        ],
    );
    let wanted = chance(rng, domain.hardware);
    let in_question = chance(rng, 0.5) && !kind.replaces_head();
    wanted.then(|| (kind, if in_question { index_side } else { index_side.opposite() }))
}

/// Adds all accessories in the beam of a pelvic film: hardware (as chosen by [`choose_hardware`], with the present landmarks of the
/// hip that holds it), bowel gas, calcifications, lines and clothing.
pub fn draw(
    rng: &mut FilmRng,
    scene: &mut Scene,
    landmarks: &Landmarks,
    hardware: Option<(Hardware, HipLandmarks)>,
    age: f32,
    domain: &Domain,
) {
    bowel::draw(rng, scene, landmarks, domain.variation);
    calcification::draw(rng, scene, landmarks, age);
    belongings::draw(rng, scene, landmarks, domain.clutter);
    if let Some((kind, hip)) = hardware {
        hardware::draw(rng, scene, &hip, kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};

    #[test]
    fn hardware_stands_in_either_hip_and_a_prosthesis_never_in_the_one_that_may_break() {
        let domain = Domain { hardware: 1.0, ..Domain::default() };
        let index_side = Side::Left;
        let seen: Vec<_> = (0..1000)
            .filter_map(|i| choose_hardware(&mut stream(5, i, Stream::Accessories), index_side, &domain))
            .collect();
        assert_eq!(seen.len(), 1000);
        let in_question = |kind| seen.iter().filter(|(k, side)| *k == kind && *side == index_side).count();
        let opposite = |kind| seen.iter().filter(|(k, side)| *k == kind && *side != index_side).count();
        for kind in [Hardware::Nail, Hardware::SlidingScrew, Hardware::CannulatedScrews] {
            assert!(in_question(kind) > 40 && opposite(kind) > 40, "{kind:?}");
        }
        for kind in [Hardware::TotalHip, Hardware::Hemiarthroplasty] {
            assert_eq!(in_question(kind), 0);
            assert!(opposite(kind) > 100);
        }
    }
}
