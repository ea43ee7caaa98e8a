//! The pages' languages: whole message files, no text outside them, and each reader's own language.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coxa_serve::audit::Deed;
use coxa_serve::config::{Destination, Role as NodeRole};
use coxa_serve::db::{JobKind, ObjectKind, Outlook};
use coxa_serve::people::Role;
use coxa_serve::people::session::Stage;
use fluent_bundle::FluentResource;

use crate::pages::{film, is_clean, not_read, read};
use crate::support::{Running, Visitor};

/// Templates whose texts are all messages.
const CONVERTED: [&str; 28] = [
    "api.html",
    "audit.html",
    "base.html",
    "collection.html",
    "collections.html",
    "error.html",
    "join.html",
    "labeling.html",
    "labeling_film.html",
    "labelings.html",
    "me.html",
    "monitoring.html",
    "monitoring_proposal.html",
    "monitoring_recalibration.html",
    "operations.html",
    "people.html",
    "reading.html",
    "reading_own.html",
    "reviews.html",
    "signin.html",
    "studies.html",
    "study.html",
    "trial.html",
    "trial_diagnoses.html",
    "viewer.html",
    "withheld.html",
    "worklist.html",
    "worklist_rows.html",
];

/// What is not translated: names, abbreviations, keys, units.
const NAMES: [&str; 43] = [
    "Coxa",
    "Brier",
    "CONSORT-AI",
    "Kolmogorov",
    "Newcombe",
    "PSI",
    "Smirnov",
    "Wald",
    "Wilson",
    "PACS",
    "DICOM",
    "AE",
    "C-ECHO",
    "CSV",
    "UID",
    "SOP",
    "Instance",
    "TOML",
    "TLS",
    "Esc",
    "Shift",
    "Enter",
    "MiB",
    "GiB",
    "ms",
    "mm",
    "English",
    "pacs",
    "PACS@127.0.0.1:1",
    "COXA",
    "DX",
    "Body",
    "Part",
    "Examined",
    "CHEST",
    "doe",
    "admin",
    "audrey",
    "DOE",
    "AUDREY",
    "first",
    "administrator",
    "viewing",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(name: &str, extension: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    all.sort();
    all
}

/// The messages of a file: their ids, each with its text as it is written.
fn messages(text: &str) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((id, rest)) = line.split_once(" =").filter(|_| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        {
            current = id.to_owned();
            assert!(all.insert(current.clone(), rest.to_owned()).is_none(), "{id} is there twice");
        } else if line.starts_with([' ', '}']) {
            *all.get_mut(&current).unwrap() += line;
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{line}");
        }
    }
    all
}

fn variables(text: &str) -> BTreeSet<String> {
    let names = text.split('$').skip(1);
    names.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap().to_owned()).collect()
}

#[test]
fn every_language_has_every_message_with_the_same_values() {
    let all = files("languages", "ftl");
    let english = messages(&all.iter().find(|(name, _)| name == "en.ftl").unwrap().1);
    assert!(all.len() >= 2);
    for (name, text) in &all {
        if let Err((_, faults)) = FluentResource::try_new(text.clone()) {
            panic!("{name}: {faults:?}");
        }
        let found = messages(text);
        let ids = |messages: &BTreeMap<String, String>| messages.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(
            ids(&found).symmetric_difference(&ids(&english)).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{name}"
        );
        for (id, text) in &found {
            assert_eq!(variables(text), variables(&english[id]), "{name}: {id}");
            assert!(!text.trim().is_empty(), "{name}: {id}");
            // A translation never holds markup, and no character that hides or turns others.
            assert!(!text.replace("->", "").contains(['<', '>', '&', '\u{200B}', '\u{FEFF}']), "{name}: {id}");
            assert!(
                !text.chars().any(|c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')),
                "{name}: {id}"
            );
            assert_eq!(text.matches('`').count(), english[id].matches('`').count(), "{name}: {id}: keys and code");
            let is_filled_elsewhere = id.starts_with("script-") || id.starts_with("reason-");
            assert!(!is_filled_elsewhere || !text.contains("->"), "{name}: {id} chooses by number");
        }
    }
}

/// The strings in the sources of the pages, tests aside.
fn strings() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (_, text) in files("src/pages", "rs") {
        let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        all.extend(lines.join("\n").split('"').skip(1).step_by(2).map(str::to_owned));
    }
    all
}

