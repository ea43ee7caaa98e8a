//! `coxa serve`: it starts without settings, reports what is wrong with them, and survives being killed at any moment.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use coxa_dicom::dx::{AnatomicRegion, DxOptions, NO_DATE, Projection, to_vec};
use coxa_dimse::{
    Call, Data, DimseError, Handler, Limits, Object, Offer, Peer, Permission, Policy, Proposal, Server, Status,
    StoreRequest, Uid, connect, interactive,
};
use coxa_imaging::Laterality;
use coxa_simulate::{Domain, FilmKind, FilmOptions};
use serde_json::Value;

const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

fn coxa() -> Command {
    Command::new(env!("CARGO_BIN_EXE_coxa"))
}

/// A node in a process of its own.
pub struct Serving {
    child: Child,
    /// The lines before the one that says it takes films.
    pub before: Vec<String>,
    http: String,
    pub dicom: SocketAddr,
}

impl Serving {
    /// Starts a node and waits for the line that says so.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    fn start_with(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = coxa()
            .arg("serve")
            .envs(environment.iter().copied())
            .current_dir(folder)
            .args(if arguments.contains(&"--http") { &[][..] } else { &["--http", "127.0.0.1:0"][..] })
            .args(["--dicom", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut before = Vec::new();
        let ready = loop {
            let line = lines.next().expect("the node starts").unwrap();
            if line.starts_with("ready ") {
                break line;
            }
            before.push(line);
        };
        // What it says later must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        let part = |scheme: &str| ready.split(scheme).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let dicom = part("dicom://").split('@').nth(1).unwrap().parse().unwrap();
        Self { child, before, http: part("http://"), dicom }
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.http).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        let host = &self.http;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }

    fn readings(&self) -> Vec<Value> {
        let text = self.get("/api/v1/readings").unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_node_starts_without_settings_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Serving::start(folder.path(), &[]);
    assert_eq!(node.get("/health").as_deref(), Some("ok\n"));
    assert_eq!(node.get("/ready").as_deref(), Some("ready\n"));
    // A second one in the same folder would remove what the first is receiving.
    let second = coxa()
        .arg("serve")
        .args(["--http", "127.0.0.1:0", "--dicom", "127.0.0.1:0"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another coxa serve works here"));
    let asked = Command::new("kill").args(["-TERM", &node.child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert!(node.child.wait().unwrap().success(), "a graceful end is a success");
}

/// An account of an identity provider.
fn link(data: &Path, name: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = coxa_serve::db::Database::open(&coxa_serve::db::sqlite_url(data)).await.unwrap();
        let roles = [coxa_serve::people::Role::Physician].into_iter().collect();
        let (issuer, subject) = ("https://login.example".to_owned(), "u-1".to_owned());
        let new = coxa_serve::db::NewLinked { issuer, subject, name: name.into(), full_name: String::new(), roles };
        assert!(db.add_linked(&new).await.unwrap().is_some());
    });
}

#[test]
fn the_first_password_is_printed_and_the_audit_log_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| coxa().args(arguments).current_dir(folder.path()).output().unwrap();
    let missing = run(&["audit", "verify"]);
    assert_eq!(missing.status.code(), Some(2), "{}", String::from_utf8_lossy(&missing.stderr));
    let node = Serving::start(folder.path(), &["--roles", "receive,pages"]);
    let line = node.before.iter().find(|line| line.starts_with("first sign-in: ")).unwrap();
    assert!(line.contains(&format!("http://{}/signin user admin password ", node.http)), "{line}");
    let text = |output: &std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout.clone()).unwrap()
    };
    // Beside the running node.
    let password = text(&run(&["people", "add", "--name", "Doe", "--roles", "physician,auditor"]));
    assert_eq!(password.trim().len(), 19);
    assert_eq!(run(&["people", "add", "--name", "doe", "--roles", "physician"]).status.code(), Some(2));
    assert_eq!(run(&["people", "add", "--name", "roe", "--roles", "root"]).status.code(), Some(2));
    assert_ne!(text(&run(&["people", "reset", "--name", "doe"])), password);
    assert!(text(&run(&["people", "list"])).contains("doe\tphysician auditor\tnever signed in"));
    link(&folder.path().join("coxa-data"), "jane");
    let refused = run(&["people", "reset", "--name", "jane"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("identity provider"));
    text(&run(&["token", "create", "--name", "viewer", "--scope", "read"]));
    let head = text(&run(&["audit", "head"]));
    drop(node);
    let verified = text(&run(&["audit", "verify", "--head", head.trim()]));
    assert!(verified.contains("entries, whole"), "{verified}");
    let csv = text(&run(&["audit", "export", "--csv"]));
    for deed in ["node_started", "person_added", "password_reset", "token_created", "audit_exported"] {
        assert!(csv.contains(deed), "{deed}: {csv}");
    }
    assert!(text(&run(&["audit", "export", "--dicom"])).lines().all(|line| line.starts_with("<?xml")));
    // A head of another chain, and a folder without the head.
    assert_eq!(run(&["audit", "verify", "--head", &head.replace("\"seq\":", "\"seq\":1")]).status.code(), Some(1));
    std::fs::remove_file(folder.path().join("coxa-data/audit.head")).unwrap();
    let cut = run(&["audit", "verify"]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&cut.stdout).contains("is missing"));
}

