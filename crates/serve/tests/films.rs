//! Films are read once each, and what is not read says why.

use coxa_dimse::Status;
use coxa_serve::config::Destination;
use coxa_serve::db::{FilmQuery, ObjectKind};
use dicom_core::header::{Tag, VR};
use dicom_core::{DataElement, PrimitiveValue};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileDicomObject, InMemDicomObject};

use super::support::{Film, Running, hip};

#[tokio::test(flavor = "multi_thread")]
async fn films_are_read_or_not_and_the_reason_is_told() {
    let node = Running::start(|_| {}).await;
    let (hip, knee) = (Film::new("hip", 0), Film::knee("knee"));
    // A film whose pixels end too early.
    let mut short = Film::new("short", 0);
    short.bytes.truncate(short.bytes.len() - 1000);
    for film in [&hip, &knee, &short] {
        assert_eq!(node.store(film).await, Status::SUCCESS);
    }
    let lines = node.done(3).await;
    let of = |film: &Film| lines.iter().find(|line| line["sop_instance_uid"] == *film.uid).unwrap();
    assert_eq!(of(&hip)["state"], "read", "{}", of(&hip));
    assert!(of(&hip)["probability"].as_f64().is_some_and(|p| (0.0..=1.0).contains(&p)));
    assert_eq!(of(&hip)["notice"], "research use only");
    for (film, reason) in [(&knee, "knee"), (&short, "truncated")] {
        let line = of(film);
        assert_eq!(line["state"], "not_read", "{line}");
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
        assert!(line["probability"].is_null() && line["finding"].is_null(), "{line}");
    }
    fhir(&node, &knee, &hip).await;
    let metrics = node.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("coxa_read_total{kind=\"not_read\"} 2"), "{metrics}");
    node.stop().await;
}

async fn fhir(node: &Running, knee: &Film, hip: &Film) {
    let bundle = node.json("/fhir/DiagnosticReport").await;
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 3);
    for (film, has_value) in [(knee, false), (hip, true)] {
        let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
        let report = node.json(&format!("/fhir/DiagnosticReport/{}", row.id)).await;
        let observation = &report["contained"][0];
        assert_eq!(observation["valueQuantity"].is_object(), has_value, "{observation}");
        assert_eq!(observation["dataAbsentReason"].is_object(), !has_value, "{observation}");
        assert!(report["conclusion"].as_str().unwrap().ends_with("research use only."));
        assert_eq!(report["status"], "preliminary");
        let study = node.json(&format!("/fhir/DiagnosticReport?study=urn:oid:{}", row.attributes.study_uid)).await;
        assert_eq!(study["total"], 1);
    }
    // Page by page, each report once, with the number of all.
    let (mut next, mut seen) =
        (Some("/fhir/DiagnosticReport?_count=2&_lastUpdated=ge2020-01-01T00:00:00Z".to_owned()), Vec::new());
    while let Some(place) = next {
        let page = node.json(&place).await;
        assert_eq!(page["total"], 3, "{page}");
        let entries = page["entry"].as_array().unwrap();
        assert!(entries.len() <= 2);
        seen.extend(entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()));
        let link = page["link"].as_array().unwrap().iter().find(|link| link["relation"] == "next");
        next = link.map(|link| link["url"].as_str().unwrap().to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
    let none = node.json("/fhir/DiagnosticReport?study=urn:oid:2.25.4711").await;
    assert!(none["total"] == 0 && none["entry"].is_null(), "{none}");
    assert_eq!(node.get("/fhir/DiagnosticReport/4711").await.status(), 404);
}

/// A film whose header was changed.
fn changed(seed: &str, change: impl FnOnce(&mut FileDicomObject<InMemDicomObject>)) -> Film {
    let film = Film::new(seed, 0);
    let mut object = dicom_object::from_reader(&film.bytes[..]).unwrap();
    change(&mut object);
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).unwrap();
    Film { bytes, uid: film.uid }
}

