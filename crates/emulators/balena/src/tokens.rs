//! The words of OData's expressions.

use serde_json::Value;

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Name(String),
    Literal(Value),
    /// One of `(`, `)`, `,`, `:`, `/` and `=`.
    Sign(char),
}

/// Cuts an expression into words; `None` if a character or the end of a text is wrong.
pub(crate) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            ' ' => (None, 1),
            '(' | ')' | ',' | ':' | '/' | '=' => (Some(Token::Sign(first)), 1),
            '\'' => {
                let (value, length) = quoted(rest)?;
                (Some(Token::Literal(value.into())), length)
            }
            '0'..='9' => {
                let length = length_of(rest, |c| c.is_ascii_digit());
                (Some(Token::Literal(rest.get(..length)?.parse::<u64>().ok()?.into())), length)
            }
            first if first.is_ascii_alphabetic() || first == '_' => {
                let length = length_of(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                let token = match rest.get(..length)? {
                    "true" => Token::Literal(true.into()),
                    "false" => Token::Literal(false.into()),
                    "null" => Token::Literal(Value::Null),
                    name => Token::Name(name.to_owned()),
                };
                (Some(token), length)
            }
            _ => return None,
        };
        tokens.extend(token);
        rest = rest.get(length..)?;
    }
    Some(tokens)
}

/// The length in bytes of the characters at the beginning that are of a kind.
fn length_of(text: &str, kind: impl Fn(char) -> bool) -> usize {
    text.find(|character| !kind(character)).unwrap_or(text.len())
}

/// Reads a text in single quotes, in which two quotes stand for one, and its length in bytes with the quotes.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match (character, characters.peek()) {
            ('\'', Some((_, '\''))) => {
                value.push('\'');
                characters.next();
            }
            ('\'', _) => return Some((value, at + 1)),
            (character, _) => value.push(character),
        }
    }
    None
}
