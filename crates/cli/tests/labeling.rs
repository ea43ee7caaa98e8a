//! A labeling of 100 films in headless Chromium, by keys alone, from import to a training on what was decided.

use std::path::Path;

use coxa_cohort::Dataset;
use coxa_model::Bundle;
use coxa_schema::{FractureType, Label, Side};
use coxa_serve::db::{Database, sqlite_url};
use coxa_serve::labeling::{order, sampled};
use serde_json::{Value, json};

use super::serving::Serving;
use crate::*;

const FILMS: usize = 100;
const SEED: u64 = 5;
/// Heat maps that are judged.
const MAPS: usize = 6;

/// The film that both exclude.
const EXCLUDED: usize = 7;
/// The reviewer who errs does so on every ninth film.
fn errs(place: usize) -> bool {
    place % 9 == 4
}

fn keys(dataset: &Dataset, place: usize, is_wrong: bool) -> Vec<&'static str> {
    let film = &dataset.films[place];
    if place == EXCLUDED {
        return vec!["x", "2"];
    }
    if (film.label == Label::Present) == is_wrong {
        return vec!["n"];
    }
    let mut keys = Vec::new();
    match film.fracture_type {
        Some(FractureType::FemoralNeck) => keys.push("k"),
        Some(FractureType::Trochanteric) => keys.push("t"),
        Some(FractureType::Subtrochanteric) => keys.push("s"),
        _ => {}
    }
    match film.side {
        Some(Side::Left) => keys.push("l"),
        Some(Side::Right) => keys.push("r"),
        None => {}
    }
    keys.push("y");
    keys
}

/// Keys that draw a box from the middle of the film to the right and down.
const BOX: [&str; 8] =
    ["b", "Enter", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown", "ArrowDown", "Enter"];

fn people(folder: &Path) -> Vec<(&'static str, String)> {
    let password = |name: &'static str| {
        let added =
            coxa(&["people", "add", "--name", name, "--roles", "reviewer"]).current_dir(folder).output().unwrap();
        succeed(&added);
        (name, String::from_utf8(added.stdout).unwrap().trim().to_owned())
    };
    ["ann", "bob", "cat"].map(password).to_vec()
}

