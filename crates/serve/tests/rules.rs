//! Every route of the router × everybody who may ask: one table, made from the router itself, against the one that was agreed on.
//!
//! `golden/rules.txt` has a line for each route: its method and path, and for each asker the status for what is there, and after a slash
//! the status for what is not (a number or UID that was guessed). Run with `COXA_BLESS=1` to write it anew, and read the difference.

use coxa_serve::config::Role as NodeRole;
use coxa_serve::db::{NewFilm, NewItem, NewLabeling, NewReview, Scope, Verdict};
use coxa_serve::http::{Rule, rules};
use coxa_serve::people::session::{Stage, stored};
use coxa_serve::people::{Action, Role};
use reqwest::Method;

use crate::pages::{film, read};
use crate::support::{Film, Running, Visitor};

/// Who asks: a column.
#[derive(Clone, Copy)]
enum Asker {
    Nobody,
    Token(Scope),
    Step(Stage),
    Of(Role),
}

/// The reviewer who decides in an open labeling.
const LABELS: &str = "labeling";

const ASKERS: [(&str, Asker); 11] = [
    ("nobody", Asker::Nobody),
    ("token-read", Asker::Token(Scope::Read)),
    ("token-admin", Asker::Token(Scope::Admin)),
    ("code-missing", Asker::Step(Stage::Code)),
    ("password-missing", Asker::Step(Stage::Change)),
    ("physician", Asker::Of(Role::Physician)),
    ("reviewer", Asker::Of(Role::Reviewer)),
    (LABELS, Asker::Of(Role::Reviewer)),
    ("reader", Asker::Of(Role::Reader)),
    ("administrator", Asker::Of(Role::Administrator)),
    ("auditor", Asker::Of(Role::Auditor)),
];

struct Scene {
    node: Running,
    film: i64,
    uids: [String; 3],
    review: i64,
    victim: i64,
    /// The labeling of the reviewer who decides in an open one.
    own: i64,
}

/// The links of two reader studies, each with one reader.
const LINKS: [&str; 2] = ["link-of-a-reader", "link-of-another-reader"];

async fn scene() -> Scene {
    let node = Running::start(|config| {
        config.roles = vec![NodeRole::Receive, NodeRole::Pages];
        config.require_token = true;
        config.collections = crate::collections::collections(config.data.parent().unwrap());
    })
    .await;
    let id = film(&node, "A", |film| film.study_date = "20260301".into(), read(0.95)).await;
    let earlier = |film: &mut NewFilm| (film.patient_id, film.study_date) = ("P-A".into(), "20260101".into());
    film(&node, "BB", earlier, read(0.1)).await;
    let attributes = node.app.db.film(id).await.unwrap().unwrap().attributes;
    let victim = node.person("victim", &[Role::Physician]).await;
    let review = NewReview {
        film: id,
        verdict: Verdict::Agree,
        note: String::new(),
        mark: None,
        reviewer: "victim".into(),
        person: victim,
    };
    let review = node.app.db.add_review(&review).await.unwrap();
    assert_eq!(node.app.db.add_labeling(&labeling(&node, id, victim).await).await.unwrap(), id);
    for (name, scope) in [("r", Scope::Read), ("a", Scope::Admin)] {
        assert!(node.app.db.add_token(name, &format!("token {name}"), scope).await.unwrap());
    }
    let design = crate::readers::design("unaided", 1, &[Film::stripes("A")]);
    for (link, number) in LINKS.iter().zip(1..) {
        let study = ("Hips", design.as_str(), "victim");
        assert_eq!(node.app.db.add_study(study, &[id], &[], &[stored(link)]).await.unwrap(), number);
    }
    // A calibration, on films that a hospital has labeled; and a trial, begun after the film was read, so that nothing of it is withheld.
    let keeper = node.visitor("keeper", &[Role::Administrator]).await;
    let csv = crate::monitoring::labeled(&node).await;
    assert_eq!(crate::monitoring::upload(&keeper, &csv).await.0, 200);
    let ask = [("target", "90"), ("labels", "uploaded"), ("temperature", "fit")];
    let asked = keeper.post("/monitoring/recalibration", &ask).await;
    assert_eq!(asked.headers()["location"], format!("/monitoring/recalibration/{id}"));
    assert!(node.app.db.begin_trial(&crate::trial::plan(10), "a secret").await.unwrap().is_some());
    let uids = [attributes.study_uid, attributes.series_uid, attributes.sop_instance_uid];
    Scene { node, film: id, uids, review, victim, own: 0 }
}

