//! QIDO-RS and WADO-RS: what is asked for, and nothing else.

use coxa_dimse::Status;
use coxa_serve::config::Role;
use reqwest::Method;
use serde_json::Value;

use super::support::{Film, Running, client, hip};

async fn node_with(films: &[&Film]) -> Running {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    for film in films {
        assert_eq!(node.store(film).await, Status::SUCCESS);
    }
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_what_they_name() {
    let (one, two) = (Film::new("qido one", 0), Film::knee("qido two"));
    let node = node_with(&[&one, &two]).await;
    let row = node.app.db.film_by_uid(&one.uid).await.unwrap().unwrap().attributes;
    let (study, series) = (&row.study_uid, &row.series_uid);
    for (path, found) in [
        ("/studies".to_owned(), 2),
        (format!("/studies?StudyInstanceUID={study}"), 1),
        (format!("/studies?0020000D={study},2.25.7"), 1),
        ("/studies?PatientID=SIM1".to_owned(), 2),
        ("/studies?PatientID=SIM%25".to_owned(), 0),
        ("/studies?PatientName=simulated*".to_owned(), 2),
        ("/studies?PatientName=S_MULATED*".to_owned(), 0),
        ("/studies?PatientName=S?MULATED^FILM".to_owned(), 2),
        ("/studies?StudyDate=19991231-20000101".to_owned(), 2),
        ("/studies?StudyDate=20000102-".to_owned(), 0),
        ("/studies?ModalitiesInStudy=DX".to_owned(), 2),
        ("/studies?Modality=CT".to_owned(), 0),
        ("/studies?limit=1".to_owned(), 1),
        ("/studies?limit=1&offset=2".to_owned(), 0),
        (format!("/studies/{study}/series"), 1),
        (format!("/studies/{study}/instances"), 1),
        (format!("/studies/{study}/series/{series}/instances"), 1),
        ("/series".to_owned(), 2),
        (format!("/instances?SOPInstanceUID={}", one.uid), 1),
        ("/instances?AccessionNumber=' OR 1=1 --".replace(' ', "%20"), 0),
    ] {
        let answer = node.json(&format!("/dicom-web{path}")).await;
        assert_eq!(answer.as_array().unwrap().len(), found, "{path}: {answer}");
    }
    for path in [
        "/studies?Foo=1",
        "/studies?StudyDate=yesterday",
        "/studies?StudyInstanceUID=../x",
        "/studies?limit=-1",
        "/studies?includefield=Foo",
    ] {
        assert_eq!(node.get(&format!("/dicom-web{path}")).await.status(), 400, "{path}");
    }
    let all = node.json(&format!("/dicom-web/studies/{study}/instances?includefield=all")).await;
    assert_eq!(all[0]["00280100"]["Value"][0], 16);
    let plain = node.json(&format!("/dicom-web/studies/{study}/instances")).await;
    assert!(plain[0].get("00280100").is_none());
    let named = node.json(&format!("/dicom-web/studies/{study}/instances?includefield=BitsAllocated")).await;
    assert_eq!(named[0]["00280100"]["Value"][0], 16);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_metadata_frames_and_pictures_are_given() {
    let film = Film::new("wado", 0);
    let node = node_with(&[&film]).await;
    let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap().attributes;
    let base = format!("/dicom-web/studies/{}/series/{}/instances/{}", row.study_uid, row.series_uid, film.uid);
    let get = async |path: &str, accept: &str| {
        client().get(format!("{}{path}", node.http)).header("accept", accept).send().await.unwrap()
    };

    let whole = get(&base, "application/dicom").await.bytes().await.unwrap();
    assert!(whole.ends_with(film.data_set()));
    let parts = get(&base, "multipart/related; type=\"application/dicom\"; transfer-syntax=*").await;
    assert!(parts.headers()["content-type"].to_str().unwrap().contains("boundary="));
    let parts = parts.bytes().await.unwrap();
    assert!(parts.windows(64).any(|window| window == &film.data_set()[..64]));
    for (path, accept) in [
        (base.clone(), "image/png"),
        (base.clone(), "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.4.90"),
        (format!("{base}/metadata"), "application/dicom+xml"),
        (format!("{base}/rendered"), "video/mp4"),
        (format!("{base}/frames/1"), "image/jpeg"),
    ] {
        assert_eq!(get(&path, accept).await.status(), 406, "{path} as {accept}");
    }

    let metadata: Value = node.json(&format!("{base}/metadata")).await;
    assert_eq!(metadata[0]["00280010"]["Value"][0], hip().height);
    assert!(metadata[0]["7FE00010"]["BulkDataURI"].as_str().unwrap().ends_with("/frames/1"));
    assert!(metadata[0]["7FE00010"].get("InlineBinary").is_none());

    let frame = get(&format!("{base}/frames/1"), "multipart/related; type=\"application/octet-stream\"").await;
    let frame = frame.bytes().await.unwrap();
    let length = hip().pixels.len() * 2;
    assert!(frame.len() > length && frame.len() < length + 400);
    assert_eq!(get(&format!("{base}/frames/2"), "*/*").await.status(), 404);
    assert_eq!(get(&format!("{base}/frames/0"), "*/*").await.status(), 400);

    let picture = get(&format!("{base}/rendered"), "image/png").await.bytes().await.unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    for path in
        [format!("{base}1"), format!("/dicom-web/studies/2.25.9/series/{}/instances/{}", row.series_uid, film.uid)]
    {
        assert_eq!(node.get(&path).await.status(), 404, "{path}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_where_one_is_required() {
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.require_token = true;
    })
    .await;
    for (name, scope) in [("viewer", coxa_serve::db::Scope::Read), ("pacs", coxa_serve::db::Scope::Admin)] {
        assert!(node.app.db.add_token(name, &format!("secret of {name}"), scope).await.unwrap());
        assert!(!node.app.db.add_token(name, "another", scope).await.unwrap(), "a name is taken once");
    }
    let status = async |method: Method, path: &str, token: &str| {
        let request = client().request(method, format!("{}{path}", node.http)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(node.get("/dicom-web/studies").await.status(), 401);
    assert_eq!(status(Method::GET, "/dicom-web/studies", "guess").await, 401);
    assert_eq!(status(Method::GET, "/dicom-web/studies", "secret of viewer").await, 200);
    assert_eq!(status(Method::POST, "/api/v1/resend", "secret of viewer").await, 403);
    assert_eq!(status(Method::POST, "/api/v1/resend", "secret of pacs").await, 200);
    assert_eq!(node.get("/health").await.status(), 200, "health is open");
    assert!(node.app.db.remove_token("viewer").await.unwrap());
    assert_eq!(status(Method::GET, "/dicom-web/studies", "secret of viewer").await, 401);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_reaches_nothing() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    for (header, value) in [("host", "evil.example"), ("origin", "https://evil.example"), ("origin", "null")] {
        let answer = client().get(format!("{}/api/v1/readings", node.http)).header(header, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{header}: {value}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_through_a_proxy_needs_a_token() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let status = async |node: &Running, path: &str, headers: &[(&str, &str)]| {
        let request = client().get(format!("{}{path}", node.http)).header("host", "localhost");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap().status().as_u16()
    };
    let paths = ["/dicom-web/studies", "/api/v1/readings", "/api/v1/status", "/fhir/DiagnosticReport"];
    for path in paths {
        assert_eq!(status(&node, path, &[]).await, 200, "{path} from this machine");
        for header in [("x-forwarded-for", "10.0.0.7"), ("forwarded", "for=10.0.0.7"), ("via", "1.1 proxy")] {
            assert_eq!(status(&node, path, &[header]).await, 401, "{path} with {header:?}");
        }
    }
    node.stop().await;
    // A proxy that adds no header looks like a program on this machine.
    let behind = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.people.address = Some("https://coxa.example".into());
    })
    .await;
    for path in paths {
        assert_eq!(status(&behind, path, &[]).await, 401, "{path} behind a proxy");
    }
    behind.stop().await;
}
