//! `coxa deidentify` and its verification, from the command line.

use std::fs;
use std::path::Path;

use crate::*;

/// Simulated films with their registry, and a key.
fn hospital(folder: &Path) {
    let films = folder.join("films");
    succeed(&run(&["simulate", "pelvis", "--n", "3", "--size", "256", "--format", "dicom", "--out", text(&films)]));
    fs::write(folder.join("films/letter.txt"), "Dear colleague").unwrap();
    let registry = "patient,name,injury_date,diagnosis,admitted\nSIM778899,Quisling,2015-03-01,S72.001A,1\n";
    fs::write(folder.join("registry.csv"), registry).unwrap();
    fs::write(folder.join("phrase"), "correct horse battery\n").unwrap();
}

#[test]
fn films_and_their_registry_are_deidentified_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let (films, out, key) = (at("films"), at("out"), at("key"));
    let missing = run(&["deidentify", &films, "--out", &out, "--key", &key]);
    assert_eq!(missing.status.code(), Some(2), "{}", errors(&missing));
    assert!(errors(&missing).contains("--create-key") && !Path::new(&out).exists());
    succeed(&run(&["deidentify", "--create-key", "--key", &key]));
    let arguments = |link: &str| {
        let more = ["--registry", &at("registry.csv"), "--registry-out", &at("registry-out.csv"), "--link-table", link];
        let mut all =
            vec!["deidentify".to_owned(), films.clone(), "--out".into(), out.clone(), "--key".into(), key.clone()];
        all.extend(more.map(str::to_owned));
        all.extend(["--link-passphrase-file".to_owned(), at("phrase")]);
        all
    };
    let run_all = |link: &str| {
        let arguments = arguments(link);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let first = run_all(&at("link.age"));
    // The manifest, the truth and the letter are no films.
    assert_eq!(first.status.code(), Some(1), "{}", errors(&first));
    let lines = json_lines(&first);
    let written = lines.iter().filter(|line| line["status"] == "deidentified").count();
    // Simulated films with print on them declare it.
    let is_burned_in = |line: &&Value| line["reason"].as_str().is_some_and(|reason| reason.contains("burned into"));
    let burned_in = lines.iter().filter(is_burned_in).count();
    assert!(written > 0 && written + burned_in == 3, "{}", errors(&first));
    let mut others = lines.iter().filter(|line| line["status"] == "withheld" && !is_burned_in(line));
    assert!(others.all(|line| line["reason"].as_str().unwrap().contains("not a DICOM")));
    assert!(fs::read(at("link.age")).unwrap().starts_with(b"age-encryption.org/v1"));
    let registry = fs::read_to_string(at("registry-out.csv")).unwrap();
    assert!(!registry.contains("SIM778899") && !registry.contains("Quisling") && registry.contains("S72.001A"));
    let again = run_all(&at("link2.age"));
    assert!(json_lines(&again).iter().all(|line| line["status"] != "deidentified"));
    assert_eq!(run_all(&at("link.age")).status.code(), Some(2), "a linking table is never replaced");
    let verify = |more: &[&str]| run(&[&["deidentify", "verify", &out], more].concat());
    succeed(&verify(&["--key", &key, "--registry", &at("registry.csv")]));
    succeed(&verify(&["--link-table", &at("link.age"), "--link-passphrase-file", &at("phrase")]));
    fs::copy(Path::new(&films).join("letter.txt"), Path::new(&out).join("SIM778899.dcm")).unwrap();
    let found = verify(&["--registry", &at("registry.csv")]);
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stdout).contains("known identifier is in its name"));
}

#[test]
fn wrong_keys_and_usage_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let (films, out) = (at("films"), at("out"));
    for key in ["one", "two"] {
        succeed(&run(&["deidentify", "--create-key", "--key", &at(key)]));
    }
    let with =
        |key: &str, more: &[&str]| run(&[&["deidentify", &films, "--out", &out, "--key", &at(key)], more].concat());
    assert_eq!(with("one", &[]).status.code(), Some(1));
    let other = with("two", &[]);
    assert_eq!(other.status.code(), Some(2));
    assert!(errors(&other).contains("another key"), "{}", errors(&other));
    for more in [&["--remove", "dates"][..], &["--blank", "1,2,3"], &["--link-table", "x"], &["--create-key"]] {
        assert_eq!(with("one", more).status.code(), Some(2), "{more:?}");
    }
    fs::write(at("bad"), "0123\n").unwrap();
    assert_eq!(with("bad", &[]).status.code(), Some(2));
    assert_eq!(run(&["deidentify", "verify", &films]).status.code(), Some(2));
    assert_eq!(run(&["deidentify"]).status.code(), Some(2));
}

