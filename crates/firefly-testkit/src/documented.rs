//! Answers compared with the OpenAPI document.

use std::sync::LazyLock;

use firefly_device::Response;
use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("the document is JSON"));

/// Asserts that the document has the answer's status and every member of its JSON, if it has the request's route.
///
/// API Gateway's own answers have no member but `message`; a route of the document gives them, too.
pub(crate) fn assert_documented(method: &str, path: &str, answer: &Response) {
    let Some(operation) = operation(method, path) else { return };
    let is_json = answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let body: Value =
        if is_json { serde_json::from_slice(&answer.body).expect("the body is JSON") } else { Value::Null };
    let Some(response) = operation["responses"].get(answer.status.to_string()) else {
        let is_own = body.as_object().is_some_and(|members| members.keys().eq(["message"]));
        assert!(is_own, "{method} {path}: the document lacks the status {}: {body}", answer.status);
        return;
    };
    if is_json {
        let schema = &response["content"]["application/json"]["schema"];
        let lacks = undocumented(schema, &body, "");
        assert!(lacks.is_empty(), "{method} {path}: the document lacks {lacks:?} of {body}");
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

/// The members of `value` that a schema does not have, as paths.
fn undocumented(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        Some(pointer) => DOCUMENT.pointer(pointer).expect("the reference leads to a schema"),
        None => schema,
    };
    if let Some(any) = schema["anyOf"].as_array() {
        let each = any.iter().map(|schema| undocumented(schema, value, at));
        return each.min_by_key(Vec::len).unwrap_or_default();
    }
    match value {
        Value::Array(items) if schema.get("items").is_some() => {
            items.iter().flat_map(|item| undocumented(&schema["items"], item, at)).collect()
        }
        Value::Object(members) if schema.get("properties").is_some() => members
            .iter()
            .flat_map(|(name, value)| match schema["properties"].get(name) {
                Some(schema) => undocumented(schema, value, &format!("{at}/{name}")),
                None => vec![format!("{at}/{name}")],
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_that_the_document_lacks_is_named() {
        let page = json!({ "$ref": "#/components/schemas/DevicePage" });
        let device = json!({ "uuid": "a", "mcu": { "model": "b" }, "secret": 1 });
        assert_eq!(undocumented(&page, &json!({ "devices": [device], "more": 1 }), ""), ["/devices/secret", "/more"]);
        assert_eq!(undocumented(&page, &json!({ "devices": [], "next": "c" }), ""), [""; 0]);
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
