//! The whole way with a PACS: Orthanc routes a film to the node by its Lua script, the results come back into the film's study, and
//! foreign programs read them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coxa_serve::config::Destination;
use coxa_serve::db::ObjectKind;
use serde_json::{Value, json};

use super::support::{Film, Running, client};

/// An archive in a process of its own, on loopback.
pub struct Orthanc {
    child: Child,
    pub http: String,
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program; Debian keeps it where only root's path leads.
fn program() -> Option<Command> {
    let place = ["/usr/sbin/Orthanc", "/usr/bin/Orthanc"].into_iter().find(|place| Path::new(place).is_file());
    if place.is_none() {
        assert!(!coxa_testing::tools_are_required(), "Orthanc is not installed, and COXA_E2E=1 requires it");
        coxa_testing::skip("Orthanc is not installed");
    }
    place.map(Command::new)
}

impl Orthanc {
    /// Starts an archive that knows the node under `COXA` and sends it what its script says.
    pub async fn start(folder: &Path, node: std::net::SocketAddr, dicom: u16, script: &str) -> Option<Self> {
        let mut command = program()?;
        let (http, lua) = (coxa_testing::free_port(), folder.join("route.lua"));
        std::fs::write(&lua, script).unwrap();
        let plugin = Path::new("/usr/share/orthanc/plugins/libOrthancDicomWeb.so");
        let settings = json!({
            "Name": "PACS", "DicomAet": "ORTHANC", "DicomPort": dicom, "HttpPort": http, "RemoteAccessAllowed": false,
            "AuthenticationEnabled": false, "StorageDirectory": folder.join("storage"), "IndexDirectory": folder.join("storage"),
            "DicomCheckCalledAet": false, "DicomAlwaysAllowStore": true, "LuaScripts": [lua],
            "Plugins": if plugin.exists() { json!([plugin]) } else { json!([]) },
            "DicomModalities": { "coxa": ["COXA", "127.0.0.1", node.port()] },
            "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
        });
        let file = folder.join("orthanc.json");
        std::fs::write(&file, settings.to_string()).unwrap();
        let child = command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let archive = Self { child, http: format!("http://127.0.0.1:{http}") };
        let begun = Instant::now();
        while client().get(format!("{}/system", archive.http)).send().await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "Orthanc does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(archive)
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer =
            client().get(format!("{}{path}", self.http)).header("accept", "application/json").send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    pub async fn put(&self, film: &Film) {
        let answer = client().post(format!("{}/instances", self.http)).body(film.bytes.clone()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

/// Sends what arrives, results of the node among it: as careless administrators do.
const ROUTE_ALL: &str =
    "function OnStoredInstance(instanceId, tags, metadata, origin)\n  SendToModality(instanceId, 'coxa')\nend\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_film_goes_from_the_archive_to_the_node_and_its_results_come_back() {
    let folder = tempfile::tempdir().unwrap();
    if program().is_none() {
        return;
    }
    let archive_port = coxa_testing::free_port();
    let node = Running::start(|config| {
        config.destinations = vec![Destination {
            name: "pacs".into(),
            ae_title: "ORTHANC".into(),
            host: "127.0.0.1".into(),
            port: archive_port,
            tls: false,
            sends: ObjectKind::ALL.to_vec(),
        }];
        // Every film is called, so that all objects are made.
        config.network.threshold = Some(0.0);
    })
    .await;
    let Some(archive) = Orthanc::start(folder.path(), node.dicom.unwrap(), archive_port, ROUTE_ALL).await else {
        return;
    };
    let (hip, knee) = (Film::new("orthanc hip", 0), Film::knee("orthanc knee"));
    for film in [&hip, &knee] {
        archive.put(film).await;
    }
    // The hip has four objects, the knee its report and presentation state.
    let begun = Instant::now();
    let instances = loop {
        let instances = archive.get("/instances").await;
        let status = node.json("/api/v1/status").await;
        let waits = status["destinations"][0]["due"].as_i64() != Some(0);
        if instances.as_array().unwrap().len() == 8 && !waits {
            break instances;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "the results do not come back: {instances} {status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    nothing_goes_round(&node, &archive).await;
    in_the_films_study(&node, &archive, &hip).await;
    foreign_programs_read(&archive, &instances, folder.path()).await;
    a_viewer_opens(&node, &archive.http, "hip-archive", &hip).await;
    a_viewer_opens(&node, &node.http, "hip", &hip).await;
    node.stop().await;
}

/// The archive sent the results to the node again, which made no results of them.
async fn nothing_goes_round(node: &Running, archive: &Orthanc) {
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(archive.get("/instances").await.as_array().unwrap().len(), 8);
    let readings = node.done(2).await;
    assert_eq!(readings.len(), 2, "{readings:?}");
    let status = node.json("/api/v1/status").await;
    assert_eq!(status["conflicts"], json!([]));
    assert_eq!(status["destinations"][0]["dead"], 0, "{status}");
}

async fn in_the_films_study(node: &Running, archive: &Orthanc, film: &Film) {
    let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap().attributes;
    if !Path::new("/usr/share/orthanc/plugins/libOrthancDicomWeb.so").exists() {
        coxa_testing::skip("Orthanc's DICOMweb is not installed");
        return;
    }
    let found = archive.get(&format!("/dicom-web/studies/{}/instances", row.study_uid)).await;
    let mut classes: Vec<&str> =
        found.as_array().unwrap().iter().map(|one| one["00080016"]["Value"][0].as_str().unwrap()).collect();
    classes.sort_unstable();
    assert_eq!(
        classes,
        [
            "1.2.840.10008.5.1.4.1.1.1.1",
            "1.2.840.10008.5.1.4.1.1.11.1",
            "1.2.840.10008.5.1.4.1.1.30",
            "1.2.840.10008.5.1.4.1.1.7",
            "1.2.840.10008.5.1.4.1.1.88.34"
        ]
    );
    let series: std::collections::BTreeSet<_> =
        found.as_array().unwrap().iter().map(|one| one["0020000E"]["Value"][0].as_str().unwrap()).collect();
    assert_eq!(series.len(), 5, "each kind has a series of its own");
    // The node gives the same by its own DICOMweb.
    let own = node.json(&format!("/dicom-web/studies/{}/instances", row.study_uid)).await;
    assert_eq!(own.as_array().unwrap().len(), 5);
}

async fn foreign_programs_read(archive: &Orthanc, instances: &Value, folder: &Path) {
    for (index, instance) in instances.as_array().unwrap().iter().enumerate() {
        let id = instance.as_str().unwrap();
        let bytes =
            client().get(format!("{}/instances/{id}/file", archive.http)).send().await.unwrap().bytes().await.unwrap();
        let file = folder.join(format!("{index}.dcm"));
        std::fs::write(&file, &bytes).unwrap();
        if let Some(mut dciodvfy) = coxa_testing::tool("dciodvfy") {
            let output = dciodvfy.arg("-new").arg(&file).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("Error"), "{said}");
        }
        let tags = archive.get(&format!("/instances/{id}/simplified-tags")).await;
        if tags["Modality"] != "SR" {
            continue;
        }
        if let Some(mut dsrdump) = coxa_testing::tool("dsrdump") {
            let output = dsrdump.arg(&file).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
            assert!(output.status.success() && text.contains("research use only"), "{text}");
            // The knee's report has the reason and no number.
            assert_eq!(text.contains("not read"), !text.contains("certainty of finding"), "{text}");
        }
    }
}

/// OHIF opens a film's study and its report over a DICOMweb.
async fn a_viewer_opens(node: &Running, root: &str, name: &str, film: &Film) {
    let study = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap().attributes.study_uid;
    let Some(mut viewer) = super::peers::node("ohif.js") else { return };
    let picture = coxa_testing::artifacts().join(format!("ohif-{name}.png"));
    viewer.arg(format!("{root}/dicom-web")).args([&study, "DX,SR"]).arg(picture);
    super::peers::run(viewer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_commitment_is_answered_on_an_association_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    if program().is_none() {
        return;
    }
    let archive_port = coxa_testing::free_port();
    let node = Running::start(|config| {
        config.roles = vec![coxa_serve::config::Role::Receive, coxa_serve::config::Role::Pages];
        config.peers = vec![coxa_serve::config::Peer {
            ae_title: "ORTHANC".into(),
            host: Some([127, 0, 0, 1].into()),
            port: Some(archive_port),
            tls: false,
            certificate: None,
            may: vec![coxa_serve::config::May::Store],
        }];
    })
    .await;
    let script =
        "function OnStoredInstance(instanceId, tags, metadata, origin) SendToModality(instanceId, 'coxa') end\n";
    let Some(archive) = Orthanc::start(folder.path(), node.dicom.unwrap(), archive_port, script).await else { return };
    let film = Film::new("commitment", 0);
    archive.put(&film).await;
    let begun = Instant::now();
    while node.app.db.film_by_uid(&film.uid).await.unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the film does not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // One that is kept, and one that never came.
    let absent = Film::new("never sent", 0);
    let body = json!({ "DicomInstances": [
        [super::support::DX, film.uid],
        [super::support::DX, absent.uid],
    ]});
    let asked = client()
        .post(format!("{}/modalities/coxa/storage-commitment", archive.http))
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let asked: Value = serde_json::from_str(&asked.text().await.unwrap()).unwrap();
    let path = asked["Path"].as_str().unwrap().to_owned();
    let state = loop {
        let state = archive.get(&path).await;
        if state["Status"] != "Pending" {
            break state;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no report: {state}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(state["Success"][0]["SOPInstanceUID"], *film.uid, "{state}");
    assert_eq!(state["Failures"][0]["SOPInstanceUID"], *absent.uid, "{state}");
    // The archive has the report a moment before the node has written that it was accepted.
    while node.json("/api/v1/status").await["commitments"] != json!([]) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the request stays open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    node.stop().await;
}
