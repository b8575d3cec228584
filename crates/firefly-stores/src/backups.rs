//! The bucket of device backups: one object per device, its key the device's UUID, its user metadata `etag` the ETag
//! the device sent, and `registration-date` the `registration_date` of the device's row when it was stored.

use std::collections::HashMap;
use std::time::Duration;

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use firefly_core::envelope::{Envelope, EnvelopeError};
use firefly_core::etag::ETag;
use firefly_runtime::{Aws, ConfigError, Environment};
use sha2::{Digest, Sha256};

use crate::devices::{RegisteredDevice, VerifiedDevice};
use crate::error::StoreError;
use crate::s3;

/// The user metadata (`x-amz-meta-…`) that holds an ETag.
const ETAG_METADATA: &str = "etag";
/// The user metadata that holds the date of a backup's registration.
const REGISTRATION_METADATA: &str = "registration-date";
/// Longest wait for the ETag of the stored backup.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(3);

/// The stored backups.
pub struct Backups {
    client: Client,
    bucket: String,
}

/// The bytes of a well-formed envelope.
#[derive(Clone, Debug)]
pub struct EnvelopeBytes(Bytes);

impl EnvelopeBytes {
    /// Checks that `bytes` are an envelope; they are not copied.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] when they are not.
    pub fn parse(bytes: Bytes) -> Result<Self, EnvelopeError> {
        Envelope::parse(&bytes)?;
        Ok(Self(bytes))
    }

    /// The length of the envelope in bytes.
    #[expect(clippy::len_without_is_empty, reason = "an envelope is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// A backup as it is stored. It is not parsed: buckets hold looser ones than [`EnvelopeBytes`] allows.
#[derive(Debug)]
pub struct StoredBackup {
    /// The object's bytes.
    pub bytes: Vec<u8>,
    /// The ETag kept with it, if a valid one is.
    pub etag: Option<ETag>,
}

/// A version of a backup that was just written.
#[derive(Debug)]
pub struct WrittenBackup {
    /// `None` where the bucket keeps no versions.
    version: Option<String>,
}

impl Backups {
    /// The bucket that `S3_BACKUP_BUCKET_NAME` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let bucket = environment.required("S3_BACKUP_BUCKET_NAME")?;
        Ok(Self { client: s3::client_of_bucket(aws, &bucket)?, bucket })
    }

    /// Stores a backup in place of the earlier one. S3 checks the SHA-256 checksum of the bytes that it receives.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when S3 has not acknowledged it: the earlier or the new backup is there, whole.
    pub async fn put(
        &self,
        device: &VerifiedDevice,
        envelope: EnvelopeBytes,
        etag: Option<ETag>,
    ) -> Result<WrittenBackup, StoreError> {
        let hash = Sha256::digest(&envelope.0);
        let metadata = etag.map(|etag| (ETAG_METADATA.to_owned(), etag.to_hex())).into_iter();
        let output = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(device.id().to_string())
            .content_type("application/octet-stream")
            .checksum_sha256(STANDARD.encode(hash))
            .set_metadata(Some(metadata.chain(registration_metadata(device.registered())).collect()))
            .body(ByteStream::from(envelope.0))
            .customize()
            .interceptor(PayloadHash(format!("{:x}", Bytes::copy_from_slice(&hash))))
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("s3:PutObject", &error))?;
        Ok(WrittenBackup { version: output.version_id })
    }

    /// Removes the version that was just written for a device that has been deleted meanwhile. Another version, of an attempt
    /// whose answer was lost, stays; it names its registration, and is not a backup of a later one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when S3 fails.
    pub async fn take_back(&self, device: &VerifiedDevice, written: WrittenBackup) -> Result<(), StoreError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(device.id().to_string());
        let delete = delete.set_version_id(written.version).send().await;
        delete.map_err(|error| StoreError::from_sdk("s3:DeleteObject", &error))?;
        Ok(())
    }

    /// The ETag of the stored backup. Returns `None` when there is none of this registration, and when S3 fails: the upload
    /// then goes ahead.
    pub async fn etag(&self, device: &VerifiedDevice) -> Option<ETag> {
        let head = self.client.head_object().bucket(&self.bucket).key(device.id().to_string()).send();
        match tokio::time::timeout(HEAD_TIMEOUT, head).await {
            Ok(Ok(head)) => {
                let of_device = is_of(device.registered(), head.metadata.as_ref(), head.last_modified);
                valid_etag(head.metadata.as_ref()).filter(|_| of_device)
            }
            Ok(Err(error)) => {
                tracing::info!(cause = %StoreError::from_sdk("s3:HeadObject", &error), "no stored ETag to compare");
                None
            }
            Err(_) => {
                tracing::info!(cause = "s3:HeadObject: no answer in time", "no stored ETag to compare");
                None
            }
        }
    }

    /// Reads the stored backup, if there is one of this registration.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when S3 fails or denies access; an absent backup is not an error.
    pub async fn get(&self, device: &VerifiedDevice) -> Result<Option<StoredBackup>, StoreError> {
        const OPERATION: &str = "s3:GetObject";
        let object = self.client.get_object().bucket(&self.bucket).key(device.id().to_string()).send().await;
        let object = match object {
            Ok(object) => object,
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => return Ok(None),
            Err(error) => return Err(StoreError::from_sdk(OPERATION, &error)),
        };
        if !is_of(device.registered(), object.metadata.as_ref(), object.last_modified) {
            return Ok(None);
        }
        let etag = valid_etag(object.metadata.as_ref());
        let bytes = object.body.collect().await.map_err(|_| StoreError::Unavailable {
            operation: OPERATION,
            cause: "the object could not be read to its end".to_owned(),
        })?;
        Ok(Some(StoredBackup { bytes: bytes.into_bytes().into(), etag }))
    }

    /// Deletes the stored backup; an absent one is not an error.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when S3 fails.
    pub async fn delete(&self, device: &VerifiedDevice) -> Result<(), StoreError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(device.id().to_string())
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("s3:DeleteObject", &error))?;
        Ok(())
    }
}

/// Hands the SDK's signer the body's SHA-256 in lower-case hex, so that it is not computed twice.
#[derive(Debug)]
struct PayloadHash(String);

#[dyn_dispatch_hint]
impl Intercept for PayloadHash {
    fn name(&self) -> &'static str {
        "PayloadHash"
    }

    fn modify_before_signing(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(PayloadSigningOverride::Precomputed(self.0.clone()));
        Ok(())
    }
}

pub(crate) fn valid_etag(metadata: Option<&HashMap<String, String>>) -> Option<ETag> {
    metadata?.get(ETAG_METADATA)?.parse().ok()
}

/// The user metadata by which [`is_of`] knows a backup of this device.
pub(crate) fn registration_metadata(device: &RegisteredDevice) -> Option<(String, String)> {
    device.dated().map(|(date, _)| (REGISTRATION_METADATA.to_owned(), date.to_owned()))
}

/// Returns `true` if an object is a backup of the device as it is registered now, and not of an earlier registration.
///
/// Its metadata tells, whenever S3 did the write. Of an object that the earlier functions stored its time tells. A row
/// without a date has not been preceded by another.
pub(crate) fn is_of(
    device: &RegisteredDevice,
    metadata: Option<&HashMap<String, String>>,
    stored_at: Option<DateTime>,
) -> bool {
    let Some((date, since)) = device.dated() else { return true };
    match metadata.and_then(|metadata| metadata.get(REGISTRATION_METADATA)) {
        Some(named) => named == date,
        None => stored_at.is_none_or(|time| u64::try_from(time.secs()).is_ok_and(|second| second >= since.get())),
    }
}
