//! The replay record of a device, an item of its own beside the device's.
//!
//! | attribute | type | holds |
//! |---|---|---|
//! | `uuid` | S | the key: the device's UUID and `#replay` |
//! | `version` | N | counts the writes of this item |
//! | `turnover_at` | N | epoch seconds from when some nonces have to be dropped |
//! | `nonces` | M | per nonce (Base64): 16 bytes, see [`NonceEntry`] |
//! | `uploads_day` | N | the UTC day of the last upload, counted from 1970-01-01; absent before the first |
//! | `uploads` | N | the uploads that were admitted on that day; absent before the first |
//!
//! The item has no `product_hex`, so the index receives nothing.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::device::DeviceId;
use firefly_core::replay::{NONCE_CAPACITY, NonceEntry, ReplayRecord, UPLOADS_PER_DAY, Uploads};
use firefly_core::signed_request::{Nonce, SignatureVerified};
use firefly_core::time::UnixSeconds;

use super::table::Devices;
use crate::error::StoreError;
use crate::item::{self, Attributes, Item, Written, seconds};

/// Follows the UUID in the key of a replay record.
const KEY_SUFFIX: &str = "#replay";

impl Devices {
    /// Adds one nonce to a record that has room and nothing to drop, and counts an upload on its day.
    pub(super) async fn insert(
        &self,
        request: &SignatureVerified,
        entry: NonceEntry,
        upload_on: Option<u64>,
        now: UnixSeconds,
    ) -> Result<Written<ReplayRecord>, StoreError> {
        let mut update = "SET #nonces.#nonce = :entry ADD #version :one".to_owned();
        let mut condition =
            "#turnover_at > :now AND size(#nonces) < :capacity AND attribute_not_exists(#nonces.#nonce)".to_owned();
        let nonce = request.nonce().to_base64();
        let mut names = vec![("#nonce", nonce.as_str()), NONCES, TURNOVER_AT, VERSION];
        let mut values = vec![
            (":entry", entry_value(entry)),
            (":one", number(1)),
            (":now", seconds(now)),
            (":capacity", AttributeValue::N(NONCE_CAPACITY.to_string())),
        ];
        if let Some(day) = upload_on {
            update.push_str(", #uploads :one");
            condition.push_str(" AND #uploads_day = :day AND #uploads < :quota");
            names.extend([UPLOADS_DAY, UPLOADS]);
            values.extend([(":day", number(day)), (":quota", number(UPLOADS_PER_DAY))]);
        }
        self.write(request.device(), &update, &condition, &names, values).await
    }

    /// Replaces the whole record, if it is still the one of the `hint`.
    pub(super) async fn rewrite(
        &self,
        id: DeviceId,
        hint: Option<&ReplayRecord>,
        record: ReplayRecord,
    ) -> Result<Written<ReplayRecord>, StoreError> {
        let nonces = record.entries.iter().map(|(nonce, entry)| (nonce.to_base64(), entry_value(*entry))).collect();
        let mut update = "SET #nonces = :nonces, #turnover_at = :turnover_at, #version = :version".to_owned();
        let mut names = vec![NONCES, TURNOVER_AT, VERSION];
        let mut values = vec![
            (":nonces", AttributeValue::M(nonces)),
            (":turnover_at", seconds(record.turnover_at)),
            (":version", number(record.version)),
        ];
        if record.uploads != Uploads::default() {
            update.push_str(", #uploads_day = :day, #uploads = :uploads");
            names.extend([UPLOADS_DAY, UPLOADS]);
            values.extend([(":day", number(record.uploads.day)), (":uploads", number(record.uploads.count))]);
        }
        let condition = match hint {
            None => "attribute_not_exists(#version)",
            Some(_) => "#version = :hint",
        };
        values.extend(hint.map(|record| (":hint", number(record.version))));
        self.write(id, &update, condition, &names, values).await
    }

    async fn write(
        &self,
        id: DeviceId,
        changes: &str,
        condition: &str,
        names: &[(&str, &str)],
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Result<Written<ReplayRecord>, StoreError> {
        let owned = |(name, attribute): &(&str, &str)| ((*name).to_owned(), (*attribute).to_owned());
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("uuid", AttributeValue::S(record_key(id)))
            .update_expression(changes)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names.iter().map(owned).collect()))
            .set_expression_attribute_values(Some(
                values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ));
        item::update(update, parse_record).await
    }
}

const NONCES: (&str, &str) = ("#nonces", "nonces");
const TURNOVER_AT: (&str, &str) = ("#turnover_at", "turnover_at");
const VERSION: (&str, &str) = ("#version", "version");
const UPLOADS_DAY: (&str, &str) = ("#uploads_day", "uploads_day");
const UPLOADS: (&str, &str) = ("#uploads", "uploads");
/// The names that [`PROJECTION`] gives to the attributes.
pub(super) const NAMES: [(&str, &str); 5] = [NONCES, TURNOVER_AT, VERSION, UPLOADS_DAY, UPLOADS];
/// The attributes that [`parse_record`] reads.
pub(super) const PROJECTION: &str = "#nonces, #turnover_at, #version, #uploads_day, #uploads";

/// The key of a device's replay record.
pub(super) fn record_key(id: DeviceId) -> String {
    format!("{id}{KEY_SUFFIX}")
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn entry_value(entry: NonceEntry) -> AttributeValue {
    AttributeValue::B(Blob::new(entry.to_bytes()))
}

/// Reads a replay record.
///
/// # Errors
///
/// [`StoreError::Malformed`] when the item is not a replay record.
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
    let number = |attribute| {
        let number = item.get(attribute).and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok());
        number.ok_or_else(|| attributes.malformed(attribute))
    };
    // Records of before uploads were counted have neither of the two.
    let uploads = match (item.get("uploads_day"), item.get("uploads")) {
        (None, None) => Uploads::default(),
        _ => Uploads { day: number("uploads_day")?, count: number("uploads")? },
    };
    Ok(ReplayRecord { version: number("version")?, turnover_at: attributes.seconds("turnover_at")?, entries, uploads })
}
