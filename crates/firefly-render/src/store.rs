//! Tables and buckets, as the templates of their stacks describe them in `Metadata: FireFly`.

use std::fs;
use std::path::Path;

use firefly_templates::{members, tagged};
use serde_yaml_ng::Value;

use crate::document::Document;
use crate::error::Error;

/// The members of `Metadata: FireFly`.
const MEMBERS: [&str; 3] = ["Store", "Variable", "Parameter"];

/// A table or a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The name that grants use, such as `devices`.
    pub name: String,
    /// Its stack, such as `dynamodb-devices`.
    pub stack: String,
    /// The environment variable that gives functions the name of the table or bucket.
    pub variable: String,
    /// The kind: a table or a bucket.
    pub kind: Kind,
}

/// The kind of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A DynamoDB table.
    Table {
        /// The table's name.
        name: String,
        /// Names of its global secondary indexes.
        indexes: Vec<String>,
    },
    /// An S3 bucket, which the operator may name.
    Bucket {
        /// The parameter that names the bucket; empty means the default name.
        parameter: String,
        /// The condition that the parameter is empty.
        condition: String,
        /// The default name, in the words of `!Sub`.
        default: String,
    },
}

impl Store {
    /// The file of its template, from the root.
    #[must_use]
    pub fn file(&self) -> String {
        format!("stacks/{}.yaml", self.stack)
    }

    /// The stores of all stacks, by name.
    pub(crate) fn read_all(root: &Path) -> Result<Vec<Self>, Error> {
        let folder = "stacks";
        let unreadable = |error: std::io::Error| Error::of_folder(folder, &error);
        let mut stores: Vec<Self> = Vec::new();
        for entry in fs::read_dir(root.join(folder)).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
            let Some(stack) = name.strip_suffix(".yaml") else { continue };
            let file = format!("{folder}/{name}");
            let text =
                fs::read_to_string(root.join(&file)).map_err(|error| Error::of_file(&file, error.to_string()))?;
            // Others are rendered, too, and may be in any state.
            if text.contains("FireFly:") {
                stores.extend(Self::of_stack(&Document::parse(&file, &text)?, stack)?);
            }
        }
        stores.sort_by(|one, other| (&one.name, &one.stack).cmp(&(&other.name, &other.stack)));
        let same_name = stores.windows(2).find(|pair| pair[0].name == pair[1].name);
        if let Some([one, other]) = same_name {
            let problem = format!("is the store {} of {}, too; every store has its own name", one.name, one.file());
            return Err(Error::of_member(&other.file(), "Metadata.FireFly.Store", problem));
        }
        Ok(stores)
    }

    /// The store of a template; `None` where the template does not name one.
    fn of_stack(document: &Document, stack: &str) -> Result<Option<Self>, Error> {
        let Some(metadata) = document.entry("Metadata", "FireFly") else { return Ok(None) };
        if let Some((name, _)) = members(metadata).find(|(name, _)| !MEMBERS.contains(name)) {
            let problem = format!("is no member; there are {}", MEMBERS.join(", "));
            return Err(document.error(&format!("Metadata.FireFly.{name}"), problem));
        }
        let text = |member: &str| metadata.get(member).and_then(Value::as_str).map(str::to_owned);
        let required = |member: &str| {
            text(member)
                .ok_or_else(|| document.error(&format!("Metadata.FireFly.{member}"), "is missing; allowed is a text"))
        };
        let (name, variable) = (required("Store")?, required("Variable")?);
        let kind = if let Some((id, table)) = document.resource_of_type("AWS::DynamoDB::Table") {
            table_of(document, id, &table["Properties"])?
        } else if let Some((id, bucket)) = document.resource_of_type("AWS::S3::Bucket") {
            bucket_of(document, id, &bucket["Properties"], required("Parameter")?)?
        } else {
            return Err(document.error("Resources", "has no table or bucket; a store has one"));
        };
        Ok(Some(Self { name, stack: stack.to_owned(), variable, kind }))
    }
}

fn table_of(document: &Document, id: &str, properties: &Value) -> Result<Kind, Error> {
    let name = properties["TableName"].as_str();
    let member = format!("Resources.{id}.Properties.TableName");
    let name = name.ok_or_else(|| document.error(&member, "is missing; allowed is a text"))?.to_owned();
    let indexes = properties["GlobalSecondaryIndexes"].as_sequence().into_iter().flatten();
    let indexes = indexes.filter_map(|index| index["IndexName"].as_str().map(str::to_owned)).collect();
    Ok(Kind::Table { name, indexes })
}

/// Reads `BucketName: !If [Condition, !Sub default, !Ref Parameter]`.
fn bucket_of(document: &Document, id: &str, properties: &Value, parameter: String) -> Result<Kind, Error> {
    let name = tagged(&properties["BucketName"], "!If").and_then(Value::as_sequence).map(Vec::as_slice);
    let parts = match name {
        Some([condition, default, given]) => {
            let given = tagged(given, "!Ref").and_then(Value::as_str).filter(|given| *given == parameter);
            let default = tagged(default, "!Sub").and_then(Value::as_str);
            condition.as_str().zip(default).filter(|_| given.is_some())
        }
        _ => None,
    };
    let Some((condition, default)) = parts else {
        let allowed = format!("allowed is !If [CONDITION, !Sub DEFAULT, !Ref {parameter}]");
        return Err(document.error(&format!("Resources.{id}.Properties.BucketName"), allowed));
    };
    Ok(Kind::Bucket { parameter, condition: condition.to_owned(), default: default.to_owned() })
}
