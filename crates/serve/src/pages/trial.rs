//! A randomized trial of the reader, for administrators: begun, watched without anything by arm, closed, and analyzed.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use coxa_stats::Undefined;
use coxa_study::Statistic;
use coxa_study::trial::{Flow, PopulationAnalysis, TrialAnalysis, TrialOptions, TrialTable, analyze, draw};
use serde::Deserialize;

use super::film::found;
use super::me::Notice;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Ended, Trial, TrialCounts, now};
use crate::http::{App, Caller, Shared};
use crate::language::Language;
use crate::trial::{Stratum, TrialPlan, commitment, record_randomizations};

/// The longest reason, characters.
const LONGEST_REASON: usize = 200;

/// A row of the comparison: what, in each arm, and the difference.
struct Compared {
    what: &'static str,
    shown: String,
    withheld: String,
    difference: String,
}

/// The comparison in one population.
struct Part {
    name: &'static str,
    counts: [String; 2],
    rows: Vec<Compared>,
    log_rank: String,
}

struct Closed {
    at: String,
    parts: Vec<Part>,
    flow: Flow,
    figure: String,
    secret: String,
}

#[derive(Template)]
#[template(path = "trial.html")]
struct Page {
    frame: Frame,
    notice: Option<Notice>,
    /// The open trial, or the last one.
    trial: Option<Trial>,
    counts: TrialCounts,
    begun: String,
    is_enrolling: bool,
    closed: Option<Closed>,
    /// What the form of a new trial holds.
    plan: TrialPlan,
    strata: [Stratum; 3],
}

impl Page {
    fn blocks(&self) -> String {
        sizes(&self.plan)
    }

    fn is_open(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| !trial.is_closed())
    }

    fn sizes(&self, plan: &TrialPlan) -> String {
        sizes(plan)
    }

    fn shown(&self, text: &str) -> String {
        visible(text)
    }
}

