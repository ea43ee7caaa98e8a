//! Reading films with a bundle: the closed form of Grad-CAM, the threshold, regions, sizes, and the pipeline over many files.

use std::path::PathBuf;

use coxa_engine::{Architecture, Parameters};
use coxa_imaging::Radiograph;
use coxa_model::{Bundle, Card, Reader, ReaderOptions, WeightsFormat, measure_int8};

use crate::films::{pixels, write_dataset};

const SIDE: usize = 96;

fn film(index: usize) -> Radiograph {
    let values = pixels(index, SIDE, true).into_iter().map(f32::from).collect();
    Radiograph::from_display(SIDE, SIDE, values).unwrap()
}

fn card(classes: &[&str]) -> Card {
    Card::imported("test", classes.iter().map(|c| c.to_string()).collect(), SIDE, "random weights")
}

/// A bundle with random weights and the given bias.
fn bundle(bias: f32, change: impl FnOnce(&mut Card)) -> Bundle {
    let mut parameters = Parameters::initialize(&Architecture::new(1), 2);
    parameters.tensor_mut("classifier.bias").unwrap().1[0] = bias;
    let mut card = card(&["absent", "present"]);
    change(&mut card);
    Bundle::new(card, parameters).unwrap()
}

fn reader(bundle: &Bundle) -> Reader {
    Reader::new(bundle, &ReaderOptions::default()).unwrap()
}

#[test]
fn a_finding_is_a_probability_at_or_above_the_threshold() {
    let logit = reader(&bundle(0.0, |_| {})).read_film(&film(0)).unwrap().logit;
    // With the bias that brings the logit to 0, the probability is a half.
    let even = bundle(-logit, |_| {});
    let prediction = reader(&even).read_film(&film(0)).unwrap();
    assert!((prediction.probability - 0.5).abs() < 1e-4);
    assert_eq!(prediction.model, even.short_hash());
    for (value, finding) in [(0.49, true), (0.51, false)] {
        let prediction = reader(&bundle(-logit, |card| card.threshold.value = value)).read_film(&film(0)).unwrap();
        assert_eq!(prediction.finding, finding);
        // Without a finding there are no regions, whatever the map.
        assert_eq!(!prediction.regions.is_empty(), finding && prediction.cam.values.iter().any(|v| *v > 0.0));
    }
    let exact = bundle(-logit, |card| card.threshold.value = prediction.probability);
    assert!(reader(&exact).read_film(&film(0)).unwrap().finding);
}

#[test]
fn a_threshold_of_the_readers_own_takes_the_place_of_the_bundles() {
    let strict = bundle(0.0, |card| card.threshold.value = 1.0);
    let before = reader(&strict).read_film(&film(0)).unwrap();
    assert!(!before.finding && before.cam.values.iter().any(|value| *value > 0.0));
    let options = |threshold| ReaderOptions { threshold: Some(threshold), ..ReaderOptions::default() };
    let after = Reader::new(&strict, &options(0.0)).unwrap().read_film(&film(0)).unwrap();
    assert!(after.finding && after.threshold == 0.0 && !after.regions.is_empty());
    assert!(Reader::new(&strict, &options(1.5)).is_err());
}

#[test]
fn the_map_before_its_relu_sums_to_the_logit_less_the_bias() {
    // With a classifier of no negative weight the ReLU takes nothing away.
    let mut parameters = Parameters::initialize(&Architecture::new(1), 2);
    for weight in parameters.tensor_mut("classifier.weight").unwrap().1 {
        *weight = weight.abs();
    }
    parameters.tensor_mut("classifier.bias").unwrap().1[0] = 0.25;
    let bundle = Bundle::new(card(&["absent", "present"]), parameters).unwrap();
    let prediction = reader(&bundle).read_film(&film(1)).unwrap();
    let sum: f32 = prediction.cam.values.iter().sum();
    assert_eq!((prediction.cam.rows, prediction.cam.columns), (3, 3));
    assert!((sum - (prediction.logit - 0.25)).abs() < 1e-3 * sum.abs().max(1.0), "{sum} {}", prediction.logit);
}

#[test]
fn regions_lie_within_the_film() {
    let bundle = bundle(100.0, |_| {});
    let mut reader = reader(&bundle);
    for (width, height) in [(300, 200), (120, 400), (96, 96)] {
        let values = (0..width * height).map(|i| (i % width * 255 / width) as f32).collect();
        let film = Radiograph::from_display(width, height, values).unwrap();
        let prediction = reader.read_film(&film).unwrap();
        assert!(prediction.finding);
        for region in &prediction.regions {
            assert!(region.x >= 0.0 && region.y >= 0.0 && region.width > 0.0 && region.height > 0.0);
            assert!(region.x + region.width <= width as f32 && region.y + region.height <= height as f32);
            assert!(region.score > 0.0 && region.score < 1.0);
        }
    }
}

