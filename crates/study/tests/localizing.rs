//! The localization of readings, on films whose fractures and heatmaps are drawn by hand.

use std::fs;
use std::path::Path;

use coxa_cohort::importers::{Files, Films, FracAtlasOptions, fracatlas};
use coxa_cohort::{Dataset, Film, TruthBox};
use coxa_schema::{BodyPart, Label, Side};
use coxa_study::baseline::aspect_ratio;
use coxa_study::localize::{Site, film_size};
use coxa_study::{
    Clustering, Dependence, EvaluationOptions, LocalizationMeasures, LocalizationOptions, Readings, Statistic,
    StudyError, evaluate, localize,
};
use serde_json::json;

const SIZE: (usize, usize) = (1000, 800);

fn film(id: &str, label: Label) -> Film {
    Film::new(id, format!("images/{id}.png"), format!("p-{id}"), BodyPart::Pelvis, label)
}

/// Fractured films a to e, each with a box of 100×100 at (200, 300) — the patient's right — and normal films n1 and n2.
fn dataset() -> Dataset {
    let mut dataset = Dataset::new("set");
    for id in ["a", "b", "c", "d", "e"] {
        dataset.films.push(film(id, Label::Present));
        dataset.truth.push(TruthBox {
            image_id: id.to_owned(),
            x: 200.0,
            y: 300.0,
            width: 100.0,
            height: 100.0,
            class: "femoral_neck".to_owned(),
        });
    }
    dataset.films.push(film("n1", Label::Absent));
    dataset.films.push(film("n2", Label::Absent));
    dataset
}

fn line(id: &str, probability: f64, regions: &[[f64; 5]]) -> String {
    let regions: Vec<_> = regions
        .iter()
        .map(|[x, y, width, height, score]| {
            json!({"x": x, "y": y, "width": width, "height": height, "side": "unknown", "score": score})
        })
        .collect();
    json!({"file": format!("set/images/{id}.png"), "probability": probability, "threshold": 0.5,
           "finding": probability >= 0.5, "regions": regions, "model": "abc", "width": SIZE.0, "height": SIZE.1})
    .to_string()
}

fn run(dataset: &Dataset, lines: &[String]) -> Result<LocalizationMeasures, StudyError> {
    let readings = Readings::parse(&lines.join("\n"), Path::new("r.jsonl"))?;
    localize(dataset, readings.join(dataset)?.findings(), &LocalizationOptions::default())
}

