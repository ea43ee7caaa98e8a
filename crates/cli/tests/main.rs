//! The program as its user calls it: commands, their output, their exit status.

mod simulating;
mod statistics;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use coxa_engine::{Architecture, Parameters};
use coxa_model::bundle::Card;
use coxa_model::{Bundle, WeightsFormat};
use serde_json::Value;

fn coxa(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coxa"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    coxa(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json_lines(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn succeed(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn untrained_bundle(folder: &Path) -> PathBuf {
    let path = folder.join("bundle");
    let card = Card::imported("untrained", vec!["no fracture".into(), "fracture".into()], 64, "a test");
    Bundle::new(card, Parameters::initialize(&Architecture::new(1), 3))
        .unwrap()
        .save(&path, WeightsFormat::F32)
        .unwrap();
    path
}

fn simulate(what: &str, n: usize, folder: &Path) {
    succeed(&run(&["simulate", what, "--n", &n.to_string(), "--size", "96", "--format", "png", "--out", text(folder)]));
}

#[test]
fn a_film_is_read_beside_files_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 3, &films);
    let bad = folder.path().join("bad");
    fs::create_dir(&bad).unwrap();
    fs::write(bad.join("a-empty.dcm"), b"").unwrap();
    fs::write(bad.join("b-text.dcm"), b"this is no film").unwrap();
    fs::write(bad.join("c-cut.jpg"), [0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F']).unwrap();
    let heatmaps = folder.path().join("heatmaps");
    let table = folder.path().join("predictions.csv");
    let output = run(&[
        "predict",
        text(&bad),
        text(&films),
        "--model",
        text(&bundle),
        "--json",
        "--cam",
        "--heatmap",
        text(&heatmaps),
        "--predictions",
        text(&table),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 6);
    for (line, name) in lines[..3].iter().zip(["a-empty.dcm", "b-text.dcm", "c-cut.jpg"]) {
        assert!(line["file"].as_str().unwrap().ends_with(name));
        let error = line["error"].as_str().unwrap();
        assert!(error.contains(name) && !error.contains('\n'), "{error}");
    }
    for line in &lines[3..] {
        let probability = line["probability"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&probability));
        assert_eq!(line["finding"].as_bool().unwrap(), probability >= line["threshold"].as_f64().unwrap());
        assert_eq!(line["cam"]["values"].as_array().unwrap().len(), 4);
    }
    assert_eq!(fs::read_dir(&heatmaps).unwrap().count(), 3);
    assert_eq!(fs::read_to_string(&table).unwrap().lines().count(), 4);
}

#[test]
fn the_papers_confusion_gives_the_papers_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    let mut rows = "image_id,patient,label,probability\n".to_owned();
    for (label, probability, n) in [(1, 0.9, 49), (1, 0.1, 1), (0, 0.8, 8), (0, 0.2, 42)] {
        for i in 0..n {
            rows.push_str(&format!("f{label}{probability}{i},p{label}{probability}{i},{label},{probability}\n"));
        }
    }
    fs::write(&table, rows).unwrap();
    let output = run(&["evaluate", "--predictions", text(&table), "--json"]);
    succeed(&output);
    let line = &json_lines(&output)[0];
    assert_eq!(line["confusion"], serde_json::json!({"tp": 49, "fp": 8, "fn": 1, "tn": 42}));
    for (name, low, high) in
        [("accuracy", 0.836018, 0.958016), ("sensitivity", 0.893530, 0.999494), ("specificity", 0.708874, 0.928299)]
    {
        assert!((line[name]["low"].as_f64().unwrap() - low).abs() < 1e-6, "{name}");
        assert!((line[name]["high"].as_f64().unwrap() - high).abs() < 1e-6, "{name}");
    }
    let same = run(&["compare", "--a", text(&table), "--b", text(&table), "--json"]);
    succeed(&same);
    assert_eq!(json_lines(&same)[0]["difference"]["value"].as_f64(), Some(0.0));
}

