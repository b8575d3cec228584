use std::collections::BTreeMap;

use serde_yaml_ng::Value;

use crate::document::Document;
use crate::error::{Problem, TemplateError};

/// A template's name and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The stack's name without `firefly-`; errors carry it.
    pub name: &'a str,
    /// The YAML or JSON text.
    pub text: &'a str,
}

/// A named template together with the values of its parameters.
pub struct Template<'a> {
    pub(crate) name: &'a str,
    /// Values by parameter name; pseudo-parameters (`AWS::Region`) may be among them.
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) document: Document,
}

impl<'a> Template<'a> {
    /// Parses a template, whose parameters have these values; values it does not declare are ignored.
    ///
    /// # Errors
    ///
    /// [`Problem::Text`] when the text is not a template.
    pub fn parse(source: Source<'a>, parameters: &'a BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let Source { name, text } = source;
        let document = Document::parse(text).map_err(|error| TemplateError {
            template: name.to_owned(),
            member: "the whole text".to_owned(),
            problem: Problem::Text(error),
        })?;
        Ok(Self { name, parameters, document })
    }

    /// An entry of a section such as `Parameters`.
    pub(crate) fn entry(&self, section: &str, name: &str) -> Option<&Value> {
        self.document.entry(section, name)
    }

    pub(crate) fn fail(&self, member: impl Into<String>, problem: Problem) -> TemplateError {
        TemplateError { template: self.name.to_owned(), member: member.into(), problem }
    }
}
