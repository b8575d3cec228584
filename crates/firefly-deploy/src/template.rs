//! Templates as documents: their parameters, outputs and resources.

use std::collections::BTreeMap;

use serde_yaml_ng::{Mapping, Value};

/// A text that is no template.
#[derive(Debug, thiserror::Error)]
#[error("not a template: {0}")]
pub struct TemplateError(String);

/// A parsed template. Intrinsic functions stay as they stand.
#[derive(Debug, Clone)]
pub(crate) struct Template(Mapping);

/// A parameter as a template declares it.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// Its default; none where the deployer must give a value.
    pub(crate) default: Option<String>,
    /// The values it may have; empty where any.
    pub(crate) allowed: Vec<String>,
    pub(crate) is_number: bool,
    /// Smallest value of a number.
    pub(crate) minimum: Option<f64>,
}

impl Template {
    /// Parses YAML, or the JSON that CloudFormation keeps of a template given so.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let parsed = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| error.to_string())
        } else {
            serde_yaml_ng::from_str(text).map_err(|error| error.to_string())
        };
        parsed.map(Self).map_err(TemplateError)
    }

    pub(crate) fn to_yaml(&self) -> Result<String, TemplateError> {
        serde_yaml_ng::to_string(&self.0).map_err(|error| TemplateError(error.to_string()))
    }

    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let scalar = |declared: &Value, member: &str| declared.get(member).and_then(scalar);
        let parameters = self.section("Parameters").map(|(name, declared)| Parameter {
            name: name.to_owned(),
            default: scalar(declared, "Default"),
            allowed: declared
                .get("AllowedValues")
                .and_then(Value::as_sequence)
                .map(|values| values.iter().filter_map(self::scalar).collect())
                .unwrap_or_default(),
            is_number: declared.get("Type").and_then(Value::as_str) == Some("Number"),
            minimum: declared.get("MinValue").and_then(Value::as_f64),
        });
        parameters.collect()
    }

    /// The outputs, each with whether it stands under a condition and may therefore be absent.
    pub(crate) fn outputs(&self) -> BTreeMap<String, bool> {
        self.section("Outputs").map(|(name, output)| (name.to_owned(), output.get("Condition").is_some())).collect()
    }

    /// The first resource of a type, with its logical id.
    pub(crate) fn resource_of_type(&self, kind: &str) -> Option<(&str, &Value)> {
        self.section("Resources").find(|(_, resource)| resource.get("Type").and_then(Value::as_str) == Some(kind))
    }

    /// Whether a resource outlives its stack.
    pub(crate) fn retains(&self, logical_id: &str) -> bool {
        let resource = self.section("Resources").find(|(id, _)| *id == logical_id);
        let policy = resource.and_then(|(_, resource)| resource.get("DeletionPolicy")).and_then(Value::as_str);
        matches!(policy, Some("Retain" | "RetainExceptOnCreate"))
    }

    /// The name of the log group that the stack makes.
    pub(crate) fn log_group(&self) -> Option<&str> {
        let (_, group) = self.resource_of_type("AWS::Logs::LogGroup")?;
        group.get("Properties")?.get("LogGroupName")?.as_str()
    }

    /// This template with other properties of one resource.
    pub(crate) fn with_properties(&self, logical_id: &str, properties: Value) -> Self {
        let mut template = self.clone();
        let resource = template.0.get_mut("Resources").and_then(|resources| resources.get_mut(logical_id));
        if let Some(resource) = resource.and_then(Value::as_mapping_mut) {
            resource.insert("Properties".into(), properties);
        }
        template
    }

    /// The template of an import: one resource alone, of the given properties. An import may not add outputs. Metadata,
    /// the template's and the resource's, are left to the update after it.
    pub(crate) fn for_import(&self, logical_id: &str, properties: Value) -> Self {
        let mut template = self.with_properties(logical_id, properties);
        template.0.remove("Outputs");
        template.0.remove("Metadata");
        if let Some(resources) = template.0.get_mut("Resources").and_then(Value::as_mapping_mut) {
            resources.retain(|id, _| id.as_str() == Some(logical_id));
            if let Some(resource) = resources.get_mut(logical_id).and_then(Value::as_mapping_mut) {
                resource.remove("Metadata");
            }
        }
        template
    }

    fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        let entries = self.0.get(name).and_then(Value::as_mapping);
        entries.into_iter().flatten().filter_map(|(name, entry)| Some((name.as_str()?, entry)))
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
