//! Peers that are neither ours nor Orthanc's: pynetdicom, dcmjs-dimse and dicomweb-client as users, as archives, and as validators of
//! what a node gives. `scripts/foreign.sh` installs them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use coxa_serve::config::Destination;
use coxa_serve::db::ObjectKind;

use super::faults::{Mood, destination};
use super::support::{Film, Running};

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");

/// Installed packages of npm; `None`, with a line, where they are absent.
fn node_modules() -> Option<PathBuf> {
    let named = std::env::var_os("COXA_NODE_MODULES").map(PathBuf::from);
    let place = named.clone().filter(|place| place.is_dir());
    if let (Some(named), None, true) = (&named, &place, coxa_testing::tools_are_required()) {
        panic!("COXA_NODE_MODULES names {}, which is no folder, and COXA_E2E=1 requires it", named.display());
    }
    if place.is_none() {
        coxa_testing::skip("COXA_NODE_MODULES names no packages of npm: scripts/foreign.sh installs them");
    }
    place
}

/// A script of `tests/peers` under Node.
pub fn node(script: &str) -> Option<Command> {
    let (modules, mut command) = (node_modules()?, coxa_testing::tool("node")?);
    command.arg(Path::new(PEERS).join(script)).env("NODE_PATH", modules);
    Some(command)
}

/// `peers.py`, under a Python that has a package.
fn python(package: &str) -> Option<Command> {
    let mut command = coxa_testing::python(package)?;
    command.arg(Path::new(PEERS).join("peers.py"));
    Some(command)
}

/// Runs a program to its end and gives what it printed.
pub async fn run(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{error}");
    text.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_programs_store_and_search() {
    let node_ = Running::start(|_| {}).await;
    let port = node_.dicom.unwrap().port().to_string();
    let file = |film: &Film| {
        let path = node_.folder.path().join(format!("{}.dcm", film.uid));
        std::fs::write(&path, &film.bytes).unwrap();
        path
    };
    let films = [Film::new("dicomweb-client", 0), Film::new("pynetdicom", 1), Film::new("dcmjs-dimse", 2)];
    let mut stored = 0;
    if let Some(mut command) = python("dicomweb_client") {
        command.arg("web").arg(&node_.http).arg(file(&films[0]));
        run(command).await;
        stored += 1;
    }
    if let Some(mut command) = python("pynetdicom") {
        command.args(["scu", &port]).arg(file(&films[1]));
        run(command).await;
        stored += 1;
    }
    if let Some(mut command) = node("dimse.js") {
        command.args(["scu", &port]).arg(file(&films[2]));
        run(command).await;
        stored += 1;
    }
    let lines = node_.done(stored).await;
    assert!(lines.len() == stored && lines.iter().all(|line| line["state"] == "read"), "{lines:?}");
    node_.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fhir_resource_is_valid() {
    let node_ = Running::start(|config| config.network.threshold = Some(0.0)).await;
    for film in [Film::new("fhir hip", 0), Film::knee("fhir knee")] {
        assert_eq!(node_.store(&film).await, coxa_dimse::Status::SUCCESS);
    }
    node_.done(2).await;
    if let Some(mut command) = python("fhir.resources") {
        command.args(["fhir", &node_.http]);
        assert_eq!(run(command).await.trim(), "2 2", "a report and an observation of each film");
    }
    node_.stop().await;
}

/// An archive that prints what it takes.
fn archive(command: Option<Command>) -> Option<(Child, u16)> {
    let (mut command, port) = (command?, coxa_testing::free_port());
    let mut child = command.args(["scp", &port.to_string(), "3"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    Some((child, port))
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_archives_take_the_results() {
    let archives = [("pynetdicom", archive(python("pynetdicom"))), ("dcmjs", archive(node("dimse.js")))];
    let archives: Vec<_> = archives.into_iter().filter_map(|(name, archive)| Some((name, archive?))).collect();
    let node_ = Running::start(|config| {
        config.network.threshold = Some(0.0);
        config.destinations = archives
            .iter()
            .map(|(name, (_, port))| Destination {
                name: (*name).into(),
                ae_title: "ARCHIVE".into(),
                host: "127.0.0.1".into(),
                port: *port,
                tls: false,
                sends: vec![ObjectKind::Sr, ObjectKind::Gsps, ObjectKind::Sc],
            })
            .collect();
    })
    .await;
    assert_eq!(node_.store(&Film::new("foreign archive", 0)).await, coxa_dimse::Status::SUCCESS);
    for (name, (child, _)) in archives {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("took ")).collect();
        lines.sort_unstable();
        let expected = [
            "1.2.840.10008.5.1.4.1.1.11.1 SIM1",
            "1.2.840.10008.5.1.4.1.1.7 SIM1",
            "1.2.840.10008.5.1.4.1.1.88.34 SIM1",
        ];
        assert_eq!(lines, expected, "{name}");
        assert!(output.status.success(), "{name}");
    }
    node_.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_each_role_in_a_browser() {
    let Some(mut day) = node("day.js") else { return };
    // An archive that refuses what it gets once: dead letters, until they are resent.
    let (_archive, refuses) = destination([0; 3].map(|_| Mood::Answers(0xC000)).into()).await;
    let node_ = Running::start(|config| {
        config.network.threshold = Some(0.0);
        config.destinations = vec![refuses];
        config.peers = vec![coxa_serve::config::Peer {
            ae_title: "TEST".into(),
            host: None,
            port: None,
            tls: false,
            certificate: None,
            may: vec![coxa_serve::config::May::Store],
        }];
    })
    .await;
    for film in [Film::new("day one", 0), Film::new("day two", 9), Film::knee("day three")] {
        assert_eq!(node_.store(&film).await, coxa_dimse::Status::SUCCESS);
    }
    let mut wrong = super::support::call(node_.dicom.unwrap());
    wrong.called = "KOXA".into();
    assert!(coxa_dimse::connect(&wrong).await.is_err());
    let mut unknown = super::support::call(node_.dicom.unwrap());
    unknown.calling = "STRANGER".into();
    assert!(coxa_dimse::connect(&unknown).await.is_err());
    let first = node_.first_sign_in.clone().unwrap();
    let password = first.rsplit(' ').next().unwrap();
    let pictures = coxa_testing::artifacts().join("day");
    std::fs::create_dir_all(&pictures).unwrap();
    node_.done(3).await;
    day.args([&node_.http, password]).arg(pictures);
    run(day).await;
    coxa_dimse::connect(&unknown).await.expect("the administrator has allowed it").release().await.unwrap();
    node_.stop().await;
}
