//! Collections from a small PACS in the same process: the right films, faults, refusals and what they are explained by.

mod archives;
mod faults;
mod hints;
mod review;
mod support;

use std::path::Path;

use coxa_collect::{CollectError, Event, Request, Rules, Source, Summary, collect};
use coxa_deidentify::{Deidentifier, Key, Settings};
use coxa_dimse::{Call, Limits};
use support::films::Hospital;
use support::pacs::deadlines;

fn rules() -> Rules {
    let mut rules = Rules::default();
    rules.pace.requests_per_second = 1000.0;
    rules.pace.slowest_seconds = 0.3;
    rules.pace.request_seconds = 20;
    rules
}

fn key() -> Key {
    Key::from_bytes([9; 32])
}

fn deidentifier() -> Deidentifier {
    Deidentifier::new(key(), Settings::default())
}

fn call(address: impl ToString) -> Call {
    Call {
        to: address.to_string(),
        called: "PACS".to_owned(),
        calling: "COXA".to_owned(),
        proposals: Vec::new(),
        tls: None,
        deadlines: deadlines(),
        limits: Limits::default(),
        implementation: ("2.25.3".to_owned(), "TESTER".to_owned()),
    }
}

/// A run and the lines that it would print.
async fn run(
    hospital: &Hospital,
    source: &Source,
    rules: &Rules,
    out: &Path,
) -> (Result<Summary, CollectError>, Vec<String>) {
    let deidentifier = deidentifier();
    let request = Request {
        registry: &hospital.registry,
        source,
        out,
        rules,
        deidentifier: &deidentifier,
        keep_identified: None,
        link: None,
    };
    let mut lines = Vec::new();
    let summary = collect(&request, &mut |event: &Event<'_>| lines.push(format!("{event:?}"))).await;
    (summary, lines)
}

/// The derived UIDs of the files below a folder.
fn collected(out: &Path) -> std::collections::BTreeSet<String> {
    let films = coxa_files::find::films_below(&out.join("images")).films;
    let uid = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let (_, head) = coxa_dimse::query::Identifier::of_file(&bytes)?;
        head.ascii(0x0008_0018).map(str::to_owned)
    };
    films.iter().filter_map(uid).collect()
}

fn expected(hospital: &Hospital) -> std::collections::BTreeSet<String> {
    hospital.expected.iter().map(|uid| key().uid(uid)).collect()
}
