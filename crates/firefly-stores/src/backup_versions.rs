//! The versions of stored backups, for operators.

use std::fmt;
use std::future::ready;
use std::str::FromStr;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ObjectVersion};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_core::device::DeviceId;
use firefly_core::etag::ETag;
use firefly_core::group::SuperUser;
use firefly_core::time::UnixSeconds;
use firefly_runtime::{Aws, ConfigError, Environment};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::backups::{is_of, registration_metadata, valid_etag};
use crate::devices::{ListError, RegisteredDevice};
use crate::error::StoreError;
use crate::s3;

/// Most versions in one answer.
const LISTED: usize = 20;
/// Most versions and delete markers of one page. Source: S3 API Reference, ListObjectVersions.
const PAGE: usize = 1_000;
/// The number of versions that are asked about, or deleted, at once.
const AT_ONCE: usize = 16;

/// The stored backups with their versions.
pub struct BackupVersions {
    client: Client,
    bucket: String,
}

/// The id that S3 has given a version: opaque, of 1 to 1,024 bytes that can stand in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionId(String);

impl FromStr for VersionId {
    type Err = VersionIdError;

    fn from_str(text: &str) -> Result<Self, VersionIdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let valid = (1..=1_024).contains(&text.len()) && text.bytes().all(allowed);
        valid.then(|| Self(text.to_owned())).ok_or(VersionIdError)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not the id of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 1,024 letters, digits, hyphens, dots, underscores and tildes")]
pub struct VersionIdError;

/// Some versions of a device's backup.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct VersionPage {
    /// The versions, newest first.
    backups: Vec<ListedVersion>,
    /// The position at which the next answer continues; absent when the list has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A version of a device's backup.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct ListedVersion {
    /// The id, with which it can be restored.
    version: String,
    /// The time at which it was stored: `YYYY-MM-DDThh:mm:ssZ`.
    date: String,
    /// Bytes of the envelope.
    size: u64,
    /// The ETag that came with it: 64 hexadecimal digits.
    etag: Option<String>,
}

/// A version that has become the current one.
#[derive(Debug)]
pub struct RestoredVersion {
    /// Bytes of the envelope.
    pub bytes: usize,
    /// The ETag kept with it, if a valid one is.
    pub etag: Option<ETag>,
    version: Option<String>,
}

impl RestoredVersion {
    /// The id of the new version; empty where the bucket keeps no versions.
    pub fn version(&self) -> &str {
        self.version.as_deref().unwrap_or_default()
    }
}

/// A page of the versions of one key.
#[derive(Default)]
struct Page {
    versions: Vec<ObjectVersion>,
    delete_markers: Vec<String>,
    /// The version behind which the next page begins.
    next: Option<String>,
}

