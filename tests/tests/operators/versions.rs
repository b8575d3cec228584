//! `GET /devices/{uuid}/backups`: the versions since the registration, newest first.

use firefly_device::etag;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::faults::{Call, Fault, Faults, Outage};
use firefly_testkit::stored::{DEVICES, legacy_device, text};
use firefly_testkit::{START, TestCloud, new_device};
use serde_json::json;

use super::{listed, operator, upload};

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_listed_with_date_size_and_etag() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    assert_eq!(listed(&operator(&cloud, &device, "GET", "/backups").await), (vec![], None));
    upload(&cloud, &other, b"another's").await;

    let (first, first_id) = upload(&cloud, &device, b"first").await;
    cloud.advance(5);
    let second = device.seal(b"second, longer", &[7; 12]).unwrap();
    let tag = etag(b"second, longer").quoted();
    let answer = cloud.signed(&cloud.sign(&device), "POST", "backup", &[("ETag", &tag)], Some(&second)).await;
    assert_eq!(answer.status, 200);
    let second_id = cloud.object_versions(device.uuid()).await.remove(0);
    // A delete marker is not a version of the backup.
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);

    let answer = operator(&cloud, &device, "GET", "/backups").await;
    let expected = [
        json!({
            "version": second_id, "date": "2033-05-18T03:33:25Z", "size": second.len(), "etag": tag.trim_matches('"'),
        }),
        json!({ "version": first_id, "date": "2033-05-18T03:33:20Z", "size": first.len(), "etag": null }),
    ];
    assert_eq!(listed(&answer), (expected.to_vec(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_20_versions_and_next_leads_to_the_end() {
    let cloud = TestCloud::start().await;
    for count in [19_u8, 20, 21, 40, 45] {
        let device = cloud.registered_device().await;
        let mut expected = Vec::new();
        for number in 0..count {
            cloud.put_object(device.uuid(), &[number], None).await;
            expected.insert(0, cloud.object_versions(device.uuid()).await.remove(0));
            if number % 7 == 0 {
                let marker = cloud.s3().delete_object().bucket(cloud.bucket()).key(device.uuid().to_string());
                marker.send().await.unwrap();
            }
        }
        let (mut found, mut query) = (Vec::new(), String::new());
        loop {
            let (versions, next) = listed(&operator(&cloud, &device, "GET", &format!("/backups{query}")).await);
            assert!((1..=20).contains(&versions.len()), "{count}");
            found.extend(versions.iter().map(|version| version["version"].as_str().unwrap().to_owned()));
            assert!(next.is_none() || versions.len() == 20, "{count}");
            let Some(next) = next else { break };
            query = format!("?next={next}");
        }
        assert_eq!(found, expected, "{count}");
    }
}

/// A version of an earlier registration is somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn versions_of_before_the_registration_are_not_listed() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    upload(&cloud, &device, b"before").await;
    // The row alone goes, as an operator's hand may have it.
    cloud.delete_device_item(device.uuid()).await;
    cloud.set_now(START + 10);
    let key = cloud.mint().await;
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    assert_eq!(listed(&operator(&cloud, &device, "GET", "/backups").await), (vec![], None));
    let (_, version) = upload(&cloud, &device, b"in the second of the registration").await;
    let (versions, next) = listed(&operator(&cloud, &device, "GET", "/backups").await);
    assert_eq!((versions.len(), &versions[0]["version"], next), (1, &json!(version), None));
}

/// Rows of the earlier functions may lack the date, and one that cannot be read is reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_a_date_has_all_versions_and_a_malformed_date_is_500() {
    let cloud = TestCloud::start().await;
    let device = new_device();
    cloud.put_object(device.uuid(), b"stored by an earlier function", None).await;
    for (date, status) in [(None, 200), (Some("2024-11-05T07:08:09Z"), 200), (Some("yesterday"), 500)] {
        let mut row = legacy_device(&device);
        row.remove("registration_date");
        row.extend(date.map(|date| ("registration_date".to_owned(), text(date))));
        cloud.put_item(DEVICES, row).await;
        let answer = operator(&cloud, &device, "GET", "/backups").await;
        assert_eq!(answer.status, status, "{date:?}");
        assert!(status != 200 || listed(&answer).0.len() == 1, "{date:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_device_is_404_and_a_malformed_uuid_or_next_400() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let unknown = operator(&cloud, &new_device(), "GET", "/backups").await;
    assert_failure("nobody's", &unknown, 404, "not_registered");
    let malformed = cloud.as_user("root", &["super_users"], "GET", "/devices/x/backups").await;
    assert_failure("x", &malformed, 400, "invalid_path");
    for next in ["", "%20", "a%2Fb", "%00", &"a".repeat(1_025)] {
        let answer = operator(&cloud, &device, "GET", &format!("/backups?next={next}")).await;
        assert_eq!(assert_failure(next, &answer, 400, "invalid_query"), "Query parameter next is malformed");
    }
    // S3 tells an id that it has never given, and one that it has given for another device.
    let another = cloud.registered_device().await;
    for device in [&device, &another] {
        cloud.put_object(device.uuid(), b"stored", None).await;
    }
    let of_another = cloud.object_versions(another.uuid()).await.remove(0);
    for next in ["abc", "null", &"0".repeat(32), &"f".repeat(32), &of_another] {
        let answer = operator(&cloud, &device, "GET", &format!("/backups?next={next}")).await;
        assert_eq!(assert_failure(next, &answer, 400, "invalid_query"), "Query parameter next is malformed");
    }
    let (broken, faults) = Faults::over(&cloud).await;
    faults.every(Call::ListVersions, Fault::xml_error(400, "InvalidArgument"));
    assert_failure("not asked for", &operator(&broken, &device, "GET", "/backups").await, 500, "internal");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_cannot_be_read_are_not_listed() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    upload(&engines, &device, b"content").await;
    let calls =
        [(Call::GetDevice, Outage::of_dynamodb()), (Call::ListVersions, Outage::of_s3()), (Call::HeadVersion, vec![])];
    for (call, outages) in calls {
        Outage::each(&engines, call, outages, async |broken| {
            broken.assert_told(&operator(&broken.cloud, &device, "GET", "/backups").await);
        })
        .await;
    }
    // An answer to HEAD has no body: the status alone tells.
    let (broken, faults) = Faults::over(&engines).await;
    for (status, answered) in [(403, 500), (500, 503), (404, 200)] {
        faults.every(Call::HeadVersion, Fault::bytes(status, ""));
        assert_eq!(operator(&broken, &device, "GET", "/backups").await.status, answered, "{status}");
    }
}
