//! Where objects' bytes lie: on the local disk under their SHA-256, and from there in a bucket where one is configured.
//!
//! No path is made of anything but a hash that was computed here. A file appears under its name only when it is whole and on the disk;
//! what was being received when a process was killed lies in `incoming` and is removed at the next start.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use bucket::Bucket;

#[cfg(feature = "s3")]
mod bucket;
#[cfg(not(feature = "s3"))]
#[path = "store/no_bucket.rs"]
mod bucket;

/// What failed with objects' bytes.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The local disk.
    #[error("the disk: {0}")]
    Disk(#[from] std::io::Error),
    /// The bucket.
    #[error("the bucket: {0}")]
    Bucket(String),
    /// A URL of another kind.
    #[error("`{0}` is no place for objects: s3://BUCKET/PREFIX or file:///FOLDER")]
    Kind(String),
    /// The program has no client of buckets.
    #[error("this program was built without buckets: build it with `--features s3` (releases have it)")]
    NoBuckets,
    /// What lies there is not what its name says.
    #[error("the object {0} has other bytes than its name says")]
    Damaged(String),
    /// It is neither here nor in the bucket.
    #[error("the object {0} is not here, and not in the bucket")]
    Missing(String),
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    films: PathBuf,
    incoming: PathBuf,
    node: String,
    bucket: Option<Bucket>,
}

impl Store {
    /// Opens the store of a node's data folder, and removes what was left half-received.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(data: &Path, node: &str, bucket: Option<&str>) -> Result<Self, StoreError> {
        let incoming = data.join("incoming");
        std::fs::create_dir_all(&incoming)?;
        for entry in std::fs::read_dir(&incoming)? {
            let path = entry?.path();
            if path.is_file() {
                std::fs::remove_file(path)?;
            }
        }
        Self::beside(data, node, bucket)
    }

    /// The same beside a node that may be running: what it is receiving stays.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn beside(data: &Path, node: &str, bucket: Option<&str>) -> Result<Self, StoreError> {
        let (films, incoming) = (data.join("films"), data.join("incoming"));
        std::fs::create_dir_all(&films)?;
        std::fs::create_dir_all(&incoming)?;
        // Every hash's first two digits have their folder, so that a film's arrival makes one directory entry.
        for first in 0..=255u8 {
            let folder = films.join(format!("{first:02x}"));
            if !folder.is_dir() {
                std::fs::create_dir(&folder)?;
            }
        }
        std::fs::File::open(&films)?.sync_all()?;
        Ok(Self { films, incoming, node: node.to_owned(), bucket: bucket.map(Bucket::open).transpose()? })
    }

    /// The node whose disk it is.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Begins a file.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn begin(&self) -> Result<Incoming, StoreError> {
        let file = tempfile_in(&self.incoming)?;
        Ok(Incoming {
            path: Some(file.1),
            file: tokio::fs::File::from_std(file.0),
            hash: Sha256::new(),
            data_hash: None,
            bytes: 0,
        })
    }

    /// Puts a file under its hash; it is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk does not take it; the file is removed then.
    pub async fn keep(&self, mut incoming: Incoming) -> Result<Kept, StoreError> {
        incoming.file.flush().await?;
        incoming.file.sync_all().await?;
        let sha256 = hex(&std::mem::take(&mut incoming.hash).finalize());
        let place = self.place(&sha256);
        let from = incoming.path.clone().unwrap_or_default();
        tokio::task::spawn_blocking({
            let place = place.clone();
            move || -> std::io::Result<()> {
                std::fs::rename(&from, &place)?;
                if let Some(folder) = place.parent() {
                    std::fs::File::open(folder)?.sync_all()?;
                }
                Ok(())
            }
        })
        .await
        .map_err(std::io::Error::other)??;
        incoming.path = None;
        Ok(Kept { sha256, bytes: incoming.bytes })
    }

    /// Keeps bytes that are all here.
    ///
    /// # Errors
    /// As [`Store::keep`].
    pub async fn put(&self, bytes: &[u8]) -> Result<Kept, StoreError> {
        let mut incoming = self.begin().await?;
        incoming.write(bytes).await?;
        self.keep(incoming).await
    }

    /// Where an object lies on the local disk, if it does.
    pub fn local(&self, sha256: &str) -> Option<PathBuf> {
        let place = self.place(sha256);
        place.is_file().then_some(place)
    }

    /// An object's bytes, from the disk or the bucket.
    ///
    /// # Errors
    /// When it is nowhere, or has other bytes than its hash says.
    pub async fn get(&self, sha256: &str) -> Result<Bytes, StoreError> {
        let bytes = match tokio::fs::read(self.place(sha256)).await {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let missing = || StoreError::Missing(sha256.to_owned());
                self.bucket.as_ref().ok_or_else(missing)?.get(sha256).await?.ok_or_else(missing)?
            }
            Err(error) => return Err(error.into()),
        };
        if coxa_files::sha256(&bytes) != sha256 {
            return Err(StoreError::Damaged(sha256.to_owned()));
        }
        Ok(bytes)
    }

    /// Whether films are copied to a bucket.
    pub fn has_bucket(&self) -> bool {
        self.bucket.is_some()
    }

    /// Copies an object from the disk to the bucket.
    ///
    /// # Errors
    /// When it is not here, or the bucket does not take it.
    pub async fn copy(&self, sha256: &str) -> Result<(), StoreError> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        bucket.put(sha256, tokio::fs::read(self.place(sha256)).await?).await
    }

    /// Removes an object from the disk; that it is not there is no error.
    ///
    /// # Errors
    /// When it is there and stays.
    pub async fn remove_local(&self, sha256: &str) -> Result<(), StoreError> {
        match tokio::fs::remove_file(self.place(sha256)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes an object from the bucket; that it is not there is no error.
    ///
    /// # Errors
    /// When the bucket cannot be reached.
    pub async fn remove_copy(&self, sha256: &str) -> Result<(), StoreError> {
        match &self.bucket {
            Some(bucket) => bucket.remove(sha256).await,
            None => Ok(()),
        }
    }

    /// Tries a bucket: whether a small object can be written, read and removed. The name is this try's own, so that two tries at once do
    /// not remove each other's.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn try_bucket(url: &str) -> Result<(), StoreError> {
        let (bucket, name) = (Bucket::open(url)?, format!("probe-{}", &crate::secret()[..16]));
        bucket.put(&name, b"coxa".to_vec()).await?;
        bucket.get(&name).await?.ok_or_else(|| StoreError::Missing(name.clone()))?;
        bucket.remove(&name).await
    }

    fn place(&self, sha256: &str) -> PathBuf {
        // Hashes come from this program's own database; anything else has no place.
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hash { self.films.join(&sha256[..2]).join(sha256) } else { self.films.join("none") }
    }
}

