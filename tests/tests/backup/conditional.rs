//! `If-None-Match` together with `ETag` is answered 304 when, and only when, both name the stored backup's ETag.

use firefly_device::etag;
use firefly_testkit::TestCloud;
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::stored::Item;

use super::upload;

/// The object that is stored when the request comes.
enum Stored {
    Nothing,
    /// An object without user metadata.
    Bare,
    /// An object with this user metadata `etag`.
    With(String),
}

/// A request's name; the stored object; the headers ETag and If-None-Match; the status.
type Case<'a> = (&'a str, Stored, Vec<&'a str>, Vec<&'a str>, u16);

/// The version number of a device's replay record, which counts its writes.
fn writes(record: Option<&Item>) -> u64 {
    let version = record.and_then(|record| record.get("version"));
    version.and_then(|version| version.as_n().ok()).and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Asserts the answer to an upload of a device of its own, and what is stored after it.
async fn assert_decided(cloud: &TestCloud, (case, stored, tags, conditions, status): Case<'_>) {
    let device = cloud.registered_device().await;
    let old = device.seal(b"plaintext", &rand::random()).unwrap();
    match &stored {
        Stored::Nothing => {}
        Stored::Bare => cloud.put_object(device.uuid(), &old, None).await,
        Stored::With(tag) => cloud.put_object(device.uuid(), &old, Some(tag)).await,
    }
    cloud.advance(1);
    let versions = cloud.object_versions(device.uuid()).await;
    let item = cloud.device_item(device.uuid()).await;
    let spent = writes(cloud.replay_record(device.uuid()).await.as_ref());

    let new = device.seal(b"plaintext", &rand::random()).unwrap();
    let headers = tags.iter().map(|tag| ("ETag", *tag)).chain(conditions.iter().map(|tag| ("If-None-Match", *tag)));
    let answer = upload(cloud, &device, &headers.collect::<Vec<_>>(), &new).await;
    assert_eq!(answer.status, status, "{case}");
    assert_eq!(writes(cloud.replay_record(device.uuid()).await.as_ref()), spent + 1, "{case}");
    let backup = cloud.stored_backup(device.uuid()).await;
    let kept = match tags.as_slice() {
        [tag] => tag.parse::<firefly_core::etag::ETag>().ok(),
        _ => None,
    };
    assert_eq!(answer.header("etag").map(str::to_owned), kept.map(|tag| tag.quoted()), "{case}");
    if status == 304 {
        // The nonce is the only write.
        assert_eq!(answer.body.len(), 0, "{case}");
        assert_eq!(cloud.object_versions(device.uuid()).await, versions, "{case}");
        assert_eq!(cloud.device_item(device.uuid()).await, item, "{case}");
        assert_eq!(backup.unwrap().0, old, "{case}");
    } else {
        let date = cloud.now().to_string();
        assert_eq!(json(&answer)["last_backup_date"], date.as_str(), "{case}");
        assert_eq!(cloud.object_versions(device.uuid()).await.len(), versions.len() + 1, "{case}");
        assert_eq!(cloud.device_item(device.uuid()).await.unwrap()["last_backup_date"].as_s(), Ok(&date), "{case}");
        let (bytes, metadata) = backup.unwrap();
        assert_eq!(bytes, new, "{case}");
        assert_eq!(metadata.get("etag").cloned(), kept.map(|tag| tag.to_hex()), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stored_etag_decides() {
    let cloud = TestCloud::start().await;
    let quoted = etag(b"plaintext").quoted();
    let bare = quoted.trim_matches('"').to_owned();
    let other = etag(b"another plaintext").quoted().trim_matches('"').to_owned();
    let upper = bare.to_uppercase();
    let with = |text: &str| Stored::With(text.to_owned());
    let (q, b, o) = (quoted.as_str(), bare.as_str(), other.as_str());
    let (weak, list) = (format!("W/{quoted}"), format!("\"{other}\", {quoted}"));
    let (both, quoted_upper) = (format!("{quoted}, {quoted}"), format!("\"{upper}\""));
    let cut = &b[..63];

    let cases: [Case<'_>; 33] = [
        ("both quoted", with(b), vec![q], vec![q], 304),
        ("both bare", with(b), vec![b], vec![b], 304),
        ("quoted and bare", with(b), vec![q], vec![b], 304),
        ("upper and lower case", with(b), vec![&quoted_upper], vec![b], 304),
        ("both in upper case", with(b), vec![&upper], vec![&quoted_upper], 304),
        ("old metadata in upper case", with(&upper), vec![q], vec![q], 304),
        ("old metadata with quotes", with(q), vec![q], vec![q], 304),
        ("old metadata in upper case with quotes", with(&quoted_upper), vec![b], vec![b], 304),
        ("something else is stored", with(o), vec![q], vec![q], 200),
        ("nothing is stored", Stored::Nothing, vec![q], vec![q], 200),
        ("the stored object has no ETag", Stored::Bare, vec![q], vec![q], 200),
        ("old metadata is no ETag", with("unknown"), vec![q], vec![q], 200),
        ("old metadata is a weak ETag", with(&weak), vec![q], vec![q], 200),
        ("old metadata is cut short", with(cut), vec![q], vec![q], 200),
        ("old metadata is empty", with(""), vec![q], vec![q], 200),
        ("old metadata and headers are no ETags but equal", with(cut), vec![cut], vec![cut], 200),
        ("only ETag", with(b), vec![q], vec![], 200),
        ("only If-None-Match", with(b), vec![], vec![q], 200),
        ("neither", with(b), vec![], vec![], 200),
        ("ETag names another", with(b), vec![o], vec![q], 200),
        ("If-None-Match names another", with(b), vec![q], vec![o], 200),
        ("both name another", with(b), vec![o], vec![o], 200),
        ("If-None-Match is a weak ETag", with(b), vec![q], vec![&weak], 200),
        ("ETag is a weak ETag", with(b), vec![&weak], vec![q], 200),
        ("If-None-Match is any", with(b), vec![q], vec!["*"], 200),
        ("both are any", with(b), vec!["*"], vec!["*"], 200),
        ("If-None-Match is a list that has it", with(b), vec![q], vec![&list], 200),
        ("If-None-Match is a list of it alone, twice", with(b), vec![q], vec![&both], 200),
        ("If-None-Match twice", with(b), vec![q], vec![q, q], 200),
        ("ETag twice", with(b), vec![q, q], vec![q], 200),
        ("If-None-Match is cut short", with(b), vec![q], vec![cut], 200),
        ("If-None-Match is empty", with(b), vec![q], vec![""], 200),
        ("If-None-Match is S3's own ETag", with(b), vec![q], vec!["\"d41d8cd98f00b204e9800998ecf8427e\""], 200),
    ];
    for case in cases {
        assert_decided(&cloud, case).await;
    }
}

/// A 304 does not spare the body its check, nor the request its nonce.
#[tokio::test(flavor = "multi_thread")]
async fn a_304_still_checks_the_body_and_spends_the_nonce() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let tag = etag(b"plaintext").quoted();
    let headers = [("ETag", tag.as_str()), ("If-None-Match", tag.as_str())];
    let envelope = device.seal(b"plaintext", &[7; 12]).unwrap();
    assert_eq!(upload(&cloud, &device, &headers, &envelope).await.status, 200);
    for (case, body, status, code) in [
        ("an empty body", Vec::new(), 400, "invalid_envelope"),
        ("no envelope", b"configuration".to_vec(), 400, "invalid_envelope"),
        ("too large", vec![0; 524_289], 413, "envelope_too_large"),
    ] {
        assert_failure(case, &upload(&cloud, &device, &headers, &body).await, status, code);
    }
    let signed = cloud.sign(&device);
    assert_eq!(cloud.signed(&signed, "POST", "backup", &headers, Some(&envelope)).await.status, 304);
    let again = cloud.signed(&signed, "POST", "backup", &headers, Some(&envelope)).await;
    assert_failure("the same request again", &again, 401, "replayed");
}

/// The condition compares with the backup that is stored now, not with one that was stored once.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_backup_is_never_304() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let tag = etag(b"plaintext").quoted();
    let headers = [("ETag", tag.as_str()), ("If-None-Match", tag.as_str())];
    let envelope = device.seal(b"plaintext", &[7; 12]).unwrap();
    for status in [200, 304, 304] {
        assert_eq!(upload(&cloud, &device, &headers, &envelope).await.status, status);
    }
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    for status in [200, 304] {
        assert_eq!(upload(&cloud, &device, &headers, &envelope).await.status, status);
    }
    // An upload without an ETag leaves nothing to compare with.
    assert_eq!(upload(&cloud, &device, &[], &envelope).await.status, 200);
    assert_eq!(upload(&cloud, &device, &headers, &envelope).await.status, 200);
}
