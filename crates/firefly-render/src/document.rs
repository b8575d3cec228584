//! Templates that are read for what they say of stores and of the root's stacks.

use firefly_templates::Document as Sections;
use serde_yaml_ng::Value;

use crate::error::Error;

/// A template, and the file it is in.
#[derive(Debug, Clone)]
pub(crate) struct TemplateFile {
    file: String,
    sections: Sections,
}

impl TemplateFile {
    /// Parses a file's text.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let sections = Sections::parse(text).map_err(|error| Error::of_file(file, error.to_string()))?;
        Ok(Self { file: file.to_owned(), sections })
    }

    /// The names of its sections.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.section_names()
    }

    /// The entries of a section.
    pub(crate) fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.sections.section(name)
    }

    /// One entry of a section.
    pub(crate) fn entry(&self, section: &str, name: &str) -> Option<&Value> {
        self.sections.entry(section, name)
    }

    /// The resources, each with its logical id.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.sections.resources()
    }

    /// The first resource of a type, with its logical id.
    pub(crate) fn resource_of_type(&self, kind: &str) -> Option<(&str, &Value)> {
        self.sections.resource_of_type(kind)
    }

    /// An error of a member of this file.
    pub(crate) fn error(&self, member: &str, problem: impl Into<String>) -> Error {
        Error::of_member(&self.file, member, problem)
    }
}
