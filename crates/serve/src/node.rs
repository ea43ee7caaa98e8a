//! A node: everything in one process, from its start to its graceful end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use coxa_dimse::Server;
use coxa_dimse::tls::{Acceptor, TlsFiles};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::audit::{Deed, Keys, Log, Sights};
use crate::config::{Config, Role};
use crate::db::{Database, ObjectKind};
use crate::error::NodeError;
use crate::http::{App, Pace, listen, router};
use crate::keep::{copy, retain};
use crate::metrics::Metrics;
use crate::people::{self, Passwords, Throttle, Vault};
use crate::push::push;
use crate::read::{ReaderParts, open_detector, read};
use crate::receive::dicom::Receiver;
use crate::receive::refusals::Refusals;
use crate::receive::{Admission, Intake};
use crate::results::Maker;
use crate::send::Sender;
use crate::store::Store;
use crate::trial::record_randomizations;

/// What is in hand at a stop may go on for so long.
const GRACE: Duration = Duration::from_secs(20);
/// The file that a running node has locked.
const LOCK: &str = "lock";

/// A node that takes films.
#[derive(Debug)]
pub struct Node {
    app: Arc<App>,
    /// Where it listens: the port that was chosen where 0 was asked for.
    pub http: Option<std::net::SocketAddr>,
    /// The same for DICOM.
    pub dicom: Option<std::net::SocketAddr>,
    /// The password of the first account, where nobody has used it yet.
    first_password: Option<String>,
    stop: watch::Sender<bool>,
    parts: JoinSet<Result<(), String>>,
    _lock: std::fs::File,
}

impl Node {
    /// Starts a node; it takes films when this returns.
    ///
    /// # Errors
    /// Whatever it lacks.
    pub async fn start(mut config: Config) -> Result<Self, NodeError> {
        config.validate()?;
        std::fs::create_dir_all(&config.data)
            .and_then(|()| only_ours(&config.data))
            .map_err(|source| NodeError::Folder { folder: config.data.clone(), source })?;
        let lock = lock(&config.data)?;
        config.node =
            Some(identity(&config).map_err(|source| NodeError::Folder { folder: config.data.clone(), source })?);
        let db = Database::open(&config.database_url()).await?;
        let keys =
            Keys::open(&config.data).map_err(|source| NodeError::Folder { folder: config.data.clone(), source })?;
        let audit = Log::begin(db.clone(), keys, &config.node_name());
        let vault = Vault::open(&config.data, config.people.key_file.as_deref())?;
        // Where nobody signs in, no second factor is read.
        if config.has(Role::Pages) {
            vault.begin(&db).await?;
        }
        let passwords = Passwords::default();
        let first_password =
            if config.has(Role::Pages) { people::account::first(&db, &passwords).await? } else { None };
        // This node's process before this one was killed: what it had in hand is free again.
        db.reclaim(&config.node_name()).await?;
        let store = Store::open(&config.data, &config.node_name(), config.objects.as_deref())?;
        let metrics = Arc::new(Metrics::default());
        let (work, outbox) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let intake = Intake::new(db.clone(), store.clone(), Arc::clone(&metrics), &config, Arc::clone(&work));
        let app = Arc::new(App {
            admission: Admission::new(&config, &db),
            config: config.clone(),
            db,
            store,
            metrics,
            intake,
            audit,
            sights: Sights::default(),
            passwords,
            vault,
            throttle: Throttle::default(),
            outbox: Arc::clone(&outbox),
            is_ready: AtomicBool::new(false),
        });
        let (stop, _) = watch::channel(false);
        app.audit.add(app.of_node(Deed::NodeStarted).with("version", env!("CARGO_PKG_VERSION"))).await?;
        // What a process that was killed did not come to record.
        record_randomizations(&app.db, &app.audit, &config.node_name()).await?;
        let mut node = Self { app, http: None, dicom: None, first_password, stop, parts: JoinSet::new(), _lock: lock };
        node.start_reading(&work, &outbox).await?;
        node.start_sending(&outbox)?;
        node.start_keeping(&work);
        node.start_listening().await?;
        node.app.is_ready.store(true, Ordering::Relaxed);
        Ok(node)
    }

