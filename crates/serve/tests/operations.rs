//! What an administrator mends on the operations page.

use std::time::Duration;

use coxa_dimse::{Association, DimseError, Status, connect};
use coxa_serve::config::{Destination, May, Peer, Role};
use coxa_serve::db::ObjectKind;
use coxa_serve::people;

use super::support::{Film, Running, call};

fn peer(ae_title: &str, host: Option<&str>) -> Peer {
    Peer {
        ae_title: ae_title.into(),
        host: host.map(|host| host.parse().unwrap()),
        port: None,
        tls: false,
        certificate: None,
        may: vec![May::Store],
    }
}

async fn as_title(node: &Running, title: &str) -> Result<Association, DimseError> {
    let mut call = call(node.dicom.unwrap());
    call.calling = title.into();
    connect(&call).await
}

/// The rows of refusals, once there are so many: they are written after the peer was answered.
async fn refusals(node: &Running, count: usize) -> Vec<coxa_serve::db::SeenRefusal> {
    for _ in 0..200 {
        let rows = node.app.db.refusals(10).await.unwrap();
        if rows.len() == count {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} refusals were awaited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_peer_is_allowed_by_one_click_and_the_click_is_taken_back() {
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.peers = vec![peer("MODALITY", None), peer("MOVED", Some("10.0.0.1"))];
    })
    .await;
    let admin = node.visitor("keeper", &[people::Role::Administrator]).await;
    let physician = node.visitor("doe", &[people::Role::Physician]).await;
    for title in ["STRANGER", "MOVED"] {
        assert!(matches!(as_title(&node, title).await, Err(DimseError::Rejected { .. })), "{title}");
    }
    let rows = refusals(&node, 2).await;
    assert!(admin.page("/operations").await.matches("/operations/allow").count() == 2);
    for row in &rows {
        let id = row.id.to_string();
        assert_eq!(physician.post("/operations/allow", &[("id", &id)]).await.status(), 403);
        assert!(as_title(&node, &row.calling).await.is_err(), "only an administrator allows");
    }
    for row in refusals(&node, 2).await {
        let id = row.id.to_string();
        assert_eq!(admin.post("/operations/allow", &[("id", &id)]).await.status(), 303);
        assert_eq!(admin.post("/operations/allow", &[("id", &id)]).await.status(), 404, "it is refused no more");
        let mut association = as_title(&node, &row.calling).await.unwrap();
        let film = Film::new(&row.calling, 0);
        assert_eq!(association.store(&film.object(), film.data_set()).await.unwrap(), Status::SUCCESS);
        association.release().await.unwrap();
    }
    let page = admin.page("/operations").await;
    assert!(page.contains("STRANGER at 127.0.0.1") && page.contains("MOVED at 127.0.0.1") && page.contains("keeper"));
    assert!(!page.contains("/operations/allow"), "nothing is refused any more");
    for allowed in node.app.db.allowed_peers().await.unwrap() {
        let id = allowed.id.to_string();
        assert_eq!(admin.post("/operations/disallow", &[("id", &id)]).await.status(), 303);
        assert!(as_title(&node, &allowed.ae_title).await.is_err(), "what was taken back is refused again");
        assert_eq!(admin.post("/operations/disallow", &[("id", &id)]).await.status(), 404);
    }
    as_title(&node, "MODALITY").await.unwrap().release().await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_nodes_click_counts_here_and_a_restart_keeps_it() {
    let strict = |config: &mut coxa_serve::Config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.peers = vec![peer("MODALITY", None)];
    };
    let node = Running::start(strict).await;
    node.app.db.allow("STRANGER", "127.0.0.1", "keeper").await.unwrap();
    node.app.admission.renew().await.unwrap();
    as_title(&node, "STRANGER").await.unwrap().release().await.unwrap();
    let folder = node.stop().await;
    let mut config = super::support::config(folder.path());
    strict(&mut config);
    let again = Running::start_in(folder, config).await;
    as_title(&again, "STRANGER").await.unwrap().release().await.unwrap();
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_picture_reaches_a_destination_or_the_reason_is_shown() {
    let archive = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let to = |name: &str, port| Destination {
        name: name.into(),
        ae_title: "COXA".into(),
        host: "127.0.0.1".into(),
        port,
        tls: false,
        sends: vec![ObjectKind::Sr],
    };
    let node = Running::start(|config| {
        config.roles = vec![Role::Pages];
        config.destinations = vec![to("archive", archive.dicom.unwrap().port()), to("nowhere", 1)];
    })
    .await;
    let admin = node.visitor("keeper", &[people::Role::Administrator]).await;
    for _ in 0..2 {
        let page = admin.post("/operations/send", &[("to", "archive")]).await.text().await.unwrap();
        assert!(page.contains("archive has stored a test picture"), "{page}");
    }
    let query = coxa_serve::db::FilmQuery { patient_id: "COXA-TEST".into(), limit: 10, ..Default::default() };
    let kept = archive.app.db.films(&query).await.unwrap();
    assert_eq!(kept.len(), 2, "each test is a picture of its own");
    let page = admin.post("/operations/send", &[("to", "nowhere")]).await.text().await.unwrap();
    assert!(page.contains("nowhere does not answer as it should"), "{page}");
    assert_eq!(admin.post("/operations/send", &[("to", "elsewhere")]).await.status(), 404);
    node.stop().await;
    archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throughput_counts_films_and_results_by_the_hour_and_the_day() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let rows = [("A", 0.9), ("BB", 0.1), ("CCC", 0.2)].map(|(seed, p)| (seed, crate::pages::read(p)));
    let mut films = Vec::new();
    for (seed, outcome) in rows {
        films.push(crate::pages::film(&node, seed, |_| {}, outcome).await);
    }
    crate::pages::film(&node, "DDDD", |_| {}, None).await;
    let now = coxa_serve::db::now();
    let pace = |hour, day, busiest| coxa_serve::db::Pace { hour, day, busiest };
    // Two of four came and were read two hours ago, in one minute; one of those that were read is older than a day.
    let ago = |minutes: i64| (now / 60_000_000 - minutes) * 60_000_000;
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&node.app.config.database_url()).await.unwrap();
    for (film, came, read) in [(films[0], ago(120), ago(120)), (films[1], ago(120) + 7_000_000, ago(2000))] {
        let sql = format!(
            "UPDATE instance SET received_at = {came} WHERE id = {film}; UPDATE reading SET read_at = {read} WHERE film_id = {film}"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    }
    let found = node.app.db.throughput(coxa_serve::db::now()).await.unwrap();
    assert_eq!((found.received, found.read, found.sent), (pace(2, 4, 2), pace(1, 2, 1), pace(0, 0, 0)));
    // A result that a destination accepted, and one that waits.
    let sent = format!(
        "INSERT INTO send (object_id, destination, priority, state, run_at, lease_until, lease_owner, attempts, status, explained, done_at) \
         VALUES ({0}, 'pacs', 0, 'done', 0, 0, '', 1, 0, '', {1}), ({0}, 'other', 0, 'due', 0, 0, '', 1, 0, 'busy', {1})",
        films[0],
        ago(90)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sent)).execute(&pool).await.unwrap();
    pool.close().await;
    assert_eq!(node.app.db.throughput(coxa_serve::db::now()).await.unwrap().sent, pace(0, 1, 1));
    let page = node.visitor("keeper", &[people::Role::Administrator]).await.page("/operations").await;
    let line = page.split("<tr id=\"operations-received\">").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(line.contains("Films received") && line.contains(">2<") && line.contains(">4<"), "{line}");
    node.stop().await;
}
