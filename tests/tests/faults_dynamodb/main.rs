//! DynamoDB failing, call by call and route by route: the answer, the state of the tables after it, and the retry.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod lost_answers;
mod no_answer;
mod outages;

use firefly_core::device::DeviceId;
use firefly_device::{Identity, Response, SignedHeaders};
use firefly_testkit::TestCloud;
use firefly_testkit::faults::Broken;
use firefly_testkit::stored::{Item, KEYS};

/// The device-signed routes: the method, and the path after the device.
pub(crate) const SIGNED: [(&str, &str); 4] =
    [("GET", "registration"), ("POST", "backup"), ("GET", "backup"), ("DELETE", "backup")];

/// A registered device with a backup.
pub(crate) struct BackedUp<'a> {
    engines: &'a TestCloud,
    pub(crate) identity: Identity,
    envelope: Vec<u8>,
}

impl<'a> BackedUp<'a> {
    pub(crate) async fn new(engines: &'a TestCloud) -> Self {
        let identity = engines.registered_device().await;
        let envelope = identity.seal(b"before", &[0; 12]).unwrap();
        assert_eq!(engines.upload(&identity, &envelope).await.status, 200);
        Self { engines, identity, envelope }
    }

    /// Sends a freshly signed request; an upload is of another envelope than the stored one.
    pub(crate) async fn send(&self, cloud: &TestCloud, route: (&str, &str)) -> Response {
        self.send_signed(cloud, &cloud.sign(&self.identity), route).await
    }

    pub(crate) async fn send_signed(
        &self,
        cloud: &TestCloud,
        signed: &SignedHeaders,
        (method, what): (&str, &str),
    ) -> Response {
        let other = self.identity.seal(b"after", &[9; 12]).unwrap();
        cloud.signed(signed, method, what, &[], (method == "POST").then_some(&other[..])).await
    }

    /// Asserts that each request succeeds.
    pub(crate) async fn assert_served(&self, broken: &Broken) {
        for route in SIGNED {
            assert_eq!(self.send(&broken.cloud, route).await.status, 200, "{} {route:?}", broken.case);
        }
    }

    /// Asserts that the device and its backup are as they were.
    pub(crate) async fn assert_untouched(&self, case: &str) {
        let uuid = self.identity.uuid();
        assert_eq!(self.engines.stored_backup(uuid).await.unwrap().0, self.envelope, "{case}");
        assert_eq!(backup_date(self.engines, uuid).await, Some(self.engines.now().to_string()), "{case}");
        assert_eq!(self.engines.object_versions(uuid).await.len(), 1, "{case}");
    }
}

/// `last_backup_date` of a device.
pub(crate) async fn backup_date(engines: &TestCloud, device: DeviceId) -> Option<String> {
    let item = engines.device_item(device).await.unwrap();
    item.get("last_backup_date").map(|date| date.as_s().unwrap().clone())
}

/// The keys that a user has made.
pub(crate) async fn keys_of(engines: &TestCloud, sub: &str) -> Vec<String> {
    let items = engines.items(KEYS, "key").await.into_iter();
    let is_own = |item: &Item| item.get("generated_by_sub").is_some_and(|by| by.as_s().unwrap() == sub);
    items.filter(|(_, item)| is_own(item)).map(|(key, _)| key).collect()
}
