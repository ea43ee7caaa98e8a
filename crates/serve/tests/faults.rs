//! Destinations that misbehave: each object ends in the right state, once, with the reason where an administrator looks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use coxa_dimse::{
    Data, DimseError, Handler, Limits, Offer, Peer, Permission, Policy, Server, Status, StoreRequest, interactive,
};
use coxa_serve::config::Destination;
use coxa_serve::db::ObjectKind;
use serde_json::Value;

use super::support::{EXPLICIT, Film, Running};

/// What a destination does with the next object.
#[derive(Debug, Clone, Copy)]
pub enum Mood {
    Answers(u16),
    /// Takes every byte and closes without an answer.
    Closes,
    /// Takes every byte and aborts.
    Aborts,
}

/// A destination that goes through its moods and accepts what comes after them.
#[derive(Clone)]
pub struct Moody {
    moods: Arc<Vec<Mood>>,
    next: Arc<AtomicUsize>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Moody {
    /// The UIDs of what it took, in their order.
    pub fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl Handler for Moody {
    async fn store(&self, _: &Peer, request: &StoreRequest, data: &mut Data<'_>) -> Result<Status, DimseError> {
        while data.next().await?.is_some() {}
        self.taken.lock().unwrap().push(request.sop_instance.as_str().to_owned());
        match self.moods.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            None => Ok(Status::SUCCESS),
            Some(Mood::Answers(status)) => Ok(Status(*status)),
            Some(Mood::Closes) => Err(DimseError::Closed("it felt like it")),
            Some(Mood::Aborts) => Err(DimseError::Aborted),
        }
    }
}

pub async fn destination(moods: Vec<Mood>) -> (Moody, Destination) {
    destination_at(moods, 0).await
}

async fn destination_at(moods: Vec<Mood>, port: u16) -> (Moody, Destination) {
    let moody = Moody { moods: Arc::new(moods), next: Arc::default(), taken: Arc::default() };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let policy = Policy {
        ae_title: "PACS".into(),
        peers: Vec::new(),
        offers: vec![Offer {
            abstract_syntax: "1.2.840.10008.5.1.4.1.1.88.34".into(),
            transfer_syntaxes: vec![EXPLICIT.into()],
            permission: Some(Permission::Store),
        }],
        deadlines: interactive(),
        limits: Limits::default(),
        implementation: ("2.25.1".into(), "MOODY".into()),
    };
    let (handler, (stop, stopped)) = (moody.clone(), tokio::sync::watch::channel(false));
    tokio::spawn(async move {
        let _stop = stop;
        Server::new(policy, handler, None).serve(listener, stopped, Duration::from_secs(1)).await
    });
    (moody, to(port))
}

fn to(port: u16) -> Destination {
    Destination {
        name: "pacs".into(),
        ae_title: "PACS".into(),
        host: "127.0.0.1".into(),
        port,
        tls: false,
        sends: vec![ObjectKind::Sr],
    }
}

/// A node with a film that is read, and that film's one send once it is in a state.
async fn until(node: &Running, state: &str) -> Value {
    let begun = Instant::now();
    loop {
        let lines = node.done(1).await;
        if lines[0]["sent"][0]["state"] == state {
            return lines[0]["sent"][0].clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "not {state}: {}", lines[0]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn sent_to(destination: Destination, seed: &str) -> Running {
    let node = Running::start(|config| config.destinations = vec![destination]).await;
    assert_eq!(node.store(&Film::knee(seed)).await, Status::SUCCESS);
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_an_acceptance_that_is_shown() {
    let (moody, pacs) = destination(vec![Mood::Answers(0xB000)]).await;
    let node = sent_to(pacs, "warned").await;
    let sent = until(&node, "done").await;
    assert_eq!(sent["status"], "B000");
    assert!(sent["explained"].as_str().unwrap().contains("data elements were changed"));
    assert_eq!(moody.taken.lock().unwrap().len(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_until_a_person_sends_again() {
    let (moody, pacs) = destination(vec![Mood::Answers(0xC000)]).await;
    let node = sent_to(pacs, "refused").await;
    let sent = until(&node, "dead").await;
    assert_eq!(sent["status"], "C000");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(moody.taken.lock().unwrap().len(), 1, "it is not sent a second time by itself");
    let status = node.json("/api/v1/status").await;
    assert_eq!(status["destinations"][0]["dead"], 1);
    assert!(status["destinations"][0]["last_error"].as_str().unwrap().contains("cannot understand"));
    let again = super::support::client().post(format!("{}/api/v1/resend", node.http)).send().await.unwrap();
    assert!(again.status().is_success());
    assert_eq!(until(&node, "done").await["status"], "0000");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_busy_gets_it_later() {
    let (moody, pacs) = destination(vec![Mood::Answers(0xA700)]).await;
    let node = sent_to(pacs, "busy").await;
    let waiting = until(&node, "due").await;
    assert!(waiting["status"].is_null() || waiting["status"] == "A700", "{waiting}");
    assert_eq!(until(&node, "done").await["status"], "0000");
    assert_eq!(moody.taken.lock().unwrap().len(), 2);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_closes_or_aborts_after_the_last_byte_has_it_under_one_uid() {
    let (moody, pacs) = destination(vec![Mood::Closes, Mood::Aborts]).await;
    let node = sent_to(pacs, "closes").await;
    assert_eq!(until(&node, "done").await["status"], "0000");
    let taken = moody.taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().all(|uid| *uid == taken[0]), "the same object each time");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_down_gets_it_when_it_is_up() {
    let port = coxa_testing::free_port();
    let node = sent_to(to(port), "down").await;
    let begun = Instant::now();
    loop {
        let status = node.json("/api/v1/status").await;
        if status["destinations"][0]["last_error"].as_str().is_some_and(|error| error.contains("check host and port")) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{status}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let listener = tokio::net::TcpSocket::new_v4().unwrap();
    listener.set_reuseaddr(true).unwrap();
    listener.bind(([127, 0, 0, 1], port).into()).unwrap();
    let listener = listener.listen(16).unwrap();
    let silent = tokio::spawn(async move {
        // Accepts and says nothing.
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let begun = Instant::now();
    loop {
        let status = node.json("/api/v1/status").await;
        if status["destinations"][0]["last_error"].as_str().is_some_and(|error| error.contains("did nothing for")) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    silent.abort();
    drop(silent.await);
    // It works again: the report is delivered, once, without anybody's help.
    let (moody, _) = destination_at(Vec::new(), port).await;
    assert_eq!(until(&node, "done").await["status"], "0000");
    assert_eq!(moody.taken.lock().unwrap().len(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_no_reports_says_so() {
    let (_, mut pacs) = destination(Vec::new()).await;
    pacs.sends = vec![ObjectKind::Gsps];
    let node = sent_to(pacs, "no context").await;
    let sent = until(&node, "dead").await;
    assert!(sent["explained"].as_str().unwrap().contains("accepts no"), "{sent}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_locked_for_a_while_loses_nothing() {
    let node = Running::start(|config| {
        config.roles = vec![coxa_serve::config::Role::Receive, coxa_serve::config::Role::Pages]
    })
    .await;
    let film = Film::new("locked", 0);
    // Another program holds the database's write lock.
    let place = node.folder.path().join("data/coxa.sqlite");
    let mut python = match coxa_testing::tool("python3") {
        Some(python) => python,
        None => return,
    };
    let script = "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\nprint('held',flush=True)\ntime.sleep(float(sys.argv[2]))\nc.execute('ROLLBACK')";
    // A minute, where a person asks for it: COXA_LOCKED_SECONDS=60.
    let seconds = std::env::var("COXA_LOCKED_SECONDS").unwrap_or_else(|_| "4".to_owned());
    let mut holder =
        python.args(["-c", script]).arg(&place).arg(&seconds).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line, "held\n");
    let mut patient = super::support::call(node.dicom.unwrap());
    patient.deadlines = coxa_dimse::Deadlines { idle: Duration::from_secs(120), ..patient.deadlines };
    let mut association = coxa_dimse::connect(&patient).await.unwrap();
    assert_eq!(association.store(&film.object(), film.data_set()).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    assert!(node.app.db.film_by_uid(&film.uid).await.unwrap().is_some());
    holder.wait().unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_pushed_to_a_fhir_server_once_it_accepts() {
    use axum::http::StatusCode;
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let handler = {
        let seen = Arc::clone(&seen);
        move |body: String| async move {
            let mut seen = seen.lock().unwrap();
            seen.push(serde_json::from_str(&body).unwrap());
            // Busy at first.
            if seen.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, axum::Router::new().route("/fhir", axum::routing::post(handler))));
    let node = Running::start(|config| {
        config.fhir = Some(coxa_serve::config::Fhir { push: format!("http://{address}/fhir"), token: None });
    })
    .await;
    assert_eq!(node.store(&Film::knee("fhir push")).await, Status::SUCCESS);
    let begun = Instant::now();
    while seen.lock().unwrap().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "not pushed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let bundles = seen.lock().unwrap().clone();
    assert_eq!(bundles[0], bundles[1], "the same transaction");
    assert_eq!(bundles[0]["type"], "transaction");
    assert!(bundles[0]["entry"][0]["resource"]["conclusion"].as_str().unwrap().contains("Not read"));
    // What has left the node is in the audit log, once, and where it went.
    let query = coxa_serve::db::AuditQuery { action: "result_pushed".into(), ..Default::default() };
    let rows = loop {
        let rows = node.app.db.audit_after(&query, 0, 10).await.unwrap();
        if !rows.is_empty() {
            break rows;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "not recorded");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(rows.len() == 1 && rows[0].film > 0 && rows[0].body.contains(&address.to_string()), "{rows:?}");
    node.stop().await;
}

/// Serves a router with hyper, as axum's own server is not among the features.
pub async fn serve(listener: tokio::net::TcpListener, router: axum::Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(stream), service),
        );
    }
}

/// A small disk of its own, unmounted when it is dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(place: &std::path::Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &size, "coxa-test"]).arg(place).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(place.to_owned()));
        }
        coxa_testing::skip("a small disk cannot be mounted here");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_refuses_films_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("data"), 6) else { return };
    let mut config = super::support::config(folder.path());
    config.roles = vec![coxa_serve::config::Role::Receive, coxa_serve::config::Role::Pages];
    config.limits.free_disk_mib = 0;
    // What fills the disk to the last byte but little: the node's next writes fail at one place after the other.
    let node = Running::start_in(folder, config).await;
    let ballast = disk.0.join("ballast");
    let (mut stored, mut refused) = (Vec::new(), 0);
    for index in 0..60u16 {
        let film = Film::new(&format!("filling {index}"), index);
        // Room that shrinks by a page each time around the size of a film, its row and the log of the database.
        let _ = std::fs::remove_file(&ballast);
        let free = coxa_serve::store::free_bytes(&disk.0).unwrap();
        let leave = 4096 * u64::from(60 - index);
        let _ = std::fs::write(&ballast, vec![1u8; usize::try_from(free.saturating_sub(leave)).unwrap()]);
        match node.store(&film).await {
            Status::SUCCESS => stored.push(film),
            Status::OUT_OF_RESOURCES => refused += 1,
            other => panic!("answered with {other}"),
        }
    }
    std::fs::remove_file(&ballast).unwrap();
    assert!(refused > 10 && !stored.is_empty(), "{refused} were refused, {} stored", stored.len());
    for film in &stored {
        let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
        assert!(node.app.store.get(&row.attributes.sha256).await.unwrap().ends_with(film.data_set()));
    }
    assert_eq!(node.store(&Film::new("room again", 0)).await, Status::SUCCESS);
    assert_eq!(std::fs::read_dir(disk.0.join("incoming")).unwrap().count(), 0);
    node.stop().await;
}
