//! Each route lets through the callers that its function names, and no others.

use firefly_functions::{ALL, Caller, Listed};
use firefly_testkit::runtime_api::template;
use firefly_testkit::{TestCloud, method_and_path, new_device};

/// The functions whose callers `is` accepts, of which there is one at least.
fn called_by(is: impl Fn(Caller) -> bool) -> Vec<&'static Listed> {
    let functions: Vec<_> = ALL.iter().filter(|function| is(function.caller)).collect();
    assert!(!functions.is_empty(), "no function has such callers");
    functions
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
    for function in called_by(Caller::has_token) {
        let (method, path) = method_and_path(function, &device);
        for headers in [&[][..], &[("Authorization", "Bearer abc")], &[("Authorization", "Basic YTpi")]] {
            let answer = cloud.request(&method, &path, headers, None).await;
            assert_eq!(answer.status, 401, "{}: {headers:?}", function.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_super_users_route_is_403_for_every_other_user() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await.uuid().to_string();
    for function in called_by(|caller| caller == Caller::SuperUser) {
        let (method, path) = method_and_path(function, &device);
        let answer = cloud.as_user("anna", &["installers", "super_users2"], &method, &path).await;
        assert_eq!(answer.status, 403, "{}", function.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_route_without_a_signature_is_400_and_with_a_strangers_401_or_404() {
    let cloud = TestCloud::start().await;
    let stranger = new_device();
    for function in called_by(|caller| caller == Caller::Device) {
        let (method, path) = method_and_path(function, &stranger.uuid().to_string());
        assert_eq!(cloud.request(&method, &path, &[], None).await.status, 400, "{}", function.name);
        let answer = cloud.send_genuine(function, &stranger).await;
        assert!([401, 404].contains(&answer.status), "{}: {}", function.name, answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_holders_route_without_a_key_or_with_a_malformed_one_is_400() {
    let cloud = TestCloud::start().await;
    let device = new_device();
    for function in called_by(|caller| caller == Caller::Key) {
        let (method, path) = method_and_path(function, &device.uuid().to_string());
        assert_eq!(cloud.request(&method, &path, &[], None).await.status, 400, "{}", function.name);
        for key in ["", "A1B2C", "A1B2C3D", "a1b2c3", "A1B2-3", "A1B2C3,A1B2C3"] {
            let answer = cloud.send_genuine_with_key(function, &device, key).await;
            assert_eq!(answer.status, 400, "{}: {key:?}", function.name);
        }
    }
}

/// A function as `firefly-render add` makes it checks a key's form alone, and does not say 401.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_holders_route_with_an_unknown_or_a_spent_key_is_401() {
    let cloud = TestCloud::start().await;
    let spent = cloud.mint().await;
    assert_eq!(cloud.register(&new_device(), spent.as_str()).await.status, 204);
    let mut functions = called_by(|caller| caller == Caller::Key);
    functions.retain(|function| function.statuses.contains(&401));
    assert!(!functions.is_empty());
    for function in functions {
        for key in ["A1B2C3", spent.as_str()] {
            let answer = cloud.send_genuine_with_key(function, &new_device(), key).await;
            assert_eq!(answer.status, 401, "{}: {key:?}", function.name);
        }
    }
}

#[test]
fn the_authorizer_stands_before_the_routes_of_users_alone() {
    for function in &ALL {
        let authorizer = template(function.name).authorizer;
        assert_eq!(
            authorizer == firefly_templates::AuthorizationType::Jwt,
            function.caller.has_token(),
            "{}",
            function.name
        );
    }
}
