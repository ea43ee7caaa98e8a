//! Diagnoses and operations of an injury: codes of ICD-9-CM or ICD-10-CM, and the words of a registry.

use coxa_schema::{FractureType, Side};
use rand::RngExt;

use super::flaw::Flaw;
use crate::random::{FilmRng, chance, choose, uniform};

fn pick(rng: &mut FilmRng, codes: &[&'static str]) -> &'static str {
    codes[rng.random_range(0..codes.len())]
}

/// Codes of the fracture, of another fracture where that is the flaw, and of other injuries.
pub(super) fn diagnosis(
    rng: &mut FilmRng,
    fracture: Option<FractureType>,
    side: Side,
    is_icd10: bool,
    flaw: Flaw,
) -> String {
    let mut codes: Vec<String> = Vec::new();
    let moved = chance(rng, 0.7);
    if let Some(kind) = fracture {
        codes.push(if flaw == Flaw::Questionable {
            match (is_icd10, side) {
                (false, _) => "820.8".to_owned(),
                (true, Side::Left) => "S72.002A".to_owned(),
                (true, _) => "S72.001A".to_owned(),
            }
        } else if is_icd10 {
            // Displaced right, displaced left, nondisplaced right, nondisplaced left: 1, 2, 4, 5.
            let which = 1 + u8::from(side == Side::Left) + if moved { 0 } else { 3 };
            let stem = match kind {
                FractureType::FemoralNeck => pick(rng, &["S72.03", "S72.04"]),
                FractureType::Subtrochanteric => "S72.2",
                _ => pick(rng, &["S72.14", "S72.14", "S72.14", "S72.11"]),
            };
            match stem {
                "S72.2" => format!("S72.2{which}XA"),
                _ => format!("{stem}{which}A"),
            }
        } else {
            match kind {
                FractureType::FemoralNeck => pick(rng, &["820.00", "820.02", "820.03", "820.09", "820.01"]),
                FractureType::Subtrochanteric => "820.22",
                _ => pick(rng, &["820.21", "820.21", "820.21", "820.20"]),
            }
            .to_owned()
        });
    }
    if flaw == Flaw::OtherFracture {
        let other = if is_icd10 {
            ["S72.301A", "S72.322A", "S32.810A", "S32.591A", "S32.401A"]
        } else {
            ["821.01", "821.01", "808.2", "808.0", "808.43"]
        };
        codes.push(pick(rng, &other).to_owned());
    }
    let more = if fracture.is_some() { chance(rng, 0.25) } else { true };
    if more {
        let unrelated = if is_icd10 {
            ["S06.0X0A", "S22.41XA", "S82.201A", "S42.021A", "S01.01XA", "S52.501A", "S27.0XXA", "S36.032A"]
        } else {
            ["850.0", "807.03", "823.22", "810.02", "873.0", "813.42", "860.0", "865.03"]
        };
        for _ in 0..1 + usize::from(chance(rng, 0.4)) {
            let code = pick(rng, &unrelated).to_owned();
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
    }
    codes.join("; ")
}

/// The operation, if there was one.
pub(super) fn procedure(rng: &mut FilmRng, fracture: Option<FractureType>) -> &'static str {
    match fracture {
        Some(FractureType::FemoralNeck) => choose(
            rng,
            &[("hemiarthroplasty", 0.5), ("cannulated screws", 0.3), ("total hip replacement", 0.15), ("", 0.05)],
        ),
        Some(_) => choose(rng, &[("dynamic hip screw", 0.5), ("cephalomedullary nail", 0.45), ("", 0.05)]),
        None => {
            let other = uniform(rng, 0.0, 1.0);
            if other < 0.6 { "" } else { pick(rng, &["wound repair", "open reduction", "chest tube", "splenectomy"]) }
        }
    }
}
