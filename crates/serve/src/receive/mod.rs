//! How films arrive: by C-STORE, by STOW-RS, from watched folders; all by one [`Intake`].

pub mod dicom;
mod header;
mod peers;
pub mod refusals;
pub mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use coxa_dimse::Uid;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, RwLock, Semaphore};

pub use header::{HeaderError, attributes, parse, parse_from};
pub use peers::Admission;

use crate::db::{Database, DbError, JobKind, NewFilm, Stored};
use crate::metrics::Metrics;
use crate::store::{Incoming, Store, StoreError, free_bytes, hex};

/// So many bytes of an object later the room is checked again.
const ROOM: u64 = 16 << 20;
/// Headers that are parsed at once. Each is bounded, but an object of nothing but elements takes many times its length.
const PARSERS: usize = 2;

/// Why an object was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is too little room, on the disk or by the limit.
    #[error("{0}")]
    Full(String),
    /// It is larger than the limit.
    #[error("it has {bytes} bytes, and limits.object_mib allows {most}")]
    Large {
        /// Its length.
        bytes: u64,
        /// The most.
        most: u64,
    },
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
        matches!(self, Self::Full(_) | Self::Store(_) | Self::Db(_) | Self::Header(HeaderError::Disk(_)))
    }
}

/// What an object was announced with, where it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// Its SOP class.
    pub sop_class: Option<Uid>,
    /// Its instance.
    pub sop_instance: Option<Uid>,
    /// Its study.
    pub study: Option<String>,
}

impl Announced {
    fn compare(&self, film: &NewFilm) -> Result<(), IntakeError> {
        let [class, instance] = [&self.sop_class, &self.sop_instance].map(|uid| uid.as_ref().map(Uid::as_str));
        for (name, announced, own) in [
            ("SOP Class UID", class, &film.sop_class_uid),
            ("SOP Instance UID", instance, &film.sop_instance_uid),
            ("Study Instance UID", self.study.as_deref(), &film.study_uid),
        ] {
            if announced.is_some_and(|announced| announced != own) {
                return Err(IntakeError::Mismatch(name));
            }
        }
        Ok(())
    }
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
    parsers: Arc<Semaphore>,
    /// Hashes of files that may have no row, as the database failed: checked again with [`Intake::tidy`].
    doubtful: Arc<Mutex<Vec<String>>>,
}

impl Intake {
    /// An intake of a node.
    pub fn new(
        db: Database,
        store: Store,
        metrics: Arc<Metrics>,
        config: &crate::config::Config,
        work: Arc<Notify>,
    ) -> Self {
        let (data, node, limits) = (config.data.clone(), config.node_name(), config.limits.clone());
        let (shelf, parsers, doubtful) = (Arc::default(), Arc::new(Semaphore::new(PARSERS)), Arc::default());
        Self { db, store, metrics, data, node, limits, work, shelf, parsers, doubtful }
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
        self.has_room_for(0)
    }

