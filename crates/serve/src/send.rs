//! Sending: one worker a destination takes its objects from the queue and stores them there, those of positive films first.
//!
//! Every status is kept and explained. A busy destination is given time; one that refuses an object gets it no second time; one that
//! cannot be reached is tried again with growing pauses, however long it takes. An object whose answer was lost is sent again: its
//! UID is the same, so the destination has it once.

use std::sync::Arc;
use std::time::Duration;

use coxa_dicom::test_picture::test_picture;
use coxa_dicom::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use coxa_dimse::tls::{Connector, TlsFiles};
use coxa_dimse::{Association, Call, Deadlines, DimseError, Limits, Object, Proposal, Uid};
use coxa_schema::Hint as _;
use tokio::sync::{Notify, watch};

use crate::audit::{Deed, Event, Log, Who};
use crate::config::{Config, Destination};
use crate::db::{Database, ObjectKind, Outlook, Send, SendState};
use crate::metrics::Metrics;
use crate::store::Store;

const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
/// How often the queue is polled where nothing wakes the worker.
const POLL: Duration = Duration::from_secs(1);
/// An association without an object to send is released after this.
const LINGER: Duration = Duration::from_secs(2);
/// The longest pause of a destination that cannot be reached.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// SOP classes of results.
pub(crate) fn sop_class(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Sr => "1.2.840.10008.5.1.4.1.1.88.34",
        ObjectKind::Gsps => "1.2.840.10008.5.1.4.1.1.11.1",
        ObjectKind::Sc => "1.2.840.10008.5.1.4.1.1.7",
        ObjectKind::ParametricMap => "1.2.840.10008.5.1.4.1.1.30",
    }
}

/// The worker of one destination.
pub struct Sender {
    destination: Destination,
    call: Call,
    db: Database,
    store: Store,
    metrics: Arc<Metrics>,
    audit: Log,
    outbox: Arc<Notify>,
    node: String,
    tries: i64,
}

/// How a destination is called.
///
/// # Errors
/// When its certificates cannot be used.
pub fn call_of(config: &Config, destination: &Destination) -> Result<Call, String> {
    let host =
        if destination.host.contains(':') { format!("[{}]", destination.host) } else { destination.host.clone() };
    let mut proposals: Vec<Proposal> =
        destination.sends.iter().map(|kind| Proposal::new(sop_class(*kind), &[EXPLICIT_LITTLE])).collect();
    proposals.push(Proposal::new(coxa_dimse::VERIFICATION, &[EXPLICIT_LITTLE, coxa_dimse::IMPLICIT_VR]));
    call_peer(config, &destination.ae_title, &format!("{host}:{}", destination.port), destination.tls, proposals)
}

/// How a peer is called.
///
/// # Errors
/// When the node's certificates cannot be used.
pub(crate) fn call_peer(
    config: &Config,
    called: &str,
    to: &str,
    by_tls: bool,
    proposals: Vec<Proposal>,
) -> Result<Call, String> {
    Ok(Call {
        to: to.to_owned(),
        called: called.to_owned(),
        calling: config.ae_title.clone(),
        proposals,
        tls: if by_tls { Some(connector(config)?) } else { None },
        deadlines: Deadlines {
            opening: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(3600),
        },
        limits: Limits::default(),
        implementation: (IMPLEMENTATION_CLASS_UID.to_owned(), IMPLEMENTATION_VERSION_NAME.to_owned()),
    })
}

fn connector(config: &Config) -> Result<Connector, String> {
    let tls = config.tls.as_ref().ok_or("tls = true wants [tls] with authorities")?;
    let authorities = tls.authorities.as_deref().ok_or("tls = true wants authorities in [tls]")?;
    let own =
        TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone(), authorities: tls.authorities.clone() };
    Connector::new(authorities, Some(&own)).map_err(|error| error.to_string())
}

/// Calls a destination and says whether it answers a C-ECHO: in words for an administrator.
///
/// # Errors
/// Why it does not.
pub async fn echo(call: &Call) -> Result<(), String> {
    let mut association = coxa_dimse::connect(call).await.map_err(explain)?;
    let missing: Vec<_> = call
        .proposals
        .iter()
        .filter(|proposal| {
            !association.contexts().iter().any(|context| context.abstract_syntax == proposal.abstract_syntax)
        })
        .map(|proposal| proposal.abstract_syntax.as_str())
        .collect();
    if !missing.is_empty() {
        association.abort().await;
        return Err(format!("it accepts no {}", missing.join(", ")));
    }
    let status = association.echo().await.map_err(explain)?;
    // The answer is here: how the association ends is of no interest.
    let _ = association.release().await;
    if status == coxa_dimse::Status::SUCCESS { Ok(()) } else { Err(format!("C-ECHO was answered with {status}")) }
}

