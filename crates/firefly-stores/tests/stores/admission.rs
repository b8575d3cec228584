//! `Devices::authenticate` and `Devices::registration`.

use emulator_kit::faults::Fault;
use firefly_core::signed_request::AuthError;
use firefly_stores::{AdmitError, StoreError};
use futures_util::future::join_all;
use serde_json::json;

use crate::controller::Controller;
use crate::engines::{DEVICES, Engines, NOW, item, text};

fn record_key(controller: &Controller) -> String {
    format!("{}#replay", controller.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_device_is_none_and_nothing_is_written() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    assert!(engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap().is_none());
    assert!(engines.devices().registration(controller.sign(1, NOW), NOW).await.unwrap().is_none());
    assert_eq!(engines.faults.count("UpdateItem"), 0);
    assert_eq!(engines.item(DEVICES, &record_key(&controller)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_a_registered_device_is_admitted_in_one_read_and_one_write() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    let device = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap().unwrap();
    assert_eq!(device.id(), controller.id);
    assert_eq!((engines.faults.count("BatchGetItem"), engines.faults.count("UpdateItem")), (1, 1));
    let record = engines.item(DEVICES, &record_key(&controller)).await.unwrap();
    assert_eq!(record["nonces"].as_m().unwrap().len(), 1);
    assert_eq!(engines.item(DEVICES, &controller.id.to_string()).await, Some(controller.row()));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_an_old_row_lacks_are_null() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    let uuid = controller.id.to_string();
    engines.put(DEVICES, item([("uuid", text(&uuid)), ("public_key", text(&controller.public_key()))])).await;
    let (_, registration) = engines.devices().registration(controller.sign(1, NOW), NOW).await.unwrap().unwrap();
    let expected = json!({
        "uuid": uuid, "product_id": null, "product_hex": null, "device_class": null, "registration_date": null,
        "registering_application": null, "registering_version": null,
    });
    assert_eq!(serde_json::to_value(registration).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_timestamp_is_judged_before_a_bad_signature_and_neither_spends_the_nonce() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    let forger = Controller::with_key(1, 2);
    let devices = engines.devices();
    for (signer, late) in [(&controller, true), (&forger, true), (&forger, false)] {
        let now = if late { NOW.saturating_add(11) } else { NOW };
        match devices.authenticate(signer.sign(1, NOW), now).await.unwrap_err() {
            AdmitError::Auth(AuthError::StaleTimestamp { sent_at, now: at }) => {
                assert!(late);
                assert_eq!((sent_at, at), (NOW, now));
            }
            AdmitError::Auth(AuthError::BadSignature) => assert!(!late),
            other => panic!("{other}"),
        }
    }
    assert_eq!(engines.item(DEVICES, &record_key(&controller)).await, None);
    assert!(devices.authenticate(controller.sign(1, NOW), NOW).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_good_once_on_any_instance_and_at_any_time() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    assert!(engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap().is_some());
    for devices in [engines.devices(), engines.devices()] {
        for second in [0, 10] {
            let again = controller.sign(1, NOW.saturating_add(second));
            assert!(matches!(devices.authenticate(again, NOW).await, Err(AdmitError::Replayed)));
        }
    }
    assert!(engines.devices().authenticate(controller.sign(2, NOW), NOW).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_copies_at_once_one_is_admitted() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    let instances = [engines.devices(), engines.devices()];
    let requests = (0..20).map(|copy| instances[copy % 2].authenticate(controller.sign(1, NOW), NOW));
    let results = join_all(requests).await;
    assert_eq!(results.iter().filter(|result| matches!(result, Ok(Some(_)))).count(), 1);
    assert_eq!(results.iter().filter(|result| matches!(result, Err(AdmitError::Replayed))).count(), 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_at_once_all_are_admitted() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    let instances = [engines.devices(), engines.devices()];
    let requests =
        (0..10_u8).map(|nonce| instances[usize::from(nonce % 2)].authenticate(controller.sign(nonce, NOW), NOW));
    for result in join_all(requests).await {
        assert_eq!(result.unwrap().unwrap().id(), controller.id);
    }
}

/// DynamoDB's answer when it leaves the controller's row and its replay record unprocessed.
fn unprocessed(controller: &Controller) -> Fault {
    let keys = ["", "#replay"].map(|end| json!({ "uuid": { "S": format!("{}{end}", controller.id) } }));
    let left = json!({ DEVICES: { "Keys": keys, "ConsistentRead": true } });
    Fault::bytes(200, json!({ "Responses": {}, "UnprocessedKeys": left }).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_left_unprocessed_are_read_again() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    engines.faults.next("BatchGetItem", [unprocessed(&controller), unprocessed(&controller)]);
    assert!(engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap().is_some());
    assert_eq!(engines.faults.count("BatchGetItem"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_left_unprocessed_each_time_are_an_outage() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    engines.faults.every("BatchGetItem", unprocessed(&controller));
    let error = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap_err();
    let AdmitError::Store(StoreError::Unavailable { operation, cause }) = error else { panic!("{error}") };
    assert_eq!((operation, cause.as_str()), ("dynamodb:BatchGetItem", "keys were left unprocessed each time"));
}

/// The failures of DynamoDB, and whether trying again may help.
fn failures() -> [(Fault, bool); 5] {
    [
        (Fault::json_error(400, "ThrottlingException"), true),
        (Fault::json_error(500, "InternalServerError"), true),
        (Fault::bytes(200, "not JSON"), true),
        (Fault::json_error(400, "AccessDeniedException"), false),
        (Fault::json_error(400, "ResourceNotFoundException"), false),
    ]
}

fn assert_failure(error: &StoreError, operation: &str, may_help: bool) {
    match error {
        StoreError::Unavailable { operation: failed, .. } => assert_eq!((*failed, true), (operation, may_help)),
        StoreError::Failed { operation: failed, .. } => assert_eq!((*failed, false), (operation, may_help)),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_is_a_store_error() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    for (fault, may_help) in failures() {
        engines.faults.every("BatchGetItem", fault);
        let error = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap_err();
        let AdmitError::Store(error) = error else { panic!("{error}") };
        assert_failure(&error, "dynamodb:BatchGetItem", may_help);
    }
    assert_eq!(engines.faults.count("UpdateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_leaves_the_nonce_unrecorded() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    for (fault, may_help) in failures() {
        engines.faults.every("UpdateItem", fault);
        let error = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap_err();
        let AdmitError::NonceNotRecorded(error) = error else { panic!("{error}") };
        assert_failure(&error, "dynamodb:UpdateItem", may_help);
    }
    engines.faults.mend();
    assert!(engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_good_public_key_is_malformed() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    for public_key in [None, Some(text("")), Some(text("AAAA")), Some(crate::engines::number(1))] {
        let mut row = controller.row();
        row.remove("public_key");
        row.extend(public_key.map(|value| ("public_key".to_owned(), value)));
        engines.put(DEVICES, row).await;
        let error = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap_err();
        let AdmitError::Store(StoreError::Malformed { item, attribute }) = error else { panic!("{error}") };
        assert_eq!((item, attribute), ("a device", "public_key"));
    }
}
