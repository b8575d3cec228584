use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::TemplateError;
use crate::resource::Resource;
use crate::template::{Source, Template};

/// A table's template, resolved; its words are those of DynamoDB's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableTemplate {
    /// The table's name.
    pub name: String,
    /// Hash key, then sort key if there is one.
    pub key_schema: Vec<Key>,
    /// The types of all key attributes.
    pub attributes: Vec<KeyAttribute>,
    /// Global secondary indexes.
    pub indexes: Vec<Index>,
    /// The attribute that holds the epoch second from which an item may be deleted.
    pub ttl_attribute: Option<String>,
    /// The way in which it is paid for.
    pub billing: BillingMode,
    /// `true` if it refuses to be deleted.
    pub deletion_protection: bool,
    /// `true` if any second of the last 35 days can be brought back.
    pub point_in_time_recovery: bool,
}

/// The type of a key attribute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyAttribute {
    /// The attribute.
    pub attribute_name: String,
    /// Its type.
    pub attribute_type: AttributeType,
}

/// One part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Key {
    /// The attribute.
    pub attribute_name: String,
    /// Its part in the key.
    pub key_type: KeyType,
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Index {
    /// The index's name.
    pub index_name: String,
    /// Hash key, then sort key if there is one.
    pub key_schema: Vec<Key>,
    /// The attributes that it holds.
    pub projection: Projection,
}

/// The attributes that an index holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Projection {
    /// The kind of selection.
    pub projection_type: ProjectionType,
    /// The attributes of `INCLUDE`, keys apart.
    pub non_key_attributes: Option<Vec<String>>,
}

/// The way in which a table is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BillingMode {
    /// By request.
    PayPerRequest,
    /// By capacity.
    Provisioned,
}

/// The type of a key attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum AttributeType {
    /// Strings.
    S,
    /// Numbers.
    N,
    /// Bytes.
    B,
}

/// The part of an attribute in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyType {
    /// The partition key.
    Hash,
    /// The sort key.
    Range,
}

/// The kind of an index's selection of attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectionType {
    /// The index holds all attributes.
    All,
    /// The index holds the attributes of its keys and of the table's.
    KeysOnly,
    /// The index holds the keys and the attributes that are named.
    Include,
}

impl TableTemplate {
    /// Reads a table's template, which has no parameters.
    ///
    /// # Errors
    ///
    /// The first member that is absent, of the wrong form or unresolvable.
    pub fn parse(source: Source<'_>) -> Result<Self, TemplateError> {
        let parameters = BTreeMap::new();
        let template = Template::parse(source, &parameters)?;
        let table = template.resource::<Table>("AWS::DynamoDB::Table")?.properties;
        let ttl = table.time_to_live_specification;
        let recovery = table.point_in_time_recovery_specification;
        Ok(Self {
            name: table.table_name,
            key_schema: table.key_schema,
            attributes: table.attribute_definitions,
            indexes: table.global_secondary_indexes,
            ttl_attribute: ttl.filter(|ttl| ttl.enabled).map(|ttl| ttl.attribute_name),
            billing: table.billing_mode,
            deletion_protection: table.deletion_protection_enabled,
            point_in_time_recovery: recovery.is_some_and(|recovery| recovery.point_in_time_recovery_enabled),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    table_name: String,
    billing_mode: BillingMode,
    attribute_definitions: Vec<KeyAttribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    time_to_live_specification: Option<TimeToLive>,
    #[serde(default)]
    deletion_protection_enabled: bool,
    point_in_time_recovery_specification: Option<PointInTimeRecovery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PointInTimeRecovery {
    point_in_time_recovery_enabled: bool,
}

/// A bucket's template, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketTemplate {
    /// The bucket's name.
    pub name: String,
    /// `true` if a replaced or deleted object is kept as an old version.
    pub versioned: bool,
    /// The rules by which old versions are removed.
    pub expirations: Vec<Expiration>,
}

/// A rule by which old versions of an object are removed; its words are those of S3's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Expiration {
    /// The days that a version has been replaced or deleted.
    pub noncurrent_days: u64,
    /// The number of younger old versions of its object that a version must have; 0 where the rule does not say.
    #[serde(default)]
    pub newer_noncurrent_versions: usize,
}

impl BucketTemplate {
    /// Reads the bucket's template with these parameter values.
    ///
    /// # Errors
    ///
    /// The first member that is absent, of the wrong form or unresolvable.
    pub fn parse(source: Source<'_>, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let template = Template::parse(source, parameters)?;
        let bucket: Resource<'_, Bucket> = template.resource("AWS::S3::Bucket")?;
        let Bucket { bucket_name, versioning_configuration, lifecycle_configuration } = bucket.properties;
        let rules = lifecycle_configuration.into_iter().flat_map(|lifecycle| lifecycle.rules);
        let enabled = rules.filter(|rule| rule.status == "Enabled");
        Ok(Self {
            name: bucket_name,
            versioned: versioning_configuration.is_some_and(|versioning| versioning.status == "Enabled"),
            expirations: enabled.filter_map(|rule| rule.noncurrent_version_expiration).collect(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bucket {
    bucket_name: String,
    versioning_configuration: Option<Versioning>,
    lifecycle_configuration: Option<Lifecycle>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Lifecycle {
    rules: Vec<LifecycleRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LifecycleRule {
    status: String,
    noncurrent_version_expiration: Option<Expiration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versioning {
    status: String,
}
