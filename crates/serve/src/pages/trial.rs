//! A randomized trial of the reader, for administrators: begun, watched without anything by arm, closed, and analyzed.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use coxa_stats::Undefined;
use coxa_study::Statistic;
use coxa_study::trial::{Flow, Population, PopulationAnalysis, TrialAnalysis, TrialOptions, TrialTable, analyze, draw};
use serde::Deserialize;

use super::film::found;
use super::reasons::Reason;
use super::text::{self, visible};
use super::{Frame, PageError, html};
use crate::audit::Deed;
use crate::db::{Ended, Trial, TrialCounts, now};
use crate::http::{App, Caller, Shared};
use crate::language::Language;
use crate::trial::{Stratum, TrialPlan, commitment, record_randomizations};

/// The longest reason, characters.
const LONGEST_REASON: usize = 200;

/// The forms for one patient: where they lead, and the messages of heading, text and button.
const FORMS: [(&str, &str, &str, &str); 3] = [
    ("opt-out", "trial-note-opt-out", "trial-note-opt-out-what", "trial-note-opt-out-do"),
    ("withdraw", "trial-withdraw", "trial-withdraw-what", "trial-withdraw-do"),
    ("unblind", "trial-unblind", "trial-unblind-what", "trial-unblind-do"),
];

/// What came of a form.
pub(super) struct Notice {
    pub(super) words: Reason,
    pub(super) is_bad: bool,
}

/// A row of the comparison: what (a message), in each arm, and the difference.
struct Compared {
    what: &'static str,
    shown: Reason,
    withheld: Reason,
    difference: Reason,
}

/// The comparison in one population, whose name is a message.
struct Part {
    name: &'static str,
    counts: [String; 2],
    rows: Vec<Compared>,
    /// How intervals were computed, and the test of the time to diagnosis.
    what: Reason,
}

struct Closed {
    at: String,
    parts: Vec<Part>,
    flow: Flow,
    excluded: Vec<(Reason, usize)>,
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
    excluded: Vec<(Reason, i64)>,
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

    /// The message of how patients are allocated.
    fn allocation(&self, plan: &TrialPlan) -> &'static str {
        match plan.stratum {
            Stratum::None => "trial-allocation-none",
            Stratum::Sex => "trial-allocation-sex",
            Stratum::Source => "trial-allocation-source",
        }
    }

    /// The message of what has a sequence of its own.
    fn words(&self, stratum: &Stratum) -> &'static str {
        match stratum {
            Stratum::None => "trial-stratum-none",
            Stratum::Sex => "trial-stratum-sex",
            Stratum::Source => "trial-stratum-source",
        }
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
fn written(language: Language, statistic: &Statistic, form: impl Fn(f64) -> String) -> Reason {
    let estimate = match &statistic.0 {
        Ok(estimate) => estimate,
        Err(Undefined { reason, .. }) => return Reason::within(language, "trial-undefined", &reason.to_string()),
    };
    let value = form(estimate.value);
    match estimate.limits {
        Ok(limits) => {
            let message = language.say("trial-value-range").with("value", value);
            message.with("low", form(limits.low)).with("high", form(limits.high)).into()
        }
        Err(why) => Reason::of(language, &why.to_string()).in_message(language, |language, why| {
            language.say("trial-value-no-interval").with("value", &value).with("why", why).to_string()
        }),
    }
}

fn part(language: Language, analysis: &PopulationAnalysis) -> Part {
    let [shown, withheld] = &analysis.arms;
    let difference = &analysis.difference;
    let written = |statistic: &Statistic, form: fn(f64) -> String| written(language, statistic, form);
    let row = |what, a: &Statistic, b: &Statistic, d: &Statistic| Compared {
        what,
        shown: written(a, |value| format!("{value:.3}")),
        withheld: written(b, |value| format!("{value:.3}")),
        difference: written(d, |value| format!("{value:+.3}")),
    };
    let time = |what, a: &Statistic, b: &Statistic, d: &Statistic| Compared {
        what,
        shown: written(a, |value| format!("{value:.2}")),
        withheld: written(b, |value| format!("{value:.2}")),
        difference: written(d, |value| format!("{value:+.2}")),
    };
    let counts = [shown, withheld].map(|arm| {
        let words = language.say("trial-counts").with("patients", arm.patients).with("analyzed", arm.analyzed);
        let words = words.with("decisions", arm.decisions).with("fractures", arm.fractures);
        words.with("missed", arm.missed_fractures).to_string()
    });
    let (a, b, d) = (shown, withheld, difference);
    Part {
        name: match analysis.population {
            Population::IntentionToTreat => "trial-intention",
            Population::PerProtocol => "trial-protocol",
        },
        counts,
        rows: vec![
            row("trial-accuracy", &a.accuracy, &b.accuracy, &d.accuracy),
            row("trial-sensitivity", &a.sensitivity, &b.sensitivity, &d.sensitivity),
            row("trial-specificity", &a.specificity, &b.specificity, &d.specificity),
            row("trial-missed", &a.missed, &b.missed, &d.missed),
            time("trial-hours", &a.hours_to_diagnosis, &b.hours_to_diagnosis, &d.hours_to_diagnosis),
            time("trial-seconds", &a.seconds_to_decision, &b.seconds_to_decision, &d.seconds_to_decision),
        ],
        what: log_rank(language, analysis)
            .in_message(language, |language, test| language.say("trial-part-what").with("test", test).to_string()),
    }
}

/// The test of the time to diagnosis.
fn log_rank(language: Language, analysis: &PopulationAnalysis) -> Reason {
    match &analysis.difference.hours_log_rank.0 {
        Ok(test) => {
            let message = language.say("trial-log-rank").with("statistic", format!("{:.3}", test.statistic));
            message.with("p", format!("{:.4}", test.p)).into()
        }
        Err(undefined) => Reason::within(language, "trial-log-rank-undefined", &undefined.reason.to_string()),
    }
}

