//! A table's settings as properties of `AWS::DynamoDB::Table`: those of a template, and those of the live table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{
    IndexStatus, KeySchemaElement, Projection, ProvisionedThroughputDescription, TableDescription, TableStatus,
    TimeToLiveStatus,
};
use serde::{Deserialize, Serialize};

use super::difference::{Difference, differences};
use crate::account::Account;
use crate::aws_error::AwsError;

const ON_DEMAND: &str = "PAY_PER_REQUEST";
const PROVISIONED: &str = "PROVISIONED";

/// The settings of a table.
///
/// Other properties cannot be adopted, so a template that has one does not parse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TableProperties {
    pub(crate) table_name: String,
    #[serde(default = "provisioned")]
    billing_mode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_throughput: Option<Throughput>,
    attribute_definitions: Vec<AttributeDefinition>,
    key_schema: Vec<Key>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    local_secondary_indexes: Vec<Index>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) global_secondary_indexes: Vec<Index>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_live_specification: Option<TimeToLive>,
    #[serde(default)]
    deletion_protection_enabled: bool,
    #[serde(default)]
    point_in_time_recovery_specification: PointInTimeRecovery,
}

fn provisioned() -> String {
    PROVISIONED.to_owned()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Throughput {
    read_capacity_units: i64,
    write_capacity_units: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AttributeDefinition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Index {
    pub(super) index_name: String,
    key_schema: Vec<Key>,
    projection: IndexProjection,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_throughput: Option<Throughput>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct IndexProjection {
    projection_type: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    non_key_attributes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PointInTimeRecovery {
    point_in_time_recovery_enabled: bool,
}

/// A table as it was found.
#[derive(Debug, Clone)]
pub(crate) enum LiveTable {
    Absent,
    /// It is in this state, which passes by itself, and cannot be worked on yet.
    Settling(String),
    /// It is in this state, which does not pass by itself.
    Unusable(String),
    Active(Box<TableProperties>),
}

impl TableProperties {
    /// Returns the reason why a table with these settings cannot get those of the template.
    pub(crate) fn obstacle(&self, wanted: &Self) -> Option<String> {
        let (ours, theirs) = (self.keys(&self.key_schema), wanted.keys(&wanted.key_schema));
        if ours != theirs {
            return Some(format!("its keys are {ours}, the template's {theirs}"));
        }
        let (ours, theirs) =
            (self.indexes(&self.local_secondary_indexes), wanted.indexes(&wanted.local_secondary_indexes));
        if ours != theirs {
            let (ours, theirs) = (in_words(&ours), in_words(&theirs));
            return Some(format!("its local indexes are {ours}, the template's {theirs}"));
        }
        let theirs = wanted.indexes(&wanted.global_secondary_indexes);
        for (name, index) in self.indexes(&self.global_secondary_indexes) {
            if let Some(wanted) = theirs.get(&name).filter(|wanted| **wanted != index) {
                return Some(format!("its index {name} has {index}, the template's {wanted}"));
            }
        }
        match (self.ttl(), wanted.ttl()) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                Some(format!("its time to live is the attribute {ours}, the template's {theirs}"))
            }
            (Some(ours), None) => Some(format!("its time to live is the attribute {ours}, the template has none")),
            _ => None,
        }
    }

    /// Returns the settings that differ from those of a template.
    pub(crate) fn differences(&self, wanted: &Self) -> Vec<Difference> {
        let (ours, theirs) = (self.settings(), wanted.settings());
        differences(&ours, &theirs)
    }

    /// Returns whether the table has a global index of this name.
    pub(super) fn has_index(&self, name: &str) -> bool {
        self.global_secondary_indexes.iter().any(|index| index.index_name == name)
    }

    /// Returns whether deletion protection is on.
    pub(crate) fn is_protected(&self) -> bool {
        self.deletion_protection_enabled
    }

    /// Returns these settings with other global indexes.
    ///
    /// The attributes of the indexes are defined here or in `others`. If these settings are on demand, the indexes lose
    /// their throughput.
    pub(super) fn with_indexes(&self, mut indexes: Vec<Index>, others: &Self) -> Self {
        if self.billing_mode == ON_DEMAND {
            for index in &mut indexes {
                index.provisioned_throughput = None;
            }
        }
        let mut settings = Self { global_secondary_indexes: indexes, ..self.clone() };
        let all = [&settings.local_secondary_indexes, &settings.global_secondary_indexes];
        let index_keys = all.into_iter().flatten().flat_map(|index| &index.key_schema);
        let used: Vec<_> = settings.key_schema.iter().chain(index_keys).map(|key| key.attribute_name.clone()).collect();
        let mut definitions = self.attribute_definitions.clone();
        for definition in &others.attribute_definitions {
            if definitions.iter().all(|known| known.attribute_name != definition.attribute_name) {
                definitions.push(definition.clone());
            }
        }
        definitions.retain(|definition| used.contains(&definition.attribute_name));
        settings.attribute_definitions = definitions;
        settings
    }

    fn ttl(&self) -> Option<&str> {
        let ttl = self.time_to_live_specification.as_ref().filter(|ttl| ttl.enabled);
        ttl.map(|ttl| ttl.attribute_name.as_str())
    }

    /// Returns every setting in words.
    fn settings(&self) -> BTreeMap<&'static str, String> {
        let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
        let billing = match &self.provisioned_throughput {
            Some(throughput) if self.billing_mode == PROVISIONED => format!("{PROVISIONED} {throughput}"),
            _ => self.billing_mode.clone(),
        };
        BTreeMap::from([
            ("keys", self.keys(&self.key_schema)),
            ("billing", billing),
            ("local indexes", in_words(&self.indexes(&self.local_secondary_indexes))),
            ("indexes", in_words(&self.indexes(&self.global_secondary_indexes))),
            ("time to live", self.ttl().unwrap_or("off").to_owned()),
            ("deletion protection", on_off(self.deletion_protection_enabled)),
            (
                "point-in-time recovery",
                on_off(self.point_in_time_recovery_specification.point_in_time_recovery_enabled),
            ),
        ])
    }

    /// Returns keys in words, such as `uuid (S, HASH)`.
    fn keys(&self, keys: &[Key]) -> String {
        let mut keys: Vec<_> = keys
            .iter()
            .map(|key| {
                let mut definitions = self.attribute_definitions.iter();
                let definition = definitions.find(|definition| definition.attribute_name == key.attribute_name);
                let kind = definition.map_or("?", |definition| &definition.attribute_type);
                format!("{} ({kind}, {})", key.attribute_name, key.key_type)
            })
            .collect();
        keys.sort_unstable();
        keys.join(" and ")
    }

    /// Returns indexes in words, by name.
    fn indexes(&self, indexes: &[Index]) -> BTreeMap<String, String> {
        let words = indexes.iter().map(|index| {
            let mut attributes = index.projection.non_key_attributes.clone();
            attributes.sort_unstable();
            let attributes =
                if attributes.is_empty() { String::new() } else { format!(" of {}", attributes.join(", ")) };
            let projection = &index.projection.projection_type;
            (index.index_name.clone(), format!("{}, projection {projection}{attributes}", self.keys(&index.key_schema)))
        });
        words.collect()
    }
}

impl std::fmt::Display for Throughput {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} reads and {} writes", self.read_capacity_units, self.write_capacity_units)
    }
}

