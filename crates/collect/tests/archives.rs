//! Orthanc and dcmqrscp as the PACS, in every way of retrieval: exactly the right films, the same choice and the same reasons.

use std::fs;
use std::path::Path;
use std::time::Duration;

use coxa_collect::{FILMS_TABLE, REPORT_TABLE, Source};
use coxa_dimse::Deadlines;
use coxa_dimse::web::{Credentials, Settings, WebLimits};
use coxa_files::Table;

use crate::support::films::{Hospital, assert_clean, hospital};
use coxa_testing::free_port;

use crate::support::foreign::{Foreign, dcmqrscp, orthanc};
use crate::support::pacs::deadlines;
use crate::{call, collected, expected, rules, run};

/// Collects, five times dropped before its end.
async fn collect(hospital: &Hospital, source: &Source, out: &Path) {
    let rules = rules();
    for milliseconds in [100, 200, 300, 400, 500] {
        let limit = Duration::from_millis(milliseconds);
        // Whether it ends in time does not matter.
        let _ = tokio::time::timeout(limit, run(hospital, source, &rules, out)).await;
    }
    let summary = run(hospital, source, &rules, out).await.0.unwrap();
    let report = fs::read_to_string(out.join(REPORT_TABLE)).unwrap();
    assert_eq!(collected(out), expected(hospital), "{}: {summary:?}\n{report}", out.display());
    assert_eq!(summary.failed, 0, "{report}");
    let table = Table::read(&out.join(REPORT_TABLE)).unwrap();
    for row in table.rows().filter(|row| row.text("serial").is_empty()) {
        let line: u64 = row.text("registry_row").parse().unwrap();
        assert_eq!((row.text("outcome"), row.text("code")), hospital.rows[&line], "{}, row {line}", out.display());
    }
    assert_clean(out, &hospital.planted);
}

async fn by_title(hospital: &Hospital, archive: &Foreign, folder: &Path, port: u16) {
    let patient = Deadlines { idle: Duration::from_secs(20), ..deadlines() };
    let called = coxa_dimse::Call { deadlines: patient, ..call(archive.address) };
    collect(hospital, &Source::Get(called.clone()), &folder.join("get")).await;
    let moving = Source::Move { call: called, listen: format!("127.0.0.1:{port}") };
    collect(hospital, &moving, &folder.join("move")).await;
    same_films(folder, &["get", "move"]);
}

fn same_films(folder: &Path, names: &[&str]) {
    let films = |name: &str| fs::read_to_string(folder.join(name).join(FILMS_TABLE)).unwrap();
    assert!(names.iter().all(|name| films(name) == films(names[0])));
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmqrscp_by_get_and_move() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(archive) = dcmqrscp(folder.path(), port) else { return };
    let hospital = hospital(folder.path(), 30, 64);
    archive.fill(&hospital.objects).await;
    by_title(&hospital, &archive, folder.path(), port).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orthanc_by_get_move_and_web() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(archive) = orthanc(folder.path(), port) else { return };
    let hospital = hospital(folder.path(), 30, 64);
    archive.fill(&hospital.objects).await;
    by_title(&hospital, &archive, folder.path(), port).await;
    let web = Source::Web(Box::new(Settings {
        base: archive.web.clone().unwrap(),
        credentials: Credentials::None,
        authorities: None,
        own: None,
        deadlines: Deadlines { idle: Duration::from_secs(20), ..deadlines() },
        limits: WebLimits::default(),
    }));
    collect(&hospital, &web, &folder.path().join("web")).await;
    same_films(folder.path(), &["get", "web"]);
}
