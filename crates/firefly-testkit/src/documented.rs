//! Answers compared with the OpenAPI document.

use std::sync::LazyLock;

use firefly_device::Response;
use serde_json::{Map, Value};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("the document is JSON"));

/// Asserts that an answer is one of the document: its route, its status, the type of its body and each member of its JSON.
///
/// API Gateway's own answers are not: a failure that has no member but `message`, and the answer to a preflight.
pub(crate) fn assert_documented(method: &str, path: &str, answer: &Response) {
    let lacks = lacks(method, path, answer);
    assert!(lacks.is_empty(), "{method} {path}: the document lacks {lacks:?} of {} {:?}", answer.status, answer.body);
}

/// The parts of an answer that the document lacks.
fn lacks(method: &str, path: &str, answer: &Response) -> Vec<String> {
    if is_gateways_own(method, answer) {
        return Vec::new();
    }
    let Some(operation) = operation(method, path) else { return vec!["the route".to_owned()] };
    let Some(response) = operation["responses"].get(answer.status.to_string()) else {
        return vec!["the status".to_owned()];
    };
    let kind = answer.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    match (response.get("content").map(|content| content.get(kind)), &answer.body[..]) {
        (None, []) => Vec::new(),
        (Some(Some(content)), [_, ..]) if kind == "application/json" => match serde_json::from_slice(&answer.body) {
            Ok(body) => undocumented(&content["schema"], &body, ""),
            Err(error) => vec![format!("a body that is not JSON: {error}")],
        },
        // A body of any other type may be empty.
        (Some(Some(_)), _) if kind != "application/json" => Vec::new(),
        (_, []) => vec!["the empty body".to_owned()],
        (_, [_, ..]) => vec![format!("the type {kind:?}")],
    }
}

fn is_gateways_own(method: &str, answer: &Response) -> bool {
    match method {
        "OPTIONS" if answer.status == 204 => answer.body.is_empty(),
        "HEAD" if answer.status >= 400 => answer.body.is_empty(),
        _ => {
            let members = serde_json::from_slice::<Map<String, Value>>(&answer.body).unwrap_or_default();
            answer.status >= 400 && members.keys().eq(["message"])
        }
    }
}

/// The operation of a request, if the document has it.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap_or_default();
    let paths = DOCUMENT["paths"].as_object()?;
    let exact = paths.get(path);
    let template = || paths.iter().find(|(template, _)| matches(template, path)).map(|(_, item)| item);
    exact.or_else(template)?.get(method.to_lowercase())
}

fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

