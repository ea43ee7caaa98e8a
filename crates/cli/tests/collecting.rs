//! `coxa collect` against three PACS, killed five times and resumed: exactly the right films, and no identity anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use coxa_deidentify::Key;
use coxa_dimse::query::Identifier;
use coxa_files::Table;

use crate::*;

#[path = "../../collect/tests/support/mod.rs"]
mod support;

use coxa_testing::free_port;
use support::films::{Hospital, assert_clean, holds, hospital};
use support::foreign::{TITLES, dcmqrscp, orthanc};
use support::pacs::{Faults, Pacs};

const RULES: &str =
    "[pace]\nrequests_per_second = 500\nslowest_seconds = 0.3\nidle_seconds = 2\nrequest_seconds = 30\n";

/// An archive's title and address, and the registry that is collected from it.
type Leg = (String, PathBuf);

/// A key, rules and a hospital of some injuries.
struct Place {
    folder: tempfile::TempDir,
    hospital: Hospital,
}

impl Place {
    /// Of `n` injuries, or of as many as bench/collect.sh asks for.
    fn new(n: usize) -> Self {
        let more = std::env::var("COXA_COLLECT_PATIENTS").ok().and_then(|n| n.parse().ok());
        let n = n.max(more.filter(|_| n >= 30).unwrap_or(0));
        let folder = tempfile::tempdir().unwrap();
        let hospital = hospital(folder.path(), n, 64);
        succeed(&run(&["deidentify", "--create-key", "--key", text(&folder.path().join("key"))]));
        fs::write(folder.path().join("rules.toml"), RULES).unwrap();
        Self { folder, hospital }
    }

