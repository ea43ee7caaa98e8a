//! Several nodes that share a database and a bucket.

use coxa_dimse::Status;
use coxa_serve::config::Role;

use super::postgres::postgres;
use super::support::{Film, Running};

#[tokio::test(flavor = "multi_thread")]
async fn one_node_receives_and_another_reads() {
    let Some(server) = postgres() else { return };
    let (url, bucket) = (server.database("nodes"), tempfile::tempdir().unwrap());
    let objects = format!("file://{}", bucket.path().display());
    // One key of second factors for all nodes where people sign in.
    let key = bucket.path().join("secrets.key");
    std::fs::write(&key, "5".repeat(64)).unwrap();
    let start = async |name: &str, roles: Vec<Role>| {
        Running::start(|config| {
            config.database = Some(url.clone());
            config.objects = Some(objects.clone());
            config.node = Some(name.into());
            config.people.key_file = Some(key.clone());
            config.roles = roles;
        })
        .await
    };
    let receiver = start("receiver", vec![Role::Receive, Role::Pages]).await;
    let films: Vec<Film> = (0..6).map(|i| Film::new(&format!("shared {i}"), i)).collect();
    for film in &films[..3] {
        assert_eq!(receiver.store(film).await, Status::SUCCESS);
    }
    let readers =
        [start("one", vec![Role::Read, Role::Pages]).await, start("two", vec![Role::Read, Role::Pages]).await];
    for film in &films[3..] {
        assert_eq!(receiver.store(film).await, Status::SUCCESS);
    }
    let lines = receiver.done(6).await;
    assert!(lines.iter().all(|line| line["state"] == "read"), "{lines:?}");
    // Every node gives every film, from the bucket where it is not on its own disk.
    let row = receiver.app.db.film_by_uid(&films[0].uid).await.unwrap().unwrap();
    assert!(row.in_bucket);
    let place = format!(
        "/dicom-web/studies/{}/series/{}/instances/{}",
        row.attributes.study_uid, row.attributes.series_uid, row.attributes.sop_instance_uid
    );
    let [one, two] = readers;
    assert!(
        one.get(&place).await.bytes().await.unwrap().windows(40).any(|window| window == &films[0].data_set()[..40])
    );
    // A reader that goes is no loss.
    drop(one.stop().await);
    let last = Film::new("shared last", 0);
    assert_eq!(receiver.store(&last).await, Status::SUCCESS);
    assert_eq!(receiver.done(7).await.len(), 7);
    two.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_only_sends_delivers_what_others_read() {
    let Some(server) = postgres() else { return };
    let (url, bucket) = (server.database("sending"), tempfile::tempdir().unwrap());
    let objects = format!("file://{}", bucket.path().display());
    let (moody, pacs) = super::faults::destination(Vec::new()).await;
    let start = async |name: &str, roles: Vec<Role>| {
        Running::start(|config| {
            config.database = Some(url.clone());
            config.objects = Some(objects.clone());
            config.node = Some(name.into());
            config.destinations = vec![pacs.clone()];
            config.roles = roles;
        })
        .await
    };
    let reader = start("reader", vec![Role::Receive, Role::Read]).await;
    let films: Vec<Film> = (0..3).map(|i| Film::knee(&format!("sent by another {i}"))).collect();
    for film in &films {
        assert_eq!(reader.store(film).await, Status::SUCCESS);
    }
    let sender = start("sender", vec![Role::Send]).await;
    let begun = std::time::Instant::now();
    while reader.app.db.destined(&["pacs".into()]).await.unwrap()[0].done < 3 {
        assert!(begun.elapsed().as_secs() < 120, "not sent");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(moody.taken().len(), 3, "each once");
    sender.stop().await;
    reader.stop().await;
}
