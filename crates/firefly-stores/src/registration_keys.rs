//! The table `firefly-registration-keys`: one-time keys, live until their `ttl`.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::registration::{KEY_LIFETIME_SECONDS, RegistrationKey};
use firefly_core::time::UnixSeconds;
use firefly_core::user::User;
use firefly_runtime::{Aws, ConfigError, Environment, Random};
use serde::Serialize;

use crate::dynamodb;
use crate::error::StoreError;
use crate::item::{Attributes, seconds};
use crate::race::RACE_ATTEMPTS;

/// The one-time registration keys.
pub struct RegistrationKeys {
    client: Client,
    table: String,
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

impl RegistrationKeys {
    /// The table that `DYNAMODB_REGISTRATION_KEYS_TABLE_NAME` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let table = environment.required("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME")?;
        Ok(Self { client: dynamodb::client_with_connections(aws, 1)?, table, random: environment.random() })
    }

    /// Makes a key for `user`. A key that is live is never overwritten: another is drawn.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the table fails.
    pub async fn create(&self, user: &User, now: UnixSeconds) -> Result<NewKey, StoreError> {
        let expires_at = now.saturating_add(KEY_LIFETIME_SECONDS);
        for _ in 0..RACE_ATTEMPTS {
            let key = self.random.draw(RegistrationKey::generate);
            let result = self
                .client
                .put_item()
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
                .send()
                .await;
            match result {
                Ok(_) => return Ok(NewKey { key: key.as_str().to_owned(), expires_at: expires_at.get() }),
                Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {}
                Err(error) => return Err(StoreError::from_sdk("dynamodb:PutItem", &error)),
            }
        }
        let cause = "every key drawn is live already".to_owned();
        Err(StoreError::Unavailable { operation: "dynamodb:PutItem", cause })
    }

    /// The live keys that `user` made, oldest first, from however many pages the table has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the table fails.
    pub async fn list(&self, user: &User, now: UnixSeconds) -> Result<Vec<ListedKey>, StoreError> {
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression("generated_by_sub = :sub AND #ttl > :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":sub", AttributeValue::S(user.sub().to_owned()))
            .expression_attribute_values(":now", seconds(now))
            .into_paginator()
            .items()
            .send();
        let mut keys = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| StoreError::from_sdk("dynamodb:Scan", &error))?;
            let attributes = Attributes { item: &item, name: "a registration key" };
            let expires_at = attributes.seconds("ttl")?;
            keys.push(ListedKey {
                generated_at: attributes
                    .seconds("generated_at")
                    .unwrap_or_else(|_| expires_at.saturating_sub(KEY_LIFETIME_SECONDS))
                    .get(),
                key: attributes.text("key")?.to_owned(),
                expires_at: expires_at.get(),
            });
        }
        keys.sort_by(|a: &ListedKey, b| (a.generated_at, &a.key).cmp(&(b.generated_at, &b.key)));
        Ok(keys)
    }
}
