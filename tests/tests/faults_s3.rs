//! S3 failing, call by call and route by route: the answer, the stored object after it, and the retry.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use firefly_device::{Identity, Response, etag};
use firefly_testkit::TestCloud;
use firefly_testkit::faults::{Call, Fault, FaultResponse, Faults, Outage, assert_outage};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_s3_does_not_acknowledge_is_not_acknowledged() {
    let engines = TestCloud::start().await;
    let outages = [Outage::of_s3(), Outage::further_of_s3()].concat();
    Outage::each(&engines, Call::PutObject, outages, async |broken| {
        let device = BackedUp::new(&engines).await;
        broken.assert_told(&device.upload(&broken.cloud).await);
        // The old envelope or, where only the answers were lost, the new one.
        let stored = device.stored().await.unwrap();
        assert_eq!(stored, if broken.outage.done { &*device.newer } else { &*device.envelope }, "{}", broken.case);
        assert_eq!(device.backup_date().await.as_deref(), Some("2033-05-18T03:33:20Z"), "{}", broken.case);
        broken.faults.mend();
        assert_eq!(device.upload(&broken.cloud).await.status, 200, "{}", broken.case);
        assert_eq!(device.stored().await.unwrap(), device.newer, "{}", broken.case);
        assert_eq!(broken.cloud.restore(&device.identity).await.body, device.newer, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_backup_that_s3_does_not_acknowledge_leaves_none() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::PutObject, Outage::of_s3(), async |broken| {
        let device = engines.registered_device().await;
        let envelope = device.seal(b"first", &[4; 12]).unwrap();
        broken.assert_told(&broken.cloud.upload(&device, &envelope).await);
        let item = engines.device_item(device.uuid()).await.unwrap();
        assert!(!item.contains_key("last_backup_date"), "{}", broken.case);
        let restored = broken.cloud.restore(&device).await.status;
        assert_eq!(restored, if broken.outage.done { 200 } else { 404 }, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_stored_when_the_stored_etag_cannot_be_read() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::HeadObject, Outage::of_s3(), async |broken| {
        let device = BackedUp::new(&engines).await;
        let answer = device.upload_if_changed(&broken.cloud).await;
        assert_eq!(answer.status, 200, "{}", broken.case);
        assert_eq!(answer.header("etag"), Some(device.etag.as_str()), "{}", broken.case);
        assert_eq!(engines.object_versions(device.identity.uuid()).await.len(), 2, "{}", broken.case);
        broken.faults.mend();
        assert_eq!(device.upload_if_changed(&broken.cloud).await.status, 304, "{}", broken.case);
        assert_eq!(engines.object_versions(device.identity.uuid()).await.len(), 2, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_read_is_never_said_to_be_absent() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::GetObject, Outage::of_s3(), async |broken| {
        let device = BackedUp::new(&engines).await;
        broken.assert_told(&broken.cloud.restore(&device.identity).await);
        let without_backup = engines.registered_device().await;
        broken.assert_told(&broken.cloud.restore(&without_backup).await);
        broken.faults.mend();
        assert_eq!(broken.cloud.restore(&device.identity).await.body, device.envelope, "{}", broken.case);
        assert_eq!(broken.cloud.restore(&without_backup).await.status, 404, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_whole_or_not_at_all() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = BackedUp::new(&engines).await;
    for length in [0, 1, device.envelope.len() - 1] {
        faults.next(Call::GetObject, [Fault::CutAnswer(length)]);
        let answer = cloud.restore(&device.identity).await;
        assert_outage(&format!("cut after {length} bytes"), &answer, 503);
    }
    // Bytes that are not those the checksum was made of, which S3 sends along.
    let checksum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned();
    let headers = vec![("x-amz-checksum-sha256", checksum)];
    faults.next(Call::GetObject, [Fault::Answer(FaultResponse { status: 200, headers, body: "damaged".into() })]);
    assert_outage("damaged", &cloud.restore(&device.identity).await, 503);
    assert_eq!(cloud.restore(&device.identity).await.body, device.envelope);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_fails_is_to_be_repeated() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::DeleteObject, Outage::of_s3(), async |broken| {
        let device = BackedUp::new(&engines).await;
        let delete =
            async || broken.cloud.signed(&broken.cloud.sign(&device.identity), "DELETE", "backup", &[], None).await;
        broken.assert_told(&delete().await);
        assert_eq!(device.stored().await.is_none(), broken.outage.done, "{}", broken.case);
        assert!(device.backup_date().await.is_some(), "{}", broken.case);
        broken.faults.mend();
        assert_eq!(delete().await.status, 200, "{}", broken.case);
        assert_eq!((device.stored().await, device.backup_date().await), (None, None), "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_of_any_call_is_not_noticed() {
    let engines = TestCloud::start().await;
    let failures =
        [Fault::xml_error(500, "InternalError"), Fault::xml_error(503, "SlowDown"), Fault::DropCall, Fault::DropAnswer];
    let calls = [Call::PutObject, Call::HeadObject, Call::GetObject, Call::DeleteObject];
    let run = async |failure: Fault| {
        let (cloud, faults) = Faults::over(&engines).await;
        for call in calls {
            faults.next(call, [failure.clone()]);
        }
        let device = BackedUp::new(&engines).await;
        assert_eq!(device.upload_if_changed(&cloud).await.status, 304, "{failure:?}");
        assert_eq!(device.upload(&cloud).await.status, 200, "{failure:?}");
        assert_eq!(cloud.restore(&device.identity).await.body, device.newer, "{failure:?}");
        let deleted = cloud.signed(&cloud.sign(&device.identity), "DELETE", "backup", &[], None).await;
        assert_eq!(deleted.status, 200, "{failure:?}");
        assert_eq!(cloud.restore(&device.identity).await.status, 404, "{failure:?}");
        assert!(calls.iter().all(|call| faults.count(*call) > 1), "{failure:?}");
    };
    futures::future::join_all(failures.map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_stored_when_the_stored_etag_does_not_come() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = BackedUp::new(&engines).await;
    faults.every(Call::HeadObject, Fault::Hold(Box::new(Fault::DropCall)));
    assert_eq!(device.upload_if_changed(&cloud).await.status, 200);
    assert_eq!(engines.object_versions(device.identity.uuid()).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_done_even_if_the_device_has_gone() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = BackedUp::new(&engines).await;
    faults.next(Call::PutObject, [Fault::Hold(Box::new(Fault::Pass))]);
    let leave = async {
        faults.arrived(Call::PutObject, 1).await;
    };
    tokio::select! {
        _ = device.upload(&cloud) => unreachable!("the call is held"),
        () = leave => {}
    }
    faults.release();
    faults.arrived(Call::UpdateDevice, 1).await;
    assert_eq!(device.stored().await.unwrap(), device.newer);
}

/// A registered device with a backup and its ETag, and a newer envelope to upload.
struct BackedUp<'a> {
    engines: &'a TestCloud,
    identity: Identity,
    envelope: Vec<u8>,
    etag: String,
    newer: Vec<u8>,
}

impl<'a> BackedUp<'a> {
    async fn new(engines: &'a TestCloud) -> Self {
        let identity = engines.registered_device().await;
        let (envelope, newer) = (identity.seal(b"old", &[5; 12]).unwrap(), identity.seal(b"new", &[6; 12]).unwrap());
        let etag = etag(b"old").quoted();
        let backed_up = Self { engines, identity, envelope, etag, newer };
        assert_eq!(backed_up.send(engines, &[("ETag", &backed_up.etag)], &backed_up.envelope).await.status, 200);
        backed_up
    }

    async fn send(&self, cloud: &TestCloud, headers: &[(&str, &str)], envelope: &[u8]) -> Response {
        cloud.signed(&cloud.sign(&self.identity), "POST", "backup", headers, Some(envelope)).await
    }

    /// Uploads the newer envelope.
    async fn upload(&self, cloud: &TestCloud) -> Response {
        self.send(cloud, &[], &self.newer).await
    }

    /// Uploads the stored envelope unless its ETag is the stored one.
    async fn upload_if_changed(&self, cloud: &TestCloud) -> Response {
        self.send(cloud, &[("ETag", &self.etag), ("If-None-Match", &self.etag)], &self.envelope).await
    }

    async fn stored(&self) -> Option<Vec<u8>> {
        self.engines.stored_backup(self.identity.uuid()).await.map(|(bytes, _)| bytes)
    }

    async fn backup_date(&self) -> Option<String> {
        let item = self.engines.device_item(self.identity.uuid()).await.unwrap();
        item.get("last_backup_date").map(|date| date.as_s().unwrap().clone())
    }
}