    /// Whether there is room for so many bytes more.
    ///
    /// # Errors
    /// As [`Intake::has_room`].
    pub fn has_room_for(&self, bytes: u64) -> Result<(), IntakeError> {
        let free = free_bytes(&self.data).map_err(StoreError::from)? >> 20;
        self.metrics.free_disk.set(i64::try_from(free).unwrap_or(i64::MAX));
        if free.saturating_sub(bytes >> 20) >= self.limits.free_disk_mib {
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

    /// Adds bytes to an object; from time to time it is seen whether there still is room, as others arrive beside it.
    ///
    /// # Errors
    /// As [`Intake::begin`].
    pub async fn write(&self, incoming: &mut Incoming, bytes: &[u8]) -> Result<(), IntakeError> {
        let before = incoming.bytes();
        incoming.write(bytes).await?;
        if before / ROOM != incoming.bytes() / ROOM { self.has_room() } else { Ok(()) }
    }

    /// Takes an object of which every byte has come; its row has reached the disk when this returns.
    ///
    /// # Errors
    /// When it is no object, not the one that was announced, or cannot be kept.
    pub async fn finish(
        &self,
        mut incoming: Incoming,
        announced: Announced,
        source: &str,
    ) -> Result<Stored, IntakeError> {
        incoming.flush().await?;
        let path = incoming.path().map(std::path::Path::to_owned).unwrap_or_default();
        let data_sha256 = incoming.data_sha256();
        // It is never closed.
        let turn = Arc::clone(&self.parsers).acquire_owned().await.map_err(|_| HeaderError::Crashed)?;
        let parsed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            header_of(&path, data_sha256)
        });
        let mut film = parsed.await.map_err(|_| HeaderError::Crashed)??;
        announced.compare(&film)?;
        // Known already, in this file or another one: there is nothing to keep.
        if let Some(stored) = self.db.known(&film).await? {
            self.metrics.received(stored);
            return Ok(stored);
        }
        let shelf = self.shelf.read().await;
        let kept = self.store.keep(incoming).await?;
        (film.sha256, film.bytes) = (kept.sha256, kept.bytes);
        (film.home, film.source) = (self.node.clone(), source.to_owned());
        let mut jobs = vec![(JobKind::Read, self.node.as_str())];
        if self.store.has_bucket() {
            jobs.push((JobKind::Copy, self.node.as_str()));
        }
        let stored = self.db.store_film(&film, &jobs).await;
        drop(shelf);
        if !matches!(stored, Ok(Stored::New(_))) {
            self.discard(&film.sha256).await;
        }
        let stored = stored?;
        self.metrics.received(stored);
        if matches!(stored, Stored::New(_)) {
            self.work.notify_waiters();
        }
        Ok(stored)
    }

    /// Removes a file that no row names.
    async fn discard(&self, sha256: &str) {
        if let Err(error) = self.discarded(sha256).await {
            tracing::warn!("whether a file is to stay could not be found out yet: {error}");
            let mut doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
            // Beyond this the database has been away for long, and the files are found when they come again.
            if doubtful.len() < 10_000 {
                doubtful.push(sha256.to_owned());
            }
        }
    }

    async fn discarded(&self, sha256: &str) -> Result<(), IntakeError> {
        // Nobody is between a file and its row now.
        let _closed = self.shelf.write().await;
        if !self.db.is_named(sha256, &self.node).await? {
            self.store.remove_local(sha256).await?;
        }
        Ok(())
    }

    /// Looks again at files that were in doubt, and removes those whose rows were removed: a node removes what lies on its own disk, and any
    /// node what lies in the bucket.
    ///
    /// # Errors
    /// When the database, the disk or the bucket fails; what is left waits for the next time.
    pub async fn tidy(&self) -> Result<(), IntakeError> {
        let doubtful = std::mem::take(&mut *self.doubtful.lock().unwrap_or_else(PoisonError::into_inner));
        for sha256 in doubtful {
            self.discard(&sha256).await;
        }
        loop {
            let leftovers = self.db.leftovers(&self.node, self.store.has_bucket(), 100).await?;
            if leftovers.is_empty() {
                return Ok(());
            }
            for leftover in leftovers {
                let _closed = self.shelf.write().await;
                if !self.db.is_named(&leftover.sha256, &leftover.home).await? {
                    if leftover.home.is_empty() {
                        self.store.remove_copy(&leftover.sha256).await?;
                    } else {
                        self.store.remove_local(&leftover.sha256).await?;
                    }
                }
                self.db.forget_leftover(&leftover).await?;
            }
        }
    }
}

/// The attributes of a file's header, and the hash of its data set where that is not known yet.
fn header_of(path: &std::path::Path, data_sha256: Option<String>) -> Result<NewFilm, HeaderError> {
    use std::io::{Read as _, Seek as _};
    let mut file = std::fs::File::open(path).map_err(HeaderError::Disk)?;
    let (transfer_syntax, object, data_at) = parse_from(&mut file)?;
    let mut film = attributes(&object, &transfer_syntax)?;
    film.data_sha256 = match data_sha256 {
        Some(hash) => hash,
        None => {
            file.seek(std::io::SeekFrom::Start(data_at)).map_err(HeaderError::Disk)?;
            let (mut hash, mut piece) = (Sha256::new(), vec![0; 256 << 10]);
            loop {
                match file.read(&mut piece).map_err(HeaderError::Disk)? {
                    0 => break hex(&hash.finalize()),
                    read => hash.update(&piece[..read]),
                }
            }
        }
    };
    Ok(film)
}
