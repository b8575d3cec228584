//! The grants of a function's role.

use toml::{Table, Value};

use crate::error::Error;
use crate::members::Members;
use crate::store::{Kind, Store};

/// The members of a `[[grant]]`.
const MEMBERS: [&str; 6] = ["on", "resource", "actions", "when", "reason", "access"];

/// The form of an ARN, for errors.
const ARN_FORM: &str =
    "an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, of which region and account may be empty";
/// The form of a condition, for errors.
const CONDITION_FORM: &str =
    "{ OPERATOR = { KEY = VALUE } }, such as { StringLike = { \"s3:prefix\" = [\"firmware/*\"] } }, each at least once";

/// Actions on one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The resource that the actions are allowed on.
    pub on: Target,
    /// IAM actions, such as `dynamodb:Query`.
    pub actions: Vec<String>,
    /// The condition as IAM has it: operator, key, value.
    pub when: Option<Table>,
    /// A sentence on why; it stands beside the statement.
    pub reason: Option<String>,
    /// The access in words, where they are not those of [`Grant::access`].
    words: Option<String>,
}

/// A resource that actions are allowed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A table, or a bucket without its objects.
    Store(String),
    /// An index of a table.
    Index {
        /// The store.
        store: String,
        /// The index's name.
        index: String,
    },
    /// The objects of a bucket.
    Objects(String),
    /// An ARN, in the words of `!Sub`.
    Arn(String),
}

impl Target {
    /// The name of the store that the target is or belongs to.
    #[must_use]
    pub fn store(&self) -> Option<&str> {
        match self {
            Self::Store(store) | Self::Objects(store) | Self::Index { store, .. } => Some(store),
            Self::Arn(_) => None,
        }
    }
}

impl Grant {
    /// Reads a `[[grant]]`, whose stores are among these.
    pub(crate) fn read(mut members: Members<'_>, stores: &[Store]) -> Result<Self, Error> {
        let on = match (members.text("on")?, members.text("resource")?) {
            (Some(on), None) => target(&members, &on, stores)?,
            (None, Some(arn)) if is_arn(&arn) => Target::Arn(arn),
            (None, Some(arn)) => return Err(members.error("resource", format!("is {arn:?}; allowed is {ARN_FORM}"))),
            (Some(_), Some(_)) => return Err(members.error("resource", "stands beside on; allowed is one of them")),
            (None, None) => {
                let allowed = format!("is missing; allowed are {}, or resource = an ARN", targets(stores));
                return Err(members.error("on", allowed));
            }
        };
        let service = on.store().and_then(|name| stores.iter().find(|store| store.name == name)).map(service);
        let allowed = format!("IAM actions such as {}", example(service));
        let actions = members.items("actions", &allowed, |action| action_of(action, service))?;
        let grant = Self {
            on,
            actions,
            when: condition(&mut members)?,
            reason: members.text("reason")?,
            words: members.text("access")?,
        };
        if let Some(words) = &grant.words
            && !words.chars().all(|letter| letter.is_ascii_lowercase() || [' ', '/', '-'].contains(&letter))
        {
            return Err(members.error("access", format!("is {words:?}; allowed are words of small letters")));
        }
        if let Some(index) =
            (1..grant.actions.len()).find(|&index| grant.actions[..index].contains(&grant.actions[index]))
        {
            return Err(members.error("actions", format!("has {} twice; allowed is once", grant.actions[index])));
        }
        members.finish(&MEMBERS)?;
        Ok(grant)
    }

    /// The access in words: `read`, `scan`, `write`, `delete` of tables, `get`, `put`, `delete` of buckets.
    pub(crate) fn access(&self) -> Vec<String> {
        if let Some(words) = &self.words {
            return vec![words.clone()];
        }
        let mut words: Vec<_> = self.actions.iter().map(|action| word(action)).collect();
        words.sort_by_key(|word| ORDER.iter().position(|other| other == word).unwrap_or(ORDER.len()));
        words.dedup();
        words.into_iter().map(str::to_owned).collect()
    }
}

/// The order of the words of an access.
const ORDER: [&str; 6] = ["read", "scan", "put", "get", "write", "delete"];

/// The word for an action; for one without, the action's own name.
fn word(action: &str) -> &str {
    match action {
        "dynamodb:GetItem" | "dynamodb:BatchGetItem" => "read",
        "dynamodb:Scan" | "dynamodb:Query" => "scan",
        "dynamodb:PutItem" | "dynamodb:UpdateItem" | "dynamodb:BatchWriteItem" => "write",
        "dynamodb:DeleteItem" | "s3:DeleteObject" | "s3:DeleteObjectVersion" => "delete",
        // S3 grants ListBucket beside GetObject, so that a missing object is told from a forbidden one.
        "s3:GetObject" | "s3:GetObjectVersion" | "s3:ListBucket" | "s3:ListBucketVersions" => "get",
        "s3:PutObject" => "put",
        other => other.split_once(':').map_or(other, |(_, name)| name),
    }
}

