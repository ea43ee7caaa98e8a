//! `coxa serve --check` tries everything and changes nothing.

use axum::http::StatusCode;
use coxa_serve::check::{Finding, check};
use coxa_serve::config::{Fhir, Role, Watch};

use super::support::{Running, config};

/// What was found of something.
fn wrong<'a>(findings: &'a [Finding], what: &str) -> Option<&'a str> {
    let found = findings.iter().find(|finding| finding.what.starts_with(what));
    found.unwrap_or_else(|| panic!("{what} was not tried: {findings:?}")).wrong.as_deref()
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let all = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_beside_a_running_node_takes_nothing_from_it() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let data = node.folder.path().join("data");
    // A film that is just arriving.
    std::fs::write(data.join("incoming/1-1"), b"half of a film").unwrap();
    let mut config = node.app.config.clone();
    config.http = node.http.trim_start_matches("http://").parse().unwrap();
    let findings = check(&config).await;
    assert!(findings.iter().all(|finding| finding.wrong.is_none()), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.what.ends_with("(a node is running here)")), "{findings:?}");
    assert!(data.join("incoming/1-1").is_file(), "what is arriving stays");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_makes_nothing_and_leaves_an_earlier_database_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.roles = vec![Role::Receive, Role::Pages];
    let findings = check(&config).await;
    assert!(findings.iter().all(|finding| finding.wrong.is_none()), "{findings:?}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
    // A database of the first version.
    std::fs::create_dir(&config.data).unwrap();
    let url = config.database_url();
    sqlx::any::install_default_drivers();
    let mut raw = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
    for sql in ["CREATE TABLE schema_step (step BIGINT PRIMARY KEY)", "INSERT INTO schema_step (step) VALUES (1)"] {
        sqlx::query(sql).execute(&mut raw).await.unwrap();
    }
    let findings = check(&config).await;
    assert_eq!(wrong(&findings, "database, of an earlier version"), None);
    assert_eq!(names(&config.data), ["coxa.sqlite"]);
    // One of a version that is yet to come.
    sqlx::query("INSERT INTO schema_step (step) VALUES (9999)").execute(&mut raw).await.unwrap();
    assert!(wrong(&check(&config).await, "database").unwrap().contains("has schema 9999"));
    // A folder that cannot be made.
    config.data = config.data.join("coxa.sqlite/below");
    assert!(wrong(&check(&config).await, "folder").unwrap().contains("is no folder"));
}

#[tokio::test(flavor = "multi_thread")]
async fn watched_folders_the_key_and_the_fhir_server_are_tried() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.roles = vec![Role::Receive, Role::Pages];
    let (there, missing) = (folder.path().join("drop"), folder.path().join("missing"));
    std::fs::create_dir(&there).unwrap();
    config.watch = Watch { folders: vec![there.clone(), missing.clone()], every_seconds: 1 };
    let key = folder.path().join("key");
    std::fs::write(&key, "too short").unwrap();
    config.people.key_file = Some(key.clone());
    let answer = |headers: axum::http::HeaderMap| async move {
        let is_known = headers.get("authorization").is_some_and(|token| token == "Bearer right");
        if is_known { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/fhir/metadata", axum::routing::get(answer));
    tokio::spawn(super::faults::serve(listener, router));
    let fhir = |token: &str| Some(Fhir { push: format!("http://{address}/fhir"), token: Some(token.into()) });
    config.fhir = fhir("wrong");
    let findings = check(&config).await;
    assert_eq!(wrong(&findings, &format!("watched folder {}", there.display())), None);
    assert!(wrong(&findings, &format!("watched folder {}", missing.display())).is_some());
    assert!(wrong(&findings, "key file").unwrap().contains("64 hexadecimal digits"));
    assert!(wrong(&findings, "FHIR server").unwrap().contains("check [fhir] token"));
    config.fhir = fhir("right");
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    let findings = check(&config).await;
    assert_eq!((wrong(&findings, "FHIR server"), wrong(&findings, "key file")), (None, None));
    config.fhir = Some(Fhir { push: format!("http://127.0.0.1:{}/fhir", coxa_testing::free_port()), token: None });
    assert!(wrong(&check(&config).await, "FHIR server").unwrap().contains("refused"));
}
