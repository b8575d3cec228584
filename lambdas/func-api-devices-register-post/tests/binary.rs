//! The compiled function on a Lambda Runtime API.

use firefly_testkit::runtime_api::RuntimeApi;
use firefly_testkit::{TestCloud, new_device};

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-register-post");

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_device_is_204_and_its_key_is_spent() {
    let cloud = TestCloud::at_real_time().await;
    let (device, key) = (new_device(), cloud.mint().await);
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().registration(&device, key.as_str());
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (204, &b""[..]));
    let item = cloud.device_item(device.uuid()).await.unwrap();
    assert_eq!(item["public_key"].as_s().unwrap(), &device.public_key().to_base64());
    assert_eq!(cloud.key_item(key.as_str()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_401() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let device = new_device();
    function.refused(&function.event().registration(&device, "ABC123"), 401, "invalid_key").await;
    assert_eq!(cloud.device_item(device.uuid()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_devices_with_one_key_on_four_processes_is_204_and_the_others_401() {
    let cloud = TestCloud::at_real_time().await;
    let key = cloud.mint().await;
    let functions = RuntimeApi::start_processes(BINARY, &cloud, 4).await;
    let devices: Vec<_> = (0..50).map(|_| new_device()).collect();
    let events = devices.iter().map(|device| functions[0].event().registration(device, key.as_str()));
    let statuses = RuntimeApi::answer_all(&functions, events.collect()).await;
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 49, "{statuses:?}");
    for (device, status) in devices.iter().zip(statuses) {
        assert_eq!(cloud.device_item(device.uuid()).await.is_some(), status == 204);
    }
}

firefly_testkit::binary_tests!(BINARY, 204);
