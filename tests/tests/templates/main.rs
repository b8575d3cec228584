//! Every template against the table of routes, and every name that one template or `samconfig.toml` uses of another.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod document;
mod observability;
mod root;
mod samconfig;
mod stacks;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use document::Document;
use firefly_deploy::graph::STACKS;
use firefly_functions::{ALL, Listed};
use firefly_service::environment::Environment;
use firefly_service::metrics::Metrics;
use firefly_templates::{Authorizer, FunctionTemplate, members};

/// A route, and which of the seeds' parameters its stack has besides `ApiId` and the two layers.
struct Route {
    function: &'static str,
    key: &'static str,
    authorizer: Authorizer,
    bucket: bool,
}

const ROUTES: [Route; 9] = [
    signed("func-api-devices-backup-delete", "DELETE /devices/{uuid}/backup", true),
    signed("func-api-devices-backup-get", "GET /devices/{uuid}/backup", true),
    signed("func-api-devices-backup-post", "POST /devices/{uuid}/backup", true),
    user("func-api-devices-get", "GET /devices"),
    open("func-api-devices-register-post", "POST /devices/register"),
    signed("func-api-devices-registration-get", "GET /devices/{uuid}/registration", false),
    open("func-api-health-get", "GET /health"),
    user("func-api-registration-keys-get", "GET /registration-keys"),
    user("func-api-registration-keys-post", "POST /registration-keys"),
];

const fn open(function: &'static str, key: &'static str) -> Route {
    Route { function, key, authorizer: Authorizer::None, bucket: false }
}

/// The function itself verifies the caller's signature.
const fn signed(function: &'static str, key: &'static str, bucket: bool) -> Route {
    Route { function, key, authorizer: Authorizer::None, bucket }
}

const fn user(function: &'static str, key: &'static str) -> Route {
    Route { function, key, authorizer: Authorizer::Jwt, bucket: false }
}

/// MiB. Less than 256 lets the TLS handshake of a cold start take seconds; the most any handler needs is a few copies
/// of a backup of 512 KiB.
const MEMORY_MB: std::ops::RangeInclusive<u64> = 256..=512;
/// Seconds. API Gateway waits 30 for an integration; 29 leaves it the time to pass the answer on.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 5..=29;
/// The kinds of resources of a function's stack, one of each.
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
/// Variables by which a function is led to other endpoints than AWS's; a deployed one is not.
const LEADS_ELSEWHERE: [&str; 3] =
    ["AWS_ENDPOINT_URL_APPCONFIGDATA", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3"];

/// What a function's template says when everything optional is given.
fn deployed(function: &str) -> FunctionTemplate {
    let parameters = [
        ("ApiId", "a1b2c3"),
        ("AuthorizerId", "d4e5f6"),
        ("SharedLayerArn", "arn:aws:lambda:us-east-1:000000000000:layer:firefly-shared:1"),
        ("AppConfigExtensionLayerArn", "arn:aws:lambda:us-east-1:027255383542:layer:AWS-AppConfig-Extension-Arm64:1"),
        ("AppConfigEnv", "production"),
        ("BackupBucketName", "firefly-backups"),
    ];
    FunctionTemplate::parse(
        Listed::named(function).unwrap().template,
        &parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    )
    .unwrap()
}

#[test]
fn every_function_is_deployed_as_its_route_says() {
    for route in ROUTES {
        let Route { function, .. } = route;
        let template = deployed(function);
        assert_eq!(template.route.key(), route.key);
        assert_eq!(template.authorizer, route.authorizer, "{function}");
        assert_eq!(template.function_name, format!("firefly-{function}"));
        assert_eq!(template.role_name, format!("firefly-{function}-role"));
        assert_eq!((template.runtime.as_str(), template.architecture.as_str()), ("provided.al2023", "arm64"));
        assert_eq!(template.handler, "bootstrap");
        assert_eq!(template.code_uri, format!("../../target/lambda/{function}/"));
        assert!(MEMORY_MB.contains(&template.memory_mb), "{function}: {} MiB", template.memory_mb);
        assert!(TIMEOUT_SECONDS.contains(&template.timeout_seconds), "{function}: {} s", template.timeout_seconds);
        assert_eq!(template.log_group.name, format!("/aws/lambda/firefly-{function}"));
        assert_eq!(template.log_group.retention_days, 30, "{function}");
        assert_eq!(template.layers.len(), 2, "{function}");
        assert_eq!(template.payload_format_version, "2.0", "{function}");
        // A route's `{…}` stands for any text of one segment, which an ARN writes as `*`.
        let (method, path) = route.key.split_once(' ').unwrap();
        let called_from = format!("{method}{}", path.replace("{uuid}", "*"));
        let gateway = "arn:aws:execute-api:us-east-1:000000000000:a1b2c3";
        assert_eq!(template.invoke_source_arn, format!("{gateway}/*/{called_from}"), "{function}");

        let document = Document::of_stack(function);
        let mut kinds: Vec<_> = document.resources().map(|(_, resource)| resource["Type"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, RESOURCES, "{function}");
        assert_eq!(document.resource("Function")["Metadata"]["SkipBuild"].as_bool(), Some(true), "{function}");
        // Permissions stand in the role's own policies alone: no managed policy, none of SAM's beside the role.
        let role = document.resource("FunctionRole");
        let names: BTreeSet<_> = members(&role["Properties"]).map(|(name, _)| name).collect();
        assert_eq!(names, ["AssumeRolePolicyDocument", "Policies", "RoleName"].into(), "{function}");
        let trusted = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trusted.as_sequence().unwrap().len(), 1, "{function}");
        assert_eq!(trusted[0]["Principal"]["Service"].as_str(), Some("lambda.amazonaws.com"), "{function}");
        assert!(document.resource("Function")["Properties"].get("Policies").is_none(), "{function}");
    }
}

#[test]
fn every_function_folder_has_its_route_its_stack_and_its_place_in_the_build() {
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| route.function).collect();
    let folders = fs::read_dir(document::root().join("lambdas")).unwrap();
    let folders: BTreeSet<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(folders.iter().eq(routes.iter().copied()), "{folders:?}");
    assert!(ALL.iter().map(|function| function.name).eq(routes.iter().copied()));
    let stacks = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name).collect::<BTreeSet<_>>();
    assert_eq!(stacks, routes);
    // What `cargo lambda build` builds when it is told nothing else.
    let manifest = fs::read_to_string(document::root().join("Cargo.toml")).unwrap();
    let packages: String = routes.iter().map(|function| format!("    \"{function}\",\n")).collect();
    assert!(manifest.contains(&format!("[workspace.metadata.lambda.build]\npackages = [\n{packages}]\n")));
}

