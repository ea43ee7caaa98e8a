//! The DICOMweb client with Orthanc's server, and with servers that are broken or hostile.

use std::time::Duration;

use coxa_dimse::file::DicomFile;
use coxa_dimse::web::{Credentials, Level, Retrieve, Service, Settings, WebError, WebLimits};
use coxa_dimse::{Deadlines, Uid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::dicom_file;
use super::orthanc::{Orthanc, Plugin};

fn settings(base: String) -> Settings {
    Settings {
        base,
        credentials: Credentials::Basic { user: "coxa".into(), password: "secret".into() },
        authorities: None,
        own: None,
        deadlines: Deadlines {
            opening: Duration::from_secs(2),
            idle: Duration::from_secs(5),
            total: Duration::from_secs(30),
        },
        limits: WebLimits { page: 2, ..WebLimits::default() },
    }
}

fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn orthanc_stores_finds_and_gives_films() {
    let Some(orthanc) = Orthanc::start(1, Plugin::DicomWeb).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let base = format!("http://127.0.0.1:{}/dicom-web", orthanc.http);
    let service = Service::new(&settings(base.clone())).unwrap();
    let files: Vec<_> = (1..=5).map(|n| dicom_file(folder.path(), n)).collect();
    let mut stored = service.store(&files).await.unwrap();
    stored.stored.sort();
    assert_eq!(stored.stored, (1..=5).map(|n| uid(&format!("2.25.{n}"))).collect::<Vec<_>>());
    assert!(stored.failed.is_empty());

    // Five instances of one series, two a page.
    let (study, series) = (uid("2.25.100"), uid("2.25.200"));
    let level = Level::Instances { study: &study, series: &series };
    let matches = service.search(level, &[], 100).await.unwrap();
    assert_eq!((matches.found.len(), matches.is_cut), (5, false));
    let instance = |n: usize| matches.found[n]["00080018"]["Value"][0].as_str().unwrap().to_owned();
    let mut instances: Vec<_> = (0..5).map(instance).collect();
    instances.sort();
    assert_eq!(instances, ["2.25.1", "2.25.2", "2.25.3", "2.25.4", "2.25.5"]);
    let cut = service.search(level, &[], 3).await.unwrap();
    assert_eq!((cut.found.len(), cut.is_cut), (3, true));
    let query = [("PatientID", "SIMULATED"), ("includefield", "StudyInstanceUID")];
    let studies = service.search(Level::Studies, &query, 100).await.unwrap();
    assert_eq!(studies.found.len(), 1);
    assert_eq!(studies.found[0]["0020000D"]["Value"][0], "2.25.100");
    assert!(service.search(Level::Studies, &[("PatientID", "NOBODY & CO")], 9).await.unwrap().found.is_empty());
    assert_eq!(service.search(Level::Series { study: &study }, &[], 9).await.unwrap().found.len(), 1);

    // As it is stored: what is read is what was sent, but for the file meta information.
    let mut file = Vec::new();
    let n = service.retrieve_instance((&study, &series, &uid("2.25.3")), &mut file).await.unwrap();
    assert_eq!(n, file.len() as u64);
    let place = folder.path().join("retrieved.dcm");
    std::fs::write(&place, &file).unwrap();
    let (sent, read) = (DicomFile::read(&files[2]).unwrap(), DicomFile::read(&place).unwrap());
    assert_eq!(read.object, sent.object);
    assert_eq!(file[read.data_at as usize..], std::fs::read(&files[2]).unwrap()[sent.data_at as usize..]);
    let mut parts = service.retrieve(Retrieve::Series(&study, &series)).await.unwrap();
    let mut n = 0;
    while let Some(mut part) = parts.next().await.unwrap() {
        while part.next().await.unwrap().is_some() {}
        n += 1;
    }
    assert_eq!(n, 5);

    // Limits, a film that is not there, and credentials that are wrong.
    let limits = WebLimits { object: 100, ..WebLimits::default() };
    let narrow = Service::new(&Settings { limits, ..settings(base.clone()) }).unwrap();
    let error = narrow.retrieve_instance((&study, &series, &uid("2.25.3")), &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, WebError::Limit(_)), "{error}");
    let missing = service.retrieve_instance((&study, &series, &uid("2.25.77")), &mut Vec::new()).await.unwrap_err();
    assert!(matches!(missing, WebError::Status { status: 400..=499, .. }), "{missing}");
    let wrong = Credentials::Basic { user: "coxa".into(), password: "guessed".into() };
    let stranger = Service::new(&Settings { credentials: wrong, ..settings(base) }).unwrap();
    let error = stranger.search(Level::Studies, &[], 9).await.unwrap_err();
    assert!(matches!(error, WebError::Status { status: 401, .. }), "{error}");
    for error in [error, missing] {
        let text = format!("{error} {error:?}");
        assert!(!["guessed", "secret", "2.25", "studies"].iter().any(|word| text.contains(word)), "{text}");
    }
}

