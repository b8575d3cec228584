//! Every template against the table of routes, and every name that one template or `samconfig.toml` uses of another.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod document;
mod edge;
mod exposure;
mod observability;
mod policies;
mod root;
mod samconfig;
mod stacks;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::sync::{Arc, Mutex};

use document::Document;
use firefly_deploy::graph::{PERMISSIONS_BOUNDARY, STACKS};
use firefly_functions::ALL;
use firefly_render::{Caller, Kind, Store, Tree};
use firefly_runtime::{Environment, Metrics};
use firefly_templates::{AuthorizationType, FunctionTemplate, members, tagged};
use serde_yaml_ng::Value;

/// A route as its function's `function.toml` says it, and whether its stack has the parameter of the bucket.
struct Route {
    function: String,
    key: String,
    caller: Caller,
    bucket: bool,
}

/// The routes of all functions, by the functions' names.
fn routes() -> Vec<Route> {
    let tree = Tree::read(&document::root()).unwrap();
    let is_bucket = |store: &Store| matches!(store.kind, Kind::Bucket { .. });
    let routes = tree.functions().iter().map(|function| Route {
        function: function.name.clone(),
        key: function.route.to_string(),
        caller: function.caller,
        bucket: function.stores(tree.stores()).any(is_bucket),
    });
    routes.collect()
}

/// MiB. Less than 256 lets the TLS handshake of a cold start take seconds; the most any handler needs is a few copies
/// of a backup of 512 KiB.
const MEMORY_MB: std::ops::RangeInclusive<u64> = 256..=512;
/// Seconds. API Gateway waits 30 for an integration; 29 leaves it the time to pass the answer on.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 5..=29;
/// The logical ids of the resources that every function's stack has.
const OWN: [&str; 6] = ["Function", "FunctionLogGroup", "FunctionRole", "Integration", "InvokePermission", "Route"];
/// The kinds of these resources, one of each.
const RESOURCES: [&str; 6] = [
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::IAM::Role",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Serverless::Function",
];
/// Variables that Lambda sets in every function. Source: Lambda Developer Guide, "Defined runtime environment variables".
const SET_BY_LAMBDA: [&str; 4] = ["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
/// Variables by which a function is led to other endpoints than AWS's usual ones, or trusts others; a deployed one is not
/// unless an operator sets them.
const LEADS_ELSEWHERE: [&str; 8] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_APPCONFIGDATA",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "FIREFLY_TRUST_MACHINE_ROOTS",
];

/// The SHA-256 of an edge's secret.
const SECRET_SHA256: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

/// A function's template when everything optional is given.
fn deployed(function: &str) -> FunctionTemplate {
    let parameters = [
        ("ApiId", "a1b2c3"),
        ("AuthorizerId", "d4e5f6"),
        ("SharedLayerArn", "arn:aws:lambda:us-east-1:000000000000:layer:firefly-shared:1"),
        ("AppConfigExtensionLayerArn", "arn:aws:lambda:us-east-1:027255383542:layer:AWS-AppConfig-Extension-Arm64:1"),
        ("AppConfigEnv", "production"),
        ("EdgeSecretSha256", SECRET_SHA256),
        ("LogRetentionDays", "90"),
        ("PermissionsBoundaryArn", "arn:aws:iam::000000000000:policy/firefly-function-boundary"),
        ("BackupBucketName", "firefly-backups"),
    ];
    FunctionTemplate::parse(
        firefly_functions::named(function).unwrap().template,
        &parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    )
    .unwrap()
}

