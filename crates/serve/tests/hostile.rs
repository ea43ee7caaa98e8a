//! Hostile text in every field that a peer or a person can write, followed to every place where it comes out again: pages, lists, exports,
//! the log, result objects, JSON.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use coxa_dimse::{Status, connect};
use coxa_serve::config::{Destination, Peer, Role as NodeRole};
use coxa_serve::db::ObjectKind;
use coxa_serve::people::Role;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use serde_json::Value;

use crate::pages::{film, is_clean};
use crate::postgres::postgres;
use crate::support::{Film, Running, call, encoded};

/// A word that stands in every one of the texts, by which they are found.
const MARK: &str = "Zwx";

/// What is written where a name should be.
const TEXTS: [&str; 8] = [
    "<script>alert('Zwx')</script>",
    "\"><img src=x onerror=alert(1)> Zwx '",
    "{{7*7}}${7*7}<%= 7*7 %> Zwx",
    "=cmd|' /C calc'!A0 Zwx",
    "Zwx\u{202E}gnp.exe\u{2066}\u{200B}",
    "Zwx\u{1B}$B;3ED\u{1B}(B\u{1B}[2J",
    "Zwx\r\nSet-Cookie: a=b\r\n\r\nlevel=ERROR forged",
    "';DROP TABLE instance;--Zwx %s %n ../../etc/passwd",
];

/// The log of this test program.
fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    let begin = || {
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let made = Arc::clone(&log);
        let filter = tracing_subscriber::EnvFilter::new("coxa_serve=debug,coxa_dimse=debug,info");
        let builder = tracing_subscriber::fmt().with_ansi(false).with_env_filter(filter);
        builder.with_writer(move || Lines(Arc::clone(&made))).try_init().unwrap();
        log
    };
    Arc::clone(LOG.get_or_init(begin))
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A film with a text in every field that is shown or handed on.
fn hostile(seed: &str, text: &str) -> Film {
    let mut film = Film::new(seed, 0);
    let mut object = dicom_object::from_reader(film.bytes.as_slice()).unwrap();
    for (tag, vr) in [
        (tags::PATIENT_NAME, VR::PN),
        (tags::PATIENT_ID, VR::LO),
        (tags::ACCESSION_NUMBER, VR::SH),
        (tags::STUDY_ID, VR::SH),
        (tags::STUDY_DESCRIPTION, VR::LO),
        (tags::SERIES_DESCRIPTION, VR::LO),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
        (tags::MANUFACTURER, VR::LO),
        (tags::MANUFACTURER_MODEL_NAME, VR::LO),
        (tags::DEVICE_SERIAL_NUMBER, VR::LO),
        (tags::SOFTWARE_VERSIONS, VR::LO),
        (tags::STATION_NAME, VR::SH),
        (tags::INSTITUTION_NAME, VR::LO),
        (tags::PROTOCOL_NAME, VR::LO),
        (tags::WINDOW_CENTER_WIDTH_EXPLANATION, VR::LO),
        (tags::IMAGE_COMMENTS, VR::LT),
    ] {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
    }
    object.put(DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, PrimitiveValue::from("ISO_IR 192")));
    film.bytes.clear();
    object.write_all(&mut film.bytes).unwrap();
    film
}