#[test]
fn regions_against_boxes() {
    let lines = [
        line("a", 0.9, &[[200.0, 300.0, 100.0, 100.0, 0.9]]),
        // The center (370, 350) is outside the box, but within a tenth of the film's width.
        line("b", 0.8, &[[320.0, 300.0, 100.0, 100.0, 0.8]]),
        line("c", 0.7, &[[700.0, 300.0, 100.0, 100.0, 0.7], [200.0, 300.0, 100.0, 50.0, 0.2]]),
        line("d", 0.6, &[[100.0, 10.0, 50.0, 50.0, 0.6]]),
        line("e", 0.1, &[]),
        line("n1", 0.2, &[]),
        line("n2", 0.9, &[[10.0, 10.0, 50.0, 50.0, 0.85]]),
    ];
    let found = run(&dataset(), &lines).unwrap();
    assert_eq!((found.n, found.boxed, found.true_positives), (7, 5, 4));
    let sites: Vec<Site> = found.films.iter().map(|film| film.site).collect();
    assert_eq!(sites, [Site::Right, Site::Right, Site::OppositeSide, Site::Elsewhere, Site::None]);
    let share = |statistic: &Statistic| {
        let estimate = statistic.estimate().unwrap();
        (estimate.value, estimate.n)
    };
    assert_eq!(share(&found.right_site), (0.5, 4));
    assert_eq!(share(&found.pointing_game), (0.4, 5));
    assert_eq!(share(&found.pointing_game_strict), (0.2, 5));
    assert_eq!(share(&found.side_confused), (0.25, 4));
    assert_eq!(share(&found.no_heatmap_on_normal), (0.5, 2));
    assert_eq!(share(&found.no_heatmap_on_true_negative), (1.0, 1));
    let ious: Vec<f64> = found.films.iter().map(|film| film.iou).collect();
    assert_eq!(ious, [1.0, 0.0, 0.5, 0.0, 0.0]);
    assert_eq!(share(&found.iou_shares[2].share), (0.5, 4));
    assert!((found.mean_iou.value().unwrap() - 0.375).abs() < 1e-12);
    // Falling: a hit, n2 false, b hit, c's first false, d false, c's second hit; five fractures on seven films.
    let curve: Vec<(f64, f64)> =
        found.froc.points.iter().map(|p| ((p.false_marks_per_film * 7.0).round(), (p.marked * 5.0).round())).collect();
    assert_eq!(curve, [(0.0, 1.0), (1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (3.0, 2.0), (3.0, 3.0)]);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["sites"].to_string(), r#"{"right":2,"opposite_side":1,"elsewhere":1,"none":0}"#);
}

#[test]
fn the_maps_peak_is_placed_on_the_film() {
    // A film of 1000×800 on an input of 512: scaled by 0.512, padded by 51 rows above. The box's center (250, 350) is at
    // (128, 230) of the input: between columns 3 and 4, in row 7.
    let map = |peak: usize, value: f64| {
        let mut values = vec![0.0; 256];
        values[peak] = value;
        values
    };
    let with_cam = |id: &str, values: &[f64]| {
        let mut reading: serde_json::Value =
            serde_json::from_str(&line(id, 0.9, &[[900.0, 700.0, 50.0, 50.0, 1.0]])).unwrap();
        reading["cam"] = json!({"rows": 16, "columns": 16, "values": values});
        reading.to_string()
    };
    let mut spread = map(7 * 16 + 3, 3.0);
    spread[0] = 1.0;
    let lines = [
        with_cam("a", &map(7 * 16 + 3, 3.0)),
        with_cam("b", &map(7 * 16 + 12, 3.0)),
        with_cam("c", &map(0, 0.0)),
        with_cam("d", &spread),
    ];
    let found = run(&dataset(), &lines).unwrap();
    let sites: Vec<Site> = found.films.iter().map(|film| film.site).collect();
    assert_eq!(sites, [Site::Right, Site::OppositeSide, Site::None, Site::Right]);
    let [x, y] = found.films[0].peak.unwrap();
    assert!((x - 112.0 / 0.512).abs() < 0.01 && (y - (240.0 - 51.0) / 0.5125).abs() < 1.0, "{x}, {y}");
    let inside: Vec<Option<f64>> = found.films.iter().map(|film| film.activation_inside).collect();
    assert_eq!(inside, [Some(1.0), Some(0.0), None, Some(0.75)]);
    assert_eq!(found.unread, ["e", "n1", "n2"]);
}

#[test]
fn intervals_of_localization_are_by_patient_where_patients_repeat() {
    // Forty films of ten patients; of a patient, all four marks are in the box or all are beside it.
    let mut dataset = Dataset::new("set");
    let mut lines = Vec::new();
    for i in 0..40 {
        let id = format!("f{i}");
        dataset.films.push(Film { patient: format!("p{}", i / 4), ..film(&id, Label::Present) });
        let (x, y, width, height) = (200.0, 300.0, 100.0, 100.0);
        dataset.truth.push(TruthBox { image_id: id.clone(), x, y, width, height, class: "femoral_neck".to_owned() });
        let left = if i / 4 % 3 == 0 { 700.0 } else { 200.0 + f64::from(i / 4) };
        lines.push(line(&id, 0.9, &[[left, 300.0, 100.0, 100.0, 0.9]]));
    }
    let readings = Readings::parse(&lines.join("\n"), Path::new("r.jsonl")).unwrap();
    let by = |clustering| {
        let options = LocalizationOptions { clustering, ..Default::default() };
        localize(&dataset, readings.join(&dataset).unwrap().findings(), &options)
    };
    let (film, patient) = (by(Clustering::ByFilm).unwrap(), by(Clustering::default()).unwrap());
    assert_eq!((film.dependence, patient.dependence), (Dependence::Films, Dependence::Patients));
    assert_eq!(patient, by(Clustering::ByPatient).unwrap());
    let width = |statistic: &Statistic| statistic.limits().map(|limits| limits.high - limits.low).unwrap();
    for of in [
        |found: &LocalizationMeasures| found.right_site.clone(),
        |found: &LocalizationMeasures| found.mean_iou.clone(),
        |found: &LocalizationMeasures| found.iou_shares[0].share.clone(),
    ] {
        assert_eq!(of(&film).value(), of(&patient).value());
        assert!(width(&of(&patient)) > 1.5 * width(&of(&film)), "{:?} {:?}", of(&patient), of(&film));
    }
    dataset.films[7].patient.clear();
    let options = LocalizationOptions { clustering: Clustering::ByPatient, ..Default::default() };
    let error = localize(&dataset, readings.join(&dataset).unwrap().findings(), &options).unwrap_err().to_string();
    assert!(error.starts_with("film `f7`: it has no patient"), "{error}");
}

#[test]
fn the_manifests_side_counts() {
    let mut dataset = dataset();
    dataset.films[0].side = Some(Side::Left);
    let found = run(&dataset, &[line("a", 0.9, &[[200.0, 300.0, 100.0, 100.0, 0.9]])]).unwrap();
    assert_eq!(found.side_confused.value(), Some(1.0), "box and manifest differ; the manifest's side is the truth");
    // On a film of one hip, the middle of the film parts nothing.
    dataset.films[1].body_part = BodyPart::Hip;
    let found = run(&dataset, &[line("b", 0.9, &[[700.0, 300.0, 100.0, 100.0, 0.9]])]).unwrap();
    assert_eq!(found.films[0].site, Site::Elsewhere);
    assert!(found.side_confused.value().is_none());
}

#[test]
fn bad_lines_are_named() {
    let good = line("a", 0.9, &[]);
    for (bad, expected) in [
        ("{".to_owned(), "r.jsonl, line 2: EOF"),
        (line("a", 0.9, &[]), "r.jsonl, line 2: `set/images/a.png` is on a line before this one"),
        (line("b", 1.5, &[]), "r.jsonl, line 2: a probability of 1.5 is not of 0 to 1"),
        (line("x", 0.5, &[]), "r.jsonl, line 2: `set/images/x.png` is no film of the dataset set"),
        (line("b", 0.5, &[]).replace("abc", "def"), "line 2: read by model `def`, the lines before by `abc`"),
        (line("b", 0.5, &[[0.0; 5]]).replace("unknown", "both"), "line 2: `both` is no side: left, right or unknown"),
        (line("b", 0.5, &[]).replace("set/images/b.png", "elsewhere/a.png"), "line 2: film `a` is read twice"),
        (r#"{"file":"b"}"#.to_owned(), "line 2: it has none of `probability`, `not_read` and `error`"),
        (r#"{"probability":0.5}"#.to_owned(), "line 2: it names no `file`"),
        (line("b", 0.5, &[]).replace("\"threshold\"", "\"limit\""), "line 2: missing field `threshold`"),
        (
            line("b", 0.5, &[]).replacen('{', r#"{"cam":{"rows":2,"columns":2,"values":[1]},"#, 1),
            "line 2: a map of 2×2 with 1 values",
        ),
    ] {
        let error = run(&dataset(), &[good.clone(), bad]).unwrap_err().to_string();
        assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    }
    let others = "{\"file\":\"z.dcm\",\"error\":\"truncated\"}\n{\"file\":\"y.dcm\",\"not_read\":\"lateral view\"}";
    let found = Readings::parse(&format!("{good}\n{others}\n"), Path::new("r")).unwrap();
    assert_eq!(found.failed, [("z.dcm".to_owned(), "truncated".to_owned())]);
    assert_eq!(found.not_read, [("y.dcm".to_owned(), "lateral view".to_owned())]);
    assert_eq!((found.readings.len(), found.model.as_str()), (1, "abc"));
}

#[test]
fn readings_become_predictions() {
    let mut dataset = dataset();
    dataset.films[1].excluded = true;
    dataset.films[2].label = Label::Unknown;
    let lines = ["a", "b", "c", "n1"].map(|id| line(id, 0.75, &[])).join("\n");
    let readings = Readings::parse(&lines, Path::new("r.jsonl")).unwrap();
    let films =
        readings.predictions(&dataset, &["body_part"], |film, column| film.column(column).unwrap_or_default()).unwrap();
    let rows: Vec<(String, bool)> = films.rows().map(|row| (row.image_id, row.truth)).collect();
    assert_eq!(rows, [("a".to_owned(), true), ("n1".to_owned(), false)]);
    assert_eq!(films.rows().next().unwrap().groups, ["pelvis"]);
}

#[test]
fn the_shape_of_a_film_is_a_baseline() {
    let dataset = dataset();
    let shape = |film: &Film| Ok(if film.label == Label::Present { (600, 800) } else { (800, 600) });
    let films = aspect_ratio(&dataset, shape).unwrap();
    let evaluation = evaluate(&films, &EvaluationOptions::default()).unwrap();
    assert_eq!(evaluation.measures.auc.value(), Some(1.0));
}

#[test]
fn a_films_size_is_that_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = Dataset::new(folder.path());
    dataset.films.push(film("a", Label::Absent));
    fs::create_dir(folder.path().join("images")).unwrap();
    coxa_imaging::encode::png_gray8(&folder.path().join("images/a.png"), 40, 30, &[128; 1200]).unwrap();
    assert_eq!(film_size(&dataset, &dataset.films[0]).unwrap(), (40, 30));
    fs::write(folder.path().join("images/a.png"), "no picture").unwrap();
    let error = film_size(&dataset, &dataset.films[0]).unwrap_err().to_string();
    assert!(error.starts_with("film `a`: "), "{error}");
}

/// In FracAtlas's hip films the shape of a film tells much of the label (an area of 0.87): what the baseline is for.
#[test]
fn the_shape_of_fracatlas_hips_tells_much_of_the_label() {
    let Some(from) = coxa_testing::data("fracatlas") else { return };
    let folder = tempfile::tempdir().unwrap();
    let options = FracAtlasOptions {
        films: Films::Listed(from.join("hip_films.csv")),
        files: Files::Reference,
        ..Default::default()
    };
    let (dataset, _) = fracatlas(&from, &folder.path().join("hips"), &options).unwrap();
    let films = aspect_ratio(&dataset, |film| film_size(&dataset, film)).unwrap();
    let by_patient = EvaluationOptions { clustering: Clustering::ByPatient, ..Default::default() };
    let evaluation = evaluate(&films, &by_patient).unwrap();
    assert!(evaluation.measures.auc.value().unwrap() > 0.8, "{:?}", evaluation.measures.auc);
}
