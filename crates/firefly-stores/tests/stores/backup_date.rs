//! `Devices::set_last_backup_date` and `Devices::clear_last_backup_date`.

use emulator_kit::faults::Fault;
use firefly_stores::StoreError;

use crate::controller::Controller;
use crate::engines::{DEVICES, Engines, NOW, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_date_is_set_and_cleared_and_nothing_else_of_the_row() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    let device = controller.verified(&engines).await;
    assert!(engines.devices().set_last_backup_date(&device, NOW).await);
    let mut row = controller.row();
    row.insert("last_backup_date".to_owned(), text(&NOW.to_string()));
    assert_eq!(engines.item(DEVICES, &controller.id.to_string()).await, Some(row));
    for _ in 0..2 {
        engines.devices().clear_last_backup_date(&device).await.unwrap();
        assert_eq!(engines.item(DEVICES, &controller.id.to_string()).await, Some(controller.row()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_gone_gets_no_row_and_has_no_date_to_clear() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    let device = controller.verified(&engines).await;
    engines.delete(DEVICES, &controller.id.to_string()).await;
    assert!(!engines.devices().set_last_backup_date(&device, NOW).await);
    engines.devices().clear_last_backup_date(&device).await.unwrap();
    assert_eq!(engines.item(DEVICES, &controller.id.to_string()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_registered_again_has_no_date_of_before() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    let device = controller.verified(&engines).await;
    let mut again = controller.row();
    again.insert("registration_date".to_owned(), text("2033-05-18T03:33:21Z"));
    again.insert("last_backup_date".to_owned(), text("2033-05-18T03:33:22Z"));
    engines.put(DEVICES, again.clone()).await;
    assert!(!engines.devices().set_last_backup_date(&device, NOW).await);
    engines.devices().clear_last_backup_date(&device).await.unwrap();
    assert_eq!(engines.item(DEVICES, &controller.id.to_string()).await, Some(again));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_row_without_a_date_of_registration_is_the_same_as_long_as_it_is_there() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    for date in [None, Some(aws_sdk_dynamodb::types::AttributeValue::Null(true))] {
        let mut row = controller.row();
        row.remove("registration_date");
        row.extend(date.map(|date| ("registration_date".to_owned(), date)));
        engines.put(DEVICES, row).await;
        let request = controller.sign(1, NOW);
        let device = engines.devices().authenticate(request, NOW).await.unwrap().unwrap();
        assert!(engines.devices().set_last_backup_date(&device, NOW).await);
        engines.delete(DEVICES, &format!("{}#replay", controller.id)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_cannot_be_written_fails_the_clearing_and_not_the_setting() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    let device = controller.verified(&engines).await;
    engines.faults.every("UpdateItem", Fault::json_error(400, "AccessDeniedException"));
    assert!(engines.devices().set_last_backup_date(&device, NOW).await);
    let cleared = engines.devices().clear_last_backup_date(&device).await;
    assert!(matches!(cleared, Err(StoreError::Failed { operation: "dynamodb:UpdateItem", .. })));
    engines.faults.every("UpdateItem", Fault::json_error(500, "InternalServerError"));
    let cleared = engines.devices().clear_last_backup_date(&device).await;
    assert!(matches!(cleared, Err(StoreError::Unavailable { operation: "dynamodb:UpdateItem", .. })));
    assert_eq!(engines.item(DEVICES, &controller.id.to_string()).await, Some(controller.row()));
}
