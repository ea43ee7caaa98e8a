//! `predict`: results, heat maps and tables, and what is never replaced.

use std::fs;
use std::path::Path;

use crate::*;

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
    let message = errors(&output);
    assert!(message.contains("S0000000.png") && message.contains("hint: name a folder without films"), "{message}");
    assert_eq!(fs::read(&film).unwrap(), before);
}

#[test]
fn without_a_named_bundle_the_shipped_one_reads_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    succeed(&run(&["simulate", "pelvis", "--n", "2", "--size", "256", "--out", text(&films)]));
    let output = run(&["predict", text(&films), "--json", "--threads", "2"]);
    succeed(&output);
    let message = errors(&output);
    assert!(message.contains("simulated hips and real limbs"), "{message}");
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 2);
    let shipped = Bundle::shipped().unwrap();
    assert!(lines.iter().all(|line| line["model"] == shipped.short_hash() && line["notice"] == "research use only"));
}

#[test]
fn other_parts_of_the_body_are_not_read_and_the_result_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("limbs");
    succeed(&run(&["simulate", "limbs", "--n", "5", "--size", "256", "--out", text(&films)]));
    let bundle = untrained_bundle(folder.path());
    let (images, table) = (films.join("images"), folder.path().join("p.csv"));
    let predict = ["predict", text(&images), "--model", text(&bundle), "--predictions", text(&table)];
    let json = run(&[&predict[..], &["--json"]].concat());
    succeed(&json);
    for line in json_lines(&json) {
        assert!(line["not_read"].as_str().unwrap().ends_with(", by its header"), "{line}");
        assert!(line.get("probability").is_none() && line.get("error").is_none());
    }
    assert!(errors(&json).contains("5 of 5 films were not read") && errors(&json).contains("--any-film"));
    assert_eq!(fs::read_to_string(&table).unwrap().lines().count(), 1, "a film that was not read has no row");
    let plain = run(&predict);
    succeed(&plain);
    assert!(String::from_utf8_lossy(&plain.stdout).contains(": not read: "));
    let read = run(&["predict", text(&images), "--model", text(&bundle), "--json", "--any-film"]);
    succeed(&read);
    assert!(json_lines(&read).iter().all(|line| line["probability"].is_number()));
}

#[test]
fn plain_text_is_for_research_only() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, films) = (untrained_bundle(folder.path()), folder.path().join("films"));
    simulate("pelvis", 1, &films);
    let output = run(&["predict", text(&films), "--model", text(&bundle)]);
    succeed(&output);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(printed.lines().last(), Some("research use only"));
    assert_eq!(errors(&output).matches("research use only").count(), 1);
}

#[test]
fn no_file_is_replaced_but_an_earlier_output() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, films) = (untrained_bundle(folder.path()), folder.path().join("films"));
    simulate("pelvis", 2, &films);
    let predict =
        |option: &str, place: &Path| run(&["predict", text(&films), "--model", text(&bundle), option, text(place)]);
    let film = films.join("images/S0000000.png");
    let notes = folder.path().join("notes.csv");
    fs::write(&notes, "name,telephone\n").unwrap();
    for (place, status) in [(films.join("manifest.csv"), 1), (film, 2), (notes, 1)] {
        let before = fs::read(&place).unwrap();
        let output = predict("--predictions", &place);
        assert_eq!(output.status.code(), Some(status), "{}", errors(&output));
        assert!(errors(&output).contains(text(&place)), "{}", errors(&output));
        assert_eq!(fs::read(&place).unwrap(), before);
    }
    let (table, maps) = (folder.path().join("p.csv"), folder.path().join("maps"));
    for _ in 0..2 {
        succeed(&predict("--predictions", &table));
        succeed(&predict("--heatmap", &maps));
    }
    assert_eq!(fs::read_dir(&maps).unwrap().count(), 2);
    // A picture that is not ours, in the place of a heat map.
    fs::copy(films.join("images/S0000000.png"), maps.join("S0000001.png")).unwrap();
    let before = fs::read(maps.join("S0000001.png")).unwrap();
    let output = predict("--heatmap", &maps);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("S0000001.png") && output.stdout.is_empty(), "{}", errors(&output));
    assert_eq!(fs::read(maps.join("S0000001.png")).unwrap(), before);
}