#[test]
fn wrong_usage_and_wrong_files_have_their_own_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    for wrong in [
        &["predict"][..],
        &["predict", "film.png", "--image-size", "100"],
        &["predict", "film.png", "--threshold", "7"],
        &["simulate", "pelvis", "--n", "0", "--out", &at("none")],
        &["train", "--recipe", "paper", "--out", &at("runs")],
        &["train", "--recipe", "no-such-recipe", "--out", &at("runs")],
        &["train", "--recipe", "small", "--data", "foo=bar", "--out", &at("runs")],
        &["bench", "--size", "33"],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let no_dataset = run(&[
        "train",
        "--recipe",
        "small",
        "--data",
        &format!("limbs={}", at("nowhere")),
        "--stage",
        "limbs",
        "--out",
        &at("runs"),
    ]);
    assert_eq!(no_dataset.status.code(), Some(1));
    assert!(!folder.path().join("runs").exists() && !folder.path().join("none").exists());
    let missing = run(&["evaluate", "--predictions", "no-such-file.csv"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no-such-file.csv"));
}

#[test]
fn the_report_is_one_page_that_asks_no_host() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 12, &films);
    let out = folder.path().join("report");
    succeed(&run(&["report", "--data", text(&films), "--model", text(&bundle), "--out", text(&out)]));
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("Research use only") && page.contains("simulated films"));
    assert!(!page.contains("src=\"http") && !page.contains("url("));
    for file in [
        "predictions.csv",
        "readings.jsonl",
        "evaluation.json",
        "localization.json",
        "wrong.html",
        "figures/fig2-roc.svg",
        "figures/films/S0000000-film.png",
        "figures/films/S0000000-heatmap.png",
        "tables/measures.csv",
        "tables/table1.csv",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert!(fs::read_dir(folder.path()).unwrap().all(|entry| !text(&entry.unwrap().path()).contains("partial")));
    // The predictions carry the bundle's threshold: evaluated alone they give the page's figures to the last digit.
    let predictions = out.join("predictions.csv");
    let evaluated = run(&["evaluate", "--predictions", text(&predictions), "--json"]);
    succeed(&evaluated);
    let said: Value = serde_json::from_slice(&fs::read(out.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(json_lines(&evaluated)[0]["sensitivity"], said["sensitivity"]);
    assert_eq!(json_lines(&evaluated)[0]["threshold"], said["threshold"]);
    let measures = fs::read_to_string(out.join("tables/measures.csv")).unwrap();
    assert!(measures.starts_with("measure,value,low,high,method\naccuracy,"), "{measures}");
    assert!(fs::read(out.join("figures/fig2-roc.pdf")).unwrap().starts_with(b"%PDF-"));
    let again = run(&["report", "--data", text(&films), "--model", text(&bundle), "--out", text(&out)]);
    assert_eq!(again.status.code(), Some(1), "a report is never overwritten");
}

const RECIPE: &str = r#"
name = "tiny"
seed = 4

[[stage]]
name = "films"
target = "fracture"
validation = 0.25
input_size = 32
epochs = 4
batch = 4
start = "scratch"

[stage.optimizer]
learning_rate = 1e-3

[stage.schedule]
kind = "plateau"

[stage.augment]
zoom = 0.1
horizontal_flip = true
vertical_flip = true
rotation_degrees = 10.0
"#;

fn training(recipe: &Path, films: &Path, out: &Path) -> Command {
    let data = format!("films={}", films.display());
    coxa(&["train", "--recipe", text(recipe), "--data", &data, "--out", text(out), "--threads", "1"])
}

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
    assert!(stage.join("last.safetensors").is_file() && !run.join("bundle").exists(), "there is something to take up");
    let last = resumed().output().unwrap();
    succeed(&last);
    let said = String::from_utf8_lossy(&last.stderr).into_owned();
    assert!(said.contains("taken up after epoch"), "{said}");
    assert_eq!(weights(&run), weights(&alone.join("tiny-1")));
    let hidden =
        |folder: &Path| fs::read_dir(folder).unwrap().any(|e| e.unwrap().file_name().as_encoded_bytes()[0] == b'.');
    assert!(!hidden(&run) && !hidden(&stage), "nothing half-written stays");
}

#[test]
fn heatmaps_never_take_the_place_of_films() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    simulate("pelvis", 2, &films);
    let bundle = untrained_bundle(folder.path());
    let film = films.join("images/S0000000.png");
    let before = fs::read(&film).unwrap();
    let output =
        run(&["predict", text(&films), "--model", text(&bundle), "--heatmap", text(&films.join("images/../images"))]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("S0000000.png") && said.contains("hint: name a folder without films"), "{said}");
    assert_eq!(fs::read(&film).unwrap(), before);
}