/// A file that is being received; removed when it is dropped before [`Store::keep`].
#[derive(Debug)]
pub struct Incoming {
    path: Option<PathBuf>,
    file: tokio::fs::File,
    hash: Sha256,
    /// That of the data set, where its beginning is known.
    data_hash: Option<Sha256>,
    bytes: u64,
}

impl Incoming {
    /// Adds bytes.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).await?;
        self.hash.update(bytes);
        if let Some(data_hash) = &mut self.data_hash {
            data_hash.update(bytes);
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Begins the data set: what was written so far is ours.
    pub fn begin_data(&mut self) {
        self.data_hash = Some(Sha256::new());
    }

    /// SHA-256 of what was written since [`Incoming::begin_data`].
    pub fn data_sha256(&self) -> Option<String> {
        self.data_hash.clone().map(|hash| hex(&hash.finalize()))
    }

    /// How much was written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it lies; readable after [`Incoming::flush`].
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Makes what was written readable.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn flush(&mut self) -> Result<(), StoreError> {
        Ok(self.file.flush().await?)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // What stays is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A file that is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its SHA-256.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// How much is free on the disk of a folder, in bytes.
///
/// # Errors
/// When the folder is not there.
pub fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn tempfile_in(folder: &Path) -> Result<(std::fs::File, PathBuf), StoreError> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    Ok((file, path))
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