/// A limit on the size of files stands for a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    succeed(&run(&["deidentify", "--create-key", "--key", &at("key")]));
    let arguments = ["deidentify", &at("films/images"), "--out", &at("out"), "--key", &at("key"), "--blank", "0,0,9,1"];
    let whole = coxa(&[&arguments[..], &["--burned-in-text", "withhold"]].concat());
    let limited = |blocks: usize, command: &Command| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut limited = Command::new("bash");
        limited.args(["-c", &script, "bash"]).arg(command.get_program()).args(command.get_args());
        limited.output().unwrap()
    };
    let output = limited(5, &whole);
    let lines = json_lines(&output);
    assert_eq!((output.status.code(), lines.len()), (Some(1), 3), "{}", errors(&output));
    for (place, line) in lines.iter().enumerate() {
        assert_eq!(line["serial"].as_u64(), Some(place as u64 + 1));
        assert!(line["reason"].as_str().unwrap().contains("cannot be written"), "{line}");
    }
    let found = coxa_files::find::films_below(Path::new(&at("out")));
    assert!(found.films.is_empty(), "half-written: {:?}", found.films);
    // Room again: the same command writes them.
    let again = coxa(&[&arguments[..], &["--burned-in-text", "withhold"]].concat()).output().unwrap();
    succeed(&again);
    assert!(json_lines(&again).iter().all(|line| line["status"] == "deidentified"), "{}", errors(&again));
    // Nor a registry or a linking table; what was written before stays.
    let before = found_below(Path::new(&at("out")));
    let registry =
        ["deidentify", "--key", &at("key"), "--registry", &at("registry.csv"), "--registry-out", &at("new.csv")];
    let link =
        ["--burned-in-text", "withhold", "--link-table", &at("link.age"), "--link-passphrase-file", &at("phrase")];
    for command in [coxa(&registry), coxa(&[&arguments[..], &link].concat())] {
        let output = limited(0, &command);
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
        assert!(errors(&output).contains("File too large"), "{}", errors(&output));
    }
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let expected = ["films", "key", "out", "phrase", "registry.csv"];
    assert_eq!(names.collect::<std::collections::BTreeSet<_>>(), expected.map(str::to_owned).into());
    assert_eq!(found_below(Path::new(&at("out"))), before);
}

/// The files below a folder, with their bytes.
#[cfg(unix)]
fn found_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let found = coxa_files::find::films_below(folder);
    let mut files: Vec<_> = found.films.into_iter().chain(found.others).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn films_are_kept_for_review_where_a_folder_is_named_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    succeed(&run(&["deidentify", "--create-key", "--key", &at("key")]));
    let with = |more: &[&str]| {
        run(&[&["deidentify", &at("films/images"), "--out", &at("out"), "--key", &at("key")], more].concat())
    };
    let inside = with(&["--keep-identified", &at("out/kept")]);
    assert_eq!(inside.status.code(), Some(2), "{}", errors(&inside));
    assert!(errors(&inside).contains("may not lie") && !Path::new(&at("out/kept")).exists());
    let output = with(&["--keep-identified", &at("kept")]);
    let to_review = json_lines(&output).iter().filter(|line| line["columns"].is_u64()).count();
    assert_eq!(fs::read_dir(at("kept")).unwrap().count(), to_review);
    fs::write(at("regions.csv"), "serial,x,y,width,height,verdict\n1,0,0,256,256,exclude\n").unwrap();
    fs::remove_dir_all(at("out")).unwrap();
    let excluded = with(&["--regions", &at("regions.csv")]);
    assert_eq!(json_lines(&excluded)[0]["reason"], "a person excluded it");
}

#[test]
fn scripts_and_decisions_about_regions_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    succeed(&run(&["deidentify", "--create-key", "--key", &at("key")]));
    let with = |out: &str, more: &[&str]| {
        run(&[&["deidentify", &at("films/images"), "--out", &at(out), "--key", &at("key")], more].concat())
    };
    fs::write(at("bad"), "{ Modality.equals(\"DX\") }\n(0,0,9)").unwrap();
    let bad = with("out", &["--pixel-script", &at("bad")]);
    assert!(errors(&bad).contains("line 2, column 7"), "{}", errors(&bad));
    assert!(!Path::new(&at("out")).exists());
    fs::write(at("script"), "{ Modality.equals(\"DX\") } (0,0,9,1)").unwrap();
    let keep_all = "serial,x,y,width,height,verdict\n1,0,0,999,999,keep\n2,0,0,999,999,keep\n3,0,0,999,999,keep\n3,5,6,7,8,blank\n";
    fs::write(at("regions.csv"), keep_all).unwrap();
    let scripted = with("scripted", &["--pixel-script", &at("script"), "--regions", &at("regions.csv")]);
    succeed(&scripted);
    let regions: Vec<_> =
        json_lines(&scripted).iter().map(|line| line["regions"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(regions, [1, 1, 2]);
}

/// Where the system writes dumps beside the program, none must be there.
#[cfg(unix)]
#[test]
fn a_crash_leaves_no_dump_of_identified_films() {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    succeed(&run(&["deidentify", "--create-key", "--key", &at("key")]));
    // A pipe as an input holds the run in the middle.
    succeed(&Command::new("mkfifo").arg(at("zz.dcm")).output().unwrap());
    fs::create_dir(at("empty")).unwrap();
    let whole = coxa(&["deidentify", &at("films/images"), &at("zz.dcm"), "--out", &at("out"), "--key", &at("key")]);
    let mut shell = Command::new("bash");
    shell.args(["-c", "ulimit -c unlimited; exec \"$@\"", "bash"]).arg(whole.get_program()).args(whole.get_args());
    let mut child = shell.current_dir(at("empty")).stdout(std::process::Stdio::null()).spawn().unwrap();
    let written = || !coxa_files::find::films_below(Path::new(&at("out"))).others.is_empty();
    while !written() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    succeed(&Command::new("kill").args(["-ABRT", &child.id().to_string()]).output().unwrap());
    assert!(!child.wait().unwrap().success());
    assert_eq!(fs::read_dir(at("empty")).unwrap().count(), 0);
}
