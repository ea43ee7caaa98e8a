//! Collections as reviewers see them: progress and reports, films withheld for review, and decisions that the next run applies; nothing of a
//! patient on any page.

use std::path::Path;
use std::sync::Arc;

use coxa_collect::{FilmRecord, Reason, RowOutcome, RowRecord};
use coxa_deidentify::{
    Decisions, Deidentifier, Key, Outputs, PixelCleaning, Rectangle, Review, Settings, StoredPixels, TextDetector,
    TextFound, WithheldList, deidentify_files,
};
use coxa_dicom::dx::{self, AnatomicRegion, DxOptions, NO_DATE, Projection};
use coxa_imaging::Laterality;
use coxa_serve::config::{Collection, Role as NodeRole};
use coxa_serve::db::AuditQuery;
use coxa_serve::people::Role;

use crate::pages::is_clean;
use crate::support::{Running, Visitor};

/// The patient's number, which stands in the header as the name too.
const PATIENT: &str = "QUISLING77";
const SIZE: usize = 160;
pub const REGION: Rectangle = Rectangle { x: 12, y: 8, width: 96, height: 20 };
const OTHER: Rectangle = Rectangle { x: 10, y: 130, width: 40, height: 12 };

struct Marks;

impl TextDetector for Marks {
    fn find(&self, _: StoredPixels<'_>) -> TextFound {
        TextFound { text: Vec::new(), unsure: vec![REGION, OTHER] }
    }
}

fn film(seed: &str) -> Vec<u8> {
    let pixels: Vec<u16> = (0..SIZE * SIZE).map(|i| (i * 7 % 4096) as u16).collect();
    let options = DxOptions {
        rows: SIZE,
        columns: SIZE,
        bits_stored: 12,
        monochrome1: false,
        pixels: &pixels,
        window: None,
        spacing_mm: 2.0,
        view_position: Projection::AnteroPosterior,
        laterality: Laterality::Both,
        body_part: AnatomicRegion::Pelvis,
        seed_uid: seed,
        study_date: NO_DATE,
        patient_id: PATIENT,
        age: Some(80),
        sex: None,
        burned_in_annotation: false,
    };
    dx::to_vec(&options).unwrap()
}

/// De-identifies two films into `films`, as `coxa deidentify` does, with the decisions so far; returns how many are withheld.
fn deidentify(folder: &Path) -> usize {
    let at = |name: &str| folder.join(name);
    let decisions = Decisions::read_if_there(&at("films/regions.csv")).unwrap();
    let pixels = PixelCleaning { detector: Some(Arc::new(Marks)), ..PixelCleaning::default() };
    let deidentifier =
        Deidentifier::new(Key::from_bytes([3; 32]), Settings { pixels, decisions, ..Settings::default() });
    let files = ["in/one.dcm", "in/two.dcm", "in/letter.txt"].map(at);
    let outputs = Outputs { films: &at("films"), identified: Some(&at("identified")) };
    deidentify_files(&deidentifier, &files, outputs, 1, None, |_| Ok(())).unwrap()
}

fn record(serial: u64, reason: Reason, review: Option<Review>) -> FilmRecord {
    let file = (reason == Reason::Taken).then(|| format!("images/PABC/S{serial:06}.dcm"));
    FilmRecord {
        serial,
        reason,
        instead: None,
        detail: (reason == Reason::Withheld).then(|| "it is truncated".to_owned()),
        review,
        decided: None,
        file,
        sha256: None,
        date: None,
        view: String::new(),
        is_limb: false,
    }
}

