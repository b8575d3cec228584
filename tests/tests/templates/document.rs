use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde_yaml_ng::Value;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The path of a stack's template, from the root.
pub(crate) fn template_file(stack: &str) -> String {
    if stack.starts_with("func-") { format!("lambdas/{stack}/template.yaml") } else { format!("stacks/{stack}.yaml") }
}

/// A template of the repository, as it is written.
pub(crate) struct Document(firefly_templates::Document);

impl Document {
    /// The template in this file below the root.
    pub(crate) fn of_file(file: &str) -> Self {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self(firefly_templates::Document::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}")))
    }

    /// The template of a stack.
    pub(crate) fn of_stack(stack: &str) -> Self {
        Self::of_file(&template_file(stack))
    }

    /// The resource of this logical id.
    pub(crate) fn resource(&self, id: &str) -> &Value {
        self.entry("Resources", id).unwrap_or_else(|| panic!("there is no resource {id}"))
    }
}

impl Deref for Document {
    type Target = firefly_templates::Document;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
