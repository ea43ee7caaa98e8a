//! A randomized trial of the reader: who is randomized, that nothing tells what is withheld, and that the analysis finds what is there.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_serve::config::Role as NodeRole;
use coxa_serve::db::{Database, Ended, JobKind, NewFilm, NewObject, ObjectKind, Outcome};
use coxa_serve::people::Role;
use coxa_serve::trial::{Allocation, Stratum, TrialPlan, record_randomizations, verify_allocation};
use coxa_study::trial::{Arm, TrialAnalysis, TrialOptions, TrialTable, analyze};

use crate::pages::{film, is_clean, read};
use crate::queue::on_both;
use crate::support::Running;

pub fn plan(planned: u32) -> TrialPlan {
    TrialPlan { name: "Hip trial".into(), planned, ..TrialPlan::default() }
}

/// Leaves a page beside its style sheets among the artifacts.
pub fn leave(name: &str, page: &str) {
    let folder = coxa_testing::artifacts().join("trial");
    std::fs::create_dir_all(&folder).unwrap();
    for (sheet, text) in
        [("pages.css", include_str!("../assets/pages.css")), ("viewer.css", include_str!("../assets/viewer.css"))]
    {
        std::fs::write(folder.join(sheet), text).unwrap();
    }
    std::fs::write(folder.join(format!("{name}.html")), page.replace("/assets/", "")).unwrap();
}

/// A secret whose first patients have these arms.
pub fn secret_of(plan: &TrialPlan, arms: &[Arm]) -> String {
    let fits = |secret: &String| {
        let allocation = Allocation::new(secret, plan);
        (0..).zip(arms).all(|(place, arm)| allocation.arm("", place) == *arm)
    };
    (0..).map(|number| format!("secret {number}")).find(fits).unwrap()
}

pub fn arrived(patient: &str, number: usize) -> NewFilm {
    NewFilm {
        sop_instance_uid: format!("2.25.7{number}"),
        sop_class_uid: "1.2.840.10008.5.1.4.1.1.1.1".into(),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        study_uid: format!("2.25.8{number}"),
        series_uid: format!("2.25.9{number}"),
        sha256: format!("{number:064}"),
        bytes: 10,
        home: "here".into(),
        source: "XRAY1@10.0.0.1".into(),
        patient_id: patient.into(),
        patient_sex: if number.is_multiple_of(3) { "M" } else { "F" }.into(),
        patient_birth_date: "19400101".into(),
        accession_number: format!("A{number}"),
        metadata: "{}".into(),
        ..NewFilm::default()
    }
}

/// A film that arrives and is read; its row.
pub async fn came(db: &Database, film: &NewFilm, outcome: Outcome, objects: &[NewObject]) -> i64 {
    let id = db.store_film(film, &[(JobKind::Read, "")]).await.unwrap().id();
    let job = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
    assert!(db.finish_reading(&job, &outcome, objects).await.unwrap());
    id
}