#[test]
fn without_a_named_bundle_the_shipped_one_reads_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    succeed(&run(&["simulate", "pelvis", "--n", "2", "--size", "256", "--out", text(&films)]));
    let output = run(&["predict", text(&films), "--json", "--threads", "2"]);
    succeed(&output);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("simulated films alone"), "{said}");
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 2);
    let shipped = Bundle::shipped().unwrap();
    assert!(lines.iter().all(|line| line["model"] == shipped.short_hash() && line["notice"] == "research use only"));
}

/// A film whose own attributes say that it is no frontal pelvis: a simulated ankle.
#[test]
fn other_parts_of_the_body_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("limbs");
    succeed(&run(&["simulate", "limbs", "--n", "5", "--size", "96", "--out", text(&films)]));
    let bundle = untrained_bundle(folder.path());
    let images = films.join("images");
    let refused = run(&["predict", text(&images), "--model", text(&bundle), "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let lines = json_lines(&refused);
    assert!(lines.iter().all(|line| line["error"].as_str().unwrap().contains("Body Part Examined (0018,0015) is ")));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--any-film"));
    let read = run(&["predict", text(&images), "--model", text(&bundle), "--json", "--any-film"]);
    succeed(&read);
    assert!(json_lines(&read).iter().all(|line| line["probability"].is_number()));
}

#[test]
fn a_hospital_is_simulated_and_collected() {
    let folder = tempfile::tempdir().unwrap();
    let (hospital, cohort) = (folder.path().join("hospital"), folder.path().join("cohort"));
    succeed(&run(&["simulate", "cohort", "--n", "40", "--size", "96", "--format", "png", "--out", text(&hospital)]));
    let registry = hospital.join("registry.csv");
    let films = hospital.join("films.csv");
    succeed(&run(&["import", "registry", text(&registry), "--films", text(&films), "--out", text(&cohort)]));
    assert!(fs::read_to_string(cohort.join("manifest.csv")).unwrap().lines().count() > 10);
    // What is simulated stays called so on the way through registry and import, and the flow begins at the registry.
    let (bundle, out) = (untrained_bundle(folder.path()), folder.path().join("report"));
    let of_2012 = ["--from-year", "2012", "--no-subgroups"];
    let report = ["report", "--data", text(&cohort), "--model", text(&bundle), "--out", text(&out)];
    succeed(&run(&[&report[..], &of_2012[..]].concat()));
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("All figures on this page come from simulated films."));
    let late = fs::read_to_string(out.join("predictions.csv")).unwrap();
    assert!(
        late.lines().skip(1).all(|line| line.rsplit(',').nth(2).unwrap().parse::<u32>().unwrap() >= 2012),
        "{late}"
    );
    assert!(out.join("localization.json").is_file(), "the hospital's films have boxes");
    // Another bundle's report of all years begins at the registry.
    let whole = folder.path().join("whole");
    succeed(&run(&["report", "--data", text(&cohort), "--model", text(&bundle), "--out", text(&whole)]));
    assert!(fs::read_to_string(whole.join("index.html")).unwrap().contains("injuries in the registry"));
}