/// The journal of a collection that is half done.
fn journal(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let review = Review { columns: 300, rows: 200, regions: vec![REGION] };
    let row = |row, outcome, reason, films| RowRecord {
        row,
        patient: format!("P{row}"),
        day: "2010-01-01".into(),
        outcome,
        reason,
        detail: (outcome == RowOutcome::Failed).then(|| "it does not answer".to_owned()),
        films,
        left: [(Reason::View, 2)].into(),
    };
    let rows = [
        row(2, RowOutcome::Found, Reason::Taken, vec![record(1, Reason::Taken, None)]),
        row(3, RowOutcome::Missing, Reason::AllWithheld, vec![record(17, Reason::ToReview, Some(review))]),
        row(4, RowOutcome::Missing, Reason::AllWithheld, vec![record(18, Reason::Withheld, None)]),
        row(5, RowOutcome::Failed, Reason::ArchiveFailed, Vec::new()),
    ];
    let mut text = "{\"collection\":{\"version\":1,\"key_check\":\"k\",\"rules\":\"r\"}}\n".to_owned();
    for row in &rows {
        text += &format!("{{\"injury\":{}}}\n", serde_json::to_string(row).unwrap());
    }
    // A run is writing at this moment.
    text += "{\"injury\":{\"row\":6,\"pat";
    std::fs::write(folder.join("journal.jsonl"), text).unwrap();
    let registry = "patient,injury_date\n".to_owned() + &"P,2010-01-01\n".repeat(8);
    std::fs::write(folder.join("registry.csv"), registry).unwrap();
    std::fs::write(folder.join("report.csv"), "registry_row,serial\n2,1\n").unwrap();
}

/// Four collections: `hips` from a PACS, half done; `films` with two films to review, which were kept; one in which nothing has begun; and
/// one that cannot be read.
pub fn collections(folder: &Path) -> Vec<Collection> {
    let at = |name: &str| folder.join(name);
    std::fs::create_dir_all(at("in")).unwrap();
    std::fs::create_dir_all(at("broken")).unwrap();
    std::fs::write(at("in/one.dcm"), film("one")).unwrap();
    std::fs::write(at("in/two.dcm"), film("two")).unwrap();
    std::fs::write(at("in/letter.txt"), "Dear colleague").unwrap();
    std::fs::write(at("broken/withheld.json"), "[").unwrap();
    assert_eq!(deidentify(folder), 3);
    journal(&at("hips"));
    let of = |name: &str, identified: Option<&str>| Collection {
        name: name.into(),
        folder: at(name),
        identified: identified.map(at),
    };
    vec![of("hips", None), of("films", Some("identified")), of("new", None), of("broken", None)]
}

async fn node() -> (Running, Visitor) {
    let node = Running::start(|config| {
        config.roles = vec![NodeRole::Pages];
        config.collections = collections(config.data.parent().unwrap());
    })
    .await;
    let reviewer = node.visitor("rita", &[Role::Reviewer]).await;
    (node, reviewer)
}

/// A page that opens, is well formed and names no patient.
async fn page(visitor: &Visitor, path: &str, node: &Running) -> String {
    let page = visitor.page(path).await;
    is_clean(&page, path);
    names_nobody(&page, path, node);
    page
}