/// Stores a test picture of no patient at a destination.
///
/// # Errors
/// Why it was not stored, in words for an administrator.
pub async fn test_send(config: &Config, destination: &Destination) -> Result<(), String> {
    let now = jiff::Zoned::now();
    let seed = format!("{} {} {now}", config.node_name(), destination.name);
    let picture = test_picture(&seed, &now.strftime("%Y%m%d").to_string(), &now.strftime("%H%M%S").to_string())?;
    let mut call = call_of(config, destination)?;
    call.proposals = vec![Proposal::new(sop_class(ObjectKind::Sc), &[EXPLICIT_LITTLE])];
    let mut association = coxa_dimse::connect(&call).await.map_err(explain)?;
    let damaged = || "the test picture is damaged".to_owned();
    let object = Object {
        sop_class: Uid::parse(sop_class(ObjectKind::Sc)).ok_or_else(damaged)?,
        sop_instance: Uid::parse(&picture.sop_instance_uid).ok_or_else(damaged)?,
        transfer_syntax: EXPLICIT_LITTLE.to_owned(),
    };
    let start = data_set_start(&picture.bytes).ok_or_else(damaged)?;
    let status = association.store(&object, &picture.bytes[start..]).await.map_err(explain)?;
    // The answer is here: how the association ends is of no interest.
    let _ = association.release().await;
    match status.outcome() {
        coxa_dimse::Outcome::Accepted | coxa_dimse::Outcome::AcceptedWithWarning => Ok(()),
        _ => Err(format!("C-STORE was answered with {status}")),
    }
}

