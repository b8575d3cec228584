//! The memory that request and response bodies take, and the sizes that are allowed.

use std::sync::Arc;

use s3s::{S3Error, S3Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest object, in bytes. S3 takes up to 5 GiB in one request.
pub const MAX_OBJECT_LENGTH: u64 = 64 * 1024 * 1024;

/// The largest request body, in bytes: the largest object in the chunks of `aws-chunked`, each with its signature.
pub(crate) const MAX_REQUEST_LENGTH: u64 = MAX_OBJECT_LENGTH + 2 * 1024 * 1024;

/// The KiB of request and response bodies that are in memory at once; requests beyond that wait.
const MEMORY_KIB: usize = 512 * 1024;

/// The memory of all bodies.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY_KIB)))
    }

    /// Waits for the memory that a body of this many bytes takes.
    pub(crate) async fn reserve(&self, length: u64) -> S3Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).acquire_many_owned(kib).await.map_err(S3Error::internal_error)
    }
}
