//! Listings of buckets, and of objects as version 1 has them.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use tempfile::TempDir;

use crate::server::{BUCKET, Emulator, RawBody, put, refusal, refused};

const KEYS: [&str; 8] = ["a", "b/1", "b/2", "b/c/3", "d", "e/1", "e/2", "ä &"];

/// All entries of ListObjects, page by page; common prefixes end with the delimiter.
async fn entries(
    client: &Client,
    prefix: &str,
    delimiter: Option<&str>,
    marker: &str,
    page_length: i32,
) -> Vec<String> {
    let (mut all, mut marker) = (Vec::new(), marker.to_owned());
    loop {
        let page = client.list_objects().bucket(BUCKET).prefix(prefix).set_delimiter(delimiter.map(str::to_owned));
        let page = page.marker(&marker).max_keys(page_length).send().await.unwrap();
        let keys = page.contents().iter().map(|object| object.key().unwrap().to_owned());
        let prefixes = page.common_prefixes().iter().map(|common| common.prefix().unwrap().to_owned());
        let mut entries: Vec<_> = keys.chain(prefixes).collect();
        entries.sort();
        assert!(entries.len() <= usize::try_from(page_length).unwrap());
        // S3 names the next marker where there is a delimiter; else it is the last key.
        assert_eq!(page.next_marker().is_some(), delimiter.is_some() && page.is_truncated() == Some(true));
        let next = page.next_marker().or(entries.last().map(String::as_str)).map(str::to_owned);
        all.extend(entries);
        if page.is_truncated() != Some(true) {
            return all;
        }
        marker = next.unwrap();
    }
}

#[tokio::test]
async fn version_1_lists_page_by_page() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    for key in KEYS {
        put(&client, key, key).send().await.unwrap();
    }
    for page_length in [1, 2, 3, 1000] {
        let list = async |prefix, delimiter, marker| entries(&client, prefix, delimiter, marker, page_length).await;
        assert_eq!(list("", None, "").await, KEYS);
        assert_eq!(list("", Some("/"), "").await, ["a", "b/", "d", "e/", "ä &"]);
        assert_eq!(list("b/", Some("/"), "").await, ["b/1", "b/2", "b/c/"]);
        assert_eq!(list("b/", None, "").await, ["b/1", "b/2", "b/c/3"]);
        assert_eq!(list("x", Some("/"), "").await, Vec::<String>::new());
        // Behind a key, the rest of its prefix is listed; behind a prefix, nothing of it.
        assert_eq!(list("", Some("/"), "b/1").await, ["b/", "d", "e/", "ä &"]);
        assert_eq!(list("", Some("/"), "b/").await, ["d", "e/", "ä &"]);
        assert_eq!(list("", None, "b/1").await, KEYS[2..]);
        assert_eq!(list("", None, "zz").await, ["ä &"]);
    }
    let page =
        client.list_objects().bucket(BUCKET).encoding_type(EncodingType::Url).marker("e/2").send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("%C3%A4%20%26"));
    assert_eq!(page.contents()[0].size(), Some(4));
    assert!(page.contents()[0].e_tag().is_some() && page.contents()[0].last_modified().is_some());
    assert_eq!(
        refusal(client.list_objects().bucket(BUCKET).max_keys(-1).send().await),
        refused(400, "InvalidArgument")
    );
    assert_eq!(
        refusal(server.client("reader").list_objects().bucket(BUCKET).send().await),
        refused(403, "AccessDenied")
    );
    assert_eq!(refusal(client.list_objects().bucket("no-such-bucket").send().await), refused(404, "NoSuchBucket"));
}

#[tokio::test]
async fn a_bucket_has_its_creation_date_and_location() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let made_at = async || {
        let listed = client.list_buckets().send().await.unwrap();
        let date = listed.buckets()[0].creation_date().unwrap();
        SystemTime::try_from(*date).unwrap()
    };
    let first = made_at().await;
    let age = SystemTime::now().duration_since(first).unwrap_or_default();
    assert!(age < Duration::from_secs(3_600), "{age:?}");
    // The date is that of the bucket, whatever becomes of what is in it.
    put(&client, "key", "x").send().await.unwrap();
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    assert_eq!(made_at().await, first);

    let path = format!("/{BUCKET}?location=");
    let (status, text) = server.send_raw("GET", &path, &[], RawBody::Signed(b"")).await;
    assert!(status == 200 && text.contains("LocationConstraint"), "{status} {text}");
    let location = client.get_bucket_location().bucket("no-such-bucket").send().await;
    assert_eq!(refusal(location), refused(404, "NoSuchBucket"));
}