/// The ids in `say("…")` and the like.
fn said(text: &str) -> BTreeSet<String> {
    let calls = ["say(\"", "keyed(\"", "coded(\""];
    let ids = calls.iter().flat_map(|call| text.split(call).skip(1));
    // Of `say(is ? "a" : "b")`, which scripts have, both.
    let chosen = text.split("say(").skip(1).filter_map(|rest| rest.split_once(')')).map(|(call, _)| call);
    let chosen = chosen.flat_map(|call| call.split('"').skip(1).step_by(2));
    ids.map(|rest| rest.split('"').next().unwrap()).chain(chosen).map(str::to_owned).collect()
}

#[test]
fn every_message_is_used_and_every_one_that_is_used_is_there() {
    let english = messages(&std::fs::read_to_string(folder("languages/en.ftl")).unwrap());
    let mut used: BTreeSet<String> = BTreeSet::new();
    for name in CONVERTED {
        used.extend(said(&std::fs::read_to_string(folder("templates").join(name)).unwrap()));
    }
    for (_, text) in files("assets", "js") {
        used.extend(said(&text));
    }
    // An id is a word, a hyphen, and more; the word is that of a page.
    let pages: BTreeSet<&str> = english.keys().filter_map(|id| id.split_once('-')).map(|(page, _)| page).collect();
    used.extend(strings().into_iter().filter(|text| {
        let is_id = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
        english.contains_key(text)
            || is_id && !text.ends_with('-') && text.split_once('-').is_some_and(|(page, _)| pages.contains(page))
    }));
    // Made from the words that are stored.
    used.extend(Deed::ALL.iter().map(|deed| format!("deed-{}", deed.as_str())));
    for role in Role::ALL {
        used.extend([format!("role-{}", role.as_str()), format!("role-allows-{}", role.as_str())]);
    }
    used.retain(|id| !id.ends_with('-'));
    let missing: Vec<&String> = used.iter().filter(|id| !english.contains_key(*id)).collect();
    assert!(missing.is_empty(), "there are no messages {missing:?}");
    // Of these, pages/reasons.rs uses all.
    let is_list = |id: &&String| id.starts_with("reason-") || id.starts_with("part-");
    let unused: Vec<&String> = english.keys().filter(|id| !used.contains(*id)).filter(|id| !is_list(id)).collect();
    assert!(unused.is_empty(), "nothing uses {unused:?}");
}

/// English that stands in a template itself.
#[test]
fn converted_templates_hold_no_text() {
    for name in CONVERTED {
        let mut text = std::fs::read_to_string(folder("templates").join(name)).unwrap();
        for (begin, end) in [("{%", "%}"), ("{{", "}}")] {
            while let Some((before, rest)) = text.split_once(begin) {
                let (_, after) = rest.split_once(end).unwrap();
                text = format!("{before}\u{1}{after}");
            }
        }
        assert_eq!(left(&text, true), Vec::<String>::new(), "{name}");
    }
}

/// What a page shows that is in Latin letters and is no name: text, and the attributes that are shown or read out.
fn left(page: &str, is_template: bool) -> Vec<String> {
    const VOID: [&str; 8] = ["meta", "link", "input", "img", "br", "rect", "line", "!doctype"];
    let mut found = Vec::new();
    // Elements that are open, with whether their text is somebody's own, or marked as English.
    let mut open: Vec<(String, bool)> = Vec::new();
    let mut look = |text: &str| {
        let text = text.replace("&#38;", "&").replace("&#34;", "\"").replace("&#39;", "'");
        let words =
            text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '@' | '.' | ':' | '_' | '/')));
        let words = words.map(|word| word.trim_matches(['.', ':', '-', '/', ',']));
        found.extend(
            words
                .filter(|word| word.chars().filter(char::is_ascii_alphabetic).count() > 1 && !NAMES.contains(word))
                .map(str::to_owned),
        );
    };
    for rest in page.split('<').skip(1) {
        let (tag, text) = rest.split_once('>').unwrap();
        let name = tag.split([' ', '\n', '\u{1}']).next().unwrap().to_lowercase();
        let is_foreign = open.iter().any(|(_, foreign)| *foreign);
        if let Some(name) = name.strip_prefix('/') {
            while open.pop().is_some_and(|(opened, _)| opened != name) {}
        } else {
            for attribute in ["aria-label", "title", "placeholder", "alt", "data-label", "data-unit"] {
                if let Some(value) = tag.split(&format!(" {attribute}=\"")).nth(1).filter(|_| !is_foreign) {
                    look(value.split('"').next().unwrap());
                }
            }
            let is_own = ["bdi", "code", "kbd", "script"].contains(&name.as_str()) || tag.contains(" lang=\"en\"");
            if !VOID.contains(&name.as_str()) && !tag.ends_with('/') {
                open.push((name, is_own || is_foreign));
            }
        }
        if !open.iter().any(|(_, foreign)| *foreign) {
            look(text);
        }
        // A template opens and closes under conditions: only texts count there.
        if is_template {
            open.clear();
        }
    }
    found
}

