use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_yaml_ng::{Mapping, Value};

use super::intrinsic::Resolver;
use super::{Problem, Source, TemplateError};

/// A parsed template together with the values of its parameters.
pub(super) struct Document<'a> {
    pub(super) name: &'a str,
    /// Values by parameter name; pseudo-parameters (`AWS::Region`) may be among them.
    pub(super) parameters: &'a BTreeMap<String, String>,
    sections: Mapping,
}

impl<'a> Document<'a> {
    pub(super) fn parse(source: Source<'a>, parameters: &'a BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let fail =
            |problem| TemplateError { template: source.name.to_owned(), member: "the whole text".to_owned(), problem };
        match serde_yaml_ng::from_str(source.yaml) {
            Ok(Value::Mapping(sections)) => Ok(Self { name: source.name, parameters, sections }),
            Ok(_) => Err(fail(Problem::Shape("a mapping of sections is needed".to_owned()))),
            Err(error) => Err(fail(Problem::Yaml(error))),
        }
    }

    /// An entry of a section such as `Parameters`; none where section or entry is absent.
    pub(super) fn entry(&self, section: &str, name: &str) -> Option<&Value> {
        self.sections.get(section)?.get(name)
    }

    /// The properties of the one resource of a type, resolved; resources whose condition does not hold do not count.
    pub(super) fn resource<T: DeserializeOwned>(&self, kind: &'static str) -> Result<Resource<'_, T>, TemplateError> {
        let mut found = Vec::new();
        let resources = self.sections.get("Resources").and_then(Value::as_mapping);
        for (id, resource) in resources.into_iter().flatten() {
            let (Some(id), Some(of_kind)) = (id.as_str(), resource.get("Type").and_then(Value::as_str)) else {
                continue;
            };
            if of_kind == kind && Resolver::new(self).exists(id, resource)? {
                found.push((id, resource));
            }
        }
        let [(id, resource)] = found[..] else {
            let problem = Problem::ResourceCount { kind, found: found.len() };
            return Err(self.fail("Resources", problem));
        };
        let member = format!("Resources.{id}.Properties");
        let properties = Resolver::new(self).properties(id, resource)?;
        match serde_path_to_error::deserialize(properties) {
            Ok(properties) => Ok(Resource { document: self, id, member, properties }),
            Err(error) => {
                let member = match error.path().to_string().as_str() {
                    "." => member,
                    path => format!("{member}.{path}"),
                };
                Err(self.fail(member, Problem::Shape(error.into_inner().to_string())))
            }
        }
    }

    /// The ARN this template's resource has in the local account.
    pub(super) fn arn(&self, id: &str) -> Result<String, TemplateError> {
        Resolver::new(self).attribute(id, "Arn")
    }

    pub(super) fn fail(&self, member: impl Into<String>, problem: Problem) -> TemplateError {
        TemplateError { template: self.name.to_owned(), member: member.into(), problem }
    }
}

/// A resource with resolved properties.
pub(super) struct Resource<'a, T> {
    document: &'a Document<'a>,
    /// Its logical id.
    pub(super) id: &'a str,
    member: String,
    pub(super) properties: T,
}

impl<T> Resource<'_, T> {
    /// An error at one of the resource's properties.
    pub(super) fn fail(&self, property: &str, problem: Problem) -> TemplateError {
        self.document.fail(format!("{}.{property}", self.member), problem)
    }

    /// Checks that a property says what the rest of the template calls for.
    pub(super) fn expect(&self, property: &str, found: &str, expected: &str) -> Result<(), TemplateError> {
        if found == expected {
            return Ok(());
        }
        Err(self.fail(property, Problem::Mismatch { found: found.to_owned(), expected: expected.to_owned() }))
    }
}
