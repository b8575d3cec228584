//! The table `firefly-registration-keys`: one-time keys, live until their `ttl`.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem, Update};
use firefly_core::registration::{KEY_LIFETIME_SECONDS, RegistrationKey, is_live};
use firefly_core::time::UnixSeconds;
use firefly_core::user::User;
use firefly_runtime::{Aws, ConfigError, Environment, Random};
use serde::Serialize;

use crate::cancellation::{cancelled, lost_a_race};
use crate::dynamodb;
use crate::error::StoreError;
use crate::item::{Attributes, Item, seconds};
use crate::live_keys::{EntryError, LiveKeys};
use crate::race::{RACE_ATTEMPTS, race_backoff};

/// Most keys that DynamoDB reads in one BatchGetItem.
const BATCH: usize = 100;
/// The number of times DynamoDB is asked for keys that it leaves unprocessed.
const READ_ATTEMPTS: u32 = 4;

/// The one-time registration keys.
pub struct RegistrationKeys {
    client: Client,
    table: String,
    live: LiveKeys,
    random: Random,
}

/// A key as its owner is shown it when it is made.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewKey {
    /// 6 characters of `A-Z` and `0-9`.
    key: String,
    /// Seconds since 1970.
    expires_at: u64,
}

/// A live key as its owner is shown it in a list.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ListedKey {
    /// 6 characters of `A-Z` and `0-9`.
    key: String,
    /// Seconds since 1970.
    generated_at: u64,
    /// Seconds since 1970.
    expires_at: u64,
}

/// The reason for which no key is made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The user has too many live keys.
    #[error("the user has too many live registration keys")]
    TooManyLiveKeys {
        /// Seconds until the first of them expires.
        retry_after_seconds: u64,
    },
    /// The table failed, or other writes came first too often.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EntryError> for MintError {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::TooMany { retry_after_seconds } => Self::TooManyLiveKeys { retry_after_seconds },
            EntryError::Store(error) => Self::Store(error),
        }
    }
}

