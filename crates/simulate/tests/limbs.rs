//! Limb films: repeatable, whatever the number of threads, and of the part that was asked for.

use coxa_simulate::{Domain, FilmOptions, SimulatedFilm, display8, limb, limbs::PARTS};

fn options() -> FilmOptions {
    FilmOptions { size: 128, ..FilmOptions::default() }
}

#[test]
fn the_same_seed_gives_the_same_film_on_any_thread() {
    for part in &PARTS {
        let here = limb(3, 8, part, &options());
        let part = part.clone();
        let there = std::thread::spawn(move || limb(3, 8, &part, &options())).join().unwrap();
        assert_eq!(here, there);
    }
}

#[test]
fn another_seed_index_or_part_gives_another_film() {
    let film = limb(3, 8, &PARTS[0], &options());
    assert_ne!(film.pixels, limb(4, 8, &PARTS[0], &options()).pixels);
    assert_ne!(film.pixels, limb(3, 9, &PARTS[0], &options()).pixels);
    assert_ne!(film.pixels, limb(3, 8, &PARTS[1], &options()).pixels);
}

#[test]
fn films_have_the_size_asked_for_and_something_on_them() {
    for (i, part) in PARTS.iter().cycle().take(20).enumerate() {
        let film = limb(11, i as u64, part, &options());
        assert_eq!(film.width.max(film.height), 128);
        assert_eq!(&film.body_part, part);
        assert!(!film.truth.label && film.truth.fracture.is_none());
        let spread = deviation(&film);
        assert!(spread > 12.0, "{part} {i}: the display values deviate by {spread} only");
    }
}

/// Pixels lit and covariates alike: framing, spacing within what every part can have, and exposure come from the same draws.
#[test]
fn nothing_but_the_bones_is_drawn_by_part() {
    let tidy = FilmOptions { domain: Domain { clutter: 0.0, hardware: 0.0, ..Domain::default() }, ..options() };
    for index in 0..6 {
        let films: Vec<SimulatedFilm> = PARTS.iter().map(|part| limb(5, index, part, &tidy)).collect();
        for film in &films[1..] {
            assert_eq!((film.bits_stored, film.monochrome1), (films[0].bits_stored, films[0].monochrome1));
            assert_eq!(film.truth.age, films[0].truth.age);
            assert_eq!(film.truth.covariates[..2], films[0].truth.covariates[..2], "side and projection");
        }
    }
}

fn deviation(film: &SimulatedFilm) -> f64 {
    let values = display8(film);
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt()
}
