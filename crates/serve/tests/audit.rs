//! The audit log: what is in it, and that no change, cut or swap stays unseen.

use std::process::Stdio;

use coxa_serve::audit::{Deed, Event, Keys, Log, Who, verify};
use coxa_serve::config::Role as NodeRole;
use coxa_serve::db::{AuditQuery, AuditRow, Database};
use coxa_serve::people::Role;
use sqlx::AssertSqlSafe;

use crate::pages::{film, is_clean, read};
use crate::postgres::postgres;
use crate::support::Running;

/// The database of somebody who has it and not the program: triggers can be dropped there.
async fn tamper(url: &str, sql: &str) {
    let drop = if url.starts_with("sqlite") {
        "DROP TRIGGER IF EXISTS audit_unchanged; DROP TRIGGER IF EXISTS audit_kept;"
    } else {
        "DROP TRIGGER IF EXISTS audit_unchanged ON audit; DROP TRIGGER IF EXISTS audit_kept ON audit;"
    };
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("{drop}{sql}"))).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn refuses(url: &str, sql: &str) -> String {
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap_err().to_string();
    pool.close().await;
    error
}

/// Databases of a kind each, with a name.
fn urls(folder: &std::path::Path, name: &str) -> Vec<String> {
    let file = folder.join(name);
    std::fs::create_dir_all(&file).unwrap();
    let mut urls = vec![coxa_serve::db::sqlite_url(&file)];
    urls.extend(postgres().map(|server| server.database(name)));
    urls
}

