//! How films arrive: by C-STORE, by STOW-RS, from watched folders; all by one [`Intake`].

pub mod dicom;
mod header;
mod peers;
pub mod refusals;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use coxa_dimse::Uid;
use tokio::sync::{Notify, RwLock};

pub use header::{HeaderError, attributes, parse};
pub use peers::Admission;

use crate::db::{Database, DbError, JobKind, Stored};
use crate::metrics::Metrics;
use crate::store::{Incoming, Store, StoreError, free_bytes};

/// How much of a file is read for its header: the pixels of films begin well before.
const HEADER: u64 = 16 << 20;

/// Why an object was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is too little room, on the disk or by the limit.
    #[error("{0}")]
    Full(String),
    /// It is no object that could be kept.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Its UIDs are not those that it was announced with.
    #[error("{0} of the data set is another one than was announced")]
    Mismatch(&'static str),
    /// The disk or the bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl IntakeError {
    /// Whether the same object may be taken another time.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Store(_) | Self::Db(_))
    }
}

/// What an object was announced with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Its SOP class.
    pub sop_class: Uid,
    /// Its instance.
    pub sop_instance: Uid,
}

/// Takes objects in: bytes to the disk, the row with its jobs into the database, and only then an answer.
#[derive(Debug, Clone)]
pub struct Intake {
    db: Database,
    store: Store,
    metrics: Arc<Metrics>,
    data: PathBuf,
    node: String,
    limits: crate::config::Limits,
    /// Woken when there is work.
    work: Arc<Notify>,
    /// Held for reading from a file's arrival to its row's, and for writing while rows and their files are removed.
    shelf: Arc<RwLock<()>>,
}

impl Intake {
    /// An intake of a node.
    pub fn new(
        db: Database,
        store: Store,
        metrics: Arc<Metrics>,
        config: &crate::config::Config,
        work: Arc<Notify>,
        shelf: Arc<RwLock<()>>,
    ) -> Self {
        let (data, node, limits) = (config.data.clone(), config.node_name(), config.limits.clone());
        Self { db, store, metrics, data, node, limits, work, shelf }
    }

    /// The largest object that is taken, in bytes.
    pub fn largest(&self) -> u64 {
        self.limits.object_mib << 20
    }

    /// Whether there is room for another object.
    ///
    /// # Errors
    /// [`IntakeError::Full`] with how much is missing.
    pub fn has_room(&self) -> Result<(), IntakeError> {
        let free = free_bytes(&self.data).map_err(StoreError::from)? >> 20;
        self.metrics.free_disk.set(i64::try_from(free).unwrap_or(i64::MAX));
        if free >= self.limits.free_disk_mib {
            return Ok(());
        }
        Err(IntakeError::Full(format!(
            "{free} MiB are free on the disk, and limits.free_disk_mib is {}",
            self.limits.free_disk_mib
        )))
    }

    /// Begins an object.
    ///
    /// # Errors
    /// When there is no room, or the disk does not take it.
    pub async fn begin(&self) -> Result<Incoming, IntakeError> {
        self.has_room()?;
        Ok(self.store.begin().await?)
    }

    /// Takes an object of which every byte has come; its row has reached the disk when this returns.
    ///
    /// # Errors
    /// When it is no object, not the one that was announced, or cannot be kept.
    pub async fn finish(
        &self,
        mut incoming: Incoming,
        announced: Option<Announced>,
        source: &str,
    ) -> Result<Stored, IntakeError> {
        incoming.flush().await?;
        let path = incoming.path().map(std::path::Path::to_owned).unwrap_or_default();
        let mut film =
            tokio::task::spawn_blocking(move || header_of(&path)).await.map_err(|_| HeaderError::Crashed)??;
        if let Some(announced) = &announced {
            if film.sop_class_uid != announced.sop_class.as_str() {
                return Err(IntakeError::Mismatch("SOP Class UID"));
            }
            if film.sop_instance_uid != announced.sop_instance.as_str() {
                return Err(IntakeError::Mismatch("SOP Instance UID"));
            }
        }
        let shelf = self.shelf.read().await;
        let kept = self.store.keep(incoming).await?;
        (film.sha256, film.bytes) = (kept.sha256, kept.bytes);
        (film.home, film.source) = (self.node.clone(), source.to_owned());
        let mut jobs = vec![(JobKind::Read, self.node.as_str())];
        if self.store.has_bucket() {
            jobs.push((JobKind::Copy, self.node.as_str()));
        }
        let stored = self.db.store_film(&film, &jobs).await?;
        drop(shelf);
        self.metrics.received(stored);
        if matches!(stored, Stored::New(_)) {
            self.work.notify_waiters();
        }
        Ok(stored)
    }
}

/// The attributes of a file's header.
fn header_of(path: &std::path::Path) -> Result<crate::db::NewFilm, HeaderError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(HeaderError::Disk)?;
    file.take(HEADER).read_to_end(&mut bytes).map_err(HeaderError::Disk)?;
    let (transfer_syntax, object) = parse(&bytes)?;
    attributes(&object, &transfer_syntax)
}
