//! The target of a deployment: the table or bucket of a stack.

use std::collections::BTreeMap;

use firefly_templates::Document;
use serde::Deserialize;
use serde_yaml_ng::Value;

use super::bucket::BucketSettings;
use super::error::DataError;
use super::table::TableProperties;
use crate::account::Account;
use crate::graph::Stack;

const TABLE: &str = "AWS::DynamoDB::Table";
const BUCKET: &str = "AWS::S3::Bucket";
const BUCKET_POLICY: &str = "AWS::S3::BucketPolicy";
/// The template's parameter that names the bucket.
const BUCKET_PARAMETER: &str = "BackupBucketName";

/// The environment variable with the name of the bucket of backups. Unset or empty means the default name.
const BUCKET_VARIABLE: &str = "BACKUP_BUCKET_NAME";

/// A stack's table or bucket.
pub(crate) struct Target {
    pub(crate) stack: &'static Stack,
    /// The stack's name in CloudFormation.
    pub(crate) name: String,
    pub(super) template: Document,
    pub(crate) logical_id: String,
    /// The name of the table or bucket.
    pub(crate) resource: String,
    pub(crate) kind: Kind,
    /// The values of the template's parameters.
    pub(super) parameters: Vec<(String, String)>,
}

/// The kind of a target.
pub(crate) enum Kind {
    /// A table with the settings of the template.
    Table(Box<TableProperties>),
    /// A bucket with the settings of the template.
    Bucket {
        settings: BucketSettings,
        /// The account that the bucket must belong to.
        owner: String,
    },
}

impl Kind {
    pub(super) fn resource_type(&self) -> &'static str {
        match self {
            Self::Table(_) => TABLE,
            Self::Bucket { .. } => BUCKET,
        }
    }

    /// Returns the name of the property that identifies the resource.
    pub(super) fn name_property(&self) -> &'static str {
        match self {
            Self::Table(_) => "TableName",
            Self::Bucket { .. } => "BucketName",
        }
    }

    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::Bucket { .. } => "bucket",
        }
    }
}

/// Returns the type of a stack's resource that holds data.
pub(super) fn kind(stack: &Stack) -> Option<&'static str> {
    let template = Document::parse(stack.template).ok()?;
    [TABLE, BUCKET].into_iter().find(|kind| template.resource_of_type(kind).is_some())
}

impl Target {
    /// Returns the target that a stack's template describes. The default name of the bucket has the account's number.
    pub(crate) async fn new(
        account: &Account,
        stack: &'static Stack,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, DataError> {
        let template = Document::parse(stack.template).map_err(|error| DataError::template(stack, &error))?;
        let fail = |cause: &str| DataError::Template { stack: stack.name, cause: cause.to_owned() };
        let name = stack.stack_name();
        if let Some((logical_id, table)) = template.resource_of_type(TABLE) {
            let properties = table.get("Properties").cloned().unwrap_or_default();
            let wanted = TableProperties::deserialize(properties).map_err(|error| fail(&error.to_string()))?;
            let (logical_id, resource) = (logical_id.to_owned(), wanted.table_name.clone());
            let kind = Kind::Table(Box::new(wanted));
            return Ok(Self { stack, name, template, logical_id, resource, kind, parameters: Vec::new() });
        }
        let (logical_id, bucket) =
            template.resource_of_type(BUCKET).ok_or_else(|| fail("it has no table or bucket"))?;
        let policy = template.resource_of_type(BUCKET_POLICY).map(|(_, policy)| policy);
        let (logical_id, settings) = (logical_id.to_owned(), BucketSettings::of_template(bucket, policy));
        let owner = account.id().await?;
        let chosen = environment.get(BUCKET_VARIABLE).cloned().unwrap_or_default();
        let resource = match chosen.as_str() {
            "" => format!("firefly-device-backups-{owner}-{}", account.region),
            chosen => chosen.to_owned(),
        };
        let parameters = vec![(BUCKET_PARAMETER.to_owned(), chosen)];
        let kind = Kind::Bucket { settings, owner };
        Ok(Self { stack, name, template, logical_id, resource, kind, parameters })
    }

    /// Returns the bucket's properties in the import, which is only the name.
    ///
    /// CloudFormation never applies a setting that an import claims and the bucket lacks. The update after the import
    /// applies the settings that it leaves out.
    pub(super) fn bucket_name_alone(&self) -> Value {
        let bucket = self.template.resource_of_type(BUCKET).map(|(_, bucket)| bucket);
        let name = bucket.and_then(|bucket| bucket.get("Properties")?.get("BucketName")).cloned().unwrap_or_default();
        Value::Mapping([(Value::from("BucketName"), name)].into_iter().collect())
    }
}