fn sizes(plan: &TrialPlan) -> String {
    plan.block_sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// A statistic as the page writes it: what is undefined says why.
fn written(statistic: &Statistic, form: impl Fn(f64) -> String) -> String {
    match &statistic.0 {
        Ok(estimate) => match estimate.limits {
            Ok(limits) => {
                format!("{} ({} to {})", form(estimate.value), form(limits.low), form(limits.high))
            }
            Err(why) => format!("{} (no interval: {why})", form(estimate.value)),
        },
        Err(Undefined { reason, .. }) => format!("undefined: {reason}"),
    }
}

fn part(analysis: &PopulationAnalysis) -> Part {
    let [shown, withheld] = &analysis.arms;
    let difference = &analysis.difference;
    let share = |value: f64| format!("{value:.3}");
    let signed = |value: f64| format!("{value:+.3}");
    let row = |what, a: &Statistic, b: &Statistic, d: &Statistic| Compared {
        what,
        shown: written(a, share),
        withheld: written(b, share),
        difference: written(d, signed),
    };
    let time = |what, a: &Statistic, b: &Statistic, d: &Statistic| Compared {
        what,
        shown: written(a, |value| format!("{value:.2}")),
        withheld: written(b, |value| format!("{value:.2}")),
        difference: written(d, |value| format!("{value:+.2}")),
    };
    let counts = [shown, withheld].map(|arm| {
        format!(
            "{} patients, {} analyzed with {} decisions, of them {} on fractures, {} of which were missed",
            arm.patients, arm.analyzed, arm.decisions, arm.fractures, arm.missed_fractures
        )
    });
    Part {
        name: analysis.population.words(),
        counts,
        rows: vec![
            row("Accuracy", &shown.accuracy, &withheld.accuracy, &difference.accuracy),
            row("Sensitivity", &shown.sensitivity, &withheld.sensitivity, &difference.sensitivity),
            row("Specificity", &shown.specificity, &withheld.specificity, &difference.specificity),
            row("Missed fractures", &shown.missed, &withheld.missed, &difference.missed),
            time(
                "Hours to diagnosis, median",
                &shown.hours_to_diagnosis,
                &withheld.hours_to_diagnosis,
                &difference.hours_to_diagnosis,
            ),
            time(
                "Seconds from opening to decision, median",
                &shown.seconds_to_decision,
                &withheld.seconds_to_decision,
                &difference.seconds_to_decision,
            ),
        ],
        log_rank: match &difference.hours_log_rank.0 {
            Ok(test) => format!("log-rank test: χ² = {:.3}, p = {:.4}", test.statistic, test.p),
            Err(undefined) => format!("log-rank test undefined: {}", undefined.reason),
        },
    }
}

fn closed(trial: &Trial) -> Result<Closed, PageError> {
    // It was written by this program when the trial was closed.
    let table =
        TrialTable::parse(trial.frozen.as_bytes(), std::path::Path::new("the frozen rows")).map_err(|error| {
            tracing::error!("the rows of a trial cannot be read: {error}");
            PageError::Unavailable("The rows of the trial cannot be read. The log of this node has the reason.")
        })?;
    let TrialAnalysis { flow, populations, .. } = analyze(&table, &TrialOptions::default());
    Ok(Closed {
        at: text::exact(Language::default(), trial.closed_at),
        parts: populations.iter().map(part).collect(),
        figure: draw(&flow, "Flow of patients through the trial").svg,
        flow,
        secret: trial.secret.clone(),
    })
}

async fn show(
    app: &App,
    caller: &Caller,
    (status, words): (StatusCode, &str),
    plan: Option<TrialPlan>,
) -> Result<Response, PageError> {
    let trial = app.db.trial().await?;
    let counts = match &trial {
        Some(trial) => app.db.trial_counts(trial.id).await?,
        None => TrialCounts::default(),
    };
    let analyzed =
        match trial.clone().filter(Trial::is_closed) {
            Some(trial) => Some(tokio::task::spawn_blocking(move || closed(&trial)).await.map_err(|_| {
                PageError::Unavailable("The analysis ended early. The log of this node has the reason.")
            })??),
            None => None,
        };
    let is_full = |trial: &Trial| counts.randomized >= i64::from(trial.plan.planned);
    let page = Page {
        frame: Frame::of("Trial", "trial", caller),
        notice: (!words.is_empty()).then(|| Notice { words: words.to_owned(), is_bad: !status.is_success() }),
        begun: trial.as_ref().map(|trial| text::exact(Language::default(), trial.begun_at)).unwrap_or_default(),
        is_enrolling: trial.as_ref().is_some_and(|trial| trial.is_enrolling(now()) && !is_full(trial)),
        closed: analyzed,
        plan: plan.or_else(|| app.config.trial.clone()).unwrap_or_default(),
        strata: Stratum::ALL,
        trial,
        counts,
    };
    Ok((status, html(&page)?).into_response())
}

const GOOD: StatusCode = StatusCode::OK;
const BAD: StatusCode = StatusCode::BAD_REQUEST;

/// `GET /trial`.
pub(super) async fn page(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    show(&app, &caller, (GOOD, ""), None).await
}

/// What the forms hold.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    name: String,
    shown: String,
    withheld: String,
    blocks: String,
    stratum: String,
    planned: String,
    minimum_age: String,
    start: String,
    end: String,
    /// To close a trial, its name again.
    confirm: String,
    patient_id: String,
    reason: String,
}

impl Filled {
    /// The plan; a number that is none is 0, which no plan can have.
    fn plan(&self) -> TrialPlan {
        let number = |text: &str| text.trim().parse().unwrap_or(0);
        let blocks = self.blocks.split([',', ' ']).filter(|size| !size.trim().is_empty());
        TrialPlan {
            name: self.name.trim().to_owned(),
            ratio: [number(&self.shown), number(&self.withheld)],
            block_sizes: blocks.map(number).collect(),
            stratum: Stratum::parse(&self.stratum).unwrap_or(Stratum::None),
            planned: number(&self.planned),
            minimum_age: if self.minimum_age.trim().is_empty() {
                0
            } else {
                self.minimum_age.trim().parse().unwrap_or(u32::MAX)
            },
            start: self.start.trim().to_owned(),
            end: self.end.trim().to_owned(),
            ..TrialPlan::default()
        }
    }