async fn filled(url: &str, keys: &Keys, entries: usize) -> Database {
    let db = Database::open(url).await.unwrap();
    let log = Log::begin(db.clone(), keys.clone(), "a node");
    for i in 0..entries {
        log.add(Event::new(Deed::FilmOpened, Who { kind: "person".into(), id: 1, name: "doe".into() }).on(i as i64))
            .await
            .unwrap();
    }
    db
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_cut_and_swap_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &str, i64, &str); 9] = [
        ("body", "UPDATE audit SET body = REPLACE(body, 'doe', 'roe') WHERE seq = 4", 4, "does not follow"),
        ("column", "UPDATE audit SET film_id = 77 WHERE seq = 5", 5, "columns"),
        (
            "swap",
            "UPDATE audit SET seq = 100 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 100",
            3,
            "does not follow",
        ),
        ("cut", "DELETE FROM audit WHERE seq = 5", 5, "is missing"),
        ("cut_many", "DELETE FROM audit WHERE seq BETWEEN 2 AND 8", 2, "those up to 8 are missing"),
        ("end", "DELETE FROM audit WHERE seq > 7", 8, "is missing"),
        (
            "end_and_head",
            "DELETE FROM audit WHERE seq > 7; UPDATE audit_head SET seq = 7, hash = (SELECT hash FROM audit WHERE seq = 7)",
            10,
            "cut at its end",
        ),
        (
            "all",
            "DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = '0000000000000000000000000000000000000000000000000000000000000000'",
            10,
            "cut at its end",
        ),
        (
            "signature",
            "UPDATE audit SET signature = (SELECT signature FROM audit WHERE seq = 1) WHERE seq = 2",
            2,
            "signature",
        ),
    ];
    for (name, sql, seq, words) in cases {
        for url in urls(folder.path(), &format!("audit_{name}")) {
            let place = folder.path().join(format!("keys-{name}-{}", url.len()));
            std::fs::create_dir_all(&place).unwrap();
            let keys = Keys::open(&place).unwrap();
            let db = filled(&url, &keys, 10).await;
            let trusted = [keys.public().to_owned()];
            let heads = [keys.kept_head().unwrap().unwrap()];
            let sound = verify(&db, &trusted, &heads).await.unwrap();
            assert_eq!((sound.is_sound(), sound.entries, sound.head.0), (true, 10, 10), "{name}: {:?}", sound.faults);
            tamper(&url, sql).await;
            let report = verify(&db, &trusted, &heads).await.unwrap();
            let first = report.faults.first().unwrap_or_else(|| panic!("{name}: nothing is found"));
            assert!(first.seq == seq && first.what.contains(words), "{name}: {:?}", report.faults);
            db.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_the_chain_anew_lacks_the_key() {
    let folder = tempfile::tempdir().unwrap();
    for (i, url) in urls(folder.path(), "audit_anew").into_iter().enumerate() {
        let place = |name: &str| {
            let place = folder.path().join(format!("{name}{i}"));
            std::fs::create_dir_all(&place).unwrap();
            Keys::open(&place).unwrap()
        };
        let (ours, theirs) = (place("ours"), place("theirs"));
        let db = filled(&url, &ours, 6).await;
        let kept = ours.kept_head().unwrap().unwrap();
        tamper(&url, "DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = '0000000000000000000000000000000000000000000000000000000000000000'").await;
        db.close().await;
        let db = filled(&url, &theirs, 6).await;
        let report = verify(&db, &[ours.public().to_owned()], std::slice::from_ref(&kept)).await.unwrap();
        assert!(
            report.faults.iter().any(|fault| fault.seq == 1 && fault.what.contains("not known here")),
            "{:?}",
            report.faults
        );
        assert!(report.faults.iter().any(|fault| fault.what.contains("written anew")), "{:?}", report.faults);
        // Another node's key is trusted once it is named.
        let both = [ours.public().to_owned(), theirs.public().to_owned()];
        assert!(verify(&db, &both, &[theirs.kept_head().unwrap().unwrap()]).await.unwrap().is_sound());
        db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_changes_and_many_writers_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    for (i, url) in urls(folder.path(), "audit_many").into_iter().enumerate() {
        let db = Database::open(&url).await.unwrap();
        let mut trusted = Vec::new();
        let mut all = Vec::new();
        let mut logs = Vec::new();
        for node in 0..3 {
            let place = folder.path().join(format!("node{i}{node}"));
            std::fs::create_dir_all(&place).unwrap();
            let keys = Keys::open(&place).unwrap();
            trusted.push(keys.public().to_owned());
            let log = Log::begin(db.clone(), keys.clone(), &format!("node {node}"));
            logs.push(keys);
            for _ in 0..40 {
                let log = log.clone();
                all.push(tokio::spawn(async move { log.add(Event::new(Deed::Echoed, Who::node("n"))).await.unwrap() }));
            }
        }
        for one in all {
            one.await.unwrap();
        }
        let heads: Vec<_> = logs.iter().map(|keys| keys.kept_head().unwrap().unwrap()).collect();
        let report = verify(&db, &trusted, &heads).await.unwrap();
        assert!(report.is_sound() && report.entries == 120, "{:?}", report.faults);
        for sql in ["UPDATE audit SET at = 0 WHERE seq = 3", "DELETE FROM audit WHERE seq = 3"] {
            let error = refuses(&url, sql).await;
            assert!(error.contains("only added"), "{sql}: {error}");
        }
        db.close().await;
    }
}

async fn all(node: &Running) -> Vec<AuditRow> {
    node.app.db.audit_after(&AuditQuery::default(), 0, 10_000).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_and_done_is_in_the_log_without_a_patient() {
    let mut node = Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await;
    let id = film(&node, "A", |_| {}, read(0.95)).await;
    let doe = node.visitor("doe", &[Role::Physician]).await;
    let auditor = node.visitor("ann", &[Role::Auditor]).await;
    doe.page("/?q=DOE").await;
    doe.page("/worklist?q=DOE").await;
    doe.page(&format!("/films/{id}")).await;
    doe.get(&format!("/films/{id}/values")).await;
    doe.get("/films/4711").await;
    doe.post(&format!("/films/{id}/reviews"), &[("verdict", "disagree"), ("note", "DOE^A, P-A")]).await;
    doe.get("/people").await;
    node.stranger().post("/signin", &[("name", "doe"), ("password", "wrong")]).await;
    node.stranger().post("/signin", &[("name", "my password in the wrong field"), ("password", "x")]).await;
    let uid = node.app.db.film(id).await.unwrap().unwrap().attributes;
    node.me = None;
    for path in [
        "/dicom-web/studies".to_owned(),
        format!("/dicom-web/studies/{}", uid.study_uid),
        "/api/v1/readings".into(),
        format!("/fhir/DiagnosticReport/{id}"),
    ] {
        assert_eq!(node.get(&path).await.status(), 200, "{path}");
    }
    let rows = all(&node).await;
    let found: Vec<(&str, i64)> = rows.iter().map(|row| (row.action.as_str(), row.film)).collect();
    let expected = [
        ("node_started", 0),
        ("films_listed", 0),
        ("film_opened", id),
        ("film_opened", 0),
        ("reviewed", id),
        ("refused", 0),
        ("sign_in_failed", 0),
        ("sign_in_failed", 0),
        ("objects_searched", 0),
        ("objects_retrieved", id),
        ("results_read", 0),
        ("results_read", id),
    ];
    assert_eq!(found, expected);
    for row in &rows {
        for patient in ["DOE^A", "P-A", &uid.study_uid, &uid.sop_instance_uid, "wrong field"] {
            assert!(!row.body.contains(patient), "{}", row.body);
        }
    }
    // Filters, and a list that names the film.
    let page = auditor.page(&format!("/audit?film={id}")).await;
    is_clean(&page, "/audit");
    assert!(
        page.contains("Films listed") && page.contains("Reviewed") && !page.contains("<b class=\"bad\">Refused"),
        "{page}"
    );
    assert!(!auditor.page(&format!("/audit?film={}", id + 1)).await.contains("Films listed</td>"));
    assert!(auditor.page("/audit?action=refused").await.contains("/people"));
    let verified = auditor.post("/audit/verify", &[]).await.text().await.unwrap();
    assert!(verified.contains("The chain is whole"), "{verified}");
    assert_eq!(doe.get("/audit").await.status(), 403);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_harmless_and_whole() {
    let node = Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await;
    let id = film(&node, "A", |film| film.patient_id = "<P>&\"'\u{1B}$B=1".into(), read(0.95)).await;
    let auditor = node.visitor("ann", &[Role::Auditor]).await;
    // Each kind of entry there is, with what such entries have.
    for deed in Deed::ALL {
        for who in [Who::node("n"), Who { kind: "person".into(), id: 1, name: "doe".into() }] {
            let event = Event::new(*deed, who).with("destination", "pacs").with("path", "/x");
            node.app.audit.add(event.clone()).await.unwrap();
            node.app.audit.add(event.at("10.0.0.7").on(id).failed()).await.unwrap();
        }
    }
    for name in ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "{{7*7}}\u{202E}\u{1B}(J", "a,b\"c\r\nd"] {
        let who = Who { kind: "token".into(), id: 0, name: name.into() };
        node.app.audit.add(Event::new(Deed::ObjectsRetrieved, who).on(id).with("path", name)).await.unwrap();
    }
    let page = auditor.page("/audit").await;
    is_clean(&page, "/audit");
    assert!(!page.contains("<script>alert") && !page.contains('\u{202E}') && page.contains("{{7*7}}"));
    let answer = auditor.get("/audit/export.csv").await;
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let csv = answer.text().await.unwrap();
    let rows = all(&node).await.len();
    let lines: Vec<&str> = csv.split("\r\n").filter(|line| !line.is_empty()).collect();
    // The header, and all but the entries that came after the export's own.
    assert!(lines.len() == rows + 1 && lines[1..].iter().all(|line| line.ends_with('"')), "{csv}");
    for line in &lines[1..] {
        for cell in line.split(",\"").skip(1) {
            assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '\t']), "{line}");
        }
    }
    assert!(csv.contains("\"'=cmd|") && !csv.contains('\u{202E}') && !csv.contains('\u{1B}'));
    let xml = auditor.get("/audit/export.xml").await.text().await.unwrap();
    assert!(xml.contains("csd-code=\"110103\"") || xml.contains("csd-code=\"110106\""));
    assert!(xml.contains("ParticipantObjectID=\"&lt;P&gt;&amp;&quot;&apos;[U+001B]$B=1\""), "{xml}");
    are_messages(&xml);
    node.stop().await;
}

/// Each line is a message by the schema of PS3.15, A.5.1, where Python is installed.
fn are_messages(messages: &str) {
    let Some(mut python) = coxa_testing::tool("python3") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/audit.py");
    let mut child = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), messages.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let count: usize = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    assert!(count > 0 && count == messages.lines().count());
}

