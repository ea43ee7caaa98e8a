//! The pages: what stands on them, what must never, and what is stored by them.

use std::collections::HashSet;

use coxa_serve::config::Role;
use coxa_serve::db::{DeadKind, JobKind, NewFilm, Outcome};
use coxa_serve::people;
use serde_json::json;

use crate::support::{Film, Running};

/// A node that has pages and does not read: results are written by the tests.
async fn node() -> Running {
    let mut node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.network.high_specificity_threshold = Some(0.9);
    })
    .await;
    let roles = [people::Role::Physician, people::Role::Administrator];
    node.me = Some(node.visitor("doe", &roles).await);
    node
}

/// A film with what became of it; its row.
pub async fn film(node: &Running, seed: &str, change: impl FnOnce(&mut NewFilm), outcome: Option<Outcome>) -> i64 {
    let made = Film::stripes(seed);
    let kept = node.app.store.put(&made.bytes).await.unwrap();
    let (home, uid) = (node.app.config.node_name(), |number: usize| format!("2.25.{number}{}", seed.len()));
    let mut new = NewFilm {
        sop_instance_uid: made.uid,
        sop_class_uid: "1.2.840.10008.5.1.4.1.1.1.1".into(),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        study_uid: uid(1),
        series_uid: uid(2),
        sha256: kept.sha256,
        bytes: kept.bytes,
        home: home.clone(),
        source: "test".into(),
        patient_name: format!("DOE^{seed}"),
        patient_id: format!("P-{seed}"),
        modality: "DX".into(),
        rows: 160,
        columns: 160,
        metadata: r#"{"00101010":{"vr":"AS","Value":["081Y"]}}"#.into(),
        ..NewFilm::default()
    };
    change(&mut new);
    let id = node.app.db.store_film(&new, &[(JobKind::Read, &home)]).await.unwrap().id();
    if let Some(outcome) = outcome {
        let job = node.app.db.claim_job(JobKind::Read, &home).await.unwrap().unwrap();
        assert_eq!(job.film, id);
        assert!(node.app.db.finish_reading(&job, &outcome, &[]).await.unwrap());
    }
    id
}

pub fn read(probability: f64) -> Option<Outcome> {
    let is_positive = probability >= 0.5;
    let region = json!({ "x": 20.0, "y": 30.0, "width": 40.0, "height": 50.0, "side": "left", "score": 0.7 });
    let prediction = json!({
        "probability": probability, "threshold": 0.5, "finding": is_positive, "regions": if is_positive { json!([region]) } else { json!([]) },
        "model": coxa_model_hash(), "width": 160, "height": 160, "cam": { "rows": 2, "columns": 2, "values": [0.0, 9.0, 0.0, 0.0] },
    });
    Some(Outcome {
        is_positive,
        not_read: None,
        model: coxa_model_hash(),
        milliseconds: 1,
        is_pushed: false,
        prediction: prediction.to_string(),
        logit: Some((probability / (1.0 - probability)).ln() as f32),
        probability: Some(probability),
        calibration: 0,
    })
}

pub fn not_read(why: &str) -> Option<Outcome> {
    let prediction = json!({ "not_read": why }).to_string();
    Some(Outcome {
        is_positive: false,
        not_read: Some(why.into()),
        model: coxa_model_hash(),
        milliseconds: 1,
        is_pushed: false,
        prediction,
        logit: None,
        probability: None,
        calibration: 0,
    })
}

/// The hash of the network that comes with the program, so that its scale is known.
fn coxa_model_hash() -> String {
    static HASH: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| coxa_model::Bundle::shipped().unwrap().short_hash().to_owned());
    HASH.clone()
}

