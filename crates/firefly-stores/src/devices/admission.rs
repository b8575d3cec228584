//! Admits each signed request once.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use firefly_core::device::DeviceId;
use firefly_core::replay::{Admission, AttemptId, NonceEntry, ReplayRecord, Work, admission};
use firefly_core::signed_request::{AuthError, SignatureVerified, SignedRequest};
use firefly_core::time::UnixSeconds;

use super::batch::unprocessed;
use super::replay;
use super::row::{PROJECTION, RegisteredDevice, Registration, Row};
use super::table::Devices;
use crate::error::StoreError;
use crate::item::{Attributes, Item, Written};
use crate::race::{RACE_ATTEMPTS, race_backoff};

/// Longest wait for a device and its replay record, however often DynamoDB has to be asked.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the nonce to be recorded, races included.
pub(super) const ADMISSION_TIMEOUT: Duration = Duration::from_secs(4);

/// Evidence that a request was signed by this device and is the first of its nonce.
#[derive(Debug)]
pub struct VerifiedDevice {
    device: RegisteredDevice,
}

impl VerifiedDevice {
    /// The device.
    pub fn id(&self) -> DeviceId {
        self.device.id
    }

    /// The device as it was registered when its signature was verified.
    pub(crate) fn registered(&self) -> &RegisteredDevice {
        &self.device
    }
}