/// Makes somebody the reader of a study.
async fn reads(node: &Running, person: i64, link: &str) {
    let reader = node.app.db.reader_by_link(&stored(link)).await.unwrap().unwrap();
    assert!(node.app.db.join_study(reader.id, person, ("radiology", "resident", 3)).await.unwrap());
}

async fn labeling(node: &Running, film: i64, reviewer: i64) -> NewLabeling {
    let sha256 = node.app.db.film(film).await.unwrap().unwrap().attributes.sha256;
    NewLabeling {
        name: "hips".into(),
        task: "labels".into(),
        rule: "one film".into(),
        seed: 1,
        by: "victim".into(),
        manifest: "image_id,path,patient,body_part,label\nF1,a.dcm,,pelvis,\n".into(),
        truth: "image_id,x,y,width,height,class\n".into(),
        reviewers: vec![reviewer],
        adjudicator: None,
        films: vec![NewItem { film, sha256, size: (160, 160), ..NewItem::default() }],
    }
}

impl Scene {
    /// The path with what is there, or with what is not. Whoever decides in a labeling is sent to that one.
    fn path(&self, rule: &Rule, is_there: bool, asker: &str) -> String {
        let numbers = match rule.path {
            path if path.starts_with("/people") => self.victim,
            path if path.starts_with("/labeling/{id}/films") && asker == LABELS => self.own,
            _ => self.film,
        };
        let value = |name: &str| match (name, is_there) {
            ("study", true) if rule.path.starts_with("/reading") => self.film.to_string(),
            ("item" | "column" | "row" | "place" | "film" | "number" | "earlier", true) => "0".into(),
            ("link", true) => LINKS[0].into(),
            ("study", true) => self.uids[0].clone(),
            ("series", true) => self.uids[1].clone(),
            ("instance", true) => self.uids[2].clone(),
            ("study" | "series" | "instance", false) => "2.25.99".into(),
            ("review", true) => self.review.to_string(),
            ("id", true) => numbers.to_string(),
            ("name", true) => "pages.css".into(),
            ("table", true) => "manifest.csv".into(),
            ("frames", _) => "1".into(),
            ("collection", true) => "films".into(),
            ("serial" | "region", true) => "1".into(),
            _ => "999999".into(),
        };
        let parts =
            rule.path.split('/').map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => value(name),
                None => part.to_owned(),
            });
        parts.collect::<Vec<_>>().join("/")
    }

    async fn ask(&self, rule: &Rule, path: &str, (name, asker): (&str, Asker), person: Option<i64>) -> u16 {
        let visitor = match (asker, person) {
            (Asker::Step(stage), Some(person)) => self.node.session(person, stage).await,
            (Asker::Of(_), Some(person)) => self.node.session(person, Stage::Full).await,
            _ => self.node.stranger(),
        };
        let mut request = visitor.request(rule.method.clone(), path).header("accept", "*/*");
        if let Asker::Token(scope) = asker {
            request = request.bearer_auth(if scope == Scope::Read { "token r" } else { "token a" });
        }
        if rule.method == Method::POST {
            request =
                request.header("origin", &self.node.http).header("content-type", "application/x-www-form-urlencoded");
            request = request.body(format!("form={}&verdict=agree&name=x-{name}", visitor.form));
        }
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_has_a_rule_and_every_rule_holds() {
    let mut scene = scene().await;
    let mut table = format!("{:92}", "");
    for (name, _) in ASKERS {
        table += &format!("{name:17}");
    }
    let mut lines = vec![table.trim_end().to_owned()];
    let mut people = Vec::new();
    for (name, asker) in ASKERS {
        people.push(match asker {
            Asker::Step(_) => Some(scene.node.person(name, &[Role::Physician, Role::Administrator]).await),
            Asker::Of(role) => Some(scene.node.person(name, &[role]).await),
            _ => None,
        });
        // A labeling of its own: that of the table's paths is closed by one of its rows.
        if let (LABELS, Some(person)) = (name, people[people.len() - 1]) {
            scene.own = scene.node.app.db.add_labeling(&labeling(&scene.node, scene.film, person).await).await.unwrap();
        }
        if let (Asker::Of(Role::Reader), Some(person)) = (asker, people[people.len() - 1]) {
            reads(&scene.node, person, LINKS[0]).await;
        }
    }
    for rule in rules(&scene.node.app.config) {
        let mut line = format!("{:92}", format!("{} {}", rule.method, rule.path));
        for (asker, person) in ASKERS.into_iter().zip(&people) {
            let there = scene.ask(&rule, &scene.path(&rule, true, asker.0), asker, *person).await;
            let statuses = if rule.path.contains('{') {
                let gone = scene.ask(&rule, &scene.path(&rule, false, asker.0), asker, *person).await;
                format!("{there}/{gone}")
            } else {
                there.to_string()
            };
            line += &format!("{statuses:17}");
        }
        lines.push(line.trim_end().to_owned());
    }
    scene.node.stop().await;
    let found = lines.join("\n") + "\n";
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rules.txt");
    if std::env::var_os("COXA_BLESS").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    for (found, wanted) in found.lines().zip(wanted.lines()) {
        assert_eq!(found, wanted);
    }
    assert_eq!(
        found.lines().count(),
        wanted.lines().count(),
        "a route without a line, or a line without a route:\n{found}"
    );
}

/// What the table cannot show: that what is answered is nothing of a film or person to whoever may not see it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_anything_from_what_is_refused() {
    let scene = scene().await;
    let reader = scene.node.person("reader", &[Role::Reader]).await;
    // A study of another reader is as one that is not there.
    reads(&scene.node, reader, LINKS[1]).await;
    // Whoever has a link is whom it was given to.
    for rule in rules(&scene.node.app.config).into_iter().filter(|rule| rule.action != Action::Join) {
        for is_reader in [true, false] {
            let mut answers = Vec::new();
            for is_there in [true, false] {
                // A session each: signing out is among the routes.
                let visitor =
                    if is_reader { scene.node.session(reader, Stage::Full).await } else { scene.node.stranger() };
                answers.push(answer(&visitor, &rule, &scene.path(&rule, is_there, "")).await);
            }
            let (there, gone) = (&answers[0], &answers[1]);
            if there.0 >= 400 && rule.path.contains('{') {
                assert_eq!(there, gone, "{} {}", rule.method, rule.path);
            }
            for secret in ["DOE", "P-A", "QUISLING", &scene.uids[2], "0.95", "victim"] {
                assert!(!there.1.contains(secret), "{} {} holds {secret}: {}", rule.method, rule.path, there.1);
            }
        }
    }
    let film = Film::new("A", 0);
    assert_eq!(film.uid, scene.uids[2]);
    scene.node.stop().await;
}

async fn answer(visitor: &Visitor, rule: &Rule, path: &str) -> (u16, String) {
    let response = if rule.method == Method::POST { visitor.post(path, &[]).await } else { visitor.get(path).await };
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, if visitor.form.is_empty() { text } else { text.replace(&visitor.form, "") })
}
