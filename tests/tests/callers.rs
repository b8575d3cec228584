//! Each route lets through the callers that its function names, and no others.

use firefly_functions::{ALL, Caller};
use firefly_testkit::TestCloud;
use firefly_testkit::runtime_api::template;

/// The path of a function's route, its variables being those of a device.
fn path(name: &str, device: &str) -> (String, String) {
    let route = template(name).route;
    (route.method.to_string(), route.path.replace("{uuid}", device).replace("{version}", "1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_genuine_request_of_every_function_is_answered_with_success() {
    let cloud = TestCloud::start().await;
    for function in &ALL {
        // A device to be deleted, a backup to be read or deleted.
        let device = cloud.registered_device().await;
        let envelope = device.seal(b"{}", &[7; 12]).expect("a small plaintext");
        assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
        let answer = cloud.send_genuine(function, &device).await;
        assert!((200..300).contains(&answer.status), "{}: {} {:?}", function.name, answer.status, answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_route_without_a_good_token_is_401() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await.uuid().to_string();
    let mut routes = 0;
    for function in ALL.iter().filter(|function| function.caller.has_token()) {
        let (method, path) = path(function.name, &device);
        for headers in [&[][..], &[("Authorization", "Bearer abc")], &[("Authorization", "Basic YTpi")]] {
            let answer = cloud.request(&method, &path, headers, None).await;
            assert_eq!(answer.status, 401, "{}: {headers:?}", function.name);
        }
        routes += 1;
    }
    assert!(routes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_super_users_route_is_403_for_every_other_user() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await.uuid().to_string();
    for function in ALL.iter().filter(|function| function.caller == Caller::SuperUser) {
        let (method, path) = path(function.name, &device);
        let answer = cloud.as_user("anna", &["installers", "super_users2"], &method, &path).await;
        assert_eq!(answer.status, 403, "{}", function.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_route_without_a_signature_is_400_and_with_a_strangers_401_or_404() {
    let cloud = TestCloud::start().await;
    let stranger = firefly_testkit::new_device();
    for function in ALL.iter().filter(|function| function.caller == Caller::Device) {
        let (method, path) = path(function.name, &stranger.uuid().to_string());
        assert_eq!(cloud.request(&method, &path, &[], None).await.status, 400, "{}", function.name);
        let answer = cloud.send_genuine(function, &stranger).await;
        assert!([401, 404].contains(&answer.status), "{}: {}", function.name, answer.status);
    }
}

#[test]
fn the_authorizer_stands_before_the_routes_of_users_alone() {
    for function in &ALL {
        let authorizer = template(function.name).authorizer;
        assert_eq!(authorizer == firefly_templates::Authorizer::Jwt, function.caller.has_token(), "{}", function.name);
    }
}