fn in_words(indexes: &BTreeMap<String, String>) -> String {
    if indexes.is_empty() {
        return "none".to_owned();
    }
    indexes.iter().map(|(name, index)| format!("{name} on {index}")).collect::<Vec<_>>().join("; ")
}

impl Account {
    /// Looks at a table, with its settings.
    pub(crate) async fn table(&self, name: &str) -> Result<LiveTable, AwsError> {
        let described = match self.dynamodb.describe_table().table_name(name).send().await {
            Ok(described) => described.table,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(LiveTable::Absent);
            }
            Err(error) => return Err(AwsError::call("dynamodb:DescribeTable", error)),
        };
        let table = described.ok_or_else(|| AwsError::incomplete("dynamodb:DescribeTable", "Table"))?;
        match table.table_status() {
            Some(TableStatus::Active) => {}
            Some(status @ (TableStatus::Creating | TableStatus::Updating | TableStatus::Deleting)) => {
                return Ok(LiveTable::Settling(status.to_string()));
            }
            status => {
                let status = status.map_or("in an unknown state", TableStatus::as_str);
                return Ok(LiveTable::Unusable(status.to_owned()));
            }
        }
        // A table is ACTIVE while an index of it is still being filled.
        for index in table.global_secondary_indexes() {
            if let Some(status) = index.index_status().filter(|status| **status != IndexStatus::Active) {
                let name = index.index_name().unwrap_or_default();
                return Ok(LiveTable::Settling(format!("ACTIVE, its index {name} {status}")));
            }
        }
        let ttl = self.dynamodb.describe_time_to_live().table_name(name).send().await;
        let ttl = ttl.map_err(|error| AwsError::call("dynamodb:DescribeTimeToLive", error))?;
        let ttl = ttl.time_to_live_description;
        let (ttl_status, ttl_attribute) = match &ttl {
            Some(ttl) => (ttl.time_to_live_status(), ttl.attribute_name()),
            None => (None, None),
        };
        if ttl_status == Some(&TimeToLiveStatus::Disabling) {
            return Ok(LiveTable::Settling("ACTIVE, its time to live DISABLING".to_owned()));
        }
        let enabled = matches!(ttl_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
        let ttl = ttl_attribute
            .filter(|_| enabled)
            .map(|attribute_name| TimeToLive { attribute_name: attribute_name.to_owned(), enabled: true });
        let backups = self.dynamodb.describe_continuous_backups().table_name(name).send().await;
        let backups = backups.map_err(|error| AwsError::call("dynamodb:DescribeContinuousBackups", error))?;
        let recovery = backups.continuous_backups_description.and_then(|backups| {
            backups.point_in_time_recovery_description.and_then(|recovery| recovery.point_in_time_recovery_status)
        });
        let recovers = recovery.is_some_and(|status| status.as_str() == "ENABLED");
        Ok(LiveTable::Active(Box::new(properties(name, &table, ttl, recovers))))
    }
}