#[test]
fn films_of_one_name_have_rows_and_heat_maps_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let (films, disc) = (folder.path().join("films"), folder.path().join("cd"));
    simulate("pelvis", 2, &films);
    for (i, study) in ["ST1", "ST2"].iter().enumerate() {
        fs::create_dir_all(disc.join(study)).unwrap();
        fs::copy(films.join(format!("images/S000000{i}.png")), disc.join(study).join("IM000001")).unwrap();
    }
    let (table, maps) = (folder.path().join("p.csv"), folder.path().join("maps"));
    succeed(&run(&[
        "predict",
        text(&disc),
        "--model",
        text(&bundle),
        "--predictions",
        text(&table),
        "--heatmap",
        text(&maps),
    ]));
    let rows = fs::read_to_string(&table).unwrap();
    let ids: Vec<&str> = rows.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["ST1/IM000001", "ST2/IM000001"]);
    assert!(maps.join("ST1-IM000001.png").is_file() && maps.join("ST2-IM000001.png").is_file());
    // With labels filled in, the table is evaluated.
    let labeled = rows.replacen("IM000001,,,", "IM000001,a,1,", 1).replacen("IM000001,,,", "IM000001,b,0,", 1);
    fs::write(&table, labeled).unwrap();
    succeed(&run(&["evaluate", "--predictions", text(&table)]));
}

#[test]
fn films_are_found_whatever_their_names_end_in_and_the_rest_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let (films, tree) = (folder.path().join("films"), folder.path().join("tree"));
    succeed(&run(&["simulate", "pelvis", "--n", "1", "--size", "256", "--out", text(&films)]));
    fs::create_dir(&tree).unwrap();
    for name in ["1.2.826.0.1.3680043.8.498.1", "IM000001", "a.dcm"] {
        fs::copy(films.join("images/S0000000.dcm"), tree.join(name)).unwrap();
    }
    fs::write(tree.join("letter.txt"), "Dear colleague").unwrap();
    let output = run(&["predict", text(&tree), "--model", text(&bundle), "--json"]);
    succeed(&output);
    assert_eq!(json_lines(&output).len(), 3);
    assert!(errors(&output).contains("1 file is no film and is left out: ") && errors(&output).contains("letter.txt"));
}

#[test]
fn one_heat_map_that_cannot_be_written_does_not_cost_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = untrained_bundle(folder.path());
    let (films, named, maps) = (folder.path().join("films"), folder.path().join("named"), folder.path().join("maps"));
    simulate("pelvis", 3, &films);
    fs::create_dir(&named).unwrap();
    let long = "a".repeat(240);
    for (i, name) in [long.as_str(), "b", "c"].iter().enumerate() {
        fs::copy(films.join(format!("images/S000000{i}.png")), named.join(format!("{name}.png"))).unwrap();
    }
    // A folder lies where a heat map belongs.
    fs::create_dir_all(maps.join("b.png")).unwrap();
    let output = run(&["predict", text(&named), "--model", text(&bundle), "--heatmap", text(&maps), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("b.png"), "{}", errors(&output));
    assert_eq!(json_lines(&output).iter().filter(|line| line["probability"].is_number()).count(), 3);
    let names: Vec<String> =
        fs::read_dir(&maps).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.contains(&"c.png".to_owned()) && names.iter().any(|name| name.starts_with("aaaa")), "{names:?}");
}

#[cfg(unix)]
#[test]
fn no_folder_is_searched_twice() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (bundle, films) = (untrained_bundle(folder.path()), folder.path().join("films"));
    simulate("pelvis", 2, &films);
    let images = films.join("images");
    symlink(&images, images.join("again")).unwrap();
    symlink(&images, images.join("and-again")).unwrap();
    let output = run(&["predict", text(&images), "--model", text(&bundle), "--json"]);
    succeed(&output);
    assert_eq!(json_lines(&output).len(), 2);
    assert!(
        errors(&output).contains("note: read once") && errors(&output).contains("and-again"),
        "{}",
        errors(&output)
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_one_that_leads_nowhere_is_an_error_beside_the_films() {
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
    assert!(errors(&output).contains("note: 1 file is no film and is left out: "), "{}", errors(&output));
    assert!(errors(&output).contains("c.bmp"), "{}", errors(&output));
}
