//! The tries of one source address.
//!
//! | attribute | type | holds |
//! |---|---|---|
//! | `key` | S | `wrong-keys#` and the address |
//! | `drained_at` | N | epoch seconds at which the bucket has got all its tries back |
//! | `hour` | N | the start of the last hour of the clock with a try, in epoch seconds |
//! | `tries` | N | the tries of that hour that were not given back |
//! | `ttl` | N | epoch seconds from when the item says nothing |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;

use crate::error::StoreError;
use crate::item::{self, Attributes, Item, Written, seconds};

/// Tries that an address has at once.
pub(super) const BURST: u64 = 120;
/// Seconds in which the bucket gets one try back.
pub(super) const INTERVAL_SECONDS: u64 = 30;
/// Seconds that an item is kept after a write. The bucket has got all tries back by then, and the hour has ended.
const KEPT_SECONDS: u64 = BURST * INTERVAL_SECONDS;

/// The tries of an address, as its item was read.
///
/// The level of the bucket is the time until it has got all its tries back: a try adds an interval to it. This is the
/// generic cell rate algorithm (ITU-T I.371, annex A), which needs no other state.
#[derive(Clone, Copy, Debug)]
pub(in crate::registrations) struct Tries {
    drained_at: UnixSeconds,
    hour: UnixSeconds,
    tries: u64,
}

/// The items of addresses.
pub(super) struct AddressTries {
    client: Client,
    table: String,
}

impl Tries {
    /// Seconds until the bucket has a try; `None` if it has one now.
    pub(super) fn wait(&self, now: UnixSeconds) -> Option<u64> {
        let wait = self.drained_at.get().saturating_sub(last_place(now).get());
        (wait > 0).then_some(wait)
    }

    /// The tries in this hour.
    pub(super) fn in_hour(&self, hour: UnixSeconds) -> u64 {
        if self.hour < hour { 0 } else { self.tries }
    }

    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let attributes = Attributes { item, name: "the tries of an address" };
        let tries = item.get("tries").and_then(|value| value.as_n().ok()?.parse().ok());
        Ok(Self {
            drained_at: attributes.seconds("drained_at")?,
            hour: attributes.seconds("hour")?,
            tries: tries.ok_or_else(|| attributes.malformed("tries"))?,
        })
    }
}

impl AddressTries {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    pub(super) async fn read(&self, source: SourceAddress) -> Result<Option<Tries>, StoreError> {
        let item = item::get(&self.client, &self.table, ("key", item_key(source))).await?;
        item.as_ref().map(Tries::from_item).transpose()
    }

    /// Takes a try, if the bucket has one and the address has had fewer than `most` in this hour.
    ///
    /// Tries of one hour at once all add to the item that they find, none of them to an older one. Where the hour or the
    /// bucket begins anew, the item is replaced if it is still the one of the `hint`.
    pub(super) async fn take(
        &self,
        source: SourceAddress,
        hint: Option<&Tries>,
        hour: UnixSeconds,
        most: u64,
        now: UnixSeconds,
    ) -> Result<Written<Tries>, StoreError> {
        let update = match hint {
            Some(hint) if hint.hour >= hour && hint.drained_at > now => self
                .update(source)
                .update_expression("SET #drained_at = #drained_at + :interval, #tries = #tries + :one, #ttl = :ttl")
                .condition_expression(
                    "#hour >= :hour AND #drained_at > :now AND #drained_at <= :last_place AND #tries < :most",
                )
                .expression_attribute_values(":interval", number(INTERVAL_SECONDS))
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":hour", seconds(hour))
                .expression_attribute_values(":now", seconds(now))
                .expression_attribute_values(":last_place", seconds(last_place(now)))
                .expression_attribute_values(":most", number(most)),
            hint => self.replacement(source, hint, hour, now),
        };
        let update = update
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", seconds(now.saturating_add(KEPT_SECONDS)));
        item::update(update, Tries::from_item).await
    }

    /// Gives a try of this hour back. The call is not repeated: a repetition whose first try was done would give back two.
    ///
    /// A request takes less than an interval, so that the bucket has not got the try back by itself.
    pub(super) async fn give_back(&self, source: SourceAddress, hour: UnixSeconds) -> Result<(), StoreError> {
        let result = self
            .update(source)
            .update_expression("SET #drained_at = #drained_at - :interval, #tries = #tries - :one")
            .condition_expression("#hour = :hour AND #tries >= :one")
            .expression_attribute_values(":interval", number(INTERVAL_SECONDS))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":hour", seconds(hour))
            .customize()
            .config_override(Config::builder().retry_config(RetryConfig::disabled()))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            // The hour has ended meanwhile: its tries no longer count, and the bucket gets this one back by itself.
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(()),
            Err(error) => Err(StoreError::from_sdk("dynamodb:UpdateItem", &error)),
        }
    }

    fn replacement(
        &self,
        source: SourceAddress,
        hint: Option<&Tries>,
        hour: UnixSeconds,
        now: UnixSeconds,
    ) -> UpdateItemFluentBuilder {
        let drained_at = hint.map_or(now, |hint| hint.drained_at.max(now)).saturating_add(INTERVAL_SECONDS);
        let update = self
            .update(source)
            .update_expression("SET #drained_at = :drained_at, #hour = :hour, #tries = :tries, #ttl = :ttl")
            .expression_attribute_values(":drained_at", seconds(drained_at))
            .expression_attribute_values(":hour", seconds(hint.map_or(hour, |hint| hint.hour.max(hour))))
            .expression_attribute_values(":tries", number(hint.map_or(0, |hint| hint.in_hour(hour)) + 1));
        match hint {
            None => update.condition_expression("attribute_not_exists(#drained_at)"),
            Some(hint) => update
                .condition_expression("#drained_at = :old_drained_at AND #hour = :old_hour AND #tries = :old_tries")
                .expression_attribute_values(":old_drained_at", seconds(hint.drained_at))
                .expression_attribute_values(":old_hour", seconds(hint.hour))
                .expression_attribute_values(":old_tries", number(hint.tries)),
        }
    }

    fn update(&self, source: SourceAddress) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table).key("key", item_key(source));
        ["drained_at", "hour", "tries"]
            .into_iter()
            .fold(update, |update, name| update.expression_attribute_names(format!("#{name}"), name))
    }
}

/// The latest time at which the bucket may be drained for one more try to fit in.
fn last_place(now: UnixSeconds) -> UnixSeconds {
    now.saturating_add((BURST - 1) * INTERVAL_SECONDS)
}

fn item_key(source: SourceAddress) -> AttributeValue {
    AttributeValue::S(format!("wrong-keys#{source}"))
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
