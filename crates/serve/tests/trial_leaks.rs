//! Nothing tells what a trial withholds: every answer of a node with a withheld positive film is that of a node with a withheld negative one.
//!
//! Two nodes read the same films by the real network; the configured threshold alone makes them positive on one and negative on the other.

use coxa_serve::config::{Destination, Role as NodeRole};
use coxa_serve::db::{ObjectKind, Scope};
use coxa_serve::http::{Rule, rules};
use coxa_serve::people::Role;
use coxa_serve::trial::TrialPlan;
use coxa_study::trial::Arm;
use reqwest::Method;

use crate::support::{Film, Running, Visitor};
use crate::trial::{plan, secret_of, state};

/// A node that reads by the real network; at a threshold of 0 every film is positive, at 1 none is.
async fn blind_node(threshold: f64) -> Running {
    let node = Running::start(|config| {
        config.network.threshold = Some(threshold);
        // How often the destination was called for the film that is not read is a matter of time.
        config.roles = vec![NodeRole::Receive, NodeRole::Read, NodeRole::Pages];
        config.require_token = true;
        config.node = Some("node".into());
        config.destinations = vec![Destination {
            name: "pacs".into(),
            ae_title: "PACS".into(),
            host: "127.0.0.1".into(),
            port: 9,
            tls: false,
            sends: ObjectKind::ALL.to_vec(),
        }];
    })
    .await;
    for (name, scope) in [("r", Scope::Read), ("a", Scope::Admin)] {
        assert!(node.app.db.add_token(name, &format!("token {name}"), scope).await.unwrap());
    }
    let plan = TrialPlan { block_sizes: vec![6], ..plan(20) };
    let secret = secret_of(&plan, &[Arm::Withheld, Arm::Withheld]);
    assert_eq!(node.app.db.begin_trial(&plan, &secret).await.unwrap(), Some(1));
    // Two films of one patient, so that an earlier film stands beside the later one; and a film of nobody in the trial.
    for film in [Film::new("hip", 0), Film::new("hip later", 7), Film::knee("knee")] {
        assert_eq!(node.store(&film).await, coxa_dimse::Status::SUCCESS);
        settled(&node).await;
    }
    node
}