fn has_hidden(text: &str) -> Option<char> {
    let is_hidden = |c: &char| {
        c.is_control() && !matches!(c, '\n' | '\t' | '\r')
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().find(is_hidden)
}

/// A page that shows hostile text and does nothing by it.
fn is_harmless(page: &str, path: &str) {
    is_clean(page, path);
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("<%="), "{path}");
    assert!(
        !page.contains("49${7*7}") && !page.contains("{{7*7}}49") && !page.contains("49 Zwx"),
        "{path}: it was evaluated"
    );
    assert_eq!(has_hidden(page), None, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_writes_does_nothing_wherever_it_comes_out() {
    let log = log();
    let calling = "<b>{{7*7}}\"'Zwx";
    let node = Running::start(|config| {
        config.peers = vec![Peer {
            ae_title: calling.into(),
            host: None,
            port: None,
            tls: false,
            certificate: None,
            may: vec![coxa_serve::config::May::Store],
        }];
        // Nobody answers there: the objects are made, and wait.
        config.destinations = vec![Destination {
            name: "pacs".into(),
            ae_title: "PACS".into(),
            host: "127.0.0.1".into(),
            port: coxa_testing::free_port(),
            tls: false,
            sends: vec![ObjectKind::Sr, ObjectKind::Gsps, ObjectKind::Sc],
        }];
        config.network.threshold = Some(0.0);
        let folder = config.data.parent().unwrap().join("watched");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("Zwx\n\u{202E}\u{1B}[2J<script>.dcm"), "no film").unwrap();
        config.watch.folders = vec![folder];
        config.watch.every_seconds = 1;
    })
    .await;
    let films: Vec<Film> = TEXTS.iter().enumerate().map(|(i, text)| hostile(&format!("hostile {i}"), text)).collect();
    let mut called = call(node.dicom.unwrap());
    called.calling = calling.into();
    called.implementation = ("2.25.1".into(), "=1+1<i>Zwx\u{7}".into());
    let mut association = connect(&called).await.unwrap();
    for film in &films {
        assert_eq!(association.store(&film.object(), film.data_set()).await.unwrap(), Status::SUCCESS);
    }
    association.release().await.unwrap();
    // Somebody who is not let in, with a title that would end a line of the configuration.
    let refused = "A\", may=[\"query\"";
    called.calling = refused.into();
    assert!(connect(&called).await.is_err());
    let lines = node.done(films.len()).await;
    assert!(lines.iter().all(|line| line["state"] == "read"), "{lines:?}");

    let person = node.person("doe", &[Role::Physician, Role::Administrator, Role::Auditor]).await;
    let doe = node.session(person, coxa_serve::people::session::Stage::Full).await;
    let mut pages = vec!["/".to_owned(), "/worklist".into(), "/operations".into(), "/audit".into(), "/?q=Zwx".into()];
    for film in &films {
        let id = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap().id;
        for text in TEXTS {
            let fields = [("verdict", "disagree"), ("note", text), ("back", text)];
            assert!(doe.post(&format!("/films/{id}/reviews"), &fields).await.status().as_u16() < 400);
        }
        pages.push(format!("/films/{id}"));
    }
    for path in &pages {
        let page = doe.page(path).await;
        is_harmless(&page, path);
        let shows = path.starts_with("/films") || path.starts_with("/w") || path.len() < 2;
        assert!(!shows || page.contains(MARK), "{path} shows nothing of it");
    }
    for text in TEXTS {
        for path in ["/?q=", "/worklist?q=", "/audit?action=", "/signin?next=", "/films/", "/people/", "/"] {
            let path = format!("{path}{}", encoded(text));
            let page = doe.get(&path).await;
            assert!(page.status().as_u16() < 500, "{path}");
            let page = page.text().await.unwrap();
            if page.contains("<html") {
                is_harmless(&page, &path);
            }
        }
    }
    interfaces(&node, &films).await;
    exports(&doe, &node).await;
    objects(&node, &films).await;
    // The line that would allow the refused peer allows it, and says no more.
    let status = node.json("/api/v1/status").await;
    let remedy = status["refused"][0]["remedy"].as_str().unwrap();
    let line = remedy.split("add: [[peer]] ").nth(1).unwrap().to_owned();
    let parsed: toml::Table = line.replace(", host", "\nhost").replace(", may = [\"s", "\nmay = [\"s").parse().unwrap();
    assert_eq!(parsed["ae_title"].as_str(), Some(refused.replace('"', "").as_str()), "{remedy}");
    assert_eq!(parsed["may"].as_array().unwrap().len(), 1, "{remedy}");
    node.stop().await;
    // The log names no patient, and no line of it is anybody else's.
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let named: Vec<&str> = text.lines().filter(|line| line.contains(MARK) && !line.contains(" A\\\"")).collect();
    assert!(
        named.iter().all(|line| !line.contains("alert") && !line.contains("DROP") && !line.contains("forged")),
        "{named:?}"
    );
    assert_eq!(has_hidden(&text), None);
    assert!(!text.lines().any(|line| line.starts_with("level=ERROR") || line.starts_with("Set-Cookie")));
}

/// JSON is JSON, has what the film has, and an error is a line of text that no browser takes for a page.
async fn interfaces(node: &Running, films: &[Film]) {
    let found = node.json("/dicom-web/instances?Modality=DX").await;
    let names: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["00100020"]["Value"][0].as_str().map(str::to_owned))
        .collect();
    assert_eq!(names.len(), films.len());
    let plain = |text: &str| text.split('\\').next().unwrap().trim().to_owned();
    for text in TEXTS {
        assert!(names.contains(&plain(text)), "{text:?} in {names:?}");
    }
    let bundle = node.json("/fhir/DiagnosticReport").await;
    let entries = bundle["entry"].as_array().unwrap();
    assert_eq!(entries.len(), films.len());
    for entry in entries {
        let id = entry["resource"]["subject"]["identifier"]["value"].as_str().unwrap();
        let without_controls = |text: &str| plain(text).chars().filter(|c| !c.is_control()).collect::<String>();
        assert!(TEXTS.iter().any(|text| without_controls(text) == id), "{id:?}");
    }
    for text in TEXTS.into_iter().chain(["\0", "%", "\u{FFFD}"]) {
        for path in [
            "/dicom-web/instances?PatientName=",
            "/dicom-web/studies?PatientID=",
            "/dicom-web/studies?StudyDate=",
            "/dicom-web/studies?includefield=",
            "/dicom-web/studies?limit=",
            "/dicom-web/studies/",
            "/fhir/DiagnosticReport?study=",
            "/fhir/DiagnosticReport?_lastUpdated=",
            "/fhir/Observation/",
            "/api/v1/readings?since=",
            "/api/v1/readings/",
        ] {
            let answer = node.get(&format!("{path}{}", encoded(text))).await;
            let (status, media) =
                (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned());
            let body = answer.text().await.unwrap();
            assert!(status < 500 && !media.contains("html"), "{path}{text:?}: {status} {media}");
            // What a program asked for is given as it is; a line of ours repeats nothing hidden.
            let is_line = media.starts_with("text/plain");
            assert!(!body.contains('\u{1B}'), "{path}{text:?}: {body:?}");
            assert!(!is_line || !body.contains('\u{202E}'), "{path}{text:?}: {body:?}");
            if media.contains("json") && !media.contains("ndjson") {
                assert!(serde_json::from_str::<Value>(&body).is_ok(), "{path}{text:?}: {body}");
            }
        }
    }
}

