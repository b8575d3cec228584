//! The files of a new function: they compile, and its route answers.

use std::collections::BTreeMap;

use crate::function::Caller;
use crate::name;
use crate::route::Route;

/// The device of the recorded events, `fifteen-bytes` of `crates/firefly-core/tests/vectors/device.json`.
const DEVICE: &str = "d609f45d-c02f-2e9e-9318-5170f7b0fd92";

/// The files of a function's folder, named from the root.
pub(crate) fn files(name: &str, route: &Route, caller: Caller) -> BTreeMap<String, String> {
    let files = [
        ("Cargo.toml", manifest(name, caller)),
        ("function.toml", function(route, caller)),
        ("src/lib.rs", library(route, caller)),
        ("src/main.rs", main(name)),
        ("tests/binary.rs", test(name)),
        ("tests/event.json", event(route, caller)),
    ];
    files.into_iter().map(|(file, text)| (format!("lambdas/{name}/{file}"), text)).collect()
}

fn manifest(name: &str, caller: Caller) -> String {
    let stores = if caller == Caller::Device { "firefly-stores.workspace = true\n" } else { "" };
    format!(
        "[package]
name = \"{name}\"
description = \"\"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lints]
workspace = true

[features]
openapi = [\"dep:schemars\", \"firefly-http/openapi\"]

[dependencies]
firefly-core.workspace = true
firefly-http.workspace = true
firefly-runtime.workspace = true
{stores}schemars = {{ workspace = true, optional = true }}
serde.workspace = true

[dev-dependencies]
firefly-testkit.workspace = true
tokio = {{ workspace = true, features = [\"macros\", \"rt-multi-thread\"] }}
"
    )
}

fn function(route: &Route, caller: Caller) -> String {
    let statuses = match caller {
        Caller::Anyone => "[200]",
        Caller::User => "[200, 401]",
        Caller::SuperUser => "[200, 403]",
        Caller::Key => "[200, 400]",
        Caller::Device => "[200, 400, 401, 403, 429]",
    };
    let grant = match caller {
        Caller::Device => {
            "
[[grant]]
on = \"devices\"
actions = [\"dynamodb:BatchGetItem\", \"dynamodb:UpdateItem\"]
reason = \"The device's row, and the replay record kept beside it.\"
"
        }
        _ => "",
    };
    format!(
        "route = \"{route}\"
caller = \"{}\"
summary = \"says that it is there\"
memory = 256
timeout = 9
statuses = {statuses}
{grant}",
        caller.word()
    )
}

/// Returns the imports of a handler's state, its struct and its constructor.
fn state(caller: Caller) -> (&'static str, &'static str, &'static str) {
    match caller {
        Caller::Device => (
            "use firefly_stores::Devices;\n",
            "/// The table it works with.\npub struct Handler {\n    devices: Devices,\n}\n",
            "    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)? })
    }\n",
        ),
        _ => (
            "",
            "/// The handler of requests.\npub struct Handler;\n",
            "    fn new(_environment: &Environment, _aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self)
    }\n",
        ),
    }
}

fn library(route: &Route, caller: Caller) -> String {
    let (now, request, check) = match caller {
        Caller::Anyone => ("_now", "_request", ""),
        Caller::User => ("_now", "request", "        request.caller()?;\n"),
        Caller::SuperUser => ("_now", "request", "        request.require_super_user()?;\n"),
        Caller::Key => ("_now", "request", "        request.registration_key()?;\n"),
        Caller::Device => (
            "now",
            "request",
            "        self.devices.authenticate(request.signed_request()?, now).await?.ok_or(ApiError::UnknownDevice)?;\n",
        ),
    };
    let (uses, handler, new) = state(caller);
    format!(
        "//! `{route}`: says that it is there.

use firefly_core::time::UnixSeconds;
use firefly_http::{{Answer, ApiError, Http, Request, Route, StatusCode}};
use firefly_runtime::{{Aws, ConfigError, Environment, Outcome}};
{uses}use serde::Serialize;

/// The function.
pub type App = Http<Handler>;

{handler}
#[derive(Serialize)]
#[cfg_attr(feature = \"openapi\", derive(schemars::JsonSchema))]
struct Reply {{
    message: &'static str,
}}

impl Route for Handler {{
    const NAME: &'static str = env!(\"CARGO_PKG_NAME\");

{new}
    async fn handle(&self, {now}: UnixSeconds, {request}: Request) -> Result<Answer, ApiError> {{
{check}        Ok(Answer::json(Outcome::new(\"answered\"), StatusCode::OK, &Reply {{ message: \"OK\" }}))
    }}
}}

#[cfg(feature = \"openapi\")]
impl firefly_http::openapi::Described for Handler {{
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {{
        operation.answers_json::<Reply>(200, \"The function is there.\");
    }}
}}
"
    )
}

fn main(name: &str) -> String {
    format!(
        "//! The bootstrap of this function.

use std::process::ExitCode;

fn main() -> ExitCode {{
    firefly_runtime::run::<{}::App>()
}}
",
        name::crate_name(name)
    )
}

fn test(name: &str) -> String {
    format!(
        "//! The compiled function on a Lambda Runtime API.

const BINARY: &str = env!(\"CARGO_BIN_EXE_{name}\");

firefly_testkit::binary_tests!(BINARY, 200);
"
    )
}

/// An event of payload format 2.0. Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP
/// APIs".
fn event(route: &Route, caller: Caller) -> String {
    let path =
        route.variables().fold(route.path.clone(), |path, name| path.replace(&format!("{{{name}}}"), value(name)));
    let parameters: Vec<_> = route.variables().map(|name| format!("    \"{name}\": \"{}\"", value(name))).collect();
    let parameters = if parameters.is_empty() {
        String::new()
    } else {
        format!("  \"pathParameters\": {{\n{}\n  }},\n", parameters.join(",\n"))
    };
    let Route { method, .. } = route;
    format!(
        r#"{{
  "version": "2.0",
  "routeKey": "{route}",
  "rawPath": "{path}",
  "rawQueryString": "",
  "headers": {{
    "accept": "application/json",
    "content-length": "0",
    "host": "api.firefly.example.com",
    "user-agent": "curl/8.14.1",
    "x-amzn-trace-id": "Root=1-69b30e1e-6b1f0d2c3a4e5f6071829304",
{}    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https"
  }},
  "requestContext": {{
    "accountId": "123456789012",
    "apiId": "a1b2c3d4e5",
{}    "domainName": "api.firefly.example.com",
    "domainPrefix": "api",
    "http": {{
      "method": "{method}",
      "path": "{path}",
      "protocol": "HTTP/1.1",
      "sourceIp": "203.0.113.7",
      "userAgent": "curl/8.14.1"
    }},
    "requestId": "UBASb5AmzPdvLjY=",
    "routeKey": "{route}",
    "stage": "$default",
    "time": "12/Mar/2026:19:04:02 +0000",
    "timeEpoch": 1773342242417
  }},
{parameters}  "isBase64Encoded": false
}}
"#,
        headers(caller),
        authorizer(caller)
    )
}

fn value(variable: &str) -> &str {
    if variable == "uuid" { DEVICE } else { "1" }
}

/// The headers of a caller whom the function itself checks.
fn headers(caller: Caller) -> &'static str {
    match caller {
        Caller::Device => {
            r#"    "x-device-nonce": "Ns0uZfhyszWBgPYhD4oZ1cepRzCFw5JQgNBJVfRIuP4=",
    "x-device-signature": "MEUCIFPYltMmMRfVPzr0MnzncSrD7H/I9T9xWxQZaU6N8ZXFAiEAsHYiHqA6VnGWCJjwwmD5luTf+4kvSSw4qDQb3owvYfk=",
    "x-device-timestamp": "2026-03-12T19:04:02Z",
    "x-device-uuid": "d609f45d-c02f-2e9e-9318-5170f7b0fd92",
"#
        }
        Caller::Key => "    \"x-registration-key\": \"A1B2C3\",\n",
        Caller::Anyone | Caller::User | Caller::SuperUser => "",
    }
}

/// The claims of a caller whose token the authorizer has verified.
fn authorizer(caller: Caller) -> &'static str {
    match caller {
        Caller::User | Caller::SuperUser => {
            r#"    "authorizer": {
      "jwt": {
        "claims": {
          "aud": "7lhlkkfbfb4q5kpp90urffao",
          "cognito:groups": "[installers super_users]",
          "email": "installer@example.com",
          "exp": "1773345238",
          "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_A1b2C3d4E",
          "sub": "c3b2a1f0-5d1a-4c27-9f60-1f2e3d4c5b6a",
          "token_use": "id"
        },
        "scopes": null
      }
    },
"#
        }
        Caller::Anyone | Caller::Device | Caller::Key => "",
    }
}