    async fn start_reading(&mut self, work: &Arc<Notify>, outbox: &Arc<Notify>) -> Result<(), NodeError> {
        let config = &self.app.config;
        if !config.has(Role::Read) {
            return Ok(());
        }
        let opened = tokio::task::spawn_blocking({
            let config = config.clone();
            move || open_detector(&config)
        });
        let detector = opened.await.map_err(|_| NodeError::Ended("the network could not be opened".into()))??;
        let mut kinds: Vec<ObjectKind> = config.destinations.iter().flat_map(|to| to.sends.iter().copied()).collect();
        kinds.sort();
        kinds.dedup();
        let parts = Arc::new(ReaderParts {
            db: self.app.db.clone(),
            store: self.app.store.clone(),
            metrics: Arc::clone(&self.app.metrics),
            work: Arc::clone(work),
            outbox: Arc::clone(outbox),
            audit: self.app.audit.clone(),
            node: config.node_name(),
            destinations: config.destinations.clone(),
            tries: config.limits.read_tries,
            is_pushed: config.fhir.is_some(),
            maker: Maker::new(kinds, config.network.high_specificity_threshold),
        });
        let stop = self.stop.subscribe();
        self.parts.spawn(async move { read(parts, detector, stop).await });
        Ok(())
    }

    fn start_sending(&mut self, outbox: &Arc<Notify>) -> Result<(), NodeError> {
        let config = &self.app.config;
        if !config.has(Role::Send) {
            return Ok(());
        }
        if let Some(fhir) = config.fhir.clone() {
            let client = crate::push::client_of(&fhir)
                .map_err(|reason| NodeError::Destination { name: "fhir".into(), reason })?;
            let (shared, node, outbox, stop) = (
                (self.app.db.clone(), self.app.audit.clone()),
                config.node_name(),
                Arc::clone(outbox),
                self.stop.subscribe(),
            );
            self.parts.spawn(async move {
                push((fhir, client), shared, node, outbox, stop).await;
                Ok(())
            });
        }
        for destination in &config.destinations {
            let shared =
                (self.app.db.clone(), self.app.store.clone(), Arc::clone(&self.app.metrics), self.app.audit.clone());
            let sender = Sender::new(config, destination.clone(), shared, Arc::clone(outbox))
                .map_err(|reason| NodeError::Destination { name: destination.name.clone(), reason })?;
            let stop = self.stop.subscribe();
            self.parts.spawn(async move {
                sender.send(stop).await;
                Ok(())
            });
        }
        Ok(())
    }

    /// Copies to the bucket, and retention.
    fn start_keeping(&mut self, work: &Arc<Notify>) {
        if self.app.store.has_bucket() {
            let (app, work, stop) = (Arc::clone(&self.app), Arc::clone(work), self.stop.subscribe());
            self.parts.spawn(async move {
                copy(&app, &work, stop).await;
                Ok(())
            });
        }
        let (app, stop) = (Arc::clone(&self.app), self.stop.subscribe());
        self.parts.spawn(async move {
            retain(&app, app.config.retention.days, stop).await;
            Ok(())
        });
    }

