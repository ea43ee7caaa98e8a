//! `train`: interrupted runs, the ablation and the cross-validation.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::*;

fn weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("bundle/model.safetensors")).unwrap()
}

/// Kills the process as soon as `moment` has come.
fn kill_when(mut child: Child, moment: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !moment() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the moment never came");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_training_killed_at_three_moments_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    simulate("pelvis", 24, &films);
    let recipe = folder.path().join("tiny.toml");
    fs::write(&recipe, RECIPE.replace("epochs = 4", "epochs = 8")).unwrap();
    let alone = folder.path().join("alone");
    succeed(&training(&recipe, &films, &alone).output().unwrap());
    let killed = folder.path().join("killed");
    let run = killed.join("tiny-1");
    let stage = run.join("1-films");
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let resumed = || coxa(&["train", "--resume", text(&run), "--out", text(&killed), "--threads", "2"]);
    let epochs =
        || fs::read_to_string(stage.join("history.csv")).map_or(0, |text| text.lines().count().saturating_sub(1));
    // Before anything is learned, after the first checkpoint, and within a later epoch.
    kill_when(quiet(&mut training(&recipe, &films, &killed)), || run.join("recipe.toml").is_file());
    kill_when(quiet(&mut resumed()), || stage.join("last.safetensors").is_file());
    let before = epochs();
    kill_when(quiet(&mut resumed()), || {
        let later = epochs() > before;
        std::thread::sleep(Duration::from_millis(if later { 30 } else { 0 }));
        later
    });
    assert!(stage.join("last.safetensors").is_file() && !run.join("bundle").exists(), "there is something to resume");
    let last = resumed().output().unwrap();
    succeed(&last);
    let message = errors(&last);
    assert!(message.contains("resumed after epoch"), "{message}");
    assert_eq!(weights(&run), weights(&alone.join("tiny-1")));
    let hidden =
        |folder: &Path| fs::read_dir(folder).unwrap().any(|e| e.unwrap().file_name().as_encoded_bytes()[0] == b'.');
    assert!(!hidden(&run) && !hidden(&stage), "nothing half-written stays");
}

#[test]
fn the_ablation_compares_its_arms_on_the_same_films() {
    let folder = tempfile::tempdir().unwrap();
    let (limbs, films) = (folder.path().join("limbs"), folder.path().join("films"));
    let test = folder.path().join("test");
    simulate("limbs", 10, &limbs);
    simulate("pelvis", 24, &films);
    let other = ["--n", "6", "--seed", "2", "--size", "256", "--format", "png", "--out", text(&test)];
    succeed(&run(&[&["simulate", "pelvis"][..], &other].concat()));
    let stage = RECIPE.split_once("[[stage]]").unwrap().1.replace("epochs = 4", "epochs = 1");
    let first = stage.replace("\"films\"", "\"limbs\"").replace("\"fracture\"", "\"body_part\"");
    let second = stage.replace("\"scratch\"", "\"previous\"");
    let recipe = folder.path().join("two.toml");
    fs::write(&recipe, format!("name = \"two\"\nseed = 4\n[[stage]]{first}\n[[stage]]{second}")).unwrap();
    let data = [format!("limbs={}", limbs.display()), format!("films={}", films.display())];
    let out = folder.path().join("runs");
    let arguments = ["train", "--recipe", text(&recipe), "--data", &data[0], "--data", &data[1], "--out", text(&out)];
    let whole = |more: &[&str]| run(&[&arguments[..], &["--ablation", "--json"], more].concat());
    // Found before anything is trained.
    let output = whole(&["--test", text(&folder.path().join("nowhere"))]);
    let message = errors(&output);
    assert!(!output.status.success() && message.contains("nowhere") && !out.exists(), "{message}");
    let output = whole(&["--test", text(&films)]);
    let message = errors(&output);
    assert!(!output.status.success() && message.contains("S0000000") && message.contains("stage films"), "{message}");
    let output = whole(&["--imagenet", text(&folder.path().join("no.pth"))]);
    assert!(!output.status.success() && !out.exists());
    let output = whole(&["--test", text(&test)]);
    succeed(&output);
    let lines = json_lines(&output);
    assert_eq!(lines[0]["measures"]["n"], 6);
    assert!(out.join("two-1/test.csv").is_file() && out.join("two-scratch-1/test.csv").is_file());
    let output = whole(&[]);
    succeed(&output);
    let lines = json_lines(&output);
    assert_eq!(lines.iter().filter_map(|line| line["arm"].as_str()).collect::<Vec<_>>(), ["scratch", "transfer"]);
    assert_eq!(lines[0]["measures"]["n"], lines[1]["measures"]["n"]);
    assert!(lines[2]["comparison"]["auc_a"].is_number(), "{}", lines[2]);
    assert!(
        out.join("two-1/2-films/validation.csv").is_file()
            && out.join("two-scratch-1/1-films/validation.csv").is_file()
    );
}

#[test]
fn every_film_of_a_cross_validation_is_tested_once_by_a_network_that_has_not_seen_its_patient() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    simulate("pelvis", 24, &films);
    let recipe = folder.path().join("one.toml");
    fs::write(&recipe, RECIPE.replace("epochs = 4", "epochs = 1")).unwrap();
    let (data, out) = (format!("films={}", films.display()), folder.path().join("runs"));
    let whole = ["train", "--recipe", text(&recipe), "--data", &data, "--out", text(&out), "--folds", "3", "--json"];
    let output = run(&whole);
    succeed(&output);
    let lines = json_lines(&output);
    assert_eq!(lines[0]["measures"]["n"], 24);
    let each = lines[0]["each"].as_array().unwrap();
    assert_eq!(each.iter().map(|fold| fold["n"].as_u64().unwrap()).sum::<u64>(), 24);
    assert_eq!(each.iter().map(|fold| fold["fold"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    let pooled = fs::read_to_string(lines[0]["predictions"].as_str().unwrap()).unwrap();
    assert_eq!(pooled.lines().count(), 25);
    let mut held_out: Vec<String> = Vec::new();
    for run in fs::read_dir(&out).unwrap().map(|run| run.unwrap().path()).filter(|run| run.join("recipe.toml").exists())
    {
        let split = fs::read_to_string(run.join("1-films/split.csv")).unwrap();
        held_out.extend(split.lines().filter(|line| line.ends_with("validation")).map(str::to_owned));
    }
    let films_held_out = held_out.len();
    held_out.sort();
    held_out.dedup();
    assert_eq!((held_out.len(), films_held_out), (24, 24));
    let seen = out.join("tiny-fold1-1/bundle");
    let refused = run(&[&whole[..], &["--start", text(&seen)]].concat());
    let message = errors(&refused);
    assert!(!refused.status.success() && message.contains("were trained or validated on with"), "{message}");
}
