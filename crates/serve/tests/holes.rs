//! Holes that were published of other archives, tried on a node: names of files in UIDs, bodies that expand, redirects, addresses of the
//! link.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use coxa_dimse::Status;
use coxa_serve::config::{Fhir, Role};

use super::receive::stow;
use super::support::{Film, Running, client};

/// Every file below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A film with other text of the same length in place of its UID: in the file meta information, the data set, or both.
fn renamed(film: &Film, text: &str, [in_meta, in_data]: [bool; 2]) -> Vec<u8> {
    let forged: Vec<u8> = text.bytes().cycle().take(film.uid.len()).collect();
    let start = film.bytes.len() - film.data_set().len();
    let mut bytes = film.bytes.clone();
    let places: Vec<usize> = (0..bytes.len() - film.uid.len())
        .filter(|at| bytes[*at..].starts_with(film.uid.as_bytes()) && if *at < start { in_meta } else { in_data })
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + forged.len()].copy_from_slice(&forged);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_is_made_of_a_uid() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let data = node.folder.path().join("data");
    let others = |path: &std::path::PathBuf| !path.starts_with(data.join("films"));
    let before: Vec<_> = files(node.folder.path()).into_iter().filter(others).collect();
    for (index, text) in ["../../../x/", "/etc/coxa-x", "2.25.1\0../x", "C:\\x\\..\\"].into_iter().enumerate() {
        let film = Film::new(&format!("forged {index}"), 0);
        for places in [[false, true], [true, true]] {
            let (status, answer) = stow(&node, &[&renamed(&film, text, places)]).await;
            assert_eq!(
                (status, &answer["00081198"]["Value"][0]["00081197"]["Value"][0]),
                (409, &0xC000.into()),
                "{text}"
            );
            assert!(!answer.to_string().contains("x/"), "what was forged is not repeated: {answer}");
        }
        let forged = Film { bytes: renamed(&film, text, [false, true]), uid: film.uid.clone() };
        let mut association = node.association().await;
        let status = association.store(&film.object(), forged.data_set()).await.unwrap();
        association.release().await.unwrap();
        assert_eq!(status, Status::CANNOT_UNDERSTAND, "{text}");
        // In the file meta information alone it names nothing: what counts is the data set.
        let (status, answer) = stow(&node, &[&renamed(&film, text, [true, false])]).await;
        assert_eq!(status, 200, "{answer}");
        assert!(node.app.db.film_by_uid(&film.uid).await.unwrap().is_some());
    }
    let after: Vec<_> = files(node.folder.path()).into_iter().filter(others).collect();
    assert_eq!(before, after, "nothing is written beside the films");
    assert_eq!(files(&data.join("films")).len(), 4);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_not_inflated_and_a_preamble_is_kept_as_it_came() {
    use std::io::Write as _;
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..64).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
    let request = client().post(format!("{}/dicom-web/studies", node.http)).header("content-encoding", "gzip");
    let request = request.header("content-type", "multipart/related; type=\"application/dicom\"; boundary=b");
    let answer = request.body(encoder.finish().unwrap()).send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
    // A program before the film stays there for whoever asks for the original, and nothing else reads it.
    let film = Film::new("preamble", 0);
    let mut bytes = film.bytes.clone();
    bytes[..4].copy_from_slice(b"MZ\x90\0");
    assert_eq!(stow(&node, &[&bytes]).await.0, 200);
    let kept = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
    assert_eq!(node.app.store.get(&kept.attributes.sha256).await.unwrap(), bytes);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_follows_no_redirect() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let elsewhere = {
        let seen = std::sync::Arc::clone(&seen);
        move || async move {
            seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            StatusCode::OK
        }
    };
    let redirect = || async { Redirect::temporary("/elsewhere").into_response() };
    let router = axum::Router::new()
        .route("/fhir", axum::routing::post(redirect))
        .route("/elsewhere", axum::routing::any(elsewhere));
    tokio::spawn(super::faults::serve(listener, router));
    let fhir = Fhir { push: format!("http://{address}/fhir"), token: Some("secret".into()) };
    let node = Running::start(|config| config.fhir = Some(fhir)).await;
    assert_eq!(node.store(&Film::knee("redirected")).await, Status::SUCCESS);
    let begun = Instant::now();
    loop {
        let dead = node.app.db.dead(10).await.unwrap();
        if let Some(dead) = dead.first() {
            assert!(dead.queue == "fhir" && dead.error.contains("307"), "{dead:?}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 0);
    node.stop().await;
}
