//! A bucket's settings, kept as CloudFormation's properties.

use serde_json::{Value, json};

use super::account::{ACCOUNT, REGION};

/// A bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) owner: String,
    pub(crate) region: String,
    /// The properties of `AWS::S3::Bucket`.
    pub(crate) properties: Value,
    pub(crate) policy: Option<String>,
    pub(crate) objects: Vec<String>,
}

impl Default for Bucket {
    fn default() -> Self {
        let (owner, properties) = (ACCOUNT.to_owned(), json!({}));
        Self { owner, region: REGION.to_owned(), properties, policy: None, objects: Vec::new() }
    }
}