async fn node() -> Running {
    Running::start(|config| {
        config.roles = vec![NodeRole::Receive, NodeRole::Pages];
        config.network.high_specificity_threshold = Some(0.9);
        config.destinations = vec![Destination {
            name: "pacs".into(),
            ae_title: "PACS".into(),
            host: "127.0.0.1".into(),
            port: 1,
            tls: false,
            sends: vec![ObjectKind::Sr],
        }];
    })
    .await
}

const CHINESE: &str = "zh-Hant-TW";

/// A page that must be Chinese throughout.
async fn is_chinese(answer: reqwest::Response, path: &str) -> String {
    let page = answer.text().await.unwrap();
    is_clean(&page, path);
    if page.starts_with("<!doctype") {
        assert!(page.contains("<html lang=\"zh-Hant-TW\">") && page.contains("僅供研究使用"), "{path}: {page}");
    }
    assert_eq!(left(&page, false), Vec::<String>::new(), "{path}");
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_chinese_reader_are_chinese() {
    let node = node().await;
    let person = node.person("doe", &[Role::Physician, Role::Administrator, Role::Auditor]).await;
    node.app.db.set_language(person, CHINESE).await.unwrap();
    let doe = node.session(person, Stage::Full).await;
    let empty = is_chinese(doe.get("/").await, "/").await;
    assert!(empty.contains("最近 24 小時內沒有影像"));
    let sighted = film(&node, "A", |film| film.accession_number = "81".into(), read(0.95)).await;
    let suspected = film(&node, "BB", |film| film.patient_id = "P-A".into(), read(0.6)).await;
    film(&node, "CCC", |_| {}, read(0.1)).await;
    let lateral = film(&node, "DDDD", |_| {}, not_read("lateral view")).await;
    let chest = film(&node, "EEEEE", |_| {}, not_read("shows a chest, by its header")).await;
    let failed = film(&node, "FFFFFF", |_| {}, None).await;
    let job = node.app.db.claim_job(JobKind::Read, &node.app.config.node_name()).await.unwrap().unwrap();
    assert!(node.app.db.fail_job(&job, "the moon is full", Outlook::Never).await.unwrap());
    film(&node, "GGGGGGG", |_| {}, None).await;
    let review = [("verdict", "disagree"), ("note", "old fracture"), ("mark_x", "1"), ("mark_y", "2")];
    assert_eq!(doe.post(&format!("/films/{sighted}/reviews"), &review).await.status(), 303);
    assert!(
        node.app
            .db
            .add_person(&coxa_serve::db::NewPerson {
                name: "audrey".into(),
                full_name: String::new(),
                roles: [Role::Auditor].into_iter().collect(),
                password: String::new(),
                is_local: false,
            })
            .await
            .unwrap()
            .is_some()
    );

    let list = is_chinese(doe.get("/").await, "/").await;
    for words in [
        "骨折",
        "疑似骨折",
        "未發現骨折",
        "未判讀",
        "側位影像",
        "依檔頭所示，部位為胸部",
        "待讀",
        "判讀失敗",
        "不同意",
        "左側",
    ] {
        assert!(list.contains(words), "{words}");
    }
    // What is not known stays, and is marked as English.
    assert!(list.contains("<span lang=\"en\">the moon is full</span>"));
    for path in [
        "/worklist",
        "/?q=nobody",
        "/?q=nobody&date=7",
        "/?date=2001-01-01",
        "/?page=7",
        "/operations",
        "/people",
        "/audit",
        "/me",
    ] {
        is_chinese(doe.get(path).await, path).await;
    }
    for id in [sighted, suspected, lateral, chest, failed] {
        let path = format!("/films/{id}");
        is_chinese(doe.get(&path).await, &path).await;
    }
    for path in ["/films/999", "/films/x"] {
        let answer = doe.get(path).await;
        assert_eq!(answer.status(), 404);
        is_chinese(answer, path).await;
    }
    let me = format!("/people/{person}");
    for (path, fields, status) in [
        ("/me/password", vec![("current", "wrong")], 400),
        ("/me/factor", vec![("current", "the password of doe")], 200),
        ("/me/factor/confirm", vec![("current", "the password of doe"), ("code", "1")], 400),
        ("/me/sessions/end", vec![], 200),
        ("/people", vec![("name", "a b")], 400),
        ("/people", vec![("name", "first")], 200),
        (me.as_str(), vec![("full_name", ""), ("auditor", "1"), ("physician", "1")], 200),
        ("/operations/echo", vec![("to", "pacs")], 200),
        ("/audit/verify", vec![], 200),
        ("/language", vec![("language", "tlh")], 400),
    ] {
        // The administrator of the first start remains, so that the roles may change; they are given again.
        let answer = doe.post(path, &fields).await;
        assert_eq!(answer.status(), status, "{path}");
        let page = answer.text().await.unwrap();
        is_clean(&page, path);
        assert_eq!(left(&page, false), Vec::<String>::new(), "{path}");
        if path == me {
            let roles = [Role::Physician, Role::Administrator, Role::Auditor].into_iter().collect();
            node.app.db.set_roles(person, "", roles).await.unwrap();
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_is_in_the_language_of_its_designer() {
    let node = node().await;
    let person = node.person("doe", &[Role::Reviewer]).await;
    node.app.db.set_language(person, CHINESE).await.unwrap();
    let doe = node.session(person, Stage::Full).await;
    let empty = is_chinese(doe.get("/studies").await, "/studies").await;
    assert!(empty.contains("尚無研究") && empty.contains("是否有髖部骨折？"));
    let row = film(&node, "1", |_| {}, read(0.9)).await;
    let uid = node.app.db.film(row).await.unwrap().unwrap().attributes.sop_instance_uid;
    let fields = |films| {
        [("name", "1"), ("answer", "yes_no"), ("arms", "unaided"), ("readers", "2"), ("seed", "7"), ("films", films)]
    };
    // What a design's file may be is documented in English; the sentence is marked.
    let wrong = doe.post("/studies", &fields("1.2.3")).await;
    assert_eq!(wrong.status(), 400);
    let wrong = is_chinese(wrong, "/studies").await;
    assert!(wrong.contains("id=\"wrong\" lang=\"en\">No study was made: "), "{wrong}");
    let made = is_chinese(doe.post("/studies", &fields(&uid)).await, "/studies").await;
    assert!(made.contains("以下連結只顯示這一次") && made.contains("尚未參加") && made.contains("從未"), "{made}");
    let study = made.split("action=\"/studies/").nth(1).unwrap().split('/').next().unwrap();
    let path = format!("/studies/{study}");
    let early = doe.post(&format!("{path}/ratings.csv"), &[("truth", "")]).await;
    assert!(is_chinese(early, &path).await.contains("請先鎖定"));
    assert_eq!(doe.post(&format!("{path}/lock"), &[]).await.status(), 303);
    for path in ["/studies", &path] {
        assert!(is_chinese(doe.get(path).await, path).await.contains("已鎖定"));
    }
    let truth = "sop_instance_uid,truth\n1.2.3,1\n";
    let missing = doe.post(&format!("{path}/ratings.csv"), &[("truth", truth)]).await;
    assert!(is_chinese(missing, &path).await.contains("1 張影像中有 1 張"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labelings_are_in_the_reviewer_s_language() {
    let node = node().await;
    let mut people = Vec::new();
    for name in ["doe", "first"] {
        let person = node.person(name, &[Role::Reviewer]).await;
        node.app.db.set_language(person, CHINESE).await.unwrap();
        people.push(node.session(person, Stage::Full).await);
    }
    let doe = &people[0];
    for (seed, probability) in [("A", 0.95), ("BB", 0.9)] {
        film(&node, seed, |film| film.patient_id = "P".into(), read(probability)).await;
    }
    is_chinese(doe.get("/labeling").await, "/labeling").await;
    for (number, task) in ["labels", "heat_maps"].into_iter().enumerate() {
        let fields =
            [("name", "1"), ("task", task), ("seed", "1"), ("reviewer", "doe"), ("date", "all"), ("most", "2")];
        let refused = doe.post("/labeling", &[("name", "1"), ("task", task), ("seed", "1")]).await;
        assert_eq!(refused.status(), 400);
        is_chinese(refused, "/labeling").await;
        assert_eq!(doe.post("/labeling", &fields).await.status(), 303);
        let path = format!("/labeling/{}", number + 1);
        for path in [format!("{path}/next"), path.clone(), "/labeling".into()] {
            is_chinese(doe.get(&path).await, &path).await;
        }
        let label = if number == 0 { ("label", "fracture") } else { ("site", "right") };
        for film in 0..2 {
            let film = format!("{path}/films/{film}");
            assert_eq!(doe.post(&film, &[("supersedes", "0"), label]).await.status(), 303);
            is_chinese(doe.get(&film).await, &film).await;
            let wrong = doe.post(&film, &[("supersedes", "0")]).await;
            assert_eq!(wrong.status(), 400);
            is_chinese(wrong, &film).await;
        }
        is_chinese(doe.get(&format!("{path}/next")).await, &path).await;
        is_chinese(people[1].get(&path).await, &path).await;
        assert_eq!(people[1].post(&format!("{path}/close"), &[]).await.status(), 303);
        is_chinese(doe.get(&path).await, &path).await;
        is_chinese(doe.get(&format!("{path}/next")).await, &path).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn monitoring_and_a_trial_are_in_the_reader_s_language() {
    // Columns of tables and their values are the same in every language.
    const KEYS: [&str; 5] = ["accession", "date", "fracture", "yes", "no"];
    let is_whole = |page: &str, path: &str| {
        let words: Vec<String> = left(page, false).into_iter().filter(|word| !KEYS.contains(&word.as_str())).collect();
        assert_eq!(words, Vec::<String>::new(), "{path}");
    };
    let node = node().await;
    let person = node.person("doe", &[Role::Physician, Role::Administrator]).await;
    node.app.db.set_language(person, CHINESE).await.unwrap();
    let doe = node.session(person, Stage::Full).await;
    let empty = is_chinese(doe.get("/monitoring").await, "/monitoring").await;
    assert!(empty.contains("此期間沒有影像"));
    let mut csv = "sop_instance_uid,label\n".to_owned();
    for i in 0..60 {
        let probability = 0.02 + 0.016 * f64::from(i * 7 % 60);
        let row =
            film(&node, &"1".repeat(i as usize + 1), |film| film.source = "1@10.0.0.1".into(), read(probability)).await;
        let uid = node.app.db.film(row).await.unwrap().unwrap().attributes.sop_instance_uid;
        csv += &format!("{uid},{}\n", u8::from(i % 2 == 0));
    }
    film(&node, &"1".repeat(61), |film| film.source = "1@10.0.0.1".into(), not_read("lateral view")).await;
    assert_eq!(doe.post("/monitoring/baseline", &[("films", "60")]).await.status(), 303);
    for (path, fields) in [
        ("/monitoring/baseline", vec![("films", "x")]),
        ("/monitoring/recalibration", vec![("target", "x")]),
        ("/monitoring/recalibration", vec![("target", "90"), ("labels", "uploaded"), ("temperature", "fit")]),
    ] {
        let answer = doe.post(path, &fields).await;
        assert_eq!(answer.status(), 400, "{path}");
        let page = answer.text().await.unwrap();
        is_whole(&page, path);
    }
    for (table, words) in [(csv.as_str(), "已標記 60 張影像"), ("accession,label\n9,1\n", "資料未儲存")] {
        let (_, page) = crate::monitoring::upload(&doe, table).await;
        assert!(page.contains(words), "{page}");
        is_whole(&page, "/monitoring/labels");
    }
    let ask = [("target", "90"), ("labels", "uploaded"), ("temperature", "fit")];
    let asked = doe.post("/monitoring/recalibration", &ask).await;
    assert_eq!(asked.status(), 303);
    let proposal = asked.headers()["location"].to_str().unwrap().to_owned();
    assert!(is_chinese(doe.get(&proposal).await, &proposal).await.contains("會改變的影像"));
    let id = proposal.rsplit('/').next().unwrap();
    assert_eq!(doe.post("/monitoring/recalibration/take", &[("id", id)]).await.status(), 303);
    for path in
        ["/monitoring", "/monitoring?period=all", "/monitoring/recalibration", &proposal, "/trial", "/trial/diagnoses"]
    {
        is_chinese(doe.get(path).await, path).await;
    }
    let begin = |planned| {
        [("name", "1"), ("planned", planned), ("shown", "1"), ("withheld", "1"), ("blocks", "2"), ("stratum", "sex")]
    };
    let post = async |path: &str, fields: &[(&str, &str)], status: u16| {
        let answer = doe.post(path, fields).await;
        assert_eq!(answer.status(), status, "{path}");
        let page = answer.text().await.unwrap();
        is_whole(&page, path);
        page
    };
    assert!(post("/trial/begin", &begin("0"), 400).await.contains("病人數至少為 1。試驗未開始。"));
    post("/trial/begin", &begin("9"), 200).await;
    post("/trial/begin", &begin("9"), 409).await;
    film(&node, &"2".repeat(62), |film| film.patient_id = "22".into(), read(0.9)).await;
    film(&node, &"3".repeat(63), |film| film.patient_id = String::new(), read(0.9)).await;
    for path in ["/trial", "/trial/diagnoses"] {
        is_chinese(doe.get(path).await, path).await;
    }
    post("/trial/diagnoses", &[("patient_id", "22")], 400).await;
    post("/trial/diagnoses/upload", &[("csv", "patient_id,date,fracture\n22,x,x\n")], 400).await;
    post("/trial/diagnoses/upload", &[("csv", "patient_id,date,fracture\n23,2026-01-02,yes\n")], 400).await;
    post("/trial/diagnoses/upload", &[("csv", "patient_id,date,fracture\n22,2026-01-02,yes\n")], 200).await;
    post("/trial/opt-out", &[("patient_id", "22"), ("reason", "1")], 400).await;
    post("/trial/withdraw", &[], 400).await;
    post("/trial/close", &[], 400).await;
    post("/trial/stop", &[], 200).await;
    let closed = post("/trial/close", &[("confirm", "1")], 200).await;
    assert!(closed.contains("意向治療分析") && closed.contains("排除：無病歷號"), "{closed}");
    node.stop().await;
}

/// Somebody signed out, with these headers.
async fn signin(visitor: &Visitor, headers: &[(&str, &str)]) -> String {
    let request = headers
        .iter()
        .fold(visitor.request(reqwest::Method::GET, "/signin"), |request, (name, value)| request.header(*name, *value));
    let answer = request.header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    page.split("<html lang=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reader_has_a_language_of_their_own() {
    let node = node().await;
    let stranger = node.stranger();
    assert_eq!(signin(&stranger, &[]).await, "en");
    assert_eq!(signin(&stranger, &[("accept-language", "zh-TW,zh;q=0.9,en;q=0.8")]).await, CHINESE);
    assert_eq!(signin(&stranger, &[("accept-language", "zh-TW"), ("cookie", "coxa-language=en")]).await, "en");
    let long = "zh,;q=;;".repeat(500);
    for hostile in ["zh-TW;q=NaN", "../../etc/passwd", "<script>", "%s%s%n", "\"zh-TW\"", &long] {
        assert_eq!(signin(&stranger, &[("accept-language", hostile)]).await, "en", "{hostile}");
    }
    assert_eq!(signin(&stranger, &[("cookie", "coxa-language=../en.ftl")]).await, "en");

    // Signed out, the browser keeps the choice, and the page it was made on comes back.
    let chosen = stranger.post("/language", &[("language", CHINESE), ("back", "/signin?next=%2Ffilms%2F3")]).await;
    assert_eq!(
        (chosen.status().as_u16(), chosen.headers()["location"].to_str().unwrap()),
        (303, "/signin?next=%2Ffilms%2F3")
    );
    let cookie = chosen.headers()["set-cookie"].to_str().unwrap();
    assert_eq!(cookie, "coxa-language=zh-Hant-TW; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    let kept = Visitor { cookie: cookie.split(';').next().unwrap().into(), ..stranger.clone() };
    assert_eq!(signin(&kept, &[]).await, CHINESE);
    for elsewhere in ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere", "/a\r\nb", ""] {
        let answer = stranger.post("/language", &[("language", "en"), ("back", elsewhere)]).await;
        assert_eq!(answer.headers()["location"], "/me", "{elsewhere}");
    }
    for unknown in ["tlh", "EN", "zh", "<script>"] {
        assert_eq!(stranger.post("/language", &[("language", unknown)]).await.status(), 400, "{unknown}");
    }

    // The person's own setting goes before cookie and header, wherever they sign in.
    let person = node.person("doe", &[Role::Physician]).await;
    let doe = node.session(person, Stage::Full).await;
    assert_eq!(doe.post("/language", &[("language", CHINESE), ("back", "/me")]).await.status(), 303);
    let other = node.session(person, Stage::Full).await;
    let other = Visitor { cookie: format!("{}; coxa-language=en", other.cookie), ..other };
    let me = other.page("/me").await;
    assert!(
        me.contains("<html lang=\"zh-Hant-TW\">") && me.contains("value=\"zh-Hant-TW\" lang=\"zh-Hant-TW\" selected")
    );
    // Back to what the browser asks.
    assert!(
        doe.post("/language", &[("language", "")]).await.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert!(doe.page("/me").await.contains("<html lang=\"en\">"));

    // Nobody else's page sets it.
    let foreign = |visitor: &Visitor| {
        visitor.request(reqwest::Method::POST, "/language").header("origin", "http://elsewhere.example")
    };
    let body = format!("language=en&form={}", doe.form);
    assert_eq!(foreign(&doe).body(body.clone()).send().await.unwrap().status(), 403);
    assert_eq!(foreign(&stranger).body(body).send().await.unwrap().status(), 403);
    let tokenless = Visitor { form: String::new(), ..doe.clone() };
    assert_eq!(tokenless.post("/language", &[("language", "en")]).await.status(), 403);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_scripts_are_in_the_language_of_the_page() {
    let node = node().await;
    let stranger = node.stranger();
    let request = stranger.request(reqwest::Method::POST, "/signin").header("origin", &node.http);
    let request =
        request.header("accept-language", "zh-TW").header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body("name=doe&password=wrong").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let page = is_chinese(answer, "/signin").await;
    assert!(page.contains("帳號或密碼錯誤。") && page.contains("/assets/messages-zh-Hant-TW.js?v="));
    let script = stranger.get("/assets/messages-zh-Hant-TW.js").await;
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    let script = script.text().await.unwrap();
    assert!(
        script.starts_with("\"use strict\";\nconst COXA_MESSAGES = {") && script.contains("完整解析度：{$percent}%"),
        "{script}"
    );
    for name in ["messages-tlh.js", "messages-.js", "messages-en", "messages-../en.js"] {
        assert_eq!(stranger.get(&format!("/assets/{name}")).await.status(), 404, "{name}");
    }
    // Whose session ended, and who may not.
    let reader = node.visitor("doe", &[Role::Reader]).await;
    for (visitor, status) in [(&reader, 403), (&stranger, 401)] {
        let request = visitor.request(reqwest::Method::POST, "/operations/resend").header("accept-language", "zh-TW");
        let answer = request.header("accept", "text/html").header("origin", &node.http).send().await.unwrap();
        assert_eq!(answer.status(), status);
        is_chinese(answer, "/operations/resend").await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_are_in_the_reader_s_language() {
    let node = Running::start(|config| {
        config.roles = vec![NodeRole::Pages];
        config.collections = crate::collections::collections(config.data.parent().unwrap());
    })
    .await;
    let person = node.person("doe", &[Role::Reviewer]).await;
    node.app.db.set_language(person, CHINESE).await.unwrap();
    let doe = node.session(person, Stage::Full).await;
    for path in [
        "/collections",
        "/collections/hips",
        "/collections/films",
        "/collections/new",
        "/collections/broken",
        "/collections/hips/films/17",
        "/collections/films/films/1",
    ] {
        is_chinese(doe.get(path).await, path).await;
    }
    let page = is_chinese(doe.post("/collections/films/films/1", &[("decision", "drawn")]).await, "drawn").await;
    assert!(page.contains("資料未儲存"));
    assert_eq!(doe.post("/collections/films/films/1", &[("decision", "accept")]).await.status(), 303);
    let page = is_chinese(doe.get("/collections/films/films/1").await, "decided").await;
    assert!(page.contains("區域將塗黑"));
    node.stop().await;
}
