//! The films of an injury, with the defects that its row names.

use std::path::Path;

use coxa_schema::FractureType;

use super::day::Day;
use super::flaw::Flaw;
use super::injuries::SimulatedInjury;
use super::spec::HospitalSpec;
use crate::body::pelvis;
use crate::datasets::encode::{encoded, extension};
use crate::datasets::folder::write_whole;
use crate::error::SimulateError;
use crate::film::options::{Domain, FilmKind, FilmOptions};
use crate::film::truth::SimulatedFilm;

/// The origin of every film in the table of films.
const SOURCE: &str = "simulated";

/// Makes the films of an injury and returns their rows.
pub(super) fn films_of(
    folder: &Path,
    spec: &HospitalSpec,
    i: usize,
    row: &SimulatedInjury,
) -> Result<Vec<[String; 10]>, SimulateError> {
    let mut rows = Vec::new();
    if row.flaw == Flaw::NoFilm {
        return Ok(rows);
    }
    let kind = match row.fracture {
        Some(FractureType::FemoralNeck) => FilmKind::FemoralNeck,
        Some(FractureType::Trochanteric) => FilmKind::Trochanteric,
        Some(FractureType::Subtrochanteric) => FilmKind::Subtrochanteric,
        _ => FilmKind::Normal,
    };
    let domain = Domain {
        close_up: 0.0,
        clutter: if row.flaw == Flaw::Defect("foreign body") { 1.0 } else { spec.domain.clutter },
        ..spec.domain
    };
    let mut film = pelvis(spec.seed, row.index, &FilmOptions { size: spec.size, kind, domain });
    if let Flaw::Defect(note) = row.flaw {
        spoil(&mut film, note);
    }
    // The patient drawn for the film is only near the registry's; the file has the registry's age and sex.
    film.truth.age = row.age as f32;
    film.truth.sex = row.sex;
    let path = format!("images/P{i:06}.{}", extension(spec.format));
    let name = format!("coxa-simulate hospital {spec:?} {i}");
    let day = if row.flaw == Flaw::OtherDay { Day(row.day.0 + 1 + i as i64 % 9) } else { row.day };
    let study_date = day.to_string().replace('-', "");
    write_whole(&folder.join(&path), &encoded(&film, spec.format, &row.patient, &name, &study_date)?)?;
    let view = if row.flaw == Flaw::OtherView { "lateral hip" } else { "AP pelvis" };
    let quality = match row.flaw {
        Flaw::Defect(note) => note,
        _ => "",
    };
    let fracture_box = film.truth.fracture.map(|fracture| fracture.bbox.map(|side| format!("{side:.1}")));
    let [x, y, width, height] = fracture_box.unwrap_or_default();
    let texts = [view, path.as_str(), quality, SOURCE].map(str::to_owned);
    let [view, path, quality, source] = texts;
    rows.push([row.patient.clone(), day.to_string(), view, path, quality, source, x, y, width, height]);
    Ok(rows)
}

/// Makes the defect visible.
fn spoil(film: &mut SimulatedFilm, note: &str) {
    match note {
        "poor contrast" => {
            let middle = 1_u32 << (film.bits_stored - 1);
            for p in &mut film.pixels {
                *p = (middle + (u32::from(*p)) / 8) as u16;
            }
        }
        "positioning error" => {
            // The patient lies half off the cassette.
            let (w, shift) = (film.width, film.width * 2 / 5);
            let open = if film.monochrome1 { ((1_u32 << film.bits_stored) - 1) as u16 } else { 0 };
            for line in film.pixels.chunks_mut(w) {
                line.copy_within(..w - shift, shift);
                line[..shift].fill(open);
            }
            film.truth.fracture = film.truth.fracture.and_then(|mut fracture| {
                let [x, _, width, _] = &mut fracture.bbox;
                *x += shift as f32;
                *width = width.min(w as f32 - *x);
                (*width >= 1.0).then_some(fracture)
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_moves_with_its_film() {
        let options = FilmOptions { size: 64, kind: FilmKind::FemoralNeck, ..FilmOptions::default() };
        let film = pelvis(1, 0, &options);
        let (w, shift) = (film.width as f32, (film.width * 2 / 5) as f32);
        for (x, moved) in [
            (3.0, Some([3.0 + shift, 5.0, 9.0, 8.0])),
            (w - shift - 4.0, Some([w - 4.0, 5.0, 4.0, 8.0])),
            (w - shift - 0.5, None),
            (w - 9.0, None),
        ] {
            let mut spoiled = film.clone();
            spoiled.truth.fracture.as_mut().unwrap().bbox = [x, 5.0, 9.0, 8.0];
            spoil(&mut spoiled, "positioning error");
            assert_eq!(spoiled.truth.fracture.map(|fracture| fracture.bbox), moved, "{x}");
            if let Some([moved, y, ..]) = moved {
                let line = y as usize * film.width;
                assert_eq!(spoiled.pixels[line + moved as usize], film.pixels[line + x as usize]);
            }
        }
    }
}
