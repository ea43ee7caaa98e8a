//! A reader study from its design to its ratings: what readers see, what is stored, and what nobody learns.

use std::collections::BTreeMap;

use coxa_serve::people::Role;
use coxa_serve::readers::{Arm, Design, Plan};
use serde_json::Value;

use super::support::{Film, Running, Visitor};

pub fn design(arms: &str, readers: usize, films: &[Film]) -> String {
    let uids: Vec<String> = films.iter().map(|film| format!("{:?}", film.uid)).collect();
    let washout = if matches!(arms, "crossover" | "halves") { 28 } else { 0 };
    format!(
        "name = \"Hips <b>\"\nanswer = \"yes_no\"\nmark = \"optional\"\narms = \"{arms}\"\nwashout_days = {washout}\n\
         readers = {readers}\nseed = 11\nconsent = \"I take part.\"\nfilms = [{}]\n",
        uids.join(", ")
    )
}

/// A node with films that are read, some called positive, and the designer.
async fn node(count: u16) -> (Running, Vec<Film>, Visitor) {
    let node = Running::start(|config| config.network.threshold = Some(0.0)).await;
    let films: Vec<Film> = (0..count).map(|i| Film::new(&format!("reader film {i}"), 40 * i)).collect();
    for film in &films {
        assert_eq!(node.store(film).await, coxa_dimse::Status::SUCCESS);
    }
    node.done(films.len()).await;
    let designer = node.visitor("designer", &[Role::Reviewer]).await;
    (node, films, designer)
}

/// Makes a study; its row and the readers' links.
async fn make(designer: &Visitor, design: &str) -> (i64, Vec<String>) {
    let page = designer.post("/studies", &[("design", design)]).await.text().await.unwrap();
    let links = page.split("<code class=\"link\">").skip(1).map(|part| part.split('<').next().unwrap().to_owned());
    let links: Vec<String> = links.collect();
    let id = page.split("action=\"/studies/").nth(1).expect(&page).split('/').next().unwrap().parse().unwrap();
    (id, links)
}

async fn join(node: &Running, link: &str) -> Visitor {
    let mut reader = node.stranger();
    let page = reader.page(link).await;
    assert!(page.contains("Hips &#60;b&#62;") && (page.contains("I take part.") || page.contains("Go on")), "{page}");
    let fields = [("specialty", "orthopedics"), ("grade", "resident"), ("years", "3"), ("agrees", "yes")];
    let answer = reader.post(link, &fields).await;
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    reader.follow(&answer).await;
    reader
}

/// The item that a reader's page shows; `None` where there is none now.
fn item(page: &str, study: i64) -> Option<usize> {
    let start = format!("action=\"/reading/{study}/");
    page.split(&start).nth(1).map(|part| part.split('"').next().unwrap().parse().unwrap())
}

