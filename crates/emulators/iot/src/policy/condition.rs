//! Conditions of statements.

use std::borrow::Cow;

use super::document::{Members, OneOrMany, Word};
use super::error::MalformedPolicy;
use super::pattern::{Pattern, Special};
use super::request::{Request, Variable};

/// One condition: an operator, a key and the values that the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    quantifier: Quantifier,
    key: Key,
    values: Vec<Pattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    /// A value of the request has to match.
    Any,
    /// Every value of the request has to match; one that has none meets the condition.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    IsAttached,
    ConnectAttributes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Bool,
    StringEquals,
    StringLike,
}

impl Condition {
    /// Reads the conditions of a statement, all of which have to be met.
    pub(super) fn all(
        written: Members<Members<OneOrMany<Word>>>,
        variables: bool,
    ) -> Result<Vec<Self>, MalformedPolicy> {
        let mut conditions = Vec::new();
        for (operator, keys) in written.0 {
            for (key, values) in keys.0 {
                conditions.push(Self::new(&operator, &key, values.0, variables)?);
            }
        }
        Ok(conditions)
    }

    fn new(operator: &str, key: &str, values: Vec<Word>, variables: bool) -> Result<Self, MalformedPolicy> {
        let refused = || MalformedPolicy::Condition { operator: operator.to_owned(), key: key.to_owned() };
        let (quantifier, name) = match operator.split_once(':') {
            None => (Quantifier::Any, operator),
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(_) => return Err(refused()),
        };
        let comparison = match name {
            "Bool" => Operator::Bool,
            "StringEquals" => Operator::StringEquals,
            "StringLike" => Operator::StringLike,
            _ => return Err(refused()),
        };
        let key = match (key, comparison) {
            ("iot:Connection.Thing.IsAttached", _) => Key::IsAttached,
            ("iot:ConnectAttributes", Operator::StringEquals | Operator::StringLike) => Key::ConnectAttributes,
            _ => return Err(refused()),
        };
        if values.is_empty() {
            return Err(MalformedPolicy::Empty { member: "Condition" });
        }
        let values =
            values.into_iter().map(|Word(value)| pattern(value, comparison, variables)).collect::<Result<_, _>>()?;
        Ok(Self { quantifier, key, values })
    }

    /// Returns `true` if the request meets the condition.
    pub(super) fn is_met_by(&self, request: &Request<'_>) -> bool {
        let values: Vec<Cow<'_, str>> = match self.key {
            Key::IsAttached => request.value(&Variable::IsAttached).into_iter().collect(),
            Key::ConnectAttributes => request.connect_attributes.iter().map(|value| Cow::from(*value)).collect(),
        };
        let matches = |value: &Cow<'_, str>| self.values.iter().any(|pattern| pattern.matches(value, request));
        match self.quantifier {
            Quantifier::Any => values.iter().any(matches),
            Quantifier::All => values.iter().all(matches),
        }
    }
}

fn pattern(value: String, operator: Operator, variables: bool) -> Result<Pattern, MalformedPolicy> {
    let special = Special { wildcards: operator == Operator::StringLike, variables };
    match (operator, value.to_ascii_lowercase().as_str()) {
        (Operator::Bool, lower @ ("true" | "false")) => Pattern::parse(lower, special),
        (Operator::Bool, _) => Err(MalformedPolicy::NotBool { value }),
        (Operator::StringEquals | Operator::StringLike, _) => Pattern::parse(&value, special),
    }
}
