//! The program as its user calls it: commands, their output, their exit status.

mod bundles;
mod collecting;
mod deidentifying;
mod evaluating;
mod importing;
mod labeling;
mod predicting;
mod reading;
mod reporting;
mod sending;
mod serving;
mod simulating;
mod statistics;
mod training;
mod trials;
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
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
    succeed(&run(&[
        "simulate",
        what,
        "--n",
        &n.to_string(),
        "--size",
        "256",
        "--format",
        "png",
        "--out",
        text(folder),
    ]));
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
