//! In place of the bucket, in a program that was built without the feature `s3`.

use std::convert::Infallible;

use bytes::Bytes;

use super::StoreError;

/// There is none.
#[derive(Debug, Clone)]
pub(super) struct Bucket(Infallible);

impl Bucket {
    pub(super) fn open(_: &str) -> Result<Self, StoreError> {
        Err(StoreError::NoBuckets)
    }

    pub(super) async fn put(&self, _: &str, _: Vec<u8>) -> Result<(), StoreError> {
        match self.0 {}
    }

    pub(super) async fn get(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        match self.0 {}
    }

    pub(super) async fn remove(&self, _: &str) -> Result<(), StoreError> {
        match self.0 {}
    }
}