async fn text(node: &Running, path: &str) -> String {
    let response = node.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

async fn post(node: &Running, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
    node.me.as_ref().unwrap().post(path, fields).await
}

/// The films of a list, in its order.
fn listed(page: &str) -> Vec<i64> {
    page.split("<tr id=\"film-").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// Tags that are closed, ids that are unique, nothing inline, nothing from elsewhere.
pub fn is_clean(page: &str, path: &str) {
    let mut ids = HashSet::new();
    for rest in page.split(" id=\"").skip(1) {
        let id = rest.split('"').next().unwrap();
        assert!(ids.insert(id.to_owned()), "{path}: the id {id} is there twice");
    }
    const VOID: [&str; 8] = ["meta", "link", "input", "img", "br", "rect", "line", "!doctype"];
    let mut open = Vec::new();
    for rest in page.split('<').skip(1) {
        let tag = rest.split('>').next().unwrap();
        let name = tag.split_whitespace().next().unwrap_or_default().trim_end_matches('/');
        assert!(!tag.contains(" style=") && !tag.contains(" onclick=") && !tag.contains(" onload="), "{path}: <{tag}>");
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "{path}: </{closed}>"),
            None if VOID.contains(&name.to_lowercase().as_str()) => {}
            None => open.push(name),
        }
        if name == "script" {
            assert!(tag.contains(" src=\"/assets/") && rest.ends_with('>'), "{path}: a script stands in the page");
        }
    }
    assert!(open.is_empty(), "{path}: {open:?} are not closed");
    for foreign in ["http:", "https:", "src=\"//", "href=\"//", "url(", "@import"] {
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(foreign), "{path}: {foreign}");
    }
}

#[tokio::test]
async fn every_page_is_closed_to_the_outside_and_kept_nowhere() {
    let node = node().await;
    let positive = film(&node, "A", |_| {}, read(0.95)).await;
    film(&node, "BB", |_| {}, not_read("lateral view")).await;
    film(&node, "CCC", |_| {}, None).await;
    for path in
        ["/", "/worklist", "/?state=failed&q=nobody", "/operations", &format!("/films/{positive}"), "/films/999"]
    {
        let response = node.get(path).await;
        let header = |name: &str| {
            response.headers().get(name).unwrap_or_else(|| panic!("{path}: {name}")).to_str().unwrap().to_owned()
        };
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'") && !policy.contains("unsafe"),
            "{path}"
        );
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(
            (header("x-content-type-options").as_str(), header("referrer-policy").as_str()),
            ("nosniff", "same-origin"),
            "{path}"
        );
        let page = response.text().await.unwrap();
        is_clean(&page, path);
        assert!(path == "/worklist" || page.contains("Research use only"), "{path}");
    }
    for name in
        ["pages.css", "viewer.css", "monitoring.css", "common.js", "worklist.js", "film.js", "viewer.js", "icon.svg"]
    {
        let response = node.get(&format!("/assets/{name}")).await;
        assert_eq!(response.status(), 200, "{name}");
        assert!(response.headers().contains_key("content-security-policy"), "{name}");
        let asset = response.text().await.unwrap().replace("http://www.w3.org/2000/svg", "");
        assert!(
            !asset.contains("http:")
                && !asset.contains("https:")
                && !asset.contains("innerHTML")
                && !asset.contains("eval("),
            "{name}"
        );
    }
    assert_eq!(node.get("/assets/../Cargo.toml").await.status(), 404);
    node.stop().await;
}

