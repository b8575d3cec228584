//! Counts wrong registration keys, so that guessing a live one is hopeless.
//!
//! A key is one of 36⁶ ≈ 2.2 × 10⁹. Per source address and hour [`ADDRESS_LIMIT`] wrong keys are answered; beyond that
//! every key is refused until the hour ends, a live one too, for otherwise the guess would have worked. When all addresses
//! together exceed [`ALL_LIMIT`] in the hour, an address that has sent [`FUMBLES`] wrong ones has sent enough: many
//! addresses do not add up to many guesses, and an installer who mistypes is not locked out by strangers. With 20 keys
//! live, one address finds one with a probability of 2.6 × 10⁻⁵ a day; 15,000 addresses, which the API's own throttle
//! lets through, with one of 0.02.
//!
//! The counts are items of the keys' table, without `generated_by_sub`, so that no list shows them:
//!
//! | attribute | type | holds |
//! |---|---|---|
//! | `key` | S | `wrong-keys#`, the hour's start, `#`, an address or `all-` and a shard |
//! | `wrong_keys` | N | how many |
//! | `ttl` | N | the hour's end |

use std::net::IpAddr;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;
use futures_util::future::try_join_all;

use crate::error::StoreError;
use crate::item::seconds;

/// The window in which wrong keys are counted, in seconds.
const WINDOW_SECONDS: u64 = 3_600;
/// Most wrong keys of one address in a window.
const ADDRESS_LIMIT: u64 = 120;
/// Wrong keys of all addresses in a window beyond which guessing is under way.
const ALL_LIMIT: u64 = 5_000;
/// Wrong keys that an address may send in a window even then.
const FUMBLES: u64 = 5;
/// Items over which the count of all addresses is spread: one item takes 1,000 writes a second.
const SHARDS: u64 = 4;

/// The counts of wrong keys.
pub(super) struct WrongKeys {
    client: Client,
    table: String,
}

impl WrongKeys {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Seconds until keys of an address that has sent too many wrong ones are looked at again; `None` for any other
    /// address.
    pub(super) async fn locked_out(&self, source: SourceAddress, now: UnixSeconds) -> Result<Option<u64>, StoreError> {
        let window = window(now);
        let own = self.wrong_keys(address_key(source, window)).await?;
        let too_many = if own < FUMBLES {
            false
        } else if own >= ADDRESS_LIMIT {
            true
        } else {
            let shards = (0..SHARDS).map(|shard| self.wrong_keys(shard_key(shard, window)));
            try_join_all(shards).await?.iter().sum::<u64>() > ALL_LIMIT
        };
        let retry_after_seconds = window.saturating_add(WINDOW_SECONDS).get().saturating_sub(now.get());
        Ok(too_many.then_some(retry_after_seconds))
    }

    /// Counts a wrong key.
    pub(super) async fn count(&self, source: SourceAddress, now: UnixSeconds) -> Result<(), StoreError> {
        let window = window(now);
        let own = self.add_wrong_key(address_key(source, window), window);
        let all = self.add_wrong_key(shard_key(shard_of(source), window), window);
        tokio::try_join!(own, all).map(|_| ())
    }

    async fn wrong_keys(&self, key: String) -> Result<u64, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("key", AttributeValue::S(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("dynamodb:GetItem", &error))?;
        let count = output.item.as_ref().and_then(|item| item.get("wrong_keys")?.as_n().ok()?.parse().ok());
        Ok(count.unwrap_or(0))
    }

    async fn add_wrong_key(&self, key: String, window: UnixSeconds) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("key", AttributeValue::S(key))
            .update_expression("ADD wrong_keys :one SET #ttl = :end")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":end", seconds(window.saturating_add(WINDOW_SECONDS)))
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("dynamodb:UpdateItem", &error))?;
        Ok(())
    }
}

/// The start of the window that `now` is in.
fn window(now: UnixSeconds) -> UnixSeconds {
    UnixSeconds::new(now.get() / WINDOW_SECONDS * WINDOW_SECONDS)
}

fn address_key(source: SourceAddress, window: UnixSeconds) -> String {
    format!("wrong-keys#{}#{source}", window.get())
}

fn shard_key(shard: u64, window: UnixSeconds) -> String {
    format!("wrong-keys#{}#all-{shard}", window.get())
}

/// One of the [`SHARDS`], the same for the same address.
fn shard_of(source: SourceAddress) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_add(u64::from(*byte)));
    let bytes = match source.address() {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    };
    bytes % SHARDS
}
