//! Every role allows what its function does, and nothing else.

#![expect(clippy::expect_used, clippy::panic, reason = "a failed step of a test is a failed test")]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{
    CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, Projection,
    ProjectionType,
};
use firefly_device::{Identity, registration_body};
use firefly_templates::{FunctionTemplate, Grant};
use firefly_testkit::answer::json;
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::recorder::{Recorder, Used};
use firefly_testkit::runtime_api::template;
use firefly_testkit::stored::DEVICES;
use firefly_testkit::{TestCloud, new_device};
use futures::join;

const AWS: &str = "us-east-1:000000000000";

/// The grants that every role has although no call of the function takes them.
fn base(function: &str) -> [Grant; 4] {
    // Lambda itself writes the log, with the function's role, into the group that its stack has made.
    let log = format!("arn:aws:logs:{AWS}:log-group:/aws/lambda/firefly-{function}:*");
    // The extension asks with the function's role, or the function does when it is deployed without the extension. IAM
    // judges by ids, which AppConfig makes up; the template knows names.
    let configuration = format!("arn:aws:appconfig:{AWS}:application/*/environment/*/configuration/*");
    [
        ("logs:CreateLogStream", &log),
        ("logs:PutLogEvents", &log),
        ("appconfig:GetLatestConfiguration", &configuration),
        ("appconfig:StartConfigurationSession", &configuration),
    ]
    .map(|(action, resource)| Grant { action: action.to_owned(), resource: resource.clone() })
}

/// The differences between a function's role and the actions that the function used.
fn differences(template: &FunctionTemplate, used: &BTreeSet<Used>) -> Vec<String> {
    let name = &template.name;
    let used = used.iter().filter(|used| used.function == *name);
    let needed = used.map(|used| Grant { action: used.action.clone(), resource: used.resource.clone() });
    let needed: BTreeSet<_> = needed.chain(base(name)).collect();
    let mut missing = needed.clone();
    let mut found = Vec::new();
    for grant in &template.actions {
        if !missing.remove(grant) {
            let how = if needed.contains(grant) { "granted twice" } else { "granted and never used" };
            found.push(format!("{name}: {} on {} is {how}", grant.action, grant.resource));
        }
    }
    let used =
        missing.iter().map(|grant| format!("{name}: {} on {} is used and not granted", grant.action, grant.resource));
    found.extend(used);
    found
}

/// Does everything that makes any function call AWS; `engines` are reached without being recorded.
async fn everything(cloud: &TestCloud, engines: &TestCloud) {
    assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);

    let key = cloud.mint().await;
    assert_eq!(cloud.as_user("installer", &[], "GET", "/registration-keys").await.status, 200);

    let (device, stranger) = (new_device(), new_device());
    assert_eq!(cloud.register(&device, "WRONG0").await.status, 401);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204, "said again");
    let taken = String::from_utf8(registration_body(&stranger)).expect("the body is JSON");
    let taken = taken.replace(&stranger.uuid().to_string(), &device.uuid().to_string());
    let other = cloud.mint().await;
    let headers = [("X-Registration-Key", other.as_str())];
    assert_eq!(cloud.request("POST", "/devices/register", &headers, Some(taken.as_bytes())).await.status, 409);
    // After so many wrong keys from one address all addresses' are added up.
    for _ in 0..25 {
        cloud.register(&stranger, "WRONG0").await;
    }

    let signed = cloud.sign(&device);
    assert_eq!(cloud.signed(&signed, "GET", "registration", &[], None).await.status, 200);
    assert_eq!(cloud.signed(&signed, "GET", "registration", &[], None).await.status, 401, "a replay");
    assert_eq!(cloud.signed(&cloud.sign(&stranger), "GET", "registration", &[], None).await.status, 404);

    let envelope = device.seal(b"{}", &[7; 12]).expect("a small plaintext");
    let etag = format!("\"{}\"", "0f".repeat(32));
    let both = [("ETag", etag.as_str()), ("If-None-Match", etag.as_str())];
    let upload = async || cloud.signed(&cloud.sign(&device), "POST", "backup", &both, Some(&envelope)).await.status;
    assert_eq!(cloud.restore(&device).await.status, 404, "500 where the role may not list the bucket");
    assert_eq!(upload().await, 200, "nothing to compare with");
    assert_eq!(upload().await, 304);
    assert_eq!(cloud.upload(&device, b"no envelope").await.status, 400);
    assert_eq!(cloud.restore(&device).await.status, 200);
    // The replay record turns over.
    cloud.advance(3_600);
    for _ in 0..2 {
        assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    }

    for function in &firefly_functions::ALL {
        // One of them deletes its device.
        let device = cloud.registered_device().await;
        let answer = cloud.send_genuine(function, &device).await;
        assert!(function.statuses.contains(&answer.status), "{}: {}", function.name, answer.status);
    }

    let product = format!("/devices?product_hex={}", device.product_hex());
    for path in ["/devices", &product] {
        assert_eq!(cloud.as_user("root", &["super_users"], "GET", path).await.status, 200);
    }
    with_the_earlier_index_alone(engines).await;
    let listed = cloud.as_user("root", &["super_users"], "GET", &product).await;
    let listed = json(&listed)["devices"].as_array().expect("a list").clone();
    assert!(listed.iter().any(|listed| listed["uuid"] == device.uuid().to_string()), "{listed:?}");

    operate(cloud, &device).await;
}