    async fn start_listening(&mut self) -> Result<(), NodeError> {
        let config = self.app.config.clone();
        let bind = async |address| {
            let listener = TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })?;
            let bound = listener.local_addr().map_err(|source| NodeError::Listen { address, source })?;
            Ok::<_, NodeError>((listener, bound))
        };
        let files = |authorities| {
            config.tls.as_ref().map(|tls| TlsFiles {
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                authorities,
            })
        };
        if config.has(Role::Receive) {
            let authorities = config.tls.as_ref().and_then(|tls| tls.authorities.clone());
            let tls = files(authorities).map(Acceptor::new).transpose()?;
            self.reload_certificates(&tls);
            let (listener, bound) = bind(config.dicom).await?;
            self.dicom = Some(bound);
            let asked = Arc::new(Notify::new());
            let refusals = Arc::new(Refusals::default());
            let receiver = Receiver::new(
                config.clone(),
                self.app.intake.clone(),
                self.app.db.clone(),
                Arc::clone(&asked),
                Arc::clone(&refusals),
                Arc::clone(&self.app.metrics),
            );
            let (db, stop) = (self.app.db.clone(), self.stop.subscribe());
            self.parts.spawn(async move {
                refusals.keep(&db, stop).await;
                Ok(())
            });
            let (app, stop) = (Arc::clone(&self.app), self.stop.subscribe());
            self.parts.spawn(async move {
                crate::commit::answer(app.config.clone(), app.db.clone(), app.store.clone(), asked, stop).await;
                Ok(())
            });
            self.app.admission.renew().await?;
            let (app, stop) = (Arc::clone(&self.app), self.stop.subscribe());
            self.parts.spawn(async move {
                app.admission.keep_renewed(stop).await;
                Ok(())
            });
            let (server, stop) = (Server::governed(self.app.admission.policy(), receiver, tls), self.stop.subscribe());
            self.parts.spawn(async move {
                server.serve(listener, stop, GRACE).await.map_err(|error| format!("DICOM: {error}"))
            });
            if !config.watch.folders.is_empty() {
                let (folders, intake, stop) = (config.watch.clone(), self.app.intake.clone(), self.stop.subscribe());
                self.parts.spawn(async move {
                    crate::receive::watch::watch(folders, intake, stop).await;
                    Ok(())
                });
            }
        }
        // Health and figures are wanted of every node, whatever its roles.
        let tls = files(None).map(Acceptor::new).transpose()?;
        self.reload_certificates(&tls);
        let (listener, bound) = bind(config.http).await?;
        self.http = Some(bound);
        let (router, stop, connections) = (router(&self.app), self.stop.subscribe(), config.limits.http_connections);
        self.parts.spawn(async move {
            listen(listener, router, tls, (connections, Pace::default()), stop, GRACE)
                .await
                .map_err(|error| format!("http: {error}"))
        });
        Ok(())
    }

    /// Certificates are read again every minute: a renewed one needs no restart.
    fn reload_certificates(&mut self, tls: &Option<Acceptor>) {
        let Some(tls) = tls.clone() else { return };
        let mut stop = self.stop.subscribe();
        self.parts.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(60)) => {}
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                }
                if let Err(error) = tls.reload() {
                    tracing::error!("the certificate could not be read again, the one before stays: {error}");
                }
            }
        });
    }

    /// The line that says where it listens.
    pub fn ready_line(&self) -> String {
        let scheme = if self.app.config.tls.is_some() { "https" } else { "http" };
        let http = self.http.map(|address| format!(" {scheme}://{address}")).unwrap_or_default();
        let dicom =
            self.dicom.map(|address| format!(" dicom://{}@{address}", self.app.config.ae_title)).unwrap_or_default();
        format!("ready{http}{dicom}")
    }

    /// The line with which the first person signs in; `None` once that has been done.
    pub fn first_sign_in(&self) -> Option<String> {
        let (password, http) = (self.first_password.as_ref()?, self.http?);
        let scheme = if self.app.config.tls.is_some() { "https" } else { "http" };
        // Wherever it listens, the first sign-in comes from this machine.
        let host = if http.ip().is_loopback() { http.to_string() } else { format!("localhost:{}", http.port()) };
        Some(format!("first sign-in: {scheme}://{host}/signin user {} password {password}", people::account::FIRST))
    }

    /// What the handlers share.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Waits for `signal`, or for a part that ends by itself; then ends gracefully: no new films, those in hand are finished.
    ///
    /// # Errors
    /// When a part ended by itself.
    pub async fn run_until(mut self, signal: impl Future<Output = ()>) -> Result<(), NodeError> {
        let ended = tokio::select! {
            () = signal => None,
            Some(ended) = self.parts.join_next() => Some(match ended {
                Ok(Ok(())) => "without a reason".to_owned(),
                Ok(Err(error)) => error,
                Err(error) => error.to_string(),
            }),
        };
        self.app.is_ready.store(false, Ordering::Relaxed);
        self.stop.send_replace(true);
        let drained = async { while self.parts.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE + Duration::from_secs(5), drained).await.is_err() {
            tracing::warn!("some work did not end in time; it is done again at the next start");
        }
        if let Err(error) = self.app.audit.add(self.app.of_node(Deed::NodeStopped)).await {
            tracing::error!("the node's end is not in the audit log: {error}");
        }
        self.app.db.close().await;
        ended.map_or(Ok(()), |ended| Err(NodeError::Ended(ended)))
    }
}

/// Films name their patients: nobody else on the machine may look into the folder.
fn only_ours(folder: &std::path::Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The node's name with what tells its folder from every other: whose disk a film lies on must be certain.
fn identity(config: &Config) -> std::io::Result<String> {
    let file = config.data.join("node");
    match std::fs::read_to_string(&file) {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => {
            let name = format!("{}-{}", config.node_name(), &crate::secret()[..8]);
            coxa_files::write_whole(&file, name.as_bytes())?;
            Ok(name)
        }
    }
}

/// Whether a node works in a folder; nothing is made there.
pub(crate) fn is_running(folder: &std::path::Path) -> std::io::Result<bool> {
    use std::io::ErrorKind;
    match std::fs::File::open(folder.join(LOCK)) {
        // Shared, so that two looks at once do not take each other for a node.
        Ok(file) => Ok(matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One process a folder, as the store removes what it did not begin itself.
pub(crate) fn lock(folder: &std::path::Path) -> Result<std::fs::File, NodeError> {
    let failed = |source| NodeError::Folder { folder: folder.to_owned(), source };
    let file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(NodeError::Taken(folder.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!("stopping: what is in hand is finished");
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Tells systemd that the node takes films, where it was started by it.
pub fn tell_system_ready() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}
