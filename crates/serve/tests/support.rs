//! A node in a folder of its own, films for it, and a client.

use std::path::Path;
use std::time::{Duration, Instant};

use coxa_dicom::dx::{self, AnatomicRegion, DxOptions, NO_DATE, Projection};
use coxa_dimse::{Association, Call, Limits, Object, Proposal, Status, Uid, connect, interactive};
use coxa_imaging::Laterality;
use coxa_serve::{Config, Node};
use serde_json::Value;
use tokio::sync::oneshot;

pub const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// A node that runs.
pub struct Running {
    pub folder: tempfile::TempDir,
    pub http: String,
    pub dicom: Option<std::net::SocketAddr>,
    pub app: std::sync::Arc<coxa_serve::http::App>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

/// The defaults, with free ports, a small disk's limit and a folder of its own.
pub fn config(folder: &Path) -> Config {
    Config {
        data: folder.join("data"),
        http: ([127, 0, 0, 1], 0).into(),
        dicom: ([127, 0, 0, 1], 0).into(),
        limits: coxa_serve::config::Limits { free_disk_mib: 1, ..Default::default() },
        network: coxa_serve::config::Network { threads: Some(1), ..Default::default() },
        ..Config::default()
    }
}

impl Running {
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        Self::start_in(folder, config).await
    }

    pub async fn start_in(folder: tempfile::TempDir, config: Config) -> Self {
        let node = Node::start(config).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let (http, dicom, app) = (format!("http://{}", node.http.unwrap()), node.dicom, node.app().clone());
        let task = tokio::spawn(async move {
            node.run_until(async { drop(stopped.await) }).await.unwrap();
        });
        Self { folder, http, dicom, app, stop, task }
    }

    pub async fn stop(self) -> tempfile::TempDir {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        self.folder
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        client().get(format!("{}{path}", self.http)).send().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    /// The lines of the readings, once there are so many and all are done.
    pub async fn done(&self, films: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let text = self.get("/api/v1/readings").await.text().await.unwrap();
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let waits = |line: &Value| matches!(line["state"].as_str(), Some("received" | "reading"));
            if lines.len() >= films && !lines.iter().any(waits) {
                return lines;
            }
            assert!(begun.elapsed() < Duration::from_secs(180), "the films are not done: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn association(&self) -> Association {
        connect(&call(self.dicom.unwrap())).await.unwrap()
    }

    pub async fn store(&self, film: &Film) -> Status {
        let mut association = self.association().await;
        let status = association.store(&film.object(), film.data_set()).await.unwrap();
        association.release().await.unwrap();
        status
    }
}

pub fn client() -> reqwest::Client {
    // The process's provider of TLS, which reqwest wants even for plain connections.
    coxa_dimse::tls::install_provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub fn call(to: std::net::SocketAddr) -> Call {
    Call {
        to: to.to_string(),
        called: "COXA".into(),
        calling: "TEST".into(),
        proposals: vec![Proposal::new(DX, &[EXPLICIT]), Proposal::new(coxa_dimse::VERIFICATION, &[EXPLICIT])],
        tls: None,
        deadlines: interactive(),
        limits: Limits::default(),
        implementation: ("2.25.1".into(), "TEST".into()),
    }
}

/// A film as a file.
#[derive(Clone)]
pub struct Film {
    pub bytes: Vec<u8>,
    pub uid: String,
}

impl Film {
    /// A small film of stripes; the same seed gives the same UIDs, another shade other pixels.
    pub fn new(seed: &str, shade: u16) -> Self {
        Self::of(seed, shade, AnatomicRegion::Pelvis, Laterality::Both)
    }

    /// A film that by its header is no hip.
    pub fn knee(seed: &str) -> Self {
        Self::of(seed, 0, AnatomicRegion::Knee, Laterality::Left)
    }

    fn of(seed: &str, shade: u16, body_part: AnatomicRegion, laterality: Laterality) -> Self {
        let pixels: Vec<u16> = (0..160u32 * 160).map(|i| ((i % 160) as u16 * 20 + shade) % 4096).collect();
        let options = DxOptions {
            rows: 160,
            columns: 160,
            bits_stored: 12,
            monochrome1: false,
            pixels: &pixels,
            window: None,
            spacing_mm: 2.0,
            view_position: Projection::AnteroPosterior,
            laterality,
            body_part,
            seed_uid: seed,
            study_date: NO_DATE,
            patient_id: "SIM1",
            age: Some(80),
            sex: None,
            burned_in_annotation: false,
        };
        let bytes = dx::to_vec(&options).unwrap();
        Self { bytes, uid: coxa_dicom::uid::derived("instance", seed) }
    }

    pub fn object(&self) -> Object {
        Object {
            sop_class: Uid::parse(DX).unwrap(),
            sop_instance: Uid::parse(&self.uid).unwrap(),
            transfer_syntax: EXPLICIT.into(),
        }
    }

    /// The bytes after the file meta information.
    pub fn data_set(&self) -> &[u8] {
        let length = u32::from_le_bytes(self.bytes[140..144].try_into().unwrap()) as usize;
        &self.bytes[144 + length..]
    }
}
