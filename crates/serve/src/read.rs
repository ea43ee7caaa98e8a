//! Reading: jobs are leased, films decoded beside the network, results written with their objects in one transaction.
//!
//! Three threads pass films on: one leases a job, fetches the bytes, decodes and gates them; one runs the network; one makes the objects and
//! writes the result. The network never waits for a disk or for the next film's pixels.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use coxa_model::detect::gate::GateRule;
use coxa_model::{Bundle, Control, Detection, Detector, DetectorOptions, FilmSource, ModelError, Prepared, Preparer};
use coxa_schema::FilmPrediction;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::audit::Log;
use crate::config::{Config, Destination};
use crate::db::{Calibration, Database, DbError, Film, Held, InTrial, Job, JobKind, NewObject, Outcome, Outlook, now};
use crate::error::NodeError;
use crate::metrics::Metrics;
use crate::monitor;
use crate::results::{Made, Maker};
use crate::store::Store;
use crate::trial::record_randomizations;

/// How often the database is asked where nobody wakes this node: another node may have received a film.
const POLL: Duration = Duration::from_millis(500);

/// What the readers of a node share.
pub struct ReaderParts {
    /// The database.
    pub db: Database,
    /// The films.
    pub store: Store,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// Woken when a film has come.
    pub work: Arc<Notify>,
    /// Woken when there is something to send.
    pub outbox: Arc<Notify>,
    /// What was done.
    pub audit: Log,
    /// The node's name.
    pub node: String,
    /// Where results go.
    pub destinations: Vec<Destination>,
    /// Tries before a person must look.
    pub tries: i64,
    /// Whether results are pushed to a FHIR server.
    pub is_pushed: bool,
    /// Makes result objects.
    pub maker: Maker,
}

/// A film in hand.
struct InHand {
    job: Job,
    _held: Held,
    _counted: Counted,
    film: Film,
    bytes: bytes::Bytes,
    /// The calibration that counted when the film was leased; `None` for the bundle's own.
    calibration: Option<Calibration>,
    begun: Instant,
}

/// How many films the threads have in hand.
#[derive(Debug, Clone, Default)]
struct Count(Arc<(Mutex<usize>, Condvar)>);

impl Count {
    /// One more, until the guard is dropped.
    fn another(&self) -> Counted {
        *self.films() += 1;
        Counted(self.clone())
    }

    /// Waits until there is none.
    fn wait_for_none(&self) {
        // A number cannot be left half-changed.
        drop(self.0.1.wait_while(self.films(), |films| *films > 0).unwrap_or_else(PoisonError::into_inner));
    }

    fn films(&self) -> MutexGuard<'_, usize> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A film that counts.
struct Counted(Count);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.films() -= 1;
        self.0.0.1.notify_all();
    }
}

/// What became of a film.
enum Read {
    Detected(Box<Detection>),
    Undecodable(String),
}

type ToNetwork = (InHand, Result<Prepared, String>);
/// With the time from the lease to the network's answer.
type ToWriter = (InHand, Read, Duration);

/// Opens the network as the configuration says.
///
/// # Errors
/// When the bundle cannot be read, or lacks what is asked for.
pub fn open_detector(config: &Config) -> Result<Detector, NodeError> {
    let mut observer = Notes;
    let bundle: Bundle = coxa_workflow::models::open_bundle(config.network.bundle.as_deref(), &mut observer)?;
    let options = DetectorOptions {
        precision: config.network.precision()?,
        threads: config.network.threads,
        threshold: config.network.threshold,
        gate: if config.gate.any_film { GateRule::Disabled } else { GateRule::Enforced },
        ..DetectorOptions::default()
    };
    Ok(coxa_workflow::models::ready(&bundle, &options, &mut observer)?)
}

/// Notes of opening a network go to the log.
struct Notes;

impl coxa_workflow::WorkObserver for Notes {
    fn on(&mut self, event: &coxa_workflow::WorkEvent<'_>) -> Control {
        if let coxa_workflow::WorkEvent::Note(note) = event {
            tracing::info!("{note}");
        }
        Control::Continue
    }
}

/// Reads films until `stop`; returns when the film in hand is finished.
///
/// # Errors
/// When a thread crashed: another process must go on.
pub async fn read(parts: Arc<ReaderParts>, detector: Detector, stop: watch::Receiver<bool>) -> Result<(), String> {
    let runtime = Handle::current();
    let (to_network, films) = sync_channel(1);
    let (to_writer, results) = sync_channel(1);
    let (preparer, model) = (detector.preparer(), detector.model().to_owned());
    let decoding = std::thread::spawn({
        let (parts, runtime, model) = (Arc::clone(&parts), runtime.clone(), model.clone());
        move || decode(&parts, &runtime, (&preparer, &model), &to_network, stop)
    });
    let reading = std::thread::spawn({
        let (parts, runtime) = (Arc::clone(&parts), runtime.clone());
        move || run(&parts, &runtime, detector, &films, &to_writer)
    });
    let writing = std::thread::spawn(move || {
        for (in_hand, read, took) in results {
            runtime.block_on(write(&parts, &model, (&in_hand, took), read));
        }
    });
    let joined = tokio::task::spawn_blocking(move || [decoding.join(), reading.join(), writing.join()]).await;
    if joined.is_ok_and(|joined| joined.iter().all(Result::is_ok)) {
        return Ok(());
    }
    Err("a film made the reader crash; what was in hand is read again after the next start".to_owned())
}