impl BackupVersions {
    /// The bucket that `S3_BACKUP_BUCKET_NAME` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let bucket = environment.required("S3_BACKUP_BUCKET_NAME")?;
        Ok(Self { client: s3::client_of_bucket(aws, &bucket)?, bucket })
    }

    /// Lists the versions that were stored since the device was registered, from behind the one that is given.
    ///
    /// # Errors
    ///
    /// [`ListError::ForeignCursor`] when S3 does not know that version, [`ListError::Store`] when S3 fails.
    pub async fn list(
        &self,
        _evidence: &SuperUser,
        device: &RegisteredDevice,
        after: Option<VersionId>,
    ) -> Result<VersionPage, ListError> {
        // One more than is listed tells whether the list goes on.
        let page_length = LISTED + 1;
        let found = self.find(device, after, page_length, |found| found.len() >= page_length).await?;
        let mut versions = found.ok_or(ListError::ForeignCursor)?;
        let more = versions.len() > LISTED;
        versions.truncate(LISTED);
        let next = versions.last().filter(|_| more).and_then(|last| last.version_id.clone());
        let described = stream::iter(versions).map(|version| self.describe(device, version));
        let described = described.buffered(AT_ONCE).try_filter_map(|described| ready(Ok(described)));
        let backups = described.try_collect().await?;
        Ok(VersionPage { backups, next })
    }

    /// Stores a version again, as the current one: its bytes, metadata and content type, and their SHA-256 checksum, which
    /// S3 verifies. Returns `None` when it is not a version of this device's backup since its registration.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when S3 fails: the current backup is then the one of before or the restored one, whole.
    pub async fn restore(
        &self,
        _evidence: &SuperUser,
        device: &RegisteredDevice,
        version: &VersionId,
    ) -> Result<Option<RestoredVersion>, StoreError> {
        let is_it = |found: &ObjectVersion| found.version_id() == Some(version.0.as_str());
        let found = self.find(device, None, PAGE, |found| found.iter().any(is_it)).await?;
        if !found.is_some_and(|found| found.iter().any(is_it)) {
            return Ok(None);
        }
        self.copy(device, version).await
    }

    /// Removes the version that [`Self::restore`] has made for a device that has been deleted meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when S3 fails.
    pub async fn take_back(
        &self,
        _evidence: &SuperUser,
        device: &RegisteredDevice,
        restored: RestoredVersion,
    ) -> Result<(), StoreError> {
        self.delete(device.id, restored.version).await
    }

    /// Deletes every version and delete marker of a device's backup, page by page. Where it is stopped, a repetition goes
    /// on.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when S3 fails.
    pub async fn delete_all(&self, _evidence: &SuperUser, id: DeviceId) -> Result<(), StoreError> {
        loop {
            let Page { versions, delete_markers, .. } = self.page(id, None, PAGE).await?.unwrap_or_default();
            let versions = versions.into_iter().filter_map(|version| version.version_id);
            let versions: Vec<_> = versions.chain(delete_markers).collect();
            if versions.is_empty() {
                return Ok(());
            }
            let deleted = stream::iter(versions.into_iter().map(Ok));
            deleted.try_for_each_concurrent(AT_ONCE, |version| self.delete(id, Some(version))).await?;
        }
    }

    /// The versions since the device's registration, newest first, read until there are `enough`. Returns `None` when S3
    /// does not know the version `after`.
    async fn find(
        &self,
        device: &RegisteredDevice,
        after: Option<VersionId>,
        page_length: usize,
        enough: impl Fn(&[ObjectVersion]) -> bool,
    ) -> Result<Option<Vec<ObjectVersion>>, StoreError> {
        let since = device.since()?;
        let (mut found, mut after) = (Vec::new(), after.map(|version| version.0));
        loop {
            let Some(page) = self.page(device.id, after, page_length).await? else { return Ok(None) };
            let listed = page.versions.len();
            let young: Vec<_> = page.versions.into_iter().take_while(|version| stored_at(version) >= since).collect();
            after = page.next.filter(|_| young.len() == listed);
            found.extend(young);
            if after.is_none() || enough(&found) {
                return Ok(Some(found));
            }
        }
    }

    /// Reads up to so many versions and delete markers, newest first, from behind the version `after`. Returns `None` when
    /// S3 does not know that version.
    async fn page(&self, id: DeviceId, after: Option<String>, length: usize) -> Result<Option<Page>, StoreError> {
        let key = id.to_string();
        let continued = after.is_some();
        let output = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(&key)
            .set_key_marker(continued.then(|| key.clone()))
            .set_version_id_marker(after)
            .max_keys(i32::try_from(length).unwrap_or(i32::MAX))
            .send()
            .await;
        let output = match output {
            Ok(output) => output,
            Err(SdkError::ServiceError(error)) if continued && error.err().code() == Some("InvalidArgument") => {
                return Ok(None);
            }
            Err(error) => return Err(StoreError::from_sdk("s3:ListObjectVersions", &error)),
        };
        // A key that begins with a device's UUID is not a device's.
        let own = |found: Option<&str>| found == Some(key.as_str());
        let next = output.next_version_id_marker.filter(|_| own(output.next_key_marker.as_deref()));
        let versions = output.versions.into_iter().flatten().filter(|version| own(version.key()));
        let markers = output.delete_markers.into_iter().flatten().filter(|marker| own(marker.key()));
        Ok(Some(Page {
            versions: versions.collect(),
            delete_markers: markers.filter_map(|marker| marker.version_id).collect(),
            next: next.filter(|_| output.is_truncated == Some(true)),
        }))
    }

    /// Adds the ETag that a version came with; a version that is gone meanwhile does not have one. Returns `None` for a
    /// version that names another registration.
    async fn describe(
        &self,
        device: &RegisteredDevice,
        version: ObjectVersion,
    ) -> Result<Option<ListedVersion>, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(device.id.to_string());
        let head = match head.set_version_id(version.version_id.clone()).send().await {
            Ok(head) => Some(head),
            Err(SdkError::ServiceError(error)) if error.err().is_not_found() => None,
            Err(error) => return Err(StoreError::from_sdk("s3:HeadObject", &error)),
        };
        let metadata = head.and_then(|head| head.metadata);
        let listed = is_of(device, metadata.as_ref(), version.last_modified);
        Ok(listed.then(|| ListedVersion {
            date: stored_at(&version).to_string(),
            size: version.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            version: version.version_id.unwrap_or_default(),
            etag: valid_etag(metadata.as_ref()).map(|etag| etag.to_hex()),
        }))
    }

    /// Stores the bytes of a version as the current one; `None` when the version is gone meanwhile, or names another
    /// registration.
    async fn copy(
        &self,
        device: &RegisteredDevice,
        version: &VersionId,
    ) -> Result<Option<RestoredVersion>, StoreError> {
        const READ: &str = "s3:GetObject";
        let key = device.id.to_string();
        let get = self.client.get_object().bucket(&self.bucket).key(&key).version_id(&version.0);
        // The SDK compares the bytes with the checksum that they are stored with.
        let object = match get.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(error)) if error.err().code() == Some("NoSuchVersion") => return Ok(None),
            Err(error) => return Err(StoreError::from_sdk(READ, &error)),
        };
        if !is_of(device, object.metadata.as_ref(), object.last_modified) {
            return Ok(None);
        }
        let (mut metadata, content_type) = (object.metadata.unwrap_or_default(), object.content_type);
        metadata.extend(registration_metadata(device));
        let cut =
            |_| StoreError::Unavailable { operation: READ, cause: "the object could not be read to its end".into() };
        let bytes = object.body.collect().await.map_err(cut)?.into_bytes();
        let (length, etag) = (bytes.len(), valid_etag(Some(&metadata)));
        let put = self.client.put_object().bucket(&self.bucket).key(&key).set_content_type(content_type);
        let put = put.checksum_sha256(STANDARD.encode(Sha256::digest(&bytes))).set_metadata(Some(metadata));
        let written = put.body(ByteStream::from(bytes)).send().await;
        let written = written.map_err(|error| StoreError::from_sdk("s3:PutObject", &error))?;
        Ok(Some(RestoredVersion { bytes: length, etag, version: written.version_id }))
    }

    /// Deletes one version for good; an absent one is not an error.
    async fn delete(&self, id: DeviceId, version: Option<String>) -> Result<(), StoreError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(id.to_string());
        let deleted = delete.set_version_id(version).send().await;
        deleted.map_err(|error| StoreError::from_sdk("s3:DeleteObject", &error))?;
        Ok(())
    }
}

/// The second at which a version was stored.
fn stored_at(version: &ObjectVersion) -> UnixSeconds {
    let seconds = version.last_modified.and_then(|time| u64::try_from(time.secs()).ok());
    UnixSeconds::new(seconds.unwrap_or_default())
}