async fn answer(reader: &Visitor, study: i64, item: usize, rating: &str) -> reqwest::Response {
    let path = format!("/reading/{study}/{item}");
    reader.post(&path, &[("rating", rating), ("milliseconds", "1500.4"), ("by", "script")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_stored_once_in_order_and_joined_to_the_truth_after_the_lock() {
    let (node, films, designer) = node(4).await;
    let text = design("unaided", 2, &films);
    let later = coxa_serve::db::now() + 1_000_000;
    assert_eq!(node.app.db.done_before(later, &node.app.config.node_name(), 10).await.unwrap().len(), 4);
    let (study, links) = make(&designer, &text).await;
    assert_eq!(links.len(), 2);
    assert!(
        node.app.db.done_before(later, &node.app.config.node_name(), 10).await.unwrap().is_empty(),
        "retention leaves the films of an open study"
    );
    let readers = [join(&node, &links[0]).await, join(&node, &links[1]).await];
    for (place, reader) in readers.iter().enumerate() {
        for expected in 0..4 {
            let page = reader.page(&format!("/reading/{study}")).await;
            assert_eq!(item(&page, study), Some(expected));
            assert_eq!(answer(reader, study, expected + 1, "1").await.status(), 400, "films come in their order");
            assert_eq!(answer(reader, study, expected, "7").await.status(), 400, "an answer is one of those offered");
            let rating = (expected + place) % 2;
            assert_eq!(answer(reader, study, expected, &rating.to_string()).await.status(), 200);
            // A second tab, or the same request again: the first answer stays.
            assert_eq!(answer(reader, study, expected, "1").await.status(), 200);
            assert_eq!(reader.get(&format!("/reading/{study}/{expected}/preview")).await.status(), 404);
        }
        assert!(reader.page(&format!("/reading/{study}")).await.contains("You have read every film"));
    }
    // The link leads back in, on another machine too, and joins nobody twice.
    let again = join(&node, &links[0]).await;
    assert!(again.page(&format!("/reading/{study}")).await.contains("You have read every film"));
    let page = designer.page(&format!("/studies/{study}")).await;
    assert!(page.contains("8 of 8 answers") && page.contains("orthopedics, resident, 3 years"));
    let path = format!("/studies/{study}/ratings.csv");
    let truth: String = films.iter().enumerate().map(|(i, film)| format!("{},{}\n", film.uid, i % 2)).collect();
    let truth = format!("sop_instance_uid,truth\n{truth}");
    assert_eq!(designer.post(&path, &[("truth", &truth)]).await.status(), 400, "an open study has no truth");
    assert_eq!(designer.post(&format!("/studies/{study}/lock"), &[]).await.status(), 303);
    assert_eq!(designer.post(&path, &[("truth", "sop_instance_uid,truth\n1.2,3\n")]).await.status(), 400);
    assert_eq!(designer.post(&path, &[("truth", "sop_instance_uid,truth\n1.2,1\n")]).await.status(), 400);
    let ratings = designer.post(&path, &[("truth", &truth)]).await;
    assert_eq!(ratings.status(), 200);
    let ratings = ratings.text().await.unwrap();
    let rows: Vec<Vec<&str>> = ratings.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 8);
    let plan = Plan::of(&Design::parse(&text).unwrap(), 0);
    for (at, row) in rows.iter().filter(|row| row[0] == "R01").enumerate() {
        let film = plan.sessions[0].items[at].film;
        let expected = [
            "R01",
            "unaided",
            &format!("F{:04}", film + 1),
            &(film % 2).to_string(),
            &(at % 2).to_string(),
            "",
            "orthopedics",
            "1.500",
        ];
        assert_eq!(row[..], expected);
    }
    let query = coxa_serve::db::AuditQuery { action: "study_locked".into(), ..Default::default() };
    let entries = node.app.db.audit_after(&query, 0, 10).await.unwrap();
    assert_eq!(
        node.app.db.done_before(later, &node.app.config.node_name(), 10).await.unwrap().len(),
        4,
        "a locked study holds no film"
    );
    let sealed = node.app.db.study(study).await.unwrap().unwrap().seal;
    assert!(entries.len() == 1 && entries[0].body.contains(&sealed));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_cross_over_after_the_washout_and_a_locked_study_takes_nothing() {
    let (node, films, designer) = node(2).await;
    let text = design("crossover", 2, &films);
    let (study, links) = make(&designer, &text).await;
    let reader = join(&node, &links[1]).await;
    for item in 0..2 {
        assert_eq!(answer(&reader, study, item, "1").await.status(), 200);
    }
    let page = reader.page(&format!("/reading/{study}")).await;
    assert!(page.contains("The next session opens on") && item(&page, study).is_none(), "{page}");
    assert_eq!(answer(&reader, study, 2, "1").await.status(), 400);
    assert_eq!(node.app.db.answered(1).await.unwrap().0 + node.app.db.answered(2).await.unwrap().0, 2);
    let other = join(&node, &links[0]).await;
    assert_eq!(designer.post(&format!("/studies/{study}/lock"), &[]).await.status(), 303);
    assert!(other.page(&format!("/reading/{study}")).await.contains("This study is closed"));
    let refused = answer(&other, study, 0, "1").await;
    assert!(refused.status().is_client_error() || refused.status() == 200);
    assert_eq!(designer.page(&format!("/studies/{study}")).await.matches("2 of 8 answers").count(), 1);
    node.stop().await;
}

/// All that a browser gets for a film of a study, with what must differ between films taken out.
async fn recorded(reader: &Visitor, study: i64, item: usize) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for path in [format!("/reading/{study}"), format!("/reading/{study}/{item}/heat"), "/reading".into()] {
        let answer = reader.get(&path).await;
        let headers: Vec<String> = answer
            .headers()
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        let status = answer.status();
        let body = answer
            .text()
            .await
            .unwrap()
            .replace(&format!("/reading/{study}/{item}"), "/reading/S/N")
            .replace(&format!("{} of", item + 1), "N of");
        all.insert(path, format!("{status}\n{}\n{body}", headers.join("\n")));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_unaided_arm_tells_the_result() {
    let (node, films, designer) = node(3).await;
    // One film is called positive with a heat map, one negative, one is not read: the pages must be the same for all.
    let rows: Vec<_> = {
        let mut rows = Vec::new();
        for film in &films {
            rows.push(node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap());
        }
        rows
    };
    let lines = node.done(3).await;
    assert!(lines.iter().all(|line| line["state"] == "read" && line["finding"].is_boolean()), "{lines:?}");
    let (study, links) = make(&designer, &design("unaided", 1, &films)).await;
    let reader = join(&node, &links[0]).await;
    let mut seen = Vec::new();
    for item in 0..3 {
        let all = recorded(&reader, study, item).await;
        let text: String = all.values().cloned().collect();
        for row in &rows {
            let attributes = &row.attributes;
            for secret in
                [&attributes.sop_instance_uid, &attributes.study_uid, &attributes.patient_id, &attributes.sha256]
            {
                assert!(secret.is_empty() || !text.contains(secret.as_str()), "a page names a film");
            }
        }
        for word in ["robability", "uspected", "Fracture", "etag"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        assert!(all[&format!("/reading/{study}/{item}/heat")].starts_with("404"));
        seen.push(all.into_values().collect::<Vec<_>>());
        assert_eq!(answer(&reader, study, item, "0").await.status(), 200);
    }
    // All films have the same size here, so the pages are the same to the byte.
    assert!(seen.windows(2).all(|pair| pair[0][0] == pair[1][0]), "a page tells films apart");
    // A reader opens nothing else of the node.
    for path in ["/", "/films/1", "/operations", "/studies", "/audit", "/people"] {
        assert_eq!(reader.get(path).await.status(), 403, "{path}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aided_arm_shows_the_result_and_designs_are_refused_with_reasons() {
    let (node, films, designer) = node(2).await;
    let (study, links) = make(&designer, &design("sequential", 1, &films)).await;
    let reader = join(&node, &links[0]).await;
    let unaided = reader.page(&format!("/reading/{study}")).await;
    assert_eq!(answer(&reader, study, 0, "1").await.status(), 200);
    let aided = reader.page(&format!("/reading/{study}")).await;
    assert!(!unaided.contains("The network’s result") && aided.contains("The network’s result"), "{aided}");
    let view = aided.split("data-view=\"").nth(1).unwrap().split('"').next().unwrap();
    let view: Value = serde_json::from_str(&view.replace("&#34;", "\"").replace("&quot;", "\"")).unwrap();
    assert!(view["id"].is_null() && view["base"] == format!("/reading/{study}/1"));
    let plan = Plan::of(&Design::parse(&design("sequential", 1, &films)).unwrap(), 0);
    assert_eq!(plan.item(1).unwrap().0.arm, Arm::Aided);
    // Designs that cannot be.
    for (change, reason) in [
        ("yes_no", "maybe"),
        (films[0].uid.as_str(), "1.2.3.4"),
        ("readers = 1", "readers = 0"),
        ("seed = 11", "seed = 11\ncolor = 3"),
    ] {
        let wrong = design("unaided", 1, &films).replace(change, reason);
        let refused = designer.post("/studies", &[("design", &wrong)]).await;
        assert_eq!(refused.status(), 400, "{reason}");
        assert!(refused.text().await.unwrap().contains("No study was made"));
    }
    // The form says the same as the file.
    let uids: Vec<&str> = films.iter().map(|film| film.uid.as_str()).collect();
    let fields = [
        ("name", "Hips"),
        ("answer", "confidence_100"),
        ("arms", "halves"),
        ("washout_days", "28"),
        ("readers", "16"),
        ("seed", "5"),
        ("films", &uids.join("\n")),
    ];
    let page = designer.post("/studies", &fields).await.text().await.unwrap();
    assert_eq!(page.matches("<code class=\"link\">/join/").count(), 16, "{page}");
    let link = page.split("<code class=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let study = node.app.db.studies().await.unwrap()[0].clone();
    assert_eq!(Design::parse(&study.design).unwrap().washout_days, 28);
    // A renewed link takes the place of the one before.
    let renewed = designer.post(&format!("/studies/{}/links/0", study.id), &[]).await.text().await.unwrap();
    assert_eq!(renewed.matches("/join/").count(), 1);
    assert_eq!(node.stranger().get(&link).await.status(), 404);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_of_a_study_are_in_the_log_without_its_page() {
    let (node, films, designer) = node(2).await;
    let (study, links) = make(&designer, &design("unaided", 1, &films)).await;
    let reader = join(&node, &links[0]).await;
    let opened = async || crate::audit::entries(&node, "film_opened").await;
    // Joining led to the page, which is one sight.
    let before = opened().await.len();
    assert_eq!(answer(&reader, study, 0, "0").await.status(), 200);
    for (part, status) in [("heat", 404), ("preview", 200), ("values", 200), ("tiles/0/0", 200), ("tiles/9/9", 404)] {
        assert_eq!(reader.get(&format!("/reading/{study}/1/{part}")).await.status(), status, "{part}");
        assert_eq!(reader.get(&format!("/reading/{study}/0/{part}")).await.status(), 404, "{part} of a film before");
    }
    let found = opened().await;
    assert_eq!(found.len(), before + 1, "{found:?}");
    assert!(found[before].1.contains("pixels") && found[before].1.contains("study"), "{found:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_no_account_that_was_there_before() {
    let (node, films, designer) = node(1).await;
    let (study, links) = make(&designer, &design("unaided", 1, &films)).await;
    // The name that the link's account would have.
    let there = node.person(&format!("reader-{study}-1"), &[Role::Administrator, Role::Physician]).await;
    let reader = join(&node, &links[0]).await;
    assert_eq!(reader.get("/people").await.status(), 403);
    let seat = &node.app.db.study_progress(study).await.unwrap()[0].reader;
    let account = node.app.db.account(seat.person).await.unwrap().unwrap().person;
    assert!(account.id != there && account.roles.to_string() == "reader", "{account:?}");
    let signed_in = crate::audit::entries(&node, "signed_in").await;
    assert!(signed_in.len() == 1 && signed_in[0].1.contains("\"through\":\"link\""), "{signed_in:?}");
    // The same link again leads to the same account.
    let again = node.stranger().post(&links[0], &[]).await;
    assert_eq!(again.status(), 303);
    assert_eq!(node.app.db.study_progress(study).await.unwrap()[0].reader.person, account.id);
    node.stop().await;
}
