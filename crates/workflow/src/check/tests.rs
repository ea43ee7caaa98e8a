//! The measuring stick on simulated films alone.

use coxa_model::detect::gate::GateRule;
use coxa_model::{Bundle, Detector, DetectorOptions};
use coxa_schema::Side;
use coxa_simulate::{Domain, FilmOptions, HipOnFilm};

use super::films::simulated_films;
use super::finder::Finder;
use super::hip::{HipFrame, Plane};
use super::moves::{hips_of, moves};
use super::paste::{Bend, PARTS, paste};
use super::{Check, Checked, LESSONS, descriptors, page};
use crate::Unobserved;

fn tidy(size: usize) -> FilmOptions {
    let domain = Domain { variation: 0.3, hardware: 0.0, clutter: 0.0, ..Domain::default() };
    FilmOptions { size, domain, ..FilmOptions::default() }
}

#[test]
fn the_finder_finds_simulated_hips() {
    let options = tidy(384);
    let finder = Finder::learn(&simulated_films(71, LESSONS, &options));
    let films = simulated_films(72, 12, &options);
    let mut errors = Vec::new();
    for known in hips_of(&films) {
        let found = finder.find(&known.film.plane);
        let same = found.iter().find(|found| found.hip.side == known.hip.side);
        errors.push(same.map_or(9.0, |found| {
            let [u, v] = known.hip.local(found.hip.head);
            u.hypot(v).max((found.hip.radius / known.hip.radius).ln().abs())
        }));
    }
    errors.sort_by(f32::total_cmp);
    let share = errors.iter().filter(|error| **error < 0.15).count() as f32 / errors.len() as f32;
    assert!(errors.len() >= 10 && errors[errors.len() / 2] < 0.1 && share >= 0.75, "{share} of {errors:?}");
}

#[test]
fn a_finder_without_lessons_finds_nothing() {
    let finder = Finder::learn(&[]);
    assert_eq!(finder.find(&Plane::filled(100, 80, 20.0)), []);
}

#[test]
fn simulated_donors_move_simulated_films_little() {
    let films = simulated_films(73, 6, &tidy(512));
    let hips = hips_of(&films);
    let options = DetectorOptions { gate: GateRule::Disabled, ..DetectorOptions::default() };
    let mut detector = Detector::new(&Bundle::shipped().unwrap(), &options).unwrap();
    let (give, get) = hips.split_at(hips.len() / 2);
    let all = moves("", &mut detector, &give[..2], get, 1, &mut Unobserved).unwrap();
    for part in all.iter().filter(|part| part.part != "whole, smoothed by 4 px") {
        let median = part.quantile(0.5).unwrap_or(0.0);
        assert!(median.abs() < 6.0, "{}: {:?}", part.part, part.values);
    }
}

