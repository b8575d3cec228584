//! The OpenAPI document of the API, made of the functions: routes of their templates, callers and statuses of the list,
//! bodies of their types.
//!
//! Source: OpenAPI Specification 3.1.1.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use firefly_core::registration::{KEY_FORM, KEY_HEADER};
use firefly_core::signed_request::{NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, UUID_HEADER};
use firefly_functions::{ALL, Caller, Listed};
use firefly_http::openapi::{Operation, SchemaGenerator, SchemaSettings};
use firefly_http::{FailureBody, StatusCode};
use firefly_templates::{Document, FunctionTemplate, RouteKey, TemplateError};
use serde_json::{Map, Value, json};

use crate::stacks::parameters;

/// The path of the document from the repository's root.
const DOCUMENT: &str = "docs/openapi.json";
/// The path of the file with the table of routes, from the repository's root.
const README: &str = "README.md";
/// The lines before and after the table of routes.
const MARKERS: (&str, &str) =
    ("<!-- begin routes: written by `cargo run -- openapi --write`; do not edit -->\n", "<!-- end routes -->\n");

/// The document cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum OpenApiError {
    /// A template cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A file cannot be read or written.
    #[error("{}: {source}; run this in the repository's root", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The README has no place for the table.
    #[error("{README} does not have the line {marker:?} once")]
    Marker {
        /// The line.
        marker: &'static str,
    },
}

/// A function's route, and the summary in its template's description.
struct Described {
    function: &'static Listed,
    route: RouteKey,
    summary: String,
}

fn described() -> Result<Vec<Described>, TemplateError> {
    let parameters = parameters(None);
    let described = ALL.iter().map(|function| {
        let route = FunctionTemplate::parse(function.template, &parameters)?.route;
        // `firefly-NAME - METHOD /path - summary`
        let description = Document::parse(function.template.text).ok().and_then(|document| document.description());
        let summary = description.as_deref().and_then(|text| text.splitn(3, " - ").nth(2)).unwrap_or_default();
        Ok(Described { function, route, summary: summary.to_owned() })
    });
    described.collect()
}

/// Returns the document as JSON text, ending with a line break.
///
/// # Errors
///
/// [`TemplateError`] when a template cannot be read.
pub fn document() -> Result<String, TemplateError> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for described in described()? {
        let path = paths.entry(described.route.path.clone()).or_insert_with(|| json!({}));
        path[described.route.method.as_str().to_lowercase()] = operation(&described, &mut generator);
    }
    generator.subschema_for::<FailureBody>();
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Message".to_owned(), message());
    let document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "FireFly Cloud",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Registers lighting controllers and keeps their encrypted backups. Behind an edge, a \
                            request that has not come through it is answered 403 by every route.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": security_schemes() },
    });
    // `{:#}` of a value of maps, texts and numbers does not fail.
    Ok(format!("{document:#}\n"))
}

/// API Gateway's own answers.
fn message() -> Value {
    json!({
        "type": "object",
        "description": "The body of an answer that API Gateway itself gives.",
        "properties": { "message": { "type": "string" } },
        "required": ["message"],
    })
}

fn security_schemes() -> Value {
    json!({
        "device": {
            "type": "apiKey",
            "in": "header",
            "name": SIGNATURE_HEADER,
            "description": "ECDSA over P-256 and SHA-256 of the nonce's 32 bytes and the timestamp's text: ASN.1 DER in Base64.",
        },
        "key": {
            "type": "apiKey",
            "in": "header",
            "name": KEY_HEADER,
            "description": format!("A one-time registration key: {KEY_FORM}."),
        },
        "user": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
    })
}

fn operation(described: &Described, generator: &mut SchemaGenerator) -> Value {
    let Described { function, route, summary } = described;
    let mut operation = Operation::new(generator);
    (function.describe)(&mut operation);
    let Operation { parameters, request_body, responses, .. } = operation;
    let parameters: Vec<_> =
        path_parameters(route).chain(signature_headers(function.caller)).chain(parameters).collect();
    let mut answers: Map<String, Value> =
        responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
    let own = function.statuses.iter().copied().chain([500, 503]);
    for status in own.filter(|status| *status >= 400) {
        answers.insert(status.to_string(), failure(status));
    }
    if function.caller.has_token() {
        // The authorizer's answer has no code, a function's has one.
        let either = json!([{ "$ref": "#/components/schemas/Message" }, { "$ref": "#/components/schemas/Failure" }]);
        let content = json!({ "application/json": { "schema": { "anyOf": either } } });
        answers.insert("401".to_owned(), json!({ "description": reason(401), "content": content }));
    }
    let mut described = json!({
        "operationId": function.name,
        "summary": summary,
        "description": format!("For {}.", who(function.caller)),
        "security": security(function.caller),
        "responses": answers,
    });
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = request_body {
        described["requestBody"] = body;
    }
    described
}

