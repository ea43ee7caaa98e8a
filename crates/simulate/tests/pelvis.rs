//! Films of the pelvis: the same again from the same numbers, and a truth that is true.

use coxa_schema::{BodyPart, FractureType};
use coxa_simulate::{FilmKind, FilmOptions, display8, pelvis};

fn options(size: usize, kind: FilmKind) -> FilmOptions {
    FilmOptions { size, kind, ..FilmOptions::default() }
}

#[test]
fn a_film_is_a_pure_function_of_seed_index_and_options() {
    let options = options(96, FilmKind::Random);
    let once: Vec<_> = (0..4).map(|i| pelvis(9, i, &options)).collect();
    let again = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).rev().map(|i| scope.spawn(move || pelvis(9, i, &options))).collect();
        threads.into_iter().rev().map(|t| t.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert_eq!(once, again);
    assert_ne!(once[0].pixels, pelvis(10, 0, &options).pixels);
}

#[test]
fn fractures_are_labeled_and_boxed_inside_the_film() {
    for (kind, expected) in [
        (FilmKind::FemoralNeck, FractureType::FemoralNeck),
        (FilmKind::Trochanteric, FractureType::Trochanteric),
        (FilmKind::Subtrochanteric, FractureType::Subtrochanteric),
    ] {
        for index in 0..12 {
            let film = pelvis(4, index, &options(128, kind));
            let fracture = film.truth.fracture.expect("a fracture was asked for");
            assert!(film.truth.label);
            assert_eq!(fracture.kind, expected);
            let (of_neck, classes) = (kind == FilmKind::FemoralNeck, fracture.classes);
            assert_eq!((classes.garden.is_some(), classes.pauwels.is_some()), (of_neck, of_neck), "{classes:?}");
            assert_eq!(classes.ao.starts_with("AO 31B"), of_neck, "{classes:?}");
            assert_eq!(classes.ao.starts_with("AO 32"), kind == FilmKind::Subtrochanteric, "{classes:?}");
            assert!(classes.pauwels.is_none_or(|angle| (0.0..=90.0).contains(&angle)), "{classes:?}");
            let [x, y, w, h] = fracture.bbox;
            assert!(
                x >= 0.0 && y >= 0.0 && x + w <= film.width as f32 && y + h <= film.height as f32,
                "{index}: {:?}",
                fracture.bbox
            );
            // Wider than a crack, smaller than a thigh.
            let (w, h) = (w * film.spacing_mm, h * film.spacing_mm);
            assert!((8.0..190.0).contains(&w) && (8.0..230.0).contains(&h), "{index}: {w} × {h} mm");
        }
    }
}

#[test]
fn a_fracture_changes_the_picture_most_where_its_box_is() {
    let mut inside_wins = 0;
    for index in 0..8 {
        let normal = pelvis(21, index, &options(160, FilmKind::Normal));
        let broken = pelvis(21, index, &options(160, FilmKind::FemoralNeck));
        assert!(!normal.truth.label && normal.truth.fracture.is_none());
        let [x, y, w, h] = broken.truth.fracture.expect("asked for").bbox;
        let (a, b) = (display8(&normal), display8(&broken));
        let (mut inside, mut outside) = ((0.0, 0.0), (0.0, 0.0));
        for (i, (p, q)) in a.iter().zip(&b).enumerate() {
            let (px, py) = ((i % normal.width) as f32, (i / normal.width) as f32);
            let part = if px >= x && px < x + w && py >= y && py < y + h { &mut inside } else { &mut outside };
            part.0 += f64::from(p.abs_diff(*q));
            part.1 += 1.0;
        }
        inside_wins += usize::from(inside.0 / inside.1 > outside.0 / outside.1);
    }
    assert!(inside_wins >= 7, "only in {inside_wins} of 8 films");
}

#[test]
fn films_of_every_kind_and_frame_are_well_formed() {
    let mut parts = Vec::new();
    for index in 0..16 {
        let film = pelvis(2, index, &options(72, FilmKind::Random));
        assert_eq!(film.pixels.len(), film.width * film.height);
        assert_eq!(film.width.max(film.height), 72);
        assert!((8..=16).contains(&film.bits_stored));
        assert!(film.pixels.iter().all(|p| u32::from(*p) < 1 << film.bits_stored));
        assert!((15.0..105.0).contains(&film.truth.age));
        let shown = display8(&film);
        let (low, high) = (shown.iter().min().copied(), shown.iter().max().copied());
        assert!(high.zip(low).is_some_and(|(high, low)| high - low > 60), "film {index} is flat");
        parts.push(film.body_part);
    }
    assert!(parts.contains(&BodyPart::Hip) && parts.contains(&BodyPart::Pelvis));
}
