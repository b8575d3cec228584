//! A restore returns the stored bytes whole, or 404.

use firefly_device::{Restore, etag};
use firefly_testkit::TestCloud;
use firefly_testkit::answer::assert_failure;

use super::{last_backup_date, refused_envelopes, upload};

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_returns_the_envelope_as_the_firmware_needs_it() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let largest = device.seal(&vec![b'A'; 524_288], &[7; 12]).unwrap();
    let empty = device.seal(b"", &[8; 12]).unwrap();
    for (envelope, tag) in [(&largest, Some(etag(b"largest").quoted())), (&empty, None)] {
        let headers: Vec<_> = tag.iter().map(|tag| ("ETag", tag.as_str())).collect();
        assert_eq!(upload(&cloud, &device, &headers, envelope).await.status, 200);
        let answer = cloud.client().restore(&cloud.sign(&device)).await.unwrap();
        assert!(matches!(answer.outcome, Restore::Restored(bytes) if bytes == *envelope));
        let length = envelope.len().to_string();
        for (name, value) in [
            ("content-type", Some("application/octet-stream")),
            ("content-length", Some(length.as_str())),
            ("cache-control", Some("no-store")),
            ("etag", tag.as_deref()),
            ("transfer-encoding", None),
            ("content-encoding", None),
            ("location", None),
        ] {
            assert_eq!(answer.response.header(name), value, "{name}");
        }
    }
}

/// The earlier functions stored looser bytes and older metadata; both are returned as they were stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_stored_backup_is_returned_unparsed() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let quoted = etag(b"plaintext").quoted();
    let bare = quoted.trim_matches('"').to_owned();
    let mut objects = refused_envelopes();
    objects.extend([
        ("not even the magic".to_owned(), b"\x00\xff\r\n\r\n0\r\n\r\n".to_vec()),
        ("longer than any envelope".to_owned(), vec![b'B'; 1 << 20]),
    ]);
    for (name, bytes) in objects {
        cloud.put_object(device.uuid(), &bytes, Some(&bare)).await;
        let answer = cloud.restore(&device).await;
        assert!(answer.status == 200 && answer.body == bytes, "{name}");
        assert_eq!(answer.header("content-length"), Some(bytes.len().to_string().as_str()), "{name}");
        assert_eq!(answer.header("etag"), Some(quoted.as_str()), "{name}");
    }
    for (metadata, expected) in [
        (None, None),
        (Some(bare.clone()), Some(&quoted)),
        (Some(quoted.clone()), Some(&quoted)),
        (Some(bare.to_uppercase()), Some(&quoted)),
        (Some(quoted.to_uppercase()), Some(&quoted)),
        (Some(String::new()), None),
        (Some("unknown".to_owned()), None),
        (Some(format!("W/{quoted}")), None),
        (Some(bare[..32].to_owned()), None),
        (Some(format!("{bare}, {bare}")), None),
    ] {
        cloud.put_object(device.uuid(), b"FFCE, loosely", metadata.as_deref()).await;
        let answer = cloud.restore(&device).await;
        assert_eq!((answer.status, &answer.body[..]), (200, b"FFCE, loosely".as_slice()), "{metadata:?}");
        assert_eq!(answer.header("etag"), expected.map(String::as_str), "{metadata:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_backup_is_404_even_if_another_has_one() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    assert_failure("never stored", &cloud.restore(&device).await, 404, "no_backup");
    let envelope = other.seal(b"another's", &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&other, &envelope).await.status, 200);
    assert_failure("another's is stored", &cloud.restore(&device).await, 404, "no_backup");
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    assert_failure("deleted", &cloud.restore(&device).await, 404, "no_backup");
    assert_eq!(cloud.restore(&other).await.body, envelope);
}

/// A restore only reads. A query, a condition or a range does not change its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_always_the_whole_backup() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    let tag = etag(b"configuration").quoted();
    assert_eq!(upload(&cloud, &device, &[("ETag", &tag)], &envelope).await.status, 200);
    let before = (cloud.device_item(device.uuid()).await, cloud.object_versions(device.uuid()).await);
    let date = last_backup_date(&cloud, &device).await;
    cloud.advance(5);
    for headers in [
        vec![("If-None-Match", tag.as_str())],
        vec![("If-None-Match", "*")],
        vec![("If-Match", "\"other\"")],
        vec![("Range", "bytes=0-3")],
        vec![("Accept", "application/json"), ("Accept-Encoding", "gzip, br")],
        vec![("Accept", "*/*"), ("Content-Type", "text/plain")],
    ] {
        let answer = cloud.signed(&cloud.sign(&device), "GET", "backup", &headers, None).await;
        assert_eq!((answer.status, &answer.body[..]), (200, &envelope[..]), "{headers:?}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()), "{headers:?}");
    }
    let answer = cloud.signed(&cloud.sign(&device), "GET", "backup?versionId=1&x=%22", &[], None).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &envelope[..]));
    assert_eq!(before, (cloud.device_item(device.uuid()).await, cloud.object_versions(device.uuid()).await));
    assert_eq!(last_backup_date(&cloud, &device).await, date);
}
