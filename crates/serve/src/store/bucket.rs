//! A bucket of S3, or a folder in its place, where every node's objects are copied to.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutPayload};

use super::StoreError;

/// A bucket and the prefix of its objects' names there.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Bucket(error.to_string())
    }
}

impl Bucket {
    /// The bucket of a URL, `s3://BUCKET/PREFIX` or `file:///FOLDER`.
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        let kind = || StoreError::Kind(url.split(':').next().unwrap_or_default().to_owned());
        if let Some(folder) = url.strip_prefix("file://") {
            std::fs::create_dir_all(folder)?;
            let store = object_store::local::LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
            return Ok(Self { store: Arc::new(store), prefix: Key::default() });
        }
        let rest = url.strip_prefix("s3://").ok_or_else(kind)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        coxa_dimse::tls::install_provider();
        // Keys, region and endpoint come from the environment, as every S3 program has them: AWS_ACCESS_KEY_ID and so on.
        let store = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket).build()?;
        Ok(Self { store: Arc::new(store), prefix: Key::from(prefix) })
    }

    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.store.put(&self.key(name), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// An object's bytes; `None` where there is none of that name.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        match self.store.get(&self.key(name)).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an object; that it is not there is no error.
    pub(super) async fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.store.delete(&self.key(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn key(&self, name: &str) -> Key {
        self.prefix.clone().join(&name[..2.min(name.len())]).join(name)
    }
}