#[test]
fn wrong_settings_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coxa.toml");
    std::fs::write(&file, "ae_title = \"COXA\"\n[gaet]\nany_film = true\n").unwrap();
    let output = coxa().args(["serve", "--config"]).arg(&file).current_dir(folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("line 2") && error.contains("gaet") && error.contains("docs/serve.md"), "{error}");

    let nobody = coxa_testing::free_port();
    std::fs::write(
        &file,
        format!("[[destination]]\nname = \"pacs\"\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {nobody}\n"),
    )
    .unwrap();
    let output = coxa()
        .args(["serve", "--check", "--http", "127.0.0.1:0", "--dicom", "127.0.0.1:0", "--config"])
        .arg(&file)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let output_text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output_text}");
    assert!(output_text.contains("ok     network") && output_text.contains("wrong  destination pacs"), "{output_text}");

    let output = coxa().args(["serve", "--http", "0.0.0.0:0"]).current_dir(folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("without TLS"), "{error}");
}

/// A PACS that counts what it gets, by SOP Instance UID.
#[derive(Clone, Default)]
struct Pacs(Arc<Mutex<BTreeMap<String, usize>>>);

impl Handler for Pacs {
    async fn store(&self, _: &Peer, request: &StoreRequest, data: &mut Data<'_>) -> Result<Status, DimseError> {
        while data.next().await?.is_some() {}
        *self.0.lock().unwrap().entry(request.sop_instance.as_str().to_owned()).or_default() += 1;
        Ok(Status::SUCCESS)
    }
}

async fn pacs() -> (Pacs, u16) {
    let pacs = Pacs::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let offers = [
        "1.2.840.10008.5.1.4.1.1.88.34",
        "1.2.840.10008.5.1.4.1.1.11.1",
        "1.2.840.10008.5.1.4.1.1.7",
        coxa_dimse::VERIFICATION,
    ];
    let policy = Policy {
        ae_title: "PACS".into(),
        peers: Vec::new(),
        offers: offers
            .into_iter()
            .map(|class| Offer {
                abstract_syntax: class.into(),
                transfer_syntaxes: vec![EXPLICIT.into()],
                permission: Some(Permission::Store),
            })
            .collect(),
        deadlines: interactive(),
        limits: Limits::default(),
        implementation: ("2.25.1".into(), "PACS".into()),
    };
    let (handler, (stop, stopped)) = (pacs.clone(), tokio::sync::watch::channel(false));
    tokio::spawn(async move {
        let _stop = stop;
        Server::new(policy, handler, None).serve(listener, stopped, Duration::from_secs(1)).await
    });
    (pacs, port)
}

