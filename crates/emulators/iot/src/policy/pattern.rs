//! Patterns of texts, with wildcards and policy variables.

use super::error::MalformedPolicy;
use super::request::{Request, Variable};

/// A pattern: ordinary characters, `*` for any characters, `?` for one, and policy variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Character(char),
    One,
    Any,
    Variable(Variable),
}

/// A part of a pattern whose variables have their values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    One,
    Any,
}

/// The characters of a pattern that are not ordinary ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Special {
    /// `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// `${` begins a policy variable.
    pub(super) variables: bool,
}

impl Pattern {
    /// Reads a pattern. `${*}`, `${?}` and `${$}` are the characters themselves.
    ///
    /// # Errors
    /// [`MalformedPolicy::Variable`] if a variable is not known or has no end.
    pub(super) fn parse(text: &str, special: Special) -> Result<Self, MalformedPolicy> {
        let unknown = || MalformedPolicy::Variable { text: text.to_owned() };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if special.variables
                && let Some(begun) = rest.strip_prefix("${")
            {
                let (name, after) = begun.split_once('}').ok_or_else(unknown)?;
                parts.push(match name {
                    "*" => Part::Character('*'),
                    "?" => Part::Character('?'),
                    "$" => Part::Character('$'),
                    name => Part::Variable(Variable::parse(name).ok_or_else(unknown)?),
                });
                rest = after;
                continue;
            }
            parts.push(match character {
                '*' if special.wildcards => Part::Any,
                '?' if special.wildcards => Part::One,
                character => Part::Character(character),
            });
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
        Ok(Self(parts))
    }

    /// Returns `true` if the pattern matches the whole text. A variable without a value matches nothing.
    pub(super) fn matches(&self, text: &str, request: &Request<'_>) -> bool {
        let mut tokens = Vec::with_capacity(self.0.len());
        for part in &self.0 {
            match part {
                Part::Character(character) => tokens.push(Token::Character(*character)),
                Part::One => tokens.push(Token::One),
                Part::Any => tokens.push(Token::Any),
                Part::Variable(variable) => match request.value(variable) {
                    Some(value) => tokens.extend(value.chars().map(Token::Character)),
                    None => return false,
                },
            }
        }
        glob(&tokens, text)
    }

    /// Like [`Self::matches`], but letters match in either case. A pattern with a variable matches nothing.
    pub(super) fn matches_any_case(&self, text: &str) -> bool {
        let token = |part: &Part| match part {
            Part::Character(character) => Some(Token::Character(character.to_ascii_lowercase())),
            Part::One => Some(Token::One),
            Part::Any => Some(Token::Any),
            Part::Variable(_) => None,
        };
        self.0
            .iter()
            .map(token)
            .collect::<Option<Vec<_>>>()
            .is_some_and(|tokens| glob(&tokens, &text.to_ascii_lowercase()))
    }
}

/// Matches a whole text. Only the last `*` is ever tried again, so that the steps are at most the product of both lengths.
fn glob(tokens: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut token, mut at) = (0, 0);
    // The token after the last `*`, and the first character that this `*` does not cover.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(character) = text.get(at) {
        match tokens.get(token) {
            Some(Token::Any) => {
                token += 1;
                retry = Some((token, at));
            }
            Some(Token::One) => (token, at) = (token + 1, at + 1),
            Some(Token::Character(expected)) if expected == character => (token, at) = (token + 1, at + 1),
            _ => match retry {
                Some((after, covered)) => {
                    (token, at) = (after, covered + 1);
                    retry = Some((after, covered + 1));
                }
                None => return false,
            },
        }
    }
    tokens.get(token..).unwrap_or_default().iter().all(|token| *token == Token::Any)
}
