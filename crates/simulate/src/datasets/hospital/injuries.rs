//! The rows of the registry.

use coxa_schema::{FractureType, Sex, Side};
use rand::RngExt;
use rayon::prelude::*;

use super::codes::{diagnosis, procedure};
use super::day::Day;
use super::flaw::Flaw;
use super::spec::HospitalSpec;
use super::statistics::{ISS_WITH, ISS_WITHOUT, age};
use crate::body::patient::Patient;
use crate::film::options::Domain;
use crate::random::{Stream, chance, choose, stream};

/// A row of the registry, with the settings of its film.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedInjury {
    /// Identifier of the invented patient.
    pub patient: String,
    /// Day of the injury.
    pub day: Day,
    /// Age in years.
    pub age: u32,
    /// Sex.
    pub sex: Sex,
    /// Injury severity score.
    pub iss: u32,
    /// Hip fracture.
    pub fracture: Option<FractureType>,
    /// ICD-9-CM codes before 2016, ICD-10-CM codes from then on, separated by semicolons.
    pub diagnosis: String,
    /// Whether the patient was admitted.
    pub admitted: bool,
    /// Operations.
    pub procedures: String,
    /// Why it is to be left out.
    pub flaw: Flaw,
    /// Index of the simulated film, chosen so that the film's patient has this age and sex.
    pub(super) index: u64,
    side: Side,
}

/// Draws the registry, without films.
#[must_use]
pub fn injuries(spec: &HospitalSpec) -> Vec<SimulatedInjury> {
    (0..spec.n).into_par_iter().map(|i| injury(spec, i as u64)).collect()
}

fn injury(spec: &HospitalSpec, i: u64) -> SimulatedInjury {
    let rng = &mut stream(spec.seed ^ 0x0C0A_0C0A, i, Stream::Class);
    let fractured = chance(rng, 1975.0 / 3605.0);
    // The paper counts 47.1% of the neck, the others as trochanteric; of these one in nine begins below the trochanters.
    let fracture = fractured.then(|| {
        choose(
            rng,
            &[
                (FractureType::FemoralNeck, 0.471),
                (FractureType::Trochanteric, 0.47),
                (FractureType::Subtrochanteric, 0.059),
            ],
        )
    });
    let (age, male, iss) = if fractured {
        (age(rng, 18.0, 103.0, 72.34, 16.73), 0.42, choose(rng, &ISS_WITH))
    } else {
        (age(rng, 14.0, 98.0, 44.88, 20.46), 0.682, choose(rng, &ISS_WITHOUT))
    };
    let sex = if chance(rng, male) { Sex::Male } else { Sex::Female };
    let day = Day(rng.random_range(Day::FIRST..=Day::LAST));
    let flaw = choose(
        rng,
        &[
            (Flaw::None, 0.75),
            (Flaw::NotAdmitted, 0.05),
            (Flaw::NoFilm, 0.03),
            (Flaw::OtherDay, 0.05),
            (Flaw::OtherView, 0.02),
            (Flaw::Defect("poor contrast"), 0.015),
            (Flaw::Defect("positioning error"), 0.02),
            (Flaw::Defect("foreign body"), 0.015),
            (Flaw::OtherFracture, 0.05),
        ],
    );
    // Some of the fractures that belong in have a code that does not say which.
    let flaw = if flaw == Flaw::None && fractured && chance(rng, 0.03) { Flaw::Questionable } else { flaw };
    let (index, side) = matching_film(spec, i, age, sex);
    let is_icd10 = day.ymd().0 >= 2016;
    let diagnosis = diagnosis(rng, fracture, side, is_icd10, flaw);
    let procedures = procedure(rng, fracture);
    SimulatedInjury {
        patient: format!("H{i:06}"),
        day,
        age,
        sex,
        iss,
        fracture,
        diagnosis,
        admitted: flaw != Flaw::NotAdmitted,
        procedures: procedures.to_owned(),
        flaw,
        index,
        side,
    }
}

/// The film among a few whose patient comes nearest to this age and sex, and the side in question on it.
fn matching_film(spec: &HospitalSpec, i: u64, age: u32, sex: Sex) -> (u64, Side) {
    let distance = |patient: &Patient| (patient.age - age as f32).abs() + if patient.sex == sex { 0.0 } else { 25.0 };
    let mut best = (f32::MAX, 0, Side::Right);
    for index in i * 24..(i + 1) * 24 {
        let patient = Patient::draw(spec.seed, index, &Domain { close_up: 0.0, ..spec.domain });
        let d = distance(&patient);
        if d < best.0 {
            best = (d, index, patient.index_side);
        }
        if d < 4.0 {
            break;
        }
    }
    (best.1, best.2)
}