/// The reason for which a registered device's signed request is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// The timestamp or the signature is refused.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The nonce has been used before.
    #[error("the request was seen before")]
    Replayed,
    /// The device's replay record has no room for another nonce.
    #[error("the device has too many live nonces")]
    TooManyNonces {
        /// Seconds until the oldest nonce is forgotten.
        retry_after_seconds: u64,
    },
    /// The device has uploaded as often as it may on this day.
    #[error("the device has uploaded too often on this day")]
    TooManyUploads {
        /// Seconds until the UTC day is over.
        retry_after_seconds: u64,
    },
    /// The replay record could not be written, so nothing was done.
    #[error("the nonce could not be recorded: {0}")]
    NonceNotRecorded(StoreError),
    /// The device could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Devices {
    /// Admits a signed request and returns the evidence that its device made it, now and once; `None` when the device is
    /// not registered.
    ///
    /// # Errors
    ///
    /// [`AdmitError`], in this order: stale timestamp, bad signature, seen before.
    pub async fn authenticate(
        &self,
        request: SignedRequest,
        now: UnixSeconds,
    ) -> Result<Option<VerifiedDevice>, AdmitError> {
        Ok(self.registration(request, now).await?.map(|(device, _)| device))
    }

    /// Like [`Self::authenticate`], but counts the request as one of the uploads that the device has on a UTC day.
    ///
    /// # Errors
    ///
    /// As [`Self::authenticate`], and [`AdmitError::TooManyUploads`].
    pub async fn authenticate_upload(
        &self,
        request: SignedRequest,
        now: UnixSeconds,
    ) -> Result<Option<VerifiedDevice>, AdmitError> {
        Ok(self.admitted(request, Work::Upload, now).await?.map(|(device, _)| device))
    }

    /// Like [`Self::authenticate`], but with the device's registration.
    ///
    /// # Errors
    ///
    /// As [`Self::authenticate`].
    pub async fn registration(
        &self,
        request: SignedRequest,
        now: UnixSeconds,
    ) -> Result<Option<(VerifiedDevice, Registration)>, AdmitError> {
        self.admitted(request, Work::Other, now).await
    }

    async fn admitted(
        &self,
        request: SignedRequest,
        work: Work,
        now: UnixSeconds,
    ) -> Result<Option<(VerifiedDevice, Registration)>, AdmitError> {
        let (device, record) = self.get_with_record(request.device()).await?;
        let Some(device) = device else { return Ok(None) };
        let verified = request.verify(&device.public_key, now)?;
        self.admit(&verified, work, record, now).await?;
        Ok(Some((VerifiedDevice { device: device.device(verified.device()) }, device.registration)))
    }

    /// Reads a device and its replay record with one strongly consistent read.
    async fn get_with_record(&self, id: DeviceId) -> Result<(Option<Row>, Option<ReplayRecord>), StoreError> {
        let mut items = tokio::time::timeout(READ_TIMEOUT, self.items_by_key([id.to_string(), replay::record_key(id)]))
            .await
            .unwrap_or_else(|_| Err(unprocessed("no answer in time")))?;
        let device = items.remove(&id.to_string()).as_ref().map(Row::from_item).transpose()?;
        // The record read here is only a hint; the conditional write decides. An unreadable record counts as absent here;
        // that write then reports it.
        let record = items.get(&replay::record_key(id)).and_then(|item| replay::parse_record(item).ok());
        Ok((device, record))
    }

    /// Reads the items of these keys, by key; absent ones are left out.
    async fn items_by_key(&self, keys: [String; 2]) -> Result<HashMap<String, Item>, StoreError> {
        let mut request = KeysAndAttributes::builder()
            .projection_expression(format!("{PROJECTION}, {}", replay::PROJECTION))
            .expression_attribute_names("#uuid", "uuid")
            .consistent_read(true);
        for (name, attribute) in replay::NAMES {
            request = request.expression_attribute_names(name, attribute);
        }
        for key in keys {
            request = request.keys([("uuid".to_owned(), AttributeValue::S(key))].into());
        }
        let request = request.build().map_err(|error| StoreError::from_build(&error))?;
        let mut items = HashMap::new();
        for item in self.batch_get(request).await? {
            let attributes = Attributes { item: &item, name: "a device or its replay record" };
            items.insert(attributes.text("uuid")?.to_owned(), item);
        }
        Ok(items)
    }

    /// Records the request's nonce, unless it is recorded already. `hint` is the record as it was last seen; the write is
    /// conditional on it, and a refused write returns the record as it is.
    async fn admit(
        &self,
        request: &SignatureVerified,
        work: Work,
        hint: Option<ReplayRecord>,
        now: UnixSeconds,
    ) -> Result<(), AdmitError> {
        let admitted = tokio::time::timeout(ADMISSION_TIMEOUT, self.admit_racing(request, work, hint, now)).await;
        admitted.unwrap_or_else(|_| Err(not_recorded("no answer in time")))
    }

    async fn admit_racing(
        &self,
        request: &SignatureVerified,
        work: Work,
        mut hint: Option<ReplayRecord>,
        now: UnixSeconds,
    ) -> Result<(), AdmitError> {
        let entry = NonceEntry { sent_at: request.sent_at(), attempt: self.attempt_id() };
        for attempt in 1..=RACE_ATTEMPTS {
            let written = match admission(hint.as_ref(), request, work, entry.attempt, now) {
                Admission::Insert { upload_on } => self.insert(request, entry, upload_on, now).await,
                Admission::Rewrite(record) => self.rewrite(request.device(), hint.as_ref(), record).await,
                Admission::AlreadyAdmitted => Ok(Written::Done),
                Admission::Replayed => return Err(AdmitError::Replayed),
                Admission::Full { retry_after_seconds } => {
                    return Err(AdmitError::TooManyNonces { retry_after_seconds });
                }
                Admission::TooManyUploads { retry_after_seconds } => {
                    return Err(AdmitError::TooManyUploads { retry_after_seconds });
                }
            };
            match written.map_err(AdmitError::NonceNotRecorded)? {
                Written::Done => return Ok(()),
                Written::Refused(record) => hint = record,
            }
            tokio::time::sleep(race_backoff(attempt)).await;
        }
        Err(not_recorded("other writes came first each time"))
    }

    /// Draws the mark of one attempt.
    fn attempt_id(&self) -> AttemptId {
        let mut bytes = [0; 8];
        self.random.draw(|generator| generator.fill_bytes(&mut bytes));
        AttemptId::new(bytes)
    }
}

fn not_recorded(cause: &str) -> AdmitError {
    AdmitError::NonceNotRecorded(StoreError::Unavailable { operation: "dynamodb:UpdateItem", cause: cause.to_owned() })
}
