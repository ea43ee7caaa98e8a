//! Final diagnoses of a trial's patients: one by a form, many by a CSV.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::reasons::Reason;
use super::text::visible;
use super::trial::Notice;
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::Undiagnosed;
use crate::http::{App, Caller, Shared};
use crate::people::{Action, Subject, may};
use crate::trial::{NewDiagnosis, Whose, read_diagnoses};

/// Patients without a diagnosis that are listed.
const LISTED: i64 = 200;
/// Faults of a CSV that are listed.
const FAULTS: usize = 50;

#[derive(Template)]
#[template(path = "trial_diagnoses.html")]
struct Page {
    frame: Frame,
    notice: Option<Notice>,
    faults: Vec<Reason>,
    /// Whether a trial is open.
    is_open: bool,
    /// Whose diagnosis the form begins with.
    patient_id: String,
    missing: Vec<Undiagnosed>,
    /// Whether whoever sees the page may see which patients these are.
    films: bool,
    randomized: i64,
    diagnosed: i64,
}

/// A film whose patient the form begins with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    film: String,
}

/// What the forms hold.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    accession: String,
    patient_id: String,
    date: String,
    fracture: String,
    kind: String,
    source: String,
    csv: String,
}

/// What a page begins with, besides the trial's state.
#[derive(Default)]
struct Begun {
    words: Reason,
    is_bad: bool,
    faults: Vec<Reason>,
    patient_id: String,
}

async fn show(app: &App, caller: &Caller, begun: Begun) -> Result<Response, PageError> {
    let films = may(&caller.asker, Action::Films, Subject::Any);
    let trial = app.db.trial().await?.filter(|trial| !trial.is_closed());
    let (mut missing, mut counts) = (Vec::new(), crate::db::TrialCounts::default());
    if let Some(trial) = &trial {
        counts = app.db.trial_counts(trial.id).await?;
        if films {
            missing = app.db.undiagnosed(trial.id, LISTED).await?;
        }
    }
    if !missing.is_empty() {
        let listed: Vec<String> = missing.iter().map(|patient| patient.film.to_string()).collect();
        app.audit.add(caller.event(Deed::FilmsListed).with("films", listed.join(" "))).await?;
    }
    for patient in &mut missing {
        (patient.patient_id, patient.accession) = (visible(&patient.patient_id), visible(&patient.accession));
    }
    let status = if begun.is_bad { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = Page {
        frame: Frame::of("trial-diagnoses-title", "trial", caller),
        notice: (!begun.words.text.is_empty()).then_some(Notice { words: begun.words, is_bad: begun.is_bad }),
        faults: begun.faults,
        is_open: trial.is_some(),
        patient_id: begun.patient_id,
        missing,
        films,
        randomized: counts.randomized,
        diagnosed: counts.diagnosed,
    };
    Ok((status, html(&page)?).into_response())
}

/// `GET /trial/diagnoses`.
pub(super) async fn page(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let mut begun = Begun::default();
    if !asked.film.is_empty() && may(&caller.asker, Action::Films, Subject::Any) {
        let film = super::film::found(&app, &caller, &asked.film).await.map_err(|_| PageError::NotFound)?;
        app.audit.add(caller.event(Deed::FilmsListed).with("films", film.id)).await?;
        begun.patient_id = film.attributes.patient_id;
    }
    show(&app, &caller, begun).await
}

/// `POST /trial/diagnoses`: one.
pub(super) async fn add(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let (accession, patient) = (filled.accession.trim().to_owned(), filled.patient_id.trim().to_owned());
    let wrong = async |id: &str| {
        let begun = Begun {
            words: caller.language.say(id).into(),
            is_bad: true,
            patient_id: patient.clone(),
            ..Begun::default()
        };
        show(&app, &caller, begun).await
    };
    let whose = match (accession.is_empty(), patient.is_empty()) {
        (_, false) => Whose::Patient(patient.clone()),
        (false, true) => Whose::Accession(accession),
        (true, true) => return wrong("trial-wrong-whose").await,
    };
    let Ok(day) = filled.date.trim().parse() else {
        return wrong("trial-wrong-date").await;
    };
    let is_fracture = match filled.fracture.as_str() {
        "yes" => true,
        "no" => false,
        _ => return wrong("trial-wrong-fracture").await,
    };
    let text = |text: &str| text.trim().chars().filter(|c| !c.is_control()).take(200).collect();
    let diagnosis =
        NewDiagnosis { line: 1, whose, day, is_fracture, kind: text(&filled.kind), source: text(&filled.source) };
    store(&app, &caller, &[diagnosis]).await
}

/// `POST /trial/diagnoses/upload`: a CSV, all of it or nothing.
pub(super) async fn upload(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    match read_diagnoses(&filled.csv) {
        Ok(diagnoses) => store(&app, &caller, &diagnoses).await,
        Err(faults) => {
            let (language, more) = (caller.language, faults.len().saturating_sub(FAULTS));
            let mut faults: Vec<Reason> = faults.iter().take(FAULTS).map(|fault| Reason::of(language, fault)).collect();
            if more > 0 {
                faults.push(language.say("trial-more").with("count", more).into());
            }
            let words = language.say("trial-faults").into();
            show(&app, &caller, Begun { words, is_bad: true, faults, ..Begun::default() }).await
        }
    }
}

async fn store(app: &App, caller: &Caller, diagnoses: &[NewDiagnosis]) -> Result<Response, PageError> {
    let person = caller.asker.person().ok_or(PageError::SignedOut)?;
    app.audit.add(caller.event(Deed::DiagnosesEntered).with("rows", diagnoses.len())).await?;
    let language = caller.language;
    let missing = app.db.add_diagnoses(diagnoses, person.id).await?;
    if missing.is_empty() {
        let words = language.say("trial-stored").with("count", diagnoses.len()).into();
        return show(app, caller, Begun { words, ..Begun::default() }).await;
    }
    let one = |line: &u64| language.say("trial-wrong-line").with("line", line).into();
    let words = language.say("trial-wrong-rows").into();
    let faults = missing.iter().take(FAULTS).map(one).collect();
    show(app, caller, Begun { words, is_bad: true, faults, ..Begun::default() }).await
}