/// Waits until every film is read and every randomization recorded, without a request, as requests are in the log.
async fn settled(node: &Running) {
    let begun = std::time::Instant::now();
    loop {
        let states = node.app.db.film_states().await.unwrap();
        let waits = states.iter().any(|(state, _)| matches!(state.as_str(), "received" | "reading"));
        if !waits && node.app.db.unrecorded_randomizations().await.unwrap().is_empty() {
            return;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(180), "the films are not read: {states:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Who asks in the test of leaks.
const ASKERS: [&str; 8] =
    ["physician", "reviewer", "reader", "administrator", "auditor", "token r", "token a", "nobody"];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_tells_a_withheld_positive_film_from_a_withheld_negative_one() {
    let (positive, negative) = (blind_node(1e-9).await, blind_node(1.0 - 1e-9).await);
    for node in [&positive, &negative] {
        for (film, expected) in [(1, "withheld"), (2, "withheld"), (3, "not_read")] {
            assert_eq!(state(&node.app.db, film).await, expected, "the films must be withheld for this test to test");
        }
    }
    let (seen, other) = (everything(&positive).await, everything(&negative).await);
    assert_eq!(seen.len(), other.len());
    let (mut answered, mut differing) = (0, Vec::new());
    for ((what, one), (_, two)) in seen.iter().zip(&other) {
        let lines = one.lines().zip(two.lines()).find(|(one, two)| one != two);
        // The two nodes differ by their threshold, which the page of recalibration states to an administrator.
        let is_setting = what.ends_with(" /monitoring/recalibration");
        if one != two && !is_setting {
            differing.push(format!("{what}: {lines:?}"));
        }
        answered += usize::from(one.starts_with("200"));
        for word in ["probability\":0", "Probability 0", "valueQuantity", "Fracture suspected"] {
            assert!(!one.contains(word), "{what} tells {word}");
        }
    }
    assert_eq!(differing, Vec::<String>::new(), "{}", differing.join("\n"));
    assert!(answered > 60, "only {answered} answers were pages");
    // The test can fail: the same films, once the trial is closed, do differ.
    for node in [&positive, &negative] {
        assert!(node.app.db.close_trial(1).await.unwrap());
    }
    let (opened, other) = (everything(&positive).await, everything(&negative).await);
    let differ = opened.iter().zip(&other).filter(|(one, two)| one != two).count();
    assert!(differ > 10, "only {differ} answers differ once the results are open");
    positive.stop().await;
    negative.stop().await;
}

/// Every answer of a node to everybody: status, headers and body, without what differs between any two nodes.
async fn everything(node: &Running) -> Vec<(String, String)> {
    let films: Vec<_> = {
        let mut films = Vec::new();
        for id in 1..=2 {
            films.push(node.app.db.film(id).await.unwrap().unwrap());
        }
        films
    };
    let mut all = Vec::new();
    for asker in ASKERS {
        let role = Role::parse(asker);
        let person = match role {
            Some(role) => Some(match node.app.db.account_named(&format!("x-{asker}")).await.unwrap() {
                Some(account) => account.person.id,
                None => node.person(&format!("x-{asker}"), &[role]).await,
            }),
            None => None,
        };
        for rule in rules(&node.app.config).iter().filter(|rule| rule.method == Method::GET) {
            for path in paths(rule, &films) {
                let visitor = match person {
                    Some(person) => node.session(person, coxa_serve::people::session::Stage::Full).await,
                    None => node.stranger(),
                };
                let answer = answer(&visitor, asker, &path).await;
                all.push((format!("{asker} {path}"), plain(&answer, node, &visitor)));
            }
        }
    }
    all
}

/// The addresses of a route, for both films, and with every filter of the worklist.
fn paths(rule: &Rule, films: &[coxa_serve::db::Film]) -> Vec<String> {
    let mut paths = Vec::new();
    for film in films {
        let uids = &film.attributes;
        let value = |part: &str| match part {
            "{study}" => uids.study_uid.clone(),
            "{series}" => uids.series_uid.clone(),
            "{instance}" => uids.sop_instance_uid.clone(),
            "{frames}" => "1".into(),
            "{name}" => "pages.css".into(),
            "{id}" | "{review}" => film.id.to_string(),
            other => other.into(),
        };
        paths.push(rule.path.split('/').map(value).collect::<Vec<_>>().join("/"));
    }
    if matches!(rule.path, "/" | "/worklist") {
        for filter in [
            "finding=positive",
            "finding=negative",
            "state=read",
            "state=withheld",
            "state=not_read",
            "review=none",
            "date=all&q=SIM1",
        ] {
            paths.push(format!("{}?{filter}", rule.path));
        }
    }
    if rule.path == "/films/{id}" {
        paths.push("/films/2?finding=positive".into());
    }
    if rule.path == "/trial/diagnoses" {
        paths.push("/trial/diagnoses?film=1".into());
    }
    paths.dedup();
    paths
}

async fn answer(visitor: &Visitor, asker: &str, path: &str) -> String {
    let mut request = visitor.request(Method::GET, path).header("accept", "text/html,*/*");
    if asker.starts_with("token") {
        request = request.bearer_auth(asker);
    }
    let response = request.send().await.unwrap();
    let mut headers: Vec<String> = response
        .headers()
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
        .collect();
    headers.sort();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    format!("{status}\n{}\n{}", headers.join("\n"), String::from_utf8_lossy(&body))
}

/// Without tokens, moments, hashes of the log, folders and ports, which differ between any two nodes and tell nothing.
fn plain(answer: &str, node: &Running, visitor: &Visitor) -> String {
    let mut text = answer.to_owned();
    if !visitor.form.is_empty() {
        text = text.replace(&visitor.form, "FORM");
    }
    text = text.replace(&node.folder.path().display().to_string(), "FOLDER");
    text = text.replace(node.http.trim_start_matches("http://"), "HTTP");
    if let Some(dicom) = node.dicom {
        text = text.replace(&dicom.to_string(), "DICOM");
    }
    text = text.replace(&node.app.config.node_name(), "NODE");
    // The configured threshold, which makes one film positive and the other negative.
    for threshold in ["&#60;0.001", "&#62;0.999", "&lt;0.001", "&gt;0.999"] {
        text = text.replace(threshold, "THRESHOLD");
    }
    // Whether three films came within one minute of the clock is a matter of time.
    let mut cells = text.split("data-label=\"Busiest minute of the day\">");
    let first = cells.next().unwrap_or_default().to_owned();
    text = cells.fold(first, |all, cell| all + cell.split_once("</td>").map_or(cell, |(_, after)| after));
    // Times of this machine's work and its disk; the length follows from the body, which is compared.
    let varies = ["coxa_latency", "coxa_reading", "coxa_free_disk", "content-length", "    <dt>Disk</dt>"];
    let lines = text.lines().filter(|line| !varies.iter().any(|start| line.starts_with(start)));
    let mut lines: Vec<String> = lines.map(without_moments).collect();
    if text.contains("# EOF") {
        // Figures stand in no order.
        lines.sort();
    }
    lines.join("\n")
}

/// Moments and hashes are one mark: what is made of digits and `-:.TZ` with four digits or more but for a share (`0.…`), and eight
/// hexadecimal digits or more.
fn without_moments(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.');
    let mut text = String::new();
    for token in line.split_inclusive(|c| !is_part(c)) {
        let (token, end) = match token.char_indices().next_back() {
            Some((at, c)) if !is_part(c) => token.split_at(at),
            _ => (token, ""),
        };
        let digits = token.chars().filter(char::is_ascii_digit).count();
        let is_moment =
            digits >= 4 && !token.starts_with("0.") && token.chars().all(|c| c.is_ascii_digit() || "-:.TZ".contains(c));
        let is_hash = token.len() >= 8 && token.chars().all(|c| c.is_ascii_hexdigit());
        text.push_str(if is_moment || is_hash { "#" } else { token });
        text.push_str(end);
    }
    text
}
