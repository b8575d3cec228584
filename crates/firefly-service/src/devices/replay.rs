//! Admits each signed request once: the replay record, an item of its own beside the device's.
//!
//! | attribute | type | holds |
//! |---|---|---|
//! | `uuid` | S | the key: the device's UUID and `#replay` |
//! | `version` | N | counts the writes of this item |
//! | `turnover_at` | N | epoch seconds from when some nonces have to be dropped |
//! | `nonces` | M | per nonce (Base64): 16 bytes, see [`NonceEntry`] |
//!
//! The item has no `product_hex`, so the index receives nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use firefly_core::device::DeviceId;
use firefly_core::replay::{Admission, NONCE_CAPACITY, NonceEntry, ReplayRecord, admission};
use firefly_core::signed_request::{Nonce, SignatureVerified};
use firefly_core::time::UnixSeconds;

use super::Devices;
use crate::error::ApiError;
use crate::store::{Attributes, Item, RACE_ATTEMPTS, StoreError, race_backoff, seconds};

/// What follows the UUID in the key of a replay record.
const KEY_SUFFIX: &str = "#replay";
/// Longest wait for the nonce to be recorded, races included.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(4);

/// Evidence that a request was signed by this device and is the first of its nonce.
#[derive(Debug)]
pub struct VerifiedDevice {
    id: DeviceId,
}

impl VerifiedDevice {
    /// The device.
    pub fn id(&self) -> DeviceId {
        self.id
    }
}

impl Devices {
    /// Records the request's nonce, unless it is recorded already. `believed` is the record as it was last seen; the
    /// write is conditional on it, and a refused write brings the record as it is.
    pub(super) async fn admit(
        &self,
        request: SignatureVerified,
        believed: Option<ReplayRecord>,
        now: UnixSeconds,
    ) -> Result<VerifiedDevice, ApiError> {
        let admitted = tokio::time::timeout(ADMISSION_TIMEOUT, self.admit_racing(request, believed, now)).await;
        admitted.unwrap_or_else(|_| Err(not_recorded("no answer in time")))
    }

    async fn admit_racing(
        &self,
        request: SignatureVerified,
        mut believed: Option<ReplayRecord>,
        now: UnixSeconds,
    ) -> Result<VerifiedDevice, ApiError> {
        let entry = NonceEntry { sent_at: request.sent_at(), attempt: self.random.attempt_id() };
        for attempt in 1..=RACE_ATTEMPTS {
            let written = match admission(believed.as_ref(), &request, entry.attempt, now) {
                Admission::Insert => self.insert(&request, entry, now).await,
                Admission::Rewrite(record) => self.rewrite(request.device(), believed.as_ref(), record).await,
                Admission::AlreadyAdmitted => Ok(Written::Done),
                Admission::Replayed => return Err(ApiError::Replayed),
                Admission::Full { retry_after_seconds } => return Err(ApiError::TooManyNonces { retry_after_seconds }),
            };
            match written.map_err(ApiError::NonceNotRecorded)? {
                Written::Done => return Ok(VerifiedDevice { id: request.device() }),
                Written::Refused(record) => believed = record,
            }
            tokio::time::sleep(race_backoff(attempt)).await;
        }
        Err(not_recorded("other writes came first each time"))
    }

    /// Adds one nonce to a record that has room and nothing to drop.
    async fn insert(
        &self,
        request: &SignatureVerified,
        entry: NonceEntry,
        now: UnixSeconds,
    ) -> Result<Written, StoreError> {
        self.write(
            request.device(),
            "SET #nonces.#nonce = :entry ADD #version :one",
            "#turnover_at > :now AND size(#nonces) < :capacity AND attribute_not_exists(#nonces.#nonce)",
            &[("#nonce", request.nonce().to_base64().as_str()), NONCES, TURNOVER_AT, VERSION],
            [
                (":entry", entry_value(entry)),
                (":one", AttributeValue::N("1".to_owned())),
                (":now", seconds(now)),
                (":capacity", AttributeValue::N(NONCE_CAPACITY.to_string())),
            ],
        )
        .await
    }

