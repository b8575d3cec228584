//! The JSON form of a policy document.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::MalformedPolicy;

/// A document as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Document {
    version: String,
    #[serde(default)]
    #[expect(dead_code, reason = "a document may have an id, which changes nothing")]
    id: Option<String>,
    statement: OneOrMany<WrittenStatement>,
}

impl Document {
    /// Returns `true` if `${` begins a policy variable in the document's version.
    pub(super) fn has_variables(&self, text: &str) -> Result<bool, MalformedPolicy> {
        match self.version.as_str() {
            "2012-10-17" => Ok(true),
            "2008-10-17" if text.contains("${") => Err(MalformedPolicy::VariablesInOldVersion),
            "2008-10-17" => Ok(false),
            version => Err(MalformedPolicy::Version { version: version.to_owned() }),
        }
    }

    pub(super) fn statements(self) -> Vec<WrittenStatement> {
        self.statement.0
    }
}

/// A statement as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct WrittenStatement {
    #[serde(default)]
    #[expect(dead_code, reason = "a statement may have an id, which changes nothing")]
    sid: Option<String>,
    pub(super) effect: WrittenEffect,
    pub(super) action: Option<OneOrMany<String>>,
    pub(super) resource: Option<OneOrMany<String>>,
    pub(super) not_action: Option<serde::de::IgnoredAny>,
    pub(super) not_resource: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    pub(super) condition: Members<Members<OneOrMany<Word>>>,
}

/// The effect of a statement.
#[derive(Deserialize)]
pub(super) enum WrittenEffect {
    Allow,
    Deny,
}

/// A text of a condition; `true` and `false` may stand without quotes.
pub(super) struct Word(pub(super) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;
        impl Visitor<'_> for WordVisitor {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, true or false")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Word, E> {
                Ok(Word(value.to_string()))
            }
        }
        deserializer.deserialize_any(WordVisitor)
    }
}

/// One value, or a list of them.
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value or a list of them")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrMany<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
                T::deserialize(StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<OneOrMany<T>, E> {
                T::deserialize(serde::de::value::BoolDeserializer::new(value)).map(|one| OneOrMany(vec![one]))
            }
        }
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

/// The members of an object, each of them once.
pub(super) struct Members<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for MembersVisitor<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
                let mut members: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if members.iter().any(|(seen, _)| *seen == name) {
                        return Err(A::Error::custom(format_args!("duplicate member `{name}`")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}
