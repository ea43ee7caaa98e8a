//! A node: everything in one process, from its start to its graceful end.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use coxa_dimse::Server;
use coxa_dimse::tls::{Acceptor, TlsError, TlsFiles};
use coxa_schema::{ErrorKind, Hint};
use tokio::net::TcpListener;
use tokio::sync::{Notify, RwLock, watch};
use tokio::task::JoinSet;

use crate::config::{Config, ConfigError, Role};
use crate::db::{Database, DbError, JobKind, ObjectKind, Outlook, now};
use crate::http::{App, listen, router};
use crate::metrics::Metrics;
use crate::read::{ReaderParts, open_detector, read};
use crate::receive::Intake;
use crate::receive::dicom::{Receiver, policy};
use crate::results::Maker;
use crate::send::{Sender, call_of, echo};
use crate::store::{Store, StoreError, free_bytes};

/// What is in hand at a stop may go on for so long.
const GRACE: Duration = Duration::from_secs(20);
/// How often films that are kept no longer are looked for.
const RETENTION: Duration = Duration::from_secs(600);

/// Why a node does not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address that it cannot have.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Its folder.
    #[error("{}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has its folder.
    #[error("{}: another coxa serve works here", .0.display())]
    Taken(PathBuf),
    /// Its database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Its films.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its network.
    #[error(transparent)]
    Work(#[from] coxa_workflow::WorkflowError),
    /// A destination that cannot be called.
    #[error("destination {name}: {reason}")]
    Destination {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A part of it ended although nobody stopped it.
    #[error("a part of the node ended: {0}")]
    Ended(String),
}

impl Hint for NodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Usage,
            Self::Ended(_) => ErrorKind::Internal,
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint().map(str::to_owned),
            Self::Listen { .. } => Some("another program may have this port: --http and --dicom choose others".into()),
            Self::Taken(_) => Some("stop it first, or give this one a folder of its own with --data".into()),
            Self::Work(error) => error.hint(),
            _ => None,
        }
    }
}

/// A node that takes films.
#[derive(Debug)]
pub struct Node {
    app: Arc<App>,
    /// Where it listens: the port that was chosen where 0 was asked for.
    pub http: Option<std::net::SocketAddr>,
    /// The same for DICOM.
    pub dicom: Option<std::net::SocketAddr>,
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
        config.node = Some(identity(&config).map_err(|source| NodeError::Folder { folder: config.data.clone(), source })?);
        let db = Database::open(&config.database_url()).await?;
        // This node's process before this one was killed: what it had in hand is free again.
        db.reclaim(&config.node_name()).await?;
        let store = Store::open(&config.data, &config.node_name(), config.objects.as_deref())?;
        let metrics = Arc::new(Metrics::default());
        let (work, outbox, shelf) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(RwLock::new(())));
        let intake =
            Intake::new(db.clone(), store.clone(), Arc::clone(&metrics), &config, Arc::clone(&work), Arc::clone(&shelf));
        let app = Arc::new(App {
            config: config.clone(),
            db,
            store,
            metrics,
            intake,
            outbox: Arc::clone(&outbox),
            is_ready: AtomicBool::new(false),
        });
        let (stop, _) = watch::channel(false);
        let mut node = Self { app, http: None, dicom: None, stop, parts: JoinSet::new(), _lock: lock };
        node.start_reading(&work, &outbox).await?;
        node.start_sending(&outbox)?;
        node.start_keeping(&work, shelf);
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
            node: config.node_name(),
            destinations: config.destinations.clone(),
            tries: config.limits.read_tries,
            maker: Maker::new(kinds, config.network.high_specificity_threshold),
        });
        let stop = self.stop.subscribe();
        self.parts.spawn(async move {
            read(parts, detector, stop).await;
            Ok(())
        });
        Ok(())
    }

    fn start_sending(&mut self, outbox: &Arc<Notify>) -> Result<(), NodeError> {
        let config = &self.app.config;
        if !config.has(Role::Send) {
            return Ok(());
        }
        for destination in &config.destinations {
            let shared = (self.app.db.clone(), self.app.store.clone(), Arc::clone(&self.app.metrics));
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
    fn start_keeping(&mut self, work: &Arc<Notify>, shelf: Arc<RwLock<()>>) {
        if self.app.store.has_bucket() {
            let (app, work, stop) = (Arc::clone(&self.app), Arc::clone(work), self.stop.subscribe());
            self.parts.spawn(async move {
                copy(&app, &work, stop).await;
                Ok(())
            });
        }
        if let Some(days) = self.app.config.retention.days {
            let (app, stop) = (Arc::clone(&self.app), self.stop.subscribe());
            self.parts.spawn(async move {
                retain(&app, &shelf, days, stop).await;
                Ok(())
            });
        }
    }

    async fn start_listening(&mut self) -> Result<(), NodeError> {
        let config = self.app.config.clone();
        let bind = async |address| {
            let listener = TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })?;
            let bound = listener.local_addr().map_err(|source| NodeError::Listen { address, source })?;
            Ok::<_, NodeError>((listener, bound))
        };
        let files = |authorities| {
            config.tls.as_ref().map(|tls| TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone(), authorities })
        };
        if config.has(Role::Receive) {
            let authorities = config.tls.as_ref().and_then(|tls| tls.authorities.clone());
            let tls = files(authorities).map(Acceptor::new).transpose()?;
            self.reload_certificates(&tls);
            let (listener, bound) = bind(config.dicom).await?;
            self.dicom = Some(bound);
            let asked = Arc::new(Notify::new());
            let receiver = Receiver::new(
                config.clone(),
                self.app.intake.clone(),
                self.app.db.clone(),
                Arc::clone(&asked),
                Arc::clone(&self.app.metrics),
            );
            let (app, stop) = (Arc::clone(&self.app), self.stop.subscribe());
            self.parts.spawn(async move {
                crate::commit::answer(app.config.clone(), app.db.clone(), app.store.clone(), asked, stop).await;
                Ok(())
            });
            let (server, stop) = (Server::new(policy(&config), receiver, tls), self.stop.subscribe());
            self.parts.spawn(async move { server.serve(listener, stop, GRACE).await.map_err(|error| format!("DICOM: {error}")) });
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
            listen(listener, router, tls, connections, stop, GRACE).await.map_err(|error| format!("http: {error}"))
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
        let dicom = self.dicom.map(|address| format!(" dicom://{}@{address}", self.app.config.ae_title)).unwrap_or_default();
        format!("ready{http}{dicom}")
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
        self.app.db.close().await;
        ended.map_or(Ok(()), |ended| Err(NodeError::Ended(ended)))
    }
}

