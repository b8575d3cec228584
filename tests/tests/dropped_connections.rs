//! Connections to AWS that were dropped without a word, as happens while Lambda keeps a function frozen.

use std::time::Duration;

use firefly_device::{Identity, Response, etag};
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::runtime_api::Event;
use firefly_testkit::{BlackHole, Invoked, TestCloud};
use serde_json::Value;

/// The time until a function's timeout, of which half a second is kept for the answer: more than the second after which
/// an old connection is given up, and less than the two that an attempt of the SDK may take.
const TIME_LEFT: Duration = Duration::from_millis(2_450);

/// A function and the connections between it and the engines.
struct Connected<'a> {
    engines: &'a TestCloud,
    function: Invoked,
    dynamodb: BlackHole,
    s3: BlackHole,
}

impl<'a> Connected<'a> {
    async fn new(engines: &'a TestCloud, name: &str) -> Self {
        let (dynamodb, s3) = engines.endpoints();
        let (dynamodb, s3) = (BlackHole::in_front_of(dynamodb).await, BlackHole::in_front_of(s3).await);
        let endpoints = [("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url()), ("AWS_ENDPOINT_URL_S3", s3.url())];
        Self { engines, function: Invoked::with(engines, name, &endpoints), dynamodb, s3 }
    }

    async fn answer(&self, event: Event) -> Response {
        self.function.answer_within(self.engines.now(), TIME_LEFT, &event).await
    }

    /// The function's event, signed by this device.
    fn signed(&self, device: &Identity) -> Event {
        self.function.event().signed(&self.engines.sign(device))
    }

    fn drop_all(&self) {
        self.dynamodb.swallow();
        self.s3.swallow();
    }

    fn connections(&self) -> (usize, usize) {
        (self.dynamodb.connections(), self.s3.connections())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_opens_new_connections() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let envelope = device.seal(b"configuration", &[1; 12]).unwrap();
    assert_eq!(engines.upload(&device, &envelope).await.status, 200);
    let restore = Connected::new(&engines, "func-api-devices-backup-get").await;
    assert_eq!(restore.answer(restore.signed(&device)).await.status, 200);
    restore.drop_all();
    let answer = restore.answer(restore.signed(&device)).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &envelope[..]));
    assert_eq!(restore.connections(), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_opens_a_new_connection_to_s3_alone() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let envelope = device.seal(b"configuration", &[1; 12]).unwrap();
    assert_eq!(engines.upload(&device, &envelope).await.status, 200);
    let restore = Connected::new(&engines, "func-api-devices-backup-get").await;
    assert_eq!(restore.answer(restore.signed(&device)).await.status, 200);
    restore.s3.swallow();
    let answer = restore.answer(restore.signed(&device)).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &envelope[..]));
    assert_eq!(restore.connections(), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_backup_is_found_over_a_new_connection() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let (envelope, tag) = (device.seal(b"{}", &[1; 12]).unwrap(), etag(b"{}").quoted());
    let upload = Connected::new(&engines, "func-api-devices-backup-post").await;
    let event = || upload.signed(&device).header("ETag", &tag).header("If-None-Match", &tag).body(&envelope);
    assert_eq!(upload.answer(event()).await.status, 200);
    upload.s3.swallow();
    assert_eq!(upload.answer(event()).await.status, 304);
    assert_eq!(upload.connections(), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_of_dynamodb_opens_a_new_connection() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    for (name, call) in [
        ("func-api-devices-registration-get", Call::GetDeviceWithRecord),
        ("func-api-devices-get", Call::QueryDevices),
        ("func-api-devices-get", Call::ScanDevices),
        ("func-api-registration-keys-get", Call::GetLiveKeys),
    ] {
        let faults = Faults::default();
        let dynamodb = BlackHole::in_front_of(&faults.in_front_of(engines.endpoints().0).await).await;
        let read = Invoked::with(&engines, name, &[("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url())]);
        let event = || match call {
            Call::GetDeviceWithRecord => read.event().signed(&engines.sign(&device)),
            Call::ScanDevices => read.event().with("/queryStringParameters", Value::Null),
            _ => read.event(),
        };
        assert_eq!(read.answer(engines.now(), &event()).await.status, 200, "{call:?}");
        assert_eq!((faults.count(call), dynamodb.connections()), (1, 1), "{call:?}");
        // This call alone is silent, whatever the function calls before it.
        faults.next(call, [Fault::Hold(Box::new(Fault::DropCall))]);
        assert_eq!(read.answer_within(engines.now(), TIME_LEFT, &event()).await.status, 200, "{call:?}");
        assert_eq!((faults.count(call), dynamodb.connections()), (3, 2), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_keeps_its_limits() {
    let engines = TestCloud::start().await;
    let revoke = Connected::new(&engines, "func-api-registration-keys-delete").await;
    assert_eq!(revoke.answer(revoke.function.event()).await.status, 204);
    revoke.dynamodb.swallow();
    let answer = revoke.answer(revoke.function.event()).await;
    assert_eq!((answer.status, answer.member("code").as_deref()), (503, Some("unavailable")));
    assert_eq!(revoke.connections(), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_over_a_new_connection_keeps_its_limits() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let faults = Faults::default();
    let dynamodb = faults.in_front_of(engines.endpoints().0).await;
    faults.every(Call::GetDeviceWithRecord, Fault::Hold(Box::new(Fault::DropCall)));
    let function =
        Invoked::with(&engines, "func-api-devices-registration-get", &[("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb)]);
    let event = function.event().signed(&engines.sign(&device));
    let answer = function.answer_within(engines.now(), TIME_LEFT, &event).await;
    assert_eq!((answer.status, answer.member("code").as_deref()), (503, Some("unavailable")));
    assert_eq!(faults.count(Call::GetDeviceWithRecord), 1);
}