#[test]
fn every_function_is_deployed_as_its_route_says() {
    for route in routes() {
        let function = route.function.as_str();
        let template = deployed(function);
        assert_eq!(template.route.to_string(), route.key);
        let authorizer = if route.caller.has_token() { AuthorizationType::Jwt } else { AuthorizationType::None };
        assert_eq!(template.authorizer, authorizer, "{function}");
        assert_eq!(template.function_name, format!("firefly-{function}"));
        assert_eq!(template.role_name, format!("firefly-{function}-role"));
        assert_eq!((template.runtime.as_str(), template.architecture.as_str()), ("provided.al2023", "arm64"));
        assert_eq!(template.handler, "bootstrap");
        assert_eq!(template.code_uri, format!("../../target/lambda/{function}/"));
        assert!(MEMORY_MB.contains(&template.memory_mb), "{function}: {} MiB", template.memory_mb);
        assert!(TIMEOUT_SECONDS.contains(&template.timeout_seconds), "{function}: {} s", template.timeout_seconds);
        assert_eq!(template.log_group.name, format!("/aws/lambda/firefly-{function}"));
        assert_eq!(template.log_group.retention_days, 90, "{function}");
        assert_eq!(template.layers.len(), 2, "{function}");
        assert_eq!(template.payload_format_version, "2.0", "{function}");
        // A route's `{…}` stands for any text of one segment, which an ARN writes as `*`.
        let (method, path) = route.key.split_once(' ').unwrap();
        let segments = path.split('/').map(|segment| if segment.starts_with('{') { "*" } else { segment });
        let called_from = format!("{method}{}", segments.collect::<Vec<_>>().join("/"));
        let gateway = "arn:aws:execute-api:us-east-1:000000000000:a1b2c3";
        assert_eq!(template.invoke_source_arn, format!("{gateway}/*/{called_from}"), "{function}");

        let document = Document::of_stack(function);
        let extra = format!("lambdas/{function}/extra.yaml");
        let extra = document::root().join(&extra).exists().then(|| Document::of_file(&extra));
        let is_extra = |id: &str| extra.as_ref().is_some_and(|extra| extra.resources().any(|(other, _)| other == id));
        let own = document.resources().filter(|(id, _)| OWN.contains(id) || !is_extra(id));
        let mut kinds: Vec<_> = own.map(|(_, resource)| resource["Type"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, RESOURCES, "{function}");
        assert_eq!(document.resource("Function")["Metadata"]["SkipBuild"].as_bool(), Some(true), "{function}");
        // Permissions stand in the role's own policies alone: no managed policy, and no policy of SAM's beside it.
        let role = document.resource("FunctionRole");
        let names: BTreeSet<_> = members(&role["Properties"]).map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["AssumeRolePolicyDocument", "PermissionsBoundary", "Policies", "RoleName"].into(),
            "{function}"
        );
        // Alone a deployment without the stack bootstrap gives none.
        let boundary = tagged(&role["Properties"]["PermissionsBoundary"], "!If").unwrap();
        assert_eq!(boundary[0].as_str(), Some("HasPermissionsBoundary"), "{function}");
        assert_eq!(tagged(&boundary[1], "!Ref").and_then(Value::as_str), Some(PERMISSIONS_BOUNDARY), "{function}");
        let trusted = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trusted.as_sequence().unwrap().len(), 1, "{function}");
        assert_eq!(trusted[0]["Principal"]["Service"].as_str(), Some("lambda.amazonaws.com"), "{function}");
        assert!(document.resource("Function")["Properties"].get("Policies").is_none(), "{function}");
    }
}

#[test]
fn every_function_folder_has_its_route_its_stack_and_its_place_in_the_build() {
    let routes = routes();
    let routes: BTreeSet<_> = routes.iter().map(|route| route.function.as_str()).collect();
    let folders = fs::read_dir(document::root().join("lambdas")).unwrap();
    let folders: BTreeSet<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(folders.iter().eq(routes.iter().copied()), "{folders:?}");
    assert!(ALL.iter().map(|function| function.name).eq(routes.iter().copied()));
    let stacks = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name).collect::<BTreeSet<_>>();
    assert_eq!(stacks, routes);
    // The packages that `cargo lambda build` builds when it is not told others.
    let manifest = fs::read_to_string(document::root().join("Cargo.toml")).unwrap();
    let packages: String = routes.iter().map(|function| format!("    \"{function}\",\n")).collect();
    assert!(manifest.contains(&format!("[workspace.metadata.lambda.build]\npackages = [\n{packages}]\n")));
}

#[test]
fn a_function_stack_has_the_parameters_that_the_deployment_gives_it() {
    for route in routes() {
        let mut expected = BTreeMap::from([
            ("ApiId", None),
            ("SharedLayerArn", Some("")),
            ("AppConfigExtensionLayerArn", Some("")),
            ("AppConfigEnv", Some("")),
            ("EdgeSecretSha256", Some("")),
            ("LogRetentionDays", Some("30")),
            (PERMISSIONS_BOUNDARY, Some("")),
        ]);
        expected.extend(route.caller.has_token().then_some(("AuthorizerId", None)));
        expected.extend(route.bucket.then_some(("BackupBucketName", Some(""))));
        let document = Document::of_stack(&route.function);
        let parameters = document.parameters();
        let declared: BTreeMap<_, _> =
            parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.default.as_deref())).collect();
        assert_eq!(declared, expected, "{}", route.function);
        for (name, parameter) in document.section("Parameters") {
            let kind = if name == "LogRetentionDays" { "Number" } else { "String" };
            assert_eq!(parameter["Type"].as_str(), Some(kind), "{}: {name}", route.function);
            let required = parameter.get("Default").is_none();
            assert_eq!(parameter["MinLength"].as_u64(), required.then_some(1), "{}: {name}", route.function);
        }
    }
}

/// Starts every function in the environment that its template sets and compares the variables it looks up with those that
/// are set.
#[test]
fn a_function_reads_the_environment_that_its_template_sets() {
    for function in &ALL {
        let name = function.name;
        let template = deployed(name);
        let mut set: BTreeSet<_> = template.environment.keys().cloned().collect();
        set.retain(|name| !LEADS_ELSEWHERE.contains(&name.as_str()));
        let mut variables = template.environment;
        variables.extend(SET_BY_LAMBDA.map(|name| (name.to_owned(), "set".to_owned())));
        let looked_up = Arc::new(Mutex::new(BTreeSet::new()));
        let names = Arc::clone(&looked_up);
        let environment = Environment::from_fn(move |name| {
            names.lock().unwrap().insert(name.to_owned());
            variables.get(name).cloned()
        });
        (function.start)(&environment, Metrics::new(io::sink())).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut looked_up = looked_up.lock().unwrap().clone();
        looked_up.retain(|name| !SET_BY_LAMBDA.contains(&name.as_str()) && !LEADS_ELSEWHERE.contains(&name.as_str()));
        assert_eq!(looked_up, set, "{name}: the variables it reads and those that its template sets");
    }
}
