//! IAM policies, judged as IAM judges them.
//!
//! Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;

use crate::error::{Problem, TemplateError};
use crate::one_or_many::OneOrMany;
use crate::resolver::Resolver;
use crate::template::{Source, Template};

/// The statements of a role's own policies, or of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// A call that a policy judges.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The IAM action, such as `s3:GetObject`.
    pub action: &'a str,
    /// The ARN. A `*` in it stands for any text: the policy must allow all that it stands for.
    pub resource: &'a str,
    /// The condition keys of the call with their values. A key that is not there is absent from the call.
    pub context: &'a [(&'a str, &'a str)],
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    /// Its name, which decides nothing.
    #[serde(default)]
    sid: Option<String>,
    effect: Effect,
    action: OneOrMany,
    resource: OneOrMany,
    #[serde(default)]
    condition: BTreeMap<Operator, BTreeMap<String, OneOrMany>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

/// The operators of conditions that the house uses. Another one cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Operator {
    StringEquals,
    StringLike,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    policies: Vec<Managed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Managed {
    policy_document: PolicyDocument,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDocument {
    statement: Vec<Statement>,
}

impl Policy {
    /// Reads the policies of the role, or the managed policy, of this logical id.
    ///
    /// # Errors
    ///
    /// The resource is absent, unresolvable or has a member that this crate does not know.
    pub fn parse(
        source: Source<'_>,
        logical_id: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let template = Template::parse(source, parameters)?;
        let member = format!("Resources.{logical_id}");
        let Some(resource) = template.entry("Resources", logical_id) else {
            return Err(template.fail(member, Problem::Shape("is missing".to_owned())));
        };
        let properties = Resolver::new(&template).properties(logical_id, resource)?;
        let policies = if resource.get("Type").and_then(Value::as_str) == Some("AWS::IAM::ManagedPolicy") {
            vec![read::<Managed>(&template, &member, properties)?]
        } else {
            read::<Role>(&template, &member, properties)?.policies
        };
        Ok(Self { statements: policies.into_iter().flat_map(|policy| policy.policy_document.statement).collect() })
    }

    /// Returns `true` if a statement allows the call and none denies it.
    #[must_use]
    pub fn allows(&self, request: Request<'_>) -> bool {
        let applies = |effect| self.statements.iter().any(|one| one.effect == effect && one.applies(request));
        applies(Effect::Allow) && !applies(Effect::Deny)
    }

    /// Iterates over the actions that are allowed, each with the ARN that it is allowed on, whatever the conditions.
    pub fn allowed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.statements.iter().filter(|statement| statement.effect == Effect::Allow).flat_map(|statement| {
            let resources = statement.resource.items();
            let actions = statement.action.items().iter();
            actions.flat_map(move |action| resources.iter().map(move |resource| (action.as_str(), resource.as_str())))
        })
    }
}

fn read<T: DeserializeOwned>(template: &Template<'_>, member: &str, properties: Value) -> Result<T, TemplateError> {
    serde_path_to_error::deserialize(properties).map_err(|error| {
        let member = format!("{member}.Properties.{}", error.path());
        template.fail(member, Problem::Shape(error.into_inner().to_string()))
    })
}

impl Statement {
    fn applies(&self, request: Request<'_>) -> bool {
        // IAM does not tell letters of actions apart by their case.
        let action = request.action.to_ascii_lowercase();
        self.action.items().iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action))
            && self.resource.items().iter().any(|pattern| matches(pattern, request.resource))
            && self.condition.iter().all(|(operator, keys)| {
                keys.iter().all(|(key, values)| {
                    let mut given = request.context.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
                    given.any(|(_, given)| values.items().iter().any(|value| operator.holds(value, given)))
                })
            })
    }
}

impl Operator {
    fn holds(self, value: &str, given: &str) -> bool {
        match self {
            Self::StringEquals => value == given,
            Self::StringLike => matches(value, given),
        }
    }
}

/// Returns `true` if a pattern, in which `*` stands for any text and `?` for any letter, is of a text.
///
/// A `*` of the text is a letter that only a `*` of the pattern stands for.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    if first == '*' {
        return (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]));
    }
    let Some(letter) = text.chars().next() else {
        return false;
    };
    (letter == first || (first == '?' && letter != '*')) && matches(rest, &text[letter.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text_and_covers_another_star() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "a*b"),
            ("a*", "a"),
            ("a*c", "abc*c"),
            ("a?c", "abc"),
            ("table/firefly-*", "table/firefly-devices/index/*"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", "*"),
            ("?", "*"),
            ("?", ""),
            ("a*", "ba"),
            ("a*c", "ab"),
            ("firefly-devices", "firefly-*"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