#[test]
fn a_function_stack_has_the_parameters_that_the_deployment_gives_it() {
    for route in ROUTES {
        let mut expected = BTreeMap::from([
            ("ApiId", None),
            ("SharedLayerArn", Some("")),
            ("AppConfigExtensionLayerArn", Some("")),
            ("AppConfigEnv", Some("")),
        ]);
        expected.extend((route.authorizer == Authorizer::Jwt).then_some(("AuthorizerId", None)));
        expected.extend(route.bucket.then_some(("BackupBucketName", Some(""))));
        let document = Document::of_stack(route.function);
        let declared: BTreeMap<_, _> =
            document.section("Parameters").map(|(name, parameter)| (name, parameter["Default"].as_str())).collect();
        assert_eq!(declared, expected, "{}", route.function);
        for (name, parameter) in document.section("Parameters") {
            assert_eq!(parameter["Type"].as_str(), Some("String"), "{}: {name}", route.function);
            let required = parameter["Default"].as_str().is_none();
            assert_eq!(parameter["MinLength"].as_u64(), required.then_some(1), "{}: {name}", route.function);
        }
    }
}

/// Starts every function in the environment that its template sets, as far as reading it goes, and compares the variables
/// it asked for with those that are set.
#[test]
fn a_function_reads_the_environment_that_its_template_sets() {
    for function in &ALL {
        let name = function.name;
        let template = deployed(name);
        let set: BTreeSet<_> = template.environment.keys().cloned().collect();
        let mut variables = template.environment;
        variables.extend(SET_BY_LAMBDA.map(|name| (name.to_owned(), "set".to_owned())));
        let environment = Environment::new(variables);
        (function.start)(&environment, Metrics::new(io::sink())).unwrap_or_else(|error| panic!("{name}: {error}"));
        let known = |name: &String| SET_BY_LAMBDA.contains(&name.as_str()) || LEADS_ELSEWHERE.contains(&name.as_str());
        let asked: BTreeSet<_> = environment.asked().into_iter().filter(|name| !known(name)).collect();
        assert_eq!(asked, set, "{name}: what it reads and what its template sets");
    }
}
