//! Where patches are cut: about the findings' boxes, and in films without one where other films have theirs.
//!
//! Were the patches of films without a finding cut anywhere, the network would learn what the neighborhood of a hip looks like in place
//! of a fracture. So they are cut at places drawn from the boxes of the other films: each film always at the same one, in training and in
//! validation.

use std::collections::HashMap;

use coxa_cohort::Sample;
use coxa_imaging::Geometry;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::cache::Entry;
use crate::recipe::Stage;

/// The middle of each film's patch, as fractions of the prepared film's side: that of the film's first box, or else of another film's of
/// the same patient, or else a place on the film that is drawn from the middles of all boxes. `None` where no film has a box.
pub(super) fn anchors(
    samples: &[Sample],
    boxes: &[Vec<[f32; 4]>],
    entries: &[Entry],
    stage: &Stage,
    seed: u64,
) -> Vec<Option<[f64; 2]>> {
    let side = stage.film_size() as f64;
    let middle = |boxes: &[[f32; 4]]| {
        let [x, y, width, height] = boxes.first()?.map(f64::from);
        Some([(x + width / 2.0) / side, (y + height / 2.0) / side])
    };
    let mut of_patient = HashMap::new();
    // Where the findings are on the films themselves, which need not be square.
    let mut on_films = Vec::new();
    for ((sample, boxes), entry) in samples.iter().zip(boxes).zip(entries) {
        if let Some(middle) = middle(boxes) {
            of_patient.entry(sample.patient.as_str()).or_insert(middle);
            on_films.push(Covered::of(entry, stage).on_film(middle));
        }
    }
    let drawn = |slot: usize| {
        // Streams of its own, between those of variations and those of orders.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((1 << 62) | slot as u64);
        let at = (!on_films.is_empty()).then(|| on_films[rng.random_range(0..on_films.len())])?;
        Some(Covered::of(&entries[slot], stage).in_prepared(at))
    };
    let known = |sample: &Sample| of_patient.get(sample.patient.as_str()).copied();
    let films = samples.iter().zip(boxes).enumerate();
    films.map(|(slot, (sample, boxes))| middle(boxes).or_else(|| known(sample)).or_else(|| drawn(slot))).collect()
}

/// The part of a prepared film that the film covers, as fractions of its side: left, top, width and height.
struct Covered([f64; 4]);

impl Covered {
    fn of(entry: &Entry, stage: &Stage) -> Self {
        let size = stage.film_size();
        let (left, top, columns, rows) = Geometry::new(entry.film_width, entry.film_height, size, stage.fit).covered();
        Covered([left, top, columns, rows].map(|length| length as f64 / size as f64))
    }

    fn on_film(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let Covered([left, top, width, height]) = self;
        [(x - left) / width, (y - top) / height]
    }

    fn in_prepared(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let Covered([left, top, width, height]) = self;
        [left + x * width, top + y * height]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recipe;

    fn stage() -> Stage {
        let stages = Recipe::built_in("small").unwrap().stages;
        stages.into_iter().find(|stage| stage.patch.is_some()).unwrap()
    }

    fn entry(slot: usize, film_width: usize, film_height: usize) -> Entry {
        Entry { slot, image_id: String::new(), sha256: String::new(), crc32: 0, film_width, film_height }
    }

    fn sample(patient: &str) -> Sample {
        Sample { image: "a.png".into(), image_id: String::new(), patient: patient.into(), target: 0 }
    }

    #[test]
    fn films_without_a_box_are_cut_where_others_have_theirs() {
        let stage = stage();
        let side = stage.film_size() as f32;
        // Two square films with boxes at a quarter and at three quarters; the patient of the first has another film; the rest have none.
        let boxes_at = |x: f32| vec![[x * side - 10.0, 0.5 * side - 10.0, 20.0, 20.0]];
        let patients: Vec<String> = (0..100).map(|i| format!("p{}", i.max(1))).collect();
        let samples: Vec<Sample> = patients.iter().map(|patient| sample(patient)).collect();
        let mut boxes = vec![Vec::new(); 100];
        (boxes[0], boxes[2]) = (boxes_at(0.25), boxes_at(0.75));
        // Films from the third on are twice as high as wide: they cover the middle half of the prepared film's width.
        let entries: Vec<Entry> =
            (0..100).map(|i| if i < 3 { entry(i, 300, 300) } else { entry(i, 300, 600) }).collect();
        let found = anchors(&samples, &boxes, &entries, &stage, 5);
        let near = |anchor: Option<[f64; 2]>, x: f64| {
            let [at, y] = anchor.unwrap();
            (at - x).abs() < 1e-6 && (y - 0.5).abs() < 1e-6
        };
        assert!(near(found[0], 0.25) && near(found[1], 0.25) && near(found[2], 0.75));
        let left = found[3..].iter().filter(|anchor| near(**anchor, 0.25 + 0.5 * 0.25)).count();
        let right = found[3..].iter().filter(|anchor| near(**anchor, 0.25 + 0.5 * 0.75)).count();
        assert!(left + right == 97 && left > 25 && right > 25, "{left} {right}");
        assert_eq!(found, anchors(&samples, &boxes, &entries, &stage, 5));
        assert_ne!(found, anchors(&samples, &boxes, &entries, &stage, 6));
        assert!(anchors(&samples, &vec![Vec::new(); 100], &entries, &stage, 5).iter().all(Option::is_none));
    }
}
