//! The table `firefly-registration-keys`: one-time keys, live until their `ttl`.

mod guessing;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete};
use firefly_core::registration::{KEY_LIFETIME_SECONDS, RegistrationKey};
use firefly_core::time::UnixSeconds;
use serde::Serialize;

pub use guessing::SourceAddress;

use crate::aws::Aws;
use crate::environment::{ConfigError, Environment, Random};
use crate::http::Caller;
use crate::store::{Attributes, RACE_ATTEMPTS, StoreError, seconds};

/// The one-time registration keys.
pub struct RegistrationKeys {
    client: Client,
    table: String,
    random: Random,
}

/// A key as the table holds it.
pub(crate) struct IssuedKey {
    pub(crate) expires_at: UnixSeconds,
    pub(crate) generated_by_sub: String,
    pub(crate) generated_by_email: String,
}

/// A key as its owner is shown it when it is made.
#[derive(Serialize)]
pub struct NewKey {
    key: String,
    expires_at: u64,
}

/// A live key as its owner is shown it in a list.
#[derive(Serialize)]
pub struct ListedKey {
    key: String,
    generated_at: u64,
    expires_at: u64,
}

impl RegistrationKeys {
    /// The table that `DYNAMODB_REGISTRATION_KEYS_TABLE_NAME` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let table = environment.required("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME")?.to_owned();
        aws.warm_up_dynamodb();
        Ok(Self { client: aws.dynamodb(), table, random: environment.random() })
    }

    /// Makes a key for `caller`. A key that is live is never overwritten: another is drawn.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the table fails.
    pub async fn create(&self, caller: &Caller, now: UnixSeconds) -> Result<NewKey, StoreError> {
        let expires_at = now.saturating_add(KEY_LIFETIME_SECONDS);
        for _ in 0..RACE_ATTEMPTS {
            let key = self.random.registration_key();
            let result = self
                .client
                .put_item()
                .table_name(&self.table)
                .item("key", AttributeValue::S(key.as_str().to_owned()))
                .item("ttl", seconds(expires_at))
                .item("generated_at", seconds(now))
                .item("generated_by_sub", AttributeValue::S(caller.sub.clone()))
                .item("generated_by_email", AttributeValue::S(caller.email.clone().unwrap_or_default()))
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

    /// The live keys that `caller` made, oldest first, from however many pages the table has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the table fails.
    pub async fn list(&self, caller: &Caller, now: UnixSeconds) -> Result<Vec<ListedKey>, StoreError> {
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression("generated_by_sub = :sub AND #ttl > :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":sub", AttributeValue::S(caller.sub.clone()))
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

    /// Reads a key with a strongly consistent read, live or not.
    pub(crate) async fn get(&self, key: &RegistrationKey) -> Result<Option<IssuedKey>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("key", AttributeValue::S(key.as_str().to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("dynamodb:GetItem", &error))?;
        let Some(item) = output.item else { return Ok(None) };
        let attributes = Attributes { item: &item, name: "a registration key" };
        let text = |attribute| attributes.optional_text(attribute).unwrap_or_default().to_owned();
        Ok(Some(IssuedKey {
            expires_at: attributes.seconds("ttl")?,
            generated_by_sub: text("generated_by_sub"),
            generated_by_email: text("generated_by_email"),
        }))
    }

    /// The part of a transaction that spends a key, if it is still live.
    pub(crate) fn spend(&self, key: &RegistrationKey, now: UnixSeconds) -> Result<Delete, StoreError> {
        Ok(Delete::builder()
            .table_name(&self.table)
            .key("key", AttributeValue::S(key.as_str().to_owned()))
            .condition_expression("attribute_exists(#key) AND #ttl > :now")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", seconds(now))
            .build()?)
    }
}
