//! The input of one operation, read from a request.

use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::place::is_certificate_id;
use crate::refusal::Refusal;

/// The header that names a certificate by its ARN.
const PRINCIPAL: &str = "x-amzn-principal";

/// The input of one operation.
#[derive(Debug)]
pub(crate) struct Input {
    captures: Vec<String>,
    query: Vec<(String, String)>,
    principal: Option<String>,
    body: Vec<u8>,
}

impl Input {
    /// Reads the query, of which only the parameters `known` are allowed, and keeps the rest.
    pub(crate) fn new(captures: Vec<String>, known: &[&str], head: &Parts, body: &[u8]) -> Result<Self, Refusal> {
        let mut query: Vec<(String, String)> = Vec::new();
        for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.contains(&name.as_str()) {
                return Err(Refusal::invalid(format!("the operation has no parameter {name:?}")));
            }
            if query.iter().any(|(other, _)| *other == name) {
                return Err(Refusal::invalid(format!("the parameter {name:?} is there twice")));
            }
            query.push((name, value));
        }
        let principal = head.headers.get(PRINCIPAL).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { captures, query, principal, body: body.to_owned() })
    }

    /// A part of the path.
    pub(crate) fn capture(&self, index: usize) -> &str {
        self.captures.get(index).map_or("", String::as_str)
    }

    /// The Thing's name, which is the first part of the path.
    pub(crate) fn thing_name(&self) -> Result<&str, Refusal> {
        let name = self.capture(0);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
        check("thingName", name, 128, "[a-zA-Z0-9:_-]+", allowed)
    }

    /// The policy's name, which is the first part of the path.
    pub(crate) fn policy_name(&self) -> Result<&str, Refusal> {
        let name = self.capture(0);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        check("policyName", name, 128, r"[\w+=,.@-]+", allowed)
    }

    /// The certificate's id, which is the first part of the path.
    pub(crate) fn certificate_id(&self) -> Result<&str, Refusal> {
        let id = self.capture(0);
        if is_certificate_id(id) { Ok(id) } else { Err(Refusal::invalid(format!("{id:?} is not a certificateId"))) }
    }

    /// The ARN in the header that names a principal.
    pub(crate) fn principal(&self) -> Result<&str, Refusal> {
        self.principal.as_deref().ok_or_else(|| Refusal::invalid(format!("the header {PRINCIPAL} is missing")))
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is `true` or `false`; `false` where it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.query(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::invalid(format!("{name} is {other:?}, which is neither true nor false"))),
        }
    }

    /// A parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let parse = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| digits);
            number.ok_or_else(|| Refusal::invalid(format!("{name} is {text:?}, which is not a number")))
        };
        self.query(name).map(parse).transpose()
    }

    /// The body. An absent one is an empty object.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Refusal::invalid(format!("the body is malformed: {error}")))
    }

    /// Refuses a body, unless it is an empty object.
    pub(crate) fn no_body(&self) -> Result<(), Refusal> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}
        self.json().map(|Empty {}| ())
    }
}

/// Returns a name if it has 1 to `length` characters, all of them allowed.
pub(crate) fn check<'a>(
    member: &str,
    name: &'a str,
    length: usize,
    pattern: &str,
    allowed: impl Fn(u8) -> bool,
) -> Result<&'a str, Refusal> {
    if (1..=length).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    Err(Refusal::invalid(format!(
        "1 validation error detected: Value {name:?} at '{member}' failed to satisfy constraint: Member must have at most \
         {length} characters and satisfy regular expression pattern: {pattern}"
    )))
}

/// Decodes a part of a path or a query.
pub(crate) fn decode(text: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Refusal::invalid("the request's target is not UTF-8"))
}
