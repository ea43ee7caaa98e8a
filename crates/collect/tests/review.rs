//! Films that are withheld for review: their regions in the journal, the films themselves only where a folder is named, and the decisions of
//! persons, which the next run applies without asking for anything else again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use coxa_collect::{Event, Progress, Reason, Request, Source, Summary, collect};
use coxa_deidentify::{
    Decision, Decisions, Deidentifier, PixelCleaning, Rectangle, RegionVerdict, Settings, StoredPixels, TextDetector,
    TextFound,
};

use crate::support::films::{Hospital, assert_clean, hospital};
use crate::support::pacs::{Faults, Pacs};
use crate::{call, collected, expected, key, rules};

const REGION: Rectangle = Rectangle { x: 0, y: 0, width: 20, height: 6 };

/// Is unsure about every film.
struct Marks;

impl TextDetector for Marks {
    fn find(&self, _: StoredPixels<'_>) -> TextFound {
        TextFound { text: Vec::new(), unsure: vec![REGION] }
    }
}

async fn run(hospital: &Hospital, pacs: &Pacs, out: &Path, decisions: &Decisions, kept: Option<&Path>) -> Summary {
    let pixels = PixelCleaning { detector: Some(Arc::new(Marks)), ..PixelCleaning::default() };
    let settings = Settings { pixels, decisions: decisions.clone(), ..Settings::default() };
    let deidentifier = Deidentifier::new(key(), settings);
    let request = Request {
        registry: &hospital.registry,
        source: &Source::Get(call(pacs.address)),
        out,
        rules: &rules(),
        deidentifier: &deidentifier,
        keep_identified: kept,
        link: None,
    };
    collect(&request, &mut |_: &Event<'_>| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_applied_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let hospital = hospital(folder.path(), 6, 64);
    let pacs = Pacs::start(hospital.objects.clone(), Faults::default(), None).await;
    let (out, kept) = (folder.path().join("out"), folder.path().join("kept"));
    let mut decisions = Decisions::default();
    let first = run(&hospital, &pacs, &out, &decisions, Some(&kept)).await;
    assert_eq!((first.films, collected(&out).len()), (0, 0));
    let progress = Progress::read(&out).unwrap().unwrap();
    assert_eq!(progress.summary, Summary { repeated: 0, ..first });
    let to_review: Vec<usize> = progress
        .films()
        .filter(|(_, film)| film.review.as_ref().is_some_and(|review| review.regions == [REGION]))
        .map(|(_, film)| film.serial as usize)
        .collect();
    assert!(to_review.len() >= expected(&hospital).len() && first.withheld >= to_review.len());
    // The folder for identified films has those to review, and no other.
    let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
    assert_eq!(names(&kept), to_review.len());
    assert_clean(&out, &hospital.planted);

    // Nobody has decided: nothing is asked for again.
    let asked = pacs.requests();
    run(&hospital, &pacs, &out, &decisions, None).await;
    assert_eq!(pacs.requests(), asked);

    // One is excluded, the others are blanked.
    let decide = |verdict| vec![Decision { region: REGION, verdict }];
    to_review.iter().for_each(|serial| decisions.set(*serial, decide(RegionVerdict::Blank)));
    decisions.set(to_review[0], decide(RegionVerdict::Exclude));
    let second = run(&hospital, &pacs, &out, &decisions, None).await;
    assert!(second.films > 0 && second.films == collected(&out).len(), "{second:?}");
    let files = coxa_files::find::films_below(&out.join("images")).films;
    let excluded = format!("S{:06}.dcm", to_review[0]);
    assert!(files.iter().all(|file| !file.ends_with(&excluded)), "{files:?}");
    let reason = |serial: usize| {
        let progress = Progress::read(&out).unwrap().unwrap();
        progress.films().find(|(_, film)| film.serial == serial as u64).map(|(_, film)| film.reason).unwrap()
    };
    assert_eq!(reason(to_review[0]), Reason::Excluded);

    // The same decisions ask for nothing; another one for its own injury.
    let asked = pacs.requests();
    run(&hospital, &pacs, &out, &decisions, None).await;
    assert_eq!(pacs.requests(), asked);
    decisions.set(to_review[0], decide(RegionVerdict::Keep));
    let third = run(&hospital, &pacs, &out, &decisions, None).await;
    assert!(pacs.requests() > asked && third.films > second.films - 1, "{third:?}");
    assert_ne!(reason(to_review[0]), Reason::Excluded);
    assert_clean(&out, &hospital.planted);
}
