//! The live registration keys of one user, an item of its own beside the keys'.
//!
//! | attribute | type | holds |
//! |---|---|---|
//! | `key` | S | `live-keys#` and the user's `sub`, at most 255 characters (OpenID Connect Core 1.0, section 2) |
//! | `version` | N | counts the writes of this item |
//! | `turnover_at` | N | epoch seconds from when some entries have lapsed |
//! | `keys` | M | per key: its expiry, in epoch seconds (N) |
//! | `ttl` | N | the last expiry |
//!
//! The item has no `generated_by_sub`, so that no list shows it as a key. An entry may be there without its key, until it
//! lapses; a key is there without its entry only if an earlier function has minted it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use firefly_core::registration::{RegistrationKey, is_live};
use firefly_core::time::UnixSeconds;

use crate::error::StoreError;
use crate::item::{self, Attributes, Item, seconds};

/// Live keys that a user has at most: the chance of a guess grows with them.
pub(crate) const MAX_LIVE_KEYS: usize = 200;

/// The items of users.
pub(crate) struct LiveKeys {
    client: Client,
    table: String,
}

/// The item of a user, as it was read.
pub(crate) struct Record {
    version: u64,
    turnover_at: UnixSeconds,
    keys: HashMap<RegistrationKey, UnixSeconds>,
}

/// The reason for which a user gets no further key.
pub(crate) enum EntryError {
    /// The user has [`MAX_LIVE_KEYS`].
    TooMany { retry_after_seconds: u64 },
    /// The write could not be built.
    Store(StoreError),
}

impl Record {
    /// The keys that have not expired.
    pub(crate) fn live(&self, now: UnixSeconds) -> impl Iterator<Item = (RegistrationKey, UnixSeconds)> {
        self.keys.iter().map(|(key, expires_at)| (*key, *expires_at)).filter(move |(_, at)| is_live(*at, now))
    }

    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let attributes = Attributes { item, name: "the live keys of a user" };
        let entries = item.get("keys").and_then(|value| value.as_m().ok());
        let mut keys = HashMap::new();
        for (key, expires_at) in entries.ok_or_else(|| attributes.malformed("keys"))? {
            let expires_at = expires_at.as_n().ok().and_then(|number| number.parse().ok()).map(UnixSeconds::new);
            let (key, expires_at) = key.parse().ok().zip(expires_at).ok_or_else(|| attributes.malformed("keys"))?;
            keys.insert(key, expires_at);
        }
        let version = item.get("version").and_then(|value| value.as_n().ok()?.parse().ok());
        Ok(Self {
            version: version.ok_or_else(|| attributes.malformed("version"))?,
            turnover_at: attributes.seconds("turnover_at")?,
            keys,
        })
    }
}

impl LiveKeys {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    pub(crate) async fn read(&self, sub: &str) -> Result<Option<Record>, StoreError> {
        let item = item::get(&self.client, &self.table, ("key", item_key(sub))).await?;
        item.as_ref().map(Record::from_item).transpose()
    }

    /// The write that adds an entry, for the transaction that writes its key. `record` is the item as it was read; the
    /// write is conditional on it. Lapsed entries leave in the same write.
    pub(crate) fn entry(
        &self,
        sub: &str,
        record: Option<&Record>,
        (key, expires_at): (RegistrationKey, UnixSeconds),
        now: UnixSeconds,
    ) -> Result<Update, EntryError> {
        let live: HashMap<_, _> = record.into_iter().flat_map(|record| record.live(now)).collect();
        let first = live.values().min().copied();
        if let Some(first) = first
            && live.len() >= MAX_LIVE_KEYS
        {
            return Err(EntryError::TooMany { retry_after_seconds: first.abs_diff(now) });
        }
        let update = match record {
            Some(record) if record.turnover_at > now && record.keys.len() < MAX_LIVE_KEYS => {
                insert(self.update(sub), key, now)
            }
            record => replace(self.update(sub), record, live, (key, expires_at), first.unwrap_or(expires_at)),
        };
        let update = update
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":expires_at", seconds(expires_at))
            .build();
        update.map_err(|error| EntryError::Store(StoreError::from_build(&error)))
    }

    /// Removes the entry of a key that is gone; an absent entry is not an error.
    pub(crate) async fn remove(&self, sub: &str, key: &RegistrationKey) -> Result<(), StoreError> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("key", item_key(sub))
            .update_expression("REMOVE #keys.#key ADD #version :one")
            .condition_expression("attribute_exists(#keys.#key)")
            .expression_attribute_names("#keys", "keys")
            .expression_attribute_names("#key", key.as_str())
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":one", number(1))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(()),
            Err(error) => Err(StoreError::from_sdk("dynamodb:UpdateItem", &error)),
        }
    }

    fn update(&self, sub: &str) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .key("key", item_key(sub))
            .expression_attribute_names("#keys", "keys")
            .expression_attribute_names("#turnover_at", "turnover_at")
            .expression_attribute_names("#version", "version")
    }
}

/// Adds one entry to an item that has room and nothing to drop.
fn insert(update: UpdateBuilder, key: RegistrationKey, now: UnixSeconds) -> UpdateBuilder {
    update
        .update_expression("SET #keys.#key = :expires_at, #ttl = :expires_at ADD #version :one")
        .condition_expression("#turnover_at > :now AND size(#keys) < :most")
        .expression_attribute_names("#key", key.as_str())
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":now", seconds(now))
        .expression_attribute_values(":most", number(MAX_LIVE_KEYS))
}

/// Replaces the whole item, if it is still the one that was read, by one of these live keys and a new one.
fn replace(
    update: UpdateBuilder,
    record: Option<&Record>,
    mut live: HashMap<RegistrationKey, UnixSeconds>,
    (key, expires_at): (RegistrationKey, UnixSeconds),
    turnover_at: UnixSeconds,
) -> UpdateBuilder {
    live.insert(key, expires_at);
    let entries = live.into_iter().map(|(key, at)| (key.as_str().to_owned(), seconds(at))).collect();
    let version = record.map_or(0, |record| record.version);
    let update = update
        .update_expression("SET #keys = :keys, #turnover_at = :turnover_at, #version = :version, #ttl = :expires_at")
        .expression_attribute_values(":keys", AttributeValue::M(entries))
        .expression_attribute_values(":turnover_at", seconds(turnover_at))
        // The version may wrap: it only has to differ from the one it replaces.
        .expression_attribute_values(":version", number(version.wrapping_add(1)));
    match record {
        None => update.condition_expression("attribute_not_exists(#version)"),
        Some(_) => {
            update.condition_expression("#version = :hint").expression_attribute_values(":hint", number(version))
        }
    }
}

fn item_key(sub: &str) -> AttributeValue {
    AttributeValue::S(format!("live-keys#{sub}"))
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