/// No cell of a table is a formula, and no line ends early.
async fn exports(doe: &crate::support::Visitor, node: &Running) {
    let csv = doe.get("/audit/export.csv").await.text().await.unwrap();
    assert_eq!(has_hidden(&csv), None);
    let width = csv.lines().next().unwrap().split(',').count();
    for line in csv.split("\r\n").filter(|line| !line.is_empty()) {
        assert!(!line.contains(['\r', '\n']), "{line:?}");
        // Number and moment stand without quotation marks.
        assert!(line.starts_with("seq,") || line.matches("\",\"").count() == width - 3, "{line}");
    }
    let xml = doe.get("/audit/export.xml").await.text().await.unwrap();
    assert!(has_hidden(&xml).is_none() && !xml.contains("<script") && !xml.contains("<img"));
    let metrics = node.get("/metrics").await.text().await.unwrap();
    assert!(!metrics.contains(MARK), "{metrics}");
}

/// The result objects have the film's own name and number, as texts, and a reader that is not ours reads them.
async fn objects(node: &Running, films: &[Film]) {
    let identity = |bytes: &[u8]| {
        let object = dicom_object::from_reader(bytes).unwrap();
        let text = |tag| object.element(tag).unwrap().to_str().unwrap().trim().to_owned();
        [tags::PATIENT_NAME, tags::PATIENT_ID, tags::ACCESSION_NUMBER].map(text)
    };
    let mut reports = 0;
    for film in films {
        let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
        let study = row.attributes.study_uid;
        let all = node.json(&format!("/dicom-web/studies/{study}/instances?includefield=00080016")).await;
        for one in all.as_array().unwrap() {
            let of = |tag: &str| one[tag]["Value"][0].as_str().unwrap().to_owned();
            if of("00080018") == film.uid {
                continue;
            }
            let path = format!("/dicom-web/studies/{study}/series/{}/instances/{}", of("0020000E"), of("00080018"));
            let request = crate::support::client().get(format!("{}{path}", node.http));
            let bytes = request.header("accept", "application/dicom").send().await.unwrap().bytes().await.unwrap();
            assert_eq!(identity(&bytes), identity(&film.bytes), "{path}");
            if of("00080016") == "1.2.840.10008.5.1.4.1.1.88.33"
                || of("00080016").starts_with("1.2.840.10008.5.1.4.1.1.88")
            {
                reports += 1;
                let file = node.folder.path().join("report.dcm");
                std::fs::write(&file, &bytes).unwrap();
                if let Some(mut dsrdump) = coxa_testing::tool("dsrdump") {
                    let read = dsrdump.arg(&file).output().unwrap();
                    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
                }
            }
        }
    }
    assert_eq!(reports, films.len(), "a report for each film");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_breaks_no_database() {
    let mut urls = vec![None];
    urls.extend(postgres().map(|server| Some(server.database("nul"))));
    for url in urls {
        let node = Running::start(|config| {
            config.roles = vec![NodeRole::Receive, NodeRole::Pages];
            config.database = url.clone();
            config.objects = url.as_ref().map(|_| format!("file://{}", config.data.with_file_name("bucket").display()));
        })
        .await;
        let id = film(&node, "A", |_| {}, crate::pages::read(0.95)).await;
        let doe = node.visitor("doe", &[Role::Physician, Role::Administrator, Role::Auditor]).await;
        let note = [("verdict", "unsure"), ("note", "a\0b"), ("back", "?q=\0")];
        for (path, fields) in [
            (format!("/films/{id}/reviews"), note.as_slice()),
            ("/people".into(), [("name", "a\0b"), ("full_name", "A\0B")].as_slice()),
            ("/people".into(), [("name", "roe"), ("full_name", "A\0B"), ("physician", "1")].as_slice()),
            ("/operations/resend".into(), [("kind", "job\0"), ("id", "1\0")].as_slice()),
            ("/operations/echo".into(), [("to", "pa\0cs")].as_slice()),
            ("/me/factor/confirm".into(), [("code", "\0")].as_slice()),
            ("/me/sessions/end".into(), [("session", "\0")].as_slice()),
        ] {
            let status = doe.post(&path, fields).await.status().as_u16();
            assert!(status < 500, "{path}: {status}");
        }
        for (name, password) in [("a\0b", "x"), ("doe", "\0"), ("doe\0", "the password of doe")] {
            let status = node.stranger().post("/signin", &[("name", name), ("password", password)]).await.status();
            assert_eq!(status, 401, "{name:?}");
        }
        for path in
            ["/?q=%00", "/audit?action=%00", "/films/%00", "/signin?next=%00", "/dicom-web/studies?PatientID=%00"]
        {
            assert_eq!(doe.get(path).await.status(), 400, "{path}");
        }
        let notes = node.app.db.reviews(id).await.unwrap();
        assert!(notes.iter().all(|review| !review.note.contains('\0')), "{notes:?}");
        // A session of a browser whose name has one cannot be: HTTP has no NUL in a header.
        node.stop().await;
    }
}
