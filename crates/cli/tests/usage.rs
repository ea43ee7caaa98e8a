//! Exit statuses, and standard output that is closed or full.

use std::fs;

use crate::*;

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
        let message = errors(&output);
        assert!(message.lines().count() == 1 && message.starts_with("error: "), "{message}");
    }
}

#[test]
fn a_closed_pipe_is_the_end_and_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("p.csv");
    fs::write(&table, "image_id,label,probability\na,1,0.9\nb,0,0.2\n").unwrap();
    for more in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let arguments = [&["evaluate", "--predictions", text(&table)][..], more].concat();
        let output = coxa(&arguments).stdout(writer).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", errors(&output));
    }
}
