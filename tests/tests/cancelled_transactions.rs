//! A registration whose transaction DynamoDB cancels is judged again by the stored items, in the order of the first
//! time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

use firefly_core::registration::RegistrationKey;
use firefly_device::{Identity, Response};
use firefly_testkit::answer::assert_failure;
use firefly_testkit::faults::{Call, Fault, Faults, assert_outage};
use firefly_testkit::stored::{KEYS, number};
use firefly_testkit::{TestCloud, new_device};

/// A device about to be registered, in a cloud whose transactions can be cancelled.
struct Scene {
    engines: TestCloud,
    cloud: TestCloud,
    faults: Faults,
    device: Identity,
    key: RegistrationKey,
}

impl Scene {
    async fn new() -> Self {
        let engines = TestCloud::start().await;
        let (cloud, faults) = Faults::over(&engines).await;
        let key = engines.mint().await;
        Self { engines, cloud, faults, device: new_device(), key }
    }

    async fn register(&self) -> Response {
        self.cloud.register(&self.device, self.key.as_str()).await
    }

    /// Registers the device; `meanwhile` happens when all has been read, and then the transaction meets `fault`.
    async fn register_while(&self, fault: Fault, meanwhile: impl Future<Output = ()>) -> Response {
        self.faults.next(Call::WriteAndSpend, [Fault::Hold(Box::new(fault))]);
        let change = async {
            self.faults.arrived(Call::WriteAndSpend, 1).await;
            meanwhile.await;
            self.faults.release();
        };
        tokio::join!(self.register(), change).0
    }

    /// Asserts that the device is registered with its own public key, and that `spent` says whether the key is spent.
    async fn assert_registered(&self, case: &str, spent: bool) {
        let item = self.engines.device_item(self.device.uuid()).await.expect(case);
        assert_eq!(item["public_key"].as_s().unwrap(), &self.device.public_key().to_base64(), "{case}");
        assert_eq!(self.engines.key_item(self.key.as_str()).await.is_none(), spent, "{case}");
    }

    async fn assert_not_registered(&self, case: &str) {
        assert_eq!(self.engines.device_item(self.device.uuid()).await, None, "{case}");
        assert!(self.engines.key_item(self.key.as_str()).await.is_some(), "{case}");
    }
}

// The reasons of the transaction's two items, the device and the key. Without reasons the engine itself decides.
const NEITHER: [&str; 2] = ["None", "None"];
const DEVICE: [&str; 2] = ["ConditionalCheckFailed", "None"];
const KEY: [&str; 2] = ["None", "ConditionalCheckFailed"];
const BOTH: [&str; 2] = ["ConditionalCheckFailed", "ConditionalCheckFailed"];
const DEVICE_IN_CONFLICT: [&str; 2] = ["TransactionConflict", "None"];
const KEY_IN_CONFLICT: [&str; 2] = ["None", "TransactionConflict"];
const MIXED: [&str; 2] = ["ConditionalCheckFailed", "TransactionConflict"];