/// Leases jobs and decodes their films.
fn decode(
    parts: &ReaderParts,
    runtime: &Handle,
    (preparer, model): (&Preparer, &str),
    to_network: &SyncSender<ToNetwork>,
    mut stop: watch::Receiver<bool>,
) {
    let in_hand = Count::default();
    // A node that is dropped without being stopped has closed the channel.
    while !*stop.borrow() && stop.has_changed().is_ok() {
        let claimed = runtime.block_on(parts.db.claim_job(JobKind::Read, &parts.node));
        let job = match claimed {
            Ok(Some(job)) => job,
            Ok(None) => {
                runtime.block_on(async {
                    tokio::select! {
                        () = parts.work.notified() => {}
                        () = tokio::time::sleep(POLL) => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                });
                continue;
            }
            Err(error) => {
                tracing::error!("no job could be leased: {error}");
                std::thread::sleep(POLL);
                continue;
            }
        };
        let held = parts.db.hold(runtime, &job.claim);
        // What was in hand when a process ended is read with nothing else in hand, so that what kills the process is found out, and what was
        // beside it is cleared.
        let is_suspect = job.claim.lost > 0;
        if is_suspect {
            in_hand.wait_for_none();
        }
        let begun = Instant::now();
        match runtime.block_on(fetch(parts, model, &job)) {
            Ok(Some((film, bytes, calibration))) => {
                let prepared = prepare(preparer, &film, &bytes);
                let counted = in_hand.another();
                let film = InHand { job, _held: held, _counted: counted, film, bytes, calibration, begun };
                if let Err(unsent) = to_network.send((film, prepared)) {
                    // The network's thread has ended: another process reads the film, and this was no try.
                    let (film, _) = unsent.0;
                    if let Err(error) = runtime.block_on(parts.db.hand_back(&film.job.claim)) {
                        tracing::error!("a job could not be handed back, its lease ends by itself: {error}");
                    }
                    return;
                }
                if is_suspect {
                    in_hand.wait_for_none();
                }
            }
            // Retention removed it.
            Ok(None) => {}
            Err(error) => {
                runtime.block_on(give_up(parts, &job, &error.to_string(), Outlook::Again { most: parts.tries }))
            }
        }
    }
}

/// Why a film could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// What a film in hand begins with.
type Fetched = (Film, bytes::Bytes, Option<Calibration>);

async fn fetch(parts: &ReaderParts, model: &str, job: &Job) -> Result<Option<Fetched>, FetchError> {
    let Some(film) = parts.db.film(job.film).await? else { return Ok(None) };
    parts.db.reading_begins(job.film).await?;
    // Asked for with each film: what an administrator takes counts at once, on every node that shares the database.
    let calibration = parts.db.calibration_in_use(model).await?;
    let bytes = parts.store.get(&film.attributes.sha256).await?;
    Ok(Some((film, bytes, calibration)))
}

async fn give_up(parts: &ReaderParts, job: &Job, error: &str, outlook: Outlook) {
    tracing::warn!(job = job.claim.id, attempt = job.claim.attempts, "a film could not be read: {error}");
    match parts.db.fail_job(job, error, outlook).await {
        Ok(true) => parts.metrics.count(&parts.metrics.read, "failed"),
        Ok(false) => {}
        // The lease ends by itself.
        Err(error) => tracing::error!("that a job failed could not be noted: {error}"),
    }
}

/// Makes a film ready for the network; the error is why it cannot be decoded: a result, not a failure.
fn prepare(preparer: &Preparer, film: &Film, bytes: &[u8]) -> Result<Prepared, String> {
    if is_own(film) {
        return Err("a result object of this program".into());
    }
    preparer.prepare(FilmSource::Bytes { bytes, name: "the film" }).map_err(|error| match error {
        // What the file is and what is wrong with it, in words without a value of the patient.
        ModelError::Film(error) => reason_of(&error),
        error => error.to_string(),
    })
}

/// Runs the network on films that are ready.
fn run(
    parts: &ReaderParts,
    runtime: &Handle,
    mut detector: Detector,
    films: &Receiver<ToNetwork>,
    to_writer: &SyncSender<ToWriter>,
) {
    let own = (detector.card().temperature, detector.card().threshold.clone());
    for (in_hand, prepared) in films {
        let (temperature, threshold) =
            in_hand.calibration.as_ref().map_or_else(|| own.clone(), monitor::operating_point);
        let read = match prepared {
            Ok(film) => detector
                .recalibrate(temperature, threshold)
                .and_then(|()| detector.read_prepared(film))
                .map(|detection| Read::Detected(Box::new(detection))),
            Err(reason) => Ok(Read::Undecodable(reason)),
        };
        match read {
            Ok(read) => {
                let took = in_hand.begun.elapsed();
                if to_writer.send((in_hand, read, took)).is_err() {
                    return;
                }
            }
            Err(error) => {
                let outlook = Outlook::Again { most: parts.tries };
                runtime.block_on(give_up(parts, &in_hand.job, &error.to_string(), outlook));
            }
        }
    }
}

/// A picture that this program made, on any node: a PACS that forwards all it gets would have it read again and again.
fn is_own(film: &Film) -> bool {
    let attribute = |metadata: &serde_json::Value, tag: &str| metadata[tag]["Value"][0].as_str().map(str::to_owned);
    let Ok(metadata) = serde_json::from_str(&film.attributes.metadata) else { return false };
    attribute(&metadata, "00080070").as_deref() == Some("Coxa") && film.attributes.modality != "DX"
}

async fn write(parts: &ReaderParts, model: &str, (ready, took): (&InHand, Duration), read: Read) {
    let prediction = match &read {
        Read::Detected(detection) => detection.prediction().clone(),
        Read::Undecodable(reason) => FilmPrediction::NotRead { not_read: reason.clone() },
    };
    let detection = match &read {
        Read::Detected(detection) => Some(&**detection),
        Read::Undecodable(_) => None,
    };
    let scale = ready.calibration.as_ref().map_or(1.0, monitor::scale);
    let made = match parts.maker.make((&ready.film, &ready.bytes), &prediction, detection, (model, scale)) {
        Ok(made) => made,
        Err(error) => {
            return give_up(parts, &ready.job, &error.to_string(), Outlook::Again { most: parts.tries }).await;
        }
    };
    let objects = match keep(parts, made).await {
        Ok(objects) => objects,
        Err(error) => return give_up(parts, &ready.job, &error.to_string(), Outlook::AgainAlways).await,
    };
    let finding = prediction.finding();
    let outcome = Outcome {
        is_positive: finding.is_some_and(|finding| finding.is_positive),
        not_read: match &prediction {
            FilmPrediction::NotRead { not_read } => Some(not_read.clone()),
            FilmPrediction::Read(_) => None,
        },
        model: model.to_owned(),
        milliseconds: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        prediction: serde_json::to_string(&prediction).unwrap_or_default(),
        logit: detection.and_then(Detection::logit),
        probability: finding.map(|finding| finding.probability),
        calibration: ready.calibration.as_ref().map_or(0, |calibration| calibration.id),
        is_pushed: parts.is_pushed,
    };
    match parts.db.finish_reading(&ready.job, &outcome, &objects).await {
        Ok(true) => {
            let kind = match (&outcome.not_read, outcome.is_positive) {
                (Some(_), _) => "not_read",
                _ if is_withheld(parts, ready.film.id).await => "withheld",
                (None, true) => "positive",
                (None, false) => "negative",
            };
            if let Err(error) = record_randomizations(&parts.db, &parts.audit, &parts.node).await {
                tracing::error!("a randomization is not in the audit log yet; it is added with the next film: {error}");
            }
            parts.metrics.count(&parts.metrics.read, kind);
            parts.metrics.reading.observe(took.as_secs_f64());
            parts.metrics.latency.observe((now() - ready.film.received_at).max(0) as f64 / 1e6);
            parts.outbox.notify_waiters();
        }
        Ok(false) => {
            tracing::warn!(job = ready.job.claim.id, "the lease of a job had ended: its result is another worker's")
        }
        Err(error) => {
            tracing::error!("a result could not be written: {error}");
            give_up(parts, &ready.job, &error.to_string(), Outlook::AgainAlways).await;
        }
    }
}

/// Whether a trial withholds a film's result; so it is taken where that cannot be known.
async fn is_withheld(parts: &ReaderParts, film: i64) -> bool {
    !matches!(parts.db.in_trial(film).await, Ok(None | Some(InTrial { is_withheld: false, .. })))
}

/// Puts objects on the disk; their rows are written with the result.
async fn keep(parts: &ReaderParts, made: Vec<Made>) -> Result<Vec<NewObject>, crate::store::StoreError> {
    let mut objects = Vec::new();
    for Made { kind, bytes, mut attributes } in made {
        let kept = parts.store.put(&bytes).await?;
        (attributes.sha256, attributes.bytes, attributes.home) = (kept.sha256, kept.bytes, parts.node.clone());
        let destinations =
            parts.destinations.iter().filter(|to| to.sends.contains(&kind)).map(|to| to.name.clone()).collect();
        objects.push(NewObject { kind, attributes, destinations, is_copied: parts.store.has_bucket() });
    }
    Ok(objects)
}

/// Why a film cannot be decoded, without the name that the error begins with.
fn reason_of(error: &coxa_imaging::ReadError) -> String {
    let text = error.to_string();
    text.strip_prefix("the film: ").unwrap_or(&text).to_owned()
}
