//! `Backups`.

use bytes::Bytes;
use emulator_kit::faults::Fault;
use firefly_core::envelope::{Envelope, EnvelopeError};
use firefly_core::etag::ETag;
use firefly_stores::{EnvelopeBytes, StoreError, VerifiedDevice};

use crate::controller::Controller;
use crate::engines::{BUCKET, DEVICES, Engines, NOW, text};

/// The date in a controller's row.
const REGISTERED: &str = "2033-05-18T03:33:20Z";

fn envelope(content: &[u8]) -> Bytes {
    Envelope::write(&[1; 12], &[2; 16], content).unwrap().into()
}

fn etag(digit: char) -> ETag {
    digit.to_string().repeat(64).parse().unwrap()
}

/// Engines with a verified device.
async fn scene() -> (Engines, VerifiedDevice) {
    let engines = Engines::start().await;
    let device = Controller::new(1).verified(&engines).await;
    (engines, device)
}

async fn put(engines: &Engines, device: &VerifiedDevice, content: &[u8], etag: Option<ETag>) -> Result<(), StoreError> {
    engines.backups().put(device, EnvelopeBytes::parse(envelope(content)).unwrap(), etag).await.map(|_| ())
}

#[test]
fn only_an_envelope_is_taken() {
    assert_eq!(EnvelopeBytes::parse(envelope(b"content")).unwrap().len(), 44);
    assert_eq!(EnvelopeBytes::parse(Bytes::new()).unwrap_err(), EnvelopeError::Empty);
    assert_eq!(EnvelopeBytes::parse(Bytes::from_static(b"content")).unwrap_err(), EnvelopeError::BadMagic);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_returned_with_the_etag_it_came_with() {
    let (engines, device) = scene().await;
    for (content, tag) in [(&b"one"[..], Some(etag('a'))), (b"two", None), (b"", Some(etag('b')))] {
        put(&engines, &device, content, tag).await.unwrap();
        let stored = engines.backups().get(&device).await.unwrap().unwrap();
        assert_eq!((Bytes::from(stored.bytes), stored.etag), (envelope(content), tag));
        assert_eq!(engines.backups().etag(&device).await, tag);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_backup_is_none_and_can_be_deleted() {
    let (engines, device) = scene().await;
    assert!(engines.backups().get(&device).await.unwrap().is_none());
    assert_eq!(engines.backups().etag(&device).await, None);
    engines.backups().delete(&device).await.unwrap();
    put(&engines, &device, b"content", Some(etag('a'))).await.unwrap();
    for _ in 0..2 {
        engines.backups().delete(&device).await.unwrap();
        assert!(engines.backups().get(&device).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_an_envelope_is_returned_and_an_invalid_etag_is_not() {
    let (engines, device) = scene().await;
    let put = engines.objects.put_object().bucket(BUCKET).key(device.id().to_string());
    let put = put.metadata("etag", "not 64 digits").metadata("registration-date", REGISTERED);
    put.body(Bytes::from_static(b"FFCE, and no more").into()).send().await.unwrap();
    let stored = engines.backups().get(&device).await.unwrap().unwrap();
    assert_eq!((&stored.bytes[..], stored.etag), (&b"FFCE, and no more"[..], None));
    assert_eq!(engines.backups().etag(&device).await, None);
}

/// The store's S3 has the real time, which is before 2033.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_another_registration_is_no_backup() {
    let engines = Engines::start().await;
    for (registered, named, is_backup) in [
        (Some(REGISTERED), Some(REGISTERED), true),
        (Some(REGISTERED), Some("2033-05-18T03:33:19Z"), false),
        (Some(REGISTERED), Some("2033-05-18T03:33:21Z"), false),
        (Some(REGISTERED), Some(""), false),
        (Some(REGISTERED), None, false),
        (Some("2024-11-05T07:08:09Z"), None, true),
        (Some("2024-11-05T07:08:09Z"), Some(REGISTERED), false),
        (Some("2033-05-18T03:33:20.123456"), None, true),
        (Some("2033-05-18T03:33:20.123456"), Some(REGISTERED), true),
        (None, None, true),
        (None, Some(REGISTERED), true),
    ] {
        let controller = Controller::new(1);
        let mut row = controller.row();
        row.remove("registration_date");
        row.extend(registered.map(|date| ("registration_date".to_owned(), text(date))));
        engines.put(DEVICES, row).await;
        let device = engines.devices().authenticate(controller.sign(1, NOW), NOW).await.unwrap().unwrap();
        engines.delete(DEVICES, &format!("{}#replay", controller.id)).await;
        let put = engines.objects.put_object().bucket(BUCKET).key(device.id().to_string());
        let metadata = named.map(|date| ("registration-date".to_owned(), date.to_owned()));
        let etag_metadata = ("etag".to_owned(), etag('a').to_hex());
        let put = put.set_metadata(Some(metadata.into_iter().chain([etag_metadata]).collect()));
        put.send().await.unwrap();
        let case = format!("{registered:?}, {named:?}");
        assert_eq!(engines.backups().get(&device).await.unwrap().is_some(), is_backup, "{case}");
        assert_eq!(engines.backups().etag(&device).await.is_some(), is_backup, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_fails_is_a_store_error_and_there_is_no_etag_to_compare() {
    let (engines, device) = scene().await;
    put(&engines, &device, b"content", Some(etag('a'))).await.unwrap();
    for (status, code, may_help) in [
        (503, "SlowDown", true),
        (500, "InternalError", true),
        (403, "AccessDenied", false),
        (404, "NoSuchBucket", false),
    ] {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            engines.faults.every(method, Fault::xml_error(status, code));
        }
        let backups = engines.backups();
        let results = [
            ("s3:GetObject", backups.get(&device).await.map(|_| ())),
            ("s3:PutObject", put(&engines, &device, b"other", None).await),
            ("s3:DeleteObject", backups.delete(&device).await),
        ];
        for (operation, result) in results {
            match result.unwrap_err() {
                StoreError::Unavailable { operation: failed, .. } => assert_eq!((failed, true), (operation, may_help)),
                StoreError::Failed { operation: failed, .. } => assert_eq!((failed, false), (operation, may_help)),
                other => panic!("{other}"),
            }
        }
        assert_eq!(backups.etag(&device).await, None, "{code}");
    }
    engines.faults.mend();
    let stored = engines.backups().get(&device).await.unwrap().unwrap();
    assert_eq!((Bytes::from(stored.bytes), stored.etag), (envelope(b"content"), Some(etag('a'))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_ends_early_is_an_outage() {
    let (engines, device) = scene().await;
    put(&engines, &device, &[7; 10_000], None).await.unwrap();
    engines.faults.every("GET", Fault::CutAnswer(5_000));
    let error = engines.backups().get(&device).await.unwrap_err();
    let StoreError::Unavailable { operation, cause } = error else { panic!("{error}") };
    assert_eq!((operation, cause.as_str()), ("s3:GetObject", "the object could not be read to its end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_taken_back_uncovers_the_one_before_it() {
    let (engines, device) = scene().await;
    put(&engines, &device, b"before", Some(etag('a'))).await.unwrap();
    let (backups, after) = (engines.backups(), EnvelopeBytes::parse(envelope(b"after")).unwrap());
    let written = backups.put(&device, after, None).await.unwrap();
    backups.take_back(&device, written).await.unwrap();
    let stored = engines.backups().get(&device).await.unwrap().unwrap();
    assert_eq!((Bytes::from(stored.bytes), stored.etag), (envelope(b"before"), Some(etag('a'))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_answer_is_lost_is_stored() {
    let (engines, device) = scene().await;
    engines.faults.next("PUT", [Fault::DropAnswer]);
    put(&engines, &device, b"content", Some(etag('a'))).await.unwrap();
    assert_eq!(engines.faults.count("PUT"), 2);
    assert_eq!(engines.backups().etag(&device).await, Some(etag('a')));
}