/// Gives the devices' table the index that earlier deployments made, in place of its own.
async fn with_the_earlier_index_alone(engines: &TestCloud) {
    let table = engines.dynamodb().describe_table().table_name(DEVICES).send().await;
    let table = table.expect("the embedded DynamoDB answers").table.expect("the table is there");
    let [own] = table.global_secondary_indexes() else { panic!("{:?}", table.global_secondary_indexes()) };
    let (name, key_schema) = (own.index_name().expect("it has a name"), own.key_schema().to_vec());
    let earlier = CreateGlobalSecondaryIndexAction::builder()
        .index_name("product_hex-index")
        .set_key_schema(Some(key_schema))
        .projection(Projection::builder().projection_type(ProjectionType::All).build());
    let deletion = DeleteGlobalSecondaryIndexAction::builder().index_name(name);
    for update in [
        GlobalSecondaryIndexUpdate::builder().create(earlier.build().expect("an index")),
        GlobalSecondaryIndexUpdate::builder().delete(deletion.build().expect("an index")),
    ] {
        let request =
            engines.dynamodb().update_table().table_name(DEVICES).global_secondary_index_updates(update.build());
        let request = request.set_attribute_definitions(table.attribute_definitions.clone());
        request.send().await.expect("the embedded DynamoDB updates the table");
    }
}

/// Does what makes the operators' functions call AWS, and deletes the device in the end.
async fn operate(cloud: &TestCloud, device: &Identity) {
    let path = format!("/devices/{}", device.uuid());
    let operator = async |cloud: &TestCloud, method: &str, what: &str| {
        cloud.as_user("root", &["super_users"], method, &format!("{path}{what}")).await
    };
    let envelope = device.seal(b"{}", &[7; 12]).expect("a small plaintext");
    assert_eq!(cloud.upload(device, &envelope).await.status, 200);
    let backups = operator(cloud, "GET", "/backups").await;
    assert_eq!(backups.status, 200);
    let restore = format!("/backups/{}/restore", json(&backups)["backups"][0]["version"].as_str().expect("a version"));
    assert_eq!(operator(cloud, "POST", &restore).await.status, 200);

    // The device is deleted while a backup is on its way to S3.
    let row = cloud.device_item(device.uuid()).await.expect("a device");
    let (slow, faults) = Faults::over(cloud).await;
    faults.every(Call::PutObject, Fault::Hold(Box::new(Fault::Pass)));
    let deleted_meanwhile = async |calls| {
        faults.arrived(Call::PutObject, calls).await;
        cloud.delete_device_item(device.uuid()).await;
        faults.release();
    };
    assert_eq!(join!(slow.upload(device, &envelope), deleted_meanwhile(1)).0.status, 401);
    cloud.put_item(DEVICES, row).await;
    assert_eq!(join!(operator(&slow, "POST", &restore), deleted_meanwhile(2)).0.status, 404);

    // The nonces of the record have to be kept for a minute.
    cloud.advance(3_600);
    assert_eq!(operator(cloud, "DELETE", "").await.status, 200);
}

async fn recorded() -> BTreeSet<Used> {
    let engines = TestCloud::start().await;
    let (cloud, recorder) = Recorder::over(&engines).await;
    everything(&cloud, &engines).await;
    recorder.used()
}

fn templates() -> impl Iterator<Item = FunctionTemplate> {
    firefly_functions::ALL.iter().map(|function| template(function.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_allows_what_its_function_does_and_nothing_else() {
    let used = recorded().await;
    let found: Vec<_> = templates().flat_map(|template| differences(&template, &used)).collect();
    assert!(found.is_empty(), "{found:#?}");
    // The test itself reads and writes, too.
    let names = used.iter().map(|used| used.function.as_str()).filter(|name| name.starts_with("func-"));
    let names: BTreeSet<_> = names.collect();
    let granted: Vec<_> = templates().filter(|template| template.actions.len() > base(&template.name).len()).collect();
    assert_eq!(names, granted.iter().map(|template| template.name.as_str()).collect(), "who calls AWS");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_action_more_less_or_wider_in_any_role_is_noticed() {
    let used = recorded().await;
    for template in templates() {
        for index in 0..template.actions.len() {
            let mut less = template.clone();
            let removed = less.actions.remove(index);
            assert!(!differences(&less, &used).is_empty(), "{} without {removed:?}", template.name);
        }
        for granted in templates().flat_map(|template| template.actions) {
            let mut more = template.clone();
            more.actions.push(granted.clone());
            assert!(!differences(&more, &used).is_empty(), "{} with {granted:?}", template.name);
        }
        for index in 0..template.actions.len() {
            let mut wider = template.clone();
            wider.actions[index].resource = "*".to_owned();
            assert!(!differences(&wider, &used).is_empty(), "{} on everything", template.name);
        }
    }
}