/// A server that answers every request with the same bytes, and what it was asked first.
async fn fixed(answer: Vec<u8>) -> (String, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, heard) = tokio::sync::mpsc::channel(100);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 16 * 1024];
            let n = stream.read(&mut request).await.unwrap();
            // The test may be over.
            let _ = asked.send(String::from_utf8_lossy(&request[..n]).into_owned()).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("http://{address}/web"), heard)
}

fn http(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_servers_get_an_error_each() {
    let json = "200 OK\r\nContent-Type: application/dicom+json";
    let parts = "200 OK\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b";
    let (mut elsewhere, mut heard) = fixed(http(json, b"[]")).await;
    elsewhere.push_str("/studies");
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for (answer, word) in [
        (http(&format!("302 Found\r\nLocation: {elsewhere}"), b""), "302"),
        (http(json, b"{"), "no JSON"),
        (http(json, b"[1]"), "no array"),
        (http(json, &deep), "no JSON"),
        // A page that repeats without end.
        (http(json, br#"[{"a":1},{"a":2}]"#), "repeats a page"),
        (http(json, &vec![b' '; 100_000]), "limit"),
        (http(&format!("{json}\r\nContent-Encoding: gzip"), b"[]"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n[".to_vec(), "searching at"),
        (b"nonsense".to_vec(), "searching at"),
        (Vec::new(), "searching at"),
    ] {
        let (base, _heard) = fixed(answer).await;
        let limits = WebLimits { page: 2, answer: 90_000, ..WebLimits::default() };
        let limits = if word == "no JSON" { WebLimits { answer: 1 << 20, ..limits } } else { limits };
        let service = Service::new(&Settings { limits, ..settings(base) }).unwrap();
        let error = service.search(Level::Studies, &[], 100).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error} does not name {word}");
    }
    // The redirect was not followed.
    assert!(heard.try_recv().is_err());
    let (study, series, instance) = (uid("2.25.1"), uid("2.25.2"), uid("2.25.3"));
    let part: &[u8] = b"--b\r\nContent-Type: application/dicom\r\n\r\n";
    for (answer, word) in [
        (http("200 OK\r\nContent-Type: text/html", b"<script>"), "neither"),
        (http("200 OK\r\nContent-Type: multipart/related", b""), "boundary"),
        (http(parts, b"--b\r\nContent-Type: application/dicom\r\n\r\nab"), "cut short"),
        (http(parts, b"--b--\r\n"), "no object"),
        (http(parts, &[part, b"a\r\n", part, b"b\r\n--b--\r\n"].concat()), "several"),
        (http(parts, &[part, &[0; 5000], b"\r\n--b--\r\n"].concat()), "limit"),
        (http(parts, b"--b\r\n\r\na\r\n--b\r\n\r\nb\r\n--b--\r\n"), "not application/dicom"),
        (http(parts, b"--b\r\nContent-Type: text/html\r\n\r\na\r\n--b--\r\n"), "not application/dicom"),
        (http("200 OK\r\nContent-Type: application/dicom", &[0; 5000]), "limit"),
    ] {
        let (base, _heard) = fixed(answer).await;
        let limits = WebLimits { object: 4000, ..WebLimits::default() };
        let service = Service::new(&Settings { limits, ..settings(base) }).unwrap();
        let taken = service.retrieve_instance((&study, &series, &instance), &mut Vec::new()).await;
        let error = taken.unwrap_err().to_string();
        assert!(error.contains(word), "{error} does not name {word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_left_in_time_and_a_token_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let deadlines = Deadlines { idle: Duration::from_millis(200), ..settings(String::new()).deadlines };
    let service = Service::new(&Settings { deadlines, ..settings(base) }).unwrap();
    let error = service.search(Level::Studies, &[], 9).await.unwrap_err();
    assert!(matches!(error, WebError::Timeout { .. }), "{error}");
    let (base, mut heard) = fixed(http("200 OK\r\nContent-Type: application/dicom", b"film")).await;
    let credentials = Credentials::Bearer("a-token".into());
    let service = Service::new(&Settings { credentials, ..settings(base) }).unwrap();
    let mut film = Vec::new();
    service.retrieve_instance((&uid("2.25.1"), &uid("2.25.2"), &uid("2.25.3")), &mut film).await.unwrap();
    assert_eq!(film, b"film");
    let request = heard.recv().await.unwrap();
    assert!(request.starts_with("GET /web/studies/2.25.1/series/2.25.2/instances/2.25.3 "), "{request}");
    assert!(request.contains("authorization: Bearer a-token") && request.contains("transfer-syntax=*"), "{request}");
}