fn explain(error: DimseError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// What became of a try, and whether the association can go on.
enum Tried {
    Answered { state: SendState, status: i64, explained: String, pause: Option<Duration> },
    Broken(DimseError),
}

impl Sender {
    /// A worker.
    ///
    /// # Errors
    /// When the destination's certificates cannot be used.
    pub fn new(
        config: &Config,
        destination: Destination,
        (db, store, metrics, audit): (Database, Store, Arc<Metrics>, Log),
        outbox: Arc<Notify>,
    ) -> Result<Self, String> {
        let call = call_of(config, &destination)?;
        Ok(Self {
            destination,
            call,
            db,
            store,
            metrics,
            audit,
            outbox,
            node: config.node_name(),
            tries: config.limits.send_tries,
        })
    }

    /// Sends until `stop`; the object in hand is finished.
    pub async fn send(self, mut stop: watch::Receiver<bool>) {
        let mut association: Option<Association> = None;
        let mut pause = Duration::from_secs(1);
        while !*stop.borrow() {
            let claimed = self.db.claim_send(&self.destination.name, &self.node).await;
            let send = match claimed {
                Ok(Some(send)) => send,
                Ok(None) => {
                    let idle = if association.is_some() { LINGER } else { POLL };
                    let woken = tokio::select! {
                        () = self.outbox.notified() => true,
                        () = tokio::time::sleep(idle) => false,
                        _ = stop.wait_for(|stop| *stop) => false,
                    };
                    if !woken && let Some(association) = association.take() {
                        let _ = association.release().await;
                    }
                    continue;
                }
                Err(error) => {
                    tracing::error!(destination = %self.destination.name, "the queue cannot be read: {error}");
                    tokio::time::sleep(POLL).await;
                    continue;
                }
            };
            let _held = self.db.hold(&tokio::runtime::Handle::current(), &send.claim);
            match self.attempt(&mut association, &send).await {
                Tried::Answered { state, status, explained, pause: wait } => {
                    self.note(&send, state, status, &explained).await;
                    pause = Duration::from_secs(1);
                    if let Some(wait) = wait {
                        self.rest(wait, &mut stop).await;
                    }
                }
                Tried::Broken(error) => {
                    if let Some(association) = association.take() {
                        association.abort().await;
                    }
                    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                    let state = match &error {
                        DimseError::NoContext(_) => SendState::Failed(Outlook::Never),
                        _ => SendState::Failed(Outlook::AgainAlways),
                    };
                    self.note(&send, state, -1, &format!("{error}{hint}")).await;
                    if state == SendState::Failed(Outlook::AgainAlways) {
                        self.rest(pause, &mut stop).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
        }
        if let Some(association) = association {
            let _ = association.release().await;
        }
    }

    async fn rest(&self, pause: Duration, stop: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn attempt(&self, association: &mut Option<Association>, send: &Send) -> Tried {
        let attributes = &send.object.attributes;
        let unsendable = |explained: String, outlook: Outlook| Tried::Answered {
            state: SendState::Failed(outlook),
            status: -1,
            explained,
            pause: None,
        };
        let bytes = match self.store.get(&attributes.sha256).await {
            Ok(bytes) => bytes,
            Err(error) => return unsendable(error.to_string(), Outlook::Again { most: self.tries }),
        };
        let (Some(sop_class), Some(sop_instance), Some(start)) =
            (Uid::parse(&attributes.sop_class_uid), Uid::parse(&attributes.sop_instance_uid), data_set_start(&bytes))
        else {
            return unsendable("the object is damaged".into(), Outlook::Never);
        };
        let open = match association.take() {
            Some(open) => association.insert(open),
            None => match self.connect().await {
                Ok(open) => association.insert(open),
                Err(error) => return Tried::Broken(error),
            },
        };
        let object = Object { sop_class, sop_instance, transfer_syntax: attributes.transfer_syntax.clone() };
        match open.store(&object, &bytes[start..]).await {
            Ok(status) => self.judge(status),
            Err(error) => Tried::Broken(error),
        }
    }

    async fn connect(&self) -> Result<Association, DimseError> {
        // A renewed certificate needs no restart.
        if let Some(tls) = &self.call.tls
            && let Err(error) = tls.reload()
        {
            tracing::error!(destination = %self.destination.name, "the certificates could not be read again, those before stay: {error}");
        }
        coxa_dimse::connect(&self.call).await
    }

    /// What follows from a status.
    fn judge(&self, status: coxa_dimse::Status) -> Tried {
        use coxa_dimse::Outcome::{Accepted, AcceptedWithWarning, Busy, Canceled, Pending, Refused};
        let (state, pause) = match status.outcome() {
            Accepted | AcceptedWithWarning => (SendState::Done, None),
            Busy => (SendState::Failed(Outlook::AgainAlways), Some(Duration::from_secs(5))),
            Pending | Canceled => (SendState::Failed(Outlook::Again { most: self.tries }), None),
            Refused => (SendState::Failed(Outlook::Never), None),
        };
        Tried::Answered { state, status: i64::from(status.0), explained: status.to_string(), pause }
    }

    async fn note(&self, send: &Send, state: SendState, status: i64, explained: &str) {
        let destination = &self.destination.name;
        if state != SendState::Done {
            tracing::warn!(%destination, object = %send.object.kind, attempt = send.claim.attempts, "not accepted: {explained}");
        }
        match self.db.finish_send(send, state, status, explained).await {
            Ok(ended) => {
                let kind = match (state, ended) {
                    (SendState::Done, _) => "done",
                    (_, true) => "dead",
                    (_, false) => "again",
                };
                self.metrics.count(&self.metrics.sent, kind);
                if kind != "again" {
                    self.record(send, kind, status).await;
                }
            }
            // The lease ends by itself, and the object is sent again.
            Err(error) => tracing::error!(%destination, "what became of an object could not be noted: {error}"),
        }
    }
}

impl Sender {
    /// What has left the node, or will not, is in the audit log.
    async fn record(&self, send: &Send, became: &str, status: i64) {
        let event = Event::new(Deed::ObjectSent, Who::node(&self.node))
            .with("destination", &self.destination.name)
            .with("place", format!("{}:{}", self.destination.host, self.destination.port))
            .with("object", &send.object.kind)
            .with("object_row", send.object.id)
            .with("became", became)
            .with("status", status);
        let event = match self.db.film_of_object(send.object.id).await {
            Ok(Some(film)) => event.on(film),
            _ => event,
        };
        // The object is where it is; the log of the node has why this is not recorded.
        let _ = self.audit.add(if became == "done" { event } else { event.failed() }).await;
    }
}

/// Where the data set of a file of ours begins: after the preamble and the file meta information, whose group length is first.
fn data_set_start(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(128..144)?;
    let is_ours = head.starts_with(b"DICM\x02\x00\x00\x00UL\x04\x00");
    let length = u32::from_le_bytes(head.get(12..16)?.try_into().ok()?) as usize;
    let start = 144usize.checked_add(length)?;
    (is_ours && start < bytes.len()).then_some(start)
}