/// The transaction is cancelled for these reasons, or left to the engine.
fn cancelled(reasons: [&str; 2]) -> Fault {
    if reasons == NEITHER { Fault::Pass } else { Fault::cancelled(&reasons) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_that_left_no_trace_is_run_again() {
    for reasons in [DEVICE, KEY, BOTH, DEVICE_IN_CONFLICT, KEY_IN_CONFLICT, MIXED] {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        scene.faults.next(Call::WriteAndSpend, [Fault::cancelled(&reasons), Fault::cancelled(&reasons)]);
        assert_eq!(scene.register().await.status, 204, "{case}");
        assert_eq!(scene.faults.count(Call::WriteAndSpend), 3, "{case}");
        // All that decides was read again each time.
        assert_eq!((scene.faults.count(Call::GetDevice), scene.faults.count(Call::GetKey)), (3, 3), "{case}");
        scene.assert_registered(&case, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_registered_meanwhile_with_its_own_public_key_is_registered_and_spends_no_key() {
    for reasons in [NEITHER, DEVICE, DEVICE_IN_CONFLICT] {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        let other_key = scene.engines.mint().await;
        let meanwhile = async {
            assert_eq!(scene.engines.register(&scene.device, other_key.as_str()).await.status, 204);
        };
        assert_eq!(scene.register_while(cancelled(reasons), meanwhile).await.status, 204, "{case}");
        scene.assert_registered(&case, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_registered_meanwhile_with_this_very_key_is_registered() {
    for reasons in [NEITHER, BOTH, DEVICE, KEY, MIXED] {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        let meanwhile = async {
            assert_eq!(scene.engines.register(&scene.device, scene.key.as_str()).await.status, 204);
        };
        assert_eq!(scene.register_while(cancelled(reasons), meanwhile).await.status, 204, "{case}");
        scene.assert_registered(&case, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uuid_taken_meanwhile_is_a_conflict_and_spends_no_key() {
    for reasons in [NEITHER, DEVICE, DEVICE_IN_CONFLICT] {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        let (other_key, other) = (scene.engines.mint().await, new_device().with_uuid(scene.device.uuid()));
        let meanwhile = async {
            assert_eq!(scene.engines.register(&other, other_key.as_str()).await.status, 204);
        };
        let answer = scene.register_while(cancelled(reasons), meanwhile).await;
        assert_failure(&case, &answer, 409, "registered_with_other_key");
        let item = scene.engines.device_item(scene.device.uuid()).await.unwrap();
        assert_eq!(item["public_key"].as_s().unwrap(), &other.public_key().to_base64(), "{case}");
        assert!(scene.engines.key_item(scene.key.as_str()).await.is_some(), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_spent_meanwhile_is_refused() {
    for reasons in [NEITHER, KEY, KEY_IN_CONFLICT] {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        let meanwhile = async {
            assert_eq!(scene.engines.register(&new_device(), scene.key.as_str()).await.status, 204);
        };
        let answer = scene.register_while(cancelled(reasons), meanwhile).await;
        assert_failure(&case, &answer, 401, "invalid_key");
        assert_eq!(scene.engines.device_item(scene.device.uuid()).await, None, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_meanwhile_is_refused() {
    for reasons in [NEITHER, KEY, KEY_IN_CONFLICT] {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        let meanwhile = async {
            let mut item = scene.engines.key_item(scene.key.as_str()).await.unwrap();
            item.insert("ttl".to_owned(), number(scene.engines.now().get()));
            scene.engines.put_item(KEYS, item).await;
        };
        let answer = scene.register_while(cancelled(reasons), meanwhile).await;
        assert_failure(&case, &answer, 401, "invalid_key");
        scene.assert_not_registered(&case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_key_is_judged_before_a_taken_uuid() {
    for reasons in [NEITHER, BOTH, DEVICE, KEY] {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        let other = new_device().with_uuid(scene.device.uuid());
        let meanwhile = async {
            assert_eq!(scene.engines.register(&other, scene.key.as_str()).await.status, 204);
        };
        let answer = scene.register_while(cancelled(reasons), meanwhile).await;
        assert_failure(&case, &answer, 401, "invalid_key");
        let item = scene.engines.device_item(scene.device.uuid()).await.unwrap();
        assert_eq!(item["public_key"].as_s().unwrap(), &other.public_key().to_base64(), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_does_not_end_is_an_outage() {
    let scene = Scene::new().await;
    scene.faults.every(Call::WriteAndSpend, Fault::cancelled(&KEY_IN_CONFLICT));
    assert_outage("TransactionConflict", &scene.register().await, 503);
    assert!(scene.faults.count(Call::WriteAndSpend) > 1);
    scene.assert_not_registered("TransactionConflict").await;
    scene.faults.mend();
    assert_eq!(scene.register().await.status, 204);
    scene.assert_registered("TransactionConflict", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_cancelled_for_another_reason_is_an_error_and_changes_nothing() {
    let cases = [
        (["ThrottlingError", "None"], 503),
        (["None", "ThrottlingError"], 503),
        (["ProvisionedThroughputExceeded", "None"], 503),
        (["ConditionalCheckFailed", "ThrottlingError"], 503),
        (["TransactionConflict", "ProvisionedThroughputExceeded"], 503),
        (["ValidationError", "None"], 500),
        (["None", "ValidationError"], 500),
        (["TransactionConflict", "ValidationError"], 500),
        (["ItemCollectionSizeLimitExceeded", "None"], 500),
    ];
    for (reasons, status) in cases {
        let (case, scene) = (format!("{reasons:?}"), Scene::new().await);
        scene.faults.every(Call::WriteAndSpend, Fault::cancelled(&reasons));
        assert_outage(&case, &scene.register().await, status);
        assert_eq!(scene.faults.count(Call::WriteAndSpend), 1, "{case}");
        scene.assert_not_registered(&case).await;
        scene.faults.mend();
        assert_eq!(scene.register().await.status, 204, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_refused_as_a_whole_is_an_error_and_changes_nothing() {
    let cases = [
        (Fault::json_error(400, "TransactionInProgressException"), 503),
        (Fault::json_error(400, "IdempotentParameterMismatchException"), 500),
        (Fault::cancelled(&[]), 500),
        (Fault::cancelled(&NEITHER), 500),
    ];
    for (fault, status) in cases {
        let (case, scene) = (format!("{fault:?}"), Scene::new().await);
        scene.faults.every(Call::WriteAndSpend, fault);
        assert_outage(&case, &scene.register().await, status);
        scene.assert_not_registered(&case).await;
        scene.faults.mend();
        assert_eq!(scene.register().await.status, 204, "{case}");
    }
}