fn target(members: &Members<'_>, on: &str, stores: &[Store]) -> Result<Target, Error> {
    let (name, part) = on.split_once('/').map_or((on, None), |(name, part)| (name, Some(part)));
    let refuse = || members.error("on", format!("is {on:?}; allowed are {}", targets(stores)));
    let store = stores.iter().find(|store| store.name == name).ok_or_else(refuse)?;
    let name = name.to_owned();
    match (part, &store.kind) {
        (None, _) => Ok(Target::Store(name)),
        (Some("*"), Kind::Bucket { .. }) => Ok(Target::Objects(name)),
        (Some(part), Kind::Table { indexes, .. }) => match part.strip_prefix("index/") {
            Some(index) if indexes.iter().any(|known| known == index) => {
                Ok(Target::Index { store: name, index: index.to_owned() })
            }
            _ => Err(refuse()),
        },
        (Some(_), Kind::Bucket { .. }) => Err(refuse()),
    }
}

/// The condition of a grant: each operator with its keys, each key with a text or texts. Source: IAM User Guide, "IAM
/// JSON policy elements: Condition".
fn condition(members: &mut Members<'_>) -> Result<Option<Table>, Error> {
    let Some(when) = members.table("when")? else { return Ok(None) };
    let is_value = |value: &Value| match value {
        Value::String(_) => true,
        Value::Array(texts) => !texts.is_empty() && texts.iter().all(Value::is_str),
        _ => false,
    };
    let is_operator = |(name, keys): (&String, &Value)| {
        let word = name.strip_prefix("ForAllValues:").or_else(|| name.strip_prefix("ForAnyValue:")).unwrap_or(name);
        let letters = !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphabetic());
        let keys = keys.as_table().filter(|keys| !keys.is_empty());
        letters && keys.is_some_and(|keys| keys.iter().all(|(key, value)| !key.is_empty() && is_value(value)))
    };
    if when.is_empty() || !when.iter().all(is_operator) {
        let when = Value::Table(when);
        return Err(members.error("when", format!("is {}; allowed is {CONDITION_FORM}", one_line(&when))));
    }
    Ok(Some(when))
}

/// The value as it stands in a line of TOML.
fn one_line(value: &Value) -> String {
    value.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns `true` for an ARN; `!Sub` may fill in any part. Source: IAM User Guide, "Amazon Resource Names".
fn is_arn(text: &str) -> bool {
    // The colons of `${AWS::Region}` are none of the ARN's.
    let parts: Vec<_> =
        text.replace("::Partition", "").replace("AWS::", "").splitn(6, ':').map(str::to_owned).collect();
    let [arn, partition, service, _, _, resource] = parts.as_slice() else { return false };
    arn == "arn" && [partition, service, resource].iter().all(|part| !part.is_empty())
}

/// The values that `on` can have, for errors.
fn targets(stores: &[Store]) -> String {
    let targets = stores.iter().flat_map(|store| {
        let name = &store.name;
        match &store.kind {
            Kind::Table { indexes, .. } => {
                let indexes = indexes.iter().map(|index| format!("{name}/index/{index}"));
                std::iter::once(name.clone()).chain(indexes).collect::<Vec<_>>()
            }
            Kind::Bucket { .. } => vec![name.clone(), format!("{name}/*")],
        }
    });
    targets.collect::<Vec<_>>().join(", ")
}

fn service(store: &Store) -> &'static str {
    match store.kind {
        Kind::Table { .. } => "dynamodb",
        Kind::Bucket { .. } => "s3",
    }
}

fn example(service: Option<&str>) -> &'static str {
    match service {
        Some("s3") => "s3:GetObject",
        Some(_) => "dynamodb:GetItem",
        None => "sqs:SendMessage",
    }
}

/// The action, where it is one named in full, of the service if that is known. A pattern would grant what AWS adds
/// later.
fn action_of(value: &Value, service: Option<&str>) -> Option<String> {
    let (of, name) = value.as_str()?.split_once(':')?;
    let letters = |text: &str, more: char| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == more)
    };
    let valid = letters(of, '-') && letters(name, '_') && service.is_none_or(|service| service == of);
    valid.then(|| format!("{of}:{name}"))
}
