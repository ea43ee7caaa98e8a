//! Small data sets that the tests make for themselves.

use std::path::Path;

use coxa_cohort::{Dataset, Film, TruthBox};
use coxa_schema::{BodyPart, Label};

/// A film with a gradient, some grain and, if `present`, a bright square.
pub fn pixels(index: usize, side: usize, present: bool) -> Vec<u8> {
    let (left, top) = (side / 8 + index % (side / 4), side / 8 + (index * 7) % (side / 4));
    (0..side * side)
        .map(|i| {
            let (x, y) = (i % side, i / side);
            let grain = (x * 31 + y * 17 + index * 101) * 2654435761 % 4294967296 / 134217728;
            let square = present && (left..left + side / 3).contains(&x) && (top..top + side / 3).contains(&y);
            (20 + 40 * y / side + grain + if square { 150 } else { 0 }).min(255) as u8
        })
        .collect()
}

/// Writes a data set of `n` films of `side` pixels, half of them with a bright square; two films a patient.
pub fn write_dataset(folder: &Path, n: usize, side: usize) {
    std::fs::create_dir_all(folder.join("images")).unwrap();
    let mut dataset = Dataset::new(folder);
    for i in 0..n {
        let present = i % 4 < 2;
        let path = format!("images/{i:03}.png");
        coxa_imaging::encode::png_gray8(&folder.join(&path), side, side, &pixels(i, side, present)).unwrap();
        let label = if present { Label::Present } else { Label::Absent };
        let mut film = Film::new(format!("{i:03}"), path, format!("p{}", i / 2), BodyPart::Pelvis, label);
        film.source = "simulated".into();
        dataset.films.push(film);
    }
    dataset.save().unwrap();
}

/// Gives every film with a bright square its box. Where each patient's films are all alike, patches must take the places of those without
/// one from the others.
pub fn write_boxes(folder: &Path) {
    let mut dataset = Dataset::load(folder).unwrap();
    let truth = dataset.films.iter().enumerate().filter(|(_, film)| film.label == Label::Present).map(|(i, film)| {
        let pixels = coxa_imaging::read(&dataset.image_path(film)).unwrap();
        let side = pixels.width();
        let (left, top) = (side / 8 + i % (side / 4), side / 8 + (i * 7) % (side / 4));
        TruthBox {
            image_id: film.image_id.clone(),
            x: left as f32,
            y: top as f32,
            width: (side / 3) as f32,
            height: (side / 3) as f32,
            class: "fracture".into(),
        }
    });
    dataset.truth = truth.collect();
    dataset.save().unwrap();
}