#[test]
fn a_hip_pasted_into_its_own_place_changes_nothing() {
    let films = simulated_films(74, 2, &tidy(256));
    let known = hips_of(&films)[0];
    let bend = Bend::between(known.shaft(), known.shaft());
    for part in &PARTS {
        let Some(same) = paste(known.place(), known.place(), bend, part) else { continue };
        let far = same.values.iter().zip(&known.film.plane.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let is_smoothed = part.name.contains("smoothed");
        assert!(is_smoothed || far < 0.1, "{}: {far}", part.name);
    }
}

#[test]
fn a_part_that_a_film_does_not_show_is_not_pasted() {
    let films = simulated_films(75, 1, &tidy(256));
    let known = hips_of(&films)[0];
    let edge = HipOnFilm { side: Side::Right, head: [2.0, 2.0], radius: 20.0 };
    let small = Plane::filled(60, 60, 90.0);
    assert_eq!(paste((&small, &edge), known.place(), Bend::NONE, &PARTS[0]), None);
    assert_eq!(paste(known.place(), (&small, &edge), Bend::NONE, &PARTS[0]), None);
}

/// A thigh of soft tissue with a shaft of two cortices between these borders, and a canal of a third of their contrast.
fn thigh(hip: &HipOnFilm, [medial, lateral]: [f32; 2]) -> Plane {
    let mut plane = Plane::filled(300, 300, 60.0);
    for (i, value) in plane.values.iter_mut().enumerate() {
        let [u, v] = hip.local([(i % 300) as f32 + 0.5, (i / 300) as f32 + 0.5]);
        let (is_shaft, is_canal) = ((medial..lateral).contains(&u), (medial + 0.3..lateral - 0.3).contains(&u));
        *value += if v < 1.0 || !is_shaft {
            0.0
        } else if is_canal {
            30.0
        } else {
            90.0
        };
    }
    plane
}

#[test]
fn a_pasted_shaft_goes_on_where_the_films_own_does() {
    let hip = HipOnFilm { side: Side::Left, head: [100.0, 100.0], radius: 30.0 };
    let (own, donor) = (thigh(&hip, [0.5, 1.8]), thigh(&hip, [0.8, 1.9]));
    let borders = |plane: &Plane| descriptors::shaft_borders(plane, &hip);
    let far = |plane: &Plane| {
        let ([a, b], [c, d]) = (borders(&own).unwrap(), borders(plane).unwrap());
        (a - c).abs().max((b - d).abs())
    };
    let pasted = |bend| paste((&own, &hip), (&donor, &hip), bend, &PARTS[0]).unwrap();
    let (straight, bent) = (pasted(Bend::NONE), pasted(Bend::between(borders(&own), borders(&donor))));
    assert!(far(&straight) > 0.15 && far(&bent) < 0.08, "{} {}", far(&straight), far(&bent));
    // Nothing above the neck moves; the tone may, as it is matched over the whole part.
    let row = |plane: &Plane| plane.values[110 * plane.width..][..plane.width].to_vec();
    assert!(row(&straight).iter().zip(row(&bent)).all(|(a, b)| (a - b).abs() < 3.0));
    assert_eq!(Bend::between(None, borders(&donor)), Bend::NONE);
}

#[test]
fn the_shaft_is_measured() {
    let hip = HipOnFilm { side: Side::Left, head: [100.0, 100.0], radius: 30.0 };
    let plane = thigh(&hip, [0.5, 1.8]);
    let measured = descriptors::describe(&plane, &hip);
    let of = |name: &str| {
        let place = descriptors::DESCRIPTORS.iter().position(|descriptor| descriptor.name == name).unwrap();
        measured[place].unwrap()
    };
    assert!((of("width of the shaft") - 1.3).abs() < 0.12, "{measured:?}");
    assert!((of("middle of the shaft, to the side of the head's center") - 1.15).abs() < 0.06, "{measured:?}");
    assert!(of("neck over soft tissue").abs() < 0.02, "{measured:?}");
    assert!((of("canal over cortex") - 1.0 / 3.0).abs() < 0.04, "{measured:?}");
    assert!(of("loss of soft tissue toward the side").abs() < 0.02, "{measured:?}");
    assert!(of("texture of soft tissue") < 0.01, "{measured:?}");
}

#[test]
fn the_page_asks_no_host() {
    let films = simulated_films(76, 3, &tidy(256));
    let result = Checked {
        model: "0123".to_owned(),
        real_films: 3,
        real_hips: 4,
        without_hip: vec!["a.png".to_owned()],
        simulated_films: 3,
        simulated_hips: 4,
        real_logits: None,
        simulated_logits: None,
        into_simulated: Vec::new(),
        into_real: Vec::new(),
        descriptors: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("check");
    page::write(&Check { result, real: films.clone(), simulated: films }, &out).unwrap();
    let html = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(html.contains("data:image/png;base64,") && !html.contains("src=\"http"));
    assert!(std::fs::read_to_string(out.join("hips.csv")).unwrap().starts_with("file,side,x,y,radius\nsimulated"));
    assert!(std::fs::read_to_string(out.join("check.json")).unwrap().contains("\"model\": \"0123\""));
}
