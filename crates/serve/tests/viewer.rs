//! The viewer and pages that no day of a role comes by, in a browser.

use coxa_serve::config::Role as NodeRole;
use coxa_serve::db::NewFilm;
use coxa_serve::people::Role;
use coxa_serve::people::session::Stage;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use serde_json::{Value, json};

use crate::pages::{film, not_read, read};
use crate::support::{Film, Running, Visitor};

/// A node that does not read: results are written by the tests.
async fn node() -> Running {
    Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await
}

fn of_patient(day: &'static str) -> impl FnOnce(&mut NewFilm) {
    move |film| (film.patient_id, film.study_date) = ("P".into(), day.into())
}

/// A ramp from 0 to 3,897 with two windows and the function SIGMOID.
fn with_windows(seed: &str) -> Film {
    let mut film = Film::ramp(seed);
    let mut object = dicom_object::from_reader(film.bytes.as_slice()).unwrap();
    for (tag, vr, value) in [
        (tags::WINDOW_CENTER, VR::DS, "2000\\1000"),
        (tags::WINDOW_WIDTH, VR::DS, "4000\\500"),
        (tags::VOILUT_FUNCTION, VR::CS, "SIGMOID"),
    ] {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }
    film.bytes.clear();
    object.write_all(&mut film.bytes).unwrap();
    film
}