    /// Replaces the whole record, if it is still the one `believed`.
    async fn rewrite(
        &self,
        id: DeviceId,
        believed: Option<&ReplayRecord>,
        record: ReplayRecord,
    ) -> Result<Written, StoreError> {
        let nonces = record.entries.iter().map(|(nonce, entry)| (nonce.to_base64(), entry_value(*entry))).collect();
        let condition = match believed {
            None => "attribute_not_exists(#version)",
            Some(_) => "#version = :believed",
        };
        let believed = believed.map(|record| (":believed", AttributeValue::N(record.version.to_string())));
        self.write(
            id,
            "SET #nonces = :nonces, #turnover_at = :turnover_at, #version = :version",
            condition,
            &NAMES,
            [
                (":nonces", AttributeValue::M(nonces)),
                (":turnover_at", seconds(record.turnover_at)),
                (":version", AttributeValue::N(record.version.to_string())),
            ]
            .into_iter()
            .chain(believed),
        )
        .await
    }

    async fn write(
        &self,
        id: DeviceId,
        update: &str,
        condition: &str,
        names: &[(&str, &str)],
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Result<Written, StoreError> {
        let owned = |(name, attribute): &(&str, &str)| ((*name).to_owned(), (*attribute).to_owned());
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("uuid", AttributeValue::S(record_key(id)))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names.iter().map(owned).collect()))
            .set_expression_attribute_values(Some(
                values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match result {
            Ok(_) => return Ok(Written::Done),
            Err(error) => error,
        };
        if let SdkError::ServiceError(service) = &error
            && let aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(refused) =
                service.err()
        {
            return refused.item().map(parse_record).transpose().map(Written::Refused);
        }
        Err(StoreError::from_sdk("dynamodb:UpdateItem", &error))
    }
}

/// What became of a conditional write.
enum Written {
    Done,
    /// The condition did not hold; the record as it is.
    Refused(Option<ReplayRecord>),
}

fn not_recorded(cause: &str) -> ApiError {
    ApiError::NonceNotRecorded(StoreError::Unavailable { operation: "dynamodb:UpdateItem", cause: cause.to_owned() })
}

const NONCES: (&str, &str) = ("#nonces", "nonces");
const TURNOVER_AT: (&str, &str) = ("#turnover_at", "turnover_at");
const VERSION: (&str, &str) = ("#version", "version");
/// What [`PROJECTION`] calls the attributes.
pub(super) const NAMES: [(&str, &str); 3] = [NONCES, TURNOVER_AT, VERSION];
/// What [`parse_record`] reads.
pub(super) const PROJECTION: &str = "#nonces, #turnover_at, #version";

/// The key of a device's replay record.
pub(super) fn record_key(id: DeviceId) -> String {
    format!("{id}{KEY_SUFFIX}")
}

fn entry_value(entry: NonceEntry) -> AttributeValue {
    AttributeValue::B(Blob::new(entry.to_bytes()))
}

/// # Errors
///
/// [`StoreError::Malformed`] when the item is none.
pub(super) fn parse_record(item: &Item) -> Result<ReplayRecord, StoreError> {
    let attributes = Attributes { item, name: "a replay record" };
    let nonces =
        item.get("nonces").and_then(|value| value.as_m().ok()).ok_or_else(|| attributes.malformed("nonces"))?;
    let mut entries = BTreeMap::new();
    for (nonce, entry) in nonces {
        let nonce = Nonce::from_base64(nonce).ok();
        let entry = entry.as_b().ok().and_then(|bytes| NonceEntry::from_bytes(bytes.as_ref()));
        let (nonce, entry) = nonce.zip(entry).ok_or_else(|| attributes.malformed("nonces"))?;
        entries.insert(nonce, entry);
    }
    let version = item.get("version").and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok());
    Ok(ReplayRecord {
        version: version.ok_or_else(|| attributes.malformed("version"))?,
        turnover_at: attributes.seconds("turnover_at")?,
        entries,
    })
}
