//! Films and a bundle: the gate, the closed form of Grad-CAM, the threshold, regions, sizes, and the pipeline over many files.

use std::path::PathBuf;

use coxa_dicom::dx::{self, AnatomicRegion, DxOptions, NO_DATE, Projection};
use coxa_engine::{Architecture, Parameters};
use coxa_imaging::{Laterality, Radiograph, RgbImage};
use coxa_model::detect::gate::{Concern, GateRule};
use coxa_model::detect::overlay;
use coxa_model::tune::measure_int8;
use coxa_model::{Bundle, Card, Detection, Detector, DetectorOptions, FilmSource, WeightsFormat};
use coxa_schema::{ErrorKind, Finding, HeatMap, Hint};

use crate::films::{pixels, write_dataset};

const SIDE: usize = 128;

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

fn detector(bundle: &Bundle) -> Detector {
    Detector::new(bundle, &DetectorOptions::default()).unwrap()
}

/// Reads a film that must pass the gate.
fn found(detector: &mut Detector, film: Radiograph) -> (Detection, Finding) {
    let detection = detector.read(film).unwrap();
    let finding = detection.finding().expect("a film that is read").clone();
    (detection, finding)
}

fn logit_of(detector: &mut Detector, film: Radiograph) -> f32 {
    detector.read(film).unwrap().logit().unwrap()
}

fn map_of(finding: &Finding) -> &HeatMap {
    finding.heat_map.as_ref().unwrap()
}

#[test]
fn a_finding_is_a_probability_at_or_above_the_threshold() {
    let logit = logit_of(&mut detector(&bundle(0.0, |_| {})), film(0));
    // With the bias that brings the logit to 0, the probability is a half.
    let even = bundle(-logit, |_| {});
    let (_, finding) = found(&mut detector(&even), film(0));
    assert!((finding.probability - 0.5).abs() < 1e-4);
    assert_eq!(finding.model, even.short_hash());
    for (value, is_positive) in [(0.49, true), (0.51, false)] {
        let (_, finding) = found(&mut detector(&bundle(-logit, |card| card.threshold.threshold = value)), film(0));
        assert_eq!(finding.is_positive, is_positive);
        // Without a finding there are no regions, whatever the map.
        let has_map = map_of(&finding).values.iter().any(|v| *v > 0.0);
        assert_eq!(!finding.regions.is_empty(), is_positive && has_map);
    }
    let exact = bundle(-logit, |card| card.threshold.threshold = finding.probability);
    assert!(found(&mut detector(&exact), film(0)).1.is_positive);
}

#[test]
fn a_recalibration_changes_what_is_reported_and_not_the_output() {
    let bundle = bundle(0.3, |_| {});
    let mut detector = detector(&bundle);
    let (detection, before) = found(&mut detector, film(0));
    let logit = detection.logit().unwrap();
    assert_eq!(coxa_model::probability(logit, 1.0), before.probability);
    let threshold = |value| coxa_stats::OperatingPoint::fixed(value).unwrap();
    detector.recalibrate(2.5, threshold(0.999)).unwrap();
    let (detection, after) = found(&mut detector, film(0));
    assert_eq!((detection.logit(), &after.heat_map), (Some(logit), &before.heat_map));
    assert_eq!(after.probability, coxa_model::probability(logit, 2.5));
    assert!(after.threshold == 0.999 && !after.is_positive && after.regions.is_empty() && after.model == before.model);
    for (temperature, value) in [(0.0, 0.5), (-1.0, 0.5), (f64::NAN, 0.5), (1.0, 1.5), (1.0, -0.1)] {
        assert!(detector.recalibrate(temperature, threshold(value)).is_err());
    }
    assert_eq!(detector.card().temperature, 2.5, "what is refused changes nothing");
    detector.recalibrate(1.0, bundle.card().threshold.clone()).unwrap();
    assert_eq!(found(&mut detector, film(0)).1, before);
}

