//! Films are read once each, and what is not read says why.

use coxa_dimse::Status;

use super::support::{Film, Running};

#[tokio::test(flavor = "multi_thread")]
async fn films_are_read_or_not_and_the_reason_is_told() {
    let node = Running::start(|_| {}).await;
    let (hip, knee) = (Film::new("hip", 0), Film::knee("knee"));
    // A film whose pixels end too early.
    let mut short = Film::new("short", 0);
    short.bytes.truncate(short.bytes.len() - 1000);
    for film in [&hip, &knee, &short] {
        assert_eq!(node.store(film).await, Status::SUCCESS);
    }
    let lines = node.done(3).await;
    let of = |film: &Film| lines.iter().find(|line| line["sop_instance_uid"] == *film.uid).unwrap();
    assert_eq!(of(&hip)["state"], "read", "{}", of(&hip));
    assert!(of(&hip)["probability"].as_f64().is_some_and(|p| (0.0..=1.0).contains(&p)));
    assert_eq!(of(&hip)["notice"], "research use only");
    for (film, reason) in [(&knee, "knee"), (&short, "truncated")] {
        let line = of(film);
        assert_eq!(line["state"], "not_read", "{line}");
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
        assert!(line["probability"].is_null() && line["finding"].is_null(), "{line}");
    }
    fhir(&node, &knee, &hip).await;
    let metrics = node.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("coxa_read_total{kind=\"not_read\"} 2"), "{metrics}");
    node.stop().await;
}

async fn fhir(node: &Running, knee: &Film, hip: &Film) {
    let bundle = node.json("/fhir/DiagnosticReport").await;
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 3);
    for (film, has_value) in [(knee, false), (hip, true)] {
        let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
        let report = node.json(&format!("/fhir/DiagnosticReport/{}", row.id)).await;
        let observation = &report["contained"][0];
        assert_eq!(observation["valueQuantity"].is_object(), has_value, "{observation}");
        assert_eq!(observation["dataAbsentReason"].is_object(), !has_value, "{observation}");
        assert!(report["conclusion"].as_str().unwrap().ends_with("research use only."));
        assert_eq!(report["status"], "preliminary");
        let study = node.json(&format!("/fhir/DiagnosticReport?study=urn:oid:{}", row.attributes.study_uid)).await;
        assert_eq!(study["total"], 1);
    }
    assert_eq!(node.get("/fhir/DiagnosticReport/4711").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_goes_on_where_it_was() {
    let node = Running::start(|config| config.roles = vec![coxa_serve::config::Role::Receive]).await;
    let films: Vec<Film> = (0..3).map(|i| Film::new(&format!("later {i}"), i)).collect();
    for film in &films {
        assert_eq!(node.store(film).await, Status::SUCCESS);
    }
    let folder = node.stop().await;
    let config = super::support::config(folder.path());
    let node = Running::start_in(folder, config).await;
    let lines = node.done(3).await;
    assert!(lines.iter().all(|line| line["state"] == "read"), "{lines:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_working_node_is_a_node_again() {
    use coxa_serve::backup::{BackupError, backup, restore};
    let node = Running::start(|config| {
        config.roles = vec![coxa_serve::config::Role::Receive, coxa_serve::config::Role::Pages]
    })
    .await;
    let film = Film::new("backed up", 0);
    assert_eq!(node.store(&film).await, Status::SUCCESS);
    let (data, copy) = (node.folder.path().join("data"), node.folder.path().join("copy"));
    assert_eq!(backup(&data, &copy, |_| {}).await.unwrap(), 1);
    assert!(matches!(backup(&data, &copy, |_| {}).await, Err(BackupError::Taken(_))));
    let folder = node.stop().await;
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(restore(&copy, &data, |_| {}).unwrap(), 1);
    assert!(matches!(restore(&copy, &data, |_| {}), Err(BackupError::Taken(_))));
    let config = super::support::config(folder.path());
    let node = Running::start_in(folder, config).await;
    assert_eq!(node.done(1).await[0]["state"], "read");
    // The audit log goes on under the same key, whole.
    let keys = node.app.audit.keys();
    let (trusted, head) = ([keys.public().to_owned()], keys.kept_head().unwrap().unwrap());
    let report = coxa_serve::audit::verify(&node.app.db, &trusted, &[head]).await.unwrap();
    assert!(report.is_sound() && report.entries >= 2, "{:?}", report.faults);
    let folder = node.stop().await;
    // A damaged film is no backup.
    let (copy, again) = (folder.path().join("copy"), folder.path().join("again"));
    let damaged = std::fs::read_dir(copy.join("films"))
        .unwrap()
        .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap())
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(damaged, "other bytes").unwrap();
    assert!(matches!(restore(&copy, &again, |_| {}), Err(BackupError::Damaged(_))));
    assert!(!again.exists(), "nothing half-restored");
}