fn names_nobody(page: &str, path: &str, node: &Running) {
    let (uid, folder) =
        (coxa_dicom::uid::derived("instance", "one"), node.folder.path().to_string_lossy().into_owned());
    for secret in [PATIENT, &uid, "2.25.", &folder, "PABC", "2010-01-01", "one.dcm"] {
        assert!(!page.to_uppercase().contains(&secret.to_uppercase()), "{path} holds {secret}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_and_report_are_shown_while_a_run_goes_on() {
    let (node, reviewer) = node().await;
    let list = page(&reviewer, "/collections", &node).await;
    assert!(list.contains("4 of 8 injuries done"), "{list}");
    assert!(list.contains("Nothing has been collected") && list.contains("cannot be read"), "{list}");
    let hips = page(&reviewer, "/collections/hips", &node).await;
    for words in [
        "href=\"/collections/hips/films/17\"",
        "Each film that the rules want was withheld or excluded.",
        "<code>view</code>",
        "it is truncated",
        "it does not answer",
        "Not decided yet",
        "href=\"/collections/hips/report.csv\"",
    ] {
        assert!(hips.contains(words), "{words}: {hips}");
    }
    let report = reviewer.get("/collections/hips/report.csv").await;
    assert_eq!(report.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(report.text().await.unwrap(), "registry_row,serial\n2,1\n");
    let films = page(&reviewer, "/collections/films", &node).await;
    assert!(
        films.contains("it is not a DICOM file") && films.contains("/collections/films/films/3\"").eq(&false),
        "{films}"
    );
    assert_eq!(films.matches("Not decided yet").count(), 2);
    page(&reviewer, "/collections/new", &node).await;
    assert_eq!(reviewer.get("/collections/broken").await.status(), 503);
    for path in
        ["/collections/absent", "/collections/..%2Fhips", "/collections/films/report.csv", "/collections/hips/films/1"]
    {
        assert_eq!(reviewer.get(path).await.status(), 404, "{path}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_seen_from_the_folder_that_is_named_and_from_nowhere_else() {
    let (node, reviewer) = node().await;
    // Without a folder, the outline alone.
    let outline = page(&reviewer, "/collections/hips/films/17", &node).await;
    assert!(outline.contains("id=\"no-picture\"") && !outline.contains("<image"), "{outline}");
    assert!(
        outline.contains("viewBox=\"0 0 300 200\"") && outline.contains("x=\"12\" y=\"8\" width=\"96\" height=\"20\"")
    );
    assert_eq!(reviewer.get("/collections/hips/films/17/picture").await.status(), 404);
    let film = page(&reviewer, "/collections/films/films/1", &node).await;
    assert!(film.contains("<image href=\"/collections/films/films/1/picture\"") && !film.contains("no-picture"));
    assert!(film.contains("rel=\"next\" href=\"/collections/films/films/2\""));
    for (path, size) in [
        ("/collections/films/films/1/picture", (160, 160)),
        // The region and what is around it, as far as the film goes.
        ("/collections/films/films/1/regions/1", (12 + 96 + 40, 8 + 20 + 40)),
        ("/collections/films/films/1/regions/2", (10 + 40 + 40, 160 - 90)),
    ] {
        let picture = reviewer.get(path).await;
        assert_eq!(
            (picture.status().as_u16(), &picture.headers()["cache-control"]),
            (200, &"no-store".parse().unwrap())
        );
        let png = picture.bytes().await.unwrap();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((number(16), number(20)), size, "{path}");
    }
    for path in [
        "/collections/films/films/1/regions/3",
        "/collections/films/films/1/regions/0",
        "/collections/films/films/9/picture",
    ] {
        assert_eq!(reviewer.get(path).await.status(), 404, "{path}");
    }
    let query = AuditQuery { action: "withheld_opened".into(), ..AuditQuery::default() };
    let entries = node.app.db.audit_after(&query, 0, 50).await.unwrap();
    assert!(entries.len() >= 4 && entries.iter().all(|entry| entry.body.contains("\"rita\"")));
    assert!(entries.iter().any(|entry| entry.body.contains("\"failure\"")), "what is guessed is recorded too");
    entries.iter().for_each(|entry| names_nobody(&entry.body, "audit", &node));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_written_for_the_next_run_which_applies_them() {
    let (node, reviewer) = node().await;
    let folder = node.folder.path().to_owned();
    let table = || std::fs::read_to_string(folder.join("films/regions.csv")).unwrap_or_default();
    let decide = async |film: usize, fields: &[(&str, &str)]| {
        let answer = reviewer.post(&format!("/collections/films/films/{film}"), fields).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        names_nobody(&text, "the answer", &node);
        status
    };
    assert_eq!(decide(1, &[("decision", "accept")]).await, 303);
    assert_eq!(table(), "serial,x,y,width,height,verdict\n1,12,8,96,20,blank\n1,10,130,40,12,blank\n");
    assert!(page(&reviewer, "/collections/films/films/1", &node).await.contains("Regions become black"));
    assert_eq!(decide(1, &[("decision", "none")]).await, 303);
    assert_eq!(table(), "serial,x,y,width,height,verdict\n");
    assert_eq!(decide(1, &[("decision", "keep")]).await, 303);
    assert_eq!(decide(2, &[("decision", "exclude")]).await, 303);
    assert_eq!(table().lines().last().unwrap(), "2,0,0,160,160,exclude");
    // What is refused changes nothing, and comes back as it was filled in.
    let before = table();
    let line = [("x0", "12"), ("y0", "8"), ("width0", "20"), ("height0", "10"), ("verdict0", "keep")];
    for fields in [&[("decision", "dance")][..], &[], &[&[("decision", "drawn")][..], &line].concat()] {
        assert_eq!(decide(1, fields).await, 400, "{fields:?}");
    }
    assert_eq!(decide(9, &[("decision", "keep")]).await, 404);
    assert_eq!(table(), before);
    let drawn = [
        &[
            ("decision", "drawn"),
            ("x1", "0"),
            ("y1", "120"),
            ("width1", "999"),
            ("height1", "40"),
            ("verdict1", "blank"),
        ],
        &line[..],
    ]
    .concat();
    assert_eq!(decide(1, &drawn).await, 303);
    assert!(table().contains("1,12,8,20,10,keep\n1,0,120,160,40,blank\n"), "{}", table());
    // The next run admits one film, its lower rows black, and excludes the other.
    assert_eq!(deidentify(&folder), 2);
    let list = WithheldList::read(&folder.join("films")).unwrap().unwrap();
    assert_eq!(list.withheld[0].reason, "a person excluded it");
    let film = coxa_files::find::films_below(&folder.join("films"))
        .films
        .into_iter()
        .find(|film| film.extension().is_some_and(|extension| extension == "dcm"));
    let film = coxa_imaging::read_bytes(&std::fs::read(film.unwrap()).unwrap(), "film").unwrap();
    let pixels = film.pixels();
    assert!(pixels[120 * SIZE..].iter().all(|value| *value == pixels[SIZE * SIZE - 1]), "blanked");
    assert!(pixels[..120 * SIZE].windows(2).any(|pair| pair[0] != pair[1]), "kept");
    let query = AuditQuery { action: "withheld_decided".into(), ..AuditQuery::default() };
    let entries = node.app.db.audit_after(&query, 0, 50).await.unwrap();
    assert_eq!(entries.len(), 5);
    assert!(entries[0].body.contains("\"accept\"") && entries[0].body.contains("\"rita\"") && entries[0].at > 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reviewers_at_once_lose_no_decision() {
    let (node, reviewer) = node().await;
    let second = node.visitor("sam", &[Role::Reviewer]).await;
    for _ in 0..10 {
        let one = reviewer.post("/collections/films/films/1", &[("decision", "keep")]);
        let other = second.post("/collections/films/films/2", &[("decision", "accept")]);
        let (one, other) = futures_util::future::join(one, other).await;
        assert_eq!((one.status().as_u16(), other.status().as_u16()), (303, 303));
        let table = node.folder.path().join("films/regions.csv");
        assert_eq!(Decisions::read(&table).unwrap().films(), 2);
        std::fs::remove_file(table).unwrap();
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_decides_in_a_browser() {
    let Some(mut script) = crate::peers::node("collections.js") else { return };
    if coxa_testing::tool("chromium").is_none() {
        return;
    }
    let (node, reviewer) = node().await;
    std::fs::remove_dir_all(node.folder.path().join("broken")).unwrap();
    let pictures = coxa_testing::artifacts().join("collections");
    std::fs::create_dir_all(&pictures).unwrap();
    script.args([&node.http, reviewer.cookie.split('=').nth(1).unwrap()]).arg(pictures);
    crate::peers::run(script).await;
    node.stop().await;
}
