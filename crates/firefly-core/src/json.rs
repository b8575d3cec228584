//! JSON that is kept as sent, within the limits of DynamoDB.
//!
//! Objects are split into members whose values stay raw text until they are wanted. Until then only the syntax of a
//! value is checked, without recursion, at any depth.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The most containers that may be nested, the outermost being level 1. DynamoDB allows 32 levels.
pub const MAX_DEPTH: usize = 16;

/// The magnitudes of numbers that are neither 0 nor integers. DynamoDB's own range is a little wider.
const MAGNITUDES: std::ops::RangeInclusive<f64> = 1e-120..=1e120;

/// A JSON value (RFC 8259) within the limits of this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonValue {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(JsonNumber),
    /// A string, without its quotes and escapes.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(JsonObject),
}

/// A JSON object with its members in the order sent.
///
/// No name is empty, and no name occurs twice: of duplicates the last value is kept, in the place of the first.
/// Containers are nested at most [`MAX_DEPTH`] deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonObject(Vec<(String, JsonValue)>);

impl JsonObject {
    /// Parses the text of one object, which is level 1.
    ///
    /// # Errors
    ///
    /// [`JsonError`] for the first part of the text that is wrong.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let raw = serde_json::from_str(text).map_err(|_| JsonError::Syntax)?;
        Self::from_raw(raw)
    }

    /// Parses an object whose syntax is known to be right, at level 1.
    pub(crate) fn from_raw(raw: &RawValue) -> Result<Self, JsonError> {
        object(raw, 1)
    }

    /// Iterates over the members in the order sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &JsonValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the value of the member of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&JsonValue> {
        self.iter().find_map(|(member, value)| (member == name).then_some(value))
    }
}

/// A decimal number that DynamoDB takes as it is.
///
/// It is an integer within i64 or u64 without leading zeros, or another number that is 0 or of magnitude 1e-120 to
/// 1e120. The latter has the fewest digits that give the same `f64` back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonNumber(String);

impl JsonNumber {
    /// Returns the decimal text, perhaps with an exponent: `-3`, `0.5`, `1e-7`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Converts a literal that has the syntax of a JSON number.
    fn from_literal(literal: &str) -> Result<Self, JsonError> {
        if !literal.contains(['.', 'e', 'E']) {
            return literal
                .parse::<i64>()
                .map(|integer| integer.to_string())
                .or_else(|_| literal.parse::<u64>().map(|integer| integer.to_string()))
                .map(Self)
                .map_err(|_| JsonError::NumberOutOfRange);
        }
        let number: f64 = literal.parse().map_err(|_| JsonError::Syntax)?;
        if MAGNITUDES.contains(&number.abs()) {
            Ok(Self(format!("{number:?}")))
        } else if is_zero(literal) {
            Ok(Self("0".to_owned()))
        } else {
            Err(JsonError::NumberOutOfRange)
        }
    }
}

/// Returns whether the literal is 0. A literal that is not 0 may be so small that its `f64` is.
fn is_zero(literal: &str) -> bool {
    literal
        .chars()
        .take_while(|character| !matches!(character, 'e' | 'E'))
        .all(|character| !matches!(character, '1'..='9'))
}

/// The reason why text is not a JSON object within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("not JSON")]
    Syntax,
    /// The value is not a string.
    #[error("not a string")]
    NotAString,
    /// The value is not an object.
    #[error("not an object")]
    NotAnObject,
    /// The value is not an array of objects.
    #[error("not an array of objects")]
    NotAnArrayOfObjects,
    /// Containers are nested deeper than [`MAX_DEPTH`].
    #[error("nested too deep")]
    TooDeep,
    /// An object has a member whose name is empty.
    #[error("a member without a name")]
    EmptyName,
    /// A string has an escape that is half of a surrogate pair.
    #[error("half of a surrogate pair")]
    LoneSurrogate,
    /// A number is out of the range of [`JsonNumber`].
    #[error("a number out of range")]
    NumberOutOfRange,
}

/// Parses an object that is `level` deep.
fn object(raw: &RawValue, level: usize) -> Result<JsonObject, JsonError> {
    if !raw.get().starts_with('{') {
        return Err(JsonError::NotAnObject);
    }
    within_depth(level)?;
    let mut members: Vec<(String, JsonValue)> = Vec::new();
    let mut places = BTreeMap::new();
    for (name, value) in Members::of(raw.get()).ok_or(JsonError::Syntax)?.0 {
        let name = string(name)?;
        if name.is_empty() {
            return Err(JsonError::EmptyName);
        }
        let value = self::value(value, level + 1)?;
        let place = *places.entry(name.clone()).or_insert(members.len());
        match members.get_mut(place) {
            Some(member) => member.1 = value,
            None => members.push((name, value)),
        }
    }
    Ok(JsonObject(members))
}

/// Parses an array of objects, the array at level 1.
pub(crate) fn array_of_objects(raw: &RawValue) -> Result<Vec<JsonObject>, JsonError> {
    elements(raw)
        .ok_or(JsonError::NotAnArrayOfObjects)?
        .into_iter()
        .map(|element| match object(element, 2) {
            Err(JsonError::NotAnObject) => Err(JsonError::NotAnArrayOfObjects),
            judged => judged,
        })
        .collect()
}

/// Parses a string.
pub(crate) fn string(raw: &RawValue) -> Result<String, JsonError> {
    if !raw.get().starts_with('"') {
        return Err(JsonError::NotAString);
    }
    // The syntax was checked when the text became raw: only an escape can still be wrong.
    serde_json::from_str(raw.get()).map_err(|_| JsonError::LoneSurrogate)
}

fn value(raw: &RawValue, level: usize) -> Result<JsonValue, JsonError> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => JsonValue::Object(object(raw, level)?),
        Some(b'[') => {
            within_depth(level)?;
            let elements = elements(raw).ok_or(JsonError::Syntax)?;
            JsonValue::Array(elements.into_iter().map(|element| value(element, level + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => JsonValue::String(string(raw)?),
        Some(b't') => JsonValue::Bool(true),
        Some(b'f') => JsonValue::Bool(false),
        Some(b'n') => JsonValue::Null,
        _ => JsonValue::Number(JsonNumber::from_literal(text)?),
    })
}

const fn within_depth(level: usize) -> Result<(), JsonError> {
    if level <= MAX_DEPTH { Ok(()) } else { Err(JsonError::TooDeep) }
}

/// Returns the elements of an array, `None` if `raw` is not an array.
fn elements(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// The members of one object in the order sent, with duplicates; names and values are raw text.
pub(crate) struct Members<'a>(pub(crate) Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Returns the members of an object, `None` if `text` is not exactly one object.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
