//! Templates with CloudFormation's functions resolved.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

use super::account::{ACCOUNT, REGION};

/// A template with the values of its parameters.
pub(crate) struct TemplateDocument {
    sections: Yaml,
    parameters: BTreeMap<String, String>,
}

/// A resource with resolved properties.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) kind: String,
    pub(crate) properties: Value,
    pub(crate) metadata: Value,
    /// The resource's DeletionPolicy.
    pub(crate) policy: Option<String>,
}

impl Declared {
    /// Returns the name that the resource will have.
    pub(crate) fn physical_id(&self, stack: &str, logical_id: &str) -> String {
        let name = ["TableName", "BucketName", "Bucket", "LogGroupName"]
            .iter()
            .find_map(|name| self.properties[name].as_str());
        name.map_or_else(|| format!("{stack}-{logical_id}"), str::to_owned)
    }
}

impl TemplateDocument {
    pub(crate) fn new(text: &str, given: &BTreeMap<String, String>) -> Self {
        let sections: Yaml = serde_yaml_ng::from_str(text).unwrap();
        let mut parameters = BTreeMap::new();
        for (name, declared) in sections.get("Parameters").and_then(Yaml::as_mapping).into_iter().flatten() {
            let name = name.as_str().unwrap().to_owned();
            let default = declared.get("Default").and_then(Yaml::as_str).unwrap_or_default().to_owned();
            parameters.insert(name.clone(), given.get(&name).cloned().unwrap_or(default));
        }
        Self { sections, parameters }
    }

    pub(crate) fn has_outputs(&self) -> bool {
        self.sections.get("Outputs").is_some()
    }

    pub(crate) fn resources(&self) -> BTreeMap<String, Declared> {
        let resources = self.sections.get("Resources").and_then(Yaml::as_mapping).unwrap();
        let declared = resources.iter().map(|(id, resource)| {
            let resolved = |name: &str| resource.get(name).map_or(Value::Null, |value| self.resolve(value));
            let declared = Declared {
                kind: resource["Type"].as_str().unwrap().to_owned(),
                properties: resolved("Properties"),
                metadata: resolved("Metadata"),
                policy: resource.get("DeletionPolicy").and_then(Yaml::as_str).map(str::to_owned),
            };
            (id.as_str().unwrap().to_owned(), declared)
        });
        declared.collect()
    }

    pub(crate) fn outputs(&self) -> BTreeMap<String, String> {
        let outputs = self.sections.get("Outputs").and_then(Yaml::as_mapping).into_iter().flatten();
        let outputs = outputs.filter(|(_, output)| output.get("Condition").is_none());
        let values = outputs.map(|(name, output)| {
            let value = self.resolve(&output["Value"]).as_str().unwrap_or_default().to_owned();
            (name.as_str().unwrap().to_owned(), value)
        });
        values.collect()
    }

    fn resolve(&self, value: &Yaml) -> Value {
        match value {
            Yaml::Tagged(tagged) => self.function(&tagged.tag.to_string(), &tagged.value),
            Yaml::Mapping(mapping) => {
                let entries =
                    mapping.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), self.resolve(value)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
            Yaml::Sequence(items) => items.iter().map(|item| self.resolve(item)).collect(),
            scalar => serde_json::to_value(scalar).unwrap(),
        }
    }

    fn function(&self, name: &str, argument: &Yaml) -> Value {
        match (name, argument) {
            ("!Ref", Yaml::String(name)) => json!(self.reference(name)),
            ("!GetAtt", Yaml::String(path)) => {
                let (resource, attribute) = path.split_once('.').unwrap();
                json!(format!("arn:{attribute}:{}", self.reference(resource)))
            }
            ("!Sub", Yaml::String(text)) => json!(self.substitute(text, &Yaml::Null)),
            ("!Sub", Yaml::Sequence(items)) => json!(self.substitute(items[0].as_str().unwrap(), &items[1])),
            ("!If", Yaml::Sequence(items)) => {
                let holds = self.condition(&self.sections["Conditions"][items[0].as_str().unwrap()]);
                self.resolve(&items[if holds { 1 } else { 2 }])
            }
            _ => panic!("{name} {argument:?}"),
        }
    }

    fn substitute(&self, text: &str, variables: &Yaml) -> String {
        let mut text = text.to_owned();
        while let Some(start) = text.find("${") {
            let end = start + text[start..].find('}').unwrap();
            let name = text[start + 2..end].split('.').next().unwrap().to_owned();
            let value = variables.get(&name).map(|value| self.resolve(value).as_str().unwrap().to_owned());
            text.replace_range(start..=end, &value.unwrap_or_else(|| self.reference(&name)));
        }
        text
    }

    fn condition(&self, condition: &Yaml) -> bool {
        match condition {
            Yaml::Tagged(tagged) if tagged.tag == "!Equals" => {
                self.resolve(&tagged.value[0]) == self.resolve(&tagged.value[1])
            }
            Yaml::Tagged(tagged) if tagged.tag == "!Not" => !self.condition(&tagged.value[0]),
            other => panic!("{other:?}"),
        }
    }

    fn reference(&self, name: &str) -> String {
        match name {
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            parameter if self.parameters.contains_key(parameter) => self.parameters[parameter].clone(),
            logical_id => {
                let properties = &self.sections["Resources"][logical_id]["Properties"];
                let named = ["TableName", "BucketName", "Bucket"].iter().find_map(|name| properties.get(*name));
                named.map_or_else(|| logical_id.to_owned(), |name| self.resolve(name).as_str().unwrap().to_owned())
            }
        }
    }
}