#[test]
fn a_report_on_films_of_the_training_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    simulate("pelvis", 16, &films);
    let (recipe, runs) = (folder.path().join("one.toml"), folder.path().join("runs"));
    fs::write(&recipe, RECIPE.replace("epochs = 4", "epochs = 1")).unwrap();
    succeed(&training(&recipe, &films, &runs).output().unwrap());
    let bundle = runs.join("tiny-1/bundle");
    let (out, nowhere) = (folder.path().join("report"), folder.path().join("nowhere"));
    let report = ["report", "--data", text(&films), "--model", text(&bundle), "--out", text(&out)];
    let refused = run(&report);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("16 of the films were trained or validated on") && said.contains("S0000000"), "{said}");
    assert!(!out.exists());
    let no_run = run(&[&report[..], &["--seen-films", "--run", text(&nowhere)][..]].concat());
    assert_eq!(no_run.status.code(), Some(1));
    assert!(!out.exists(), "nothing is half-written");
    succeed(&run(&[&report[..], &["--seen-films"][..]].concat()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    fs::write(&table, "image_id,label,probability\na,1,0.9\nb,0,0.1\n").unwrap();
    for more in [&[][..], &["--json"][..]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let arguments = [&["evaluate", "--predictions", text(&table)][..], more].concat();
        let output = coxa(&arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.lines().count() == 1 && said.starts_with("error: "), "{said}");
    }
}

#[test]
fn the_ablation_compares_its_arms_on_the_same_films() {
    let folder = tempfile::tempdir().unwrap();
    let (limbs, films) = (folder.path().join("limbs"), folder.path().join("films"));
    let test = folder.path().join("test");
    simulate("limbs", 10, &limbs);
    simulate("pelvis", 24, &films);
    let other = ["--n", "6", "--seed", "2", "--size", "96", "--format", "png", "--out", text(&test)];
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
    // Told before anything is trained.
    let output = whole(&["--test", text(&folder.path().join("nowhere"))]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("nowhere") && !out.exists(), "{said}");
    let output = whole(&["--test", text(&films)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("S0000000") && said.contains("stage films"), "{said}");
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
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("were trained or validated on with"), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    fs::write(&table, "image_id,label,probability\na,1,0.9\nb,0,0.2\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = coxa(&["evaluate", "--predictions", text(&table)]).stdout(writer).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Forty films, made of formulas that R can repeat: `y <- rep(c(0, 1), 20)`, `(((1:40) * 7) %% 41) / 41 * 0.6 + 0.35 * y` and
/// `(((1:40) * 11) %% 41) / 41 * 0.7 + 0.2 * y`.
fn forty_films(path: &Path, step: u32, spread: f64, shift: f64) {
    let mut rows = "image_id,patient,label,probability\n".to_owned();
    for i in 1..=40_u32 {
        let label = 1 - i % 2;
        let probability = f64::from(i * step % 41) / 41.0 * spread + shift * f64::from(label);
        rows.push_str(&format!("F{i},P{i},{label},{probability}\n"));
    }
    fs::write(path, rows).unwrap();
}

#[test]
fn the_curve_and_the_power_of_a_study_are_those_of_proc() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
    forty_films(&a, 7, 0.6, 0.35);
    forty_films(&b, 11, 0.7, 0.2);
    let number = |output: &Output, at: &str| {
        succeed(output);
        json_lines(output)[0].pointer(at).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {at}"))
    };
    let near =
        |found: f64, expected: f64, within: f64| assert!((found - expected).abs() < within, "{found} {expected}");
    let mut asked = vec!["evaluate", "--predictions", text(&a), "--json", "--no-subgroups", "--at-sensitivity", "0.9"];
    asked.extend(["--at-specificity", "0.8", "--partial-auc", "0.8,1"]);
    let raw = run(&asked);
    asked.extend(["--over-sensitivities", "--corrected"]);
    let corrected = run(&asked);
    // roc(y, x); coords(r, x = 0.9, input = "sensitivity"), …; auc(r, partial.auc = c(0.8, 1)), … of pROC 1.18.
    near(number(&raw, "/auc/value"), 0.88, 1e-12);
    near(number(&raw, "/curve/0/value"), 0.65, 1e-12);
    near(number(&raw, "/curve/1/value"), 0.7, 1e-12);
    near(number(&raw, "/curve/2/value"), 0.125, 1e-12);
    near(number(&corrected, "/curve/2/value"), 0.791_666_666_666_667, 1e-12);
    let low = number(&raw, "/curve/0/low");
    assert!((0.0..0.65).contains(&low), "{low}");
    // power.roc.test(auc = 0.8, power = 0.9), with ncases = 20, ncontrols = 40, and of the two curves; rounded up.
    let power = |arguments: &[&str]| run(&[&["power", "--json"], arguments].concat());
    near(number(&power(&["auc", "--auc", "0.8", "--power", "0.9"]), "/cases"), 17.0, 0.1);
    near(number(&power(&["auc", "--auc", "0.8", "--cases", "20", "--controls", "40"]), "/power"), 0.983_991_9, 1e-6);
    let difference = ["difference", "--a", text(&a), "--b", text(&b)];
    near(number(&power(&difference), "/cases"), 49.0, 0.1);
    near(number(&power(&[&difference[..], &["--cases", "20"]].concat()), "/power"), 0.497_096_5, 1e-6);
    near(number(&power(&["proportion", "--expected", "0.9", "--half-width", "0.05"]), "/films"), 139.0, 0.1);
    let kappa = number(&run(&["compare", "--a", text(&a), "--b", text(&b), "--json"]), "/agreement/value");
    assert!((-1.0..=1.0).contains(&kappa));
    assert_eq!(power(&["auc", "--auc", "1.5"]).status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_what_leads_nowhere_is_said_beside_the_films() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 1, &films);
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let film = fs::read_dir(films.join("images")).unwrap().next().unwrap().unwrap().path();
    symlink(&film, tree.join("b.png")).unwrap();
    symlink(folder.path().join("nothing"), tree.join("a.png")).unwrap();
    fs::write(tree.join("c.bmp"), "BM").unwrap();
    let output = run(&["predict", text(&tree), "--model", text(&bundle), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    assert!(lines[0]["error"].as_str().unwrap().contains("a.png") && lines[1]["probability"].is_number(), "{lines:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("note: 1 file is passed over"), "{said}");
}

#[test]
fn an_import_refuses_what_cannot_be_read_and_tells_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    succeed(&run(&["simulate", "pelvis", "--n", "3", "--size", "96", "--out", text(&films)]));
    let from = folder.path().join("from/normal");
    fs::create_dir_all(&from).unwrap();
    let mut files: Vec<Vec<u8>> =
        fs::read_dir(films.join("images")).unwrap().map(|f| fs::read(f.unwrap().path()).unwrap()).collect();
    let n = files[0].len();
    files[0].truncate(n - 100);
    let at = files[1].windows(14).position(|bytes| bytes == b"SIMULATED^FILM").unwrap();
    files[1][at..at + 14].copy_from_slice(b"Someone^Anyone");
    for (i, bytes) in files.iter().enumerate() {
        fs::write(from.join(format!("{i}.dcm")), bytes).unwrap();
    }
    let set = folder.path().join("set");
    let from = folder.path().join("from");
    let output = run(&["import", "folders", text(&from), "--names", "labels", "--each-film", "--out", text(&set)]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("0.dcm: ") && said.contains("truncated"), "{said}");
    assert!(said.contains("note: 1 of the files holds its patient's name") && !said.contains("Someone"), "{said}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("2 films"));
}

#[test]
fn every_work_is_measured_as_it_says() {
    for work in ["detect", "localize", "train"] {
        let output =
            run(&["bench", "--only", work, "--size", "64", "--batch", "2", "--runs", "2", "--threads", "1", "--json"]);
        succeed(&output);
        let lines = json_lines(&output);
        assert_eq!(lines.len(), if work == "train" { 2 } else { 3 });
        for line in lines {
            assert_eq!((&line["work"], &line["batch"]), (&work.into(), &2.into()));
            assert_eq!(line["times_ms"].as_array().unwrap().len(), 2);
            assert_eq!(line["share_of_peak"].is_number(), work == "detect");
        }
    }
    assert_eq!(run(&["bench", "--batch", "100000000000"]).status.code(), Some(2));
    let unknown = coxa(&["bench", "--runs", "1"]).env("COXA_ISA", "mmx").output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("COXA_ISA is `mmx`, but this processor has kernels for"));
    let plain = ["bench", "--only", "detect", "--size", "64", "--batch", "1", "--runs", "1", "--threads", "1"];
    let portable = coxa(&plain).env("COXA_ISA", "portable").output().unwrap();
    succeed(&portable);
    assert!(String::from_utf8_lossy(&portable.stdout).contains("kernels: portable"));
}

#[test]
fn a_calibrated_bundle_reads_in_8_bits_without_measuring_again() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 3, &films);
    let calibrated = folder.path().join("calibrated");
    succeed(&run(&["model", "calibrate", text(&bundle), "--data", text(&films), "--out", text(&calibrated)]));
    let read =
        |bundle: &Path| run(&["predict", text(&films), "--model", text(bundle), "--precision", "int8", "--json"]);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("has no ranges for 8 bits");
    let (without, with) = (read(&bundle), read(&calibrated));
    succeed(&with);
    assert!(said(&without) && !said(&with));
    assert_eq!(json_lines(&with).len(), 3);
    let card = run(&["model", "info", text(&calibrated)]);
    assert!(String::from_utf8_lossy(&card.stdout).contains("ranges measured on 3 simulated films"));
    // Ranges of other weights are refused.
    let int8 = calibrated.join("int8.json");
    let changed = fs::read_to_string(&int8).unwrap().replacen("\"weights\":\"", "\"weights\":\"0", 1);
    fs::write(&int8, changed).unwrap();
    assert_eq!(read(&calibrated).status.code(), Some(1));
}

#[test]
fn the_mean_of_two_bundles_takes_the_statistics_of_other_films() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let films = folder.path().join("films");
    simulate("pelvis", 5, &films);
    let [mean, adapted] = ["mean", "adapted"].map(|name| folder.path().join(name));
    succeed(&run(&["model", "average", text(&bundle), text(&bundle), "--out", text(&mean)]));
    let read = |bundle: &Path| {
        let output = run(&["predict", text(&films), "--model", text(bundle), "--json"]);
        succeed(&output);
        json_lines(&output).iter().map(|line| line["probability"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    // A bundle is its own mean.
    assert_eq!(read(&bundle), read(&mean));
    let adapt = |films: &Path, out: &Path| {
        run(&["model", "adapt", text(&mean), "--data", text(films), "--batch", "2", "--out", text(out)])
    };
    let done = adapt(&films, &adapted);
    succeed(&done);
    assert!(String::from_utf8_lossy(&done.stderr).contains("threshold"));
    assert_ne!(read(&mean), read(&adapted));
    let card = run(&["model", "info", text(&adapted)]);
    assert!(String::from_utf8_lossy(&card.stdout).contains("normalization statistics of 5 simulated films"));
    let few = folder.path().join("few");
    simulate("pelvis", 1, &few);
    let refused = adapt(&few, &folder.path().join("none"));
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("two films"));
    assert!(!folder.path().join("none").exists());
    assert_eq!(run(&["model", "average", text(&bundle), "--out", text(&adapted)]).status.code(), Some(2));
}
