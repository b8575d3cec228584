//! Amazon S3 on the loopback interface: its protocol, signatures and refusals in front of an
//! [`ObjectStore`](object_store::ObjectStore).
//!
//! It has GetObject, HeadObject, PutObject, CopyObject, DeleteObject, DeleteObjects, both versions of ListObjects,
//! ListObjectVersions, multipart uploads, CreateBucket, HeadBucket, GetBucketLocation and ListBuckets, in path style,
//! signed with AWS Signature Version 4. Every other operation is answered `NotImplemented`. The page `docs/emulators/s3.md` tells what differs from S3.

mod checksum;
mod conditions;
mod copies;
mod deletes;
mod listing;
mod memory;
mod multipart;
pub mod object_store;
mod operations;
mod reads;
mod received;
mod refusal;
mod server;
mod signing;
mod version_listing;

pub use memory::MAX_OBJECT_LENGTH;
pub use server::serve;
