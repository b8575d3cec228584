//! Versions of objects.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The key, any string of up to 1024 bytes.
    pub key: String,
    /// The version id, opaque to clients; the name of the version's file.
    #[serde(skip)]
    pub id: String,
    /// The time at which it was written.
    pub last_modified: SystemTime,
    /// The stored object; `None` is a delete marker.
    pub content: Option<Content>,
}

/// The size, digests and headers of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Length in bytes.
    pub size: u64,
    /// S3's own ETag, the MD5 of the bytes in 32 hex digits, without quotes.
    pub etag: String,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Lengths in bytes of the parts that it was made of; empty for an object that was stored in one request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<u64>,
    /// The content type it was stored with.
    pub content_type: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
}

/// An object to store.
#[derive(Debug, Clone, Default)]
pub struct NewObject {
    /// The bytes.
    pub body: Bytes,
    /// The content type to give it.
    pub content_type: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
}

/// The condition of a put, judged against the current object in the same step that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No condition.
    None,
    /// `If-None-Match: *`: the key has no current object.
    Absent,
    /// `If-Match`: the key has a current object of this ETag (32 hex digits, without quotes).
    Matches(String),
}