#[tokio::test]
async fn what_a_film_says_is_text() {
    let node = node().await;
    let attack = "<script>alert(1)</script>\"'>&{{7*7}}";
    let id = film(
        &node,
        "A",
        |film| {
            film.patient_name = attack.into();
            film.patient_id = "ID\u{202E}gnp.exe".into();
            film.accession_number = "\"><img src=x onerror=alert(1)>".into();
            film.metadata =
                json!({ "00281050": {"Value": [10]}, "00281051": {"Value": [20]}, "00281055": {"Value": [attack]} })
                    .to_string();
        },
        not_read("<b>lateral</b>\u{2066}"),
    )
    .await;
    post(
        &node,
        &format!("/films/{id}/reviews"),
        &[("verdict", "unsure"), ("note", "<script>alert(2)</script>\u{202E}")],
    )
    .await;
    for path in ["/".to_owned(), "/?q=%3Cscript%3E".to_owned(), format!("/films/{id}")] {
        let page = text(&node, &path).await;
        is_clean(&page, &path);
        assert!(!page.contains("<script>") && !page.contains("<img") | page.contains("noscript"), "{path}");
        assert!(
            !page.contains("onerror=alert") || page.contains("&#62;&#60;img") || page.contains("&gt;&lt;img"),
            "{path}"
        );
        assert!(!page.chars().any(|c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')), "{path}");
        assert!(page.contains("ID[U+202E]gnp.exe") && !page.contains(">49<"), "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn positive_films_come_first_and_filters_stay_in_the_address() {
    let node = node().await;
    let mut rows = Vec::new();
    for (seed, outcome) in
        [("A", read(0.95)), ("BB", read(0.1)), ("CCC", not_read("lateral view")), ("DDDD", read(0.6)), ("EEEEE", None)]
    {
        rows.push(film(&node, seed, |film| film.accession_number = format!("ACC%{}", seed.len()), outcome).await);
    }
    let [a, b, c, d, e] = rows[..] else { panic!() };
    let page = text(&node, "/").await;
    assert_eq!(listed(&page), [d, a, e, c, b]);
    assert!(
        page.contains("Fracture suspected")
            && page.contains("lateral view")
            && page.contains("Probability 0.95, positive from 0.50, definite from 0.90")
    );
    assert!(page.contains("<td class=\"age\" data-unit=\"y\">81</td>"));
    for (query, found) in [
        ("finding=positive", vec![d, a]),
        ("finding=negative", vec![b]),
        ("state=not_read", vec![c]),
        ("state=waiting", vec![e]),
        ("state=failed", vec![]),
        ("q=doe+bb", vec![b]),
        ("q=p-ccc", vec![c]),
        ("q=ACC%25", vec![d, a, e, c, b]),
        ("q=ACC_1", vec![]),
        ("date=2001-01-01", vec![]),
        ("date=all&review=none", vec![d, a, e, c, b]),
        ("date=nonsense&state=nonsense&page=-1", vec![d, a, e, c, b]),
    ] {
        assert_eq!(listed(&text(&node, &format!("/?{query}")).await), found, "{query}");
        assert_eq!(listed(&text(&node, &format!("/worklist?{query}")).await), found, "{query}");
    }
    let page = text(&node, "/?q=doe&date=7").await;
    assert!(
        page.contains(&format!("/films/{d}?date=7&#38;q=doe"))
            || page.contains(&format!("/films/{d}?date=7&amp;q=doe")),
        "{page}"
    );
    // From one film to the next in the order of the list, under the same filters.
    let neighbors = |page: &str, id: &str| {
        page.split(&format!("id=\"{id}\" href=\"/films/"))
            .nth(1)
            .map(|rest| rest.split(['"', '?']).next().unwrap().to_owned())
    };
    let mut path = format!("/films/{d}?q=doe");
    for (id, next) in [(d, Some(a)), (a, Some(e)), (e, Some(c)), (c, Some(b)), (b, None)] {
        let page = text(&node, &path).await;
        assert_eq!(neighbors(&page, "next"), next.map(|next| next.to_string()), "{id}");
        path = format!("/films/{}?q=doe", next.unwrap_or(b));
    }
    assert_eq!(neighbors(&text(&node, &format!("/films/{e}")).await, "previous"), Some(a.to_string()));
    node.stop().await;
}

#[tokio::test]
async fn a_long_list_has_pages() {
    let node = node().await;
    let mut wanted = Vec::new();
    for i in 0..120usize {
        let seed = format!("{i:0width$}", width = i + 3);
        wanted.push((i % 40 != 0, -film(&node, &seed, |_| {}, if i % 40 == 0 { read(0.8) } else { read(0.2) }).await));
    }
    wanted.sort_unstable();
    let mut seen = Vec::new();
    for page in 1..=4 {
        let text = text(&node, &format!("/?page={page}")).await;
        seen.extend(listed(&text).into_iter().map(|id| (false, -id)));
        assert_eq!(text.contains("id=\"page-next\""), page < 3, "{page}");
        assert_eq!(text.contains("id=\"page-previous\""), page > 1, "{page}");
    }
    let ids = |rows: &[(bool, i64)]| rows.iter().map(|row| row.1).collect::<Vec<_>>();
    assert_eq!(ids(&seen), ids(&wanted));
    node.stop().await;
}

#[tokio::test]
async fn a_review_is_stored_and_undone_and_never_lost() {
    let node = node().await;
    let id = film(&node, "A", |_| {}, read(0.95)).await;
    let reviews = format!("/films/{id}/reviews");
    let stored = post(
        &node,
        &reviews,
        &[("verdict", "disagree"), ("note", "old fracture"), ("mark_x", "12"), ("mark_y", "34"), ("back", "?q=doe")],
    )
    .await;
    assert_eq!(
        (stored.status().as_u16(), stored.headers()["location"].to_str().unwrap()),
        (303, format!("/films/{id}?q=doe").as_str())
    );
    let page = text(&node, &format!("/films/{id}")).await;
    assert!(
        page.contains("<b>Disagreed</b>")
            && page.contains("old fracture")
            && page.contains("marked at 12, 34")
            && page.contains("by doe")
    );
    assert_eq!(listed(&text(&node, "/?review=disagree").await), [id]);
    assert_eq!(listed(&text(&node, "/?review=none").await), Vec::<i64>::new());
    let second = post(&node, &reviews, &[("verdict", "agree"), ("by", "script")]).await;
    assert_eq!(second.status(), 200);
    let kept = node.app.db.reviews(id).await.unwrap();
    assert_eq!(kept.iter().map(|review| review.verdict.as_str()).collect::<Vec<_>>(), ["agree", "disagree"]);
    for review in &kept {
        assert_eq!(post(&node, &format!("{reviews}/{}/undo", review.id), &[]).await.status(), 303);
        // What was undone cannot be undone again.
        assert_eq!(post(&node, &format!("{reviews}/{}/undo", review.id), &[]).await.status(), 404);
    }
    assert!(node.app.db.reviews(id).await.unwrap().iter().all(|review| review.undone_at >= review.at));
    assert_eq!(listed(&text(&node, "/?review=none").await), [id]);
    for (verdict, status) in [("maybe", 400), ("", 400)] {
        assert_eq!(post(&node, &reviews, &[("verdict", verdict)]).await.status(), status);
    }
    assert_eq!(post(&node, "/films/999/reviews", &[("verdict", "agree")]).await.status(), 404);
    // Another site's page cannot review, and cannot lead elsewhere.
    let away = post(&node, &reviews, &[("verdict", "agree"), ("back", "//elsewhere.example")]).await;
    assert_eq!(away.headers()["location"], format!("/films/{id}"));
    let me = node.me.as_ref().unwrap();
    let foreign = me.request(reqwest::Method::POST, &reviews).header("origin", "http://elsewhere.example");
    assert_eq!(foreign.body(format!("verdict=agree&form={}", me.form)).send().await.unwrap().status(), 403);
    node.stop().await;
}

#[tokio::test]
async fn heat_is_only_on_a_film_that_is_called() {
    let node = node().await;
    let positive = film(&node, "A", |_| {}, read(0.6)).await;
    let negative = film(&node, "BB", |_| {}, read(0.4)).await;
    let unread = film(&node, "CCC", |_| {}, not_read("lateral view")).await;
    let mut other = read(0.95).unwrap();
    other.prediction = other.prediction.replace(&coxa_model_hash(), "0123456789abcdef");
    let foreign = film(&node, "DDDD", |_| {}, Some(other)).await;
    let heat = node.get(&format!("/films/{positive}/heat")).await;
    assert_eq!((heat.status().as_u16(), heat.headers()["x-columns"].to_str().unwrap()), (200, "160"));
    let shares = heat.bytes().await.unwrap();
    // The map's upper right cell is the only one with heat, far above the network's reference.
    assert_eq!((shares.len(), shares[159], shares[159 * 160]), (160 * 160, 255, 0));
    for id in [negative, unread, foreign] {
        assert_eq!(node.get(&format!("/films/{id}/heat")).await.status(), 404);
    }
    let view = |page: &str| page.split("data-view=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(view(&text(&node, &format!("/films/{positive}")).await).contains("dotted&#34;:true"));
    for id in [negative, unread] {
        let view = view(&text(&node, &format!("/films/{id}")).await);
        assert!(view.contains("colors&#34;:null") && view.contains("regions&#34;:[]"), "{view}");
    }
    let page = text(&node, &format!("/films/{foreign}")).await;
    assert!(view(&page).contains("dotted&#34;:false") && page.contains("Another network read this film"));
    node.stop().await;
}

#[tokio::test]
async fn a_film_comes_as_a_picture_and_as_values() {
    let node = node().await;
    let id = film(&node, "A", |_| {}, read(0.1)).await;
    let preview = node.get(&format!("/films/{id}/preview")).await;
    assert_eq!(
        (preview.headers()["content-type"].to_str().unwrap(), preview.headers()["cache-control"].to_str().unwrap()),
        ("image/png", "no-store")
    );
    assert!(preview.bytes().await.unwrap().starts_with(b"\x89PNG"));
    let values = node.get(&format!("/films/{id}/values")).await.bytes().await.unwrap();
    let number = |i: usize| f64::from_le_bytes(values[8 * i..8 * i + 8].try_into().unwrap());
    // Stripes of 0, 20, 40 … 3,180 of 12 bits, 2 mm apart.
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8].map(number), [160.0, 160.0, 0.0, 3180.0, 2.0, 2.0, 1.0, 0.0, 0.0]);
    assert_eq!(values.len(), 72 + 65_536 + 2 * 160 * 160);
    let grade = |i: usize| u16::from_le_bytes(values[72 + 65_536 + 2 * i..][..2].try_into().unwrap());
    assert_eq!((grade(0), grade(159), grade(160)), (1, 65_535, 1));
    let shown = coxa_imaging::read_bytes(&Film::stripes("A").bytes, "a film").unwrap();
    for i in 0..160 {
        assert_eq!(values[72 + usize::from(grade(i))], (shown.pixels()[i] + 0.5) as u8, "{i}");
    }
    let tile = node.get(&format!("/films/{id}/tiles/0/0")).await;
    assert_eq!(tile.headers()["cache-control"].to_str().unwrap(), "no-store");
    assert_eq!(tile.bytes().await.unwrap(), values[72 + 65_536..]);
    for tile in ["1/0", "0/1", "-1/0", "x/0", "0/99999999999999999999"] {
        assert_eq!(node.get(&format!("/films/{id}/tiles/{tile}")).await.status(), 404, "{tile}");
    }
    for path in [
        "/films/0",
        "/films/x",
        "/films/999/values",
        "/films/999/tiles/0/0",
        "/films/-1/preview",
        "/films/99999999999999999999/heat",
        "/nothing",
    ] {
        assert_eq!(node.get(path).await.status(), 404, "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn operations_show_what_needs_someone_and_mend_it() {
    let mut node = Running::start(|config| {
        config.roles = vec![Role::Receive, Role::Pages];
        config.destinations = vec![coxa_serve::config::Destination {
            name: "pacs".into(),
            ae_title: "PACS".into(),
            host: "127.0.0.1".into(),
            port: 1,
            tls: false,
            sends: vec![coxa_serve::db::ObjectKind::Sr],
        }];
    })
    .await;
    node.me = Some(node.visitor("doe", &[people::Role::Physician, people::Role::Administrator]).await);
    let page = text(&node, "/operations").await;
    assert!(
        page.contains("Nothing needs a person now")
            && page.contains(&coxa_model_hash())
            && page.contains("PACS@127.0.0.1:1")
    );
    let id = film(&node, "A", |_| {}, None).await;
    let job = node.app.db.claim_job(JobKind::Read, &node.app.config.node_name()).await.unwrap().unwrap();
    assert!(node.app.db.fail_job(&job, "the <disk> is gone", coxa_serve::db::Outlook::Never).await.unwrap());
    let page = text(&node, "/operations").await;
    is_clean(&page, "/operations");
    assert!(page.contains("Something needs a person") && page.contains("disk") && !page.contains("<disk>"));
    assert_eq!(listed(&text(&node, "/?state=failed").await), [id]);
    let dead = node.app.db.dead(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].kind, dead[0].film), (1, DeadKind::Job, id));
    let row = dead[0].id.to_string();
    assert_eq!(post(&node, "/operations/resend", &[("kind", "job"), ("id", &row)]).await.status(), 303);
    assert_eq!(post(&node, "/operations/resend", &[("kind", "job"), ("id", &row)]).await.status(), 404);
    assert_eq!(listed(&text(&node, "/?state=waiting").await), [id]);
    let tested = post(&node, "/operations/echo", &[("to", "pacs")]).await.text().await.unwrap();
    assert!(tested.contains("pacs does not answer as it should"), "{tested}");
    assert_eq!(post(&node, "/operations/echo", &[("to", "elsewhere")]).await.status(), 404);
    node.stop().await;
}
