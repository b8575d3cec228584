//! The methods and paths of the API; every other one is 404.

use firefly_functions::{ALL, Caller};
use firefly_testkit::answer::{assert_message, json};
use firefly_testkit::runtime_api::template;
use firefly_testkit::{TestCloud, special_case};
use serde_json::json;

use super::{DEVICE, Route, every_route};

/// The answer comes from a cloud that has no store at all.
#[tokio::test(flavor = "multi_thread")]
async fn health_is_ok_and_touches_no_store() {
    let cloud = TestCloud::start().await;
    let storeless = cloud.through("http://127.0.0.1:1", "http://127.0.0.1:1").await;
    for (headers, body) in [
        (vec![], None),
        (vec![("Authorization", "Bearer garbage")], None),
        (vec![("X-Device-UUID", "?"), ("Content-Type", "text/plain")], Some(b"body".as_slice())),
    ] {
        let answer = storeless.request("GET", "/health?x=1", &headers, body).await;
        assert_eq!((answer.status, json(&answer)), (200, json!({ "status": "OK" })));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

/// Returns `true` if a function's route matches: a variable segment stands for any that is not empty.
fn is_route(method: &str, path: &str) -> bool {
    let matches = |route: &str| {
        let (pattern, segments) = (route.split('/'), path.split('/'));
        let is_same = |(pattern, segment): (&str, &str)| {
            if pattern.starts_with('{') { !segment.is_empty() } else { pattern == segment }
        };
        pattern.clone().count() == segments.clone().count() && pattern.zip(segments).all(is_same)
    };
    let mut routes = ALL.iter().map(|function| template(function.name).route);
    routes.any(|route| route.method.as_str() == method && matches(&route.path))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_method_and_path_is_404() {
    let cloud = TestCloud::start().await;
    let storeless = cloud.through("http://127.0.0.1:1", "http://127.0.0.1:1").await;
    let mut unknown: Vec<(&str, String)> = Vec::new();
    for Route { path, .. } in every_route() {
        for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "QUERY", "get"] {
            unknown.push((method, path.clone()));
        }
    }
    for path in [
        "/",
        "//",
        "/healthz",
        "/health/",
        "//health",
        "/Health",
        "/health%2F",
        "/api/health",
        "/devices/",
        "/device",
        "/registration-keys/",
        "/registration-keys/ABC123",
        "/devices/register/",
        "/devices/Register",
        "/%64evices",
        "/devices//backup",
        "/devices//registration",
        "/devices/../health",
        "/./health",
        "/.env",
        "/favicon.ico",
    ] {
        unknown.extend(["GET", "POST"].map(|method| (method, path.to_owned())));
    }
    for tail in ["", "/", "/backup/", "/backup/1", "/backups", "/register", "/registration/", "/backup%2F", "/Backup"] {
        unknown.extend(["GET", "POST", "DELETE"].map(|method| (method, format!("/devices/{DEVICE}{tail}"))));
    }
    unknown.push(("GET", format!("/devices/{DEVICE}/{DEVICE}/backup")));
    // `register` is a route only for POST.
    unknown.push(("GET", "/devices/register".to_owned()));
    unknown.retain(|(method, path)| !is_route(method, path));
    assert!(unknown.len() > 100);
    for (method, path) in unknown {
        let case = format!("{method} {path}");
        let answer = storeless.request(method, &path, &[("X-Other", "1")], None).await;
        assert_eq!(assert_message(&case, &answer, 404), "Not Found", "{case}");
        assert_eq!(json(&answer), json!({ "message": "Not Found" }), "{case}");
    }
    let head = storeless.request("HEAD", "/health", &[("X-Other", "1")], None).await;
    assert_eq!(head.status, 404);
}

/// Only the users' routes ask for a token; the others answer for themselves.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_on_the_users_routes_alone() {
    let cloud = TestCloud::start().await;
    for Route { function, method, path } in &every_route() {
        for token in [None, Some("Bearer garbage")] {
            let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
            let answer = cloud.request(method, path, &headers, None).await;
            let case = format!("{method} {path} {token:?}");
            let expected = match function.caller {
                Caller::Anyone => special_case(&[("func-api-health-get", 200)], function.name).unwrap_or(answer.status),
                Caller::User | Caller::SuperUser => 401,
                Caller::Device | Caller::Key => 400,
            };
            assert_eq!(answer.status, expected, "{case}");
            let for_users = function.caller.has_token();
            assert_eq!(answer.header("www-authenticate").is_some(), for_users, "{case}");
            assert!(for_users || function.statuses.contains(&expected), "{case}: {expected}");
            if expected >= 400 {
                assert_message(&case, &answer, expected);
            }
        }
    }
}

/// CORS is the gateway's: a page of any origin may call the API, and the preflight reaches no function.
#[tokio::test(flavor = "multi_thread")]
async fn cors_headers_allow_pages_of_any_origin() {
    let cloud = TestCloud::start().await;
    let origin = ("Origin", "https://console.example.com");
    for Route { method, path, .. } in &every_route() {
        let preflight = [origin, ("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", "x")];
        let answer = cloud.request("OPTIONS", path, &preflight, None).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert!(answer.header("access-control-allow-methods").unwrap().contains(method.as_str()), "{path}");
        let answer = cloud.request(method, path, &[origin], None).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}: {}", answer.status);
        let answer = cloud.request(method, path, &[("X-Other", "1")], None).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}