pub fn film(index: usize) -> (Vec<u8>, String) {
    let plain = FilmOptions { size: 192, kind: FilmKind::Normal, domain: Domain::PLAIN };
    let film = coxa_simulate::pelvis(1, index as u64, &plain);
    let seed = format!("kill {index}");
    let bytes = to_vec(&DxOptions {
        rows: film.height,
        columns: film.width,
        bits_stored: film.bits_stored,
        monochrome1: film.monochrome1,
        pixels: &film.pixels,
        window: None,
        spacing_mm: 2.0,
        view_position: Projection::AnteroPosterior,
        laterality: Laterality::Both,
        body_part: AnatomicRegion::Pelvis,
        seed_uid: &seed,
        study_date: NO_DATE,
        patient_id: "SIM1",
        age: None,
        sex: None,
        burned_in_annotation: false,
    })
    .unwrap();
    (bytes, coxa_dicom::uid::derived("instance", &seed))
}

/// Stores films until each was answered 0000H, whatever happens to the nodes meanwhile; each try goes to the next one.
pub async fn store(films: &[(Vec<u8>, String)], nodes: &Mutex<Vec<SocketAddr>>) {
    let mut tries = 0;
    for (bytes, uid) in films {
        let meta = u32::from_le_bytes(bytes[140..144].try_into().unwrap()) as usize;
        loop {
            let to = {
                let nodes = nodes.lock().unwrap();
                nodes[tries % nodes.len()]
            };
            tries += 1;
            let call = Call {
                to: to.to_string(),
                called: "COXA".into(),
                calling: "TEST".into(),
                proposals: vec![Proposal::new(DX, &[EXPLICIT])],
                tls: None,
                deadlines: interactive(),
                limits: Limits::default(),
                implementation: ("2.25.1".into(), "TEST".into()),
            };
            let object = Object {
                sop_class: Uid::parse(DX).unwrap(),
                sop_instance: Uid::parse(uid).unwrap(),
                transfer_syntax: EXPLICIT.into(),
            };
            let stored = async {
                let mut association = connect(&call).await?;
                association.store(&object, &bytes[144 + meta..]).await
            };
            if stored.await.is_ok_and(|status| status == Status::SUCCESS) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `bench/kill.sh` runs this with 500 films and 50 kills, on SQLite and with two nodes on PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_each_film_has_one_result_and_no_object_is_lost() {
    let (count, kills) = (number("COXA_KILL_FILMS", 24), number("COXA_KILLS", 4));
    let folder = tempfile::tempdir().unwrap();
    let (pacs, pacs_port) = pacs().await;
    std::fs::write(
        folder.path().join("coxa.toml"),
        format!("[[destination]]\nname = \"pacs\"\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {pacs_port}\nsends = [\"sr\", \"gsps\"]\n[limits]\nfree_disk_mib = 1\n[people]\nkey_file = \"secrets.key\"\n"),
    )
    .unwrap();
    std::fs::write(folder.path().join("secrets.key"), "5".repeat(64)).unwrap();
    let database = std::env::var("COXA_KILL_DATABASE").ok();
    let start = |node: usize| {
        let mut arguments = vec!["--config".to_owned(), "coxa.toml".into(), "--data".into(), format!("data-{node}")];
        // Nodes that share a database read each other's films from the bucket.
        if let Some(url) = &database {
            let bucket = format!("file://{}", folder.path().join("bucket").display());
            arguments.extend(["--database", url, "--objects", &bucket, "--node"].map(str::to_owned));
            arguments.push(format!("node{node}"));
        }
        Serving::start(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    let films: Arc<Vec<_>> = Arc::new((0..count).map(film).collect());
    let mut nodes: Vec<_> = (0..if database.is_some() { 2 } else { 1 }).map(start).collect();
    let addresses = Arc::new(Mutex::new(nodes.iter().map(|node| node.dicom).collect::<Vec<_>>()));
    let sending = tokio::spawn({
        let (films, addresses) = (Arc::clone(&films), Arc::clone(&addresses));
        async move { store(&films, &addresses).await }
    });
    for kill in 0..kills {
        // Moments that fall on every part of the work, the same in every run of the test as far as the machine lets them be.
        tokio::time::sleep(Duration::from_millis(150 + (kill as u64 * 7919) % 1500)).await;
        let victim = kill % nodes.len();
        nodes[victim].kill();
        nodes[victim] = start(victim);
        addresses.lock().unwrap()[victim] = nodes[victim].dicom;
    }
    sending.await.unwrap();
    let begun = Instant::now();
    let readings = loop {
        let readings = nodes[0].readings();
        let done = |line: &Value| {
            let sent = line["sent"]
                .as_array()
                .is_some_and(|sent| sent.len() == 2 && sent.iter().all(|one| one["state"] == "done"));
            line["state"] == "read" && sent
        };
        if readings.len() == count && readings.iter().all(done) {
            break readings;
        }
        assert!(begun.elapsed() < Duration::from_secs(300 + 2 * count as u64), "not all is done: {readings:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let uids: std::collections::BTreeSet<_> =
        readings.iter().map(|line| line["sop_instance_uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), count, "one result a film");
    assert!(films.iter().all(|(_, uid)| uids.contains(uid.as_str())), "none is lost");
    assert_eq!(pacs.0.lock().unwrap().len(), 2 * count, "two objects a film, each under one UID");
}

/// A program that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An S3 server of another make: moto, which `scripts/foreign.sh` installs.
fn moto() -> Option<(Ends, String)> {
    let (mut command, port) = (coxa_testing::python("moto.server")?, coxa_testing::free_port());
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    let server = Ends(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "moto does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    // A bucket; moto asks for no signature.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!("PUT /films HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
    Some((server, format!("http://127.0.0.1:{port}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn films_go_to_a_bucket_of_s3_and_come_back_from_it() {
    let Some((moto, endpoint)) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "simulated"),
        ("AWS_SECRET_ACCESS_KEY", "simulated"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", &endpoint),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let arguments = ["--objects", "s3://films/hip"];
    let mut node = Serving::start_with(folder.path(), &arguments, &environment);
    let films = [film(0), film(1)];
    store(&films, &Mutex::new(vec![node.dicom])).await;
    let copies = |node: &Serving| {
        let status: Value = serde_json::from_str(&node.get("/api/v1/status").unwrap()).unwrap();
        let copied = |queue: &&Value| queue["queue"] == "copy" && queue["state"] != "done";
        status["queues"].as_array().unwrap().iter().filter(copied).count()
    };
    let begun = Instant::now();
    let readings = loop {
        let readings = node.readings();
        if readings.len() == 2 && readings.iter().all(|line| line["state"] == "read") && copies(&node) == 0 {
            break readings;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "not all is done: {readings:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    node.kill();
    // Another machine's disk is empty.
    std::fs::remove_dir_all(folder.path().join("coxa-data/films")).unwrap();
    let node = Serving::start_with(folder.path(), &arguments, &environment);
    let found: Value = serde_json::from_str(&node.get("/dicom-web/instances").unwrap()).unwrap();
    assert_eq!(found.as_array().unwrap().len(), readings.len());
    for one in found.as_array().unwrap() {
        let [study, series, instance] =
            ["0020000D", "0020000E", "00080018"].map(|tag| one[tag]["Value"][0].as_str().unwrap());
        let place = format!("/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/1");
        assert!(node.get(&place).is_some_and(|frame| frame.len() > 160 * 160), "the pixels come from the bucket");
    }
    drop(moto);
}
