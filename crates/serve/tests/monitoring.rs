//! Monitoring and recalibration: what the page counts, what is shown before a calibration is taken, and what it changes.

use coxa_serve::config::Role as NodeRole;
use coxa_serve::db::{Database, NewCalibration, NewReview, Verdict};
use coxa_serve::people::Role;
use reqwest::Method;
use serde_json::Value;

use crate::pages::{film, is_clean, not_read, read};
use crate::peers::{node as program, run};
use crate::postgres::postgres;
use crate::queue::on_both;
use crate::support::{Film, Running, Visitor, config};

async fn pages() -> Running {
    Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await
}

/// Sends a file in a form, as a browser does.
pub async fn upload(visitor: &Visitor, csv: &str) -> (u16, String) {
    let part = |name: &str, rest: &str, value: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{rest}\r\n\r\n{value}\r\n")
    };
    let file = part("file", "; filename=\"labels.csv\"\r\nContent-Type: text/csv", csv);
    let request = visitor.request(Method::POST, "/monitoring/labels").header("origin", &visitor.http);
    let request = request.header("content-type", "multipart/form-data; boundary=edge").header("accept", "text/html");
    let answer = request.body(part("form", "", &visitor.form) + &file + "--edge--\r\n").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The cells of a row of a table, by its head.
fn cells(page: &str, head: &str) -> Vec<String> {
    let row =
        page.split(&format!("<th scope=\"row\">{head}</th>")).nth(1).unwrap_or_else(|| panic!("no row {head}: {page}"));
    let row = row.split("</tr>").next().unwrap();
    let text = |cell: &str| cell.split_once('>').unwrap().1.split("</td>").next().unwrap().to_owned();
    row.split("<td").skip(1).map(text).collect()
}

/// Films that were read at these probabilities, from two sources; their rows.
async fn read_at(node: &Running, name: &str, probabilities: &[f64]) -> Vec<i64> {
    let mut rows = Vec::new();
    for (i, probability) in probabilities.iter().enumerate() {
        let source = if i % 4 == 0 { "XR2@10.0.0.2" } else { "XR1@10.0.0.1" };
        rows.push(film(node, &format!("{name} {i}"), |film| film.source = source.into(), read(*probability)).await);
    }
    rows
}

/// Probabilities from 0.02 to 0.98.
fn spread(n: usize, power: f64) -> Vec<f64> {
    (0..n).map(|i| 0.02 + 0.96 * ((i * 7 % n) as f64 / n as f64).powf(power)).collect()
}

