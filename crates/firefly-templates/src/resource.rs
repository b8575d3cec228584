use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;

use crate::error::{Problem, TemplateError};
use crate::resolver::Resolver;
use crate::template::Template;

impl Template<'_> {
    /// The properties of the one resource of a type, resolved; resources whose condition does not hold do not count.
    pub(crate) fn resource<T: DeserializeOwned>(&self, kind: &'static str) -> Result<Resource<'_, T>, TemplateError> {
        let mut found = Vec::new();
        for (id, resource) in self.document.resources() {
            let of_kind = resource.get("Type").and_then(Value::as_str) == Some(kind);
            if of_kind && Resolver::new(self).exists(id, resource)? {
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
            Ok(properties) => Ok(Resource { template: self, id, member, properties }),
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
    pub(crate) fn arn(&self, id: &str) -> Result<String, TemplateError> {
        Resolver::new(self).attribute(id, "Arn")
    }
}

/// A resource with resolved properties.
pub(crate) struct Resource<'a, T> {
    template: &'a Template<'a>,
    /// Its logical id.
    pub(crate) id: &'a str,
    member: String,
    pub(crate) properties: T,
}

impl<T> Resource<'_, T> {
    /// An error at one of the resource's properties.
    pub(crate) fn fail(&self, property: &str, problem: Problem) -> TemplateError {
        self.template.fail(format!("{}.{property}", self.member), problem)
    }

    /// Checks that a property has the value that the rest of the template calls for.
    pub(crate) fn expect(&self, property: &str, found: &str, expected: &str) -> Result<(), TemplateError> {
        if found == expected {
            return Ok(());
        }
        Err(self.fail(property, Problem::Mismatch { found: found.to_owned(), expected: expected.to_owned() }))
    }
}
