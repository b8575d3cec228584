//! The query protocol: parameters, lists and refusals.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;

use super::http::{escape, response};

pub(crate) type Parameters = BTreeMap<String, String>;

/// The code and message of a refusal.
pub(crate) type Refusal = (&'static str, String);

/// Returns a refusal in the query protocol's form. API Reference: Common Error Types.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    let body = format!(
        "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{}</Message></Error><RequestId>b9b4b068-3a41-11e5-94eb-example</RequestId>\
         </ErrorResponse>",
        escape(message)
    );
    response(status, "text/xml", body)
}

pub(crate) fn members<T>(items: impl IntoIterator<Item = T>, member: impl Fn(T) -> String) -> String {
    items.into_iter().map(|item| format!("<member>{}</member>", member(item))).collect()
}

/// Reads a list of the query protocol: `Name.member.1.Key`.
pub(crate) fn list(parameters: &Parameters, name: &str, key: &str, value: &str) -> Parameters {
    let entries = (1..).map_while(|number| {
        let at = |part: &str| parameters.get(&format!("{name}.member.{number}.{part}")).cloned();
        Some((at(key)?, at(value).unwrap_or_default()))
    });
    entries.collect()
}