fn closed(language: Language, trial: &Trial) -> Result<Closed, PageError> {
    // It was written by this program when the trial was closed.
    let table =
        TrialTable::parse(trial.frozen.as_bytes(), std::path::Path::new("the frozen rows")).map_err(|error| {
            tracing::error!("the rows of a trial cannot be read: {error}");
            PageError::Unavailable("trial-unreadable")
        })?;
    let TrialAnalysis { flow, populations, .. } = analyze(&table, &TrialOptions::default());
    Ok(Closed {
        at: text::exact(language, trial.closed_at),
        parts: populations.iter().map(|analysis| part(language, analysis)).collect(),
        excluded: flow.excluded.iter().map(|(reason, n)| (Reason::of(language, reason), *n)).collect(),
        // As the files of the study tools have it, in English.
        figure: draw(&flow, "Flow of patients through the trial").svg,
        flow,
        secret: trial.secret.clone(),
    })
}

/// The page with what came of a form: a message, or none.
async fn show(
    app: &App,
    caller: &Caller,
    (status, id): (StatusCode, &str),
    plan: Option<TrialPlan>,
) -> Result<Response, PageError> {
    let words = if id.is_empty() { Reason::default() } else { caller.language.say(id).into() };
    show_words(app, caller, (status, words), plan).await
}

async fn show_words(
    app: &App,
    caller: &Caller,
    (status, words): (StatusCode, Reason),
    plan: Option<TrialPlan>,
) -> Result<Response, PageError> {
    let language = caller.language;
    let trial = app.db.trial().await?;
    let counts = match &trial {
        Some(trial) => app.db.trial_counts(trial.id).await?,
        None => TrialCounts::default(),
    };
    let analyzed = match trial.clone().filter(Trial::is_closed) {
        Some(trial) => {
            let analyzed = tokio::task::spawn_blocking(move || closed(language, &trial)).await;
            Some(analyzed.map_err(|_| PageError::Unavailable("trial-unanalyzed"))??)
        }
        None => None,
    };
    let is_full = |trial: &Trial| counts.randomized >= i64::from(trial.plan.planned);
    let page = Page {
        frame: Frame::of("trial-title", "trial", caller),
        notice: (!words.text.is_empty()).then(|| Notice { words, is_bad: !status.is_success() }),
        excluded: counts.excluded.iter().map(|(reason, n)| (Reason::of(language, reason), *n)).collect(),
        begun: trial.as_ref().map(|trial| text::exact(language, trial.begun_at)).unwrap_or_default(),
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
        let words = Reason::within(caller.language, "trial-not-begun", &wrong);
        return show_words(&app, &caller, (BAD, words), Some(plan)).await;
    }
    let taken = "trial-taken";
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
    show(&app, &caller, (GOOD, "trial-now-begun"), None).await
}

async fn open_trial(app: &App) -> Result<Option<Trial>, PageError> {
    Ok(app.db.trial().await?.filter(|trial| !trial.is_closed()))
}

/// `POST /trial/stop`: no further patient is randomized.
pub(super) async fn stop(State(app): Shared, Extension(caller): Extension<Caller>) -> Result<Response, PageError> {
    let Some(trial) = open_trial(&app).await? else {
        return show(&app, &caller, (BAD, "trial-none-open"), None).await;
    };
    app.audit.add(caller.event(Deed::EnrollingStopped).with("trial", trial.id)).await?;
    let words = match app.db.stop_enrolling(trial.id).await? {
        true => "trial-now-stopped",
        false => "trial-was-stopped",
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
        return show(&app, &caller, (BAD, "trial-none-open"), None).await;
    };
    if filled.confirm.trim() != trial.plan.name {
        return show(&app, &caller, (BAD, "trial-wrong-name"), None).await;
    }
    record_randomizations(&app.db, &app.audit, &app.config.node_name()).await.map_err(|error| {
        tracing::error!("{error}");
        PageError::Unavailable("trial-unrecorded")
    })?;
    app.audit.add(caller.event(Deed::TrialClosed).with("trial", trial.id)).await?;
    app.db.close_trial(trial.id).await?;
    app.outbox.notify_waiters();
    if let Some(closed) = app.db.trial().await?.filter(Trial::is_closed) {
        let event = caller.event(Deed::TrialRevealed).with("trial", closed.id).with("secret", &closed.secret);
        app.audit.add(event.with("rows", coxa_files::sha256(closed.frozen.as_bytes()))).await?;
    }
    show(&app, &caller, (GOOD, "trial-now-closed"), None).await
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
        return show(app, caller, (BAD, "trial-wrong-patient"), None).await;
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
        (Ended::NotThere, For::OptOut) => (BAD, "trial-wrong-opt-out"),
        (Ended::NotThere, _) => (BAD, "trial-wrong-not-in"),
        (Ended::Nothing, For::Unblinding) => (GOOD, "trial-nothing-withheld"),
        (Ended::Nothing, _) => (GOOD, "trial-known"),
        (Ended::Done(_), For::OptOut) => (GOOD, "trial-now-out"),
        (Ended::Done(_), For::Withdrawal) => (GOOD, "trial-now-withdrawn"),
        (Ended::Done(_), For::Unblinding) => (GOOD, "trial-now-shown"),
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
    let reason = filled.reason().ok_or(PageError::Bad("trial-wrong-reason"))?;
    app.audit.add(caller.event(Deed::Unblinded).on(film.id).with("reason", &reason)).await?;
    let ended = app.db.unblind_film(film.id, &reason).await?;
    if ended == Ended::NotThere {
        return Err(PageError::Bad("trial-wrong-film"));
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
