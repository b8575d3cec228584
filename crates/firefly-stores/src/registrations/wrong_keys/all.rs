//! The tries of all source addresses in an hour of the clock.
//!
//! | attribute | type | holds |
//! |---|---|---|
//! | `key` | S | `wrong-keys#`, the hour's start in epoch seconds, `#all-` and a shard |
//! | `wrong_keys` | N | the tries that were not given back |
//! | `ttl` | N | the hour's end |

use std::net::IpAddr;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;
use futures_util::future::try_join_all;

use crate::error::StoreError;
use crate::item::{self, seconds};

/// Items over which the count is spread: one item takes 1,000 writes a second.
const SHARDS: u64 = 4;
/// Seconds after the hour's start at which its count may be deleted.
const KEPT_SECONDS: u64 = 3_600;

/// The sharded counts.
pub(super) struct AllTries {
    client: Client,
    table: String,
}

impl AllTries {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The tries of an hour.
    pub(super) async fn count(&self, hour: UnixSeconds) -> Result<u64, StoreError> {
        let shards = (0..SHARDS).map(|shard| self.shard(item_key(shard, hour)));
        // Tries may be given back to another shard's sum than this read has seen.
        Ok(u64::try_from(try_join_all(shards).await?.iter().sum::<i64>()).unwrap_or(0))
    }

    /// Counts a try.
    pub(super) async fn add(&self, source: SourceAddress, hour: UnixSeconds) -> Result<(), StoreError> {
        let result = self.change(source, hour, 1).send().await;
        result.map(|_| ()).map_err(|error| StoreError::from_sdk("dynamodb:UpdateItem", &error))
    }

    /// Gives a try back. The call is not repeated: a repetition whose first try was done would give back two.
    pub(super) async fn give_back(&self, source: SourceAddress, hour: UnixSeconds) -> Result<(), StoreError> {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let result = self.change(source, hour, -1).customize().config_override(once).send().await;
        result.map(|_| ()).map_err(|error| StoreError::from_sdk("dynamodb:UpdateItem", &error))
    }

    async fn shard(&self, key: AttributeValue) -> Result<i64, StoreError> {
        let item = item::get(&self.client, &self.table, ("key", key)).await?;
        let count = item.as_ref().and_then(|item| item.get("wrong_keys")?.as_n().ok()?.parse().ok());
        Ok(count.unwrap_or(0))
    }

    fn change(&self, source: SourceAddress, hour: UnixSeconds, by: i64) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("key", item_key(shard_of(source), hour))
            .update_expression("ADD wrong_keys :by SET #ttl = :end")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":by", AttributeValue::N(by.to_string()))
            .expression_attribute_values(":end", seconds(hour.saturating_add(KEPT_SECONDS)))
    }
}

fn item_key(shard: u64, hour: UnixSeconds) -> AttributeValue {
    AttributeValue::S(format!("wrong-keys#{}#all-{shard}", hour.get()))
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