    fn reason(&self) -> Option<String> {
        let reason: String = self.reason.trim().chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
        (!reason.is_empty()).then_some(reason)
    }
}

/// `POST /trial/begin`.
pub(super) async fn begin(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let plan = filled.plan();
    if let Err(wrong) = plan.check() {
        return show(&app, &caller, (BAD, &format!("{wrong} Nothing was begun.")), Some(plan)).await;
    }
    let taken = "A trial is open. It is closed before another is begun.";
    if app.db.trial().await?.is_some_and(|trial| !trial.is_closed()) {
        return show(&app, &caller, (StatusCode::CONFLICT, taken), Some(plan)).await;
    }
    let secret = crate::secret();
    let text = serde_json::to_string(&plan).unwrap_or_default();
    // The hash of the secret is in the log before anybody is randomized by it.
    let event = caller.event(Deed::TrialBegun).with("plan", text).with("commitment", commitment(&secret));
    app.audit.add(event).await?;
    if app.db.begin_trial(&plan, &secret).await?.is_none() {
        return show(&app, &caller, (StatusCode::CONFLICT, taken), Some(plan)).await;
    }
    show(&app, &caller, (GOOD, "The trial is begun."), None).await
}

async fn open_trial(app: &App) -> Result<Option<Trial>, PageError> {
    Ok(app.db.trial().await?.filter(|trial| !trial.is_closed()))
}

/// `POST /trial/stop`: no further patient is randomized.
pub(super) async fn stop(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let Some(trial) = open_trial(&app).await? else {
        return show(&app, &caller, (BAD, "No trial is open."), None).await;
    };
    app.audit.add(caller.event(Deed::EnrollingStopped).with("trial", trial.id)).await?;
    let words = match app.db.stop_enrolling(trial.id).await? {
        true => "No further patient is randomized.",
        false => "Enrolling had been stopped.",
    };
    show(&app, &caller, (GOOD, words), None).await
}

/// `POST /trial/close`: shows everything, and freezes what is analyzed.
pub(super) async fn close(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let Some(trial) = open_trial(&app).await? else {
        return show(&app, &caller, (BAD, "No trial is open."), None).await;
    };
    if filled.confirm.trim() != trial.plan.name {
        return show(&app, &caller, (BAD, "To close the trial, enter its name. Nothing was closed."), None).await;
    }
    record_randomizations(&app.db, &app.audit, &app.config.node_name()).await.map_err(|error| {
        tracing::error!("{error}");
        PageError::Unavailable("Not every randomization is in the audit log. The log of this node has the reason.")
    })?;
    app.audit.add(caller.event(Deed::TrialClosed).with("trial", trial.id)).await?;
    app.db.close_trial(trial.id).await?;
    app.outbox.notify_waiters();
    if let Some(closed) = app.db.trial().await?.filter(Trial::is_closed) {
        let event = caller.event(Deed::TrialRevealed).with("trial", closed.id).with("secret", &closed.secret);
        app.audit.add(event.with("rows", coxa_files::sha256(closed.frozen.as_bytes()))).await?;
    }
    show(&app, &caller, (GOOD, "The trial is closed, and its results are open."), None).await
}

/// What is asked for a patient by an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    OptOut,
    Withdrawal,
    Unblinding,
}

/// `POST /trial/opt-out`.
pub(super) async fn opt_out(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    patient(&app, &caller, &filled, For::OptOut).await
}

/// `POST /trial/withdraw`.
pub(super) async fn withdraw(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    patient(&app, &caller, &filled, For::Withdrawal).await
}

/// `POST /trial/unblind`: by the patient's ID.
pub(super) async fn unblind(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    patient(&app, &caller, &filled, For::Unblinding).await
}