fn not_read() -> Outcome {
    Outcome { not_read: Some("a knee".into()), prediction: r#"{"not_read":"a knee"}"#.into(), ..read(0.1).unwrap() }
}

pub async fn state(db: &Database, film: i64) -> String {
    db.film(film).await.unwrap().unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_has_one_arm_with_all_films_and_blocks_are_balanced() {
    on_both("trial_arms", async |db| {
        let plan = TrialPlan { stratum: Stratum::Sex, ..plan(60) };
        let secret = "the secret of this test";
        let trial = db.begin_trial(&plan, secret).await.unwrap().unwrap();
        assert_eq!(db.begin_trial(&plan, "another").await.unwrap(), None, "one trial at a time");
        let open = db.trial().await.unwrap().unwrap();
        assert!(open.secret.is_empty() && open.frozen.is_empty() && !open.commitment.contains(secret));
        assert_eq!(db.allocation(trial).await.unwrap().rows, [], "concealed while the trial is open");
        let mut arms: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for number in 0..60 {
            let patient = format!("P{number}");
            let first = came(&db, &arrived(&patient, number), read(0.9).unwrap(), &[]).await;
            let found = state(&db, first).await;
            let sex = arrived(&patient, number).patient_sex;
            arms.entry(sex).or_default().push(found.clone());
            if number % 10 == 0 {
                let later = came(&db, &arrived(&patient, 1000 + number), read(0.1).unwrap(), &[]).await;
                assert_eq!(state(&db, later).await, found, "a later film is in the arm of the first");
            }
        }
        let full = came(&db, &arrived("P-late", 5000), read(0.9).unwrap(), &[]).await;
        assert_eq!(state(&db, full).await, "read", "the planned number is reached");
        // As the secret gives them.
        for (sex, found) in &arms {
            let allocation = Allocation::new(secret, &plan);
            for (place, found) in (0..).zip(found) {
                let expected = if allocation.arm(sex, place) == Arm::Shown { "read" } else { "withheld" };
                assert_eq!(found, expected, "{sex} {place}");
            }
            let withheld = found.iter().filter(|state| *state == "withheld").count();
            assert!(withheld.abs_diff(found.len() / 2) <= 3, "an unfinished block is off by half of it at most");
        }
        assert!(db.close_trial(trial).await.unwrap());
        let closed = db.trial().await.unwrap().unwrap();
        let table = db.allocation(trial).await.unwrap();
        assert_eq!(verify_allocation(&plan, &closed.secret, &closed.commitment, &table), Vec::<String>::new());
        let mut forged = table.clone();
        let arm = &mut forged.rows[7].3;
        *arm = if arm == "shown" { "withheld".into() } else { "shown".into() };
        assert_eq!(verify_allocation(&plan, &closed.secret, &closed.commitment, &forged).len(), 1);
        assert_eq!(
            verify_allocation(&plan, "another", &closed.commitment, &table)[0],
            "the secret is not the one that the trial was begun with"
        );
        forged.rows.remove(3);
        assert!(verify_allocation(&plan, &closed.secret, &closed.commitment, &forged).len() > 1, "a gap shows");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_randomized_is_counted_with_the_reason() {
    on_both("trial_excluded", async |db| {
        let before = came(&db, &arrived("P-before", 1), read(0.9).unwrap(), &[]).await;
        let plan = TrialPlan { minimum_age: 60, ..plan(10) };
        let secret = secret_of(&plan, &[Arm::Withheld]);
        let trial = db.begin_trial(&plan, &secret).await.unwrap().unwrap();
        assert_eq!(db.opt_out("P-out", "asked").await.unwrap(), Ended::Done(vec![]));
        assert_eq!(db.opt_out("P-out", "asked").await.unwrap(), Ended::Nothing);
        for film in [
            arrived("P-out", 2),
            NewFilm { patient_birth_date: "20000101".into(), study_date: "20260101".into(), ..arrived("P-young", 3) },
            NewFilm { patient_birth_date: String::new(), ..arrived("P-age", 4) },
            arrived("", 5),
            arrived("", 6),
        ] {
            let id = came(&db, &film, read(0.9).unwrap(), &[]).await;
            assert_eq!(state(&db, id).await, "read");
        }
        let knee = came(&db, &arrived("P-knee", 7), not_read(), &[]).await;
        assert_eq!(state(&db, knee).await, "not_read");
        let gated = came(&db, &arrived("P-gated", 8), not_read(), &[]).await;
        let counts = db.trial_counts(trial).await.unwrap();
        assert_eq!(
            counts.excluded,
            [
                ("age not known".to_owned(), 1),
                ("no film that the network reads".to_owned(), 2),
                ("no patient ID".to_owned(), 2),
                ("opted out".to_owned(), 1),
                ("younger than the least age".to_owned(), 1)
            ]
        );
        // A patient whose next film is read is randomized by it; the film that was not read stays so.
        let hip = came(&db, &arrived("P-knee", 9), read(0.9).unwrap(), &[]).await;
        assert_eq!((state(&db, hip).await, state(&db, knee).await), ("withheld".into(), "not_read".into()));
        assert_eq!(db.trial_counts(trial).await.unwrap().randomized, 1);
        assert_eq!(db.opt_out("P-knee", "late").await.unwrap(), Ended::NotThere, "a withdrawal is needed");
        assert_eq!(state(&db, before).await, "read");
        assert!(db.stop_enrolling(trial).await.unwrap());
        let late = came(&db, &arrived("P-late", 10), read(0.9).unwrap(), &[]).await;
        assert_eq!(state(&db, late).await, "read");
        let again = came(&db, &arrived("P-knee", 11), read(0.2).unwrap(), &[]).await;
        assert_eq!(state(&db, again).await, "withheld", "arms last until the trial is closed");
        assert!(db.close_trial(trial).await.unwrap());
        let flow = analysis(&db).await.flow;
        assert_eq!((flow.assessed, flow.randomized, flow.arms[1].allocated), (7, 1, 1));
        assert_eq!((state(&db, hip).await, state(&db, gated).await), ("read".into(), "not_read".into()));
    })
    .await;
}

fn object(number: usize) -> NewObject {
    let attributes =
        NewFilm { sop_instance_uid: format!("2.26.{number}"), modality: "SR".into(), ..arrived("", number) };
    NewObject { kind: ObjectKind::Sr, attributes, destinations: vec!["pacs".into()], is_copied: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withheld_is_nowhere_until_it_is_opened() {
    on_both("trial_sealed", async |db| {
        let plan = plan(10);
        let secret = secret_of(&plan, &[Arm::Withheld; 3]);
        let trial = db.begin_trial(&plan, &secret).await.unwrap().unwrap();
        let outcome = Outcome { is_pushed: true, ..read(0.9).unwrap() };
        let first = came(&db, &arrived("P1", 1), outcome.clone(), &[object(1)]).await;
        let second = came(&db, &arrived("P2", 2), outcome.clone(), &[object(2)]).await;
        for film in [first, second] {
            let reading = db.reading_of(film).await.unwrap().unwrap();
            assert_eq!((reading.state.as_str(), reading.prediction.as_str(), reading.read_at), ("withheld", "", 0));
            assert!(reading.sent.is_empty() && reading.model.is_empty());
        }
        assert!(db.film_by_uid("2.26.1").await.unwrap().is_none());
        // A reading that has gone to another worker, as after a kill, randomizes nobody.
        let late = db.store_film(&arrived("P-late", 40), &[(JobKind::Read, "")]).await.unwrap().id();
        let slow = db.claim_job(JobKind::Read, "slow").await.unwrap().unwrap();
        db.hand_back(&slow.claim).await.unwrap();
        assert!(!db.finish_reading(&slow, &outcome, &[object(40)]).await.unwrap());
        assert_eq!(
            (state(&db, late).await.as_str(), db.trial_counts(trial).await.unwrap().randomized),
            ("received", 2)
        );
        assert!(db.unrecorded_randomizations().await.unwrap().iter().all(|patient| patient.seq <= 2));
        assert!(db.claim_send("pacs", "here").await.unwrap().is_none());
        assert!(db.claim_job(JobKind::Fhir, "here").await.unwrap().is_none());
        let job = db.claim_job(JobKind::Read, "here").await.unwrap().unwrap();
        assert!(db.finish_reading(&job, &outcome, &[]).await.unwrap(), "and the next worker does, once");
        assert_eq!(db.trial_counts(trial).await.unwrap().randomized, 3);
        let future = coxa_serve::db::now() + 1_000_000;
        assert!(db.done_before(future, "here", 10).await.unwrap().is_empty(), "retention leaves a trial's films");
        assert_eq!(db.unblind("P9", "?").await.unwrap(), Ended::NotThere);
        // Shown early: as if it had been read now.
        assert_eq!(db.unblind_film(first, "an operation depends on it").await.unwrap(), Ended::Done(vec![first]));
        assert_eq!(db.unblind("P1", "again").await.unwrap(), Ended::Nothing);
        let reading = db.reading_of(first).await.unwrap().unwrap();
        assert!(reading.state == "read" && reading.read_at > 0 && reading.sent.len() == 1, "{reading:?}");
        let push = db.claim_job(JobKind::Fhir, "here").await.unwrap().unwrap();
        assert_eq!(push.film, first);
        assert!(db.claim_send("pacs", "here").await.unwrap().is_some());
        let later = came(&db, &arrived("P1", 3), outcome.clone(), &[]).await;
        assert_eq!(state(&db, later).await, "read");
        // Closed: shown, and not sent.
        assert!(db.close_trial(trial).await.unwrap() && !db.close_trial(trial).await.unwrap());
        let reading = db.reading_of(second).await.unwrap().unwrap();
        assert!(reading.state == "read" && reading.sent.is_empty(), "{reading:?}");
        assert!(db.film_by_uid("2.26.2").await.unwrap().is_some());
        let job = db.claim_job(JobKind::Fhir, "here").await.unwrap();
        assert!(job.is_none_or(|job| job.film != second));
        let rows = TrialTable::parse(db.trial().await.unwrap().unwrap().frozen.as_bytes(), Path::new("rows")).unwrap();
        let of = |subject: &str| rows.rows.iter().find(|row| row.subject == subject).unwrap();
        assert_eq!((of("S1").status.as_str(), of("S2").status.as_str()), ("unblinded", "randomized"));
        assert_eq!(of("S2").probability, Some(0.9));
        assert!(db.begin_trial(&plan, "next").await.unwrap().is_some(), "a closed trial leaves room for another");
    })
    .await;
}

pub async fn analysis(db: &Database) -> TrialAnalysis {
    let trial = db.trial().await.unwrap().unwrap();
    analyze(&TrialTable::parse(trial.frozen.as_bytes(), Path::new("rows")).unwrap(), &TrialOptions::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_counts_is_the_first_that_stands_and_is_no_doubt() {
    let node = Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await;
    let db = node.app.db.clone();
    let plan = plan(4);
    let secret = secret_of(&plan, &[Arm::Withheld, Arm::Shown]);
    let trial = db.begin_trial(&plan, &secret).await.unwrap().unwrap();
    let id = film(&node, "A", |_| {}, read(0.95)).await;
    let shown = film(&node, "BB", |_| {}, read(0.95)).await;
    let doe = node.visitor("doe", &[Role::Physician]).await;
    let page = doe.page(&format!("/films/{id}")).await;
    is_clean(&page, "a withheld film");
    leave("withheld", &page);
    assert!(
        page.contains("Result withheld (trial)")
            && page.contains("value=\"no_fracture\"")
            && !page.contains("value=\"agree\"")
    );
    let page = doe.page(&format!("/films/{shown}")).await;
    assert!(page.contains("value=\"no_fracture\"") && page.contains("Probability 0.95"));
    let decide = async |film: i64, verdict: &str| {
        doe.post(&format!("/films/{film}/reviews"), &[("verdict", verdict)]).await.status().as_u16()
    };
    assert_eq!(decide(id, "agree").await, 400, "there is no result to agree with");
    assert_eq!((decide(id, "unsure").await, decide(id, "fracture").await), (303, 303));
    let wrong = db.reviews(id).await.unwrap()[0].id;
    assert_eq!(doe.post(&format!("/films/{id}/reviews/{wrong}/undo"), &[]).await.status(), 303);
    assert_eq!((decide(id, "no_fracture").await, decide(id, "fracture").await), (303, 303));
    assert_eq!(decide(shown, "unsure").await, 303);
    let list = doe.page("/?review=fracture").await;
    assert!(list.contains(&format!("film-{id}")) && !list.contains(&format!("film-{shown}\"")));
    // Diagnoses: errors by row and column, all or nothing.
    let upload = async |csv: &str| {
        let answer = doe.post("/trial/diagnoses/upload", &[("csv", csv)]).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, page) = upload("patient_id,date,fracture\nP-A,2026-02-30,yes\nP-BB,2026-02-03,maybe\n").await;
    assert!(
        status == 400 && page.contains("Line 2, column `date`") && page.contains("Line 3, column `fracture`"),
        "{page}"
    );
    is_clean(&page, "/trial/diagnoses/upload");
    leave("diagnoses", &page);
    leave("worklist", &doe.page("/").await);
    let (status, page) = upload("patient_id,date,fracture\nP-A,2026-02-03,yes\nP-nobody,2026-02-03,no\n").await;
    assert!(status == 400 && page.contains("Line 3") && !page.contains("P-nobody"), "{page}");
    assert_eq!(db.trial_counts(trial).await.unwrap().diagnosed, 0);
    assert_eq!(upload("patient_id,date,fracture,kind,source\nP-A,2026-02-03,yes,neck,CT\n").await.0, 200);
    let fields = [("patient_id", "P-BB"), ("date", "2026-02-03"), ("fracture", "no")];
    assert_eq!(doe.post("/trial/diagnoses", &fields).await.status(), 200);
    assert_eq!(doe.post("/trial/diagnoses", &[("patient_id", "P-BB")]).await.status(), 400);
    assert!(db.close_trial(trial).await.unwrap());
    let rows = TrialTable::parse(db.trial().await.unwrap().unwrap().frozen.as_bytes(), Path::new("rows")).unwrap().rows;
    assert_eq!(rows[0].decision.unwrap().as_str(), "no_fracture");
    assert_eq!((rows[0].fracture, rows[0].kind.as_str(), rows[0].reader.as_str()), (Some(true), "neck", "R1"));
    assert!(rows[0].seconds.is_some_and(|seconds| seconds >= 0.0) && rows[0].hours.is_some());
    assert_eq!(rows[1].decision.unwrap().as_str(), "unsure");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_begins_and_closes_and_the_log_shows_it() {
    let node = Running::start(|config| config.roles = vec![NodeRole::Receive, NodeRole::Pages]).await;
    let db = node.app.db.clone();
    let admin = node.visitor("roe", &[Role::Administrator]).await;
    let page = admin.page("/trial").await;
    is_clean(&page, "/trial");
    assert!(page.contains("Begin a trial"));
    leave("begin", &page);
    let form = |planned: &'static str| {
        [
            ("name", "Hip trial"),
            ("planned", planned),
            ("shown", "1"),
            ("withheld", "1"),
            ("blocks", "2"),
            ("stratum", "none"),
        ]
    };
    assert_eq!(admin.post("/trial/begin", &form("0")).await.status(), 400);
    assert!(db.trial().await.unwrap().is_none());
    assert_eq!(admin.post("/trial/begin", &form("8")).await.status(), 200);
    assert_eq!(admin.post("/trial/begin", &form("8")).await.status(), 409);
    let seeds = ["A", "BB", "CCC", "DDDD", "EEEEE", "FFFFFF", "GGGGGGG", "HHHHHHHH"];
    let mut films = Vec::new();
    for seed in seeds {
        films.push(film(&node, seed, |_| {}, read(0.9)).await);
    }
    record_randomizations(&db, &node.app.audit, "n").await.unwrap();
    record_randomizations(&db, &node.app.audit, "n").await.unwrap();
    let log = |deed: &'static str| {
        let db = db.clone();
        async move {
            let query = coxa_serve::db::AuditQuery { action: deed.into(), ..Default::default() };
            db.audit_after(&query, 0, 100).await.unwrap()
        }
    };
    let randomized = log("patient_randomized").await;
    assert_eq!(randomized.len(), 8, "each once");
    let texts: String = randomized.iter().map(|row| row.body.clone()).collect();
    assert!(!texts.contains("shown") && !texts.contains("withheld") && !texts.contains("P-"), "{texts}");
    let begun = &log("trial_begun").await[0].body;
    assert!(begun.contains(&db.trial().await.unwrap().unwrap().commitment));
    let page = admin.page("/trial").await;
    is_clean(&page, "/trial");
    assert!(page.contains("8 of 8 patients") && !page.contains("Sensitivity"));
    leave("open", &page);
    for path in ["/trial/rows.csv", "/trial/allocation.csv"] {
        assert_eq!(admin.get(path).await.status(), 404, "nothing by arm before the trial is closed");
    }
    // A physician shows a result early, with a reason.
    let doe = node.visitor("doe", &[Role::Physician]).await;
    let mut withheld = Vec::new();
    for film in &films {
        if state(&db, *film).await == "withheld" {
            withheld.push(*film);
        }
    }
    assert_eq!(withheld.len(), 4);
    let path = format!("/films/{}/unblind", withheld[0]);
    assert_eq!(doe.post(&path, &[("reason", " ")]).await.status(), 400);
    assert_eq!(doe.post(&path, &[("reason", "operation")]).await.status(), 303);
    assert!(doe.page(&format!("/films/{}", withheld[0])).await.contains("Probability"));
    assert!(log("unblinded").await.iter().any(|row| row.film == withheld[0] && row.body.contains("operation")));
    let seed = seeds[films.iter().position(|film| *film == withheld[1]).unwrap()];
    let patient = format!("P-{seed}");
    let fields = [("patient_id", patient.as_str()), ("reason", "moved away")];
    assert_eq!(admin.post("/trial/withdraw", &fields).await.status(), 200);
    assert_eq!(state(&db, withheld[1]).await, "read");
    assert_eq!(admin.post("/trial/close", &[("confirm", "hip")]).await.status(), 400);
    assert_eq!(admin.post("/trial/stop", &[]).await.status(), 200);
    let answer = admin.post("/trial/close", &[("confirm", "Hip trial")]).await;
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    is_clean_with_figure(&page);
    assert!(page.contains("Intention to treat") && page.contains("undefined: no observation"), "{page}");
    let secret = db.trial().await.unwrap().unwrap().secret;
    assert!(page.contains(&secret) && log("trial_revealed").await[0].body.contains(&secret));
    let rows = admin.get("/trial/rows.csv").await.text().await.unwrap();
    assert!(
        rows.contains(",withdrawn,moved away,") && rows.contains(",unblinded,operation,") && !rows.contains("P-"),
        "{rows}"
    );
    // The seals in the log are those of the arms.
    let table = db.allocation(1).await.unwrap();
    for (row, entry) in table.rows.iter().zip(&randomized) {
        assert!(entry.body.contains(&row.4), "{}", entry.body);
    }
    node.stop().await;
}

/// The figure has elements of its own that are closed.
pub fn is_clean_with_figure(page: &str) {
    let (before, rest) = page.split_once("<svg").unwrap();
    let (figure, after) = rest.split_once("</svg>").unwrap();
    assert!(!figure.contains("style=") && !figure.contains("<script") && figure.contains("Randomized by patient"));
    is_clean(&format!("{before}{after}"), "/trial");
}