/// The rows of an action, each the film and the entry's body.
pub async fn entries(node: &Running, action: &str) -> Vec<(i64, String)> {
    all(node).await.into_iter().filter(|row| row.action == action).map(|row| (row.film, row.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sight_whose_entry_failed_is_recorded_the_next_time() {
    let node = Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await;
    let id = film(&node, "A", |_| {}, read(0.95)).await;
    let doe = node.visitor("doe", &[Role::Physician]).await;
    let url = node.app.config.database_url();
    let paths = ["/".to_owned(), format!("/films/{id}/preview"), format!("/films/{id}")];
    tamper(&url, "ALTER TABLE audit_head RENAME TO away").await;
    for path in &paths {
        assert_eq!(doe.get(path).await.status(), 503, "{path}");
    }
    tamper(&url, "ALTER TABLE away RENAME TO audit_head").await;
    for path in &paths[..2] {
        assert_eq!(doe.get(path).await.status(), 200, "{path}");
        assert_eq!(doe.get(path).await.status(), 200, "{path} again");
    }
    assert_eq!(entries(&node, "films_listed").await.len(), 1);
    let opened = entries(&node, "film_opened").await;
    assert!(opened.len() == 1 && opened[0].0 == id && opened[0].1.contains("pixels"), "{opened:?}");
    node.stop().await;
}
