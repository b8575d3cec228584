//! CloudFormation YAML as it is read: intrinsic functions stay as they stand.

use std::path::Path;

use serde_yaml_ng::Value;

use crate::error::Error;

/// A parsed file.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) file: String,
    pub(crate) value: Value,
}

impl Document {
    /// Reads a file, named from the root.
    pub(crate) fn read(root: &Path, file: &str) -> Result<Self, Error> {
        let text = std::fs::read_to_string(root.join(file)).map_err(|error| Error::of_file(file, error.to_string()))?;
        Self::parse(file, &text)
    }

    /// Parses a file's text.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let value =
            serde_yaml_ng::from_str(text).map_err(|error| Error::of_file(file, format!("is not YAML: {error}")))?;
        Ok(Self { file: file.to_owned(), value })
    }

    /// The value at a path of members.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |value, name| value.get(*name))
    }

    /// The resources, each with its logical id.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        members(self.at(&["Resources"]))
    }

    /// An error of a member of this file.
    pub(crate) fn error(&self, member: &str, problem: impl Into<String>) -> Error {
        Error::of_member(&self.file, member, problem)
    }
}

/// The members of a mapping whose names are texts; none of another value.
pub(crate) fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.and_then(Value::as_mapping).into_iter().flatten();
    members.filter_map(|(name, member)| Some((name.as_str()?, member)))
}

/// The argument of `!Tag`, where the value is one.
pub(crate) fn tagged<'a>(value: &'a Value, tag: &str) -> Option<&'a Value> {
    match value {
        Value::Tagged(tagged) if tagged.tag == tag => Some(&tagged.value),
        _ => None,
    }
}
