//! Labelings: reviewers decide blind to each other, an adjudicator where they differ, and a dataset comes of it.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_cohort::{Dataset, Film as Row};
use coxa_imaging::encode;
use coxa_schema::{BodyPart, Label};
use coxa_serve::config::Role as NodeRole;
use coxa_serve::labeling::{Board, Import, Labels, Task, import, order};
use coxa_serve::people::Role;

use crate::pages::{film, read};
use crate::support::{Running, Visitor};

/// A node without a reader, with reviewers `annika` and `bobby`, the adjudicator `catrin`, and `dan` who decides nothing.
struct Scene {
    node: Running,
    ann: Visitor,
    bob: Visitor,
    cat: Visitor,
    dan: Visitor,
    uids: Vec<String>,
}

async fn scene(probabilities: &[f64]) -> Scene {
    let node = Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await;
    let mut uids = Vec::new();
    for (at, probability) in probabilities.iter().enumerate() {
        let id =
            film(&node, &"A".repeat(at + 1), |film| film.study_date = format!("2026010{at}"), read(*probability)).await;
        uids.push(node.app.db.film(id).await.unwrap().unwrap().attributes.sop_instance_uid);
    }
    let mut people = Vec::new();
    for name in ["annika", "bobby", "catrin", "dan"] {
        people.push(node.visitor(name, &[Role::Reviewer]).await);
    }
    let [ann, bob, cat, dan] = people.try_into().unwrap_or_else(|_| unreachable!());
    Scene { node, ann, bob, cat, dan, uids }
}

impl Scene {
    async fn make(&self, task: &str) -> i64 {
        let uids = self.uids.join("\n");
        let fields = [
            ("name", "Hips <b>"),
            ("task", task),
            ("seed", "7"),
            ("reviewer", "annika"),
            ("reviewer", "bobby"),
            ("adjudicator", "catrin"),
            ("films", &uids),
            ("most", "2"),
        ];
        let made = self.dan.post("/labeling", &fields).await;
        assert_eq!(made.status(), 303);
        let place = made.headers()["location"].to_str().unwrap().to_owned();
        place.strip_prefix("/labeling/").unwrap().parse().unwrap()
    }

    /// The place of the film at a number of a reviewer's order.
    async fn place(&self, labeling: i64, reviewer: usize, number: usize) -> usize {
        let needs: Vec<bool> =
            self.node.app.db.labeling_places(labeling).await.unwrap().iter().map(|(_, needs)| *needs).collect();
        order(&needs, 7, reviewer)[number]
    }
}

/// The number and the decision that is superseded, of the film that a page shows.
fn shown(page: &str) -> Option<(usize, String)> {
    let form = page.split("id=\"answer\"").nth(1)?;
    let number = form.split("/films/").nth(1)?.split('"').next()?.parse().ok()?;
    let supersedes = form.split("name=\"supersedes\" value=\"").nth(1)?.split('"').next()?.to_owned();
    Some((number, supersedes))
}

async fn decide(
    who: &Visitor,
    labeling: i64,
    (number, supersedes): &(usize, String),
    fields: &[(&str, &str)],
) -> reqwest::Response {
    let mut all = vec![("supersedes", supersedes.as_str()), ("by", "script")];
    all.extend(fields);
    who.post(&format!("/labeling/{labeling}/films/{number}"), &all).await
}

