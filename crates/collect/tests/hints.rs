//! What a PACS answers, and the way out that is named; and what is refused before it is asked.

use std::fs;

use coxa_collect::{CollectError, Source, Step, check};
use coxa_schema::Hint as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::films::{Hospital, hospital};
use crate::support::pacs::{Faults, Pacs};
use crate::{call, deidentifier, rules, run};
use coxa_testing::free_port;

async fn tried(hospital: &Hospital, source: &Source) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rules = rules();
    rules.pace.attempts = 2;
    let ok = check(&hospital.registry, source, &rules, &deidentifier(), &mut |step| steps.push(step)).await.unwrap();
    assert_eq!(ok, steps.iter().all(|step| step.ok));
    steps
}

/// The last step's result and hint.
async fn explained(hospital: &Hospital, source: &Source) -> String {
    let steps = tried(hospital, source).await;
    let last = steps.last().unwrap();
    assert!(!last.ok, "{steps:?}");
    format!("{}: {} | {}", last.what, last.result, last.hint.clone().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_names_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 4, 64);
    let port = free_port();
    let pacs = Pacs::start(hospital.objects.clone(), Faults::default(), Some(([127, 0, 0, 1], port).into())).await;
    let listen = format!("127.0.0.1:{port}");
    for source in [Source::Get(call(pacs.address)), Source::Move { call: call(pacs.address), listen: listen.clone() }] {
        let steps = tried(&hospital, &source).await;
        let names: Vec<_> = steps.iter().map(|step| step.what).collect();
        assert_eq!(names, ["echo", "find", "retrieve", "deidentify"], "{steps:?}");
    }
    let mut wrong = call(pacs.address);
    wrong.called = "pacs".into();
    let text = explained(&hospital, &Source::Get(wrong)).await;
    assert!(text.contains("called AE title") && text.contains("case-sensitive"), "{text}");
    let mut stranger = call(pacs.address);
    stranger.calling = "STRANGER".into();
    let text = explained(&hospital, &Source::Get(stranger)).await;
    assert!(text.contains("add this node's AE title, host and port"), "{text}");
    let nowhere = Pacs::start(hospital.objects.clone(), Faults::default(), None).await;
    let text = explained(&hospital, &Source::Move { call: call(nowhere.address), listen: "127.0.0.1:0".into() }).await;
    assert!(text.contains("A801") && text.contains("remote titles: COXA at this host, port"), "{text}");
    let closed =
        Pacs::start(hospital.objects.clone(), Faults::default(), Some(([127, 0, 0, 1], free_port()).into())).await;
    let text = explained(&hospital, &Source::Move { call: call(closed.address), listen: "127.0.0.1:0".into() }).await;
    assert!(text.contains("A702") && text.contains("firewall"), "{text}");
    let text = explained(&hospital, &Source::Get(call(("127.0.0.1", free_port()).0.to_owned() + ":1"))).await;
    assert!(text.contains("cannot connect") && text.contains("check host and port"), "{text}");
    let taken = run(
        &hospital,
        &Source::Move { call: call(pacs.address), listen: pacs.address.to_string() },
        &rules(),
        &folder.path().join("taken"),
    )
    .await;
    assert!(taken.0.unwrap_err().hint().unwrap().contains("--listen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_on_the_port_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 2, 64);
    for (answer, expected) in
        [(&b"\x15\x03\x03\0\x02\x02\x46\0\0\0"[..], "add --tls"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut some = [0; 64];
                let _ = stream.read(&mut some).await;
                let _ = stream.write_all(answer).await;
            }
        });
        let text = explained(&hospital, &Source::Get(call(address))).await;
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_where_the_pacs_is_gone_and_keeps_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 8, 64);
    let out = folder.path().join("out");
    let mut rules = rules();
    rules.pace.attempts = 2;
    let gone = Source::Get(call(format!("127.0.0.1:{}", free_port())));
    let (ended, lines) = run(&hospital, &gone, &rules, &out).await;
    let ended = ended.unwrap_err();
    assert!(ended.to_string().contains("failed for 3 injuries in a row"), "{ended}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("Failed")).count(), 3);
    let page = fs::read_to_string(out.join(coxa_collect::REPORT_PAGE)).unwrap();
    assert!(page.contains("The run ended early") && page.contains("archive_failed"));
    // The same folder, once the PACS is there.
    let pacs = Pacs::start(hospital.objects.clone(), Faults::default(), None).await;
    let summary = run(&hospital, &Source::Get(call(pacs.address)), &rules, &out).await.0.unwrap();
    assert_eq!((summary.failed, summary.films), (0, hospital.expected.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_folders_and_other_rules_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 2, 64);
    let pacs = Pacs::start(hospital.objects.clone(), Faults::default(), None).await;
    let source = Source::Get(call(pacs.address));
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("notes.txt"), "mine").unwrap();
    let error = run(&hospital, &source, &rules(), &foreign).await.0.unwrap_err();
    assert!(matches!(error, CollectError::ForeignFolder { .. }), "{error}");
    let out = folder.path().join("out");
    run(&hospital, &source, &rules(), &out).await.0.unwrap();
    let mut other = rules();
    other.window.after = 3;
    let error = run(&hospital, &source, &other, &out).await.0.unwrap_err();
    assert!(error.hint().unwrap().contains("rules.toml"), "{error}");
}