async fn review(node: &Running, film: i64, verdict: Verdict, person: i64) {
    let (note, reviewer) = (String::new(), "doe".into());
    node.app.db.add_review(&NewReview { film, verdict, note, mark: None, reviewer, person }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_counts_what_came() {
    let node = pages().await;
    let (admin, doe) =
        (node.visitor("root", &[Role::Administrator]).await, node.person("doe", &[Role::Physician]).await);
    let empty = admin.page("/monitoring").await;
    is_clean(&empty, "/monitoring");
    assert!(empty.contains("No film in this period") && empty.contains("holds no scores of its validation films"));
    let rows = read_at(&node, "film", &[vec![0.9; 8], vec![0.1; 12]].concat()).await;
    for i in 0..3 {
        film(&node, &format!("unread {i}"), |film| film.source = "XR1@10.0.0.1".into(), not_read("lateral <view>"))
            .await;
    }
    film(&node, "waiting", |film| film.source = "stow".into(), None).await;
    for (i, row) in rows[..12].iter().enumerate() {
        review(&node, *row, if i < 3 { Verdict::Disagree } else { Verdict::Agree }, doe).await;
    }
    // A later verdict stands; unsure is in no rate.
    review(&node, rows[0], Verdict::Unsure, doe).await;
    let physician = node.session(doe, coxa_serve::people::session::Stage::Full).await;
    for row in &rows[..11] {
        physician.page(&format!("/films/{row}")).await;
    }
    let page = admin.page("/monitoring").await;
    is_clean(&page, "/monitoring");
    let figure = |page: &str, name: &str| {
        page.split(&format!("<dt>{name}</dt><dd>")).nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    for (name, films) in [("Films", "24"), ("Positive", "8"), ("Negative", "12"), ("Not read", "3"), ("Waiting", "1")] {
        assert_eq!(figure(&page, name), films, "{name}");
    }
    assert_eq!(cells(&page, "Physicians disagree with the result")[0], "18.2%", "2 of 11");
    assert_eq!(cells(&page, "lateral &#60;view&#62;"), ["3", "12.5%"]);
    assert!(page.contains("1 unsure are left out") && page.contains("11 of 24 films were"));
    assert!(!cells(&page, "Arrival to first look, median")[0].is_empty());
    assert!(!cells(&page, "Arrival to result, 90th percentile")[0].is_empty());
    assert_eq!(cells(&page, "XR1")[..4], ["18", "6", "9", "3"]);
    assert_eq!(cells(&page, "XR2")[..5], ["5", "2", "3", "0", "0 of 2"], "a rate of two reviews is none");
    assert_eq!(cells(&page, "stow")[..2], ["1", "0"]);
    // One source: too few for rates and times, and no number for them.
    let one = admin.page("/monitoring?source=XR2&period=all").await;
    assert_eq!((figure(&one, "Films").as_str(), figure(&one, "Positive").as_str()), ("5", "2"));
    assert_eq!(cells(&one, "Physicians disagree with the result"), ["", "too few reviews (2 of 10)"]);
    assert_eq!(cells(&one, "Arrival to result, median"), ["", "too few films (5 of 10)"]);
    assert_eq!(figure(&admin.page("/monitoring?source=nobody&period=x").await, "Films"), "24");
    // Whose page it is.
    let reviewer = node.visitor("rev", &[Role::Reviewer]).await;
    let page = reviewer.page("/monitoring").await;
    assert!(!page.contains("/monitoring/baseline") && !page.contains("/monitoring/recalibration"));
    assert_eq!(reviewer.get("/monitoring/recalibration").await.status(), 403);
    assert_eq!(reviewer.post("/monitoring/baseline", &[("films", "50")]).await.status(), 403);
    for (name, role) in [("read", Role::Reader), ("phys", Role::Physician), ("aud", Role::Auditor)] {
        assert_eq!(node.visitor(name, &[role]).await.get("/monitoring").await.status(), 403, "{name}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_compared_with_a_baseline() {
    let node = pages().await;
    let admin = node.visitor("root", &[Role::Administrator]).await;
    read_at(&node, "few", &spread(20, 1.0)).await;
    let few = admin.post("/monitoring/baseline", &[("films", "50")]).await;
    assert_eq!(few.status(), 400);
    read_at(&node, "base", &spread(60, 1.0)).await;
    for films in ["", "-1", "many", "10001"] {
        assert_eq!(admin.post("/monitoring/baseline", &[("films", films)]).await.status(), 400, "{films}");
    }
    assert_eq!(admin.post("/monitoring/baseline", &[("films", "80")]).await.status(), 303);
    let words = |page: &str| page.split("id=\"drift-words\">").nth(1).unwrap().split("</p>").next().unwrap().to_owned();
    let page = admin.page("/monitoring").await;
    assert!(words(&page).contains("Too few films to compare: scores of 0 patients"), "{}", words(&page));
    assert_eq!(cells(&page, "Population stability index")[0], "");
    read_at(&node, "same", &spread(70, 1.0)).await;
    let page = admin.page("/monitoring").await;
    is_clean(&page, "/monitoring");
    assert!(words(&page).contains("No difference from the reference"), "{}", words(&page));
    read_at(&node, "higher", &spread(90, 0.2)).await;
    let page = admin.page("/monitoring").await;
    assert!(words(&page).contains("strongly") && words(&page).contains("higher"), "{}", words(&page));
    let index: f64 = cells(&page, "Population stability index")[0].parse().unwrap();
    assert!(index > 0.25 && page.matches("<svg class=\"chart\"").count() == 2, "{index}");
    // By one source it is too few again.
    assert!(words(&admin.page("/monitoring?source=XR2").await).contains("Too few"));
    assert_eq!(admin.post("/monitoring/baseline", &[("films", "0")]).await.status(), 303);
    assert!(words(&admin.page("/monitoring").await).contains("holds no scores"));
    let entries = deeds(&node, "baseline_chosen").await;
    assert_eq!(entries.iter().map(|entry| entry["films"].clone()).collect::<Vec<_>>(), ["80", "0"]);
    node.stop().await;
}

/// The details of the audit log's entries of a kind, in their order.
async fn deeds(node: &Running, action: &str) -> Vec<Value> {
    let query = coxa_serve::db::AuditQuery { action: action.into(), ..Default::default() };
    let rows = node.app.db.audit_after(&query, 0, 100).await.unwrap();
    rows.iter().map(|row| serde_json::from_str::<Value>(&row.body).unwrap()["detail"].clone()).collect()
}

/// Films of 25 patients with a fracture and 25 without, whose scores overlap; a table of their labels.
pub async fn labeled(node: &Running) -> String {
    let mut csv = "sop_instance_uid,label\n".to_owned();
    for i in 0..50 {
        let is_present = i % 2 == 0;
        let probability = 0.004 + 0.02 * f64::from(i) + if is_present { 0.0 } else { -0.003 * f64::from(i) };
        let row = film(node, &format!("labeled {i}"), |_| {}, read(probability.clamp(0.001, 0.999))).await;
        let uid = node.app.db.film(row).await.unwrap().unwrap().attributes.sop_instance_uid;
        csv += &format!("{uid},{}\n", u8::from(is_present));
    }
    csv
}

/// The threshold of a film's reading and the calibration that it was read with.
async fn read_with(node: &Running, film: &Film) -> (f64, Value) {
    let row = node.app.db.film_by_uid(&film.uid).await.unwrap().unwrap();
    let prediction: Value =
        serde_json::from_str(&node.app.db.reading_of(row.id).await.unwrap().unwrap().prediction).unwrap();
    let line = node.json(&format!("/api/v1/readings/{}", film.uid)).await;
    assert_eq!(
        line["finding"],
        prediction["probability"].as_f64().unwrap() >= prediction["threshold"].as_f64().unwrap()
    );
    (prediction["threshold"].as_f64().unwrap(), line["calibration"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calibration_is_shown_taken_used_and_taken_back() {
    let node = pages().await;
    let admin = node.visitor("root", &[Role::Administrator]).await;
    let csv = labeled(&node).await;
    let ask = [("target", "90"), ("labels", "uploaded"), ("temperature", "fit")];
    let refused = admin.post("/monitoring/recalibration", &ask).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("Too few labeled films: 0 patients with a fracture"));
    let (status, page) = upload(&admin, &(csv + "2.25.4711,1\n")).await;
    is_clean(&page, "/monitoring/labels");
    assert!(status == 200 && page.contains("50 films are labeled") && page.contains("left out: 52"), "{status} {page}");
    assert_eq!(cells(&page, "Uploaded"), ["50", "25"]);
    let asked = admin.post("/monitoring/recalibration", &ask).await;
    assert_eq!(asked.status(), 303);
    let place = asked.headers()["location"].to_str().unwrap().to_owned();
    let id = place.rsplit('/').next().unwrap().to_owned();
    let shown = admin.page(&place).await;
    is_clean(&shown, &place);
    let sensitivity = cells(&shown, "Sensitivity, of patients");
    assert!(sensitivity[1].starts_with("92.0%") && sensitivity[1].contains("Wilson"), "{sensitivity:?}");
    assert!(shown.contains("Proposed, not in use") && shown.contains("Of the <b>50</b> films"), "{shown}");
    // Shown is not taken.
    let model = coxa_model::Bundle::shipped().unwrap().short_hash().to_owned();
    assert!(node.app.db.calibration_in_use(&model).await.unwrap().is_none());
    let physician = node.visitor("doe", &[Role::Physician, Role::Reviewer]).await;
    assert_eq!(physician.post("/monitoring/recalibration/take", &[("id", &id)]).await.status(), 403);
    assert_eq!(admin.post("/monitoring/recalibration/take", &[("id", &id)]).await.status(), 303);
    assert_eq!(admin.post("/monitoring/recalibration/take", &[("id", &id)]).await.status(), 400, "in use already");
    assert_eq!(admin.post("/monitoring/recalibration/take", &[("id", "999")]).await.status(), 404);
    let taken = node.app.db.calibration_in_use(&model).await.unwrap().unwrap();
    assert_eq!(taken.id.to_string(), id);
    let before = node.app.db.readings(0, 0, 50).await.unwrap();
    // The next film is read with it, by the real network; those before keep their results.
    let folder = node.stop().await;
    let config = config(folder.path());
    let node = Running::start_in(folder, config).await;
    let admin = Visitor { http: node.http.clone(), ..admin };
    let films = ["with it", "with the network's own", "with it again"].map(|seed| Film::new(seed, 0));
    assert_eq!(node.store(&films[0]).await, coxa_dimse::Status::SUCCESS);
    node.done(51).await;
    assert_eq!(read_with(&node, &films[0]).await, (taken.what.threshold, Value::from(taken.id)));
    assert_eq!(node.app.db.readings(0, 0, 50).await.unwrap(), before);
    let row = node.app.db.film_by_uid(&films[0].uid).await.unwrap().unwrap();
    let watched = node.app.db.watched(row.received_at, i64::MAX).await.unwrap();
    let (logit, probability) = (watched[0].logit.unwrap(), watched[0].probability.unwrap());
    assert_eq!(
        coxa_model::probability(logit as f32, taken.what.temperature),
        probability,
        "the output is kept as it was"
    );
    assert!(admin.page("/monitoring").await.contains(&format!("films are read with calibration {id}")));
    assert!(admin.page("/operations").await.contains("calibration"));
    // Back to the network's own, and to the calibration again.
    let own = coxa_model::Bundle::shipped().unwrap().card().threshold.threshold;
    for (film, (taken_id, wanted)) in
        films[1..].iter().zip([("0", (own, Value::Null)), (id.as_str(), (taken.what.threshold, Value::from(taken.id)))])
    {
        assert_eq!(admin.post("/monitoring/recalibration/take", &[("id", taken_id)]).await.status(), 303);
        assert_eq!(node.store(film).await, coxa_dimse::Status::SUCCESS);
        node.done(51).await;
        assert_eq!(read_with(&node, film).await, wanted, "{taken_id}");
    }
    assert_eq!(read_with(&node, &films[0]).await.1, Value::from(taken.id), "nothing is rewritten");
    let page = admin.page("/monitoring/recalibration").await;
    is_clean(&page, "/monitoring/recalibration");
    assert_eq!(page.matches("<td>the network’s own</td>").count(), 1);
    // What was proposed before another was taken shows a "now" that is no more.
    let ask = [("target", "80"), ("labels", "uploaded"), ("temperature", "keep")];
    let places: Vec<String> =
        [admin.post("/monitoring/recalibration", &ask).await, admin.post("/monitoring/recalibration", &ask).await]
            .map(|asked| asked.headers()["location"].to_str().unwrap().to_owned())
            .to_vec();
    let ids: Vec<&str> = places.iter().map(|place| place.rsplit('/').next().unwrap()).collect();
    assert_eq!(admin.post("/monitoring/recalibration/take", &[("id", ids[0])]).await.status(), 303);
    assert_eq!(admin.post("/monitoring/recalibration/take", &[("id", ids[1])]).await.status(), 400);
    assert!(admin.page(&places[1]).await.contains("holds no more"));
    let taken: Vec<Value> = deeds(&node, "calibration_taken").await;
    let taken: Vec<&str> = taken.iter().map(|detail| detail["calibration"].as_str().unwrap()).collect();
    assert_eq!(taken, [id.as_str(), "0", id.as_str(), ids[0]]);
    assert_eq!((deeds(&node, "labels_added").await.len(), deeds(&node, "calibration_proposed").await.len()), (1, 4));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_a_fault_is_refused_whole() {
    let node = pages().await;
    let admin = node.visitor("root", &[Role::Administrator]).await;
    let row = film(&node, "one", |film| film.accession_number = "A1".into(), read(0.9)).await;
    film(&node, "two", |film| film.accession_number = "A1".into(), read(0.2)).await;
    let uid = node.app.db.film(row).await.unwrap().unwrap().attributes.sop_instance_uid;
    for (csv, fault) in [
        ("sop_instance_uid,label\n=cmd|'/c calc'!A1,1\n".to_owned(), "Row 2, column sop_instance_uid: a formula"),
        ("name,label\nDOE,1\n".to_owned(), "Row 1: the columns must be"),
        (
            format!("sop_instance_uid,label\n{uid},1\n{uid},1\n"),
            "Row 3, column sop_instance_uid: row 2 has the same value",
        ),
        (format!("sop_instance_uid,label\n{uid},1\n{uid},0\n"), "with the other label"),
        (format!("sop_instance_uid,label\n{uid},=1+1\n"), "Row 2, column label: neither 1 or present"),
        ("accession,label\nSECRET-9,1\n".to_owned(), "none of the 1 rows leads to a film"),
        ("accession,label\n<script>\u{202E},1\nA1,maybe\n".to_owned(), "Row 3, column label"),
    ] {
        let (status, page) = upload(&admin, &csv).await;
        is_clean(&page, &csv);
        assert!(status == 400 && page.contains(fault) && page.contains("Nothing was stored"), "{csv}: {page}");
        assert!(!page.contains("SECRET") && !page.contains(&uid) && !page.contains("<script>"), "{csv}: {page}");
    }
    let (status, page) = upload(&admin, "").await;
    assert!(status == 400 && page.contains("Choose a CSV file"), "{page}");
    let (status, page) = upload(&admin, "label,accession\npresent,A1\n").await;
    assert!(status == 200 && page.contains("2 films are labeled"), "each film of the study: {page}");
    assert_eq!(cells(&page, "Uploaded"), ["2", "2"]);
    // A later table replaces labels; somebody else's form does nothing.
    assert_eq!(upload(&admin, &format!("sop_instance_uid,label\n{uid},0\n")).await.0, 200);
    assert_eq!(cells(&admin.page("/monitoring/recalibration").await, "Uploaded"), ["2", "1"]);
    let other = node.visitor("other", &[Role::Administrator]).await;
    let foreign = Visitor { form: other.form.clone(), ..admin.clone() };
    assert_eq!(upload(&foreign, &format!("sop_instance_uid,label\n{uid},1\n")).await.0, 403);
    let reviewer = node.visitor("rev", &[Role::Reviewer, Role::Physician]).await;
    assert_eq!(upload(&reviewer, &format!("sop_instance_uid,label\n{uid},1\n")).await.0, 403);
    assert_eq!(cells(&admin.page("/monitoring/recalibration").await, "Uploaded"), ["2", "1"]);
    node.stop().await;
}

fn calibration(model: &str, threshold: f64) -> NewCalibration {
    NewCalibration {
        model: model.into(),
        temperature: 2.0,
        own_temperature: 1.0,
        threshold,
        target: 0.9,
        chosen_on: "a test".into(),
        report: "{}".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calibrations_and_baselines_are_only_added() {
    on_both("calibrations", async |db: Database| {
        assert!(db.calibration_in_use("abc").await.unwrap().is_none());
        let one = db.add_calibration(&calibration("abc", 0.3), (1, "root")).await.unwrap();
        let two = db.add_calibration(&calibration("abc", 0.25), (1, "root")).await.unwrap();
        assert!(db.calibration_in_use("abc").await.unwrap().is_none(), "proposed is not taken");
        for (id, threshold) in [(one, Some(0.3)), (two, Some(0.25)), (0, None), (one, Some(0.3))] {
            db.use_calibration("abc", id, (1, "root")).await.unwrap();
            let in_use = db.calibration_in_use("abc").await.unwrap();
            assert_eq!(in_use.map(|calibration| calibration.what.threshold), threshold);
        }
        assert!(db.calibration_in_use("other").await.unwrap().is_none(), "another network has its own");
        let uses = db.calibration_uses("abc", 10).await.unwrap();
        assert_eq!(uses.iter().map(|used| used.calibration).collect::<Vec<_>>(), [one, 0, two, one]);
        let ids: Vec<i64> = db.calibrations("abc", 10).await.unwrap().iter().map(|one| one.id).collect();
        assert_eq!(ids, [two, one]);
        assert!(db.baseline("abc").await.unwrap().is_none());
        let baseline = coxa_serve::db::Baseline {
            films: 3,
            between: (1, 2),
            logits: vec![-1.5, 0.1, 2.25],
            person: "root".into(),
            at: 0,
        };
        db.add_baseline("abc", &baseline, 1).await.unwrap();
        let kept = db.baseline("abc").await.unwrap().unwrap();
        assert_eq!((kept.films, kept.logits, kept.between), (3, baseline.logits, (1, 2)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_takes_another_reads_with() {
    let Some(server) = postgres() else { return };
    let (url, bucket) = (server.database("calibrated"), tempfile::tempdir().unwrap());
    let objects = format!("file://{}", bucket.path().display());
    let start = async |name: &str, roles: Vec<NodeRole>| {
        Running::start(|config| {
            config.database = Some(url.clone());
            config.objects = Some(objects.clone());
            config.node = Some(name.into());
            config.roles = roles;
        })
        .await
    };
    let reader = start("reader", vec![NodeRole::Read]).await;
    let node = start("receiver", vec![NodeRole::Receive, NodeRole::Pages]).await;
    let model = coxa_model::Bundle::shipped().unwrap().short_hash().to_owned();
    let id = node.app.db.add_calibration(&calibration(&model, 0.25), (1, "root")).await.unwrap();
    let films = ["before", "after"].map(|seed| Film::new(seed, 0));
    let own = coxa_model::Bundle::shipped().unwrap().card().threshold.threshold;
    for (film, wanted) in films.iter().zip([(own, Value::Null), (0.25, Value::from(id))]) {
        assert_eq!(node.store(film).await, coxa_dimse::Status::SUCCESS);
        node.done(1).await;
        assert_eq!(read_with(&node, film).await, wanted);
        node.app.db.use_calibration(&model, id, (1, "root")).await.unwrap();
    }
    reader.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_recalibrates_in_a_browser() {
    let Some(mut script) = program("monitoring.js") else { return };
    let node = pages().await;
    let admin = node.visitor("root", &[Role::Administrator]).await;
    let doe = node.person("doe", &[Role::Physician]).await;
    let rows = read_at(&node, "base", &spread(60, 1.0)).await;
    for i in 0..4 {
        film(&node, &format!("unread {i}"), |film| film.source = "XR1@10.0.0.1".into(), not_read("lateral view")).await;
    }
    for (i, row) in rows.iter().enumerate().take(24) {
        review(&node, *row, if i % 6 == 0 { Verdict::Disagree } else { Verdict::Agree }, doe).await;
    }
    let csv = node.folder.path().join("labels.csv");
    std::fs::write(&csv, labeled(&node).await).unwrap();
    let pictures = coxa_testing::artifacts().join("monitoring");
    std::fs::create_dir_all(&pictures).unwrap();
    script.args([&node.http, admin.cookie.split('=').nth(1).unwrap()]).arg(pictures).arg(csv);
    run(script).await;
    node.stop().await;
}