impl RegistrationKeys {
    /// The table that `DYNAMODB_REGISTRATION_KEYS_TABLE_NAME` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let table = environment.required("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME")?;
        let client = dynamodb::client_with_connections(aws, 1)?;
        let live = LiveKeys::new(client.clone(), table.clone());
        Ok(Self { client, table, live, random: environment.random() })
    }

    /// Makes a key for `user`. A key that is live is never overwritten: another is drawn.
    ///
    /// # Errors
    ///
    /// [`MintError::TooManyLiveKeys`] when the user has 200 live keys, [`MintError::Store`] when the table fails.
    pub async fn create(&self, user: &User, now: UnixSeconds) -> Result<NewKey, MintError> {
        let expires_at = now.saturating_add(KEY_LIFETIME_SECONDS);
        for attempt in 1..=RACE_ATTEMPTS {
            let record = self.live.read(user.sub()).await?;
            let key = self.random.draw(RegistrationKey::generate);
            let entry = self.live.entry(user.sub(), record.as_ref(), (key, expires_at), now)?;
            if self.write(self.put(&key, user, expires_at, now), entry).await? {
                return Ok(NewKey { key: key.as_str().to_owned(), expires_at: expires_at.get() });
            }
            tokio::time::sleep(race_backoff(attempt)).await;
        }
        let cause = "every key drawn was live already, or other writes came first".to_owned();
        Err(StoreError::Unavailable { operation: "dynamodb:TransactWriteItems", cause }.into())
    }

    /// The live keys that `user` made, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the table fails.
    pub async fn list(&self, user: &User, now: UnixSeconds) -> Result<Vec<ListedKey>, StoreError> {
        let record = self.live.read(user.sub()).await?;
        let live: Vec<_> = record.iter().flat_map(|record| record.live(now)).map(|(key, _)| key).collect();
        let mut keys = Vec::new();
        for batch in live.chunks(BATCH) {
            for item in self.batch_get(batch).await? {
                keys.extend(listed(&item, user, now)?);
            }
        }
        keys.sort_by(|a: &ListedKey, b| (a.generated_at, &a.key).cmp(&(b.generated_at, &b.key)));
        Ok(keys)
    }

    /// Deletes a key that `user` made, live or not. A key that is absent or another's is not an error, and takes the same
    /// calls.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the table fails.
    pub async fn revoke(&self, user: &User, key: &RegistrationKey) -> Result<(), StoreError> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("key", AttributeValue::S(key.as_str().to_owned()))
            .condition_expression("generated_by_sub = :sub")
            .expression_attribute_values(":sub", AttributeValue::S(user.sub().to_owned()))
            .send()
            .await;
        match result {
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {}
            result => drop(result.map_err(|error| StoreError::from_sdk("dynamodb:DeleteItem", &error))?),
        }
        self.live.remove(user.sub(), key).await
    }

    /// Writes a key and its entry at once. Returns `false` if the key is live already or the entry's item was written
    /// meanwhile.
    async fn write(&self, put: Result<Put, BuildError>, entry: Update) -> Result<bool, StoreError> {
        let put = put.map_err(|error| StoreError::from_build(&error))?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().update(entry).build())
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) if lost_a_race(&error) => Ok(false),
            Err(error) => Err(cancelled(&error)),
        }
    }

    fn put(
        &self,
        key: &RegistrationKey,
        user: &User,
        expires_at: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(&self.table)
            .item("key", AttributeValue::S(key.as_str().to_owned()))
            .item("ttl", seconds(expires_at))
            .item("generated_at", seconds(now))
            .item("generated_by_sub", AttributeValue::S(user.sub().to_owned()))
            .item("generated_by_email", AttributeValue::S(user.email().unwrap_or_default().to_owned()))
            .condition_expression("attribute_not_exists(#key) OR #ttl <= :now")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", seconds(now))
            .build()
    }

    /// Reads the items of these keys; absent ones are left out.
    async fn batch_get(&self, keys: &[RegistrationKey]) -> Result<Vec<Item>, StoreError> {
        const OPERATION: &str = "dynamodb:BatchGetItem";
        let key =
            |key: &RegistrationKey| HashMap::from([("key".to_owned(), AttributeValue::S(key.as_str().to_owned()))]);
        let request = KeysAndAttributes::builder().set_keys(Some(keys.iter().map(key).collect())).consistent_read(true);
        let mut request = request.build().map_err(|error| StoreError::from_build(&error))?;
        let mut items = Vec::new();
        for attempt in 1..=READ_ATTEMPTS {
            let output = self.client.batch_get_item().request_items(&self.table, request).send().await;
            let output = output.map_err(|error| StoreError::from_sdk(OPERATION, &error))?;
            items.extend(output.responses.into_iter().flatten().flat_map(|(_, items)| items));
            // DynamoDB reports throttled keys as unprocessed, not as an error, so the SDK does not retry them.
            match output.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table)) {
                None => return Ok(items),
                Some(left) => request = left,
            }
            tokio::time::sleep(race_backoff(attempt)).await;
        }
        let cause = "keys were left unprocessed each time".to_owned();
        Err(StoreError::Unavailable { operation: OPERATION, cause })
    }
}

/// A key as its owner is shown it; `None` for one that is not `user`'s or not live.
fn listed(item: &Item, user: &User, now: UnixSeconds) -> Result<Option<ListedKey>, StoreError> {
    let attributes = Attributes { item, name: "a registration key" };
    let expires_at = attributes.seconds("ttl")?;
    if !is_live(expires_at, now) || attributes.optional_text("generated_by_sub") != Some(user.sub()) {
        return Ok(None);
    }
    let made_at = || expires_at.saturating_sub(KEY_LIFETIME_SECONDS);
    Ok(Some(ListedKey {
        generated_at: attributes.seconds("generated_at").unwrap_or_else(|_| made_at()).get(),
        key: attributes.text("key")?.to_owned(),
        expires_at: expires_at.get(),
    }))
}
