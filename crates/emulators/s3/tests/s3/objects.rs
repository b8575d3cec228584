//! Objects come back as they were stored.

use std::collections::BTreeSet;
use std::fs;

use aws_sdk_s3::types::{ChecksumMode, EncodingType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use emulator_s3::MAX_OBJECT_LENGTH;
use s3s::crypto::{Checksum as _, Md5, Sha256};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::server::{BUCKET, RawBody, Server, body_of, files_in, get, put, refusal, refused};

#[tokio::test]
async fn objects_come_back_as_they_were_stored() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    let half_a_mib: Vec<u8> = (0..524_325_u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
    for body in [Vec::new(), b"x".to_vec(), half_a_mib] {
        let stored = put(&client, "key", body.clone())
            .metadata("etag", "0123456789abcdef")
            .content_type("application/octet-stream")
            .send()
            .await
            .unwrap();
        let etag = format!("\"{}\"", Md5::checksum(&body).iter().map(|b| format!("{b:02x}")).collect::<String>());
        assert_eq!(stored.e_tag(), Some(etag.as_str()));

        let head = client.head_object().bucket(BUCKET).key("key").send().await.unwrap();
        assert_eq!(head.content_length(), Some(i64::try_from(body.len()).unwrap()));
        assert_eq!(head.metadata().unwrap()["etag"], "0123456789abcdef");
        assert_eq!(head.version_id(), stored.version_id());

        let found = get(&client, "key").await;
        assert_eq!(found.e_tag(), Some(etag.as_str()));
        assert_eq!(found.content_type(), Some("application/octet-stream"));
        assert_eq!(found.metadata().unwrap()["etag"], "0123456789abcdef");
        assert_eq!(found.content_length(), head.content_length());
        assert!(found.last_modified().is_some());
        assert_eq!(body_of(found).await, body);
    }
}

#[tokio::test]
async fn a_read_answers_its_range_and_a_failed_condition_is_304_or_412() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    let etag = put(&client, "key", "0123456789").send().await.unwrap().e_tag.unwrap();
    for (range, body, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-1", "9", "bytes 9-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ] {
        let found = client.get_object().bucket(BUCKET).key("key").range(range).send().await.unwrap();
        assert_eq!(found.content_range(), Some(content_range));
        assert_eq!(body_of(found).await, body.as_bytes());
    }
    let get = || client.get_object().bucket(BUCKET).key("key");
    assert_eq!(refusal(get().range("bytes=10-").send().await), refused(416, "InvalidRange"));
    assert_eq!(refusal(get().if_none_match(&etag).send().await).0, 304);
    assert_eq!(refusal(get().if_match("\"0\"").send().await), refused(412, "PreconditionFailed"));
    assert!(get().if_match(&etag).if_none_match("\"0\"").send().await.is_ok());
    let checked = get().checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(checked.checksum_sha256(), Some(BASE64.encode(Sha256::checksum(b"0123456789")).as_str()));
}

#[tokio::test]
async fn an_object_has_a_largest_size() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    let length = usize::try_from(MAX_OBJECT_LENGTH).unwrap();
    let refused_put = put(&client, "key", vec![0; length + 1]).send().await;
    assert_eq!(refusal(refused_put), refused(400, "EntityTooLarge"));
    assert!(put(&client, "key", vec![0; length]).send().await.is_ok());
    assert_eq!(body_of(get(&client, "key").await).await.len(), length);
}

#[tokio::test]
async fn any_key_is_only_a_name() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    let long = "k".repeat(1024);
    let keys = [
        "../outside",
        "../../../../tmp/outside",
        "/",
        "//",
        "/etc/passwd",
        "a/../b",
        "a//b",
        "a/",
        ".",
        "..",
        "nul\0",
        "line\nbreak",
        "dev\\ice",
        "ÄÖ 💡",
        "100%",
        "a+b c",
        "?query#fragment",
        "lock",
        "tmp",
        &long,
    ];
    for key in keys {
        put(&client, key, key).send().await.unwrap();
    }
    for key in keys {
        assert_eq!(body_of(get(&client, key).await).await, key.as_bytes(), "{key:?}");
    }
    let listed = client.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(listed.key_count(), Some(i32::try_from(keys.len()).unwrap()));
    assert!(listed.contents().iter().any(|object| object.key() == Some("nul%00")));

    let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(entries.collect::<BTreeSet<_>>(), ["buckets", "lock", "tmp"].map(str::to_owned).into());
    assert_eq!(files_in(&dir.path().join("buckets")).len(), keys.len());

    let too_long = put(&client, &"k".repeat(1025), "x").send().await;
    assert_eq!(refusal(too_long), refused(400, "KeyTooLongError"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_puts_at_once_are_all_stored_and_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    let mut puts = JoinSet::new();
    for number in 0..2000 {
        let request = put(&client, &format!("key-{number}"), vec![1; 1000]);
        puts.spawn(async move { request.send().await.map(drop) });
    }
    for stored in puts.join_all().await {
        stored.unwrap();
    }
    server.stop().await;

    let server = Server::start(dir.path()).await;
    let mut pages = server.client("all").list_objects_v2().bucket(BUCKET).into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.contents().iter().all(|object| object.size() == Some(1000)));
        count += page.contents().len();
    }
    assert_eq!(count, 2000);
}

#[tokio::test]
async fn a_broken_object_is_an_error_that_names_its_file() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    put(&client, "key", "the body").send().await.unwrap();
    let file = files_in(&dir.path().join("buckets")).remove(0);
    fs::write(&file, &fs::read(&file).unwrap()[..50]).unwrap();

    let (status, answer) = server.send_raw("GET", &format!("/{BUCKET}/key"), &[], RawBody::Signed(b"")).await;
    assert_eq!(status, 500);
    assert!(answer.contains(file.to_str().unwrap()), "{answer}");
    put(&client, "key", "a new body").send().await.unwrap();
    assert_eq!(body_of(get(&client, "key").await).await, b"a new body");
}