fn set(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) {
    object.put(DataElement::new(tag, vr, value.into()));
}

/// A photograph of a hip, as a department's camera sends it: Secondary Capture in colors.
fn photograph() -> Film {
    changed("photograph", |object| {
        for (tag, value) in [(tags::SAMPLES_PER_PIXEL, 3u16), (tags::BITS_ALLOCATED, 8), (tags::BITS_STORED, 8)] {
            set(object, tag, VR::US, value);
        }
        set(object, tags::HIGH_BIT, VR::US, 7u16);
        set(object, tags::PLANAR_CONFIGURATION, VR::US, 0u16);
        set(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB");
        let colors: Vec<u8> = (0..hip().pixels.len()).flat_map(|i| [(i % 160) as u8, (i / 160) as u8, 90]).collect();
        set(object, tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(colors.into()));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_about_a_chest_a_knee_or_a_photograph_has_a_probability() {
    let archive = Running::start(|config| config.roles = vec![coxa_serve::config::Role::Receive]).await;
    let node = Running::start(|config| {
        config.destinations = vec![Destination {
            name: "archive".into(),
            ae_title: "COXA".into(),
            host: "127.0.0.1".into(),
            port: archive.dicom.unwrap().port(),
            tls: false,
            sends: vec![ObjectKind::Sr, ObjectKind::Gsps, ObjectKind::Sc, ObjectKind::ParametricMap],
        }];
    })
    .await;
    let chest = changed("chest", |object| {
        object.remove_element(tags::ANATOMIC_REGION_SEQUENCE);
        set(object, tags::BODY_PART_EXAMINED, VR::CS, "CHEST");
    });
    // Only the picture of the stripes says that they are no hip.
    let mut films = vec![
        (chest, "CHEST"),
        (Film::knee("a knee"), "knee"),
        (photograph(), "colors"),
        (Film::stripes("stripes"), ""),
    ];
    for (film, _) in &films {
        assert_eq!(node.store(film).await, Status::SUCCESS);
    }
    if let Some(file) = coxa_testing::data("dicom/conformance/RG1_J2KI.dcm") {
        let bytes = std::fs::read(file).unwrap();
        let object = dicom_object::from_reader(&bytes[..]).unwrap();
        let uid = object.element(tags::SOP_INSTANCE_UID).unwrap().to_str().unwrap().trim_end_matches('\0').to_owned();
        assert_eq!(super::receive::stow(&node, &[&bytes]).await.0, 200);
        films.push((Film { bytes, uid }, ""));
    }
    for line in node.done(films.len()).await {
        let (_, reason) = films.iter().find(|(film, _)| line["sop_instance_uid"] == *film.uid).unwrap();
        assert_eq!(line["state"], "not_read", "{line}");
        let stated = line["reason"].as_str().unwrap();
        assert!(!stated.is_empty() && stated.to_lowercase().contains(&reason.to_lowercase()), "{line}");
        assert!(line["probability"].is_null() && line["finding"].is_null() && line["regions"].is_null(), "{line}");
    }
    for (film, _) in &films {
        let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
        let report = node.json(&format!("/fhir/DiagnosticReport/{}", row.id)).await;
        assert!(report["contained"][0]["dataAbsentReason"].is_object(), "{report}");
        let text = report.to_string();
        assert!(text.contains("ot read") && !text.contains("valueQuantity"), "{text}");
        reports_have_no_number(&node, &archive, &row.attributes.study_uid).await;
    }
    node.stop().await;
    archive.stop().await;
}

/// What the archive got for a film that was not read: a report with the reason and without any number, and no heat map.
async fn reports_have_no_number(node: &Running, archive: &Running, study: &str) {
    let query = FilmQuery { study_uid: vec![study.to_owned()], limit: 20, ..FilmQuery::default() };
    let mut got = Vec::new();
    for _ in 0..600 {
        got = archive.app.db.films(&query).await.unwrap();
        if got.iter().any(|object| object.attributes.sop_class_uid == uids::COMPREHENSIVE3_DSR_STORAGE) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(node.app.db.dead(9).await.unwrap().is_empty());
    assert!(got.iter().all(|object| object.attributes.sop_class_uid != uids::PARAMETRIC_MAP_STORAGE));
    let report = got.iter().find(|object| object.attributes.sop_class_uid == uids::COMPREHENSIVE3_DSR_STORAGE).unwrap();
    let bytes = archive.app.store.get(&report.attributes.sha256).await.unwrap();
    let object = dicom_object::from_reader(&bytes[..]).unwrap();
    let (mut texts, mut numbers) = (Vec::new(), 0);
    walk(&object, &mut texts, &mut numbers);
    assert!(texts.iter().any(|text| text.starts_with("Not read: ")), "{texts:?}");
    assert_eq!(numbers, 0, "a report of a film that was not read measures nothing");
}

/// Texts and numeric values of a report's content tree.
fn walk(item: &InMemDicomObject, texts: &mut Vec<String>, numbers: &mut usize) {
    for element in item {
        if element.header().tag == tags::MEASURED_VALUE_SEQUENCE {
            *numbers += 1;
        }
        if element.header().tag == tags::TEXT_VALUE {
            texts.push(element.to_str().unwrap().into_owned());
        }
        for inner in element.items().unwrap_or_default() {
            walk(inner, texts, numbers);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_goes_on_where_it_was() {
    let node = Running::start(|config| config.roles = vec![coxa_serve::config::Role::Receive]).await;
    let films: Vec<Film> = (0..3).map(|i| Film::new(&format!("later {i}"), i)).collect();
    for film in &films {
        assert_eq!(node.store(film).await, Status::SUCCESS);
    }
    let folder = node.stop().await;
    let config = super::support::config(folder.path());
    let node = Running::start_in(folder, config).await;
    let lines = node.done(3).await;
    assert!(lines.iter().all(|line| line["state"] == "read"), "{lines:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_working_node_is_a_node_again() {
    use coxa_serve::backup::{BackupError, backup, restore};
    let node = Running::start(|config| {
        config.roles = vec![coxa_serve::config::Role::Receive, coxa_serve::config::Role::Pages]
    })
    .await;
    let film = Film::new("backed up", 0);
    assert_eq!(node.store(&film).await, Status::SUCCESS);
    let (data, copy) = (node.folder.path().join("data"), node.folder.path().join("copy"));
    assert_eq!(backup(&data, &copy, |_| {}).await.unwrap(), 1);
    assert!(matches!(backup(&data, &copy, |_| {}).await, Err(BackupError::Taken(_))));
    let folder = node.stop().await;
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(restore(&copy, &data, |_| {}).unwrap(), 1);
    assert!(matches!(restore(&copy, &data, |_| {}), Err(BackupError::Taken(_))));
    let config = super::support::config(folder.path());
    let node = Running::start_in(folder, config).await;
    assert_eq!(node.done(1).await[0]["state"], "read");
    // The audit log goes on under the same key, whole.
    let keys = node.app.audit.keys();
    let (trusted, head) = ([keys.public().to_owned()], keys.kept_head().unwrap().unwrap());
    let report = coxa_serve::audit::verify(&node.app.db, &trusted, &[head]).await.unwrap();
    assert!(report.is_sound() && report.entries >= 2, "{:?}", report.faults);
    let folder = node.stop().await;
    // A damaged film is no backup.
    let (copy, again) = (folder.path().join("copy"), folder.path().join("again"));
    let damaged = std::fs::read_dir(copy.join("films"))
        .unwrap()
        .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap())
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(damaged, "other bytes").unwrap();
    assert!(matches!(restore(&copy, &again, |_| {}), Err(BackupError::Damaged(_))));
    assert!(!again.exists(), "nothing half-restored");
}
