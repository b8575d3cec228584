//! The description of routes, for an OpenAPI 3.1 document. Only the feature `openapi` compiles it, which no function's
//! build turns on.
//!
//! Source: OpenAPI Specification 3.1.1, "Operation Object"; its schemas are JSON Schema, draft 2020-12.

use std::collections::BTreeMap;

use http::HeaderName;
pub use schemars::generate::SchemaSettings;
pub use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::route::Http;

/// A route that describes itself.
pub trait Described {
    /// Describes the query, headers and body that the route takes, and its answers of success. Path, caller and failures
    /// are known of every route.
    fn describe(operation: &mut Operation<'_>);
}

impl<R: Described> Described for Http<R> {
    fn describe(operation: &mut Operation<'_>) {
        R::describe(operation);
    }
}

/// One route of the document.
pub struct Operation<'g> {
    generator: &'g mut SchemaGenerator,
    /// Parameter Objects of query and headers.
    pub parameters: Vec<Value>,
    /// The Request Body Object, where a body is taken.
    pub request_body: Option<Value>,
    /// The Response Objects of success, by status.
    pub responses: BTreeMap<u16, Value>,
}

impl<'g> Operation<'g> {
    /// An operation of which nothing is known yet; its schemas go to `generator`.
    pub fn new(generator: &'g mut SchemaGenerator) -> Self {
        Self { generator, parameters: Vec::new(), request_body: None, responses: BTreeMap::new() }
    }

    /// Adds an optional query parameter.
    pub fn takes_query(&mut self, name: &str, description: &str) -> &mut Self {
        self.takes("query", name, description)
    }

    /// Adds an optional header.
    pub fn takes_header(&mut self, name: &HeaderName, description: &str) -> &mut Self {
        self.takes("header", name.as_str(), description)
    }

    fn takes(&mut self, place: &str, name: &str, description: &str) -> &mut Self {
        let schema = json!({ "type": "string" });
        self.parameters.push(json!({ "name": name, "in": place, "description": description, "schema": schema }));
        self
    }

    /// Sets the body to JSON of this type.
    pub fn takes_json<T: JsonSchema>(&mut self) -> &mut Self {
        let schema = self.generator.subschema_for::<T>();
        self.request_body = Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
        self
    }

    /// Sets the body to bytes.
    pub fn takes_octets(&mut self, description: &str) -> &mut Self {
        let content = json!({ "application/octet-stream": {} });
        self.request_body = Some(json!({ "required": true, "description": description, "content": content }));
        self
    }

    /// Adds an answer of JSON of this type.
    pub fn answers_json<T: JsonSchema>(&mut self, status: u16, description: &str) -> &mut Self {
        let schema = self.generator.subschema_for::<T>();
        self.answers(
            status,
            json!({ "description": description, "content": { "application/json": { "schema": schema } } }),
        )
    }

    /// Adds an answer of bytes.
    pub fn answers_octets(&mut self, status: u16, description: &str) -> &mut Self {
        self.answers(status, json!({ "description": description, "content": { "application/octet-stream": {} } }))
    }

    /// Adds an answer without a body.
    pub fn answers_empty(&mut self, status: u16, description: &str) -> &mut Self {
        self.answers(status, json!({ "description": description }))
    }

    fn answers(&mut self, status: u16, response: Value) -> &mut Self {
        self.responses.insert(status, response);
        self
    }

    /// Gives every answer so far the header `ETag`.
    pub fn with_etag(&mut self) -> &mut Self {
        let header = json!({
            "description": "The SHA-256 of the plaintext that came with the backup, if one did: 64 hexadecimal digits in quotes.",
            "schema": { "type": "string" },
        });
        for response in self.responses.values_mut() {
            response["headers"]["ETag"] = header.clone();
        }
        self
    }
}
