//! The right films come from a PACS that refuses, hangs and breaks, and each is explained.

use std::fs;

use coxa_collect::{FILMS_TABLE, Progress, REGISTRY_TABLE, REPORT_TABLE, Reason, Source};
use coxa_files::Table;

use crate::support::films::{assert_clean, holds, hospital};
use crate::support::pacs::{Faults, Pacs};
use crate::{call, collected, expected, key, rules, run};
use coxa_testing::free_port;

const FAULTS: Faults = Faults { refuses_each: Some(17), hangs_at: Some(23), refuses_studies: false };

#[tokio::test(flavor = "multi_thread")]
async fn the_right_films_come_from_a_pacs_that_refuses_and_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 24, 64);
    for (name, by_move) in [("get", false), ("move", true)] {
        let port = free_port();
        let destination = by_move.then(|| ([127, 0, 0, 1], port).into());
        let pacs = Pacs::start(hospital.objects.clone(), FAULTS, destination).await;
        let source = match by_move {
            true => Source::Move { call: call(pacs.address), listen: format!("127.0.0.1:{port}") },
            false => Source::Get(call(pacs.address)),
        };
        let out = folder.path().join(name);
        let (summary, lines) = run(&hospital, &source, &rules(), &out).await;
        let summary = summary.unwrap();
        let report = || fs::read_to_string(out.join(REPORT_TABLE)).unwrap();
        assert_eq!(collected(&out), expected(&hospital), "{name}: {}", report());
        assert_eq!(summary.films, hospital.expected.len());
        assert!(summary.repeated > 0 && summary.failed == 0, "{summary:?}");
        assert!(summary.withheld >= hospital.withheld.len());
        let lines = lines.join("\n");
        assert!(hospital.planted.iter().all(|text| !holds(lines.as_bytes(), text)));
        assert_clean(&out, &hospital.planted);
        // Each row is explained.
        let report = Table::read(&out.join(REPORT_TABLE)).unwrap();
        for row in report.rows().filter(|row| row.text("serial").is_empty()) {
            let line: u64 = row.text("registry_row").parse().unwrap();
            let (outcome, code) = hospital.rows[&line];
            assert_eq!((row.text("outcome"), row.text("code")), (outcome, code), "{name}, row {line}");
        }
        // A second run asks the PACS for nothing.
        let (asked, before) = (pacs.requests(), fs::read(out.join(REPORT_TABLE)).unwrap());
        assert_eq!(run(&hospital, &source, &rules(), &out).await.0.unwrap().films, summary.films);
        assert_eq!((pacs.requests(), fs::read(out.join(REPORT_TABLE)).unwrap()), (asked, before));
    }
    let at = |name: &str| fs::read(folder.path().join("get").join(name)).unwrap();
    let other = |name: &str| fs::read(folder.path().join("move").join(name)).unwrap();
    for name in [FILMS_TABLE, REGISTRY_TABLE, REPORT_TABLE] {
        assert!(at(name) == other(name), "{name} depends on how films are retrieved");
    }
}

/// Why a film is withheld, and what is done to it so that it is.
type Spoiled = (&'static str, fn(&mut Vec<u8>));

/// Puts an encapsulated document before the pixels.
fn embed(data: &mut Vec<u8>) {
    let at = data.windows(4).position(|tag| tag == [0xE0, 0x7F, 0x10, 0x00]).unwrap();
    let document = [&[0x42, 0x00, 0x11, 0x00][..], b"OB\0\0", &8u32.to_le_bytes(), b"%PDF Doe"].concat();
    data.splice(at..at, document);
}

#[tokio::test(flavor = "multi_thread")]
async fn films_that_cannot_be_deidentified_are_named_by_their_serial_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut hospital = hospital(folder.path(), 12, 64);
    let spoil: [Spoiled; 2] = [("it is truncated", |data| data.truncate(data.len() - 64)), ("it is a document", embed)];
    let spoiled: Vec<String> = hospital.expected.iter().take(spoil.len()).cloned().collect();
    for (uid, (_, spoil)) in spoiled.iter().zip(spoil) {
        let mut objects = hospital.objects.iter_mut();
        spoil(&mut objects.find(|stored| stored.object.sop_instance.as_str() == uid).unwrap().data);
    }
    let pacs = Pacs::start(hospital.objects.clone(), Faults::default(), None).await;
    let out = folder.path().join("out");
    let (summary, lines) = run(&hospital, &Source::Get(call(pacs.address)), &rules(), &out).await;
    assert!(summary.unwrap().withheld >= spoil.len(), "{lines:?}");
    let (films, progress) = (collected(&out), Progress::read(&out).unwrap().unwrap());
    for (uid, (reason, _)) in spoiled.iter().zip(spoil) {
        assert!(!films.contains(&key().uid(uid)), "{reason}");
        let of_reason = |film: &&coxa_collect::FilmRecord| film.detail.as_deref() == Some(reason);
        let named = progress.films().map(|(_, film)| film).find(of_reason).unwrap();
        assert!(named.reason == Reason::Withheld && named.serial > 0 && named.file.is_none(), "{named:?}");
    }
    assert!(expected(&hospital).len() - spoil.len() <= films.len());
    assert_clean(&out, &hospital.planted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_as_a_whole_is_asked_for_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 11, 64);
    let faults = Faults { refuses_studies: true, ..Faults::default() };
    let pacs = Pacs::start(hospital.objects.clone(), faults, None).await;
    let out = folder.path().join("out");
    let summary = run(&hospital, &Source::Get(call(pacs.address)), &rules(), &out).await.0.unwrap();
    assert_eq!(collected(&out), expected(&hospital));
    assert!(summary.repeated > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_dropped_anywhere_is_resumed_with_the_same_serial_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 12, 64);
    let pacs = Pacs::start(hospital.objects.clone(), Faults::default(), None).await;
    let source = Source::Get(call(pacs.address));
    let whole = folder.path().join("whole");
    run(&hospital, &source, &rules(), &whole).await.0.unwrap();
    let out = folder.path().join("out");
    for milliseconds in [5, 20, 40, 80, 120, 200] {
        let limit = std::time::Duration::from_millis(milliseconds);
        let rules = rules();
        // Whether it ends in time does not matter.
        let _ = tokio::time::timeout(limit, run(&hospital, &source, &rules, &out)).await;
    }
    run(&hospital, &source, &rules(), &out).await.0.unwrap();
    assert_eq!(collected(&out), expected(&hospital));
    for name in [FILMS_TABLE, REPORT_TABLE] {
        assert_eq!(fs::read(out.join(name)).unwrap(), fs::read(whole.join(name)).unwrap(), "{name}");
    }
}