async fn patient(app: &App, caller: &Caller, filled: &Filled, what: For) -> Result<Response, PageError> {
    let id = filled.patient_id.trim();
    let (Some(reason), false) = (filled.reason(), id.is_empty()) else {
        return show(app, caller, (BAD, "A patient ID and a reason are needed. Nothing was done."), None).await;
    };
    let deed = match what {
        For::OptOut => Deed::PatientOptedOut,
        For::Withdrawal => Deed::PatientWithdrawn,
        For::Unblinding => Deed::Unblinded,
    };
    // The log names no patient: the films that are shown by it are listed after.
    app.audit.add(caller.event(deed).with("reason", &reason)).await?;
    let ended = match what {
        For::OptOut => app.db.opt_out(id, &reason).await?,
        For::Withdrawal => app.db.withdraw(id, &reason).await?,
        For::Unblinding => app.db.unblind(id, &reason).await?,
    };
    for film in shown_now(app, &ended) {
        app.audit.add(caller.event(deed).on(film).with("reason", &reason)).await?;
    }
    let answer = match (ended, what) {
        (Ended::NotThere, For::OptOut) => {
            (BAD, "No trial is open, or the patient has been randomized: a withdrawal is needed.")
        }
        (Ended::NotThere, _) => (BAD, "No trial is open, or the patient has not been randomized in it."),
        (Ended::Nothing, For::Unblinding) => (GOOD, "Nothing is withheld of this patient."),
        (Ended::Nothing, _) => (GOOD, "That was known."),
        (Ended::Done(_), For::OptOut) => (GOOD, "The patient takes no part."),
        (Ended::Done(_), For::Withdrawal) => (GOOD, "The patient is withdrawn: results are shown from now on."),
        (Ended::Done(_), For::Unblinding) => (GOOD, "The results of the patient are shown from now on."),
    };
    show(app, caller, answer, None).await
}

/// Films that are shown by what was done; whoever sends their results is woken.
fn shown_now(app: &App, ended: &Ended) -> Vec<i64> {
    let Ended::Done(films) = ended else { return Vec::new() };
    app.outbox.notify_waiters();
    films.clone()
}

/// `POST /films/{id}/unblind`: a physician needs the result for the patient's sake.
pub(super) async fn unblind_film(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response, PageError> {
    let film = found(&app, &caller, &id).await.map_err(|_| PageError::NotFound)?;
    let reason = filled.reason().ok_or(PageError::Bad("A reason is needed. Nothing was done."))?;
    app.audit.add(caller.event(Deed::Unblinded).on(film.id).with("reason", &reason)).await?;
    let ended = app.db.unblind_film(film.id, &reason).await?;
    if ended == Ended::NotThere {
        return Err(PageError::Bad("No trial withholds the result of this film. Nothing was done."));
    }
    for other in shown_now(&app, &ended).into_iter().filter(|other| *other != film.id) {
        app.audit.add(caller.event(Deed::Unblinded).on(other).with("reason", &reason)).await?;
    }
    let to = HeaderValue::from_str(&format!("/films/{}", film.id)).map_err(|_| PageError::NotFound)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
}

/// `GET /trial/rows.csv`: what is analyzed, once the trial is closed.
pub(super) async fn rows(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let trial = app.db.trial().await?.filter(Trial::is_closed).ok_or(PageError::NotFound)?;
    app.audit.add(caller.event(Deed::TrialExported).with("trial", trial.id).with("what", "rows")).await?;
    Ok(csv("trial-rows.csv", trial.frozen.into_bytes()))
}

/// `GET /trial/allocation.csv`: who was randomized to what, once the trial is closed.
pub(super) async fn allocation(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
) -> Result<Response, PageError> {
    let trial = app.db.trial().await?.filter(Trial::is_closed).ok_or(PageError::NotFound)?;
    app.audit.add(caller.event(Deed::TrialExported).with("trial", trial.id).with("what", "allocation")).await?;
    Ok(csv("trial-allocation.csv", app.db.allocation(trial.id).await?.csv()))
}

fn csv(name: &'static str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let disposition = HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], bytes).into_response();
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    response
}
