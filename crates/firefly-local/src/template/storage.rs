use std::collections::BTreeMap;
use std::fmt::Display;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::document::{Document, Resource};
use super::{Problem, Source, TemplateError};

/// What a table's stack says, in DynamoDB's own types.
#[derive(Debug, Clone, PartialEq)]
pub struct TableTemplate {
    /// The table's name.
    pub name: String,
    /// Hash key, then sort key if there is one.
    pub key_schema: Vec<KeySchemaElement>,
    /// The types of all key attributes.
    pub attributes: Vec<AttributeDefinition>,
    /// Global secondary indexes.
    pub indexes: Vec<GlobalSecondaryIndex>,
    /// The attribute holding the epoch second from which an item may be deleted.
    pub ttl_attribute: Option<String>,
    /// How it is paid for.
    pub billing: BillingMode,
    /// Whether it refuses to be deleted.
    pub deletion_protection: bool,
    /// Whether any second of the last 35 days can be brought back.
    pub point_in_time_recovery: bool,
}

impl TableTemplate {
    /// Reads a table's template, which has no parameters.
    ///
    /// # Errors
    ///
    /// The first member that is absent, of the wrong form or unresolvable.
    pub fn parse(source: Source<'_>) -> Result<Self, TemplateError> {
        let parameters = BTreeMap::new();
        let document = Document::parse(source, &parameters)?;
        let table: Resource<'_, Table> = document.resource("AWS::DynamoDB::Table")?;
        let built = Self::build(&table.properties);
        built.map_err(|error| document.fail("Resources", Problem::Shape(error.to_string())))
    }

    fn build(table: &Table) -> Result<Self, BuildError> {
        let attributes = table.attribute_definitions.iter().map(|attribute| {
            AttributeDefinition::builder()
                .attribute_name(&attribute.attribute_name)
                .attribute_type(attribute.attribute_type.clone())
                .build()
        });
        let indexes = table.global_secondary_indexes.iter().map(|index| {
            let projection = Projection::builder()
                .projection_type(index.projection.projection_type.clone())
                .set_non_key_attributes(index.projection.non_key_attributes.clone());
            GlobalSecondaryIndex::builder()
                .index_name(&index.index_name)
                .set_key_schema(Some(key_schema(&index.key_schema)?))
                .projection(projection.build())
                .build()
        });
        let ttl = table.time_to_live_specification.as_ref();
        let recovery = table.point_in_time_recovery_specification.as_ref();
        Ok(Self {
            name: table.table_name.clone(),
            key_schema: key_schema(&table.key_schema)?,
            attributes: attributes.collect::<Result<_, _>>()?,
            indexes: indexes.collect::<Result<_, _>>()?,
            ttl_attribute: ttl.filter(|ttl| ttl.enabled).map(|ttl| ttl.attribute_name.clone()),
            billing: table.billing_mode.clone(),
            deletion_protection: table.deletion_protection_enabled,
            point_in_time_recovery: recovery.is_some_and(|recovery| recovery.point_in_time_recovery_enabled),
        })
    }
}

fn key_schema(elements: &[KeyElement]) -> Result<Vec<KeySchemaElement>, BuildError> {
    let build = |element: &KeyElement| {
        KeySchemaElement::builder().attribute_name(&element.attribute_name).key_type(element.key_type.clone()).build()
    };
    elements.iter().map(build).collect()
}

/// A word that one of DynamoDB's enumerations knows.
fn word<'de, D: Deserializer<'de>, T, E: Display>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn attribute_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ScalarAttributeType, D::Error> {
    word(deserializer, ScalarAttributeType::try_parse)
}

fn billing_mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BillingMode, D::Error> {
    word(deserializer, BillingMode::try_parse)
}

fn key_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyType, D::Error> {
    word(deserializer, KeyType::try_parse)
}

fn projection_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ProjectionType, D::Error> {
    word(deserializer, ProjectionType::try_parse)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    table_name: String,
    #[serde(deserialize_with = "billing_mode")]
    billing_mode: BillingMode,
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<KeyElement>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    time_to_live_specification: Option<TimeToLive>,
    #[serde(default)]
    deletion_protection_enabled: bool,
    point_in_time_recovery_specification: Option<PointInTimeRecovery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    #[serde(deserialize_with = "attribute_type")]
    attribute_type: ScalarAttributeType,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyElement {
    attribute_name: String,
    #[serde(deserialize_with = "key_type")]
    key_type: KeyType,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<KeyElement>,
    projection: IndexProjection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexProjection {
    #[serde(deserialize_with = "projection_type")]
    projection_type: ProjectionType,
    non_key_attributes: Option<Vec<String>>,
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

/// What the bucket's stack says, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketTemplate {
    /// The bucket's name.
    pub name: String,
    /// Whether a replaced or deleted object is kept as an old version.
    pub versioned: bool,
}

impl BucketTemplate {
    /// Reads the bucket's template with these parameter values.
    ///
    /// # Errors
    ///
    /// The first member that is absent, of the wrong form or unresolvable.
    pub fn parse(source: Source<'_>, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let document = Document::parse(source, parameters)?;
        let bucket: Resource<'_, Bucket> = document.resource("AWS::S3::Bucket")?;
        let versioning = bucket.properties.versioning_configuration;
        Ok(Self {
            name: bucket.properties.bucket_name,
            versioned: versioning.is_some_and(|versioning| versioning.status == "Enabled"),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bucket {
    bucket_name: String,
    versioning_configuration: Option<Versioning>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versioning {
    status: String,
}
