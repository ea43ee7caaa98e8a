//! A node in a folder of its own, films for it, and a client.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use coxa_dicom::dx::{self, AnatomicRegion, DxOptions, NO_DATE, Projection};
use coxa_dimse::{Association, Call, Limits, Object, Proposal, Status, Uid, connect, interactive};
use coxa_imaging::Laterality;
use coxa_serve::db::{NewPerson, NewSession};
use coxa_serve::people::Role;
use coxa_serve::people::session::{Stage, form_token, stored};
use coxa_serve::{Config, Node};
use coxa_simulate::{Domain, FilmKind, FilmOptions, SimulatedFilm};
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
    /// The person whose session [`Running::get`] uses.
    pub me: Option<Visitor>,
    /// The line that an administrator begins with.
    pub first_sign_in: Option<String>,
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
        let first_sign_in = node.first_sign_in();
        let task = tokio::spawn(async move {
            node.run_until(async { drop(stopped.await) }).await.unwrap();
        });
        Self { folder, http, dicom, app, me: None, first_sign_in, stop, task }
    }

    pub async fn stop(self) -> tempfile::TempDir {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        self.folder
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        match &self.me {
            Some(me) => me.get(path).await,
            None => client().get(format!("{}{path}", self.http)).send().await.unwrap(),
        }
    }

    /// An account, whose password is `the password of NAME`.
    pub async fn person(&self, name: &str, roles: &[Role]) -> i64 {
        let password = self.app.passwords.hash(&format!("the password of {name}")).await.unwrap();
        let person = NewPerson {
            name: name.into(),
            full_name: name.to_uppercase(),
            roles: roles.iter().copied().collect(),
            password: password.clone(),
            is_local: false,
        };
        let id = self.app.db.add_person(&person).await.unwrap().unwrap();
        self.app.db.set_password(id, &password, false).await.unwrap();
        id
    }

    /// A session of a person, begun without the form.
    pub async fn session(&self, person: i64, stage: Stage) -> Visitor {
        let secret = coxa_serve::secret();
        let session =
            NewSession { hash: stored(&secret), person, stage, address: "127.0.0.1".into(), agent: "a test".into() };
        self.app.db.begin_session(&session, 0, 0).await.unwrap();
        Visitor { http: self.http.clone(), cookie: format!("coxa={secret}"), form: form_token(&secret) }
    }

    /// Somebody of these roles, signed in.
    pub async fn visitor(&self, name: &str, roles: &[Role]) -> Visitor {
        self.session(self.person(name, roles).await, Stage::Full).await
    }

    /// Whoever has no session.
    pub fn stranger(&self) -> Visitor {
        Visitor { http: self.http.clone(), cookie: String::new(), form: String::new() }
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

/// A browser of somebody: its cookie, the token of its forms, and the headers that browsers send.
#[derive(Clone)]
pub struct Visitor {
    pub http: String,
    pub cookie: String,
    pub form: String,
}

impl Visitor {
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        coxa_dimse::tls::install_provider();
        let redirect = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(redirect).build().unwrap();
        let request = client.request(method, format!("{}{path}", self.http));
        if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) }
    }

    /// Opens a page.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.request(reqwest::Method::GET, path).header("accept", "text/html,*/*").send().await.unwrap()
    }

    /// The text of a page that opens.
    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// Sends a form of a page, its token among the fields.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let token = [("form", self.form.as_str())];
        let fields = token.iter().filter(|(_, token)| !token.is_empty()).chain(fields);
        let body: Vec<String> = fields.map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let request = self.request(reqwest::Method::POST, path).header("origin", &self.http);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(body.join("&")).send().await.unwrap()
    }

    /// Takes the cookie of an answer as a browser does, and the token of the page that it leads to.
    pub async fn follow(&mut self, response: &reqwest::Response) -> String {
        if let Some(cookie) = response.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        let to = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        if !to.is_empty() {
            let page = self.get(&to).await.text().await.unwrap();
            self.form =
                page.split("name=\"form\" value=\"").nth(1).unwrap_or_default().split('"').next().unwrap().into();
        }
        to
    }
}

/// A value in a form.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |all, b| {
        if b.is_ascii_alphanumeric() { all + &char::from(b).to_string() } else { all + &format!("%{b:02X}") }
    })
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

/// What films show that are to be read: the gate refuses what is no hip.
pub fn hip() -> &'static SimulatedFilm {
    static HIP: LazyLock<SimulatedFilm> = LazyLock::new(|| {
        coxa_simulate::pelvis(1, 0, &FilmOptions { size: 192, kind: FilmKind::Normal, domain: Domain::PLAIN })
    });
    &HIP
}

impl Film {
    /// A small film of [`hip`]; the same seed gives the same UIDs, another shade (0 to 270) other pixels.
    pub fn new(seed: &str, shade: u16) -> Self {
        Self::of_hip(seed, shade, AnatomicRegion::Pelvis, Laterality::Both)
    }

    /// A film that by its header is no hip.
    pub fn knee(seed: &str) -> Self {
        Self::of_hip(seed, 0, AnatomicRegion::Knee, Laterality::Left)
    }

    /// A film of 160 × 160 pixels, each row 0, 20, 40 … 3,180, which is no picture of a hip.
    pub fn stripes(seed: &str) -> Self {
        let pixels: Vec<u16> = (0..160 * 160).map(|i| i % 160 * 20).collect();
        Self::of(seed, [160, 160], &pixels, AnatomicRegion::Pelvis, Laterality::Both)
    }

    /// A film of 1,300 × 900 pixels, which has several tiles: dark on the left and bright on the right.
    pub fn ramp(seed: &str) -> Self {
        let pixels: Vec<u16> = (0..1300u32 * 900).map(|i| (i % 1300 * 3) as u16).collect();
        Self::of(seed, [900, 1300], &pixels, AnatomicRegion::Pelvis, Laterality::Both)
    }

    fn of_hip(seed: &str, shade: u16, body_part: AnatomicRegion, laterality: Laterality) -> Self {
        let hip = hip();
        let pixels: Vec<u16> = coxa_simulate::display8(hip).iter().map(|p| u16::from(*p) * 15 + shade).collect();
        Self::of(seed, [hip.height, hip.width], &pixels, body_part, laterality)
    }

    fn of(
        seed: &str,
        [rows, columns]: [usize; 2],
        pixels: &[u16],
        body_part: AnatomicRegion,
        laterality: Laterality,
    ) -> Self {
        let options = DxOptions {
            rows,
            columns,
            bits_stored: 12,
            monochrome1: false,
            pixels,
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
