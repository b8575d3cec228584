//! The replay record: hints that are wrong, writes that are repeated, items that are malformed.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use emulator_kit::faults::Fault;
use firefly_core::signed_request::Nonce;
use firefly_stores::{AdmitError, StoreError};

use crate::controller::Controller;
use crate::engines::{DEVICES, Engines, Item, NOW, item, number, text};

/// A device that is registered.
async fn registered(engines: &Engines) -> Controller {
    let controller = Controller::new(1);
    engines.put(DEVICES, controller.row()).await;
    controller
}

fn key(controller: &Controller) -> AttributeValue {
    text(&format!("{}#replay", controller.id))
}

/// The stored form of a nonce that was signed at [`NOW`].
fn entry() -> AttributeValue {
    AttributeValue::B(Blob::new([NOW.get().to_be_bytes(), [7; 8]].concat()))
}

/// A record of so many nonces, none of which the tests sign.
fn record(controller: &Controller, nonces: u16) -> Item {
    let nonce = |number: u16| {
        let mut bytes = [0xFF; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        Nonce::new(bytes).to_base64()
    };
    let nonces = (0..nonces).map(|number| (nonce(number), entry())).collect();
    item([
        ("uuid", key(controller)),
        ("version", number(1)),
        ("turnover_at", number(NOW.get() + 60)),
        ("nonces", AttributeValue::M(nonces)),
    ])
}

async fn stored(engines: &Engines, controller: &Controller) -> Option<Item> {
    engines.item(DEVICES, &format!("{}#replay", controller.id)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_full_takes_no_nonce_until_its_oldest_is_forgotten() {
    let engines = Engines::start().await;
    let controller = registered(&engines).await;
    let full = record(&controller, 768);
    engines.put(DEVICES, full.clone()).await;
    for second in [0, 59] {
        let now = NOW.saturating_add(second);
        let error = engines.devices().authenticate(controller.sign(1, now), now).await.unwrap_err();
        let AdmitError::TooManyNonces { retry_after_seconds } = error else { panic!("{error}") };
        assert_eq!(retry_after_seconds, 60 - second);
    }
    assert_eq!(stored(&engines, &controller).await, Some(full));
    let now = NOW.saturating_add(60);
    assert!(engines.devices().authenticate(controller.sign(1, now), now).await.unwrap().is_some());
    assert_eq!(stored(&engines, &controller).await.unwrap()["nonces"].as_m().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_that_has_changed_is_decided_again() {
    for nonces in [0, 1, 767] {
        let engines = Engines::start().await;
        let controller = registered(&engines).await;
        if nonces > 0 {
            engines.put(DEVICES, record(&controller, nonces)).await;
        }
        engines.faults.next("UpdateItem", [Fault::Hold(Box::new(Fault::Pass))]);
        let devices = engines.devices();
        let meanwhile = async {
            engines.faults.arrived("UpdateItem", 1).await;
            let first = engines.devices().authenticate(controller.sign(2, NOW), NOW).await;
            engines.faults.release();
            first
        };
        let (held, first) = tokio::join!(devices.authenticate(controller.sign(1, NOW), NOW), meanwhile);
        assert!(first.unwrap().is_some(), "{nonces}");
        match held {
            Ok(device) => assert!(device.is_some() && nonces < 767, "{nonces}"),
            Err(AdmitError::TooManyNonces { .. }) => assert_eq!(nonces, 767),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_admitted_meanwhile_makes_the_held_one_a_replay() {
    let engines = Engines::start().await;
    let controller = registered(&engines).await;
    engines.faults.next("UpdateItem", [Fault::Hold(Box::new(Fault::Pass))]);
    let devices = engines.devices();
    let meanwhile = async {
        engines.faults.arrived("UpdateItem", 1).await;
        let first = engines.devices().authenticate(controller.sign(1, NOW), NOW).await;
        engines.faults.release();
        first
    };
    let (held, first) = tokio::join!(devices.authenticate(controller.sign(1, NOW), NOW), meanwhile);
    assert!(first.unwrap().is_some());
    assert!(matches!(held, Err(AdmitError::Replayed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_not_taken_for_a_replay() {
    for nonces in [0, 1] {
        let engines = Engines::start().await;
        let controller = registered(&engines).await;
        if nonces > 0 {
            engines.put(DEVICES, record(&controller, nonces)).await;
        }
        engines.faults.next("UpdateItem", [Fault::DropAnswer]);
        let devices = engines.devices();
        assert!(devices.authenticate(controller.sign(1, NOW), NOW).await.unwrap().is_some());
        assert_eq!(engines.faults.count("UpdateItem"), 2);
        let again = devices.authenticate(controller.sign(1, NOW), NOW).await;
        assert!(matches!(again, Err(AdmitError::Replayed)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_loses_every_race_is_an_outage() {
    let engines = Engines::start().await;
    let controller = registered(&engines).await;
    engines.faults.every("UpdateItem", Fault::json_error(400, "ConditionalCheckFailedException"));
    let error = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap_err();
    let AdmitError::NonceNotRecorded(StoreError::Unavailable { operation, cause }) = error else { panic!("{error}") };
    assert_eq!((operation, cause.as_str()), ("dynamodb:UpdateItem", "other writes came first each time"));
    assert_eq!(engines.faults.count("UpdateItem"), 12);
    assert_eq!(stored(&engines, &controller).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_record_is_reported_and_kept() {
    let engines = Engines::start().await;
    let controller = registered(&engines).await;
    let nonce = Nonce::new([9; 32]).to_base64();
    let nonces = |nonce: &str, entry: AttributeValue| AttributeValue::M([(nonce.to_owned(), entry)].into());
    for (attribute, value) in [
        ("nonces", None),
        ("nonces", Some(text("none"))),
        ("nonces", Some(nonces("not Base64", entry()))),
        ("nonces", Some(nonces(&Nonce::new([9; 32]).to_base64()[..40], entry()))),
        ("nonces", Some(nonces(&nonce, text("now")))),
        ("nonces", Some(nonces(&nonce, AttributeValue::B(Blob::new([0; 15]))))),
        ("nonces", Some(nonces(&nonce, AttributeValue::B(Blob::new([0; 17]))))),
        ("version", Some(text("1"))),
        ("version", Some(number("1.5"))),
        ("version", Some(number(-1))),
        ("uploads", Some(number(1))),
        ("uploads_day", Some(number(1))),
        ("turnover_at", None),
        ("turnover_at", Some(text("soon"))),
        ("turnover_at", Some(number("2000000000.5"))),
    ] {
        let mut malformed = record(&controller, 1);
        malformed.remove(attribute);
        malformed.extend(value.clone().map(|value| (attribute.to_owned(), value)));
        engines.put(DEVICES, malformed.clone()).await;
        let error = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap_err();
        let AdmitError::NonceNotRecorded(StoreError::Malformed { item, attribute: found }) = error else {
            panic!("{attribute} {value:?}: {error}")
        };
        // One of the two numbers of uploads does not go without the other.
        let other = match attribute {
            "uploads" => "uploads_day",
            "uploads_day" => "uploads",
            same => same,
        };
        assert_eq!((item, found), ("a replay record", other));
        assert_eq!(stored(&engines, &controller).await, Some(malformed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_a_version_is_replaced() {
    let engines = Engines::start().await;
    let controller = registered(&engines).await;
    let mut unversioned = record(&controller, 1);
    unversioned.remove("version");
    engines.put(DEVICES, unversioned).await;
    assert!(engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap().is_some());
    assert_eq!(stored(&engines, &controller).await.unwrap()["version"], number(1));
}
