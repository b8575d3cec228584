use std::path::{Path, PathBuf};

use serde_yaml_ng::Value;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where a stack's template is, from the root.
pub(crate) fn template_file(stack: &str) -> String {
    if stack.starts_with("func-") { format!("lambdas/{stack}/template.yaml") } else { format!("stacks/{stack}.yaml") }
}

/// A template, its intrinsic functions as they stand.
pub(crate) struct Document(Value);

impl Document {
    /// The template in this file below the root.
    pub(crate) fn of_file(file: &str) -> Self {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self(serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}")))
    }

    /// The template of a stack.
    pub(crate) fn of_stack(stack: &str) -> Self {
        Self::of_file(&template_file(stack))
    }

    /// The entries of a section such as `Parameters`.
    pub(crate) fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        let entries = self.0.get(name).and_then(Value::as_mapping);
        entries.into_iter().flatten().map(|(name, entry)| (name.as_str().unwrap(), entry))
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.section("Resources")
    }

    /// The resource of this logical id.
    pub(crate) fn resource(&self, id: &str) -> &Value {
        let found = self.0["Resources"].get(id);
        found.unwrap_or_else(|| panic!("there is no resource {id}"))
    }

    /// Whether there is a top-level section of this name.
    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// All intrinsic functions of the document, innermost last: name without `Fn::`, and argument.
    pub(crate) fn functions(&self) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        collect(&self.0, &mut found);
        found
    }
}

fn collect<'a>(value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Tagged(tagged) => {
            found.push((tagged.tag.to_string().trim_start_matches('!').to_owned(), &tagged.value));
            collect(&tagged.value, found);
        }
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Mapping(members) => {
            for (name, member) in members {
                if let Some(function) = name.as_str().and_then(|name| name.strip_prefix("Fn::")) {
                    found.push((function.to_owned(), member));
                }
                collect(member, found);
            }
        }
        _ => {}
    }
}

/// The members of a mapping.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_mapping().into_iter().flatten().map(|(name, member)| (name.as_str().unwrap(), member))
}

/// The texts that a value is: one, or a sequence of them.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Sequence(items) => items.iter().map(|item| item.as_str().unwrap()).collect(),
        Value::Null => Vec::new(),
        other => panic!("{other:?} where texts belong"),
    }
}

/// The argument of `!Tag`, when the value is one.
pub(crate) fn tagged<'a>(value: &'a Value, tag: &str) -> Option<&'a Value> {
    match value {
        Value::Tagged(tagged) if tagged.tag == tag => Some(&tagged.value),
        _ => None,
    }
}