/// Its pixels in a film's row.
async fn shows(node: &Running, film: &Film) -> impl FnOnce(&mut NewFilm) + use<> {
    let kept = node.app.store.put(&film.bytes).await.unwrap();
    move |film| {
        of_patient("20260301")(film);
        (film.sha256, film.bytes, film.rows, film.columns) = (kept.sha256, kept.bytes, 900, 1300);
        film.metadata =
            r#"{"00281050":{"vr":"DS","Value":[2000,1000]},"00281055":{"vr":"LO","Value":["BONE","SOFT"]}}"#.into();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_window_of_a_film_can_be_chosen_by_its_own_function() {
    let node = node().await;
    let change = shows(&node, &with_windows("windows")).await;
    let row = film(&node, "A", change, read(0.1)).await;
    let doe = node.visitor("doe", &[Role::Physician]).await;
    let page = doe.page(&format!("/films/{row}")).await;
    assert!(page.contains("windows&#34;:[&#34;BONE&#34;,&#34;SOFT&#34;]"), "{page}");
    let values = doe.get(&format!("/films/{row}/values")).await.bytes().await.unwrap();
    let number = |at: usize| f64::from_le_bytes(values[8 * at..8 * at + 8].try_into().unwrap());
    assert_eq!([2, 3, 7, 8, 9, 10].map(number), [0.0, 3897.0, 1.0, 2.0, 0.0, 1.0]);
    let shown = |display: usize, value: f64| {
        let grade = 1 + (value / 3897.0 * 65_534.0).round() as usize;
        f64::from(values[88 + 65_536 * display + grade])
    };
    // PS3.3, C.11.2.1.3.1.
    let windows: [(usize, f64, f64); 3] = [(0, 2000.0, 4000.0), (1, 2000.0, 4000.0), (2, 1000.0, 500.0)];
    for (display, center, width) in windows {
        for value in [0.0, 900.0, 1500.0, 3897.0] {
            let due = 255.0 / (1.0 + (-4.0 * (value - center) / width).exp());
            assert!((shown(display, value) - due).abs() <= 0.51, "{display} {value}: {} {due}", shown(display, value));
        }
    }
    node.stop().await;
}

fn session(visitor: &Visitor) -> &str {
    visitor.cookie.split('=').nth(1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_film_is_seen_beside_a_later_one_and_recorded() {
    let node = node().await;
    let earlier = film(&node, "A", of_patient("20260101"), read(0.2)).await;
    let later = film(&node, "BB", of_patient("20260301"), read(0.9)).await;
    let other = film(&node, "CCC", |film| film.study_date = "20250101".into(), read(0.9)).await;
    let doe = node.visitor("doe", &[Role::Physician]).await;
    let page = doe.page(&format!("/films/{later}")).await;
    assert!(page.contains("earlier-tool") && page.contains("59 days earlier"), "{page}");
    for film in [earlier, other] {
        assert!(!doe.page(&format!("/films/{film}")).await.contains("earlier-tool"), "no film is before {film}");
        assert_eq!(doe.get(&format!("/films/{film}/earlier/0")).await.status(), 404);
    }
    let auditor = node.visitor("ann", &[Role::Physician]).await;
    let before = crate::audit::entries(&node, "film_opened").await.len();
    for _ in 0..2 {
        assert_eq!(auditor.get(&format!("/films/{later}/earlier/0")).await.status(), 200);
    }
    for number in ["1", "-1", "x"] {
        assert_eq!(auditor.get(&format!("/films/{later}/earlier/{number}")).await.status(), 404, "{number}");
    }
    let opened = crate::audit::entries(&node, "film_opened").await;
    assert_eq!(opened.len(), before + 1);
    assert!(opened[before].0 == earlier && opened[before].1.contains("earlier"), "{:?}", opened[before]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_physician_loses_no_judgment_in_a_browser() {
    let Some(mut script) = crate::peers::node("viewer.js") else { return };
    if coxa_testing::tool("chromium").is_none() {
        return;
    }
    let node = node().await;
    film(&node, "A", of_patient("20260101"), read(0.2)).await;
    let change = shows(&node, &with_windows("large")).await;
    let row = film(&node, "BB", change, read(0.9)).await;
    let person = node.person("doe", &[Role::Physician]).await;
    let (one, two) = (node.session(person, Stage::Full).await, node.session(person, Stage::Full).await);
    let pictures = coxa_testing::artifacts().join("viewer");
    std::fs::create_dir_all(&pictures).unwrap();
    script.args([&node.http, session(&one), session(&two), &row.to_string()]).arg(pictures);
    crate::peers::run(script).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_and_state_is_open_to_everybody_in_a_browser() {
    let Some(script) = crate::peers::node("pages.js") else { return };
    if coxa_testing::tool("chromium").is_none() {
        return;
    }
    let node = node().await;
    let mut films = Vec::new();
    for (number, outcome) in [read(0.9), not_read("lateral view"), read(0.2)].into_iter().enumerate() {
        films.push(film(&node, &"A".repeat(number + 1), |_| {}, outcome).await);
    }
    let failed = film(&node, "failed", |_| {}, None).await;
    let (kind, home) = (coxa_serve::db::JobKind::Read, node.app.config.node_name());
    let job = node.app.db.claim_job(kind, &home).await.unwrap().unwrap();
    assert!(node.app.db.fail_job(&job, "the disk is gone", coxa_serve::db::Outlook::Never).await.unwrap());
    let mut pages: Vec<Value> = Vec::new();
    let mut add = |name: &str, path: &str, visitor: Option<&Visitor>| {
        pages.push(json!({ "name": name, "path": path, "session": visitor.map(session) }));
    };
    let all = [Role::Physician, Role::Reviewer, Role::Administrator, Role::Auditor];
    let doe = node.visitor("doe", &all).await;
    let code = node.session(node.person("roe", &[Role::Physician]).await, Stage::Code).await;
    let auditor = node.visitor("ann", &[Role::Auditor]).await;
    // A study with its designer, and a reader who has joined.
    let received = node.app.db.film(films[0]).await.unwrap().unwrap().attributes.sop_instance_uid;
    let design = crate::readers::design("unaided", 1, &[Film { bytes: Vec::new(), uid: received }]);
    let made = doe.post("/studies", &[("design", &design)]).await.text().await.unwrap();
    let link = made.split("<code class=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let second = doe.post("/studies", &[("design", &design)]).await.text().await.unwrap();
    let unused = second.split("<code class=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let mut reader = node.stranger();
    let fields = [("specialty", "orthopedics"), ("grade", "resident"), ("years", "3"), ("agrees", "yes")];
    let joined = reader.post(&link, &fields).await;
    reader.follow(&joined).await;
    add("studies", "/studies", Some(&doe));
    add("study", "/studies/1", Some(&doe));
    add("join", &unused, None);
    add("join-again", &link, None);
    add("reading", "/reading", Some(&reader));
    add("reading-film", "/reading/1", Some(&reader));
    add("signin-code", "/signin/code", Some(&code));
    for (name, film) in [("film-not-read", films[1]), ("film-failed", failed)] {
        add(name, &format!("/films/{film}"), Some(&doe));
    }
    add("worklist-empty", "/?q=nobody", Some(&doe));
    pages.push(json!({ "name": "worklist-stale", "path": "/", "session": session(&doe), "stale": true }));
    pages.push(json!({ "name": "not-found", "path": "/films/999", "session": session(&doe), "status": 404 }));
    pages.push(json!({ "name": "not-allowed", "path": "/people", "session": session(&auditor), "status": 403 }));
    let pictures = coxa_testing::artifacts().join("pages");
    std::fs::create_dir_all(&pictures).unwrap();
    let list = node.folder.path().join("pages.json");
    let look = async |pages: &[Value]| {
        std::fs::write(&list, serde_json::to_string(pages).unwrap()).unwrap();
        let mut again = std::process::Command::new(script.get_program());
        again.args(script.get_args()).envs(script.get_envs().filter_map(|(key, value)| Some((key, value?))));
        again.args([&node.http]).arg(&list).arg(&pictures);
        crate::peers::run(again).await;
    };
    look(&pages).await;
    // A trial that withholds its first result, open and closed; a list of many films.
    let plan = crate::trial::plan(10);
    let secret = crate::trial::secret_of(&plan, &[coxa_study::trial::Arm::Withheld]);
    let trial = node.app.db.begin_trial(&plan, &secret).await.unwrap().unwrap();
    let withheld = film(&node, "withheld", |film| film.patient_birth_date = "19400101".into(), read(0.9)).await;
    assert_eq!(node.app.db.film(withheld).await.unwrap().unwrap().state, "withheld");
    let visited = |name: &str, path: &str| json!({ "name": name, "path": path, "session": session(&doe) });
    look(&[
        visited("film-withheld", &format!("/films/{withheld}")),
        visited("trial-open", "/trial"),
        visited("trial-diagnoses", "/trial/diagnoses"),
        visited("monitoring-withheld", "/monitoring"),
    ])
    .await;
    assert!(node.app.db.close_trial(trial).await.unwrap());
    for number in 0..70 {
        film(&node, &format!("many {number}"), |_| {}, read(f64::from(number) / 70.0)).await;
    }
    look(&[visited("trial-closed", "/trial"), visited("worklist-many", "/")]).await;
    node.stop().await;
}