#[test]
fn a_threshold_of_the_options_takes_the_place_of_the_bundles() {
    let strict = bundle(0.0, |card| card.threshold.threshold = 1.0);
    let (_, before) = found(&mut detector(&strict), film(0));
    assert!(!before.is_positive && map_of(&before).values.iter().any(|value| *value > 0.0));
    let options = |threshold| DetectorOptions { threshold: Some(threshold), ..DetectorOptions::default() };
    let (_, after) = found(&mut Detector::new(&strict, &options(0.0)).unwrap(), film(0));
    assert!(after.is_positive && after.threshold == 0.0 && !after.regions.is_empty());
    let error = Detector::new(&strict, &options(1.5)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_film_and_its_mirror_image_are_read_alike_where_the_bundle_reads_both() {
    let turned = |film: &Radiograph| {
        let values = film.pixels().chunks_exact(SIDE).flat_map(|row| row.iter().rev().copied()).collect();
        Radiograph::from_display(SIDE, SIDE, values).unwrap()
    };
    for window in [None, Some(2)] {
        let plain = &mut detector(&bundle(0.0, |card| card.window = window));
        let both = &mut detector(&bundle(0.0, |card| (card.window, card.mirror) = (window, true)));
        let (straight, mirrored) = (logit_of(plain, film(1)), logit_of(plain, turned(&film(1))));
        assert!(straight != mirrored);
        let ((a, map), (b, back)) = (found(both, film(1)), found(both, turned(&film(1))));
        assert_eq!(a.logit(), b.logit());
        assert!((a.logit().unwrap() - 0.5 * (straight + mirrored)).abs() < 1e-5);
        let (map, back) = (map_of(&map), map_of(&back));
        let rows = map.values.chunks_exact(map.columns).zip(back.values.chunks_exact(map.columns));
        assert!(rows.into_iter().all(|(row, other)| row.iter().eq(other.iter().rev())));
    }
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
    let (detection, finding) = found(&mut detector(&bundle), film(1));
    let (map, logit) = (map_of(&finding), detection.logit().unwrap());
    let sum: f32 = map.values.iter().sum();
    assert_eq!((map.rows, map.columns), (4, 4));
    assert!((sum - (logit - 0.25)).abs() < 1e-3 * sum.abs().max(1.0), "{sum} {logit}");
}

#[test]
fn regions_lie_within_the_film() {
    let bundle = bundle(100.0, |_| {});
    let mut detector = detector(&bundle);
    for (width, height) in [(300, 200), (130, 400), (128, 128)] {
        let values = (0..width * height).map(|i| (i % width * 255 / width) as f32).collect();
        let film = Radiograph::from_display(width, height, values).unwrap();
        let (_, finding) = found(&mut detector, film);
        assert!(finding.is_positive && (finding.width, finding.height) == (width, height));
        for region in &finding.regions {
            assert!(region.x >= 0.0 && region.y >= 0.0 && region.width > 0.0 && region.height > 0.0);
            assert!(region.x + region.width <= width as f32 && region.y + region.height <= height as f32);
            assert!(region.score > 0.0 && region.score < 1.0);
        }
    }
}

#[test]
fn another_image_size_scales_the_reference() {
    let bundle = bundle(0.0, |_| {});
    let options = DetectorOptions { image_size: Some(2 * SIDE), ..DetectorOptions::default() };
    let (detection, finding) = found(&mut Detector::new(&bundle, &options).unwrap(), film(0));
    assert_eq!((map_of(&finding).rows, detection.geometry().unwrap().size), (8, 2 * SIDE));
    assert_eq!(detection.reference(), Some(bundle.card().cam.reference / 4.0));
    let odd = DetectorOptions { image_size: Some(100), ..DetectorOptions::default() };
    assert!(Detector::new(&bundle, &odd).err().unwrap().to_string().contains("100"));
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
    // One too small to be read, which is no error.
    coxa_imaging::encode::png_gray8(&files[2], 100, 100, &[90; 10_000]).unwrap();
    files.insert(4, temporary.path().join("not-there.png"));
    let bundle = bundle(0.0, |_| {});
    let mut single = detector(&bundle);
    for batch in [1, 3, 20] {
        let options = DetectorOptions { batch, threads: Some(3), ..DetectorOptions::default() };
        let mut many = Detector::new(&bundle, &options).unwrap();
        let mut seen = Vec::new();
        many.read_files(&files, |index, result| {
            match result {
                Ok(detection) if index == 2 => assert_eq!(detection.not_read(), Some("smaller than 128 pixels")),
                Ok(detection) => {
                    let alone = logit_of(&mut single, detection.film().clone());
                    assert!((alone - detection.logit().unwrap()).abs() < 1e-4, "batch {batch}, file {index}");
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
    let options = DetectorOptions { precision: coxa_model::Precision::Int8, ..DetectorOptions::default() };
    // Ranges that a bundle holds give what measuring them anew gives.
    assert!(Detector::new(&bundle, &options).is_err());
    let measured = measure_int8(bundle.clone(), &films, None, "4 films of noise").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kept = measured.save(&folder.path().join("bundle"), WeightsFormat::F32).unwrap();
    assert_eq!(kept.int8(), measured.int8());
    let again = logit_of(&mut Detector::new(&kept, &options).unwrap(), films[0].clone());
    let mut int8 = Detector::calibrated(&bundle, &options, &films).unwrap();
    assert_eq!(again, logit_of(&mut int8, films[0].clone()));
    let mut f32 = detector(&bundle);
    for film in &films {
        let (a, b) = (found(&mut int8, film.clone()).1, found(&mut f32, film.clone()).1);
        assert!((a.probability - b.probability).abs() < 0.1, "{} {}", a.probability, b.probability);
    }
}

#[test]
fn a_bundle_of_many_classes_gives_their_probabilities_and_no_finding() {
    let classes = ["ankle", "foot", "knee"];
    let bundle = Bundle::new(card(&classes), Parameters::initialize(&Architecture::new(3), 2)).unwrap();
    let mut many = detector(&bundle);
    let probabilities = many.classify(film(0)).unwrap().unwrap();
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5 && probabilities.len() == 3);
    assert!(many.read(film(0)).unwrap_err().to_string().contains("3 classes"));
    let small = Radiograph::from_display(100, 200, vec![9.0; 20_000]).unwrap();
    assert_eq!(many.classify(small).unwrap(), Err("smaller than 128 pixels".to_owned()));
    let two = crate::prediction::bundle(0.0, |_| {});
    let mut two = detector(&two);
    let positive = found(&mut two, film(0)).1.probability;
    assert_eq!(two.classify(film(0)).unwrap().unwrap(), [1.0 - positive, positive]);
}

/// A DICOM film with this body part and view.
fn dicom(body_part: &str, view: &str) -> Vec<u8> {
    let pixels: Vec<u16> = film(0).pixels().iter().map(|value| 16 * *value as u16).collect();
    let options = DxOptions {
        rows: SIDE,
        columns: SIDE,
        bits_stored: 12,
        monochrome1: false,
        pixels: &pixels,
        window: None,
        spacing_mm: 0.2,
        view_position: Projection::AnteroPosterior,
        laterality: Laterality::Both,
        body_part: AnatomicRegion::Pelvis,
        seed_uid: "a test of the gate",
        study_date: NO_DATE,
        patient_id: "test",
        age: None,
        sex: None,
        burned_in_annotation: false,
    };
    let bytes = dx::to_vec(&options).unwrap();
    let bytes = with_text(bytes, [0x18, 0, 0x15, 0], body_part);
    with_text(bytes, [0x18, 0, 0x01, 0x51], view)
}

/// The file with another value of a code string (explicit VR, little endian).
fn with_text(mut bytes: Vec<u8>, tag: [u8; 4], value: &str) -> Vec<u8> {
    let header = [&tag[..], b"CS"].concat();
    let at = bytes.windows(header.len()).position(|window| window == header).unwrap() + header.len();
    let old = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let padded = if value.len().is_multiple_of(2) { value.to_owned() } else { format!("{value} ") };
    let new = [&(padded.len() as u16).to_le_bytes()[..], padded.as_bytes()].concat();
    bytes.splice(at..at + 2 + old, new);
    bytes
}

#[test]
fn a_film_is_gated_by_its_header_whatever_it_is_handed_over_as() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.dcm");
    let mut strict = detector(&bundle(100.0, |_| {}));
    let ignoring = DetectorOptions { gate: GateRule::Disabled, ..DetectorOptions::default() };
    let mut ignoring = Detector::new(&bundle(100.0, |_| {}), &ignoring).unwrap();
    for (body_part, view, reason) in [
        ("HAND", "AP", Some("shows a hand, by its header")),
        ("PELVIS", "LL", Some("lateral view")),
        ("PELVIS", "AP", None),
    ] {
        let bytes = dicom(body_part, view);
        std::fs::write(&path, &bytes).unwrap();
        let film = coxa_imaging::read_bytes(&bytes, "film").unwrap();
        let by_bytes = strict.read(FilmSource::Bytes { bytes: &bytes, name: "film" }).unwrap();
        assert_eq!(by_bytes.not_read(), reason, "{body_part} {view}");
        assert_eq!(strict.read(&path).unwrap(), by_bytes);
        assert_eq!(strict.read(film).unwrap(), by_bytes);
        let mut piped = None;
        strict
            .read_files(std::slice::from_ref(&path), |_, result| {
                piped = Some(result.unwrap());
                true
            })
            .unwrap();
        assert_eq!(piped.as_ref(), Some(&by_bytes));
        if let Some(reason) = reason {
            let line = serde_json::to_string(&by_bytes.line_with_map("film.dcm")).unwrap();
            assert_eq!(line, format!(r#"{{"file":"film.dcm","not_read":"{reason}"}}"#));
            assert!(by_bytes.logit().is_none() && overlay::draw(&by_bytes).is_none());
        }
        let (read, finding) = found(&mut ignoring, by_bytes.film().clone());
        assert!(finding.is_positive && read.concerns().is_empty());
    }
}

#[test]
fn films_that_do_not_say_what_they_show_are_read_with_a_concern() {
    let mut detector = detector(&bundle(0.0, |_| {}));
    let (plain, _) = found(&mut detector, film(0));
    assert_eq!(plain.concerns(), [Concern::NoBodyPart]);
    let bytes = dicom("EXTREMITY", "AP");
    let limb = detector.read(FilmSource::Bytes { bytes: &bytes, name: "film" }).unwrap();
    assert_eq!((limb.concerns(), limb.not_read()), (&[Concern::VagueBodyPart][..], None));
}

#[test]
fn a_heat_map_is_drawn_on_a_positive_film_alone() {
    let is_gray = |picture: &RgbImage| {
        // The bar below the film has color of its own.
        let rows = &picture.pixels[..3 * picture.width * SIDE];
        rows.chunks(3).all(|p| p[0] == p[1] && p[1] == p[2])
    };
    let (positive, finding) = found(&mut detector(&bundle(100.0, |card| card.cam.reference = 1e-3)), film(0));
    assert!(finding.is_positive && map_of(&finding).values.iter().any(|value| *value > 0.0));
    assert!(!is_gray(&overlay::draw(&positive).unwrap()));
    let (negative, finding) = found(&mut detector(&bundle(-100.0, |card| card.cam.reference = 1e-3)), film(0));
    assert!(!finding.is_positive && map_of(&finding).values.iter().any(|value| *value > 0.0));
    assert!(is_gray(&overlay::draw(&negative).unwrap()));
    assert!(overlay::png(&negative).unwrap().unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn a_line_leaves_the_map_out_where_it_was_not_asked_for() {
    let (detection, finding) = found(&mut detector(&bundle(100.0, |_| {})), film(0));
    let [with, without] =
        [detection.line_with_map("a"), detection.line("a")].map(|line| serde_json::to_value(line).unwrap());
    assert!(with["cam"]["values"].as_array().unwrap().len() == 16 && without.get("cam").is_none());
    assert_eq!(without["regions"].as_array().unwrap().len(), finding.regions.len());
    for key in ["file", "probability", "threshold", "finding", "model", "width", "height", "notice"] {
        assert_eq!(with[key], without[key], "{key}");
    }
}
