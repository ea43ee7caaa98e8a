//! The gate by pixels: fitted on films of known contents, kept in a bundle, asked for every film.

use std::fs;

use coxa_engine::{Architecture, Parameters};
use coxa_imaging::Radiograph;
use coxa_model::content::{ACCEPTED, ContentGate, Example, INPUTS, Part};
use coxa_model::detect::gate::GateRule;
use coxa_model::tune::FilmFeatures;
use coxa_model::{Bundle, Card, Detector, DetectorOptions, WeightsFormat};

const SIDE: usize = 128;

fn bundle() -> Bundle {
    let card = Card::imported("test", vec!["absent".into(), "present".into()], SIDE, "random weights");
    Bundle::new(card, Parameters::initialize(&Architecture::new(1), 2)).unwrap()
}

/// Wide stripes that lie (a "pelvis") or narrow ones that stand (a "hand"), with some grain.
fn film(index: usize, is_pelvis: bool) -> Radiograph {
    let width = if is_pelvis { 18 + index % 3 } else { 5 + index % 2 };
    let value = |i: usize| {
        let (x, y) = (i % SIDE, i / SIDE);
        let grain = (x * 31 + y * 17 + index * 101) * 2654435761 % 4294967296 / 134217728;
        let along = if is_pelvis { y } else { x };
        (40 + index % 7 + grain + if along / width % 2 == 0 { 110 } else { 0 }) as f32
    };
    Radiograph::from_display(SIDE, SIDE, (0..SIDE * SIDE).map(value).collect()).unwrap()
}

fn fitted(threads: usize) -> (ContentGate, Vec<bool>, Vec<Example>) {
    let mut features = FilmFeatures::new(&bundle(), Some(threads)).unwrap();
    let mut examples = Vec::new();
    for index in 0..48 {
        for is_pelvis in [true, false] {
            features.take(&film(index, is_pelvis)).unwrap();
            let part = [Part::Fit, Part::Fit, Part::Validation, Part::Test][index % 4];
            let class = if is_pelvis { "pelvis" } else { "hand" };
            examples.push(Example { class: class.to_owned(), part });
        }
    }
    let (gate, refused) = features.fit(&examples, "48 pictures").unwrap();
    (gate, refused, examples)
}

#[test]
fn what_films_show_is_learned_whatever_the_threads() {
    let (gate, refused, examples) = fitted(1);
    let is_wrong = |(example, refused): &(&Example, &bool)| **refused == ACCEPTED.contains(&example.class.as_str());
    let wrong: Vec<_> = examples.iter().zip(&refused).filter(is_wrong).collect();
    // The thresholds let a film near them fall on the other side.
    assert!(wrong.len() <= 2, "{wrong:?}");
    assert_eq!(gate.classes, ["hand", "pelvis"]);
    assert_eq!(fitted(3), (gate, refused, examples));
}

#[test]
fn a_refused_film_has_a_reason_and_no_probability() {
    let with = bundle().with_gate(fitted(2).0).unwrap();
    let mut detector = Detector::new(&with, &DetectorOptions::default()).unwrap();
    let hand = detector.read(film(30, false)).unwrap();
    assert_eq!(hand.not_read(), Some("shows a hand, by its picture"));
    assert!(hand.finding().is_none() && hand.logit().is_none());
    assert_eq!(detector.classify(film(30, false)).unwrap(), Err("shows a hand, by its picture".to_owned()));
    // What is read is what it is without the gate.
    let read = detector.read(film(30, true)).unwrap();
    let without = Detector::new(&bundle(), &DetectorOptions::default()).unwrap().read(film(30, true)).unwrap();
    assert_eq!(
        (read.logit(), read.finding().map(|f| f.probability)),
        (without.logit(), without.finding().map(|f| f.probability))
    );
    // In a batch each film has its own answer.
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..5).map(|i| folder.path().join(format!("{i}.png"))).collect();
    for (i, path) in paths.iter().enumerate() {
        let pixels: Vec<u8> = film(31 + i, i % 2 == 0).pixels().iter().map(|value| *value as u8).collect();
        coxa_imaging::encode::png_gray8(path, SIDE, SIDE, &pixels).unwrap();
    }
    let mut together = Detector::new(&with, &DetectorOptions { batch: 3, ..DetectorOptions::default() }).unwrap();
    let mut seen = Vec::new();
    together
        .read_files(&paths, |_, detection| {
            seen.push(detection.unwrap().not_read().is_none());
            true
        })
        .unwrap();
    assert_eq!(seen, [true, false, true, false, true]);
    let any = DetectorOptions { gate: GateRule::Disabled, ..DetectorOptions::default() };
    assert!(Detector::new(&with, &any).unwrap().read(film(30, false)).unwrap().finding().is_some());
}

#[test]
fn a_film_without_contrast_is_refused_by_bundles_with_a_gate_alone() {
    let even =
        || Radiograph::from_display(SIDE, SIDE, (0..SIDE * SIDE).map(|i| 90.0 + (i % 9) as f32).collect()).unwrap();
    let read = |bundle: &Bundle| {
        let detection = Detector::new(bundle, &DetectorOptions::default()).unwrap().read(even()).unwrap();
        detection.not_read().map(str::to_owned)
    };
    assert_eq!(read(&bundle().with_gate(fitted(2).0).unwrap()).as_deref(), Some("too little contrast"));
    assert_eq!(read(&bundle()), None);
}

#[test]
fn the_gate_is_a_part_of_the_bundle_and_of_its_hash() {
    let temporary = tempfile::tempdir().unwrap();
    let [plain, kept, half] = ["plain", "kept", "half"].map(|name| temporary.path().join(name));
    let gate = fitted(2).0;
    let with = bundle().with_gate(gate.clone()).unwrap();
    assert_ne!(with.hash(), bundle().hash());
    let mut other = gate.clone();
    other.margin_over_parts += 0.5;
    assert_ne!(with.hash(), bundle().with_gate(other).unwrap().hash());
    let saved = with.save(&kept, WeightsFormat::F32).unwrap();
    assert_eq!((saved.gate(), saved.hash()), (Some(&gate), with.hash()));
    assert_eq!(Bundle::load(&kept).unwrap(), with);
    assert!(with.save(&half, WeightsFormat::Bf16).unwrap().gate().is_some());
    assert!(bundle().save(&plain, WeightsFormat::F32).unwrap().gate().is_none() && !plain.join("gate.json").exists());
    // A gate of other weights, a cut one, one of another shape.
    fs::copy(half.join("gate.json"), plain.join("gate.json")).unwrap();
    let error = Bundle::load(&plain).unwrap_err().to_string();
    assert!(error.contains("gate.json") && error.contains("other weights"), "{error}");
    let text = fs::read_to_string(kept.join("gate.json")).unwrap();
    fs::write(kept.join("gate.json"), &text[..text.len() / 2]).unwrap();
    assert!(Bundle::load(&kept).unwrap_err().to_string().contains("gate.json"));
    let short = ContentGate { center: vec![0.0; INPUTS - 1], ..gate };
    let error = bundle().with_gate(short).unwrap_err().to_string();
    assert!(error.contains("center"), "{error}");
}

#[test]
fn a_fit_needs_films_of_both_kinds() {
    let mut features = FilmFeatures::new(&bundle(), Some(1)).unwrap();
    features.take(&film(0, true)).unwrap();
    let example = Example { class: "pelvis".to_owned(), part: Part::Fit };
    let error = features.fit(&[example], "one picture").unwrap_err().to_string();
    assert!(error.contains("and of other parts to fit on"), "{error}");
}
