//! Operators' methods of `Devices`.

use emulator_kit::faults::Fault;
use firefly_core::group::{SUPER_USERS, SuperUser, super_user};
use firefly_stores::StoreError;

use crate::controller::Controller;
use crate::engines::{DEVICES, Engines, NOW, item, number, text};

fn operator() -> SuperUser {
    super_user([SUPER_USERS]).unwrap()
}

fn record_key(controller: &Controller) -> String {
    format!("{}#replay", controller.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_forgotten_with_its_last_nonce() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.devices().forget(&operator(), controller.id, NOW).await.unwrap();
    controller.verified(&engines).await;
    for (second, kept) in [(0, true), (59, true), (60, false), (61, false)] {
        engines.devices().forget(&operator(), controller.id, NOW.saturating_add(second)).await.unwrap();
        assert_eq!(engines.item(DEVICES, &record_key(&controller)).await.is_some(), kept, "{second} s");
    }
    assert!(engines.item(DEVICES, &controller.id.to_string()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_gains_a_nonce_meanwhile_is_kept() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    controller.verified(&engines).await;
    engines.faults.next("DeleteItem", [Fault::Hold(Box::new(Fault::Pass))]);
    let later = NOW.saturating_add(60);
    let meanwhile = async {
        engines.faults.arrived("DeleteItem", 1).await;
        assert!(engines.devices().authenticate(controller.sign(1, later), later).await.unwrap().is_some());
        engines.faults.release();
    };
    let devices = engines.devices();
    let operator = operator();
    let (forgotten, ()) = tokio::join!(devices.forget(&operator, controller.id, later), meanwhile);
    forgotten.unwrap();
    assert!(engines.item(DEVICES, &record_key(&controller)).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_record_is_forgotten() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    let key = record_key(&controller);
    for nonces in [None, Some(text("none"))] {
        let mut malformed = item([("uuid", text(&key)), ("version", number(1))]);
        malformed.extend(nonces.map(|nonces| ("nonces".to_owned(), nonces)));
        engines.put(DEVICES, malformed).await;
        engines.devices().forget(&operator(), controller.id, NOW).await.unwrap();
        assert_eq!(engines.item(DEVICES, &key).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_device_is_not_registered() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    assert!(engines.devices().registered(&operator(), controller.id).await.unwrap().is_some());
    for _ in 0..2 {
        engines.devices().delete(&operator(), controller.id).await.unwrap();
        assert!(engines.devices().registered(&operator(), controller.id).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_is_a_store_error() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    controller.verified(&engines).await;
    let later = NOW.saturating_add(60);
    for (call, operation) in [("GetItem", "dynamodb:GetItem"), ("DeleteItem", "dynamodb:DeleteItem")] {
        for (fault, may_help) in [
            (Fault::json_error(400, "AccessDeniedException"), false),
            (Fault::json_error(500, "InternalServerError"), true),
        ] {
            engines.faults.every(call, fault);
            let devices = engines.devices();
            let error = match call {
                "GetItem" => devices.registered(&operator(), controller.id).await.err().unwrap(),
                _ => devices.delete(&operator(), controller.id).await.unwrap_err(),
            };
            let forgotten = devices.forget(&operator(), controller.id, later).await.unwrap_err();
            for error in [error, forgotten] {
                let unavailable =
                    matches!(&error, StoreError::Unavailable { operation: failed, .. } if *failed == operation);
                let failed = matches!(&error, StoreError::Failed { operation: failed, .. } if *failed == operation);
                assert_eq!((unavailable, failed), (may_help, !may_help), "{error}");
            }
        }
        engines.faults.mend();
    }
}
