//! Films arrive, whole or not at all.

use coxa_dimse::Status;
use coxa_serve::config::{Role, Watch};

use super::support::{Film, Running, client};

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_kept_as_it_came_and_its_state_is_told() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let film = Film::new("receive one", 0);
    assert_eq!(node.store(&film).await, Status::SUCCESS);
    // Again: the same film, once.
    assert_eq!(node.store(&film).await, Status::SUCCESS);
    let text = node.get("/api/v1/readings").await.text().await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].contains(&film.uid) && lines[0].contains("\"state\":\"received\""), "{text}");
    let kept = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
    let bytes = node.app.store.get(&kept.attributes.sha256).await.unwrap();
    assert!(bytes.ends_with(film.data_set()), "the data set's bytes are those that came");
    assert_eq!(&bytes[..128], [0; 128], "a preamble of a peer could carry anything");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_film_with_a_taken_uid_is_kept_apart_and_shown() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let (first, second) = (Film::new("taken", 0), Film::new("taken", 7));
    assert_eq!(first.uid, second.uid);
    assert_eq!(node.store(&first).await, Status::SUCCESS);
    assert_eq!(node.store(&second).await, Status::SUCCESS);
    let status = node.json("/api/v1/status").await;
    let conflicts = status["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1);
    let apart = node.app.store.get(conflicts[0]["sha256"].as_str().unwrap()).await.unwrap();
    assert!(apart.ends_with(second.data_set()));
    let kept = node.app.db.film_by_uid(&first.uid).await.unwrap().unwrap();
    assert!(
        node.app.store.get(&kept.attributes.sha256).await.unwrap().ends_with(first.data_set()),
        "the first one stays"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_the_same_whichever_way_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let drop = folder.path().join("drop");
    std::fs::create_dir(&drop).unwrap();
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.watch = Watch { folders: vec![drop.clone()], every_seconds: 1 };
    })
    .await;
    let film = Film::new("every way", 0);
    // From the modality, from the archive with another title, by the web with a preamble, from a folder.
    assert_eq!(node.store(&film).await, Status::SUCCESS);
    let mut call = super::support::call(node.dicom.unwrap());
    call.calling = "ARCHIVE".into();
    let mut association = coxa_dimse::connect(&call).await.unwrap();
    assert_eq!(association.store(&film.object(), film.data_set()).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    let mut bytes = film.bytes.clone();
    bytes[..128].fill(b'x');
    let (status, answer) = stow(&node, &[&bytes]).await;
    assert_eq!(status, 200, "{answer}");
    std::fs::write(drop.join("film.dcm"), &film.bytes).unwrap();
    let metrics = async || node.get("/metrics").await.text().await.unwrap();
    let begun = std::time::Instant::now();
    while !metrics().await.contains("kind=\"same\"} 3") {
        assert!(begun.elapsed().as_secs() < 60, "{}", metrics().await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(node.json("/api/v1/status").await["conflicts"].as_array().unwrap().len(), 0);
    let data = node.folder.path().join("data");
    assert_eq!(files(&data.join("films")), 1, "one file, that of the first way");
    // The same pixels with another name is another film under its UID, and one file more, however often it comes.
    for _ in 0..2 {
        assert_eq!(node.store(&Film::new("every way", 9)).await, Status::SUCCESS);
    }
    assert_eq!(files(&data.join("films")), 2);
    assert_eq!(node.json("/api/v1/status").await["conflicts"].as_array().unwrap().len(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_documents_and_bombs_are_kept_as_they_are() {
    use std::io::Write as _;
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    // A value of 20 MiB within the header, as an encapsulated document has it.
    let film = Film::new("large", 0);
    let pixels = film.data_set().windows(4).position(|tag| tag == [0xE0, 0x7F, 0x10, 0]).unwrap();
    let (head, rest) = film.data_set().split_at(pixels);
    let mut large = head.to_vec();
    large.extend([0x42, 0, 0x11, 0, b'O', b'B', 0, 0]);
    large.extend((20u32 << 20).to_le_bytes());
    large.resize(large.len() + (20 << 20), 7);
    large.extend(rest);
    let mut association = node.association().await;
    assert_eq!(association.store(&film.object(), &large[..]).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    // 600 MiB of pixels in less than one: nobody inflates them to know whose they are.
    let bomb = Film::new("bomb", 0);
    let pixels = bomb.data_set().windows(4).position(|tag| tag == [0xE0, 0x7F, 0x10, 0]).unwrap();
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&bomb.data_set()[..pixels]).unwrap();
    encoder.write_all(&[0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0]).unwrap();
    encoder.write_all(&(600u32 << 20).to_le_bytes()).unwrap();
    (0..600).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
    let deflated = encoder.finish().unwrap();
    let mut call = super::support::call(node.dicom.unwrap());
    let syntax = "1.2.840.10008.1.2.1.99";
    call.proposals = vec![coxa_dimse::Proposal::new(super::support::DX, &[syntax])];
    let object = coxa_dimse::Object { transfer_syntax: syntax.into(), ..bomb.object() };
    let mut association = coxa_dimse::connect(&call).await.unwrap();
    assert_eq!(association.store(&object, &deflated[..]).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    for film in [&film, &bomb] {
        let kept = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
        assert_eq!(
            (kept.attributes.patient_id.as_str(), kept.attributes.rows),
            ("SIM1", super::support::hip().height as i64)
        );
        assert!(kept.attributes.metadata.len() < 100_000);
    }
    node.stop().await;
}

/// A film's data set in a transfer syntax, as far as it can be written without an encoder of pictures: its pixels in a fragment, or bytes
/// that are no picture.
fn data_set_in(film: &Film, syntax: &str) -> Vec<u8> {
    use dicom_encoding::TransferSyntaxIndex as _;
    use std::io::Write as _;
    let deflate = |bytes: &[u8]| {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    match syntax {
        "1.2.840.10008.1.2.1" => return film.data_set().to_vec(),
        "1.2.840.10008.1.2.1.99" => return deflate(film.data_set()),
        "1.2.840.10008.1.2" | "1.2.840.10008.1.2.2" => {
            let object = dicom_object::from_reader(&film.bytes[..]).unwrap().into_inner();
            let syntax = dicom_transfer_syntax_registry::TransferSyntaxRegistry.get(syntax).unwrap();
            let mut bytes = Vec::new();
            object.write_dataset_with_ts(&mut bytes, syntax).unwrap();
            return bytes;
        }
        _ => {}
    }
    let pixels = film.data_set().windows(4).position(|tag| tag == [0xE0, 0x7F, 0x10, 0]).unwrap();
    let (head, rest) = film.data_set().split_at(pixels);
    let mut frame = match syntax {
        "1.2.840.10008.1.2.1.98" => rest[12..].to_vec(),
        "1.2.840.10008.1.2.8.1" => deflate(&rest[12..]),
        _ => b"no picture".to_vec(),
    };
    frame.resize(frame.len().next_multiple_of(2), 0);
    let mut bytes = head.to_vec();
    bytes.extend([0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    bytes.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0, 0xE0]);
    bytes.extend((frame.len() as u32).to_le_bytes());
    bytes.extend(frame);
    bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_syntax_is_stored_and_read_or_not_read_with_its_reason() {
    let node = Running::start(|_| {}).await;
    let syntaxes = coxa_serve::receive::dicom::transfer_syntaxes();
    let mut films = Vec::new();
    for (syntax, name) in syntaxes {
        let film = Film::new(name, 0);
        let mut call = super::support::call(node.dicom.unwrap());
        call.proposals = vec![coxa_dimse::Proposal::new(super::support::DX, &[syntax])];
        let object = coxa_dimse::Object { transfer_syntax: (*syntax).into(), ..film.object() };
        let mut association = coxa_dimse::connect(&call).await.unwrap();
        let status = association.store(&object, &data_set_in(&film, syntax)[..]).await.unwrap();
        association.release().await.unwrap();
        assert_eq!(status, Status::SUCCESS, "{name}");
        films.push((film.uid, *name));
    }
    // A syntax that is not defined yet, by STOW-RS: associations accept the list alone.
    let film = Film::new("a syntax of the future", 0);
    let at = film.bytes.windows(20).position(|text| text == b"1.2.840.10008.1.2.1\0").unwrap();
    let mut bytes = film.bytes.clone();
    bytes[at..at + 20].copy_from_slice(b"1.2.840.10008.1.2.9\0");
    let (status, answer) = stow(&node, &[&bytes]).await;
    assert_eq!(status, 200, "{answer}");
    films.push((film.uid, "of the future"));
    let lines = node.done(films.len()).await;
    let is_whole = |name: &str| name.contains("VR") || name.contains("Image Frame");
    for (uid, name) in films {
        let line = lines.iter().find(|line| line["sop_instance_uid"] == uid.as_str()).unwrap();
        let state = line["state"].as_str().unwrap();
        assert_eq!(state, if is_whole(name) { "read" } else { "not_read" }, "{name}: {line}");
        assert!(is_whole(name) || !line["reason"].as_str().unwrap().is_empty(), "{line}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn films_that_are_kept_no_longer_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("bucket");
    let node = Running::start(|config| {
        config.objects = Some(format!("file://{}", bucket.display()));
        config.limits.read_tries = 1;
    })
    .await;
    let film = Film::knee("kept no longer");
    assert_eq!(node.store(&film).await, Status::SUCCESS);
    assert_eq!(node.store(&Film::new("kept no longer", 9)).await, Status::SUCCESS);
    let (data, later) = (node.folder.path().join("data/films"), coxa_serve::db::now() + 1_000_000_000);
    assert_eq!(files(&data), 2, "one under its UID, one apart");
    let name = node.app.config.node_name();
    let begun = std::time::Instant::now();
    let row = loop {
        // Copied, and read.
        if let Some(film) = node.app.db.done_before(later, &name, 10).await.unwrap().first() {
            break film.id;
        }
        assert!(begun.elapsed().as_secs() < 60);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    node.app.db.remove_film(row).await.unwrap();
    // The bucket is away, and what it has is not forgotten.
    let aside = folder.path().join("aside");
    std::fs::rename(&bucket, &aside).unwrap();
    std::fs::write(&bucket, "no folder").unwrap();
    assert!(node.app.intake.tidy().await.is_err());
    std::fs::remove_file(&bucket).unwrap();
    std::fs::rename(&aside, &bucket).unwrap();
    assert_eq!(files(&bucket), 1);
    node.app.intake.tidy().await.unwrap();
    assert_eq!((files(&data), files(&bucket)), (0, 0));
    assert!(node.app.db.leftovers(&name, true, 10).await.unwrap().is_empty());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_film_is_refused_and_leaves_nothing() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let film = Film::new("announced", 0);
    let other = Film::new("another", 0);
    let mut association = node.association().await;
    // Announced with another UID than the data set has.
    let status = association.store(&film.object(), other.data_set()).await.unwrap();
    assert_eq!(status, Status::DATA_SET_MISMATCH);
    // A length that goes beyond the end.
    let mut broken = film.data_set().to_vec();
    broken.truncate(60);
    assert_eq!(association.store(&film.object(), &broken[..]).await.unwrap(), Status::CANNOT_UNDERSTAND);
    // An element of almost 4 GiB, which would be made room for.
    let mut huge = film.data_set()[..18].to_vec();
    huge.extend([0x08, 0, 0x08, 0, b'U', b'N', 0, 0, 0xF0, 0xFF, 0xFF, 0xFF]);
    assert_eq!(association.store(&film.object(), &huge[..]).await.unwrap(), Status::CANNOT_UNDERSTAND);
    // An administrator sees each, and what to do.
    for _ in 0..100 {
        let refused = node.json("/api/v1/status").await["refused"].as_array().unwrap().clone();
        if refused.len() >= 2 && refused.iter().map(|one| one["times"].as_i64().unwrap()).sum::<i64>() == 3 {
            let is_told =
                |one: &serde_json::Value| one["reason"].as_str().unwrap().starts_with("an object was not stored");
            assert!(refused.iter().all(|one| is_told(one) && one["remedy"].as_str().unwrap().contains("at the peer")));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(!node.json("/api/v1/status").await["refused"].as_array().unwrap().is_empty());
    // The association goes on, and a good film is stored.
    assert_eq!(association.store(&film.object(), film.data_set()).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    let data = node.folder.path().join("data");
    assert_eq!(std::fs::read_dir(data.join("incoming")).unwrap().count(), 0, "nothing half-received stays");
    assert_eq!(files(&data.join("films")), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_answered_with_busy() {
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.limits.free_disk_mib = u64::MAX >> 20;
    })
    .await;
    let film = Film::new("full", 0);
    assert_eq!(node.store(&film).await, Status::OUT_OF_RESOURCES);
    assert_eq!(node.get("/ready").await.status(), 503);
    assert_eq!(stow(&node, &[&film.bytes]).await.0, 503);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_association_is_shown_with_its_remedy() {
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.peers = vec![coxa_serve::config::Peer {
            ae_title: "MODALITY".into(),
            host: None,
            port: None,
            tls: false,
            certificate: None,
            may: vec![coxa_serve::config::May::Store],
        }];
    })
    .await;
    let mut call = super::support::call(node.dicom.unwrap());
    call.calling = "modality".into();
    assert!(coxa_dimse::connect(&call).await.is_err());
    assert!(coxa_dimse::connect(&call).await.is_err());
    for _ in 0..100 {
        let refused = node.json("/api/v1/status").await["refused"].clone();
        if refused[0]["times"] == 2 {
            assert_eq!(refused[0]["calling"], "modality");
            assert!(refused[0]["remedy"].as_str().unwrap().contains("did you mean MODALITY?"), "{refused}");
            node.stop().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the refusal is not shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_folder_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let drop = folder.path().join("drop");
    std::fs::create_dir_all(drop.join("below")).unwrap();
    let film = Film::new("watched", 0);
    std::fs::write(drop.join("below/film.dcm"), &film.bytes).unwrap();
    std::fs::write(drop.join("notes.txt"), "no film").unwrap();
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.watch = Watch { folders: vec![drop.clone()], every_seconds: 1 };
    })
    .await;
    for _ in 0..200 {
        if let Some(kept) = node.app.db.film_by_uid(&film.uid).await.unwrap() {
            assert_eq!(node.app.store.get(&kept.attributes.sha256).await.unwrap(), film.bytes, "byte for byte");
            assert!(drop.join("below/film.dcm").is_file(), "the file stays where it is");
            node.stop().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the film was not taken in");
}

#[tokio::test(flavor = "multi_thread")]
pub async fn stow_answers_for_each_part() {
    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    let (one, two) = (Film::new("stow one", 0), Film::new("stow two", 0));
    let (status, answer) = stow(&node, &[&one.bytes, &two.bytes]).await;
    assert_eq!((status, answer["00081199"]["Value"].as_array().unwrap().len()), (200, 2), "{answer}");
    // A good one and garbage.
    let three = Film::new("stow three", 0);
    let (status, answer) = stow(&node, &[&three.bytes, b"garbage"]).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["00081198"]["Value"][0]["00081197"]["Value"][0], 0xC000);
    // Garbage alone.
    assert_eq!(stow(&node, &[b"garbage"]).await.0, 409);
    // A conflict.
    assert_eq!(stow(&node, &[&Film::new("stow one", 9).bytes]).await.0, 409);
    // Another study's object than the address says: it is not stored at all.
    let other = Film::new("stow elsewhere", 0);
    let (status, answer) = stow_to(&node, "/dicom-web/studies/2.25.1", &[&other.bytes]).await;
    assert_eq!((status, &answer["00081198"]["Value"][0]["00081197"]["Value"][0]), (409, &serde_json::json!(0xA900)));
    assert!(node.app.db.film_by_uid(&other.uid).await.unwrap().is_none());
    // What is no multipart, one that ends in the middle, and one of another type.
    for (kind, body, status) in [
        ("application/dicom", one.bytes.clone(), 415),
        (
            "multipart/related; type=\"application/dicom\"; boundary=b",
            b"--b\r\nContent-Type: application/dicom\r\n\r\nhal".to_vec(),
            400,
        ),
        ("multipart/related; type=\"application/dicom+xml\"; boundary=b", Vec::new(), 415),
        ("multipart/related; type=\"application/dicom\"; boundary=b", b"--b--\r\n".to_vec(), 400),
    ] {
        let answer = client()
            .post(format!("{}/dicom-web/studies", node.http))
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{kind}");
    }
    node.stop().await;
}

/// Stores by STOW-RS; the status and the answer.
pub async fn stow(node: &Running, parts: &[&[u8]]) -> (u16, serde_json::Value) {
    stow_to(node, "/dicom-web/studies", parts).await
}

async fn stow_to(node: &Running, path: &str, parts: &[&[u8]]) -> (u16, serde_json::Value) {
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(b"--xyz\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xyz--\r\n");
    let answer = client()
        .post(format!("{}{path}", node.http))
        .header("content-type", "multipart/related; type=\"application/dicom\"; boundary=xyz")
        .body(body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

fn files(folder: &std::path::Path) -> usize {
    walk(folder).len()
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(walk(&path)) } else { all.push(path) }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ports_are_encrypted_where_there_are_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key, authority) = certificates(folder.path());
    let node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.tls =
            Some(coxa_serve::config::Tls { certificate: certificate.clone(), key: key.clone(), authorities: None });
    })
    .await;
    let film = Film::new("encrypted", 0);
    let mut call = super::support::call(node.dicom.unwrap());
    assert!(coxa_dimse::connect(&call).await.is_err(), "a plain association is none");
    call.tls = Some(coxa_dimse::tls::Connector::new(&authority, None).unwrap());
    let mut association = coxa_dimse::connect(&call).await.unwrap();
    assert_eq!(association.store(&film.object(), film.data_set()).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    if let Some(mut peer) = super::peers::node("dimse.js") {
        let other = Film::new("encrypted by another", 0);
        let file = folder.path().join("film.dcm");
        std::fs::write(&file, &other.bytes).unwrap();
        peer.args(["scu", &node.dicom.unwrap().port().to_string()]).arg(file).arg(&authority);
        super::peers::run(peer).await;
        assert!(node.app.db.film_by_uid(&other.uid).await.unwrap().is_some());
    }

    let plain = client().get(format!("{}/health", node.http)).send().await;
    assert!(plain.is_err(), "a plain request gets no answer");
    let root = reqwest::Certificate::from_pem(&std::fs::read(&authority).unwrap()).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let answer =
        trusting.get(format!("{}/dicom-web/studies", node.http.replace("http://", "https://"))).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    node.stop().await;
}

/// A certificate of 127.0.0.1 with its key, and the authority that signed it.
fn certificates(folder: &std::path::Path) -> (std::path::PathBuf, std::path::PathBuf, std::path::PathBuf) {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    // An issuer of its subject's name would be taken for the same certificate.
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    (write("own.pem", own.pem()), write("key.pem", key.serialize_pem()), write("authority.pem", authority.pem()))
}

#[tokio::test(flavor = "multi_thread")]
async fn web_connections_that_are_silent_or_trickle_lose_their_place() {
    use std::time::{Duration, Instant};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let node = Running::start(|config| config.roles = vec![Role::Receive, Role::Pages]).await;
    // The node's own routes with little patience and two places.
    let pace = coxa_serve::http::Pace {
        opening: Duration::from_secs(1),
        silence: Duration::from_secs(2),
        request: Duration::from_secs(4),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let router = coxa_serve::http::router(&node.app);
    let serving = coxa_serve::http::listen(listener, router, None, (2, pace), stopped, Duration::from_secs(1));
    let serving = tokio::spawn(serving);
    let head = "POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\
                Content-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n\r\n";
    for (name, first) in [("nothing", ""), ("half of the headers", &head[..40]), ("no body", head), ("a trickle", head)]
    {
        let begun = Instant::now();
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(first.as_bytes()).await.unwrap();
            let (mut from, mut to) = stream.into_split();
            held.push(tokio::spawn(async move {
                let mut answer = Vec::new();
                // A reset is an end as well.
                let _ = from.read_to_end(&mut answer).await;
            }));
            let trickles = name == "a trickle";
            held.push(tokio::spawn(async move {
                while trickles && to.write_all(b"-").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                // Half-closed is no end.
                let _ = trickles || to.write_all(b"").await.is_ok();
                tokio::time::sleep(Duration::from_secs(if trickles { 0 } else { 3600 })).await;
            }));
        }
        // A third one is answered when their time is over, and not after an hour.
        let ask = async {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::time::timeout(Duration::from_secs(60), ask).await.expect("a place becomes free");
        assert!(answer.contains("200 OK"), "{name}: {answer}");
        assert!(begun.elapsed() >= pace.opening / 2, "{name}: the places were not held");
        held.iter().for_each(tokio::task::JoinHandle::abort);
    }
    stop.send(true).unwrap();
    serving.await.unwrap().unwrap();
    node.stop().await;
}