fn path_parameters(route: &RouteKey) -> impl Iterator<Item = Value> {
    route
        .variables()
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
}

fn signature_headers(caller: Caller) -> impl Iterator<Item = Value> {
    let headers = [
        (UUID_HEADER, "The device of the path."),
        (NONCE_HEADER, "32 random bytes in Base64, never sent before."),
        (TIMESTAMP_HEADER, "The time of the request: `YYYY-MM-DDThh:mm:ssZ`."),
    ];
    headers.into_iter().filter(move |_| caller == Caller::Device).map(|(name, description)| {
        json!({
            "name": name, "in": "header", "required": true, "description": description, "schema": { "type": "string" },
        })
    })
}

fn failure(status: u16) -> Value {
    let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } });
    let mut response = json!({ "description": reason(status), "content": content });
    if [429, 503].contains(&status) {
        let schema = json!({ "type": "integer" });
        response["headers"]["Retry-After"] = json!({ "description": "Seconds to wait.", "schema": schema });
    }
    response
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Failure")
}

fn security(caller: Caller) -> Value {
    match caller {
        Caller::Anyone => json!([]),
        Caller::Device => json!([{ "device": [] }]),
        Caller::Key => json!([{ "key": [] }]),
        Caller::User | Caller::SuperUser => json!([{ "user": [] }]),
    }
}

fn who(caller: Caller) -> &'static str {
    match caller {
        Caller::Anyone => "anyone",
        Caller::Device => "the device, by its signature",
        Caller::Key => "the holder of a registration key",
        Caller::User => "any signed-in user",
        Caller::SuperUser => "members of the group `super_users`",
    }
}

/// Returns the README's table of routes.
///
/// # Errors
///
/// [`TemplateError`] when a template cannot be read.
pub fn routes() -> Result<String, TemplateError> {
    let mut described = described()?;
    described.sort_by(|a, b| (&a.route.path, a.route.method.as_str()).cmp(&(&b.route.path, b.route.method.as_str())));
    let row = |Described { function, route, summary }: &Described| {
        format!("| `{}` | {summary} | {} |\n", route, who(function.caller))
    };
    let rows: String = described.iter().map(row).collect();
    Ok(format!("| route | it | who may call |\n|---|---|---|\n{rows}"))
}

/// Writes the document and the README's table of routes below the repository's root.
///
/// # Errors
///
/// [`OpenApiError`]; each file is then as it was or whole.
pub fn write(root: &Path) -> Result<(), OpenApiError> {
    let (document, readme) = (root.join(DOCUMENT), root.join(README));
    let file = |path: &Path, source| OpenApiError::File { path: path.to_owned(), source };
    let text = fs::read_to_string(&readme).map_err(|source| file(&readme, source))?;
    let text = with_routes(&text, &routes()?)?;
    for (path, text) in [(document, self::document()?), (readme, text)] {
        replace(&path, &text).map_err(|source| file(&path, source))?;
    }
    Ok(())
}

/// The README with this table between its markers.
fn with_routes(readme: &str, routes: &str) -> Result<String, OpenApiError> {
    let split = |text: &str, marker: &'static str| match text.split(marker).collect::<Vec<_>>()[..] {
        [before, after] => Ok((before.to_owned(), after.to_owned())),
        _ => Err(OpenApiError::Marker { marker }),
    };
    let (before, rest) = split(readme, MARKERS.0)?;
    let (_, after) = split(&rest, MARKERS.1)?;
    Ok([&before, MARKERS.0, routes, MARKERS.1, &after].concat())
}

/// Replaces a file as a whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_and_table_are_those_of_the_functions() {
        assert_eq!(
            include_str!("../../../docs/openapi.json"),
            document().unwrap(),
            "run `cargo run -- openapi --write`"
        );
        let readme = include_str!("../../../README.md");
        let written = with_routes(readme, &routes().unwrap()).unwrap();
        assert!(readme == written, "run `cargo run -- openapi --write`");
    }

    #[test]
    fn a_function_describes_every_status_of_success_that_it_says_and_no_other() {
        let mut generator = SchemaGenerator::default();
        for function in &ALL {
            let mut operation = Operation::new(&mut generator);
            (function.describe)(&mut operation);
            let said = function.statuses.iter().copied().filter(|status| *status < 400);
            assert!(operation.responses.keys().copied().eq(said), "{}", function.name);
        }
    }

    #[test]
    fn a_readme_without_a_marker_or_with_two_is_left_alone() {
        let (begin, end) = MARKERS;
        for readme in [String::new(), begin.to_owned(), format!("{end}{begin}"), format!("{begin}{begin}{end}")] {
            assert!(matches!(with_routes(&readme, "x"), Err(OpenApiError::Marker { .. })), "{readme:?}");
        }
        assert_eq!(with_routes(&format!("a\n{begin}b\n{end}c\n"), "x\n").unwrap(), format!("a\n{begin}x\n{end}c\n"));
    }
}