    fn at(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    fn collect(&self, from: &str, out: &str, more: &[&str]) -> Command {
        self.collect_leg(&(from.to_owned(), self.hospital.registry.clone()), out, more)
    }

    fn collect_leg(&self, (from, registry): &Leg, out: &str, more: &[&str]) -> Command {
        let (key, rules, out) = (self.at("key"), self.at("rules.toml"), self.at(out));
        let registry = text(registry);
        let mut command =
            coxa(&["collect", "--registry", registry, "--from", from, "--key", &key, "--rules", &rules, "--out", &out]);
        // Which films are found to have no text besides what they state is a question to the detector's own tests.
        command.args(["--burned-in-text", "withhold"]);
        command.args(more).stdin(Stdio::null());
        command
    }

    /// Kills five runs, each after some more injuries, and lets the sixth end; then judges what came.
    fn collect_killed(&self, name: &str, from: &str, more: &[&str]) {
        self.collect_legs_killed(name, &[(from.to_owned(), self.hospital.registry.clone())], more);
    }

    /// The same from several archives, one after another, into one folder: each registry has the rows of the one before and more.
    fn collect_legs_killed(&self, name: &str, legs: &[Leg], more: &[&str]) {
        let out = self.folder.path().join(name);
        let injuries = || {
            let journal = fs::read_to_string(out.join("journal.jsonl")).unwrap_or_default();
            journal.lines().filter(|line| line.contains("\"injury\"")).count()
        };
        for (place, leg) in legs.iter().enumerate() {
            let before = injuries();
            let rows = Table::read(&leg.1).unwrap().len().saturating_sub(before);
            for kill in 1..=5 {
                let mut command = self.collect_leg(leg, name, more);
                let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                while injuries() < before + kill * rows / 7 && child.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                // It may have ended already.
                let _ = child.kill();
                child.wait().unwrap();
            }
            let output = self.collect_leg(leg, name, &[more, &["--json"]].concat()).output().unwrap();
            if place + 1 == legs.len() {
                self.judge(name, &out, &output);
            } else {
                assert_eq!(json_lines(&output)[0]["failed"].as_u64(), Some(0), "{name}: {}", errors(&output));
            }
        }
    }

    fn judge(&self, name: &str, out: &Path, output: &Output) {
        let Hospital { expected, withheld, planted, rows, .. } = &self.hospital;
        let summary = &json_lines(output)[0];
        assert_eq!(output.status.code(), Some(i32::from(!withheld.is_empty())), "{name}: {}", errors(output));
        let key = Key::read(&self.folder.path().join("key")).unwrap();
        let expected: BTreeSet<String> = expected.iter().map(|uid| key.uid(uid)).collect();
        assert_eq!(collected(out), expected, "{name}: {summary} {}", errors(output));
        assert_eq!((summary["failed"].as_u64(), summary["films"].as_u64()), (Some(0), Some(expected.len() as u64)));
        let report = Table::read(&out.join("report.csv")).unwrap();
        for row in report.rows().filter(|row| row.text("serial").is_empty()) {
            let expected = rows[&row.text("registry_row").parse().unwrap()];
            assert_eq!((row.text("outcome"), row.text("code")), expected, "{name}, row {}", row.text("registry_row"));
        }
        assert_clean(out, planted);
        let printed = [output.stdout.clone(), output.stderr.clone()].concat();
        assert!(planted.iter().all(|text| !holds(&printed, text)), "{name}: an identity is printed");
        let (images, key) = (text(&out.join("images")).to_owned(), self.at("key"));
        succeed(&run(&["deidentify", "verify", &images, "--key", &key, "--registry", text(&self.hospital.registry)]));
    }
}

/// The UIDs of the films of a collection.
fn collected(out: &Path) -> BTreeSet<String> {
    let films = coxa_files::find::films_below(&out.join("images")).films;
    let uid = |path: &PathBuf| {
        let (_, head) = Identifier::of_file(&fs::read(path).unwrap())?;
        head.ascii(0x0008_0018).map(str::to_owned)
    };
    films.iter().filter_map(uid).collect()
}

fn title(address: SocketAddr) -> String {
    format!("PACS@{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pacs_that_refuses_and_hangs_gives_the_right_films_to_a_run_that_is_killed() {
    let place = Place::new(30);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let faults = Faults { refuses_each: Some(50), hangs_at: Some(40), refuses_studies: false };
    for (name, more) in [("get", vec![]), ("move", vec!["--retrieve", "move", "--listen", &listen])] {
        let pacs = Pacs::start(place.hospital.objects.clone(), faults, Some(([127, 0, 0, 1], port).into())).await;
        tokio::task::block_in_place(|| place.collect_killed(name, &title(pacs.address), &more));
    }
    // The folder is taken at once.
    let (out, cohort) = (place.at("get"), place.at("cohort"));
    let imported = run(&[
        "import",
        "registry",
        &format!("{out}/registry.csv"),
        "--films",
        &format!("{out}/films.csv"),
        "--out",
        &cohort,
    ]);
    succeed(&imported);
    let manifest = Table::read(&Path::new(&cohort).join("manifest.csv")).unwrap();
    let found = place.hospital.rows.values().filter(|(outcome, _)| *outcome == "found").count();
    assert!(manifest.len() > found / 2 && manifest.len() <= found, "{} of {found}", manifest.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orthanc_gives_the_right_films_in_three_ways() {
    let place = Place::new(30);
    let port = free_port();
    let Some(archive) = orthanc(place.folder.path(), port) else { return };
    archive.fill(&place.hospital.objects).await;
    by_title(&place, &[(title(archive.address), place.hospital.registry.clone())], port);
    let web = archive.web.clone().unwrap();
    tokio::task::block_in_place(|| place.collect_killed("web", &web, &[]));
    same_tables(&place, &["get", "move", "web"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dcmqrscp_gives_the_right_films_in_two_ways() {
    // A storage area of its holds 500 studies (DB_UpperMaxStudies), which 300 patients exceed: half of them lie in another, under another title.
    let place = Place::new(30);
    let port = free_port();
    let Some(archive) = dcmqrscp(place.folder.path(), port) else { return };
    let half = place.hospital.rows.len() / 2;
    for (title, objects) in TITLES.into_iter().zip(place.hospital.halves(half)) {
        archive.fill_area(title, &objects).await;
    }
    let registry = fs::read_to_string(&place.hospital.registry).unwrap();
    let lines: Vec<&str> = registry.lines().take(1 + half).collect();
    fs::write(place.at("half.csv"), lines.join("\n")).unwrap();
    let registries = [place.folder.path().join("half.csv"), place.hospital.registry.clone()];
    let legs = TITLES.map(|title| format!("{title}@{}", archive.address)).into_iter().zip(registries);
    by_title(&place, &legs.collect::<Vec<_>>(), port);
    same_tables(&place, &["get", "move"]);
}

fn by_title(place: &Place, legs: &[Leg], port: u16) {
    let listen = format!("127.0.0.1:{port}");
    for (name, more) in [("get", vec![]), ("move", vec!["--retrieve", "move", "--listen", &listen])] {
        tokio::task::block_in_place(|| {
            let tried = place.collect_leg(&legs[0], name, &[&more[..], &["--check"]].concat()).output().unwrap();
            succeed(&tried);
            assert!(!place.folder.path().join(name).exists());
            place.collect_legs_killed(name, legs, &more);
        });
    }
}

/// Serial numbers and choices do not depend on how films are retrieved.
fn same_tables(place: &Place, names: &[&str]) {
    for table in ["films.csv", "registry.csv"] {
        let read = |name: &str| fs::read_to_string(place.folder.path().join(name).join(table)).unwrap();
        assert!(names.iter().all(|name| read(name) == read(names[0])), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_disks_and_contradictions_are_named() {
    let place = Place::new(12);
    let pacs = Pacs::start(place.hospital.objects.clone(), Faults::default(), None).await;
    let from = title(pacs.address);
    tokio::task::block_in_place(|| {
        let kept = place.at("kept");
        let first = place.collect(&from, "out", &["--keep-identified", &kept]).output().unwrap();
        assert!(place.hospital.expected.len() <= fs::read_dir(&kept).unwrap().count(), "{}", errors(&first));
        succeed(&run(&["deidentify", "--create-key", "--key", &place.at("other")]));
        let with_key = |key: &str, out: &str| {
            let registry = text(&place.hospital.registry);
            run(&[
                "collect",
                "--registry",
                registry,
                "--from",
                &from,
                "--key",
                &place.at(key),
                "--out",
                &place.at(out),
                "--rules",
                &place.at("rules.toml"),
            ])
        };
        for (output, message) in [
            (with_key("absent", "new"), "--create-key"),
            (with_key("other", "out"), "another key"),
            (place.collect("http://127.0.0.1:1/x", "new", &["--retrieve", "get"]).output().unwrap(), "--retrieve web"),
            (place.collect(&from, "new", &["--retrieve", "web"]).output().unwrap(), "https://"),
            (
                place.collect(&from, "new", &["--keep-identified", &place.at("new/in")]).output().unwrap(),
                "identified films may not",
            ),
            (place.collect("PACS", "new", &[]).output().unwrap(), "AET@host:port"),
        ] {
            assert_eq!(output.status.code(), Some(2), "{message}: {}", errors(&output));
            assert!(errors(&output).contains(message), "{message}: {}", errors(&output));
        }
        full_disk(&place, &from);
        limbs(&place, &from);
        linked(&place, &from);
    });
}

/// Each run of a killed collection has a linking table of its own, and the tables together have every film of the journal.
fn linked(place: &Place, from: &str) {
    fs::write(place.at("phrase"), "correct horse battery\n").unwrap();
    let link = place.at("link.age");
    let more = ["--link-table", &link, "--link-passphrase-file", &place.at("phrase"), "--retain", "device"];
    place.collect_killed("linked", from, &more);
    let mut identifiers = BTreeSet::new();
    let mut tables = 0;
    for entry in fs::read_dir(place.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "age") {
            let opener = coxa_deidentify::Opener::passphrase("correct horse battery");
            identifiers.extend(coxa_deidentify::identifiers_in(&path, &opener).unwrap());
            tables += 1;
        }
    }
    assert!(tables >= 1 && place.hospital.expected.is_subset(&identifiers), "{tables} tables: {identifiers:?}");
    assert!(place.hospital.withheld.is_subset(&identifiers), "withheld films are in the table too");
    let output = place.collect(from, "linked", &["--retain", "uids"]).output().unwrap();
    assert!(errors(&output).contains("other options"), "{}", errors(&output));
}

fn limbs(place: &Place, from: &str) {
    let output = place.collect(from, "with-limbs", &["--limbs", "--json"]).output().unwrap();
    assert_eq!(
        json_lines(&output)[0]["limbs"].as_u64(),
        Some(place.hospital.limbs.len() as u64),
        "{}",
        errors(&output)
    );
    let (limbs, set) = (format!("{}/limbs", place.at("with-limbs")), place.at("limbs"));
    succeed(&run(&["import", "folders", &limbs, "--out", &set]));
    let manifest = Table::read(&Path::new(&set).join("manifest.csv")).unwrap();
    assert_eq!(manifest.len(), place.hospital.limbs.len());
    assert!(manifest.rows().all(|row| row.text("body_part") == "knee" && row.text("patient").starts_with('P')));
    succeed(&run(&["deidentify", "verify", &limbs, "--key", &place.at("key")]));
}

/// A limit on the size of files stands for a disk that is full.
#[cfg(unix)]
fn full_disk(place: &Place, from: &str) {
    let whole = place.collect(from, "full", &[]);
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 5; exec \"$@\"", "bash"])
        .arg(whole.get_program())
        .args(whole.get_args());
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("File too large"), "{}", errors(&output));
    let out = place.folder.path().join("full");
    let films = coxa_files::find::films_below(&out.join("images"));
    assert!(films.films.is_empty(), "half-written: {:?}", films.films);
    let again = place.collect(from, "full", &["--json"]).output().unwrap();
    place.judge("full", &out, &again);
}