fn labeling(folder: &Path, arguments: &[&str]) -> String {
    let output = coxa(&["labeling"]).args(arguments).current_dir(folder).output().unwrap();
    succeed(&output);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Findings with a heat map, as `coxa report` writes them.
fn readings(dataset: &Dataset) -> String {
    let model = Bundle::shipped().unwrap().short_hash().to_owned();
    let line = |(at, film): (usize, &coxa_cohort::Film)| {
        let values: Vec<f32> =
            (0..256).map(|cell| if cell / 16 == 8 && cell % 16 == at % 16 { 9.0 } else { 0.0 }).collect();
        json!({
            "file": film.path, "probability": 0.9, "threshold": 0.5, "finding": true, "model": model, "width": 128, "height": 128,
            "regions": [], "cam": { "rows": 16, "columns": 16, "values": values },
        })
        .to_string()
    };
    dataset.films.iter().take(2 * MAPS).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_reviewers_and_an_adjudicator_label_a_hundred_films_by_keys_and_a_network_learns_from_them() {
    let Some(modules) = std::env::var_os("COXA_NODE_MODULES") else {
        coxa_testing::skip("COXA_NODE_MODULES names no packages of npm: scripts/foreign.sh installs them");
        return;
    };
    let Some(mut script) = coxa_testing::tool("node") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let size = ["--size", "128", "--format", "png", "--out", text(&at("films"))].map(str::to_owned);
    succeed(&coxa(&["simulate", "pelvis", "--n", &FILMS.to_string()]).args(size).output().unwrap());
    let dataset = Dataset::load(&at("films")).unwrap();
    let address = format!("127.0.0.1:{}", coxa_testing::free_port());
    let node = Serving::start(folder.path(), &["--roles", "receive,pages", "--http", &address]);
    let people = people(folder.path());
    let seed = SEED.to_string();
    let import = [
        "import",
        "--films",
        "films",
        "--name",
        "Hips",
        "--reviewers",
        "ann,bob",
        "--adjudicator",
        "cat",
        "--seed",
        &seed,
    ];
    let films = labeling(folder.path(), &import);
    std::fs::write(at("readings.jsonl"), readings(&dataset)).unwrap();
    let maps = MAPS.to_string();
    let import = [
        "import",
        "--films",
        "films",
        "--name",
        "Maps",
        "--reviewers",
        "cat",
        "--task",
        "heat-maps",
        "--readings",
        "readings.jsonl",
        "--sample",
        &maps,
        "--seed",
        &seed,
    ];
    let judging = labeling(folder.path(), &import);
    let needs = needs_look(folder.path(), films.parse().unwrap());
    let plan = |who: usize, labeling: &str, turn: usize, films: Vec<Vec<&str>>| json!({ "name": people[who].0, "password": people[who].1, "labeling": labeling, "turn": turn, "films": films });
    let keys_of = |reviewer: usize| -> Vec<Vec<&'static str>> {
        let is_wrong = |place: usize| reviewer == 1 && errs(place);
        order(&needs, SEED, reviewer).into_iter().map(|place| keys(&dataset, place, is_wrong(place))).collect()
    };
    let (mut ann, bob) = (keys_of(0), keys_of(1));
    // Ann draws a box on her first fractured film, and takes her third decision back and makes it again.
    let boxed = ann.iter().position(|keys| keys.last() == Some(&"y")).unwrap();
    ann[boxed].splice(0..0, BOX);
    let third = ann[2].clone();
    ann.splice(3..3, [vec!["u"], third]);
    let disputed: Vec<usize> = (0..FILMS).filter(|place| errs(*place) && *place != EXCLUDED).collect();
    let adjudicator = disputed.iter().map(|place| keys(&dataset, *place, false)).collect();
    let sites = ["y", "o", "e", "y", "y", "y"].map(|key| vec![key]).to_vec();
    let plans = [
        plan(0, &films, 0, ann),
        plan(1, &films, 0, bob),
        plan(2, &films, 1, adjudicator),
        plan(2, &judging, 2, sites),
    ];
    std::fs::write(at("plan.json"), json!(plans).to_string()).unwrap();
    let pictures = coxa_testing::artifacts().join("labeling");
    std::fs::create_dir_all(&pictures).unwrap();
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/labeling/review.js");
    let output = script
        .arg(place)
        .arg(format!("http://{address}"))
        .arg(&pictures)
        .arg(at("plan.json"))
        .env("NODE_PATH", modules)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let reported: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let decided: u64 = reported.iter().filter_map(|one| one["count"].as_u64()).sum();
    // Ann takes one back and makes it again.
    assert_eq!(decided as usize, FILMS + 2 + FILMS + disputed.len() + MAPS, "{reported:?}");
    let listed = labeling(folder.path(), &["list"]);
    assert!(listed.contains("Hips\tlabels\t100 of 100") && listed.contains("Maps\theat_maps\t6 of 6"), "{listed}");
    labeling(folder.path(), &["export", "--labeling", &films, "--out", "labeled"]);
    labeling(folder.path(), &["export", "--labeling", &judging, "--out", "judged"]);
    drop(node);

    let labeled = Dataset::load(&at("labeled")).unwrap();
    labeled.verify().unwrap();
    let box_of = &dataset.films[order(&needs, SEED, 0)[boxed]].image_id;
    assert!(
        labeled.truth.iter().any(|drawn| drawn.image_id == *box_of && drawn.width > 2.0 && drawn.height > drawn.width)
    );
    for (place, (film, given)) in labeled.films.iter().zip(&dataset.films).enumerate() {
        let review = if disputed.contains(&place) { "adjudicated" } else { "agreed" };
        assert_eq!((film.extra["review"].as_str(), film.excluded), (review, place == EXCLUDED), "{}", film.image_id);
        if place != EXCLUDED {
            let labels = (film.label, film.fracture_type, film.side);
            assert_eq!(labels, (given.label, given.fracture_type, given.side), "{}", film.image_id);
        }
    }
    let judged = std::fs::read_to_string(at("judged/judged.csv")).unwrap();
    let expected: Vec<String> = order(&[false; MAPS], SEED, 0)
        .into_iter()
        .zip(["right", "opposite_side", "elsewhere", "right", "right", "right"])
        .map(|(at, site)| format!("{},{site}", dataset.films[sampled(2 * MAPS, MAPS, SEED)[at]].image_id))
        .collect();
    assert!(expected.iter().all(|line| judged.lines().any(|row| row == line)), "{judged}");
    train_and_report(folder.path());
}

/// A network learns from the labels, and a report is made of them.
fn train_and_report(folder: &Path) {
    let recipe = folder.join("tiny.toml");
    std::fs::write(&recipe, RECIPE.replace("epochs = 4", "epochs = 1")).unwrap();
    succeed(&training(&recipe, &folder.join("labeled"), &folder.join("runs")).output().unwrap());
    let arguments = [
        "report",
        "--data",
        "labeled",
        "--model",
        "runs/tiny-1/bundle",
        "--seen-films",
        "--judged",
        "judged/judged.csv",
        "--out",
        "report",
    ];
    succeed(&coxa(&arguments).current_dir(folder).output().unwrap());
    let page = std::fs::read_to_string(folder.join("report/index.html")).unwrap();
    assert!(page.contains("judged by a physician"), "the report has the physician's score");
}

fn needs_look(folder: &Path, labeling: i64) -> Vec<bool> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = Database::open(&sqlite_url(&folder.join("coxa-data"))).await.unwrap();
        db.labeling_places(labeling).await.unwrap().into_iter().map(|(_, needs)| needs).collect()
    })
}