fn properties(name: &str, table: &TableDescription, ttl: Option<TimeToLive>, recovers: bool) -> TableProperties {
    // A table that was never on demand has no summary.
    let billing_mode = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    let billing_mode = billing_mode.map_or(PROVISIONED, |mode| mode.as_str()).to_owned();
    let throughput = |live: Option<&ProvisionedThroughputDescription>| {
        live.filter(|_| billing_mode == PROVISIONED).map(|live| Throughput {
            read_capacity_units: live.read_capacity_units().unwrap_or_default(),
            write_capacity_units: live.write_capacity_units().unwrap_or_default(),
        })
    };
    let local = table.local_secondary_indexes().iter().map(|live| Index {
        index_name: live.index_name().unwrap_or_default().to_owned(),
        key_schema: keys(live.key_schema()),
        projection: projection(live.projection()),
        provisioned_throughput: None,
    });
    let global = table.global_secondary_indexes().iter().map(|live| Index {
        index_name: live.index_name().unwrap_or_default().to_owned(),
        key_schema: keys(live.key_schema()),
        projection: projection(live.projection()),
        provisioned_throughput: throughput(live.provisioned_throughput()),
    });
    TableProperties {
        table_name: name.to_owned(),
        provisioned_throughput: throughput(table.provisioned_throughput()),
        attribute_definitions: table
            .attribute_definitions()
            .iter()
            .map(|definition| AttributeDefinition {
                attribute_name: definition.attribute_name().to_owned(),
                attribute_type: definition.attribute_type().as_str().to_owned(),
            })
            .collect(),
        key_schema: keys(table.key_schema()),
        local_secondary_indexes: local.collect(),
        global_secondary_indexes: global.collect(),
        time_to_live_specification: ttl,
        deletion_protection_enabled: table.deletion_protection_enabled().unwrap_or_default(),
        point_in_time_recovery_specification: PointInTimeRecovery { point_in_time_recovery_enabled: recovers },
        billing_mode,
    }
}

fn keys(live: &[KeySchemaElement]) -> Vec<Key> {
    let keys = live.iter().map(|key| Key {
        attribute_name: key.attribute_name().to_owned(),
        key_type: key.key_type().as_str().to_owned(),
    });
    keys.collect()
}

fn projection(live: Option<&Projection>) -> IndexProjection {
    IndexProjection {
        projection_type: live.and_then(|live| live.projection_type()).map_or("ALL", |kind| kind.as_str()).to_owned(),
        non_key_attributes: live.map(|live| live.non_key_attributes().to_vec()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::TableProperties;

    fn table(local_index: &str) -> TableProperties {
        let text = format!(
            "{{TableName: t, AttributeDefinitions: [{{AttributeName: a, AttributeType: S}}, {{AttributeName: b, \
             AttributeType: N}}], KeySchema: [{{AttributeName: a, KeyType: HASH}}, {{AttributeName: b, KeyType: RANGE}}], \
             LocalSecondaryIndexes: [{local_index}]}}"
        );
        serde_yaml_ng::from_str(&text).unwrap()
    }

    #[test]
    fn local_indexes_cannot_be_changed() {
        let index = |projection: &str| {
            format!(
                "{{IndexName: l, KeySchema: [{{AttributeName: a, KeyType: HASH}}, {{AttributeName: b, KeyType: RANGE}}], \
                 Projection: {{ProjectionType: {projection}}}}}"
            )
        };
        let (without, all, keys) = (table(""), table(&index("ALL")), table(&index("KEYS_ONLY")));
        assert_eq!(all.obstacle(&all), None);
        for (live, wanted) in [(&all, &keys), (&all, &without), (&without, &all)] {
            assert!(live.obstacle(wanted).unwrap().starts_with("its local indexes are "));
        }
    }

    #[test]
    fn a_property_that_is_not_compared_is_not_adopted() {
        assert!(serde_yaml_ng::from_str::<TableProperties>("{TableName: t, TableClass: STANDARD}").is_err());
    }
}