/// The members of `value` that a schema does not have, as paths; one that has another type than the schema's is named, too.
///
/// A member takes any value where its schema has a description and nothing else.
fn undocumented(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        Some(pointer) => DOCUMENT.pointer(pointer).expect("the reference leads to a schema"),
        None => schema,
    };
    if let Some(any) = schema["anyOf"].as_array() {
        let each = any.iter().map(|schema| undocumented(schema, value, at));
        return each.min_by_key(Vec::len).unwrap_or_else(|| vec![at.to_owned()]);
    }
    let takes_anything = schema.as_object().is_some_and(|keywords| keywords.keys().eq(["description"]));
    if takes_anything && !at.is_empty() {
        return Vec::new();
    }
    if !is_of(&schema["type"], value) {
        return vec![format!("{at}: {value}")];
    }
    match value {
        Value::Array(items) => items.iter().flat_map(|item| undocumented(&schema["items"], item, at)).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let at = format!("{at}/{name}");
                match (schema["properties"].get(name), &schema["additionalProperties"]) {
                    (Some(schema), _) => undocumented(schema, value, &at),
                    (None, Value::Bool(true)) => Vec::new(),
                    (None, others @ Value::Object(_)) => undocumented(others, value, &at),
                    (None, _) => vec![at],
                }
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns `true` if a value has a type, or one of several, as JSON Schema names them.
fn is_of(types: &Value, value: &Value) -> bool {
    let names: &[&str] = match value {
        Value::Null => &["null"],
        Value::Bool(_) => &["boolean"],
        Value::Number(number) if number.is_f64() => &["number"],
        Value::Number(_) => &["integer", "number"],
        Value::String(_) => &["string"],
        Value::Array(_) => &["array"],
        Value::Object(_) => &["object"],
    };
    let is_one = |kind: &Value| kind.as_str().is_some_and(|kind| names.contains(&kind));
    types.as_array().map_or_else(|| is_one(types), |types| types.iter().any(is_one))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::method_and_path;

    fn answer(status: u16, kind: &str, body: &str) -> Response {
        Response { status, headers: vec![("Content-Type".to_owned(), kind.to_owned())], body: body.to_owned().into() }
    }

    #[test]
    fn the_document_has_the_route_of_every_function() {
        for function in &firefly_functions::ALL {
            let (method, path) = method_and_path(function, "2d411e72-c806-3038-573b-bb16a4a19bcf");
            let operation = operation(&method, &path).map(|operation| &operation["operationId"]);
            assert_eq!(operation, Some(&json!(function.name)), "{method} {path}");
        }
    }

    #[test]
    fn a_route_a_status_a_type_and_an_empty_body_that_the_document_lacks_are_named() {
        let (json, bytes) = ("application/json", "application/octet-stream");
        for (method, path, answer, lacks) in [
            ("GET", "/health", answer(200, json, r#"{"status":"OK"}"#), ""),
            ("GET", "/health", answer(200, "application/json; charset=utf-8", r#"{"status":"OK"}"#), ""),
            ("GET", "/devices/x/backup", answer(200, bytes, "FFCE"), ""),
            ("POST", "/devices/register", answer(204, "", ""), ""),
            ("GET", "/things", answer(404, json, r#"{"message":"Not Found"}"#), ""),
            ("OPTIONS", "/things", answer(204, "", ""), ""),
            ("HEAD", "/health", answer(404, json, ""), ""),
            ("GET", "/things", answer(200, json, r#"{"message":"OK"}"#), "the route"),
            ("GET", "/things", answer(404, json, r#"{"message":"a","code":"b"}"#), "the route"),
            ("GET", "/things", answer(204, "", ""), "the route"),
            ("GET", "/health", answer(404, json, r#"{"message":"a","code":"b"}"#), "the status"),
            ("GET", "/health", answer(201, json, r#"{"message":"OK"}"#), "the status"),
            ("GET", "/devices/x/backup", answer(200, json, r#"{"any":1}"#), "the type \"application/json\""),
            ("GET", "/health", answer(200, bytes, "OK"), "the type \"application/octet-stream\""),
            ("POST", "/devices/register", answer(204, json, r#"{"any":1}"#), "the type \"application/json\""),
            ("GET", "/health", answer(200, json, ""), "the empty body"),
            ("GET", "/health", answer(200, json, r#"{"status":"OK","more":1}"#), "/more"),
        ] {
            assert_eq!(super::lacks(method, path, &answer).join(", "), lacks, "{method} {path} {answer:?}");
        }
    }

    #[test]
    fn a_member_that_the_document_lacks_is_named() {
        let page = json!({ "$ref": "#/components/schemas/DevicePage" });
        let device = json!({ "uuid": "a", "mcu": { "model": "b" }, "secret": 1 });
        assert_eq!(undocumented(&page, &json!({ "devices": [device], "more": 1 }), ""), ["/devices/secret", "/more"]);
        assert_eq!(undocumented(&page, &json!({ "devices": [], "next": "c" }), ""), [""; 0]);
    }

    #[test]
    fn a_schema_without_members_has_none_and_no_schema_is_of_no_value() {
        let value = json!({ "a": [{ "b": 1 }] });
        for (schema, lacks) in [
            (json!({ "type": "object" }), &["/a"][..]),
            (json!({ "type": "object", "additionalProperties": false }), &["/a"]),
            (json!({ "type": "object", "additionalProperties": true }), &[]),
            (json!({ "type": "object", "additionalProperties": { "type": "array" } }), &["/a: {\"b\":1}"]),
            (json!({ "type": "object", "properties": { "a": { "description": "Anything." } } }), &[]),
            (json!({ "type": "object", "properties": { "a": {} } }), &["/a: [{\"b\":1}]"]),
            (json!({ "type": "object", "properties": { "a": { "type": "string" } } }), &["/a: [{\"b\":1}]"]),
            (json!({ "description": "Anything." }), &[": {\"a\":[{\"b\":1}]}"]),
            (json!({}), &[": {\"a\":[{\"b\":1}]}"]),
            (Value::Null, &[": {\"a\":[{\"b\":1}]}"]),
        ] {
            assert_eq!(undocumented(&schema, &value, ""), lacks, "{schema}");
        }
    }

    #[test]
    fn a_path_has_the_operation_of_its_own_route() {
        let id = |method, path| operation(method, path).map(|operation| operation["operationId"].as_str().unwrap());
        assert_eq!(id("POST", "/devices/register"), Some("func-api-devices-register-post"));
        assert_eq!(id("GET", "/devices/x/backup?a=b"), Some("func-api-devices-backup-get"));
        for (method, path) in
            [("PUT", "/health"), ("GET", "/devices//backup"), ("GET", "/devices/x/backup/"), ("GET", "/")]
        {
            assert_eq!(id(method, path), None, "{method} {path}");
        }
    }
}