#[test]
fn another_image_size_scales_the_reference() {
    let bundle = bundle(0.0, |_| {});
    let options = ReaderOptions { image_size: Some(2 * SIDE), ..ReaderOptions::default() };
    let prediction = Reader::new(&bundle, &options).unwrap().read_film(&film(0)).unwrap();
    assert_eq!((prediction.cam.rows, prediction.geometry.size), (6, 2 * SIDE));
    assert_eq!(prediction.reference, bundle.card().cam.reference / 4.0);
    let odd = ReaderOptions { image_size: Some(100), ..ReaderOptions::default() };
    assert!(Reader::new(&bundle, &odd).err().unwrap().to_string().contains("100"));
}

#[test]
fn many_files_are_read_in_order_with_their_errors() {
    let temporary = tempfile::tempdir().unwrap();
    write_dataset(temporary.path(), 9, SIDE);
    let mut files: Vec<PathBuf> = (0..9).map(|i| temporary.path().join(format!("images/{i:03}.png"))).collect();
    // Large files are decoded one at a time, whoever else waits.
    for file in [&files[0], &files[7], &files[8]] {
        std::fs::File::create(file).unwrap().set_len(65 << 20).unwrap();
    }
    files.insert(4, temporary.path().join("not-there.png"));
    let bundle = bundle(0.0, |_| {});
    let mut single = reader(&bundle);
    for batch in [1, 3, 20] {
        let options = ReaderOptions { batch, threads: Some(3), ..ReaderOptions::default() };
        let mut many = Reader::new(&bundle, &options).unwrap();
        let mut seen = Vec::new();
        many.read_files(&files, |index, result| {
            match result {
                Ok(reading) => {
                    let alone = single.read_film(&reading.film).unwrap();
                    assert!((alone.logit - reading.prediction.logit).abs() < 1e-4, "batch {batch}, file {index}");
                }
                Err(error) => assert!([0, 4, 8, 9].contains(&index), "{error}"),
            }
            seen.push(index);
            true
        })
        .unwrap();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        let mut n = 0;
        many.read_files(&files, |_, _| {
            n += 1;
            n < 3
        })
        .unwrap();
        assert_eq!(n, 3);
    }
    single.read_files(&[], |_, _| panic!("no files")).unwrap();
}

#[test]
fn int8_is_calibrated_on_films_and_stays_near_f32() {
    let bundle = bundle(0.0, |_| {});
    let films: Vec<_> = (0..4).map(film).collect();
    let options = ReaderOptions { precision: coxa_model::Precision::Int8, ..ReaderOptions::default() };
    // Ranges that a bundle holds give what measuring them anew gives.
    assert!(Reader::new(&bundle, &options).is_err());
    let measured = measure_int8(bundle.clone(), &films, None, "4 films of noise").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kept = measured.save(&folder.path().join("bundle"), WeightsFormat::F32).unwrap();
    assert_eq!(kept.int8(), measured.int8());
    let again = Reader::new(&kept, &options).unwrap().read_film(&films[0]).unwrap();
    assert_eq!(again.logit, Reader::calibrated(&bundle, &options, &films).unwrap().read_film(&films[0]).unwrap().logit);
    let mut int8 = Reader::calibrated(&bundle, &options, &films).unwrap();
    let mut f32 = reader(&bundle);
    for film in &films {
        let (a, b) = (int8.read_film(film).unwrap(), f32.read_film(film).unwrap());
        assert!((a.probability - b.probability).abs() < 0.1, "{} {}", a.probability, b.probability);
    }
}

#[test]
fn a_bundle_of_many_classes_gives_their_probabilities_and_no_finding() {
    let classes = ["ankle", "foot", "knee"];
    let bundle = Bundle::new(card(&classes), Parameters::initialize(&Architecture::new(3), 2)).unwrap();
    let mut many = reader(&bundle);
    let probabilities = many.class_probabilities(&film(0)).unwrap();
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5 && probabilities.len() == 3);
    assert!(many.read_film(&film(0)).unwrap_err().to_string().contains("3 classes"));
    let two = crate::prediction::bundle(0.0, |_| {});
    let mut two = reader(&two);
    let positive = two.read_film(&film(0)).unwrap().probability;
    assert_eq!(two.class_probabilities(&film(0)).unwrap(), [1.0 - positive, positive]);
}
