use std::collections::BTreeMap;

use serde_yaml_ng::{Mapping, Value};

use crate::error::ParseError;
use crate::intrinsic::intrinsic;

/// A template as it is written; its intrinsic functions are not resolved.
#[derive(Debug, Clone)]
pub struct Document(Mapping);

/// A parameter as a template declares it.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its default; `None` where the deployer must give a value.
    pub default: Option<String>,
    /// The values it may have; empty where it may have any.
    pub allowed: Vec<String>,
    /// The regular expression that the whole of a value matches.
    pub pattern: Option<String>,
    /// The values that match it, in words.
    pub constraint: Option<String>,
    /// `true` if its type is `Number`.
    pub is_number: bool,
    /// Smallest value of a number.
    pub minimum: Option<f64>,
}

impl Document {
    /// Parses YAML, or the JSON that CloudFormation keeps of a template given so.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when the text is neither, or not a mapping.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let parsed = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| ParseError::Json(error.to_string()))
        } else {
            serde_yaml_ng::from_str(text).map_err(|error| ParseError::Yaml(error.to_string()))
        };
        match parsed? {
            Value::Mapping(sections) => match unnamed(&sections) {
                None => Ok(Self(sections)),
                Some(key) => Err(ParseError::NotAName(key)),
            },
            _ => Err(ParseError::NotAMapping),
        }
    }

    /// The template as YAML.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when a value has no form in YAML.
    pub fn to_yaml(&self) -> Result<String, ParseError> {
        serde_yaml_ng::to_string(&self.0).map_err(|error| ParseError::Yaml(error.to_string()))
    }

    /// The template's description.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        self.0.get("Description")?.as_str().map(str::to_owned)
    }

    /// The declared parameters, in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let scalar = |declared: &Value, member: &str| declared.get(member).and_then(scalar);
        let parameters = self.section("Parameters").map(|(name, declared)| Parameter {
            name: name.to_owned(),
            default: scalar(declared, "Default"),
            allowed: declared
                .get("AllowedValues")
                .and_then(Value::as_sequence)
                .map(|values| values.iter().filter_map(self::scalar).collect())
                .unwrap_or_default(),
            pattern: scalar(declared, "AllowedPattern"),
            constraint: scalar(declared, "ConstraintDescription"),
            is_number: declared.get("Type").and_then(Value::as_str) == Some("Number"),
            minimum: declared.get("MinValue").and_then(Value::as_f64),
        });
        parameters.collect()
    }

    /// The outputs, each with whether it stands under a condition and may therefore be absent.
    #[must_use]
    pub fn outputs(&self) -> BTreeMap<String, bool> {
        self.section("Outputs").map(|(name, output)| (name.to_owned(), output.get("Condition").is_some())).collect()
    }

    /// The first resource of a type, with its logical id.
    #[must_use]
    pub fn resource_of_type(&self, kind: &str) -> Option<(&str, &Value)> {
        self.resources().find(|(_, resource)| resource.get("Type").and_then(Value::as_str) == Some(kind))
    }

    /// Returns `true` if a resource outlives its stack.
    #[must_use]
    pub fn retains(&self, logical_id: &str) -> bool {
        let resource = self.entry("Resources", logical_id);
        let policy = resource.and_then(|resource| resource.get("DeletionPolicy")).and_then(Value::as_str);
        matches!(policy, Some("Retain" | "RetainExceptOnCreate"))
    }

    /// The name of the log group that the stack makes.
    #[must_use]
    pub fn log_group(&self) -> Option<&str> {
        let (_, group) = self.resource_of_type("AWS::Logs::LogGroup")?;
        group.get("Properties")?.get("LogGroupName")?.as_str()
    }

    /// This template with other properties of one resource.
    #[must_use]
    pub fn with_properties(&self, logical_id: &str, properties: Value) -> Self {
        let mut template = self.clone();
        let resource = template.0.get_mut("Resources").and_then(|resources| resources.get_mut(logical_id));
        if let Some(resource) = resource.and_then(Value::as_mapping_mut) {
            resource.insert("Properties".into(), properties);
        }
        template
    }

    /// The template of an import: this one with one resource alone, of the given properties. Outputs are left out, for an
    /// import may not add them, and so are the metadata of the template and of the resource.
    #[must_use]
    pub fn for_import(&self, logical_id: &str, properties: Value) -> Self {
        let mut template = self.with_properties(logical_id, properties);
        template.0.retain(|name, _| !matches!(name.as_str(), Some("Metadata" | "Outputs")));
        if let Some(resources) = template.0.get_mut("Resources").and_then(Value::as_mapping_mut) {
            resources.retain(|id, _| id.as_str() == Some(logical_id));
            if let Some(resource) = resources.get_mut(logical_id).and_then(Value::as_mapping_mut) {
                resource.remove("Metadata");
            }
        }
        template
    }

    /// The entries of a section such as `Parameters`.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.0.get(name).into_iter().flat_map(members)
    }

    /// The names of its sections, in order.
    pub fn section_names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(Value::as_str)
    }

    /// Returns `true` if there is a top-level section of this name.
    #[must_use]
    pub fn has_section(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// One entry of a section.
    #[must_use]
    pub fn entry(&self, section: &str, name: &str) -> Option<&Value> {
        self.0.get(section)?.get(name)
    }

    /// The resources, each with its logical id.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.section("Resources")
    }

    /// All intrinsic functions of the document, innermost last: name without `Fn::`, and argument.
    #[must_use]
    pub fn functions(&self) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        self.0.values().for_each(|value| collect(value, &mut found));
        found
    }
}

/// The first key of the template or of a section that is not a text, as YAML.
fn unnamed(sections: &Mapping) -> Option<String> {
    let entries = sections.values().filter_map(Value::as_mapping).flat_map(Mapping::keys);
    let key = sections.keys().chain(entries).find(|key| !key.is_string())?;
    Some(serde_yaml_ng::to_string(key).unwrap_or_default().trim_end().to_owned())
}

fn collect<'a>(value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    found.extend(intrinsic(value));
    match value {
        Value::Tagged(tagged) => collect(&tagged.value, found),
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Mapping(members) => members.values().for_each(|member| collect(member, found)),
        _ => {}
    }
}

/// The members of a mapping whose keys are texts; empty for any other value.
pub fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.as_mapping().into_iter().flatten();
    members.filter_map(|(name, member)| Some((name.as_str()?, member)))
}

/// The texts that a value is: one, or a sequence of them. Items of another kind are left out.
#[must_use]
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Sequence(items) => items.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// The argument of the short form `!Tag`, when the value is one.
#[must_use]
pub fn tagged<'a>(value: &'a Value, tag: &str) -> Option<&'a Value> {
    match value {
        Value::Tagged(tagged) if tagged.tag == tag => Some(&tagged.value),
        _ => None,
    }
}

/// A scalar as CloudFormation takes it: text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