/// Copies films and results to the bucket.
async fn copy(app: &App, work: &Notify, mut stop: watch::Receiver<bool>) {
    let node = app.config.node_name();
    while !*stop.borrow() {
        let job = match app.db.claim_job(JobKind::Copy, &node).await {
            Ok(Some(job)) => job,
            other => {
                if let Err(error) = other {
                    tracing::error!("no job could be leased: {error}");
                }
                tokio::select! {
                    () = work.notified() => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
                continue;
            }
        };
        let copied = async {
            let Some(film) = app.db.film(job.film).await.map_err(|error| error.to_string())? else { return Ok(()) };
            app.store.copy(&film.attributes.sha256).await.map_err(|error| error.to_string())?;
            app.db.in_bucket(film.id).await.map_err(|error| error.to_string())
        };
        let noted = match copied.await {
            Ok(()) => app.db.finish_job(&job).await.map(drop),
            Err(error) => {
                tracing::warn!("a film could not be copied to the bucket: {error}");
                app.db.fail_job(&job, &error, Outlook::AgainAlways).await.map(drop)
            }
        };
        if let Err(error) = noted {
            tracing::error!("what became of a copy could not be noted: {error}");
        }
    }
}

/// Removes films that are kept no longer.
async fn retain(app: &App, shelf: &RwLock<()>, days: u32, mut stop: watch::Receiver<bool>) {
    loop {
        let before = now() - i64::from(days) * 86_400_000_000;
        let removed = async {
            for film in app.db.done_before(before, 1000).await? {
                let _closed = shelf.write().await;
                for hash in app.db.remove_film(film.id).await? {
                    app.store.remove(&hash).await?;
                }
            }
            Ok::<_, NodeError>(())
        };
        if let Err(error) = removed.await {
            tracing::error!("retention: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(RETENTION) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// What `--check` found: a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub what: String,
    /// Why it does not work; `None` where it does.
    pub wrong: Option<String>,
}

/// Tries a configuration without starting a node: folder, disk, database, bucket, network, certificates, and each destination.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut note = |what: String, result: Result<(), String>| all.push(Finding { what, wrong: result.err() });
    note("configuration".into(), config.validate().map_err(|error| error.to_string()));
    note(format!("folder {}", config.data.display()), try_folder(config));
    let database = async {
        let db = Database::open(&config.database_url()).await?;
        db.ping().await?;
        db.close().await;
        Ok::<_, DbError>(())
    };
    note("database".into(), database.await.map_err(|error| error.to_string()));
    if let Some(url) = &config.objects {
        let bucket = async { Store::open(&config.data, "check", Some(url))?.check().await };
        note("bucket".into(), bucket.await.map_err(|error: StoreError| error.to_string()));
    }
    if config.has(Role::Read) {
        let network = tokio::task::spawn_blocking({
            let config = config.clone();
            move || open_detector(&config).map(drop).map_err(|error| error.to_string())
        });
        note("network".into(), network.await.unwrap_or_else(|_| Err("it crashed".into())));
    }
    if let Some(tls) = &config.tls {
        let files = TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone(), authorities: tls.authorities.clone() };
        note("certificates".into(), Acceptor::new(files).map(drop).map_err(|error| error.to_string()));
    }
    for (name, address) in [("http", config.http), ("dicom", config.dicom)] {
        let bound = TcpListener::bind(address).await;
        note(format!("{name} {address}"), bound.map(drop).map_err(|error| error.to_string()));
    }
    for destination in &config.destinations {
        let tried = match call_of(config, destination) {
            Ok(call) => echo(&call).await,
            Err(error) => Err(error),
        };
        note(format!("destination {} ({}@{}:{})", destination.name, destination.ae_title, destination.host, destination.port), tried);
    }
    all
}

fn try_folder(config: &Config) -> Result<(), String> {
    std::fs::create_dir_all(&config.data).map_err(|error| error.to_string())?;
    drop(lock(&config.data).map_err(|error| error.to_string())?);
    let free = free_bytes(&config.data).map_err(|error| error.to_string())? >> 20;
    let least = config.limits.free_disk_mib;
    if free < least { Err(format!("{free} MiB are free, and limits.free_disk_mib is {least}")) } else { Ok(()) }
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

/// One process a folder, as the store removes what it did not begin itself.
fn lock(folder: &std::path::Path) -> Result<std::fs::File, NodeError> {
    let failed = |source| NodeError::Folder { folder: folder.to_owned(), source };
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(NodeError::Taken(folder.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Waits until the process is told to stop: by an interrupt, or by the system's manager.
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