async fn next(who: &Visitor, labeling: i64) -> Option<(usize, String)> {
    shown(&who.page(&format!("/labeling/{labeling}/next")).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_decides_sees_no_result_until_the_labeling_is_closed() {
    let scene = scene(&[0.9, 0.1]).await;
    let film = scene.node.app.db.film_by_uid(&scene.uids[0]).await.unwrap().unwrap();
    let paths = [
        "/".to_owned(),
        "/?finding=positive".to_owned(),
        format!("/films/{}", film.id),
        format!("/films/{}/values", film.id),
        "/dicom-web/studies".to_owned(),
        format!("/api/v1/readings/{}", scene.uids[0]),
    ];
    let status = async |who: &Visitor, path: &str| who.get(path).await.status().as_u16();
    for path in &paths {
        assert_ne!(status(&scene.ann, path).await, 403, "{path}");
    }
    let labeling = scene.make("labels").await;
    for who in [&scene.ann, &scene.bob, &scene.cat] {
        for path in &paths {
            assert_eq!(status(who, path).await, 403, "{path}");
        }
        // A labeling of the films that are called positive would count them.
        let fields =
            [("name", "x"), ("task", "labels"), ("seed", "1"), ("reviewer", "annika"), ("finding", "positive")];
        assert_eq!(who.post("/labeling", &fields).await.status(), 403);
        assert!(!who.page("/labeling").await.contains("id=\"new\""));
    }
    for path in &paths {
        assert_ne!(status(&scene.dan, path).await, 403, "{path}: dan decides nothing");
    }
    assert_eq!(scene.dan.post(&format!("/labeling/{labeling}/close"), &[]).await.status(), 303);
    for path in &paths {
        assert_ne!(status(&scene.ann, path).await, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reviewers_and_an_adjudicator_make_a_dataset() {
    let scene = scene(&[0.9, 0.1, 0.8, 0.2]).await;
    let labeling = scene.make("labels").await;
    let later = coxa_serve::db::now() + 1_000_000;
    assert!(
        scene.node.app.db.done_before(later, &scene.node.app.config.node_name(), 10).await.unwrap().is_empty(),
        "films of an open labeling stay"
    );
    // Ann finds fractures on even places; Bob does too, but for place 2.
    for (reviewer, who) in [&scene.ann, &scene.bob].into_iter().enumerate() {
        for at in 0..4 {
            let film = next(who, labeling).await.unwrap();
            assert_eq!(film.0, at, "films come in the reviewer's order");
            let place = scene.place(labeling, reviewer, at).await;
            let is_fracture = place % 2 == 0 && (reviewer, place) != (1, 2);
            let fields = if is_fracture {
                vec![("label", "fracture"), ("kind", "femoral_neck"), ("side", "left"), ("boxes", "10,20,30,40.5")]
            } else {
                vec![("label", "none"), ("quality", "rotated"), ("quality", "cut off")]
            };
            let wrong = [("label", "none"), ("side", "left")];
            assert_eq!(decide(who, labeling, &film, &wrong).await.status(), 400, "no side without a fracture");
            assert_eq!(decide(who, labeling, &(at + 1, "0".into()), &fields).await.status(), 404, "no film early");
            assert_eq!(decide(who, labeling, &film, &fields).await.status(), 200);
            // The same request again, and another tab.
            assert_eq!(decide(who, labeling, &film, &fields).await.status(), 200);
            assert_eq!(decide(who, labeling, &film, &[("label", "questionable")]).await.status(), 400);
        }
        assert!(next(who, labeling).await.is_none());
    }
    // Ann takes the last one back, decides otherwise, and again as before.
    let path = format!("/labeling/{labeling}/films/3/undo");
    assert_eq!(scene.ann.post(&path, &[]).await.status(), 303);
    let film = next(&scene.ann, labeling).await.unwrap();
    assert!(film.0 == 3 && film.1 != "0");
    let place = scene.place(labeling, 0, 3).await;
    let is_fracture = place % 2 == 0;
    assert_eq!(decide(&scene.ann, labeling, &film, &[("label", "questionable")]).await.status(), 200);
    let again = shown(&scene.ann.page(&format!("/labeling/{labeling}/films/3")).await).unwrap();
    let fields = if is_fracture {
        vec![("label", "fracture"), ("kind", "femoral_neck"), ("side", "left"), ("boxes", "10,20,30,40.5")]
    } else {
        vec![("label", "none")]
    };
    assert_eq!(decide(&scene.ann, labeling, &again, &fields).await.status(), 200);
    // Nobody who is not asked decides, and reviewers see no results.
    assert_eq!(scene.dan.get(&format!("/labeling/{labeling}/next")).await.status(), 404);
    let table = |name: &str| format!("/labeling/{labeling}/tables/{name}");
    assert_eq!(scene.ann.get(&table("manifest.csv")).await.status(), 404);
    assert_eq!(scene.ann.post(&format!("/labeling/{labeling}/close"), &[]).await.status(), 400);
    let blind = scene.ann.page(&format!("/labeling/{labeling}")).await;
    assert!(blind.contains("4 of 4") && !blind.contains("kappa") && !blind.contains("catrin"), "{blind}");
    let page = scene.dan.page(&format!("/labeling/{labeling}")).await;
    assert!(page.contains("Cohen’s kappa") && page.contains("3 of 4 films are decided; 1 wait"), "{page}");
    // The adjudicator sees both decisions and no name.
    let page = scene.cat.page(&format!("/labeling/{labeling}/next")).await;
    let film = shown(&page).unwrap();
    assert!(page.contains("Femoral neck") && page.contains("1 box") && page.matches("class=\"other\"").count() == 2);
    assert!(!page.contains("annika") && !page.contains("bobby"), "{page}");
    assert_eq!(film.0, 2);
    let others = page.split("class=\"other\"").skip(1).position(|part| part.contains("Femoral neck")).unwrap();
    assert_eq!(decide(&scene.cat, labeling, &film, &[("take", &others.to_string())]).await.status(), 200);
    assert!(next(&scene.cat, labeling).await.is_none());
    let manifest = scene.dan.get(&table("manifest.csv")).await.text().await.unwrap();
    let truth = scene.dan.get(&table("truth.csv")).await.text().await.unwrap();
    let dataset = Dataset::parse(Path::new("films"), manifest.as_bytes(), truth.as_bytes()).unwrap();
    for (place, film) in dataset.films.iter().enumerate() {
        assert_eq!(film.label, if place % 2 == 0 { Label::Present } else { Label::Absent });
        assert_eq!(film.extra["review"], if place == 2 { "adjudicated" } else { "agreed" });
        assert_eq!(film.patient, format!("P{:04}", place + 1));
    }
    assert_eq!(dataset.truth.len(), 2);
    assert_eq!((dataset.truth[0].height, dataset.truth[0].class.as_str()), (40.5, "femoral_neck"));
    let decisions = scene.dan.get(&table("decisions.csv")).await.text().await.unwrap();
    assert_eq!(decisions.lines().count(), 1 + 8 + 3 + 1, "{decisions}");
    assert!(decisions.contains("taken back") && decisions.contains("superseded") && decisions.contains(",A,"));
    let names = scene.dan.get(&table("films.csv")).await.text().await.unwrap();
    assert!(names.contains(&format!("F0001,{}", scene.uids[0])));
    assert!(!manifest.contains(&scene.uids[0]) && !manifest.contains("P-A"), "the manifest names no patient");
    // Closed: nothing is added, everybody sees the results, and the films may go.
    assert_eq!(scene.ann.post(&format!("/labeling/{labeling}/close"), &[]).await.status(), 303);
    assert_eq!(decide(&scene.cat, labeling, &film, &[("label", "none")]).await.status(), 404);
    assert_eq!(scene.ann.get(&table("manifest.csv")).await.status(), 200);
    assert!(scene.ann.page(&format!("/labeling/{labeling}/next")).await.contains("This labeling is closed"));
    assert_eq!(scene.node.app.db.done_before(later, &scene.node.app.config.node_name(), 10).await.unwrap().len(), 4);
    scene.node.stop().await;
}

/// All that a browser gets for a reviewer's film, without what must differ between films.
async fn recorded(who: &Visitor, labeling: i64, number: usize) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let film = format!("/labeling/{labeling}/films/{number}");
    for path in [
        format!("/labeling/{labeling}/next"),
        film.clone(),
        format!("{film}/heat"),
        format!("/labeling/{labeling}"),
        "/labeling".into(),
    ] {
        let answer = who.get(&path).await;
        // The length is that of the body, which is compared itself.
        let headers = answer.headers().iter().filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()));
        let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
        let status = answer.status();
        let body = answer.text().await.unwrap().replace(&film, "/labeling/L/films/N");
        all.insert(path.replace(&film, "film"), format!("{status}\n{}\n{body}", headers.join("\n")));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_reviewer_learns_nothing_of_network_label_or_colleague() {
    // Called and labeled otherwise, called, not called: the pages must be the same for all.
    let scene = scene(&[0.95, 0.9, 0.1, 0.05]).await;
    let first = scene.node.app.db.film_by_uid(&scene.uids[0]).await.unwrap().unwrap();
    scene.node.app.db.add_labels(&[(first.id, false)], 1).await.unwrap();
    let labeling = scene.make("labels").await;
    let places = scene.node.app.db.labeling_places(labeling).await.unwrap();
    assert_eq!(places.iter().map(|(_, needs)| *needs).collect::<Vec<_>>(), [true, false, false, false]);
    let before = recorded(&scene.ann, labeling, 0).await;
    for word in ["robability", "uspected", "etag", "colors&#34;:&#34;", "eeds"] {
        assert!(!before.values().any(|text| text.contains(word)), "{word}");
    }
    for uid in &scene.uids {
        let row = scene.node.app.db.film_by_uid(uid).await.unwrap().unwrap();
        for secret in [&row.attributes.sop_instance_uid, &row.attributes.patient_id, &row.attributes.sha256] {
            assert!(!before.values().any(|text| text.contains(secret.as_str())), "a page names a film");
        }
    }
    assert!(before["film/heat"].starts_with("404"));
    // Bob decides: nothing of Ann's pages changes but that he has decided so many.
    for label in ["fracture", "none", "questionable", "none"] {
        let film = next(&scene.bob, labeling).await.unwrap();
        assert_eq!(decide(&scene.bob, labeling, &film, &[("label", label)]).await.status(), 200);
    }
    let after = recorded(&scene.ann, labeling, 0).await;
    for (path, text) in &before {
        // The form of a new labeling offers another seed each time.
        if path.starts_with("film") || path.ends_with("/next") {
            assert_eq!(text, &after[path], "{path}");
        }
    }
    // The pages of all films are the same to the byte, but for the count of decided films.
    let mut pages = Vec::new();
    for at in 0..4 {
        let text = recorded(&scene.ann, labeling, at).await;
        let page = text[&format!("/labeling/{labeling}/next")].clone();
        let counted =
            page.replace(&format!("{at} of 4"), "N of 4").replace(&format!("value=\"{at}\" aria"), "value=\"N\" aria");
        // From the second film on, the decision before can be undone.
        let undo = counted.find("<form id=\"undo\"").map(|start| {
            let end = start + counted[start..].find("</form>").unwrap() + "</form>".len();
            start..end
        });
        assert_eq!(undo.is_some(), at > 0);
        pages.push(undo.map_or(counted.clone(), |undo| counted[..undo.start].to_owned() + &counted[undo.end..]));
        let film = next(&scene.ann, labeling).await.unwrap();
        assert_eq!(decide(&scene.ann, labeling, &film, &[("label", "none")]).await.status(), 200);
    }
    for pair in pages.windows(2) {
        let differs = pair[0].lines().zip(pair[1].lines()).find(|(a, b)| a != b);
        assert!(pair[0] == pair[1], "a page tells films apart: {differs:?}");
    }
    scene.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heat_maps_are_judged_without_a_label_and_scored() {
    let scene = scene(&[0.9, 0.1, 0.8, 0.7]).await;
    let labeling = scene.make("heat_maps").await;
    let board = Board::open(&scene.node.app.db, labeling).await.unwrap();
    assert_eq!(board.labeling.rule, "2 of the 3 films that are called positive with a heat map, by seed 7");
    let path = format!("/labeling/{labeling}/next");
    let page = scene.ann.page(&path).await;
    assert!(page.contains("Is the heat map where the fracture is?") && page.contains("id=\"beside\""));
    assert!(!page.contains("name=\"label\"") && !page.contains("robability"), "{page}");
    assert_eq!(scene.ann.get(&format!("/labeling/{labeling}/films/0/heat")).await.status(), 200);
    assert_eq!(scene.ann.get(&format!("/labeling/{labeling}/films/0/values")).await.status(), 200);
    for who in [&scene.ann, &scene.bob] {
        for _ in 0..2 {
            let film = next(who, labeling).await.unwrap();
            assert_eq!(decide(who, labeling, &film, &[("label", "none")]).await.status(), 400);
            assert_eq!(decide(who, labeling, &film, &[("site", "none")]).await.status(), 400);
            assert_eq!(decide(who, labeling, &film, &[("site", "right")]).await.status(), 200);
        }
    }
    let page = scene.dan.page(&format!("/labeling/{labeling}")).await;
    // binom.test(2, 2) in R: 0.158 to 1.
    assert!(page.contains("1.000 (0.158–1.000)"), "{page}");
    let judged = scene.dan.get(&format!("/labeling/{labeling}/tables/judged.csv")).await.text().await.unwrap();
    assert_eq!(judged, "image_id,site\nF0001,right\nF0002,right\n");
    scene.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_make_no_labeling_are_refused_with_reasons() {
    let scene = scene(&[0.1]).await;
    let uid = scene.uids[0].clone();
    let whole = [
        ("name", "a"),
        ("task", "labels"),
        ("seed", "1"),
        ("reviewer", "annika"),
        ("reviewer", "bobby"),
        ("adjudicator", "catrin"),
        ("films", uid.as_str()),
        ("most", "5"),
    ];
    for (field, value, why) in [
        ("name", "", "A name has"),
        ("task", "dance", "The task is"),
        ("seed", "x", "The seed is"),
        ("adjudicator", "", "Choose one reviewer"),
        ("adjudicator", "bobby", "none of the reviewers"),
        ("films", "1.2.3", "One of the UIDs"),
        ("task", "heat_maps", "No film fits"),
        ("reports", "a,b\n", "The reports are no CSV"),
    ] {
        let mut fields: Vec<(&str, &str)> = whole.iter().filter(|(name, _)| *name != field).copied().collect();
        fields.push((field, value));
        let refused = scene.dan.post("/labeling", &fields).await;
        assert_eq!(refused.status(), 400, "{field} {value}");
        let page = refused.text().await.unwrap();
        assert!(page.contains(why), "{why}: {page}");
    }
    assert!(scene.node.app.db.labelings().await.unwrap().is_empty());
    // As the worklist finds films, with a report beside.
    let reports = format!("sop_instance_uid,report\n{uid},\"No acute fracture.\nOld <ramus> fracture.\"\n");
    let fields = [
        ("name", "a"),
        ("task", "labels"),
        ("seed", "1"),
        ("reviewer", "annika"),
        ("date", "all"),
        ("reports", &reports),
    ];
    let made = scene.dan.post("/labeling", &fields).await;
    assert_eq!(made.status(), 303, "{}", made.text().await.unwrap());
    let place = made.headers()["location"].to_str().unwrap().to_owned();
    let page = scene.ann.page(&format!("{place}/next")).await;
    assert!(page.contains("No acute fracture.") && page.contains("Old &#60;ramus&#62; fracture."), "{page}");
    scene.node.stop().await;
}

fn picture(folder: &Path, name: &str, change: impl Fn(u8) -> u8, seed: usize) {
    let wave = |x: usize, y: usize| ((x * (seed + 2) + y * (seed + 3)) as f32 / 17.0).sin() * 90.0;
    let pixels: Vec<u8> = (0..96 * 96).map(|at| change((128.0 + wave(at % 96, at / 96)) as u8)).collect();
    std::fs::write(folder.join(name), encode::png_gray8_to_vec(96, 96, &pixels).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_dataset_comes_back_without_loss() {
    let scene = scene(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    let mut dataset = Dataset::new(folder.path());
    for (at, label) in
        [Label::Present, Label::Absent, Label::Unknown, Label::Absent, Label::Absent].into_iter().enumerate()
    {
        let path = format!("images/{at}.png");
        // The last one is a brighter copy of the first, with another label.
        picture(folder.path(), &path, |v| if at == 4 { v / 2 + 60 } else { v }, at % 4);
        let mut row = Row::new(format!("film {at}"), path, if at < 2 { "P1" } else { "" }, BodyPart::Pelvis, label);
        row.sha256 = coxa_files::sha256(&std::fs::read(folder.path().join(&row.path)).unwrap());
        row.extra.insert("hospital".into(), "north, \"old\"".into());
        dataset.films.push(row);
    }
    dataset.save().unwrap();
    let account = |name: &'static str| {
        let db = scene.node.app.db.clone();
        async move { db.account_named(name).await.unwrap().unwrap().person.id }
    };
    let new = Import {
        name: "imported".into(),
        task: Task::Labels,
        seed: 7,
        by: "a test".into(),
        dataset: Dataset::load(folder.path()).unwrap(),
        reports: [("film 2".to_owned(), "As before.".to_owned())].into(),
        findings: BTreeMap::new(),
        sample: 0,
        reviewers: vec![account("annika").await],
        adjudicator: None,
    };
    let db = &scene.node.app.db;
    let labeling = import(db, &scene.node.app.store, new).await.unwrap();
    let places = db.labeling_places(labeling).await.unwrap();
    assert_eq!(places.iter().map(|(_, needs)| *needs).collect::<Vec<_>>(), [true, false, false, false, true]);
    // Nothing decided: the tables are those that came, but for how far each film is.
    let board = Board::open(db, labeling).await.unwrap();
    let mut out = board.dataset(&board.given(db).await.unwrap());
    assert!(out.films.iter_mut().all(|film| film.extra.remove("review").is_some_and(|review| review == "open")));
    assert_eq!(out.manifest_csv(), std::fs::read(folder.path().join("manifest.csv")).unwrap());
    assert_eq!(out.truth_csv(), std::fs::read(folder.path().join("truth.csv")).unwrap());
    for at in 0..5 {
        let page = scene.ann.page(&format!("/labeling/{labeling}/next")).await;
        let film = shown(&page).unwrap();
        let place = scene.place(labeling, 0, at).await;
        assert_eq!(page.contains("As before."), place == 2);
        let earlier = format!("/labeling/{labeling}/films/{at}/earlier/0");
        assert_eq!(page.contains(&earlier), place < 2, "two films are of one patient");
        assert_eq!(scene.ann.get(&earlier).await.status(), if place < 2 { 200 } else { 404 });
        let label = if place == 0 { "none" } else { "fracture" };
        assert_eq!(decide(&scene.ann, labeling, &film, &[("label", label), ("note", "seen")]).await.status(), 200);
    }
    let board = Board::open(db, labeling).await.unwrap();
    let given = board.given(db).await.unwrap();
    assert_eq!(board.changed(&given), (4, 4));
    let decided = board.dataset(&given);
    for (place, film) in decided.films.iter().enumerate() {
        let labels = Labels::read(film, &[]).unwrap();
        assert_eq!((labels.note.as_str(), film.extra["hospital"].as_str()), ("seen", "north, \"old\""));
        assert_eq!(film.label, if place == 0 { Label::Absent } else { Label::Present });
    }
    // A file of a labeling stays when a received film of the same bytes goes.
    let bytes = scene.node.app.store.get(&board.films[0].item.sha256).await.unwrap();
    assert_eq!(bytes, std::fs::read(folder.path().join("images/0.png")).unwrap());
    scene.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_and_earlier_films_of_a_labeling_are_in_the_log() {
    let mut scene = scene(&[]).await;
    let mut rows = Vec::new();
    for (seed, day) in [("A", "20260101"), ("BB", "20260301")] {
        let change = |film: &mut coxa_serve::db::NewFilm| {
            (film.patient_id, film.study_date) = ("P".into(), day.into());
        };
        rows.push(film(&scene.node, seed, change, read(0.9)).await);
    }
    let later = scene.node.app.db.film(rows[1]).await.unwrap().unwrap();
    scene.uids = vec![later.attributes.sop_instance_uid];
    let labeling = scene.make("labels").await;
    let base = format!("/labeling/{labeling}/films/0");
    let opened = async || crate::audit::entries(&scene.node, "film_opened").await;
    for part in ["preview", "values", "tiles/0/0", "preview"] {
        assert_eq!(scene.ann.get(&format!("{base}/{part}")).await.status(), 200, "{part}");
    }
    assert_eq!(scene.ann.get(&format!("{base}/tiles/1/0")).await.status(), 404);
    let found = opened().await;
    assert!(found.len() == 1 && found[0].0 == rows[1] && found[0].1.contains("pixels"), "{found:?}");
    for _ in 0..2 {
        assert_eq!(scene.ann.get(&format!("{base}/earlier/0")).await.status(), 200);
    }
    assert_eq!(scene.ann.get(&format!("{base}/earlier/1")).await.status(), 404, "the later film is no earlier one");
    let found = opened().await;
    assert!(found.len() == 2 && found[1].0 == rows[0] && found[1].1.contains("earlier"), "{found:?}");
    // Another person's sight is another one; the page is one each time.
    assert_eq!(scene.bob.get(&format!("{base}/preview")).await.status(), 200);
    scene.ann.page(&base).await;
    assert_eq!(opened().await.len(), 4);
    scene.node.stop().await;
}
